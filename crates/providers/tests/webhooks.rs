//! Webhooks that nobody signed, or signed for something else.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_providers::secret::Secret;
use sponsorhub_providers::stripe::webhook::{WebhookError, Webhooks};

const NOW_S: i64 = 1_800_000_000;
const SECRET: &str = "whsec_ours";

fn tag(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

fn body(is_live: bool) -> String {
    let object = json!({ "id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1" });
    json!({
        "id": "evt_1", "object": "event", "type": "checkout.session.completed",
        "created": NOW_S, "livemode": is_live, "data": { "object": object },
    })
    .to_string()
}

fn webhooks(secrets: &[&str], mode: Mode) -> Webhooks {
    let secrets: Vec<_> = secrets.iter().map(|&secret| Secret::new(secret.to_owned())).collect();
    Webhooks::try_new(&secrets, mode).expect("secrets")
}

#[test]
fn only_what_a_secret_signed_for_this_body_and_time_is_believed() {
    let (body, ours) = (body(false), webhooks(&[SECRET], Mode::Sandbox));
    let good = tag(SECRET, NOW_S, &body);
    let ask = |header: &str, body: &str, now_s: i64| {
        ours.verify(Some(header), body.as_bytes(), now_s * 1_000).map(|event| event.id)
    };
    let now = format!("t={NOW_S},v1={good}");
    assert_eq!(ask(&now, &body, NOW_S), Ok("evt_1".to_owned()));
    assert_eq!(ask(&now, &body, NOW_S + 300), Ok("evt_1".to_owned()), "at the edge");
    // While a secret is replaced several stand there, and other versions beside them.
    let several = format!("t={NOW_S},v1={},v0=abc,v1={good}", tag("whsec_other", NOW_S, &body));
    assert_eq!(ask(&several, &body, NOW_S), Ok("evt_1".to_owned()));
    let other = tag("whsec_other", NOW_S, &body);
    let later = NOW_S + 1;
    for (what, header, body, now_s, expected) in [
        ("another secret", format!("t={NOW_S},v1={other}"), &*body, NOW_S, WebhookError::Wrong),
        ("another body", now.clone(), "{}", NOW_S, WebhookError::Wrong),
        ("another time", format!("t={later},v1={good}"), &body, NOW_S, WebhookError::Wrong),
        (
            "a shorter one",
            format!("t={NOW_S},v1={}", &good[..62]),
            &body,
            NOW_S,
            WebhookError::Wrong,
        ),
        ("the old version", format!("t={NOW_S},v0={good}"), &body, NOW_S, WebhookError::Malformed),
        (
            "two times",
            format!("t={NOW_S},t={NOW_S},v1={good}"),
            &body,
            NOW_S,
            WebhookError::Malformed,
        ),
        ("no time", format!("v1={good}"), &body, NOW_S, WebhookError::Malformed),
        ("a signed time", format!("t=+{NOW_S},v1={good}"), &body, NOW_S, WebhookError::Malformed),
        ("nothing", String::new(), &body, NOW_S, WebhookError::Malformed),
        ("too old", now.clone(), &body, NOW_S + 301, WebhookError::Stale),
        ("ahead", now.clone(), &body, NOW_S - 301, WebhookError::Stale),
    ] {
        assert_eq!(ask(&header, body, now_s), Err(expected), "{what}");
    }
    let missing = ours.verify(None, body.as_bytes(), NOW_S * 1_000).map(|event| event.id);
    assert_eq!(missing, Err(WebhookError::Missing));
}

#[test]
fn what_is_about_the_other_world_is_told_apart() {
    for (mode, is_live, is_ours) in [
        (Mode::Sandbox, false, true),
        (Mode::Sandbox, true, false),
        (Mode::Test, true, false),
        (Mode::Live, false, false),
        (Mode::Live, true, true),
    ] {
        let body = body(is_live);
        let header = format!("t={NOW_S},v1={}", tag(SECRET, NOW_S, &body));
        let verified =
            webhooks(&[SECRET], mode).verify(Some(&header), body.as_bytes(), NOW_S * 1_000);
        let expected = if is_ours {
            Ok("evt_1".to_owned())
        } else {
            Err(WebhookError::OtherWorld("evt_1".to_owned()))
        };
        assert_eq!(verified.map(|event| event.id), expected, "{mode:?} {is_live}");
    }
}

#[test]
fn without_a_secret_nothing_is_believed() {
    let secret = |text: &str| Secret::new(text.to_owned());
    for secrets in [vec![], vec![secret("")], vec![secret(SECRET), secret("  ")]] {
        assert!(Webhooks::try_new(&secrets, Mode::Live).is_err());
    }
    // Any of several will do.
    let (body, two) = (body(false), webhooks(&["whsec_new", SECRET], Mode::Test));
    for secret in ["whsec_new", SECRET] {
        let header = format!("t={NOW_S},v1={}", tag(secret, NOW_S, &body));
        assert!(two.verify(Some(&header), body.as_bytes(), NOW_S * 1_000).is_ok());
    }
}
