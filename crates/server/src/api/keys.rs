//! API keys of a brand's shop.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::api_keys::{self, ApiKeyError, CONVERSIONS_WRITE, Rotation, Wanted};
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::ApiKeyId;
use sponsorhub_store::Rule;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::once::Seed;
use super::{Fault, Page};
use crate::problem::Problem;
use crate::world::SystemChance;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Issue {
    scopes: Option<Vec<String>>,
    needs_signature: bool,
    expires_at: Option<i64>,
}

/// How long two keys overlap where nothing is said, hours.
const OVERLAP_HOURS: u32 = 24;

/// How long they may, hours: a week.
const OVERLAP_HOURS_MAX: u32 = 168;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotate {
    overlap_hours: Option<u32>,
    expires_at: Option<i64>,
}

fn hide_secrets(answer: &mut Value) {
    answer["secret"] = Value::Null;
    answer["signing_secret"] = Value::Null;
}

fn fault(error: ApiKeyError) -> Problem {
    match error {
        ApiKeyError::Rule(Rule::RevokedOnce) => {
            Problem::new(StatusCode::CONFLICT, "revoked_once", "it is revoked already")
        }
        ApiKeyError::Rule(Rule::ApiKeyKnown) => not_found(),
        ApiKeyError::Replaced => {
            Problem::new(StatusCode::CONFLICT, "replaced_once", error.to_string())
        }
        ApiKeyError::Over => Problem::new(StatusCode::CONFLICT, "api_key_over", error.to_string()),
        ApiKeyError::Rule(rule) => super::of_rule(rule),
        ApiKeyError::Scope(_) => Fault::Field("scopes", error.to_string()).into(),
        ApiKeyError::Expired => Fault::Field("expires_at", error.to_string()).into(),
        ApiKeyError::Busy => Problem::busy(),
        ApiKeyError::Store(error) => Fault::from(error).into(),
    }
}

/// The secret is shown in this answer and never again: a repetition has none.
pub(super) async fn issue(caller: Caller, body: Content) -> Result<Response, Problem> {
    caller.may(Action::ManageKeys)?;
    let brand = caller.brand()?;
    let Issue { scopes, needs_signature, expires_at } = body_of(&body)?;
    let mut scopes = scopes.unwrap_or_else(|| vec![CONVERSIONS_WRITE.to_owned()]);
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(
            Fault::Field("scopes", "at least one: such a key could do nothing".into()).into()
        );
    }
    caller
        .once(&body, hide_secrets, async |_: Seed| {
            let shared = &caller.shared;
            let (keys, now) = (shared.catalog.keys(), shared.clock.now());
            let wanted = Wanted { brand, scopes: scopes.clone(), needs_signature, expires_at };
            let issued = tokio::task::block_in_place(|| {
                api_keys::issue(&*shared.store, &keys, &SystemChance, wanted, now)
            });
            let issued = issued.map_err(fault)?;
            let answer = json!({
                "id": issued.id,
                "secret": issued.api_key,
                "signing_secret": issued.signing_secret,
                "scopes": scopes,
            });
            Ok((StatusCode::CREATED, answer))
        })
        .await
}

pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::ManageKeys)?;
    let brand = caller.brand()?;
    tokio::task::block_in_place(|| {
        let keys = api_keys::list(&*caller.shared.store, brand).map_err(Fault::from)?;
        page.cut(keys.into_iter().zip(1_u64..).map(|(key, no)| (no, json!(key)))).map(Json)
    })
}

/// As of a new key, the secret is in this answer only.
pub(super) async fn rotate(
    caller: Caller,
    Path(key): Path<ApiKeyId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::ManageKeys)?;
    let brand = caller.brand()?;
    let Rotate { overlap_hours, expires_at } = body_of(&body)?;
    let overlap_hours = overlap_hours.unwrap_or(OVERLAP_HOURS);
    if overlap_hours > OVERLAP_HOURS_MAX {
        return Err(Fault::Field("overlap_hours", "0 to 168".to_owned()).into());
    }
    caller
        .once(&body, hide_secrets, async |_: Seed| {
            let shared = &caller.shared;
            let (keys, now) = (shared.catalog.keys(), shared.clock.now());
            let until = now.saturating_add(i64::from(overlap_hours) * 3_600_000);
            tokio::task::block_in_place(|| {
                let (store, rotation) =
                    (&*shared.store, Rotation { brand, key, until, expires_at });
                let issued = api_keys::rotate(store, &keys, &SystemChance, rotation, now);
                let issued = issued.map_err(fault)?;
                let listed = api_keys::list(store, brand).map_err(Fault::from)?;
                let of = |id| listed.iter().find(|known| known.id == id).ok_or_else(not_found);
                let answer = json!({
                    "id": issued.id,
                    "secret": issued.api_key,
                    "signing_secret": issued.signing_secret,
                    "scopes": of(issued.id)?.scopes,
                    "replaces": { "id": key, "expires_at": of(key)?.expires_at },
                });
                Ok((StatusCode::CREATED, answer))
            })
        })
        .await
}

pub(super) async fn revoke(
    caller: Caller,
    Path(key): Path<ApiKeyId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::ManageKeys)?;
    let brand = caller.brand()?;
    let Nothing {} = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let shared = &caller.shared;
                tokio::task::block_in_place(|| {
                    let keys = api_keys::list(&*shared.store, brand).map_err(Fault::from)?;
                    let known = keys.iter().find(|known| known.id == key).ok_or_else(not_found)?;
                    if known.revoked_at.is_none() {
                        let revoked = api_keys::revoke(&*shared.store, key, shared.clock.now());
                        revoked.map_err(fault)?;
                    }
                    Ok((StatusCode::OK, json!({ "id": key })))
                })
            },
        )
        .await
}
