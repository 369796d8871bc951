//! `/brands`, `/creators` and `/keyring`: whom this installation knows, and under which keys it signs.

use axum::Json;
use serde_json::{Value, json};
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::registry::Creator;

use super::caller::Caller;
use super::lists::after_id;
use super::versions::versioned;
use super::{Fault, Page};
use crate::problem::Problem;

/// All brands, by id.
pub(super) async fn brands(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after_text().to_owned(), |after, count| {
            let after = after_id::<BrandId>(after)?;
            desk.registry(|registry| {
                let brands = registry.brands(after, count).map_err(Fault::from)?;
                let shown = brands.into_iter().map(|brand| {
                    let campaigns = registry.campaigns(brand.id).map_err(Fault::from)?.len();
                    let shown = json!({
                        "id": brand.id,
                        "name": brand.name,
                        "created_at": brand.created_at,
                        "campaigns": campaigns,
                    });
                    let shown = versioned(shown, &["name"]);
                    Ok((brand.id.to_string(), Some(shown)))
                });
                shown.collect::<Result<Vec<_>, Problem>>()
            })
        });
        page.map(Json)
    })
}

fn state(creator: &Creator) -> &'static str {
    match (creator.erased_at, creator.erasure_asked_at) {
        (Some(_), _) => "erased",
        (None, Some(_)) => "erasure_waits",
        (None, None) => "known",
    }
}

/// All creators, by id.
pub(super) async fn creators(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after_text().to_owned(), |after, count| {
            let after = after_id::<CreatorId>(after)?;
            desk.registry(|registry| {
                let creators = registry.creators(after, count).map_err(Fault::from)?;
                let shown = creators.into_iter().map(|creator| {
                    let parts = registry.enrollments_of(creator.id).map_err(Fault::from)?.len();
                    let shown = json!({
                        "id": creator.id,
                        "name": creator.name.as_ref().map(|name| &name.0),
                        "created_at": creator.created_at,
                        "state": state(&creator),
                        "enrollments": parts,
                    });
                    Ok((creator.id.to_string(), Some(shown)))
                });
                shown.collect::<Result<Vec<_>, Problem>>()
            })
        });
        page.map(Json)
    })
}

/// The masters of the keyring, without their secrets. They are changed by `sponsorhub keys` alone: whoever
/// may do that has the machine.
pub(super) async fn keyring(caller: Caller) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    let keys = caller.shared.catalog.keys();
    let masters = keys.masters.iter().map(|master| {
        let state = match (master.revoked_at, master.retired_at) {
            (Some(_), _) => "revoked",
            (None, Some(_)) => "retired",
            (None, None) if master.id == keys.set.signer() => "signs",
            (None, None) => "valid",
        };
        json!({
            "master": master.id,
            "state": state,
            "created_at": master.created_at,
            "retired_at": master.retired_at,
            "revoked_at": master.revoked_at,
        })
    });
    let masters: Vec<_> = masters.collect();
    let (id, mode) = (keys.set.id().to_string(), keys.set.mode().name());
    Ok(Json(json!({ "id": id, "mode": mode, "masters": masters })))
}
