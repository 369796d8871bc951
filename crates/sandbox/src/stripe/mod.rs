//! The payment provider: `/v1/…` as the outside judges know it, over books that remember.
//!
//! A request passes the key, the faults at the door, the parameters, the idempotency layer, and
//! then changes the books in one step. Whoever gives up waiting changes nothing: what was begun is
//! finished.

mod bank;
pub(crate) mod books;
mod checkout;
mod dispute;
mod error;
mod expand;
mod form;
mod idempotency;
pub(crate) mod mishaps;
mod object;
pub(crate) mod onboarding;
pub(crate) mod pages;
pub(crate) mod payment;
mod refund;
mod shelf;
mod transfer;
pub(crate) mod webhooks;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::faults::Fault;
use crate::sandbox::Sandbox;

use books::{API_VERSION, Books, Cause};
use error::Refusal;
use form::Params;
pub(crate) use idempotency::Idempotency;
use idempotency::{Answer, Begin};
use object::Event;
use shelf::{Object as _, Page};

/// Every route of the wire; faults come with the request.
pub(crate) fn router() -> Router<Sandbox> {
    Router::new().route("/v1/{*path}", axum::routing::any(answer))
}

/// Largest body that is read, bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One request, as far as it was read.
struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    body: &'a Bytes,
    key: Option<String>,
    /// The connected account that is acted for.
    account: Option<String>,
    fault: Option<Fault>,
}

