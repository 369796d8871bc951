//! What an operator has to look after: payouts whose money has not arrived, whatever the campaign.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::campaigns;
use sponsorhub_core::actor::Action;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, Path, body_of};
use super::ledger::{payout, reason};
use super::notes::About;
use super::once::Seed;
use super::{Fault, Page};
use crate::problem::Problem;

/// Campaigns that are looked through at a time.
const PAGE: usize = 1_000;

/// Bits of a position in a list that tell the entry; the rest tells the campaign.
const SEQ_BITS: u32 = 40;

/// Payouts on their way in one campaign.
fn of_campaign(campaign: CampaignId, no: u64, state: &Campaign) -> Vec<(u64, Value)> {
    use DisbursementState::{Attempted, Failed, Planned, Unknown};
    let open = state
        .payouts()
        .iter()
        .filter(|(_, one)| matches!(one.state, Planned | Attempted | Unknown | Failed));
    let shown = open.map(|(seq, one)| {
        let mut shown = payout(campaign, state, *seq, one);
        shown["campaign"] = json!(campaign);
        shown["attempted_at"] = json!((one.attempted_at > 0).then_some(one.attempted_at));
        ((no << SEQ_BITS) | seq, shown)
    });
    shown.collect()
}

/// All payouts whose money has not arrived, oldest campaign first.
pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let wanted = page.limit().saturating_add(1);
        let after = page.after()?;
        let (mut open, mut seen) = (Vec::new(), (after >> SEQ_BITS).saturating_sub(1));
        loop {
            let some = caller.shared.desk.read(|reader| reader.campaigns(seen, PAGE));
            let some = some.map_err(Fault::from)?;
            for listed in &some {
                seen = listed.no;
                let id = listed.campaign;
                let of = caller.shared.desk.look(id, |state| of_campaign(id, listed.no, state));
                open.extend(of.map_err(Fault::from)?.into_iter().filter(|(at, _)| *at > after));
            }
            if some.len() < PAGE || open.len() >= wanted {
                break;
            }
        }
        page.cut(open.into_iter()).map(Json)
    })
}

/// What was sent to the payment provider to move money of a campaign, with its ids of the exchanges.
pub(super) async fn exchanges(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        desk.look(campaign, |_| ()).map_err(Fault::from)?;
        let (after, wanted) = (page.after()?, page.limit().saturating_add(1));
        let kept = desk.registry(|reader| reader.exchanges(campaign, after, wanted));
        let shown = kept.map_err(Fault::from)?.into_iter().map(|(no, one)| {
            let requests: Vec<_> = one.requests.split_terminator(',').collect();
            let shown = json!({
                "planned": one.planned,
                "key": one.key,
                "at": one.at,
                "outcome": one.outcome.name(),
                "provider_requests": requests,
            });
            (no, shown)
        });
        page.cut(shown).map(Json)
    })
}

fn look(caller: &Caller, campaign: CampaignId, seq: Seq) -> Result<Value, Problem> {
    let looked = caller.shared.desk.look(campaign, |state| {
        state.payouts().get(&seq).map(|one| payout(campaign, state, seq, one))
    });
    looked.map_err(Fault::from)?.ok_or_else(not_found)
}

/// Tries at once what waits after a failure; the rules of what may be sent again stay as they are.
pub(super) async fn retry(
    caller: Caller,
    Path((campaign, payout)): Path<(CampaignId, Seq)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| look(&caller, campaign, payout))?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                caller.shared.workers.try_now(campaign, payout);
                caller.shared.bell.notify_one();
                let shown = tokio::task::block_in_place(|| look(&caller, campaign, payout))?;
                Ok((StatusCode::OK, shown))
            },
        )
        .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    reason: String,
}

/// Gives up a payout that is not under way; what it was for is owed as before.
pub(super) async fn cancel(
    caller: Caller,
    Path((campaign, payout)): Path<(CampaignId, Seq)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Cancel { reason: why } = body_of(&body)?;
    reason(&why)?;
    tokio::task::block_in_place(|| look(&caller, campaign, payout))?;
    caller
        .once(
            &body,
            |_| {},
            async |seed: Seed| {
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                tokio::task::block_in_place(|| {
                    let shown = look(&caller, campaign, payout)?;
                    if shown["state"] != "cancelled" {
                        let about = (campaign, About::Payout(payout));
                        caller.with_note(about, &why, &seed, |note| {
                            let cancel = (payout, note.as_str());
                            let cancelled = campaigns::cancel_payout(desk, campaign, cancel, now);
                            Ok(cancelled.map_err(Fault::from)?)
                        })?;
                    }
                    Ok((StatusCode::OK, look(&caller, campaign, payout)?))
                })
            },
        )
        .await
}
