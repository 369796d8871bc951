//! Endpoints and deliveries: writing inside the transaction of a step, and reading.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, Seq, WebhookId};

use super::position::{signed, unsigned};
use super::registry::Stop;
use crate::registry::{
    DELIVERIES_MAX, Delivery, DeliveryState, Disabled, Party, Rule, Told, Webhook, WebhookChange,
};

fn run(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

fn must(is_done: bool, rule: Rule) -> Result<(), Stop> {
    if is_done { Ok(()) } else { Err(rule.into()) }
}

fn known(connection: &Connection, id: WebhookId) -> Result<(), Stop> {
    let known = "SELECT 1 FROM webhook_endpoints WHERE id = ?1";
    must(connection.prepare_cached(known)?.exists([id.0])?, Rule::WebhookKnown)
}

/// Does a change in the transaction that is open.
pub(super) fn record(connection: &Connection, change: &WebhookChange) -> Result<(), Stop> {
    match change {
        WebhookChange::Add { webhook, from } => add(connection, webhook, from),
        WebhookChange::Edit { id, url, kinds } => {
            let sql = "UPDATE webhook_endpoints SET url = ?2, kinds = ?3 WHERE id = ?1";
            let done = run(connection, sql, params![id.0, url, kinds.join(" ")])?;
            must(done == 1, Rule::WebhookKnown)
        }
        WebhookChange::Switch { id, disabled } => {
            let sql = "UPDATE webhook_endpoints SET disabled_at_ms = ?2, disabled_why = ?3,
                           failing_since_ms = iif(?2 IS NULL, NULL, failing_since_ms)
                       WHERE id = ?1";
            let (at, why) = parts(disabled.as_ref());
            must(run(connection, sql, params![id.0, at, why])? == 1, Rule::WebhookKnown)
        }
        WebhookChange::Rotate { id, key_id, rotation, old_until } => {
            known(connection, *id)?;
            let sql = "UPDATE webhook_endpoints SET old_key_id = key_id, old_until_ms = ?4,
                           key_id = ?2, version = version + 1, rotation = ?3
                       WHERE id = ?1 AND rotation IS NOT ?3";
            run(connection, sql, params![id.0, key_id, rotation, old_until])?;
            Ok(())
        }
        WebhookChange::Remove { id } => {
            // An address may name who is reached there.
            connection.pragma_update(None, "secure_delete", true)?;
            let sql = "DELETE FROM webhook_endpoints WHERE id = ?1";
            let removed = run(connection, sql, [id.0]);
            connection.pragma_update(None, "secure_delete", "FAST")?;
            must(removed? == 1, Rule::WebhookKnown)
        }
        WebhookChange::Plan { id, campaign, upto, events, at } => {
            plan(connection, (*id, *campaign, *upto), events, *at)
        }
        WebhookChange::PlanTest { id, kind, at } => {
            known(connection, *id)?;
            Ok(add_delivery(connection, *id, None, (kind, *at))?)
        }
        WebhookChange::NoteSent { id, no, at, answer, state, disabled } => {
            note_sent(connection, (*id, *no), (*at, answer), *state)?;
            let Some(Disabled { at, why }) = disabled else { return Ok(()) };
            let sql = "UPDATE webhook_endpoints SET disabled_at_ms = ?2, disabled_why = ?3
                       WHERE id = ?1 AND disabled_at_ms IS NULL";
            run(connection, sql, params![id.0, at, why])?;
            Ok(())
        }
        WebhookChange::Replay { id, no, at } => {
            let sql = "UPDATE webhook_deliveries
                       SET state = 'waiting', attempts = 0, due_at_ms = ?3
                       WHERE endpoint_id = ?1 AND no = ?2";
            let done = run(connection, sql, params![id.0, signed(*no), at])?;
            must(done == 1, Rule::DeliveryKnown)
        }
    }
}

fn parts(disabled: Option<&Disabled>) -> (Option<i64>, Option<&str>) {
    disabled.map(|disabled| (disabled.at, disabled.why.as_str())).unzip()
}

fn add(connection: &Connection, webhook: &Webhook, from: &[(CampaignId, Seq)]) -> Result<(), Stop> {
    let (role, party) = webhook.owner.parts();
    let (owner, unknown) = match webhook.owner {
        Party::Brand(_) => ("SELECT 1 FROM brands WHERE id = ?1", Rule::BrandKnown),
        Party::Creator(_) => {
            let person = "SELECT 1 FROM creators WHERE id = ?1 AND erased_at_ms IS NULL";
            (person, Rule::CreatorKnown)
        }
    };
    must(connection.prepare_cached(owner)?.exists([party])?, unknown)?;
    let taken = "SELECT 1 FROM webhook_endpoints WHERE id = ?1";
    must(!connection.prepare_cached(taken)?.exists([webhook.id.0])?, Rule::WebhookUnique)?;
    let (old_key_id, old_until) = webhook.old.unzip();
    let (disabled_at, disabled_why) = parts(webhook.disabled.as_ref());
    run(
        connection,
        "INSERT INTO webhook_endpoints (id, role, party, url, kinds, key_id, version, old_key_id,
            old_until_ms, rotation, created_at_ms, failing_since_ms, disabled_at_ms, disabled_why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            webhook.id.0,
            role,
            party,
            webhook.url,
            webhook.kinds.join(" "),
            webhook.key_id,
            webhook.version,
            old_key_id,
            old_until,
            webhook.rotation,
            webhook.created_at,
            webhook.failing_since,
            disabled_at,
            disabled_why,
        ],
    )?;
    for (campaign, seq) in from {
        move_on(connection, (webhook.id, *campaign, *seq))?;
    }
    Ok(())
}

