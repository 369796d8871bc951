//! Money: integer minor units of one currency (INV-11: parts sum to the whole, no floats).
//!
//! [`Minor`] is an amount in the minor unit of its campaign's currency (cents for USD). A campaign
//! has one currency, fixed at opening, so an amount inside a ledger does not repeat it. Arithmetic
//! is checked: an overflow is a bug that stops the request, it never wraps. Rounding is always
//! down, per conversion, and the remainder stays in the campaign's funds (design, rounding).

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest magnitude of an integer in a ledger entry: 2^53 − 1, exact in every JSON reader.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Largest single amount in a ledger: 10^11 minor units. Ninety million conversions of this size
/// fit into the 64-bit sums of a campaign.
pub const AMOUNT_MAX: Minor = Minor(100_000_000_000);

/// Basis points in one whole.
pub const BPS: i64 = 10_000;

/// An amount in minor units of the campaign's currency; negative only as a difference.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(pub i64);

impl Minor {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether this is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether this is less than nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether this may stand in an entry: 0 to [`AMOUNT_MAX`].
    pub fn is_amount(self) -> bool {
        !self.is_negative() && self <= AMOUNT_MAX
    }

    /// The sum, held at the largest number that an entry can hold.
    pub(crate) fn saturating_sum(amounts: impl Iterator<Item = Self>) -> Self {
        let sum = amounts.fold(0_i64, |sum, amount| sum.saturating_add(amount.0));
        Self(sum.min(INTEGER_MAX))
    }

    /// The amount, or zero where it is negative.
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// `self × bps / 10,000`, rounded down. `self` must not be negative.
    pub fn share(self, bps: u32) -> Self {
        self.times_over(i64::from(bps), BPS)
    }

    /// `self × numerator / denominator`, rounded down, exact in between. No argument may be
    /// negative and the denominator must not be zero; the result must fit.
    pub fn times_over(self, numerator: i64, denominator: i64) -> Self {
        assert!(self.0 >= 0 && numerator >= 0 && denominator > 0, "rounding down is for shares");
        // Most amounts fit 64 bits on the way; the wide division costs ten times as much.
        if let Some(product) = self.0.checked_mul(numerator)
            && let Some(quotient) = product.checked_div(denominator)
        {
            return Self(quotient);
        }
        let wide = i128::from(self.0).checked_mul(i128::from(numerator));
        let quotient = wide.and_then(|product| product.checked_div(i128::from(denominator)));
        Self(
            quotient
                .and_then(|quotient| i64::try_from(quotient).ok())
                .expect("a share of an amount fits where the amount does"),
        )
    }
}

impl Add for Minor {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("sums of money stay within 64 bits"))
    }
}

impl Sub for Minor {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("differences of money stay within 64 bits"))
    }
}

impl Neg for Minor {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.checked_neg().expect("money has no smallest integer"))
    }
}

impl AddAssign for Minor {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Minor {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Minor {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Minor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Minor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        if (-INTEGER_MAX..=INTEGER_MAX).contains(&value) {
            Ok(Self(value))
        } else {
            Err(serde::de::Error::custom("amount beyond ±(2^53−1)"))
        }
    }
}

/// Currencies that a campaign may have. Anything else is refused; all three have cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// United States dollar.
    Usd,
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
}

impl Currency {
    /// The currencies that a campaign may have.
    pub const ALL: [Self; 3] = [Self::Usd, Self::Eur, Self::Gbp];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_exact_beyond_64_bits_in_between() {
        assert_eq!(Minor(999).share(1_000), Minor(99));
        assert_eq!(Minor(1).share(9_999), Minor(0));
        assert_eq!(Minor(INTEGER_MAX).share(10_000), Minor(INTEGER_MAX));
        assert_eq!(Minor(INTEGER_MAX).times_over(INTEGER_MAX, INTEGER_MAX), Minor(INTEGER_MAX));
    }

    #[test]
    #[should_panic(expected = "within 64 bits")]
    fn an_overflow_stops_instead_of_wrapping() {
        assert_eq!(Minor(i64::MAX) + Minor(1), Minor(0));
    }

    #[test]
    fn amounts_beyond_the_exact_range_and_other_currencies_are_refused() {
        assert!(serde_json::from_str::<Minor>("9007199254740991").is_ok());
        assert!(serde_json::from_str::<Minor>("9007199254740992").is_err());
        assert!(serde_json::from_str::<Minor>("-9007199254740992").is_err());
        assert!(serde_json::from_str::<Minor>("1.5").is_err());
        assert!(serde_json::from_str::<Currency>("\"USD\"").is_ok());
        assert!(serde_json::from_str::<Currency>("\"JPY\"").is_err());
    }
}
