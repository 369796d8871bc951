//! Webhooks of the identity provider, signed in the manner of Svix.
//!
//! HMAC-SHA256 over `svix-id`, `svix-timestamp` and the body as it came, with full stops between them.
//! The key is what the secret says in base64 behind `whsec_`. Any `v1` that fits will do; other versions
//! count for nothing. Events come in any order and more than once, so each says when it happened.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use sponsorhub_app::people::{Told, What};

use crate::secret::Secret;

/// How far the time may be off, either way, seconds.
const TOLERANCE_S: u64 = 300;

/// Signatures that are looked at.
const TAGS_MAX: usize = 16;

/// Times below this are seconds: as milliseconds they would lie before 1974.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// The headers of a webhook.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `svix-id`
    pub id: Option<&'a str>,
    /// `svix-timestamp`
    pub timestamp: Option<&'a str>,
    /// `svix-signature`
    pub signature: Option<&'a str>,
}

/// Why a webhook is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A header is missing.
    #[error("the webhook lacks svix-id, svix-timestamp or svix-signature")]
    Missing,
    /// The time is none.
    #[error("the webhook's svix-timestamp is no time in seconds")]
    Malformed,
    /// None of the secrets made it for this body.
    #[error("the webhook's signature is not that of this body")]
    Wrong,
    /// Signed too long ago, or ahead.
    #[error("the webhook was signed more than five minutes ago or ahead")]
    Stale,
    /// Authentic, but not an event as it was agreed.
    #[error("the webhook's event cannot be read: {0}")]
    Event(&'static str),
}

/// A secret is not in the form in which the identity provider shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "SPONSORHUB_CLERK_WEBHOOK_SECRET: `whsec_` and base64 of 16 bytes or more, as the identity provider shows it"
)]
pub struct BadSecret;

/// Checks the webhooks of the identity provider.
#[derive(Clone)]
pub struct Webhooks(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Checks by these secrets, of which any will do. Without one nothing is believed.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn try_new(secrets: &[Secret]) -> Result<Self, BadSecret> {
        let key = |secret: &Secret| {
            let text = secret.reveal().trim().strip_prefix("whsec_").ok_or(BadSecret)?;
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| BadSecret)?;
            if bytes.len() < 16 {
                return Err(BadSecret);
            }
            Ok(Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"))
        };
        secrets.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is a secret at all.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Checks the headers against a body that came at `now`, milliseconds, and reads the event.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn verify(
        &self,
        headers: Headers<'_>,
        body: &[u8],
        now: i64,
    ) -> Result<Told, WebhookError> {
        let Headers { id: Some(id), timestamp: Some(time), signature: Some(signature) } = headers
        else {
            return Err(WebhookError::Missing);
        };
        let seconds: i64 = time.parse().map_err(|_| WebhookError::Malformed)?;
        let tags = signature.split(' ').filter_map(|one| one.strip_prefix("v1,")).take(TAGS_MAX);
        let tags: Vec<_> = tags.filter_map(|tag| BASE64.decode(tag.as_bytes()).ok()).collect();
        let is_signed = self.0.iter().any(|key| {
            let mut mac = key.clone();
            for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
                mac.update(part);
            }
            tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
        });
        if !is_signed {
            return Err(WebhookError::Wrong);
        }
        if now.div_euclid(1_000).abs_diff(seconds) > TOLERANCE_S {
            return Err(WebhookError::Stale);
        }
        read(body, seconds.saturating_mul(1_000))
    }
}

fn read(body: &[u8], signed_at: i64) -> Result<Told, WebhookError> {
    let event: Value =
        serde_json::from_slice(body).map_err(|_| WebhookError::Event("it is no JSON"))?;
    let kind = event["type"].as_str().ok_or(WebhookError::Event("type: a text"))?;
    let data = &event["data"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    // Documents differ in its unit.
    let time = |value: &Value| {
        let time = value.as_i64().filter(|at| *at > 0)?;
        Some(if time < SECONDS_BELOW { time.saturating_mul(1_000) } else { time })
    };
    // What is deleted was changed last long before: the event's own time counts. Else the object's does.
    let (of_event, of_object) = (time(&event["timestamp"]), time(&data["updated_at"]));
    let at = if kind.ends_with(".deleted") { of_event } else { of_object.or(of_event) };
    let at = at.unwrap_or(signed_at);
    // `locked` is no decision of anybody: too many failed sign-ins lock a user for an hour, whoever tried.
    let is_shut = data["banned"] == true;
    let member = || {
        let user = text(&data["public_user_data"]["user_id"]);
        let organisation = text(&data["organization"]["id"]);
        user.zip(organisation).ok_or(WebhookError::Event("data: a user and an organization"))
    };
    let what = match kind {
        // Only this says that somebody is gone, and it need not say who.
        "user.deleted" => match text(&data["id"]) {
            Some(user) => What::UserGone { user },
            None => What::Other,
        },
        "user.updated" if is_shut => What::UserShut {
            user: text(&data["id"]).ok_or(WebhookError::Event("data.id: a text"))?,
        },
        "organizationMembership.updated" => {
            let (user, organisation) = member()?;
            let role = text(&data["role"]);
            let role = role.map(|role| role.strip_prefix("org:").unwrap_or(&role).to_owned());
            What::Placed { user, organisation, role }
        }
        "organizationMembership.deleted" => {
            let (user, organisation) = member()?;
            What::Left { user, organisation }
        }
        _ => What::Other,
    };
    Ok(Told { what, at })
}
