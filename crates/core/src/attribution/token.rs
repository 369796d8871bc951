//! What link tokens and click tokens have in common: a head, a MAC, one spelling, and the reasons
//! for refusing one.
//!
//! A token is a row of fields of fixed length, so no byte can move from one field to the next. Head:
//! version (1 byte), mode (1), key id (2, most significant first). The last 16 bytes are the first
//! half of an HMAC-SHA256 over everything before them. As text it is unpadded URL-safe base64
//! whose spare bits are zero: each token has exactly one spelling.

use data_encoding::BASE64URL_NOPAD;

use super::key_set::{KeySet, MacKey, MasterKeys};
use super::keys::{KeyId, Mode};

/// The version of the token formats that this program writes, and the only one that it reads.
pub const VERSION: u8 = 1;

/// Bytes of version, mode and key id.
pub(super) const HEAD: usize = 4;

/// Bytes of the MAC: 128 bits.
pub(super) const MAC: usize = 16;

/// Why a token or a promo code is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not the one spelling of a token: length, alphabet, spare bits or an unknown mode.
    #[error("not in the form of a token")]
    Malformed,
    /// Written in another version of the format.
    #[error("written in version {0} of the format; this program reads {VERSION}")]
    OtherVersion(u8),
    /// Made by an installation in another mode.
    #[error("made in mode {0}, which is not that of this installation")]
    OtherMode(Mode),
    /// No master of this number is in the keyring.
    #[error("signed under key {0}, which this installation does not have")]
    UnknownKey(KeyId),
    /// The master was revoked.
    #[error("signed under key {0}, which was revoked")]
    RevokedKey(KeyId),
    /// The master retired longer ago than anything that it signed is worth.
    #[error("signed under key {0}, which retired too long ago")]
    RetiredKey(KeyId),
    /// Not signed by the key that it names, or changed afterwards.
    #[error("not signed by the key that it names")]
    BadMac,
}

impl TokenError {
    /// The stable code, part of the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OtherVersion(_) => "other_version",
            Self::OtherMode(_) => "other_mode",
            Self::UnknownKey(_) => "unknown_key",
            Self::RevokedKey(_) => "revoked_key",
            Self::RetiredKey(_) => "retired_key",
            Self::BadMac => "bad_mac",
        }
    }
}

/// Decodes a token's text, which must be its one spelling, without an allocation.
pub(super) fn decode<const BYTES: usize>(text: &str) -> Result<[u8; BYTES], TokenError> {
    let mut bytes = [0; BYTES];
    // The length comes first: the decoder wants room of exactly the right size.
    if text.len() != text_length(BYTES) {
        return Err(TokenError::Malformed);
    }
    match BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes) {
        Ok(length) if length == BYTES => Ok(bytes),
        _ => Err(TokenError::Malformed),
    }
}

/// Characters of so many bytes in unpadded base64.
pub(super) const fn text_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Checks the head and finds the keys of the master that it names.
pub(super) fn check_head(head: [u8; HEAD], keys: &KeySet) -> Result<&MasterKeys, TokenError> {
    let [version, mode, high, low] = head;
    if version != VERSION {
        return Err(TokenError::OtherVersion(version));
    }
    let mode = Mode::from_byte(mode).ok_or(TokenError::Malformed)?;
    if mode != keys.mode() {
        return Err(TokenError::OtherMode(mode));
    }
    keys.believed(KeyId(u16::from_be_bytes([high, low])))
}

/// Checks the MAC at the end.
pub(super) fn check_mac(bytes: &[u8], key: &MacKey) -> Result<(), TokenError> {
    let (signed, mac) = bytes.split_at(bytes.len() - MAC);
    if key.verify(&[signed], mac) { Ok(()) } else { Err(TokenError::BadMac) }
}

/// Writes fields one after the other into a row of fixed length.
pub(super) struct Writer<const BYTES: usize> {
    bytes: [u8; BYTES],
    at: usize,
}

impl<const BYTES: usize> Writer<BYTES> {
    /// Begins with the head of a token that is signed now.
    pub(super) fn begin(keys: &KeySet) -> Self {
        let mut writer = Self { bytes: [0; BYTES], at: 0 };
        writer.put(&[VERSION, keys.mode().byte()]);
        writer.put(&keys.signer().0.to_be_bytes());
        writer
    }

    pub(super) fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    /// Signs what was written, which must leave room for exactly the MAC, and gives the text.
    pub(super) fn sign(mut self, key: &MacKey) -> String {
        debug_assert_eq!(self.at + MAC, BYTES, "all fields are written");
        let mac: [u8; MAC] = key.short_tag(&[&self.bytes[..self.at]]);
        self.put(&mac);
        BASE64URL_NOPAD.encode(&self.bytes)
    }
}

/// Reads fields one after the other.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("a token is as long as its fields");
        self.0 = rest;
        *field
    }
}
