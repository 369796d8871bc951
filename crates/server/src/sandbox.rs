//! `sponsorhub sandbox`: the other end of the wires, in a process of its own.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sponsorhub_core::time::DAY_MS;
use sponsorhub_sandbox::{ClockMode, ClockStart, Options, Sandbox, WebhookEndpoint};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The server that is told of events and whose `/v` the shop reports to, as in
    /// <http://127.0.0.1:8080>.
    #[arg(long, value_name = "URL")]
    product: Option<String>,
    /// What events of the platform's account are signed with; the server knows the same.
    #[arg(
        long,
        env = "SPONSORHUB_STRIPE_WEBHOOK_SECRET",
        hide_env_values = true,
        default_value = ""
    )]
    webhook_secret: String,
    /// What events of creators' accounts are signed with.
    #[arg(
        long,
        env = "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET",
        hide_env_values = true,
        default_value = ""
    )]
    connect_webhook_secret: String,
    /// Go by the real time instead of one that is moved by `POST /_control/clock`.
    #[arg(long, conflicts_with = "starts_on")]
    real_time: bool,
    /// Begin at noon UTC of this day, YYYY-MM-DD; without it, on a Monday of 2026.
    #[arg(long, value_name = "DAY", value_parser = day)]
    starts_on: Option<i64>,
}

/// Reads a date as days since 1970.
fn day(text: &str) -> Result<i64> {
    sponsorhub_app::orders::day_of_date(text).context("a date, YYYY-MM-DD")
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
    runtime.block_on(async {
        let endpoint = |product: &String, path: &str, secret: String, connect| WebhookEndpoint {
            url: format!("{}{path}", product.trim_end_matches('/')),
            secret,
            connect,
            enabled_events: Vec::new(),
        };
        let product = arguments.product.as_ref();
        let webhook_endpoints = product.map_or_else(Vec::new, |product| {
            let (account, connect) = (arguments.webhook_secret, arguments.connect_webhook_secret);
            vec![
                endpoint(product, "/webhooks/stripe", account, false),
                endpoint(product, "/webhooks/stripe/connect", connect, true),
            ]
        });
        let listen = arguments.listen;
        let mut options = Options { listen, webhook_endpoints, ..Options::default() };
        if let Some(day) = arguments.starts_on {
            options.clock = ClockStart::Stepped { at_ms: day * DAY_MS + DAY_MS / 2 };
        }
        let running = Sandbox::start(options).await;
        let running = running.with_context(|| format!("listening on {}", arguments.listen))?;
        if arguments.real_time {
            running.sandbox.switch_clock(ClockMode::Real);
        }
        eprintln!("sandbox on {}; no money moves here", running.base_url);
        tokio::signal::ctrl_c().await?;
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
