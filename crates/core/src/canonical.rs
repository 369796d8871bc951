//! Canonical JSON: the one spelling of an entry (INV-7), the subset of RFC 8785 without fractions.
//!
//! An entry is hashed as it is stored, so bytes that mean the same must be the same. [`check`]
//! refuses every other spelling instead of repairing it: what passes decodes to a value that
//! encodes to the same bytes again. Numbers are integers within ±(2^53−1), which every JSON reader
//! keeps exactly. The check runs for each entry that is read or rendered and allocates nothing.
//! What the fields of an entry mean is not known here: see [`crate::ledger`].

use std::cmp::Ordering;

use crate::money::INTEGER_MAX;

/// Bytes that an entry has at most. The caller compares: [`check`] itself takes any length.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Objects and arrays that may be open at the same time.
const DEPTH_MAX: u32 = 16;

/// Why bytes are not canonical JSON. Offsets count bytes from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// White space outside of a string.
    #[error("white space at byte {offset}")]
    WhiteSpace {
        /// Of the first white space.
        offset: usize,
    },
    /// A key that sorts before the one in front of it (RFC 8785 §3.2.3).
    #[error("unsorted key at byte {offset}")]
    KeyUnsorted {
        /// Of the key's opening quote.
        offset: usize,
    },
    /// The same key twice in one object.
    #[error("repeated key at byte {offset}")]
    KeyRepeated {
        /// Of the second key's opening quote.
        offset: usize,
    },
    /// A character that is written shorter, or in lower-case digits (RFC 8785 §3.2.2.2).
    #[error("escape at byte {offset} is not the shortest")]
    EscapeNotMinimal {
        /// Of the backslash.
        offset: usize,
    },
    /// An integer beyond ±(2^53−1).
    #[error("number at byte {offset} is beyond ±(2^53−1)")]
    NumberOutOfRange {
        /// Of the number's first byte.
        offset: usize,
    },
    /// A number with a leading zero, a fraction or an exponent, or a negative zero.
    #[error("number at byte {offset} is not a canonical integer")]
    NumberNotCanonical {
        /// Of the number's first byte.
        offset: usize,
    },
    /// More than 16 objects and arrays open at once.
    #[error("more than {DEPTH_MAX} levels deep at byte {offset}")]
    TooDeep {
        /// Of the bracket that is one too many.
        offset: usize,
    },
    /// Something after the value.
    #[error("more than one value: it ends before byte {offset}")]
    TrailingBytes {
        /// Of the first byte after the value.
        offset: usize,
    },
    /// The bytes stop inside the value.
    #[error("the value is cut off at byte {offset}")]
    UnexpectedEnd {
        /// The number of bytes.
        offset: usize,
    },
    /// Not UTF-8. Looked at first, so anything else may be wrong in front of it.
    #[error("not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Of the first byte that does not fit.
        offset: usize,
    },
    /// A byte that JSON does not allow there.
    #[error("unexpected byte at {offset}")]
    UnexpectedByte {
        /// Of that byte.
        offset: usize,
    },
}

/// Checks that `bytes` are one JSON value in canonical form (RFC 8785, integers only).
///
/// Object keys ascend strictly by UTF-16 code units, strings escape only what they must, at most
/// 16 objects and arrays are open at once, and there is no white space.
///
/// # Errors
/// The first deviation, with its offset.
pub fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| CanonicalError::NotUtf8 { offset: error.valid_up_to() })?;
    let mut scanner = Scanner { text, offset: 0 };
    scanner.value(0)?;
    match scanner.byte() {
        None => Ok(()),
        Some(byte) if is_white_space(byte) => Err(scanner.unexpected()),
        Some(_) => Err(CanonicalError::TrailingBytes { offset: scanner.offset }),
    }
}

