//! What a shop may get wrong, or a thief try: a precise answer each, and nothing changed.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::Client;
use crate::{World, fixture, order, time, with};

const NULL: Value = Value::Null;

fn by_click(click: &str, id: &str) -> Value {
    with(with(order("x", id), "code", NULL), "click", click.into())
}

fn flipped(token: &str, at: usize) -> String {
    let mut bytes = token.to_owned().into_bytes();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("ASCII")
}

/// A report, and the status, code and field of its refusal.
type Case = (Value, u16, &'static str, &'static str);

fn wrong_fields(good: &Value) -> Vec<Case> {
    vec![
        (with(good.clone(), "source", NULL), 400, "field_missing", "source"),
        (with(good.clone(), "extrenal_id", "x".into()), 400, "field_unknown", "extrenal_id"),
        (with(good.clone(), "amount", json!(12.5)), 400, "amount_not_integer", "amount"),
        (with(good.clone(), "amount", json!(-5)), 400, "amount_negative", "amount"),
        (
            with(good.clone(), "amount", json!(100_000_000_001_i64)),
            400,
            "amount_too_large",
            "amount",
        ),
        (with(good.clone(), "amount", json!("5000")), 400, "amount_not_integer", "amount"),
        (with(good.clone(), "currency", "EUR".into()), 422, "currency_mismatch", "currency"),
        (with(good.clone(), "currency", "usd".into()), 400, "currency_unknown", "currency"),
        (with(good.clone(), "type", "signup".into()), 422, "type_not_paid", "type"),
        (with(good.clone(), "type", json!(7)), 400, "field_type", "type"),
        (with(good.clone(), "code", NULL), 400, "artifact_missing", "click"),
        (
            with(good.clone(), "occurred_at", time(600).into()),
            422,
            "occurred_in_future",
            "occurred_at",
        ),
        (
            with(good.clone(), "occurred_at", time(-8 * 86_400).into()),
            422,
            "occurred_too_long_ago",
            "occurred_at",
        ),
        (
            json!({"source": "shop", "external_id": "r", "type": "reversal", "reverses": "never",
            "occurred_at": time(0)}),
            422,
            "reverses_unknown",
            "reverses",
        ),
        (json!([1]), 400, "json_malformed", "body"),
        (json!("x"), 400, "json_malformed", "body"),
    ]
}

fn wrong_artifacts(world: &World) -> Vec<Case> {
    let (click, code) = (world.click(0), &world.made.codes[0]);
    vec![
        (order("ANNA0-ZZZZZ", "x"), 422, "code_not_valid", "code"),
        (order("NOBODY-12345", "x"), 422, "code_not_valid", "code"),
        (order(&code.replace('A', "\u{410}"), "x"), 422, "code_not_valid", "code"),
        (order("", "x"), 400, "field_invalid", "code"),
        (
            by_click(&format!("{}B", &click[..click.len() - 1]), "x"),
            422,
            "click_malformed",
            "click",
        ),
        (by_click(&flipped(&click, 40), "x"), 422, "click_not_authentic", "click"),
        (by_click(&flipped(&click, 100), "x"), 422, "click_not_authentic", "click"),
        (by_click(&flipped(&click, 0), "x"), 422, "click_other_version", "click"),
        (by_click(&click[..click.len() - 1], "x"), 422, "click_malformed", "click"),
        (by_click(&format!("{click}="), "x"), 422, "click_malformed", "click"),
        (by_click(&format!(" {click}"), "x"), 422, "click_malformed", "click"),
        (by_click(&world.made.links[0], "x"), 422, "click_malformed", "click"),
    ]
}

