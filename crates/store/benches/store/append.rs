//! Appending: at two sizes of commit, and on a ledger that has grown.

use std::path::Path;
use std::sync::mpsc;

use rusqlite::Connection;
use sponsorhub_store::{
    Intake, Options, Outcome, Reader as _, SqliteStore, Store as _, open_read_only,
};
use tempfile::TempDir;

use crate::report::{Report, Target, progress};
use crate::world::{Desk, T, campaign_id, sale};
use crate::{directory, rate};

pub(crate) const CREATORS: u64 = 200;
/// Ends within a conversion, before a million of them.
pub(crate) const BUDGET: i64 = 400_000_123;
const NOW: i64 = T + 5_000;
const RUNS: usize = 3;

/// A ledger that grows, a lot of events a commit.
pub(crate) struct Grown {
    pub(crate) directory: TempDir,
    store: SqliteStore,
    events: u64,
}

impl Grown {
    /// A live campaign with two hundred creators.
    pub(crate) fn new(batch: usize) -> Self {
        let directory = directory();
        // A lot of this size fills a commit, so lots that wait are not put together.
        let options = Options {
            commit_entries_max: batch,
            queue_bytes_max: usize::MAX,
            ..Options::default()
        };
        let store = SqliteStore::open(directory.path(), options, || NOW).expect("a new store");
        Desk::new(campaign_id(1)).go_live(&store, BUDGET, CREATORS);
        Self { directory, store, events: 0 }
    }

    /// Events that are not in the ledger, rendered, in lots of `batch`.
    fn render(&mut self, count: usize, batch: usize, with_click: bool) -> Vec<Vec<Intake>> {
        let numbers: Vec<u64> = (self.events..).take(count).collect();
        self.events = numbers.last().map_or(self.events, |last| last + 1);
        let render = |number: &u64| {
            let event = sale(campaign_id(1), number % CREATORS, *number, 5_000);
            if with_click { crate::world::with_click(event, *number) } else { event }
        };
        numbers.chunks(batch).map(|lot| lot.iter().map(render).collect()).collect()
    }

    /// Appends lots, a commit each, and returns the rate up to the last answer.
    fn append(&mut self, lots: Vec<Vec<Intake>>) -> f64 {
        let count = lots.iter().map(Vec::len).sum();
        let (send, answers) = mpsc::channel();
        rate(count, || {
            for lot in lots {
                let send = send.clone();
                let reply = Box::new(move |answer: Result<Vec<Outcome>, _>| {
                    let outcomes = answer.expect("a commit");
                    let appended = |outcome: &Outcome| matches!(outcome, Outcome::Appended(_));
                    assert!(outcomes.iter().all(appended), "all are new");
                    send.send(outcomes.len()).expect("somebody counts");
                });
                self.store.take_in(lot, reply).expect("room");
            }
            drop(send);
            assert_eq!(answers.iter().sum::<usize>(), count, "each is answered");
        })
    }

    /// Appends until so many events are in.
    fn grow_to(&mut self, events: u64) {
        while self.events < events {
            let lots = self.render(65_536, 8_192, false);
            self.append(lots);
        }
        progress(&format!("a ledger of {} events", self.events));
    }
}

/// The yardstick: the same bytes, pragmas and batches into one table without anything else.
fn plain_insert(entries: &[Vec<u8>], batch: usize) -> f64 {
    let directory = directory();
    let connection = plain(directory.path());
    rate(entries.len(), || {
        let mut id = 0_i64;
        for lot in entries.chunks(batch) {
            connection.execute_batch("BEGIN IMMEDIATE").expect("begins");
            let mut insert =
                connection.prepare_cached("INSERT INTO t VALUES (?1, ?2)").expect("valid");
            for bytes in lot {
                id += 1;
                insert.raw_bind_parameter(1, id).expect("binds");
                insert.raw_bind_parameter(2, &bytes[..]).expect("binds");
                insert.raw_execute().expect("inserts");
            }
            connection.execute_batch("COMMIT").expect("commits");
        }
    })
}

fn plain(directory: &Path) -> Connection {
    let options = Options::default();
    let connection = Connection::open(directory.join("plain.db")).expect("a new database");
    let pragmas = format!(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -{};
         PRAGMA wal_autocheckpoint = {};
         CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB);",
        options.cache_kib, options.checkpoint_pages
    );
    connection.execute_batch(&pragmas).expect("pragmas");
    connection
}

fn entries_of(grown: &Grown, count: usize) -> Vec<Vec<u8>> {
    let mut reader = open_read_only(grown.directory.path()).expect("a store");
    reader.entries(campaign_id(1), 300, count).expect("readable")
}

/// Append at 8,192 and at 128 a commit, against the plain insert.
pub(crate) fn at_batches(report: &mut Report) {
    let plain = "one-table insert";
    for (batch, count, target) in [(8_192, 524_288, 0.7), (128, 38_400, 0.5)] {
        let (mut ours, mut theirs, mut with_click) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut grown = Grown::new(batch);
            let lots = grown.render(count, batch, false);
            ours.push(grown.append(lots));
            let entries = entries_of(&grown, count);
            theirs.push(plain_insert(&entries, batch));
            let mut grown = Grown::new(batch);
            let lots = grown.render(count, batch, true);
            with_click.push(grown.append(lots));
        }
        let name = format!("append, durable, deduplicated, {batch} a commit");
        report.row(&name, &ours, Some((plain, &theirs)), Target::Ratio(target));
    }
}

/// The rate of a large ledger against that of one of a tenth, at two sizes, and what an entry takes on
/// disk. Returns the largest.
pub(crate) fn growth(report: &mut Report) -> TempDir {
    let (mut small, mut large) = (Grown::new(8_192), Grown::new(8_192));
    for (few, many, names) in [
        (200_000, 2_000_000, ("200,000", "2,000,000")),
        (500_000, 5_000_000, ("500,000", "5,000,000")),
    ] {
        small.grow_to(few);
        large.grow_to(many);
        let (mut at_small, mut at_large) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let lots = small.render(65_536, 8_192, false);
            at_small.push(small.append(lots));
            let lots = large.render(65_536, 8_192, false);
            at_large.push(large.append(lots));
        }
        let yardstick = format!("at {} entries", names.0);
        let yardstick = Some((yardstick.as_str(), &at_small[..]));
        let name = format!("append at {} entries", names.1);
        report.row(&name, &at_large, yardstick, Target::Ratio(0.8));
    }
    let bytes = std::fs::metadata(large.directory.path().join("sponsorhub.db"));
    let kib = u32::try_from(bytes.expect("a database").len() / 1_024).expect("less than 4 TiB");
    let entries = u32::try_from(large.events).expect("millions");
    let each = f64::from(kib) * 1_024.0 / f64::from(entries);
    let name = "disk, everything that an entry takes in the database";
    report.at_most((name, "bytes/entry"), &[each], f64::INFINITY, None);
    large.directory
}
