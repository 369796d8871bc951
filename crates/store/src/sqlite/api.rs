//! Users and requests of the API: writing inside the transaction of a step, and reading.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::registry::Stop;
use crate::registry::{ApiChange, ApiRequest, Rule, User};

/// Does a change in the transaction that is open.
pub(super) fn record(connection: &Connection, change: &ApiChange) -> Result<(), Stop> {
    match change {
        ApiChange::KeepUser(user) => {
            let known = "SELECT 1 FROM users WHERE subject = ?1 OR party = ?2";
            let mut known = connection.prepare_cached(known)?;
            if known.exists(params![user.subject, user.party])? {
                return Err(Rule::UserUnique.into());
            }
            let sql = "INSERT INTO users (subject, role, party, created_at_ms)
                       VALUES (?1, ?2, ?3, ?4)";
            let User { subject, role, party, created_at } = user;
            connection.prepare_cached(sql)?.execute(params![subject, role, party, created_at])?;
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

pub(super) fn user(connection: &Connection, subject: &str) -> rusqlite::Result<Option<User>> {
    let sql = "SELECT subject, role, party, created_at_ms FROM users WHERE subject = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(User {
            subject: row.get(0)?,
            role: row.get(1)?,
            party: row.get(2)?,
            created_at: row.get(3)?,
        })
    };
    connection.prepare_cached(sql)?.query_row([subject], read).optional()
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
