//! `cargo xtask prove`: the long versions of the proofs, written down in docs/proof.md.
//!
//! A proof is a command that a reader can repeat. What follows the marker in the document is
//! written by hand (what a run found, and what was changed) and stays when the rest is rewritten.
//!
//! To add a proof, add it to one of the lists below.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::by_hand::kept;
use crate::machine::Machine;
use crate::reference::{Model, ModelArgs, comparison};
use crate::run::{Cargo, Outcome, Row, overall, table, tests_passed, timed};

const PATH: &str = "docs/proof.md";

/// Everything from this line on is kept.
const MARKER: &str = "<!-- From here on written by hand; `cargo xtask prove` keeps it. -->";

/// Cases per property; the tests' own default is a tenth of it.
const CASES: u32 = 100_000;

/// Random histories in the comparison with the reference model.
const HISTORIES: u32 = 50_000;

const MILLION: &str = "test -p sponsorhub-store --test retries -- --ignored --nocapture";

const PAYOUTS_UNDER_FAULTS: &str =
    "test -p sponsorhub --test api under_random_faults_2_000 -- --ignored --nocapture";

const KILLED_AT_EVERY_BOUNDARY: &str =
    "test -p sponsorhub-app --test money killed_at_every_boundary -- --nocapture";

const ORDERS_OF_EVENTS: &str =
    "test -p sponsorhub --test api all_720_orders -- --ignored --nocapture";

const REQUESTS_MADE_UP: &str = "test -p sponsorhub --test api at_length -- --ignored --nocapture";

const REPLAY: &str = "test -p sponsorhub --test replay -- --nocapture comes_out what_if_says";

const REPLAY_KILLED: &str =
    "test -p sponsorhub --test replay twenty_times -- --ignored --nocapture";

const KILLED: &str = "test -p sponsorhub --test serve twenty_times -- --ignored --nocapture";

/// Arguments of `cargo xtask prove`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Past orders for the replay, such as those of the CDNOW data set.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// The seed that every proof starts from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct Proof {
    name: &'static str,
    /// What a pass means, as one sentence for an outsider.
    shows: &'static str,
    /// The command with its environment, or why there is none here.
    command: Result<Cargo, String>,
}

/// Proofs of rules and formats.
fn proofs_of_rules(model: Model, seed: u64) -> Vec<Proof> {
    let comparison = match model {
        Model::At(folder) => Ok(comparison(&folder, HISTORIES, seed)),
        Model::Absent(reason) => Err(reason),
    };
    let properties = Cargo::new("test -p sponsorhub-core -- --nocapture")
        .env("SPONSORHUB_CASES", &CASES)
        .env("SPONSORHUB_SEED", &seed);
    let mutants =
        "test -p sponsorhub-core --test attribution none_of_1_000_000 -- --ignored --nocapture";
    vec![
        Proof {
            name: "Properties of the money rules",
            shows: "Random ledgers keep the invariants, any split of rollup runs gives the same \
                    postings, the cap is exact, and every campaign can be closed to zero.",
            command: Ok(properties),
        },
        Proof {
            name: "Comparison with the reference model",
            shows: "Two independent implementations of the money rules post the same amounts and \
                    reach the same balances after every entry of random histories.",
            command: comparison,
        },
        Proof {
            name: "Tokens changed at random",
            shows: "A link or click token that was changed in any way does not verify.",
            command: Ok(Cargo::new(mutants).env("SPONSORHUB_SEED", &seed)),
        },
    ]
}

