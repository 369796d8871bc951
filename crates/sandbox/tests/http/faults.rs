//! Faults on the way in, by a script.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, array, text};

async fn ready() -> (World, String) {
    let world = World::new().await;
    let creator = world.creator().await;
    let charge = world.charge(10_000).await;
    let form = format!("amount=100&currency=usd&destination={creator}&source_transaction={charge}");
    (world, form)
}

async fn script(world: &World, fault: serde_json::Value) {
    let mut line = json!({ "method": "POST", "path": "/v1/transfers" });
    line.as_object_mut().expect("an object").extend(fault.as_object().expect("an object").clone());
    world.control("/_control/faults", json!({ "faults": [line] })).await.ok();
}

async fn transfers(world: &World) -> usize {
    array(&world.get("/v1/transfers").await.ok()["data"]).len()
}

#[tokio::test]
async fn a_cut_before_the_effect_leaves_nothing_and_one_after_it_leaves_the_answer() {
    let (world, form) = ready().await;
    script(&world, json!({ "fault": "cut_before" })).await;
    assert!(world.try_post("/v1/transfers", &form, Some("k")).await.is_err());
    assert_eq!(transfers(&world).await, 0);
    script(&world, json!({ "fault": "cut_after" })).await;
    assert!(world.try_post("/v1/transfers", &form, Some("k")).await.is_err());
    assert_eq!(transfers(&world).await, 1);
    let answer = world.post_with_key("/v1/transfers", &form, "k").await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    assert_eq!(transfers(&world).await, 1);
    let faults = world.get("/_control/faults").await.ok();
    assert_eq!(faults, json!({ "waiting": [], "happened": 2 }));
}

#[tokio::test]
async fn a_request_whose_client_hung_up_happens_all_the_same() {
    let (world, form) = ready().await;
    script(&world, json!({ "fault": "hang_before", "ms": 200 })).await;
    let sent = world.try_post("/v1/transfers", &form, Some("k"));
    assert!(tokio::time::timeout(Duration::from_millis(50), sent).await.is_err());
    assert_eq!(transfers(&world).await, 0);
    // While it runs, the key is in use.
    let refused = world.post_with_key("/v1/transfers", &form, "k").await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "idempotency_key_in_use"));
    let mut looks = 0;
    while transfers(&world).await == 0 {
        looks += 1;
        assert!(looks < 1_000, "it never happened");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = world.post_with_key("/v1/transfers", &form, "k").await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    assert_eq!(transfers(&world).await, 1);
}

#[tokio::test]
async fn a_late_answer_is_of_something_that_has_happened() {
    let (world, form) = ready().await;
    script(&world, json!({ "fault": "hang_after", "ms": 60000 })).await;
    let sent = world.try_post("/v1/transfers", &form, Some("k"));
    assert!(tokio::time::timeout(Duration::from_millis(200), sent).await.is_err());
    assert_eq!(transfers(&world).await, 1);
    world.post_with_key("/v1/transfers", &form, "k").await.ok();
}

#[tokio::test]
async fn a_stored_500_is_given_again_whether_or_not_it_happened() {
    for (effect, expected) in [(false, 0), (true, 1)] {
        let (world, form) = ready().await;
        script(&world, json!({ "fault": "stored_500", "effect": effect })).await;
        for replayed in ["", "true"] {
            let answer = world.post_with_key("/v1/transfers", &form, "k").await;
            assert_eq!((answer.status, answer.refusal().1.as_str()), (500, "api_error"));
            assert_eq!(answer.header("idempotent-replayed"), replayed);
        }
        assert_eq!(transfers(&world).await, expected);
    }
}

#[tokio::test]
async fn limits_and_conflicts_are_not_kept_under_the_key() {
    for (fault, status, code) in
        [("rate_limited", 429, "rate_limit"), ("conflict", 409, "lock_timeout")]
    {
        let (world, form) = ready().await;
        script(&world, json!({ "fault": fault, "times": 2 })).await;
        for _ in 0..2 {
            let answer = world.post_with_key("/v1/transfers", &form, "k").await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
        }
        let answer = world.post_with_key("/v1/transfers", &form, "k").await;
        assert_eq!(answer.header("idempotent-replayed"), "");
        text(&answer.ok()["id"]);
    }
}

#[tokio::test]
async fn faults_outside_the_provider_are_plain_and_drivers_meet_none() {
    let world = World::new().await;
    let all = json!({ "faults": [
        { "path": "/", "fault": "stored_500" }, { "path": "/.well-known", "fault": "rate_limited" },
        { "path": "/.well-known", "fault": "cut_before" },
    ]});
    world.control("/_control/faults", all).await.ok();
    world.get("/_control/clock").await.ok();
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 500);
    assert_eq!(world.get("/.well-known/jwks.json").await.status, 429);
    world.sandbox().clear_faults();
    world.get("/.well-known/jwks.json").await.ok();
    let wrong = json!({ "faults": [{ "path": "/", "fault": "flood" }] });
    assert_eq!(world.control("/_control/faults", wrong).await.status, 400);
}
