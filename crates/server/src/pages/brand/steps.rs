//! What a brand does to a campaign, each asked about before it is done: add funds, launch, pause, resume,
//! end, cancel.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_core::actor::Action;
use sponsorhub_core::campaign::state::Command;
use sponsorhub_core::deposit::provider_fee_reserve;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::money::Minor;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::show::{self, Money};
use super::super::visitor::Visitor;
use super::super::{Needs, go, page, page_with};
use super::Head;
use crate::api::{Path, not_found};
use crate::problem::Problem;

/// A step of the lifecycle, in words.
#[derive(Clone, Copy)]
struct Step {
    /// The name in addresses, here and of the API.
    name: &'static str,
    action: Action,
    command: Command,
    question: &'static str,
    /// What happens then.
    then: &'static [&'static str],
    button: &'static str,
    /// Whether it cannot be taken back.
    is_final: bool,
}

const STEPS: [Step; 5] = [
    Step {
        name: "launch",
        action: Action::LaunchCampaign,
        command: Command::Launch,
        question: "Launch this campaign?",
        then: &[
            "Clicks are credited from now on, and orders that follow them earn.",
            "A live campaign cannot be cancelled any more. You can pause or end it at any time.",
            "What nobody earns comes back to you after the end.",
        ],
        button: "Launch",
        is_final: false,
    },
    Step {
        name: "pause",
        action: Action::PauseCampaign,
        command: Command::Pause,
        question: "Pause this campaign?",
        then: &[
            "No new click is credited while it is paused; links still lead to your shop.",
            "Clicks that were credited before still earn when their order comes.",
        ],
        button: "Pause",
        is_final: false,
    },
    Step {
        name: "resume",
        action: Action::ResumeCampaign,
        command: Command::Resume,
        question: "Resume this campaign?",
        then: &["Clicks are credited again."],
        button: "Resume",
        is_final: false,
    },
    Step {
        name: "complete",
        action: Action::CompleteCampaign,
        command: Command::Complete,
        question: "End this campaign?",
        then: &[
            "No new click is credited. Earlier clicks still earn within their windows.",
            "What was earned is paid after its clearing days; the rest comes back to you then.",
            "It cannot be started again.",
        ],
        button: "End it",
        is_final: true,
    },
    Step {
        name: "cancel",
        action: Action::CancelCampaign,
        command: Command::Cancel,
        question: "Cancel this campaign?",
        then: &["All of its money goes back to you.", "It cannot be opened again."],
        button: "Cancel it",
        is_final: true,
    },
];

fn step(name: &str) -> Result<Step, Problem> {
    STEPS.into_iter().find(|step| step.name == name).ok_or_else(not_found)
}

#[derive(Template)]
#[template(path = "brand/step.html")]
struct Ask {
    shell: Shell,
    head: Head,
    step: Step,
    key: String,
}

/// `GET …/steps/{step}`: what it means, and a button.
pub(in super::super) async fn ask(
    visitor: Visitor,
    Path((campaign, name)): Path<(CampaignId, String)>,
) -> Result<Response, Problem> {
    let step = step(&name)?;
    visitor.caller.may(step.action)?;
    let (head, is_listed, state) = visitor.caller.look_at(campaign, |state, _| {
        let is_listed = state.state().after(step.command).is_some();
        (Head::of(state, ""), is_listed, show::state(state.state()).text())
    })?;
    if !is_listed {
        let detail =
            format!("the campaign is {}: this step is not open to it", state.to_lowercase());
        return Err(Problem::new(StatusCode::CONFLICT, "campaign_state", detail));
    }
    let shell = visitor.titled(step.question);
    page(StatusCode::OK, &Ask { shell, head, step, key: key() })
}

/// `POST …/steps/{step}`.
pub(in super::super) async fn take(
    visitor: Visitor,
    Path((campaign, name)): Path<(CampaignId, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let Step { name, .. } = step(&name)?;
    let path = format!("/campaigns/{campaign}/{name}");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go(&format!("/brand/campaigns/{campaign}?done={name}")))
}

#[derive(Template)]
#[template(path = "brand/fund.html")]
struct Fund {
    shell: Shell,
    head: Head,
    key: String,
    /// What the budget still lacks, as it may stand in the field.
    suggested: String,
    confirmed: Money,
    budget: Money,
    /// What the checkout asks for; none where nothing is filled in.
    total: Option<Money>,
    currency: &'static str,
    is_sandbox: bool,
}

/// `GET …/fund`.
pub(in super::super) async fn funding(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    // While the field is filled in, the script asks what it would come to.
    let form = Form::of_query(query);
    let wanted = form.amount("amount").ok().map(Minor).filter(|amount| amount.is_positive());
    let is_sandbox = visitor.shell.is_sandbox;
    let fund = visitor.caller.look_at(campaign, |state, _| {
        let (confirmed, terms) = (state.confirmed_budget(), state.terms());
        let missing = (terms.budget - confirmed).or_zero();
        let money = |amount| Money(amount, terms.currency);
        let suggested = format!("{}.{:02}", missing.0 / 100, missing.0 % 100);
        Fund {
            shell: visitor.titled("Add funds"),
            head: Head::of(state, ""),
            key: key(),
            suggested: if missing.is_positive() { suggested } else { String::new() },
            confirmed: money(confirmed),
            budget: money(terms.budget),
            total: wanted
                .or(Some(missing).filter(|it| it.is_positive()))
                .map(|amount| money(amount + provider_fee_reserve(state, amount))),
            currency: terms.currency.code(),
            is_sandbox,
        }
    })?;
    page_with(StatusCode::OK, &fund, Needs { pay: true, sign_in: false })
}

/// `POST …/fund`: opens a checkout and sends the browser there.
pub(in super::super) async fn fund(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    form: Form,
) -> Result<Response, Problem> {
    let amount = form.amount("amount")?;
    if amount == 0 {
        let detail = "more than 0";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("amount"));
    }
    let currency = visitor.caller.look_at(campaign, |state, _| state.terms().currency)?;
    let body = json!({ "amount": { "amount": amount, "currency": currency.code() } });
    let path = format!("/campaigns/{campaign}/deposits");
    let deposit = act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go(deposit["checkout_url"].as_str().unwrap_or("/brand")))
}
