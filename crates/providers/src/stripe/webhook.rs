//! Webhooks: `Stripe-Signature: t=<Unix seconds>,v1=<hex>[,v1=<hex>…]`.
//!
//! HMAC-SHA256 over `t`, a full stop and the body as it came, with the endpoint's whole secret as
//! key. The signature is checked before a byte of the body is read. Several `v1` stand there while
//! a secret is being replaced; other versions count for nothing.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sponsorhub_app::ports::payment::ProviderEvent;
use sponsorhub_core::ledger::event::campaign::Mode;

use crate::secret::Secret;

use super::events::event;

/// The header.
pub const HEADER: &str = "stripe-signature";

/// How far the time may be off, either way, seconds.
const TOLERANCE_S: u64 = 300;

/// Signatures that are looked at; a provider sends one for each of its live secrets.
const TAGS_MAX: usize = 16;

/// Why a webhook is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No header.
    #[error("the webhook has no signature")]
    Missing,
    /// No time, or no signature of the version that counts.
    #[error("the webhook's signature cannot be read")]
    Malformed,
    /// None of the secrets made it for this body.
    #[error("the webhook's signature is not that of this body")]
    Wrong,
    /// Signed too long ago, or ahead.
    #[error("the webhook was signed more than five minutes ago or ahead")]
    Stale,
    /// Authentic, but not an event as it was agreed.
    #[error("the webhook's event cannot be read: {0}")]
    Event(String),
    /// Authentic, but about another world's money: to be acknowledged and left alone.
    #[error("the webhook's event {0} is about another world")]
    OtherWorld(String),
}

/// A list of secrets is empty, or one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook endpoint needs at least one secret, and none may be empty")]
pub struct NoSecret;

/// Checks the webhooks of one endpoint.
#[derive(Clone)]
pub struct Webhooks {
    keys: Vec<Hmac<Sha256>>,
    mode: Mode,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Checks by these secrets, of which any will do.
    ///
    /// # Errors
    /// [`NoSecret`]: without a secret everybody could sign.
    pub fn try_new(secrets: &[Secret], mode: Mode) -> Result<Self, NoSecret> {
        let is_missing = |secret: &Secret| secret.reveal().trim().is_empty();
        if secrets.is_empty() || secrets.iter().any(is_missing) {
            return Err(NoSecret);
        }
        let key = |secret: &Secret| {
            Hmac::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length")
        };
        Ok(Self { keys: secrets.iter().map(key).collect(), mode })
    }

    /// Checks the header's text against a body that came at `now`, milliseconds, and reads the event.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn verify(
        &self,
        header: Option<&str>,
        body: &[u8],
        now: i64,
    ) -> Result<ProviderEvent, WebhookError> {
        let (time, tags) = read_header(header.ok_or(WebhookError::Missing)?)?;
        let seconds: i64 = time.parse().map_err(|_| WebhookError::Malformed)?;
        let is_signed = self.keys.iter().any(|key| {
            let mut mac = key.clone();
            mac.update(time.as_bytes());
            mac.update(b".");
            mac.update(body);
            tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
        });
        if !is_signed {
            return Err(WebhookError::Wrong);
        }
        if now.div_euclid(1_000).abs_diff(seconds) > TOLERANCE_S {
            return Err(WebhookError::Stale);
        }
        let event = event(body).map_err(WebhookError::Event)?;
        if event.is_live != (self.mode == Mode::Live) {
            return Err(WebhookError::OtherWorld(event.id));
        }
        Ok(event)
    }
}

/// The time as it was signed, and the signatures of the version that counts.
fn read_header(header: &str) -> Result<(&str, Vec<Vec<u8>>), WebhookError> {
    let mut time = None;
    let mut tags = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(WebhookError::Malformed),
            Some(("t", seconds)) => time = Some(seconds),
            // One that is no hex cannot match; the others still may.
            Some(("v1", tag)) if tags.len() < TAGS_MAX => {
                tags.extend(HEXLOWER.decode(tag.as_bytes()).ok());
            }
            _ => {}
        }
    }
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let time = time.filter(is_number).ok_or(WebhookError::Malformed)?;
    if tags.is_empty() { Err(WebhookError::Malformed) } else { Ok((time, tags)) }
}
