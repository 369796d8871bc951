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
use super::statement::nothing;
use crate::api::{Path, Query, not_found};
use crate::problem::Problem;

struct Line {
    seq: Seq,
    what: &'static str,
    order: Option<Money>,
    refunded: Option<Money>,
    rate: String,
    earned: Money,
    drawn: Money,
    /// Why it is not all of what was earned, or more.
    note: String,
}

/// Lines of a page: it has to stay small.
const LINES: usize = 100;

/// Which lines are asked for.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(in super::super) struct From {
    /// How many come before.
    line: usize,
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
    /// How many there are altogether.
    count: usize,
    /// The number of the first that is shown.
    first: usize,
    before: Option<String>,
    after: Option<String>,
    sum: Money,
}

/// What explains a line that does not pay all that was earned, or pays more.
fn note(state: &Campaign, unit: &Unit, drawn: Minor) -> String {
    let money = |amount| Money(amount, state.terms().currency).plain();
    let mut notes = Vec::new();
    notes.extend(nothing(state, unit).map(str::to_owned));
    if unit.clawed.is_positive() {
        let clawed = money(unit.clawed);
        notes
            .push(format!("given back after it was paid: {clawed} are paid off by later earnings"));
    }
    if unit.netted.is_positive() {
        let netted = money(unit.netted);
        notes.push(format!("{netted} of it paid off what had been given back after it was paid"));
    }
    let elsewhere = unit.planned - drawn;
    if elsewhere.is_positive() {
        notes.push(format!("{} of it are in another payout", money(elsewhere)));
    }
    notes.join("; ")
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
        note: note(state, unit, drawn),
    }
}

fn shown(visitor: &Visitor, state: &Campaign, (seq, payout): (Seq, &Payout), from: usize) -> Page {
    let currency = state.terms().currency;
    let count = state.parts_of(seq).count();
    // A page that is not there is the last.
    let from = from.min(count.saturating_sub(1)) / LINES * LINES;
    let lines = state.parts_of(seq).skip(from).take(LINES);
    let lines = lines.map(|(unit, drawn)| line(state, unit, drawn));
    let sum = state.parts_of(seq).map(|(_, drawn)| drawn).sum();
    let here = format!("/creator/campaigns/{}/payouts/{seq}", state.id());
    let page_at = |line: usize| format!("{here}?line={line}");
    let next = from + LINES;
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
        count,
        first: from + 1,
        before: from.checked_sub(LINES).map(page_at),
        after: (next < count).then(|| page_at(next)),
        sum: Money(sum, currency),
    }
}

/// `GET …/payouts/{payout}`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path((campaign, seq)): Path<(CampaignId, Seq)>,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    let looked = visitor.caller.look_at(campaign, |state, is_seen| {
        let payout = state.payouts().get(&seq)?;
        let is_seen = is_seen(state.enrollment(payout.enrollment).id);
        is_seen.then(|| (shown(&visitor, state, (seq, payout), from.line), state.brand()))
    });
    let (mut shown, brand) = looked?.ok_or_else(not_found)?;
    shown.brand = tokio::task::block_in_place(|| brand_name(&visitor.caller.shared, brand))?;
    page(StatusCode::OK, &shown)
}
