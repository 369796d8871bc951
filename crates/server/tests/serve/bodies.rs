//! Bodies that are no report: each wrong byte has its answer and changes nothing.

use serde_json::Value;
use sponsorhub_app::api_keys::{self, CONVERSIONS_WRITE, Wanted};
use sponsorhub_app::catalog::Keys;

use crate::client::Client;
use crate::fixture::{self, FixtureChance, now, plan};
use crate::{Server, World, order, time, with};

/// A report as text, with the text of one field's value replaced.
fn raw(good: &Value, field: &str, value: &str) -> String {
    with(good.clone(), field, "VALUE".into()).to_string().replace("\"VALUE\"", value)
}

fn wrong_values(good: &Value) -> Vec<(String, &'static str, &'static str)> {
    let long = format!("\"{}\"", "x".repeat(256));
    let token = format!("\"{}\"", "x".repeat(201));
    let cases = [
        ("external_id", "\"\"", "field_invalid"),
        ("external_id", "\" id\"", "field_invalid"),
        ("external_id", "\"id \"", "field_invalid"),
        ("external_id", "\"\\u0000\"", "field_invalid"),
        ("external_id", "\"\u{456}d\"", "field_invalid"),
        ("external_id", long.as_str(), "field_invalid"),
        ("external_id", "\"\\ud800\"", "field_type"),
        ("external_id", "17", "field_type"),
        ("external_id", "[\"id\"]", "field_type"),
        ("external_id", "null", "field_missing"),
        ("source", "{\"id\":1}", "field_type"),
        ("amount", "1e3", "amount_not_integer"),
        ("amount", "5000.0", "amount_not_integer"),
        ("amount", "-0", "amount_negative"),
        ("amount", "true", "amount_not_integer"),
        ("amount", "[5000]", "amount_not_integer"),
        ("amount", "99999999999999999999999999", "amount_too_large"),
        ("amount", "null", "field_missing"),
        ("currency", "\"XAU\"", "currency_unknown"),
        ("currency", "\"USD \"", "currency_unknown"),
        ("currency", "840", "field_type"),
        ("type", "\"Sale\"", "field_invalid"),
        ("type", "\"\"", "field_invalid"),
        ("occurred_at", "1700000000", "field_type"),
        ("occurred_at", "\"2026-11-25\"", "field_invalid"),
        ("occurred_at", "\"2026-11-25T12:00:00\"", "field_invalid"),
        ("occurred_at", "\"2026-13-25T12:00:00Z\"", "field_invalid"),
        ("occurred_at", "\"-999999999999\"", "field_invalid"),
        ("dry_run", "\"yes\"", "field_type"),
        ("dry_run", "1", "field_type"),
        ("code", token.as_str(), "field_invalid"),
        ("click", "7", "field_type"),
        ("reverses", "\"x\"", "field_unexpected"),
        ("campaign", "\"x\"", "field_unexpected"),
    ];
    cases.into_iter().map(|(field, value, code)| (raw(good, field, value), code, field)).collect()
}

fn wrong_reversals() -> Vec<(String, &'static str, &'static str)> {
    let good = serde_json::json!({
        "source": "shop", "external_id": "r", "type": "reversal", "reverses": "victim",
        "occurred_at": time(0),
    });
    let cases = [
        ("reverses", "null", "field_missing", "reverses"),
        ("reverses", "\"\"", "field_invalid", "reverses"),
        ("reverses_type", "\"A\"", "field_invalid", "reverses_type"),
        ("campaign", "\"cmp_1\"", "field_invalid", "campaign"),
        ("click", "\"x\"", "field_unexpected", "click"),
        ("amount", "1", "field_missing", "currency"),
        ("amount", "-1", "amount_negative", "amount"),
    ];
    let case = |(field, value, code, about)| (raw(&good, field, value), code, about);
    cases.into_iter().map(case).collect()
}

#[test]
fn inv_5_each_wrong_value_names_its_field_and_uses_no_key_up() {
    let world = World::new();
    let good = order(&world.made.codes[0], "victim");
    let before = world.entries();
    let mut client = world.client();
    for (body, code, field) in wrong_values(&good).into_iter().chain(wrong_reversals()) {
        let answer = client.send("POST", "/v", &[], body.as_bytes()).expect("answered");
        let told = answer.json();
        let got = (answer.status, told["code"].as_str(), told["field"].as_str());
        assert_eq!(got, (400, Some(code), Some(field)), "{body}: {told}");
    }
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    assert_eq!(client.report(&good).json()["duplicate"], false, "its key was free");
}

