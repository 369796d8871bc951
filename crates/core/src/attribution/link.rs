//! The link token: names campaign, enrollment and link, and cannot be forged.
//!
//! | bytes | field |
//! |--:|---|
//! | 4 | head: version, mode, key id |
//! | 16 | campaign |
//! | 16 | enrollment |
//! | 4 | link number, most significant byte first |
//! | 16 | MAC under the link key |
//!
//! Where the link leads is looked up and never carried, so a token cannot send anyone anywhere
//! (no open redirect). It verifies until its key is revoked: links live in profiles for years.

use super::key_set::KeySet;
use super::token::{
    HEAD, MAC, Reader, TokenError, Writer, check_head, check_mac, decode, text_length,
};
use crate::ids::{CampaignId, EnrollmentId};

/// Bytes of a link token.
pub const LINK_BYTES: usize = HEAD + 16 + 16 + 4 + MAC;

/// Characters of its text.
pub const LINK_LENGTH: usize = text_length(LINK_BYTES);

/// What a link token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkToken {
    /// Whose funds pay for what it brings.
    pub campaign: CampaignId,
    /// Whom it credits.
    pub enrollment: EnrollmentId,
    /// Which link of this enrollment.
    pub number: u32,
}

impl LinkToken {
    /// The text of this token, signed by the newest master.
    pub fn sign(&self, keys: &KeySet) -> String {
        let mut token = Writer::<LINK_BYTES>::begin(keys);
        token.put(&self.campaign.0);
        token.put(&self.enrollment.0);
        token.put(&self.number.to_be_bytes());
        token.sign(&keys.signing().link)
    }

    /// Reads and verifies a token. Allocates nothing.
    ///
    /// # Errors
    /// [`TokenError`] says what it is not; never [`TokenError::RetiredKey`].
    pub fn verify(text: &str, keys: &KeySet) -> Result<Self, TokenError> {
        let bytes: [u8; LINK_BYTES] = decode(text)?;
        let mut fields = Reader::new(&bytes);
        let master = check_head(fields.take(), keys)?;
        check_mac(&bytes, &master.link)?;
        Ok(Self {
            campaign: CampaignId(fields.take()),
            enrollment: EnrollmentId(fields.take()),
            number: u32::from_be_bytes(fields.take()),
        })
    }
}
