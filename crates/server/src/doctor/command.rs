//! `sponsorhub doctor`: at the machine, with a server running or without.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use axum::http::Method;
use serde_json::json;
use sponsorhub_app::keyring_file;
use sponsorhub_core::attribution::keys::{Keyring, Mode};
use sponsorhub_store::open_read_only;

use super::{Finding, Severity, sorted};
use crate::config::{ClockKind, Config, ServeArguments};
use crate::control;
use crate::outside::Clients;
use crate::world::SystemClock;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// Print one JSON object instead of lines for people.
    #[arg(long)]
    json: bool,
}

const NOTHING: Option<&()> = None;

/// Exit code 0: no error was found. 1: there is one. 2: it could not be looked at all.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let config = Config::load(arguments.serve)?;
    let directory = config.data_dir.as_path();
    let (mut found, keyring) = at_the_machine(directory);
    if let Some(keyring) = &keyring {
        found.extend(settings(&config, keyring.mode()));
    }
    match control::ask::<Vec<Finding>>(directory, Method::GET, "/doctor", NOTHING) {
        Ok(Some(said)) => found.extend(said.into_iter().filter(|one| one.code != "healthy")),
        Ok(None) => {
            let meaning = "no server runs on this data directory: workers, webhooks, payouts and \
                           holdings were not looked at";
            let fix = "start `sponsorhub serve` and ask again";
            found.push(Finding::new(Severity::Warning, "server_not_running", meaning, fix));
        }
        Err(error) => {
            let meaning = format!("the server cannot say how it is: {error:#}");
            let fix = "see its log; both must be of one version";
            found.push(Finding::new(Severity::Error, "server_silent", &meaning, fix));
        }
    }
    let found = sorted(found);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json!({ "data": found }))?;
    } else {
        for one in &found {
            let word = match one.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Ok => "ok",
            };
            let example = one.example.as_ref().map_or_else(String::new, |of| format!(" ({of})"));
            writeln!(out, "{word:<8}{}: {}{example}", one.code, one.meaning)?;
            if !one.fix.is_empty() {
                writeln!(out, "        fix: {}", one.fix)?;
            }
        }
    }
    let has_error = found.iter().any(|one| one.severity == Severity::Error);
    Ok(if has_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What can be seen without a server.
fn at_the_machine(directory: &Path) -> (Vec<Finding>, Option<Keyring>) {
    let mut found = Vec::new();
    let keyring = match keyring_file::read(directory) {
        Ok(keyring) => {
            let of = |is: fn(bool, bool) -> bool| {
                let masters = keyring.masters().iter();
                masters.filter(|one| is(one.revoked_at.is_some(), one.retired_at.is_some())).count()
            };
            let meaning = format!(
                "the keyring of a {} installation, readable by its owner only; masters: {} signing, \
                 {} retired, {} revoked",
                keyring.mode(),
                of(|revoked, retired| !revoked && !retired),
                of(|revoked, retired| !revoked && retired),
                of(|revoked, _| revoked),
            );
            found.push(Finding::new(Severity::Ok, "keyring", &meaning, ""));
            Some(keyring)
        }
        Err(error) => {
            let (meaning, fix) =
                (error.to_string(), "what the message says; nothing runs without it");
            found.push(Finding::new(Severity::Error, "keyring_unusable", &meaning, fix));
            None
        }
    };
    match open_read_only(directory) {
        Ok(_) => {
            found.push(Finding::new(Severity::Ok, "database", "the database opens", ""));
        }
        Err(error) => {
            let meaning = error.to_string();
            let fix = "start `sponsorhub serve` once, or `sponsorhub migrate`, or restore a copy";
            found.push(Finding::new(Severity::Error, "database_unusable", &meaning, fix));
        }
    }
    (found, keyring)
}

/// What `serve` would say to these settings.
fn settings(config: &Config, mode: Mode) -> Vec<Finding> {
    let public = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let clients =
        Clients::new(&config.outside, mode, public.trim_end_matches('/'), Arc::new(SystemClock));
    let mut found = match clients {
        Ok(_) => {
            vec![Finding::new(Severity::Ok, "settings", "the settings go together", "")]
        }
        Err(error) => {
            let meaning = format!("`serve` would not start with these settings: {error:#}");
            let fix = "set what is named, as docs/configuration.md says";
            vec![Finding::new(Severity::Error, "settings_unsafe", &meaning, fix)]
        }
    };
    if config.clock == ClockKind::Virtual && mode != Mode::Sandbox {
        let meaning = format!("--clock virtual, and this installation is for {mode}");
        let fix = "leave the setting out; only a sandbox has another time";
        found.push(Finding::new(Severity::Error, "clock_virtual", &meaning, fix));
    }
    found
}
