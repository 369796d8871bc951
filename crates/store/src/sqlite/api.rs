//! Users and requests of the API: writing inside the transaction of a step, and reading.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::position::unsigned;
use super::registry::Stop;
use crate::registry::{Access, ApiChange, ApiRequest, Decider, PausedJob, Rule, User, UserChange};

/// Does a change in the transaction that is open.
pub(super) fn record(connection: &Connection, change: &ApiChange) -> Result<(), Stop> {
    match change {
        ApiChange::KeepUser(user) => keep_user(connection, user)?,
        ApiChange::Admit { user, name, issued_at } => {
            let left = "SELECT 1 FROM departures
                        WHERE subject = ?1 AND organisation IN ('', ?2) AND at_ms >= ?3";
            let mut left = connection.prepare_cached(left)?;
            if left.exists(params![user.subject, user.organisation, issued_at])? {
                return Err(Rule::UserDeparted.into());
            }
            admit(connection, user, name)?;
        }
        ApiChange::NoteDeparture { subject, organisation, at } => {
            let sql = "INSERT INTO departures (subject, organisation, at_ms) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)";
            let organisation = organisation.as_deref().unwrap_or_default();
            connection.prepare_cached(sql)?.execute(params![subject, organisation, at])?;
        }
        ApiChange::ChangeUser(change) => change_user(connection, change)?,
        ApiChange::NoteAccess(access) => {
            let Access { at, subject, role, session, method, path, status, network, count } =
                access;
            let sql = "INSERT INTO access_log
                           (no, at_ms, subject, role, session, method, path, status, network,
                            count)
                       SELECT 1 + coalesce(max(no), 0), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
                       FROM access_log";
            connection.prepare_cached(sql)?.execute(params![
                at, subject, role, session, method, path, status, network, count
            ])?;
        }
        ApiChange::PauseJob(PausedJob { job, since, subject }) => {
            let sql = "INSERT INTO paused_jobs (job, since_ms, subject) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO NOTHING";
            connection.prepare_cached(sql)?.execute(params![job, since, subject])?;
        }
        ApiChange::ResumeJob { job } => {
            connection.prepare_cached("DELETE FROM paused_jobs WHERE job = ?1")?.execute([job])?;
        }
        ApiChange::BeginRequest(request) => {
            let known = "SELECT 1 FROM api_requests WHERE subject = ?1 AND key = ?2";
            let mut known = connection.prepare_cached(known)?;
            if known.exists(params![request.subject, request.key])? {
                return Err(Rule::RequestUnique.into());
            }
            let sql = "INSERT INTO api_requests (subject, key, fingerprint, seed, created_at_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let ApiRequest { subject, key, fingerprint, seed, created_at, .. } = request;
            connection.prepare_cached(sql)?.execute(params![
                subject,
                key,
                fingerprint,
                seed,
                created_at
            ])?;
        }
        ApiChange::EndRequest { subject, key, status, body, at } => {
            let sql = "UPDATE api_requests SET status = ?3, body = ?4, answered_at_ms = ?5
                       WHERE subject = ?1 AND key = ?2 AND status IS NULL";
            let mut statement = connection.prepare_cached(sql)?;
            if statement.execute(params![subject, key, status, body, at])? != 1 {
                return Err(Rule::RequestWaits.into());
            }
        }
    }
    Ok(())
}

