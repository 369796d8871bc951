//! The rollup fold against SQLite itself, computing the same figures from the same rows.
//!
//! Two queries. One does the fold's job: commission and fee of each conversion, rounded down, under
//! the budget in ledger order, summed by enrollment; its figures must be the fold's. The other only
//! counts and sums order amounts by enrollment, which is no payout; it tells what grouping costs.

use rusqlite::{Connection, OpenFlags};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Stored;
use sponsorhub_store::store::EntryRow;
use sponsorhub_store::{Reader, Section, StoreError, open_read_only, read_ahead};
use tempfile::TempDir;

use crate::append::{BUDGET, CREATORS};
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

/// Streams the rows into the folded state, and runs the rollup over all of them. Returns what each
/// enrollment earned.
fn fold(directory: &TempDir) -> Vec<i64> {
    let mut campaign: Option<Campaign> = None;
    let read = |bytes: &[u8]| Stored::read(bytes).expect("canonical");
    read_ahead(&|| open(directory), &section(), &read, &mut |stored| -> Result<(), StoreError> {
        Campaign::follow(&mut campaign, &stored).expect("follows");
        Ok(())
    })
    .expect("readable");
    let mut draft = Draft::on(&campaign.expect("entries"), T + 10_000);
    assert_eq!(draft.rollup(None), Ok(true));
    let campaign = draft.campaign();
    let earned = campaign.numbered_enrollments();
    earned.map(|(no, _)| campaign.balances().of(Account::Payable, no).0).collect()
}

/// Reads and decodes every entry as an audit does, on one thread, and folds nothing.
fn decode(directory: &TempDir) {
    let mut reader = open(directory).expect("a store");
    for from in (1..=last()).step_by(PAGE) {
        let page = PAGE.min(last() + 1 - from);
        let from = u64::try_from(from).expect("millions");
        let each = &mut |row: EntryRow<'_>| drop(Entry::decode(row.bytes).expect("canonical"));
        reader.scan(campaign_id(1), from, page, each).expect("readable");
    }
}

fn open(directory: &TempDir) -> Result<Box<dyn Reader>, StoreError> {
    Ok(Box::new(open_read_only(directory.path())?))
}

fn section() -> Section {
    let last = u64::try_from(last()).expect("millions");
    Section { campaign: campaign_id(1), positions: 1..=last }
}

/// One figure for each enrollment, by number.
fn grouped(connection: &Connection, sql: &str, last: i64) -> Vec<i64> {
    let mut statement = connection.prepare_cached(sql).expect("valid");
    let groups = statement.query_map([last], |row| row.get(1)).expect("runs");
    let figures: Vec<i64> = groups.collect::<Result<_, _>>().expect("rows");
    assert_eq!(figures.len(), usize::try_from(CREATORS).expect("hundreds"));
    figures
}

/// Commission of 10 %, a fee of 5 % of it, both rounded down, as far as the budget reaches in
/// ledger order; of the conversion that it ends in, the creator has the share rounded down.
fn earned_sql() -> String {
    format!(
        "SELECT enrollment_no, sum(max(0, min(gross, {BUDGET} - before)) * commission / gross)
         FROM (SELECT *, sum(gross) OVER (ORDER BY pos) - gross AS before
               FROM (SELECT *, commission + commission * 500 / 10000 AS gross
                     FROM (SELECT pos, enrollment_no, amount_minor * 1000 / 10000 AS commission
                           FROM entries
                           WHERE pos >= 1 << 40 AND pos <= (1 << 40) + ?1 AND kind = 14)))
         GROUP BY enrollment_no"
    )
}

const SUMS_SQL: &str = "SELECT enrollment_no, sum(amount_minor) FROM entries
    WHERE pos >= 1 << 40 AND pos <= (1 << 40) + ?1 AND kind = 14 GROUP BY enrollment_no";

/// The fold and the queries in turn.
pub(crate) fn against_group_by(report: &mut Report, directory: &TempDir) {
    let path = directory.path().join("sponsorhub.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.expect("the same database");
    let last = i64::try_from(last()).expect("millions");
    let (mut ours, mut theirs, mut sums) = (Vec::new(), Vec::new(), Vec::new());
    let (mut decoding, earned_sql) = (Vec::new(), earned_sql());
    for _ in 0..RUNS {
        let (mut folded, mut queried) = (Vec::new(), Vec::new());
        ours.push(rate(CONVERSIONS, || folded = fold(directory)));
        theirs.push(rate(CONVERSIONS, || queried = grouped(&connection, &earned_sql, last)));
        assert_eq!(folded, queried, "the fold and the query earn the same (INV-10)");
        sums.push(rate(CONVERSIONS, || drop(grouped(&connection, SUMS_SQL, last))));
        decoding.push(rate(CONVERSIONS, || decode(directory)));
    }
    let name = "rollup fold: entries streamed from the table, folded under the cap, one run";
    let same = "GROUP BY of the same figures in SQL";
    report.row(name, &ours, Some((same, &theirs)), Target::Ratio(3.0));
    report.row("the same, absolute", &ours, None, Target::Median(1_000_000.0));
    let plain = "GROUP BY of order amounts alone, without rate, fee and cap";
    report.row("the same, beside it", &ours, Some((plain, &sums)), Target::None);
    report.row("entries streamed and decoded strictly", &decoding, None, Target::None);
}
