//! Parameters in bracket notation: `a[b][c]=v`, `a[0]=v`, `a[]=v`.
//!
//! Whoever answers a request takes out what it knows; what is left in the end is refused as
//! unknown, since a stand-in that overlooks parameters hides mistakes.

use std::collections::BTreeMap;

use super::error::Refusal;

/// Names and values of one level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// Where this level stands, as in `line_items[0]`; empty at the top.
    place: String,
    fields: BTreeMap<String, Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    Level(BTreeMap<String, Field>),
}

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 6;

const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_LETTERS_MAX: usize = 40;
const METADATA_VALUE_LETTERS_MAX: usize = 500;

impl Params {
    /// Reads a body or a query.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Refusal> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            let path = split(&name).ok_or_else(|| malformed(&name))?;
            insert(&mut fields, &path, value.into_owned()).ok_or_else(|| malformed(&name))?;
        }
        Ok(Self { place: String::new(), fields })
    }

    fn name(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}[{field}]", self.place) }
    }

    /// A text, if there is one; an empty one cannot be unset here, so it is refused.
    pub(crate) fn text(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        let name = self.name(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Field::Text(text)) if text.is_empty() => {
                let message = format!("You passed an empty string for '{name}'.");
                Err(Refusal::parameter("parameter_invalid_empty", &name, message))
            }
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(Field::Level(_)) => {
                Err(Refusal::parameter("parameter_invalid_string", &name, "Invalid string"))
            }
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, field: &str) -> Result<String, Refusal> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    fn missing(&self, field: &str) -> Refusal {
        let name = self.name(field);
        let message = format!("Missing required param: {name}.");
        Refusal::parameter("parameter_missing", &name, message)
    }

    /// An integer, if there is one.
    pub(crate) fn integer(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        let name = self.name(field);
        let Some(text) = self.text(field)? else { return Ok(None) };
        let refuse = |_| {
            let message = format!("Invalid integer: {text}");
            Refusal::parameter("parameter_invalid_integer", &name, message)
        };
        text.parse().map(Some).map_err(refuse)
    }

    /// A positive amount that must be there, minor units.
    pub(crate) fn required_amount(&mut self, field: &str) -> Result<i64, Refusal> {
        let amount = self.amount(field)?;
        amount.ok_or_else(|| self.missing(field))
    }

    /// A positive amount, if there is one, minor units.
    pub(crate) fn amount(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        let name = self.name(field);
        let Some(amount) = self.integer(field)? else { return Ok(None) };
        if amount < 1 {
            let message = "This value must be greater than or equal to 1.";
            return Err(Refusal::parameter("parameter_invalid_integer", &name, message));
        }
        if amount > AMOUNT_MAX {
            let message = "Amount must be no more than $999,999.99";
            return Err(Refusal::parameter("amount_too_large", &name, message));
        }
        Ok(Some(amount))
    }

    /// A truth value, if there is one.
    pub(crate) fn boolean(&mut self, field: &str) -> Result<Option<bool>, Refusal> {
        let name = self.name(field);
        match self.text(field)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                let message = format!("Invalid boolean: {other}");
                Err(Refusal::parameter("parameter_invalid_boolean", &name, message))
            }
        }
    }

    /// One of a few words, if there is one.
    pub(crate) fn choice(
        &mut self,
        field: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Refusal> {
        let name = self.name(field);
        let Some(text) = self.text(field)? else { return Ok(None) };
        let word = words.iter().find(|word| **word == text).copied();
        let message = format!("Invalid {name}: must be one of {}", words.join(", "));
        word.map(Some).ok_or_else(|| Refusal::parameter("parameter_invalid", &name, message))
    }

    /// One of a few words that must be there.
    pub(crate) fn required_choice(
        &mut self,
        field: &str,
        words: &[&'static str],
    ) -> Result<&'static str, Refusal> {
        self.choice(field, words)?.ok_or_else(|| self.missing(field))
    }

    /// A currency of the short list, in small letters.
    pub(crate) fn required_currency(&mut self, field: &str) -> Result<String, Refusal> {
        let name = self.name(field);
        let currency = self.required_text(field)?.to_lowercase();
        if CURRENCIES.contains(&currency.as_str()) {
            return Ok(currency);
        }
        let message = format!("Invalid currency: {currency}. This sandbox knows usd, eur, gbp.");
        Err(Refusal::parameter("parameter_invalid", &name, message))
    }

    /// The level below, empty where there is none.
    pub(crate) fn level(&mut self, field: &str) -> Result<Option<Self>, Refusal> {
        let place = self.name(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Field::Level(fields)) => Ok(Some(Self { place, fields })),
            Some(Field::Text(_)) => {
                Err(Refusal::parameter("parameter_invalid", &place, "Invalid object"))
            }
        }
    }

    /// The level below, which must be there.
    pub(crate) fn required_level(&mut self, field: &str) -> Result<Self, Refusal> {
        self.level(field)?.ok_or_else(|| self.missing(field))
    }

    /// The texts of a list, empty where there is none.
    pub(crate) fn list(&mut self, field: &str) -> Result<Vec<String>, Refusal> {
        let Some(mut level) = self.level(field)? else { return Ok(Vec::new()) };
        let names: Vec<String> = level.fields.keys().cloned().collect();
        let texts = names.iter().map(|name| level.required_text(name));
        texts.collect()
    }

    /// Names of what has not been taken out yet.
    pub(crate) fn names(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }

    /// Metadata: texts under short names; an empty text unsets.
    pub(crate) fn metadata(&mut self) -> Result<BTreeMap<String, String>, Refusal> {
        let name = self.name("metadata");
        if matches!(self.fields.get("metadata"), Some(Field::Text(text)) if text.is_empty()) {
            self.fields.remove("metadata");
        }
        let Some(level) = self.level("metadata")? else { return Ok(BTreeMap::new()) };
        let refuse = |message: &str| Err(Refusal::parameter("parameter_invalid", &name, message));
        let mut metadata = BTreeMap::new();
        for (key, value) in level.fields {
            let Field::Text(value) = value else {
                return refuse("Metadata values must be strings.");
            };
            if key.chars().count() > METADATA_KEY_LETTERS_MAX {
                return refuse("Metadata keys can have up to 40 characters.");
            }
            if value.chars().count() > METADATA_VALUE_LETTERS_MAX {
                return refuse("Metadata values can have up to 500 characters.");
            }
            if !value.is_empty() {
                metadata.insert(key, value);
            }
        }
        if metadata.len() > METADATA_KEYS_MAX {
            return refuse("You can have up to 50 metadata keys.");
        }
        Ok(metadata)
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(field) => {
                let name = self.name(field);
                let message = format!("Received unknown parameter: {name}");
                Err(Refusal::parameter("parameter_unknown", &name, message))
            }
        }
    }
}

