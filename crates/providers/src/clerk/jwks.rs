//! The identity provider's public keys, fetched when they are needed and seldom.
//!
//! A key id that nobody knows makes the keys be fetched again, but at most once in a cooldown that
//! looks at the time alone (shorter only while no key is known at all): neither the number of unknown ids nor the success of a fetch shortens
//! it, so tokens that somebody invents cannot make us flood the provider. If it cannot be reached,
//! the keys that are known go on for a day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::DecodingKey;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;
use sponsorhub_app::ports::IdentityError;

use crate::http;

/// At most one fetch in this time, milliseconds.
pub(super) const COOLDOWN_MS: u64 = 60_000;

/// The same while no key is known that is believed: then nobody can sign in, and a second is soon enough to
/// look again without flooding the provider, milliseconds.
pub(super) const COLD_COOLDOWN_MS: u64 = 1_000;

/// Keys older than this are fetched again when they are asked for, milliseconds.
pub(super) const FRESH_MS: u64 = 3_600_000;

/// Keys older than this are not believed any more, milliseconds.
pub(super) const STALE_MS: u64 = 86_400_000;

/// Largest set that is read, bytes.
const SET_BYTES_MAX: usize = 1 << 18;

/// The shortest modulus that is believed, bytes.
const MODULUS_BYTES_MIN: usize = 256;

type Keys = BTreeMap<String, DecodingKey>;

#[derive(Clone, Default)]
struct Known {
    keys: Arc<Keys>,
    fetched_at: Option<i64>,
    tried_at: Option<i64>,
}

impl Known {
    fn age(&self, now: i64) -> Option<u64> {
        self.fetched_at.map(|at| now.abs_diff(at))
    }

    /// The key, if it is believed at `now`.
    fn get(&self, kid: &str, now: i64) -> Option<DecodingKey> {
        let is_believed = self.age(now).is_some_and(|age| age < STALE_MS);
        self.keys.get(kid).filter(|_| is_believed).cloned()
    }
}

/// The keys and where they come from.
pub(super) struct KeyCache {
    client: Client,
    url: Url,
    known: Mutex<Known>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

impl KeyCache {
    pub(super) fn new(client: Client, url: Url) -> Self {
        Self { client, url, known: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key of that id.
    pub(super) async fn key(&self, kid: &str, now: i64) -> Result<DecodingKey, IdentityError> {
        let known = self.known();
        if let Some(key) = known.get(kid, now) {
            let is_fresh = known.age(now).is_some_and(|age| age < FRESH_MS);
            // While somebody else fetches, the old key will do.
            if !is_fresh && let Ok(turn) = self.fetching.try_lock() {
                self.fetch_if_due(now).await;
                drop(turn);
                return self.known().get(kid, now).ok_or(IdentityError::UnknownKey);
            }
            return Ok(key);
        }
        let turn = self.fetching.lock().await;
        // Whoever waited while somebody else tried does not try once more: a provider that hangs would keep a
        // whole line waiting, one after the other.
        if self.known().tried_at == known.tried_at {
            self.fetch_if_due(now).await;
        }
        drop(turn);
        let known = self.known();
        known.get(kid, now).ok_or_else(|| {
            let is_usable = known.age(now).is_some_and(|age| age < STALE_MS);
            if is_usable { IdentityError::UnknownKey } else { IdentityError::Unavailable }
        })
    }

    /// Fetches, unless that was tried within the cooldown. The caller holds the turn.
    async fn fetch_if_due(&self, now: i64) {
        let is_due = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let is_usable = known.age(now).is_some_and(|age| age < STALE_MS);
            let cooldown = if is_usable { COOLDOWN_MS } else { COLD_COOLDOWN_MS };
            let is_due = known.tried_at.is_none_or(|at| now.abs_diff(at) >= cooldown);
            if is_due {
                // Noted before: whoever gives up waiting does not shorten the cooldown.
                known.tried_at = Some(now);
            }
            is_due
        };
        if !is_due {
            return;
        }
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.keys = Arc::new(keys);
                known.fetched_at = Some(now);
            }
            Err(why) => tracing::warn!(why, "identity provider: its keys cannot be fetched"),
        }
    }

    async fn fetch(&self) -> Result<Keys, String> {
        let response = self.client.get(self.url.clone()).send().await;
        let response = response.map_err(|error| error.without_url().to_string())?;
        let status = response.status();
        if status != 200 {
            return Err(format!("status {status}"));
        }
        let bytes = http::body(response, SET_BYTES_MAX).await.map_err(|error| error.to_string())?;
        read_set(&bytes)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    kty: String,
    alg: Option<String>,
    r#use: Option<String>,
    n: String,
    e: String,
}

impl Key {
    fn is_ours(&self) -> bool {
        let is = |claimed: &Option<String>, wanted| {
            claimed.as_ref().is_none_or(|claimed| claimed == wanted)
        };
        let modulus = data_encoding::BASE64URL_NOPAD.decode(self.n.as_bytes());
        self.kty == "RSA"
            && is(&self.alg, "RS256")
            && is(&self.r#use, "sig")
            && !self.kid.is_empty()
            && modulus.is_ok_and(|modulus| modulus.len() >= MODULUS_BYTES_MIN)
    }
}

/// Reads a set of keys and takes those that can sign a session token; none is an error.
fn read_set(bytes: &[u8]) -> Result<Keys, String> {
    let set: Set = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let keys = set.keys.into_iter().filter_map(|key| {
        let key: Key = serde_json::from_value(key).ok()?;
        let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
        key.is_ours().then_some((key.kid, decoding))
    });
    let keys: Keys = keys.collect();
    if keys.is_empty() { Err("it has no key that can be used".to_owned()) } else { Ok(keys) }
}
