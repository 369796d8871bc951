//! What is left of a caller's budget of requests, told with each answer.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::problem::Problem;
use crate::rates::Budget;

/// What is left, told by whoever counts the request to whoever sends the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Left(Arc<Mutex<Option<Budget>>>);

impl Left {
    /// Refuses a request that is one too many.
    pub(super) fn tell(&self, budget: Budget) -> Result<(), Problem> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(budget);
        let Some(wait) = budget.wait_s else { return Ok(()) };
        let detail = format!("{} requests a minute; the next in {wait} s", budget.limit);
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail))
    }
}

/// Tells of the budget in the headers of an answer.
pub(super) async fn show(mut request: Request, next: Next) -> Response {
    let left = Left::default();
    request.extensions_mut().insert(left.clone());
    let mut response = next.run(request).await;
    let budget = *left.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(budget) = budget else { return response };
    let headers = response.headers_mut();
    for (name, value) in [
        ("ratelimit-limit", u64::from(budget.limit)),
        ("ratelimit-remaining", u64::from(budget.remaining)),
        ("ratelimit-reset", budget.reset_s),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    if let Some(wait) = budget.wait_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}
