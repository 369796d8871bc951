//! What an answer is worth: a yes, a definite no, or doubt (INV-3).
//!
//! A no is definite only if the request certainly had no effect, now or at an earlier sending under
//! the same key. So these are doubt, although they look like a no:
//!
//! - 408, 409, 424, 425, 429: a rate limit, a lock or a third party stood in the way;
//! - `idempotency_error`: the key was used for something else, and that may have moved money;
//! - a 4xx without the provider's error body: something in between has answered;
//! - for money, 401 and 403, which are said before the key is looked at;
//! - for money, a no that follows doubt and is not the stored first answer.

use reqwest::header::HeaderMap;
use serde_json::Value;
use sponsorhub_app::ports::{Outcome, ProviderError};
use sponsorhub_core::money::Minor;

/// One answer, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 2xx with a JSON object.
    Yes { body: Value, request: Option<String> },
    /// The provider said no in its own words.
    No(No),
    /// Anything else.
    Doubt { why: String, request: Option<String>, may_have_acted: bool },
}

/// A no in the provider's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request: Option<String>,
    /// Whether this is the answer that was stored when the key was first used.
    pub(crate) is_replay: bool,
    /// Whether an earlier sending under the same key may have had an effect.
    pub(crate) is_after_doubt: bool,
}

/// An answer, and whether the provider's rules for clients allow to send the request again.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) answer: Answer,
    pub(crate) may_repeat: bool,
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    // An id is short; what is longer is not worth keeping.
    Some(value.chars().take(120).collect())
}

/// Judges a complete response.
pub(crate) fn judge(status: u16, headers: &HeaderMap, body: &[u8]) -> Heard {
    let request = header(headers, "request-id");
    let is_replay = header(headers, "idempotent-replayed").as_deref() == Some("true");
    let may_repeat = match header(headers, "stripe-should-retry").as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => status == 409 || status >= 500,
    };
    let body = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let answer = match body {
        Some(body) if (200..300).contains(&status) => Answer::Yes { body, request },
        Some(body) if is_definite(status, &body) => {
            let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
            let code = text("code").or_else(|| text("type")).unwrap_or_default();
            let message = text("message").unwrap_or_default();
            let is_after_doubt = false;
            Answer::No(No { status, code, message, request, is_replay, is_after_doubt })
        }
        body => {
            let code = body.as_ref().and_then(|body| {
                let error = &body["error"];
                error["code"].as_str().or_else(|| error["type"].as_str())
            });
            let why = match code {
                Some(code) => format!("status {status}, {code}"),
                None => format!("status {status}"),
            };
            Answer::Doubt { why, request, may_have_acted: true }
        }
    };
    Heard { answer, may_repeat }
}

fn is_definite(status: u16, body: &Value) -> bool {
    let error = &body["error"];
    (400..500).contains(&status)
        && !matches!(status, 408 | 409 | 424 | 425 | 429)
        && error["type"].is_string()
        && error["type"] != "idempotency_error"
}

/// Judges that no complete response came.
pub(crate) fn unheard(error: &reqwest::Error) -> Heard {
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    // Without a connection nothing was sent.
    let may_have_acted = !error.is_connect();
    let answer = Answer::Doubt { why: why.to_owned(), request: None, may_have_acted };
    Heard { answer, may_repeat: true }
}

impl Answer {
    /// The provider's id of the exchange.
    pub(crate) fn request(&mut self) -> &mut Option<String> {
        let (Self::Yes { request, .. }
        | Self::No(No { request, .. })
        | Self::Doubt { request, .. }) = self;
        request
    }

    /// The answer to a question that moves no money.
    pub(crate) fn reply(self) -> Result<Value, ProviderError> {
        match self {
            Self::Yes { body, .. } => Ok(body),
            Self::No(No { code, message, request, .. }) => {
                Err(ProviderError::Declined { code, message, request })
            }
            Self::Doubt { why, request, .. } => Err(ProviderError::Unavailable { why, request }),
        }
    }