/// Proofs of stores and servers, on the file of orders where there is one.
fn proofs_of_servers(orders: Option<&Path>) -> Vec<Proof> {
    let on_orders = |line| {
        let cargo = Cargo::new(line);
        let Some(orders) = orders else { return cargo };
        let shown = orders.file_name().map(|name| name.to_string_lossy().into_owned());
        let (path, shown) = (orders.display().to_string(), shown.unwrap_or_default());
        cargo.env_shown_as("SPONSORHUB_ORDERS", &path, &shown)
    };
    let replay = match orders {
        Some(_) => Ok(on_orders(REPLAY)),
        None => Err("no file of orders was given: --orders FILE".to_owned()),
    };
    vec![
        Proof {
            name: "A million events, each delivered twice",
            shows: "What is delivered again hours later enters no second time, and taking in does \
                    not slow down as the ledger grows.",
            command: Ok(Cargo::new(MILLION)),
        },
        Proof {
            name: "A server killed twenty times under load",
            shows: "Every report that was answered is in the ledger, once, at the place that the \
                    answer told, and the audit passes.",
            command: Ok(Cargo::new(KILLED)),
        },
        Proof {
            name: "All 720 orders of six events",
            shows: "Events of payment, refund, dispute and account, in every order, repeated and among \
                    false ones, end in one state; no campaign is live before it is paid.",
            command: Ok(Cargo::new(ORDERS_OF_EVENTS)),
        },
        Proof {
            name: "Payouts under random faults",
            shows: "At a provider that cuts, fails, refuses and forgets, with an operator who tries \
                    again and gives up at random, each payout is transferred once and the sums agree.",
            command: Ok(Cargo::new(PAYOUTS_UNDER_FAULTS)),
        },
        Proof {
            name: "Made-up requests to every operation",
            shows: "What schemathesis makes of the API's document, for a creator, an operator and an owner, \
                    is answered as the document says, and never by a 5xx.",
            command: Ok(Cargo::new(REQUESTS_MADE_UP)),
        },
        Proof {
            name: "Bugs that lost other people's money",
            shows: "Each of six bugs of public projects, put into this product, is found by the test that is \
                    named after it, by its named assertion, and by no other of them.",
            command: Ok(Cargo::new("xtask planted-bugs")),
        },
        Proof {
            name: "Killed at every boundary",
            shows: "A payout and a refund, killed before and after each commit and each call of the provider, \
                    come to one end.",
            command: Ok(Cargo::new(KILLED_AT_EVERY_BOUNDARY)),
        },
        Proof {
            name: "Real orders replayed",
            shows: "Over HTTP, without a ledger, and by a script that knows the file alone: \
                    orders, amounts, reversals, commission of each creator, fees and refund are the \
                    same to the cent, and the campaign ends paid out with a passing audit.",
            command: replay,
        },
        Proof {
            name: "A server killed twenty times during replays",
            shows: "The same figures each time, and no payout is transferred twice.",
            command: Ok(on_orders(REPLAY_KILLED)),
        },
    ]
}

struct Proved {
    proof: Proof,
    outcome: Outcome,
    took: Duration,
    lines: Vec<String>,
}

/// Runs all proofs and writes the document, also when one fails.
pub(crate) fn run(root: &Path, args: &ProveArgs) -> Result<Outcome> {
    let model = args.model.locate(root)?;
    let mut proved = Vec::new();
    // Tests run elsewhere than this command.
    let orders = args.orders.as_ref().map(|path| path.canonicalize()).transpose();
    let orders = orders.context("--orders")?;
    let rules = proofs_of_rules(model, args.seed);
    for proof in rules.into_iter().chain(proofs_of_servers(orders.as_deref())) {
        println!("\n══ {}\n", proof.name);
        proved.push(prove(proof, root)?);
    }
    let file = root.join(PATH);
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let text = render(&proved, &Machine::here(root), args.seed) + &by_hand(&before);
    std::fs::write(&file, text).with_context(|| format!("writing {PATH}"))?;
    let rows: Vec<_> = proved
        .into_iter()
        .map(|Proved { proof, outcome, took, .. }| Row { step: proof.name.into(), outcome, took })
        .collect();
    println!("\n══ what ran (written to {PATH})\n\n{}", table(&rows));
    Ok(overall(&rows))
}

fn prove(proof: Proof, root: &Path) -> Result<Proved> {
    let (ran, took) = timed(|| match &proof.command {
        Ok(cargo) => {
            println!("{}", cargo.line());
            cargo.run_and_keep(root)
        }
        Err(reason) => Ok((Outcome::NotRun(reason.clone()), Vec::new())),
    });
    let (outcome, lines) = ran?;
    let outcome = match outcome {
        // A filter that matches nothing succeeds, and proves nothing.
        Outcome::Passed if tests_passed(&lines) == 0 => Outcome::Failed(1),
        other => other,
    };
    Ok(Proved { proof, outcome, took, lines: lines.into_iter().filter(|l| is_kept(l)).collect() })
}

