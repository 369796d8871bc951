//! Keys for one purpose each, derived once from every master of a keyring.
//!
//! `HKDF-SHA256(salt = keyring id, secret = master, info = "sponsorhub/v1/<mode>/<purpose>")`. A
//! key of one purpose, mode or installation is of no use in another, so a token of one kind is
//! never taken for another kind.
//!
//! Which key is believed: a revoked one never. Links live in profiles for years and promo codes as
//! long as their enrollment, so those keys verify until they are revoked; a click is worth nothing
//! after the attribution and replay windows, so a click key verifies that long after it retired.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::keys::{KeyId, Keyring, KeyringId, Master, Mode, Secret};
use super::token::TokenError;
use crate::ids::{CampaignId, WebhookId};
use crate::merkle::checkpoint::{LogKey, Origin};

/// What a derived key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signs link tokens.
    Link,
    /// Signs click tokens.
    Click,
    /// Makes the check characters of promo codes.
    Promo,
    /// Wraps the dedup keys of campaigns.
    DedupWrap,
    /// Keys the coarse fingerprints of visitors.
    Pepper,
    /// Seeds the signing keys of campaign logs.
    Log,
    /// Signs webhooks that we send.
    Webhook,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 7] = [
        Self::Link,
        Self::Click,
        Self::Promo,
        Self::DedupWrap,
        Self::Pepper,
        Self::Log,
        Self::Webhook,
    ];

    /// The name in the derivation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Click => "click",
            Self::Promo => "promo",
            Self::DedupWrap => "dedup_wrap",
            Self::Pepper => "pepper",
            Self::Log => "log",
            Self::Webhook => "webhook",
        }
    }

    /// Derives the 32 bytes of this purpose's key.
    pub fn derive(self, keyring: KeyringId, mode: Mode, master: Secret) -> [u8; 32] {
        let info = format!("sponsorhub/v1/{mode}/{}", self.name());
        let mut key = [0; 32];
        let derived = Hkdf::<Sha256>::new(Some(&keyring.0), &master.0);
        derived.expand(info.as_bytes(), &mut key).expect("32 bytes are within what HKDF gives");
        key
    }
}

/// A key for HMAC-SHA256, prepared once; each use clones its state.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl MacKey {
    /// Prepares a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }

    /// The MAC over the parts in a row. Whoever hands in parts of changing length also hands in
    /// their lengths.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Begins a MAC over fields that each stand behind their length.
    pub(crate) fn begin(&self) -> FieldMac {
        FieldMac(self.0.clone())
    }

    /// The first bytes of [`MacKey::tag`].
    pub(crate) fn short_tag<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        *self.tag(parts).first_chunk().expect("at most 32 bytes are asked for")
    }

    /// Whether `tag`, of at least 16 bytes, is the MAC over the parts or its beginning; takes the
    /// same time for every tag of a length.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        // A shorter tag would be found by trying.
        tag.len() >= 16 && self.over(parts).verify_truncated_left(tag).is_ok()
    }
}

/// A MAC over fields of any length.
pub(crate) struct FieldMac(Hmac<Sha256>);

impl FieldMac {
    /// Adds a field behind its length in 4 bytes, most significant first.
    pub(crate) fn put(&mut self, field: &[u8]) {
        let length = u32::try_from(field.len()).expect("a field is shorter than 4 GiB");
        self.0.update(&length.to_be_bytes());
        self.0.update(field);
    }

    /// The first 16 bytes of the MAC.
    pub(crate) fn end(self) -> [u8; 16] {
        let tag: [u8; 32] = self.0.finalize().into_bytes().into();
        *tag.first_chunk().expect("16 of 32 bytes")
    }
}

/// The keys of one master.
#[derive(Clone)]
pub(crate) struct MasterKeys {
    pub(crate) id: KeyId,
    pub(crate) link: MacKey,
    pub(crate) click: MacKey,
    pub(crate) promo: MacKey,
    pub(crate) dedup_wrap: [u8; 32],
    pepper: MacKey,
    log: MacKey,
    webhook: MacKey,
    retired_at: Option<i64>,
    is_revoked: bool,
}

impl MasterKeys {
    fn new(keyring: &Keyring, master: &Master) -> Self {
        let derive = |purpose: Purpose| purpose.derive(keyring.id(), keyring.mode(), master.secret);
        let mac = |purpose| MacKey::new(&derive(purpose));
        Self {
            id: master.id,
            link: mac(Purpose::Link),
            click: mac(Purpose::Click),
            promo: mac(Purpose::Promo),
            dedup_wrap: derive(Purpose::DedupWrap),
            pepper: mac(Purpose::Pepper),
            log: mac(Purpose::Log),
            webhook: mac(Purpose::Webhook),
            retired_at: master.retired_at,
            is_revoked: master.revoked_at.is_some(),
        }
    }