    /// The same, where a missing thing is no error.
    pub(crate) fn found(self) -> Result<Option<Value>, ProviderError> {
        match self {
            Self::No(No { status: 404, code, .. }) if code == "resource_missing" => Ok(None),
            other => other.reply().map(Some),
        }
    }

    /// What came of moving money. `read` says what a yes means, or what is wrong with it; the id of the
    /// exchange is added here.
    pub(crate) fn outcome(self, read: impl FnOnce(&Value) -> Result<Outcome, String>) -> Outcome {
        match self {
            Self::Yes { body, request } => match read(&body) {
                Ok(Outcome::Done { id, amount, .. }) => Outcome::Done { id, amount, request },
                Ok(Outcome::Refused { code, message, .. }) => {
                    Outcome::Refused { code, message, request }
                }
                Ok(Outcome::Unknown { why, .. }) | Err(why) => Outcome::Unknown { why, request },
            },
            Self::No(no) if no.is_proof() => {
                Outcome::Refused { code: no.code, message: no.message, request: no.request }
            }
            Self::No(no) => {
                let why = format!("status {}, {}, which proves nothing", no.status, no.code);
                Outcome::Unknown { why, request: no.request }
            }
            Self::Doubt { why, request, .. } => Outcome::Unknown { why, request },
        }
    }
}

impl No {
    /// Whether nothing can have moved under this key.
    fn is_proof(&self) -> bool {
        let is_before_the_key = matches!(self.status, 401 | 403);
        !is_before_the_key && (self.is_replay || !self.is_after_doubt)
    }
}

/// A yes that moved money.
pub(crate) fn done(id: &str, amount: Minor) -> Outcome {
    Outcome::Done { id: id.to_owned(), amount, request: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &[u8] = br#"{"error":{"type":"invalid_request_error","code":"c","message":"m"}}"#;

    fn heard(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Heard {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        judge(status, &map, body)
    }

    fn word(status: u16, body: &[u8]) -> &'static str {
        match heard(status, &[], body).answer.outcome(|_| Ok(done("tr_1", Minor(1)))) {
            Outcome::Done { .. } => "done",
            Outcome::Refused { .. } => "refused",
            Outcome::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn every_status_is_done_refused_or_unknown_and_doubt_is_never_refused() {
        for status in 100..600 {
            let expected = match status {
                200..300 => "done",
                401 | 403 | 408 | 409 | 424 | 425 | 429 => "unknown",
                400..500 => "refused",
                _ => "unknown",
            };
            assert_eq!(word(status, ERROR), expected, "{status}");
            for body in [&b""[..], b"<html>", b"[]", b"null"] {
                assert_eq!(word(status, body), "unknown", "{status}");
            }
        }
    }

    #[test]
    fn a_key_used_for_something_else_proves_nothing() {
        let body = br#"{"error":{"type":"idempotency_error","message":"m"}}"#;
        assert_eq!(word(400, body), "unknown");
        assert_eq!(word(400, br#"{"error":{"code":"c"}}"#), "unknown", "not the provider's shape");
    }

    #[test]
    fn the_provider_decides_about_repetition_and_else_the_status_does() {
        for (status, expected) in
            [(400, false), (402, false), (409, true), (429, false), (500, true)]
        {
            assert_eq!(heard(status, &[], ERROR).may_repeat, expected, "{status}");
            let told = |word| heard(status, &[("stripe-should-retry", word)], ERROR).may_repeat;
            assert!(told("true") && !told("false"), "{status}");
        }
    }

    #[test]
    fn after_doubt_only_the_stored_answer_is_a_refusal() {
        for (is_replay, is_after_doubt, expected) in
            [(false, false, true), (true, true, true), (true, false, true), (false, true, false)]
        {
            let Answer::No(no) = heard(400, &[("request-id", "req_1")], ERROR).answer else {
                unreachable!("a refusal");
            };
            assert_eq!(no.request.as_deref(), Some("req_1"));
            assert_eq!(No { is_replay, is_after_doubt, ..no }.is_proof(), expected);
        }
    }
}