/// Lines that say what was done: summaries with tests in them, and what a test says of itself.
fn is_kept(line: &str) -> bool {
    let summary = line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed");
    summary || line.starts_with("proof: ") || line.contains("FAILED")
}

fn render(proved: &[Proved], machine: &Machine, seed: u64) -> String {
    let mut text = String::from(
        "# Proof\n\nWritten by `cargo xtask prove`, which runs what `cargo xtask ci` runs, only \
         longer. Each command can be repeated as it\nstands; the same seed gives the same cases.\
         \n\n",
    );
    text += &machine.markdown();
    writeln!(text, "- seed: {seed}").expect("writing to a string");
    for (index, one) in proved.iter().enumerate() {
        section(&mut text, index + 1, one).expect("writing to a string");
    }
    text + "\n"
}

fn section(text: &mut String, number: usize, proved: &Proved) -> std::fmt::Result {
    let Proved { proof, outcome, took, lines } = proved;
    writeln!(text, "\n## {number}. {}\n\n{}\n", proof.name, proof.shows)?;
    if let Ok(cargo) = &proof.command {
        writeln!(text, "```sh\n{}\n```\n", cargo.line())?;
    }
    writeln!(text, "Outcome: **{}**, {} s.", outcome.sentence(), took.as_secs())?;
    if !lines.is_empty() {
        writeln!(text, "\n```text\n{}\n```", lines.join("\n"))?;
    }
    Ok(())
}

/// The part of the old document that is kept, or the beginning of one.
fn by_hand(before: &str) -> String {
    kept(before, MARKER, "## What the runs found\n\nNothing recorded yet.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace_root;

    fn proof(command: Result<Cargo, String>) -> Proof {
        Proof { name: "Sample", shows: "Something.", command }
    }

    #[test]
    fn a_command_that_runs_no_test_proves_nothing() {
        let ran = prove(proof(Ok(Cargo::new("--version"))), &workspace_root()).expect("starts");
        assert_eq!(ran.outcome, Outcome::Failed(1));
    }

    #[test]
    fn a_proof_that_cannot_run_is_written_down_as_not_run() {
        let ran = prove(proof(Err("no model".into())), &workspace_root()).expect("no error");
        let [commit, cpu, memory] = ["abc1234", "Fast 9000", "2048 MiB"].map(str::to_owned);
        let text = render(&[ran], &Machine { commit, cpu, cores: 2, memory }, 7);
        assert!(text.contains("Outcome: **NOT RUN: no model**"), "{text}");
        assert!(text.contains("- seed: 7\n"), "{text}");
    }

    #[test]
    fn what_was_written_by_hand_stays() {
        let kept = format!("{MARKER}\n\nFound one cent.\n");
        assert_eq!(by_hand(&format!("# Proof\nold\n{kept}")), kept);
        assert!(by_hand("").starts_with(MARKER));
    }

    #[test]
    fn empty_summaries_are_left_out_and_statements_of_tests_stay() {
        assert!(is_kept("test result: ok. 3 passed; 0 failed; 0 ignored"));
        assert!(is_kept("proof: 50,000 histories agree"));
        assert!(!is_kept("test result: ok. 0 passed; 0 failed; 0 ignored"));
        assert!(!is_kept("running 3 tests"));
    }

    #[test]
    fn the_long_runs_are_longer_than_the_short_ones() {
        let model = Model::At("/m".into());
        let lines: Vec<_> = proofs_of_rules(model, 1)
            .into_iter()
            .filter_map(|proof| Some(proof.command.ok()?.line()))
            .collect();
        assert!(lines.iter().any(|line| line.contains("SPONSORHUB_CASES=100000")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("SPONSORHUB_HISTORIES=50000")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("none_of_1_000_000")), "{lines:?}");
    }
}
