//! `/workers`: how the work stands that nobody asks for, and what an operator does about it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_app::workers::{Job, Standing};
use sponsorhub_core::actor::Action;
use sponsorhub_store::registry::PausedJob;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::once::Seed;
use super::{Fault, money};
use crate::problem::Problem;

fn paused(caller: &Caller) -> Result<Vec<PausedJob>, Problem> {
    let paused = caller.shared.desk.registry(|registry| registry.paused_jobs());
    Ok(paused.map_err(Fault::from)?)
}

fn shown(name: &str, standing: &Standing, paused: &[PausedJob]) -> Value {
    let job = standing.jobs.get(name).cloned().unwrap_or_default();
    let time = |at: i64| Some(at).filter(|at| *at > 0);
    let paused = paused.iter().find(|paused| paused.job == name);
    json!({
        "name": name,
        "last_run_at": time(job.last_run_at),
        "last_done_at": time(job.last_done_at),
        "done": job.done,
        "error": job.error,
        "waiting": job.lag.waiting,
        "oldest_at": job.lag.oldest_at,
        "may_be_paused": Job::from_name(name).is_some(),
        "paused_at": paused.map(|paused| paused.since),
        "paused_by": paused.map(|paused| &paused.subject),
    })
}

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    let standing = caller.shared.workers.standing();
    let paused = tokio::task::block_in_place(|| paused(&caller))?;
    // First those that may be paused, in the order in which they run.
    let names = Job::ALL.map(Job::name);
    let others = standing.jobs.keys().copied().filter(|name| !names.contains(name));
    let jobs = names.into_iter().chain(others).map(|name| shown(name, &standing, &paused));
    let jobs: Vec<_> = jobs.collect();
    let now = caller.shared.clock.now();
    let holdings = standing.holdings.iter().map(|(currency, one)| {
        json!({
            "held": money(one.held, *currency),
            "in_doubt": money(one.in_doubt, *currency),
            "at_provider": one.at_provider.map(|there| money(there, *currency)),
            "missing": money(one.missing(), *currency),
            "beyond": money(one.beyond(), *currency),
        })
    });
    let holdings: Vec<_> = holdings.collect();
    Ok(Json(json!({
        "now": now, "settled_at": standing.settled_at, "jobs": jobs, "holdings": holdings,
    })))
}

/// Does something about a job, once.
async fn act(
    caller: &Caller,
    (name, body): (&str, &Content),
    act: impl Fn(Job) -> Result<(), Problem>,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Nothing {} = body_of(body)?;
    let job = Job::from_name(name).ok_or_else(not_found)?;
    let done = async |_: Seed| {
        let paused = tokio::task::block_in_place(|| {
            act(job)?;
            paused(caller)
        })?;
        let standing = caller.shared.workers.standing();
        Ok((StatusCode::OK, shown(job.name(), &standing, &paused)))
    };
    caller.once(body, |_| {}, done).await
}

/// Lets a job do nothing from its next run on, until it is resumed; also after a restart.
pub(super) async fn pause(
    caller: Caller,
    Path(name): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    let pause = |job| {
        let (shared, subject) = (&caller.shared, caller.subject.as_str());
        let paused = shared.workers.pause_job(job, subject, shared.clock.now());
        Ok(paused.map_err(Fault::from)?)
    };
    act(&caller, (&name, &body), pause).await
}

/// Lets a paused job go on.
pub(super) async fn resume(
    caller: Caller,
    Path(name): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    let resume = |job| {
        caller.shared.workers.resume_job(job).map_err(Fault::from)?;
        caller.shared.bell.notify_one();
        Ok(())
    };
    act(&caller, (&name, &body), resume).await
}

/// Runs a job at once, whatever it waits for.
pub(super) async fn run(
    caller: Caller,
    Path(name): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    let run = |job: Job| {
        if paused(&caller)?.iter().any(|paused| paused.job == job.name()) {
            let detail = "the job is paused; resume it first";
            return Err(Problem::new(StatusCode::CONFLICT, "job_paused", detail));
        }
        caller.shared.workers.run_now(job);
        caller.shared.bell.notify_one();
        Ok(())
    };
    act(&caller, (&name, &body), run).await
}
