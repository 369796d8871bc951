//! The click token: the signed evidence of one click, which the shop hands back with an order.
//!
//! | bytes | field |
//! |--:|---|
//! | 4 | head: version, mode, key id |
//! | 16 | campaign |
//! | 16 | enrollment |
//! | 4 | link number, most significant byte first |
//! | 16 | click id, a version 7 UUID: its first 6 bytes are the time of the click |
//! | 8 | fingerprint of the client's network |
//! | 8 | fingerprint of the user agent |
//! | 16 | MAC under the click key |
//!
//! Self-contained: nothing about a click has to be stored for a conversion to be credited. The
//! fingerprints are keyed with the pepper of the master that signs, so the key id in the head says
//! how to compute them again; they tell risk that two visitors look alike, and nobody else anything.
//! Network: `HMAC-SHA256(pepper, "network/4" ‖ first 3 bytes)[..8]`, or `"network/6"` and the first 6
//! bytes. User agent: `HMAC-SHA256(pepper, "agent" ‖ header)[..8]`.

use std::net::IpAddr;

use super::key_set::{KeySet, MacKey};
use super::keys::KeyId;
use super::token::{
    HEAD, MAC, Reader, TokenError, Writer, check_head, check_mac, decode, text_length,
};
use crate::ids::{CampaignId, ClickId, EnrollmentId};

/// Bytes of a click token.
pub const CLICK_BYTES: usize = HEAD + 16 + 16 + 4 + 16 + 8 + 8 + MAC;

/// Characters of its text.
pub const CLICK_LENGTH: usize = text_length(CLICK_BYTES);

/// A time that no click id carries: before 1970 or beyond 48 bits of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} ms is no time of a click")]
pub struct ClickTimeError(i64);

impl ClickId {
    /// A version 7 UUID from the time of the click, in milliseconds, and 10 random bytes, of which
    /// 74 bits are used.
    ///
    /// # Errors
    /// [`ClickTimeError`] for a time before 1970 or after the year 10000.
    pub fn try_new(at_ms: i64, random: [u8; 10]) -> Result<Self, ClickTimeError> {
        let time = u64::try_from(at_ms).ok().filter(|ms| *ms < 1 << 48);
        let [_, _, time @ ..] = time.ok_or(ClickTimeError(at_ms))?.to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = bytes[6] & 0x0f | 0x70;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// When the click happened, milliseconds.
    pub fn at_ms(self) -> i64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0[..6]);
        i64::from_be_bytes(bytes)
    }
}

/// Keyed hash of the network that a visitor comes from: alike for neighbours, says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkFingerprint(pub [u8; 8]);

impl NetworkFingerprint {
    /// Of the first 24 bits of an IPv4 address or the first 48 of an IPv6 one. An IPv4 address in
    /// the clothes of IPv6 is taken as what it is.
    pub fn new(pepper: &MacKey, address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let prefix = &address.octets()[..3];
                Self(pepper.short_tag(&[b"network/4", prefix]))
            }
            IpAddr::V6(address) => {
                let prefix = &address.octets()[..6];
                Self(pepper.short_tag(&[b"network/6", prefix]))
            }
        }
    }
}

/// Keyed hash of a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentFingerprint(pub [u8; 8]);

impl AgentFingerprint {
    /// Of the header as it came; empty where there was none.
    pub fn new(pepper: &MacKey, user_agent: &[u8]) -> Self {
        Self(pepper.short_tag(&[b"agent", user_agent]))
    }
}

/// What a click token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickToken {
    /// Whose funds pay for what it brings.
    pub campaign: CampaignId,
    /// Whom it credits.
    pub enrollment: EnrollmentId,
    /// Which link of this enrollment was clicked.
    pub link: u32,
    /// Names the click and carries its time.
    pub click: ClickId,
    /// Where the visitor came from, coarsely; under [`KeySet::pepper`].
    pub network: NetworkFingerprint,
    /// What the visitor came with; under [`KeySet::pepper`].
    pub agent: AgentFingerprint,
}

impl ClickToken {
    /// The text of this token, signed by the newest master, under whose pepper the fingerprints
    /// were made.
    pub fn sign(&self, keys: &KeySet) -> String {
        let mut token = Writer::<CLICK_BYTES>::begin(keys);
        token.put(&self.campaign.0);
        token.put(&self.enrollment.0);
        token.put(&self.link.to_be_bytes());
        token.put(&self.click.0);
        token.put(&self.network.0);
        token.put(&self.agent.0);
        token.sign(&keys.signing().click)
    }

    /// The click that a text says it is of, believed by nobody: only to compare with one that was
    /// verified before.
    pub fn claimed(text: &str) -> Option<ClickId> {
        let bytes: [u8; CLICK_BYTES] = decode(text).ok()?;
        let mut fields = Reader::new(&bytes);
        let _: ([u8; HEAD], [u8; 16], [u8; 16], [u8; 4]) =
            (fields.take(), fields.take(), fields.take(), fields.take());
        Some(ClickId(fields.take()))
    }

    /// Reads and verifies a token at `now`, milliseconds. Only the token says which campaign it
    /// is for, so `window_ms_of` is asked, after the MAC was found right, how long the attribution
    /// and replay windows of that campaign are together. Also tells which master signed, whose
    /// pepper the fingerprints need. Allocates nothing.
    ///
    /// # Errors
    /// [`TokenError`] says what it is not.
    pub fn verify(
        text: &str,
        keys: &KeySet,
        now: i64,
        window_ms_of: impl FnOnce(CampaignId) -> i64,
    ) -> Result<(Self, KeyId), TokenError> {
        let bytes: [u8; CLICK_BYTES] = decode(text)?;
        let mut fields = Reader::new(&bytes);
        let master = check_head(fields.take(), keys)?;
        check_mac(&bytes, &master.click)?;
        let token = Self {
            campaign: CampaignId(fields.take()),
            enrollment: EnrollmentId(fields.take()),
            link: u32::from_be_bytes(fields.take()),
            click: ClickId(fields.take()),
            network: NetworkFingerprint(fields.take()),
            agent: AgentFingerprint(fields.take()),
        };
        master.check_retired(now, || window_ms_of(token.campaign))?;
        Ok((token, master.id))
    }
}
