//! Money out: connected accounts, onboarding, transfers and their reversals.

use serde_json::json;
use sponsorhub_sandbox::{Capability, Method, Outcome, Standing};

use crate::world::{DAY_MS, World, array, text};

#[tokio::test]
async fn an_account_cannot_be_paid_before_it_is_onboarded() {
    let world = World::new().await;
    let form =
        "type=express&country=US&email=c@example.com&capabilities[transfers][requested]=true";
    let account = world.post("/v1/accounts", form).await.ok();
    assert_eq!(account["capabilities"]["transfers"], "inactive");
    assert_eq!(account["payouts_enabled"], json!(false));
    assert_ne!(account["requirements"]["currently_due"], json!([]));
    let id = text(&account["id"]);
    let charge = world.charge(10_000).await;
    let transfer = format!("amount=100&currency=usd&destination={id}&source_transaction={charge}");
    let refused = world.post("/v1/transfers", &transfer).await;
    assert_eq!(refused.code(), "insufficient_capabilities_for_transfer");
    let path = format!("/_control/accounts/{id}/onboard");
    let account = world.control(&path, json!({})).await.ok();
    assert_eq!(account["capabilities"]["transfers"], "active");
    assert_eq!(account["requirements"]["currently_due"], json!([]));
    world.post("/v1/transfers", &transfer).await.ok();
    let closed = Standing { transfers: Capability::Inactive, ..Standing::default() };
    assert!(world.sandbox().stand(&id, closed).is_some());
    let refused = world.post("/v1/transfers", &transfer).await;
    assert_eq!(refused.code(), "insufficient_capabilities_for_transfer");
}

#[tokio::test]
async fn an_onboarding_link_works_once_and_for_five_minutes() {
    let world = World::new().await;
    let form = "type=express&capabilities[transfers][requested]=true";
    let account = text(&world.post("/v1/accounts", form).await.ok()["id"]);
    let link = format!(
        "account={account}&type=account_onboarding&refresh_url=http://p/again&return_url=http://p/back"
    );
    let first = world.post("/v1/account_links", &link).await.ok();
    let lives = first["expires_at"].as_i64().zip(first["created"].as_i64());
    assert_eq!(lives.map(|(end, start)| end - start), Some(300));
    let path = text(&first["url"]).replace(&world.running.base_url, "");
    assert!(world.get(&path).await.text.contains("Finish"));
    let again = world.get(&path).await;
    assert_eq!((again.status, again.header("location")), (303, "http://p/again"));
    let left = world.post(&format!("{path}/leave"), "has_finished=true").await;
    assert_eq!((left.status, left.header("location")), (303, "http://p/back"));
    let kept = world.get(&format!("/v1/accounts/{account}")).await.ok();
    assert_eq!(kept["details_submitted"], json!(true));
    assert_eq!(world.events().await, ["capability.updated", "account.updated"]);

    let late = world.post("/v1/account_links", &link).await.ok();
    world.advance(301_000);
    let late = world.get(&text(&late["url"]).replace(&world.running.base_url, "")).await;
    assert_eq!((late.status, late.header("location")), (303, "http://p/again"));
}

#[tokio::test]
async fn leaving_the_page_behind_a_link_without_finishing_changes_nothing() {
    let world = World::new().await;
    let form = "type=express&capabilities[transfers][requested]=true";
    let account = text(&world.post("/v1/accounts", form).await.ok()["id"]);
    let link = format!(
        "account={account}&type=account_onboarding&refresh_url=http://p/again&return_url=http://p/back"
    );
    let link = world.post("/v1/account_links", &link).await.ok();
    let path = text(&link["url"]).replace(&world.running.base_url, "");
    world.get(&path).await;
    let left = world.post(&format!("{path}/leave"), "has_finished=false").await;
    assert_eq!(left.header("location"), "http://p/back");
    let kept = world.get(&format!("/v1/accounts/{account}")).await.ok();
    assert_eq!(kept["details_submitted"], json!(false));
}

#[tokio::test]
async fn a_plain_transfer_spends_available_money_only() {
    let world = World::new().await;
    let creator = world.creator().await;
    world.charge(10_000).await;
    world.advance(1_000);
    let form = |amount: i64| format!("amount={amount}&currency=usd&destination={creator}");
    let refused = world.post("/v1/transfers", &form(100)).await;
    let expected =
        (400, "invalid_request_error".into(), "balance_insufficient".into(), String::new());
    assert_eq!(refused.refusal(), expected);
    world.advance(2 * DAY_MS);
    assert_eq!(world.post("/v1/transfers", &form(9_681)).await.code(), "balance_insufficient");
    let transfer = world.post("/v1/transfers", &form(9_680)).await.ok();
    assert_eq!((&transfer["reversed"], &transfer["amount"]), (&json!(false), &json!(9_680)));
    assert_eq!(world.get("/v1/balance").await.ok()["available"][0]["amount"], json!(0));
}

#[tokio::test]
async fn transfers_from_one_charge_do_not_wait_and_never_exceed_it() {
    let world = World::new().await;
    let creator = world.creator().await;
    let charge = world.charge(10_000).await;
    let form = |amount: i64| {
        format!("amount={amount}&currency=usd&destination={creator}&source_transaction={charge}")
    };
    let first = world.post("/v1/transfers", &form(6_000)).await.ok();
    assert_eq!(first["transfer_group"], "cmp_1", "the charge's");
    let refused = world.post("/v1/transfers", &form(4_001)).await;
    assert_eq!(refused.refusal().3, "source_transaction");
    world.post("/v1/transfers", &form(4_000)).await.ok();
    assert_eq!(world.post("/v1/transfers", &form(1)).await.status, 400);
    let euro = form(1).replace("usd", "eur");
    assert_eq!(world.post("/v1/transfers", &euro).await.refusal().3, "currency");
    let strange = form(1).replace(&charge, "ch_nobody");
    let refused = world.post("/v1/transfers", &strange).await.refusal();
    assert_eq!((refused.0, refused.2.as_str()), (400, "resource_missing"));
}

