//! Who opens a page. The door of the page is looked at before its handler runs.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use sponsorhub_core::actor::{Role, Side};
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId};
use sponsorhub_core::ledger::folded::Campaign;

use super::shell::{Known, Shell, Who};
use super::table::Door;
use crate::api::{Caller, Fault};
use crate::problem::Problem;
use crate::shared::Shared;

/// Somebody, signed in or not.
pub(super) struct Guest {
    pub(super) shell: Shell,
    pub(super) caller: Option<Caller>,
}

/// Somebody who may open this page.
pub(super) struct Visitor {
    pub(super) shell: Shell,
    pub(super) caller: Caller,
}

impl FromRequestParts<Shared> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, shared).await.ok();
        let caller = caller.filter(|caller| !caller.is_key());
        let who = caller.as_ref().map(|caller| who(caller, shared)).transpose()?;
        Ok(Self { shell: Shell::new(shared, parts, who), caller })
    }
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, shared).await?;
        let who = who(&caller, shared)?;
        if let Some(known) = parts.extensions.get::<Known>() {
            known.tell(who.clone());
        }
        match parts.extensions.get::<Door>() {
            // API keys are machines, and machines have the API.
            Some(_) if caller.is_key() => return Err(elsewhere()),
            Some(Door::Open | Door::SignedIn) => {}
            Some(Door::Side(side, _)) if caller.role.side() != *side => return Err(elsewhere()),
            Some(Door::Side(_, action)) => caller.may(*action)?,
            None => {
                let detail = "this is a bug of ours: nobody said who may open this page";
                return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail));
            }
        }
        Ok(Self { shell: Shell::new(shared, parts, Some(who)), caller })
    }
}

/// The same whatever is behind the door.
fn elsewhere() -> Problem {
    let detail = "this page is for another side than the one you signed in on";
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// What the header of a page says of a caller.
fn who(caller: &Caller, shared: &Shared) -> Result<Who, Problem> {
    let party = caller.user.as_ref().and_then(|user| user.party);
    let side = caller.role.side();
    let name = tokio::task::block_in_place(|| {
        shared.desk.registry(|registry| match (side, party) {
            (Side::Creator, Some(party)) => {
                let known = registry.creator(CreatorId(party))?;
                Ok(known.and_then(|known| known.name).map(|name| name.0))
            }
            (Side::Brand, Some(party)) => {
                registry.brand(BrandId(party)).map(|known| known.map(|known| known.name))
            }
            _ => Ok(None),
        })
    });
    let name = name.map_err(|error| Problem::from(Fault::from(error)))?;
    let has_joined = party.is_some() || caller.role == Role::Admin;
    Ok(Who { side, name, has_joined })
}

impl Visitor {
    /// A campaign that the caller sees, as it is at this moment. A copy: what is read beside it for a page
    /// holds up no command.
    pub(super) fn campaign(&self, id: CampaignId) -> Result<Campaign, Problem> {
        self.caller.look_at(id, |state, _| state.clone())
    }

    /// Titles the page.
    pub(super) fn titled(&self, title: impl Into<String>) -> Shell {
        self.shell.clone().titled(title)
    }
}
