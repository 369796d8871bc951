//! Everybody at every door: each route asked by each kind of caller about each kind of thing.
//!
//! What comes of it stands in `matrix.txt`, to be read by people; a new route has no line there and
//! fails. `SPONSORHUB_RECORD_MATRIX=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::canary::rfc3339;
use crate::cast::{CALLERS, Play, Shows, Things, shows, start};
use crate::world::{World, code, text};

/// A body that is right for a route.
pub(crate) fn body(world: &World, name: Option<&str>) -> Option<Value> {
    let amount = json!({ "amount": { "amount": 100, "currency": "USD" } });
    let reason = json!({ "reason": "a test" });
    Some(match name?.rsplit('/').next()? {
        "Nothing" => json!({}),
        "Join" => json!({ "name": "again" }),
        "Terms" => world.terms(),
        "OpenDeposit" => amount,
        "WantedLink" => json!({ "destination": "https://shop.example/" }),
        "WantedCode" => json!({ "readable": "MORE" }),
        "PlaceHold" => json!({ "conversion": 999, "reason": "a test" }),
        "UpholdHold" | "CancelPayout" => reason,
        "SettleOutside" => json!({ "reference": "wire 7" }),
        "IssueKey" => json!({ "scopes": ["campaigns:read"] }),
        "Place" | "Suspension" => json!({ "is_suspended": false }),
        "WantedWebhook" => json!({ "url": "http://127.0.0.1:9/more" }),
        "ChangeWebhook" => json!({ "enabled": true }),
        "NewName" => json!({ "name": "Fjord Coffee" }),
        "RotateWebhook" | "RotateKey" => json!({ "overlap_hours": 1 }),
        other => panic!("no body for {other}: add one"),
    })
}

/// All routes as the document tells them: method, path, schema of the body.
pub(crate) async fn routes(world: &World) -> Vec<(String, String, Option<String>)> {
    let url = format!("{}/api/openapi.json", world.address);
    let document: Value =
        world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("methods") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(path) = path.strip_prefix("/api/v1").map(str::to_owned) else { continue };
            all.push((method.clone(), path, schema.as_str().map(str::to_owned)));
        }
    }
    // What is removed, ended or given up is asked about before, and who is shut out asks before.
    all.sort_by_key(|(method, path, _)| {
        let ends = ["/erasure", "/cancel", "/complete", "{enrollment}/end"];
        let place = ends.iter().rposition(|end| path.ends_with(end));
        (path.ends_with("/erasure"), place, method == "delete")
    });
    all
}

fn cell(status: StatusCode, answer: &Value) -> String {
    match status.as_u16() {
        401 => "401".to_owned(),
        403 => code(answer).to_owned(),
        404 => "404".to_owned(),
        500.. => panic!("{status}: {answer}"),
        // Let through: what comes of it is no matter of who asks.
        _ => "+".to_owned(),
    }
}

/// An order that the brand doubts.
pub(crate) async fn hold(play: &Play, of: &mut Things, brand: &Shows) {
    let key = play.must(brand, ("post", "/api-keys"), &json!({})).await;
    let order = order_of(play, of).replace("\"dry_run\":true", "\"dry_run\":false");
    let sent = play.world.client.post(format!("{}/v", play.world.address)).body(order);
    let sent = sent.bearer_auth(text(&key["secret"])).send().await.expect("answers");
    let told: Value = sent.json().await.expect("JSON");
    let doubt = json!({ "conversion": told["seq"], "reason": "odd" });
    play.must(brand, ("post", &of.fill("/campaigns/{campaign}/holds")), &doubt).await;
    of.held = told["seq"].to_string();
}

