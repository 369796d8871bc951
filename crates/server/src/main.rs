//! The `sponsorhub` binary: arguments in, exit codes out. What a command does is in the app crate.

mod addresses;

mod api;

mod audit;

mod background;

mod bodies;

mod config;

mod control;

#[cfg(feature = "sandbox")]
mod demo;

mod doctor;

mod keys;

mod migrate;

mod net;

mod outside;

mod pages;

mod patience;

mod places;

mod problem;

mod rates;

mod routes;

#[cfg(feature = "sandbox")]
mod sandbox;

mod serve;

mod shared;

mod signature;

mod telemetry;

mod unread;

mod virtual_clock;

mod webhooks;

mod what_if;

mod words;

mod work;

mod world;

#[cfg(feature = "bench-yardsticks")]
mod yardstick;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Requests are many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Performance-based creator marketing, with a ledger that creators can check.
#[derive(Debug, Parser)]
#[command(name = "sponsorhub", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const SERVE_EXAMPLES: &str = "Examples:
  sponsorhub serve --init sandbox
  sponsorhub serve --listen 0.0.0.0:8080 --trusted-proxy 10.0.0.0/8 --log-format json";

const KEYS_EXAMPLES: &str = "Examples:
  sponsorhub keys create --brand brd_00000000000000000000000004
  sponsorhub keys revoke key_00000000000000000000000004
  sponsorhub keys rotate";

const DOCTOR_EXAMPLES: &str = "Examples:
  sponsorhub doctor
  sponsorhub doctor --data-dir /var/lib/sponsorhub --json";

#[cfg(feature = "sandbox")]
const DEMO_EXAMPLES: &str = "Examples:
  sponsorhub demo
  sponsorhub demo --once
  sponsorhub demo --once --json --data-dir ./demo-data";

const WHAT_IF_EXAMPLES: &str = "Examples:
  sponsorhub what-if --orders orders.csv --terms examples/replay-terms.json
  sponsorhub what-if --orders orders.csv --terms terms.json --creators 5 --reverse-every 20 --json";

#[cfg(feature = "sandbox")]
const SANDBOX_EXAMPLES: &str = "Examples:
  sponsorhub sandbox --product http://127.0.0.1:8080
  sponsorhub sandbox --listen 127.0.0.1:9000 --real-time";

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows everything at once: a sandbox, a server, and a campaign from its deposit to its end.
    ///
    /// The payment provider, the identity provider, the shop and the time are a sandbox's: nothing
    /// has to be installed and no money moves. The story and its figures are in docs/demo.md.
    #[cfg(feature = "sandbox")]
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(demo::Arguments),
    /// Derives every balance and the hash tree again from entry 1, and names the first wrong entry.
    ///
    /// Also names what lies in the database and belongs to no ledger.
    ///
    /// Only reads, so it may run while a server writes. Exit code 0: everything is right. 1: something
    /// is wrong, and it is named. 2: the audit could not be done.
    Audit(audit::Arguments),
    /// Answers visits to links and takes in what shops report, until it is asked to stop.
    ///
    /// The first start of an installation needs `--init sandbox`, `--init test` or `--init live`, which
    /// makes its keyring. Settings come from sponsorhub.toml, the environment and flags, the last of
    /// these first.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<config::ServeArguments>),
    /// Issues, lists and revokes API keys of brands, and rotates the keyring.
    ///
    /// Also while a server runs on the same data directory: it is asked then.
    #[command(after_help = KEYS_EXAMPLES)]
    Keys(keys::Arguments),
    /// Looks for what is misconfigured or stuck, and says how to set it right.
    ///
    /// It only looks. Where a server runs on the data directory it is asked as well. Settings are those
    /// of `serve`. Exit code 0: no error was found. 1: there is one. 2: it could not be looked.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<doctor::command::Arguments>),
    #[command(hide = true)]
    Verify {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _rest: Vec<String>,
    },
    #[command(hide = true)]
    Witness {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _rest: Vec<String>,
    },
    /// Brings the database of an installation up to this version, without serving.
    Migrate(migrate::Arguments),
    /// Says what a campaign would have cost on past orders, by month and by creator.
    ///
    /// The same rules as in a ledger, on entries that nobody stores: no server, no database.
    #[command(after_help = WHAT_IF_EXAMPLES)]
    WhatIf(what_if::Arguments),
    /// Runs the sandbox alone: payment provider, identity provider and shop.
    #[cfg(feature = "sandbox")]
    #[command(after_help = SANDBOX_EXAMPLES)]
    Sandbox(sandbox::Arguments),
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// What is wrong with the arguments, what may have been meant, and where to read on.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said: Vec<&str> =
        said.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    format!("{} (more: --help)", said.join(" "))
}

fn not_built(command: &str) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "`sponsorhub {command}` is reserved and not built yet; `sponsorhub audit` checks a \
                   whole installation, examples/verify_receipt.py one receipt"
    )
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error)
            if error.use_stderr()
                && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            eprintln!("{}", in_one_line(&error));
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    let result = match arguments.command {
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Doctor(arguments) => doctor::command::run(*arguments),
        #[cfg(feature = "sandbox")]
        Command::Demo(arguments) => demo::run(&arguments),
        Command::WhatIf(arguments) => what_if::run(&arguments),
        Command::Verify { .. } => not_built("verify"),
        Command::Witness { .. } => not_built("witness"),
        Command::Migrate(arguments) => migrate::run(&arguments),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => sandbox::run(arguments),
    };
    match result {
        Ok(code) => code,
        // Whoever read has seen enough, as `| head` does: nothing to say, and not done to the end, so
        // that nobody takes half an audit for a whole one.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
