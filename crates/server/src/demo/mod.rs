//! `sponsorhub demo`: sandbox and server on a fresh data directory, and a story that is played over
//! their addresses and asserted to the cent.

mod cast;
mod driver;
mod play;
mod replay;
mod story;
mod trail;

use std::io::{IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use data_encoding::HEXLOWER;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::{Orders, Units};
use sponsorhub_app::ports::random;
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_providers::secret::Secret;
use sponsorhub_sandbox::{ClockMode, ClockStart, Options, Running, Sandbox, WebhookEndpoint};
use tokio::sync::oneshot;

use crate::config::{ClockKind, Config};
use crate::outside::Outside;
use crate::pages::Person;
use crate::serve;
use crate::telemetry::{LogFormat, start_logging};
use crate::world::SystemChance;
use driver::{Driver, OPERATOR};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Play the story, print the money's trail and leave. Exit code 0: every figure is as expected and
    /// the audit passes. 1: something is not. 2: the story could not be played.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of lines for people.
    #[arg(long, requires = "once")]
    json: bool,
    /// Keep the data here, where nothing may be yet. Without it, in a temporary directory that is
    /// removed at the end.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Instead of the story, replay the orders of this CSV file in their own days.
    #[arg(long, value_name = "FILE", requires = "once")]
    orders: Option<PathBuf>,
    /// Where the server listens [default: 127.0.0.1:8080, or with --once a free port].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Play on a server that runs already, with `--sandbox` and its `--data-dir`.
    #[arg(long, value_name = "URL", requires_all = ["sandbox", "once", "data_dir"])]
    product: Option<String>,
    /// The sandbox that that server speaks to.
    #[arg(long, value_name = "URL", requires = "product")]
    sandbox: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    start_logging(LogFormat::Text, "error")?;
    let orders = arguments
        .orders
        .as_deref()
        .map(|path| crate::what_if::orders_of(path, Units::Minor))
        .transpose()?;
    let tale = orders.as_ref().map_or(Tale::Story, Tale::Replay);
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().context("starting threads")?;
    if let (Some(product), Some(sandbox), Some(directory)) =
        (&arguments.product, &arguments.sandbox, &arguments.data_dir)
    {
        let addresses = (product.trim_end_matches('/'), sandbox.trim_end_matches('/'));
        name_operator(directory)?;
        let campaign = runtime.block_on(tell(tale, addresses, arguments.json))?;
        return report(tale, directory, campaign, arguments.json);
    }
    let directory = Directory::new(arguments.data_dir.as_deref())?;
    let default = if arguments.once { 0 } else { 8_080 };
    let listen = arguments.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], default)));
    let listener = TcpListener::bind(listen).with_context(|| format!("listening on {listen}"))?;
    runtime.block_on(async {
        let product = format!("http://{}", listener.local_addr()?);
        let house = House::start(&directory.path, listener, (&product, tale.begins_at())).await?;
        let addresses = (product.as_str(), house.sandbox.base_url.as_str());
        let played = house.unless_it_ends(tell(tale, addresses, arguments.json)).await?;
        if arguments.once {
            house.stop().await?;
            return report(tale, &directory.path, played, arguments.json);
        }
        let code = report(tale, &directory.path, played, false)?;
        // The story steps from day to day; whoever tries something now lives in its last one.
        house.sandbox.sandbox.switch_clock(ClockMode::Running);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nIt stays up until you press Ctrl-C:")?;
        writeln!(out, "  the pages: sign in            {product}/sign-in")?;
        writeln!(out, "  (as Fjord Coffee the brand, ada a creator, or the operator)")?;
        writeln!(out, "  the API, described            {product}/api/docs")?;
        writeln!(out, "  figures for operators         {product}/metrics")?;
        writeln!(out, "  the sandbox: tokens           {}/clerk/sign-in", addresses.1)?;
        writeln!(out, "  the sandbox: the shop         {}/shop/", addresses.1)?;
        writeln!(
            out,
            "Time goes on from the story's last day, and can be moved on, here by a day:"
        )?;
        writeln!(
            out,
            "  curl {}/_control/clock --json '{{\"advance_ms\": 86400000}}'",
            addresses.1
        )?;
        out.flush()?;
        drop(out);
        house.unless_it_ends(async { Ok(tokio::signal::ctrl_c().await?) }).await?;
        house.stop().await?;
        Ok(code)
    })
}

