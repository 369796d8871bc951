//! Pages for people: the checkout with its buttons, and the onboarding of a connected account.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::html::{escape, money, page, redirect};
use crate::sandbox::Sandbox;

use super::object::{Session, SessionStatus};
use super::onboarding::Visit;
use super::payment::{Method, Outcome};

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/pay/{session}", get(show).post(pay))
        .route("/connect/onboard/{secret}", get(open))
        .route("/connect/onboard/{secret}/leave", post(leave))
}

/// Which button was pressed.
#[derive(Debug, Deserialize)]
struct Pressed {
    method: Method,
    outcome: Outcome,
}

fn find(sandbox: &Sandbox, id: &str) -> Option<Session> {
    sandbox.with(|state| state.books.sessions.get(id).cloned())
}

fn nothing() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", "<p>There is nothing here.</p>")
}

async fn show(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Response {
    match find(&sandbox, &id) {
        Some(session) => checkout(&session, ""),
        None => nothing(),
    }
}

fn checkout(session: &Session, note: &str) -> Response {
    if session.status != SessionStatus::Open {
        let body = "<p>This checkout is complete or has expired.</p>";
        return page(StatusCode::OK, "Checkout", body);
    }
    let button = |method: &str, outcome: &str, says: &str| {
        format!(
            "<form method=\"post\" action=\"/pay/{}\">\
             <input type=\"hidden\" name=\"method\" value=\"{method}\">\
             <input type=\"hidden\" name=\"outcome\" value=\"{outcome}\">\
             <button id=\"{method}-{outcome}\">{says}</button></form>\n",
            escape(&session.id)
        )
    };
    let mut body = format!(
        "{note}<p>{}: <strong>{}</strong></p>\n",
        escape(&session.title),
        money(session.amount_total, &session.currency)
    );
    body.push_str(&button("card", "succeed", "Pay by card"));
    body.push_str(&button("delayed", "succeed", "Pay by bank debit (four days)"));
    body.push_str(&button("card", "fail", "Pay with a card that is declined"));
    body.push_str(&button("delayed", "fail", "Pay by a bank debit that fails"));
    if let Some(back) = &session.cancel_url {
        body.push_str(&["<p><a href=\"", &escape(back), "\">Back</a></p>"].concat());
    }
    page(StatusCode::OK, "Checkout", &body)
}

async fn pay(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    Form(Pressed { method, outcome }): Form<Pressed>,
) -> Response {
    let paid = sandbox.pay(&id, method, outcome);
    let Some(session) = find(&sandbox, &id) else { return nothing() };
    if paid.is_err() || session.status != SessionStatus::Complete {
        return checkout(&session, "<p><strong>Your card was declined.</strong></p>\n");
    }
    match &session.success_url {
        Some(url) => redirect(&url.replace("{CHECKOUT_SESSION_ID}", &session.id)),
        None => checkout(&session, ""),
    }
}

async fn open(State(sandbox): State<Sandbox>, Path(secret): Path<String>) -> Response {
    let account = match sandbox.with(|state| state.books.open_link(&secret)) {
        Visit::Page(account) => account,
        Visit::Redirect(to) => return redirect(&to),
        Visit::Unknown => return nothing(),
    };
    let button = |has_finished: bool, says: &str| {
        format!(
            "<form method=\"post\" action=\"/connect/onboard/{}/leave\">\
             <input type=\"hidden\" name=\"has_finished\" value=\"{has_finished}\">\
             <button id=\"finished-{has_finished}\">{says}</button></form>\n",
            escape(&secret)
        )
    };
    let body = format!(
        "<p>Account <code>{}</code> wants to be paid.</p>\n{}{}",
        escape(&account),
        button(true, "Finish"),
        button(false, "Leave without finishing")
    );
    page(StatusCode::OK, "Introduce yourself", &body)
}

#[derive(Debug, Deserialize)]
struct Leaving {
    has_finished: bool,
}

async fn leave(
    State(sandbox): State<Sandbox>,
    Path(secret): Path<String>,
    Form(Leaving { has_finished }): Form<Leaving>,
) -> Response {
    match sandbox.with(|state| state.books.leave_link(&secret, has_finished)) {
        Visit::Redirect(to) => redirect(&to),
        Visit::Page(_) | Visit::Unknown => nothing(),
    }
}
