//! Promo codes: `ANNA-7K3QX`, a part that the creator likes and five check characters.
//!
//! The check characters are the first 25 bits of `HMAC-SHA256(promo key, brand ‖ campaign ‖
//! enrollment ‖ folded readable part)`, the ids as 16 bytes each, in Crockford's alphabet. So nobody
//! can make up a code for a creator, and a registration that was written past this program does not
//! verify. Folded, little more than 24 bits are left, which do not stop a machine that may guess for
//! ever: whoever answers guesses limits their rate and lets unknown, ended and foreign codes look
//! alike.
//!
//! People type codes from a poster or by ear, so codes are compared as [`FoldedCode`]: upper case,
//! hyphens and spaces out, and one character for each pair that is mistaken for the other in print:
//! O as 0, I and L as 1 (as Crockford reads them), U as V, S as 5, Z as 2, B as 8. Not folded, since
//! most typefaces keep them apart: G and 6, Q and O, D and 0, VV and W. A brand has each folded
//! code once, so no creator can take a code that reads like another's. Anything that is not
//! ASCII is refused and never mapped: a Cyrillic twin or an invisible character is no slip of the
//! finger.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::key_set::{KeySet, MasterKeys};
use super::keys::KeyId;
use super::token::TokenError;
use crate::ids::{BrandId, CampaignId, EnrollmentId};

/// Crockford's base32: digits and letters without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Check characters of a code.
pub const CHECK_LENGTH: usize = 5;

/// Fewest characters of a readable part.
pub const READABLE_MIN: usize = 2;

/// Most characters of a readable part.
pub const READABLE_MAX: usize = 12;

/// Longest text that is looked at, hyphens and spaces included.
const TEXT_MAX: usize = 40;

/// The form in which codes are looked up, compared and unique within a brand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldedCode(String);

impl FoldedCode {
    /// The characters, 7 to 17 of them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FoldedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Folds what someone typed into the form under which codes are looked up.
///
/// # Errors
/// [`TokenError::Malformed`] where the text holds anything but ASCII letters, digits, hyphens and
/// spaces, or is too short or too long for a code.
pub fn fold(text: &str) -> Result<FoldedCode, TokenError> {
    let folded = folded(text)?;
    let lengths = READABLE_MIN + CHECK_LENGTH..=READABLE_MAX + CHECK_LENGTH;
    if lengths.contains(&folded.len()) {
        Ok(FoldedCode(folded))
    } else {
        Err(TokenError::Malformed)
    }
}

fn folded(text: &str) -> Result<String, TokenError> {
    letters(text)?.chars().map(|letter| Ok(fold_letter(letter))).collect()
}

/// Letters and digits of a text in upper case.
fn letters(text: &str) -> Result<String, TokenError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == ' ';
    if text.len() > TEXT_MAX || !text.chars().all(fits) {
        return Err(TokenError::Malformed);
    }
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    Ok(kept.map(|letter| letter.to_ascii_uppercase()).collect())
}

const fn fold_letter(letter: char) -> char {
    match letter {
        'O' => '0',
        'I' | 'L' => '1',
        'U' => 'V',
        'S' => '5',
        'Z' => '2',
        'B' => '8',
        other => other,
    }
}

/// To whom a code belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeOwner {
    /// The brand, within which the folded code is unique.
    pub brand: BrandId,
    /// Whose funds pay for what it brings.
    pub campaign: CampaignId,
    /// Whom it credits.
    pub enrollment: EnrollmentId,
}

/// A promo code as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoCode {
    /// To whom it belongs.
    pub owner: CodeOwner,
    /// The master under whose promo key the check characters were made.
    pub key: KeyId,
    /// As the creator shares it: readable part, hyphen, check characters.
    pub text: String,
    /// Under what it is looked up.
    pub folded: FoldedCode,
}

/// Makes the code with this readable part: 2 to 12 ASCII letters and digits; hyphens and spaces in
/// it are left out. Whether the brand has a code that folds alike is for the registration to
/// refuse.
///
/// # Errors
/// [`TokenError::Malformed`] for another readable part.
pub fn issue(keys: &KeySet, owner: CodeOwner, readable: &str) -> Result<PromoCode, TokenError> {
    let readable = letters(readable)?;
    if !(READABLE_MIN..=READABLE_MAX).contains(&readable.len()) {
        return Err(TokenError::Malformed);
    }
    let master = keys.signing();
    let check = check_characters(master, owner, &folded(&readable)?);
    let text = format!("{readable}-{check}");
    let folded = fold(&text)?;
    Ok(PromoCode { owner, key: master.id, text, folded })
}

/// Checks what someone typed against the registration that was found under its folded form.
///
/// # Errors
/// [`TokenError`]: malformed, not this code, or made under a key that is unknown or revoked. To
/// whoever typed it they must all look alike.
pub fn verify(keys: &KeySet, typed: &str, registered: &PromoCode) -> Result<(), TokenError> {
    let typed = fold(typed)?;
    let master = keys.believed(registered.key)?;
    let (readable, check) = typed.0.split_at(typed.0.len() - CHECK_LENGTH);
    let expected = folded(&check_characters(master, registered.owner, readable))?;
    let is_authentic = expected.as_bytes().ct_eq(check.as_bytes());
    if bool::from(is_authentic) && typed == registered.folded {
        Ok(())
    } else {
        Err(TokenError::BadMac)
    }
}

fn check_characters(master: &MasterKeys, owner: CodeOwner, folded_readable: &str) -> String {
    let CodeOwner { brand, campaign, enrollment } = owner;
    // Only the last part has no fixed length, so the parts cannot be shifted.
    let parts = [&brand.0[..], &campaign.0, &enrollment.0, folded_readable.as_bytes()];
    let tag = u32::from_be_bytes(master.promo.short_tag(&parts));
    let character = |place: u32| {
        let five_bits = tag >> (27 - 5 * place) & 31;
        char::from(ALPHABET[usize::try_from(five_bits).expect("five bits")])
    };
    (0..5).map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_alike_folds_alike() {
        let folded = |text| fold(text).map(|code| code.0);
        assert_eq!(folded("anna-7k3qx"), Ok("ANNA7K3QX".to_owned()));
        assert_eq!(folded(" ANNA 7K3-QX"), folded("anna7k3qx"));
        assert_eq!(folded("OIL-SUZ-B8555"), Ok("0115V288555".to_owned()));
        assert_ne!(folded("GQDW-12345"), folded("6000-12345"));
    }

    #[test]
    fn what_is_no_slip_of_the_finger_is_refused() {
        let long = "A".repeat(18);
        let spaced = format!("ANNA{}12345", " ".repeat(40));
        for text in [
            "",
            "-",
            "A12345",
            &long,
            &spaced,
            "АNNA12345",
            "ANNA\u{200b}12345",
            "ANNA–12345",
            "ANNA_12345",
            "ANNA\t12345",
            "ANNA１2345",
            "ANNA\u{a0}12345",
            "ſANNA12345",
            "ıANNA12345",
        ] {
            assert_eq!(fold(text), Err(TokenError::Malformed), "{text:?}");
        }
    }
}
