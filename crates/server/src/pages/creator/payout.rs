//! `/creator/campaigns/{campaign}/payouts/{payout}`: why was I paid this? Line by line, each with the number
//! of its entry in the ledger.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::workers::payout_reference;
use sponsorhub_core::campaign::terms::RateValue;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::event::payout::PayoutSource;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::Payout;
use sponsorhub_core::ledger::unit::{Unit, UnitKind};
use sponsorhub_core::money::Minor;

use super::super::page;
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money};
use super::super::visitor::Visitor;
use super::brand_name;
use crate::api::{Path, not_found};
use crate::problem::Problem;

struct Line {
    seq: Seq,
    what: &'static str,
    order: Option<Money>,
    refunded: Option<Money>,
    rate: String,
    earned: Money,
    drawn: Money,
}

#[derive(Template)]
#[template(path = "creator/payout.html")]
struct Page {
    shell: Shell,
    back: String,
    brand: String,
    seq: Seq,
    amount: Money,
    state: Chip,
    planned_on: String,
    attempted_at: Option<Moment>,
    deposit: Seq,
    reference: String,
    is_late: bool,
    lines: Vec<Line>,
    sum: Money,
}

fn line(state: &Campaign, unit: &Unit, drawn: Minor) -> Line {
    let currency = state.terms().currency;
    let money = |amount| Money(amount, currency);
    let is_order = unit.kind == UnitKind::Conversion;
    let rate = match (unit.kind, unit.rate) {
        (UnitKind::Conversion, RateValue::Bps(bps)) => show::percent(bps),
        (UnitKind::Conversion, RateValue::Flat(value)) => format!("{} each", money(value).plain()),
        (UnitKind::Base | UnitKind::Adjustment, _) => "fixed".to_owned(),
    };
    Line {
        seq: unit.seq,
        what: match unit.kind {
            UnitKind::Conversion => "Order",
            UnitKind::Base => "Fixed base",
            UnitKind::Adjustment => "Correction",
        },
        order: is_order.then(|| money(unit.order)),
        refunded: Some(money(unit.refunded)).filter(|_| is_order && unit.refunded.is_positive()),
        rate,
        earned: money(unit.commission),
        drawn: money(drawn),
    }
}

fn shown(visitor: &Visitor, state: &Campaign, seq: Seq, payout: &Payout) -> Page {
    let currency = state.terms().currency;
    let lines = state.parts_of(seq).map(|(unit, drawn)| line(state, unit, drawn));
    let sum = state.parts_of(seq).map(|(_, drawn)| drawn).sum();
    Page {
        shell: visitor.titled(format!("Payout {seq}")),
        back: format!("/creator/campaigns/{}", state.id()),
        brand: String::new(),
        seq,
        amount: Money(payout.amount, currency),
        state: show::payout(payout.state),
        planned_on: show::day(payout.day),
        attempted_at: (payout.attempted_at > 0).then_some(Moment(payout.attempted_at)),
        deposit: payout.deposit,
        reference: payout_reference(state.id(), seq),
        is_late: payout.source == PayoutSource::Unclaimed,
        lines: lines.collect(),
        sum: Money(sum, currency),
    }
}

/// `GET …/payouts/{payout}`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path((campaign, seq)): Path<(CampaignId, Seq)>,
) -> Result<Response, Problem> {
    let looked = visitor.caller.look_at(campaign, |state, is_seen| {
        let payout = state.payouts().get(&seq)?;
        let is_seen = is_seen(state.enrollment(payout.enrollment).id);
        is_seen.then(|| (shown(&visitor, state, seq, payout), state.brand()))
    });
    let (mut shown, brand) = looked?.ok_or_else(not_found)?;
    shown.brand = tokio::task::block_in_place(|| brand_name(&visitor.caller.shared, brand))?;
    page(StatusCode::OK, &shown)
}
