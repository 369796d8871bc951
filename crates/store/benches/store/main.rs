//! The store against plain SQLite. Prints one JSON object on stdout, progress on stderr.
//!
//! Every row is the median of three runs. A ratio compares with a yardstick that was measured
//! between the same runs; the machine's mood changes by the minute and hits both. Entries are
//! real: accepted conversions rendered by the core, with enrollment, key and fingerprint. Making
//! them is the work of other threads and is not measured on either side; splicing, judging,
//! hashing, inserting, deduplicating and committing is.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::float_arithmetic, reason = "rates are not money")]

mod append;

mod fold;

mod report;

#[path = "../../tests/world/mod.rs"]
mod world;

use std::path::PathBuf;
use std::time::Instant;

use report::Report;
use tempfile::TempDir;

/// A directory on the disk that is measured: beside the build, which is no memory file system.
fn directory() -> TempDir {
    let beside = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(beside).expect("the target directory takes files")
}

/// Things per second.
fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    let count = u32::try_from(count).expect("millions");
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn main() {
    let mut report = Report::new();
    // Whoever tunes one part need not wait for the rest.
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    if !asked("--fold-only") {
        append::at_batches(&mut report);
    }
    if !asked("--append-only") {
        let grown = append::growth(&mut report);
        fold::against_group_by(&mut report, &grown);
    }
    report.print();
}
