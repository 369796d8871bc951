//! `/workers`: how the work stands that nobody asks for.

use axum::Json;
use serde_json::{Value, json};
use sponsorhub_core::actor::Action;

use super::caller::Caller;
use super::money;
use crate::problem::Problem;

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    let standing = caller.shared.workers.standing();
    let jobs = standing.jobs.iter().map(|(name, job)| {
        json!({
            "name": name,
            "last_run_at": job.last_run_at,
            "last_done_at": job.last_done_at,
            "done": job.done,
            "error": job.error,
        })
    });
    let now = caller.shared.clock.now();
    let jobs: Vec<_> = jobs.collect();
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
