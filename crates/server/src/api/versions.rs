//! Versions of things that several people may edit: whoever says which one they have seen
//! (`If-Match`) does not undo what somebody else has changed since.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::once::Alone;
use crate::problem::Problem;

/// Adds to a thing as it is shown the version of what of it can be edited.
pub(super) fn versioned(mut thing: Value, editable: &[&str]) -> Value {
    let edited: Vec<_> = editable.iter().map(|name| &thing[*name]).collect();
    let hash = Sha256::digest(json!([thing["id"], thing["user"], edited]).to_string());
    thing["version"] = json!(HEXLOWER.encode(&hash[..8]));
    thing
}

/// The header that tells the version of what is answered, where that has one.
pub(super) fn tag(answer: &Value) -> Option<HeaderValue> {
    let version = answer["version"].as_str()?;
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}

/// An answer with the version of what it shows.
pub(super) fn respond(status: StatusCode, answer: Value) -> Response {
    let tag = tag(&answer);
    let mut response = (status, Json(answer)).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl Caller {
    /// Refuses to edit a thing of which the caller has seen another version, where they say which.
    pub(super) fn has_seen(&self, thing: &Value) -> Result<(), Problem> {
        let Some(version) = thing["version"].as_str() else { return Ok(()) };
        let mut lines = self.headers.get_all(header::IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return Ok(());
        }
        let seen = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        let is_seen = |tag: &str| tag == "*" || tag.trim_matches('"') == version;
        if seen.map(str::trim).any(is_seen) {
            return Ok(());
        }
        let detail = "somebody has changed it since you have seen it; read it again, then decide";
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version_changed", detail);
        Err(problem.about("if-match"))
    }

    /// Held while a thing is compared and edited, whoever does.
    pub(super) fn alone_with(&self, thing: &str) -> Alone {
        self.shared.under_way.of("\n", thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_that_of_what_can_be_edited() {
        let thing = |url: &str, failing: i64| {
            let thing = json!({ "id": "whk_1", "url": url, "failing_since": failing });
            versioned(thing, &["url"])["version"].clone()
        };
        assert_eq!(thing("a", 1), thing("a", 2));
        assert_ne!(thing("a", 1), thing("b", 1));
        assert_ne!(
            versioned(json!({ "id": 1 }), &[])["version"],
            versioned(json!({ "id": 2 }), &[])["version"]
        );
    }
}
