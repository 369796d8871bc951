//! What needs a person, and what needs two of them; and money that others send back.

use reqwest::Method;
use serde_json::{Value, json};
use sponsorhub_sandbox::FaultLine;

use crate::faults::{self, HOUR_MS};
use crate::world::{ADA, ADMIN, BRAND, DAY_MS, OTHER_ADMIN, World, code, text};

/// A cancelled campaign whose refund the provider does not answer for; its id and the refund's name.
pub(crate) async fn with_refund(world: &World) -> (String, u64) {
    let campaign = world.paid(BRAND, &world.terms()).await;
    let hang = json!({ "method": "POST", "path": "/v1/refunds", "fault": "rate_limited", "times": 1_000_000 });
    let hang: FaultLine = serde_json::from_value(hang).expect("a fault");
    world.sandbox.sandbox.script_faults(vec![hang]);
    let (status, body, _) =
        world.post(BRAND, &format!("/campaigns/{campaign}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{body}");
    world.pass(10_000).await;
    let refund = refunds(world, &campaign).await;
    assert_eq!(refund["state"], "planned", "{refund}");
    let (_, kept) = world.get(ADMIN, &format!("/campaigns/{campaign}/exchanges")).await;
    let sending = &kept["data"][0];
    assert_eq!(text(&sending["key"]), format!("refund:{campaign}:{}", refund["refund"]));
    assert_eq!((&sending["planned"], &sending["outcome"]), (&refund["refund"], &json!("unknown")));
    assert!(text(&sending["provider_requests"][0]).starts_with("req_"), "{sending}");
    (campaign, refund["refund"].as_u64().expect("a name"))
}

async fn refunds(world: &World, campaign: &str) -> Value {
    let (status, page) = world.get(BRAND, &format!("/campaigns/{campaign}/refunds")).await;
    assert_eq!(status, 200, "{page}");
    page["data"][0].clone()
}

/// One operator's word, under a key of its own.
async fn say(
    world: &World,
    who: (&str, &str),
    (path, key): (&str, &str),
    body: &Value,
) -> (u16, Value) {
    let (status, answer, _) = world.ask(who, (Method::POST, path), Some(body), Some(key)).await;
    (status.as_u16(), answer)
}

async fn accounts(world: &World, campaign: &str) -> Value {
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    assert_eq!(balances["difference"], 0, "INV-1");
    balances["accounts"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_is_settled_outside_by_two_operators_and_by_no_one_alone() {
    let world = World::start().await;
    world.join(BRAND).await;
    let (campaign, refund) = with_refund(&world).await;
    let path = format!("/campaigns/{campaign}/refunds/{refund}/settle-outside");
    let wire = json!({ "reference": "wire 7" });
    // Too early for the second: what was sent a moment ago may still arrive.
    for (who, key) in [(ADMIN, "1"), (ADMIN, "2"), (OTHER_ADMIN, "3")] {
        let (status, body) = say(&world, who, (&path, key), &wire).await;
        assert_eq!((status, &body["approval"]), (200, &json!("waits")), "{body}");
    }
    // Another reference is another proposal.
    let other = json!({ "reference": "wire 8" });
    let (_, body) = say(&world, OTHER_ADMIN, (&path, "4"), &other).await;
    assert_eq!(body["approval"], "waits");
    world.pass(HOUR_MS).await;
    assert_eq!(refunds(&world, &campaign).await["state"], "planned");
    let (_, body) = say(&world, OTHER_ADMIN, (&path, "5"), &wire).await;
    assert_eq!(body["approval"], "agreed", "{body}");
    assert_eq!(refunds(&world, &campaign).await["state"], "settled_outside", "at once");
    world.sandbox.sandbox.clear_faults();
    for _ in 0..3 {
        world.pass(HOUR_MS).await;
    }
    assert_eq!(refunds(&world, &campaign).await["state"], "settled_outside");
    let there = world.sandbox.sandbox.ledger();
    let sent = there["movements"]
        .as_array()
        .map_or(0, |all| all.iter().filter(|one| one["kind"] == "refund").count());
    assert_eq!(sent, 0, "the provider sent nothing: {there}");
    let (status, body) = say(&world, ADMIN, (&path, "6"), &wire).await;
    assert_eq!((status, code(&body)), (409, "not_possible_now"), "it is over: {body}");
    let (status, body) = say(&world, BRAND, (&path, "7"), &wire).await;
    assert_eq!((status, code(&body)), (403, "forbidden"));
    let (status, body, _) = world.post(ADMIN, &path, &wire).await;
    assert_eq!((status.as_u16(), code(&body)), (400, "idempotency_key_missing"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_own_money_comes_in_by_two_operators() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}/advances");
    let own = |amount: i64, currency: &str| json!({ "amount": { "amount": amount, "currency": currency } });
    for (body, field) in [(own(0, "USD"), "amount.amount"), (own(1, "EUR"), "amount.currency")] {
        let (status, problem) = say(&world, ADMIN, (&path, field), &body).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{problem}");
    }
    let (_, first) = say(&world, ADMIN, (&path, "1"), &own(5_000, "USD")).await;
    assert_eq!((&first["approval"], &first["deposit"]), (&json!("waits"), &Value::Null));
    let (_, other) = say(&world, OTHER_ADMIN, (&path, "2"), &own(5_001, "USD")).await;
    assert_eq!(other["approval"], "waits", "another amount is another proposal");
    assert_eq!(accounts(&world, &campaign).await["platform_advance"], 0);
    let (_, second) = say(&world, OTHER_ADMIN, (&path, "3"), &own(5_000, "USD")).await;
    assert_eq!(second["approval"], "agreed", "{second}");
    assert_eq!(accounts(&world, &campaign).await["platform_advance"], 5_000);
    let (_, page) = world.get(BRAND, &format!("/campaigns/{campaign}/deposits")).await;
    let advance = page["data"].as_array().and_then(|all| all.last()).expect("a deposit");
    assert_eq!((&advance["is_advance"], &advance["deposit"]), (&json!(true), &second["deposit"]));
    // The ledger names both, and nobody can read there who they are.
    let (_, page) = world.get(ADMIN, &format!("/campaigns/{campaign}/ledger?limit=100")).await;
    let entries = page["data"].as_array().expect("entries");
    let entry = entries.iter().find(|one| one["kind"] == "platform.advanced").expect("it is there");
    let people = entry["body"]["approved_by"].as_array().expect("two");
    assert_eq!(people.len(), 2);
    assert!(people.iter().all(|one| text(one).starts_with("opr_")), "{people:?}");
    assert_ne!(people[0], people[1]);
}

/// What leaves the provider's balance by another way is missing for creators: operators hear of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_paid_out_by_itself_is_warned_about() {
    let world = World::start().await;
    world.join(BRAND).await;
    world.paid(BRAND, &world.terms()).await;
    let holdings = async || {
        world.pass(HOUR_MS).await;
        let (_, standing) = world.get(ADMIN, "/workers").await;
        let jobs = standing["jobs"].as_array().expect("jobs").clone();
        let job = jobs.into_iter().find(|job| job["name"] == "holdings").expect("it runs");
        (job["error"].clone(), standing["holdings"][0].clone())
    };
    world.pass(3 * DAY_MS).await;
    let (error, holding) = holdings().await;
    assert_eq!((error, &holding["missing"]["amount"]), (Value::Null, &json!(0)), "{holding}");
    assert_eq!(holding["held"], holding["at_provider"], "to the cent");
    let url = format!("{}/v1/balance_settings", world.sandbox.base_url);
    let request = world.client.post(url).bearer_auth("sk_test_api");
    let daily = request.body("payments[payouts][schedule][interval]=daily").send().await;
    assert_eq!(daily.expect("answers").status(), 200);
    let (error, _) = holdings().await;
    assert!(
        error.as_str().is_some_and(|error| error.contains("set its payouts to manual")),
        "{error}"
    );
}

/// Somebody reverses a transfer in the provider's dashboard: it is owed again, and paid again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_was_reversed_at_the_provider_is_paid_again() {
    let world = World::start().await;
    world.join(BRAND).await;
    faults::shop(&world).await;
    let creators = faults::creators(&world, 1).await;
    let campaign = faults::earned(&world, &creators).await;
    world.pass(DAY_MS).await;
    world.pass(10_000).await;
    let stand = async || {
        let (_, page) = world.get(BRAND, &format!("/campaigns/{campaign}/payouts")).await;
        let all = page["data"].as_array().expect("a list").clone();
        (all.iter().map(|one| text(&one["state"])).collect::<Vec<_>>(), all)
    };
    let (paid, all) = stand().await;
    assert_eq!(paid, ["paid"]);
    let one = format!("/campaigns/{campaign}/payouts/{}", all[0]["payout"]);
    let (status, shown) = world.get((creators[0].as_str(), "creator"), &one).await;
    assert_eq!((status.as_u16(), &shown), (200, &all[0]), "the creator sees it");
    // The bank is a later fact, and the provider's.
    let own = (creators[0].as_str(), "creator");
    let (_, banked) = world.get(own, "/recipient/bank-payouts").await;
    assert_eq!(banked["data"], json!([]), "not yet");
    world.join(ADA).await;
    let (status, _) = world.get(ADA, &one).await;
    assert_eq!(status, 404, "nobody else's creator does");
    let url = format!("{}/v1/transfers?transfer_group={campaign}", world.sandbox.base_url);
    let ask = |request: reqwest::RequestBuilder| async {
        let answer = request.bearer_auth("sk_test_api").send().await.expect("answers");
        answer.json::<Value>().await.expect("JSON")
    };
    let transfers = ask(world.client.get(url)).await;
    let id = text(&transfers["data"][0]["id"]);
    let url = format!("{}/v1/transfers/{id}/reversals", world.sandbox.base_url);
    let reversal = ask(world.client.post(url)).await;
    assert_eq!(reversal["object"], "transfer_reversal", "{reversal}");
    world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    world.pass(10_000).await;
    assert_eq!(stand().await.0, ["reversed"]);
    world.pass(DAY_MS).await;
    world.pass(10_000).await;
    assert_eq!(stand().await.0, ["reversed", "paid"]);
    world.pass(4 * DAY_MS).await;
    let (_, banked) = world.get(own, "/recipient/bank-payouts").await;
    let banked: Vec<_> = banked["data"].as_array().expect("a list").iter().collect();
    assert_eq!(banked.len(), 1, "what came back did not go on: {banked:?}");
    assert_eq!((&banked[0]["state"], &banked[0]["amount"]), (&json!("paid"), &all[0]["amount"]));
    assert_eq!(accounts(&world, &campaign).await["disbursement_clearing"], 0);
}