fn move_on(
    connection: &Connection,
    (id, campaign, upto): (WebhookId, CampaignId, Seq),
) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO webhook_cursors (endpoint_id, campaign_id, seq) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET seq = ?3 WHERE seq < ?3";
    run(connection, sql, params![id.0, campaign.0, signed(upto)])
}

fn plan(
    connection: &Connection,
    (id, campaign, upto): (WebhookId, CampaignId, Seq),
    events: &[(Seq, String)],
    at: i64,
) -> Result<(), Stop> {
    known(connection, id)?;
    must(move_on(connection, (id, campaign, upto))? == 1, Rule::ToldMovesOn)?;
    for (seq, kind) in events {
        add_delivery(connection, id, Some((campaign, *seq)), (kind, at))?;
    }
    run(
        connection,
        "DELETE FROM webhook_deliveries WHERE endpoint_id = ?1 AND state != 'waiting'
            AND no <= (SELECT max(no) FROM webhook_deliveries WHERE endpoint_id = ?1) - ?2",
        params![id.0, signed(DELIVERIES_MAX)],
    )?;
    Ok(())
}

/// Under the next number of its endpoint. The newest never leaves, so no number comes again.
fn add_delivery(
    connection: &Connection,
    id: WebhookId,
    entry: Option<(CampaignId, Seq)>,
    (kind, at): (&str, i64),
) -> rusqlite::Result<()> {
    let (campaign, seq) = entry.unzip();
    run(
        connection,
        "INSERT INTO webhook_deliveries (endpoint_id, no, campaign_id, seq, kind, created_at_ms,
            state, attempts, due_at_ms)
         SELECT ?1, (SELECT ifnull(max(no), 0) + 1 FROM webhook_deliveries WHERE endpoint_id = ?1),
            ?2, ?3, ?4, ?5, 'waiting', 0, ?5",
        params![id.0, campaign.map(|campaign| campaign.0), seq.map(signed), kind, at],
    )?;
    Ok(())
}

fn note_sent(
    connection: &Connection,
    (id, no): (WebhookId, u64),
    (at, answer): (i64, &str),
    state: DeliveryState,
) -> Result<(), Stop> {
    let due = if let DeliveryState::Waiting(due) = state { Some(due) } else { None };
    let sql = "UPDATE webhook_deliveries SET state = ?3, attempts = attempts + 1,
                   due_at_ms = ifnull(?4, due_at_ms), last_at_ms = ?5, last_answer = ?6
               WHERE endpoint_id = ?1 AND no = ?2 AND state = 'waiting'";
    let done = run(connection, sql, params![id.0, signed(no), state.name(), due, at, answer])?;
    must(done == 1, Rule::DeliveryWaits)?;
    let since = (state != DeliveryState::Delivered).then_some(at);
    let sql = "UPDATE webhook_endpoints
               SET failing_since_ms = iif(?2 IS NULL, NULL, ifnull(failing_since_ms, ?2))
               WHERE id = ?1";
    run(connection, sql, params![id.0, since])?;
    Ok(())
}

macro_rules! webhooks {
    ($where:literal) => {
        concat!(
            "SELECT id, role, party, url, kinds, key_id, version, old_key_id, old_until_ms,
                rotation, created_at_ms, failing_since_ms, disabled_at_ms, disabled_why
             FROM webhook_endpoints WHERE ",
            $where
        )
    };
}