/// Names the story's operator to the server of that directory, which may be starting still.
fn name_operator(directory: &Path) -> Result<()> {
    let mut tries = 0;
    loop {
        match crate::keys::tell_of_admin(directory, OPERATOR) {
            Ok(true) => return Ok(()),
            Ok(false) | Err(_) if tries < 600 => tries += 1,
            Ok(false) => bail!("no server runs in {}", directory.display()),
            Err(error) => return Err(error.context("naming the operator")),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is played.
#[derive(Clone, Copy, Debug)]
enum Tale<'a> {
    /// The made-up story.
    Story,
    /// Orders that were.
    Replay(&'a Orders),
}

impl Tale<'_> {
    /// Where the sandbox's clock begins; none for its own choice.
    fn begins_at(self) -> Option<i64> {
        match self {
            Self::Story => None,
            Self::Replay(orders) => Some(replay::begins_at(orders)),
        }
    }

    fn steps(self) -> u64 {
        match self {
            Self::Story => play::steps(),
            Self::Replay(orders) => replay::steps(orders),
        }
    }
}

/// Plays with a bar.
async fn tell(tale: Tale<'_>, addresses: (&str, &str), is_quiet: bool) -> Result<CampaignId> {
    let driver = Driver::new(addresses.0.to_owned(), addresses.1.to_owned())?;
    let target = if std::io::stderr().is_terminal() && !is_quiet {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}  {msg}")?;
    let bar = ProgressBar::with_draw_target(Some(tale.steps()), target).with_style(style);
    let campaign = match tale {
        Tale::Story => play::play(&driver, addresses, &bar).await?,
        Tale::Replay(orders) => replay::replay(&driver, orders, &bar).await?,
    };
    bar.finish_and_clear();
    Ok(campaign.parse()?)
}

fn report(
    tale: Tale<'_>,
    directory: &Path,
    campaign: CampaignId,
    is_json: bool,
) -> Result<ExitCode> {
    let trail = trail::trail(directory, campaign)?;
    let mut out = std::io::stdout().lock();
    if is_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&trail.to_json())?)?;
    } else {
        trail.print(&mut out)?;
    }
    drop(out);
    let checked = match tale {
        Tale::Story => trail.check_story(),
        Tale::Replay(orders) => trail.check_replay(&replay::expected(orders)?),
    };
    match checked {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("error: it went wrong: {error:#}");
            Ok(ExitCode::from(1))
        }
    }
}

/// The data directory; a temporary one goes at the end.
struct Directory {
    path: PathBuf,
    is_temporary: bool,
}

