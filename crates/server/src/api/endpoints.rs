//! `/webhook-endpoints`: where events are sent, for operators: whose endpoint does not answer, and what was
//! not delivered.

use axum::Json;
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::WebhookId;
use sponsorhub_store::registry::{Party, Webhook};

use super::caller::{Caller, not_found};
use super::extract::{Content, Path};
use super::lists::after_id;
use super::webhooks::{delivered, notice, send_again};
use super::{Fault, Page};
use crate::problem::Problem;

/// Without the path of its address, which may have a secret of its owner's in it.
fn shown(webhook: &Webhook) -> Value {
    let owner = match webhook.owner {
        Party::Brand(brand) => brand.to_string(),
        Party::Creator(creator) => creator.to_string(),
    };
    let address: Option<Uri> = webhook.url.parse().ok();
    json!({
        "id": webhook.id,
        "owner": owner,
        "host": address.as_ref().and_then(Uri::host),
        "events": webhook.kinds,
        "created_at": webhook.created_at,
        "enabled": webhook.disabled.is_none(),
        "failing_since": webhook.failing_since,
        "notice": notice(webhook),
    })
}

/// By id.
pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after_text().to_owned(), |after, count| {
            let after = after_id::<WebhookId>(after)?;
            let found = desk.registry(|registry| registry.all_webhooks(after, count));
            let found = found.map_err(Fault::from)?.into_iter();
            Ok(found.map(|one| (one.id.to_string(), Some(shown(&one)))).collect())
        });
        page.map(Json)
    })
}

fn find(caller: &Caller, id: WebhookId) -> Result<Webhook, Problem> {
    let found = caller.shared.desk.registry(|registry| registry.webhook(id));
    found.map_err(Fault::from)?.ok_or_else(not_found)
}

/// What was sent to it, newest first.
pub(super) async fn deliveries(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| delivered(&caller, find(&caller, webhook)?.id, &page))
}

/// Sends a message again, as its owner may.
pub(super) async fn replay(
    caller: Caller,
    Path(place): Path<(WebhookId, u64)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let whose = || find(&caller, place.0).map(|webhook| webhook.owner);
    send_again(&caller, whose, place, &body).await
}
