//! A glance at an accepted conversion: what the fold needs of it, without a parser.
//!
//! Nearly all entries of a ledger are accepted conversions, and following a ledger means reading
//! each once. Canonical bytes have one spelling, so the few facts are found by position in a tenth
//! of the time. A glance judges nothing beyond that: it is for bytes that the store has taken in
//! itself, and the audit decodes everything. Whatever does not look exactly as expected is left to
//! [`super::entry::Entry::decode`].

use std::str::FromStr;

use super::entry::{Entry, EntryError};
use super::error::LedgerError;
use super::fold::{Scan, TakenIn};
use super::folded::Campaign;
use crate::ids::{CampaignId, EnrollmentId, Seq};
use crate::money::Minor;

/// What the fold needs of a `conversion.accepted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When it was appended, milliseconds.
    pub at: i64,
    /// The order amount.
    pub amount: Minor,
    /// The credited time, milliseconds.
    pub click_at: i64,
    /// The event type.
    pub event_type: ShortText,
    /// In whose ledger.
    pub campaign: CampaignId,
    /// Whose it is.
    pub enrollment: EnrollmentId,
    /// Its number among the enrollment's.
    pub n: u64,
    /// Its position.
    pub seq: Seq,
}

/// Bytes of the texts that a [`ShortText`] holds: the longest event type.
const SHORT: usize = 32;

/// A text of at most 32 bytes, which costs no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortText {
    bytes: [u8; SHORT],
    length: u8,
}

impl ShortText {
    /// The text; none where it is longer.
    pub fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).ok()?;
        Some(Self { bytes, length })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.length)).expect("at most all of it");
        std::str::from_utf8(text).expect("taken from a text")
    }
}

/// A stored entry, read as far as following the ledger needs. It borrows nothing, so one thread may
/// read what another one applies.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A glance was enough.
    Glance(Glance),
    /// Decoded strictly.
    Entry(Box<Entry>),
}

impl Stored {
    /// Reads an entry: at a glance where that is enough.
    ///
    /// # Errors
    /// As [`Entry::decode`].
    pub fn read(bytes: &[u8]) -> Result<Self, EntryError> {
        match Glance::at(bytes) {
            Some(glance) => Ok(Self::Glance(glance)),
            None => Entry::decode(bytes).map(Box::new).map(Self::Entry),
        }
    }
}

struct Cursor<'a>(&'a [u8]);

/// Whether all bytes of a text mean just themselves. Sixteen at once, which the compiler compares
/// at once.
fn are_plain(bytes: &[u8; 16]) -> bool {
    // Neither a quote nor a backslash, and nothing outside of printable ASCII.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~');
    !bytes.iter().fold(false, |other, byte| other | !is_plain(byte))
}

/// The number that eight digits spell: neighbours are put together three times over.
fn eight_digits(digits: [u8; 8]) -> Option<i64> {
    let upper = 0xF0F0_F0F0_F0F0_F0F0;
    let digits = u64::from_be_bytes(digits);
    // Digits are `0x30` to `0x39`: their upper halves say so, also after six is added.
    if digits & upper != 0x3030_3030_3030_3030
        || digits.wrapping_add(0x0606_0606_0606_0606) & upper != 0x3030_3030_3030_3030
    {
        return None;
    }
    let join = |all: u64, mask: u64, bits: u32, base: u64| {
        (all & mask).wrapping_add(((all >> bits) & mask).wrapping_mul(base))
    };
    let pairs = join(digits & !upper, 0x00FF_00FF_00FF_00FF, 8, 10);
    let fours = join(pairs, 0x0000_FFFF_0000_FFFF, 16, 100);
    i64::try_from(join(fours, 0x0000_0000_FFFF_FFFF, 32, 10_000)).ok()
}

