//! What is wrong is told by its field; nothing is read in two ways.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{ADA, BRAND, World, code, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_input_names_the_field_and_pages_fit_together() {
    let world = World::start().await;
    world.join(BRAND).await;
    for (field, value) in [
        ("budget", Value::Null),
        ("currency", json!("XTS")),
        ("budgett", json!(1)),
        ("ends_at", json!(0)),
        ("platform_fee_bps", json!(-1)),
        ("destination_hosts", json!(["no host"])),
    ] {
        let mut terms = world.terms();
        match &value {
            Value::Null => drop(terms.as_object_mut().expect("an object").remove(field)),
            value => terms[field] = value.clone(),
        }
        let (status, body, _) = world.post(BRAND, "/campaigns", &terms).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}: {body}");
        let told = format!("{} {}", body["field"], body["detail"]);
        assert!(
            told.contains(field) || field == "currency" || value == json!(-1),
            "{field}: {body}"
        );
    }
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.campaign(BRAND).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.get(BRAND, &format!("/campaigns?limit=2{cursor}")).await;
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= 2);
        seen.extend(data.iter().map(|one| text(&one["id"])));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, made);
    for query in ["limit=0", "limit=101", "cursor=x"] {
        let (status, body) = world.get(BRAND, &format!("/campaigns?{query}")).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "field_invalid"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_a_problem_that_names_the_field() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let deposits = format!("/campaigns/{campaign}/deposits");
    let deposit = |amount: Value| json!({ "amount": { "amount": amount, "currency": "USD" } });
    let terms = |field: &str, value: Value| {
        let mut terms = world.terms();
        terms[field] = value;
        terms
    };
    let large = json!({ "destination_hosts": vec!["shop.example"; 10_000] });
    let cases = [
        (deposits.as_str(), deposit((-1).into()), 400, "amount.amount"),
        (&deposits, deposit(0.into()), 400, "amount.amount"),
        (&deposits, deposit(((1_i64 << 53) - 1).into()), 400, "amount.amount"),
        (&deposits, deposit("5".into()), 400, "amount.amount"),
        (&deposits, json!({}), 400, "amount"),
        ("/campaigns", terms("currency", "XXX".into()), 400, "currency"),
        ("/campaigns", terms("budget", json!(1.5)), 400, "budget"),
        (
            "/campaigns",
            terms("rates", json!({ "sale": { "bps": [[0, -5]] } })),
            400,
            "rates.sale.bps[0][1]",
        ),
        ("/campaigns", terms("foo", 1.into()), 400, "foo"),
        ("/campaigns", large, 413, "body"),
        ("/campaigns/xyz/launch", json!({}), 400, "path"),
    ];
    for (path, body, status, field) in cases {
        let (was, problem, _) = world.post(BRAND, path, &body).await;
        assert_eq!((was.as_u16(), text(&problem["field"]).as_str()), (status, field), "{problem}");
    }
    // Nothing follows on a connection whose request was not read to its end, and the answer says so.
    let url = format!("{}/api/v1/campaigns", world.address);
    for (bytes, status, closes) in [(200_000, 413, true), (200, 400, false)] {
        let body = format!("{{\"x\":\"{}\"}}", "x".repeat(bytes));
        let sent = world.client.post(&url).bearer_auth(world.token(BRAND.0, BRAND.1)).body(body);
        let answer = sent.send().await.expect("answers");
        let says_so = answer.headers().get("connection").is_some_and(|value| value == "close");
        assert_eq!((answer.status().as_u16(), says_so), (status, closes));
    }
    let key = json!({ "scopes": ["conversions:write"], "expires_at": 5 });
    let (status, problem, _) = world.post(BRAND, "/api-keys", &key).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"expires_at".into()), "{problem}");
    for query in ["limit=1&limit=2", "foo=1"] {
        let (status, problem) = world.get(BRAND, &format!("/campaigns?{query}")).await;
        assert_eq!((status.as_u16(), code(&problem)), (400, "field_invalid"), "{problem}");
    }
}

/// What a brand writes in its terms is not what it owes the operator; and it is read in one way only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_keep_the_operators_fees_and_say_every_name_once() {
    let world = World::start().await;
    world.join(BRAND).await;
    for field in ["platform_fee_bps", "provider_fee_reserve_bps", "provider_fee_reserve_fixed"] {
        let mut terms = world.terms();
        terms[field] = json!(0);
        let (status, problem, _) = world.post(BRAND, "/campaigns", &terms).await;
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!(field)), "{problem}");
    }
    let twice = world.terms().to_string().replacen('{', "{\"budget\":1,", 1);
    let request = world.client.post(format!("{}/api/v1/campaigns", world.address)).body(twice);
    let answer = request.bearer_auth(world.token(BRAND.0, BRAND.1)).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let mut deliverable = world.terms();
    deliverable["base"] = json!(500);
    deliverable["base_unlock"] = json!("deliverable");
    let (status, problem, _) = world.post(BRAND, "/campaigns", &deliverable).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &json!("base_unlock")), "{problem}");
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}/cancel");
    let (status, problem, _) = world.post(BRAND, &path, &json!({ "really": true })).await;
    assert_eq!((status.as_u16(), code(&problem)), (400, "body_invalid"));
    let campaign = world.paid(BRAND, &world.terms()).await;
    world.join(ADA).await;
    let path = format!("/campaigns/{campaign}/enrollments");
    let (_, part, _) = world.post(ADA, &path, &json!({})).await;
    let part = format!("{path}/{}", text(&part["id"]));
    world.post(ADA, &format!("{part}/end"), &json!({})).await;
    let (status, problem, _) = world.post(ADA, &path, &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is no second part: {problem}");
    let link = json!({ "destination": "https://shop.example/" });
    for (what, body) in [("links", link), ("codes", json!({ "readable": "ADA" }))] {
        let (status, problem, _) = world.post(ADA, &format!("{part}/{what}"), &body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    }
}
