//! The provider's accounts and events: writing inside the transaction of a step, and reading.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use sponsorhub_core::ids::{CampaignId, CreatorId};

use super::position::{signed, unsigned};
use super::registry::Stop;
use crate::registry::{
    Endpoint, EventState, Exchange, Exchanged, KeptEvent, ProviderChange, Recipient, Rule,
};

fn run(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

fn must(is_done: bool, rule: Rule) -> Result<(), Stop> {
    if is_done { Ok(()) } else { Err(rule.into()) }
}

/// Does a change in the transaction that is open.
pub(super) fn record(connection: &Connection, change: &ProviderChange) -> Result<(), Stop> {
    match change {
        ProviderChange::KeepRecipient(recipient) => keep_recipient(connection, recipient),
        ProviderChange::NoteRecipient { account, may_receive, payouts_enabled, at } => {
            let known = "SELECT 1 FROM recipients WHERE account = ?1";
            must(connection.prepare_cached(known)?.exists([account])?, Rule::RecipientKnown)?;
            run(
                connection,
                "UPDATE recipients SET may_receive = ?2, payouts_enabled = ?3, checked_at_ms = ?4
                 WHERE account = ?1 AND checked_at_ms <= ?4",
                params![account, may_receive, payouts_enabled, at],
            )?;
            Ok(())
        }
        ProviderChange::KeepEvent(event) => keep_event(connection, event),
        ProviderChange::RetryEvent { id, retry_at, why } => {
            let sql = "UPDATE provider_events
                       SET tries = tries + 1, retry_at_ms = ?2, outcome = ?3
                       WHERE id = ?1 AND done_at_ms IS NULL";
            must(run(connection, sql, params![id, retry_at, why])? == 1, Rule::EventWaits)
        }
        ProviderChange::FinishEvent { id, at, outcome } => {
            let sql = "UPDATE provider_events SET done_at_ms = ?2, outcome = ?3
                       WHERE id = ?1 AND done_at_ms IS NULL";
            must(run(connection, sql, params![id, at, outcome])? == 1, Rule::EventWaits)
        }
        ProviderChange::HurryEvent { id, at } => {
            let sql = "UPDATE provider_events SET retry_at_ms = min(retry_at_ms, ?2)
                       WHERE id = ?1 AND done_at_ms IS NULL";
            must(run(connection, sql, params![id, at])? == 1, Rule::EventWaits)
        }
        ProviderChange::ForgetEvents { before } => {
            let sql = "UPDATE provider_events SET raw = x''
                       WHERE done_at_ms < ?1 AND length(raw) > 0";
            // With zeros over it: the file is not to have it either.
            connection.pragma_update(None, "secure_delete", true)?;
            let forgotten = run(connection, sql, [before]);
            connection.pragma_update(None, "secure_delete", "FAST")?;
            forgotten?;
            Ok(())
        }
        ProviderChange::KeepExchange(exchange) => {
            let Exchange { campaign, planned, key, at, outcome, requests } = exchange;
            let sql = "INSERT INTO provider_exchanges
                       (campaign_id, no, planned, key, at_ms, outcome, requests)
                       SELECT ?1, 1 + coalesce(max(no), 0), ?2, ?3, ?4, ?5, ?6
                       FROM provider_exchanges WHERE campaign_id = ?1";
            let planned = signed(*planned);
            run(connection, sql, params![campaign.0, planned, key, at, outcome.name(), requests])?;
            Ok(())
        }
        ProviderChange::KeepCursor { cursor, at } => {
            let sql = "INSERT INTO provider_cursors (one, cursor, read_at_ms) VALUES (1, ?1, ?2)
                       ON CONFLICT (one) DO UPDATE SET cursor = ?1, read_at_ms = ?2";
            run(connection, sql, params![cursor, at])?;
            Ok(())
        }
    }
}

fn keep_recipient(connection: &Connection, recipient: &Recipient) -> Result<(), Stop> {
    let Recipient { creator, account, may_receive, payouts_enabled, created_at, checked_at } =
        recipient;
    let known = "SELECT 1 FROM creators WHERE id = ?1 AND erased_at_ms IS NULL";
    must(connection.prepare_cached(known)?.exists([creator.0])?, Rule::CreatorKnown)?;
    let taken = "SELECT 1 FROM recipients WHERE creator_id = ?1 OR account = ?2";
    let taken = connection.prepare_cached(taken)?.exists(params![creator.0, account])?;
    must(!taken, Rule::RecipientUnique)?;
    run(
        connection,
        "INSERT INTO recipients (creator_id, account, may_receive, payouts_enabled,
            created_at_ms, checked_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![creator.0, account, may_receive, payouts_enabled, created_at, checked_at],
    )?;
    Ok(())
}

fn keep_event(connection: &Connection, event: &KeptEvent) -> Result<(), Stop> {
    let known = "SELECT 1 FROM provider_events WHERE id = ?1";
    must(!connection.prepare_cached(known)?.exists([&event.id])?, Rule::EventUnique)?;
    run(
        connection,
        "INSERT INTO provider_events (id, endpoint, kind, created_at_ms, received_at_ms, recipient,
            object, payment, raw, tries, retry_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?5)",
        params![
            event.id,
            event.endpoint.name(),
            event.kind,
            event.created_at,
            event.received_at,
            event.recipient,
            event.object,
            event.payment,
            event.raw,
            event.tries,
        ],
    )?;
    Ok(())
}

