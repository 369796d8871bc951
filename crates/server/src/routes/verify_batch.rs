//! `POST /v/batch`: one report a line, one result a line in the same order, not atomic.
//!
//! A line that is refused says so and the others go on. Reports are handed to the writer in as few
//! lots as their order allows: a reversal waits until the lines before it that are about the same
//! order are in the ledger, since it takes back what they brought or what they left.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use sponsorhub_app::intake::{IntakeError, Pending, Ready, Reporter, Submitted};
use sponsorhub_app::velocity::OnTheWay;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_store::registry::ApiKey;
use sponsorhub_store::{Intake, Outcome};

use super::verify::{Row, api_key_of, check_signature, hand_over, may_report, of_store, refused};
use crate::api::Peer;
use crate::problem::Problem;
use crate::shared::Shared;

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
    let mut row = Row::new(&shared, &key, (peer, &headers), "/v/batch");
    row.answered(answer(&shared, &key, &headers, body).await)
}

/// A line on its way.
enum Line {
    /// Told already.
    Told(String),
    /// With the writer, in this place of the lot.
    Waiting(usize),
}

struct Batch<'a> {
    shared: &'a Shared,
    key: &'a ApiKey,
    lines: Vec<Line>,
    events: Vec<Intake>,
    pending: Vec<Pending>,
    on_the_way: OnTheWay,
    /// Orders that events of this lot are about.
    orders: HashSet<String>,
    /// Where the lot under way begins.
    first: usize,
    /// The newest outcome of each campaign, for the checkpoint.
    newest: BTreeMap<CampaignId, Option<Outcome>>,
}

async fn answer(
    shared: &Shared,
    key: &ApiKey,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    may_report(key)?;
    let _place = shared.places.take(key.brand).await.map_err(|_| Problem::busy())?;
    let body = shared.bodies.of_known(body, shared.limits.batch).await?;
    check_signature(shared, key, headers, &body)?;
    let lines = split(&body, shared.limits.batch_lines)?;
    let mut batch = Batch {
        shared,
        key,
        lines: Vec::with_capacity(lines.len()),
        events: Vec::with_capacity(lines.len()),
        pending: Vec::with_capacity(lines.len()),
        on_the_way: OnTheWay::default(),
        orders: HashSet::new(),
        first: 0,
        newest: BTreeMap::new(),
    };
    let now = shared.clock.now();
    for line in lines {
        if looks_like_reversal(line) {
            if reversed_order(line).is_some_and(|order| batch.orders.contains(&order)) {
                batch.hand_in().await?;
            }
            // It reads the ledger.
            tokio::task::block_in_place(|| batch.take(line, now));
        } else {
            batch.take(line, now);
        }
    }
    batch.hand_in().await?;
    batch.finish()
}

fn split(body: &[u8], most: usize) -> Result<Vec<&[u8]>, Problem> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    if lines.is_empty() || lines.len() > most {
        let detail = format!("1 to {most} lines, each one report as a JSON object");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "batch_lines", detail).about("body"));
    }
    Ok(lines)
}

/// Whether a line may be a reversal, which reads the ledger. One that only looks so costs little.
pub(super) fn looks_like_reversal(line: &[u8]) -> bool {
    let is_spelled = |letters: &[u8]| line.windows(letters.len()).any(|found| found == letters);
    // JSON may spell a letter as its number; then only a parser knows the names.
    is_spelled(b"\"reverses\"") || (is_spelled(b"\\u") && reversed_order(line).is_some())
}

/// The order that a line takes back, by the id under which it was reported.
fn reversed_order(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        reverses: Option<String>,
    }
    serde_json::from_slice::<Names>(line).ok()?.reverses
}

