//! Keys under which events enter a ledger at most once (INV-4), and the secret behind them.
//!
//! Each campaign has a dedup key of its own: 32 random bytes, never rotated, because the same event
//! must have the same composite key for ever. It is stored only wrapped, and destroyed at the end
//! of retention; from then on the keys in the entries say nothing about orders that someone might
//! guess.
//!
//! All values are `HMAC-SHA256(dedup key, fields)[..16]`, where each field stands behind its length
//! in 4 bytes, most significant first, and the first field names the kind of value. So fields
//! cannot be shifted into each other, and one kind of value never equals another by design.
//!
//! | value | fields |
//! |---|---|
//! | composite key | `composite/v1`, campaign (16 bytes), source, external id, event type |
//! | fingerprint of the content | `content/v1`, artifact, amount (8 bytes, or none), currency, event type |
//! | slot of a click | `click-slot/v1`, click id (16 bytes), event type, place from 0 (4 bytes) |
//!
//! Wrapped, a dedup key is 75 bytes: version 1 (1 byte), key id (2), nonce (24), and the 32 bytes
//! sealed by XChaCha20-Poly1305 under the `dedup_wrap` key with their tag (48). Campaign and key id
//! (18 bytes) are the associated data.

use std::fmt;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use crate::attribution::key_set::{KeySet, MacKey, MasterKeys};
use crate::attribution::keys::KeyId;
use crate::ids::{CampaignId, ClickId, CompositeKey, Fingerprint};
use crate::money::{Currency, Minor};

/// The version of the wrapped form that this program writes, and the only one that it reads.
const VERSION: u8 = 1;

/// Bytes of a wrapped dedup key: version, key id, nonce, the sealed key and its tag.
pub const WRAPPED_BYTES: usize = 1 + 2 + 24 + 32 + 16;

/// Why a wrapped dedup key was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// Not as long as a wrapped key.
    #[error("a wrapped dedup key has {WRAPPED_BYTES} bytes, not {0}")]
    Length(usize),
    /// Written in another version of the form.
    #[error("wrapped in version {0} of the form; this program reads {VERSION}")]
    OtherVersion(u8),
    /// No master of this number is in the keyring.
    #[error("wrapped under key {0}, which this installation does not have")]
    UnknownKey(KeyId),
    /// Damaged, wrapped for another campaign or by another installation.
    #[error("the wrapped dedup key does not open for this campaign")]
    Sealed,
}

/// The secret of one campaign by which its events are recognised.
#[derive(Clone)]
pub struct DedupKey {
    secret: [u8; 32],
    mac: MacKey,
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl DedupKey {
    /// The dedup key of these 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, mac: MacKey::new(&secret) }
    }

    /// The key sealed for storage under the newest master, for this campaign alone
    /// (XChaCha20-Poly1305). The nonce is random and may be: it has 192 bits.
    pub fn wrap(
        &self,
        keys: &KeySet,
        campaign: CampaignId,
        nonce: [u8; 24],
    ) -> [u8; WRAPPED_BYTES] {
        let master = keys.signing();
        let mut sealed = self.secret;
        let tag = cipher(master)
            .encrypt_inout_detached(
                &nonce.into(),
                &bound_to(campaign, master.id),
                sealed.as_mut_slice().into(),
            )
            .expect("32 bytes are within what the cipher takes");
        let mut bytes = [0; WRAPPED_BYTES];
        bytes[0] = VERSION;
        bytes[1..3].copy_from_slice(&master.id.0.to_be_bytes());
        bytes[3..27].copy_from_slice(&nonce);
        bytes[27..59].copy_from_slice(&sealed);
        bytes[59..].copy_from_slice(&tag);
        bytes
    }

    /// Opens what [`DedupKey::wrap`] sealed. A revoked master opens what it sealed: events must be
    /// recognised whatever happened to a key, and wrapping again under a new master is possible
    /// only after opening.
    ///
    /// # Errors
    /// [`UnwrapError`] says why it does not open.
    pub fn unwrap(bytes: &[u8], keys: &KeySet, campaign: CampaignId) -> Result<Self, UnwrapError> {
        let wrong_length = UnwrapError::Length(bytes.len());
        let bytes: &[u8; WRAPPED_BYTES] = bytes.try_into().map_err(|_| wrong_length)?;
        let [version, high, low, rest @ ..] = bytes;
        if *version != VERSION {
            return Err(UnwrapError::OtherVersion(*version));
        }
        let id = KeyId(u16::from_be_bytes([*high, *low]));
        let master = keys.find(id).ok_or(UnwrapError::UnknownKey(id))?;
        let (nonce, rest) = rest.split_first_chunk::<24>().ok_or(wrong_length)?;
        let (sealed, tag) = rest.split_first_chunk::<32>().ok_or(wrong_length)?;
        let tag: [u8; 16] = tag.try_into().map_err(|_| wrong_length)?;
        let mut secret = *sealed;
        cipher(master)
            .decrypt_inout_detached(
                &(*nonce).into(),
                &bound_to(campaign, id),
                secret.as_mut_slice().into(),
                &tag.into(),
            )
            .map_err(|_| UnwrapError::Sealed)?;
        Ok(Self::new(secret))
    }

    /// The key under which an event enters once (INV-4).
    pub fn composite_key(
        &self,
        campaign: CampaignId,
        source: &str,
        external_id: &str,
        event_type: &str,
    ) -> CompositeKey {
        let fields = [source.as_bytes(), external_id.as_bytes(), event_type.as_bytes()];
        let [source, external_id, event_type] = fields;
        CompositeKey(self.value("composite/v1", &[&campaign.0, source, external_id, event_type]))
    }

    /// Tells a repeated delivery from other content under the same composite key. The artifact is
    /// the click id or folded promo code, of a reversal what it reverses; a reversal without an
    /// amount means the rest, which is another content than any amount.
    pub fn fingerprint(
        &self,
        artifact: &str,
        amount: Option<Minor>,
        currency: Currency,
        event_type: &str,
    ) -> Fingerprint {
        let amount = amount.map(|amount| amount.0.to_be_bytes());
        let amount = amount.as_ref().map_or(&[][..], |bytes| bytes);
        let [artifact, event_type] = [artifact, event_type].map(str::as_bytes);
        let currency = currency.code().as_bytes();
        Fingerprint(self.value("content/v1", &[artifact, amount, currency, event_type]))
    }

    /// The second unique key of a conversion by click: place `n`, from 0, among the conversions of
    /// this type that the terms allow for the click.
    pub fn click_slot(&self, click: ClickId, event_type: &str, n: u32) -> CompositeKey {
        let fields = [&click.0[..], event_type.as_bytes(), &n.to_be_bytes()];
        CompositeKey(self.value("click-slot/v1", &fields))
    }

    fn value(&self, kind: &str, fields: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.mac.begin();
        for field in std::iter::once(kind.as_bytes()).chain(fields.iter().copied()) {
            mac.put(field);
        }
        mac.end()
    }
}

fn cipher(master: &MasterKeys) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&master.dedup_wrap.into())
}

/// What is authenticated beside the sealed bytes: they open for this campaign and key id alone.
fn bound_to(campaign: CampaignId, key: KeyId) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&campaign.0);
    bytes[16..].copy_from_slice(&key.0.to_be_bytes());
    bytes
}