#[test]
fn inv_5_each_wrong_report_gets_its_code_and_changes_nothing() {
    // The creators were there before the oldest of these orders.
    let at = fixture::now() - 20 * 86_400_000;
    let world = World::of(&fixture::Plan { at, ..fixture::plan(3) });
    let good = order(&world.made.codes[0], "good");
    let cases = [wrong_fields(&good), wrong_artifacts(&world)].concat();
    let before = world.entries();
    let mut client = world.client();
    for (body, status, code, field) in &cases {
        let answer = client.report(body);
        let told = answer.json();
        assert_eq!(
            (answer.status, told["code"].as_str()),
            (*status, Some(*code)),
            "{body}: {told}"
        );
        assert_eq!(told["field"].as_str(), Some(*field), "{body}: {told}");
        assert!(told["detail"].as_str().is_some_and(|fix| fix.len() > 5), "it says what to do");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let deep = format!("{{\"source\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, status, code) in [
        (b"{\"source\":".to_vec(), 400, "json_malformed"),
        (b"\xff\xfe".to_vec(), 400, "json_malformed"),
        (deep.into_bytes(), 400, "field_missing"),
        (vec![b'x'; 20_000], 413, "body_too_large"),
    ] {
        let mut client = world.client();
        let answer = client.send("POST", "/v", &[], &body).expect("answered");
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    assert_eq!(world.entries(), before, "nothing was recorded");
    assert_eq!(client.report(&good).status, 200, "no key was used up");
    // What was refused is explained to the brand later: near misses are kept without the ids.
    let World { directory, made, mut server } = world;
    assert!(server.terminate().success());
    let log = server.log();
    assert!(!log.contains("extrenal_id") && !log.contains(&made.api_key), "{log}");
    let keyring = sponsorhub_app::keyring_file::read(directory.path()).expect("there");
    let store = fixture::open(directory.path(), &keyring, fixture::now());
    let mut registry = sponsorhub_store::Store::registry(&store).expect("reads");
    let misses = registry.near_misses(made.brand, None, 100).expect("reads");
    assert!(misses.len() >= cases.len(), "{}", misses.len());
}

#[test]
fn who_reports_is_checked_first() {
    let world = World::new();
    let body = order(&world.made.codes[0], "auth");
    let send = |header: Option<&str>| {
        let mut client = Client::connect(&world.server.address);
        let headers: Vec<_> = header.map(|value| ("authorization", value)).into_iter().collect();
        let answer = client.send("POST", "/v", &headers, body.to_string().as_bytes());
        let answer = answer.expect("answered");
        (answer.status, answer.code())
    };
    let is = |code: &str| (401, code.to_owned());
    assert_eq!(send(None), is("api_key_missing"));
    assert_eq!(send(Some("Basic abc")), is("api_key_missing"));
    assert_eq!(send(Some("Bearer shk_sandbox_short")), is("api_key_malformed"));
    assert_eq!(send(Some("bearer shk_sandbox_short")), is("api_key_malformed"), "in any case");
    let live = world.made.api_key.replace("sandbox", "live");
    assert_eq!(send(Some(&format!("Bearer {live}"))), is("api_key_other_mode"));
    let wrong = flipped(&world.made.api_key, 20);
    assert_eq!(send(Some(&format!("Bearer {wrong}"))), is("api_key_unknown"));
    // Another brand's key, on the same installation: its clicks and codes are its own.
    let World { directory, made, server } = world;
    drop(server);
    let other = fixture::make(directory.path(), &fixture::plan(1));
    let server = crate::Server::start(directory.path(), &[]);
    let world = World { directory, made, server };
    let mut client = Client::connect(&world.server.address).with_key(&other.api_key);
    assert_eq!(client.report(&body).code(), "code_not_valid");
    let foreign = by_click(&world.click(0), "auth");
    assert_eq!(client.report(&foreign).code(), "click_of_another_brand");
}

#[test]
fn a_campaign_that_is_not_funded_takes_no_events() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &fixture::plan(1));
    fixture::pause(directory.path(), &made);
    let server = crate::Server::start(directory.path(), &[]);
    let world = World { directory, made, server };
    let now = order(&world.made.codes[0], "paused");
    let answer = world.client().report(&now);
    assert_eq!(answer.code(), "code_not_valid", "an order while it is paused: {}", answer.text());
    let earlier = with(now, "occurred_at", time(-3_600).into());
    assert_eq!(world.client().report(&earlier).status, 200, "one from before the pause counts");
}

#[test]
fn a_key_that_asks_for_signatures_takes_nothing_without() {
    let world = World::of(&fixture::Plan { needs_signature: true, ..fixture::plan(1) });
    let secret = world.made.signing_secret.clone().expect("it asks for signatures");
    let body = order(&world.made.codes[0], "signed").to_string();
    let sign = |seconds: i64, body: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(format!("{seconds}.{body}").as_bytes());
        format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
    };
    let now = fixture::now() / 1_000;
    let send = |header: Option<String>, body: &str| {
        let headers: Vec<_> =
            header.iter().map(|value| ("sponsorhub-signature", value.as_str())).collect();
        let answer = world.client().send("POST", "/v", &headers, body.as_bytes());
        let answer = answer.expect("answered");
        (answer.status, answer.code())
    };
    assert_eq!(send(None, &body), (401, "signature_missing".into()));
    assert_eq!(send(Some("t=1".into()), &body), (401, "signature_malformed".into()));
    assert_eq!(send(Some(sign(now, "other")), &body), (401, "signature_wrong".into()));
    assert_eq!(send(Some(sign(now - 400, &body)), &body), (401, "signature_stale".into()));
    let altered = body.replace("5000", "9000");
    assert_eq!(send(Some(sign(now, &body)), &altered), (401, "signature_wrong".into()));
    assert_eq!(send(Some(sign(now, &body)), &body).0, 200);
}

