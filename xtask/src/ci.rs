//! `cargo xtask ci`: everything that has to pass, in order, and a table of what ran.
//!
//! A failing step does not stop the others, so that one run shows all there is to repair; the exit
//! code is that of the first failure. Everything is built with the one dev profile.

use std::path::Path;

use anyhow::Result;

use crate::reference::{self, HISTORIES_CI, ModelArgs};
use crate::run::{Cargo, Outcome, Row, overall, table, timed};
use crate::sample_orders::{self, SampleArgs};
use crate::{attribution_docs, diagrams, ledger_docs, tidy};

/// The seed of the comparison in `ci`; `prove` may take another.
const SEED_CI: u64 = 1;

/// What a step does.
enum Work<'a> {
    /// Runs a program.
    Cargo(Cargo),
    /// Calls into this program; the text is the command that does the same by itself.
    Here(String, Box<dyn Fn() -> Result<Outcome> + 'a>),
}

struct Step<'a> {
    name: &'static str,
    work: Work<'a>,
}

/// Runs all steps and prints the closing table.
pub(crate) fn run(root: &Path, model: &ModelArgs) -> Outcome {
    let rows = run_all(&steps(root, model), root);
    println!("\n══ what ran\n\n{}", table(&rows));
    overall(&rows)
}

fn steps<'a>(root: &'a Path, model: &'a ModelArgs) -> Vec<Step<'a>> {
    let doc = Cargo::new("doc --workspace --no-deps").env("RUSTDOCFLAGS", &"-D warnings");
    let deny = Cargo::new("deny --offline check licenses bans sources");
    let cargo = |name, line| Step { name, work: Work::Cargo(Cargo::new(line)) };
    vec![
        cargo("format", "fmt --all --check"),
        cargo("lints", "clippy --workspace --all-targets -- -D warnings"),
        cargo(
            "lints without the sandbox",
            "clippy -p sponsorhub --no-default-features -- -D warnings",
        ),
        here("tidy", "cargo xtask tidy".into(), move || tidy::run(root)),
        // One failure must not hide another.
        cargo("tests", "test --workspace --no-fail-fast"),
        Step { name: "documentation", work: Work::Cargo(doc) },
        here("generated: state machines", "cargo xtask diagrams --check".into(), move || {
            diagrams::run(root, true)
        }),
        here("generated: ledger examples", "cargo xtask ledger-docs --check".into(), move || {
            ledger_docs::run(root, true)
        }),
        here("generated: attribution", "cargo xtask attribution-docs --check".into(), move || {
            attribution_docs::run(root, true)
        }),
        here("generated: sample orders", "cargo xtask sample-orders --check".into(), move || {
            sample_orders::run(root, &SampleArgs::CHECK)
        }),
        here("reference model", "cargo xtask reference".into(), move || {
            reference::compare(root, model, HISTORIES_CI, SEED_CI)
        }),
        here("licences, bans, sources", deny.line(), move || run_if_installed(&deny, root)),
    ]
}

fn here<'a>(
    name: &'static str,
    command: String,
    work: impl Fn() -> Result<Outcome> + 'a,
) -> Step<'a> {
    Step { name, work: Work::Here(command, Box::new(work)) }
}

/// The one check whose tool does not come with the toolchain.
fn run_if_installed(deny: &Cargo, root: &Path) -> Result<Outcome> {
    if !Cargo::new("deny --version").answers(root) {
        return Ok(Outcome::NotRun("cargo-deny is not installed".into()));
    }
    deny.run(root)
}

fn run_all(steps: &[Step<'_>], root: &Path) -> Vec<Row> {
    let total = steps.len();
    let mut rows = Vec::new();
    for (index, Step { name, work }) in steps.iter().enumerate() {
        let number = index + 1;
        let line = match work {
            Work::Cargo(cargo) => cargo.line(),
            Work::Here(command, _) => command.clone(),
        };
        println!("\n══ {number}/{total} {name}: {line}\n");
        let (outcome, took) = timed(|| match work {
            Work::Cargo(cargo) => cargo.run(root),
            Work::Here(_, work) => work(),
        });
        let outcome = outcome.unwrap_or_else(|error| {
            println!("error: {error:#}");
            Outcome::Failed(1)
        });
        println!("{name}: {} after {} s", outcome.sentence(), took.as_secs());
        rows.push(Row { step: (*name).to_owned(), outcome, took });
    }
    rows
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;
    use crate::run::workspace_root;

    #[test]
    fn a_failing_step_fails_the_whole_and_the_steps_after_it_still_run() {
        let steps = [
            here("breaks", "x".into(), || bail!("broken")),
            Step { name: "fails", work: Work::Cargo(Cargo::new("no-such-subcommand")) },
            here("not here", "y".into(), || Ok(Outcome::NotRun("absent".into()))),
            here("passes", "z".into(), || Ok(Outcome::Passed)),
        ];
        let rows = run_all(&steps, &workspace_root());
        let outcomes: Vec<_> = rows.iter().map(|row| row.outcome.clone()).collect();
        assert_eq!(
            outcomes,
            [
                Outcome::Failed(1),
                Outcome::Failed(101),
                Outcome::NotRun("absent".into()),
                Outcome::Passed,
            ]
        );
        assert_eq!(overall(&rows), Outcome::Failed(1));
    }

    #[test]
    fn lints_and_tests_cover_the_whole_workspace_with_the_one_profile() {
        let model = ModelArgs { model: None };
        let root = workspace_root();
        for step in steps(&root, &model) {
            if let Work::Cargo(cargo) = step.work {
                let line = cargo.line();
                // The binary without a feature is looked at beside the whole.
                let is_beside = line.contains("--no-default-features");
                let is_whole = line.contains("--workspace") || line.contains("--all ");
                assert!(is_whole || is_beside, "{line}");
                assert!(!line.contains("--release") && !line.contains("--profile"), "{line}");
            }
        }
    }
}
