//! A glance at an accepted conversion: what the fold needs of it, without a parser.
//!
//! Nearly all entries of a ledger are accepted conversions, and following a ledger means reading
//! each once. Canonical bytes have one spelling, so the few facts are found by position in a tenth
//! of the time. A glance judges nothing beyond that: it is for bytes that the store has taken in
//! itself, and the audit decodes everything. Whatever does not look exactly as expected is left to
//! [`super::entry::Entry::decode`].

use super::error::LedgerError;
use super::fold::{Scan, TakenIn};
use super::folded::Campaign;
use crate::ids::{CampaignId, EnrollmentId, Seq};
use crate::money::Minor;

/// What the fold needs of a `conversion.accepted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// When it was appended, milliseconds.
    pub at: i64,
    /// The order amount.
    pub amount: Minor,
    /// The credited time, milliseconds.
    pub click_at: i64,
    /// The event type.
    pub event_type: &'a str,
    /// In whose ledger.
    pub campaign: CampaignId,
    /// Whose it is.
    pub enrollment: EnrollmentId,
    /// Its number among the enrollment's.
    pub n: u64,
    /// Its position.
    pub seq: Seq,
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn literal(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected.as_bytes())?;
        Some(())
    }

    /// An integer of at most 16 digits; the last of them may lie beyond ±(2^53−1), which is for the
    /// decoder to refuse.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.0.first() == Some(&b'-');
        if negative {
            self.0 = self.0.get(1..)?;
        }
        let digits = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        if !(1..=16).contains(&digits) {
            return None;
        }
        let (number, rest) = self.0.split_at_checked(digits)?;
        let mut value = 0_i64;
        for digit in number {
            value = value.checked_mul(10)?.checked_add(i64::from(digit.wrapping_sub(b'0')))?;
        }
        self.0 = rest;
        if negative { value.checked_neg() } else { Some(value) }
    }

    fn count(&mut self) -> Option<u64> {
        u64::try_from(self.integer()?).ok()
    }

    /// A text up to the closing quote, which is taken too. Texts with escapes are left alone.
    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at_checked(end)?;
        if text.contains(&b'\\') {
            return None;
        }
        self.0 = rest.get(1..)?;
        std::str::from_utf8(text).ok()
    }

    /// The risk, if it is there, up to the next field.
    fn skip_risk(&mut self) -> Option<()> {
        if self.literal("\"risk\":{\"model\":").is_none() {
            return Some(());
        }
        self.integer()?;
        self.literal(",\"points\":")?;
        self.integer()?;
        self.literal(",\"reasons\":[")?;
        while self.literal("\"").is_some() {
            self.text()?;
            if self.literal(",").is_none() {
                break;
            }
        }
        self.literal("]},")
    }
}

impl<'a> Glance<'a> {
    /// Looks at the bytes of an entry. None for any other kind, and where anything is unusual.
    pub fn at(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        cursor.literal("{\"at\":")?;
        let at = cursor.integer()?;
        cursor.literal(",\"body\":{\"amount\":")?;
        let amount = Minor(cursor.integer()?);
        cursor.literal(",\"artifact\":\"")?;
        cursor.text()?;
        cursor.literal(",\"click_at\":")?;
        let click_at = cursor.integer()?;
        cursor.literal(",\"fingerprint\":\"")?;
        cursor.text()?;
        cursor.literal(",\"key\":\"")?;
        cursor.text()?;
        cursor.literal(",\"occurred_at\":")?;
        cursor.integer()?;
        cursor.literal(",")?;
        cursor.skip_risk()?;
        cursor.literal("\"type\":\"")?;
        let event_type = cursor.text()?;
        cursor.literal("},\"campaign\":\"")?;
        let campaign = cursor.text()?.parse().ok()?;
        cursor.literal(",\"enrollment\":\"")?;
        let enrollment = cursor.text()?.parse().ok()?;
        cursor.literal(",\"kind\":\"conversion.accepted\",\"n\":")?;
        let n = cursor.count()?;
        cursor.literal(",\"salt\":\"")?;
        cursor.text()?;
        cursor.literal(",\"seq\":")?;
        let seq = cursor.count()?;
        cursor.literal(",\"v\":1}")?;
        let whole = cursor.0.is_empty();
        whole.then_some(Self { at, amount, click_at, event_type, campaign, enrollment, n, seq })
    }
}

impl Campaign {
    /// Applies the next entry where a glance at it was enough: the same as [`Self::apply`].
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_glance(&mut self, glance: &Glance<'_>) -> Result<(), LedgerError> {
        let Glance { at, amount: order, click_at, event_type, campaign, enrollment, n, seq } =
            *glance;
        self.check_envelope(campaign, seq, at)?;
        if !order.is_amount() {
            return Err(LedgerError::Amount { field: "amount" });
        }
        let no = self.enrollment_no(enrollment).ok_or(LedgerError::Enrollment)?;
        let expected = self.enrollment(no).n.saturating_add(1);
        if n != expected {
            return Err(LedgerError::Counter { expected, found: n });
        }
        self.at = at;
        self.check_credited(no, click_at)?;
        let rate = self.rate_at(no, event_type, click_at);
        self.count_taken(no);
        self.head = seq;
        self.enrollment_mut(no).n = n;
        let taken = TakenIn { enrollment: no, at, order, rate, held: false };
        self.pend(seq, Scan::Conversion(taken), false);
        Ok(())
    }
}
