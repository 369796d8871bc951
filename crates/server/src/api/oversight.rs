//! What operators do together: money of their own goes in, a refund is paid by other means. One proposes
//! it, another agrees by asking for the same.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::BASE32_NOPAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::approvals::Approval;
use sponsorhub_core::actor::{Action, Role};
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::records::RefundState;
use sponsorhub_core::money::{AMOUNT_MAX, Minor};
use sponsorhub_core::refund::RefundOutcome;
use sponsorhub_core::refusal::Refusal;

use super::caller::{Caller, not_found};
use super::deposits::Amount;
use super::extract::{Content, Path, body_of};
use super::ledger::reason;
use super::notes::About;
use super::once::{OUTCOME_UNKNOWN, Seed};
use super::{Fault, Page, money};
use crate::problem::Problem;
use crate::words;

/// Refunds of a campaign to its brand.
pub(super) async fn refunds(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadBalances)?;
    let looked = caller.look_at(campaign, |state, _| {
        let currency = state.terms().currency;
        let refunds = state.refunds().iter().map(|(seq, refund)| {
            let shown = json!({
                "refund": seq,
                "amount": money(refund.amount, currency),
                "deposit": refund.deposit,
                "state": words::refund(refund.state),
            });
            (*seq, shown)
        });
        page.cut(refunds)
    });
    looked?.map(Json)
}

impl Caller {
    /// What two agree on is asked for under a key, so that a lost answer is no second word.
    fn has_key(&self) -> Result<(), Problem> {
        if self.key()?.is_some() {
            return Ok(());
        }
        let detail = "send a key of your own making, the same for each repetition";
        let problem = Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_missing", detail);
        Err(problem.about("idempotency-key"))
    }

    /// How the ledger calls an operator: nobody outside can tell who it is.
    fn operator(&self, subject: &str) -> String {
        let keys = self.shared.catalog.keys();
        let tag = keys.set.pepper().tag(&[b"operator", subject.as_bytes()]);
        format!("opr_{}", BASE32_NOPAD.encode(&tag[..10]).to_lowercase())
    }

    /// Whether somebody is an operator at this moment.
    fn operates(&self, subject: &str, since: i64) -> bool {
        let known = self.shared.desk.registry(|registry| registry.user(subject));
        known.ok().flatten().is_some_and(|user| {
            let is_operator = user.role == Role::Admin.name() && user.suspended_at.is_none();
            is_operator && user.changed_at <= since
        })
    }

