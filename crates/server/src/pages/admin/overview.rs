//! `/admin`: is the money there, and what needs a person.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;

use super::super::act::{act, ask, key};
use super::super::form::Form;
use super::super::rows::Asked;
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money, chip, short};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::list::{moment, text};
use super::{SHOWN_MAX, each};
use crate::api::{Path, Query};
use crate::problem::Problem;
use crate::shared::Shared;

struct Holding {
    held: Money,
    in_doubt: Money,
    at_provider: Option<Money>,
    missing: Money,
    beyond: Money,
    state: Chip,
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
    keys: [String; 2],
    /// Where it is given up; none while it may be under way.
    cancel: Option<String>,
}

/// Something that the doctor found.
struct Found {
    severity: Chip,
    meaning: String,
    fix: String,
    last_at: Option<Moment>,
}

fn found(finding: &Value) -> Found {
    Found {
        severity: match finding["severity"].as_str() {
            Some("error") => chip("bad", "Not working"),
            Some("warning") => chip("wait", "Look at it"),
            _ => chip("good", "Healthy"),
        },
        meaning: text(finding, "meaning"),
        fix: text(finding, "fix"),
        last_at: moment(finding, "last_at"),
    }
}

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct Overview {
    shell: Shell,
    done: Option<&'static str>,
    now: Moment,
    holdings: Vec<Holding>,
    failing: usize,
    found: Vec<Found>,
    disbursements: Vec<Disbursement>,
    open_holds: usize,
    campaigns: usize,
}

fn holdings(shared: &Shared) -> (Vec<Holding>, usize) {
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
    let failing = standing.jobs.values().filter(|job| job.error.is_some()).count();
    (holdings.collect(), failing)
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
        keys: [key(), key()],
        cancel: matches!(one.state, Planned | Failed)
            .then(|| format!("/admin/campaigns/{id}/payouts/{seq}/cancel")),
    });
    shown.collect()
}

/// `GET /admin`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let answer = ask(&visitor.caller, "/doctor").await?;
    let findings = answer["data"].as_array().into_iter().flatten().map(found).collect();
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
    let (holdings, failing) = holdings(shared);
    let overview = Overview {
        shell: visitor.titled("Overview"),
        done: asked.done.as_deref().and_then(show::done),
        now: Moment(shared.clock.now()),
        holdings,
        failing,
        found: findings,
        disbursements: open,
        open_holds,
        campaigns,
    };
    page(StatusCode::OK, &overview)
}

/// `POST …/payouts/{payout}/retry`.
pub(in super::super) async fn retry(
    visitor: Visitor,
    Path((campaign, payout)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/payouts/{payout}/retry");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go("/admin?done=retry"))
}

/// `POST …/payouts/{payout}/cancel`.
pub(in super::super) async fn give_up(
    visitor: Visitor,
    Path((campaign, payout)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/payouts/{payout}/cancel");
    let body = json!({ "reason": form.text("reason") });
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go("/admin?done=given-up"))
}
