//! What a campaign would have cost on past orders: the ledger's own fold over entries that nobody
//! stores, from the first order to the end of all windows.

use std::collections::BTreeMap;

use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::deposit::{ObservedDeposit, check_deposit, provider_fee_reserve};
use sponsorhub_core::ids::{BrandId, CampaignId, CompositeKey, EnrollmentId, Fingerprint, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::{Mode, StateCause};
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionRejected, ConversionReversed, Taken,
};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::ledger::unit::UnitKind;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;
use sponsorhub_core::time::DAY_MS;
use sponsorhub_core::verification::decision::BELOW_MIN_ORDER;

use crate::orders::{Order, Orders, Shape, month_of};

/// Five minutes past midnight, when orders are reversed, milliseconds.
pub const REVERSED_AT_MS: i64 = 5 * 60_000;

/// Noon, when links are followed.
pub const CLICKED_AT_MS: i64 = 12 * 3_600_000;

/// Ten past noon, when orders are placed.
pub const ORDERED_AT_MS: i64 = CLICKED_AT_MS + 10 * 60_000;

/// Why there is no estimate.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The ledger would not have taken it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Terms and orders do not go together.
    #[error("terms.{field}: {fix}")]
    Terms {
        /// Of the terms.
        field: &'static str,
        /// What it should be.
        fix: String,
    },
}

/// What one creator would have got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Orders that are credited to this creator.
    pub orders: u64,
    /// Commission, after reversals and within the cap, minor units.
    pub commission: Minor,
    /// Fixed pay.
    pub base: Minor,
}

/// What the orders of a month would have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// Orders.
    pub orders: u64,
    /// What they were worth, minor units.
    pub amount: Minor,
    /// Commission on them.
    pub commission: Minor,
    /// The platform's fee.
    pub fees: Minor,
    /// What would have been paid beyond that if the budget had sufficed.
    pub unmet: Minor,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Of all amounts.
    pub currency: Currency,
    /// What the brand pays in for creators and platform, minor units.
    pub budget: Minor,
    /// Orders taken in.
    pub orders: u64,
    /// Orders below the least that the terms pay for.
    pub rejected: u64,
    /// Orders that came while the campaign was paused, its funds being used up.
    pub uncredited: u64,
    /// What they were worth.
    pub amount: Minor,
    /// Orders reversed.
    pub reversed: u64,
    /// By creator, from 0.
    pub creators: Vec<Share>,
    /// The platform's fees.
    pub fees: Minor,
    /// By year and month of the order.
    pub months: BTreeMap<(i32, u8), Month>,
    /// The first day, since 1970, on which an order found too little left.
    pub exhausted_on: Option<i64>,
    /// What was never met.
    pub unmet: Minor,
}

impl Estimate {
    /// What creators get together.
    pub fn earned(&self) -> Minor {
        self.creators.iter().map(|share| share.commission + share.base).sum()
    }

    /// What of the budget goes back to the brand.
    pub fn left(&self) -> Minor {
        self.budget - self.earned() - self.fees
    }
}

/// Terms under which the orders of a file can be replayed: they end after the last order.
pub fn ends_at(orders: &Orders) -> i64 {
    orders.span().1.saturating_add(1).saturating_mul(DAY_MS)
}

/// Lets a campaign run over past orders.
///
/// # Errors
/// [`WhatIfError`].
pub fn what_if(orders: &Orders, terms: &Terms, shape: Shape) -> Result<Estimate, WhatIfError> {
    let wrong = |field, fix: String| WhatIfError::Terms { field, fix };
    if terms.currency != orders.currency {
        let fix = format!("{}, as the orders", orders.currency.code());
        return Err(wrong("currency", fix));
    }
    let mut types = terms.rates.keys();
    let sale = terms.rates.get_key_value("sale").map(|(name, _)| name).or(types.next());
    let sale = sale.ok_or_else(|| wrong("rates", "say what a `sale` pays".to_owned()))?;
    let terms = Terms { ends_at: ends_at(orders), ..terms.clone() };
    let mut run = Run {
        campaign: opened(&terms, orders.span().0 * DAY_MS, shape)?,
        shape,
        sale: sale.clone(),
        min_order: terms.min_order,
        places: BTreeMap::new(),
        exhausted_on: None,
        rejected: 0,
        uncredited: 0,
    };
    for (day, happens) in orders.days(shape) {
        run.reverse(day, &happens.reversals)?;
        run.order(day, &happens.orders)?;
    }
    run.end()?;
    Ok(run.estimate(orders, &terms))
}

