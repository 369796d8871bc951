//! `/creator/campaigns/{campaign}/statement`: what was earned and paid, to print, and each line of it as a
//! file. Both are read from one copy of the campaign, so that their sums agree.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::earnings::Earnings;
use sponsorhub_app::workers::payout_reference;
use sponsorhub_core::campaign::terms::RateValue;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::Payout;
use sponsorhub_core::ledger::unit::{Unit, UnitKind};
use sponsorhub_core::money::Minor;
use sponsorhub_core::time::day_of;

use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money};
use super::super::visitor::Visitor;
use super::super::{csv, page};
use super::brand_name;
use super::campaign::own;
use super::home::Shown;
use crate::api::{Path, not_found};
use crate::problem::Problem;
use crate::words;

/// Days that are shown one by one; of more, each month is a row: a page has to stay small.
const DAYS_MAX: usize = 62;

/// Payouts that are shown; the file has all.
const PAYOUTS_MAX: usize = 100;

/// Orders of a day, or of a month.
struct Day {
    on: String,
    orders: usize,
    sales: Money,
    refunded: Money,
    earned: Money,
}

/// What was earned by no order.
struct Fixed {
    seq: Seq,
    what: &'static str,
    earned: Money,
}

/// How what was earned and what was paid fit together, where they are not the same.
struct Bridge {
    earned: Money,
    /// What waits for the brand's funds.
    unmet: Option<Money>,
    /// What was paid before it was given back.
    clawed: Option<Money>,
    /// What of later earnings paid that off.
    netted: Option<Money>,
    /// What of it later earnings still pay off.
    open: Option<Money>,
    /// What of it nothing pays off any more.
    written_off: Option<Money>,
    /// Paid, on its way or still to be paid.
    together: Money,
}

struct Paid {
    planned_on: String,
    reference: String,
    state: Chip,
    amount: Money,
}

#[derive(Template)]
#[template(path = "creator/statement.html")]
struct Page {
    shell: Shell,
    path: String,
    brand: String,
    offer: String,
    creator: String,
    id: CampaignId,
    enrollment: EnrollmentId,
    now: Moment,
    entries: Seq,
    earnings: Shown,
    days: Vec<Day>,
    fixed: Vec<Fixed>,
    earned: Money,
    bridge: Option<Bridge>,
    payouts: Vec<Paid>,
    /// Older ones that are not shown.
    payouts_beyond: usize,
    paid: Money,
}

/// A campaign as it is at this moment, and the caller's part in it.
fn part(
    visitor: &Visitor,
    campaign: CampaignId,
) -> Result<(Campaign, EnrollmentId, EnrollmentNo), Problem> {
    let enrollment = own(visitor, campaign)?;
    let state = visitor.campaign(campaign)?;
    let no = state.enrollment_no(enrollment).ok_or_else(not_found)?;
    Ok((state, enrollment, no))
}

const fn what(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Conversion => "Order",
        UnitKind::Base => "Fixed base",
        UnitKind::Adjustment => "Correction",
    }
}

fn days(state: &Campaign, no: EnrollmentNo) -> Vec<Day> {
    let money = |amount| Money(amount, state.terms().currency);
    let mut days: BTreeMap<i64, (usize, [Minor; 3])> = BTreeMap::new();
    let orders = state.units().iter().filter(|unit| unit.kind == UnitKind::Conversion);
    for unit in orders.filter(|unit| unit.enrollment == no) {
        let (count, sums) = days.entry(unit.day).or_default();
        *count += 1;
        for (sum, amount) in sums.iter_mut().zip([unit.order, unit.refunded, unit.commission]) {
            *sum += amount;
        }
    }
    let mut rows: Vec<(String, usize, [Minor; 3])> = Vec::new();
    let is_long = days.len() > DAYS_MAX;
    for (day, (count, sums)) in days {
        let on = if is_long { show::month(day) } else { show::day(day) };
        match rows.last_mut().filter(|(last, ..)| *last == on) {
            Some((_, all, total)) => {
                *all += count;
                total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            }
            None => rows.push((on, count, sums)),
        }
    }
    let shown = rows.into_iter().map(|(on, orders, [sales, refunded, earned])| Day {
        on,
        orders,
        sales: money(sales),
        refunded: money(refunded),
        earned: money(earned),
    });
    shown.collect()
}

/// Why a conversion earns nothing; none where it earns something, or what is given back says it.
pub(super) fn nothing(state: &Campaign, unit: &Unit) -> Option<&'static str> {
    if unit.kind != UnitKind::Conversion || unit.commission.is_positive() {
        return None;
    }
    // Each has the cap of when they joined.
    let cap = state.enrollment(unit.enrollment).creator_cap;
    Some(if unit.refunded.is_positive() {
        "given back"
    } else if unit.order < state.terms().min_order {
        "smaller than the smallest order that counts"
    } else if cap.is_some() && !unit.granted.is_positive() {
        "over the most for one creator"
    } else {
        "its rate pays nothing"
    })
}

fn bridge(state: &Campaign, no: EnrollmentNo) -> Option<Bridge> {
    let money = |amount| Money(amount, state.terms().currency);
    let some = |amount: Minor| amount.is_positive().then(|| money(amount));
    let [mut earned, mut funded, mut clawed, mut netted] = [Minor::ZERO; 4];
    for unit in state.units().iter().filter(|unit| unit.enrollment == no) {
        earned += unit.commission;
        funded += unit.creator;
        clawed += unit.clawed;
        netted += unit.netted;
    }
    let unmet = earned - funded;
    let is_plain = unmet.is_zero() && clawed.is_zero() && netted.is_zero();
    let open = state.balances().of(Account::Clawback, no);
    (!is_plain).then(|| Bridge {
        earned: money(earned),
        unmet: some(unmet),
        clawed: some(clawed),
        netted: some(netted),
        open: some(open),
        written_off: some(clawed - netted - open),
        together: money(funded + clawed - netted),
    })
}