/// Lists who joins, with the brand or creator that they are.
fn admit(connection: &Connection, user: &User, name: &str) -> Result<(), Stop> {
    let is_of_brand = is_of_brand(&user.role);
    let organisation = user.organisation.as_ref().filter(|_| is_of_brand);
    let team = organisation.map(|organisation| party_of_organisation(connection, organisation));
    if let Some(party) = team.transpose()?.flatten() {
        // Who was shut out is not to come back under another account: not by an operator's word at all, and
        // by an owner's without a place that could undo it.
        let has = |sql: &str| connection.prepare_cached(sql)?.exists([party]);
        let is_shut = has("SELECT 1 FROM users WHERE party = ?1 AND suspended_by_operator")?;
        let has_shut = has("SELECT 1 FROM users WHERE party = ?1 AND suspended_at_ms IS NOT NULL")?
            && has(
                "SELECT 1 FROM users WHERE party = ?1 AND role = 'owner' AND suspended_at_ms IS NULL",
            )?;
        let role = if has_shut { "viewer".to_owned() } else { user.role.clone() };
        let suspended_at = is_shut.then_some(user.created_at).or(user.suspended_at);
        let suspended_by_operator = is_shut || user.suspended_by_operator;
        let party = Some(party);
        let user = User { role, party, suspended_at, suspended_by_operator, ..user.clone() };
        return keep_user(connection, &user);
    }
    let Some(party) = user.party else { return keep_user(connection, user) };
    let (known, unique, make) = match user.role.as_str() {
        "creator" => (
            "SELECT 1 FROM creators WHERE id = ?1",
            Rule::CreatorUnique,
            "INSERT INTO creators (id, name, created_at_ms) VALUES (?1, ?2, ?3)",
        ),
        "owner" => (
            "SELECT 1 FROM brands WHERE id = ?1",
            Rule::BrandUnique,
            "INSERT INTO brands (id, name, created_at_ms, click_parameter)
             VALUES (?1, ?2, ?3, 'sh_click')",
        ),
        _ => return Err(Rule::TeamKnown.into()),
    };
    if connection.prepare_cached(known)?.exists([party])? {
        return Err(unique.into());
    }
    connection.prepare_cached(make)?.execute(params![party, name, user.created_at])?;
    keep_user(connection, user)
}

fn is_of_brand(role: &str) -> bool {
    matches!(role, "viewer" | "member" | "owner")
}

fn keep_user(connection: &Connection, user: &User) -> Result<(), Stop> {
    let User { subject, role, party, organisation, created_at, changed_at, .. } = user;
    let (suspended_at, suspended_by_operator) = (user.suspended_at, user.suspended_by_operator);
    // A creator is one person; a brand is a team.
    let known = "SELECT 1 FROM users WHERE subject = ?1
                 OR (party = ?2 AND (role = 'creator' OR ?3 = 'creator'))";
    if connection.prepare_cached(known)?.exists(params![subject, party, role])? {
        return Err(Rule::UserUnique.into());
    }
    let sql = "INSERT INTO users (subject, role, party, organisation, created_at_ms,
                   changed_at_ms, suspended_at_ms, suspended_by_operator)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        subject,
        role,
        party,
        organisation,
        created_at,
        changed_at,
        suspended_at,
        suspended_by_operator
    ])?;
    Ok(())
}

fn change_user(connection: &Connection, change: &UserChange) -> Result<(), Stop> {
    let UserChange { subject, role, suspended_at, at, keeps_an_owner, by } = change;
    let Some(known) = user(connection, subject)? else { return Err(Rule::UserKnown.into()) };
    if known.role != *role && !(is_of_brand(&known.role) && is_of_brand(role)) {
        return Err(Rule::UserSide.into());
    }
    if known.changed_at > *at {
        return Ok(());
    }
    let is_let_in = known.suspended_at.is_some() && suspended_at.is_none();
    if is_let_in && known.role == "admin" && *by < Decider::Machine {
        return Err(Rule::NamedAtTheMachine.into());
    }
    if is_let_in && known.suspended_by_operator && *by < Decider::Operator {
        return Err(Rule::OperatorSuspended.into());
    }
    let by_operator = *by >= Decider::Operator || known.suspended_by_operator;
    let by_operator = suspended_at.is_some() && by_operator;
    let is_leaving = role != "owner" || suspended_at.is_some();
    if *keeps_an_owner && known.role == "owner" && known.suspended_at.is_none() && is_leaving {
        let others = "SELECT 1 FROM users WHERE party = ?1 AND role = 'owner'
                      AND suspended_at_ms IS NULL AND subject <> ?2";
        if !connection.prepare_cached(others)?.exists(params![known.party, subject])? {
            return Err(Rule::OwnerRemains.into());
        }
    }
    let sql = "UPDATE users SET role = ?2, suspended_at_ms = ?3, changed_at_ms = ?4,
                   suspended_by_operator = ?5
               WHERE subject = ?1";
    let change = params![subject, role, suspended_at, at, by_operator];
    connection.prepare_cached(sql)?.execute(change)?;
    Ok(())
}

