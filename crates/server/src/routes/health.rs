//! `/healthz`: the process answers. `/readyz`: it can do its work.

use axum::extract::State;
use axum::http::StatusCode;

use crate::problem::Problem;
use crate::shared::Shared;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Not ready where the store cannot be read: then links cannot be looked up and nothing is verified.
pub(super) async fn readyz(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    if shared.figures.is_ready() {
        return Ok("ready\n");
    }
    let detail = "the store cannot be read; see the log";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail))
}