fn own_payouts(state: &Campaign, no: EnrollmentNo) -> impl Iterator<Item = (Seq, &Payout)> {
    let all = state.payouts().iter().map(|(seq, payout)| (*seq, payout));
    all.filter(move |(_, payout)| payout.enrollment == no)
}

/// `GET …/statement`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
) -> Result<Response, Problem> {
    let now = visitor.caller.shared.clock.now();
    tokio::task::block_in_place(|| {
        let (state, enrollment, no) = part(&visitor, campaign)?;
        let currency = state.terms().currency;
        let money = |amount| Money(amount, currency);
        let own = || state.units().iter().filter(|unit| unit.enrollment == no);
        let fixed = own().filter(|unit| unit.kind != UnitKind::Conversion).map(|unit| Fixed {
            seq: unit.seq,
            what: what(unit.kind),
            earned: money(unit.commission),
        });
        let payouts_beyond = own_payouts(&state, no).count().saturating_sub(PAYOUTS_MAX);
        let payouts = own_payouts(&state, no).skip(payouts_beyond).map(|(seq, payout)| Paid {
            planned_on: show::day(payout.day),
            reference: payout_reference(campaign, seq),
            state: show::payout(payout.state),
            amount: money(payout.amount),
        });
        let arrived = own_payouts(&state, no).map(|(_, payout)| payout);
        let arrived = arrived.filter(|payout| payout.state == DisbursementState::Paid);
        let paid: Minor = arrived.map(|payout| payout.amount).sum();
        let shell = visitor.titled("Statement");
        let creator = shell.reader().unwrap_or_default().to_owned();
        let statement = Page {
            shell,
            path: format!("/creator/campaigns/{campaign}"),
            brand: brand_name(&visitor.caller.shared, state.brand())?,
            offer: show::offer(state.terms()),
            creator,
            id: campaign,
            enrollment,
            now: Moment(now),
            entries: state.head(),
            earnings: Shown::of(&Earnings::of(&state, no, day_of(now)), currency),
            days: days(&state, no),
            fixed: fixed.collect(),
            earned: money(own().map(|unit| unit.commission).sum()),
            bridge: bridge(&state, no),
            payouts: payouts.collect(),
            payouts_beyond,
            paid: money(paid),
        };
        page(StatusCode::OK, &statement)
    })
}

const HEAD: [&str; 13] = [
    "entry",
    "day",
    "what",
    "state",
    "order",
    "given back",
    "rate",
    "earned",
    "paid off",
    "clawed back",
    "paid",
    "currency",
    "reference",
];

fn earned(state: &Campaign, unit: &Unit, today: i64) -> csv::Row {
    let terms = state.terms();
    let is_order = unit.kind == UnitKind::Conversion;
    let matures = unit.day.saturating_add(1).saturating_add(i64::from(terms.clearing_days));
    let stands = if unit.held {
        "held"
    } else if let Some(why) = nothing(state, unit) {
        why
    } else if !unit.unplanned().is_positive() {
        "in a payout"
    } else if unit.matures_at_once() || matures <= today {
        "matured"
    } else {
        "pending"
    };
    let rate = match unit.rate {
        RateValue::Bps(bps) => show::percent(bps).replace('\u{a0}', " "),
        RateValue::Flat(each) => csv::amount(each),
    };
    let of_order = |text: String| if is_order { text } else { String::new() };
    vec![
        unit.seq.to_string(),
        of_order(words::date(unit.day)),
        what(unit.kind).to_lowercase(),
        stands.to_owned(),
        of_order(csv::amount(unit.order)),
        of_order(csv::amount(unit.refunded)),
        of_order(rate),
        csv::amount(unit.commission),
        csv::amount(unit.netted),
        csv::amount(unit.clawed),
        String::new(),
        terms.currency.code().to_owned(),
        String::new(),
    ]
}

fn paid(state: &Campaign, seq: Seq, payout: &Payout) -> csv::Row {
    let mut row = vec![seq.to_string(), words::date(payout.day), "payout".to_owned()];
    row.push(show::payout(payout.state).text().to_lowercase());
    row.extend(std::iter::repeat_n(String::new(), 6));
    row.extend([
        csv::amount(payout.amount),
        state.terms().currency.code().to_owned(),
        payout_reference(state.id(), seq),
    ]);
    row
}

/// Units that are looked at at a time.
const PIECE: usize = 10_000;

/// `GET …/statement.csv`: every order, base and correction, and then every payout.
pub(in super::super) async fn file(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
) -> Result<Response, Problem> {
    let today = day_of(visitor.caller.shared.clock.now());
    let (state, _, no) = tokio::task::block_in_place(|| part(&visitor, campaign))?;
    let mut from = Some(0_usize);
    let more = move || {
        let Some(begin) = from else { return Ok(None) };
        let units = state.units();
        let end = begin.saturating_add(PIECE).min(units.len());
        let piece = (begin..end).map(|index| units.get(index));
        let own = piece.filter(|unit| unit.enrollment == no);
        let mut rows: Vec<_> = own.map(|unit| earned(&state, unit, today)).collect();
        from = (end < units.len()).then_some(end);
        if from.is_none() {
            rows.extend(own_payouts(&state, no).map(|(seq, payout)| paid(&state, seq, payout)));
        }
        Ok(Some(rows))
    };
    Ok(csv::file(&format!("statement-{campaign}.csv"), &HEAD, more))
}