/// Columns of a recipient, in the order in which [`recipient`] reads them.
macro_rules! recipients {
    ($from_where:literal) => {
        concat!(
            "SELECT r.creator_id, r.account, r.may_receive, r.payouts_enabled, r.created_at_ms,
                r.checked_at_ms FROM recipients r ",
            $from_where
        )
    };
}

fn recipient(row: &Row<'_>) -> rusqlite::Result<Recipient> {
    Ok(Recipient {
        creator: CreatorId(row.get(0)?),
        account: row.get(1)?,
        may_receive: row.get(2)?,
        payouts_enabled: row.get(3)?,
        created_at: row.get(4)?,
        checked_at: row.get(5)?,
    })
}

pub(super) fn of_creator(
    connection: &Connection,
    creator: CreatorId,
) -> rusqlite::Result<Option<Recipient>> {
    let sql = recipients!("WHERE r.creator_id = ?1");
    connection.prepare_cached(sql)?.query_row([creator.0], recipient).optional()
}

pub(super) fn of_account(
    connection: &Connection,
    account: &str,
) -> rusqlite::Result<Option<Recipient>> {
    let sql = recipients!("WHERE r.account = ?1");
    connection.prepare_cached(sql)?.query_row([account], recipient).optional()
}

/// Columns of an event, in the order in which [`kept`] and [`stands`] read them.
macro_rules! events {
    ($raw:literal, $where:literal) => {
        concat!(
            "SELECT id, endpoint, kind, created_at_ms, received_at_ms, recipient, object, payment, ",
            $raw,
            ", tries, done_at_ms, retry_at_ms, outcome FROM provider_events WHERE ",
            $where
        )
    };
}

fn kept(row: &Row<'_>) -> rusqlite::Result<KeptEvent> {
    let name: String = row.get(1)?;
    let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name);
    Ok(KeptEvent {
        id: row.get(0)?,
        endpoint: endpoint.unwrap_or(Endpoint::List),
        kind: row.get(2)?,
        created_at: row.get(3)?,
        received_at: row.get(4)?,
        recipient: row.get(5)?,
        object: row.get(6)?,
        payment: row.get(7)?,
        raw: row.get(8)?,
        tries: row.get(9)?,
    })
}

fn stands(row: &Row<'_>) -> rusqlite::Result<EventState> {
    Ok(EventState { done_at: row.get(10)?, retry_at: row.get(11)?, outcome: row.get(12)? })
}

pub(super) fn waiting(
    connection: &Connection,
    now: i64,
    limit: i64,
) -> rusqlite::Result<Vec<KeptEvent>> {
    let sql = events!(
        "raw",
        "done_at_ms IS NULL AND retry_at_ms <= ?1
         ORDER BY retry_at_ms, created_at_ms, id LIMIT ?2"
    );
    connection.prepare_cached(sql)?.query_map(params![now, limit], kept)?.collect()
}

/// Events before one, newest first.
pub(super) fn events(
    connection: &Connection,
    before: Option<(i64, &str)>,
    limit: i64,
) -> rusqlite::Result<Vec<(KeptEvent, EventState)>> {
    let sql = events!(
        "x''",
        "(received_at_ms, id) < (?1, ?2) ORDER BY received_at_ms DESC, id DESC LIMIT ?3"
    );
    let (at, id) = before.unwrap_or((i64::MAX, ""));
    let read = |row: &Row<'_>| Ok((kept(row)?, stands(row)?));
    connection.prepare_cached(sql)?.query_map(params![at, id, limit], read)?.collect()
}

pub(super) fn event(
    connection: &Connection,
    id: &str,
) -> rusqlite::Result<Option<(KeptEvent, EventState)>> {
    let read = |row: &Row<'_>| Ok((kept(row)?, stands(row)?));
    connection.prepare_cached(events!("x''", "id = ?1"))?.query_row([id], read).optional()
}

/// Sendings of a campaign after a number, in their order, each with its number.
pub(super) fn exchanges(
    connection: &Connection,
    campaign: CampaignId,
    (after, limit): (i64, i64),
) -> rusqlite::Result<Vec<(u64, Exchange)>> {
    let sql = "SELECT no, planned, key, at_ms, outcome, requests FROM provider_exchanges
               WHERE campaign_id = ?1 AND no > ?2 ORDER BY no LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let exchanges = statement.query_map(params![campaign.0, after, limit], |row| {
        let name: String = row.get(4)?;
        let known = Exchanged::ALL.into_iter().find(|outcome| outcome.name() == name);
        let outcome = known.ok_or(rusqlite::Error::InvalidQuery)?;
        let planned = unsigned(row.get(1)?);
        let (key, at, requests) = (row.get(2)?, row.get(3)?, row.get(5)?);
        Ok((unsigned(row.get(0)?), Exchange { campaign, planned, key, at, outcome, requests }))
    })?;
    exchanges.collect()
}

/// Whether there is anything to forget.
pub(super) fn remembers(connection: &Connection, before: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM provider_events
               WHERE done_at_ms IS NOT NULL AND done_at_ms < ?1 AND length(raw) > 0";
    connection.prepare_cached(sql)?.exists([before])
}

pub(super) fn cursor(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT cursor FROM provider_cursors";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()
}
