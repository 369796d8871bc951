//! The terms that somebody wants to try on past orders. What is no term here has its default, and the
//! currency is that of the orders.

use serde_json::{Map, Value, json};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::{Orders, Shape, Units};
use sponsorhub_app::reading;
use sponsorhub_app::what_if::ends_at;
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::Currency;

use super::super::super::form::{Form, quoted};
use super::super::field::{
    AMOUNT, CREATOR_CAP, EXHAUSTED, Field, Filled, Kind, MIN_ORDER, Spec, spec,
};
use super::super::new::meaning;

/// The most creators, so that their table stays a page.
const CREATORS_MAX: u32 = 100;

const FIELDS: &[Spec] = &[
    spec(
        ("budget", "Budget"),
        (Kind::Number, "5000"),
        "In the currency of the orders. The most that creators and fees can take.",
    ),
    spec(
        ("rate", "Share of each sale"),
        (Kind::Number, "10"),
        "Per cent, for the creator; the platform's fee comes on top of it.",
    ),
    CREATOR_CAP,
    MIN_ORDER,
    spec(
        ("on_exhausted", "When the budget is used up"),
        (EXHAUSTED, "record"),
        "Either way nobody gets more than the budget.",
    ),
    spec(
        ("creators", "Creators"),
        (Kind::Number, "12"),
        "1 to 100. Your customers are dealt out among them evenly.",
    ),
    spec(
        ("reverse_every", "One order given back of every"),
        (Kind::Number, ""),
        "With 20, every 20th order is given back a week later. Empty: none is.",
    ),
    spec(
        ("amounts", "Amounts are in"),
        (Kind::Choice(UNITS), "cents"),
        "Of a file whose amounts are all whole numbers. One with amounts like 50.00 says it itself.",
    ),
];

/// What the amounts of a file of whole numbers count.
const UNITS: &[(&str, &str)] = &[("cents", "Cents"), ("whole", "Whole units")];

/// The form, read.
#[derive(Debug)]
pub(super) struct Wish {
    filled: Filled,
    plan: Option<Plan>,
}

/// What is to be computed, where nothing is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    said: Map<String, Value>,
    fees: Fees,
    pub(super) shape: Shape,
    pub(super) units: Units,
}

impl Wish {
    pub(super) fn read(form: &Form, fees: Fees) -> Self {
        let mut wish = Self { filled: Filled::read(form, FIELDS.iter()), plan: None };
        let (said, shape, units) = (wish.said(), wish.shape(), wish.units());
        if wish.filled.is_fine() {
            let plan = Plan { said, fees, shape, units };
            // Whatever the orders are, in their currency and time.
            match plan.checked(Currency::Usd, 0) {
                Ok(_) => wish.plan = Some(plan),
                Err((field, fix)) => wish.filled.wrong(field, fix),
            }
        }
        wish
    }

    fn said(&mut self) -> Map<String, Value> {
        let filled = &mut self.filled;
        let mut said = Map::new();
        let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
        say("budget", json!(filled.hundredths("budget", AMOUNT)));
        let rate = filled.hundredths("rate", "per cent, such as 10 or 12.5");
        say("rates", json!({ "sale": { "bps": [[0, rate]] } }));
        for name in ["creator_cap", "min_order"] {
            if let Some(amount) = filled.perhaps(name) {
                say(name, json!(amount));
            }
        }
        say("on_exhausted", json!(filled.text("on_exhausted")));
        said
    }

    fn shape(&mut self) -> Shape {
        let filled = &mut self.filled;
        let creators = filled.text("creators").parse().unwrap_or(0);
        if !(1..=CREATORS_MAX).contains(&creators) {
            filled.wrong("creators", "a whole number, 1 to 100");
        }
        let every = filled.text("reverse_every");
        let reverse_every = every.parse::<u32>().ok().filter(|every| *every > 0);
        if reverse_every.is_none() && !every.is_empty() {
            filled.wrong("reverse_every", "a whole number from 1 on, or nothing");
        }
        Shape { creators: creators.into(), reverse_every: reverse_every.map(u64::from) }
    }

