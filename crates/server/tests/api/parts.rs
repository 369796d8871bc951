//! Taking part: links, codes and holds.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{ADA, ADMIN, BRAND, World, code, text};

/// Who is told that something is so can build on it: caches follow before the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_credits_as_soon_as_its_creator_is_told() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    let (status, body, _) = world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let browser = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let browser = browser.expect("a client");
    for name in ["ada", "ben", "cleo", "dan", "eve", "fay"] {
        let who = (name, "creator");
        world.join(who).await;
        let (_, part, _) = world.post(who, &format!("{path}/enrollments"), &json!({})).await;
        let links = format!("{path}/enrollments/{}/links", text(&part["id"]));
        let wanted = json!({ "destination": "https://shop.example/" });
        let (_, link, _) = world.post(who, &links, &wanted).await;
        let visit = browser
            .get(format!("{}{}", world.address, text(&link["path"])))
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0");
        let answer = visit.send().await.expect("answers");
        let location = answer.headers()["location"].to_str().expect("text");
        assert!(location.contains("sh_click="), "{name}: {location}");
    }
}

/// What was refused is refused again, under the same key too; a doubt is not raised for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_are_placed_once_and_a_refusal_never_turns_into_success() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let mut terms = world.terms();
    (terms["base"], terms["base_unlock"]) = (json!(700), json!({ "conversions": 5 }));
    let campaign = world.paid(BRAND, &terms).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let (_, part, _) = world.post(ADA, &format!("{path}/enrollments"), &json!({})).await;
    let codes = format!("{path}/enrollments/{}/codes", text(&part["id"]));
    let (_, promo, _) = world.post(ADA, &codes, &json!({ "readable": "ADA" })).await;
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let seconds = world.sandbox.sandbox.now_ms() / 1_000;
    let days = seconds / 86_400;
    assert_eq!(days, 20_458, "the sandbox begins on a day of 2026");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let order = json!({
        "source": "shop", "external_id": "o", "type": "sale", "amount": 5_000, "currency": "USD",
        "code": text(&promo["code"]),
        "occurred_at": format!("2026-01-05T{hour:02}:{minute:02}:{second:02}Z"),
    });
    let sent = world.client.post(format!("{}/v", world.address)).json(&order);
    let sent = sent.bearer_auth(text(&key["secret"])).send().await.expect("answers");
    let told: Value = sent.json().await.expect("JSON");
    let conversion = told["seq"].as_u64().unwrap_or_else(|| panic!("{told}"));
    let holds = format!("{path}/holds");
    let place = json!({ "conversion": conversion, "reason": "odd" });
    let (status, problem, _) = world
        .post(BRAND, &holds, &json!({ "conversion": conversion, "reason": "x", "deadline": -1 }))
        .await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"deadline".into()), "{problem}");
    let (status, body, _) = world.post(BRAND, &holds, &place).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    world.pass(2_000).await;
    let statement = format!("{path}/statements/{}", text(&part["id"]));
    let (_, statement) = world.get(ADA, &statement).await;
    let amount = |field: &str| statement[field]["amount"].as_i64();
    assert_eq!(amount("held"), Some(500), "without the platform's fee: {statement}");
    assert_eq!(amount("base_reserved"), Some(700), "without the platform's fee: {statement}");
    let (status, ..) =
        world.post(BRAND, &format!("{holds}/{conversion}/release"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let uphold = format!("{holds}/{conversion}/uphold");
    let reason = json!({ "reason": "fraud" });
    for _ in 0..3 {
        let tried = world.ask(ADMIN, (Method::POST, &uphold), Some(&reason), Some("u1")).await;
        assert_eq!(tried.0, StatusCode::CONFLICT, "{}", tried.1);
    }
    let (status, problem, _) = world.post(BRAND, &holds, &place).await;
    assert_eq!((status.as_u16(), code(&problem)), (409, "held_before"));
    let (status, ..) = world.post(ADMIN, &holds, &place).await;
    assert_eq!(status, StatusCode::CREATED, "an operator may look again");
    // A name that is taken makes no link.
    let links = format!("{path}/enrollments/{}/links", text(&part["id"]));
    let link = json!({ "destination": "https://shop.example/", "slug": "ada" });
    for expected in [StatusCode::CREATED, StatusCode::CONFLICT, StatusCode::CONFLICT] {
        assert_eq!(world.post(ADA, &links, &link).await.0, expected);
    }
    let (_, listed) = world.get(ADA, &links).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    let mut late = world.terms();
    late["ends_at"] = json!(1_i64 << 53);
    let (status, problem, _) = world.post(BRAND, "/campaigns", &late).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"ends_at".into()), "{problem}");
}
