//! What an entry says, line by line, in amounts, times and words.

use serde_json::Value;
use sponsorhub_core::money::{Currency, Minor};

use super::super::show::{self, Moment, Money};

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Text(String),
    Amount(Money),
    At(Moment),
}

/// What only programs compare, or what is shown beside it.
const HIDDEN: [&str; 7] =
    ["key", "fingerprint", "terms", "terms_hash", "free_before", "free_after", "cursor"];

/// Amounts in minor units, by the name of their field in any entry.
const AMOUNTS: [&str; 14] = [
    "amount",
    "base",
    "budget_part",
    "clawback",
    "creator_cap",
    "dispute_fee",
    "fee",
    "funds",
    "funds_after",
    "funds_before",
    "held",
    "payable",
    "platform_fees",
    "unmet",
];

/// Times in milliseconds.
const TIMES: [&str; 5] = ["available_on", "click_at", "deadline", "effective_at", "occurred_at"];

/// What fields are called where their name alone does not say it.
const NAMES: [(&str, &str); 9] = [
    ("clawback", "paid off of what was clawed back"),
    ("funds", "campaign funds"),
    ("funds_after", "free funds afterwards"),
    ("funds_before", "free funds before"),
    ("held", "held back"),
    ("payable", "earned by the creator"),
    ("platform_fees", "platform's fee"),
    ("unmet", "waits for funds"),
    ("upto", "entries counted up to"),
];

fn name(field: &str) -> String {
    let known = NAMES.iter().find(|(name, _)| *name == field);
    known.map_or_else(|| field.replace('_', " "), |(_, text)| (*text).to_owned())
}

fn fact(field: &str, value: &Value, currency: Currency) -> Option<Fact> {
    let number = value.as_i64();
    match (value, number) {
        (_, Some(number)) if AMOUNTS.contains(&field) => {
            Some(Fact::Amount(Money(Minor(number), currency)))
        }
        (_, Some(number)) if TIMES.contains(&field) => Some(Fact::At(Moment(number))),
        (_, Some(number)) if field == "day" => Some(Fact::Text(show::day(number))),
        (Value::String(text), _) => Some(Fact::Text(text.clone())),
        (Value::Number(number), _) => Some(Fact::Text(number.to_string())),
        (Value::Bool(flag), _) => Some(Fact::Text(if *flag { "yes" } else { "no" }.to_owned())),
        (Value::Null | Value::Array(_) | Value::Object(_), _) => None,
    }
}

/// The lines of an entry's body: names and values. What lies inside of it as a whole is told line by line, too;
/// nothing of nothing is not.
pub(super) fn facts(body: &Value, currency: Currency) -> Vec<(String, Fact)> {
    let mut all = Vec::new();
    for (field, value) in body.as_object().into_iter().flatten() {
        if HIDDEN.contains(&field.as_str()) {
            continue;
        }
        match value {
            Value::Object(_) if matches!(field.as_str(), "accrual" | "taken") => {
                let inner = facts(value, currency).into_iter();
                let is_zero =
                    |fact: &Fact| matches!(fact, Fact::Amount(money) if money.0.is_zero());
                all.extend(inner.filter(|(_, fact)| !is_zero(fact)));
            }
            Value::Object(risk) if field == "risk" => {
                let points = risk.get("points").and_then(Value::as_i64).unwrap_or_default();
                all.push(("risk".to_owned(), Fact::Text(format!("{points} points"))));
            }
            _ => all.extend(fact(field, value, currency).map(|fact| (name(field), fact))),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> Value {
        let path = format!("{}/../core/golden/v1/{name}", env!("CARGO_MANIFEST_DIR"));
        let file: Value =
            serde_json::from_slice(&std::fs::read(path).expect(name)).expect("a golden entry");
        let bytes = file["bytes"].as_str().expect("text");
        serde_json::from_str::<Value>(bytes).expect("an entry")["body"].take()
    }

    #[test]
    fn amounts_and_times_of_entries_are_written_for_people() {
        let money = |minor| Fact::Amount(Money(Minor(minor), Currency::Usd));
        let facts_of = |name: &str| facts(&golden(name), Currency::Usd);
        let accrued = facts_of("21_rollup.accrued.json");
        let wanted = [
            ("campaign funds".to_owned(), money(-13_125)),
            ("held back".to_owned(), money(8_400)),
            ("earned by the creator".to_owned(), money(4_500)),
            ("platform's fee".to_owned(), money(225)),
            ("entries counted up to".to_owned(), Fact::Text("28".to_owned())),
        ];
        assert_eq!(accrued, wanted);
        let planned = facts_of("28_payout.planned.json");
        assert_eq!(planned[0], ("amount".to_owned(), money(32_990)));
        assert_eq!(planned[1], ("day".to_owned(), Fact::Text(show::day(20_033))));
        let accepted = facts_of("14_conversion.accepted.json");
        assert!(accepted.contains(&("click at".to_owned(), Fact::At(Moment(1_728_082_800_000)))));
        assert!(accepted.contains(&("risk".to_owned(), Fact::Text("15 points".to_owned()))));
    }

    /// A new field of an entry that is an amount or a time must be named above.
    #[test]
    fn no_amount_or_time_of_any_entry_is_shown_as_a_bare_number() {
        let folder = format!("{}/../core/golden/v1", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for file in std::fs::read_dir(folder).expect("golden entries") {
            let name = file.expect("a file").file_name().into_string().expect("text");
            // Those of entries begin with the number of their kind.
            if !name.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            count += 1;
            for (field, fact) in facts(&golden(&name), Currency::Usd) {
                let Fact::Text(text) = fact else { continue };
                let number = text.parse::<i64>().unwrap_or_default();
                assert!(number.abs() < 1_000, "{name}: {field} is {number}");
            }
        }
        assert!(count > 30, "{count}");
    }
}
