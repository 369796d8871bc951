//! Development commands of SponsorHub: `cargo xtask ci` is what has to pass before a merge.
//!
//! Each command is one module. [`run`] starts other programs and prints what happened, [`tidy`]
//! checks what the compiler cannot see, [`diagrams`], [`ledger_docs`] and [`attribution_docs`] write
//! documents from the tables and golden files of `sponsorhub-core`, [`mod@bench`] and [`prove`] turn
//! long runs into documents that name the machine they ran on. Nothing here is part of the product.
#![expect(clippy::print_stdout, reason = "a command line tool for developers answers on stdout")]

mod attribution_docs;
mod bench;
mod by_hand;
mod ci;
mod diagrams;
mod ledger_docs;
mod machine;
mod planted;
mod prove;
mod reference;
mod run;
mod sample_orders;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

use run::{Cargo, workspace_root};

/// What takes the pictures of the pages.
const PICTURES: &str = "test -p sponsorhub --test browser pictures_of -- --ignored";

/// Development commands of SponsorHub.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Everything that has to pass before a merge, with a table of what ran.
    Ci(reference::ModelArgs),
    /// House rules that the compiler cannot see: edges, sizes, names, links, citations.
    Tidy,
    /// Writes docs/state-machines.md from the transition tables.
    Diagrams {
        /// Compare only, and fail where the file differs.
        #[arg(long)]
        check: bool,
    },
    /// Writes docs/ledger.md from the golden files.
    LedgerDocs {
        /// Compare only, and fail where the file differs.
        #[arg(long)]
        check: bool,
    },
    /// Writes docs/attribution.md from module heads and golden files.
    AttributionDocs {
        /// Compare only, and fail where the file differs.
        #[arg(long)]
        check: bool,
    },
    /// Compares the ledger's fold with the reference model on random histories.
    Reference(reference::ReferenceArgs),
    /// Runs the store's benches and writes docs/benchmarks.md.
    Bench(bench::BenchArgs),
    /// Writes examples/sample-orders.csv, or a larger file of its shape.
    SampleOrders(sample_orders::SampleArgs),
    /// Makes docs/screenshots anew: the demo's pages, light and dark, on a desk and on a phone.
    Screenshots,
    /// Plants bugs of public projects one by one, and sees that the named test finds each.
    PlantedBugs,
    /// Runs the long versions of the proofs and writes docs/proof.md.
    Prove(prove::ProveArgs),
}

fn main() -> ExitCode {
    let root = workspace_root();
    let outcome = match Task::parse() {
        Task::Ci(model) => Ok(ci::run(&root, &model)),
        Task::Tidy => tidy::run(&root),
        Task::Diagrams { check } => diagrams::run(&root, check),
        Task::LedgerDocs { check } => ledger_docs::run(&root, check),
        Task::AttributionDocs { check } => attribution_docs::run(&root, check),
        Task::Reference(args) => reference::run(&root, &args),
        Task::Bench(args) => bench::run(&root, &args),
        Task::SampleOrders(args) => sample_orders::run(&root, &args),
        Task::Screenshots => Cargo::new(PICTURES).run(&root),
        Task::PlantedBugs => planted::run(&root),
        Task::Prove(args) => prove::run(&root, &args),
    };
    match outcome {
        Ok(outcome) => {
            println!("{}", outcome.sentence());
            outcome.exit_code()
        }
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
