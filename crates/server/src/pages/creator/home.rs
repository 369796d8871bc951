//! `/creator`: earnings over all campaigns, and the account that they are paid to.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_app::earnings::Earnings;
use sponsorhub_core::money::Currency;
use sponsorhub_core::time::day_of;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::show::{self, Chip, Money, chip};
use super::super::visitor::Visitor;
use super::super::{Needs, go, page_with};
use super::brand_name;
use crate::api::Fault;
use crate::problem::Problem;

/// Earnings as they are shown.
pub(super) struct Shown {
    pub(super) pending: Money,
    pub(super) held: Money,
    pub(super) matured: Money,
    pub(super) on_its_way: Money,
    pub(super) paid: Money,
    /// None where nothing is owed back.
    pub(super) clawed_back: Option<Money>,
    /// None where everything could be paid.
    pub(super) unclaimed: Option<Money>,
    pub(super) base_reserved: Option<Money>,
}

impl Shown {
    pub(super) fn of(earnings: &Earnings, currency: Currency) -> Self {
        let money = |amount| Money(amount, currency);
        let maybe = |amount| Some(money(amount)).filter(|money| !money.0.is_zero());
        Self {
            pending: money(earnings.pending),
            held: money(earnings.held),
            matured: money(earnings.matured),
            on_its_way: money(earnings.on_its_way),
            paid: money(earnings.paid),
            clawed_back: maybe(earnings.clawed_back),
            unclaimed: maybe(earnings.unclaimed),
            base_reserved: maybe(earnings.base_reserved),
        }
    }
}

struct Row {
    path: String,
    brand: String,
    offer: String,
    state: Chip,
    earned: Money,
    paid: Money,
}

/// How the account at the payment provider stands, honestly.
struct Account {
    state: Chip,
    text: &'static str,
    button: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "creator/home.html")]
struct Home {
    shell: Shell,
    sums: Vec<Shown>,
    rows: Vec<Row>,
    account: Account,
    key: String,
}

fn account(visitor: &Visitor) -> Result<Account, Problem> {
    let creator = visitor.caller.creator()?;
    let desk = &visitor.caller.shared.desk;
    let known = desk.registry(|registry| registry.recipient(creator)).map_err(Fault::from)?;
    Ok(match known {
        None => Account {
            state: chip("wait", "No account yet"),
            text: "You earn without one. To be paid you need an account at the payment provider.",
            button: Some("Set up payouts"),
        },
        Some(known) if !known.may_receive => Account {
            state: chip("wait", "Questions open"),
            text: "The payment provider still has questions. Until they are answered your earnings wait.",
            button: Some("Answer them"),
        },
        Some(known) if !known.payouts_enabled => Account {
            state: chip("wait", "Can receive"),
            text: "Payouts reach your account. The provider does not send them on to your bank yet.",
            button: Some("Look at your account"),
        },
        Some(_) => Account {
            state: chip("good", "Ready"),
            text: "Payouts go to your account and on to your bank.",
            button: None,
        },
    })
}

/// `GET /creator`.
pub(in super::super) async fn show(visitor: Visitor) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let today = day_of(shared.clock.now());
    let home = tokio::task::block_in_place(|| {
        let (mut sums, mut rows) = (BTreeMap::<Currency, Earnings>::new(), Vec::new());
        for (campaign, enrollment) in visitor.caller.enrollments()? {
            let looked = shared.desk.look(campaign, |state| {
                let no = state.enrollment_no(enrollment)?;
                let earnings = Earnings::of(state, no, today);
                let (terms, at) = (state.terms().clone(), state.enrollment(no).started_at);
                Some((earnings, state.brand(), terms, show::state(state.state()), at))
            });
            // An enrollment whose entry was never written has earned nothing.
            let Some((earnings, brand, terms, state, at)) = looked.map_err(Fault::from)? else {
                continue;
            };
            *sums.entry(terms.currency).or_default() += earnings;
            let row = Row {
                path: format!("/creator/campaigns/{campaign}"),
                brand: brand_name(shared, brand)?,
                offer: show::offer(&terms),
                state,
                earned: Money(earnings.earned(), terms.currency),
                paid: Money(earnings.paid, terms.currency),
            };
            rows.push((at, row));
        }
        rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok::<_, Problem>(Home {
            shell: visitor.titled("Earnings"),
            sums: sums.iter().map(|(currency, sum)| Shown::of(sum, *currency)).collect(),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            account: account(&visitor)?,
            key: key(),
        })
    })?;
    page_with(StatusCode::OK, &home, Needs { pay: true, sign_in: false })
}

/// `POST /creator/account`: to the payment provider's questions.
pub(in super::super) async fn onboard(visitor: Visitor, form: Form) -> Result<Response, Problem> {
    let told = act(&visitor.caller, &form, ("POST", "/recipient"), &json!({})).await?;
    Ok(go(told["onboarding_url"].as_str().unwrap_or("/creator")))
}