impl<'a> Cursor<'a> {
    fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (start, rest) = self.0.split_first_chunk()?;
        self.0 = (start == expected).then_some(rest)?;
        Some(())
    }

    /// An integer of at most 16 digits; the last of them may lie beyond ±(2^53−1), which is for the
    /// decoder to refuse.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.literal(b"-").is_some();
        let (mut value, mut rest) = (0_i64, self.0);
        // Times have thirteen digits.
        if let Some((digits, behind)) = rest.split_first_chunk()
            && let Some(eight) = eight_digits(*digits)
        {
            (value, rest) = (eight, behind);
        }
        while let Some((digit, behind)) = rest.split_first()
            && digit.is_ascii_digit()
        {
            // What wraps has too many digits and is refused below.
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')));
            rest = behind;
        }
        let digits = self.0.len().wrapping_sub(rest.len());
        self.0 = rest;
        if !(1..=16).contains(&digits) {
            return None;
        }
        if negative { value.checked_neg() } else { Some(value) }
    }

    fn count(&mut self) -> Option<u64> {
        u64::try_from(self.integer()?).ok()
    }

    /// A text up to the closing quote, which is taken too. Texts with escapes are left alone.
    fn text(&mut self) -> Option<&'a str> {
        let (chunks, _) = self.0.as_chunks();
        let plain = chunks.iter().take_while(|chunk| are_plain(chunk)).count().wrapping_mul(16);
        let (_, rest) = self.0.split_at_checked(plain)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at_checked(plain.wrapping_add(end))?;
        if text.contains(&b'\\') {
            return None;
        }
        self.0 = rest.get(1..)?;
        std::str::from_utf8(text).ok()
    }

    /// A text of this length, of 16 to 32, with its closing quote.
    fn fixed<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (text, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest.strip_prefix(b"\"")?;
        let is_plain = are_plain(text.first_chunk()?) && are_plain(text.last_chunk()?);
        is_plain.then_some(text)
    }

    /// An id with its prefix.
    fn id<T: FromStr>(&mut self) -> Option<T> {
        std::str::from_utf8(self.fixed::<30>()?).ok()?.parse().ok()
    }

    /// The risk, if it is there, up to the next field.
    fn skip_risk(&mut self) -> Option<()> {
        if self.literal(b"\"risk\":{\"model\":").is_none() {
            return Some(());
        }
        self.integer()?;
        self.literal(b",\"points\":")?;
        self.integer()?;
        self.literal(b",\"reasons\":[")?;
        while self.literal(b"\"").is_some() {
            self.text()?;
            if self.literal(b",").is_none() {
                break;
            }
        }
        self.literal(b"]},")
    }
}

impl Glance {
    /// Looks at the bytes of an entry. None for any other kind, and where anything is unusual.
    pub fn at(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        cursor.literal(b"{\"at\":")?;
        let at = cursor.integer()?;
        cursor.literal(b",\"body\":{\"amount\":")?;
        let amount = Minor(cursor.integer()?);
        cursor.literal(b",\"artifact\":\"")?;
        cursor.text()?;
        cursor.literal(b",\"click_at\":")?;
        let click_at = cursor.integer()?;
        cursor.literal(b",\"fingerprint\":\"")?;
        cursor.fixed::<22>()?;
        cursor.literal(b",\"key\":\"")?;
        cursor.fixed::<22>()?;
        cursor.literal(b",\"occurred_at\":")?;
        cursor.integer()?;
        cursor.literal(b",")?;
        cursor.skip_risk()?;
        cursor.literal(b"\"type\":\"")?;
        let event_type = ShortText::of(cursor.text()?)?;
        cursor.literal(b"},\"campaign\":\"")?;
        let campaign = cursor.id()?;
        cursor.literal(b",\"enrollment\":\"")?;
        let enrollment = cursor.id()?;
        cursor.literal(b",\"kind\":\"conversion.accepted\",\"n\":")?;
        let n = cursor.count()?;
        cursor.literal(b",\"salt\":\"")?;
        cursor.fixed::<22>()?;
        cursor.literal(b",\"seq\":")?;
        let seq = cursor.count()?;
        cursor.literal(b",\"v\":1}")?;
        let whole = cursor.0.is_empty();
        whole.then_some(Self { at, amount, click_at, event_type, campaign, enrollment, n, seq })
    }
}

impl Campaign {
    /// Applies the next entry where a glance at it was enough: the same as [`Self::apply`].
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_glance(&mut self, glance: &Glance) -> Result<(), LedgerError> {
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
        let rate = self.rate_at(no, event_type.as_str(), click_at);
        self.count_taken(no);
        self.head = seq;
        self.enrollment_mut(no).n = n;
        let taken = TakenIn { enrollment: no, at, order, rate, held: false };
        self.pend(seq, Scan::Conversion(taken), false);
        Ok(())
    }

    /// Follows a ledger by one more stored entry; the first one opens the campaign.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::apply`]. Where this fails nothing more can be applied.
    pub fn follow(following: &mut Option<Self>, stored: &Stored) -> Result<(), LedgerError> {
        match (following, stored) {
            (Some(campaign), Stored::Glance(glance)) => campaign.apply_glance(glance),
            (Some(campaign), Stored::Entry(entry)) => campaign.apply(entry).map(drop),
            (none, Stored::Entry(entry)) => {
                *none = Some(Self::open(entry)?);
                Ok(())
            }
            (None, Stored::Glance(glance)) => {
                Err(LedgerError::Sequence { expected: 1, found: glance.seq })
            }
        }
    }
}