async fn answer(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let request_id = sandbox.with(|state| state.books.chance.id("req"));
    let (Parts { method, uri, headers, extensions, .. }, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let key = text(&headers, "idempotency-key").filter(|_| method == Method::POST);
    let call = Call {
        method: &method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        body: &body,
        key,
        account: text(&headers, "stripe-account"),
        fault: extensions.get().copied(),
    };
    let (answer, is_replay) = match admit(&headers, &call) {
        Err(refusal) => (refused(&refusal), false),
        Ok(()) => run(&sandbox, &call, &request_id).await,
    };
    let version = text(&headers, "stripe-version").unwrap_or_else(|| API_VERSION.to_owned());
    let mut told = vec![("request-id", request_id), ("stripe-version", version)];
    told.extend(call.key.map(|key| ("idempotency-key", key)));
    told.extend(is_replay.then(|| ("idempotent-replayed", "true".to_owned())));
    respond(&answer, told)
}

fn respond(answer: &Answer, told: Vec<(&'static str, String)>) -> Response {
    let mut response = Response::new(Body::from(answer.body.to_string()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn refused(refusal: &Refusal) -> Answer {
    Answer { status: refusal.status, body: refusal.body() }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Checks made at the door, before the idempotency layer.
fn admit(headers: &HeaderMap, call: &Call<'_>) -> Result<(), Refusal> {
    match call.fault {
        Some(Fault::RateLimited) => return Err(Refusal::rate_limited()),
        Some(Fault::Conflict) => return Err(Refusal::conflict()),
        _ => {}
    }
    let bearer = text(headers, header::AUTHORIZATION.as_str());
    // Every test key is welcome: there is one account.
    let key = bearer.as_deref().and_then(|value| value.strip_prefix("Bearer sk_test_"));
    if key.is_none_or(str::is_empty) {
        return Err(Refusal::unauthorized());
    }
    if call.account.is_some() && call.path != "/v1/payouts" {
        return Err(Refusal::other_account());
    }
    Ok(())
}

/// Runs a request through the idempotency layer; also says whether the answer is an old one.
async fn run(sandbox: &Sandbox, call: &Call<'_>, request_id: &str) -> (Answer, bool) {
    if let Some(key) = &call.key {
        let params = match Params::parse(call.body) {
            Ok(params) => params,
            Err(refusal) => return (refused(&refusal), false),
        };
        let asked = format!("{} {params:?}", call.path);
        let begin = sandbox.with(|state| {
            let now_ms = state.clock.now_ms();
            state.idempotency.begin(key, &asked, now_ms)
        });
        match begin {
            Err(refusal) => return (refused(&refusal), false),
            Ok(Begin::Replay(answer)) => return (answer, true),
            Ok(Begin::Run) => {}
        }
    }
    if let Some(Fault::HangBefore { ms }) = call.fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let answer = sandbox.with(|state| {
        let cause = Cause { id: Some(request_id.to_owned()), idempotency_key: call.key.clone() };
        state.books.cause = cause;
        let result = execute(&mut state.books, call);
        state.books.cause = Cause::default();
        let (answer, is_kept) = match result {
            Ok(body) => (Answer { status: StatusCode::OK, body }, true),
            Err(refusal) => (refused(&refusal), refusal.is_stored),
        };
        if let Some(key) = &call.key {
            state.idempotency.finish(key, is_kept.then_some(&answer));
        }
        answer
    });
    if let Some(Fault::HangAfter { ms }) = call.fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    (answer, false)
}

fn execute(books: &mut Books, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.fault == Some(Fault::Stored500 { effect: false }) {
        return Err(Refusal::internal());
    }
    if call.fault == Some(Fault::Refused) {
        let message = "The script of faults refuses this.";
        return Err(Refusal::executed("account_invalid", message));
    }
    let encoded = if call.method == Method::GET { call.query.as_bytes() } else { call.body };
    let mut params = Params::parse(encoded)?;
    let paths = params.list("expand")?;
    paths.iter().try_for_each(|path| expand::check(path))?;
    let mut answer = route(books, call, params)?;
    if call.fault == Some(Fault::OtherAmount)
        && let Some(amount) = answer["amount"].as_i64()
    {
        answer["amount"] = (amount + 1).into();
    }
    if matches!(call.fault, Some(Fault::Stored500 { .. })) {
        return Err(Refusal::internal());
    }
    expand::expand(books, answer, &paths)
}

fn route(books: &mut Books, call: &Call<'_>, params: Params) -> Result<Value, Refusal> {
    let path = call.path.strip_prefix("/v1/").unwrap_or(call.path);
    let steps: Vec<&str> = path.split('/').collect();
    if call.method == Method::POST {
        return match steps.as_slice() {
            ["checkout", "sessions"] => checkout::create(books, params),
            ["checkout", "sessions", id, "expire"] => checkout::expire(books, id, params),
            ["accounts"] => onboarding::create_account(books, params),
            ["account_links"] => onboarding::create_link(books, params),
            ["transfers"] => transfer::create(books, params),
            ["transfers", id, "reversals"] => transfer::reverse(books, id, params),
            ["refunds"] => refund::create(books, params),
            ["balance_settings"] => bank::set(books, params),
            _ => Err(no_route(call)),
        };
    }
    if call.method != Method::GET {
        return Err(no_route(call));
    }
    match steps.as_slice() {
        ["checkout", "sessions"] => checkout::list(books, params),
        ["charges"] => checkout::list_charges(books, params),
        ["balance_transactions"] => checkout::list_balance_transactions(books, params),
        ["accounts"] => onboarding::list_accounts(books, params),
        ["transfers"] => transfer::list(books, params),
        ["transfers", id, "reversals"] => transfer::list_reversals(books, id, params),
        ["refunds"] => refund::list(books, params),
        ["disputes"] => dispute::list(books, params),
        ["payouts"] => bank::list(books, call.account.as_deref(), params),
        ["events"] => list_events(books, params),
        _ => {
            params.finish()?;
            retrieve(books, &steps).unwrap_or_else(|| Err(no_route(call)))
        }
    }
}

/// One object by its id; none where the path leads to no kind of object.
fn retrieve(books: &Books, steps: &[&str]) -> Option<Result<Value, Refusal>> {
    Some(match *steps {
        ["balance"] => Ok(books.balance()),
        ["balance_settings"] => Ok(bank::settings(books)),
        ["checkout", "sessions", id] => books.sessions.in_path(id).map(object::Session::render),
        ["payment_intents", id] => books.intents.in_path(id).map(object::Intent::render),
        ["charges", id] => books.charges.in_path(id).map(object::Charge::render),
        ["balance_transactions", id] => {
            books.balance_transactions.in_path(id).map(object::BalanceTransaction::render)
        }
        ["accounts", id] => books.accounts.in_path(id).map(object::Account::render),
        ["transfers", id] => books.transfers.in_path(id).map(object::Transfer::render),
        ["transfers", transfer, "reversals", id] => books.reversals.in_path(id).and_then(|one| {
            let is_its = one.transfer == transfer;
            if is_its { Ok(one.render()) } else { Err(Refusal::missing("reversal", id, "id")) }
        }),
        ["refunds", id] => books.refunds.in_path(id).map(object::Refund::render),
        ["disputes", id] => books.disputes.in_path(id).map(object::Dispute::render),
        ["events", id] => books.events.in_path(id).map(Event::render),
        _ => return None,
    })
}

fn list_events(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let mut types = params.list("types")?;
    types.extend(params.text("type")?);
    params.finish()?;
    books.events.page(&page, "/v1/events", |event| {
        types.is_empty() || types.iter().any(|wanted| wanted == event.r#type)
    })
}

fn no_route(call: &Call<'_>) -> Refusal {
    Refusal::no_route(call.method.as_str(), call.path)
}
