//! Webhooks out: endpoints of brands and creators, to which events of theirs are sent.
//!
//! An endpoint keeps a position in each ledger that concerns its owner; [`send`] reads on from there,
//! [`events`] says what of an entry is told. Nothing secret is stored: what an endpoint's webhooks are
//! signed with comes from the keyring, the endpoint's id and how often it was rotated.

pub mod events;

pub mod send;

use data_encoding::BASE64;
use sponsorhub_core::attribution::key_set::{KeySet, MacKey};
use sponsorhub_core::attribution::keys::KeyId;
use sponsorhub_core::ids::{CampaignId, Seq, WebhookId};
use sponsorhub_store::registry::{
    Delivery, DeliveryState, Disabled, Party, Webhook, WebhookChange,
};
use sponsorhub_store::{Change, Rule, StoreError};

use crate::desk::{CommandError, Desk};
use crate::ports::WebhookClient;

/// Endpoints that a brand or creator may have.
pub const ENDPOINTS_MAX: usize = 10;

/// Tests of an endpoint that may wait at once.
const TESTS_MAX: usize = 10;

/// All types of events, as an endpoint may ask for them.
pub const ALL: &str = "*";

/// Longest overlap of two secrets, milliseconds.
pub const OVERLAP_MAX_MS: i64 = 7 * 86_400_000;

/// Why nothing was done about an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Something that was said.
    #[error("{field}: {fix}")]
    Field {
        /// Where.
        field: &'static str,
        /// What would be accepted.
        fix: String,
    },
    /// There are as many as there may be.
    #[error("there are {ENDPOINTS_MAX} endpoints; remove one first")]
    Full,
    /// Enough tests wait.
    #[error("{TESTS_MAX} tests wait to be sent; look at them first")]
    TestsWait,
    /// Nothing is sent to it.
    #[error("the endpoint is disabled; enable it first")]
    Disabled,
    /// The registry, or the world.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        Self::Command(error.into())
    }
}

/// What is wanted of a new endpoint.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its id; that of a repeated request is the same.
    pub id: WebhookId,
    /// Whose.
    pub owner: Party,
    /// Where it is.
    pub url: String,
    /// Types of events, or [`ALL`].
    pub kinds: Vec<String>,
}

/// Checks what an owner may hear.
fn check_kinds(owner: Party, kinds: &[String]) -> Result<(), WebhookError> {
    let known: Vec<_> = events::types_of(owner).collect();
    let is_known = |kind: &String| kind == ALL || known.contains(&kind.as_str());
    let is_good = !kinds.is_empty() && kinds.len() <= known.len() && kinds.iter().all(is_known);
    if is_good {
        return Ok(());
    }
    let fix = format!("one or more of: {ALL}, {}", known.join(", "));
    Err(WebhookError::Field { field: "events", fix })
}

fn check_url(client: &dyn WebhookClient, url: &str) -> Result<(), WebhookError> {
    let checked = client.check(url);
    checked.map_err(|refused| WebhookError::Field { field: "url", fix: refused.to_string() })
}

/// Adds an endpoint at `now`, milliseconds. It hears of what happens from now on. `is_repeat`: the same
/// request may have done it before.
///
/// # Errors
/// [`WebhookError`].
pub fn add(
    desk: &Desk,
    client: &dyn WebhookClient,
    keys: &KeySet,
    (wanted, is_repeat): (Wanted, bool),
    now: i64,
) -> Result<Webhook, WebhookError> {
    let Wanted { id, owner, url, kinds } = wanted;
    check_url(client, &url)?;
    check_kinds(owner, &kinds)?;
    let known = desk.registry(|registry| registry.webhooks(owner))?;
    let is_there = |known: &&Webhook| is_repeat && known.id == id;
    if let Some(known) = known.iter().find(is_there) {
        return Ok(known.clone());
    }
    if known.len() >= ENDPOINTS_MAX {
        return Err(WebhookError::Full);
    }
    let from = ends_of_ledgers(desk, owner)?;
    let webhook = Webhook {
        id,
        owner,
        url,
        kinds,
        key_id: keys.signer().0,
        version: 1,
        old: None,
        rotation: None,
        created_at: now,
        failing_since: None,
        disabled: None,
    };
    let add = WebhookChange::Add { webhook: webhook.clone(), from };
    desk.record(Change::Webhook(add), None)?;
    Ok(webhook)
}

/// Campaigns that an owner hears of.
fn campaigns_of(desk: &Desk, owner: Party) -> Result<Vec<CampaignId>, StoreError> {
    desk.registry(|registry| match owner {
        Party::Brand(brand) => registry.campaigns(brand),
        Party::Creator(creator) => {
            let own = registry.enrollments_of(creator)?;
            let mut campaigns: Vec<_> = own.into_iter().map(|(campaign, _)| campaign).collect();
            campaigns.dedup();
            Ok(campaigns)
        }
    })
}

fn ends_of_ledgers(desk: &Desk, owner: Party) -> Result<Vec<(CampaignId, Seq)>, StoreError> {
    let campaigns = campaigns_of(desk, owner)?.into_iter();
    let end = |campaign| desk.read(|reader| reader.head(campaign)).map(|head| (campaign, head));
    let ends = campaigns.map(end).collect::<Result<Vec<_>, _>>()?;
    Ok(ends.into_iter().filter_map(|(campaign, head)| Some((campaign, head?.seq))).collect())
}

/// An endpoint of this owner.
///
/// # Errors
/// [`Rule::WebhookKnown`] also for another owner's, and faults.
pub fn find(desk: &Desk, owner: Party, id: WebhookId) -> Result<Webhook, CommandError> {
    let found = desk.registry(|registry| registry.webhook(id))?;
    let own = found.filter(|webhook| webhook.owner == owner);
    own.ok_or(CommandError::Rule(Rule::WebhookKnown))
}