impl Batch<'_> {
    fn take(&mut self, line: &[u8], now: i64) {
        let who = Reporter { brand: self.key.brand };
        match self.shared.intaker.prepare(who, line, &mut self.on_the_way, now) {
            Ok(Ready::Submit(submitted)) => {
                let Submitted { intake, pending } = *submitted;
                self.lines.push(Line::Waiting(self.events.len()));
                self.orders.insert(pending.order().to_owned());
                self.events.push(intake);
                self.pending.push(pending);
            }
            Ok(Ready::DryRun(submitted)) => {
                let told = match self.shared.intaker.would_be(&submitted) {
                    Ok(verdict) => json!({ "result": verdict.name(), "dry_run": true }),
                    Err(error) => self.problem(&error),
                };
                self.lines.push(Line::Told(told.to_string()));
            }
            Err(error) => {
                let told = self.problem(&error).to_string();
                self.lines.push(Line::Told(told));
            }
        }
    }

    fn problem(&self, error: &IntakeError) -> serde_json::Value {
        json!({ "problem": refused(self.shared, self.key, error) })
    }

    /// Hands what was taken so far to the writer, a lot for each campaign, and tells what became of
    /// it. A ledger that takes nothing costs the lines of others nothing.
    async fn hand_in(&mut self) -> Result<(), Problem> {
        if self.events.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let (outcomes, problem) = self.outcomes(pending.len()).await;
        // Lines of earlier lots are in the ledger and must be told.
        let is_all = self.first == 0 && outcomes.iter().all(Option::is_none);
        let told = match problem {
            Some(problem) if is_all => return Err(problem),
            Some(problem) => json!({ "problem": problem }).to_string(),
            None => String::new(),
        };
        for index in self.first..self.lines.len() {
            let Line::Waiting(place) = self.lines[index] else { continue };
            self.lines[index] = Line::Told(match &outcomes[place] {
                // It reads the ledger.
                Some(outcome @ Outcome::Duplicate { .. }) => {
                    tokio::task::block_in_place(|| self.told(outcome, &pending[place]))
                }
                Some(outcome) => self.told(outcome, &pending[place]),
                None => told.clone(),
            });
        }
        self.first = self.lines.len();
        self.on_the_way.clear();
        self.orders.clear();
        for (outcome, pending) in outcomes.into_iter().zip(&pending) {
            let Some(outcome) = outcome else { continue };
            let slot = self.newest.entry(pending.campaign()).or_default();
            if matches!(outcome, Outcome::Appended(_)) {
                *slot = Some(outcome);
            }
        }
        Ok(())
    }

    /// What the writer made of each event; none where it took nothing, with the last reason.
    async fn outcomes(&mut self, count: usize) -> (Vec<Option<Outcome>>, Option<Problem>) {
        let mut lots: BTreeMap<CampaignId, (Vec<usize>, Vec<Intake>)> = BTreeMap::new();
        for (place, event) in std::mem::take(&mut self.events).into_iter().enumerate() {
            let (places, events) = lots.entry(event.campaign()).or_default();
            places.push(place);
            events.push(event);
        }
        // All are handed over before one is waited for.
        let lots = lots.into_values();
        let answers = lots.map(|(places, events)| (places, hand_over(self.shared, events)));
        let answers: Vec<_> = answers.collect();
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(count, || None);
        let mut problem = None;
        for (places, answer) in answers {
            match answer.await {
                Ok(answer) => {
                    for (place, outcome) in places.into_iter().zip(answer) {
                        outcomes[place] = Some(outcome);
                    }
                }
                Err(error) => problem = Some(error),
            }
        }
        (outcomes, problem)
    }

    fn told(&self, outcome: &Outcome, pending: &Pending) -> String {
        match self.shared.intaker.finish(outcome, pending) {
            Ok(answer) => {
                self.shared.figures.event(&answer.result, answer.is_duplicate);
                let mut text = String::with_capacity(220);
                let reason = answer.reason.map(|reason| format!(r#","reason":"{reason}""#));
                write!(
                    text,
                    r#"{{"result":"{}"{},"duplicate":{},"campaign":"{}","seq":{},"leaf":"{}"}}"#,
                    answer.result,
                    reason.unwrap_or_default(),
                    answer.is_duplicate,
                    answer.campaign,
                    answer.seq,
                    answer.leaf,
                )
                .expect("writing to a string");
                text
            }
            Err(error) => self.problem(&error).to_string(),
        }
    }

    /// All lines, and one more with the checkpoints that cover them.
    fn finish(self) -> Result<Response, Problem> {
        let mut text = String::with_capacity(self.lines.len() * 220);
        for line in &self.lines {
            if let Line::Told(told) = line {
                text.push_str(told);
                text.push('\n');
            }
        }
        let mut checkpoints = Vec::new();
        for (campaign, outcome) in &self.newest {
            let appended = match outcome {
                Some(Outcome::Appended(appended)) => Some(appended),
                _ => None,
            };
            let signed = self.shared.intaker.checkpoint_of(*campaign, appended);
            let signed = signed.map_err(|error| of_store(&error))?;
            checkpoints.push(json!({
                "campaign": campaign,
                "checkpoint": &*signed.note,
                "log_key": &*signed.verifier,
            }));
        }
        text.push_str(&json!({ "checkpoints": checkpoints }).to_string());
        text.push('\n');
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        Ok((kind, text).into_response())
    }
}
