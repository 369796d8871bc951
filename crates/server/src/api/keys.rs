//! API keys of a brand's shop.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::api_keys::{self, ApiKeyError, CONVERSIONS_WRITE, Wanted};
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::ApiKeyId;
use sponsorhub_store::Rule;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, Query, body_of};
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

fn fault(error: ApiKeyError) -> Problem {
    match error {
        ApiKeyError::Rule(Rule::RevokedOnce) => {
            Problem::new(StatusCode::CONFLICT, "revoked_once", "it is revoked already")
        }
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
    let scopes = scopes.unwrap_or_else(|| vec![CONVERSIONS_WRITE.to_owned()]);
    let hide = |answer: &mut Value| {
        answer["secret"] = Value::Null;
        answer["signing_secret"] = Value::Null;
    };
    caller
        .once(&body, hide, async |_: Seed| {
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

pub(super) async fn list(caller: Caller, Query(page): Query<Page>) -> Result<Json<Value>, Problem> {
    caller.may(Action::ManageKeys)?;
    let brand = caller.brand()?;
    tokio::task::block_in_place(|| {
        let keys = api_keys::list(&*caller.shared.store, brand).map_err(Fault::from)?;
        page.cut(keys.into_iter().zip(1_u64..).map(|(key, no)| (no, json!(key)))).map(Json)
    })
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
