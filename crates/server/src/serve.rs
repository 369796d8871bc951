//! `sponsorhub serve`: everything is opened, runs, and ends in an order that loses nothing.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sponsorhub_app::approvals::Approvals;
use sponsorhub_app::catalog::Catalog;
use sponsorhub_app::desk::Desk;
use sponsorhub_app::intake::Intaker;
use sponsorhub_app::keyring_file;
use sponsorhub_app::operators;
use sponsorhub_app::ports::{Clock, PaymentProvider};
use sponsorhub_app::redirect::Redirects;
use sponsorhub_app::webhooks::send::Sender;
use sponsorhub_app::workers::{Pace, Workers};
use sponsorhub_core::attribution::keys::{Keyring, Mode};
use sponsorhub_store::registry::Endpoint;
use sponsorhub_store::sqlite::StepReport;
use sponsorhub_store::{ClickLog, ClickOptions, Options, SqliteClickLog, SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::addresses::Addresses;
use crate::api::UnderWay;
use crate::background::{Background, Noted};
use crate::bodies::Bodies;
use crate::config::{ClockKind, Config, ServeArguments};
use crate::doctor::heard::Heard;
use crate::net::Connections;
use crate::outside::Clients;
use crate::pages::{Front, Sales};
use crate::places::Places;
use crate::rates::Rates;
use crate::shared::{Limits, Parts, Shared};
use crate::telemetry::{Figures, start_logging, tell_places_of_panics};
use crate::virtual_clock::VirtualClock;
use crate::webhooks::Sending;
use crate::work::{Bell, Work};
use crate::world::{SystemChance, SystemClock};
use crate::{control, net, routes};

pub(crate) fn run(arguments: ServeArguments) -> Result<ExitCode> {
    let config = Config::load(arguments)?;
    // Before anything else is missed: who has nothing set yet is led to the demo.
    config.outside.check()?;
    start_logging(config.log_format, &config.log)?;
    let listener = std::net::TcpListener::bind(config.listen);
    let listener = listener.with_context(|| format!("listening on {}", config.listen))?;
    run_on(&config, listener, stop)?;
    tracing::info!("stopped; everything that was acknowledged is in the ledger");
    Ok(ExitCode::SUCCESS)
}

/// Serves on a listener until the future that `stop` makes is done.
pub(crate) fn run_on<S: Future<Output = ()>>(
    config: &Config,
    listener: std::net::TcpListener,
    stop: impl FnOnce() -> std::io::Result<S>,
) -> Result<()> {
    tell_places_of_panics();
    let address = listener.local_addr()?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let clock = clock(config)?;
    let keyring = keyring(config, &*clock)?;
    let mode = keyring.mode();
    let is_virtual = config.clock == ClockKind::Virtual;
    anyhow::ensure!(
        !is_virtual || mode == Mode::Sandbox,
        "--clock virtual: this installation is for {mode}; only a sandbox has another time"
    );
    let clients =
        Clients::new(&config.outside, mode, public_url.trim_end_matches('/'), Arc::clone(&clock))?;
    let is_ready = Arc::new(AtomicBool::new(true));
    let figures = Figures::new(Arc::clone(&is_ready))?;
    let store = open_store(config, &keyring, figures.clone(), Arc::clone(&clock))?;
    let clicks = SqliteClickLog::open(&config.data_dir, &ClickOptions::default())?;
    let outside = Outer {
        clock: Arc::clone(&clock),
        clients,
        public_url: public_url.trim_end_matches('/').to_owned(),
    };
    for user in &config.operators {
        operators::add(&store, user, clock.now()).with_context(|| format!("operator {user}"))?;
    }
    let shared = share(config, &keyring, (store, Arc::new(clicks)), figures, outside)?;
    let background = Background::start(shared.clone(), config.data_dir.clone(), is_ready)?;
    let (workers, clock) = (Arc::clone(&shared.workers), Arc::clone(&shared.clock));
    // Virtual time jumps, so whoever goes by it looks often.
    let every = Duration::from_millis(if is_virtual { 10 } else { 500 });
    let work = Work::start(workers, clock, shared.bell.clone(), every)?;
    let sending = Sending::start(Arc::new(sender(&shared)?), every.max(Duration::from_millis(50)))?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build().context("starting threads")?;
    let served = runtime.block_on(serve(config, listener, shared, stop));
    // Requests are answered. What they left goes out in this order: notes, entries, clicks.
    drop(sending);
    drop(work);
    drop(background);
    drop(runtime);
    served
}

fn sender(shared: &Shared) -> Result<Sender> {
    let client = Arc::clone(&shared.clients.outgoing);
    let (desk, catalog) = (Arc::clone(&shared.desk), Arc::clone(&shared.catalog));
    Ok(Sender::new(desk, catalog, client, Arc::clone(&shared.clock))?)
}

fn clock(config: &Config) -> Result<Arc<dyn Clock>> {
    Ok(match config.clock {
        ClockKind::System => Arc::new(SystemClock),
        ClockKind::Virtual => {
            let sandbox = config.outside.stripe_base_url.as_deref();
            let sandbox = sandbox.context("--clock virtual needs SPONSORHUB_STRIPE_BASE_URL")?;
            Arc::new(VirtualClock::start(sandbox)?)
        }
    })
}

fn keyring(config: &Config, clock: &dyn Clock) -> Result<Keyring> {
    let directory = &config.data_dir;
    let Some(mode) = config.init else {
        return Ok(keyring_file::read(directory)?);
    };
    match keyring_file::make(directory, mode, &SystemChance, clock.now()) {
        Ok(keyring) => {
            tracing::info!(keyring = %keyring.id(), %mode, "made keyring.json; keep a copy of it");
            Ok(keyring)
        }
        // Saying it again changes nothing, as long as it says the same.
        Err(keyring_file::KeyringFileError::Exists(_)) => {
            let keyring = keyring_file::read(directory)?;
            let known = keyring.mode();
            anyhow::ensure!(known == mode, "--init: this installation is for {known}, for ever");
            Ok(keyring)
        }
        Err(error) => Err(error.into()),
    }
}

fn open_store(
    config: &Config,
    keyring: &Keyring,
    figures: Figures,
    clock: Arc<dyn Clock>,
) -> Result<SqliteStore> {
    let options = Options {
        keyring: Some(keyring.id()),
        queue_bytes_max: config.queue_bytes,
        ..Options::default()
    };
    let watch = move |step: &mut dyn FnMut() -> StepReport| {
        #[expect(clippy::disallowed_methods, reason = "how long a commit took is for people only")]
        let started = std::time::Instant::now();
        let report = step();
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        if let Some(error) = &report.failed {
            tracing::error!(error = %error, "a commit failed; all who waited for it were told");
        }
        for campaign in &report.corrupt {
            tracing::error!(%campaign, "its ledger is corrupt and takes nothing more; run audit");
        }
        figures.commit(&report, micros);
    };
    let clock = move || clock.now();
    let store = SqliteStore::open_watched(&config.data_dir, options, clock, watch);
    store.with_context(|| format!("opening {}", config.data_dir.display()))
}

/// What a server is told of the world.
struct Outer {
    clock: Arc<dyn Clock>,
    clients: Clients,
    public_url: String,
}

fn share(
    config: &Config,
    keyring: &Keyring,
    (store, clicks): (SqliteStore, Arc<dyn ClickLog>),
    figures: Figures,
    outer: Outer,
) -> Result<Shared> {
    let store: Arc<dyn Store> = Arc::new(store);
    let heard = Heard::default();
    for endpoint in [Endpoint::Account, Endpoint::Connect] {
        // Also before this start.
        if let Some(at) = store.registry()?.newest_event(endpoint)? {
            heard.note(endpoint, true, at);
        }
    }
    #[cfg(feature = "bench-yardsticks")]
    let store = if config.without_storage { crate::yardstick::without(store) } else { store };
    let chance = Arc::new(SystemChance);
    let catalog = Arc::new(Catalog::new(&*store, keyring)?);
    let redirects = Redirects::new(Arc::clone(&catalog), Arc::clone(&clicks), chance.clone());
    let intaker = Intaker::new(&*store, Arc::clone(&catalog), chance.clone(), redirects.bots())?;
    let desk = Arc::new(Desk::new(Arc::clone(&store), chance)?);
    let pace = Pace { rollup_ms: i64::from(config.rollup_seconds) * 1_000, ..Pace::default() };
    let provider: Arc<dyn PaymentProvider> = outer.clients.provider.clone();
    let workers = Arc::new(Workers::new(Arc::clone(&desk), provider, pace));
    Ok(Shared::new(Parts {
        clock: outer.clock,
        store,
        clicks,
        catalog,
        redirects,
        intaker: Arc::new(intaker),
        figures,
        noted: Noted::default(),
        trusted_proxies: config.trusted_proxies.clone(),
        limits: Limits::default(),
        fees: config.fees,
        bodies: Bodies::default(),
        places: Places::new(),
        desk,
        workers,
        bell: Bell::default(),
        stopping: tokio::sync::watch::Sender::new(false),
        clients: outer.clients,
        under_way: UnderWay::default(),
        rates: Rates::new(config.api_requests_per_minute),
        approvals: Approvals::default(),
        heard,
        public_url: outer.public_url,
        sales: Sales::default(),
        what_if: Arc::new(tokio::sync::Semaphore::new(1)),
        front: Front::new(&config.outside, keyring.mode() == Mode::Sandbox)?,
        pay_hosts: config.outside.pay_hosts(),
    }))
}

async fn serve<S: Future<Output = ()>>(
    config: &Config,
    listener: std::net::TcpListener,
    shared: Shared,
    stop: impl FnOnce() -> std::io::Result<S>,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let _control = control::listen(&config.data_dir, shared.clone())?;
    let stop = stop()?;
    let stopping = shared.clone();
    let stop = async move {
        stop.await;
        stopping.stopping.send_replace(true);
    };
    tracing::info!("listening on http://{address}");
    let connections = Connections::within_limits();
    let addresses = Addresses::new(connections.most_of_address, &config.trusted_proxies);
    net::serve(listener, routes::routes(shared), (connections, addresses), stop).await;
    Ok(())
}

/// Done when the operator asks to stop. Heard from now on, and not from the first wait on: whoever was
/// told the address may ask at once.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("stopping: no new connections; requests under way are answered");
    })
}
