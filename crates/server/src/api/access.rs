//! The access log: who asked for something to be changed, from where, with which session or key, and
//! what came of it. Also what was refused.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sponsorhub_core::actor::Action;
use sponsorhub_core::attribution::click::NetworkFingerprint;
use sponsorhub_store::Change;
use sponsorhub_store::registry::{Access, ApiChange};

use super::caller::{Caller, Peer};
use super::table::ROUTES;
use super::{Fault, Page};
use crate::pages;
use crate::problem::Problem;
use crate::shared::Shared;

/// Who turned out to ask, told by whoever reads the token to whoever writes the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<Mutex<Option<Access>>>);

impl Asked {
    pub(super) fn tell(&self, access: Access) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(access);
    }

    fn take(&self) -> Option<Access> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The address that a request's connection comes from.
pub(super) fn peer(request: &Parts) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    request.extensions.get::<Peer>().map_or(unknown, |peer| peer.0)
}

/// Tells whose request it is as soon as that is known, so that what is refused afterwards is written down
/// too. The network of the address stands there as nobody can read it without the keyring.
pub(super) fn tell(
    request: &Parts,
    shared: &Shared,
    (subject, role): (&str, &str),
    session: Option<&str>,
) {
    let Some(asked) = request.extensions.get::<Asked>() else { return };
    let address = shared.address(peer(request), &request.headers);
    asked.tell(Access {
        at: shared.clock.now(),
        subject: subject.to_owned(),
        role: role.to_owned(),
        session: session.map(str::to_owned),
        method: request.method.to_string(),
        path: request.uri.path().to_owned(),
        status: 0,
        count: 1,
        network: NetworkFingerprint::new(shared.catalog.keys().set.pepper(), address).0,
    });
}

/// The status of a request whose sender left before it was answered.
pub(crate) const LEFT: u16 = 499;

/// Writes down what nobody waited for: it may have been done all the same.
struct Unanswered {
    shared: Shared,
    asked: Asked,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(access) = self.asked.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let note = Change::Api(ApiChange::NoteAccess(row(access, LEFT)));
        let shared = self.shared.clone();
        drop(runtime.spawn_blocking(move || {
            if let Err(error) = shared.desk.record(note, None) {
                tracing::error!(%error, "a request could not be written down");
            }
        }));
    }
}

/// The row as it is written down.
fn row(access: Access, status: u16) -> Access {
    let path = path(&access.path, was_there(status));
    Access { status, path, ..access }
}

/// Whether an answer says that what the path names was there. What was not may be anything.
fn was_there(status: u16) -> bool {
    (200..300).contains(&status) || status == 409
}

/// A path as it is written down: what is neither a word of a route nor in the form of an id may be anything,
/// also somebody's address or telephone number; and so may everything where nothing was found.
fn path(asked: &str, was_there: bool) -> String {
    let is_word = |step: &str| step.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let is_id = |step: &str| {
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
        let rest = step.split_once('_').map(|(_, rest)| rest);
        let is_ours = rest.is_some_and(|rest| rest.len() >= 20 && is_plain(rest));
        step.len() <= 64 && (is_ours || step.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_in_route =
        |step: &str| ROUTES.iter().any(|route| route.path.split('/').any(|s| s == step));
    let is_in_route = |step: &str| is_in_route(step) || pages::is_word(step);
    let mut steps = asked.trim_start_matches("/api/v1").split('/').map(|step| {
        let is_in_route = is_word(step) && is_in_route(step);
        let is_kept = step.is_empty() || is_in_route || (was_there && is_id(step));
        if is_kept { step } else { "…" }
    });
    let first = steps.next().unwrap_or_default().to_owned();
    steps.fold(first, |path, step| path + "/" + step)
}

/// Writes down every request that was to change something and whose sender is known, before it is
/// answered.
pub(super) async fn log(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let asked = Asked::default();
    request.extensions_mut().insert(asked.clone());
    let unanswered = Unanswered { shared: shared.clone(), asked };
    let response = next.run(request).await;
    let Some(access) = unanswered.asked.take() else { return response };
    written(&shared, access, response)
}

/// The answer, once it is written down; whoever cannot be written down is told so. Whatever was done is done,
/// and whoever repeats it under its key is told so, too.
fn written(shared: &Shared, access: Access, response: Response) -> Response {
    let status = response.status().as_u16();
    let access = row(access, status);
    if status == StatusCode::TOO_MANY_REQUESTS.as_u16() && !shared.noted.excess(&access) {
        return response;
    }
    let note = Change::Api(ApiChange::NoteAccess(access));
    match tokio::task::block_in_place(|| shared.desk.record(note, None)) {
        Ok(_) => response,
        Err(error) => {
            tracing::error!(%error, "a request could not be written down");
            Problem::busy().into_response()
        }
    }
}

/// Writes down what a page refused to change before it asked the API, which writes for itself.
pub(crate) async fn log_refused(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let asked = Asked::default();
    request.extensions_mut().insert(asked.clone());
    let response = next.run(request).await;
    let is_refused =
        response.extensions().get::<Problem>().is_some_and(|problem| !problem.is_logged());
    match asked.take().filter(|_| is_refused) {
        Some(access) => written(&shared, access, response),
        None => response,
    }
}

/// The log, newest first.
pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after()?, |before, count| {
            let before = Some(*before).filter(|at| *at > 0);
            let found = desk.registry(|registry| registry.accesses(before, count));
            let found = found.map_err(Fault::from)?.into_iter();
            Ok(found.map(|(no, access)| (no, Some(shown(&access)))).collect())
        });
        page.map(Json)
    })
}

fn shown(access: &Access) -> Value {
    json!({
        "at": access.at,
        "who": access.subject,
        "role": access.role,
        "session": access.session,
        "method": access.method,
        "path": access.path,
        "status": access.status,
        "count": access.count,
        "network": HEXLOWER.encode(&access.network),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_somebodys_address_is_not_written_down() {
        for (asked, written) in [
            (
                "/api/v1/campaigns/cmp_06f2n0ghh1o8rdmf8tv1p91ju8/launch",
                "/campaigns/cmp_06f2n0ghh1o8rdmf8tv1p91ju8/launch",
            ),
            ("/api/v1/campaigns/x/payouts/7/retry", "/campaigns/…/payouts/7/retry"),
            ("/api/v1/team/ada@example.com", "/team/…"),
            (
                "/api/v1/users/user_2NNEqL2nrIRdJ194ndJqAHwEfxC",
                "/users/user_2NNEqL2nrIRdJ194ndJqAHwEfxC",
            ),
            ("/api/v1/users/ada", "/users/…"),
            ("/api/v1/users/user_ada", "/users/…"),
            ("/api/v1/me", "/me"),
        ] {
            assert_eq!(path(asked, true), written);
        }
        for asked in [
            "/api/v1/campaigns/15550142233/payouts/7/retry",
            "/api/v1/users/user_2NNEqL2nrIRdJ194ndJqAHwEfxC",
        ] {
            assert!(path(asked, false).contains('…'), "{asked}: nobody knows what was not there");
        }
        assert!(was_there(200) && was_there(409) && !was_there(404) && !was_there(403));
    }
}
