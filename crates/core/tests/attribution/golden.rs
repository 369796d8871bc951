//! The formats are frozen: every derived key, token, code, hash and proof of one installation.
//!
//! A test that fails here says that a link in someone's profile, or a receipt in someone's drawer, is
//! no longer what it was: that is a new version beside this one, never a new golden file.

use std::net::IpAddr;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::key_set::{KeySet, MacKey, Purpose};
use sponsorhub_core::attribution::keys::{Keyring, Mode};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::attribution::promo_code::{self, CodeOwner};
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::ids::{BrandId, CampaignId, ClickId, EnrollmentId};
use sponsorhub_core::merkle::checkpoint::LogVerifier;
use sponsorhub_core::merkle::receipt::Receipt;
use sponsorhub_core::money::{Currency, Minor};

use crate::fixture::{KEYRING, NOW, counting, decoded, keyring, keys, secret, window};
use crate::receipts::{Log, log_key};

const CAMPAIGN: CampaignId = CampaignId([9; 16]);
const AGENT: &str = "Mozilla/5.0 (sample)";
const ADDRESS: &str = "192.0.2.77";

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn owner() -> CodeOwner {
    let (brand, enrollment) = (BrandId(counting(0x40)), EnrollmentId(counting(0x50)));
    CodeOwner { brand, campaign: CAMPAIGN, enrollment }
}

fn key_vectors() -> Value {
    let modes = Mode::ALL.map(|mode| {
        let derived = Purpose::ALL.map(|purpose| {
            (purpose.name().to_owned(), json!(hex(&purpose.derive(KEYRING, mode, secret()))))
        });
        (mode.name().to_owned(), Value::Object(derived.into_iter().collect()))
    });
    json!({
        "keyring": keyring(Mode::Test).render(),
        "keyring_id": hex(&KEYRING.0),
        "master": hex(&secret().0),
        "derived": Value::Object(modes.into_iter().collect()),
        "webhook": {
            "message": "message",
            "tag": hex(&keys().webhook().tag(&[b"message"])),
        },
    })
}

fn click_token(keys: &KeySet) -> ClickToken {
    let address: IpAddr = ADDRESS.parse().expect("an address");
    ClickToken {
        campaign: CAMPAIGN,
        enrollment: owner().enrollment,
        link: 7,
        click: ClickId::try_new(NOW, counting(0x60)).expect("a time of a click"),
        network: NetworkFingerprint::new(keys.pepper(), address),
        agent: AgentFingerprint::new(keys.pepper(), AGENT.as_bytes()),
    }
}

fn token_vectors() -> Value {
    let keys = keys();
    let link = LinkToken { campaign: CAMPAIGN, enrollment: owner().enrollment, number: 7 };
    let click = click_token(&keys);
    let (link_text, click_text) = (link.sign(&keys), click.sign(&keys));
    let address: IpAddr = "2001:db8:1:2::3".parse().expect("an address");
    json!({
        "link": {
            "campaign": link.campaign,
            "enrollment": link.enrollment,
            "number": link.number,
            "bytes": hex(&decoded(&link_text)),
            "text": link_text,
        },
        "click": {
            "campaign": click.campaign,
            "enrollment": click.enrollment,
            "link": click.link,
            "at_ms": click.click.at_ms(),
            "random": hex(&counting::<10>(0x60)),
            "click_id": click.click,
            "address": ADDRESS,
            "network": hex(&click.network.0),
            "address_v6": address.to_string(),
            "network_v6": hex(&NetworkFingerprint::new(keys.pepper(), address).0),
            "user_agent": AGENT,
            "agent": hex(&click.agent.0),
            "bytes": hex(&decoded(&click_text)),
            "text": click_text,
        },
    })
}

fn code_vectors() -> Value {
    let CodeOwner { brand, campaign, enrollment } = owner();
    let codes = ["Anna", "4-ever", "SUZUBILO2026"].map(|readable| {
        let code = promo_code::issue(&keys(), owner(), readable).expect("a readable part");
        json!({ "readable": readable, "text": code.text, "folded": code.folded.as_str() })
    });
    json!({ "brand": brand, "campaign": campaign, "enrollment": enrollment, "codes": codes })
}