#[tokio::test]
async fn reversals_give_back_until_nothing_is_left_and_free_their_charge() {
    let world = World::new().await;
    let creator = world.creator().await;
    let charge = world.charge(10_000).await;
    let form =
        format!("amount=10000&currency=usd&destination={creator}&source_transaction={charge}");
    let transfer = text(&world.post("/v1/transfers", &form).await.ok()["id"]);
    let path = format!("/v1/transfers/{transfer}/reversals");
    let part = world.post(&path, "amount=4000&metadata[why]=test").await.ok();
    assert_eq!((&part["amount"], &part["transfer"]), (&json!(4_000), &json!(transfer)));
    assert_eq!(world.post(&path, "amount=6001").await.refusal().3, "amount");
    world.post(&path, "").await.ok();
    assert_eq!(world.post(&path, "").await.status, 400);
    let kept = world.get(&format!("/v1/transfers/{transfer}")).await.ok();
    assert_eq!((&kept["amount_reversed"], &kept["reversed"]), (&json!(10_000), &json!(true)));
    assert_eq!(kept["reversals"]["data"][0]["amount"], json!(6_000));
    assert_eq!(kept["reversals"]["total_count"], json!(2));
    let list = world.get(&path).await.ok();
    assert_eq!(array(&list["data"]).len(), 2);
    world.post("/v1/transfers", &form).await.ok();
}

#[tokio::test]
async fn transfers_are_listed_by_group_and_destination_newest_first() {
    let world = World::new().await;
    let (one, two) = (world.creator().await, world.creator().await);
    let charge = world.charge(10_000).await;
    for (creator, group, payout) in
        [(&one, "a", "pay_1"), (&two, "a", "pay_2"), (&one, "a", "pay_3"), (&one, "b", "pay_4")]
    {
        let form = format!(
            "amount=100&currency=usd&destination={creator}&source_transaction={charge}\
             &transfer_group={group}&metadata[payout_id]={payout}"
        );
        world.post("/v1/transfers", &form).await.ok();
    }
    let list = world.get(&format!("/v1/transfers?transfer_group=a&destination={one}")).await.ok();
    let payouts: Vec<String> =
        array(&list["data"]).iter().map(|one| text(&one["metadata"]["payout_id"])).collect();
    assert_eq!(payouts, ["pay_3", "pay_1"]);
    let first = world.get("/v1/transfers?limit=3").await.ok();
    assert_eq!(first["has_more"], json!(true));
    let cursor = text(&first["data"][2]["id"]);
    let rest = world.get(&format!("/v1/transfers?limit=3&starting_after={cursor}")).await.ok();
    assert_eq!(rest["data"][0]["metadata"]["payout_id"], "pay_1");
    assert_eq!(rest["has_more"], json!(false));
}

#[tokio::test]
async fn the_account_of_truth_counts_transfers_by_payout_and_adds_up_to_the_balance() {
    let world = World::new().await;
    let creator = world.creator().await;
    let charge = world.charge(10_000).await;
    let form = format!(
        "amount=1000&currency=usd&destination={creator}&source_transaction={charge}\
         &metadata[payout_id]=pay_1"
    );
    let transfer = text(&world.post_with_key("/v1/transfers", &form, "k1").await.ok()["id"]);
    world.post_with_key("/v1/transfers", &form, "k1").await.ok();
    world.post_with_key("/v1/transfers", &form, "k2").await.ok();
    world.post(&format!("/v1/transfers/{transfer}/reversals"), "amount=300").await.ok();
    world.post("/v1/refunds", &format!("charge={charge}&amount=50")).await.ok();
    world.advance(3 * DAY_MS);
    let ledger = world.get("/_control/ledger").await.ok();
    let payout = &ledger["payouts"]["pay_1"];
    assert_eq!(payout["transfers"], json!(2), "paid twice, and it is seen");
    assert_eq!((&payout["amount"], &payout["reversed"]), (&json!(2_000), &json!(300)));
    let movements = array(&ledger["movements"]);
    let kinds: Vec<String> = movements.iter().map(|one| text(&one["kind"])).collect();
    let expected = ["charge", "transfer", "transfer", "transfer_reversal", "fee", "refund"];
    assert_eq!(kinds, expected);
    assert_eq!(movements[1]["idempotency_key"], "k1");
    let sum: i64 = movements.iter().map(|one| one["amount"].as_i64().expect("an amount")).sum();
    assert_eq!(ledger["balance"]["available"][0]["amount"], json!(sum));
    assert_eq!(ledger["balance"]["pending"][0]["amount"], json!(0));
}

#[tokio::test]
async fn a_failed_debit_takes_back_what_was_passed_on_from_it() {
    let world = World::new().await;
    let creator = world.creator().await;
    let session = world.open_session(5_000).await;
    world.sandbox().pay(&session, Method::Delayed, Outcome::Fail).expect("on its way");
    let charge = text(&world.get("/v1/charges").await.ok()["data"][0]["id"]);
    let form = format!("amount=500&currency=usd&destination={creator}&source_transaction={charge}");
    let transfer = text(&world.post("/v1/transfers", &form).await.ok()["id"]);
    world.advance(4 * DAY_MS);
    let kept = world.get(&format!("/v1/transfers/{transfer}")).await.ok();
    assert_eq!(kept["reversed"], json!(true));
    let refused = world.post("/v1/transfers", &form).await;
    assert_eq!(refused.refusal().3, "source_transaction", "it has failed");
}
