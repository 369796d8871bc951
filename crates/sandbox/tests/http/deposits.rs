//! Money in: sessions, payments by card and by delayed methods, refunds, the balance.

use serde_json::json;
use sponsorhub_sandbox::{Method, Outcome};

use crate::world::{DAY_MS, World, array, text};

#[tokio::test]
async fn a_card_payment_is_told_in_order_and_its_balance_transaction_comes_later() {
    let world = World::new().await;
    let charge = world.charge(100_000).await;
    let expected = [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ];
    assert_eq!(world.events().await, expected);
    let before = world.get(&format!("/v1/charges/{charge}")).await.ok();
    assert_eq!((&before["balance_transaction"], &before["paid"]), (&json!(null), &json!(true)));
    assert_eq!(before["transfer_group"], "cmp_1");
    assert_eq!(before["metadata"], json!({ "campaign": "cmp_1" }));

    world.advance(1_000);
    assert_eq!(world.events().await.last().map(String::as_str), Some("charge.updated"));
    let path = format!("/v1/charges/{charge}?expand[]=balance_transaction");
    let after = world.get(&path).await.ok();
    let transaction = &after["balance_transaction"];
    assert_eq!((&transaction["amount"], &transaction["fee"]), (&json!(100_000), &json!(2_930)));
    assert_eq!((&transaction["net"], &transaction["status"]), (&json!(97_070), &json!("pending")));
    let created = after["created"].as_i64().expect("seconds");
    assert_eq!(transaction["available_on"], json!(created + 2 * 86_400));
    let list = world.get("/v1/events?type=charge.succeeded").await.ok();
    let told = &list["data"][0]["data"]["object"];
    assert_eq!(told["balance_transaction"], json!(null), "an event is rendered once");
}

