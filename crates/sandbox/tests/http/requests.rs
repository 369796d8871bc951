//! Keys, parameters, headers, the idempotency layer.

use axum::http::Method;
use serde_json::json;

use crate::world::{DAY_MS, World, array, request, text};

#[tokio::test]
async fn without_a_test_key_nothing_is_answered() {
    let world = World::new().await;
    for key in ["", "Bearer ", "Bearer sk_test_", "Bearer sk_live_1", "sk_test_1"] {
        let headers = [("authorization", key)];
        let sent = request(&world.url("/v1/balance"), Method::GET, &headers, String::new()).await;
        let answer = sent.expect("an answer");
        assert_eq!(answer.status, 401, "{key}");
        assert!(answer.header("request-id").starts_with("req_"));
    }
}

#[tokio::test]
async fn every_answer_names_its_request_and_version_and_echoes_the_key() {
    let world = World::new().await;
    let answer = world.get("/v1/nothing").await;
    assert_eq!(answer.status, 404);
    assert!(answer.header("request-id").starts_with("req_"));
    assert_eq!(answer.header("stripe-version"), "2026-10-28.endive");
    let answer = world.post_with_key("/v1/accounts", "type=express", "k").await;
    assert_eq!(answer.header("idempotency-key"), "k");
    assert_eq!(answer.header("idempotent-replayed"), "");
    let headers = [("authorization", "Bearer sk_test_1"), ("stripe-version", "2025-01-01.acacia")];
    let sent = request(&world.url("/v1/balance"), Method::GET, &headers, String::new()).await;
    assert_eq!(sent.expect("an answer").header("stripe-version"), "2025-01-01.acacia");
}

#[tokio::test]
async fn wrong_parameters_are_refused_by_name_and_change_nothing() {
    let world = World::new().await;
    let creator = world.creator().await;
    let good = format!("amount=100&currency=usd&destination={creator}");
    for (form, code, param) in [
        (good.replace("amount=100&", ""), "parameter_missing", "amount"),
        (good.replace("100", "1.5"), "parameter_invalid_integer", "amount"),
        (good.replace("100", "-5"), "parameter_invalid_integer", "amount"),
        (good.replace("usd", "xxx"), "parameter_invalid", "currency"),
        (format!("{good}&surprise=1"), "parameter_unknown", "surprise"),
        (format!("{good}&metadata=x"), "parameter_invalid", "metadata"),
        (format!("{good}&source_type=bank_account"), "parameter_invalid", "source_type"),
        (format!("{good}&expand[]=surprise"), "parameter_invalid", "expand"),
        (format!("{good}&transfer_group="), "parameter_invalid_empty", "transfer_group"),
    ] {
        let answer = world.post_with_key("/v1/transfers", &form, "k").await;
        let (status, kind, found, about) = answer.refusal();
        assert_eq!((status, kind.as_str()), (400, "invalid_request_error"), "{form}");
        assert_eq!((found.as_str(), about.as_str()), (code, param), "{form}");
    }
    // None of these was kept under the key, which is still free.
    assert_eq!(
        world.post_with_key("/v1/transfers", &good, "k").await.code(),
        "balance_insufficient"
    );
    let query = world.get("/v1/transfers?surprise=1").await;
    assert_eq!(query.code(), "parameter_unknown");
    let session = "mode=payment&line_items[0][price_data][currency]=usd";
    let missing = world.post("/v1/checkout/sessions", session).await.refusal();
    assert_eq!(missing.3, "line_items[0][price_data][unit_amount]");
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_one_transfer() {
    let world = World::new().await;
    let creator = world.creator().await;
    let charge = world.charge(10_000).await;
    let form = format!("amount=100&currency=usd&destination={creator}&source_transaction={charge}");
    let first = world.post_with_key("/v1/transfers", &form, "k").await;
    let second = world.post_with_key("/v1/transfers", &form, "k").await;
    assert_eq!((first.status, &first.text), (second.status, &second.text));
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_ne!(first.header("request-id"), second.header("request-id"));
    let other = form.replace("100", "101");
    let refused = world.post_with_key("/v1/transfers", &other, "k").await.refusal();
    assert_eq!((refused.0, refused.1.as_str(), refused.2.as_str()), (400, "idempotency_error", ""));
    let elsewhere = world.post_with_key("/v1/refunds", &form, "k").await.refusal();
    assert_eq!(elsewhere.1, "idempotency_error");
    assert_eq!(array(&world.get("/v1/transfers").await.ok()["data"]).len(), 1);
    let told = world.get("/v1/events?type=transfer.created").await.ok();
    assert_eq!(told["data"][0]["request"]["idempotency_key"], "k");
}

#[tokio::test]
async fn a_refusal_that_was_executed_is_given_again_even_when_money_has_come() {
    let world = World::new().await;
    let creator = world.creator().await;
    let form = format!("amount=100&currency=usd&destination={creator}");
    let first = world.post_with_key("/v1/transfers", &form, "k").await;
    assert_eq!(first.code(), "balance_insufficient");
    world.charge(10_000).await;
    world.advance(2 * DAY_MS);
    // The key was used more than a day ago, so it starts something new.
    world.post_with_key("/v1/transfers", &form, "k").await.ok();

    let form = format!("amount=1000000&currency=usd&destination={creator}");
    assert_eq!(
        world.post_with_key("/v1/transfers", &form, "l").await.code(),
        "balance_insufficient"
    );
    world.charge(9_000_000).await;
    world.advance(DAY_MS - 1);
    let replay = world.post_with_key("/v1/transfers", &form, "l").await;
    assert_eq!(replay.code(), "balance_insufficient");
    assert_eq!(replay.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn what_does_not_exist_is_missing() {
    let world = World::new().await;
    for path in [
        "/v1/checkout/sessions/cs_x",
        "/v1/payment_intents/pi_x",
        "/v1/charges/ch_x",
        "/v1/balance_transactions/txn_x",
        "/v1/accounts/acct_x",
        "/v1/transfers/tr_x",
        "/v1/transfers/tr_x/reversals",
        "/v1/refunds/re_x",
        "/v1/events/evt_x",
    ] {
        let refused = world.get(path).await.refusal();
        assert_eq!((refused.0, refused.2.as_str()), (404, "resource_missing"), "{path}");
    }
    for path in ["/v1/customers", "/v1/transfers/a/b/c", "/v1/"] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn acting_for_a_connected_account_is_refused() {
    let world = World::new().await;
    let headers = [("authorization", "Bearer sk_test_1"), ("stripe-account", "acct_1")];
    let sent = request(&world.url("/v1/balance"), Method::GET, &headers, String::new()).await;
    assert_eq!(sent.expect("an answer").refusal().2, "account_invalid");
}

#[tokio::test]
async fn the_same_seed_and_the_same_requests_give_the_same_ids() {
    let (one, two) = (World::new().await, World::new().await);
    assert_eq!(one.charge(5_000).await, two.charge(5_000).await);
    let event = one.get("/v1/events?limit=1").await.ok();
    let id = text(&event["data"][0]["id"]);
    let kept = two.get(&format!("/v1/events/{id}")).await.ok();
    assert_eq!(kept["api_version"], json!("2026-10-28.endive"));
}
