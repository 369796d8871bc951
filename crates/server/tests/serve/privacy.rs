//! Recognisable values are sent in every place there is, and nothing that is written holds one: no
//! line of the most talkative log, no row of any database.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::Client;
use crate::{Server, fixture, order, time, with};

/// The canaries: each stands for something that must not be kept in plain text.
const ID: &str = "canary-id-4711@example.com";
const AGENT: &str = "Mozilla/5.0 (CanaryAgent/77; Linux) Firefox/145.0";
const ADDRESS: &str = "203.0.113.77";
const ADDRESS_6: &str = "2001:db8:ca:4a::77";
const SOURCE: &str = "canary-till-12";

/// Everything in a directory, and below it.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// Bodies that put canaries where a careless message would repeat them.
fn careless(code: &str) -> Vec<String> {
    let good = with(order(code, ID), "source", SOURCE.into());
    vec![
        json!(ID).to_string(),
        json!([ID]).to_string(),
        format!("\"{ID}"),
        format!("{{\"{ID}\": 1}}"),
        format!("{{\"{SOURCE}\": \"{ID}\", "),
        with(good.clone(), ID, 1.into()).to_string(),
        with(good.clone(), "type", ID.into()).to_string(),
        with(good.clone(), "currency", ID.into()).to_string(),
        with(good.clone(), "occurred_at", ID.into()).to_string(),
        with(good.clone(), "amount", ID.into()).to_string(),
        with(good.clone(), "dry_run", ID.into()).to_string(),
        with(good.clone(), "click", ID.into()).to_string(),
        with(good.clone(), "code", ID.into()).to_string(),
        with(good.clone(), "amount", 1.into()).to_string(),
        with(good.clone(), "currency", "EUR".into()).to_string(),
        with(good, "external_id", format!("{ID} ").into()).to_string(),
        json!({"type": "reversal", "reverses": ID, "external_id": ID, "source": SOURCE,
               "occurred_at": time(0), "campaign": ID})
        .to_string(),
    ]
}

#[test]
fn no_log_line_and_no_row_of_any_database_holds_a_canary() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = fixture::Plan { needs_signature: true, ..fixture::plan(2) };
    let sealed = fixture::make(directory.path(), &plan);
    let made = fixture::make(directory.path(), &fixture::plan(2));
    let talkative = ["--trusted-proxy", "127.0.0.0/8", "--log", "trace"];
    let mut server = Server::start(directory.path(), &talkative);
    let mut clicks = Vec::new();
    for address in [ADDRESS, ADDRESS_6] {
        let headers = [("user-agent", AGENT), ("x-forwarded-for", address)];
        let mut client = Client::connect(&server.address);
        let path = format!("/r/{}", made.links[0]);
        let answer = client.send("GET", &path, &headers, b"").expect("answered");
        clicks.push(crate::token(&answer).expect("credited"));
        client.send("GET", &format!("/r/{ID}"), &headers, b"").expect("answered");
    }
    let headers = [("user-agent", AGENT), ("x-forwarded-for", ADDRESS)];
    let mut client = Client::connect(&server.address).with_key(&made.api_key);
    let by_click = with(with(order("x", ID), "source", SOURCE.into()), "code", Value::Null);
    let by_click = with(by_click, "click", clicks[0].clone().into());
    assert_eq!(client.report(&by_click).status, 200, "the real one is taken in");
    let bodies = careless(&made.codes[0]);
    for body in &bodies {
        client.send("POST", "/v", &headers, body.as_bytes()).expect("answered");
    }
    let lot = bodies.join("\n");
    client.send("POST", "/v/batch", &headers, lot.as_bytes()).expect("answered");
    // Keys that are wrong, and a signature that is.
    let mut stranger = Client::connect(&server.address).with_key("shk_sandbox_canary-secret");
    stranger.report(&by_click);
    let mut signer = Client::connect(&server.address).with_key(&sealed.api_key);
    signer
        .send("POST", "/v", &[("sponsorhub-signature", "t=1,v1=canary-tag")], b"{}")
        .expect("answered");
    assert!(server.terminate().success());
    let log = server.log().replace(&server.address, "");
    assert!(log.contains("stopping"), "the whole log is looked at");
    let mut written = vec![("the log".to_owned(), log.into_bytes())];
    files(directory.path(), &mut written);
    assert!(written.iter().any(|(name, _)| name.ends_with("sponsorhub.db")));
    let secret = sealed.signing_secret.as_deref().expect("it signs");
    // 43 characters, among which an underscore may be.
    let bare = |key: &str| key[key.len() - 43..].to_owned();
    let canaries = [
        ID.to_owned(),
        "canary".to_owned(),
        "CanaryAgent".to_owned(),
        ADDRESS.to_owned(),
        ADDRESS_6.to_owned(),
        clicks[0].clone(),
        clicks[1].clone(),
        made.links[0].clone(),
        bare(&made.api_key),
        bare(secret),
    ];
    for (place, bytes) in &written {
        for canary in &canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{place} holds {canary}");
        }
    }
}
