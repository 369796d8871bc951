//! Money comes in, comes late, and is taken away again.

use reqwest::{Method, StatusCode};
use serde_json::json;
use sponsorhub_sandbox::{Method as PayBy, Outcome};

use crate::world::{BRAND, DAY_MS, World, text};

/// INV-9 over the wire: a page that was left, a bank debit that is under way, one that fails, one that
/// comes, and an event that nobody signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_campaign_is_live_before_its_money_is_there() {
    let world = World::start().await;
    world.join(BRAND).await;
    for outcome in [Outcome::Fail, Outcome::Succeed] {
        let campaign = world.campaign(BRAND).await;
        let launch = format!("/campaigns/{campaign}/launch");
        let refused = async |why: &str| {
            let (status, body, _) = world.post(BRAND, &launch, &json!({})).await;
            assert_eq!(status, StatusCode::CONFLICT, "{why}: {body}");
        };
        refused("nothing was paid").await;
        let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
        let path = format!("/campaigns/{campaign}/deposits");
        let (status, deposit, _) = world.post(BRAND, &path, &amount).await;
        assert_eq!(status, StatusCode::CREATED, "{deposit}");
        let session = text(&deposit["session"]);
        refused("a page is open").await;
        let forged = json!({
            "id": "evt_forged", "object": "event", "type": "checkout.session.completed",
            "created": world.sandbox.sandbox.now_ms() / 1_000, "livemode": false,
            "data": { "object": { "id": session, "object": "checkout.session" } },
        });
        let url = format!("{}/webhooks/stripe", world.address);
        let unsigned = world.client.post(&url).json(&forged).send().await.expect("answers");
        assert_eq!(unsigned.status(), StatusCode::BAD_REQUEST);
        let tag = "t=1767614400,v1=00";
        let wrong = world.client.post(&url).header("stripe-signature", tag).json(&forged);
        assert_eq!(wrong.send().await.expect("answers").status(), StatusCode::BAD_REQUEST);
        world.pass(2_000).await;
        refused("the event was forged").await;
        world.sandbox.sandbox.pay(&session, PayBy::Delayed, outcome).expect("open");
        world.pass(2_000).await;
        refused("completed and not paid").await;
        world.sandbox.sandbox.settle(&session, None).expect("waits");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        if outcome == Outcome::Fail {
            refused("the debit failed").await;
            continue;
        }
        let (status, body, _) = world.post(BRAND, &launch, &json!({})).await;
        assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("live")), "{body}");
        // Whoever asks again is told the same.
        let (status, ..) = world.post(BRAND, &launch, &json!({})).await;
        assert_eq!(status, StatusCode::OK);
    }
}

/// Money that comes after a campaign was given up goes back, and nobody has to ask for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_comes_after_the_cancel_is_refunded() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}");
    let amount = json!({ "amount": { "amount": 7_000, "currency": "USD" } });
    let (_, deposit, _) = world.post(BRAND, &format!("{path}/deposits"), &amount).await;
    let session = text(&deposit["session"]);
    world.sandbox.sandbox.pay(&session, PayBy::Delayed, Outcome::Succeed).expect("open");
    world.pass(2_000).await;
    let (status, body, _) = world.post(BRAND, &format!("{path}/cancel"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    world.sandbox.sandbox.settle(&session, None).expect("waits");
    world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    for _ in 0..5 {
        world.pass(DAY_MS).await;
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    }
    let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
    assert_eq!(balances["accounts"]["campaign_funds"], json!(0), "{balances}");
    let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
    let refunded = deposits["data"][0]["refunded"]["amount"].as_i64().expect("an amount");
    assert!(refunded >= 7_000, "{deposits}");
}

/// A refund that somebody makes at the provider, by hand, takes the campaign's money and no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_that_was_refunded_at_the_provider_is_booked_as_gone() {
    let world = World::start().await;
    world.join(BRAND).await;
    // The provider's fee is gone, so there is too little for all of it: that refund waits.
    for (amount, state, frozen) in [(100_000, "draft", false), (104_100, "funded", true)] {
        let campaign = world.paid(BRAND, &world.terms()).await;
        let path = format!("/campaigns/{campaign}");
        let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
        let payment = text(&deposits["data"][0]["payment"]);
        let form = format!("payment_intent={payment}&amount={amount}");
        let by_hand = world.client.post(format!("{}/v1/refunds", world.sandbox.base_url));
        let by_hand = by_hand.header("content-type", "application/x-www-form-urlencoded");
        let by_hand = by_hand.bearer_auth("sk_test_api").body(form).send().await;
        assert_eq!(by_hand.expect("answers").status(), StatusCode::OK);
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (status, problem, _) = world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!((&shown["state"], &shown["is_frozen"]), (&json!(state), &json!(frozen)));
        let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
        assert_eq!(balances["difference"], json!(0), "{balances}");
    }
}

/// A disputed deposit freezes the campaign, and a lost dispute is the brand's debt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_freezes_and_its_end_is_booked() {
    let world = World::start().await;
    world.join(BRAND).await;
    for (is_won, state, provider) in [(true, "funded", false), (false, "draft", true)] {
        let campaign = world.paid(BRAND, &world.terms()).await;
        let path = format!("/campaigns/{campaign}");
        let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
        let session = text(&deposits["data"][0]["session"]);
        let dispute = world.sandbox.sandbox.dispute(&session, None).expect("paid");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!(shown["is_frozen"], json!(true), "{shown}");
        assert!(world.sandbox.sandbox.close_dispute(&dispute, is_won), "it was open");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!((&shown["is_frozen"], &shown["state"]), (&json!(false), &json!(state)));
        let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
        let accounts = &balances["accounts"];
        assert_eq!(accounts["provider"] == json!(0), provider, "{balances}");
        assert_eq!(balances["difference"], json!(0));
    }
}

/// The answer to the opening of a page was lost: the same key finds the page, whatever happened since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_whose_answer_was_lost_is_found_again() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}/deposits");
    let fault = json!({ "method": "POST", "path": "/v1/checkout/sessions", "fault": "cut_after" });
    let script = format!("{}/_control/faults", world.sandbox.base_url);
    let script = world.client.post(script).json(&json!({ "faults": [fault] }));
    assert_eq!(script.send().await.expect("answers").status(), StatusCode::OK);
    let amount = json!({ "amount": { "amount": 7_000, "currency": "USD" } });
    let (status, ..) = world.ask(BRAND, (Method::POST, &path), Some(&amount), Some("d1")).await;
    // Tried again at once, or left to whoever asked: both are right.
    let other = json!({ "amount": { "amount": 9_000, "currency": "USD" } });
    let (between, ..) = world.ask(BRAND, (Method::POST, &path), Some(&other), Some("d2")).await;
    assert_eq!(between, StatusCode::CREATED, "another entry");
    let (again, deposit, _) =
        world.ask(BRAND, (Method::POST, &path), Some(&amount), Some("d1")).await;
    assert_eq!(again, StatusCode::CREATED, "after {status}: {deposit}");
}

/// What came in is somewhere: on the money map too, the provider's part included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_money_map_says_what_the_provider_kept() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let url = format!("{}/brand/campaigns/{campaign}/money", world.address);
    let bearer = world.token(BRAND.0, BRAND.1);
    let page = world.client.get(url).bearer_auth(bearer).send().await.expect("answers");
    let page = page.text().await.expect("text");
    let row = page.split("<tr>").find(|row| row.contains("Provider&#39;s fees"));
    assert!(row.is_some_and(|row| row.contains("30.49")), "{page}");
}
