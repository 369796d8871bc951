//! `GET /`: in a sandbox, the campaigns with their balances and where the money went. Elsewhere nothing
//! is shown to who has not signed in.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::RefundState;
use sponsorhub_core::money::Minor;

use crate::problem::Problem;
use crate::shared::Shared;
use crate::words::{self, money};

/// Campaigns that are shown.
const CAMPAIGNS_MAX: usize = 20;

pub(super) async fn show(State(shared): State<Shared>) -> Result<Response, Problem> {
    if shared.catalog.keys().set.mode() != Mode::Sandbox {
        let detail = "nothing is shown here; the API is under /api/v1";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let body = tokio::task::block_in_place(|| body(&shared)).map_err(|error| {
        tracing::error!(%error, "the page could not be made");
        Problem::busy()
    })?;
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>SponsorHub</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>SponsorHub</h1>\n<p class=\"note\">This is a sandbox: no money moves.</p>\n\
         {body}</main>\n</body>\n</html>\n"
    );
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0}\
main{max-width:60rem;margin:2rem auto;padding:0 1rem}h2{margin-top:2.5rem;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;\
border-bottom:1px solid #8884}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
.state{font-size:.9rem;border:1px solid;border-radius:1rem;padding:.1rem .7rem}\
.note{border-left:.3rem solid #d9a400;padding-left:.8rem}.wide{overflow-x:auto}";

fn body(shared: &Shared) -> anyhow::Result<String> {
    let campaigns = shared.desk.read(|reader| reader.campaigns(0, CAMPAIGNS_MAX))?;
    if campaigns.is_empty() {
        return Ok("<p>There is no campaign yet.</p>\n".to_owned());
    }
    let mut body = String::new();
    if campaigns.len() == CAMPAIGNS_MAX {
        writeln!(body, "<p>The first {CAMPAIGNS_MAX} campaigns; the API lists all.</p>")?;
    }
    for listed in campaigns {
        let id = listed.campaign;
        let names = shared.desk.registry(|registry| -> anyhow::Result<Vec<(_, String)>> {
            let mut names = Vec::new();
            for mapped in registry.enrollments(id)? {
                let Some(creator) = mapped.creator else { continue };
                let known = registry.creator(creator)?.and_then(|known| known.name);
                names.extend(known.map(|name| (mapped.enrollment, name.0)));
            }
            Ok(names)
        })?;
        shared.desk.look(id, |state| {
            let name = |enrollment| {
                let known = names.iter().find(|(id, _)| *id == enrollment);
                known.map_or_else(|| enrollment.to_string(), |(_, name)| name.clone())
            };
            campaign(&mut body, id, state, &name)
        })??;
    }
    Ok(body)
}

type Name<'a> = &'a dyn Fn(sponsorhub_core::ids::EnrollmentId) -> String;

fn campaign(
    body: &mut String,
    id: CampaignId,
    state: &Campaign,
    name: Name<'_>,
) -> std::fmt::Result {
    let currency = state.terms().currency;
    let cell = |amount: Minor| format!("<td class=\"n\">{}</td>", money(amount, currency));
    writeln!(body, "<h2>{id} <span class=\"state\">{}</span></h2>", state.state().name())?;
    writeln!(body, "<p>{} entries in its ledger.</p>", state.head())?;
    writeln!(body, "<h3>Where the money went</h3>\n<div class=\"wide\"><table>")?;
    writeln!(body, "<tr><th>What</th><th>Stands at</th><th class=\"n\">Amount</th></tr>")?;
    for (seq, deposit) in state.deposits() {
        let what = if deposit.is_advance { "the operator's own money" } else { "deposit" };
        let status = words::deposit(deposit);
        let amount = cell(deposit.amount);
        writeln!(body, "<tr><td>{what} {seq}</td><td>{status}</td>{amount}</tr>")?;
        for case in &deposit.cases {
            let took = cell(case.reversal.map_or(Minor::ZERO, |reversal| reversal.amount));
            let (key, status) = (escape(&case.key), words::case(case));
            writeln!(body, "<tr><td>case {key} on it</td><td>{status}</td>{took}</tr>")?;
        }
    }
    for (seq, payout) in state.payouts() {
        let who = escape(&name(state.enrollment(payout.enrollment).id));
        let status = words::payout(payout.state);
        let amount = cell(payout.amount);
        writeln!(body, "<tr><td>payout {seq} to {who}</td><td>{status}</td>{amount}</tr>")?;
    }
    for (seq, refund) in state.refunds() {
        let status = words::refund(refund.state);
        let amount = cell(refund.amount);
        writeln!(body, "<tr><td>refund {seq} to the brand</td><td>{status}</td>{amount}</tr>")?;
    }
    let kept = cell(kept_by_provider(state));
    writeln!(body, "<tr><td>fees</td><td>kept by the payment provider</td>{kept}</tr>")?;
    writeln!(body, "</table></div>\n<h3>Accounts</h3>\n<div class=\"wide\"><table>")?;
    writeln!(body, "<tr><th>Account</th><th class=\"n\">Balance</th></tr>")?;
    for account in Account::ALL {
        let balance = state.balance(account);
        if !balance.is_zero() {
            writeln!(body, "<tr><td>{}</td>{}</tr>", account.name(), cell(balance))?;
        }
    }
    writeln!(body, "</table></div>")
}

/// What came in, less what went on and what is still there.
fn kept_by_provider(state: &Campaign) -> Minor {
    let deposits = state.deposits().values().filter(|one| one.is_confirmed() && !one.is_advance);
    let came: Minor = deposits.map(|one| one.amount - one.reversed).sum();
    let payouts = state.payouts().values().filter(|one| one.state == DisbursementState::Paid);
    let refunds = state.refunds().values().filter(|one| one.state == RefundState::Paid);
    let went = payouts.map(|one| one.amount).sum::<Minor>() + refunds.map(|one| one.amount).sum();
    came + state.balance(Account::PlatformAdvance) - went - state.balance(Account::Provider)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
