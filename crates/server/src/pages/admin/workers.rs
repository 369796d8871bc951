//! `/admin/workers`: what happens without anybody asking, and the brakes on it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::act::{act, ask, key};
use super::super::form::Form;
use super::super::rows::Asked;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, chip, done};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::list::{moment, text};
use crate::api::{Path, Query, not_found};
use crate::problem::Problem;

/// What may be done about a job.
struct Buttons {
    path: String,
    is_paused: bool,
    keys: [String; 2],
}

struct Job {
    name: String,
    about: &'static str,
    state: Chip,
    paused_at: Option<Moment>,
    error: Option<String>,
    last_run_at: Option<Moment>,
    last_done_at: Option<Moment>,
    done: u64,
    waiting: u64,
    oldest_at: Option<Moment>,
    buttons: Option<Buttons>,
}

#[derive(Template)]
#[template(path = "admin/workers.html")]
struct Workers {
    shell: Shell,
    done: Option<&'static str>,
    now: Option<Moment>,
    /// Up to when nothing was left to do.
    settled_at: Option<Moment>,
    jobs: Vec<Job>,
}

/// What a job is for, and what waits while it is paused.
fn about(name: &str) -> &'static str {
    match name {
        "events" => {
            "Reads the provider's own list of events, so that a webhook which never came is not missed."
        }
        "inbox" => "Deals with events that came. Without it deposits wait to be confirmed.",
        "deposits" => "Reads deposits again: fees, disputes, what came late.",
        "rollup" => {
            "Commission under the cap, and each campaign's steps. Without it nobody earns and nothing ends."
        }
        "disburse" => "Sends payouts. Without it creators wait; what they earned stays theirs.",
        "refund" => "Sends back to brands what nobody earned.",
        "holdings" => "Compares what the ledgers hold with the provider's balance.",
        "erasure" => "Erases people who asked for it, once nothing is owed to them.",
        "forget" => "Forgets what is kept for a time only.",
        "dedup_keys" => {
            "Destroys the keys by which orders of campaigns long over could be recognised."
        }
        _ => "",
    }
}

fn job(job: &Value) -> Job {
    let (name, paused_at) = (text(job, "name"), moment(job, "paused_at"));
    let error = job["error"].as_str().map(str::to_owned);
    let state = match (paused_at.is_some(), error.is_some()) {
        (true, _) => chip("wait", "Paused"),
        (false, true) => chip("bad", "Failed, tried again"),
        (false, false) if job["last_run_at"].is_null() => chip("calm", "Not run yet"),
        (false, false) => chip("good", "Runs"),
    };
    let buttons = (job["may_be_paused"] == true).then(|| Buttons {
        path: format!("/admin/workers/{name}"),
        is_paused: paused_at.is_some(),
        keys: [key(), key()],
    });
    Job {
        about: about(&name),
        state,
        paused_at,
        error,
        last_run_at: moment(job, "last_run_at"),
        last_done_at: moment(job, "last_done_at"),
        done: job["done"].as_u64().unwrap_or_default(),
        waiting: job["waiting"].as_u64().unwrap_or_default(),
        oldest_at: moment(job, "oldest_at"),
        buttons,
        name,
    }
}

/// `GET /admin/workers`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let answer = ask(&visitor.caller, "/workers").await?;
    let jobs = answer["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    let workers = Workers {
        shell: visitor.titled("Workers"),
        done: asked.done.as_deref().and_then(done),
        now: moment(&answer, "now"),
        settled_at: moment(&answer, "settled_at").filter(|at| at.0 > 0),
        jobs: jobs.iter().map(job).collect(),
    };
    page(StatusCode::OK, &workers)
}

/// `POST /admin/workers/{job}/{step}`: pause, resume or run.
pub(in super::super) async fn take(
    visitor: Visitor,
    Path((job, step)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let done = match step.as_str() {
        "pause" => "job-paused",
        "resume" => "job-resumed",
        "run" => "job-run",
        _ => return Err(not_found()),
    };
    // A job is a word; anything else would be another address of the API.
    if !job.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') || job.is_empty() {
        return Err(not_found());
    }
    let path = format!("/workers/{job}/{step}");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go(&format!("/admin/workers?done={done}")))
}
