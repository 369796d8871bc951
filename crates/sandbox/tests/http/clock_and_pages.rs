//! The clock over its control API, and the checkout page.

use serde_json::json;
use sponsorhub_sandbox::{ClockStart, Options};

use crate::world::{World, request, text};

#[tokio::test]
async fn the_clock_is_read_and_moved_by_the_control_api_and_never_back() {
    let world =
        World::with(Options { clock: ClockStart::Stepped { at_ms: 5_000 }, ..Options::default() })
            .await;
    let clock = world.get("/_control/clock").await.ok();
    assert_eq!(clock, json!({ "now_ms": 5_000, "mode": "stepped" }));
    let moved = world.control("/_control/clock", json!({ "advance_ms": 500 })).await.ok();
    assert_eq!(moved["now_ms"], json!(5_500));
    let moved = world.control("/_control/clock", json!({ "set_ms": 9_000 })).await.ok();
    assert_eq!(moved["now_ms"], json!(9_000));
    for wrong in [
        json!({ "set_ms": 8_999 }),
        json!({ "advance_ms": -1 }),
        json!({}),
        json!({ "set_ms": 10_000, "advance_ms": 1 }),
    ] {
        assert_eq!(world.control("/_control/clock", wrong).await.status, 400);
    }
    assert_eq!(world.sandbox().now_ms(), 9_000);
    let running = world.control("/_control/clock", json!({ "mode": "running" })).await.ok();
    assert_eq!(running["mode"], "running");
    let begun = running["now_ms"].as_i64().expect("a time");
    assert!((9_000..3_600_000).contains(&begun), "from where it stood: {begun}");
    while world.sandbox().now_ms() == begun {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let day = json!({ "advance_ms": 86_400_000 });
    let moved = world.control("/_control/clock", day).await.ok();
    assert!(moved["now_ms"].as_i64() > Some(begun + 86_400_000) && moved["mode"] == "running");
    let real = world.control("/_control/clock", json!({ "mode": "real" })).await.ok();
    assert_eq!(real["mode"], "real");
    assert!(real["now_ms"].as_i64() > Some(1_600_000_000_000));
}

#[tokio::test]
async fn objects_are_stamped_with_the_clock_of_the_sandbox() {
    let world = World::new().await;
    world.advance(12_345_678);
    let session = world.open_session(5_000).await;
    let kept = world.get(&format!("/v1/checkout/sessions/{session}")).await.ok();
    let now_s = world.sandbox().now_ms() / 1_000;
    assert_eq!(kept["created"], json!(now_s));
    assert_eq!(kept["expires_at"], json!(now_s + 86_400));
}

#[tokio::test]
async fn a_buyer_pays_on_the_page_and_is_sent_on() {
    let world = World::new().await;
    let form = "mode=payment&line_items[0][quantity]=2&line_items[0][price_data][currency]=usd\
                &line_items[0][price_data][unit_amount]=2525\
                &line_items[0][price_data][product_data][name]=%3Cscript%3E\
                &success_url=http://p/done?s={CHECKOUT_SESSION_ID}";
    let session = world.post("/v1/checkout/sessions", form).await.ok();
    let (id, url) = (text(&session["id"]), text(&session["url"]));
    assert_eq!(url, world.url(&format!("/pay/{id}")));
    let path = format!("/pay/{id}");
    let page = world.get(&path).await;
    assert!(page.text.contains("50.50 USD") && !page.text.contains("<script>"), "{}", page.text);
    let declined = world.post(&path, "method=card&outcome=fail").await;
    assert!(declined.text.contains("declined") && declined.text.contains("Pay by card"));
    let paid = world.post(&path, "method=card&outcome=succeed").await;
    assert_eq!(
        (paid.status, paid.header("location")),
        (303, format!("http://p/done?s={id}").as_str())
    );
    assert!(world.get(&path).await.text.contains("complete or has expired"));
    assert_eq!(world.get("/pay/cs_nobody").await.status, 404);
}

#[tokio::test]
async fn a_sandbox_that_was_stopped_answers_nobody() {
    let world = World::new().await;
    let url = world.url("/_control/clock");
    let first = request(&url, axum::http::Method::GET, &[], String::new()).await;
    assert_eq!(first.expect("an answer").status, 200);
    let address = world.running.base_url.trim_start_matches("http://").to_owned();
    world.running.stop().await;
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}
