//! Settings: `sponsorhub.toml`, over it `SPONSORHUB_*` from the environment, over that the flags.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use serde::Deserialize;
use sponsorhub_app::fees::Fees;
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_core::money::Minor;

use crate::outside::{Outside, OutsideArguments, OutsideFile};
use crate::rates::PER_MINUTE;
use crate::telemetry::LogFormat;

/// Settings of `serve`, each of which may be absent.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServeArguments {
    /// Read settings from this file; without it, from sponsorhub.toml where that is there.
    #[arg(long, env = "SPONSORHUB_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the installation keeps its data [default: ./sponsorhub-data].
    #[arg(long, env = "SPONSORHUB_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, env = "SPONSORHUB_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Make the keyring of a new installation for this mode: sandbox, test or live. Never changes.
    #[arg(long, value_name = "MODE")]
    pub(crate) init: Option<String>,
    /// Believe X-Forwarded-For from this network; may be given several times.
    #[arg(
        long = "trusted-proxy",
        env = "SPONSORHUB_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORK"
    )]
    trusted_proxies: Vec<IpNet>,
    /// Memory for events that wait for the writer, MiB; when it is full, /v answers 503 [default: 64].
    #[arg(long, env = "SPONSORHUB_QUEUE_MIB", value_name = "MIB")]
    queue_mib: Option<usize>,
    /// Threads that answer requests [default: one per core].
    #[arg(long, env = "SPONSORHUB_THREADS", value_name = "COUNT")]
    threads: Option<usize>,
    /// How to write the log [default: text].
    #[arg(long, env = "SPONSORHUB_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What to write to the log, as in `info` or `sponsorhub=debug` [default: info].
    #[arg(long, env = "SPONSORHUB_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Where browsers reach this server [default: http:// and the address it listens on].
    #[arg(long, env = "SPONSORHUB_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Whose time to go by: `system`, or in a sandbox `virtual`, which is the sandbox's
    /// [default: system].
    #[arg(long, env = "SPONSORHUB_CLOCK", value_name = "CLOCK")]
    clock: Option<ClockKind>,
    /// At least so long between two rollups of a campaign, seconds [default: 60].
    #[arg(long, env = "SPONSORHUB_ROLLUP_SECONDS", value_name = "COUNT")]
    rollup_seconds: Option<u32>,
    /// The platform's fee on what creators earn, basis points; a brand may say more [default: 500].
    #[arg(long, env = "SPONSORHUB_PLATFORM_FEE_BPS", value_name = "BPS")]
    platform_fee_bps: Option<u32>,
    /// What a deposit keeps for the provider's fee, basis points of the budget [default: 400].
    #[arg(long, env = "SPONSORHUB_PROVIDER_FEE_RESERVE_BPS", value_name = "BPS")]
    provider_fee_reserve_bps: Option<u32>,
    /// What it keeps beside that, minor units [default: 100].
    #[arg(long, env = "SPONSORHUB_PROVIDER_FEE_RESERVE_FIXED", value_name = "AMOUNT")]
    provider_fee_reserve_fixed: Option<i64>,
    /// How often everybody may ask the API, requests a minute; reports are never limited
    /// [default: 600].
    #[arg(long, env = "SPONSORHUB_API_REQUESTS_PER_MINUTE", value_name = "COUNT")]
    api_requests_per_minute: Option<NonZeroU32>,
    #[command(flatten)]
    outside: OutsideArguments,
    /// Answer reports without storing anything: what a benchmark compares with.
    #[cfg(feature = "bench-yardsticks")]
    #[arg(long, hide = true)]
    pub(crate) without_storage: bool,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClockKind {
    /// The operating system's.
    #[default]
    System,
    /// The sandbox's.
    Virtual,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    public_url: Option<String>,
    clock: Option<ClockKind>,
    rollup_seconds: Option<u32>,
    platform_fee_bps: Option<u32>,
    provider_fee_reserve_bps: Option<u32>,
    provider_fee_reserve_fixed: Option<i64>,
    api_requests_per_minute: Option<NonZeroU32>,
    #[serde(default)]
    outside: OutsideFile,
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    #[serde(default)]
    trusted_proxies: Vec<IpNet>,
    queue_mib: Option<usize>,
    threads: Option<usize>,
    log_format: Option<LogFormat>,
    log: Option<String>,
}

