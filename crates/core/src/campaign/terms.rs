//! Terms: what a brand promises, versioned and hashed in the ledger.
//!
//! A creator accepts a version at enrollment; fee, netting share, cap and base stay as accepted.
//! Rates may change later by `terms.set`: a raise at once, a cut after the notice period, and a
//! conversion is paid by the version in force strictly before its click. Windows, fee, currency
//! and rounding rules never change within a campaign.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::money::{AMOUNT_MAX, BPS, Currency, Minor};

/// How one event type is paid. Tiers are `[from_count, value]`, ascending, the first from 0;
/// the count is the enrollment's conversions taken in strictly before the click.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rate {
    /// Basis points of the order amount.
    Bps(Vec<(u32, u32)>),
    /// A fixed amount per conversion, in minor units.
    Flat(Vec<(u32, Minor)>),
}

impl Rate {
    /// Whether the value depends on how many conversions came before.
    pub fn has_tiers(&self) -> bool {
        match self {
            Self::Bps(tiers) => tiers.len() > 1,
            Self::Flat(tiers) => tiers.len() > 1,
        }
    }

    fn starts(&self) -> Vec<u32> {
        match self {
            Self::Bps(tiers) => tiers.iter().map(|tier| tier.0).collect(),
            Self::Flat(tiers) => tiers.iter().map(|tier| tier.0).collect(),
        }
    }

    fn is_valid(&self) -> bool {
        let starts = self.starts();
        let ascending = starts.iter().zip(starts.iter().skip(1)).all(|(a, b)| a < b);
        let values = match self {
            Self::Bps(tiers) => tiers.iter().all(|tier| i64::from(tier.1) <= BPS),
            Self::Flat(tiers) => {
                tiers.iter().all(|tier| !tier.1.is_negative() && tier.1 <= AMOUNT_MAX)
            }
        };
        starts.first() == Some(&0) && ascending && values
    }

    /// The value at a tier count.
    pub fn value(&self, count: u64) -> RateValue {
        let reached = |start: u32| u64::from(start) <= count;
        match self {
            Self::Bps(tiers) => RateValue::Bps(
                tiers.iter().rev().find(|tier| reached(tier.0)).map_or(0, |tier| tier.1),
            ),
            Self::Flat(tiers) => RateValue::Flat(
                tiers.iter().rev().find(|tier| reached(tier.0)).map_or(Minor::ZERO, |tier| tier.1),
            ),
        }
    }

    /// Whether `next` pays less than this in some tier.
    pub fn is_cut_by(&self, next: &Self) -> bool {
        let mut starts = self.starts();
        starts.extend(next.starts());
        starts.into_iter().any(|count| {
            match (self.value(u64::from(count)), next.value(u64::from(count))) {
                (RateValue::Bps(before), RateValue::Bps(after)) => after < before,
                (RateValue::Flat(before), RateValue::Flat(after)) => after < before,
                // Flat against a share cannot be compared for every order, so it counts as a cut.
                _ => true,
            }
        })
    }
}

/// One resolved value of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateValue {
    /// Basis points of the order amount.
    Bps(u32),
    /// Minor units per conversion.
    Flat(Minor),
}

impl RateValue {
    /// Commission for an order of which `refunded` went back, rounded down.
    ///
    /// Flat pay shrinks with the order: `floor(flat × (order − refunded) / order)`. An order of 0
    /// knows only a whole reversal, for which `refunded` is positive.
    pub fn commission(self, order: Minor, refunded: Minor) -> Minor {
        if order.is_zero() {
            return match self {
                Self::Flat(value) if refunded.is_zero() => value,
                Self::Flat(_) | Self::Bps(_) => Minor::ZERO,
            };
        }
        let kept = (order - refunded).or_zero();
        match self {
            Self::Bps(bps) => kept.share(bps),
            Self::Flat(value) => value.times_over(kept.0, order.0),
        }
    }
}

/// What unlocks an enrollment's fixed base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BaseUnlock {
    /// That many conversions that are not held, upheld or wholly reversed.
    Conversions(u32),
    /// That many whole days of Live time while enrolled.
    DaysLive(u32),
    /// An accepted deliverable; the brand's silence of seven days accepts.
    Deliverable,
}

/// What happens when the free funds reach zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// The campaign is paused by an entry, so no further click is credited.
    Pause,
    /// Conversions go on being recorded and wait for funds.
    Record,
}

/// In which order demand is funded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// Oldest entry first.
    LedgerOrder,
}

