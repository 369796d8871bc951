//! `/admin/webhooks`: what the payment provider told, and what brands and creators are told.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_core::ids::WebhookId;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, chip, done, short};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::list::{Known, List, is_plain, moment, text};
use crate::api::{Path, not_found};
use crate::problem::Problem;

const OF_EVENTS: &[Known] = &[
    (
        "state",
        "State",
        &[("waiting", "Waiting"), ("needs_person", "Needs a person"), ("done", "Dealt with")],
    ),
    ("type", "Type", &[]),
];

const OF_ENDPOINTS: &[Known] =
    &[("enabled", "State", &[("true", "Enabled"), ("false", "Disabled")])];

const OF_DELIVERIES: &[Known] = &[(
    "state",
    "State",
    &[("waiting", "Waiting"), ("delivered", "Delivered"), ("given_up", "Given up")],
)];

struct Event {
    id: String,
    kind: String,
    about: String,
    state: Chip,
    came_by: &'static str,
    at: Option<Moment>,
    tries: u64,
    next_try_at: Option<Moment>,
    outcome: String,
    key: String,
}

fn event(event: &Value) -> Event {
    Event {
        id: text(event, "id"),
        kind: text(event, "type"),
        about: text(event, "object"),
        state: match event["state"].as_str() {
            Some("waiting") => chip("wait", "Waiting"),
            Some("needs_person") => chip("bad", "Needs a person"),
            _ => chip("good", "Dealt with"),
        },
        came_by: match event["came_by"].as_str() {
            Some("account") => "webhook",
            Some("connect") => "webhook about an account",
            _ => "the provider's list",
        },
        at: moment(event, "at"),
        tries: event["tries"].as_u64().unwrap_or_default(),
        next_try_at: moment(event, "next_try_at"),
        outcome: text(event, "outcome"),
        key: key(),
    }
}

#[derive(Template)]
#[template(path = "admin/events.html")]
struct Events {
    shell: Shell,
    tab: &'static str,
    done: Option<String>,
    list: List,
    rows: Vec<Event>,
}

async fn events(
    visitor: &Visitor,
    asked: &Form,
    done: Option<String>,
) -> Result<Response, Problem> {
    let here = "/admin/webhooks".to_owned();
    let list = List::of(visitor, (here, "/provider-events"), OF_EVENTS, asked).await?;
    let rows = list.rows.iter().map(event).collect();
    let shell = visitor.titled("Webhooks in");
    page(StatusCode::OK, &Events { shell, tab: "in", done, list, rows })
}

/// `GET /admin/webhooks`.
pub(in super::super) async fn show(
    visitor: Visitor,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    events(&visitor, &Form::of_query(asked), None).await
}

/// `POST /admin/webhooks/events/{event}/replay`: its answer says what came of it.
pub(in super::super) async fn replay(
    visitor: Visitor,
    Path(event): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    if !is_plain(&event) {
        return Err(not_found());
    }
    let path = format!("/provider-events/{event}/replay");
    let answer = act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    let done = match answer["replayed"].as_str() {
        Some(outcome) => format!("It was read again: {outcome}."),
        None => "It is tried again at once.".to_owned(),
    };
    events(&visitor, &Form::default(), Some(done)).await
}

struct Endpoint {
    href: String,
    host: String,
    owner: String,
    events: String,
    state: Chip,
    failing_since: Option<Moment>,
    notice: String,
}

fn endpoint(endpoint: &Value) -> Endpoint {
    let words = endpoint["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<_> = words.collect();
    let failing_since = moment(endpoint, "failing_since");
    Endpoint {
        href: format!("/admin/webhooks/out/{}", text(endpoint, "id")),
        host: text(endpoint, "host"),
        owner: short(&text(endpoint, "owner")),
        events: if words == ["*"] { "all".to_owned() } else { words.join(", ") },
        state: match (endpoint["enabled"] == true, failing_since.is_some()) {
            (false, _) => chip("bad", "Disabled"),
            (true, true) => chip("wait", "Failing"),
            (true, false) => chip("good", "Enabled"),
        },
        failing_since,
        notice: text(endpoint, "notice"),
    }
}

#[derive(Template)]
#[template(path = "admin/endpoints.html")]
struct Endpoints {
    shell: Shell,
    tab: &'static str,
    list: List,
    rows: Vec<Endpoint>,
}

/// `GET /admin/webhooks/out`.
pub(in super::super) async fn out(
    visitor: Visitor,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let here = "/admin/webhooks/out".to_owned();
    let places = (here, "/webhook-endpoints");
    let list = List::of(&visitor, places, OF_ENDPOINTS, &Form::of_query(asked)).await?;
    let rows = list.rows.iter().map(endpoint).collect();
    let shell = visitor.titled("Webhooks out");
    page(StatusCode::OK, &Endpoints { shell, tab: "out", list, rows })
}

struct Delivery {
    replay: String,
    kind: String,
    entry: String,
    state: Chip,
    created_at: Option<Moment>,
    attempts: u64,
    last_answer: String,
    next_attempt_at: Option<Moment>,
    key: String,
}

fn delivery(delivery: &Value, here: &str) -> Delivery {
    let no = delivery["delivery"].as_u64().unwrap_or_default();
    let campaign = delivery["campaign"].as_str().map(short);
    Delivery {
        replay: format!("{here}/{no}/replay"),
        kind: text(delivery, "type"),
        entry: campaign.map_or_else(
            || "a test".to_owned(),
            |campaign| format!("{campaign} entry {}", delivery["seq"]),
        ),
        state: match delivery["state"].as_str() {
            Some("waiting") => chip("wait", "Waiting"),
            Some("delivered") => chip("good", "Delivered"),
            _ => chip("bad", "Given up"),
        },
        created_at: moment(delivery, "created_at"),
        attempts: delivery["attempts"].as_u64().unwrap_or_default(),
        last_answer: text(delivery, "last_answer"),
        next_attempt_at: moment(delivery, "next_attempt_at"),
        key: key(),
    }
}

#[derive(Template)]
#[template(path = "admin/deliveries.html")]
struct Deliveries {
    shell: Shell,
    tab: &'static str,
    done: Option<&'static str>,
    id: WebhookId,
    list: List,
    rows: Vec<Delivery>,
}

/// `GET /admin/webhooks/out/{webhook}`.
pub(in super::super) async fn deliveries(
    visitor: Visitor,
    Path(id): Path<WebhookId>,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let (here, asked) = (format!("/admin/webhooks/out/{id}"), Form::of_query(asked));
    let path = format!("/webhook-endpoints/{id}/deliveries");
    let list = List::of(&visitor, (here, &path), OF_DELIVERIES, &asked).await?;
    let rows = list.rows.iter().map(|one| delivery(one, &list.narrowed.here)).collect();
    let done = done(asked.text("done"));
    let shell = visitor.titled("Deliveries");
    page(StatusCode::OK, &Deliveries { shell, tab: "out", done, id, list, rows })
}

/// `POST /admin/webhooks/out/{webhook}/{delivery}/replay`.
pub(in super::super) async fn send_again(
    visitor: Visitor,
    Path((webhook, delivery)): Path<(WebhookId, u64)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/webhook-endpoints/{webhook}/deliveries/{delivery}/replay");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go(&format!("/admin/webhooks/out/{webhook}?done=sent-again")))
}
