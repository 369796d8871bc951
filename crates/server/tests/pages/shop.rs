//! A campaign that is live, and the shop that reports its orders.

use serde_json::{Value, json};
use sponsorhub_sandbox::{Order, ShopSettings};

use crate::world::{ADA, BRAND, World, text};

/// A live campaign of these terms, else as usual, and somebody in it; its id and a code.
pub(crate) async fn live(world: &World, changed: &Value) -> (String, String) {
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let mut terms = world.terms();
    for (name, value) in changed.as_object().expect("terms") {
        terms[name] = value.clone();
    }
    let campaign = world.paid(BRAND, &terms).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let (_, part, _) = world.post(ADA, &format!("{path}/enrollments"), &json!({})).await;
    let codes = format!("{path}/enrollments/{}/codes", text(&part["id"]));
    let (_, code, _) = world.post(ADA, &codes, &json!({ "readable": "ADA" })).await;
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    world.sandbox.sandbox.set_shop(ShopSettings::new(world.address.clone(), text(&key["secret"])));
    (campaign, text(&code["code"]))
}

/// An order of 100.00 USD; the number of its entry.
pub(crate) async fn order(world: &World, code: &str, number: u32) -> u64 {
    let order = Order {
        external_id: format!("A-{number}"),
        amount: 10_000,
        currency: "USD".to_owned(),
        code: Some(code.to_owned()),
        ..Order::default()
    };
    let told = world.sandbox.sandbox.order(&order).await.expect("reported");
    assert_eq!(told.status, 200, "{}", told.body);
    told.body["seq"].as_u64().expect("an entry")
}
