//! What pages say of a campaign in which somebody has earned: the figures are those of the ledger.

use serde_json::json;
use sponsorhub_sandbox::{Order, ShopSettings};

use crate::cast::{shows, start};
use crate::reader::Reader;
use crate::world::{ADA, ADMIN, BRAND, DAY_MS, World, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payout_is_explained_line_by_line_and_the_money_map_adds_up() {
    let (play, things) = start().await;
    let a = &things[0];
    let creator = Reader::new(&play.world, play.bearer(shows("creator")));
    let path = format!("/creator/campaigns/{}/payouts/{}", a.campaign, a.payout);
    let page = creator.get(&path).await;
    assert_eq!(page.status.as_u16(), 200);
    let row = format!("<td class=\"n\" data-name=\"Entry\">{}</td>", a.conversion);
    assert!(page.text.contains(&row), "the order's entry is named: {}", page.text);
    let sum = "Together</th><td class=\"n\"><span class=\"money\">20.00";
    assert!(page.text.contains(sum), "{}", page.text);
    let other = Reader::new(&play.world, play.bearer(shows("creator_b")));
    assert_eq!(other.get(&path).await.status.as_u16(), 404, "a payout is its creator's to see");
    // The statement says the same, to print and as a file.
    let path = format!("/creator/campaigns/{}/statement", a.campaign);
    let page = creator.get(&path).await.text;
    for row in ["Together", "Arrived"] {
        let (_, rest) = page.split_once(&format!("{row}</th>")).expect("a sum");
        assert!(rest.starts_with("<td class=\"n\"><span class=\"money\">20.00"), "{row}: {page}");
    }
    let file = creator.get(&format!("{path}.csv")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<_> = file.text.lines().collect();
    assert_eq!(lines.len(), 3, "{}", file.text);
    let order = "\"order\",\"in a payout\",\"50.00\",\"0.00\",\"20.00\",\"20.00\",\"0.00\",\"0.00\",\"\",\"USD\",\"\"";
    assert!(lines[1].starts_with(&format!("\"{}\",", a.conversion)), "{}", file.text);
    assert!(lines[1].ends_with(order), "{}", file.text);
    assert!(lines[2].starts_with(&format!("\"{}\",", a.payout)), "{}", file.text);
    assert!(
        lines[2].contains("\"payout\",\"paid\",\"\",\"\",\"\",\"\",\"\",\"\",\"20.00\",\"USD\",")
    );
    assert_eq!(other.get(&path).await.status.as_u16(), 404, "and a statement too");
    let owner = Reader::new(&play.world, play.bearer(shows("owner")));
    let map = owner.get(&format!("/brand/campaigns/{}/money", a.campaign)).await.text;
    let amount = |after: &str| {
        let (_, rest) = map.split_once(after).expect("a row");
        let (_, rest) = rest.split_once("<span class=\"money\">").expect("an amount");
        rest.split('\u{a0}').next().expect("a number").to_owned()
    };
    assert_eq!(amount("All that came in"), "1,041.00");
    assert_eq!(amount("All that is somewhere"), "1,041.00");
    assert_eq!(amount(">Paid to creator</a>"), "20.00");
    // Every ribbon leads to its entries.
    let of_creator = format!("/brand/campaigns/{}/ledger?enrollment={}", a.campaign, a.enrollment);
    assert!(map.matches(&of_creator).count() >= 3, "in both pictures and in the table");
    let ledger = owner.get(&of_creator).await.text;
    assert!(ledger.contains("payout.planned") && ledger.contains("conversion.accepted"));
    assert!(!ledger.contains("deposit.confirmed"), "only what is about that creator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_order_is_explained_to_its_creator_and_decided_by_the_operator() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let ada = Reader::of(&world, ADA);
    // She finds it, joins, and makes a code, by her pages.
    let found = ada.get("/creator/campaigns").await;
    let action = format!("/creator/campaigns/{campaign}/join");
    let key = found.key_of(&action);
    let joined = ada.post(&action, &[("key", &key)]).await;
    assert_eq!(joined.location(), format!("/creator/campaigns/{campaign}?done=joined"));
    let here = format!("/creator/campaigns/{campaign}");
    let made = ada.post(&format!("{here}/codes"), &[("readable", "ada")]).await;
    assert_eq!(made.location(), format!("{here}?done=code"), "{}", made.text);
    let page = ada.get(&here).await.text;
    let code = page.split("data-copy=\"ADA-").nth(1).and_then(|rest| rest.split('"').next());
    let code = format!("ADA-{}", code.expect("a code"));
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let shop = json!({ "product_url": world.address, "api_key": text(&key["secret"]) });
    let shop: ShopSettings = serde_json::from_value(shop).expect("settings");
    world.sandbox.sandbox.set_shop(shop);
    let order = json!({
        "external_id": "A-1", "amount": 5_000, "currency": "USD", "code": code,
    });
    let order: Order = serde_json::from_value(order).expect("an order");
    let told = world.sandbox.sandbox.order(&order).await.expect("reported");
    let conversion = told.body["seq"].to_string();
    world.pass(2_000).await;
    let doubt = json!({ "conversion": told.body["seq"], "reason": "<b>odd</b>" });
    let (status, body, _) = world.post(BRAND, &format!("{path}/holds"), &doubt).await;
    assert!(status.is_success(), "{body}");
    world.pass(2_000).await;
    let page = ada.get(&here).await.text;
    assert!(page.contains("&#60;b&#62;odd&#60;/b&#62;"), "why it is held: {page}");
    let admin = Reader::of(&world, ADMIN);
    let queue = admin.get("/admin/holds").await;
    let action = format!("/admin/campaigns/{campaign}/holds/{conversion}/uphold");
    let key = queue.key_of(&action);
    let upheld = admin.post(&action, &[("key", &key), ("reason", "looked at it")]).await;
    assert_eq!(upheld.location(), "/admin/holds?done=uphold", "{}", upheld.text);
    world.pass(DAY_MS).await;
    assert!(admin.get("/admin/holds").await.text.contains("Nothing to review"));
    let overview = admin.get("/admin").await.text;
    assert!(overview.contains("All there") || overview.contains("Not compared yet"));
}

/// What is counted for the page is counted again where something has changed, old orders too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brands_page_keeps_up_with_orders_and_with_what_is_given_back() {
    let (play, things) = start().await;
    // The shop reports for the brand that came last.
    let (world, b) = (&play.world, &things[1]);
    let owner = Reader::new(world, play.bearer(shows("brand_b")));
    let seen = async || {
        // Refunds are entries at once, and count with the next rollup.
        world.pass(120_000).await;
        let page = owner.get(&format!("/brand/campaigns/{}", b.campaign)).await.text;
        let after = |mark: &str| {
            let (_, rest) = page.split_once(mark).unwrap_or_else(|| panic!("{mark}: {page}"));
            rest.split(['<', '\u{a0}']).next().expect("a figure").to_owned()
        };
        let sales = after("data-name=\"Sales\"><span class=\"money\">");
        (after("<dt>Orders</dt><dd>"), sales)
    };
    assert_eq!(seen().await, ("1".to_owned(), "50.00".to_owned()));
    let order = json!({
        "external_id": "second", "amount": 7_000, "currency": "USD", "code": b.fill("{code}"),
    });
    let order: Order = serde_json::from_value(order).expect("an order");
    assert_eq!(world.sandbox.sandbox.order(&order).await.expect("reported").status, 200);
    assert_eq!(seen().await, ("2".to_owned(), "120.00".to_owned()));
    for (back, order, amount) in [("r1", "b", 1_000), ("r2", "second", 2_000)] {
        let refund = json!({
            "external_id": back, "reverses": order, "amount": amount, "currency": "USD",
        });
        let refund = serde_json::from_value(refund).expect("a refund");
        let told = world.sandbox.sandbox.refund(&refund).await.expect("reported");
        assert_eq!(told.status, 200, "{}", told.body);
    }
    assert_eq!(seen().await, ("2".to_owned(), "90.00".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_sets_up_its_shop_and_tries_an_order_by_its_page() {
    let (play, things) = start().await;
    let (world, b) = (&play.world, &things[1]);
    let owner = Reader::new(world, play.bearer(shows("brand_b")));
    let page = owner.get("/brand/shop").await;
    let key = page.key_of("/brand/shop/keys");
    let issued = owner.post("/brand/shop/keys", &[("key", &key)]).await;
    let secret = |text: &str| {
        let (_, rest) = text.split_once("data-copy=\"shk_")?;
        Some(format!("shk_{}", rest.split('"').next()?))
    };
    let shown = secret(&issued.text).unwrap_or_else(|| panic!("{}", issued.text));
    let again = owner.post("/brand/shop/keys", &[("key", &key)]).await;
    assert!(secret(&again.text).is_none(), "shown once: {}", again.text);
    assert!(again.text.contains("its secret was shown then"), "{}", again.text);
    let report = async || {
        let sent = world.client.post(format!("{}/v", world.address)).body("{}");
        sent.bearer_auth(&shown).send().await.expect("answers").status().as_u16()
    };
    assert_eq!(report().await, 400, "the key is believed");
    // An order is tried, and nothing is kept of it.
    let path = format!("/campaigns/{}/conversions", b.campaign);
    let (_, before) = play.ask(shows("brand_b"), ("get", &path), None).await;
    let code = b.fill("{code}");
    for (code, told) in
        [(code.as_str(), "Such an order would be accepted"), ("NOBODY-1", "code_not_valid")]
    {
        let fields = [("code", code), ("event", "sale"), ("amount", "12.50"), ("currency", "USD")];
        let tried = owner.post("/brand/shop/try", &fields).await;
        assert!(tried.text.contains(told), "{told}: {}", tried.text);
    }
    let (_, after) = play.ask(shows("brand_b"), ("get", &path), None).await;
    assert_eq!(before, after);
    let (_, keys) = play.ask(shows("brand_b"), ("get", "/api-keys"), None).await;
    let newest = keys["data"].as_array().and_then(|keys| keys.last()).expect("a key");
    let action = format!("/brand/shop/keys/{}/revoke", text(&newest["id"]));
    let key = owner.get("/brand/shop").await.key_of(&action);
    let revoked = owner.post(&action, &[("key", &key)]).await;
    assert_eq!(revoked.location(), "/brand/shop?done=revoked", "{}", revoked.text);
    for _ in 0..100 {
        if report().await == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(report().await, 401, "and is believed no more");
    let viewer = Reader::new(world, play.bearer(shows("viewer"))).get("/brand/shop").await;
    assert!(viewer.status == 200 && !viewer.text.contains("action=\"/brand/shop/keys"));
}
