//! What a request says, taken apart. What cannot be taken apart is answered like every other problem.

use std::ops::Deref;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::BODY_BYTES_MAX;
use crate::bodies::{Held, Limit};
use crate::problem::Problem;
use crate::shared::Shared;

/// The parameters in a path.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

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
pub(super) struct Query<T>(pub(super) T);

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

/// Reads a body; an empty one is an empty object.
pub(super) fn body_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = read(&mut json, "body_invalid")?;
    json.end().map_err(|error| wrong("body_invalid", "body", &error))?;
    Ok(read)
}

/// Reads what is wanted; the problem names the field, however deep it is.
pub(super) fn read<'de, T, D>(from: D, code: &str) -> Result<T, Problem>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(from).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        let text = inner.to_string();
        // Of a field that is missing, only the text knows the name.
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let is_root = path == ".";
        let field = match missing {
            Some(name) if is_root => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None if is_root => "body".to_owned(),
            None => path,
        };
        wrong(code, &field, inner)
    })
}

fn wrong(code: &str, field: &str, error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, error.to_string()).about(field)
}

#[cfg(test)]
mod tests {
    use sponsorhub_core::campaign::terms::Terms;
    use sponsorhub_core::money::{Currency, Minor};

    use super::*;

    #[test]
    fn a_problem_names_the_field_however_deep_it_is() {
        let terms = Terms::with_defaults(Currency::Usd, Minor(5), 7);
        let whole = serde_json::to_value(terms).expect("JSON");
        for (field, value, expected) in [
            ("currency", r#""XXX""#, "currency"),
            ("budget", "1.5", "budget"),
            ("base", "null", "base"),
            ("rates", r#"{"sale":{"bps":[[0,100],[5,-5]]}}"#, "rates.sale.bps[1][1]"),
            ("rates", r#"{"sale":{}}"#, "rates.sale"),
            ("foo", "1", "foo"),
            ("budget", "", "budget"),
        ] {
            let mut said = whole.clone();
            match value {
                "" => drop(said.as_object_mut().expect("an object").remove(field)),
                value => said[field] = serde_json::from_str(value).expect("JSON"),
            }
            let problem = read::<Terms, _>(said, "terms_invalid").expect_err("wrong");
            assert_eq!(problem.field.as_deref(), Some(expected), "{}", problem.detail);
        }
        let rest = body_of::<serde_json::Value>(b"{} {}").expect_err("two of them");
        assert_eq!(rest.field.as_deref(), Some("body"));
    }
}
