//! `/brand`: all campaigns of the brand.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::money_map::MoneyMap;
use sponsorhub_core::actor::Action;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ledger::folded::Campaign;

use super::super::page;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, Money, offer, short, state};
use super::super::visitor::Visitor;
use crate::api::Fault;
use crate::problem::Problem;

struct Row {
    path: String,
    name: String,
    short: String,
    state: Chip,
    ends: &'static str,
    ends_at: Moment,
    budget: Money,
    free: Money,
    reserved: Money,
    accrued: Money,
    paid: Money,
    refunded: Money,
}

#[derive(Template)]
#[template(path = "brand/list.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    may_open: bool,
}

fn row(campaign: &Campaign) -> Row {
    let (terms, sums) = (campaign.terms(), MoneyMap::of(campaign).sums());
    let money = |amount| Money(amount, terms.currency);
    let id = campaign.id().to_string();
    let (ends, ends_at) = match (campaign.ended_at(), campaign.state()) {
        (Some(at), _) => ("Ended", at),
        (None, State::Cancelled) => ("Cancelled before", terms.ends_at),
        (None, _) => ("Ends", terms.ends_at),
    };
    Row {
        path: format!("/brand/campaigns/{id}"),
        name: offer(terms),
        short: short(&id),
        state: state(campaign.state()),
        ends,
        ends_at: Moment(ends_at),
        budget: money(terms.budget),
        free: money(sums.free),
        reserved: money(sums.reserved),
        accrued: money(sums.accrued),
        paid: money(sums.paid),
        refunded: money(sums.refunded),
    }
}

/// `GET /brand`: those that are not over first, and of each the newest.
pub(in super::super) async fn show(visitor: Visitor) -> Result<Response, Problem> {
    let brand = visitor.caller.brand()?;
    let rows = tokio::task::block_in_place(|| {
        let desk = &visitor.caller.shared.desk;
        let mut all = desk.registry(|registry| registry.campaigns(brand)).map_err(Fault::from)?;
        all.reverse();
        let is_over = |state| matches!(state, State::PaidOut | State::Cancelled);
        let rows = all.into_iter().map(|id| desk.look(id, |it| (is_over(it.state()), row(it))));
        let rows = rows.map(|row| row.map_err(Fault::from));
        let mut rows = rows.collect::<Result<Vec<_>, Fault>>()?;
        rows.sort_by_key(|(is_over, _)| *is_over);
        Ok::<_, Fault>(rows.into_iter().map(|(_, row)| row).collect())
    })?;
    let may_open = visitor.caller.may(Action::CreateCampaign).is_ok();
    page(StatusCode::OK, &List { may_open, shell: visitor.titled("Campaigns"), rows })
}
