//! `/_control/…`: what drivers in another process do with a sandbox. JSON in, JSON out; unknown
//! fields are refused, and a refusal says why in `error`.
//!
//! | request | does |
//! |---|---|
//! | `GET /_control/clock` | `{now_ms, mode}` |
//! | `POST /_control/clock` | `{advance_ms}` or `{set_ms}`, and `{mode: "stepped", "running" or "real"}` |
//! | `POST /_control/checkout/{id}/pay` | `{method: "card" or "delayed", outcome: "succeed" or "fail"}` |
//! | `POST /_control/checkout/{id}/settle` | decides a delayed payment: `{outcome?}` |
//! | `POST /_control/checkout/{id}/dispute` | the payer's bank takes the money away: `{amount?}` |
//! | `POST /_control/disputes/{id}/close` | the bank decides: `{is_won}` |
//! | `POST /_control/accounts/{id}/onboard` | `{transfers?, payouts_enabled?, details_submitted?}` |
//! | `POST /_control/webhook_endpoints` | `{url, secret?, connect?, enabled_events?}`: `{id, secret}` |
//! | `GET /_control/deliveries?wait_ms=` | `{is_quiet, deliveries}`, once they are quiet |
//! | `GET, POST, DELETE /_control/deliveries/faults` | `{faults: […]}`, see `stripe/mishaps.rs` |
//! | `POST /_control/events/{id}/resend` | delivers an event once more |
//! | `GET /_control/ledger` | `{movements, payouts, balance}` |
//! | `GET, POST, DELETE /_control/faults` | `{faults: […]}`, see `faults.rs` |
//! | `POST /_control/clerk/token` | `{user, role?, azp?, ttl_s?, …}`: `{token, …}` |
//! | `POST /_control/shop/settings` | `{product_url, api_key, source?, event_type?}` |
//! | `POST /_control/shop/order`, `/refund` | `{status, body}` of what the product answered |

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clerk::TokenWanted;
use crate::clock::ClockMode;
use crate::faults::FaultLine;
use crate::sandbox::Sandbox;
use crate::shop::{Order, Reported, ShopRefund, ShopSettings};
use crate::stripe::mishaps::MishapLine;
use crate::stripe::onboarding::Standing;
use crate::stripe::payment::{CheckoutRefusal, Method, Outcome};
use crate::stripe::webhooks::WebhookEndpoint;

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/_control/clock", get(clock).post(move_clock))
        .route("/_control/checkout/{id}/pay", post(pay))
        .route("/_control/checkout/{id}/settle", post(settle))
        .route("/_control/checkout/{id}/dispute", post(dispute))
        .route("/_control/disputes/{id}/close", post(close_dispute))
        .route("/_control/accounts/{id}/onboard", post(onboard))
        .route("/_control/webhook_endpoints", post(register))
        .route("/_control/deliveries", get(deliveries))
        .route("/_control/deliveries/faults", get(mishaps).post(mishap).delete(no_mishaps))
        .route("/_control/events/{id}/resend", post(resend))
        .route("/_control/ledger", get(ledger))
        .route("/_control/faults", get(faults).post(script).delete(clear))
        .route("/_control/clerk/token", post(token))
        .route("/_control/shop/settings", post(set_shop))
        .route("/_control/shop/order", post(order))
        .route("/_control/shop/refund", post(refund))
}

/// Why a driver's request was not done.
#[derive(Debug)]
struct No(StatusCode, String);

