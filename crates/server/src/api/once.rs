//! Requests that change something are done once per idempotency key, however often they are sent.
//!
//! What is asked is kept before it is done, with a seed that ids of new things are made from: a request
//! that is repeated after a crash finds what its first try made. Only success is kept as an answer;
//! what was refused may be possible later.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sponsorhub_app::planted::Bug;
use sponsorhub_app::ports::random;
use sponsorhub_core::ids::ClickId;
use sponsorhub_store::registry::{ApiChange, ApiRequest};
use sponsorhub_store::{Change, Rule};

use super::Fault;
use super::caller::Caller;
use super::versions::{respond, tag};
use crate::problem::Problem;
use crate::world::SystemChance;

/// What a request comes with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed {
    /// Sorts by time, as ids of new things do.
    pub(super) id: [u8; 16],
    /// Whether the same was asked before and nobody knows how far it came.
    pub(super) is_repeat: bool,
}

/// Who asked, and under which key.
type Asked = (String, String);

/// Status and body of an answer that was kept.
type Kept = (u16, Vec<u8>);

/// Held while a request is answered.
pub(super) type Alone = Arc<tokio::sync::Mutex<()>>;

/// Requests under way, so that a repetition waits for the first.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    alone: Mutex<HashMap<Asked, Alone>>,
    /// Whose last try was refused, so that nothing of it can have come through.
    refused: Mutex<HashSet<Asked>>,
}

/// Refused requests that are remembered.
const REFUSED_MAX: usize = 100_000;

impl UnderWay {
    pub(super) fn of(&self, subject: &str, key: &str) -> Alone {
        let mut all = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for what only this map knows.
        all.retain(|_, one| Arc::strong_count(one) > 1);
        Arc::clone(all.entry((subject.to_owned(), key.to_owned())).or_default())
    }

    fn refused(&self) -> MutexGuard<'_, HashSet<Asked>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_refused(&self, asked: Asked) {
        let mut refused = self.refused();
        if refused.len() >= REFUSED_MAX {
            refused.clear();
        }
        refused.insert(asked);
    }
}

impl Caller {
    /// Does `work` once. `hide` takes out of the answer what must not be kept.
    pub(super) async fn once<F: Future<Output = Result<(StatusCode, Value), Problem>>>(
        &self,
        body: &[u8],
        hide: impl FnOnce(&mut Value),
        work: impl FnOnce(Seed) -> F,
    ) -> Result<Response, Problem> {
        let key = self.key()?.filter(|_| !self.ignores_its_key());
        let Some(key) = key else {
            let (status, answer) = work(Seed { id: self.fresh(), is_repeat: false }).await?;
            self.make_known();
            return Ok(respond(status, answer));
        };
        let alone = self.shared.under_way.of(&self.subject, &key);
        let _alone = alone.lock().await;
        let (seed, answer) = self.begin(&key, body)?;
        if let Some((status, body)) = answer {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let json = HeaderValue::from_static("application/json");
            let replayed = HeaderValue::from_static("true");
            let headers = [
                (header::CONTENT_TYPE, json),
                (header::HeaderName::from_static("idempotent-replayed"), replayed),
            ];
            let version = serde_json::from_slice(&body).ok().as_ref().and_then(tag);
            let version = version.map(|version| [(header::ETAG, version)]);
            return Ok((status, headers, version, body).into_response());
        }
        let asked = (self.subject.clone(), key.clone());
        let (status, answer) = match work(seed).await {
            Ok(done) => done,
            Err(problem) => {
                if problem.status().is_client_error() {
                    self.shared.under_way.note_refused(asked);
                }
                return Err(problem);
            }
        };
        self.shared.under_way.refused().remove(&asked);
        self.make_known();
        let mut kept = answer.clone();
        hide(&mut kept);
        let end = ApiChange::EndRequest {
            subject: self.subject.clone(),
            key,
            status: status.as_u16(),
            body: kept.to_string().into_bytes(),
            at: self.shared.clock.now(),
        };
        tokio::task::block_in_place(|| {
            self.shared.desk.record(Change::Api(end), Some(Rule::RequestWaits))
        })
        .map_err(Fault::from)?;
        Ok(respond(status, answer))
    }

    /// One route does, where that bug is planted.
    fn ignores_its_key(&self) -> bool {
        self.path.ends_with("/links") && Bug::KeyIgnored.is_planted()
    }

    /// Lets go of what is cached and was changed, so that a link works as soon as its maker is told.
    fn make_known(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.shared.catalog.refresh()) {
            tracing::error!(%error, "the caches could not be refreshed");
        }
    }

    /// Held by one request of this caller at a time, whatever its idempotency key; none of those is
    /// spelled with a line end.
    pub(super) fn alone(&self, what: &str) -> Alone {
        self.shared.under_way.of(&self.subject, &format!("\n{what}"))
    }

    /// Sixteen bytes that sort by time.
    fn fresh(&self) -> [u8; 16] {
        let chance = random(&SystemChance);
        ClickId::try_new(self.shared.clock.now(), chance)
            .map_or_else(|_| random(&SystemChance), |id| id.0)
    }

    fn begin(&self, key: &str, body: &[u8]) -> Result<(Seed, Option<Kept>), Problem> {
        let mut hash = Sha256::new();
        for part in [self.method.as_bytes(), self.path.as_bytes(), body] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let request = ApiRequest {
            subject: self.subject.clone(),
            key: key.to_owned(),
            fingerprint: hash.finalize().into(),
            seed: self.fresh(),
            created_at: self.shared.clock.now(),
            answer: None,
        };
        let desk = &self.shared.desk;
        let begin = Change::Api(ApiChange::BeginRequest(request.clone()));
        tokio::task::block_in_place(|| {
            match desk.record(begin, None) {
                Ok(_) => return Ok((Seed { id: request.seed, is_repeat: false }, None)),
                Err(sponsorhub_app::desk::CommandError::Rule(Rule::RequestUnique)) => {}
                Err(error) => return Err(Fault::from(error).into()),
            }
            let known = desk.registry(|registry| registry.api_request(&self.subject, key));
            let known = known.map_err(Fault::from)?.ok_or_else(Problem::busy)?;
            if known.fingerprint != request.fingerprint {
                let detail = "this key was used for another request; use a new key for a new one";
                let code = "idempotency_key_reused";
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
                return Err(problem.about("idempotency-key"));
            }
            let asked = (self.subject.clone(), key.to_owned());
            let is_repeat = !self.shared.under_way.refused().contains(&asked);
            Ok((Seed { id: known.seed, is_repeat }, known.answer))
        })
    }
}
