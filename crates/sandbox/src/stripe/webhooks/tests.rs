//! Deliveries without a network.

use super::*;

fn event(r#type: &'static str, account: Option<&str>) -> Event {
    Event {
        id: "evt_1".into(),
        object: "event",
        account: account.map(str::to_owned),
        api_version: "v",
        created: 1,
        data: json!({ "object": {} }),
        livemode: false,
        pending_webhooks: 1,
        request: Value::Null,
        r#type,
    }
}

/// Computed with another implementation: Python's `hmac` over `1700000000.{"a":1}`.
#[test]
fn signatures_are_those_of_the_wire() {
    let expected =
        "t=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789";
    assert_eq!(sign("whsec_test", 1_700_000_000, br#"{"a":1}"#), expected);
}

#[test]
fn accounts_of_others_are_told_to_connect_endpoints_only() {
    let mut webhooks = Webhooks::new(Chance::new(1));
    webhooks.register("a".into(), WebhookEndpoint::new("http://a", "s", false));
    webhooks.register("c".into(), WebhookEndpoint::new("http://c", "s", true));
    webhooks.post(&event("transfer.created", None), 0);
    webhooks.post(&event("account.updated", Some("acct_1")), 0);
    let urls: Vec<String> = webhooks.next(1).into_iter().map(|one| one.url).collect();
    assert_eq!(urls, ["http://a", "http://c"]);
}

#[test]
fn only_the_types_that_an_endpoint_wants_are_posted() {
    let mut webhooks = Webhooks::new(Chance::new(1));
    let wanted = vec!["transfer.created".to_owned()];
    let endpoint =
        WebhookEndpoint { enabled_events: wanted, ..WebhookEndpoint::new("http://a", "s", false) };
    webhooks.register("a".into(), endpoint);
    webhooks.post(&event("charge.updated", None), 0);
    assert!(webhooks.is_quiet());
    webhooks.post(&event("transfer.created", None), 0);
    assert!(!webhooks.is_quiet());
}

#[test]
fn a_delivery_is_tried_again_later_and_later_until_it_is_given_up() {
    let retries = Retries { first: Duration::from_millis(10), attempts_max: 3 };
    let mut webhooks = Webhooks::new(Chance::new(1));
    webhooks.register("a".into(), WebhookEndpoint::new("http://a", "s", false));
    webhooks.post(&event("transfer.created", None), 0);
    let mut waits = Vec::new();
    for status in [None, Some(500), Some(302)] {
        assert_eq!(webhooks.next(1).len(), 1);
        assert!(webhooks.next(1).is_empty(), "one at a time");
        if let Some(wait) = webhooks.done(0, status, retries) {
            waits.push(wait.as_millis());
            webhooks.again(0);
        }
    }
    assert_eq!(waits, [10, 20]);
    assert!(webhooks.is_quiet() && webhooks.next(1).is_empty());
    assert_eq!(webhooks.report()["deliveries"][0]["state"], "given_up");
}

/// The ids that an endpoint gets, in the order in which it gets them.
fn drained(webhooks: &mut Webhooks) -> Vec<String> {
    let mut got = Vec::new();
    loop {
        let attempts = webhooks.next(1);
        if attempts.is_empty() {
            return got;
        }
        for attempt in attempts {
            got.push(format!("{}{}", attempt.url, webhooks.deliveries[attempt.delivery].event));
            webhooks.done(attempt.delivery, Some(200), Retries::default());
        }
    }
}

fn scripted(script: &str) -> Webhooks {
    let mut webhooks = Webhooks::new(Chance::new(1));
    webhooks.register("e".into(), WebhookEndpoint::new("", "s", false));
    webhooks.script(serde_json::from_str(script).expect("a script"));
    webhooks
}

fn posted(webhooks: &mut Webhooks, ids: &[&'static str]) {
    for id in ids {
        let event = Event { id: (*id).into(), ..event("charge.updated", None) };
        webhooks.post(&event, 0);
    }
}

#[test]
fn what_is_reordered_comes_behind_others_however_much_of_it_is_scripted() {
    for (script, expected) in [
        (r#"[{"fault":"reordered"}]"#, ["b", "a", "c", "d"]),
        (r#"[{"fault":"reordered","behind":2}]"#, ["b", "c", "a", "d"]),
        (r#"[{"fault":"reordered","times":100}]"#, ["b", "a", "d", "c"]),
        (r#"[{"fault":"reordered","times":2}]"#, ["b", "a", "c", "d"]),
    ] {
        let mut webhooks = scripted(script);
        posted(&mut webhooks, &["a", "b", "c", "d"]);
        assert_eq!(drained(&mut webhooks), expected, "{script}");
    }
    // What never goes out lets nobody pass.
    let mut webhooks = scripted(r#"[{"fault":"reordered"},{"fault":"lost"}]"#);
    posted(&mut webhooks, &["a", "b"]);
    assert_eq!(drained(&mut webhooks), Vec::<String>::new());
    posted(&mut webhooks, &["c"]);
    assert_eq!(drained(&mut webhooks), ["c", "a"]);
}

#[test]
fn what_is_sent_again_goes_past_the_script_and_lets_others_go() {
    let mut webhooks = scripted(r#"[{"fault":"reordered"},{"fault":"lost","times":9}]"#);
    posted(&mut webhooks, &["a"]);
    webhooks.resend(&Event { id: "b".into(), ..event("charge.updated", None) });
    assert_eq!(drained(&mut webhooks), ["b", "a"]);
}

#[test]
fn deliveries_of_one_endpoint_let_go_nothing_of_another() {
    let mut webhooks = scripted(r#"[{"fault":"reordered"}]"#);
    webhooks.register("c".into(), WebhookEndpoint::new("c", "s", true));
    posted(&mut webhooks, &["a"]);
    let other = Event { id: "x".into(), ..event("account.updated", Some("acct_1")) };
    webhooks.post(&other, 0);
    assert_eq!(drained(&mut webhooks), ["cx"]);
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", WebhookEndpoint::new("http://a", "whsec_secret", false));
    assert!(!printed.contains("whsec_secret"), "{printed}");
}
