//! Erasure on request: an operator has a creator forgotten who asked for it, or the name of a brand.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::desk::CommandError;
use sponsorhub_app::people;
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::{Change, Rule};

use super::Fault;
use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::me::check_name;
use super::once::Seed;
use super::versions::versioned;
use crate::problem::Problem;

fn shown(caller: &Caller, creator: CreatorId) -> Result<Value, Problem> {
    let known = caller.shared.desk.registry(|registry| registry.creator(creator));
    let known = known.map_err(Fault::from)?.ok_or_else(not_found)?;
    Ok(json!({
        "creator": creator,
        "state": if known.erased_at.is_some() { "erased" } else { "waits" },
        "asked_at": known.erasure_asked_at,
        "erased_at": known.erased_at,
    }))
}

/// Shuts a creator out at once, and erases them now or as soon as they are owed nothing any more.
pub(super) async fn ask(
    caller: Caller,
    Path(creator): Path<CreatorId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| shown(&caller, creator))?;
    let work = async |_: Seed| {
        tokio::task::block_in_place(|| {
            let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
            people::shut_out(desk, creator, now).map_err(Fault::from)?;
            people::ask_erasure(desk, creator, now).map_err(Fault::from)?;
            Ok((StatusCode::OK, shown(&caller, creator)?))
        })
    };
    caller.once(&body, |_| {}, work).await
}

fn brand_shown(id: BrandId, name: &str) -> Value {
    versioned(json!({ "id": id, "name": name }), &["name"])
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: String,
}

/// Calls a brand otherwise. The name before is found nowhere afterwards.
pub(super) async fn name_brand(
    caller: Caller,
    Path(brand): Path<BrandId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let NewName { name } = body_of(&body)?;
    check_name(&name)?;
    let work = async |_: Seed| {
        let alone = caller.alone_with(&brand.to_string());
        let _alone = alone.lock().await;
        tokio::task::block_in_place(|| {
            let known = caller.shared.desk.registry(|registry| registry.brand(brand));
            let known = known.map_err(Fault::from)?.ok_or_else(not_found)?;
            caller.has_seen(&brand_shown(brand, &known.name))?;
            let change = Change::NameBrand { brand, name: name.clone() };
            match caller.shared.desk.record(change, None) {
                Err(CommandError::Rule(Rule::BrandKnown)) => Err(not_found()),
                done => Ok(done.map_err(Fault::from)?),
            }?;
            Ok((StatusCode::OK, brand_shown(brand, &name)))
        })
    };
    caller.once(&body, |_| {}, work).await
}
