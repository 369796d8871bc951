//! JSON from outside: what is wrong is told by the path of its field.

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::{Currency, Minor};

use crate::fees::Fees;

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

/// Terms from what was said and the defaults of the rest (design §8), which for fees are the operator's.
///
/// # Errors
/// [`Wrong`]. Whether the values make sense is asked later, by [`Terms::check`].
pub fn terms(said: &Map<String, Value>, fees: Fees) -> Result<Terms, Wrong> {
    let needed: Needed = read(Value::Object(said.clone()))?;
    let mut defaults = Terms::with_defaults(needed.currency, needed.budget, needed.ends_at);
    fees.apply(&mut defaults);
    let mut all = serde_json::to_value(defaults).unwrap_or_default();
    if let Some(all) = all.as_object_mut() {
        all.extend(said.clone());
    }
    let terms: Terms = read(all)?;
    // What the hash of the terms is made of is what was said: one spelling, and no other way to it.
    let read = serde_json::to_value(&terms).unwrap_or_default();
    match said.iter().find(|(field, said)| read.get(*field) != Some(*said)) {
        Some((field, _)) => {
            let like = read.get(field).map(Value::to_string).unwrap_or_default();
            Err(Wrong { field: field.clone(), detail: format!("write it as {like}") })
        }
        None => Ok(terms),
    }
}

/// An object that says no name twice, so that nobody reads another value than the sender meant.
#[derive(Clone, Debug, Default)]
pub struct Once(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let OnceValue(value) = access.next_value()?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("`{name}` is said twice")));
            }
            map.insert(name, value);
        }
        Ok(map)
    }
}

/// Any value, in which no object says a name twice.
struct OnceValue(Value);

impl<'de> Deserialize<'de> for OnceValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
                let mut all = Vec::new();
                while let Some(OnceValue(value)) = access.next_element()? {
                    all.push(value);
                }
                Ok(all.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
                OnceVisitor.visit_map(access).map(Value::Object)
            }
        }

        deserializer.deserialize_any(Any).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_however_deep_it_is() {
        let said = serde_json::json!({ "currency": "USD", "budget": 5, "ends_at": 7 });
        let said = said.as_object().expect("an object");
        let terms = |said: &Map<String, Value>| terms(said, Fees::default());
        terms(said).expect("all that must be said");
        for (field, value, expected) in [
            ("currency", r#""XXX""#, "currency"),
            ("budget", "1.5", "budget"),
            ("base", "null", "base"),
            ("rates", r#"{"sale":{"bps":[[0,100],[5,-5]]}}"#, "rates.sale.bps[1][1]"),
            ("rates", r#"{"sale":{}}"#, "rates.sale"),
            ("foo", "1", "foo"),
            ("currency", r#"{"USD":null}"#, "currency"),
            ("on_exhausted", r#"{"record":null}"#, "on_exhausted"),
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

    #[test]
    fn a_name_is_said_once_however_deep() {
        let good = r#"{"a":{"b":[1,-2,1.5,"x",true,null,{"b":1}]},"b":2}"#;
        let Once(read) = serde_json::from_str(good).expect("an object");
        assert_eq!(Value::Object(read).to_string(), good);
        for twice in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#]
        {
            serde_json::from_str::<Once>(twice).expect_err(twice);
        }
    }
}
