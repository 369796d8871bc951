//! API keys: `shk_{mode}_{43 characters}`, shown once, kept as a hash.
//!
//! 32 random bytes need no slow hash: nobody guesses them, and SHA-256 keeps a stolen database from
//! giving them away.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sponsorhub_core::actor::Scope;
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_core::ids::{ApiKeyId, BrandId};
use sponsorhub_store::registry::{ApiKey, SecretHash, Wrapped};
use sponsorhub_store::{Change, Recorded, Rule, Store, StoreError};

use crate::catalog::{Keys, report_secret_text};
use crate::ports::{Chance, random};

/// The scope that lets a key report conversions.
pub const CONVERSIONS_WRITE: &str = Scope::ConversionsWrite.name();

/// Scopes that there are.
pub const SCOPES: [&str; 3] =
    [CONVERSIONS_WRITE, Scope::CampaignsRead.name(), Scope::LedgerRead.name()];

/// A key's secret. Printed without it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret {
    mode: Mode,
    secret: [u8; 32],
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Not in the form of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an API key is shk_, the mode, _ and 43 characters")]
pub struct ApiKeyMalformed;

impl ApiKeySecret {
    /// The key of these 32 random bytes.
    pub const fn new(mode: Mode, secret: [u8; 32]) -> Self {
        Self { mode, secret }
    }

    /// For which world it is.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Under what it is found.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.reveal()).into()
    }

    /// The text, for the one time that it is shown.
    pub fn reveal(&self) -> String {
        format!("shk_{}_{}", self.mode.name(), BASE64URL_NOPAD.encode(&self.secret))
    }
}

impl FromStr for ApiKeySecret {
    type Err = ApiKeyMalformed;

    fn from_str(text: &str) -> Result<Self, ApiKeyMalformed> {
        let rest = text.strip_prefix("shk_").ok_or(ApiKeyMalformed)?;
        let (mode, secret) = rest.split_once('_').ok_or(ApiKeyMalformed)?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode);
        let mut bytes = [0; 32];
        if secret.len() != 43 {
            return Err(ApiKeyMalformed);
        }
        BASE64URL_NOPAD.decode_mut(secret.as_bytes(), &mut bytes).map_err(|_| ApiKeyMalformed)?;
        Ok(Self { mode: mode.ok_or(ApiKeyMalformed)?, secret: bytes })
    }
}

/// What is wanted of a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Whose shop will use it.
    pub brand: BrandId,
    /// What it may do; [`SCOPES`].
    pub scopes: Vec<String>,
    /// Whether reports must be signed.
    pub needs_signature: bool,
    /// From when it is no longer valid, milliseconds.
    pub expires_at: Option<i64>,
}

/// A key that was issued: the only time that its secrets are shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its public name.
    pub id: ApiKeyId,
    /// The secret.
    pub api_key: String,
    /// With what reports are signed, where they must be.
    pub signing_secret: Option<String>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({})", self.id)
    }
}

/// Why a key was not issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// A rule of the registry.
    #[error("{0}: {what}", what = words(*.0))]
    Rule(Rule),
    /// No such scope.
    #[error("scopes: `{0}` is none; there is {known}", known = SCOPES.join(", "))]
    Scope(String),
    /// It is revoked or has expired.
    #[error("it is no longer valid; issue another")]
    Over,
    /// Another key has taken over from it.
    #[error("a key that stands has taken over from it; rotate that one, or revoke it first")]
    Replaced,
    /// It would never be valid.
    #[error("expires_at: a time to come, milliseconds since 1970")]
    Expired,
    /// The queue is full.
    #[error("the store is busy; try again in a moment")]
    Busy,
    /// The world broke.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::BrandKnown => "there is no such brand",
        Rule::ApiKeyKnown => "there is no such API key",
        Rule::RevokedOnce => "it was revoked before",
        _ => "the registry refused",
    }
}

fn record(store: &dyn Store, change: Change) -> Result<(), ApiKeyError> {
    match store.record_and_wait(change).map_err(|_| ApiKeyError::Busy)?? {
        Recorded::Done | Recorded::Link { .. } => Ok(()),
        Recorded::Conflict { rule } => Err(ApiKeyError::Rule(rule)),
    }
}

/// Issues a key at `now`, milliseconds.
///
/// # Errors
/// [`ApiKeyError`].
pub fn issue(
    store: &dyn Store,
    keys: &Keys,
    chance: &dyn Chance,
    wanted: Wanted,
    now: i64,
) -> Result<Issued, ApiKeyError> {
    make(store, (keys, chance), wanted, None, now)
}

