//! The shop: keeps the click, reports from its server, shows the answer.

use axum::http::Method;
use serde_json::json;

use crate::world::{Listener, World, request};

async fn shop(statuses: &[u16]) -> (World, Listener) {
    let world = World::new().await;
    let product = Listener::new(statuses).await;
    let settings = json!({ "product_url": product.url, "api_key": "shk_sandbox_1" });
    world.control("/_control/shop/settings", settings).await.ok();
    (world, product)
}

#[tokio::test]
async fn a_buyer_who_came_through_a_link_is_reported_with_the_click() {
    let (world, product) = shop(&[]).await;
    let landed = world.get("/shop/?sh_click=click-1").await;
    assert!(landed.text.contains("through a creator"));
    let cookie = landed.header("set-cookie").split(';').next().expect("a value").to_owned();
    assert_eq!(cookie, "sh_click=click-1");
    let headers =
        [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let form = "amount=5000&currency=USD&code=".to_owned();
    let bought = request(&world.url("/shop/checkout"), Method::POST, &headers, form).await;
    let bought = bought.expect("an answer");
    assert!(bought.text.contains("accepted"), "{}", bought.text);
    let got = product.got();
    let (report, sent) = (got[0].json(), &got[0]);
    assert_eq!((sent.path.as_str(), sent.header("authorization")), ("/v", "Bearer shk_sandbox_1"));
    assert_eq!((&report["click"], &report["amount"]), (&json!("click-1"), &json!(5_000)));
    assert_eq!((&report["type"], &report["source"]), (&json!("sale"), &json!("sandbox-shop")));
    assert_eq!(report["occurred_at"], "2026-01-05T12:00:00Z");
    assert_eq!(report.get("code"), None);
}

#[tokio::test]
async fn a_driver_orders_and_refunds_and_sees_what_the_product_said() {
    let (world, product) = shop(&[200, 409]).await;
    let order = json!({
        "external_id": "o1", "amount": 700, "currency": "USD", "code": "ADA-1",
        "occurred_at": "2026-01-04T00:00:00Z",
    });
    let answer = world.control("/_control/shop/order", order.clone()).await.ok();
    assert_eq!(answer, json!({ "status": 200, "body": { "result": "accepted" } }));
    let answer = world.control("/_control/shop/order", order).await.ok();
    assert_eq!(answer["status"], json!(409));
    let refund = json!({ "external_id": "r1", "reverses": "o1", "amount": 50, "currency": "USD" });
    world.control("/_control/shop/refund", refund).await.ok();
    let got = product.got();
    assert_eq!(got[0].json()["occurred_at"], "2026-01-04T00:00:00Z");
    assert_eq!(got[0].json()["code"], "ADA-1");
    let expected = json!({
        "source": "sandbox-shop", "external_id": "r1", "type": "reversal", "reverses": "o1",
        "occurred_at": "2026-01-05T12:00:00Z", "amount": 50, "currency": "USD",
    });
    assert_eq!(got[2].json(), expected);
}

#[tokio::test]
async fn a_click_that_fits_into_no_cookie_is_not_kept() {
    let world = World::new().await;
    let landed = world.get("/shop/?sh_click=a%3Bb").await;
    assert_eq!((landed.status, landed.header("set-cookie")), (200, ""));
}

#[tokio::test]
async fn a_shop_that_was_not_told_whom_to_report_to_says_so() {
    let world = World::new().await;
    let order = json!({ "external_id": "o1", "amount": 700, "currency": "USD" });
    let answer = world.control("/_control/shop/order", order).await;
    assert_eq!(answer.status, 502);
    assert!(answer.text.contains("not told"));
    let bought = world.post("/shop/checkout", "amount=1&currency=USD").await;
    assert_eq!(bought.status, 502);
}