/// What `serve` works with.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) init: Option<Mode>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) queue_bytes: usize,
    pub(crate) threads: Option<usize>,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
    pub(crate) public_url: Option<String>,
    pub(crate) clock: ClockKind,
    pub(crate) rollup_seconds: u32,
    pub(crate) fees: Fees,
    pub(crate) api_requests_per_minute: NonZeroU32,
    pub(crate) outside: Outside,
    /// Who operates it from the start; more are named by `keys`.
    pub(crate) operators: Vec<String>,
    #[cfg(feature = "bench-yardsticks")]
    pub(crate) without_storage: bool,
}

/// The file that is read where none is named.
const FILE: &str = "sponsorhub.toml";

impl Config {
    pub(crate) fn load(arguments: ServeArguments) -> Result<Self> {
        let file = match &arguments.config {
            Some(path) => read(path)?,
            None if Path::new(FILE).exists() => read(Path::new(FILE))?,
            None => File::default(),
        };
        let listen = arguments.listen.or(file.listen);
        let proxies = arguments.trusted_proxies;
        let queue_mib = arguments.queue_mib.or(file.queue_mib).unwrap_or(64);
        anyhow::ensure!((1..=4_096).contains(&queue_mib), "queue_mib: 1 to 4096");
        let threads = arguments.threads.or(file.threads);
        anyhow::ensure!(threads.is_none_or(|n| (1..=512).contains(&n)), "threads: 1 to 512");
        let rollup_seconds = arguments.rollup_seconds.or(file.rollup_seconds).unwrap_or(60);
        anyhow::ensure!((1..=3_600).contains(&rollup_seconds), "rollup_seconds: 1 to 3600");
        let rate = arguments.api_requests_per_minute.or(file.api_requests_per_minute);
        let usual = Fees::default();
        let fixed = arguments.provider_fee_reserve_fixed.or(file.provider_fee_reserve_fixed);
        let fees = Fees::try_new(
            arguments.platform_fee_bps.or(file.platform_fee_bps).unwrap_or(usual.platform_bps),
            arguments
                .provider_fee_reserve_bps
                .or(file.provider_fee_reserve_bps)
                .unwrap_or(usual.reserve_bps),
            fixed.map_or(usual.reserve_fixed, Minor),
        )?;
        let init = arguments.init.map(|name| {
            let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name);
            mode.with_context(|| format!("--init: `{name}` is no mode; sandbox, test or live"))
        });
        Ok(Self {
            data_dir: arguments.data_dir.or(file.data_dir).unwrap_or("sponsorhub-data".into()),
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8_080))),
            init: init.transpose()?,
            trusted_proxies: if proxies.is_empty() { file.trusted_proxies } else { proxies },
            queue_bytes: queue_mib << 20,
            threads,
            log_format: arguments.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            log: arguments.log.or(file.log).unwrap_or("info".to_owned()),
            public_url: arguments.public_url.or(file.public_url),
            clock: arguments.clock.or(file.clock).unwrap_or_default(),
            rollup_seconds,
            fees,
            api_requests_per_minute: rate.unwrap_or(PER_MINUTE),
            outside: Outside::new(arguments.outside, file.outside),
            operators: Vec::new(),
            #[cfg(feature = "bench-yardsticks")]
            without_storage: arguments.without_storage,
        })
    }
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} has a wrong setting", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("some.toml");
        let text = "listen = \"127.0.0.1:1\"\nqueue_mib = 8\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
        std::fs::write(&path, text).expect("written");
        let file_only = ServeArguments { config: Some(path.clone()), ..ServeArguments::default() };
        let config = Config::load(file_only.clone()).expect("valid");
        assert_eq!((config.listen.port(), config.queue_bytes), (1, 8 << 20));
        assert_eq!(config.data_dir, Path::new("sponsorhub-data"));
        assert_eq!(config.trusted_proxies.len(), 1);
        let flag = "127.0.0.1:2".parse().ok();
        let config = Config::load(ServeArguments { listen: flag, ..file_only.clone() });
        assert_eq!(config.expect("valid").listen.port(), 2);
        let bad = ServeArguments { init: Some("prod".into()), ..file_only };
        let error = Config::load(bad).expect_err("no mode").to_string();
        assert_eq!(error, "--init: `prod` is no mode; sandbox, test or live");
        std::fs::write(&path, "lisen = \"127.0.0.1:1\"").expect("written");
        let typo = ServeArguments { config: Some(path), ..ServeArguments::default() };
        let error = format!("{:#}", Config::load(typo).expect_err("a typo"));
        assert!(error.contains("unknown field `lisen`"), "{error}");
    }
}