impl Directory {
    fn new(wanted: Option<&Path>) -> Result<Self> {
        if let Some(path) = wanted {
            let is_used =
                path.exists() && path.read_dir().is_ok_and(|mut any| any.next().is_some());
            ensure!(
                !is_used,
                "--data-dir: {} is not empty; a demo begins on a fresh directory",
                path.display()
            );
            return Ok(Self { path: path.to_owned(), is_temporary: false });
        }
        let name = format!("sponsorhub-demo-{}", HEXLOWER.encode(&random::<8>(&SystemChance)));
        Ok(Self { path: std::env::temp_dir().join(name), is_temporary: true })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_temporary {
            // Nothing can be done about what cannot be removed.
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

/// A sandbox and a server that know each other by their addresses only.
struct House {
    sandbox: Running,
    server: tokio::sync::Mutex<Option<tokio::task::JoinHandle<Result<()>>>>,
    stop: Option<oneshot::Sender<()>>,
}

impl House {
    async fn start(
        directory: &Path,
        listener: TcpListener,
        (product, begins_at): (&str, Option<i64>),
    ) -> Result<Self> {
        let secret = || HEXLOWER.encode(&random::<24>(&SystemChance));
        let (account, connect) = (format!("whsec_{}", secret()), format!("whsec_{}", secret()));
        let endpoint = |path: &str, secret: &str, connect| WebhookEndpoint {
            url: format!("{product}{path}"),
            secret: secret.to_owned(),
            connect,
            enabled_events: Vec::new(),
        };
        let endpoints = vec![
            endpoint("/webhooks/stripe", &account, false),
            endpoint("/webhooks/stripe/connect", &connect, true),
        ];
        let mut options = Options { webhook_endpoints: endpoints, ..Options::default() };
        if let Some(at_ms) = begins_at {
            options.clock = ClockStart::Stepped { at_ms };
        }
        let sandbox = Sandbox::start(options).await.context("starting the sandbox")?;
        let outside = Outside {
            stripe_base_url: Some(sandbox.base_url.clone()),
            stripe_secret_key: Some(Secret::new(format!("sk_test_{}", secret()))),
            stripe_webhook_secrets: vec![Secret::new(account)],
            stripe_connect_webhook_secrets: vec![Secret::new(connect)],
            clerk_issuer: Some(sandbox.base_url.clone()),
            webhook_loopback: true,
            people: people(),
            ..Outside::default()
        };
        let config = config(directory, outside)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::task::spawn_blocking(move || {
            serve::run_on(&config, listener, || {
                Ok(async move {
                    // Told or left alone: both are the end.
                    drop(stopped.await);
                })
            })
        });
        let server = tokio::sync::Mutex::new(Some(server));
        Ok(Self { sandbox, server, stop: Some(stop) })
    }

    /// Does something while the server runs; its end is an error.
    async fn unless_it_ends<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut server = self.server.lock().await;
        let Some(running) = server.as_mut() else { bail!("the server does not run") };
        tokio::select! {
            done = work => done,
            ended = running => {
                *server = None;
                Err(ended.map_err(anyhow::Error::from).and_then(|ended| ended).err()
                    .unwrap_or_else(|| anyhow!("the server stopped by itself")))
            }
        }
    }

    /// Ends the server as an operator does, and the sandbox after it.
    async fn stop(mut self) -> Result<()> {
        drop(self.stop.take());
        if let Some(server) = self.server.lock().await.take() {
            tokio::time::timeout(Duration::from_mins(1), server)
                .await
                .context("the server does not stop")???;
        }
        self.sandbox.stop().await;
        Ok(())
    }
}

/// Whom the page to sign in on offers: everybody of the story.
fn people() -> Vec<Person> {
    let person = |user: &str, side, name: &str, about: &str| Person {
        user: user.to_owned(),
        side,
        name: name.to_owned(),
        about: about.to_owned(),
    };
    let about = "pays for a campaign that ran from its deposit to its end";
    let mut people = vec![person("marta", "brand", "Fjord Coffee", about)];
    let creators = story::CREATORS.iter();
    people.extend(creators.map(|one| person(one.name, "creator", one.name, one.part)));
    let about = "sees whether the money is there and what needs a person";
    people.push(person(OPERATOR, "admin", "The operator", about));
    people
}

fn config(directory: &Path, outside: Outside) -> Result<Config> {
    Ok(Config {
        data_dir: directory.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        init: Some(Mode::Sandbox),
        // Every buyer of the story has an address of their own.
        trusted_proxies: vec!["127.0.0.1/32".parse()?],
        queue_bytes: 64 << 20,
        threads: None,
        log_format: LogFormat::Text,
        log: "warn".to_owned(),
        public_url: None,
        clock: ClockKind::Virtual,
        rollup_seconds: 1,
        fees: Fees::default(),
        // Months of a story are played in a minute, and one operator looks on all the time.
        api_requests_per_minute: NonZeroU32::MAX,
        outside,
        operators: vec![OPERATOR.to_owned()],
        #[cfg(feature = "bench-yardsticks")]
        without_storage: false,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use sponsorhub_core::money::Minor;

    use super::story::{CREATORS, EXPECTED};
    use super::trail::usd;

    /// docs/demo.md shows the story's figures, and they are these.
    #[test]
    fn the_document_has_the_figures_that_are_asserted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/demo.md");
        let document = std::fs::read_to_string(path).expect("docs/demo.md");
        for creator in &CREATORS {
            let mut row = String::new();
            write!(row, "| {} | {} | ", creator.name, creator.part).expect("room");
            let line = document.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("docs/demo.md has no row `{row}`"));
            assert!(line.contains(&usd(Minor(creator.paid))), "{line}");
        }
        for (what, amount) in [
            ("paid in by the brand", EXPECTED.deposited),
            ("kept by the payment provider", EXPECTED.provider_fee),
            ("platform fees", EXPECTED.fees),
            ("paid to creators", EXPECTED.paid),
            ("refunded to the brand", EXPECTED.refunded),
        ] {
            let row = format!("| {what} | {} |", usd(Minor(amount)));
            assert!(document.contains(&row), "docs/demo.md has no row `{row}`");
        }
    }
}
