//! `/provider-events`: what the payment provider told, and what came of it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_app::inbox;
use sponsorhub_core::actor::Action;
use sponsorhub_store::registry::{EventState, KeptEvent};

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::lists::bad_cursor;
use super::once::Seed;
use super::{Fault, Page};
use crate::problem::Problem;

fn shown(event: &KeptEvent, stands: &EventState) -> Value {
    let waits = stands.done_at.is_none();
    let needs_person = stands.outcome.as_deref().is_some_and(|it| it.starts_with("needs a person"));
    let state = match (waits, needs_person) {
        (true, _) => "waiting",
        (false, true) => "needs_person",
        (false, false) => "done",
    };
    json!({
        "id": event.id,
        "type": event.kind,
        "came_by": event.endpoint.name(),
        "account": event.recipient,
        "object": event.object,
        "happened_at": event.created_at,
        "at": event.received_at,
        "state": state,
        "tries": event.tries,
        "next_try_at": Some(stands.retry_at).filter(|_| waits),
        "done_at": stands.done_at,
        "outcome": stands.outcome,
    })
}

/// The event that a cursor names: when it came, and its id.
fn place(cursor: &str) -> Result<Option<(i64, &str)>, Problem> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let place = cursor.split_once(':').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    place.map(Some).ok_or_else(bad_cursor)
}

/// Newest first.
pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after_text().to_owned(), |cursor, count| {
            let before = place(cursor)?;
            let found = desk.registry(|registry| registry.events(before, count));
            let found = found.map_err(Fault::from)?.into_iter();
            let shown = found.map(|(event, stands)| {
                let place = format!("{}:{}", event.received_at, event.id);
                (place, Some(shown(&event, &stands)))
            });
            Ok(shown.collect())
        });
        page.map(Json)
    })
}

fn find(caller: &Caller, id: &str) -> Result<(KeptEvent, EventState), Problem> {
    let found = caller.shared.desk.registry(|registry| registry.event(id));
    found.map_err(Fault::from)?.ok_or_else(not_found)
}

/// Reads again what an event is about, and books what the ledger does not have yet.
pub(super) async fn replay(
    caller: Caller,
    Path(id): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| find(&caller, &id))?;
    let replay = async |_: Seed| {
        let (event, stands) = tokio::task::block_in_place(|| find(&caller, &id))?;
        let (shared, now) = (&caller.shared, caller.shared.clock.now());
        let provider = &*shared.clients.provider;
        let outcome = inbox::replay(&shared.desk, provider, (&event, &stands), now).await;
        let outcome = outcome.map_err(Fault::from)?;
        shared.bell.notify_one();
        let (event, stands) = tokio::task::block_in_place(|| find(&caller, &id))?;
        let mut answer = shown(&event, &stands);
        answer["replayed"] = json!(outcome);
        Ok((StatusCode::OK, answer))
    };
    caller.once(&body, |_| {}, replay).await
}