/// A campaign that is paid for and live, with all its creators.
fn opened(terms: &Terms, at: i64, shape: Shape) -> Result<Campaign, Refusal> {
    let id = CampaignId([0; 16]);
    let opening = Opening { id, brand: BrandId([0; 16]), mode: Mode::Sandbox };
    let (campaign, _) = Draft::open(opening, terms.clone(), at)?.into_parts();
    let mut draft = Draft::on(&campaign, at);
    let amount = terms.budget + provider_fee_reserve(&campaign, terms.budget);
    let name = "what-if".to_owned();
    let deposit = draft.expect_deposit(amount, terms.budget, name.clone())?;
    let observed = ObservedDeposit {
        campaign: id,
        amount,
        currency: terms.currency.code().to_owned(),
        mode: Mode::Sandbox,
        session: name.clone(),
        payment: name,
        is_paid: true,
    };
    let expected = draft.campaign().expected_deposit(deposit);
    let confirmed = expected.and_then(|expected| check_deposit(&expected, &observed).ok());
    draft.confirm_deposit(
        confirmed.ok_or(Refusal::Field { field: "budget", fix: "paid as expected" })?,
    )?;
    draft.launch()?;
    for number in 0..shape.creators {
        let offer = draft.campaign().offer();
        draft.enroll(enrollment(number), offer)?;
    }
    Ok(draft.into_parts().0)
}

fn enrollment(number: u64) -> EnrollmentId {
    EnrollmentId(u128::from(number).to_be_bytes())
}

struct Run {
    campaign: Campaign,
    shape: Shape,
    sale: String,
    min_order: Minor,
    /// Where in the ledger an order is, by its rank.
    places: BTreeMap<u64, Seq>,
    exhausted_on: Option<i64>,
    rejected: u64,
    uncredited: u64,
}