/// What is to be changed of an endpoint; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The address.
    pub url: Option<String>,
    /// Types of events.
    pub kinds: Option<Vec<String>>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
}

/// Changes an endpoint of this owner at `now`, milliseconds.
///
/// # Errors
/// [`WebhookError`].
pub fn edit(
    desk: &Desk,
    client: &dyn WebhookClient,
    (owner, id): (Party, WebhookId),
    edit: &Edit,
    now: i64,
) -> Result<Webhook, WebhookError> {
    let webhook = find(desk, owner, id)?;
    let url = edit.url.clone().unwrap_or_else(|| webhook.url.clone());
    let kinds = edit.kinds.clone().unwrap_or_else(|| webhook.kinds.clone());
    if url != webhook.url {
        check_url(client, &url)?;
    }
    check_kinds(owner, &kinds)?;
    desk.record(Change::Webhook(WebhookChange::Edit { id, url, kinds }), None)?;
    if edit.enabled.is_some_and(|enabled| enabled != webhook.disabled.is_none()) {
        let off = Disabled { at: now, why: "by_owner".to_owned() };
        let disabled = Some(off).filter(|_| edit.enabled == Some(false));
        desk.record(Change::Webhook(WebhookChange::Switch { id, disabled }), None)?;
    }
    Ok(find(desk, owner, id)?)
}

/// Removes an endpoint of this owner, with all that is known of it.
///
/// # Errors
/// [`WebhookError`].
pub fn remove(desk: &Desk, owner: Party, id: WebhookId) -> Result<(), WebhookError> {
    find(desk, owner, id)?;
    desk.record(Change::Webhook(WebhookChange::Remove { id }), None)?;
    Ok(())
}

/// Gives an endpoint of this owner its next secret; the one before signs as well until `old_until`,
/// milliseconds. `rotation` names the request: its repetition does not rotate again.
///
/// # Errors
/// [`WebhookError`].
pub fn rotate(
    desk: &Desk,
    keys: &KeySet,
    (owner, id): (Party, WebhookId),
    rotation: [u8; 16],
    old_until: i64,
) -> Result<Webhook, WebhookError> {
    find(desk, owner, id)?;
    let key_id = keys.signer().0;
    let rotate = WebhookChange::Rotate { id, key_id, rotation, old_until };
    desk.record(Change::Webhook(rotate), None)?;
    Ok(find(desk, owner, id)?)
}

/// Sends an event that means nothing, once, at `now`, milliseconds.
///
/// # Errors
/// [`WebhookError`].
pub fn test(desk: &Desk, owner: Party, id: WebhookId, now: i64) -> Result<(), WebhookError> {
    if find(desk, owner, id)?.disabled.is_some() {
        return Err(WebhookError::Disabled);
    }
    let newest = desk.registry(|registry| registry.deliveries(id, None, TESTS_MAX))?;
    let waits = |(_, delivery): &(u64, Delivery)| {
        delivery.entry.is_none() && matches!(delivery.state, DeliveryState::Waiting(_))
    };
    if newest.len() == TESTS_MAX && newest.iter().all(waits) {
        return Err(WebhookError::TestsWait);
    }
    let kind = events::TEST.to_owned();
    desk.record(Change::Webhook(WebhookChange::PlanTest { id, kind, at: now }), None)?;
    Ok(())
}

/// Sends a delivery again, whatever came of it, at `now`, milliseconds. It is the same message: same id,
/// same body.
///
/// # Errors
/// [`WebhookError`].
pub fn replay(
    desk: &Desk,
    (owner, id): (Party, WebhookId),
    no: u64,
    now: i64,
) -> Result<(), WebhookError> {
    if find(desk, owner, id)?.disabled.is_some() {
        return Err(WebhookError::Disabled);
    }
    desk.record(Change::Webhook(WebhookChange::Replay { id, no, at: now }), None)?;
    Ok(())
}

/// The secret of an endpoint, as its owner is shown it once; none where the master that it comes from is
/// unknown.
pub fn secret_text(keys: &KeySet, webhook: &Webhook) -> Option<String> {
    let secret = keys.endpoint_secret(KeyId(webhook.key_id), webhook.id, webhook.version)?;
    Some(format!("whsec_{}", BASE64.encode(&secret)))
}

/// The header `webhook-signature` at `now`, milliseconds: by the secret of the endpoint and, while they
/// overlap, by the one before. None where whoever has a revoked master could sign as well.
fn signature(
    keys: &KeySet,
    webhook: &Webhook,
    (message, seconds, body): (&str, i64, &[u8]),
    now: i64,
) -> Option<String> {
    let sign = |key_id: u16, version| {
        let key_id = KeyId(key_id);
        let secret = keys.endpoint_secret(key_id, webhook.id, version);
        let secret = secret.filter(|_| !keys.is_revoked(key_id))?;
        let seconds = seconds.to_string();
        let parts: [&[u8]; 5] = [message.as_bytes(), b".", seconds.as_bytes(), b".", body];
        Some(format!("v1,{}", BASE64.encode(&MacKey::new(&secret).tag(&parts))))
    };
    let current = sign(webhook.key_id, webhook.version)?;
    let old = webhook.old.filter(|(_, until)| now < *until);
    let old = old.and_then(|(key_id, _)| sign(key_id, webhook.version.checked_sub(1)?));
    Some(old.map_or_else(|| current.clone(), |old| format!("{current} {old}")))
}
