//! The rollup fold against SQLite's own GROUP BY over the same rows.

use rusqlite::{Connection, OpenFlags};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_store::sqlite::SqliteReader;
use sponsorhub_store::{Reader as _, open_read_only};
use tempfile::TempDir;

use crate::append::CREATORS;
use crate::rate;
use crate::report::{Report, Target, progress};
use crate::world::{T, campaign_id};

const CONVERSIONS: usize = 1_000_000;
const PAGE: usize = 10_000;
const RUNS: usize = 3;

/// Decodes the ledger up to the first million conversions.
fn decoded(reader: &mut SqliteReader) -> Vec<Entry> {
    let before = usize::try_from(CREATORS).expect("hundreds") + 6;
    let mut entries = Vec::with_capacity(before + CONVERSIONS);
    while entries.len() < before + CONVERSIONS {
        let from = u64::try_from(entries.len()).expect("millions") + 1;
        let page = PAGE.min(before + CONVERSIONS - entries.len());
        let each = &mut |row: sponsorhub_store::store::EntryRow<'_>| {
            entries.push(Entry::decode(row.bytes).expect("canonical"));
        };
        reader.scan(campaign_id(1), from, page, each).expect("readable");
    }
    entries
}

/// Streams the rows and folds the entry that belongs to each, then runs the rollup.
fn fold(reader: &mut SqliteReader, entries: &[Entry]) {
    let mut campaign = Campaign::open(&entries[0]).expect("opens");
    let mut next = 1;
    while next < entries.len() {
        let from = u64::try_from(next).expect("millions") + 1;
        let page = PAGE.min(entries.len() - next);
        let each = &mut |row: sponsorhub_store::store::EntryRow<'_>| {
            assert_eq!(row.seq, entries[next].seq);
            campaign.apply(&entries[next]).expect("follows");
            next += 1;
        };
        reader.scan(campaign_id(1), from, page, each).expect("readable");
    }
    let mut draft = Draft::on(&campaign, T + 10_000);
    drop(campaign);
    assert_eq!(draft.rollup(None), Ok(true));
}

fn group_by(connection: &Connection, last: i64) {
    let sql = "SELECT enrollment_no, count(*), sum(amount_minor) FROM entries
               WHERE pos >= 1 << 40 AND pos <= (1 << 40) + ?1 AND kind = 14
               GROUP BY enrollment_no";
    let mut statement = connection.prepare_cached(sql).expect("valid");
    let groups = statement.query_map([last], |row| row.get::<_, i64>(1)).expect("runs");
    let counts: Vec<i64> = groups.collect::<Result<_, _>>().expect("rows");
    assert_eq!(counts.len(), usize::try_from(CREATORS).expect("hundreds"));
}

/// Fold and GROUP BY in turn.
pub(crate) fn against_group_by(report: &mut Report, directory: &TempDir) {
    let mut reader = open_read_only(directory.path()).expect("a store");
    let path = directory.path().join("sponsorhub.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.expect("the same database");
    let mut decoding = Vec::new();
    let mut entries = Vec::new();
    for _ in 0..RUNS {
        decoding.push(rate(CONVERSIONS, || entries = decoded(&mut reader)));
    }
    progress("decoded");
    let last = i64::try_from(entries.len()).expect("millions");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(rate(CONVERSIONS, || fold(&mut reader, &entries)));
        theirs.push(rate(CONVERSIONS, || group_by(&connection, last)));
    }
    let name = "rollup fold: rows streamed, entries decoded before, folded under the cap";
    report.row(name, &ours, Some(("GROUP BY enrollment_no", &theirs)), Target::Ratio(3.0));
    report.row("the same, absolute", &ours, None, Target::Median(1_000_000.0));
    report.row("entries read and decoded strictly", &decoding, None, Target::None);
}
