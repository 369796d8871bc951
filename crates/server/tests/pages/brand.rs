//! What a brand's pages say of orders that wait, of what was given back, and of how its budget is used up; and
//! that its tables show what was asked for.

use serde_json::json;

use crate::cast::{shows, start};
use crate::reader::Reader;
use crate::shop::{self, order};
use crate::world::{ADA, ADMIN, BRAND, DAY_MS, World, text};

/// A live campaign of 50.00 USD that pays 20.00 for each sale, and somebody in it; its address and a code.
async fn stage(world: &World) -> (String, String) {
    let terms = json!({
        "budget": 5_000, "rates": { "sale": { "flat": [[0, 2_000]] } }, "on_exhausted": "record",
    });
    shop::live(world, &terms).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_sees_which_orders_wait_for_a_decision_and_which_for_funds() {
    let world = World::start().await;
    let (campaign, code) = stage(&world).await;
    let brand = Reader::of(&world, BRAND);
    let here = format!("/brand/campaigns/{campaign}");
    let page = brand.get(&format!("{here}/holds")).await.text;
    assert_eq!(page.matches("<p class=\"soft\">None.</p>").count(), 2, "{page}");
    assert!(
        page.contains("None: the budget met all of them.")
            && page.contains("No order was given back.")
    );
    let mut orders = Vec::new();
    for number in 1..=4 {
        orders.push(order(&world, &code, number).await);
        world.pass(60_000).await;
    }
    // Two are met, the third in part, and the last not at all.
    let page = brand.get(&format!("{here}/holds")).await.text;
    let row = |seq: u64, waits: &str| {
        format!(
            "<tr><td class=\"n\">{seq}</td><td>{}</td><td class=\"n\"><span class=\"money\">100.00\u{a0}<span class=\"code\">USD</span></span></td><td class=\"n\"><span class=\"money\">{waits}",
            ADA.0
        )
    };
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    let unmet = balances["unmet_demand"]["amount"].as_i64().expect("an amount");
    let last = cost(&world, &campaign).await;
    let third = unmet - last;
    let money = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
    assert!(page.contains(&row(orders[3], &money(last))), "{last}: {page}");
    assert!(page.contains(&row(orders[2], &money(third))), "{third}: {page}");
    assert!(!page.contains(&row(orders[1], "")), "what is met does not wait");
    let all = format!(
        "<td>{}</td><td class=\"n\">2</td><td class=\"n\"><span class=\"money\">{}",
        ADA.0,
        money(unmet)
    );
    assert!(page.contains(&all), "{all}: {page}");
    let overview = brand.get(&here).await.text;
    assert!(overview.contains("The budget is used up."), "{overview}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_doubts_an_order_lets_it_count_after_all_and_sees_what_was_given_back() {
    let world = World::start().await;
    let (campaign, code) = stage(&world).await;
    let brand = Reader::of(&world, BRAND);
    let here = format!("/brand/campaigns/{campaign}");
    let first = order(&world, &code, 1).await.to_string();
    world.pass(60_000).await;
    let action = format!("{here}/holds");
    let page = brand.get(&action).await;
    let key = page.key_of(&action);
    let doubt =
        [("key", key.as_str()), ("conversion", &first), ("reason", "too good <to> be true")];
    let seen = brand.post(&action, &doubt).await;
    assert_eq!(seen.location(), format!("{here}/holds?done=doubted"), "{}", seen.text);
    let page = brand.get(&action).await;
    assert!(page.text.contains("too good &#60;to&#62; be true"), "{}", page.text);
    let release = format!("{here}/holds/{first}/release");
    let seen = brand.post(&release, &[("key", &page.key_of(&release))]).await;
    assert_eq!(seen.location(), format!("{here}/holds?done=release"), "{}", seen.text);
    world.pass(60_000).await;
    let page = brand.get(&action).await.text;
    let (open, settled) = page.split_once("Doubts that are settled").expect("both");
    assert!(!open.contains("too good") && settled.contains("too good"), "{page}");
    let refused = brand.post(&action, &doubt[1..]).await;
    assert_eq!(refused.status.as_u16(), 409, "once: {}", refused.text);
    let wrong = brand.post(&action, &[("conversion", "first"), ("reason", "x")]).await;
    assert!(wrong.text.contains("<strong>Entry</strong>"), "{}", wrong.text);
    assert!(wrong.text.contains("value=\"first\"") && wrong.text.contains("Send it again"));
    // Given back: it stands there, with the order that it was.
    let refund = json!({
        "external_id": "R-1", "reverses": "A-1", "amount": 4_000, "currency": "USD",
    });
    let told =
        world.sandbox.sandbox.refund(&serde_json::from_value(refund).expect("a refund")).await;
    assert_eq!(told.expect("reported").status, 200);
    let page = brand.get(&action).await.text;
    let given_back = format!(
        "<td data-name=\"Of the order\">entry {first}</td><td class=\"n\" data-name=\"Amount\"><span class=\"money\">40.00"
    );
    assert!(page.contains(&given_back), "{page}");
}

/// What an order costs the brand: 20.00 and the platform's fee on it, as the terms have it.
async fn cost(world: &World, campaign: &str) -> i64 {
    let (_, shown) = world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    let bps = shown["terms"]["platform_fee_bps"].as_i64().expect("a share");
    2_000 + 2_000 * bps / 10_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_campaign_says_until_when_its_budget_lasts() {
    let world = World::start().await;
    let (campaign, code) = stage(&world).await;
    let brand = Reader::of(&world, BRAND);
    let here = format!("/brand/campaigns/{campaign}");
    let page = brand.get(&here).await.text;
    assert!(page.contains("No whole day with orders lies in the last seven"), "{page}");
    order(&world, &code, 1).await;
    world.pass(DAY_MS).await;
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    let free = balances["free"]["amount"].as_i64().expect("an amount");
    // One day, one order: what is left lasts for as many whole days as it has such parts.
    let days = free / cost(&world, &campaign).await;
    let page = brand.get(&here).await.text;
    assert_eq!(days, 1, "{balances}");
    let said = "At the pace of the last whole day they last until about 7 Jan 2026.";
    assert!(page.contains(said), "{page}");
    assert!(page.contains("<polyline class=\"to-come\""), "{page}");
    let draft = world.campaign(BRAND).await;
    let page = brand.get(&format!("/brand/campaigns/{draft}")).await.text;
    assert!(page.contains("Once the campaign is live, it stands here."), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_show_what_was_asked_for_and_files_have_the_same_rows() {
    let (play, things) = start().await;
    let a = &things[0];
    let owner = Reader::new(&play.world, play.bearer(shows("owner")));
    let here = format!("/brand/campaigns/{}", a.campaign);
    let rows = |page: &str| page.matches("<tr><td data-name=\"Entry\"").count();
    let get = async |rest: &str| owner.get(&format!("{here}{rest}")).await.text;
    assert_eq!(rows(&get("/conversions").await), 1);
    let accepted = get("/conversions?result=accepted").await;
    assert_eq!(rows(&accepted), 1);
    assert!(accepted.contains("<option value=\"accepted\" selected>"), "{accepted}");
    let file = format!("{here}/conversions.csv?result=accepted");
    assert!(accepted.contains(&format!("href=\"{file}\"")), "{accepted}");
    assert_eq!(owner.get(&file).await.text.lines().count(), 2);
    let held = get("/conversions?result=held&enrollment=").await;
    assert!(held.contains("Nothing is like that.") && rows(&held) == 0, "{held}");
    assert_eq!(get("/conversions.csv?result=held").await.lines().count(), 1, "its head alone");
    let theirs = format!("/conversions?enrollment={}", a.enrollment);
    assert_eq!(rows(&get(&theirs).await), 1);
    let nobody = get("/conversions?enrollment=enr_00000000000000000000000000").await;
    assert_eq!(rows(&nobody), 0, "whom nobody knows has no rows");
    let ledger = get("/ledger?kind=payout").await;
    assert!(ledger.contains("payout.planned") && !ledger.contains("deposit.confirmed"), "{ledger}");
    assert!(ledger.contains("<option value=\"payout\" selected>"), "{ledger}");
    assert!(get("/ledger?kind=nothing").await.contains("Nothing is like that."));
    // Of a reader who may only look, no form is shown.
    let viewer = Reader::new(&play.world, play.bearer(shows("viewer")));
    let page = viewer.get(&format!("{here}/holds")).await;
    assert!(!page.text.contains("Doubt another order"), "{}", page.text);
    let (status, _) = play.world.get(ADMIN, &format!("/campaigns/{}/holds", a.campaign)).await;
    assert_eq!(status, 200);
}

/// Orders count at once, whenever the next rollup is; and what is shown of a held order is the creator's part of it
/// everywhere, without the platform's fee.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_counts_before_the_rollup_and_earns_the_same_on_every_page() {
    let world = World::start().await;
    let (campaign, code) = stage(&world).await;
    let brand = Reader::of(&world, BRAND);
    let here = format!("/brand/campaigns/{campaign}");
    let first = order(&world, &code, 1).await;
    world.pass(60_000).await;
    let doubt = json!({ "conversion": first, "reason": "too good" });
    let (status, told, _) =
        world.post(BRAND, &format!("/campaigns/{campaign}/holds"), &doubt).await;
    assert_eq!(status.as_u16(), 201, "{told}");
    world.pass(60_000).await;
    let earned = |page: &str, name: &str| {
        let (_, rest) = page.split_once(&format!("<dt>{name}</dt><dd>")).expect("a figure");
        rest.split_once('\u{a0}').expect("an amount").0.replace("<span class=\"money\">", "")
    };
    let page = brand.get(&here).await.text;
    assert_eq!(earned(&page, "Earned by creators"), "20.00", "{page}");
    let funds = brand.get(&format!("/c/{campaign}")).await.text;
    assert_eq!(earned(&funds, "Earned by creators"), "20.00", "{funds}");
    let map = brand.get(&format!("{here}/money")).await.text;
    assert!(map.contains(&format!("aria-label=\"Owed to {}, 20.00 USD\"", ADA.0)), "{map}");
    // Nothing is rolled up any more, and the next order is there all the same.
    world.post(ADMIN, "/workers/rollup/pause", &json!({})).await;
    world.pass(60_000).await;
    order(&world, &code, 2).await;
    let page = brand.get(&here).await.text;
    assert!(page.contains("<dt>Orders</dt><dd>2</dd>"), "{page}");
    assert!(page.contains("What 1 of the orders earns is counted with the next rollup"), "{page}");
    let operator = Reader::of(&world, ADMIN);
    world.pass(60_000).await;
    let workers = operator.get("/admin/workers").await.text;
    let (_, rollup) = workers.split_once("<strong>rollup</strong>").expect("a job");
    let (_, waits) = rollup.split_once("data-name=\"Waits\">").expect("a cell");
    let waits = waits.split_once("<br>").map(|(count, _)| count.parse::<u64>());
    assert!(waits.is_some_and(|count| count.is_ok_and(|count| count > 0)), "{workers}");
}

/// What was taken back proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_funds_counts_no_money_that_left_again() {
    let world = World::start().await;
    let (campaign, code) = stage(&world).await;
    order(&world, &code, 1).await;
    world.pass(60_000).await;
    let guest = Reader::of(&world, BRAND);
    let proof = format!("/c/{campaign}");
    assert!(
        guest
            .get(&proof)
            .await
            .text
            .contains("<dt>Paid in and confirmed</dt><dd><span class=\"money\">5")
    );
    let (_, deposits) = world.get(BRAND, &format!("/campaigns/{campaign}/deposits")).await;
    let session = text(&deposits["data"][0]["session"]);
    let control = format!("{}/_control/checkout/{session}/dispute", world.sandbox.base_url);
    let disputed = world.client.post(control).json(&json!({})).send().await.expect("answers");
    assert!(disputed.status().is_success(), "{:?}", disputed.text().await);
    world.pass(60_000).await;
    let page = guest.get(&proof).await.text;
    assert!(
        page.contains("Frozen by a dispute") && page.contains("A deposit was taken back."),
        "{page}"
    );
    assert!(
        page.contains("<dt>Paid in and confirmed</dt><dd><span class=\"money\">0.00"),
        "{page}"
    );
    assert!(
        !page.contains("Not for orders"),
        "a dispute freezes it, and gives nothing back: {page}"
    );
    // Nobody is asked to work for it.
    let other = Reader::of(&world, ("finn", "creator"));
    world.join(("finn", "creator")).await;
    let offered = other.get("/creator/campaigns").await.text;
    assert!(
        offered.contains("A deposit is disputed.") && !offered.contains("Join by these terms"),
        "{offered}"
    );
}