#[tokio::test]
async fn money_is_pending_for_two_days_and_then_available() {
    let world = World::new().await;
    world.charge(100_000).await;
    world.advance(1_000);
    let balance = world.get("/v1/balance").await.ok();
    assert_eq!(balance["pending"][0]["amount"], json!(97_070));
    assert_eq!(balance["available"][0]["amount"], json!(0));
    world.advance(2 * DAY_MS - 1_001);
    assert_eq!(world.get("/v1/balance").await.ok()["available"][0]["amount"], json!(0));
    world.advance(1);
    let balance = world.get("/v1/balance").await.ok();
    assert_eq!(balance["pending"][0]["amount"], json!(0));
    assert_eq!(balance["available"][0]["amount"], json!(97_070));
    assert_eq!(world.events().await.last().map(String::as_str), Some("balance.available"));
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open_for_another_try() {
    let world = World::new().await;
    let session = world.open_session(5_000).await;
    world.sandbox().pay(&session, Method::Card, Outcome::Fail).expect("tried");
    let kept = world.get(&format!("/v1/checkout/sessions/{session}")).await.ok();
    assert_eq!((&kept["status"], &kept["payment_status"]), (&json!("open"), &json!("unpaid")));
    let intent = text(&kept["payment_intent"]);
    let kept = world.get(&format!("/v1/payment_intents/{intent}")).await.ok();
    assert_eq!(kept["status"], "requires_payment_method");
    assert_eq!(kept["last_payment_error"]["code"], "card_declined");
    world.sandbox().pay(&session, Method::Card, Outcome::Succeed).expect("tried");
    let path = format!("/v1/checkout/sessions/{session}?expand[]=payment_intent.latest_charge");
    let kept = world.get(&path).await.ok();
    assert_eq!((&kept["status"], &kept["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!(kept["payment_intent"]["id"], json!(intent), "the same intent");
    assert_eq!(kept["payment_intent"]["latest_charge"]["status"], "succeeded");
    let again = world.sandbox().pay(&session, Method::Card, Outcome::Succeed);
    assert!(again.is_err(), "nobody pays twice");
}

#[tokio::test]
async fn a_delayed_payment_completes_unpaid_and_is_decided_after_four_days() {
    for (outcome, status, told) in [
        (Outcome::Succeed, "paid", "checkout.session.async_payment_succeeded"),
        (Outcome::Fail, "unpaid", "checkout.session.async_payment_failed"),
    ] {
        let world = World::new().await;
        let session = world.open_session(5_000).await;
        world.sandbox().pay(&session, Method::Delayed, outcome).expect("on its way");
        let path = format!("/v1/checkout/sessions/{session}");
        let kept = world.get(&path).await.ok();
        assert_eq!(kept["status"], "complete");
        assert_eq!(kept["payment_status"], "unpaid");
        let expected = [
            "payment_intent.created",
            "checkout.session.completed",
            "payment_intent.processing",
            "charge.pending",
        ];
        assert_eq!(world.events().await, expected);
        world.advance(4 * DAY_MS - 1);
        assert_eq!(world.get(&path).await.ok()["payment_status"], "unpaid");
        world.advance(1);
        assert_eq!(world.get(&path).await.ok()["payment_status"], status);
        assert!(world.events().await.contains(&told.to_owned()));
        let settled = world.sandbox().settle(&session, None);
        assert!(settled.is_err(), "decided once");
    }
}

#[tokio::test]
async fn a_driver_decides_a_delayed_payment_early_and_otherwise() {
    let world = World::new().await;
    let session = world.open_session(5_000).await;
    world.sandbox().pay(&session, Method::Delayed, Outcome::Succeed).expect("on its way");
    let path = format!("/_control/checkout/{session}/settle");
    world.control(&path, json!({ "outcome": "fail" })).await.ok();
    let tail = world.events().await.split_off(4);
    let expected =
        ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"];
    assert_eq!(tail, expected);
    world.advance(5 * DAY_MS);
    assert_eq!(world.events().await.len(), 7, "it is not decided again");
    assert_eq!(array(&world.sandbox().ledger()["movements"]).len(), 0);
}

#[tokio::test]
async fn a_session_expires_after_a_day_or_on_request_unless_it_was_paid() {
    let world = World::new().await;
    let left = world.open_session(5_000).await;
    let ended = world.open_session(5_000).await;
    let paid = world.open_session(5_000).await;
    world.sandbox().pay(&paid, Method::Card, Outcome::Succeed).expect("paid");
    let answer = world.post(&format!("/v1/checkout/sessions/{ended}/expire"), "").await.ok();
    assert_eq!((&answer["status"], &answer["url"]), (&json!("expired"), &json!(null)));
    let again = world.post(&format!("/v1/checkout/sessions/{ended}/expire"), "").await;
    assert_eq!(again.refusal().0, 400);
    world.advance(DAY_MS);
    for (session, status) in [(left, "expired"), (ended, "expired"), (paid, "complete")] {
        let kept = world.get(&format!("/v1/checkout/sessions/{session}")).await.ok();
        assert_eq!(kept["status"], status);
    }
    let list = world.get("/v1/checkout/sessions?status=expired").await.ok();
    assert_eq!(array(&list["data"]).len(), 2);
    let told = world.events().await;
    assert_eq!(told.iter().filter(|told| *told == "checkout.session.expired").count(), 2);
}

#[tokio::test]
async fn refunds_take_from_the_balance_and_never_exceed_their_charge() {
    let world = World::new().await;
    let charge = world.charge(10_000).await;
    world.charge(10_000).await;
    world.advance(1_000);
    let form = format!("charge={charge}&amount=4000&metadata[refund_id]=ref_1");
    let refund = world.post("/v1/refunds", &form).await.ok();
    assert_eq!((&refund["status"], &refund["amount"]), (&json!("succeeded"), &json!(4_000)));
    let kept = world.get(&format!("/v1/charges/{charge}")).await.ok();
    assert_eq!((&kept["amount_refunded"], &kept["refunded"]), (&json!(4_000), &json!(false)));
    let too_much = world.post("/v1/refunds", &format!("charge={charge}&amount=6001")).await;
    assert_eq!(too_much.refusal().3, "amount");
    world
        .post("/v1/refunds", &format!("payment_intent={}", text(&kept["payment_intent"])))
        .await
        .ok();
    let kept = world.get(&format!("/v1/charges/{charge}")).await.ok();
    assert_eq!((&kept["amount_refunded"], &kept["refunded"]), (&json!(10_000), &json!(true)));
    let again = world.post("/v1/refunds", &format!("charge={charge}")).await;
    assert_eq!(again.code(), "charge_already_refunded");
    let list = world.get(&format!("/v1/refunds?charge={charge}")).await.ok();
    assert_eq!(list["data"][0]["amount"], json!(6_000), "newest first");
    assert_eq!(list["data"][1]["metadata"]["refund_id"], "ref_1");
    let balance = world.get("/v1/balance").await.ok();
    assert_eq!(balance["pending"][0]["amount"], json!(2 * (10_000 - 320) - 10_000));
}

#[tokio::test]
async fn a_refund_that_the_balance_does_not_cover_waits_for_money() {
    let world = World::new().await;
    let charge = world.charge(10_000).await;
    world.advance(1_000);
    let refund = world.post("/v1/refunds", &format!("charge={charge}")).await.ok();
    assert_eq!(refund["status"], "pending", "the fee is missing");
    assert_eq!(refund["pending_reason"], "insufficient_funds");
    world.charge(10_000).await;
    world.advance(1_000);
    let path = format!("/v1/refunds/{}", text(&refund["id"]));
    assert_eq!(world.get(&path).await.ok()["status"], "succeeded");
    assert_eq!(world.events().await.last().map(String::as_str), Some("refund.updated"));
    let moved = world.sandbox().ledger();
    let refunds = array(&moved["movements"]).iter().filter(|one| one["kind"] == "refund");
    assert_eq!(refunds.count(), 1);
}

#[tokio::test]
async fn what_a_bank_has_taken_back_is_not_refunded_as_well() {
    let world = World::new().await;
    let charge = world.charge(10_000).await;
    world.advance(1_000);
    let sessions = world.get("/v1/checkout/sessions").await.ok();
    let session = text(&array(&sessions["data"])[0]["id"]);
    let sandbox = world.sandbox();
    for nothing in [0, -1, 10_001] {
        assert_eq!(sandbox.dispute(&session, Some(nothing)), None, "{nothing}");
    }
    let dispute = sandbox.dispute(&session, None).expect("paid");
    let refund = world.post("/v1/refunds", &format!("charge={charge}")).await;
    assert_eq!(refund.code(), "charge_disputed");
    assert!(sandbox.close_dispute(&dispute, false));
    assert!(!sandbox.close_dispute(&dispute, true), "it is decided once");
}
