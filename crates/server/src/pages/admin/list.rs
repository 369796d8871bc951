//! Lists of the API as pages show them: narrowed by a form that needs no script, page by page.

use serde_json::Value;

use super::super::act::ask;
use super::super::filter::{Filter, Narrowed};
use super::super::form::{Form, quoted};
use super::super::show::Moment;
use super::super::visitor::Visitor;
use crate::problem::Problem;

/// Rows of a page.
const ROWS: u32 = 50;

/// What a filter can be: its name, its label and what there is to choose, or nothing to have it written.
pub(super) type Known = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// A part of a list.
pub(super) struct List {
    pub(super) rows: Vec<Value>,
    pub(super) narrowed: Narrowed,
    /// Where it goes on.
    pub(super) next: Option<String>,
    /// Whether this is not the beginning.
    pub(super) goes_on: bool,
}

impl List {
    /// What the API lists at `path`, as the query of the page asks for it.
    pub(super) async fn of(
        visitor: &Visitor,
        (here, path): (String, &str),
        known: &[Known],
        asked: &Form,
    ) -> Result<Self, Problem> {
        let filters = known.iter().map(|(name, label, choices)| {
            Filter::of(name, label, choices.iter().copied(), asked.text(name))
        });
        let narrowed = Narrowed { here, filters: filters.collect() };
        let query = narrowed.query();
        let cursor = asked.text("cursor");
        let at =
            if cursor.is_empty() { String::new() } else { format!("&cursor={}", quoted(cursor)) };
        let mut answer = ask(&visitor.caller, &format!("{path}?limit={ROWS}{query}{at}")).await?;
        let next = answer["next_cursor"].as_str();
        let next = next.map(|next| format!("{}?cursor={}{query}", narrowed.here, quoted(next)));
        let rows = match answer["data"].take() {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        Ok(Self { rows, narrowed, next, goes_on: !cursor.is_empty() })
    }
}

/// A text of a thing.
pub(super) fn text(thing: &Value, name: &str) -> String {
    thing[name].as_str().unwrap_or_default().to_owned()
}

/// A time of a thing.
pub(super) fn moment(thing: &Value, name: &str) -> Option<Moment> {
    thing[name].as_i64().map(Moment)
}

/// Whether an id of somebody else's, as it stands in a path, is made of letters, digits and `_` only.
pub(super) fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
