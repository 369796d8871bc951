//! `/me`: who the caller is here.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_core::actor::Role;
use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::registry::{ApiChange, Brand, PersonName, User};
use sponsorhub_store::{Change, Rule};

use super::Fault;
use super::caller::Caller;
use super::extract::{Content, body_of};
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    name: String,
}

fn id_of(role: Role, party: [u8; 16]) -> String {
    match role {
        Role::Creator => CreatorId(party).to_string(),
        Role::Brand | Role::Admin => BrandId(party).to_string(),
    }
}

fn shown(caller: &Caller) -> Result<Value, Problem> {
    let Some(user) = &caller.user else {
        return Ok(json!({ "role": caller.role.name(), "id": null, "name": null }));
    };
    let party = user.party;
    let name = caller.shared.desk.registry(|registry| match caller.role {
        Role::Creator => {
            let known = registry.creator(CreatorId(party))?;
            Ok(known.and_then(|known| known.name).map(|name| name.0))
        }
        _ => registry.brand(BrandId(party)).map(|known| known.map(|known| known.name)),
    });
    let name = name.map_err(Fault::from)?;
    Ok(json!({ "role": caller.role.name(), "id": id_of(caller.role, party), "name": name }))
}

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    shown(&caller).map(Json)
}

/// Joins, as the brand or creator that the token's role says.
pub(super) async fn join(caller: Caller, body: Content) -> Result<Response, Problem> {
    let Join { name } = body_of(&body)?;
    if name.trim().is_empty() || name.len() > 200 {
        return Err(Fault::Field("name", "1 to 200 bytes".to_owned()).into());
    }
    if caller.role == Role::Admin {
        let detail = "operators own nothing, so they do not join";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                if caller.user.is_some() {
                    return Ok((StatusCode::OK, shown(&caller)?));
                }
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                let (party, again) = if caller.role == Role::Creator {
                    let (creator, name) = (CreatorId(seed.id), PersonName(name.clone()));
                    (Change::AddCreator { creator, name, at: now }, Rule::CreatorUnique)
                } else {
                    let click_parameter = "sh_click".to_owned();
                    let id = BrandId(seed.id);
                    let brand = Brand { id, name: name.clone(), created_at: now, click_parameter };
                    (Change::AddBrand(brand), Rule::BrandUnique)
                };
                let user = User {
                    subject: caller.subject.clone(),
                    role: caller.role.name().to_owned(),
                    party: seed.id,
                    created_at: now,
                };
                let keep = Change::Api(ApiChange::KeepUser(user));
                tokio::task::block_in_place(|| {
                    desk.record(party, Some(again))?;
                    desk.record(keep, Some(Rule::UserUnique).filter(|_| seed.is_repeat))
                })
                .map_err(Fault::from)?;
                let id = id_of(caller.role, seed.id);
                let answer = json!({ "role": caller.role.name(), "id": id, "name": name });
                Ok((StatusCode::OK, answer))
            },
        )
        .await
}