/// Callers by what they are told.
fn write_cells(found: &mut String, cells: Vec<(&str, String)>) {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (caller, cell) in cells {
        alike.entry(cell).or_default().push(caller);
    }
    for (cell, callers) in alike {
        writeln!(found, "    {cell}: {}", callers.join(" ")).expect("room");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_at_every_door_gets_what_the_matrix_says() {
    let (play, mut things) = start().await;
    for (of, brand) in things.iter_mut().zip(["owner", "brand_b"]) {
        hold(&play, of, shows(brand)).await;
    }
    let mut found = String::from(
        "# Who gets through which door (+), and else why not. Written by matrix.rs; read before\n\
         # you commit a change of it. Things: a is brand A's, b is brand B's; a live campaign is\n\
         # seen by every creator.\n",
    );
    // First, since behind the other doors campaigns end.
    let mut beside = String::new();
    outside(&play, &things, &mut beside).await;
    for (method, path, schema) in routes(&play.world).await {
        for of in &things {
            if !path.contains('{') && of.name != "a" {
                continue;
            }
            let name = if path.contains('{') { of.name } else { "-" };
            writeln!(found, "\n{} {path} {name}", method.to_uppercase()).expect("room");
            let mut cells = Vec::new();
            for (caller, shows) in &CALLERS {
                let body = body(&play.world, schema.as_deref());
                let asked = (method.as_str(), of.fill(&path));
                let (status, answer) = play.ask(shows, (asked.0, &asked.1), body.as_ref()).await;
                cells.push((*caller, cell(status, &answer)));
            }
            write_cells(&mut found, cells);
        }
    }
    found += &beside;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/matrix.txt");
    #[expect(clippy::disallowed_methods, reason = "writes the file that people read")]
    if std::env::var("SPONSORHUB_RECORD_MATRIX").is_ok() {
        std::fs::write(file, &found).expect("written");
    }
    let known = std::fs::read_to_string(file).expect("matrix.txt");
    for (found, known) in found.lines().zip(known.lines()) {
        assert_eq!(found, known, "see matrix.txt");
    }
    assert_eq!(found.lines().count(), known.lines().count(), "see matrix.txt");
}

/// Addresses beside the API, each with whether it is asked or told something.
const OUTSIDE: [(&str, &str); 12] = [
    ("post", "/v"),
    ("post", "/v/batch"),
    ("post", "/webhooks/stripe"),
    ("post", "/webhooks/stripe/connect"),
    ("post", "/webhooks/clerk"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/problems/{code}"),
    ("get", "/api/docs"),
    ("get", "/api/openapi.json"),
    ("get", "/r/{link}"),
];

/// An order that is tried and not kept.
fn order_of(play: &Play, of: &Things) -> String {
    let order = json!({
        "source": "shop", "external_id": "tried", "type": "sale", "amount": 5_000,
        "currency": "USD", "code": of.code, "dry_run": true,
        "occurred_at": rfc3339(play.world.sandbox.sandbox.now_ms()),
    });
    order.to_string()
}

/// Everybody at the doors that are not of the API. What a shop reports is tried, not kept.
async fn outside(play: &Play, things: &[Things], found: &mut String) {
    let routes = ["/src/routes/mod.rs", "/src/api/mod.rs"].map(|file| {
        let file = format!("{}{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(file).expect("the routes")
    });
    for path in routes.concat().split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next())
    {
        let is_known = OUTSIDE.iter().any(|(_, known)| *known == path);
        assert!(is_known || path.starts_with("/bare/"), "{path}: say who gets through");
    }
    for (method, path) in OUTSIDE {
        let is_report = path.starts_with("/v");
        for of in things.iter().filter(|of| is_report || of.name == "a") {
            let name = if is_report { of.name } else { "-" };
            writeln!(found, "\n{} {path} {name}", method.to_uppercase()).expect("room");
            let order = order_of(play, of);
            let path = path.replace("{code}", "busy").replace("{link}", "unknown");
            let url = format!("{}{path}", play.world.address);
            let mut cells = Vec::new();
            for (caller, shows) in &CALLERS {
                let request = if method == "get" {
                    play.world.client.get(&url)
                } else {
                    play.world.client.post(&url).body(order.clone())
                };
                let request = match play.bearer(shows) {
                    Some(bearer) => request.bearer_auth(bearer),
                    None => request,
                };
                let answer = request.send().await.expect("answers");
                let (status, text) = (answer.status(), answer.text().await.expect("text"));
                let said: Value = serde_json::from_str(text.lines().next().unwrap_or_default())
                    .unwrap_or_default();
                let said = if said["problem"].is_object() { &said["problem"] } else { &said };
                let cell = match said["code"].as_str() {
                    Some(code) => code.to_owned(),
                    None if status.is_success() || status.is_redirection() => "+".to_owned(),
                    None => status.as_u16().to_string(),
                };
                cells.push((*caller, cell));
            }
            write_cells(found, cells);
        }
    }
}

/// What a request says beyond what it may say is refused, and so changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_themself_more_by_a_field_of_the_body() {
    let (play, things) = start().await;
    let a = &things[0];
    let (owner, path) = (shows("owner"), format!("/campaigns/{}", a.campaign));
    let looks = async || {
        let mut seen = Vec::new();
        for rest in ["", "/balances", "/deposits", "/enrollments", "/payouts"] {
            seen.push(play.ask(owner, ("get", &format!("{path}{rest}")), None).await.1);
        }
        seen.push(play.ask(owner, ("get", "/team"), None).await.1);
        seen.push(play.ask(owner, ("get", "/me"), None).await.1);
        seen
    };
    let before = looks().await;
    let extras = ["role", "amount", "tenant", "brand", "state", "user", "id", "party", "is_admin"];
    let mut tried = 0;
    for (method, path, schema) in routes(&play.world).await {
        let Some(good) = body(&play.world, schema.as_deref()) else { continue };
        for extra in extras {
            let mut bad = good.clone();
            if bad.get(extra).is_some()
                || (schema.as_deref().is_some_and(|of| of.ends_with("/Place")) && extra == "role")
            {
                continue;
            }
            bad[extra] = json!("admin");
            for who in ["owner", "creator", "admin"] {
                let asked = (method.as_str(), a.fill(&path));
                let (status, answer) = play.ask(shows(who), (asked.0, &asked.1), Some(&bad)).await;
                assert!(status.is_client_error(), "{method} {path} {extra} as {who}: {answer}");
                tried += 1;
            }
        }
    }
    assert!(tried > 400, "{tried}");
    assert_eq!(looks().await, before);
}
