//! `/recipient`: a creator's account at the payment provider.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_app::ports::PaymentProvider as _;
use sponsorhub_app::ports::payment::OnboardingAddresses;
use sponsorhub_app::recipients;
use sponsorhub_core::actor::Action;
use sponsorhub_store::registry::Recipient;

use super::caller::{Caller, not_found};
use super::extract::{Content, Nothing, body_of};
use super::once::Seed;
use super::{Fault, Page};
use crate::problem::Problem;

fn shown(recipient: &Recipient) -> Value {
    json!({
        "account": recipient.account,
        "may_receive_transfers": recipient.may_receive,
        "payouts_enabled": recipient.payouts_enabled,
        "checked_at": recipient.checked_at,
    })
}

/// The address that is answered works once and is a secret, so a repetition has none: ask again
/// under another key.
pub(super) async fn onboard(caller: Caller, body: Content) -> Result<Response, Problem> {
    caller.may(Action::ManageRecipient)?;
    let creator = caller.creator()?;
    let Nothing {} = body_of(&body)?;
    let hide = |answer: &mut Value| answer["onboarding_url"] = Value::Null;
    caller
        .once(&body, hide, async |_: Seed| {
            let shared = &caller.shared;
            let page = format!("{}/creator", shared.public_url);
            let addresses = OnboardingAddresses { return_url: page.clone(), refresh_url: page };
            let (desk, provider) = (&shared.desk, &*shared.clients.provider);
            let now = shared.clock.now();
            let onboarded = recipients::onboard(desk, provider, creator, &addresses, now).await;
            let (recipient, url) = onboarded.map_err(Fault::from)?;
            let mut answer = shown(&recipient);
            answer["onboarding_url"] = json!(url.0);
            Ok((StatusCode::CREATED, answer))
        })
        .await
}

/// What went on to the creator's bank, as the provider has it now.
pub(super) async fn bank_payouts(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::ManageRecipient)?;
    let creator = caller.creator()?;
    let known = tokio::task::block_in_place(|| {
        caller.shared.desk.registry(|registry| registry.recipient(creator))
    });
    let known = known.map_err(Fault::from)?.ok_or_else(not_found)?;
    let payouts = caller.shared.clients.provider.bank_payouts(&known.account).await;
    let shown = payouts.map_err(Fault::Provider)?.into_iter().zip(1_u64..).map(|(one, no)| {
        let shown = json!({
            "id": one.id,
            "amount": { "amount": one.amount.0, "currency": one.currency.to_uppercase() },
            "state": one.state,
            "arrives_at": one.arrives_at,
        });
        (no, shown)
    });
    page.cut(shown).map(Json)
}

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    caller.may(Action::ManageRecipient)?;
    let creator = caller.creator()?;
    let known = caller.shared.desk.registry(|registry| registry.recipient(creator));
    let known = known.map_err(Fault::from)?.ok_or_else(not_found)?;
    Ok(Json(shown(&known)))
}
