//! What a creator is told of payouts: of a long one page by page, and of money that was given back after it had
//! been paid.

use serde_json::{Value, json};
use sponsorhub_sandbox::Standing;

use crate::reader::Reader;
use crate::shop::{self, order};
use crate::world::{ADA, BRAND, DAY_MS, World, text};

/// A live campaign that pays so much for each sale a day after it, and somebody in it who can be paid; its id and a
/// code.
async fn stage(world: &World, flat: i64) -> (String, String) {
    let terms = json!({
        "rates": { "sale": { "flat": [[0, flat]] } }, "clearing_days": 1, "payout_minimum": 0,
    });
    let made = shop::live(world, &terms).await;
    let (_, recipient, _) = world.post(ADA, "/recipient", &json!({})).await;
    world.sandbox.sandbox.stand(&text(&recipient["account"]), Standing::default());
    made
}

/// The campaign's payouts, oldest first.
async fn payouts(world: &World, campaign: &str) -> Vec<Value> {
    let (_, all) = world.get(BRAND, &format!("/campaigns/{campaign}/payouts")).await;
    let mut all = all["data"].as_array().expect("a list").clone();
    all.sort_by_key(|one| one["payout"].as_u64());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payout_of_many_orders_is_explained_a_page_at_a_time() {
    let world = World::start().await;
    let (campaign, code) = stage(&world, 100).await;
    for number in 1..=130 {
        order(&world, &code, number).await;
    }
    world.pass(3 * DAY_MS).await;
    let all = payouts(&world, &campaign).await;
    let seq = &all.first().expect("a payout")["payout"];
    let creator = Reader::of(&world, ADA);
    let path = format!("/creator/campaigns/{campaign}/payouts/{seq}");
    let lines = |page: &str| page.matches("data-name=\"Entry\"").count();
    let page = creator.get(&path).await.text;
    assert_eq!(lines(&page), 100, "{page}");
    assert!(page.contains("1 to 100 of 130") && page.contains("All 130 lines together"), "{page}");
    assert!(page.len() < 100_000, "{} bytes", page.len());
    let next = format!("{path}?line=100");
    assert!(page.contains(&format!("href=\"{next}\"")), "{page}");
    for last in [next, format!("{path}?line=9999")] {
        let page = creator.get(&last).await.text;
        assert_eq!(lines(&page), 30, "{last}: {page}");
        assert!(page.contains("101 to 130 of 130") && !page.contains("More lines"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_back_after_it_was_paid_is_told_where_it_counts() {
    let world = World::start().await;
    let (campaign, code) = stage(&world, 2_000).await;
    order(&world, &code, 1).await;
    world.pass(3 * DAY_MS).await;
    let refund = json!({
        "external_id": "R-1", "reverses": "A-1", "amount": 10_000, "currency": "USD",
    });
    let told =
        world.sandbox.sandbox.refund(&serde_json::from_value(refund).expect("a refund")).await;
    assert_eq!(told.expect("reported").status, 200);
    world.pass(60_000).await;
    order(&world, &code, 2).await;
    world.pass(3 * DAY_MS).await;
    let all = payouts(&world, &campaign).await;
    let amounts: Vec<_> = all.iter().map(|one| one["amount"]["amount"].clone()).collect();
    assert_eq!(amounts, [json!(2_000), json!(1_000)], "half of the second pays off the first");
    let creator = Reader::of(&world, ADA);
    let here = format!("/creator/campaigns/{campaign}");
    let page_of = async |payout: &Value| {
        creator.get(&format!("{here}/payouts/{}", payout["payout"])).await.text
    };
    let page = page_of(&all[0]).await;
    let note = "given back; given back after it was paid: 20.00 USD are paid off by later earnings";
    assert!(page.contains(note), "{page}");
    let page = page_of(&all[1]).await;
    let note = "10.00 USD of it paid off what had been given back after it was paid";
    assert!(page.contains(note), "{page}");
    let statement = creator.get(&format!("{here}/statement")).await.text;
    for (row, amount) in [
        ("Earned, without what was given back", "20.00"),
        ("and what had been paid before it was given back", "20.00"),
        ("less what later earnings paid off of that", "10.00"),
        ("Paid, on its way or still to be paid", "30.00"),
    ] {
        let row =
            format!("<th scope=\"row\">{row}</th><td class=\"n\"><span class=\"money\">{amount}");
        assert!(statement.contains(&row), "{row}: {statement}");
    }
    assert!(statement.contains("Later earnings here still pay off"), "{statement}");
    let file = creator.get(&format!("{here}/statement.csv")).await.text;
    let columns = "\"20.00\",\"10.00\",\"0.00\"";
    assert!(
        file.lines().any(|line| line.contains(columns)),
        "earned, paid off, clawed back: {file}"
    );
}