impl IntoResponse for No {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<JsonRejection> for No {
    fn from(rejection: JsonRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<CheckoutRefusal> for No {
    fn from(refusal: CheckoutRefusal) -> Self {
        let status = match refusal {
            CheckoutRefusal::Unknown => StatusCode::NOT_FOUND,
            CheckoutRefusal::NotOpen | CheckoutRefusal::NothingWaiting => StatusCode::CONFLICT,
        };
        Self(status, refusal.to_string())
    }
}

type Answer<T = Value> = Result<Json<T>, No>;
type Body<T> = Result<Json<T>, JsonRejection>;

fn unknown(what: &str) -> No {
    No(StatusCode::NOT_FOUND, format!("there is no such {what}"))
}

async fn clock(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({ "now_ms": sandbox.now_ms(), "mode": sandbox.clock_mode() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    advance_ms: Option<i64>,
    set_ms: Option<i64>,
    mode: Option<ClockMode>,
}

async fn move_clock(State(sandbox): State<Sandbox>, body: Body<MoveClock>) -> Answer {
    let Json(MoveClock { advance_ms, set_ms, mode }) = body?;
    let moved = match (advance_ms, set_ms) {
        (Some(by_ms), None) => sandbox.advance_ms(by_ms),
        (None, Some(to_ms)) => sandbox.set_ms(to_ms),
        (None, None) if mode.is_some() => Ok(sandbox.now_ms()),
        _ => {
            let why = "say one of advance_ms, set_ms, or a mode";
            return Err(No(StatusCode::BAD_REQUEST, why.to_owned()));
        }
    };
    moved.map_err(|refusal| No(StatusCode::BAD_REQUEST, refusal.to_string()))?;
    if let Some(mode) = mode {
        sandbox.switch_clock(mode);
    }
    Ok(clock(State(sandbox)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    method: Method,
    outcome: Outcome,
}

async fn pay(State(sandbox): State<Sandbox>, Path(id): Path<String>, body: Body<Pay>) -> Answer {
    let Json(Pay { method, outcome }) = body?;
    sandbox.pay(&id, method, outcome)?;
    Ok(session(&sandbox, &id))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    outcome: Option<Outcome>,
}

async fn settle(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Body<Settle>,
) -> Answer {
    let Json(Settle { outcome }) = body?;
    sandbox.settle(&id, outcome)?;
    Ok(session(&sandbox, &id))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disputed {
    amount: Option<i64>,
}

async fn dispute(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Body<Disputed>,
) -> Answer {
    let Json(Disputed { amount }) = body?;
    if amount.is_some_and(|amount| amount <= 0) {
        return Err(No(StatusCode::BAD_REQUEST, "amount: more than 0".to_owned()));
    }
    let dispute = sandbox.dispute(&id, amount).ok_or_else(|| unknown("paid session"))?;
    Ok(session(&sandbox, &dispute))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    is_won: bool,
}

async fn close_dispute(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Body<Decided>,
) -> Answer {
    let Json(Decided { is_won }) = body?;
    if !sandbox.close_dispute(&id, is_won) {
        return Err(unknown("open dispute"));
    }
    Ok(session(&sandbox, &id))
}

fn session(sandbox: &Sandbox, id: &str) -> Json<Value> {
    Json(sandbox.with(|state| state.books.find(id)).unwrap_or_default())
}

async fn onboard(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Body<Standing>,
) -> Answer {
    let Json(standing) = body?;
    sandbox.stand(&id, standing).map(Json).ok_or_else(|| unknown("account"))
}

async fn register(State(sandbox): State<Sandbox>, body: Body<WebhookEndpoint>) -> Answer {
    let Json(endpoint) = body?;
    if !endpoint.url.starts_with("http://") {
        let why = "endpoints of a sandbox are reached by http";
        return Err(No(StatusCode::BAD_REQUEST, why.to_owned()));
    }
    Ok(Json(json!(sandbox.register_webhook(endpoint))))
}

#[derive(Debug, Deserialize)]
struct Wait {
    #[serde(default)]
    wait_ms: u64,
}

async fn deliveries(State(sandbox): State<Sandbox>, Query(wait): Query<Wait>) -> Json<Value> {
    // The report says itself whether they are quiet.
    sandbox.quiet(Duration::from_millis(wait.wait_ms)).await;
    Json(sandbox.deliveries())
}

async fn resend(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Answer {
    if sandbox.resend(&id) { Ok(Json(json!({ "event": id }))) } else { Err(unknown("event")) }
}

async fn ledger(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.ledger())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script<T> {
    faults: Vec<T>,
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.with(|state| json!(state.faults)))
}

async fn script(State(sandbox): State<Sandbox>, body: Body<Script<FaultLine>>) -> Answer {
    let Json(Script { faults: lines }) = body?;
    sandbox.script_faults(lines);
    Ok(faults(State(sandbox)).await)
}

async fn clear(State(sandbox): State<Sandbox>) -> Json<Value> {
    sandbox.clear_faults();
    faults(State(sandbox)).await
}

async fn mishaps(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.with(|state| json!(state.books.webhooks.mishaps())))
}

async fn mishap(State(sandbox): State<Sandbox>, body: Body<Script<MishapLine>>) -> Answer {
    let Json(Script { faults: lines }) = body?;
    sandbox.script_mishaps(lines);
    Ok(mishaps(State(sandbox)).await)
}

async fn no_mishaps(State(sandbox): State<Sandbox>) -> Json<Value> {
    sandbox.clear_mishaps();
    mishaps(State(sandbox)).await
}

async fn token(State(sandbox): State<Sandbox>, body: Body<TokenWanted>) -> Answer {
    let Json(wanted) = body?;
    if wanted.user.is_empty() {
        return Err(No(StatusCode::BAD_REQUEST, "say which user".to_owned()));
    }
    let issued = sandbox.token(&wanted);
    let refuse = |error: std::io::Error| No(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    Ok(Json(json!(issued.map_err(refuse)?)))
}

async fn set_shop(State(sandbox): State<Sandbox>, body: Body<ShopSettings>) -> Answer {
    let Json(settings) = body?;
    sandbox.set_shop(settings);
    Ok(Json(json!({})))
}

async fn order(State(sandbox): State<Sandbox>, body: Body<Order>) -> Answer<Reported> {
    let Json(order) = body?;
    sandbox.order(&order).await.map(Json).map_err(|error| unreported(&error))
}

async fn refund(State(sandbox): State<Sandbox>, body: Body<ShopRefund>) -> Answer<Reported> {
    let Json(refund) = body?;
    sandbox.refund(&refund).await.map(Json).map_err(|error| unreported(&error))
}

fn unreported(error: &std::io::Error) -> No {
    No(StatusCode::BAD_GATEWAY, error.to_string())
}
