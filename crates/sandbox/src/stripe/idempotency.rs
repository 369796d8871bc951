//! The idempotency layer: the first answer under a key is the answer, for a day of virtual time.
//!
//! What was begun is kept, whether it went well or not, 500 included. What was refused before
//! anything was tried is not, and neither is the conflict with a request that still runs.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::Value;

use super::error::Refusal;

/// How long a key is kept, milliseconds.
const KEPT_MS: i64 = 86_400_000;

const KEY_LETTERS_MAX: usize = 255;

/// An answer as it is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

#[derive(Debug)]
struct Kept {
    /// What was asked for: path and parameters.
    asked: String,
    begun_ms: i64,
    /// None while it runs.
    answer: Option<Answer>,
}

#[derive(Debug, Default)]
pub(crate) struct Idempotency(HashMap<String, Kept>);

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It is the first of its key.
    Run,
    /// The answer was given before.
    Replay(Answer),
}

impl Idempotency {
    pub(crate) fn begin(&mut self, key: &str, asked: &str, now_ms: i64) -> Result<Begin, Refusal> {
        if key.is_empty() || key.chars().count() > KEY_LETTERS_MAX {
            return Err(Refusal::key_too_long());
        }
        // One that still runs is kept whatever the clock says.
        self.0.retain(|_, kept| {
            kept.answer.is_none() || now_ms < kept.begun_ms.saturating_add(KEPT_MS)
        });
        if let Some(kept) = self.0.get(key) {
            let Some(answer) = &kept.answer else { return Err(Refusal::key_in_use(key)) };
            if kept.asked != asked {
                return Err(Refusal::other_parameters(key));
            }
            return Ok(Begin::Replay(answer.clone()));
        }
        let kept = Kept { asked: asked.to_owned(), begun_ms: now_ms, answer: None };
        self.0.insert(key.to_owned(), kept);
        Ok(Begin::Run)
    }

    /// Keeps the answer, or lets the key go where there is none to keep.
    pub(crate) fn finish(&mut self, key: &str, answer: Option<&Answer>) {
        match answer {
            None => drop(self.0.remove(key)),
            Some(answer) => {
                if let Some(kept) = self.0.get_mut(key) {
                    kept.answer = Some(answer.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Answer {
        Answer { status: StatusCode::OK, body: json!({ "id": "tr_1" }) }
    }

    #[test]
    fn the_first_answer_is_given_again_for_the_same_request_only() {
        let mut layer = Idempotency::default();
        assert_eq!(layer.begin("k", "a=1", 0), Ok(Begin::Run));
        layer.finish("k", Some(&answer()));
        assert_eq!(layer.begin("k", "a=1", 1), Ok(Begin::Replay(answer())));
        let refusal = layer.begin("k", "a=2", 1).expect_err("other parameters");
        assert_eq!(refusal.body()["error"]["type"], "idempotency_error");
        assert_eq!((refusal.status, refusal.code), (StatusCode::BAD_REQUEST, None));
    }

    #[test]
    fn a_key_in_use_is_a_conflict_and_is_not_kept() {
        let mut layer = Idempotency::default();
        assert_eq!(layer.begin("k", "a=1", 0), Ok(Begin::Run));
        let refusal = layer.begin("k", "a=1", KEPT_MS * 2).expect_err("it still runs");
        assert_eq!(refusal.status, StatusCode::CONFLICT);
        assert_eq!(refusal.code, Some("idempotency_key_in_use"));
        layer.finish("k", None);
        assert_eq!(layer.begin("k", "a=2", 0), Ok(Begin::Run));
    }

    #[test]
    fn keys_are_forgotten_after_a_day() {
        let mut layer = Idempotency::default();
        assert_eq!(layer.begin("k", "a=1", 0), Ok(Begin::Run));
        layer.finish("k", Some(&answer()));
        assert_eq!(layer.begin("k", "a=1", KEPT_MS - 1), Ok(Begin::Replay(answer())));
        assert_eq!(layer.begin("k", "a=2", KEPT_MS), Ok(Begin::Run));
    }

    #[test]
    fn keys_have_from_1_to_255_letters() {
        let mut layer = Idempotency::default();
        for key in [String::new(), "k".repeat(256)] {
            assert!(layer.begin(&key, "a=1", 0).is_err());
        }
        assert_eq!(layer.begin(&"k".repeat(255), "a=1", 0), Ok(Begin::Run));
    }
}
