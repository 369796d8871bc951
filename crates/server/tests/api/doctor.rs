//! The doctor by the API: why events did not count, and what is misconfigured or stuck.

use serde_json::{Value, json};

use crate::canary::rfc3339;
use crate::world::{ADA, ADMIN, BRAND, World, text};

fn finding<'a>(answer: &'a Value, code: &str) -> Option<&'a Value> {
    answer["data"].as_array().expect("a list").iter().find(|one| one["code"] == code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_is_told_why_events_did_not_count() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let (status, answer) = world.get(BRAND, "/doctor").await;
    assert_eq!((status.as_u16(), &answer["data"][0]["code"]), (200, &json!("healthy")), "{answer}");
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let (_, signed, _) = world.post(BRAND, "/api-keys", &json!({ "needs_signature": true })).await;
    let report = async |key: &Value, code: &str, occurred_at: &str| {
        let order = json!({
            "source": "shop", "external_id": "o", "type": "sale", "amount": 5_000,
            "currency": "USD", "code": code, "occurred_at": occurred_at,
        });
        let sent = world.client.post(format!("{}/v", world.address)).json(&order);
        let sent = sent.bearer_auth(text(&key["secret"])).send().await.expect("answers");
        sent.status().as_u16()
    };
    for _ in 0..2 {
        assert_eq!(report(&key, "NOBODY-1234", "2026-01-05T00:00:00Z").await, 422);
    }
    assert_eq!(report(&signed, "NOBODY-1234", "2026-01-05T00:00:00Z").await, 401);
    let revoked = format!("/api-keys/{}", text(&key["id"]));
    let (status, body, _) =
        world.ask(BRAND, (reqwest::Method::DELETE, &revoked), Some(&json!({})), Some("r")).await;
    assert_eq!(status, 200, "{body}");
    for _ in 0..50 {
        if report(&key, "NOBODY-1234", "2026-01-05T00:00:00Z").await == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // What was refused is written down within seconds.
    let mut answer = Value::Null;
    for _ in 0..100 {
        answer = world.get(BRAND, "/doctor").await.1;
        if finding(&answer, "api_key_unknown").is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let code = finding(&answer, "code_not_valid").unwrap_or_else(|| panic!("{answer}"));
    assert!(code["count"].as_u64() >= Some(2), "{code}");
    assert!(code["last_at"].as_i64() >= code["first_at"].as_i64(), "{code}");
    let wrong = finding(&answer, "signature_missing").unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((&wrong["severity"], &wrong["count"]), (&json!("error"), &json!(1)), "{wrong}");
    assert!(finding(&answer, "api_key_unknown").is_some(), "a revoked key is still used: {answer}");
    assert_eq!(answer["data"][0]["severity"], "error", "the worst comes first: {answer}");
    assert!(!answer.to_string().contains("NOBODY"), "nothing that was sent is kept: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_told_what_a_brand_is_not() {
    let world = World::start().await;
    world.join(BRAND).await;
    let (status, answer) = world.get(ADMIN, "/doctor").await;
    assert_eq!(status, 200, "{answer}");
    let silent = finding(&answer, "webhook_silent").unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(silent["severity"], "warning");
    let (_, answer) = world.get(BRAND, "/doctor").await;
    assert!(finding(&answer, "webhook_silent").is_none(), "{answer}");
    // A deposit is told of by a webhook.
    world.paid(BRAND, &world.terms()).await;
    let (_, answer) = world.get(ADMIN, "/doctor").await;
    let own = |one: &Value| one["code"] == "webhook_silent" && one["example"] == "account";
    assert!(!answer["data"].as_array().expect("a list").iter().any(own), "{answer}");
}

/// Findings by their codes, once the workers had time to look.
async fn found(world: &World, who: (&str, &str), code: &str) -> Value {
    let mut answer = Value::Null;
    for _ in 0..200 {
        answer = world.get(who, "/doctor").await.1;
        if let Some(found) = finding(&answer, code) {
            return found.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no {code}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_is_told_of_keys_endpoints_and_what_earns_nothing() {
    let (play, things) = crate::cast::start().await;
    let (world, a) = (&play.world, &things[0]);
    let owner = crate::cast::shows("owner");
    let soon = world.sandbox.sandbox.now_ms() + 1_000;
    play.must(owner, ("post", "/api-keys"), &json!({ "expires_at": soon })).await;
    play.must(owner, ("post", "/api-keys"), &json!({})).await;
    // An order in the second of its click is held, and a second one by that click is rejected.
    let links = a.fill("/campaigns/{campaign}/enrollments/{enrollment}/links");
    let link = json!({ "destination": "https://shop.example/", "slug": "to-the-shop" });
    play.must(crate::cast::shows("creator"), ("post", &links), &link).await;
    let visit = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let visit = visit.expect("a client").get(format!("{}/r/to-the-shop", world.address));
    let visit = visit.header("user-agent", "Mozilla/5.0 Firefox/145.0").send().await;
    let visit = visit.expect("answers");
    let location = visit.headers()["location"].to_str().expect("text");
    let click = location.split("sh_click=").nth(1).expect("credited");
    let mut results = Vec::new();
    for id in ["first", "second"] {
        let order = json!({
            "source": "shop", "external_id": id, "type": "sale", "amount": 5_000, "currency": "USD",
            "click": click, "occurred_at": rfc3339(world.sandbox.sandbox.now_ms()),
        });
        let sent = world.client.post(format!("{}/v", world.address)).json(&order);
        let sent = sent.bearer_auth(play.bearer(crate::cast::shows("key_report")).expect("a key"));
        let told: Value = sent.send().await.expect("answers").json().await.expect("JSON");
        results.push(text(&told["result"]));
    }
    assert_eq!(results, ["held", "rejected"]);
    world.pass(2 * crate::world::DAY_MS).await;
    let (_, answer) = play.ask(owner, ("get", "/doctor"), None).await;
    let codes = ["webhook_failing", "api_key_never_used", "api_key_expired"];
    for code in codes.into_iter().chain(["conversion_held", "click_already_used"]) {
        let found = finding(&answer, code).unwrap_or_else(|| panic!("no {code}: {answer}"));
        assert!(!text(&found["fix"]).is_empty() && found["count"].as_u64() >= Some(1), "{found}");
    }
    let (_, others) = play.ask(crate::cast::shows("brand_b"), ("get", "/doctor"), None).await;
    for code in ["conversion_held", "click_already_used"] {
        assert!(finding(&others, code).is_none(), "{others}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_told_what_is_stuck_missing_or_runs_too_long() {
    let world = World::start().await;
    world.join(BRAND).await;
    // Visitors who say that they come from elsewhere.
    let visit = world.client.get(format!("{}/r/nothing", world.address));
    visit.header("x-forwarded-for", "198.51.100.7").send().await.expect("answers");
    let proxy = found(&world, ADMIN, "proxy_not_trusted").await;
    assert!(proxy["severity"] == "warning" && !proxy.to_string().contains("198.51"), "{proxy}");
    // What is earned by an order of the last day waits until the clearing days are over: 20 + 2 + 1 + 66 days
    // are 89; two more days of clearing are too many.
    let mut terms = world.terms();
    terms["ends_at"] = json!(world.sandbox.sandbox.now_ms() + 20 * crate::world::DAY_MS);
    terms["attribution_window_days"] = json!(2);
    terms["replay_window_days"] = json!(1);
    terms["clearing_days"] = json!(66);
    world.paid(BRAND, &terms).await;
    let (_, answer) = world.get(ADMIN, "/doctor").await;
    assert!(finding(&answer, "holding_limit").is_none(), "{answer}");
    terms["clearing_days"] = json!(68);
    let campaign = world.paid(BRAND, &terms).await;
    assert_eq!(found(&world, ADMIN, "holding_limit").await["example"], json!(campaign));
    // The platform's balance leaves by itself.
    let url = format!("{}/v1/balance_settings", world.sandbox.base_url);
    let request = world.client.post(url).bearer_auth("sk_test_api");
    let daily = request.body("payments[payouts][schedule][interval]=daily").send().await;
    assert_eq!(daily.expect("answers").status(), 200);
    world.pass(3_600_000).await;
    let failed = found(&world, ADMIN, "job_failed").await;
    assert!(text(&failed["meaning"]).contains("payouts to manual"), "{failed}");
}

/// It looks at what is kept, not only at what came since the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_the_doctor_still_knows_when_webhooks_came() {
    let mut world = World::start().await;
    world.join(BRAND).await;
    world.paid(BRAND, &world.terms()).await;
    std::sync::Arc::get_mut(&mut world).expect("nobody else has it").restart();
    let (_, answer) = world.get(ADMIN, "/doctor").await;
    let own = |one: &Value| one["code"] == "webhook_silent" && one["example"] == "account";
    assert!(!answer["data"].as_array().expect("a list").iter().any(own), "{answer}");
}

/// Webhooks that are not believed: of the payment provider and of the identity provider alike an error as long
/// as none was, and afterwards a warning, since a stranger may have sent them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_told_of_webhooks_whose_signature_is_wrong() {
    let world = World::start().await;
    let refused = async |example: &str| {
        let (_, answer) = world.get(ADMIN, "/doctor").await;
        let is_it = |one: &&Value| one["code"] == "webhook_refused" && one["example"] == example;
        let found = answer["data"].as_array().expect("a list").iter().find(is_it).cloned();
        found.map(|one| text(&one["severity"]))
    };
    let post = async |path: &str, name: &'static str, value: String| {
        let request = world.client.post(format!("{}{path}", world.address)).body("{}");
        let request = request.header("svix-id", "msg_1");
        let now = (world.sandbox.sandbox.now_ms() / 1_000).to_string();
        let sent = request.header("svix-timestamp", now).header(name, value).send().await;
        assert_eq!(sent.expect("answers").status().as_u16(), 400, "{path}");
    };
    assert_eq!((refused("account").await, refused("identity").await), (None, None));
    let seconds = world.sandbox.sandbox.now_ms() / 1_000;
    post("/webhooks/stripe", "stripe-signature", format!("t={seconds},v1={}", "00".repeat(32)))
        .await;
    let wrong = format!("v1,{}", data_encoding::BASE64.encode(&[0; 32]));
    post("/webhooks/clerk", "svix-signature", wrong.clone()).await;
    assert_eq!(refused("account").await.as_deref(), Some("error"));
    assert_eq!(refused("identity").await.as_deref(), Some("error"));
    // One that is believed sets it right, and a stranger's after it is a warning.
    let now = world.sandbox.sandbox.now_ms();
    let told = json!({
        "object": "event", "type": "user.updated", "timestamp": now, "data": { "id": "user_x" },
    });
    assert!(crate::clerk::tell(&world, &told).await.is_success());
    world.pass(1_000).await;
    assert_eq!(refused("identity").await, None);
    post("/webhooks/clerk", "svix-signature", wrong).await;
    assert_eq!(refused("identity").await.as_deref(), Some("warning"));
    let (_, answer) = world.get(ADMIN, "/doctor").await;
    assert!(finding(&answer, "identity_unheard").is_none(), "{answer}");
    // And where none can come, that is said.
    let deaf = World::start_without("SPONSORHUB_CLERK_WEBHOOK_SECRET").await;
    let unheard = found(&deaf, ADMIN, "identity_unheard").await;
    assert!(text(&unheard["fix"]).contains("SPONSORHUB_CLERK_WEBHOOK_SECRET"), "{unheard}");
}
