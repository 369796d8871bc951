//! Opening a campaign: each term with what it means, shown on an example while it is filled in.

mod draft;
pub(super) mod meaning;

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::field::Field;
use crate::problem::Problem;
use draft::Draft;

#[derive(Template)]
#[template(path = "brand/new.html")]
struct New {
    shell: Shell,
    key: String,
    usual: Vec<Field>,
    /// Those that most campaigns leave as they are.
    more: Vec<Field>,
    /// What was wrong and is about no field here.
    note: Option<String>,
    /// What it comes to, in sentences.
    sums: Vec<String>,
}

impl New {
    /// Whether something among the other terms is wrong.
    fn is_open(&self) -> bool {
        self.more.iter().any(|field| field.error.is_some())
    }
}

fn new(visitor: &Visitor, draft: &Draft, note: Option<String>, key: String) -> New {
    let (usual, more) = draft.fields();
    let shell = visitor.titled("New campaign");
    New { shell, key, usual, more, note, sums: draft.sums() }
}

/// `GET /brand/new`: the form, and what it would mean as far as it is filled in.
pub(in super::super) async fn ask(
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let form = Form::of_query(query);
    let shared = &visitor.caller.shared;
    let draft = Draft::read(&form, shared.fees, shared.clock.now()).patient();
    page(StatusCode::OK, &new(&visitor, &draft, None, key()))
}

/// `POST /brand/new`: opens it, or says at each field what is wrong.
pub(in super::super) async fn open(visitor: Visitor, form: Form) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let mut draft = Draft::read(&form, shared.fees, shared.clock.now());
    let mut note = None;
    if let Some(terms) = draft.said() {
        match act(&visitor.caller, &form, ("POST", "/campaigns"), &terms).await {
            Ok(campaign) => {
                let id = campaign["id"].as_str().unwrap_or_default();
                return Ok(go(&format!("/brand/campaigns/{id}?done=opened")));
            }
            Err(problem) if problem.status().is_client_error() => note = draft.blame(&problem),
            Err(problem) => return Err(problem),
        }
    }
    let key = form.text("key").to_owned();
    page(StatusCode::UNPROCESSABLE_ENTITY, &new(&visitor, &draft, note, key))
}
