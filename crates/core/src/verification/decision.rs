//! What becomes of a conversion that is authentic: windows, currency, the rules of the terms.
//!
//! Everything here depends on the report, on what the artifact says and on facts of the campaign
//! that never change or change seldom. The writer asks the rest (see [`crate::conversion::Gate`])
//! at the moment of the append, and its answer counts.

use std::collections::BTreeSet;

use super::Refused;
use crate::campaign::terms::Terms;
use crate::conversion::Membership;
use crate::ids::{BrandId, CampaignId};
use crate::money::{Currency, Minor};
use crate::time::plus_days;

/// How far ahead of ours a shop's clock may be, milliseconds.
pub const CLOCK_AHEAD_MS: i64 = 5 * 60 * 1_000;

/// Reason code: the order is smaller than the terms pay for.
pub const BELOW_MIN_ORDER: &str = "below_min_order";

/// Reason code: the click came after the creator had left.
pub const ENROLLMENT_ENDED: &str = "enrollment_ended";

/// What verification needs to know of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which.
    pub campaign: CampaignId,
    /// Whose.
    pub brand: BrandId,
    /// Of all its amounts.
    pub currency: Currency,
    /// Event types that the terms pay.
    pub event_types: BTreeSet<String>,
    /// Smaller orders are rejected.
    pub min_order: Minor,
    /// From click to order, days.
    pub attribution_days: u32,
    /// From the order to its report, days.
    pub replay_days: u32,
    /// Conversions of one event type that a click may earn.
    pub conversions_per_click: u32,
    /// From a hold to its release, days.
    pub hold_deadline_days: u32,
}

impl Facts {
    /// The facts in a campaign's newest terms.
    pub fn of(campaign: CampaignId, brand: BrandId, terms: &Terms) -> Self {
        Self {
            campaign,
            brand,
            currency: terms.currency,
            event_types: terms.rates.keys().cloned().collect(),
            min_order: terms.min_order,
            attribution_days: terms.attribution_window_days,
            replay_days: terms.replay_window_days,
            conversions_per_click: terms.conversions_per_click,
            hold_deadline_days: terms.hold_deadline_days,
        }
    }
}

/// What credits the creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A click token, with the time of the click, milliseconds.
    Click(i64),
    /// A promo code.
    Code,
}

/// An authentic artifact, and the creator's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Which artifact.
    pub source: Source,
    /// From when to when the creator took part.
    pub membership: Membership,
}

/// What the rules say of a conversion that they do not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The time that is credited, milliseconds: of the click or, for a promo code, of the order.
    pub click_at: i64,
    /// Why it is rejected, if it is.
    pub rejected: Option<&'static str>,
}

/// A shop's time must lie within the replay window.
///
/// # Errors
/// [`Refused`]: in the future, or too old.
pub fn check_occurred_at(occurred_at: i64, replay_days: u32, now: i64) -> Result<(), Refused> {
    if occurred_at > now.saturating_add(CLOCK_AHEAD_MS) {
        let fix = "lies in the future; set the clock of the reporting server";
        return Err(Refused::of("occurred_in_future", "occurred_at", fix));
    }
    if plus_days(occurred_at, replay_days) < now {
        let fix = "is longer ago than the replay window; report events as they happen";
        return Err(Refused::of("occurred_too_long_ago", "occurred_at", fix));
    }
    Ok(())
}

/// Decides on a conversion of `amount`, reported at `now`.
///
/// # Errors
/// [`Refused`]: another currency, an event type without pay, or outside a window.
pub fn decide(
    facts: &Facts,
    credit: Credit,
    (event_type, amount, currency): (&str, Minor, Currency),
    occurred_at: i64,
    now: i64,
) -> Result<Decision, Refused> {
    let Membership { started_at, ended_at } = credit.membership;
    // A shop's clock may be ahead of ours; nothing is credited in the future.
    let order_at = occurred_at.min(now);
    let takes_part = started_at <= order_at && ended_at.is_none_or(|ended| order_at < ended);
    // Before everything else: what would be wrong with the order besides is told to nobody whose code
    // credits nobody.
    if credit.source == Source::Code && !takes_part {
        return Err(code_not_valid());
    }
    if currency != facts.currency {
        let fix = format!("this campaign is in {}", facts.currency.code());
        return Err(refused("currency_mismatch", "currency", fix));
    }
    if !facts.event_types.contains(event_type) {
        let known: Vec<_> = facts.event_types.iter().map(String::as_str).collect();
        let fix = format!("this campaign pays for: {}", known.join(", "));
        return Err(refused("type_not_paid", "type", fix));
    }
    check_occurred_at(occurred_at, facts.replay_days, now)?;
    let click_at = match credit.source {
        Source::Click(at) => {
            check_click(at, occurred_at, facts.attribution_days)?;
            at
        }
        Source::Code => order_at,
    };
    let has_left = ended_at.is_some_and(|ended| click_at >= ended);
    let rejected = if has_left {
        Some(ENROLLMENT_ENDED)
    } else if amount < facts.min_order {
        Some(BELOW_MIN_ORDER)
    } else {
        None
    };
    Ok(Decision { click_at, rejected })
}

fn check_click(at: i64, occurred_at: i64, attribution_days: u32) -> Result<(), Refused> {
    if occurred_at < at.saturating_sub(CLOCK_AHEAD_MS) {
        let fix = "lies before the click; send the time of the order";
        return Err(Refused::of("occurred_before_click", "occurred_at", fix));
    }
    if occurred_at > plus_days(at, attribution_days) {
        let fix = "the order came after the campaign's attribution window; it cannot be credited";
        return Err(Refused::of("click_expired", "click", fix));
    }
    Ok(())
}

/// A promo code that credits nobody: unknown, of another brand, expired. All answer alike, so that
/// nobody can find out codes by trying.
pub fn code_not_valid() -> Refused {
    let fix = "no such promo code is valid at this time; check the spelling";
    Refused::of("code_not_valid", "code", fix)
}

fn refused(code: &'static str, field: &'static str, fix: String) -> Refused {
    Refused { code, field: field.into(), fix: fix.into() }
}
