//! Deliveries: signed, in order, tried again, to the endpoint they are meant for.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use sponsorhub_sandbox::{Options, WebhookEndpoint};

use crate::world::{Got, Listener, World, array, text};

const SOON: Duration = Duration::from_secs(20);

fn is_signed(got: &Got, secret: &str) -> bool {
    let header = got.header("stripe-signature");
    let (t, v1) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("both");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(&got.body);
    mac.verify_slice(&HEXLOWER.decode(v1.as_bytes()).expect("hex")).is_ok()
}

async fn told(world: &World, listener: &Listener, connect: bool) -> String {
    let body = json!({ "url": format!("{}/hook", listener.url), "connect": connect });
    text(&world.control("/_control/webhook_endpoints", body).await.ok()["secret"])
}

#[tokio::test]
async fn events_come_in_order_signed_with_the_clock_of_the_sandbox() {
    let world = World::new().await;
    let listener = Listener::new(&[]).await;
    let secret = told(&world, &listener, false).await;
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await);
    let got = listener.got();
    let types: Vec<String> = got.iter().map(|one| text(&one.json()["type"])).collect();
    assert_eq!(types, world.events().await);
    let now_s = world.sandbox().now_ms() / 1_000;
    for one in &got {
        assert!(is_signed(one, &secret) && !is_signed(one, "whsec_other"));
        assert!(one.header("stripe-signature").starts_with(&format!("t={now_s},")));
        let event = one.json();
        assert_eq!((&event["object"], &event["livemode"]), (&json!("event"), &json!(false)));
        assert_eq!(event["pending_webhooks"], json!(1));
        assert_eq!(one.path, "/hook");
    }
}

#[tokio::test]
async fn connected_accounts_are_told_to_the_connect_endpoint_with_their_account() {
    let (platform, connect) = (Listener::new(&[]).await, Listener::new(&[]).await);
    let endpoints = vec![
        WebhookEndpoint::new(&platform.url, "whsec_platform", false),
        WebhookEndpoint::new(&connect.url, "whsec_connect", true),
    ];
    let options = Options { webhook_endpoints: endpoints, ..Options::default() };
    let world = World::with(options).await;
    let account = world.creator().await;
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await);
    let got = connect.got();
    let types: Vec<String> = got.iter().map(|one| text(&one.json()["type"])).collect();
    assert_eq!(types, ["capability.updated", "account.updated"]);
    for one in &got {
        assert_eq!(one.json()["account"], json!(account));
        assert!(is_signed(one, "whsec_connect"));
    }
    let before = &got[1].json()["data"]["previous_attributes"];
    assert_eq!(before["capabilities"]["transfers"], "inactive");
    assert_eq!(platform.got().len(), 4);
    assert!(platform.got().iter().all(|one| one.json().get("account").is_none()));
}

#[tokio::test]
async fn what_an_endpoint_does_not_take_is_sent_again_and_signed_anew() {
    let world = World::new().await;
    let listener = Listener::new(&[500, 302, 404]).await;
    let secret = told(&world, &listener, false).await;
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await);
    let got = listener.got();
    assert_eq!(got.len(), 7, "four events and three more attempts");
    assert!(got.iter().all(|one| is_signed(one, &secret)));
    let mut ids: Vec<String> = got.iter().map(|one| text(&one.json()["id"])).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "a repeated event keeps its id");
    let report = world.get("/_control/deliveries").await.ok();
    assert_eq!(report["is_quiet"], json!(true));
    let attempts: i64 =
        array(&report["deliveries"]).iter().filter_map(|one| one["attempts"].as_i64()).sum();
    assert_eq!(attempts, 7);
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_given_up_in_the_end() {
    let world = World::new().await;
    let nobody = WebhookEndpoint::new("http://127.0.0.1:1", "whsec_1", true);
    world.sandbox().register_webhook(nobody);
    world.creator().await;
    let report = world.get("/_control/deliveries?wait_ms=20000").await.ok();
    for one in array(&report["deliveries"]) {
        assert_eq!((&one["state"], &one["attempts"]), (&json!("given_up"), &json!(8)));
        assert_eq!(one["last_status"], json!(null));
    }
}

#[tokio::test]
async fn an_event_can_be_sent_once_more() {
    let world = World::new().await;
    let listener = Listener::new(&[]).await;
    told(&world, &listener, true).await;
    world.creator().await;
    assert!(world.sandbox().quiet(SOON).await);
    let first = text(&listener.got()[0].json()["id"]);
    world.control(&format!("/_control/events/{first}/resend"), json!({})).await.ok();
    assert!(world.sandbox().quiet(SOON).await);
    assert_eq!(text(&listener.got()[2].json()["id"]), first);
    let unknown = world.control("/_control/events/evt_x/resend", json!({})).await;
    assert_eq!(unknown.status, 404);
}

/// The types that a listener got, and how each was signed is checked elsewhere.
fn types(listener: &Listener) -> Vec<String> {
    listener.got().iter().map(|one| text(&one.json()["type"])).collect()
}

#[tokio::test]
async fn deliveries_go_wrong_as_the_script_says_and_the_list_of_events_does_not() {
    let world = World::new().await;
    let listener = Listener::new(&[]).await;
    told(&world, &listener, false).await;
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await);
    let natural = types(&listener);
    let [first, second, third, ..] = natural.as_slice() else { panic!("{natural:?}") };
    let script = json!({ "faults": [
        { "event": first, "fault": "late", "ms": 60_000 },
        { "event": second, "fault": "reordered" },
        { "event": third, "fault": "doubled" },
        { "event": natural.last(), "fault": "lost" },
    ] });
    let script = world.control("/_control/deliveries/faults", script).await.ok();
    assert_eq!(array(&script["waiting"]).len(), 4);
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await, "what waits for the clock disturbs no quiet");
    let got = types(&listener)[natural.len()..].to_vec();
    let mut expected = vec![third.clone(), second.clone(), third.clone()];
    expected.extend_from_slice(&natural[3..natural.len() - 1]);
    assert_eq!(got, expected);
    world.sandbox().advance_ms(59_999).expect("forward");
    assert!(world.sandbox().quiet(SOON).await);
    let firsts = || types(&listener).iter().filter(|one| *one == first).count();
    assert_eq!(firsts(), 1);
    world.sandbox().advance_ms(1).expect("forward");
    assert!(world.sandbox().quiet(SOON).await);
    assert_eq!(firsts(), 2);
    let lost = natural.last().expect("some");
    let there = world.events().await.iter().filter(|one| *one == lost).count();
    let came = types(&listener).iter().filter(|one| *one == lost).count();
    assert_eq!((there, came), (2, 1), "what was lost is in the list of events");
    // One that is held for ever goes when the script is dropped.
    let script = json!({ "faults": [{ "fault": "reordered", "behind": 9, "event": first }] });
    world.control("/_control/deliveries/faults", script).await.ok();
    world.charge(5_000).await;
    assert!(world.sandbox().quiet(SOON).await);
    assert_eq!(firsts(), 2);
    world.sandbox().clear_mishaps();
    assert!(world.sandbox().quiet(SOON).await);
    assert_eq!(firsts(), 3);
    let bad = json!({ "faults": [{ "fault": "late" }] });
    let refused = world.control("/_control/deliveries/faults", bad).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("late with ms"), "{}", refused.text);
}
