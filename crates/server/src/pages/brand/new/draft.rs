//! What is in the form, read as terms.

use serde_json::{Map, Value, json};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::day_of_date;
use sponsorhub_app::reading;
use sponsorhub_core::campaign::lifecycle::RUN_DAYS_MAX;
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::time::{DAY_MS, day_of};

use super::super::super::form::Form;
use super::super::field::{
    AMOUNT, CREATOR_CAP, EXHAUSTED, Field, Filled, Kind, MIN_ORDER, Spec, spec,
};
use super::meaning;
use crate::problem::Problem;
use crate::words;

const CURRENCIES: Kind =
    Kind::Choice(&[("USD", "US dollar"), ("EUR", "Euro"), ("GBP", "Pound sterling")]);
const PAYS: Kind = Kind::Choice(&[
    ("share", "A share of the order, in per cent"),
    ("flat", "A fixed amount for each"),
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
    CREATOR_CAP,
    MIN_ORDER,
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
    filled: Filled,
    terms: Option<(Map<String, Value>, Terms)>,
    /// What the examples are computed from: also before everything is filled in.
    example: Option<Terms>,
    now: i64,
}

impl Draft {
    /// Reads a form at `now`, milliseconds. Fields that it does not have say what is usual.
    pub(super) fn read(form: &Form, fees: Fees, now: i64) -> Self {
        let filled = Filled::read(form, USUAL.iter().chain(MORE));
        let mut draft = Self { filled, terms: None, example: None, now };
        let said = draft.terms();
        draft.example = draft.example(said.clone(), fees);
        if draft.filled.is_fine() {
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

    /// The terms, for examples: neither the last day nor where links lead changes what an order pays.
    fn example(&self, mut said: Map<String, Value>, fees: Fees) -> Option<Terms> {
        if !self.filled.is_fine() {
            said.insert("ends_at".to_owned(), json!((day_of(self.now) + 31) * DAY_MS));
            said.insert("destination_hosts".to_owned(), json!(["shop.example"]));
        }
        reading::terms(&said, fees).ok().filter(|terms| terms.check().is_ok())
    }

    /// Says nothing of fields that nobody has filled in yet.
    pub(super) fn patient(mut self) -> Self {
        self.filled.be_patient();
        self
    }

    /// The terms as they are said to the API; none where something is wrong.
    pub(super) fn said(&self) -> Option<Value> {
        self.terms.as_ref().map(|(said, _)| json!(said))
    }

    /// Notes what the API said at the field that it is about; what is about none comes back.
    pub(super) fn blame(&mut self, problem: &Problem) -> Option<String> {
        let field = problem.field.as_deref().map(field_of);
        match field.filter(|name| !name.is_empty()) {
            Some(name) => {
                self.wrong(name, problem.detail.clone());
                None
            }
            None => Some(problem.detail.clone()),
        }
    }

    fn wrong(&mut self, name: &'static str, fix: impl Into<String>) {
        self.filled.wrong(name, fix);
    }

    fn text(&self, name: &str) -> &str {
        self.filled.text(name)
    }

    fn terms(&mut self) -> Map<String, Value> {
        let mut said = Map::new();
        let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
        say("currency", json!(self.text("currency")));
        say("budget", json!(self.filled.hundredths("budget", AMOUNT)));
        say("ends_at", json!(self.ends_at()));
        let hosts = self.text("hosts").split([',', ' ', ';']).filter(|host| !host.is_empty());
        let hosts: Vec<_> = hosts.map(str::to_lowercase).collect();
        if hosts.is_empty() {
            self.wrong("hosts", "at least one, or no link can lead anywhere");
        }
        say("destination_hosts", json!(hosts));
        say("rates", self.rates());
        for name in ["creator_cap", "min_order"] {
            if let Some(amount) = self.filled.perhaps(name) {
                say(name, json!(amount));
            }
        }
        if let Some(base) = self.filled.perhaps("base").filter(|base| *base > 0) {
            say("base", json!(base));
            say("base_unlock", json!({ "conversions": self.filled.count("base_after") }));
        }
        for name in ["attribution_window_days", "clearing_days"] {
            say(name, json!(self.filled.count(name)));
        }
        say("payout_minimum", json!(self.filled.hundredths("payout_minimum", AMOUNT)));
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
        let value = self.filled.hundredths("rate", like);
        let how = if is_share { "bps" } else { "flat" };
        json!({ event: { how: [[0, value]] } })
    }

    /// The end of the last day.
    fn ends_at(&mut self) -> Option<i64> {
        let day = day_of_date(self.text("ends_on"));
        let today = day_of(self.now);
        let last = today.saturating_add(i64::from(RUN_DAYS_MAX) - 1);
        if day.is_none_or(|day| day < today) {
            self.wrong("ends_on", "a day to come, as in 2027-01-31");
        } else if day.is_none_or(|day| day > last) {
            self.wrong("ends_on", format!("within 24 months, so not after {}", words::date(last)));
        }
        day.map(|day| (day + 1) * DAY_MS)
    }

    /// The fields that everybody fills in, and the others.
    pub(super) fn fields(&self) -> (Vec<Field>, Vec<Field>) {
        let terms = self.example.as_ref();
        let field = |spec: &Spec| {
            self.filled.field(spec, terms.and_then(|terms| meaning::of(spec.name, terms)))
        };
        (USUAL.iter().map(field).collect(), MORE.iter().map(field).collect())
    }

    /// What it comes to; nothing where that cannot be said yet.
    pub(super) fn sums(&self) -> Vec<String> {
        self.example.as_ref().map_or_else(Vec::new, meaning::sums)
    }
}

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

    const NOW: i64 = 20_000 * DAY_MS;

    fn draft(query: &str) -> Draft {
        Draft::read(&Form::read(query.as_bytes()), Fees::default(), NOW)
    }

    const GOOD: &str = "ends_on=2024-11-30&hosts=shop.example";

    #[test]
    fn a_form_says_the_terms_that_it_shows() {
        let said =
            draft(&format!("{GOOD}&rate=12.5&budget=1.500,00&base=20&creator_cap=300&min_order=5"))
                .said();
        let wanted = json!({
            "currency": "USD", "budget": 150_000, "ends_at": 20_058_i64 * DAY_MS,
            "destination_hosts": ["shop.example"], "rates": { "sale": { "bps": [[0, 1_250]] } },
            "creator_cap": 30_000, "min_order": 500, "base": 2_000, "base_unlock": { "conversions": 1 },
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
            ("ends_on=2026-10-05", "ends_on"),
            ("ends_on=2999-01-01", "ends_on"),
            ("hosts=", "hosts"),
            ("rate=101", "rate"),
            ("rate=-1", "rate"),
            ("event=", "event"),
            ("min_order=few", "min_order"),
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
        // Before anybody wrote something nothing is wrong, and the examples are there.
        let fresh = draft("").patient();
        assert!(fresh.filled.is_fine() && fresh.said().is_none());
        let (usual, _) = fresh.fields();
        let rate = usual.iter().find(|field| field.name == "rate").expect("a field");
        assert!(rate.meaning.as_deref().is_some_and(|text| text.contains("pays the creator 5.00")));
        assert!(!fresh.sums().is_empty());
        assert!(draft("rate=x").sums().is_empty());
    }

    #[test]
    fn every_currency_can_be_chosen() {
        let offered: Vec<_> = CURRENCIES.choices().iter().map(|(code, _)| *code).collect();
        assert_eq!(offered, Currency::ALL.map(Currency::code));
        assert!(words::money(Minor(1), Currency::Eur).ends_with("EUR"));
    }
}