    /// This operator's word for `what`, and as the answer says it. Who agrees is named as the ledger does.
    fn says(&self, what: &str, may_be_agreed: bool) -> (Approval, Value) {
        let (who, now) = (&self.subject, self.shared.clock.now());
        let acts = |subject: &str, said_at: i64| self.operates(subject, said_at);
        let approval = self.shared.approvals.say(what, who, (may_be_agreed, acts), now);
        let approval = match approval {
            Approval::Agreed(people) => Approval::Agreed(people.map(|who| self.operator(&who))),
            waits @ Approval::Waits(_) => waits,
        };
        let shown = match &approval {
            Approval::Waits(until) => json!({ "approval": "waits", "until": until }),
            Approval::Agreed(_) => json!({ "approval": "agreed", "until": null }),
        };
        (approval, shown)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    amount: Amount,
}

/// The operator's own money comes in, once two say so; it backs payouts and is never refunded.
pub(super) async fn advance(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Advance { amount: Amount { amount, currency } } = body_of(&body)?;
    caller.has_key()?;
    if !(Minor(1)..=AMOUNT_MAX).contains(&amount) {
        let fix = "1 to 10^11 minor units";
        return Err(Fault::from(Refusal::Field { field: "amount.amount", fix }).into());
    }
    let work = async |seed: Seed| {
        first_time(seed)?;
        tokio::task::block_in_place(|| {
            let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
            let known = desk.look(campaign, |state| state.terms().currency);
            if known.map_err(Fault::from)? != currency {
                let fix = "the campaign's currency";
                return Err(Fault::from(Refusal::Field { field: "amount.currency", fix }).into());
            }
            let (approval, mut shown) = caller.says(&format!("advance {campaign} {amount}"), true);
            shown["deposit"] = Value::Null;
            if let Approval::Agreed(people) = approval {
                let advanced =
                    desk.command(campaign, now, |draft| draft.advance(amount, people.to_vec()));
                shown["deposit"] = json!(advanced.map_err(Fault::from)?);
                caller.shared.bell.notify_one();
            }
            Ok((StatusCode::OK, shown))
        })
    };
    caller.once(&body, |_| {}, work).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    reference: String,
}

/// A refund that the provider does not take is paid by other means, once two say so. From the first
/// word on the product sends no refund of the campaign, and they agree only when the provider has shown for
/// a while that it does not have this one. What was refused is planned again under another name: either
/// name means it.
pub(super) async fn settle(
    caller: Caller,
    Path((campaign, refund)): Path<(CampaignId, Seq)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    caller.has_key()?;
    let Settle { reference } = body_of(&body)?;
    reason(&reference).map_err(|problem| problem.about("reference"))?;
    let work = async |seed: Seed| {
        first_time(seed)?;
        tokio::task::block_in_place(|| settled(&caller, (campaign, refund), &reference, &seed))
    };
    caller.once(&body, |_| {}, work).await
}

fn settled(
    caller: &Caller,
    (campaign, refund): (CampaignId, Seq),
    reference: &str,
    seed: &Seed,
) -> Result<(StatusCode, Value), Problem> {
    let shared = &caller.shared;
    let looked = shared.desk.look(campaign, |state| {
        let named = *state.refunds().get(&refund)?;
        let mut open = state
            .refunds()
            .iter()
            .filter(|(_, one)| one.state == RefundState::Planned && one.deposit == named.deposit);
        let is_open = matches!(named.state, RefundState::Planned | RefundState::Failed);
        Some((named, is_open, open.next().map(|(seq, one)| (*seq, one.amount))))
    });
    let (named, is_open, planned) = looked.map_err(Fault::from)?.ok_or_else(not_found)?;
    if !is_open {
        let needs = "must be on its way, or refused";
        let refusal = Refusal::Thing { what: "refund", seq: refund, needs };
        return Err(Fault::from(refusal).into());
    }
    let now = shared.clock.now();
    let ready = planned.filter(|(seq, amount)| {
        *amount == named.amount && shared.workers.may_settle(campaign, *seq, now)
    });
    let what = format!("settle {campaign} {} {} {reference}", named.deposit, named.amount);
    let (approval, mut shown) = caller.says(&what, ready.is_some());
    shown["refund"] = json!(planned.map_or(refund, |(seq, _)| seq));
    match (approval, ready) {
        (Approval::Agreed(people), Some((seq, _))) => {
            caller.with_note((campaign, About::Campaign), reference, seed, |reference| {
                let approved_by = people.to_vec();
                let outcome = RefundOutcome::SettledOutside { approved_by, reference };
                let record = |draft: &mut Draft| draft.record_refund(seq, outcome.clone());
                Ok(shared.desk.command(campaign, now, record).map_err(Fault::from)?)
            })?;
        }
        (Approval::Waits(until), _) => shared.workers.withhold(campaign, until, now),
        // Cannot be: nobody agrees before it is ready.
        (Approval::Agreed(_), None) => return Err(Problem::busy()),
    }
    shared.bell.notify_one();
    Ok((StatusCode::OK, shown))
}

/// Refuses a request whose first try nobody knows the end of: a word that was carried out would count as
/// a new proposal.
fn first_time(seed: Seed) -> Result<(), Problem> {
    if !seed.is_repeat {
        return Ok(());
    }
    let detail = "this was asked before and may have been carried out: look at the campaign's deposits \
                  and refunds, and use a new key for a new proposal";
    Err(Problem::new(StatusCode::CONFLICT, OUTCOME_UNKNOWN, detail))
}
