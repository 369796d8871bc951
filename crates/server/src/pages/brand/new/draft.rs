//! What is in the form, read as terms.

use serde_json::{Map, Value, json};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::day_of_date;
use sponsorhub_app::reading;
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::time::{DAY_MS, day_of};

use super::super::super::form::Form;
use super::meaning;
use crate::problem::Problem;

/// A field of the form.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
    pub(super) value: String,
    pub(super) error: Option<String>,
    /// What it means, as far as the form is filled in.
    pub(super) meaning: Option<String>,
}

/// How a field is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Date,
    /// One of these: value and what it is called.
    Choice(&'static [(&'static str, &'static str)]),
}

impl Kind {
    pub(super) const fn choices(&self) -> &'static [(&'static str, &'static str)] {
        if let Self::Choice(choices) = self { choices } else { &[] }
    }

    pub(super) const fn input(&self) -> &'static str {
        if matches!(self, Self::Date) { "date" } else { "text" }
    }

    pub(super) const fn mode(&self) -> &'static str {
        if matches!(self, Self::Number) { "decimal" } else { "text" }
    }
}

/// What stands still of a field.
struct Spec {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    kind: Kind,
    /// What it says before anybody wrote something.
    usual: &'static str,
}

const fn spec(
    (name, label): (&'static str, &'static str),
    (kind, usual): (Kind, &'static str),
    hint: &'static str,
) -> Spec {
    Spec { name, label, hint, kind, usual }
}

const CURRENCIES: Kind =
    Kind::Choice(&[("USD", "US dollar"), ("EUR", "Euro"), ("GBP", "Pound sterling")]);
const PAYS: Kind = Kind::Choice(&[
    ("share", "A share of the order, in per cent"),
    ("flat", "A fixed amount for each"),
]);
const EXHAUSTED: Kind = Kind::Choice(&[
    ("pause", "Pause the campaign"),
    ("record", "Go on counting; creators wait for more funds"),
]);

const USUAL: &[Spec] = &[
    spec(
        ("event", "What you pay for"),
        (Kind::Text, "sale"),
        "As your shop reports it, such as sale or lead.",
    ),
    spec(
        ("pays", "How"),
        (PAYS, "share"),
        "The part of creators; the platform's fee comes on top of it.",
    ),
    spec(
        ("rate", "How much"),
        (Kind::Number, "10"),
        "Per cent of each order, or the fixed amount.",
    ),
    spec(("currency", "Currency"), (CURRENCIES, "USD"), "One for the whole campaign, for good."),
    spec(
        ("budget", "Budget"),
        (Kind::Number, "1000"),
        "The most that creators and fees can take. You pay it in before the launch; what nobody earns comes back.",
    ),
    spec(
        ("ends_on", "Last day"),
        (Kind::Date, ""),
        "It ends by itself after that day (UTC), within 24 months.",
    ),
    spec(
        ("hosts", "Where links may lead"),
        (Kind::Text, ""),
        "Hosts of your shop, such as shop.example, with commas between them.",
    ),
];

const MORE: &[Spec] = &[
    spec(
        ("creator_cap", "Most for one creator"),
        (Kind::Number, ""),
        "Empty: no limit but the budget.",
    ),
    spec(
        ("base", "Fixed base for each creator"),
        (Kind::Number, ""),
        "Reserved when somebody joins, so that it is there when it is earned. Empty: none.",
    ),
    spec(
        ("base_after", "Orders that unlock the base"),
        (Kind::Number, "1"),
        "Only orders that count.",
    ),
    spec(
        ("attribution_window_days", "Days from click to order"),
        (Kind::Number, "30"),
        "Later orders do not count.",
    ),
    spec(
        ("clearing_days", "Days from order to payout"),
        (Kind::Number, "30"),
        "As long as your customers may send things back.",
    ),
    spec(
        ("payout_minimum", "Smallest payout"),
        (Kind::Number, "10"),
        "Less than that waits, and is paid at the end whatever it is.",
    ),
    spec(
        ("on_exhausted", "When the budget is used up"),
        (EXHAUSTED, "pause"),
        "Creators are told either way.",
    ),
];

/// The form, read.
#[derive(Debug)]
pub(super) struct Draft {
    values: Vec<(&'static str, String)>,
    errors: Vec<(&'static str, String)>,
    terms: Option<(Map<String, Value>, Terms)>,
    now: i64,
}

impl Draft {
    /// Reads a form at `now`, milliseconds. Fields that it does not have say what is usual.
    pub(super) fn read(form: &Form, fees: Fees, now: i64) -> Self {
        let value = |spec: &Spec| {
            let said = form.has(spec.name).then(|| form.text(spec.name).to_owned());
            (spec.name, said.unwrap_or_else(|| spec.usual.to_owned()))
        };
        let values = USUAL.iter().chain(MORE).map(value).collect();
        let mut draft = Self { values, errors: Vec::new(), terms: None, now };
        let said = draft.terms();
        if draft.errors.is_empty() {
            match reading::terms(&said, fees) {
                Ok(terms) => match terms.check() {
                    Ok(()) => draft.terms = Some((said, terms)),
                    Err(error) => draft.wrong(field_of(error.field), error.fix),
                },
                Err(wrong) => draft.wrong(field_of(&wrong.field), wrong.detail),
            }
        }
        draft
    }

    /// Says nothing of fields that nobody has filled in yet.
    pub(super) fn patient(mut self) -> Self {
        let empty: Vec<_> =
            self.values.iter().filter(|(_, text)| text.is_empty()).map(|(name, _)| *name).collect();
        self.errors.retain(|(name, _)| !empty.contains(name));
        self
    }

    /// The terms as they are said to the API; none where something is wrong.
    pub(super) fn said(&self) -> Option<Value> {
        self.terms.as_ref().map(|(said, _)| json!(said))
    }

    /// Notes what the API said at the field that it is about; what is about none comes back.
    pub(super) fn blame(&mut self, problem: &Problem) -> Option<String> {
        let field = problem.field.as_deref().map(field_of);
        match field.filter(|name| self.values.iter().any(|(known, _)| known == name)) {
            Some(name) => {
                self.wrong(name, problem.detail.clone());
                None
            }
            None => Some(problem.detail.clone()),
        }
    }

    fn wrong(&mut self, name: &'static str, fix: impl Into<String>) {
        self.errors.push((name, fix.into()));
    }

    fn text(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// A number of minor units, or of hundredths of a per cent.
    fn hundredths(&mut self, name: &'static str, like: &str) -> Option<i64> {
        let read = Form::hundredths(self.text(name));
        if read.is_none() {
            self.wrong(name, like);
        }
        read
    }

    fn count(&mut self, name: &'static str) -> Option<u32> {
        let read = self.text(name).parse().ok();
        if read.is_none() {
            self.wrong(name, "a whole number");
        }
        read
    }

    /// An amount that may be left out.
    fn perhaps(&mut self, name: &'static str) -> Option<i64> {
        if self.text(name).is_empty() { None } else { self.hundredths(name, AMOUNT) }
    }

    fn terms(&mut self) -> Map<String, Value> {
        let mut said = Map::new();
        let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
        say("currency", json!(self.text("currency")));
        say("budget", json!(self.hundredths("budget", AMOUNT)));
        say("ends_at", json!(self.ends_at()));
        let hosts = self.text("hosts").split([',', ' ', ';']).filter(|host| !host.is_empty());
        let hosts: Vec<_> = hosts.map(str::to_lowercase).collect();
        if hosts.is_empty() {
            self.wrong("hosts", "at least one, or no link can lead anywhere");
        }
        say("destination_hosts", json!(hosts));
        say("rates", self.rates());
        if let Some(cap) = self.perhaps("creator_cap") {
            say("creator_cap", json!(cap));
        }
        if let Some(base) = self.perhaps("base").filter(|base| *base > 0) {
            say("base", json!(base));
            say("base_unlock", json!({ "conversions": self.count("base_after") }));
        }
        for name in ["attribution_window_days", "clearing_days"] {
            say(name, json!(self.count(name)));
        }
        say("payout_minimum", json!(self.hundredths("payout_minimum", AMOUNT)));
        say("on_exhausted", json!(self.text("on_exhausted")));
        said
    }

    fn rates(&mut self) -> Value {
        let event = self.text("event").to_owned();
        if event.is_empty() {
            self.wrong("event", "one word, such as sale");
        }
        let is_share = self.text("pays") == "share";
        let like = if is_share { "per cent, such as 10 or 12.5" } else { AMOUNT };
        let value = self.hundredths("rate", like);
        let how = if is_share { "bps" } else { "flat" };
        json!({ event: { how: [[0, value]] } })
    }

    /// The end of the last day.
    fn ends_at(&mut self) -> Option<i64> {
        let day = day_of_date(self.text("ends_on"));
        let is_ahead = day.is_some_and(|day| day >= day_of(self.now));
        if !is_ahead {
            self.wrong("ends_on", "a day to come, as in 2027-01-31");
        }
        day.map(|day| (day + 1) * DAY_MS)
    }

    /// The fields that everybody fills in, and the others.
    pub(super) fn fields(&self) -> (Vec<Field>, Vec<Field>) {
        let field = |spec: &Spec| Field {
            name: spec.name,
            label: spec.label,
            hint: spec.hint,
            kind: spec.kind,
            value: self.text(spec.name).to_owned(),
            error: self
                .errors
                .iter()
                .find(|(name, _)| *name == spec.name)
                .map(|(_, fix)| fix.clone()),
            meaning: self.terms.as_ref().and_then(|(_, terms)| meaning::of(spec.name, terms)),
        };
        (USUAL.iter().map(field).collect(), MORE.iter().map(field).collect())
    }

    /// What it comes to; nothing where something is wrong.
    pub(super) fn sums(&self) -> Vec<String> {
        self.terms.as_ref().map_or_else(Vec::new, |(_, terms)| meaning::sums(terms))
    }
}

const AMOUNT: &str = "an amount like 1234 or 1234.50";

/// The field of the form in which a field of the terms is filled in.
fn field_of(field: &str) -> &'static str {
    let first = field.split(['.', '[']).find(|part| !part.is_empty() && *part != "terms");
    match first.unwrap_or_default() {
        "ends_at" => "ends_on",
        "destination_hosts" => "hosts",
        "rates" => "rate",
        "base_unlock" => "base_after",
        other => {
            let mut all = USUAL.iter().chain(MORE).map(|spec| spec.name);
            all.find(|name| *name == other).unwrap_or("")
        }
    }
}

#[cfg(test)]
mod tests {
    use sponsorhub_core::money::{Currency, Minor};

    use super::*;
    use crate::words;

    const NOW: i64 = 20_000 * DAY_MS;

    fn draft(query: &str) -> Draft {
        Draft::read(&Form::read(query.as_bytes()), Fees::default(), NOW)
    }

    const GOOD: &str = "ends_on=2024-11-30&hosts=shop.example";

    #[test]
    fn a_form_says_the_terms_that_it_shows() {
        let said = draft(&format!("{GOOD}&rate=12.5&budget=1,500&base=20&creator_cap=300")).said();
        let wanted = json!({
            "currency": "USD", "budget": 150_000, "ends_at": 20_058_i64 * DAY_MS,
            "destination_hosts": ["shop.example"], "rates": { "sale": { "bps": [[0, 1_250]] } },
            "creator_cap": 30_000, "base": 2_000, "base_unlock": { "conversions": 1 },
            "attribution_window_days": 30, "clearing_days": 30, "payout_minimum": 1_000,
            "on_exhausted": "pause",
        });
        assert_eq!(said, Some(wanted));
        let flat = draft(&format!("{GOOD}&pays=flat&rate=2.5")).said().expect("terms");
        assert_eq!(flat["rates"], json!({ "sale": { "flat": [[0, 250]] } }));
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (query, field) in [
            ("budget=much", "budget"),
            ("budget=0", "budget"),
            ("ends_on=2020-01-01", "ends_on"),
            ("ends_on=tomorrow", "ends_on"),
            ("hosts=", "hosts"),
            ("rate=101", "rate"),
            ("rate=-1", "rate"),
            ("event=", "event"),
            ("clearing_days=367", "clearing_days"),
            ("clearing_days=a", "clearing_days"),
            ("currency=JPY", "currency"),
            ("base=5&base_after=x", "base_after"),
            ("on_exhausted=burn", "on_exhausted"),
        ] {
            let draft = draft(&format!("{GOOD}&{query}"));
            assert_eq!(draft.said(), None, "{query}");
            let (usual, more) = draft.fields();
            let wrong: Vec<_> = usual
                .iter()
                .chain(&more)
                .filter(|one| one.error.is_some())
                .map(|one| one.name)
                .collect();
            assert_eq!(wrong, [field], "{query}");
        }
        // Before anybody wrote something nothing is wrong.
        assert!(draft("").patient().errors.is_empty());
    }

    #[test]
    fn every_currency_can_be_chosen() {
        let offered: Vec<_> = CURRENCIES.choices().iter().map(|(code, _)| *code).collect();
        assert_eq!(offered, Currency::ALL.map(Currency::code));
        assert!(words::money(Minor(1), Currency::Eur).ends_with("EUR"));
    }
}
