//! Refusals in the words of the wire.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A refusal, and whether the idempotency layer keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    kind: &'static str,
    pub(crate) code: Option<&'static str>,
    message: String,
    param: Option<String>,
    /// What was refused before anything was tried may be tried again under the same key.
    pub(crate) is_stored: bool,
}

const INVALID: &str = "invalid_request_error";

impl Refusal {
    /// A parameter is wrong: found before anything is tried, so nothing is kept.
    pub(crate) fn parameter(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), is_stored: false, ..Self::executed(code, message) }
    }

    /// Well said, tried, and refused: the answer is kept under the key.
    pub(crate) fn executed(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: INVALID,
            code: Some(code),
            message: message.into(),
            param: None,
            is_stored: true,
        }
    }

    /// Like [`Refusal::executed`], where the wire has no code for it.
    pub(crate) fn uncoded(message: impl Into<String>) -> Self {
        Self { code: None, ..Self::executed("", message) }
    }

    /// There is no object of that id; in the path 404, in a parameter 400.
    pub(crate) fn missing(what: &str, id: &str, param: &str) -> Self {
        let status = if param == "id" { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self {
            status,
            param: Some(param.to_owned()),
            ..Self::executed("resource_missing", format!("No such {what}: '{id}'"))
        }
    }

    pub(crate) fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    fn unstored(status: StatusCode, kind: &'static str, code: Option<&'static str>) -> Self {
        let message = String::new();
        Self { status, kind, code, message, param: None, is_stored: false }
    }

    fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn unauthorized() -> Self {
        Self::unstored(StatusCode::UNAUTHORIZED, INVALID, None)
            .saying("You did not provide a valid API key of this sandbox (Bearer sk_test_...).")
    }

    pub(crate) fn no_route(method: &str, path: &str) -> Self {
        Self::unstored(StatusCode::NOT_FOUND, INVALID, None)
            .saying(format!("Unrecognized request URL ({method}: {path})."))
    }

    pub(crate) fn other_account() -> Self {
        Self::unstored(StatusCode::FORBIDDEN, INVALID, Some("account_invalid"))
            .saying("This sandbox acts for a connected account only where its payouts are listed.")
    }

    pub(crate) fn other_parameters(key: &str) -> Self {
        Self::unstored(StatusCode::BAD_REQUEST, "idempotency_error", None).saying(format!(
            "Keys for idempotent requests can only be used with the same parameters they were \
             first used with. Try using a key other than '{key}' if you meant to execute a \
             different request."
        ))
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        let code = Some("idempotency_key_in_use");
        Self::unstored(StatusCode::CONFLICT, "idempotency_error", code)
            .saying(format!("There is currently another in-progress request using '{key}'."))
    }

    pub(crate) fn key_too_long() -> Self {
        Self::unstored(StatusCode::BAD_REQUEST, INVALID, None)
            .saying("Idempotency keys have at most 255 characters.")
    }

    pub(crate) fn rate_limited() -> Self {
        Self::unstored(StatusCode::TOO_MANY_REQUESTS, INVALID, Some("rate_limit"))
            .saying("Too many requests hit the API too quickly.")
    }

    pub(crate) fn conflict() -> Self {
        Self::unstored(StatusCode::CONFLICT, INVALID, Some("lock_timeout"))
            .saying("This object is used by another request; try again.")
    }

    pub(crate) fn internal() -> Self {
        Self {
            is_stored: true,
            ..Self::unstored(StatusCode::INTERNAL_SERVER_ERROR, "api_error", None)
        }
        .saying("Sorry, something went wrong on our side.")
    }

    /// The body.
    pub(crate) fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = json!(code);
            let page = code.replace('_', "-");
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{page}"));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        json!({ "error": error })
    }
}
