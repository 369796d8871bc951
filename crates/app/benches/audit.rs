//! The audit over half a million entries. Prints one JSON object on stdout, progress on stderr.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::float_arithmetic, reason = "rates are not money")]

#[path = "../../store/benches/store/report.rs"]
mod report;

#[path = "../../store/tests/world/mod.rs"]
mod world;

use std::path::Path;
use std::time::Instant;

use report::{Report, Target, progress};
use sponsorhub_app::audit::audit_campaign;
use sponsorhub_store::{Options, Reader, SqliteStore, Store, StoreError, open_read_only};
use world::{Desk, T, campaign_id, sale};

const EVENTS: u64 = 500_000;
const CREATORS: u64 = 200;
const RUNS: usize = 3;

/// A live campaign whose conversions are rolled up now and then.
fn write(directory: &Path) {
    let store =
        SqliteStore::open(directory, Options::default(), || T + 5_000).expect("a new store");
    let mut desk = Desk::new(campaign_id(1));
    desk.go_live(&store, 1_000_000_000, CREATORS);
    for first in (0..EVENTS).step_by(50_000) {
        for lot in (first..first + 50_000).step_by(5_000) {
            let sales = (lot..lot + 5_000).map(|n| sale(campaign_id(1), n % CREATORS, n, 5_000));
            store.take_in_and_wait(sales.collect()).expect("room").expect("a commit");
        }
        let mut reader = store.reader().expect("a reader");
        desk.follow(reader.as_mut());
        desk.run(&store, T + 5_000, |draft| draft.rollup(None).map(drop)).expect("a run");
    }
}

fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    write(directory.path());
    progress("written");
    let path = directory.path();
    let open = || -> Result<Box<dyn Reader>, StoreError> { Ok(Box::new(open_read_only(path)?)) };
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let audited = audit_campaign(&open, campaign_id(1), &mut |_| {}).expect("readable");
        assert_eq!(audited.finding, None);
        let entries = u32::try_from(audited.entries).expect("below four billion");
        rates.push(f64::from(entries) / started.elapsed().as_secs_f64());
    }
    let mut report = Report::new();
    report.row("audit", &rates, None, Target::Median(200_000.0));
    report.print();
}
