//! `POST /webhooks/stripe` and `/webhooks/stripe/connect`: what the payment provider tells; and
//! `/webhooks/clerk`: what the identity provider tells of users.
//!
//! The signature is checked over the body as it came; the event is durable before it is acknowledged
//! and dealt with afterwards, by the workers.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sponsorhub_app::desk::CommandError;
use sponsorhub_app::{inbox, people};
use sponsorhub_providers::clerk::webhook as clerk;
use sponsorhub_providers::clerk::webhook::Headers;
use sponsorhub_providers::stripe::webhook::{HEADER, WebhookError, Webhooks};
use sponsorhub_store::Change;
use sponsorhub_store::registry::{Access, ApiChange, Endpoint};

use super::network;
use crate::api::Peer;
use crate::bodies::Limit;
use crate::problem::Problem;
use crate::shared::Shared;

/// Largest event that is taken, bytes; real ones have tens of thousands at most.
const BODY_BYTES_MAX: usize = 1 << 20;

/// About the platform's own account.
pub(super) async fn account(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    take(&shared, (Endpoint::Account, &shared.clients.webhooks), &headers, body).await
}

/// About creators' accounts.
pub(super) async fn connect(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    take(&shared, (Endpoint::Connect, &shared.clients.connect_webhooks), &headers, body).await
}

async fn take(
    shared: &Shared,
    (endpoint, webhooks): (Endpoint, &Webhooks),
    headers: &HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let limit = Limit { bytes: BODY_BYTES_MAX, seconds: shared.limits.body.seconds };
    let body = shared.bodies.of_anybody(body, limit).await?;
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let now = shared.clock.now();
    let event = match webhooks.verify(header, &body, now) {
        Ok(event) => event,
        Err(WebhookError::OtherWorld(event)) => {
            // Acknowledged, or it would come again for days.
            tracing::warn!(event, "an event of another world was left alone");
            return Ok(StatusCode::OK);
        }
        Err(error) => {
            tracing::warn!(%error, "a webhook was refused");
            // Anybody can send one without a signature: only a wrong one speaks of a wrong secret.
            if matches!(error, WebhookError::Wrong) {
                shared.heard.note(endpoint, false, now);
            }
            let problem = Problem::new(StatusCode::BAD_REQUEST, "webhook", error.to_string());
            return Err(problem.about(HEADER));
        }
    };
    shared.heard.note(endpoint, true, now);
    let kept = tokio::task::block_in_place(|| inbox::receive(&shared.desk, endpoint, &event, now));
    match kept {
        Ok(_) => {
            shared.bell.notify_one();
            Ok(StatusCode::OK)
        }
        Err(error) => {
            tracing::error!(%error, event = event.id, "a webhook could not be kept");
            Err(Problem::busy())
        }
    }
}

/// About users and their places in organisations. What it asks for is done before it is acknowledged;
/// told again, it changes nothing.
pub(super) async fn identity(
    State(shared): State<Shared>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    if !shared.clients.identity_webhooks.is_set() {
        let detail = "set SPONSORHUB_CLERK_WEBHOOK_SECRET to hear the identity provider";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_configured", detail));
    }
    let limit = Limit { bytes: BODY_BYTES_MAX, seconds: shared.limits.body.seconds };
    let body = shared.bodies.of_anybody(body, limit).await?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = Headers {
        id: text("svix-id"),
        timestamp: text("svix-timestamp"),
        signature: text("svix-signature"),
    };
    let now = shared.clock.now();
    let told = shared.clients.identity_webhooks.verify(signed, &body, now).map_err(|error| {
        tracing::warn!(%error, "a webhook of the identity provider was refused");
        if matches!(error, clerk::WebhookError::Wrong) {
            shared.heard.note_identity(false, now);
        }
        Problem::new(StatusCode::BAD_REQUEST, "webhook", error.to_string()).about("svix-signature")
    })?;
    shared.heard.note_identity(true, now);
    let heed = || {
        let heeded = people::heed(&shared.desk, &told, now)?;
        if let Some(user) = told.what.user() {
            let row = row(&shared, user, network(&shared, peer, &headers));
            shared.desk.record(Change::Api(ApiChange::NoteAccess(row)), None)?;
        }
        Ok::<_, CommandError>(heeded)
    };
    match tokio::task::block_in_place(heed) {
        Ok(heeded) => {
            tracing::info!(?heeded, "the identity provider told something of a user");
            Ok(StatusCode::OK)
        }
        Err(error) => {
            tracing::error!(%error, "what the identity provider told could not be done");
            Err(Problem::busy())
        }
    }
}

/// What the identity provider had done to a user, as the access log tells it.
fn row(shared: &Shared, user: &str, network: [u8; 8]) -> Access {
    Access {
        at: shared.clock.now(),
        subject: user.to_owned(),
        role: "identity_provider".to_owned(),
        session: None,
        method: "POST".to_owned(),
        path: "/webhooks/clerk".to_owned(),
        status: StatusCode::OK.as_u16(),
        count: 1,
        network,
    }
}
