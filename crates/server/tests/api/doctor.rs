//! The doctor by the API: why events did not count, and what is misconfigured or stuck.

use serde_json::{Value, json};

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
