//! What leaves: creators on request, notes with them, and rows whose time is over.
//!
//! Deleting is only half of it: the caller has SQLite overwrite what goes, and the sequencer empties the
//! log afterwards.

use rusqlite::{Connection, OptionalExtension as _, Params, params};
use sponsorhub_core::ids::{CampaignId, CreatorId, NoteId};

use super::projections;
use super::registry::Done;
use crate::registry::{Forgotten, Note, NoteText, Rule};

fn run(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

fn must(is_done: bool, rule: Rule) -> Done {
    if is_done { Ok(()) } else { Err(rule.into()) }
}

pub(super) fn ask(connection: &Connection, creator: CreatorId, at: i64) -> Done {
    let sql = "UPDATE creators SET erasure_asked_at_ms = ifnull(erasure_asked_at_ms, ?2)
               WHERE id = ?1 AND erased_at_ms IS NULL";
    must(run(connection, sql, params![creator.0, at])? == 1, Rule::CreatorKnown)
}

/// In this order: triggers let go of what is an erased person's, and the mapping says whose it is.
const ERASE: [&str; 9] = [
    // What they said in requests is in the answers.
    "UPDATE api_requests SET body = x'' WHERE length(body) > 0
        AND subject IN (SELECT subject FROM users WHERE party = ?1 AND role = 'creator')",
    "DELETE FROM notes WHERE (campaign_no, enrollment_id) IN
        (SELECT campaign_no, enrollment_id FROM enrollment_creators WHERE creator_id = ?1)",
    "DELETE FROM slugs WHERE (campaign_id, link_number) IN
        (SELECT c.id, l.number FROM enrollment_creators e
         JOIN links l ON l.campaign_no = e.campaign_no AND l.enrollment_id = e.enrollment_id
         JOIN campaigns c ON c.no = e.campaign_no WHERE e.creator_id = ?1)",
    "DELETE FROM promo_codes WHERE (campaign_id, enrollment_id) IN
        (SELECT c.id, e.enrollment_id FROM enrollment_creators e
         JOIN campaigns c ON c.no = e.campaign_no WHERE e.creator_id = ?1)",
    "UPDATE links SET maker = NULL WHERE maker IS NOT NULL AND (campaign_no, enrollment_id) IN
        (SELECT campaign_no, enrollment_id FROM enrollment_creators WHERE creator_id = ?1)",
    "UPDATE provider_events SET raw = x'' WHERE length(raw) > 0 AND done_at_ms IS NOT NULL
        AND recipient IN (SELECT account FROM recipients WHERE creator_id = ?1)",
    "DELETE FROM recipients WHERE creator_id = ?1",
    // Where they are reached is theirs, too.
    "DELETE FROM webhook_endpoints WHERE role = 'creator' AND party = ?1",
    "UPDATE enrollment_creators SET creator_id = NULL, erased_at_ms = ?2 WHERE creator_id = ?1",
];

pub(super) fn erase(connection: &Connection, creator: CreatorId, at: i64) -> Done {
    let sql = "UPDATE creators SET name = NULL, erased_at_ms = ?2
               WHERE id = ?1 AND erased_at_ms IS NULL";
    must(run(connection, sql, params![creator.0, at])? == 1, Rule::CreatorKnown)?;
    for sql in ERASE {
        let mut statement = connection.prepare_cached(sql)?;
        match statement.parameter_count() {
            1 => statement.execute([creator.0])?,
            _ => statement.execute(params![creator.0, at])?,
        };
    }
    Ok(())
}

pub(super) fn to_erase(connection: &Connection) -> rusqlite::Result<Vec<CreatorId>> {
    let sql = "SELECT id FROM creators
               WHERE erasure_asked_at_ms IS NOT NULL AND erased_at_ms IS NULL
               ORDER BY erasure_asked_at_ms, id";
    connection.prepare_cached(sql)?.query_map([], |row| row.get(0).map(CreatorId))?.collect()
}

pub(super) fn keep_note(connection: &Connection, note: &Note) -> Done {
    let no = projections::campaign_no(connection, note.campaign)?.ok_or(Rule::CampaignKnown)?;
    let known = "SELECT 1 FROM notes WHERE campaign_no = ?1 AND id = ?2";
    if connection.prepare_cached(known)?.exists(params![no.0, note.id.0])? {
        return Ok(());
    }
    let enrollment = note.enrollment.map(|id| id.0);
    run(
        connection,
        "INSERT INTO notes (campaign_no, id, enrollment_id, text, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![no.0, note.id.0, enrollment, note.text.0, note.created_at],
    )?;
    Ok(())
}

pub(super) fn drop_note(connection: &Connection, campaign: CampaignId, id: NoteId) -> Done {
    let no = projections::campaign_no(connection, campaign)?.ok_or(Rule::CampaignKnown)?;
    let sql = "DELETE FROM notes WHERE campaign_no = ?1 AND id = ?2";
    run(connection, sql, params![no.0, id.0])?;
    Ok(())
}

pub(super) fn note(
    connection: &Connection,
    campaign: CampaignId,
    id: NoteId,
) -> rusqlite::Result<Option<NoteText>> {
    let sql = "SELECT text FROM notes n JOIN campaigns c ON c.no = n.campaign_no
               WHERE c.id = ?1 AND n.id = ?2";
    let read = |row: &rusqlite::Row<'_>| row.get(0).map(NoteText);
    connection.prepare_cached(sql)?.query_row(params![campaign.0, id.0], read).optional()
}

/// The access log leaves from its old end, up to the first row that is to stay; the newest always does.
const ACCESSES: &str = "DELETE FROM access_log WHERE no < ifnull(
    (SELECT no FROM access_log WHERE at_ms >= ?1 ORDER BY no LIMIT 1),
    (SELECT max(no) FROM access_log))";

/// The newest of an endpoint stays, so that no number comes again.
const DELIVERIES: &str = "DELETE FROM webhook_deliveries AS d
    WHERE created_at_ms < ?1 AND state <> 'waiting' AND EXISTS
        (SELECT 1 FROM webhook_deliveries n WHERE n.endpoint_id = d.endpoint_id AND n.no > d.no)";

pub(super) fn forget(connection: &Connection, before: Forgotten) -> Done {
    run(connection, ACCESSES, [before.accesses])?;
    run(connection, DELIVERIES, [before.deliveries])?;
    run(connection, "DELETE FROM departures WHERE at_ms < ?1", [before.departures])?;
    Ok(())
}

pub(super) fn remembers(connection: &Connection, before: Forgotten) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM departures WHERE at_ms < ?1";
    if connection.prepare_cached(sql)?.exists([before.departures])? {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM (SELECT at_ms, no FROM access_log ORDER BY no LIMIT 1)
               WHERE at_ms < ?1 AND no < (SELECT max(no) FROM access_log)";
    if connection.prepare_cached(sql)?.exists([before.accesses])? {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM webhook_deliveries d
               WHERE created_at_ms < ?1 AND state <> 'waiting' AND EXISTS
                   (SELECT 1 FROM webhook_deliveries n
                    WHERE n.endpoint_id = d.endpoint_id AND n.no > d.no)";
    connection.prepare_cached(sql)?.exists([before.deliveries])
}
