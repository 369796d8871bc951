//! What lies in the tables and belongs to no ledger.
//!
//! Whoever goes from campaign to campaign never meets the rows of a campaign that is not listed,
//! nor what lies beyond the end of a ledger. This goes from table to table instead, and jumps from
//! the rows of one campaign to those of the next, so that it costs the same however long the
//! ledgers are. Keys and filters are not looked at: they are compared with the entries.

use rusqlite::{Connection, params};
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::merkle::{TILE_HEIGHT, TileId};

use super::position::{CampaignNo, is_position, unsigned};

/// More are not listed: where there are that many, a list helps nobody.
const STRAYS_MAX: usize = 20;

/// Tables in which the campaign's number is a column.
const NUMBERED: [&str; 5] =
    ["campaign_heads", "live_intervals", "enrollments", "balances", "reversals"];

/// Tables in which it stands in the upper bits of the key.
const PACKED: [&str; 2] = ["entries", "tiles"];

/// Levels of tiles that a ledger can fill: its positions have 40 bits, 8 for each level.
const LEVELS: u8 = 5;

/// Strays of the whole database, in words.
pub(super) fn find(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for table in PACKED {
        // One further could not be shifted back: a position has 63 bits.
        let next = format!("pos >= (walk.no + 1) << 40 AND walk.no < {}", (1 << 23) - 1);
        orphans(connection, table, ("min(pos) >> 40", &next), &mut found)?;
    }
    for table in NUMBERED {
        orphans(connection, table, ("min(campaign_no)", "campaign_no > walk.no"), &mut found)?;
    }
    let mut statement = connection.prepare(
        "SELECT no, id, seq FROM campaigns JOIN campaign_heads ON campaign_no = no ORDER BY no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()?
        && found.len() < STRAYS_MAX
    {
        let (no, id) = (CampaignNo(row.get(0)?), CampaignId(row.get(1)?));
        let head = unsigned(row.get(2)?);
        // A head that cannot be is found where the campaign itself is looked at.
        let beyond = if is_position(head) { beyond(connection, no, head)? } else { None };
        found.extend(beyond.map(|what| format!("campaign {id}: {what}")));
    }
    Ok(found)
}

/// Campaigns that have rows in a table and are not listed. `number` is the first campaign's number
/// in terms of the table, `next` what is true of the rows behind those of campaign `walk.no`.
fn orphans(
    connection: &Connection,
    table: &str,
    (number, next): (&str, &str),
    found: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let sql = format!(
        "WITH RECURSIVE walk (no) AS (
            SELECT {number} FROM {table} UNION ALL
            SELECT (SELECT {number} FROM {table} WHERE {next}) FROM walk WHERE walk.no IS NOT NULL
         )
         SELECT no FROM walk
         WHERE no IS NOT NULL AND NOT EXISTS (SELECT 1 FROM campaigns WHERE campaigns.no = walk.no)
         LIMIT ?1"
    );
    let room = i64::try_from(STRAYS_MAX - found.len()).expect("a score");
    let mut statement = connection.prepare(&sql)?;
    let numbers = statement.query_map([room], |row| row.get(0))?;
    for number in numbers {
        let number: i64 = number?;
        found.push(format!("table {table}: rows of campaign number {number}, which is not listed"));
    }
    Ok(())
}

/// What lies outside of a ledger of `head` entries although its key says that it is in it.
pub(super) fn beyond(
    connection: &Connection,
    no: CampaignNo,
    head: Seq,
) -> rusqlite::Result<Option<String>> {
    let first = |table, from: i64, to: i64| -> rusqlite::Result<Option<i64>> {
        let sql = format!("SELECT min(pos) FROM {table} WHERE pos >= ?1 AND pos < ?2");
        connection.prepare_cached(&sql)?.query_row(params![from, to], |row| row.get(0))
    };
    let outside = [(no.entry(0), no.entry(1)), (no.entry(head) + 1, no.end())];
    for (from, to) in outside {
        if let Some(pos) = first("entries", from, to)? {
            return Ok(Some(format!("entry {} is outside of its {head} entries", no.seq(pos))));
        }
    }
    let mut full = head;
    for level in 0..=LEVELS {
        full >>= TILE_HEIGHT;
        let from = no.tile(TileId { level, index: full });
        let to = match level {
            LEVELS => no.end(),
            _ => no.tile(TileId { level: level + 1, index: 0 }),
        };
        if first("tiles", from, to)?.is_some() {
            return Ok(Some(format!("level {level} has more tiles than {head} entries fill")));
        }
    }
    Ok(None)
}
