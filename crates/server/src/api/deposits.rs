//! Deposits: a checkout is opened; its payment is told by the provider's events.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::deposits::{self, Wanted};
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::records::Deposit;
use sponsorhub_core::money::{Currency, Minor};

use super::caller::Caller;
use super::extract::{Content, Path, body_of};
use super::{Fault, Page, money};
use crate::problem::Problem;
use crate::words;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    pub(super) amount: Minor,
    pub(super) currency: Currency,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    amount: Amount,
}

fn shown(seq: Seq, deposit: &Deposit, currency: Currency) -> Value {
    let cases = deposit.cases.iter().map(|case| {
        let took = case.reversal.map_or(Minor::ZERO, |reversal| reversal.amount);
        json!({ "case": case.key, "state": words::case(case), "amount": money(took, currency) })
    });
    json!({
        "deposit": seq,
        "amount": money(deposit.budget_part, currency),
        "total": money(deposit.amount, currency),
        "state": words::deposit(deposit),
        "is_advance": deposit.is_advance,
        "session": deposit.session,
        "payment": deposit.payment,
        "reversed": money(deposit.reversed, currency),
        "refunded": money(deposit.refunded, currency),
        "transferred": money(deposit.transferred, currency),
        "cases": cases.collect::<Vec<_>>(),
    })
}

pub(super) async fn open(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::OpenDeposit)?;
    tokio::task::block_in_place(|| caller.sees(campaign))?;
    let Open { amount } = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                let back = format!("{}/brand/campaigns/{campaign}", caller.shared.public_url);
                let paid = format!("{back}?done=paid");
                let key = format!("deposit:{campaign}:{}", HEXLOWER.encode(&seed.id));
                let title = format!("Campaign {campaign}");
                let wanted = Wanted {
                    campaign,
                    budget_part: amount.amount,
                    currency: amount.currency,
                    title: &title,
                    success_url: &paid,
                    cancel_url: &back,
                    key: &key,
                };
                let shared = &caller.shared;
                let (desk, provider) = (&shared.desk, &*shared.clients.provider);
                let opened = deposits::open(desk, provider, wanted, shared.clock.now()).await;
                let opened = opened.map_err(Fault::from)?;
                let looked = desk.look(campaign, |state| {
                    let deposit = state.deposits().get(&opened.deposit);
                    deposit.map(|deposit| shown(opened.deposit, deposit, amount.currency))
                });
                let mut answer = looked.map_err(Fault::from)?.unwrap_or_default();
                answer["checkout_url"] = json!(opened.checkout.url);
                answer["expires_at"] = json!(opened.checkout.expires_at);
                Ok((StatusCode::CREATED, answer))
            },
        )
        .await
}

pub(super) async fn list(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadBalances)?;
    let looked = caller.look_at(campaign, |state, _| {
        let currency = state.terms().currency;
        let deposits = state.deposits().iter();
        page.cut(deposits.map(|(seq, deposit)| (*seq, shown(*seq, deposit, currency))))
    });
    looked?.map(Json)
}
