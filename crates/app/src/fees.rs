//! What the operator asks of every campaign: the platform's fee, and what a deposit keeps back for the
//! provider's. A brand writes its campaign's terms, but not these to its own advantage.

use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::{AMOUNT_MAX, Currency, Minor};

/// The operator's part of the terms: defaults, and the least that a brand may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// The platform's fee on a creator's part, basis points.
    pub platform_bps: u32,
    /// Kept of a deposit for the provider's fee, basis points of the budget part.
    pub reserve_bps: u32,
    /// Kept beside that, minor units.
    pub reserve_fixed: Minor,
}

/// One of them is below what the operator asks, or is no figure that terms can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fix}")]
pub struct FeesError {
    /// The field of the terms.
    pub field: &'static str,
    /// What would be accepted.
    pub fix: String,
}

/// The documented defaults of terms (design §8).
impl Default for Fees {
    fn default() -> Self {
        let terms = Terms::with_defaults(Currency::Usd, Minor(1), 0);
        Self {
            platform_bps: terms.platform_fee_bps,
            reserve_bps: terms.provider_fee_reserve_bps,
            reserve_fixed: terms.provider_fee_reserve_fixed,
        }
    }
}

impl Fees {
    /// Takes them from settings.
    ///
    /// # Errors
    /// [`FeesError`]: one is out of range.
    pub fn try_new(
        platform_bps: u32,
        reserve_bps: u32,
        reserve_fixed: Minor,
    ) -> Result<Self, FeesError> {
        let share = "0 to 10000 basis points";
        let checks = [
            ("platform_fee_bps", platform_bps <= 10_000, share),
            ("provider_fee_reserve_bps", reserve_bps <= 10_000, share),
            (
                "provider_fee_reserve_fixed",
                (Minor::ZERO..=AMOUNT_MAX).contains(&reserve_fixed),
                "0 to 10^11 minor units",
            ),
        ];
        match checks.into_iter().find(|(_, fits, _)| !fits) {
            Some((field, _, fix)) => Err(FeesError { field, fix: fix.to_owned() }),
            None => Ok(Self { platform_bps, reserve_bps, reserve_fixed }),
        }
    }

    /// Writes them into terms that say nothing else.
    pub(crate) fn apply(self, terms: &mut Terms) {
        terms.platform_fee_bps = self.platform_bps;
        terms.provider_fee_reserve_bps = self.reserve_bps;
        terms.provider_fee_reserve_fixed = self.reserve_fixed;
    }

    /// Refuses terms that give the operator less than is asked.
    ///
    /// # Errors
    /// [`FeesError`] names the first.
    pub fn check(self, terms: &Terms) -> Result<(), FeesError> {
        let figures = [
            ("platform_fee_bps", i64::from(terms.platform_fee_bps), i64::from(self.platform_bps)),
            (
                "provider_fee_reserve_bps",
                i64::from(terms.provider_fee_reserve_bps),
                i64::from(self.reserve_bps),
            ),
            (
                "provider_fee_reserve_fixed",
                terms.provider_fee_reserve_fixed.0,
                self.reserve_fixed.0,
            ),
        ];
        match figures.into_iter().find(|(_, said, least)| said < least) {
            Some((field, _, least)) => {
                let fix = format!("{least} or more, which this installation asks; or leave it out");
                Err(FeesError { field, fix })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_may_pay_more_and_never_less() {
        let fees = Fees::try_new(300, 200, Minor(50)).expect("in range");
        let mut terms = Terms::with_defaults(Currency::Usd, Minor(100), 0);
        fees.check(&terms).expect("more than is asked");
        fees.apply(&mut terms);
        fees.check(&terms).expect("exactly that");
        for field in ["platform_fee_bps", "provider_fee_reserve_bps", "provider_fee_reserve_fixed"]
        {
            let mut less = terms.clone();
            match field {
                "platform_fee_bps" => less.platform_fee_bps -= 1,
                "provider_fee_reserve_bps" => less.provider_fee_reserve_bps -= 1,
                _ => less.provider_fee_reserve_fixed -= Minor(1),
            }
            assert_eq!(fees.check(&less).expect_err("less").field, field);
        }
        Fees::try_new(10_001, 0, Minor(0)).expect_err("more than all");
        Fees::try_new(0, 0, Minor(-1)).expect_err("less than nothing");
    }
}