/// Makes a key, which may take over from another that ends at a time.
fn make(
    store: &dyn Store,
    (keys, chance): (&Keys, &dyn Chance),
    wanted: Wanted,
    replaces: Option<(ApiKeyId, i64)>,
    now: i64,
) -> Result<Issued, ApiKeyError> {
    if let Some(scope) = wanted.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(ApiKeyError::Scope(scope.clone()));
    }
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiKeyError::Expired);
    }
    let secret = ApiKeySecret::new(keys.set.mode(), random(chance));
    let id = ApiKeyId(random(chance));
    let signing = wanted.needs_signature.then(|| {
        let (master, nonce) = (keys.set.signer(), random(chance));
        let secret = keys.set.report_secret(master, &nonce).expect("the signer is known");
        (Wrapped([&master.0.to_be_bytes()[..], &nonce].concat()), report_secret_text(&secret))
    });
    let (wrapped, signing_secret) = signing.unzip();
    let key = ApiKey {
        id,
        replaces: replaces.map(|(key, _)| key),
        brand: wanted.brand,
        secret_hash: SecretHash(secret.hash()),
        scopes: wanted.scopes,
        needs_signature: wanted.needs_signature,
        signing_secret: wrapped,
        created_at: now,
        last_used_at: None,
        expires_at: wanted.expires_at,
        revoked_at: None,
    };
    let step = match replaces {
        Some((_, until)) => Change::ReplaceApiKey { key, until },
        None => Change::IssueApiKey(key),
    };
    match record(store, step) {
        Err(ApiKeyError::Rule(Rule::ReplacedOnce)) => return Err(ApiKeyError::Replaced),
        recorded => recorded?,
    }
    Ok(Issued { id, api_key: secret.reveal(), signing_secret })
}

/// Revokes a key at `now`, milliseconds. A running server follows within two seconds.
///
/// # Errors
/// [`ApiKeyError`].
pub fn revoke(store: &dyn Store, key: ApiKeyId, now: i64) -> Result<(), ApiKeyError> {
    record(store, Change::RevokeApiKey { key, at: now })
}

/// Which key another takes over from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Whose it is.
    pub brand: BrandId,
    /// Which.
    pub key: ApiKeyId,
    /// How long it goes on to be valid at the latest, milliseconds.
    pub until: i64,
    /// From when the new one is no longer valid, milliseconds; as the old one where nothing is said.
    pub expires_at: Option<i64>,
}

/// Issues the key that takes over from another, and may do the same.
///
/// # Errors
/// [`ApiKeyError`]; [`Rule::ApiKeyKnown`] of a key that is another brand's, [`ApiKeyError::Over`] of one
/// that is no longer valid, [`ApiKeyError::Replaced`] of one that has a successor already.
pub fn rotate(
    store: &dyn Store,
    keys: &Keys,
    chance: &dyn Chance,
    rotation: Rotation,
    now: i64,
) -> Result<Issued, ApiKeyError> {
    let Rotation { brand, key, until, expires_at } = rotation;
    let known = store.registry()?.api_keys(brand)?.into_iter().find(|known| known.id == key);
    let known = known.ok_or(ApiKeyError::Rule(Rule::ApiKeyKnown))?;
    if !known.is_valid(now) {
        return Err(ApiKeyError::Over);
    }
    let (scopes, needs_signature) = (known.scopes, known.needs_signature);
    let expires_at = expires_at.or(known.expires_at);
    let wanted = Wanted { brand, scopes, needs_signature, expires_at };
    make(store, (keys, chance), wanted, Some((key, until)), now)
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its public name.
    pub id: ApiKeyId,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether reports must be signed.
    pub needs_signature: bool,
    /// When it was issued, milliseconds.
    pub created_at: i64,
    /// When it was last used, to the minute, milliseconds.
    pub last_used_at: Option<i64>,
    /// From when it is no longer valid, milliseconds.
    pub expires_at: Option<i64>,
    /// When it was revoked, milliseconds.
    pub revoked_at: Option<i64>,
    /// The key that it takes over from.
    pub replaces: Option<ApiKeyId>,
}

/// The keys of a brand, in the order in which they were issued.
///
/// # Errors
/// [`StoreError`].
pub fn list(store: &dyn Store, brand: BrandId) -> Result<Vec<Listed>, StoreError> {
    let keys = store.registry()?.api_keys(brand)?.into_iter();
    let listed = keys.map(|key| Listed {
        id: key.id,
        scopes: key.scopes,
        needs_signature: key.needs_signature,
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        replaces: key.replaces,
    });
    Ok(listed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling_and_is_never_printed() {
        let key = ApiKeySecret::new(Mode::Sandbox, [250; 32]);
        let text = key.reveal();
        assert!(text.starts_with("shk_sandbox_"));
        assert_eq!(text.parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "***");
        for wrong in [
            text.replace("sandbox", "prod"),
            text.replace("shk_", "sk_"),
            format!("{text}A"),
            text[..text.len() - 1].to_owned(),
            format!("{}=", &text[..text.len() - 1]),
            text.to_uppercase(),
        ] {
            assert_eq!(wrong.parse::<ApiKeySecret>(), Err(ApiKeyMalformed), "{wrong}");
        }
    }
}