fn webhook(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let (role, party): (String, [u8; 16]) = (row.get(1)?, row.get(2)?);
    let kinds: String = row.get(4)?;
    let (old_key_id, old_until): (Option<u16>, Option<i64>) = (row.get(7)?, row.get(8)?);
    let (at, why): (Option<i64>, Option<String>) = (row.get(12)?, row.get(13)?);
    Ok(Webhook {
        id: WebhookId(row.get(0)?),
        owner: if role == "brand" {
            Party::Brand(BrandId(party))
        } else {
            Party::Creator(CreatorId(party))
        },
        url: row.get(3)?,
        kinds: kinds.split_whitespace().map(str::to_owned).collect(),
        key_id: row.get(5)?,
        version: row.get(6)?,
        old: old_key_id.zip(old_until),
        rotation: row.get(9)?,
        created_at: row.get(10)?,
        failing_since: row.get(11)?,
        disabled: at.zip(why).map(|(at, why)| Disabled { at, why }),
    })
}

pub(super) fn of_party(connection: &Connection, owner: Party) -> rusqlite::Result<Vec<Webhook>> {
    let sql = webhooks!("role = ?1 AND party = ?2 ORDER BY created_at_ms, id");
    connection.prepare_cached(sql)?.query_map(owner.parts(), webhook)?.collect()
}

pub(super) fn by_id(connection: &Connection, id: WebhookId) -> rusqlite::Result<Option<Webhook>> {
    connection.prepare_cached(webhooks!("id = ?1"))?.query_row([id.0], webhook).optional()
}

pub(super) fn active(connection: &Connection) -> rusqlite::Result<Vec<Webhook>> {
    let sql = webhooks!("disabled_at_ms IS NULL ORDER BY created_at_ms, id");
    connection.prepare_cached(sql)?.query_map([], webhook)?.collect()
}

pub(super) fn after(
    connection: &Connection,
    (after, limit): (Option<WebhookId>, i64),
) -> rusqlite::Result<Vec<Webhook>> {
    let sql = webhooks!("?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2");
    let after = after.map(|after| after.0);
    connection.prepare_cached(sql)?.query_map(params![after, limit], webhook)?.collect()
}

pub(super) fn told(connection: &Connection, id: WebhookId) -> rusqlite::Result<Vec<Told>> {
    let sql = "SELECT c.campaign_id, c.seq,
                   (SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = c.endpoint_id
                        AND d.campaign_id = c.campaign_id AND d.state = 'waiting')
               FROM webhook_cursors c WHERE c.endpoint_id = ?1 ORDER BY c.campaign_id";
    let mut statement = connection.prepare_cached(sql)?;
    let told = statement.query_map([id.0], |row| {
        let campaign = CampaignId(row.get(0)?);
        Ok(Told { campaign, seq: unsigned(row.get(1)?), waiting: unsigned(row.get(2)?) })
    })?;
    told.collect()
}

macro_rules! deliveries {
    ($where:literal) => {
        concat!(
            "SELECT d.no, d.campaign_id, d.seq, d.kind, d.created_at_ms, d.state, d.attempts,
                d.due_at_ms, d.last_at_ms, d.last_answer
             FROM webhook_deliveries d WHERE ",
            $where
        )
    };
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<(u64, Delivery)> {
    let (campaign, seq): (Option<[u8; 16]>, Option<i64>) = (row.get(1)?, row.get(2)?);
    let state: String = row.get(5)?;
    let (at, answer): (Option<i64>, Option<String>) = (row.get(8)?, row.get(9)?);
    let delivery = Delivery {
        entry: campaign.map(CampaignId).zip(seq.map(unsigned)),
        kind: row.get(3)?,
        created_at: row.get(4)?,
        state: match state.as_str() {
            "waiting" => DeliveryState::Waiting(row.get(7)?),
            "delivered" => DeliveryState::Delivered,
            _ => DeliveryState::GivenUp,
        },
        attempts: row.get(6)?,
        last: at.zip(answer),
    };
    Ok((unsigned(row.get(0)?), delivery))
}

pub(super) fn due(
    connection: &Connection,
    id: WebhookId,
    now: i64,
) -> rusqlite::Result<Option<(u64, Delivery)>> {
    let sql = deliveries!(
        "d.endpoint_id = ?1 AND d.state = 'waiting' AND d.due_at_ms <= ?2
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries e WHERE e.endpoint_id = ?1
                AND e.campaign_id = d.campaign_id AND e.state = 'waiting' AND e.seq < d.seq)
         ORDER BY d.due_at_ms, d.no LIMIT 1"
    );
    connection.prepare_cached(sql)?.query_row(params![id.0, now], delivery).optional()
}

pub(super) fn deliveries(
    connection: &Connection,
    id: WebhookId,
    (before, limit): (i64, i64),
) -> rusqlite::Result<Vec<(u64, Delivery)>> {
    let sql = deliveries!("d.endpoint_id = ?1 AND d.no < ?2 ORDER BY d.no DESC LIMIT ?3");
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params![id.0, before, limit], delivery)?.collect()
}