    fn units(&mut self) -> Units {
        match self.filled.text("amounts") {
            "cents" => Units::Minor,
            "whole" => Units::Whole,
            _ => {
                self.filled.wrong("amounts", "cents or whole units");
                Units::Minor
            }
        }
    }

    /// What is to be computed; none where something is wrong.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.plan.clone()
    }

    /// The fields as they are shown, and what they mean where the terms are known.
    pub(super) fn fields(&self, terms: Option<&Terms>) -> Vec<Field> {
        let meaning = |spec: &Spec| terms.and_then(|terms| meaning::of(spec.name, terms));
        FIELDS.iter().map(|spec| self.filled.field(spec, meaning(spec))).collect()
    }

    /// Where a campaign of these terms is opened.
    pub(super) fn opening(&self, currency: Currency) -> String {
        let names = ["budget", "rate", "creator_cap", "min_order", "on_exhausted"];
        let field = |name| format!("&{name}={}", quoted(self.filled.text(name)));
        let rest: String = names.into_iter().map(field).collect();
        format!("/brand/new?event=sale&pays=share&currency={}{rest}", currency.code())
    }
}

impl Plan {
    fn checked(&self, currency: Currency, ends_at: i64) -> Result<Terms, (&'static str, String)> {
        let mut said = self.said.clone();
        said.insert("currency".to_owned(), json!(currency.code()));
        said.insert("ends_at".to_owned(), json!(ends_at));
        let terms = reading::terms(&said, self.fees);
        let terms = terms.map_err(|wrong| (field_of(&wrong.field), wrong.detail))?;
        let checked = terms.check().map_err(|error| (field_of(error.field), error.fix.to_owned()));
        checked.map(|()| terms)
    }

    /// The terms for these orders.
    pub(super) fn terms(&self, orders: &Orders) -> Result<Terms, (&'static str, String)> {
        self.checked(orders.currency, ends_at(orders))
    }
}

/// The field of the form in which a field of the terms is filled in.
fn field_of(field: &str) -> &'static str {
    let first = field.split(['.', '[']).next().unwrap_or_default();
    let known = FIELDS.iter().map(|spec| spec.name).find(|name| *name == first);
    known.unwrap_or(if first == "rates" { "rate" } else { "budget" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(query: &str) -> Wish {
        Wish::read(&Form::read(query.as_bytes()), Fees::default())
    }

    #[test]
    fn what_is_filled_in_is_the_terms_and_leads_to_a_campaign_of_them() {
        let query = "budget=1500&rate=12.5&creator_cap=300&creators=7&reverse_every=20\
                     &min_order=5&amounts=whole";
        let wish = wish(query);
        let plan = wish.plan().expect("nothing is wrong");
        assert_eq!(plan.shape, Shape { creators: 7, reverse_every: Some(20) });
        assert_eq!(plan.units, Units::Whole);
        let wanted = json!({
            "budget": 150_000, "rates": { "sale": { "bps": [[0, 1_250]] } },
            "creator_cap": 30_000, "min_order": 500, "on_exhausted": "record",
        });
        assert_eq!(json!(plan.said), wanted);
        let to = "/brand/new?event=sale&pays=share&currency=EUR&budget=1500&rate=12.5\
                  &creator_cap=300&min_order=5&on_exhausted=record";
        assert_eq!(wish.opening(Currency::Eur), to);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (query, field) in [
            ("budget=much", "budget"),
            ("budget=0", "budget"),
            ("budget=", "budget"),
            ("rate=101", "rate"),
            ("rate=", "rate"),
            ("creator_cap=-1", "creator_cap"),
            ("creators=0", "creators"),
            ("creators=101", "creators"),
            ("reverse_every=0", "reverse_every"),
            ("reverse_every=x", "reverse_every"),
            ("min_order=1.234", "min_order"),
            ("on_exhausted=burn", "on_exhausted"),
            ("amounts=dozens", "amounts"),
        ] {
            let wish = wish(query);
            assert!(wish.plan().is_none(), "{query}");
            let fields = wish.fields(None);
            let wrong = fields.iter().filter(|one| one.error.is_some()).map(|one| one.name);
            assert_eq!(wrong.collect::<Vec<_>>(), [field], "{query}");
        }
        assert!(wish("").plan().is_some(), "what is usual can be computed");
    }
}
