//! `expand[]`: ids in an answer replaced by the objects behind them.

use serde_json::Value;

use super::books::Books;
use super::error::Refusal;

const DEPTH_MAX: usize = 4;

/// Fields that hold ids which can be expanded.
const EXPANDABLE: [&str; 9] = [
    "balance_transaction",
    "charge",
    "destination",
    "latest_charge",
    "payment_intent",
    "source",
    "source_transaction",
    "transfer",
    "data",
];

/// Expands every path in an answer.
pub(crate) fn expand(books: &Books, mut answer: Value, paths: &[String]) -> Result<Value, Refusal> {
    for path in paths {
        check(path)?;
        let steps: Vec<&str> = path.split('.').collect();
        walk(books, &mut answer, &steps, path)?;
    }
    Ok(answer)
}

/// Refuses paths that can never be expanded: found before anything is tried.
pub(crate) fn check(path: &str) -> Result<(), Refusal> {
    let steps: Vec<&str> = path.split('.').collect();
    if steps.len() > DEPTH_MAX || !steps.iter().all(|step| EXPANDABLE.contains(step)) {
        return Err(refusal(path));
    }
    Ok(())
}

fn refusal(path: &str) -> Refusal {
    let message = format!("This property cannot be expanded ({path}).");
    Refusal::parameter("parameter_invalid", "expand", message)
}

fn walk(books: &Books, at: &mut Value, steps: &[&str], path: &str) -> Result<(), Refusal> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    let field = at.get_mut(*step).ok_or_else(|| refusal(path))?;
    if let Some(id) = field.as_str() {
        *field = books.find(id).ok_or_else(|| refusal(path))?;
    }
    match field {
        // What is not there yet stays null.
        Value::Null => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(books, item, rest, path)),
        field => walk(books, field, rest, path),
    }
}