#[test]
fn inv_5_what_is_not_one_json_object_is_refused_whole() {
    let world = World::new();
    let good = order(&world.made.codes[0], "victim");
    let before = world.entries();
    let text = good.to_string();
    let doubled = text.replacen('{', "{\"amount\":1,", 1);
    // Hides the second one from whoever compares bytes.
    let hidden = text.replacen('{', "{\"am\\u006funt\":1,", 1);
    let deep = raw(&good, "source", &format!("{}1{}", "[".repeat(7_000), "]".repeat(7_000)));
    let cases = [
        (String::new(), "json_malformed"),
        ("null".to_owned(), "json_malformed"),
        ("{}".to_owned(), "field_missing"),
        (format!("\u{feff}{text}"), "json_malformed"),
        (format!("{text}{text}"), "json_malformed"),
        (format!("{text},"), "json_malformed"),
        (format!("[{text}]"), "json_malformed"),
        (text.replace('}', ",}"), "json_malformed"),
        (text.replace('"', "'"), "json_malformed"),
        (text[..text.len() - 1].to_owned(), "json_malformed"),
        (text.replace("5000", "NaN"), "json_malformed"),
        (text.replace("5000", "05000"), "json_malformed"),
        (text.replace("shop", "sh\u{1}op"), "json_malformed"),
        ("[".repeat(16_000), "json_malformed"),
        (deep, "field_type"),
        (doubled, "field_twice"),
        (hidden, "field_twice"),
    ];
    let mut client = world.client();
    for (body, code) in cases {
        let answer = client.send("POST", "/v", &[], body.as_bytes()).expect("answered");
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body:.200}");
    }
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    // The limit itself is allowed, and one byte more is not, however it is sent.
    let blank = " ".repeat((16 << 10) - text.len());
    let larger = format!("{text}{blank} ");
    let answer = client.send("POST", "/v", &[], larger.as_bytes()).expect("answered");
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let mut chunked = world.client();
    let head = format!(
        "POST /v HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        world.made.api_key
    );
    let chunk = format!("{:x}\r\n{larger}\r\n0\r\n\r\n", larger.len());
    chunked.raw((head + &chunk).as_bytes()).expect("taken");
    let answer = chunked.answer(false).expect("answered");
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    let whole = format!("{text}{blank}");
    let answer = world.client().send("POST", "/v", &[], whole.as_bytes()).expect("answered");
    assert_eq!(answer.json()["duplicate"], false, "its key was free");
}

#[test]
fn a_key_that_has_expired_or_may_do_nothing_reports_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &plan(1));
    let keyring = fixture::keyring(directory.path(), now());
    let store = fixture::open(directory.path(), &keyring, now());
    let issue = |scopes: &[&str], expires_at| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let wanted = Wanted { brand: made.brand, scopes, needs_signature: false, expires_at };
        // Issued yesterday, when all of them were still to be valid.
        let at = now() - 86_400_000;
        let issued = api_keys::issue(&store, &Keys::new(&keyring), &FixtureChance, wanted, at);
        issued.expect("issued").api_key
    };
    let soon = now() + 3_000;
    let expired = issue(&[CONVERSIONS_WRITE], Some(now() - 1));
    let idle = issue(&[], None);
    let expiring = issue(&[CONVERSIONS_WRITE], Some(soon));
    drop(store);
    let server = Server::start(directory.path(), &[]);
    let body = order(&made.codes[0], "by-key");
    let report = |key: &str| {
        let answer = Client::connect(&server.address).with_key(key).report(&body);
        (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
    };
    assert_eq!(report(&expired), (401, "api_key_unknown".to_owned()));
    assert_eq!(report(&idle), (403, "scope_missing".to_owned()));
    // Known while it is valid, it is not believed for longer because it is in memory.
    let (mut seen_valid, mut at) = (false, now());
    while at < soon + 500 {
        let (status, _) = report(&expiring);
        assert!(status == 200 || now() >= soon, "{status} before it expires");
        assert!(status == 401 || at < soon, "{status} after it has expired");
        seen_valid |= status == 200;
        std::thread::sleep(std::time::Duration::from_millis(50));
        at = now();
    }
    assert!(seen_valid, "it was valid for a while");
}

#[test]
fn the_same_order_told_otherwise_is_a_conflict_and_told_later_is_not() {
    let world = World::new();
    let body = order(&world.made.codes[0], "told");
    let mut client = world.client();
    let first = client.report(&body).json();
    let entries = world.entries();
    for (field, value) in [("amount", 5_001.into()), ("code", world.made.codes[1].clone().into())] {
        let answer = client.report(&with(body.clone(), field, value));
        assert_eq!((answer.status, answer.json()["field"].as_str()), (409, Some("external_id")));
        assert_eq!(answer.code(), "duplicate_with_other_content");
    }
    // A shop that reports again an hour later may well say another time.
    let later = client.report(&with(body.clone(), "occurred_at", time(-9).into())).json();
    assert_eq!((&later["duplicate"], &later["entry"]), (&true.into(), &first["entry"]));
    assert_eq!(world.entries(), entries, "INV-4: one entry");
    // Another type, source or id is another event.
    for (field, value) in [("type", "lead"), ("source", "till"), ("external_id", "other")] {
        let told = client.report(&with(body.clone(), field, value.into())).json();
        assert_eq!(told["duplicate"], false, "{field}: {told}");
    }
}

#[test]
fn a_dry_run_of_an_event_that_is_there_says_what_a_repetition_would_hear() {
    let world = World::new();
    let body = order(&world.made.codes[0], "there");
    let mut client = world.client();
    assert_eq!(client.report(&body).status, 200);
    let entries = world.entries();
    let dry = with(body, "dry_run", true.into());
    let same = client.report(&dry);
    assert_eq!(same.status, 200, "{}", same.text());
    assert_eq!(
        (&same.json()["result"], &same.json()["dry_run"]),
        (&"accepted".into(), &true.into())
    );
    let other = client.report(&with(dry, "amount", 1.into()));
    assert_eq!((other.status, other.code().as_str()), (409, "duplicate_with_other_content"));
    assert_eq!(world.entries(), entries, "it appends nothing");
}
