//! API keys of brands.

use std::fmt;

use sponsorhub_core::ids::{ApiKeyId, BrandId};

use super::Wrapped;

/// SHA-256 of an API key's secret. Not shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key with which a brand's shop reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public name.
    pub id: ApiKeyId,
    /// Whose.
    pub brand: BrandId,
    /// How it is found.
    pub secret_hash: SecretHash,
    /// What it may do: words without blanks.
    pub scopes: Vec<String>,
    /// Whether what is reported with it must be signed.
    pub needs_signature: bool,
    /// The secret that signatures are made with.
    pub signing_secret: Option<Wrapped>,
    /// When it was issued, milliseconds.
    pub created_at: i64,
    /// When it was last used, as far as that was noted, milliseconds.
    pub last_used_at: Option<i64>,
    /// From when it is no longer valid, milliseconds.
    pub expires_at: Option<i64>,
    /// When it was revoked, milliseconds.
    pub revoked_at: Option<i64>,
    /// The key that it takes over from.
    pub replaces: Option<ApiKeyId>,
}

impl ApiKey {
    /// Whether it may be used at this time, milliseconds. Revoked is revoked at any time.
    pub fn is_valid(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}
