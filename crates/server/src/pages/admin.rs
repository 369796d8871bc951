//! The operator's pages: is the money there, what needs a person, which orders are doubted.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;

use super::act::{act, key};
use super::form::Form;
use super::rows::{Asked, doubts};
use super::shell::Shell;
use super::show::{self, Chip, Moment, Money, chip, short};
use super::visitor::Visitor;
use super::{go, page};
use crate::api::{Fault, Path, Query};
use crate::problem::Problem;
use crate::shared::Shared;

/// Campaigns that are looked at at a time.
const CHUNK: usize = 1_000;

/// Things that a list shows at most.
const SHOWN_MAX: usize = 100;

struct Holding {
    held: Money,
    in_doubt: Money,
    at_provider: Option<Money>,
    missing: Money,
    beyond: Money,
    state: Chip,
}

struct Job {
    name: &'static str,
    last_run_at: Moment,
    done: u64,
    error: Option<String>,
}

struct Disbursement {
    campaign: String,
    retry: String,
    seq: Seq,
    creator: String,
    amount: Money,
    state: Chip,
    attempts: u32,
    attempted_at: Option<Moment>,
    needs_person: bool,
    key: String,
}

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct Overview {
    shell: Shell,
    done: Option<&'static str>,
    now: Moment,
    holdings: Vec<Holding>,
    jobs: Vec<Job>,
    disbursements: Vec<Disbursement>,
    open_holds: usize,
    campaigns: usize,
}

/// Looks at every campaign, oldest first.
fn each(shared: &Shared, mut look: impl FnMut(CampaignId, &Campaign)) -> Result<usize, Problem> {
    let (mut after, mut count) = (0, 0);
    loop {
        let some = shared.desk.read(|reader| reader.campaigns(after, CHUNK));
        let some = some.map_err(Fault::from)?;
        for listed in &some {
            let looked = shared.desk.look(listed.campaign, |state| look(listed.campaign, state));
            looked.map_err(Fault::from)?;
            count += 1;
        }
        after = some.last().map_or(after, |last| last.no);
        if some.len() < CHUNK {
            return Ok(count);
        }
    }
}

fn holdings(shared: &Shared) -> (Vec<Holding>, Vec<Job>) {
    let standing = shared.workers.standing();
    let holdings = standing.holdings.iter().map(|(currency, one)| {
        let money = |amount| Money(amount, *currency);
        Holding {
            held: money(one.held),
            in_doubt: money(one.in_doubt),
            at_provider: one.at_provider.map(money),
            missing: money(one.missing()),
            beyond: money(one.beyond()),
            state: match one.at_provider {
                None => chip("wait", "Not compared yet"),
                Some(_) if one.missing().is_positive() => chip("bad", "Money is missing"),
                Some(_) => chip("good", "All there"),
            },
        }
    });
    let jobs = standing.jobs.iter().map(|(name, job)| Job {
        name,
        last_run_at: Moment(job.last_run_at),
        done: job.done,
        error: job.error.clone(),
    });
    (holdings.collect(), jobs.collect())
}

fn disbursements(id: CampaignId, state: &Campaign) -> Vec<Disbursement> {
    use DisbursementState::{Attempted, Failed, Planned, Unknown};
    let open = state
        .payouts()
        .iter()
        .filter(|(_, one)| matches!(one.state, Planned | Attempted | Unknown | Failed));
    let shown = open.map(|(seq, one)| Disbursement {
        campaign: short(&id.to_string()),
        retry: format!("/admin/campaigns/{id}/payouts/{seq}/retry"),
        seq: *seq,
        creator: short(&state.enrollment(one.enrollment).id.to_string()),
        amount: Money(one.amount, state.terms().currency),
        state: show::payout(one.state),
        attempts: one.attempts,
        attempted_at: (one.attempted_at > 0).then_some(Moment(one.attempted_at)),
        needs_person: matches!(one.state, Unknown | Failed),
        key: key(),
    });
    shown.collect()
}

/// `GET /admin`.
pub(super) async fn show(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let (mut open, mut open_holds) = (Vec::new(), 0);
    let campaigns = tokio::task::block_in_place(|| {
        each(shared, |id, state| {
            open.extend(disbursements(id, state));
            open_holds += state.holds().values().filter(|hold| hold.open).count();
        })
    })?;
    open.sort_by_key(|one| !one.needs_person);
    open.truncate(SHOWN_MAX);
    let (holdings, jobs) = holdings(shared);
    let overview = Overview {
        shell: visitor.titled("Overview"),
        done: asked.done.as_deref().and_then(show::done),
        now: Moment(shared.clock.now()),
        holdings,
        jobs,
        disbursements: open,
        open_holds,
        campaigns,
    };
    page(StatusCode::OK, &overview)
}

struct Hold {
    id: CampaignId,
    placed: Seq,
    path: String,
    campaign: String,
    creator: String,
    conversion: Seq,
    order: Money,
    earns: Money,
    deadline: Moment,
    why: String,
    release_key: String,
    uphold_key: String,
}

#[derive(Template)]
#[template(path = "admin/holds.html")]
struct Holds {
    shell: Shell,
    done: Option<&'static str>,
    open: Vec<Hold>,
}

fn open_holds(id: CampaignId, state: &Campaign) -> Vec<Hold> {
    let currency = state.terms().currency;
    let open = state.holds().iter().filter(|(_, hold)| hold.open);
    let shown = open.map(|(conversion, hold)| {
        let unit = state.units().find(*conversion).map(|index| state.units().get(index));
        let order = unit.map(|unit| unit.order);
        let order = order.or_else(|| state.conversion(*conversion).map(|(_, order)| order));
        Hold {
            id,
            placed: hold.first_placed,
            path: format!("/admin/campaigns/{id}/holds/{conversion}"),
            campaign: short(&id.to_string()),
            creator: short(&state.enrollment(hold.enrollment).id.to_string()),
            conversion: *conversion,
            order: Money(order.unwrap_or_default(), currency),
            earns: Money(unit.map(|unit| unit.commission).unwrap_or_default(), currency),
            deadline: Moment(hold.deadline),
            why: String::new(),
            release_key: key(),
            uphold_key: key(),
        }
    });
    shown.collect()
}

/// `GET /admin/holds`, the nearest deadline first.
pub(super) async fn holds(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let holds = tokio::task::block_in_place(|| {
        let mut holds = Vec::new();
        each(shared, |id, state| holds.extend(open_holds(id, state)))?;
        holds.sort_by_key(|hold| hold.deadline.0);
        holds.truncate(SHOWN_MAX);
        for hold in &mut holds {
            hold.why = doubts(shared, hold.id, hold.placed)?;
        }
        Ok::<_, Problem>(holds)
    })?;
    let done = asked.done.as_deref().and_then(show::done);
    page(StatusCode::OK, &Holds { shell: visitor.titled("Holds to review"), done, open: holds })
}

/// `POST …/holds/{conversion}/release`.
pub(super) async fn release(
    visitor: Visitor,
    Path((campaign, conversion)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/holds/{conversion}/release");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go("/admin/holds?done=release"))
}

/// `POST …/holds/{conversion}/uphold`.
pub(super) async fn uphold(
    visitor: Visitor,
    Path((campaign, conversion)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/holds/{conversion}/uphold");
    let body = json!({ "reason": form.text("reason") });
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go("/admin/holds?done=uphold"))
}

/// `POST …/payouts/{payout}/retry`.
pub(super) async fn retry(
    visitor: Visitor,
    Path((campaign, payout)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/payouts/{payout}/retry");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go("/admin?done=retry"))
}