/// The terms of a campaign. Field order is the canonical (sorted) order of the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// In which order demand is funded.
    pub allocation: Allocation,
    /// From click to conversion, in days.
    pub attribution_window_days: u32,
    /// Fixed base per enrollment, unless the enrollment says otherwise; 0 for none.
    pub base: Minor,
    /// What unlocks the base.
    pub base_unlock: Option<BaseUnlock>,
    /// The most that accruals, bases and their fees may take.
    pub budget: Minor,
    /// From a conversion's UTC day to its maturity, in whole days.
    pub clearing_days: u32,
    /// How many conversions of one event type a click may earn.
    pub conversions_per_click: u32,
    /// The most commission one enrollment may earn.
    pub creator_cap: Option<Minor>,
    /// The one currency of the campaign.
    pub currency: Currency,
    /// Hosts that links may lead to.
    pub destination_hosts: Vec<String>,
    /// When the campaign ends by itself, milliseconds.
    pub ends_at: i64,
    /// From a hold to its default outcome, release, in days.
    pub hold_deadline_days: u32,
    /// Conversions below this order amount are rejected.
    pub min_order: Minor,
    /// Share of later earnings that pays a claw-back, in basis points.
    pub netting_share_bps: u32,
    /// From announcing a cut of rates to its effect, in days.
    pub notice_days: u32,
    /// What happens at zero free funds.
    pub on_exhausted: OnExhausted,
    /// Payouts are planned at most once per this many UTC days.
    pub payout_every_days: u32,
    /// Smaller sums wait, except at close.
    pub payout_minimum: Minor,
    /// The platform's fee on the creator's part, in basis points, rounded down.
    pub platform_fee_bps: u32,
    /// Part of a deposit kept for the provider's fee: basis points of the budget part.
    pub provider_fee_reserve_bps: u32,
    /// Fixed part of that reserve.
    pub provider_fee_reserve_fixed: Minor,
    /// Pay per event type.
    pub rates: BTreeMap<String, Rate>,
    /// How long after the fact an event may be delivered, in days.
    pub replay_window_days: u32,
    /// Version of the rules that the fold applies; this program knows 1.
    pub rules: u32,
}

/// A field, whether its rule holds, and what would be accepted.
type Check = (&'static str, bool, &'static str);

/// A term is missing, out of range or contradicts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("terms.{field}: {fix}")]
pub struct TermsError {
    /// The field's name.
    pub field: &'static str,
    /// What would be accepted.
    pub fix: &'static str,
}

impl Terms {
    /// Terms with the documented defaults: no base, no cap, 5 % platform fee, 30 days of
    /// attribution and clearing, 7 days of replay, hold and notice.
    pub fn with_defaults(currency: Currency, budget: Minor, ends_at: i64) -> Self {
        Self {
            allocation: Allocation::LedgerOrder,
            attribution_window_days: 30,
            base: Minor::ZERO,
            base_unlock: None,
            budget,
            clearing_days: 30,
            conversions_per_click: 1,
            creator_cap: None,
            currency,
            destination_hosts: Vec::new(),
            ends_at,
            hold_deadline_days: 7,
            min_order: Minor::ZERO,
            netting_share_bps: 5_000,
            notice_days: 7,
            on_exhausted: OnExhausted::Pause,
            payout_every_days: 1,
            payout_minimum: Minor(1_000),
            platform_fee_bps: 500,
            provider_fee_reserve_bps: 400,
            provider_fee_reserve_fixed: Minor(100),
            rates: BTreeMap::new(),
            replay_window_days: 7,
            rules: 1,
        }
    }

    /// SHA-256 of the canonical JSON: what a creator accepts.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(serde_json::to_vec(self).expect("terms are plain data")).into()
    }

    /// Checks every field by itself and against the others.
    ///
    /// # Errors
    /// The first field that is out of range, with what would be accepted.
    pub fn check(&self) -> Result<(), TermsError> {
        let others = [
            ("rules", self.rules == 1, "this version of the program knows rules 1 only"),
            (
                "budget",
                self.budget.is_positive() && self.budget <= AMOUNT_MAX,
                "1 to 10^11 minor units",
            ),
            (
                "base_unlock",
                self.base.is_zero() || self.base_unlock.is_some(),
                "a base needs a condition that unlocks it",
            ),
            ("payout_every_days", (1..=366).contains(&self.payout_every_days), "1 to 366 days"),
            ("conversions_per_click", (1..=100).contains(&self.conversions_per_click), "1 to 100"),
            ("destination_hosts", self.destination_hosts.len() <= 100, "at most 100 hosts"),
        ];
        let mut checks = others.into_iter().chain(self.amounts()).chain(self.shares_and_days());
        match checks.find(|(_, holds, _)| !holds) {
            Some((field, _, fix)) => Err(TermsError { field, fix }),
            None => check_rates(&self.rates),
        }
    }

    fn amounts(&self) -> impl Iterator<Item = Check> {
        let amounts = [
            ("base", self.base),
            ("creator_cap", self.creator_cap.unwrap_or_default()),
            ("min_order", self.min_order),
            ("payout_minimum", self.payout_minimum),
            ("provider_fee_reserve_fixed", self.provider_fee_reserve_fixed),
        ];
        amounts.into_iter().map(|(field, amount)| {
            let fits = !amount.is_negative() && amount <= AMOUNT_MAX;
            (field, fits, "0 to 10^11 minor units")
        })
    }

    fn shares_and_days(&self) -> impl Iterator<Item = Check> {
        let shares = [
            ("platform_fee_bps", self.platform_fee_bps),
            ("netting_share_bps", self.netting_share_bps),
            ("provider_fee_reserve_bps", self.provider_fee_reserve_bps),
        ];
        let days = [
            ("attribution_window_days", self.attribution_window_days),
            ("replay_window_days", self.replay_window_days),
            ("clearing_days", self.clearing_days),
            ("hold_deadline_days", self.hold_deadline_days),
            ("notice_days", self.notice_days),
        ];
        let share = |(field, bps)| (field, bps <= 10_000, "0 to 10,000 basis points");
        let period = |(field, days)| (field, days <= 366, "0 to 366 days");
        shares.into_iter().map(share).chain(days.into_iter().map(period))
    }

    /// Whether any rate depends on how many conversions came before.
    pub fn has_tiers(&self) -> bool {
        self.rates.values().any(Rate::has_tiers)
    }

    /// The first field in which `next` differs although it never may.
    pub fn frozen_difference(&self, next: &Self) -> Option<&'static str> {
        let same = [
            (
                "attribution_window_days",
                self.attribution_window_days == next.attribution_window_days,
            ),
            ("clearing_days", self.clearing_days == next.clearing_days),
            ("conversions_per_click", self.conversions_per_click == next.conversions_per_click),
            ("currency", self.currency == next.currency),
            ("hold_deadline_days", self.hold_deadline_days == next.hold_deadline_days),
            ("min_order", self.min_order == next.min_order),
            ("netting_share_bps", self.netting_share_bps == next.netting_share_bps),
            ("notice_days", self.notice_days == next.notice_days),
            ("payout_minimum", self.payout_minimum == next.payout_minimum),
            ("platform_fee_bps", self.platform_fee_bps == next.platform_fee_bps),
            ("replay_window_days", self.replay_window_days == next.replay_window_days),
            ("rules", self.rules == next.rules),
            // Conversions were not counted by time where no rate asked for it.
            ("rates", self.has_tiers() || !next.has_tiers()),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
    }
}