#[test]
fn inv_4_the_same_report_in_parallel_enters_once_and_everyone_is_told_the_same() {
    let world = World::new();
    let body = by_click(&world.click(1), "parallel");
    let entries: Vec<Value> = std::thread::scope(|scope| {
        let post = || {
            let (mut client, body) = (world.client(), body.clone());
            scope.spawn(move || {
                let answer = client.report(&body);
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.json()
            })
        };
        let threads: Vec<_> = (0..64).map(|_| post()).collect();
        threads.into_iter().map(|thread| thread.join().expect("answered")).collect()
    });
    let firsts = entries.iter().filter(|told| told["duplicate"] == false).count();
    assert_eq!(firsts, 1, "INV-4");
    assert!(entries.iter().all(|told| told["entry"] == entries[0]["entry"]));
    let other = with(body.clone(), "amount", 5_001.into());
    let answer = world.client().report(&other);
    assert_eq!((answer.status, answer.code().as_str()), (409, "duplicate_with_other_content"));
    let second = world.client().report(&with(body, "external_id", "second".into())).json();
    let told = (second["result"].as_str(), second["reason"].as_str());
    assert_eq!(told, (Some("rejected"), Some("click_already_used")), "{second}");
}

#[test]
fn a_creators_own_purchase_is_held_and_what_a_bot_brought_is_rejected() {
    let world = World::new();
    let World { directory, made, server } = world;
    drop(server);
    let proxied = ["--trusted-proxy", "127.0.0.0/8"];
    let server = crate::Server::start(directory.path(), &proxied);
    let world = World { directory, made, server };
    let click = |agent: &str, address: &str| {
        let headers = [("user-agent", agent), ("x-forwarded-for", address)];
        let path = format!("/r/{}", world.made.links[0]);
        let mut client = Client::connect(&world.server.address);
        crate::token(&client.send("GET", &path, &headers, b"").expect("answered"))
    };
    // An hour after the click, so that nothing else is suspicious; the clock may be 5 minutes ahead.
    let report = |click: &str, id: &str| {
        let order = with(by_click(click, id), "occurred_at", time(120).into());
        world.client().report(&order).json()
    };
    let own = click(fixture::MAKER_AGENT, "192.0.2.77").expect("credited");
    let told = report(&own, "own");
    assert_eq!(told["result"], "held", "{told}");
    assert!(told["entry"].as_str().expect("text").contains("own_purchase"), "{told}");
    let elsewhere = click(fixture::MAKER_AGENT, "198.51.100.7").expect("credited");
    assert_eq!(report(&elsewhere, "elsewhere")["result"], "accepted");
    // A bot gets no token. One that has a token of a person all the same earns nothing.
    let bot = "Mozilla/5.0 (compatible; SomeBot/1.0)";
    assert_eq!(click(bot, "198.51.100.7"), None);
    let keyring = sponsorhub_app::keyring_file::read(world.directory.path()).expect("there");
    let keys = sponsorhub_core::attribution::key_set::KeySet::new(&keyring);
    let token = sponsorhub_core::attribution::click::ClickToken::verify(
        &elsewhere,
        &keys,
        fixture::now(),
        |_| i64::MAX,
    );
    let mut token = token.expect("ours").0;
    token.agent =
        sponsorhub_core::attribution::click::AgentFingerprint::new(keys.pepper(), bot.as_bytes());
    let told = report(&token.sign(&keys), "bot");
    assert_eq!((&told["result"], &told["reason"]), (&"rejected".into(), &"declared_bot".into()));
}

#[test]
fn a_dry_run_verifies_and_appends_nothing() {
    let world = World::new();
    let before = world.entries();
    let dry = with(order(&world.made.codes[0], "dry"), "dry_run", true.into());
    let told = world.client().report(&dry).json();
    assert_eq!((&told["result"], &told["dry_run"]), (&"accepted".into(), &true.into()));
    let wrong = with(dry.clone(), "code", "NOBODY-12345".into());
    assert_eq!(world.client().report(&wrong).code(), "code_not_valid");
    assert_eq!(world.entries(), before);
    let wet = with(dry, "dry_run", NULL);
    assert_eq!(world.client().report(&wet).json()["duplicate"], false);
}

#[test]
fn no_file_and_no_log_line_holds_what_could_name_a_person_or_open_a_door() {
    let world = World::new();
    let link = &world.made.links[0];
    let agent = "Mozilla/5.0 (CanaryAgent) Firefox/145.0";
    let mut client = Client::connect(&world.server.address);
    let answer = client.send("GET", &format!("/r/{link}"), &[("user-agent", agent)], b"");
    let click = crate::token(&answer.expect("answered")).expect("credited");
    let id = "canary-order-4711@example.com";
    assert_eq!(world.client().report(&by_click(&click, id)).status, 200);
    let refused = with(by_click(&click, id), "currency", "EUR".into());
    assert_eq!(world.client().report(&refused).status, 422);
    let World { directory, made, mut server } = world;
    assert!(server.terminate().success());
    let secrets = [id, "CanaryAgent", &click, &made.api_key, "127.0.0.1"];
    let mut texts =
        vec![("the log".to_owned(), server.log().replace(&server.address, "").into_bytes())];
    for file in std::fs::read_dir(directory.path()).expect("lists") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        texts.push((path.display().to_string(), bytes));
    }
    for (place, bytes) in &texts {
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{place} holds {secret}");
        }
    }
}
