//! Routes: path and file name match.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use data_encoding::BASE32_NOPAD;
use sponsorhub_app::ports::random;
use sponsorhub_core::attribution::click::NetworkFingerprint;
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::Peer;
use crate::net::Routes;
use crate::pages;
use crate::problem::Problem;
use crate::shared::Shared;
use crate::world::SystemChance;

mod health;

mod metrics;

mod redirect;

mod verify;

mod verify_batch;

mod webhooks;

pub(crate) use verify::api_key_of;

/// All routes. `GET /r/{name}` is answered in front of the router.
pub(crate) fn routes(shared: Shared) -> Routes {
    let visits = shared.clone();
    let first = Arc::new(move |head: &Parts, peer| redirect::visit(&visits, head, peer));
    Routes { first, router: router(shared) }
}

fn router(shared: Shared) -> Router {
    let router = Router::new();
    #[cfg(feature = "bench-yardsticks")]
    let router = router.route("/bare/{name}", get(crate::yardstick::bare));
    router
        .route("/v", post(verify::report))
        .route("/v/batch", post(verify_batch::report))
        .route("/webhooks/stripe", post(webhooks::account))
        .route("/webhooks/stripe/connect", post(webhooks::connect))
        .route("/webhooks/clerk", post(webhooks::identity))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .merge(crate::api::router(shared.clone()))
        .merge(pages::router(shared.clone()))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(broken))
        .layer(from_fn_with_state(shared.clone(), pages::dress))
        .layer(map_response_with_state(shared.clone(), count))
        .layer(from_fn(crate::unread::close))
        .with_state(shared)
}

/// From where a request comes, as nobody can read it without the keyring.
fn network(shared: &Shared, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> [u8; 8] {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let peer = peer.map_or(unknown, |Extension(Peer(address))| address);
    let address = shared.address(peer, headers);
    NetworkFingerprint::new(shared.catalog.keys().set.pepper(), address).0
}

/// Names each answer, so that whoever asks about one can say which; counts what did not go well, wherever
/// it was answered.
async fn count(State(shared): State<Shared>, mut response: Response) -> Response {
    let bytes: [u8; 10] = random(&SystemChance);
    let id = format!("req_{}", BASE32_NOPAD.encode(&bytes).to_lowercase());
    let status = response.status().as_u16();
    if status >= 400 {
        shared.figures.problem(status);
    }
    if status >= 500 {
        tracing::warn!(request = id, status, "a request was not answered as it was asked");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// A bug took the request down; others go on, and this one is told. Where it was is logged already, and
/// what it says is not: it may repeat what somebody sent.
fn broken(_panic: Box<dyn std::any::Any + Send>) -> Response {
    let detail = "this is a bug of ours; whether something was done is to be looked up";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail).into_response()
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is at this address")
}

async fn method_not_allowed() -> Problem {
    let detail = "this address takes another method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
