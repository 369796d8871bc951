//! `POST /v`: one report, one answer with its receipt.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use sponsorhub_app::api_keys::{ApiKeySecret, CONVERSIONS_WRITE};
use sponsorhub_app::intake::answer::Proven;
use sponsorhub_app::intake::{IntakeError, Ready, Reporter, Submitted};
use sponsorhub_app::velocity::OnTheWay;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_store::registry::{ApiKey, NearMiss};
use sponsorhub_store::{Outcome, StoreError};
use tokio::sync::oneshot;

use super::network;
use super::verify_batch::looks_like_reversal;
use crate::api::{LEFT, Peer};
use crate::background::Reported;
use crate::problem::Problem;
use crate::shared::Shared;
use crate::signature;

/// What a shop is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    result: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    duplicate: bool,
    campaign: String,
    seq: u64,
    /// The entry, byte for byte, as text: what the receipt is about.
    entry: &'a str,
    receipt: String,
    /// The key that the receipt's checkpoint can be checked with.
    log_key: &'a str,
}

#[derive(Debug, Serialize)]
struct ToldDry<'a> {
    result: &'a str,
    dry_run: bool,
    campaign: String,
}

pub(super) async fn report(
    State(shared): State<Shared>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let key = match api_key_of(&shared, &headers) {
        Ok(key) => key,
        Err(problem) => return problem.into_response(),
    };
    let mut row = Row::new(&shared, &key, (peer, &headers), "/v");
    row.answered(answer(&shared, &key, &headers, body).await)
}

/// The row of the access log that a request of a known key leaves behind, also when its sender goes before
/// it is answered.
pub(super) struct Row<'a> {
    shared: &'a Shared,
    reported: Reported,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        key: &ApiKey,
        (peer, headers): (Option<Extension<Peer>>, &HeaderMap),
        path: &'static str,
    ) -> Self {
        let network = network(shared, peer, headers);
        Self { shared, reported: Reported { key: key.id, network, path, status: LEFT } }
    }

    pub(super) fn answered(&mut self, answer: Result<Response, Problem>) -> Response {
        let response = answer.unwrap_or_else(Problem::into_response);
        self.reported.status = response.status().as_u16();
        response
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        if !self.shared.noted.report(self.reported, self.shared.clock.now()) {
            self.shared.figures.near_miss_dropped();
        }
    }
}

async fn answer(
    shared: &Shared,
    key: &ApiKey,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    may_report(key)?;
    let body = shared.bodies.of_known(body, shared.limits.body).await?;
    check_signature(shared, key, headers, &body)?;
    let who = Reporter { brand: key.brand };
    let now = shared.clock.now();
    let prepare = || shared.intaker.prepare(who, &body, &mut OnTheWay::default(), now);
    let ready = if looks_like_reversal(&body) {
        // It reads the ledger, so it must not hold up those who only compute.
        tokio::task::block_in_place(prepare)
    } else {
        prepare()
    };
    let submitted = match ready.map_err(|error| refused(shared, key, &error))? {
        Ready::Submit(submitted) => *submitted,
        Ready::DryRun(submitted) => return dry(shared, key, &submitted),
    };
    let Submitted { intake, pending } = submitted;
    let outcome = hand_over(shared, vec![intake]).await?.pop().ok_or_else(Problem::busy)?;
    let proven = if matches!(outcome, Outcome::Duplicate { .. }) {
        // Reads the ledger, so it must not hold up those who only compute.
        let intaker = Arc::clone(&shared.intaker);
        let read = move || intaker.finish_with_receipt(&outcome, &pending);
        tokio::task::spawn_blocking(read).await.map_err(|_| Problem::busy())?
    } else {
        shared.intaker.finish_with_receipt(&outcome, &pending)
    };
    let proven = proven.map_err(|error| refused(shared, key, &error))?;
    Ok(told(shared, &proven))
}

fn told(shared: &Shared, proven: &Proven) -> Response {
    let Proven { answer, receipt, checkpoint } = proven;
    shared.figures.event(&answer.result, answer.is_duplicate);
    Json(Told {
        result: &answer.result,
        reason: answer.reason.as_deref(),
        duplicate: answer.is_duplicate,
        campaign: answer.campaign.to_string(),
        seq: answer.seq,
        entry: std::str::from_utf8(&answer.entry).unwrap_or_default(),
        receipt: receipt.to_string(),
        log_key: &checkpoint.verifier,
    })
    .into_response()
}

/// What would have become of a report, as far as that can be told without the writer.
fn dry(shared: &Shared, key: &ApiKey, submitted: &Submitted) -> Result<Response, Problem> {
    let verdict = tokio::task::block_in_place(|| shared.intaker.would_be(submitted));
    let verdict = verdict.map_err(|error| refused(shared, key, &error))?;
    let campaign = submitted.intake.campaign().to_string();
    Ok(Json(ToldDry { result: verdict.name(), dry_run: true, campaign }).into_response())
}

