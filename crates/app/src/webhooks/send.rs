//! Sending: reads each ledger on from where an endpoint stands, plans what is to be told, and sends
//! what is due.
//!
//! One delivery of an endpoint is under way at a time, and those of one ledger keep their order: one
//! that fails holds up those behind it until it is taken or given up. At least once: what was sent and
//! not noted, because the process ended, is sent again under the same id. An endpoint that is disabled
//! keeps its place in the ledgers.

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE32_DNSSEC;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sponsorhub_core::ids::{CampaignId, EnrollmentId, Seq, WebhookId};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::Currency;
use sponsorhub_store::registry::{
    Delivery, DeliveryState, Disabled, Party, Webhook, WebhookChange,
};
use sponsorhub_store::{Change, Reader, RegistryReader, Rule, StoreError};

use super::{ALL, events, signature};
use crate::catalog::Catalog;
use crate::desk::{CommandError, Desk};
use crate::ports::webhooks::Heard;
use crate::ports::{Clock, WebhookClient};

/// Pauses after the first, second, … sending that failed, milliseconds. After the last a delivery is
/// given up.
const PAUSES_MS: [i64; 7] =
    [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000];

/// An endpoint is disabled after so long with nothing but failures, milliseconds.
const FAILING_MAX_MS: i64 = 5 * 86_400_000;

/// Deliveries of one ledger that are planned ahead: the ledger itself is the queue.
const WAITING_MAX: u64 = 64;

/// Entries that are looked at in one go.
const PAGE: usize = 256;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was taken by the endpoint, or more of a ledger was looked at. There may be more.
    GoesOn,
    /// What was sent was not taken.
    Failed,
    /// Nothing is due.
    Nothing,
}

struct Readers {
    ledger: Box<dyn Reader>,
    registry: Box<dyn RegistryReader>,
}

/// Sends what is due. Knows nothing that is not in the store.
pub struct Sender {
    desk: Arc<Desk>,
    catalog: Arc<Catalog>,
    client: Arc<dyn WebhookClient>,
    clock: Arc<dyn Clock>,
    /// Of its own, so that it holds up nobody else.
    readers: Mutex<Readers>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A delivery that is ready to go.
struct Ready {
    webhook: Webhook,
    no: u64,
    attempts: u32,
    is_test: bool,
    message: String,
    body: Vec<u8>,
}

impl Sender {
    /// A sender of this desk's events.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read.
    pub fn new(
        desk: Arc<Desk>,
        catalog: Arc<Catalog>,
        client: Arc<dyn WebhookClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let ledger = desk.store().reader()?;
        let readers = Mutex::new(Readers { ledger, registry: desk.store().registry()? });
        Ok(Self { desk, catalog, client, clock, readers })
    }

