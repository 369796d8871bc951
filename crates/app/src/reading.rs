//! JSON from outside: what is wrong is told by the path of its field.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::{Currency, Minor};

/// Something that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Wrong {
    /// Its path, as in `rates.sale.bps[0][1]`; `body` for the whole.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Reads what is wanted.
///
/// # Errors
/// [`Wrong`] names the field, however deep it is.
pub fn read<'de, T, D>(from: D) -> Result<T, Wrong>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(from).map_err(|error| {
        let (path, detail) = (error.path().to_string(), error.inner().to_string());
        // Of a field that is missing, only the text knows the name.
        let missing =
            detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let is_root = path == ".";
        let field = match missing {
            Some(name) if is_root => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None if is_root => "body".to_owned(),
            None => path,
        };
        Wrong { field, detail }
    })
}

/// The terms that must be said; every other one has a default.
#[derive(Debug, Deserialize)]
struct Needed {
    currency: Currency,
    budget: Minor,
    ends_at: i64,
}

/// Terms from what was said and the defaults of the rest (design §9).
///
/// # Errors
/// [`Wrong`]. Whether the values make sense is asked later, by [`Terms::check`].
pub fn terms(said: &Map<String, Value>) -> Result<Terms, Wrong> {
    let needed: Needed = read(Value::Object(said.clone()))?;
    let defaults = Terms::with_defaults(needed.currency, needed.budget, needed.ends_at);
    let mut all = serde_json::to_value(defaults).unwrap_or_default();
    if let Some(all) = all.as_object_mut() {
        all.extend(said.clone());
    }
    read(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_however_deep_it_is() {
        let said = serde_json::json!({ "currency": "USD", "budget": 5, "ends_at": 7 });
        let said = said.as_object().expect("an object");
        terms(said).expect("all that must be said");
        for (field, value, expected) in [
            ("currency", r#""XXX""#, "currency"),
            ("budget", "1.5", "budget"),
            ("base", "null", "base"),
            ("rates", r#"{"sale":{"bps":[[0,100],[5,-5]]}}"#, "rates.sale.bps[1][1]"),
            ("rates", r#"{"sale":{}}"#, "rates.sale"),
            ("foo", "1", "foo"),
            ("budget", "", "budget"),
        ] {
            let mut said = said.clone();
            said.remove(field);
            if !value.is_empty() {
                said.insert(field.to_owned(), serde_json::from_str(value).expect("JSON"));
            }
            let wrong = terms(&said).expect_err("wrong");
            assert_eq!(wrong.field, expected, "{}", wrong.detail);
        }
    }
}
