//! The `sponsorhub` binary: arguments in, exit codes out. What a command does is in the app crate.

mod audit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Performance-based creator marketing, with a ledger that creators can check.
#[derive(Debug, Parser)]
#[command(name = "sponsorhub", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Derives every balance and the hash tree again from entry 1, and names the first wrong entry.
    ///
    /// Also names what lies in the database and belongs to no ledger.
    ///
    /// Only reads, so it may run while a server writes. Exit code 0: everything is right. 1: something
    /// is wrong, and it is named. 2: the audit could not be done.
    Audit(audit::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Audit(arguments) => audit::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
