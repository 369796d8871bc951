//! Forms: what they say, and that they were sent by a page of ours.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sponsorhub_app::orders::alone;
use sponsorhub_core::money::AMOUNT_MAX;

use super::again::Sent;
use crate::api::Caller;
use crate::bodies::Limit;
use crate::problem::Problem;
use crate::shared::Shared;

/// Largest form, bytes.
const FORM_BYTES_MAX: usize = 16 << 10;

/// What an amount is written like.
pub(super) const AMOUNT: &str =
    "write it like 1234 or 1234.50; 1,234 alone could mean two things and is not guessed at";

/// The fields of a form; of a field that comes twice, the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// The fields of a form, or of a query.
    pub(super) fn read(text: &[u8]) -> Self {
        let fields = form_urlencoded::parse(text);
        Self(fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Adds a field that came in another way.
    pub(super) fn add(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// The fields of the query of an address, if it has one.
    pub(super) fn of_query(query: Option<String>) -> Self {
        Self::read(query.unwrap_or_default().as_bytes())
    }

    /// Whether it has a field, empty or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All fields, in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What a field says, without blanks around it; empty where it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// An amount in whole units and cents, as in `1234.5`, in minor units.
    pub(super) fn amount(&self, name: &'static str) -> Result<i64, Problem> {
        let wrong = |detail: &str| {
            Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about(name)
        };
        let amount = alone(self.text(name)).ok_or_else(|| wrong(AMOUNT))?;
        if amount <= AMOUNT_MAX.0 { Ok(amount) } else { Err(wrong("at most 1,000,000,000.00")) }
    }
}

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Problem> {
        let limit = Limit { bytes: FORM_BYTES_MAX, seconds: shared.limits.body.seconds };
        let sent = request.extensions().get::<Sent>().cloned();
        let body = shared.bodies.of_anybody(request.into_body(), limit).await?;
        let form = Self::read(&body);
        if let Some(sent) = sent {
            sent.tell(&form);
        }
        Ok(form)
    }
}

/// Lets only our own pages change something: browsers say where a form comes from, and cannot be made by
/// another page to say otherwise. The API asks the same of a request that shows a cookie.
pub(super) async fn only_from_here(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    if changes_nothing || is_from_here(&shared, request.headers()) {
        return Ok(next.run(request).await);
    }
    // In whose name, for the access log.
    let (mut parts, _) = request.into_parts();
    drop(Caller::from_request_parts(&mut parts, &shared).await);
    let detail = "what changes something is sent by a page of this site; nothing was changed";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail).about("origin"))
}

fn is_from_here(shared: &Shared, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_party = |origin| shared.clients.identity.is_party(origin);
    text(header::ORIGIN.as_str()).is_some_and(is_party)
        && text("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

/// A text as it may stand in a query.
pub(super) fn quoted(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// An address to go to after something: a path of this site and nothing that a browser takes for a host.
pub(super) fn local(to: &str) -> Option<&str> {
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (to.starts_with('/') && !to.starts_with("//") && is_plain).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_stays_on_this_site() {
        for to in ["/brand", "/brand?done=paid", "/"] {
            assert_eq!(local(to), Some(to));
        }
        for to in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\tb", "/\n"]
        {
            assert_eq!(local(to), None, "{to:?}");
        }
    }

    #[test]
    fn amounts_are_read_without_a_guess() {
        let read = |text: &str| {
            let form = Form([("a".to_owned(), text.to_owned())].into());
            form.amount("a").map_err(|problem| problem.code)
        };
        for (text, minor) in [
            ("1234", 123_400),
            ("1,234.50", 123_450),
            ("1.234,50", 123_450),
            ("1\u{a0}234,5", 123_450),
            ("1,234,567", 123_456_700),
            ("1.234.567,8", 123_456_780),
            ("2,5", 250),
            ("1500,00", 150_000),
            ("0.5", 50),
            (" 7 ", 700),
        ] {
            assert_eq!(read(text), Ok(minor), "{text}");
        }
        for text in [
            "",
            ".5",
            "5.",
            "1,234",
            "1.234",
            "1,23,456",
            "1234,567.00",
            "1,2.5",
            "1.2,345.6",
            "1,234.567",
            "1.234,567.89",
            "-1",
            "1e3",
            "12x",
            "1000000000.01",
            "9999999999999",
            ",",
            ".,",
        ] {
            assert_eq!(read(text), Err("field_invalid".to_owned()), "{text}");
        }
    }
}