/// Largest amount of one charge, minor units.
const AMOUNT_MAX: i64 = 99_999_999;

const CURRENCIES: [&str; 3] = ["usd", "eur", "gbp"];

fn malformed(name: &str) -> Refusal {
    Refusal::parameter("parameter_invalid", name, format!("Invalid parameter name: {name}"))
}

/// `a[b][c]` as `a`, `b`, `c`.
fn split(name: &str) -> Option<Vec<&str>> {
    let Some((head, rest)) = name.split_once('[') else {
        return (!name.is_empty() && !name.contains(']')).then(|| vec![name]);
    };
    let rest = rest.strip_suffix(']')?;
    let mut path = vec![head];
    path.extend(rest.split("]["));
    let is_plain = |part: &&str| !part.contains(['[', ']']);
    (!head.is_empty() && path.len() <= DEPTH_MAX && path.iter().all(is_plain)).then_some(path)
}

/// None where a name is both a text and a level, or is said twice.
fn insert(fields: &mut BTreeMap<String, Field>, path: &[&str], value: String) -> Option<()> {
    let (first, rest) = path.split_first()?;
    // `a[]` counts on by itself; the width keeps ten behind nine.
    let name = if first.is_empty() { format!("{:06}", fields.len()) } else { (*first).to_owned() };
    if rest.is_empty() {
        return fields.insert(name, Field::Text(value)).is_none().then_some(());
    }
    let below = fields.entry(name).or_insert_with(|| Field::Level(BTreeMap::new()));
    match below {
        Field::Level(below) => insert(below, rest, value),
        Field::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
        let refusal = result.expect_err("refused");
        assert!(!refusal.is_stored, "a wrong parameter is never kept: {refusal:?}");
        refusal.code.unwrap_or_default()
    }

    #[test]
    fn brackets_nest_escaped_or_not() {
        for body in ["a[b][c]=v&a[b][d]=w&e=1", "a%5Bb%5D%5Bc%5D=v&a%5Bb%5D%5Bd%5D=w&e=1"] {
            let mut params = Params::parse(body.as_bytes()).expect("reads");
            let mut a = params.required_level("a").expect("a");
            let mut b = a.required_level("b").expect("b");
            assert_eq!(b.text("c"), Ok(Some("v".into())));
            assert_eq!(b.text("d"), Ok(Some("w".into())));
            assert_eq!(params.integer("e"), Ok(Some(1)));
            assert_eq!(params.finish(), Ok(()));
        }
    }

    #[test]
    fn both_spellings_of_a_list_are_read() {
        for body in ["expand[]=one&expand[]=two", "expand[0]=one&expand[1]=two"] {
            let mut params = Params::parse(body.as_bytes()).expect("reads");
            assert_eq!(params.list("expand"), Ok(vec!["one".into(), "two".into()]));
        }
    }

    #[test]
    fn what_nobody_took_is_unknown_also_deep_inside() {
        let mut params = Params::parse(b"a[b]=1&a[x]=2").expect("reads");
        let mut a = params.required_level("a").expect("a");
        assert_eq!(a.integer("b"), Ok(Some(1)));
        let refusal = a.finish().expect_err("x is unknown");
        assert_eq!(refusal.body()["error"]["param"], "a[x]");
        assert_eq!(refusal.code, Some("parameter_unknown"));
    }

    #[test]
    fn wrong_values_have_their_codes() {
        let body = b"amount=12.5&zero=0&huge=100000000&flag=yes&empty=&word=x&currency=xyz";
        let mut params = Params::parse(body).expect("reads");
        assert_eq!(code(params.amount("amount")), "parameter_invalid_integer");
        assert_eq!(code(params.amount("zero")), "parameter_invalid_integer");
        assert_eq!(code(params.amount("huge")), "amount_too_large");
        assert_eq!(code(params.boolean("flag")), "parameter_invalid_boolean");
        assert_eq!(code(params.text("empty")), "parameter_invalid_empty");
        assert_eq!(code(params.choice("word", &["a", "b"])), "parameter_invalid");
        assert_eq!(code(params.required_currency("currency")), "parameter_invalid");
        assert_eq!(code(params.required_text("absent")), "parameter_missing");
    }

    #[test]
    fn names_that_make_no_tree_are_refused() {
        for body in ["a=1&a[b]=2", "a[b]=2&a=1", "a=1&a=2", "a[b=1", "[a]=1", "a]b=1", "a[b]c=1"] {
            assert_eq!(code(Params::parse(body.as_bytes())), "parameter_invalid", "{body}");
        }
    }

    #[test]
    fn metadata_has_limits_and_an_empty_value_unsets() {
        let mut params = Params::parse(b"metadata[a]=1&metadata[b]=").expect("reads");
        let metadata = params.metadata().expect("fits");
        assert_eq!(metadata, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        let mut params = Params::parse(b"metadata=").expect("reads");
        assert_eq!(params.metadata(), Ok(BTreeMap::new()));
        for body in [
            format!("metadata[{}]=1", "k".repeat(41)),
            format!("metadata[k]={}", "v".repeat(501)),
            (0..51).map(|n| format!("metadata[k{n}]=1")).collect::<Vec<_>>().join("&"),
        ] {
            let mut params = Params::parse(body.as_bytes()).expect("reads");
            assert_eq!(code(params.metadata()), "parameter_invalid");
        }
    }
}
