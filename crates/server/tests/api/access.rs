//! Who may what, what is told of what is not one's own, and what is done once.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cast::{shows, start};
use crate::world::{ADA, ADMIN, BRAND, RIVAL, World, code, filled, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_who_it_is_and_whether_they_may() {
    let world = World::start().await;
    for who in [ADA, BRAND] {
        world.join(who).await;
    }
    let url = format!("{}/api/openapi.json", world.address);
    let document: Value =
        world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("methods") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            // What shops report is asked for a key, and stands in the matrix.
            let Some(path) = path.strip_prefix("/api/v1").map(filled) else { continue };
            let url = format!("{}/api/v1{path}", world.address);
            let request = world
                .client
                .request(method.clone(), url)
                .header("content-type", "application/json");
            let response = request.send().await.expect("answers");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            let who_may = text(&operation["description"]);
            for who in [ADA, BRAND, ADMIN] {
                let (_, body, _) = world.ask(who, (method.clone(), &path), None, None).await;
                let role = if who == BRAND { "owner" } else { who.1 };
                let may = who_may.contains(role) || who_may.contains("everybody");
                // Operators own nothing: joining is refused in the same words.
                let is_joining = path == "/me" && method == Method::PUT;
                let is_refused = code(&body) == "forbidden";
                assert!(is_joining || is_refused != may, "{method} {path} as {}: {body}", who.1);
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_brands_is_answered_like_what_is_not_there() {
    let world = World::start().await;
    for who in [BRAND, RIVAL, ADA] {
        world.join(who).await;
    }
    let campaign = world.campaign(BRAND).await;
    let nowhere = "cmp_00000000000000000000000000";
    for rest in ["", "/deposits", "/balances", "/ledger", "/conversions", "/payouts", "/holds"] {
        let (status, foreign) = world.get(RIVAL, &format!("/campaigns/{campaign}{rest}")).await;
        let (_, missing) = world.get(RIVAL, &format!("/campaigns/{nowhere}{rest}")).await;
        assert_eq!((status, &foreign), (StatusCode::NOT_FOUND, &missing), "{rest}");
        let (status, _) = world.get(BRAND, &format!("/campaigns/{campaign}{rest}")).await;
        assert_eq!(status, StatusCode::OK, "{rest}");
    }
    for step in ["launch", "pause", "resume", "complete", "cancel"] {
        let path = format!("/campaigns/{campaign}/{step}");
        let (status, ..) = world.post(RIVAL, &path, &json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{step}");
    }
    // A draft is nothing that creators see.
    let (status, _) = world.get(ADA, &format!("/campaigns/{campaign}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // Another role under the same user is refused.
    let (status, body) = world.get(("marta", "admin"), "/campaigns").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "role_changed"));
    let (status, body) = world.get(("nobody", "brand"), "/api-keys").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "not_joined"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_is_one_request_however_often_it_is_sent() {
    let world = World::start().await;
    world.join(BRAND).await;
    let terms = world.terms();
    let create = (Method::POST, "/campaigns");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, terms) = (Arc::clone(&world), terms.clone());
        tasks.spawn(async move {
            world.ask(BRAND, (Method::POST, "/campaigns"), Some(&terms), Some("one")).await
        });
    }
    let answers = tasks.join_all().await;
    let first = &answers[0].1;
    for (status, body, _) in &answers {
        assert_eq!((*status, body), (StatusCode::CREATED, first));
    }
    let replayed = answers.iter().filter(|(.., is_replayed)| *is_replayed).count();
    assert_eq!(replayed, 7);
    let mut other = terms.clone();
    other["budget"] = json!(200_000);
    let (status, body, _) = world.ask(BRAND, create, Some(&other), Some("one")).await;
    assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
    let (_, all) = world.get(BRAND, "/campaigns").await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
    // A secret is shown once and kept nowhere.
    let issue = || world.ask(BRAND, (Method::POST, "/api-keys"), None, Some("key"));
    let (first, again) = (issue().await.1, issue().await.1);
    assert!(text(&first["secret"]).starts_with("shk_sandbox_"));
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
}

/// A part is one part, however many requests ask for it at the same moment: each would reserve a base.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creator_takes_part_once() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let mut terms = world.terms();
    terms["base"] = json!(10_000);
    terms["base_unlock"] = json!({ "conversions": 1 });
    let campaign = world.paid(BRAND, &terms).await;
    let mut tasks = tokio::task::JoinSet::new();
    let together = Arc::new(tokio::sync::Barrier::new(32));
    for number in 0..32 {
        let url = format!("{}/api/v1/campaigns/{campaign}/enrollments", world.address);
        let request = world.client.post(url).bearer_auth(world.token(ADA.0, ADA.1));
        let request = request.header("idempotency-key", format!("k{number}")).json(&json!({}));
        let together = Arc::clone(&together);
        tasks.spawn(async move {
            together.wait().await;
            let response = request.send().await.expect("answers");
            (response.status(), response.json::<Value>().await.expect("JSON"))
        });
    }
    let answers = tasks.join_all().await;
    for (status, body) in &answers {
        assert_eq!((*status, &body["id"]), (StatusCode::CREATED, &answers[0].1["id"]), "{body}");
    }
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    assert_eq!(balances["accounts"]["base_reserve"], json!(10_500), "one base and its fee");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_has_a_name_of_its_own_and_stays_in_no_cache() {
    let world = World::start().await;
    let mut names = std::collections::BTreeSet::new();
    for path in
        ["/api/v1/me", "/api/v1/campaigns", "/api/openapi.json", "/api/docs", "/nothing", "/v"]
    {
        for _ in 0..2 {
            let answer = world.client.get(format!("{}{path}", world.address)).send().await;
            let answer = answer.expect("answers");
            let header = |name: &str| {
                let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            assert!(header("x-request-id").starts_with("req_"), "{path}");
            assert!(names.insert(header("x-request-id")), "{path}");
            if path.starts_with("/api") {
                assert_eq!(header("cache-control"), "no-store", "{path}");
            }
        }
    }
}

/// Every list that a creator may read has rows of their own, and no other: also in a campaign that both take
/// part in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creator_reads_no_row_of_another() {
    let (play, mut things) = start().await;
    let a = &mut things[0];
    let enroll = format!("/campaigns/{}/enrollments", a.campaign);
    let part = play.must(shows("creator_b"), ("post", &enroll), &json!({})).await;
    let other = text(&part["id"]);
    crate::matrix::hold(&play, a, shows("owner")).await;
    let a = &things[0];
    let mut own_rows = 0;
    for (method, path, _) in crate::matrix::routes(&play.world).await {
        let is_of_campaign = path.contains("{campaign}") && !path.contains("{enrollment}");
        if method != "get" || !is_of_campaign {
            continue;
        }
        let path = a.fill(&path);
        for (who, own, foreign) in
            [("creator", &a.enrollment, &other), ("creator_b", &other, &a.enrollment)]
        {
            let (status, told) = play.ask(shows(who), ("get", &path), None).await;
            let said = told.to_string();
            assert!(!said.contains(foreign.as_str()), "{who} {path}: {status} {said}");
            own_rows += said.matches(own.as_str()).count();
        }
    }
    assert!(own_rows >= 5, "there was something to see: {own_rows}");
}
