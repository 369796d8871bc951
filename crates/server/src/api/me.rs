//! `/me`: who the caller is here.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::desk::CommandError;
use sponsorhub_core::actor::{Role, Side};
use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::registry::{ApiChange, User};
use sponsorhub_store::{Change, Rule};

use super::Fault;
use super::caller::{Caller, not_found};
use super::extract::{Content, body_of};
use super::once::Seed;
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    name: String,
}

fn id_of(role: Role, party: [u8; 16]) -> String {
    match role.side() {
        Side::Creator => CreatorId(party).to_string(),
        Side::Brand | Side::Admin => BrandId(party).to_string(),
    }
}

/// The caller as `role` and `party`; neither id nor name before they joined, and of operators.
fn shown(caller: &Caller, role: Role, party: Option<[u8; 16]>) -> Result<Value, Problem> {
    let side = role.side();
    let Some(party) = party else {
        let (role, side) = (role.name(), side.name());
        return Ok(json!({ "role": role, "side": side, "id": null, "name": null }));
    };
    let name = caller.shared.desk.registry(|registry| match side {
        Side::Creator => {
            let known = registry.creator(CreatorId(party))?;
            Ok(known.and_then(|known| known.name).map(|name| name.0))
        }
        _ => registry.brand(BrandId(party)).map(|known| known.map(|known| known.name)),
    });
    let name = name.map_err(Fault::from)?;
    let id = id_of(role, party);
    Ok(json!({ "role": role.name(), "side": side.name(), "id": id, "name": name }))
}

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    let party = caller.user.as_ref().and_then(|user| user.party);
    shown(&caller, caller.role, party).map(Json)
}

/// Whether a character is seen: none that ends a line, hides, or turns the direction of others.
fn is_shown(c: char) -> bool {
    let is_hidden = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !c.is_control() && !is_hidden
}

/// Refuses what cannot be the name of anybody.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if name.trim().is_empty() || name.len() > 200 || !name.chars().all(is_shown) {
        let fix = "1 to 200 bytes, all of them characters that are shown".to_owned();
        return Err(Fault::Field("name", fix).into());
    }
    Ok(())
}

/// Joins, as the brand or creator that the token says. Whoever acts in an organisation joins its team.
pub(super) async fn join(caller: Caller, body: Content) -> Result<Response, Problem> {
    let Join { name } = body_of(&body)?;
    check_name(&name)?;
    if caller.role == Role::Admin || caller.is_key() {
        let detail = "operators and API keys own nothing, so they do not join";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let done = async |seed: Seed| {
        // One at a time, and looked up again: who joins twice at once leaves nothing behind.
        let alone = caller.alone_with(&caller.subject);
        let _alone = alone.lock().await;
        tokio::task::block_in_place(|| {
            let known = caller.shared.desk.registry(|registry| registry.user(&caller.subject));
            let user = match known.map_err(Fault::from)?.filter(|user| user.party.is_some()) {
                Some(known) => known,
                None => enter(&caller, &name, &seed)?,
            };
            // The place may be a smaller one than the token asked for.
            let listed = Role::from_name(&user.role).unwrap_or(caller.role);
            Ok((StatusCode::OK, shown(&caller, listed.min(caller.role), user.party)?))
        })
    };
    caller.once(&body, |_| {}, done).await
}

/// Lists the caller, with the brand or creator that they are.
fn enter(caller: &Caller, name: &str, seed: &Seed) -> Result<User, Problem> {
    let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
    let organisation = caller.organisation.clone().filter(|_| caller.role.side() == Side::Brand);
    let user = User {
        subject: caller.subject.clone(),
        role: caller.role.name().to_owned(),
        party: Some(seed.id),
        organisation,
        created_at: now,
        changed_at: now,
        suspended_at: None,
        suspended_by_operator: false,
    };
    let issued_at = caller.issued_at.unwrap_or_default();
    let admit = Change::Api(ApiChange::Admit { user, name: name.to_owned(), issued_at });
    // A first try of it may have come through.
    match desk.record(admit, Some(Rule::UserUnique).filter(|_| seed.is_repeat)) {
        Err(CommandError::Rule(Rule::TeamKnown)) => {
            let detail = "an owner of your organisation joins first";
            return Err(Problem::new(StatusCode::FORBIDDEN, "no_team", detail));
        }
        admitted => admitted.map_err(Fault::from)?,
    };
    let known = desk.registry(|registry| registry.user(&caller.subject)).map_err(Fault::from)?;
    if known.as_ref().is_some_and(|user| user.suspended_at.is_some()) {
        let detail = "an operator has suspended somebody of this brand; one has to let you in";
        return Err(Problem::new(StatusCode::FORBIDDEN, "suspended", detail));
    }
    known.filter(|user| user.party.is_some()).ok_or_else(not_found)
}
