//! Errors over HTTP: problem details (RFC 9457) with a stable code, the field and the fix.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sponsorhub_core::verification::Refused;

/// What went wrong, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// A relative reference that names the code, as `type` asks for a URI.
    r#type: String,
    pub(crate) title: &'static str,
    status: u16,
    /// Stable, for programs.
    pub(crate) code: String,
    /// Field or header that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// What to do about it.
    pub(crate) detail: String,
    /// Whether the access log has it already, as what the API refused has.
    #[serde(skip)]
    is_logged: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: code.to_owned(),
            field: None,
            detail: detail.into(),
            is_logged: false,
        }
    }

    /// The same, of which the access log tells already.
    pub(crate) fn logged(self) -> Self {
        Self { is_logged: true, ..self }
    }

    pub(crate) const fn is_logged(&self) -> bool {
        self.is_logged
    }

    pub(crate) fn about(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Of a report that was refused: what is malformed is 400, what is well formed and not true or
    /// not allowed is 422.
    pub(crate) fn of_refused(refused: &Refused) -> Self {
        let malformed = refused.code.starts_with("json_")
            || refused.code.starts_with("field_")
            || refused.code.starts_with("amount_")
            || matches!(refused.code, "currency_unknown" | "artifact_missing");
        let status =
            if malformed { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
        Self::new(status, refused.code, refused.fix.clone()).about(refused.field.clone())
    }

    /// The queue is full, or the disk is: nothing was taken, and the same may succeed soon.
    pub(crate) fn busy() -> Self {
        let detail = "nothing was taken in; send the same again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(&self)).into_response();
        // Whoever answers a browser makes a page of it.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
