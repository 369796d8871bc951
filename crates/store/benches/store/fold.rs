//! The rollup fold against SQLite's own GROUP BY over the same rows.

use rusqlite::{Connection, OpenFlags};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Glance;
use sponsorhub_store::sqlite::SqliteReader;
use sponsorhub_store::{Reader as _, open_read_only};
use tempfile::TempDir;

use crate::append::CREATORS;
use crate::rate;
use crate::report::{Report, Target};
use crate::world::{T, campaign_id};

const CONVERSIONS: usize = 1_000_000;
const PAGE: usize = 10_000;
const RUNS: usize = 3;

/// The last of the entries that are read: the opening commands and a million conversions.
fn last() -> usize {
    usize::try_from(CREATORS).expect("hundreds") + 6 + CONVERSIONS
}

/// Streams the rows into the folded state, and runs the rollup over all of them.
fn fold(reader: &mut SqliteReader) {
    let mut campaign: Option<Campaign> = None;
    scan(reader, |bytes| match (&mut campaign, Glance::at(bytes)) {
        (Some(campaign), Some(glance)) => campaign.apply_glance(&glance).expect("follows"),
        (Some(campaign), None) => {
            campaign.apply(&Entry::decode(bytes).expect("canonical")).expect("follows");
        }
        (none, _) => {
            let first = Entry::decode(bytes).expect("canonical");
            *none = Some(Campaign::open(&first).expect("opens"));
        }
    });
    let mut draft = Draft::on(&campaign.expect("entries"), T + 10_000);
    assert_eq!(draft.rollup(None), Ok(true));
}

/// Reads and decodes every entry as an audit does, and folds nothing.
fn decode(reader: &mut SqliteReader) {
    scan(reader, |bytes| drop(Entry::decode(bytes).expect("canonical")));
}

fn scan(reader: &mut SqliteReader, mut each: impl FnMut(&[u8])) {
    for from in (1..=last()).step_by(PAGE) {
        let page = PAGE.min(last() + 1 - from);
        let from = u64::try_from(from).expect("millions");
        reader.scan(campaign_id(1), from, page, &mut |row| each(row.bytes)).expect("readable");
    }
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
    let last = i64::try_from(last()).expect("millions");
    let (mut ours, mut theirs, mut decoding) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(rate(CONVERSIONS, || fold(&mut reader)));
        theirs.push(rate(CONVERSIONS, || group_by(&connection, last)));
        decoding.push(rate(CONVERSIONS, || decode(&mut reader)));
    }
    let name = "rollup fold: entries streamed from the table, folded under the cap, one run";
    report.row(name, &ours, Some(("GROUP BY enrollment_no", &theirs)), Target::Ratio(3.0));
    report.row("the same, absolute", &ours, None, Target::Median(1_000_000.0));
    report.row("entries streamed and decoded strictly", &decoding, None, Target::None);
}
