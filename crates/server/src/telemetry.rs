//! Logs and figures.
//!
//! Logs are structured and hold no personal data: no addresses, user agents, tokens, external ids or
//! bodies. Figures are counted by stable codes; what is asked for on hot paths is registered once.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use sponsorhub_store::Verdict;
use sponsorhub_store::clicks::ClickStats;
use sponsorhub_store::sqlite::StepReport;
use tracing_subscriber::EnvFilter;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to stderr.
pub(crate) fn start_logging(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

/// Has a panic tell where it happened, and nothing else: what it says may repeat what somebody sent.
pub(crate) fn tell_places_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        tracing::error!(place, thread, "a bug stopped what was under way");
    }));
}

const METADATA: Metadata<'_> = Metadata::new("sponsorhub", Level::INFO, None);

/// Everything that is counted.
#[derive(Clone)]
pub(crate) struct Figures(Arc<Parts>);

struct Parts {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    is_ready: Arc<AtomicBool>,
    redirects: Vec<Counter>,
    results: Vec<(&'static str, Counter)>,
    duplicates: Counter,
    queue_full: Counter,
    near_misses_dropped: Counter,
    queue_jobs: Gauge,
    commit_entries: Histogram,
    commit_seconds: Histogram,
    commits_failed: Counter,
    ledgers: Gauge,
    clicks_waiting: Gauge,
    clicks_recorded: Counter,
    clicks_dropped: Counter,
}

/// Results of events, as `/v` names them.
const RESULTS: [&str; 4] = ["accepted", "held", "rejected", "reversed"];

impl Figures {
    pub(crate) fn new(is_ready: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
        let entries = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 8192.0];
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
            .set_buckets_for_metric(Matcher::Suffix("_entries".into()), &entries)?;
        let recorder = builder.build_recorder();
        let counter = |name: &'static str, label: Option<(&'static str, &'static str)>| {
            let labels = label.map(|(name, value)| Label::from_static_parts(name, value));
            let labels: Vec<_> = labels.into_iter().collect();
            recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
        };
        let gauge =
            |name: &'static str| recorder.register_gauge(&Key::from_static_name(name), &METADATA);
        let histogram = |name: &'static str| {
            recorder.register_histogram(&Key::from_static_name(name), &METADATA)
        };
        let verdict = |verdict: &Verdict| {
            counter("sponsorhub_redirects_total", Some(("verdict", verdict.name())))
        };
        let result = |name: &&'static str| {
            (*name, counter("sponsorhub_events_total", Some(("result", *name))))
        };
        let parts = Parts {
            handle: recorder.handle(),
            is_ready,
            redirects: Verdict::ALL.iter().map(verdict).collect(),
            results: RESULTS.iter().map(result).collect(),
            duplicates: counter("sponsorhub_events_duplicate_total", None),
            queue_full: counter("sponsorhub_queue_full_total", None),
            near_misses_dropped: counter("sponsorhub_near_misses_dropped_total", None),
            queue_jobs: gauge("sponsorhub_queue_jobs"),
            commit_entries: histogram("sponsorhub_commit_entries"),
            commit_seconds: histogram("sponsorhub_commit_seconds"),
            commits_failed: counter("sponsorhub_commits_failed_total", None),
            ledgers: gauge("sponsorhub_ledgers_loaded"),
            clicks_waiting: gauge("sponsorhub_clicks_waiting"),
            clicks_recorded: counter("sponsorhub_clicks_recorded_total", None),
            clicks_dropped: counter("sponsorhub_clicks_dropped_total", None),
            recorder,
        };
        Ok(Self(Arc::new(parts)))
    }

    pub(crate) fn render(&self) -> String {
        self.0.handle.run_upkeep();
        self.0.handle.render()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Relaxed)
    }

    pub(crate) fn redirect(&self, verdict: Verdict) {
        let place = Verdict::ALL.iter().position(|known| *known == verdict);
        if let Some(counter) = place.and_then(|place| self.0.redirects.get(place)) {
            counter.increment(1);
        }
    }

    pub(crate) fn event(&self, result: &str, is_duplicate: bool) {
        if is_duplicate {
            self.0.duplicates.increment(1);
        } else if let Some((_, counter)) = self.0.results.iter().find(|(name, _)| *name == result) {
            counter.increment(1);
        }
    }

    /// A request that was answered with a problem of this status, of whatever route.
    pub(crate) fn problem(&self, status: u16) {
        self.labelled("sponsorhub_problems_total", ("status", status.to_string()));
    }

    /// Seldom enough to be looked up: registered by its code when it first happens.
    pub(crate) fn refused(&self, code: &str) {
        self.by_code("sponsorhub_events_refused_total", code);
    }

    pub(crate) fn link_not_found(&self, code: &str) {
        self.by_code("sponsorhub_links_not_found_total", code);
    }

    fn by_code(&self, name: &'static str, code: &str) {
        self.labelled(name, ("code", code.to_owned()));
    }

    fn labelled(&self, name: &'static str, (label, value): (&'static str, String)) {
        let key = Key::from_parts(name, vec![Label::new(label, value)]);
        self.0.recorder.register_counter(&key, &METADATA).increment(1);
    }

    pub(crate) fn queue_full(&self) {
        self.0.queue_full.increment(1);
    }

    pub(crate) fn near_miss_dropped(&self) {
        self.0.near_misses_dropped.increment(1);
    }

    /// Follows the writer after a step that took so many microseconds.
    pub(crate) fn commit(&self, report: &StepReport, micros: u32) {
        self.0.queue_jobs.set(gauge_value(report.waiting));
        self.0.ledgers.set(gauge_value(report.ledgers));
        if report.entries > 0 {
            self.0.commit_entries.record(gauge_value(report.entries));
            self.0.commit_seconds.record(seconds(micros));
        }
        if report.failed.is_some() {
            self.0.commits_failed.increment(1);
        }
    }

    pub(crate) fn follow_clicks(&self, stats: &ClickStats) {
        self.0.clicks_waiting.set(gauge_value(stats.waiting));
        self.0.clicks_recorded.absolute(stats.recorded);
        self.0.clicks_dropped.absolute(stats.dropped_when_full + stats.dropped_by_fault);
    }
}

#[expect(clippy::float_arithmetic, reason = "a duration for a histogram is no money")]
fn seconds(micros: u32) -> f64 {
    f64::from(micros) / 1e6
}

/// Gauges are floats; counts beyond 32 bits are cut, which no gauge of ours reaches.
fn gauge_value(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const CANARY: &str = "canary-4711@example.com";

    /// Run by the test below, in a process of its own: a hook is the whole process's.
    #[test]
    #[ignore = "panics on purpose, for the test of the hook"]
    fn panics_with_a_canary() {
        start_logging(LogFormat::Text, "trace").expect("the first one");
        tell_places_of_panics();
        let said: Result<u8, _> = CANARY.parse::<u8>();
        drop(std::panic::catch_unwind(|| said.map_err(|_| CANARY).expect("a number")));
        panic!("{CANARY}");
    }

    #[test]
    fn a_panic_tells_its_place_and_not_what_it_says() {
        let this = std::env::current_exe().expect("a path");
        let mut child = Command::new(this);
        child.args(["--exact", "telemetry::tests::panics_with_a_canary"]);
        let output = child.args(["--ignored", "--nocapture"]).output().expect("runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(said.matches("a bug stopped what was under way").count(), 2, "{said}");
        assert!(said.contains("telemetry.rs:"), "{said}");
        assert!(!said.contains("canary-4711"), "{said}");
    }
}
