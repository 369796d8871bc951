//! Requests that change something are done once per idempotency key, however often they are sent.
//!
//! What is asked is kept before it is done, with a seed that ids of new things are made from: a request
//! that is repeated after a crash finds what its first try made. Only success is kept as an answer;
//! what was refused may be possible later.
//!
//! Keys are of the caller's making and bodies say what people said, so neither is kept as it is: a key and
//! what was asked are recognised by tags, and an answer is sealed, all under the keyring.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use serde_json::Value;
use sponsorhub_app::planted::Bug;
use sponsorhub_app::ports::random;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::keys::KeyId;
use sponsorhub_core::ids::ClickId;
use sponsorhub_store::registry::{ApiChange, ApiRequest};
use sponsorhub_store::{Change, Rule};

use super::Fault;
use super::caller::Caller;
use super::versions::{respond, tag as version_tag};
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

/// What a repetition is told where nobody knows whether the first try came through.
pub(super) const OUTCOME_UNKNOWN: &str = "outcome_unknown";

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
        let (seed, tag, answer) = self.begin(&key, body)?;
        if let Some((status, body)) = answer {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let json = HeaderValue::from_static("application/json");
            let replayed = HeaderValue::from_static("true");
            let headers = [
                (header::CONTENT_TYPE, json),
                (header::HeaderName::from_static("idempotent-replayed"), replayed),
            ];
            let version = serde_json::from_slice(&body).ok().as_ref().and_then(version_tag);
            let version = version.map(|version| [(header::ETAG, version)]);
            return Ok((status, headers, version, body).into_response());
        }
        let asked = (self.subject.clone(), key.clone());
        let (status, answer) = match work(seed).await {
            Ok(done) => done,
            Err(problem) => {
                // What may have come through is no refusal: a further try is a repetition too.
                if problem.status().is_client_error() && problem.code != OUTCOME_UNKNOWN {
                    self.shared.under_way.note_refused(asked);
                }
                return Err(problem);
            }
        };
        self.shared.under_way.refused().remove(&asked);
        self.make_known();
        let mut kept = answer.clone();
        hide(&mut kept);
        let keys = self.shared.catalog.keys();
        let (nonce, text) = (random(&SystemChance), kept.to_string().into_bytes());
        let end = ApiChange::EndRequest {
            subject: self.subject.clone(),
            status: status.as_u16(),
            body: keys.set.seal(&self.belongs_to(&tag), nonce, text),
            key: tag,
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

    /// What a sealed answer belongs to: this caller's request of that tag.
    fn belongs_to(&self, tag: &str) -> Vec<u8> {
        format!("answer/v1\n{}\n{tag}", self.subject).into_bytes()
    }

    /// How a request is recognised under one master: by its key, and by what it asks.
    fn marks(&self, keys: &KeySet, id: KeyId, (key, body): (&str, &[u8])) -> Option<Marks> {
        let subject = self.subject.as_bytes();
        let key = keys.request_tag(id, &[b"key", subject, key.as_bytes()])?;
        let [method, path] = [&self.method, &self.path].map(String::as_bytes);
        let fingerprint = keys.request_tag(id, &[b"asked", subject, method, path, body])?;
        Some(Marks { key: format!("{id}.{}", HEXLOWER.encode(&key)), fingerprint })
    }

    fn begin(&self, key: &str, body: &[u8]) -> Result<(Seed, String, Option<Kept>), Problem> {
        let keys = self.shared.catalog.keys();
        let desk = &self.shared.desk;
        tokio::task::block_in_place(|| {
            // Also under masters that signed before: keys on money never expire. Nobody else begins this
            // one meanwhile.
            for id in keys.set.ids() {
                let Some(marks) = self.marks(&keys.set, id, (key, body)) else { continue };
                let known =
                    desk.registry(|registry| registry.api_request(&self.subject, &marks.key));
                if let Some(known) = known.map_err(Fault::from)? {
                    return self.known(&keys.set, known, (marks, key));
                }
            }
            let marks = self.marks(&keys.set, keys.set.signer(), (key, body));
            let Marks { key: tag, fingerprint } = marks.ok_or_else(Problem::busy)?;
            let request = ApiRequest {
                subject: self.subject.clone(),
                key: tag.clone(),
                fingerprint,
                seed: self.fresh(),
                created_at: self.shared.clock.now(),
                answer: None,
            };
            let seed = Seed { id: request.seed, is_repeat: false };
            let begin = Change::Api(ApiChange::BeginRequest(request));
            desk.record(begin, None).map_err(Fault::from)?;
            Ok((seed, tag, None))
        })
    }

    /// Of a request that was asked before.
    fn known(
        &self,
        keys: &KeySet,
        known: ApiRequest,
        (marks, key): (Marks, &str),
    ) -> Result<(Seed, String, Option<Kept>), Problem> {
        if known.fingerprint != marks.fingerprint {
            let detail = "this key was used for another request; use a new key for a new one";
            let code = "idempotency_key_reused";
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
            return Err(problem.about("idempotency-key"));
        }
        let asked = (self.subject.clone(), key.to_owned());
        let is_repeat = !self.shared.under_way.refused().contains(&asked);
        let open = |(status, sealed): Kept| {
            let text = keys.open(&self.belongs_to(&marks.key), &sealed);
            let detail = "this was done, and what was answered is forgotten";
            let forgotten = || Problem::new(StatusCode::CONFLICT, "answer_forgotten", detail);
            Ok::<_, Problem>((status, text.ok_or_else(forgotten)?))
        };
        let answer = known.answer.map(open).transpose()?;
        Ok((Seed { id: known.seed, is_repeat }, marks.key, answer))
    }
}

/// A request as it is recognised.
struct Marks {
    key: String,
    fingerprint: [u8; 32],
}
