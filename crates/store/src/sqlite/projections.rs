//! Reading of the tables beside the entries: by the writer when it loads a ledger, by readers.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::conversion::Gate;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::merkle::Frontier;
use sponsorhub_core::money::Minor;

use super::position::{CampaignNo, is_position, signed, unsigned};
use crate::store::{BalanceRow, EnrollmentRow, Head, ReversalRow};
use crate::work::Tree;

/// A row of `campaign_heads`.
#[derive(Debug)]
pub(super) struct HeadRow {
    pub(super) head: Head,
    pub(super) counted: Seq,
    pub(super) frontier: Frontier,
    /// The confirmed budget and the budget when the campaign went live.
    pub(super) launch: Option<(Minor, Minor)>,
}

/// The number of a campaign.
pub(super) fn campaign_no(
    connection: &Connection,
    id: CampaignId,
) -> rusqlite::Result<Option<CampaignNo>> {
    let mut statement = connection.prepare_cached("SELECT no FROM campaigns WHERE id = ?1")?;
    statement.query_row([id.0], |row| row.get(0).map(CampaignNo)).optional()
}

/// What a column says is not what it may say.
fn damaged(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

/// The head of a campaign.
pub(super) fn head(connection: &Connection, no: CampaignNo) -> rusqlite::Result<Option<HeadRow>> {
    let live = live_intervals(connection, no)?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, at_ms, command_seq, counted_seq, state, ended_at_ms, conversion_days,
            clearing_days, frontier, confirmed_minor, budget_minor, launch_confirmed_minor,
            launch_budget_minor, terms_seq
         FROM campaign_heads WHERE campaign_no = ?1",
    )?;
    statement.query_row([no.0], |row| head_row(row, live)).optional()
}

fn head_row(row: &Row<'_>, live: Vec<(i64, Option<i64>)>) -> rusqlite::Result<HeadRow> {
    let state: String = row.get(4)?;
    let gate = Gate {
        state: State::from_name(&state)
            .ok_or_else(|| damaged(4, format!("unknown state `{state}`")))?,
        live,
        ended_at: row.get(5)?,
        conversion_days: row.get(6)?,
        clearing_days: row.get(7)?,
    };
    let bytes = row.get_ref(8)?.as_blob().map_err(rusqlite::Error::from)?;
    let frontier = Frontier::from_bytes(bytes).map_err(|error| damaged(8, error.to_string()))?;
    let launch: (Option<i64>, Option<i64>) = (row.get(11)?, row.get(12)?);
    let seq = unsigned(row.get(0)?);
    if seq != frontier.size() || !is_position(seq) {
        return Err(damaged(
            0,
            format!("entry {seq} is last and the tree has {}", frontier.size()),
        ));
    }
    let head = Head {
        seq,
        at: row.get(1)?,
        command_seq: unsigned(row.get(2)?),
        terms_seq: unsigned(row.get(13)?),
        gate,
        confirmed: Minor(row.get(9)?),
        budget: Minor(row.get(10)?),
        tree: Tree { size: frontier.size(), root: frontier.root() },
    };
    Ok(HeadRow {
        head,
        counted: unsigned(row.get(3)?),
        frontier,
        launch: launch.0.zip(launch.1).map(|(confirmed, budget)| (Minor(confirmed), Minor(budget))),
    })
}

/// Live intervals by number; their numbers follow each other from 0.
fn live_intervals(
    connection: &Connection,
    no: CampaignNo,
) -> rusqlite::Result<Vec<(i64, Option<i64>)>> {
    let sql = "SELECT no, from_ms, to_ms FROM live_intervals WHERE campaign_no = ?1 ORDER BY no";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([no.0])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        if usize::try_from(number) != Ok(live.len()) {
            return Err(damaged(0, format!("live interval {number} out of order")));
        }
        live.push((row.get(1)?, row.get(2)?));
    }
    Ok(live)
}

