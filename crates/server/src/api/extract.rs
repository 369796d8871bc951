//! What a request says, taken apart. What cannot be taken apart is answered like every other problem.

use std::ops::Deref;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sponsorhub_app::reading::{Wrong, read};

use super::BODY_BYTES_MAX;
use crate::bodies::{Held, Limit};
use crate::problem::Problem;
use crate::shared::Shared;

/// The parameters in a path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, shared).await;
        found.map(|found| Self(found.0)).map_err(|rejection: PathRejection| {
            let detail = rejection.body_text();
            Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("path")
        })
    }
}

/// The parameters behind the question mark.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let found = axum::extract::Query::<T>::from_request_parts(parts, shared).await;
        found.map(|found| Self(found.0)).map_err(|rejection: QueryRejection| {
            let detail = rejection.body_text();
            Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("query")
        })
    }
}

/// The body. Asked for after the caller, so that it is read of nobody who may not be here.
#[derive(Debug)]
pub(super) struct Content(Held);

impl FromRequest<Shared> for Content {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Problem> {
        let limit = Limit { bytes: BODY_BYTES_MAX, seconds: shared.limits.body.seconds };
        shared.bodies.of_known(request.into_body(), limit).await.map(Self)
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The body of a request that has nothing to say: none, or an empty object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Reads a body; an empty one is an empty object.
pub(super) fn body_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // A list would be taken for the fields in their order, without a name for any.
    if !body.trim_ascii_start().starts_with(b"{") {
        let detail = "send one JSON object".to_owned();
        return Err(problem("body_invalid", Wrong { field: "body".to_owned(), detail }));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = read(&mut json).map_err(|wrong| problem("body_invalid", wrong))?;
    json.end().map_err(|error| {
        problem("body_invalid", Wrong { field: "body".to_owned(), detail: error.to_string() })
    })?;
    Ok(read)
}

pub(super) fn problem(code: &str, wrong: Wrong) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, wrong.detail).about(wrong.field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_value() {
        assert_eq!(body_of::<serde_json::Value>(b"").expect("empty"), serde_json::json!({}));
        let rest = body_of::<serde_json::Value>(b"{} {}").expect_err("two of them");
        assert_eq!(rest.field.as_deref(), Some("body"));
        let list = body_of::<serde_json::Value>(b" [\"ada\"]").expect_err("no object");
        assert_eq!(list.code, "body_invalid");
    }
}
