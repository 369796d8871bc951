//! Endpoints to which events of a brand or creator are sent.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::desk::CommandError;
use sponsorhub_app::webhooks::{self, Edit, OVERLAP_MAX_MS, Wanted, WebhookError};
use sponsorhub_core::actor::{Action, Side};
use sponsorhub_core::ids::WebhookId;
use sponsorhub_store::Rule;
use sponsorhub_store::registry::{Delivery, DeliveryState, Party, Webhook};

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::once::Seed;
use super::versions::{respond, versioned};
use super::{Fault, Page};
use crate::problem::Problem;

/// How long two secrets overlap where nothing is said, hours.
const OVERLAP_HOURS: u32 = 24;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    url: String,
    events: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Change {
    url: Option<String>,
    events: Option<Vec<String>>,
    enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotate {
    overlap_hours: Option<u32>,
}

fn fault(error: WebhookError) -> Problem {
    match error {
        WebhookError::Field { field, fix } => Fault::Field(field, fix).into(),
        WebhookError::Full => {
            Problem::new(StatusCode::CONFLICT, "webhooks_full", error.to_string())
        }
        WebhookError::TestsWait => {
            Problem::new(StatusCode::CONFLICT, "webhook_tests_wait", error.to_string())
        }
        WebhookError::Disabled => {
            Problem::new(StatusCode::CONFLICT, "webhook_disabled", error.to_string())
        }
        WebhookError::Command(CommandError::Rule(Rule::WebhookKnown | Rule::DeliveryKnown)) => {
            not_found()
        }
        WebhookError::Command(error) => Fault::from(error).into(),
    }
}

/// What a person should know of an endpoint to which nothing is sent, or nothing gets through.
pub(super) fn notice(webhook: &Webhook) -> Option<String> {
    let enable = "enable it to go on where it stopped";
    let text = match webhook.disabled.as_ref().map(|disabled| disabled.why.as_str()) {
        Some("by_owner") => format!("disabled by its owner; {enable}"),
        Some("gone") => format!("disabled because it answered 410 Gone; {enable}"),
        Some(_) => format!("disabled after five days with nothing but failures; {enable}"),
        None if webhook.failing_since.is_some() => {
            "nothing but failures; it is disabled after five days of that".to_owned()
        }
        None => return None,
    };
    Some(text)
}

fn shown(webhook: &Webhook) -> Value {
    let shown = json!({
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.kinds,
        "created_at": webhook.created_at,
        "enabled": webhook.disabled.is_none(),
        "disabled_at": webhook.disabled.as_ref().map(|disabled| disabled.at),
        "disabled_why": webhook.disabled.as_ref().map(|disabled| &disabled.why),
        "failing_since": webhook.failing_since,
        "old_secret_until": webhook.old.map(|(_, until)| until),
        "notice": notice(webhook),
    });
    versioned(shown, &["url", "events", "enabled"])
}

fn delivery_shown(no: u64, delivery: &Delivery) -> Value {
    let due = if let DeliveryState::Waiting(due) = delivery.state { Some(due) } else { None };
    json!({
        "delivery": no,
        "type": delivery.kind,
        "campaign": delivery.entry.map(|(campaign, _)| campaign),
        "seq": delivery.entry.map(|(_, seq)| seq),
        "state": delivery.state.name(),
        "created_at": delivery.created_at,
        "attempts": delivery.attempts,
        "next_attempt_at": due,
        "last_attempt_at": delivery.last.as_ref().map(|(at, _)| at),
        "last_answer": delivery.last.as_ref().map(|(_, answer)| answer),
    })
}

fn hide_secret(answer: &mut Value) {
    answer["secret"] = Value::Null;
}

impl Caller {
    /// Whose endpoints the caller's are.
    fn party_of_webhooks(&self) -> Result<Party, Problem> {
        self.may(Action::ManageWebhooks)?;
        match self.role.side() {
            Side::Creator => self.creator().map(Party::Creator),
            Side::Brand | Side::Admin => self.brand().map(Party::Brand),
        }
    }

    /// An endpoint of the caller's, or none that is there.
    fn webhook(&self, id: WebhookId) -> Result<Webhook, Problem> {
        let owner = self.party_of_webhooks()?;
        let found = webhooks::find(&self.shared.desk, owner, id);
        found.map_err(|error| fault(error.into()))
    }

    fn with_secret(&self, webhook: &Webhook) -> Value {
        let mut answer = shown(webhook);
        answer["secret"] = json!(webhooks::secret_text(&self.shared.catalog.keys().set, webhook));
        answer
    }
}

/// The secret is shown in this answer and never again: a repetition has none.
pub(super) async fn create(caller: Caller, body: Content) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    let Create { url, events } = body_of(&body)?;
    let kinds = events.unwrap_or_else(|| vec![webhooks::ALL.to_owned()]);
    caller
        .once(&body, hide_secret, async |Seed { id, is_repeat }| {
            // Two requests at the same moment would both find room.
            let alone = caller.alone("webhooks");
            let _alone = alone.lock().await;
            let (shared, keys) = (&caller.shared, caller.shared.catalog.keys());
            let wanted =
                Wanted { id: WebhookId(id), owner, url: url.clone(), kinds: kinds.clone() };
            let added = tokio::task::block_in_place(|| {
                let client = &*shared.clients.outgoing;
                let now = shared.clock.now();
                webhooks::add(&shared.desk, client, &keys.set, (wanted, is_repeat), now)
            });
            Ok((StatusCode::CREATED, caller.with_secret(&added.map_err(fault)?)))
        })
        .await
}

pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    let owner = caller.party_of_webhooks()?;
    tokio::task::block_in_place(|| {
        let all = caller.shared.desk.registry(|registry| registry.webhooks(owner));
        let all = all.map_err(Fault::from)?;
        page.cut((1_u64..).zip(all.iter().map(shown))).map(Json)
    })
}

pub(super) async fn show(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<Response, Problem> {
    let webhook = tokio::task::block_in_place(|| caller.webhook(webhook))?;
    Ok(respond(StatusCode::OK, shown(&webhook)))
}

pub(super) async fn change(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    body: Content,
) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    let Change { url, events, enabled } = body_of(&body)?;
    let edit = Edit { url, kinds: events, enabled };
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let shared = &caller.shared;
                let alone = caller.alone_with(&webhook.to_string());
                let _alone = alone.lock().await;
                tokio::task::block_in_place(|| caller.has_seen(&shown(&caller.webhook(webhook)?)))?;
                let changed = tokio::task::block_in_place(|| {
                    let client = &*shared.clients.outgoing;
                    let now = shared.clock.now();
                    webhooks::edit(&shared.desk, client, (owner, webhook), &edit, now)
                });
                Ok((StatusCode::OK, shown(&changed.map_err(fault)?)))
            },
        )
        .await
}

pub(super) async fn remove(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    body: Content,
) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    let Nothing {} = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |Seed { is_repeat, .. }| {
                let desk = &caller.shared.desk;
                if let Ok(known) = tokio::task::block_in_place(|| caller.webhook(webhook)) {
                    caller.has_seen(&shown(&known))?;
                }
                match tokio::task::block_in_place(|| webhooks::remove(desk, owner, webhook)) {
                    // Its first try may have come through.
                    Err(WebhookError::Command(CommandError::Rule(Rule::WebhookKnown)))
                        if is_repeat => {}
                    removed => removed.map_err(fault)?,
                }
                Ok((StatusCode::OK, json!({ "id": webhook })))
            },
        )
        .await
}

/// As at its creation, the secret is in this answer only.
pub(super) async fn rotate(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    body: Content,
) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    let Rotate { overlap_hours } = body_of(&body)?;
    let overlap_ms = i64::from(overlap_hours.unwrap_or(OVERLAP_HOURS)) * 3_600_000;
    if overlap_ms > OVERLAP_MAX_MS {
        return Err(Fault::Field("overlap_hours", "0 to 168".to_owned()).into());
    }
    caller
        .once(&body, hide_secret, async |Seed { id, .. }| {
            let alone = caller.alone_with(&webhook.to_string());
            let _alone = alone.lock().await;
            tokio::task::block_in_place(|| caller.has_seen(&shown(&caller.webhook(webhook)?)))?;
            let (shared, keys) = (&caller.shared, caller.shared.catalog.keys());
            let until = shared.clock.now().saturating_add(overlap_ms);
            let rotated = tokio::task::block_in_place(|| {
                webhooks::rotate(&shared.desk, &keys.set, (owner, webhook), id, until)
            });
            Ok((StatusCode::OK, caller.with_secret(&rotated.map_err(fault)?)))
        })
        .await
}

pub(super) async fn test(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    body: Content,
) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    let Nothing {} = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let shared = &caller.shared;
                let planned = tokio::task::block_in_place(|| {
                    webhooks::test(&shared.desk, owner, webhook, shared.clock.now())
                });
                planned.map_err(fault)?;
                Ok((StatusCode::OK, json!({ "id": webhook })))
            },
        )
        .await
}

/// Newest first.
pub(super) async fn deliveries(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    tokio::task::block_in_place(|| delivered(&caller, caller.webhook(webhook)?.id, &page))
}

/// The deliveries to an endpoint that the caller may see.
pub(super) fn delivered(
    caller: &Caller,
    id: WebhookId,
    page: &Page,
) -> Result<Json<Value>, Problem> {
    let desk = &caller.shared.desk;
    let page = page.gather(page.after()?, |before, count| {
        let before = Some(*before).filter(|before| *before > 0);
        let found = desk.registry(|registry| registry.deliveries(id, before, count));
        let found = found.map_err(Fault::from)?.into_iter();
        Ok(found.map(|(no, one)| (no, Some(delivery_shown(no, &one)))).collect())
    });
    page.map(Json)
}

pub(super) async fn replay(
    caller: Caller,
    Path((webhook, delivery)): Path<(WebhookId, u64)>,
    body: Content,
) -> Result<Response, Problem> {
    let owner = caller.party_of_webhooks()?;
    send_again(&caller, || Ok(owner), (webhook, delivery), &body).await
}

/// Sends a message of an endpoint again, once, whose owner `whose` finds.
pub(super) async fn send_again(
    caller: &Caller,
    whose: impl Fn() -> Result<Party, Problem>,
    (webhook, delivery): (WebhookId, u64),
    body: &Content,
) -> Result<Response, Problem> {
    let Nothing {} = body_of(body)?;
    let send = async |_: Seed| {
        let shared = &caller.shared;
        let replayed = tokio::task::block_in_place(|| {
            // No number is as large.
            let no = delivery.min(1 << 40);
            let (owner, now) = (whose()?, shared.clock.now());
            webhooks::replay(&shared.desk, (owner, webhook), no, now).map_err(fault)
        });
        replayed?;
        Ok((StatusCode::OK, json!({ "id": webhook })))
    };
    caller.once(body, |_| {}, send).await
}