/// Checks rates, of the terms or of one enrollment.
///
/// # Errors
/// [`TermsError`] with what would be accepted.
pub fn check_rates(rates: &BTreeMap<String, Rate>) -> Result<(), TermsError> {
    let valid =
        |(name, rate): (&String, &Rate)| is_event_type(name) && name != REVERSAL && rate.is_valid();
    if rates.len() <= 16 && rates.iter().all(valid) {
        return Ok(());
    }
    let fix = "at most 16 event types of a-z and _ other than `reversal`, tiers ascending from 0, \
               values in range";
    Err(TermsError { field: "rates", fix })
}

/// The event type that takes an order back, which nothing pays.
pub const REVERSAL: &str = "reversal";

/// Whether `name` is usable as an event type: 1 to 32 of a–z and `_`.
pub fn is_event_type(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let mut terms = Terms::with_defaults(Currency::Usd, Minor(100), 0);
        terms.rates.insert("sale".into(), Rate::Bps(vec![(0, 1_000), (10, 1_500)]));
        terms
    }

    #[test]
    fn the_json_of_terms_is_canonical() {
        let text = serde_json::to_string(&terms()).expect("plain data");
        let sorted: serde_json::Value = serde_json::from_str(&text).expect("valid");
        assert_eq!(text, sorted.to_string(), "fields are declared in sorted order");
    }

    #[test]
    fn a_term_out_of_range_is_named() {
        assert_eq!(terms().check(), Ok(()));
        let bad = Terms { platform_fee_bps: 10_001, ..terms() };
        assert_eq!(bad.check().map_err(|error| error.field), Err("platform_fee_bps"));
        let bad = Terms { base: Minor(5), ..terms() };
        assert_eq!(bad.check().map_err(|error| error.field), Err("base_unlock"));
        let mut bad = terms();
        bad.rates.insert(REVERSAL.into(), Rate::Bps(vec![(0, 5)]));
        assert_eq!(bad.check().map_err(|error| error.field), Err("rates"));
        let mut bad = terms();
        bad.rates.insert("sale".into(), Rate::Bps(vec![(1, 5)]));
        assert_eq!(bad.check().map_err(|error| error.field), Err("rates"));
    }

    #[test]
    fn tiers_take_effect_at_their_count() {
        let rate = Rate::Bps(vec![(0, 1_000), (10, 1_500)]);
        assert_eq!(rate.value(9), RateValue::Bps(1_000));
        assert_eq!(rate.value(10), RateValue::Bps(1_500));
        assert!(rate.is_cut_by(&Rate::Bps(vec![(0, 1_000), (11, 1_500)])));
        assert!(!rate.is_cut_by(&Rate::Bps(vec![(0, 1_000), (9, 1_500)])));
    }

    #[test]
    fn flat_pay_shrinks_with_the_order_and_zero_orders_reverse_whole() {
        let flat = RateValue::Flat(Minor(100));
        assert_eq!(flat.commission(Minor(3), Minor(1)), Minor(66));
        assert_eq!(flat.commission(Minor(0), Minor(0)), Minor(100));
        assert_eq!(flat.commission(Minor(0), Minor(1)), Minor(0));
        assert_eq!(RateValue::Bps(1_000).commission(Minor(0), Minor(0)), Minor(0));
    }
}
