//! Campaigns and their lifecycle.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_app::campaigns::{self, Step};
use sponsorhub_app::reading::{self, Once};
use sponsorhub_core::actor::{Action, Role};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::refusal::Refusal;

use super::caller::Caller;
use super::extract::{Content, Nothing, Path, body_of, problem};
use super::once::Seed;
use super::{Fault, Page};
use crate::problem::Problem;

fn shown(id: CampaignId, state: &Campaign) -> Value {
    json!({
        "id": id,
        "brand": state.brand(),
        "state": state.state().name(),
        "is_frozen": state.frozen() > 0,
        "mode": state.mode().name(),
        "terms": **state.terms(),
        "confirmed_budget": super::money(state.confirmed_budget(), state.terms().currency),
        "launched_at": state.gate().live.first().map(|(from, _)| *from),
        "ended_at": state.ended_at(),
        "conversions_until": state.conversions_until(),
        "closes_at": state.closes_at(),
        "entries": state.head(),
    })
}

pub(super) fn look(caller: &Caller, id: CampaignId) -> Result<Value, Problem> {
    let looked = caller.shared.desk.look(id, |state| shown(id, state));
    Ok(looked.map_err(Fault::from)?)
}

pub(super) async fn create(caller: Caller, body: Content) -> Result<Response, Problem> {
    caller.may(Action::CreateCampaign)?;
    let brand = caller.brand()?;
    let Once(said) = body_of(&body)?;
    let fees = caller.shared.fees;
    let terms = reading::terms(&said, fees).map_err(|wrong| problem("terms_invalid", wrong))?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                let id = CampaignId(seed.id);
                let (desk, keys) = (&caller.shared.desk, caller.shared.catalog.keys());
                let now = caller.shared.clock.now();
                tokio::task::block_in_place(|| {
                    let terms = (terms.clone(), fees);
                    campaigns::create(desk, &keys, (id, brand), terms, now)
                })
                .map_err(Fault::from)?;
                Ok((StatusCode::CREATED, look(&caller, id)?))
            },
        )
        .await
}

pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    tokio::task::block_in_place(|| {
        let page = page.gather(page.after()?, |after, count| {
            let some = caller.shared.desk.read(|reader| reader.campaigns(*after, count));
            let shown = some.map_err(Fault::from)?.into_iter().map(|listed| {
                let is_seen = caller.sees(listed.campaign).is_ok();
                let shown = is_seen.then(|| look(&caller, listed.campaign)).transpose()?;
                Ok((listed.no, shown))
            });
            shown.collect()
        });
        page.map(Json)
    })
}

pub(super) async fn show(
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    tokio::task::block_in_place(|| {
        caller.sees(id)?;
        look(&caller, id).map(Json)
    })
}

async fn step(
    caller: Caller,
    id: CampaignId,
    body: Content,
    (action, step): (Action, Step),
) -> Result<Response, Problem> {
    caller.may(action)?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| caller.sees(id))?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                let is_operator = caller.role == Role::Admin;
                let cause = if is_operator { StateCause::Admin } else { StateCause::Brand };
                tokio::task::block_in_place(|| campaigns::step(desk, id, (step, cause), now))
                    .or_else(|error| is_there_already(&caller, id, step, error))?;
                Ok((StatusCode::OK, look(&caller, id)?))
            },
        )
        .await
}

/// Who asks for what is so already gets it: an answer that was lost is no trouble.
fn is_there_already(
    caller: &Caller,
    id: CampaignId,
    step: Step,
    error: sponsorhub_app::desk::CommandError,
) -> Result<(), Problem> {
    let sponsorhub_app::desk::CommandError::Refused(Refusal::State { state, .. }) = &error else {
        return Err(Fault::from(error).into());
    };
    let wanted = match step {
        Step::Launch | Step::Resume => State::Live,
        Step::Pause => State::Paused,
        Step::Complete => State::Completed,
        Step::Cancel => State::Cancelled,
    };
    if *state == wanted {
        tracing::debug!(%id, subject = caller.subject, "it is so already");
        return Ok(());
    }
    Err(Fault::from(error).into())
}

pub(super) async fn launch(
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    step(caller, id, body, (Action::LaunchCampaign, Step::Launch)).await
}

pub(super) async fn pause(
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    step(caller, id, body, (Action::PauseCampaign, Step::Pause)).await
}

pub(super) async fn resume(
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    step(caller, id, body, (Action::ResumeCampaign, Step::Resume)).await
}

pub(super) async fn complete(
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    step(caller, id, body, (Action::CompleteCampaign, Step::Complete)).await
}

pub(super) async fn cancel(
    caller: Caller,
    Path(id): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    step(caller, id, body, (Action::CancelCampaign, Step::Cancel)).await
}
