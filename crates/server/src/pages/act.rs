//! A form becomes the API's request that does the same, and some pages are what the API says.
//!
//! It goes through the API's own router with the headers that it came with: who may, what is done once,
//! and what stands in the access log is decided in one place.

use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderName, HeaderValue, Request, header};
use serde_json::Value;
use sponsorhub_app::ports::random;
use tower::ServiceExt as _;

use super::form::Form;
use crate::api::{self, Caller, Peer};
use crate::problem::Problem;
use crate::world::SystemChance;

/// Headers that say who asks and from where.
const KEPT: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::ORIGIN,
    header::USER_AGENT,
    HeaderName::from_static("x-forwarded-for"),
];

/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A key for a form that is shown, so that pressing its button twice does it once.
pub(super) fn key() -> String {
    let bytes: [u8; 15] = random(&SystemChance);
    format!("form:{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase())
}

/// Does it; what the API answered.
pub(super) async fn act(
    caller: &Caller,
    form: &Form,
    (method, path): (&str, &str),
    body: &Value,
) -> Result<Value, Problem> {
    let mut request = request(caller, (method, path));
    if let Ok(key) = HeaderValue::from_str(form.text("key"))
        && !key.is_empty()
    {
        request = request.header("idempotency-key", key);
    }
    send(caller, request.body(Body::from(body.to_string()))).await
}

/// What the API says at a path, which a page is made of.
pub(super) async fn ask(caller: &Caller, path: &str) -> Result<Value, Problem> {
    send(caller, request(caller, ("GET", path)).body(Body::empty())).await
}

fn request(caller: &Caller, (method, path): (&str, &str)) -> Builder {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for name in KEPT {
        for value in caller.headers.get_all(&name) {
            request = request.header(name.clone(), value.clone());
        }
    }
    request
}

async fn send(
    caller: &Caller,
    request: Result<Request<Body>, axum::http::Error>,
) -> Result<Value, Problem> {
    let mut request = request.map_err(|error| {
        tracing::error!(%error, "a page could not ask the API");
        Problem::busy()
    })?;
    request.extensions_mut().insert(Peer(caller.peer));
    let shared = (*caller.shared).clone();
    let router = api::router(shared.clone()).with_state(shared);
    let Ok(mut response) = router.oneshot(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Err(problem.logged());
    }
    let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
    let body = body.map_err(|_| Problem::busy())?;
    serde_json::from_slice(&body).map_err(|_| Problem::busy())
}
