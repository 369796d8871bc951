//! Routes: path and file name match.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get, post};

use crate::problem::Problem;
use crate::shared::Shared;

mod health;

mod metrics;

mod redirect;

mod verify;

mod verify_batch;

/// All routes.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/r/{name}", any(redirect::visit))
        .route("/v", post(verify::report))
        .route("/v/batch", post(verify_batch::report))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(shared)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is at this address")
}

async fn method_not_allowed() -> Problem {
    let detail = "this address takes another method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
