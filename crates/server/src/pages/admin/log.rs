//! `/admin/access-log`: who asked for what; and `/admin/keys`: under which keys the platform signs.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::super::act::ask;
use super::super::form::Form;
use super::super::page;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, chip};
use super::super::visitor::Visitor;
use super::list::{Known, List, moment, text};
use crate::problem::Problem;

const OF_ACCESSES: &[Known] = &[("who", "User or API key", &[])];

struct Access {
    at: Option<Moment>,
    who: String,
    role: String,
    session: String,
    asked: String,
    answer: Chip,
    status: u64,
    count: u64,
    network: String,
}

fn access(access: &Value) -> Access {
    let status = access["status"].as_u64().unwrap_or_default();
    Access {
        at: moment(access, "at"),
        who: text(access, "who"),
        role: text(access, "role"),
        session: text(access, "session"),
        asked: format!("{} {}", text(access, "method"), text(access, "path")),
        answer: match status {
            200..400 => chip("good", "Done"),
            499 => chip("wait", "Sender left"),
            400..500 => chip("calm", "Refused"),
            _ => chip("bad", "Failed"),
        },
        status,
        count: access["count"].as_u64().unwrap_or_default(),
        network: text(access, "network"),
    }
}

#[derive(Template)]
#[template(path = "admin/access.html")]
struct Accesses {
    shell: Shell,
    list: List,
    rows: Vec<Access>,
}

/// `GET /admin/access-log`.
pub(in super::super) async fn accesses(
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Form::of_query(query);
    let places = ("/admin/access-log".to_owned(), "/access-log");
    let list = List::of(&visitor, places, OF_ACCESSES, &asked).await?;
    let rows = list.rows.iter().map(access).collect();
    let shell = visitor.titled("Access log");
    page(StatusCode::OK, &Accesses { shell, list, rows })
}

struct Master {
    number: u64,
    state: Chip,
    created_at: Option<Moment>,
    retired_at: Option<Moment>,
    revoked_at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "admin/keys.html")]
struct Keyring {
    shell: Shell,
    id: String,
    mode: String,
    masters: Vec<Master>,
}

/// `GET /admin/keys`.
pub(in super::super) async fn keyring(visitor: Visitor) -> Result<Response, Problem> {
    let answer = ask(&visitor.caller, "/keyring").await?;
    let master = |master: &Value| Master {
        number: master["master"].as_u64().unwrap_or_default(),
        state: match master["state"].as_str() {
            Some("signs") => chip("good", "Signs"),
            Some("valid") => chip("good", "Valid"),
            Some("retired") => chip("calm", "Retired: what it signed is believed"),
            _ => chip("bad", "Revoked: nothing of it is believed"),
        },
        created_at: moment(master, "created_at"),
        retired_at: moment(master, "retired_at"),
        revoked_at: moment(master, "revoked_at"),
    };
    let masters = answer["masters"].as_array().into_iter().flatten().map(master).collect();
    let (id, mode) = (text(&answer, "id"), text(&answer, "mode"));
    let shell = visitor.titled("Keys");
    page(StatusCode::OK, &Keyring { shell, id, mode, masters })
}