/// Hands events to the writer at once; what is returned waits for the commit.
pub(super) fn hand_over(
    shared: &Shared,
    events: Vec<sponsorhub_store::Intake>,
) -> impl Future<Output = Result<Vec<Outcome>, Problem>> + use<> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(move |answer| {
        // Whoever asked may have gone; the answer is in the ledger all the same.
        drop(sender.send(answer));
    });
    let taken = shared.store.take_in(events, reply);
    if taken.is_err() {
        shared.figures.queue_full();
    }
    async move {
        taken.map_err(|_| Problem::busy())?;
        match receiver.await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(error)) => Err(of_store(&error)),
            Err(_) => Err(of_store(&StoreError::Closed)),
        }
    }
}

/// Nothing was taken in: say whether trying again helps.
pub(super) fn of_store(error: &StoreError) -> Problem {
    tracing::error!(error = %error, "a commit failed");
    if error.retry() || matches!(error, StoreError::Closed) {
        return Problem::busy();
    }
    let detail = "the ledger cannot take this; its operator has been told";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "ledger_fault", detail)
}

/// Refuses keys that may not report.
pub(super) fn may_report(key: &ApiKey) -> Result<(), Problem> {
    if key.scopes.iter().any(|scope| scope == CONVERSIONS_WRITE) {
        return Ok(());
    }
    let detail = format!("this key lacks the scope {CONVERSIONS_WRITE}");
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail).about("authorization"))
}

/// The key of a request, whatever it may do.
pub(crate) fn api_key_of(shared: &Shared, headers: &HeaderMap) -> Result<Arc<ApiKey>, Problem> {
    let unauthorized = |code: &str, detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, code, detail).about("authorization")
    };
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The scheme's name may be spelled in any case (RFC 9110, 11.1).
    let value = value.and_then(|value| value.split_once(' '));
    let value = value.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let value = value.map(|(_, key)| key);
    let value = value.ok_or_else(|| {
        unauthorized("api_key_missing", "send the brand's API key: Authorization: Bearer shk_…")
    })?;
    let secret: ApiKeySecret = value.trim().parse().map_err(|_| {
        unauthorized("api_key_malformed", "an API key is shk_, the mode, _ and 43 characters")
    })?;
    let mode = shared.catalog.keys().set.mode();
    if secret.mode() != mode {
        let detail = format!("this key is for {}, and this installation is {mode}", secret.mode());
        return Err(unauthorized("api_key_other_mode", &detail));
    }
    let found = shared.catalog.api_key(secret.hash()).map_err(|error| of_store(&error))?;
    let now = shared.clock.now();
    let fix = "no such key, or it has expired or was revoked";
    let Some(key) = found else { return Err(unauthorized("api_key_unknown", fix)) };
    if !key.is_valid(now) {
        // The caller is told no more than of a key that never was; the brand whose it was may know.
        let problem = unauthorized("api_key_unknown", fix);
        keep(shared, &key, &problem, None);
        return Err(problem);
    }
    shared.noted.key_use(key.id, now);
    Ok(key)
}

/// The signature of a body, where the key asks for one.
pub(super) fn check_signature(
    shared: &Shared,
    key: &ApiKey,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    if !key.needs_signature {
        return Ok(());
    }
    let secret = shared.catalog.report_secret(key).map_err(|error| of_store(&error))?;
    let secret = secret.ok_or_else(|| {
        let detail = "the secret came from a master that was revoked; ask for a new API key";
        unsigned(shared, key, "signature_key_revoked", detail)
    })?;
    let header = headers.get(signature::HEADER).and_then(|value| value.to_str().ok());
    signature::check(header, body, secret.as_bytes(), shared.clock.now())
        .map_err(|bad| unsigned(shared, key, bad.0, &bad.1))
}

/// Counts and notes a report under a brand's key whose signature is not believed.
fn unsigned(shared: &Shared, key: &ApiKey, code: &str, detail: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, code, detail).about(signature::HEADER);
    note(shared, key, &problem, None);
    problem
}

/// Whether a text can be the name of a field. What a shop sends in the place of one is told back to it
/// and not kept: it may be anything.
fn is_name(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Counts and notes why a report was refused, and says it.
pub(super) fn refused(shared: &Shared, key: &ApiKey, error: &IntakeError) -> Problem {
    let (problem, campaign) = match error {
        IntakeError::Refused(refused) => (Problem::of_refused(refused), None),
        IntakeError::Conflict { campaign, seq } => {
            let detail = format!(
                "another event was reported with this source, external_id and type; it is entry \
                 {seq} of {campaign}"
            );
            let code = "duplicate_with_other_content";
            let problem = Problem::new(StatusCode::CONFLICT, code, detail).about("external_id");
            (problem, Some(*campaign))
        }
        IntakeError::Store(error) => return of_store(error),
    };
    note(shared, key, &problem, campaign);
    problem
}

fn note(shared: &Shared, key: &ApiKey, problem: &Problem, campaign: Option<CampaignId>) {
    shared.figures.refused(&problem.code);
    keep(shared, key, problem, campaign);
}

fn keep(shared: &Shared, key: &ApiKey, problem: &Problem, campaign: Option<CampaignId>) {
    let code = problem.code.as_str();
    let noted = shared.noted.near_miss(NearMiss {
        brand: key.brand,
        at: shared.clock.now(),
        code: problem.code.clone(),
        // A field that nobody knows may be called like somebody.
        field: problem.field.clone().filter(|field| is_name(field) && code != "field_unknown"),
        campaign,
        detail: problem.detail.clone(),
    });
    if !noted {
        shared.figures.near_miss_dropped();
    }
}