    fn with<T>(&self, read: impl FnOnce(&mut Readers) -> T) -> T {
        read(&mut self.readers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Endpoints that want to hear something.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn active(&self) -> Result<Vec<(WebhookId, Party)>, StoreError> {
        let active = self.with(|readers| readers.registry.active_webhooks())?;
        Ok(active.into_iter().map(|webhook| (webhook.id, webhook.owner)).collect())
    }

    /// Plans for one endpoint and sends at most one delivery. Call it for an endpoint from one place at a
    /// time.
    ///
    /// # Errors
    /// [`CommandError`]: nothing was noted; try again later.
    pub async fn turn(&self, id: WebhookId) -> Result<Turn, CommandError> {
        let has_more = self.plan(id)?;
        let Some(ready) = self.ready(id)? else {
            return Ok(if has_more { Turn::GoesOn } else { Turn::Nothing });
        };
        let now = self.clock.now();
        let seconds = now.div_euclid(1_000);
        let keys = self.catalog.keys();
        let signed = (ready.message.as_str(), seconds, ready.body.as_slice());
        let heard = match signature(&keys.set, &ready.webhook, signed, now) {
            None => None,
            Some(signature) => {
                let headers = [
                    ("webhook-id", ready.message.clone()),
                    ("webhook-timestamp", seconds.to_string()),
                    ("webhook-signature", signature),
                ];
                Some(self.client.post(&ready.webhook.url, &headers, &ready.body).await)
            }
        };
        self.note(&ready, heard)
    }

    /// Reads on, of every ledger that concerns the owner; whether there is more.
    fn plan(&self, id: WebhookId) -> Result<bool, CommandError> {
        let Some(webhook) = self.with(|readers| readers.registry.webhook(id))? else {
            return Ok(false);
        };
        if webhook.disabled.is_some() {
            return Ok(false);
        }
        let (told, own) = self.with(|readers| {
            Ok::<_, StoreError>((readers.registry.told(id)?, Own::read(readers, webhook.owner)?))
        })?;
        let mut has_more = false;
        for campaign in own.campaigns() {
            let told = told.iter().find(|told| told.campaign == campaign);
            if told.is_some_and(|told| told.waiting >= WAITING_MAX) {
                continue;
            }
            let from = told.map_or(1, |told| told.seq + 1);
            let looked = self
                .with(|readers| look(&mut *readers.ledger, (campaign, from), &own, &webhook.kinds));
            let (upto, events) = match looked {
                Ok(looked) => looked,
                // One ledger's trouble holds up no other; who writes to it reports it.
                Err(error) => {
                    tracing::debug!(%campaign, %error, "a ledger cannot be read on");
                    continue;
                }
            };
            if upto < from {
                continue;
            }
            has_more |= upto + 1 - from >= u64::try_from(PAGE).unwrap_or(u64::MAX);
            let at = self.clock.now();
            let plan = WebhookChange::Plan { id, campaign, upto, events, at };
            match self.desk.record(Change::Webhook(plan), Some(Rule::ToldMovesOn)) {
                // Its owner has just removed it.
                Err(CommandError::Rule(Rule::WebhookKnown)) => return Ok(false),
                recorded => drop(recorded?),
            }
        }
        Ok(has_more)
    }

    /// The delivery that is due first, written out.
    fn ready(&self, id: WebhookId) -> Result<Option<Ready>, StoreError> {
        let now = self.clock.now();
        self.with(|readers| {
            let webhook = readers.registry.webhook(id)?;
            let Some(webhook) = webhook.filter(|webhook| webhook.disabled.is_none()) else {
                return Ok(None);
            };
            let Some((no, delivery)) = readers.registry.due_delivery(id, now)? else {
                return Ok(None);
            };
            let (attempts, is_test) = (delivery.attempts, delivery.entry.is_none());
            let (message, body) = written(&mut *readers.ledger, (id, no), &delivery)?;
            Ok(Some(Ready { webhook, no, attempts, is_test, message, body }))
        })
    }

    /// Notes what came of a sending; none where nothing could be signed.
    fn note(&self, ready: &Ready, heard: Option<Heard>) -> Result<Turn, CommandError> {
        let Ready { webhook, no, attempts, .. } = ready;
        let (id, now) = (webhook.id, self.clock.now());
        let answer = match heard {
            Some(Heard::Status(status)) => status.to_string(),
            Some(Heard::Refused(_)) => "address_refused".to_owned(),
            Some(Heard::TimedOut) => "timed_out".to_owned(),
            Some(Heard::Unreachable) => "unreachable".to_owned(),
            None => "secret_revoked".to_owned(),
        };
        let is_gone = heard == Some(Heard::Status(410));
        let is_taken = matches!(heard, Some(Heard::Status(200..=299)));
        let pause = usize::try_from(*attempts).ok().and_then(|at| PAUSES_MS.get(at));
        // Whoever tries an endpoint looks at once, and tries again.
        let pause = pause.filter(|_| !ready.is_test);
        let state = match pause {
            _ if is_taken => DeliveryState::Delivered,
            Some(pause) => DeliveryState::Waiting(now.saturating_add(*pause)),
            None => DeliveryState::GivenUp,
        };
        let since = webhook.failing_since.unwrap_or(now);
        let why = match () {
            () if is_taken => None,
            () if is_gone => Some("gone"),
            () if now.saturating_sub(since) >= FAILING_MAX_MS => Some("failing"),
            () => None,
        };
        if let Some(why) = why {
            tracing::warn!(webhook = %id, why, "an endpoint is disabled");
        }
        tracing::debug!(webhook = %id, no, answer, "a webhook was sent");
        let disabled = why.map(|why| Disabled { at: now, why: why.to_owned() });
        let sent = WebhookChange::NoteSent { id, no: *no, at: now, answer, state, disabled };
        // Where it was removed meanwhile, nobody asks what came of it.
        self.desk.record(Change::Webhook(sent), Some(Rule::DeliveryWaits))?;
        Ok(if is_taken { Turn::GoesOn } else { Turn::Failed })
    }
}

/// What concerns an owner.
enum Own {
    /// All of these campaigns.
    Campaigns(Vec<CampaignId>),
    /// These enrollments.
    Enrollments(Vec<(CampaignId, EnrollmentId)>),
}

impl Own {
    fn read(readers: &mut Readers, owner: Party) -> Result<Self, StoreError> {
        Ok(match owner {
            Party::Brand(brand) => Self::Campaigns(readers.registry.campaigns(brand)?),
            Party::Creator(creator) => Self::Enrollments(readers.registry.enrollments_of(creator)?),
        })
    }

    fn campaigns(&self) -> Vec<CampaignId> {
        let mut campaigns = match self {
            Self::Campaigns(campaigns) => campaigns.clone(),
            Self::Enrollments(all) => all.iter().map(|(campaign, _)| *campaign).collect(),
        };
        campaigns.dedup();
        campaigns
    }

    /// Whether the owner may hear of an entry.
    fn has(&self, entry: &Entry) -> bool {
        match self {
            Self::Campaigns(campaigns) => campaigns.contains(&entry.campaign),
            Self::Enrollments(all) => entry
                .enrollment
                .is_some_and(|(enrollment, _)| all.contains(&(entry.campaign, enrollment))),
        }
    }
}

/// Looks at entries from a position on: up to where, and which are to be told, each with its type.
fn look(
    reader: &mut dyn Reader,
    (campaign, from): (CampaignId, Seq),
    own: &Own,
    kinds: &[String],
) -> Result<(Seq, Vec<(Seq, String)>), StoreError> {
    let (mut upto, mut found) = (from.saturating_sub(1), Vec::new());
    let is_wanted = |kind: &str| kinds.iter().any(|wanted| wanted == ALL || wanted == kind);
    reader.scan(campaign, from, PAGE, &mut |row| {
        upto = row.seq;
        if let Some(kind) = events::type_of(row.kind).filter(|kind| is_wanted(kind)) {
            found.push((row.seq, kind, row.bytes.to_vec()));
        }
    })?;
    let mut told = Vec::new();
    for (seq, kind, bytes) in found {
        if own.has(&decoded(&bytes)?) {
            told.push((seq, kind.to_owned()));
        }
    }
    Ok((upto, told))
}

fn decoded(bytes: &[u8]) -> Result<Entry, StoreError> {
    Entry::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn bytes_of(
    reader: &mut dyn Reader,
    campaign: CampaignId,
    seq: Seq,
) -> Result<Vec<u8>, StoreError> {
    let missing = || StoreError::Corrupt(format!("campaign {campaign} has no entry {seq}"));
    reader.entry(campaign, seq)?.ok_or_else(missing)
}

fn currency(reader: &mut dyn Reader, campaign: CampaignId) -> Result<Currency, StoreError> {
    match decoded(&bytes_of(reader, campaign, 1)?)?.body {
        Body::CampaignOpened(opened) => Ok(opened.terms.currency),
        _ => Err(StoreError::Corrupt(format!("campaign {campaign} begins with another entry"))),
    }
}

/// Id and body of a message: the same whenever it is sent, because an entry never changes (INV-7).
fn written(
    reader: &mut dyn Reader,
    (id, no): (WebhookId, u64),
    delivery: &Delivery,
) -> Result<(String, Vec<u8>), StoreError> {
    let Some((campaign, seq)) = delivery.entry else {
        let timestamp = events::timestamp(delivery.created_at);
        let test =
            json!({ "type": delivery.kind, "timestamp": timestamp, "data": { "webhook": id } });
        return Ok((message_id(id, &no.to_be_bytes()), test.to_string().into_bytes()));
    };
    let bytes = bytes_of(reader, campaign, seq)?;
    let told = decoded(&bytes)?;
    let named = match events::names(&told.body) {
        Some(named) => Some(decoded(&bytes_of(reader, campaign, named)?)?.body),
        None => None,
    };
    let currency = currency(reader, campaign)?;
    let message = events::message(&delivery.kind, &told, named.as_ref(), currency);
    Ok((message_id(id, &bytes), message.to_string().into_bytes()))
}

/// The id of a message: the same for every sending of it, and another for every endpoint and every
/// entry, also where an old copy of a ledger has gone on in another way.
fn message_id(id: WebhookId, about: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::new_with_prefix(id.0).chain_update(about).finalize().into();
    format!("msg_{}", BASE32_DNSSEC.encode(&hash[..16]))
}
