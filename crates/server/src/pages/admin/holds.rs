//! `/admin/holds`: orders that are doubted, for somebody to decide.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::rows::{Asked, doubts};
use super::super::shell::Shell;
use super::super::show::{self, Moment, Money, short};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::{SHOWN_MAX, each};
use crate::api::{Path, Query};
use crate::problem::Problem;

struct Hold {
    id: CampaignId,
    placed: Seq,
    path: String,
    campaign: String,
    creator: String,
    conversion: Seq,
    order: Money,
    earns: Money,
    deadline: Moment,
    why: String,
    release_key: String,
    uphold_key: String,
}

#[derive(Template)]
#[template(path = "admin/holds.html")]
struct Holds {
    shell: Shell,
    done: Option<&'static str>,
    open: Vec<Hold>,
}

fn open_holds(id: CampaignId, state: &Campaign) -> Vec<Hold> {
    let currency = state.terms().currency;
    let open = state.holds().iter().filter(|(_, hold)| hold.open);
    let shown = open.map(|(conversion, hold)| {
        let unit = state.units().find(*conversion).map(|index| state.units().get(index));
        let order = unit.map(|unit| unit.order);
        let order = order.or_else(|| state.conversion(*conversion).map(|(_, order)| order));
        Hold {
            id,
            placed: hold.first_placed,
            path: format!("/admin/campaigns/{id}/holds/{conversion}"),
            campaign: short(&id.to_string()),
            creator: short(&state.enrollment(hold.enrollment).id.to_string()),
            conversion: *conversion,
            order: Money(order.unwrap_or_default(), currency),
            earns: Money(unit.map(|unit| unit.commission).unwrap_or_default(), currency),
            deadline: Moment(hold.deadline),
            why: String::new(),
            release_key: key(),
            uphold_key: key(),
        }
    });
    shown.collect()
}

/// `GET /admin/holds`, the nearest deadline first.
pub(in super::super) async fn holds(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let holds = tokio::task::block_in_place(|| {
        let mut holds = Vec::new();
        each(shared, |id, state| holds.extend(open_holds(id, state)))?;
        holds.sort_by_key(|hold| hold.deadline.0);
        holds.truncate(SHOWN_MAX);
        for hold in &mut holds {
            hold.why = doubts(shared, hold.id, hold.placed)?;
        }
        Ok::<_, Problem>(holds)
    })?;
    let done = asked.done.as_deref().and_then(show::done);
    page(StatusCode::OK, &Holds { shell: visitor.titled("Holds to review"), done, open: holds })
}

/// `POST …/holds/{conversion}/release`.
pub(in super::super) async fn release(
    visitor: Visitor,
    Path((campaign, conversion)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/holds/{conversion}/release");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go("/admin/holds?done=release"))
}

/// `POST …/holds/{conversion}/uphold`.
pub(in super::super) async fn uphold(
    visitor: Visitor,
    Path((campaign, conversion)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/holds/{conversion}/uphold");
    let body = json!({ "reason": form.text("reason") });
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go("/admin/holds?done=uphold"))
}