/// Appends `value` in decimal. Canonical if it lies within ±(2^53−1), which the caller sees to.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    // Two digits a step: half the divisions. Ten pairs hold the 19 digits of an i64.
    let mut pairs = [[b'0'; 2]; 10];
    let mut rest = value.unsigned_abs();
    let mut start = 2 * pairs.len();
    for pair in pairs.iter_mut().rev() {
        let [two, ..] = (rest % 100).to_le_bytes();
        *pair = [b'0' + two / 10, b'0' + two % 10];
        rest /= 100;
        start -= 2;
        if rest == 0 {
            start += usize::from(two < 10);
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&pairs.as_flattened()[start..]);
}

/// What follows the backslash for a byte that has an escape of two characters.
const fn short_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => return None,
    })
}

const fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A key as it is written, without its quotes.
#[derive(Clone, Copy)]
struct Key<'a> {
    raw: &'a str,
    /// Only ASCII and no escape, so that comparing bytes is comparing UTF-16 code units.
    plain: bool,
}

impl Key<'_> {
    fn compare(self, other: Self) -> Ordering {
        if self.plain && other.plain {
            self.raw.cmp(other.raw)
        } else {
            code_units(self.raw).cmp(code_units(other.raw))
        }
    }
}

/// The UTF-16 code units of each character of a checked string. No character's units begin another
/// character's, so comparing character by character is comparing unit by unit.
fn code_units(raw: &str) -> impl Iterator<Item = [u16; 2]> {
    let mut rest = raw.chars();
    std::iter::from_fn(move || {
        let mut character = rest.next()?;
        if character == '\\' {
            character = match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                // The check lets only \u00xx pass.
                'u' => {
                    let (digits, after) = rest.as_str().split_at_checked(4)?;
                    rest = after.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                quoted => quoted,
            };
        }
        let mut units = [0; 2];
        character.encode_utf16(&mut units);
        Some(units)
    })
}