/// Columns of a user, in the order in which [`read_user`] reads them.
macro_rules! users {
    ($from_where:literal) => {
        concat!(
            "SELECT subject, role, party, organisation, created_at_ms, changed_at_ms,
                suspended_at_ms, suspended_by_operator FROM users ",
            $from_where
        )
    };
}

fn read_user(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        subject: row.get(0)?,
        role: row.get(1)?,
        party: row.get(2)?,
        organisation: row.get(3)?,
        created_at: row.get(4)?,
        changed_at: row.get(5)?,
        suspended_at: row.get(6)?,
        suspended_by_operator: row.get(7)?,
    })
}

pub(super) fn user(connection: &Connection, subject: &str) -> rusqlite::Result<Option<User>> {
    let sql = users!("WHERE subject = ?1");
    connection.prepare_cached(sql)?.query_row([subject], read_user).optional()
}

pub(super) fn users_of(connection: &Connection, party: [u8; 16]) -> rusqlite::Result<Vec<User>> {
    let sql = users!("WHERE party = ?1 ORDER BY subject");
    connection.prepare_cached(sql)?.query_map([party], read_user)?.collect()
}

pub(super) fn users_after(
    connection: &Connection,
    (after, limit): (&str, i64),
) -> rusqlite::Result<Vec<User>> {
    let sql = users!("WHERE subject > ?1 ORDER BY subject LIMIT ?2");
    connection.prepare_cached(sql)?.query_map(params![after, limit], read_user)?.collect()
}

pub(super) fn party_of_organisation(
    connection: &Connection,
    organisation: &str,
) -> rusqlite::Result<Option<[u8; 16]>> {
    let sql = "SELECT party FROM users WHERE organisation = ?1
               AND role IN ('viewer', 'member', 'owner') LIMIT 1";
    connection.prepare_cached(sql)?.query_row([organisation], |row| row.get(0)).optional()
}

/// Jobs that are paused, by name.
pub(super) fn paused_jobs(connection: &Connection) -> rusqlite::Result<Vec<PausedJob>> {
    let sql = "SELECT job, since_ms, subject FROM paused_jobs ORDER BY job";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(PausedJob { job: row.get(0)?, since: row.get(1)?, subject: row.get(2)? })
    };
    connection.prepare_cached(sql)?.query_map([], read)?.collect()
}

/// The access log below a number, newest first, each row with its number.
pub(super) fn accesses(
    connection: &Connection,
    (before, limit): (i64, i64),
) -> rusqlite::Result<Vec<(u64, Access)>> {
    let sql = "SELECT no, at_ms, subject, role, session, method, path, status, network, count
               FROM access_log WHERE no < ?1 ORDER BY no DESC LIMIT ?2";
    let read = |row: &rusqlite::Row<'_>| {
        let access = Access {
            at: row.get(1)?,
            subject: row.get(2)?,
            role: row.get(3)?,
            session: row.get(4)?,
            method: row.get(5)?,
            path: row.get(6)?,
            status: row.get(7)?,
            network: row.get(8)?,
            count: row.get(9)?,
        };
        Ok((unsigned(row.get(0)?), access))
    };
    connection.prepare_cached(sql)?.query_map([before, limit], read)?.collect()
}

pub(super) fn request(
    connection: &Connection,
    subject: &str,
    key: &str,
) -> rusqlite::Result<Option<ApiRequest>> {
    let sql = "SELECT subject, key, fingerprint, seed, created_at_ms, status, body
               FROM api_requests WHERE subject = ?1 AND key = ?2";
    let read = |row: &rusqlite::Row<'_>| {
        let (status, body): (Option<u16>, Option<Vec<u8>>) = (row.get(5)?, row.get(6)?);
        Ok(ApiRequest {
            subject: row.get(0)?,
            key: row.get(1)?,
            fingerprint: row.get(2)?,
            seed: row.get(3)?,
            created_at: row.get(4)?,
            answer: status.zip(body),
        })
    };
    connection.prepare_cached(sql)?.query_row([subject, key], read).optional()
}
