//! Writes docs/state-machines.md from the transition tables of the core (INV-12), so that the
//! diagrams cannot differ from the code. `--check` compares instead of writing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use sponsorhub_core::{campaign, disbursement};

use crate::run::{Outcome, write_or_check};

const PATH: &str = "docs/state-machines.md";

struct Edge {
    from: &'static str,
    command: &'static str,
    to: &'static str,
    guard: &'static str,
}

struct Machine {
    title: &'static str,
    text: &'static str,
    edges: Vec<Edge>,
}

fn machines() -> [Machine; 2] {
    let campaign = campaign::state::TRANSITIONS.iter().map(|edge| Edge {
        from: edge.from.name(),
        command: edge.command,
        to: edge.to.name(),
        guard: edge.guard,
    });
    let disbursement = disbursement::TRANSITIONS.iter().map(|edge| Edge {
        from: edge.from.name(),
        command: edge.command,
        to: edge.to.name(),
        guard: edge.guard,
    });
    [
        Machine {
            title: "Campaign",
            text: "A dispute is not a state: it sets a flag that stops accrual, enrollment and \
                   refunds until it is closed.",
            edges: campaign.collect(),
        },
        Machine {
            title: "Disbursement",
            text: "One attempt to move a payout's money. An answer that was lost is its own state: \
                   it is cleared up by asking the provider, never by sending again on doubt.",
            edges: disbursement.collect(),
        },
    ]
}

/// Writes or checks the document.
pub(crate) fn run(root: &Path, check: bool) -> Result<Outcome> {
    write_or_check(root, PATH, &render(&machines()), check, "diagrams")
}

fn render(machines: &[Machine]) -> String {
    let mut text = String::from(
        "# State machines\n\nWritten by `cargo xtask diagrams` from the transition tables in \
         `crates/core/src`; change those, not this file.\nEvery edge that is not listed is \
         refused. What stands in brackets must hold on the folded ledger.\n",
    );
    for machine in machines {
        section(&mut text, machine).expect("writing to a string");
    }
    text
}

fn section(text: &mut String, machine: &Machine) -> std::fmt::Result {
    let Machine { title, text: about, edges } = machine;
    write!(text, "\n## {title}\n\n{about}\n\n```mermaid\nstateDiagram-v2\n")?;
    // The first row of a table leaves the state in which the thing begins.
    if let Some(first) = edges.first() {
        writeln!(text, "    [*] --> {}", first.from)?;
    }
    for Edge { from, command, to, guard } in edges {
        let label = label(command, guard);
        writeln!(text, "    {from} --> {to}: {label}")?;
    }
    let left: BTreeSet<_> = edges.iter().map(|edge| edge.from).collect();
    let ends: BTreeSet<_> = edges.iter().map(|edge| edge.to).collect();
    for terminal in ends.difference(&left) {
        writeln!(text, "    {terminal} --> [*]")?;
    }
    write!(text, "```\n\n| from | command | to | what must hold |\n|---|---|---|---|\n")?;
    for Edge { from, command, to, guard } in edges {
        let guard = guard.replace('|', "\\|");
        writeln!(text, "| `{from}` | {command} | `{to}` | {guard} |")?;
    }
    Ok(())
}

/// Mermaid ends a label at a colon or semicolon, and takes angle brackets for HTML.
fn label(command: &str, guard: &str) -> String {
    let guard = guard.replace([':', ';'], ",").replace("<=", "≤").replace(">=", "≥");
    let guard = guard.replace('<', "below").replace('>', "above");
    if guard.is_empty() { command.to_owned() } else { format!("{command} [{guard}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(guard: &'static str) -> String {
        let edges = vec![
            Edge { from: "planned", command: "attempt", to: "attempted", guard },
            Edge { from: "attempted", command: "pay", to: "paid", guard: "" },
        ];
        render(&[Machine { title: "Sample", text: "A sample.", edges }])
    }

    #[test]
    fn a_changed_guard_changes_the_document() {
        assert_ne!(sample("covered"), sample("covered twice"));
    }

    #[test]
    fn begin_and_end_are_drawn_and_labels_stay_readable_by_mermaid() {
        assert!(sample("a < b").contains(": attempt [a below b]\n"));
        assert!(sample("a >= b").contains(": attempt [a ≥ b]\n"));
        let text = sample("covered: all; always");
        assert!(text.contains("    [*] --> planned\n"), "{text}");
        assert!(text.contains("    paid --> [*]\n"), "{text}");
        assert!(text.contains("planned --> attempted: attempt [covered, all, always]\n"), "{text}");
        assert!(!text.contains("attempted --> [*]"), "{text}");
    }

    #[test]
    fn every_edge_of_the_code_is_drawn() {
        let text = render(&machines());
        let drawn = text.lines().filter(|line| line.contains(" --> ") && !line.contains("[*]"));
        let listed = campaign::state::TRANSITIONS.len() + disbursement::TRANSITIONS.len();
        assert_eq!(drawn.count(), listed);
    }
}
