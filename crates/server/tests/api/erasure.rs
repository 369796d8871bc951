//! Who is erased is gone from everything, and no ledger notices; and what is left of an order dies with its
//! campaign's key.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::Sha256;
use sponsorhub_app::keyring_file;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::ids::CampaignId;

use crate::faults;
use crate::search::{Wanted, files};
use crate::world::{ADMIN, BRAND, CLERK_SECRET, DAY_MS, World, code, text};

/// A creator of whom everything is known that can be.
const ZOE: (&str, &str) = ("user_zoe", "creator");
const NAME: &str = "Zoe Quillfeather";
const SLUG: &str = "quillfeather-zoe";
const READABLE: &str = "QWENNDRAY47";
const HOOK: &str = "http://127.0.0.1:9/quillfeather";
const REASON: &str = "Quillfeather bought it herself";
const ORDER: &str = "ORDER-quillon-4711";
const SOURCE: &str = "till-of-quillon";

const KNOWN: [&str; 6] = [NAME, SLUG, READABLE, HOOK, REASON, "1A2B3C-device-of-zoe"];

fn connection(world: &World) -> Connection {
    Connection::open(world.data().join("sponsorhub.db")).expect("opens")
}

fn one<T: rusqlite::types::FromSql>(world: &World, sql: &str) -> T {
    connection(world).query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// What an outsider sees of a campaign: entries with their hashes, payouts and balances.
async fn seen(world: &World, campaign: &str) -> Vec<Value> {
    let here = format!("/campaigns/{campaign}");
    let mut seen = Vec::new();
    for rest in ["/ledger?limit=100", "/payouts", "/balances", "/conversions", "/refunds"] {
        let (status, body) = world.get(BRAND, &format!("{here}{rest}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        seen.push(body);
    }
    // The text of a reason is no part of the entry.
    for entry in seen[0]["data"].as_array_mut().expect("entries") {
        entry["note"] = Value::Null;
    }
    seen
}

fn audit(world: &World) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sponsorhub"))
        .args(["audit", "--data-dir"])
        .arg(world.data())
        .output()
        .expect("runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Zoe has everything, has earned by an order and was paid nothing yet; the campaign.
async fn scene(world: &World) -> String {
    world.join(BRAND).await;
    faults::shop(world).await;
    let put = (Method::PUT, "/me");
    let (status, ..) = world.ask(ZOE, put, Some(&json!({ "name": NAME })), Some("join")).await;
    assert_eq!(status, StatusCode::OK);
    let mut terms = world.terms();
    terms["rates"] = json!({ "sale": { "flat": [[0, 2_000]] } });
    terms["clearing_days"] = json!(1);
    terms["attribution_window_days"] = json!(1);
    terms["replay_window_days"] = json!(1);
    let campaign = world.paid(BRAND, &terms).await;
    let here = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{here}/launch"), &json!({})).await;
    let (_, part, _) = world.post(ZOE, &format!("{here}/enrollments"), &json!({})).await;
    let part = format!("{here}/enrollments/{}", text(&part["id"]));
    let link = json!({ "destination": "https://shop.example/", "slug": SLUG });
    let made = (Method::POST, format!("{part}/links"));
    let (status, body, _) = world.ask(ZOE, (made.0, &made.1), Some(&link), Some(KNOWN[5])).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    world.post(ZOE, &format!("{part}/codes"), &json!({ "readable": READABLE })).await;
    world.post(ZOE, "/webhooks", &json!({ "url": HOOK })).await;
    let (_, recipient, _) = world.post(ZOE, "/recipient", &json!({})).await;
    let account = text(&recipient["account"]);
    world.sandbox.sandbox.stand(&account, sponsorhub_sandbox::Standing::default());
    world.sandbox.sandbox.quiet(std::time::Duration::from_secs(30)).await;
    let visit = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let visit = visit.expect("a client").get(format!("{}/r/{SLUG}", world.address));
    let answer = visit.header("user-agent", "Mozilla/5.0 Firefox/145.0").send().await;
    let location =
        answer.expect("answers").headers()["location"].to_str().expect("text").to_owned();
    let click = location.split("sh_click=").nth(1).expect("credited").to_owned();
    // Sooner it would look like an order that was there before the click.
    world.pass(60_000).await;
    let (status, body) = report(world, &click).await;
    assert_eq!(status, 200, "{body}");
    let doubt = json!({ "conversion": body["seq"], "reason": REASON });
    let (status, body, _) = world.post(BRAND, &format!("{here}/holds"), &doubt).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let release = format!("{here}/holds/{}/release", body["conversion"]);
    world.post(BRAND, &release, &json!({})).await;
    campaign
}

async fn report(world: &World, click: &str) -> (u16, Value) {
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let ms = world.sandbox.sandbox.now_ms();
    let at = std::process::Command::new("date")
        .args(["--utc", "--date", &format!("@{}", ms / 1_000), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("a date");
    let at = String::from_utf8(at.stdout).expect("text");
    let order = json!({
        "source": SOURCE, "external_id": ORDER, "type": "sale", "occurred_at": at.trim(),
        "amount": 5_000, "currency": "USD", "click": click,
    });
    let request = world.client.post(format!("{}/v", world.address)).json(&order);
    let answer = request.bearer_auth(text(&key["secret"])).send().await.expect("answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn tell_that_zoe_is_gone(world: &World) {
    let gone = json!({ "type": "user.deleted", "data": { "id": ZOE.0, "deleted": true } });
    let (body, seconds) = (gone.to_string(), world.sandbox.sandbox.now_ms() / 1_000);
    let key = BASE64.decode(CLERK_SECRET.trim_start_matches("whsec_").as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("base64")).expect("a key");
    mac.update(format!("msg_1.{seconds}.{body}").as_bytes());
    let tag = BASE64.encode(&mac.finalize().into_bytes());
    let request = world.client.post(format!("{}/webhooks/clerk", world.address));
    let request = request.header("svix-id", "msg_1").header("svix-timestamp", seconds.to_string());
    let request = request.header("svix-signature", format!("v1,{tag}")).body(body);
    assert_eq!(request.send().await.expect("answers").status(), StatusCode::OK);
}

/// Waits until the log of the database was emptied, while the server runs.
async fn is_clean(world: &World, wanted: &Wanted) {
    let mut found = Vec::new();
    for _ in 0..500 {
        found = files(&world.data());
        found.retain(|(_, bytes)| !wanted.found_in(bytes).is_empty());
        if found.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let named = found.iter().map(|(name, bytes)| (name, wanted.found_in(bytes)));
    panic!("{:?}", named.collect::<Vec<_>>());
}

/// Lets the campaign come to its end.
async fn close(world: &World, campaign: &str) {
    let path = format!("/campaigns/{campaign}/complete");
    let (status, body, _) = world.post(BRAND, &path, &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for _ in 0..8 {
        world.pass(DAY_MS).await;
    }
    let (_, body) = world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    assert_eq!(body["state"], "paid_out", "{body}");
}

/// How much of a creator is kept that is sealed or hashed, so that nobody could search for it: who made links,
/// their account at the provider and what it told of it, which enrollments are theirs, their endpoints, and
/// answers to them.
fn kept(world: &World) -> [i64; 6] {
    [
        "SELECT count(*) FROM links WHERE maker IS NOT NULL",
        "SELECT count(*) FROM recipients",
        "SELECT count(*) FROM provider_events WHERE recipient IS NOT NULL AND length(raw) > 0",
        "SELECT count(*) FROM enrollment_creators WHERE creator_id IS NOT NULL",
        "SELECT count(*) FROM webhook_endpoints",
        "SELECT count(*) FROM api_requests WHERE subject = 'user_zoe' AND length(body) > 0",
    ]
    .map(|sql| one(world, sql))
}

/// An event about Zoe with what the provider told.
fn keep_what_an_earlier_version_kept(world: &World) {
    let old = "INSERT INTO provider_events (id, endpoint, kind, created_at_ms, received_at_ms, recipient,
                   object, payment, raw, tries, retry_at_ms, done_at_ms, outcome)
               SELECT 'evt_old', endpoint, kind, created_at_ms, received_at_ms, recipient, object, payment,
                   ?1, tries, retry_at_ms, done_at_ms, outcome
               FROM provider_events WHERE kind = 'account.updated' LIMIT 1";
    let old = connection(world).execute(old, [NAME.as_bytes()]);
    assert_eq!(old.expect("an event"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_owed_money_is_shut_out_at_once_and_erased_as_soon_as_it_is_paid() {
    let world = World::start().await;
    let campaign = scene(&world).await;
    tell_that_zoe_is_gone(&world).await;
    let (status, body) = world.get(ZOE, "/me").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    let (_, parts) = world.get(BRAND, &format!("/campaigns/{campaign}/enrollments")).await;
    assert!(parts["data"][0]["ended_at"].is_i64(), "nothing new is earned: {parts}");
    world.pass(DAY_MS).await;
    let named: i64 = one(&world, "SELECT count(*) FROM creators WHERE name IS NOT NULL");
    assert_eq!(named, 1, "nobody could be paid without it");
    let before = seen(&world, &campaign).await;
    close(&world, &campaign).await;
    let paid: Value = world.get(BRAND, &format!("/campaigns/{campaign}/payouts")).await.1;
    assert_eq!(
        (&paid["data"][0]["state"], &paid["data"][0]["amount"]["amount"]),
        (&json!("paid"), &json!(2_000))
    );
    world.pass(2 * 60_000).await;
    let erased: i64 = one(&world, "SELECT count(*) FROM creators WHERE erased_at_ms IS NOT NULL");
    assert_eq!(erased, 1, "nobody asked again");
    is_clean(&world, &Wanted::of(&KNOWN)).await;
    // What was in the ledger is in it, byte for byte.
    let after = seen(&world, &campaign).await;
    let (old, new) = (&before[0]["data"], &after[0]["data"]);
    let old = old.as_array().expect("entries");
    assert!(!old.is_empty() && new.as_array().expect("entries").starts_with(old));
    let (is_right, told) = audit(&world);
    assert!(is_right, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_erases_on_request_and_only_the_dedup_key_is_left_which_dies_in_its_time() {
    let world = World::start().await;
    let campaign = scene(&world).await;
    let (_, me) = world.get(ZOE, "/me").await;
    let path = format!("/creators/{}/erasure", text(&me["id"]));
    let (status, body, _) = world.post(BRAND, &path, &json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "forbidden"));
    close(&world, &campaign).await;
    let (before, audited) = (seen(&world, &campaign).await, audit(&world));
    keep_what_an_earlier_version_kept(&world);
    let of_each_kind = kept(&world);
    assert!(of_each_kind.iter().all(|count| *count > 0), "of each kind: {of_each_kind:?}");
    let (status, body, _) = world.post(ADMIN, &path, &json!({})).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("erased")), "{body}");
    let (_, again, _) = world.post(ADMIN, &path, &json!({})).await;
    assert_eq!(again, body, "asked again, nothing changes");
    let (status, body) = world.get(ZOE, "/me").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    is_clean(&world, &Wanted::of(&KNOWN)).await;
    assert_eq!(kept(&world), [0; 6]);
    assert_eq!(seen(&world, &campaign).await, before, "entries, hashes, payouts, balances");
    assert!(audited.0);
    assert_eq!(audit(&world), audited);
    // Of the order there is its key, for whoever has the keyring.
    let id: CampaignId = campaign.parse().expect("an id");
    let keyring = keyring_file::read(&world.data()).expect("a keyring");
    let wrapped: Vec<u8> = one(&world, "SELECT wrapped FROM campaign_keys");
    let dedup = DedupKey::unwrap(&wrapped, &KeySet::new(&keyring), id).expect("opens");
    let key = dedup.composite_key(id, SOURCE, ORDER, "sale").0.to_vec();
    let found = |key: &[u8]| {
        let sql = "SELECT count(*) FROM entries WHERE key = ?1";
        connection(&world).query_row(sql, [key], |row| row.get::<_, i64>(0)).expect("counts")
    };
    assert_eq!(found(&key), 1, "a guess can be tried as long as the key is there");
    is_clean(&world, &Wanted::of(&[ORDER, SOURCE])).await;
    let refused = report(&world, "not-a-click").await;
    // A day before its time it is there, and a day after it is gone.
    world.pass(720 * DAY_MS).await;
    assert_eq!(one::<i64>(&world, "SELECT count(*) FROM campaign_keys WHERE wrapped IS NULL"), 0);
    world.pass(12 * DAY_MS).await;
    assert_eq!(one::<i64>(&world, "SELECT count(*) FROM campaign_keys WHERE wrapped IS NULL"), 1);
    for _ in 0..500 {
        let holds = |(_, bytes): &(String, Vec<u8>)| {
            // What is sealed, and a part of it.
            bytes.windows(32).any(|part| part == &wrapped[27..59])
        };
        if !files(&world.data()).iter().any(holds) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for (name, bytes) in files(&world.data()) {
        assert!(!bytes.windows(32).any(|part| part == &wrapped[27..59]), "{name}");
    }
    assert_eq!(found(&key), 1, "the entry is as it was");
    assert_eq!(seen(&world, &campaign).await, before);
    assert_eq!(audit(&world), audited);
    let now = report(&world, "not-a-click").await;
    assert_eq!((now.0, code(&now.1)), (refused.0, code(&refused.1)), "answered as before");
    // The access log of two years ago is over as well, now that something was asked since.
    world.pass(2 * 3_600_000).await;
    let (_, log) = world.get(ADMIN, "/access-log?limit=100").await;
    let oldest = log["data"].as_array().and_then(|all| all.last()).map(|one| one["at"].clone());
    let oldest = oldest.and_then(|at| at.as_i64()).expect("what was asked just now");
    assert!(oldest > world.sandbox.sandbox.now_ms() - 396 * DAY_MS);
}
