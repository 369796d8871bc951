//! What a shop may report, and what the windows say to it: each refusal has its code and field.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sponsorhub_core::campaign::terms::{Rate, Terms};
use sponsorhub_core::conversion::Membership;
use sponsorhub_core::ids::{BrandId, CampaignId};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::verification::decision::{BELOW_MIN_ORDER, ENROLLMENT_ENDED};
use sponsorhub_core::verification::{
    Credit, Decision, Facts, Refused, Request, Source, Wanted, decide,
};

const DAY: i64 = 86_400_000;
const NOW: i64 = 20_000 * DAY;

const GOOD: &str = r#"{"source":"shop","external_id":"A-1","type":"sale",
    "occurred_at":"2024-10-04T00:00:00Z","amount":5000,"currency":"USD","click":"tok"}"#;

fn parsed(body: &str) -> Result<Request, (&'static str, String)> {
    Request::parse(body.as_bytes()).map_err(|refused| (refused.code, refused.field.into_owned()))
}

/// The good body with one field replaced by this text, or removed.
fn with(field: &str, value: Option<&str>) -> String {
    let body: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(GOOD).expect("an object");
    let mut fields: BTreeMap<String, String> =
        body.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect();
    match value {
        Some(value) => fields.insert(field.to_owned(), value.to_owned()),
        None => fields.remove(field),
    };
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

#[test]
fn a_report_is_read_as_it_was_meant() {
    let request = parsed(GOOD).expect("good");
    assert_eq!((&*request.source, &*request.external_id), ("shop", "A-1"));
    assert_eq!(request.occurred_at, NOW, "2024-10-04 is day 20,000");
    assert!(!request.dry_run);
    let Wanted::Conversion { amount, currency, click, code, event_type } = request.wanted else {
        panic!("a conversion")
    };
    assert_eq!((amount, currency, &*event_type), (Minor(5_000), Currency::Usd, "sale"));
    assert_eq!((click.as_deref(), code), (Some("tok"), None));
    let zoned = parsed(&with("occurred_at", Some(r#""2024-10-04T02:00:00.250+02:00""#)));
    assert_eq!(zoned.expect("a zone").occurred_at, NOW + 250);
    let escaped = parsed(&with("external_id", Some(r#""A\u002d1""#))).expect("the same text");
    assert_eq!(escaped.external_id, "A-1");
    assert!(parsed(&with("dry_run", Some("true"))).expect("a flag").dry_run);
}

#[test]
fn a_reversal_names_its_order() {
    let body = r#"{"source":"shop","external_id":"R-1","type":"reversal","reverses":"A-1",
        "occurred_at":"2024-10-04T00:00:00Z","amount":100,"currency":"USD"}"#;
    let request = parsed(body).expect("good");
    assert_eq!(request.event_type(), "reversal");
    let Wanted::Reversal { reverses, amount, reverses_type, campaign, .. } = request.wanted else {
        panic!("a reversal")
    };
    assert_eq!(
        (&*reverses, amount, reverses_type, campaign),
        ("A-1", Some(Minor(100)), None, None)
    );
    let whole = body.replace(r#""amount":100,"currency":"USD""#, r#""dry_run":false"#);
    let Wanted::Reversal { amount: None, .. } = parsed(&whole).expect("whole").wanted else {
        panic!("all that is left")
    };
    let bare = body.replace(r#","currency":"USD""#, "");
    assert_eq!(parsed(&bare), Err(("field_missing", "currency".into())));
    let click = body.replace("\"reverses\"", "\"click\":\"x\",\"reverses\"");
    assert_eq!(parsed(&click), Err(("field_unexpected", "click".into())));
}

#[test]
fn what_cannot_be_taken_is_named_with_its_field() {
    let cases: &[(&str, Option<&str>, &str)] = &[
        ("source", None, "field_missing"),
        ("source", Some("null"), "field_missing"),
        ("source", Some("7"), "field_type"),
        ("source", Some("\"\""), "field_invalid"),
        ("source", Some("\" shop\""), "field_invalid"),
        ("external_id", Some("\"caf\u{e9}\""), "field_invalid"),
        ("external_id", Some("\"a\\nb\""), "field_invalid"),
        ("external_id", Some("{\"a\":[[[1]]]}"), "field_type"),
        ("type", Some("\"Sale\""), "field_invalid"),
        ("type", None, "field_missing"),
        ("occurred_at", Some("\"2024-10-04\""), "field_invalid"),
        ("occurred_at", Some("\"2024-10-04T00:00:00\""), "field_invalid"),
        ("occurred_at", Some("1728000000000"), "field_type"),
        ("amount", None, "field_missing"),
        ("amount", Some("12.5"), "amount_not_integer"),
        ("amount", Some("1e3"), "amount_not_integer"),
        ("amount", Some("\"5000\""), "amount_not_integer"),
        ("amount", Some("-1"), "amount_negative"),
        ("amount", Some("-0"), "amount_negative"),
        ("amount", Some("100000000001"), "amount_too_large"),
        ("amount", Some("99999999999999999999999999"), "amount_too_large"),
        ("currency", None, "field_missing"),
        ("currency", Some("\"usd\""), "currency_unknown"),
        ("currency", Some("\"JPY\""), "currency_unknown"),
        ("click", Some("\"\""), "field_invalid"),
        ("dry_run", Some("\"true\""), "field_type"),
        ("reverses", Some("\"A\""), "field_unexpected"),
        ("campaign", Some("\"cmp_x\""), "field_unexpected"),
        ("extrenal_id", Some("\"A\""), "field_unknown"),
    ];
    for (field, value, code) in cases {
        let body = with(field, *value);
        assert_eq!(parsed(&body), Err((*code, (*field).to_owned())), "{body}");
    }
    assert_eq!(parsed(&with("click", None)), Err(("artifact_missing", "click".into())));
}

#[test]
fn what_is_no_object_or_says_something_twice_is_refused() {
    let twice = GOOD.replace("\"source\"", "\"source\":\"a\",\"source\"");
    assert_eq!(parsed(&twice), Err(("field_twice", "source".into())));
    let deep = format!("{{\"source\":{}1{}}}", "[".repeat(9_000), "]".repeat(9_000));
    for body in ["", "[]", "null", "{", "{} {}", "{\"a\"", "\"x\"", "{'a':1}", &GOOD[1..]] {
        let refused = parsed(body).expect_err(body);
        assert!(matches!(refused.0, "json_malformed" | "field_unknown"), "{body}: {refused:?}");
    }
    assert_eq!(parsed(&deep), Err(("field_missing", "type".into())), "depth is never followed");
    let bytes = Request::parse(b"{\"source\":\"\xff\"}").expect_err("not UTF-8");
    assert_eq!(bytes.code, "json_malformed");
}

#[test]
fn what_is_wrong_is_said_without_repeating_what_was_sent() {
    for body in ["\"jane@example.com\"", "[\"jane@example.com\"]", "\"jane@example.com"] {
        let Refused { code, fix, .. } = Request::parse(body.as_bytes()).expect_err(body);
        assert_eq!(code, "json_malformed");
        assert!(!fix.contains("jane"), "{fix}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        // A refusal or a request, whatever it is made of.
        drop(Request::parse(&bytes));
    }

    #[test]
    fn a_mutant_of_a_good_report_is_answered(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut body = GOOD.as_bytes().to_vec();
        body[at] = byte;
        drop(Request::parse(&body));
    }
}

fn facts() -> Facts {
    let mut terms = Terms::with_defaults(Currency::Usd, Minor(100_000), NOW + 300 * DAY);
    terms.rates = BTreeMap::from([("sale".to_owned(), Rate::Bps(vec![(0, 1_000)]))]);
    terms.min_order = Minor(100);
    Facts::of(CampaignId([1; 16]), BrandId([2; 16]), &terms)
}

fn decided(
    source: Source,
    ended_at: Option<i64>,
    sale: (&str, i64, Currency),
    occurred_at: i64,
) -> Result<Decision, &'static str> {
    let membership = Membership { started_at: NOW - 200 * DAY, ended_at };
    let sale = (sale.0, Minor(sale.1), sale.2);
    let decision = decide(&facts(), Credit { source, membership }, sale, occurred_at, NOW);
    decision.map_err(|Refused { code, .. }| code)
}

const SALE: (&str, i64, Currency) = ("sale", 5_000, Currency::Usd);
const MINUTE: i64 = 60_000;

#[test]
fn every_window_ends_exactly_where_the_terms_say() {
    let at =
        |click, occurred| decided(Source::Click(click), None, SALE, occurred).map(|d| d.click_at);
    assert_eq!(at(NOW - DAY, NOW), Ok(NOW - DAY));
    assert_eq!(at(NOW, NOW + 5 * MINUTE), Ok(NOW));
    assert_eq!(at(NOW, NOW + 5 * MINUTE + 1), Err("occurred_in_future"));
    assert_eq!(at(NOW - 8 * DAY, NOW - 7 * DAY), Ok(NOW - 8 * DAY));
    assert_eq!(at(NOW - 8 * DAY, NOW - 7 * DAY - 1), Err("occurred_too_long_ago"));
    assert_eq!(at(NOW - 30 * DAY, NOW), Ok(NOW - 30 * DAY));
    assert_eq!(at(NOW - 30 * DAY - 1, NOW), Err("click_expired"));
    assert_eq!(at(NOW, NOW - 5 * MINUTE), Ok(NOW));
    assert_eq!(at(NOW, NOW - 5 * MINUTE - 1), Err("occurred_before_click"));
}

#[test]
fn a_promo_code_credits_the_time_of_the_order_within_the_enrollment() {
    let at = |ended, occurred| decided(Source::Code, ended, SALE, occurred).map(|d| d.click_at);
    assert_eq!(at(None, NOW - DAY), Ok(NOW - DAY));
    assert_eq!(at(None, NOW + MINUTE), Ok(NOW), "nothing is credited in the future");
    assert_eq!(at(Some(NOW - DAY), NOW - DAY - 1), Ok(NOW - DAY - 1));
    assert_eq!(at(Some(NOW - DAY), NOW - DAY), Err("code_not_valid"));
}

#[test]
fn a_click_after_the_creator_left_is_rejected_and_one_before_is_not() {
    let after = decided(Source::Click(NOW - DAY), Some(NOW - DAY), SALE, NOW);
    assert_eq!(after.map(|d| d.rejected), Ok(Some(ENROLLMENT_ENDED)));
    let before = decided(Source::Click(NOW - DAY - 1), Some(NOW - DAY), SALE, NOW);
    assert_eq!(before.map(|d| d.rejected), Ok(None));
}

#[test]
fn currency_type_and_smallest_order_follow_the_terms() {
    let click = Source::Click(NOW - DAY);
    let with = |sale| decided(click, None, sale, NOW).map(|decision| decision.rejected);
    assert_eq!(with(("sale", 100, Currency::Usd)), Ok(None));
    assert_eq!(with(("sale", 99, Currency::Usd)), Ok(Some(BELOW_MIN_ORDER)));
    assert_eq!(with(("sale", 100, Currency::Eur)), Err("currency_mismatch"));
    assert_eq!(with(("lead", 100, Currency::Usd)), Err("type_not_paid"));
}