struct Scanner<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Scanner<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    /// The byte at the offset, which must exist.
    fn peek(&self) -> Result<u8, CanonicalError> {
        self.byte().ok_or(CanonicalError::UnexpectedEnd { offset: self.offset })
    }

    /// The fault of the byte at the offset, outside of a string.
    #[cold]
    fn unexpected(&self) -> CanonicalError {
        let offset = self.offset;
        match self.byte() {
            None => CanonicalError::UnexpectedEnd { offset },
            Some(byte) if is_white_space(byte) => CanonicalError::WhiteSpace { offset },
            Some(_) => CanonicalError::UnexpectedByte { offset },
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), CanonicalError> {
        if self.byte() != Some(wanted) {
            return Err(self.unexpected());
        }
        self.offset += 1;
        Ok(())
    }

    /// Steps over `wanted` if it is next.
    fn take(&mut self, wanted: u8) -> bool {
        let found = self.byte() == Some(wanted);
        self.offset += usize::from(found);
        found
    }

    fn value(&mut self, depth: u32) -> Result<(), CanonicalError> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(self.unexpected()),
        }
    }

    /// Steps over an opening bracket.
    fn open(&mut self, depth: u32) -> Result<u32, CanonicalError> {
        if depth >= DEPTH_MAX {
            return Err(CanonicalError::TooDeep { offset: self.offset });
        }
        self.offset += 1;
        Ok(depth + 1)
    }

    fn object(&mut self, depth: u32) -> Result<(), CanonicalError> {
        let depth = self.open(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        let mut previous: Option<Key<'a>> = None;
        loop {
            let offset = self.offset;
            if self.peek()? != b'"' {
                return Err(self.unexpected());
            }
            let key = self.string()?;
            match previous.map_or(Ordering::Less, |previous| previous.compare(key)) {
                Ordering::Less => previous = Some(key),
                Ordering::Equal => return Err(CanonicalError::KeyRepeated { offset }),
                Ordering::Greater => return Err(CanonicalError::KeyUnsorted { offset }),
            }
            self.expect(b':')?;
            self.value(depth)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<(), CanonicalError> {
        let depth = self.open(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), CanonicalError> {
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn number(&mut self) -> Result<(), CanonicalError> {
        let offset = self.offset;
        let negative = self.take(b'-');
        let first = self.offset;
        let leading_zero = self.byte() == Some(b'0');
        let mut magnitude: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            magnitude = magnitude.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            self.offset += 1;
        }
        let digits = self.offset - first;
        if digits == 0 {
            return Err(self.unexpected());
        }
        let zeros = leading_zero && (negative || digits > 1);
        if zeros || matches!(self.byte(), Some(b'.' | b'e' | b'E')) {
            return Err(CanonicalError::NumberNotCanonical { offset });
        }
        if magnitude > INTEGER_MAX {
            return Err(CanonicalError::NumberOutOfRange { offset });
        }
        Ok(())
    }

    /// Steps over a string that starts at the offset.
    fn string(&mut self) -> Result<Key<'a>, CanonicalError> {
        self.offset += 1;
        let first = self.offset;
        let mut plain = true;
        loop {
            self.skip_plain();
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => {
                    return Err(CanonicalError::UnexpectedByte { offset: self.offset });
                }
                _ => self.offset += 1,
            }
            plain = false;
        }
        let raw = self.text.get(first..self.offset);
        self.offset += 1;
        Ok(Key { raw: raw.expect("quotes lie between characters"), plain })
    }

    /// Steps over bytes of a string that stand for themselves, eight at a time: most of an entry
    /// is ids and hashes.
    fn skip_plain(&mut self) {
        let mut rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
        while let Some((word, after)) = rest.split_first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*word));
            if stops != 0 {
                let plain = stops.trailing_zeros() / 8;
                self.offset += usize::try_from(plain).expect("below eight");
                return;
            }
            self.offset += word.len();
            rest = after;
        }
        let stop = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x80..);
        self.offset += rest.iter().position(stop).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<(), CanonicalError> {
        let offset = self.offset;
        self.offset += 1;
        match self.peek()? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => self.offset += 1,
            b'/' => return Err(CanonicalError::EscapeNotMinimal { offset }),
            b'u' => {
                self.offset += 1;
                let mut digits = [0; 4];
                for digit in &mut digits {
                    *digit = self.peek()?;
                    if !digit.is_ascii_hexdigit() {
                        let offset = self.offset;
                        return Err(CanonicalError::UnexpectedByte { offset });
                    }
                    self.offset += 1;
                }
                if !is_minimal(digits) {
                    return Err(CanonicalError::EscapeNotMinimal { offset });
                }
            }
            _ => {
                return Err(CanonicalError::UnexpectedByte { offset: self.offset });
            }
        }
        Ok(())
    }
}

/// Whether `\u` and these hexadecimal digits are how a character must be written.
fn is_minimal(digits: [u8; 4]) -> bool {
    let [b'0', b'0', high @ (b'0' | b'1'), low] = digits else {
        return false;
    };
    let low = match low {
        b'0'..=b'9' => low - b'0',
        b'a'..=b'f' => low - b'a' + 10,
        _ => return false,
    };
    short_escape((high - b'0') * 16 + low).is_none()
}

/// A word with the top bit set in the first byte, and maybe later ones, that does not stand for
/// itself in a string: a control character, a quote, a backslash, or not ASCII.
const fn stops(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = EACH * 0x80;
    // Subtracting from each byte sets its top bit where it was smaller. A borrow disturbs only
    // bytes after one that was found.
    let control = word.wrapping_sub(EACH * 0x20);
    let quote = (word ^ (EACH * 0x22)).wrapping_sub(EACH);
    let backslash = (word ^ (EACH * 0x5c)).wrapping_sub(EACH);
    (word | control | quote | backslash) & TOP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_time_stop_where_one_at_a_time_would() {
        for byte in 0..=u8::MAX {
            let stop = matches!(byte, 0..0x20 | b'"' | b'\\' | 0x80..);
            for place in 0..8_u8 {
                let mut word = [b'a'; 8];
                word[usize::from(place)] = byte;
                let found = stops(u64::from_le_bytes(word)).trailing_zeros() / 8;
                assert_eq!(found, if stop { u32::from(place) } else { 8 }, "{byte} at {place}");
            }
        }
    }
}
