//! Lists of the API as pages show them: narrowed by a form that needs no script, page by page.

use serde_json::Value;

use super::super::act::ask;
use super::super::form::{Form, quoted};
use super::super::show::Moment;
use super::super::visitor::Visitor;
use crate::problem::Problem;

/// Rows of a page.
const ROWS: u32 = 50;

/// A word to choose.
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) text: &'static str,
    pub(super) is_chosen: bool,
}

/// By what a list is narrowed.
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// None: a text is written.
    pub(super) choices: Vec<Choice>,
    /// What is asked for.
    pub(super) value: String,
}

/// What a filter can be: its name, its label and what there is to choose, or nothing to have it written.
pub(super) type Known = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// A part of a list.
pub(super) struct List {
    pub(super) rows: Vec<Value>,
    /// The address of the page.
    pub(super) here: String,
    pub(super) filters: Vec<Filter>,
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
        let mut query = String::new();
        let mut filters = Vec::new();
        for (name, label, choices) in known {
            let value = asked.text(name).to_owned();
            if !value.is_empty() {
                query = query + "&" + name + "=" + &quoted(&value);
            }
            let choices = choices.iter().map(|(word, text)| {
                let is_chosen = *word == value;
                Choice { value: word, text, is_chosen }
            });
            filters.push(Filter { name, label, choices: choices.collect(), value });
        }
        let cursor = asked.text("cursor");
        let at =
            if cursor.is_empty() { String::new() } else { format!("&cursor={}", quoted(cursor)) };
        let mut answer = ask(&visitor.caller, &format!("{path}?limit={ROWS}{query}{at}")).await?;
        let next = answer["next_cursor"].as_str();
        let next = next.map(|next| format!("{here}?cursor={}{query}", quoted(next)));
        let rows = match answer["data"].take() {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        Ok(Self { rows, here, filters, next, goes_on: !cursor.is_empty() })
    }

    /// Whether something is left out.
    pub(super) fn is_narrowed(&self) -> bool {
        self.filters.iter().any(|filter| !filter.value.is_empty())
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