fn dedup_vectors() -> Value {
    let (key, click) = (DedupKey::new(counting(0x70)), click_token(&keys()).click);
    let artifact = click.to_string();
    let content = |amount| key.fingerprint(&artifact, amount, Currency::Usd, "sale");
    json!({
        "dedup_key": hex(&counting::<32>(0x70)),
        "campaign": CAMPAIGN,
        "nonce": hex(&counting::<24>(0xa0)),
        "wrapped": hex(&key.wrap(&keys(), CAMPAIGN, counting(0xa0))),
        "composite_key": {
            "source": "shop",
            "external_id": "order-1001",
            "type": "sale",
            "value": key.composite_key(CAMPAIGN, "shop", "order-1001", "sale"),
        },
        "fingerprint": {
            "artifact": artifact,
            "amount": 12_990,
            "currency": "USD",
            "type": "sale",
            "value": content(Some(Minor(12_990))),
            "without_amount": content(None),
        },
        "click_slot": {
            "click_id": click,
            "type": "sale",
            "n": 0,
            "value": key.click_slot(click, "sale", 0),
        },
    })
}

fn receipt_vectors() -> Value {
    let (mut log, key) = (Log::of(5), log_key());
    let origin = key.verifier().origin();
    let log_secret = MacKey::new(&Purpose::Log.derive(KEYRING, Mode::Test, secret()));
    let entries: Vec<_> =
        log.0.iter().map(|entry| String::from_utf8_lossy(entry).into_owned()).collect();
    json!({
        "origin": origin.as_str(),
        "seed": hex(&log_secret.tag(&[origin.as_str().as_bytes()])),
        "vkey": key.verifier().to_string(),
        "entries": entries,
        "root": log.root().to_string(),
        "receipt": log.receipt(2).to_string(),
    })
}

fn files() -> [(&'static str, Value); 5] {
    [
        ("attribution_keys.json", key_vectors()),
        ("attribution_tokens.json", token_vectors()),
        ("attribution_codes.json", code_vectors()),
        ("attribution_dedup.json", dedup_vectors()),
        ("attribution_receipt.json", receipt_vectors()),
    ]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1").join(name)
}

fn read(name: &str) -> Value {
    let text =
        std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

#[test]
fn every_format_is_as_frozen() {
    for (name, value) in files() {
        assert_eq!(value, read(name), "{name}");
    }
}

#[test]
fn what_was_handed_out_is_still_believed() {
    let keyring = Keyring::parse(text(&read("attribution_keys.json"), "/keyring")).expect("read");
    let keys = KeySet::new(&keyring);
    let tokens = read("attribution_tokens.json");
    let link = LinkToken::verify(text(&tokens, "/link/text"), &keys).expect("a link for ever");
    assert_eq!((link.campaign, link.number), (CAMPAIGN, 7));
    let click = ClickToken::verify(text(&tokens, "/click/text"), &keys, NOW, window);
    assert_eq!(click.expect("verifies").0, click_token(&keys));
    let dedup = read("attribution_dedup.json");
    let wrapped = HEXLOWER.decode(text(&dedup, "/wrapped").as_bytes()).expect("hex");
    let key = DedupKey::unwrap(&wrapped, &keys, CAMPAIGN).expect("opens for ever");
    let value = key.composite_key(CAMPAIGN, "shop", "order-1001", "sale");
    assert_eq!(value.to_string(), text(&dedup, "/composite_key/value"), "INV-4");
    let frozen = read("attribution_receipt.json");
    let receipt: Receipt = text(&frozen, "/receipt").parse().expect("a receipt");
    let log: LogVerifier = text(&frozen, "/vkey").parse().expect("a verifier key");
    let checkpoint = receipt.verify(text(&frozen, "/entries/2").as_bytes(), &log);
    assert_eq!(checkpoint.map(|checkpoint| checkpoint.size), Ok(5), "INV-14");
}

#[test]
#[ignore = "writes golden/v1, once: cargo test -p sponsorhub-core --test attribution record -- --ignored"]
fn record() {
    for (name, value) in files() {
        assert!(!path(name).exists(), "golden files are frozen; see the module head");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        std::fs::write(path(name), pretty + "\n").expect("written");
    }
}