    /// Whether what this master signed may still be believed at `now`: for so many milliseconds
    /// after it retired.
    pub(crate) fn check_retired(
        &self,
        now: i64,
        window_ms: impl FnOnce() -> i64,
    ) -> Result<(), TokenError> {
        match self.retired_at {
            Some(retired_at) if now > retired_at.saturating_add(window_ms()) => {
                Err(TokenError::RetiredKey(self.id))
            }
            _ => Ok(()),
        }
    }
}

/// All keys of an installation, ready for use; an immutable snapshot of one keyring.
#[derive(Clone)]
pub struct KeySet {
    id: KeyringId,
    mode: Mode,
    masters: Vec<MasterKeys>,
    signer: usize,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.masters.iter().map(|keys| keys.id).collect();
        let mut shown = f.debug_struct("KeySet");
        shown.field("mode", &self.mode).field("masters", &ids).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Derives all keys: seven for each master.
    pub fn new(keyring: &Keyring) -> Self {
        let masters = keyring.masters();
        let newest = masters.iter().enumerate().filter(|(_, master)| master.signs());
        let newest = newest.max_by_key(|(_, master)| master.id);
        let (signer, _) = newest.expect("a keyring in which no master signs is not read");
        let masters = masters.iter().map(|master| MasterKeys::new(keyring, master)).collect();
        Self { id: keyring.id(), mode: keyring.mode(), masters, signer }
    }

    /// Names the installation.
    pub const fn id(&self) -> KeyringId {
        self.id
    }

    /// The world of the installation.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The master that signs: the newest that is neither retired nor revoked.
    pub fn signer(&self) -> KeyId {
        self.signing().id
    }

    /// All masters, the newest first, revoked ones too.
    pub fn ids(&self) -> Vec<KeyId> {
        let mut ids: Vec<_> = self.masters.iter().map(|keys| keys.id).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    }

    pub(crate) fn signing(&self) -> &MasterKeys {
        &self.masters[self.signer]
    }

    /// The keys of a master, revoked or not: only for what was wrapped under them.
    pub(crate) fn find(&self, id: KeyId) -> Option<&MasterKeys> {
        self.masters.iter().find(|keys| keys.id == id)
    }

    /// Whether a master of this keyring was revoked.
    pub fn is_revoked(&self, id: KeyId) -> bool {
        self.find(id).is_some_and(|keys| keys.is_revoked)
    }

    /// The keys of a master whose signatures are believed.
    pub(crate) fn believed(&self, id: KeyId) -> Result<&MasterKeys, TokenError> {
        let keys = self.find(id).ok_or(TokenError::UnknownKey(id))?;
        if keys.is_revoked {
            return Err(TokenError::RevokedKey(id));
        }
        Ok(keys)
    }

    /// The key for fingerprints of visitors that go into tokens signed now.
    pub fn pepper(&self) -> &MacKey {
        &self.signing().pepper
    }

    /// The key for fingerprints to compare with those in a token that this master signed.
    pub fn pepper_of(&self, id: KeyId) -> Option<&MacKey> {
        self.find(id).map(|keys| &keys.pepper)
    }

    /// The secret with which a brand signs its reports, from a nonce that is kept beside its API key
    /// and of no use without the keyring; none for an unknown master. 32 bytes.
    pub fn report_secret(&self, id: KeyId, nonce: &[u8; 16]) -> Option<[u8; 32]> {
        self.find(id).map(|keys| keys.webhook.tag(&[b"report/v1", nonce]))
    }

    /// The secret that webhooks to an endpoint are signed with, from the endpoint's id and how often it
    /// was rotated, so that none is kept; none for an unknown master. 32 bytes.
    pub fn endpoint_secret(
        &self,
        id: KeyId,
        endpoint: WebhookId,
        version: u32,
    ) -> Option<[u8; 32]> {
        let version = version.to_be_bytes();
        self.find(id).map(|keys| keys.webhook.tag(&[b"endpoint/v1", &endpoint.0, &version]))
    }

    /// The key that signs webhooks sent now.
    pub fn webhook(&self) -> &MacKey {
        &self.signing().webhook
    }

    /// The name under which the log of a campaign is known to outsiders.
    pub fn origin(&self, campaign: CampaignId) -> Origin {
        let text = format!("sponsorhub/{}/{}/{campaign}", self.mode, self.id);
        text.parse().expect("letters, digits, slashes and an underscore")
    }

    /// The key that signs checkpoints of a campaign now. Deriving it costs as much as a signature:
    /// keep it for as long as this key set.
    pub fn log_key(&self, campaign: CampaignId) -> LogKey {
        self.expand_log_key(self.signing(), campaign)
    }

    /// The key with which this master signed checkpoints of a campaign; none for an unknown one.
    pub fn log_key_of(&self, id: KeyId, campaign: CampaignId) -> Option<LogKey> {
        self.find(id).map(|keys| self.expand_log_key(keys, campaign))
    }

    fn expand_log_key(&self, keys: &MasterKeys, campaign: CampaignId) -> LogKey {
        let origin = self.origin(campaign);
        let seed = keys.log.tag(&[origin.as_str().as_bytes()]);
        LogKey::new(origin, &seed)
    }
}