impl Run {
    fn with<T>(
        &mut self,
        at: i64,
        work: impl FnOnce(&mut Draft, &Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut draft = Draft::on(&self.campaign, at);
        let done = work(&mut draft, self)?;
        self.campaign = draft.into_parts().0;
        Ok(done)
    }

    fn reverse(&mut self, day: i64, orders: &[&Order]) -> Result<(), Refusal> {
        let at = day * DAY_MS + REVERSED_AT_MS;
        self.with(at, |draft, run| {
            complete_if_due(draft)?;
            for order in orders {
                let Some(conversion) = run.places.get(&order.rank) else { continue };
                let body = ConversionReversed {
                    amount: order.amount,
                    conversion: *conversion,
                    fingerprint: Fingerprint([0; 16]),
                    key: key(order.rank, 1),
                    occurred_at: at,
                };
                draft.take_in(enrollment(run.shape.creator(order)), Body::from(body))?;
            }
            Ok(())
        })
    }

    fn order(&mut self, day: i64, orders: &[&Order]) -> Result<(), Refusal> {
        let (at, clicked_at) = (day * DAY_MS + ORDERED_AT_MS, day * DAY_MS + CLICKED_AT_MS);
        let (taken, (rejected, uncredited), unmet) = self.with(at, |draft, run| {
            let mut taken = Vec::with_capacity(orders.len());
            let (mut rejected, mut uncredited) = (0, 0);
            for order in orders {
                let body = Taken {
                    amount: order.amount,
                    artifact: "what-if".to_owned(),
                    click_at: if run.shape.is_by_link(order) { clicked_at } else { at },
                    fingerprint: Fingerprint([0; 16]),
                    key: key(order.rank, 0),
                    occurred_at: at,
                    risk: None,
                    r#type: run.sale.clone(),
                };
                let id = enrollment(run.shape.creator(order));
                if order.amount < run.min_order {
                    rejected += 1;
                    let reason = BELOW_MIN_ORDER.to_owned();
                    draft.take_in(id, Body::from(ConversionRejected { reason, taken: body }))?;
                } else {
                    match draft.take_in(id, Body::from(ConversionAccepted(body))) {
                        Ok(seq) => taken.push((order.rank, seq)),
                        Err(Refusal::NotCredited(_)) => uncredited += 1,
                        Err(refusal) => return Err(refusal),
                    }
                }
            }
            draft.rollup(None)?;
            draft.settle_bases()?;
            draft.pause_if_exhausted()?;
            Ok((taken, (rejected, uncredited), draft.campaign().has_unmet_demand()))
        })?;
        self.places.extend(taken);
        self.rejected += rejected;
        self.uncredited += uncredited;
        if unmet {
            self.exhausted_on.get_or_insert(day);
        }
        Ok(())
    }

    /// The end of the campaign and of its windows, after which no base is unlocked any more.
    fn end(&mut self) -> Result<(), Refusal> {
        let ends_at = self.campaign.terms().ends_at;
        self.with(ends_at, |draft, _| complete_if_due(draft))?;
        let until = self.campaign.conversions_until().unwrap_or(ends_at);
        self.with(until.saturating_add(1), |draft, _| {
            draft.rollup(None)?;
            draft.settle_bases()?;
            draft.rollup(None).map(drop)
        })
    }

    fn estimate(&self, orders: &Orders, terms: &Terms) -> Estimate {
        let count = usize::try_from(self.shape.creators).unwrap_or(usize::MAX);
        let mut estimate = Estimate {
            currency: terms.currency,
            budget: terms.budget,
            orders: 0,
            rejected: self.rejected,
            uncredited: self.uncredited,
            amount: Minor::ZERO,
            reversed: 0,
            creators: vec![Share::default(); count],
            fees: Minor::ZERO,
            months: BTreeMap::new(),
            exhausted_on: self.exhausted_on,
            unmet: Minor::ZERO,
        };
        for order in &orders.list {
            let month = estimate.months.entry(month_of(order.day)).or_default();
            month.orders += 1;
            month.amount += order.amount;
            estimate.amount += order.amount;
            estimate.orders += 1;
        }
        for unit in self.campaign.units().iter() {
            estimate.fees += unit.fee;
            let Some(share) = estimate.creators.get_mut(unit.enrollment.index()) else { continue };
            if unit.kind == UnitKind::Conversion {
                share.orders += 1;
                share.commission += unit.creator;
                estimate.reversed += u64::from(unit.refunded.is_positive());
                estimate.unmet += unit.unmet();
                let month = estimate.months.entry(month_of(unit.day)).or_default();
                month.commission += unit.creator;
                month.fees += unit.fee;
                month.unmet += unit.unmet();
            } else {
                share.base += unit.creator;
            }
        }
        estimate
    }
}

fn complete_if_due(draft: &mut Draft) -> Result<(), Refusal> {
    let campaign = draft.campaign();
    let runs = matches!(campaign.state(), State::Live | State::Paused);
    if runs && draft.now() >= campaign.terms().ends_at {
        draft.rollup(None)?;
        draft.complete(StateCause::EndsAt)?;
    }
    Ok(())
}

/// Another one for each order, and for its reversal.
fn key(rank: u64, what: u64) -> CompositeKey {
    let number = (u128::from(what) << 64) | u128::from(rank);
    CompositeKey(number.to_be_bytes())
}