/// Enrollments by number; their numbers follow each other from 0.
pub(super) fn enrollments(
    connection: &Connection,
    no: CampaignNo,
) -> rusqlite::Result<Vec<EnrollmentRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT no, id, started_at_ms, ended_at_ms, n FROM enrollments
         WHERE campaign_no = ?1 ORDER BY no",
    )?;
    let mut rows = statement.query([no.0])?;
    let mut enrollments = Vec::new();
    while let Some(row) = rows.next()? {
        let number = EnrollmentNo(row.get(0)?);
        if number.index() != enrollments.len() {
            return Err(damaged(0, format!("enrollment {} out of order", number.0)));
        }
        enrollments.push(EnrollmentRow {
            no: number,
            id: EnrollmentId(row.get(1)?),
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            n: unsigned(row.get(4)?),
        });
    }
    Ok(enrollments)
}

/// Goes on counting each enrollment's entries behind `counted`.
pub(super) fn count_on(
    connection: &Connection,
    no: CampaignNo,
    counted: Seq,
    enrollments: &mut [EnrollmentRow],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT enrollment_no, n FROM entries
         WHERE pos > ?1 AND pos < ?2 AND enrollment_no IS NOT NULL ORDER BY pos",
    )?;
    let mut rows = statement.query([no.entry(counted), no.end()])?;
    while let Some(row) = rows.next()? {
        let number = EnrollmentNo(row.get(0)?);
        let enrollment = enrollments.get_mut(number.index());
        let enrollment = enrollment
            .ok_or_else(|| damaged(0, format!("an entry of unknown enrollment {}", number.0)))?;
        enrollment.n = unsigned(row.get(1)?);
    }
    Ok(())
}

/// Balances by enrollment and account.
pub(super) fn balances(
    connection: &Connection,
    no: CampaignNo,
) -> rusqlite::Result<Vec<BalanceRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT enrollment_no, account, debit_minor FROM balances WHERE campaign_no = ?1",
    )?;
    let rows = statement.query_map([no.0], |row| {
        let whose: i64 = row.get(0)?;
        let enrollment = u32::try_from(whose).ok().map(EnrollmentNo);
        if enrollment.is_none() && whose != -1 {
            return Err(damaged(0, format!("a balance of enrollment {whose}")));
        }
        let name: String = row.get(1)?;
        let account = Account::ALL.into_iter().find(|account| account.name() == name);
        Ok(BalanceRow {
            enrollment,
            account: account.ok_or_else(|| damaged(1, format!("unknown account `{name}`")))?,
            debit: Minor(row.get(2)?),
        })
    })?;
    let mut balances: Vec<_> = rows.collect::<Result<_, _>>()?;
    balances.sort_unstable();
    Ok(balances)
}

/// What was reversed of one conversion.
pub(super) fn reversed(
    connection: &Connection,
    no: CampaignNo,
    conversion: Seq,
) -> rusqlite::Result<Reversed> {
    let mut statement = connection.prepare_cached(
        "SELECT refunded_minor, is_whole FROM reversals
         WHERE campaign_no = ?1 AND conversion_seq = ?2",
    )?;
    let found = statement.query_row(params![no.0, signed(conversion)], |row| {
        Ok(Reversed { refunded: Minor(row.get(0)?), whole: row.get(1)? })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// All reversed sums, by conversion.
pub(super) fn reversals(
    connection: &Connection,
    no: CampaignNo,
) -> rusqlite::Result<Vec<ReversalRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT conversion_seq, refunded_minor, is_whole FROM reversals
         WHERE campaign_no = ?1 ORDER BY conversion_seq",
    )?;
    let rows = statement.query_map([no.0], |row| {
        Ok(ReversalRow {
            conversion: unsigned(row.get(0)?),
            refunded: Minor(row.get(1)?),
            is_whole: row.get(2)?,
        })
    })?;
    rows.collect()
}
