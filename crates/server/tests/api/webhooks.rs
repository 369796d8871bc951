//! Webhooks out over HTTP: what is sent is verified by the public libraries, and an endpoint is its
//! owner's alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode as Status};
use axum::routing::post;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{ClockStart, Method as PayBy, Options, Outcome};

use crate::world::{ADA, BRAND, RIVAL, World, code, text};
use crate::{install, python};

/// Listens on this machine, keeps what comes, and answers with a status that can be changed.
#[derive(Clone, Default)]
struct Receiver {
    came: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    status: Arc<Mutex<Status>>,
}

impl Receiver {
    /// It, and where it is.
    async fn start(tasks: &mut tokio::task::JoinSet<()>) -> (Self, String) {
        let receiver = Self::default();
        let taking = receiver.clone();
        let take = move |headers: HeaderMap, body: Bytes| {
            let body = String::from_utf8_lossy(&body).into_owned();
            taking.came.lock().expect("no panic").push((headers, body));
            let status = *taking.status.lock().expect("no panic");
            async move { status }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("bound"));
        let router = Router::new().route("/hooks", post(take));
        tasks.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        (receiver, url)
    }

    fn came(&self) -> Vec<(HeaderMap, String)> {
        self.came.lock().expect("no panic").clone()
    }

    fn kinds(&self) -> Vec<String> {
        let read = |body: &str| serde_json::from_str::<Value>(body).expect("JSON");
        self.came().iter().map(|(_, body)| text(&read(body)["type"])).collect()
    }

    /// Waits until so many came.
    async fn until(&self, count: usize) {
        for _ in 0..1_500 {
            if self.came().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} are awaited: {:?}", self.kinds());
    }

    fn answer(&self, status: Status) {
        *self.status.lock().expect("no panic") = status;
    }
}

/// What a library says of each message: `good`, or what it objects to.
fn judged(program: &Path, script: &Path, messages: &[Value]) -> Vec<String> {
    let mut command = Command::new(program);
    command.arg(script).current_dir(script.parent().expect("a folder"));
    let judge = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut judge = judge.expect("it runs");
    let mut input = judge.stdin.take().expect("piped");
    for message in messages {
        writeln!(input, "{message}").expect("taken");
    }
    drop(input);
    let output = judge.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn message(secret: &str, (headers, body): &(HeaderMap, String)) -> Value {
    let header = |name: &str| headers[name].to_str().expect("text");
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!(header(name)))).collect();
    json!({ "secret": secret, "headers": headers, "body": body })
}

/// The libraries that are at hand, each with its script.
fn judges() -> Vec<(std::path::PathBuf, std::path::PathBuf)> {
    let mut judges = Vec::new();
    match install::node(&["hooks.mjs"]) {
        Ok(folder) => judges.push(("node".into(), folder.join("hooks.mjs"))),
        Err(why) => install::not_run("webhooks verified by npm standardwebhooks", &why),
    }
    match python::prepared("judges-python", "requirements.txt", &["hooks.py"]) {
        Ok(folder) => judges.push((folder.join("venv/bin/python"), folder.join("hooks.py"))),
        Err(why) => install::not_run("webhooks verified by PyPI standardwebhooks", &why),
    }
    judges
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_verified_by_the_public_libraries() {
    let mut tasks = tokio::task::JoinSet::new();
    // The libraries go by the time of this machine.
    let options = Options { clock: ClockStart::Real, ..Options::default() };
    let world = World::start_unheard(options).await;
    world.join(BRAND).await;
    let (receiver, url) = Receiver::start(&mut tasks).await;
    let campaign = world.campaign(BRAND).await;
    let (status, made, _) = world.post(BRAND, "/webhooks", &json!({ "url": url })).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (old, here) = (text(&made["secret"]), format!("/webhooks/{}", text(&made["id"])));
    let cancel = format!("/campaigns/{campaign}/cancel");
    let (status, body, _) = world.post(BRAND, &cancel, &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    receiver.until(1).await;
    let (_, rotated, _) = world.post(BRAND, &format!("{here}/rotate"), &json!({})).await;
    let new = text(&rotated["secret"]);
    assert!(rotated["old_secret_until"].is_number() && new != old, "{rotated}");
    world.post(BRAND, &format!("{here}/test"), &json!({})).await;
    receiver.until(2).await;
    assert_eq!(receiver.kinds(), ["campaign.state_changed", "webhook.test"]);
    let came = receiver.came();
    let mut altered = came[1].clone();
    altered.1 = altered.1.replace("webhook.test", "webhook.tess");
    let messages = [
        message(&old, &came[0]),
        message(&old, &came[1]),
        message(&new, &came[1]),
        message(&new, &came[0]),
        message(&new, &altered),
    ];
    for (program, script) in judges() {
        let said = judged(&program, &script, &messages);
        assert_eq!(said[..3], ["good", "good", "good"], "{}", script.display());
        assert!(said.len() == 5 && !said[3..].contains(&"good".to_owned()), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_its_owners_alone_and_its_log_tells_what_came_of_it() {
    let mut tasks = tokio::task::JoinSet::new();
    let world = World::start().await;
    for who in [BRAND, RIVAL, ADA] {
        world.join(who).await;
    }
    let (receiver, url) = Receiver::start(&mut tasks).await;
    receiver.answer(Status::INTERNAL_SERVER_ERROR);
    let wanted = json!({ "url": url, "events": ["deposit.confirmed", "campaign.state_changed"] });
    let (_, made, _) = world.post(BRAND, "/webhooks", &wanted).await;
    let here = format!("/webhooks/{}", text(&made["id"]));
    let (_, theirs, _) = world.post(ADA, "/webhooks", &json!({ "url": url })).await;
    assert!(text(&theirs["secret"]).starts_with("whsec_"));
    // One that takes connections and says nothing holds up neither this nor the money.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = format!("http://{}/", silent.local_addr().expect("bound"));
    let (status, ..) = world.post(BRAND, "/webhooks", &json!({ "url": there })).await;
    assert_eq!(status, StatusCode::CREATED);
    let terms = world.terms();
    world.paid(BRAND, &terms).await;
    receiver.until(1).await;
    // It failed, and what is behind it waits.
    let log = format!("{here}/deliveries");
    let waiting = until(&world, &log, |log| log["data"][1]["last_answer"] == "500").await;
    assert_eq!(waiting["data"].as_array().map(Vec::len), Some(2), "{waiting}");
    assert_eq!(waiting["data"][0]["attempts"], 0, "newest first: {waiting}");
    let (_, shown) = world.get(BRAND, &here).await;
    assert!(shown["failing_since"].is_number() && shown["notice"].is_string(), "{shown}");
    assert_eq!(shown["secret"], Value::Null);
    receiver.answer(Status::NO_CONTENT);
    world.sandbox.sandbox.advance_ms(5_000).expect("forward");
    let is_done = |log: &Value| log["data"][0]["state"] == "delivered";
    let done = until(&world, &log, is_done).await;
    assert_eq!(done["data"][1]["attempts"], 2, "{done}");
    let kinds = ["deposit.confirmed", "deposit.confirmed", "campaign.state_changed"];
    assert_eq!(receiver.kinds(), kinds, "in order, and nothing of it to the creator");
    let (first, again) = (&receiver.came()[0], &receiver.came()[1]);
    assert_eq!((&first.0["webhook-id"], &first.1), (&again.0["webhook-id"], &again.1));
    let (_, page) = world.get(BRAND, &format!("{log}?limit=1")).await;
    let (_, rest) = world.get(BRAND, &format!("{log}?cursor={}", text(&page["next_cursor"]))).await;
    assert_eq!(rest["data"][0], done["data"][1]);
    let no = &done["data"][1]["delivery"];
    let replay = format!("{log}/{no}/replay");
    for stranger in [RIVAL, ADA] {
        let (listed, body) = world.get(stranger, &log).await;
        assert_eq!((listed, code(&body)), (StatusCode::NOT_FOUND, "not_found"));
        for path in [&replay, &format!("{here}/test"), &format!("{here}/rotate")] {
            assert_eq!(world.post(stranger, path, &json!({})).await.0, StatusCode::NOT_FOUND);
        }
        let gone = world.ask(stranger, (Method::DELETE, &here), None, None).await;
        assert_eq!(gone.0, StatusCode::NOT_FOUND);
    }
    let (status, body, _) = world.post(BRAND, &replay, &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    receiver.until(4).await;
    assert_eq!(receiver.came()[3].1, first.1, "the same message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_goes_on_where_it_was() {
    let mut tasks = tokio::task::JoinSet::new();
    let mut world = World::start_unheard(Options::default()).await;
    world.join(BRAND).await;
    let (receiver, url) = Receiver::start(&mut tasks).await;
    let (_, made, _) = world.post(BRAND, "/webhooks", &json!({ "url": url })).await;
    let log = format!("/webhooks/{}/deliveries", text(&made["id"]));
    let give_up = async |world: &World| {
        let cancel = format!("/campaigns/{}/cancel", world.campaign(BRAND).await);
        let (status, body, _) = world.post(BRAND, &cancel, &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    };
    give_up(&world).await;
    receiver.until(1).await;
    until(&world, &log, |log| log["data"][0]["state"] == "delivered").await;
    receiver.answer(Status::BAD_GATEWAY);
    give_up(&world).await;
    until(&world, &log, |log| log["data"][0]["last_answer"] == "502").await;
    Arc::get_mut(&mut world).expect("nobody else has it").restart();
    receiver.answer(Status::OK);
    give_up(&world).await;
    receiver.until(3).await;
    world.sandbox.sandbox.advance_ms(5_000).expect("forward");
    receiver.until(4).await;
    until(&world, &log, |log| log["data"][1]["state"] == "delivered").await;
    let ids: Vec<_> = receiver.came().iter().map(|one| one.0["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 4, "nothing that was taken comes again");
    assert!(ids[1] == ids[3] && ids[0] != ids[1] && ids[2] != ids[1], "{ids:?}");
}

/// Asks for a log until it is as it should be.
async fn until(world: &World, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..1_500 {
        (_, last) = world.get(BRAND, path).await;
        if is_so(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it stays: {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_endpoint_is_named_and_a_disabled_one_hears_nothing() {
    let mut tasks = tokio::task::JoinSet::new();
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let (receiver, url) = Receiver::start(&mut tasks).await;
    for (who, body, field) in [
        (BRAND, json!({ "url": "https://10.0.0.1/" }), "url"),
        (BRAND, json!({ "url": "http://169.254.169.254/" }), "url"),
        (BRAND, json!({ "url": "ftp://shop.example/" }), "url"),
        (BRAND, json!({}), "url"),
        (BRAND, json!({ "url": url, "events": ["payout.lost"] }), "events"),
        (ADA, json!({ "url": url, "events": ["deposit.confirmed"] }), "events"),
        (BRAND, json!({ "url": url, "secret": "whsec_mine" }), "secret"),
    ] {
        let (status, problem, _) = world.post(who, "/webhooks", &body).await;
        assert_eq!(
            (status, &problem["field"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{problem}"
        );
    }
    let (_, made, _) = world.post(BRAND, "/webhooks", &json!({ "url": url })).await;
    let here = format!("/webhooks/{}", text(&made["id"]));
    let change = async |body: Value| {
        let (_, changed, _) = world.ask(BRAND, (Method::PATCH, &here), Some(&body), None).await;
        changed
    };
    let off = change(json!({ "enabled": false })).await;
    assert_eq!((&off["enabled"], &off["disabled_why"]), (&json!(false), &json!("by_owner")));
    let (status, problem, _) = world.post(BRAND, &format!("{here}/test"), &json!({})).await;
    assert_eq!((status, code(&problem)), (StatusCode::CONFLICT, "webhook_disabled"));
    let campaign = world.campaign(BRAND).await;
    let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
    let path = format!("/campaigns/{campaign}/deposits");
    let (_, deposit, _) = world.post(BRAND, &path, &amount).await;
    let session = text(&deposit["session"]);
    world.sandbox.sandbox.pay(&session, PayBy::Card, Outcome::Succeed).expect("open");
    world.sandbox.sandbox.quiet(Duration::from_secs(5)).await;
    world.pass(2_000).await;
    assert_eq!(receiver.kinds(), Vec::<String>::new());
    let on = change(json!({ "enabled": true, "events": ["campaign.state_changed"] })).await;
    assert_eq!((&on["enabled"], &on["notice"]), (&json!(true), &Value::Null));
    receiver.until(1).await;
    assert_eq!(receiver.kinds(), ["campaign.state_changed"], "it goes on where it stopped");
    let hours = json!({ "overlap_hours": 1_000 });
    let (status, problem, _) = world.post(BRAND, &format!("{here}/rotate"), &hours).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("overlap_hours")));
    // A receiver that is gone for good is asked no more.
    receiver.answer(Status::GONE);
    world.post(BRAND, &format!("{here}/test"), &json!({})).await;
    let gone = until(&world, &here, |shown| shown["enabled"] == json!(false)).await;
    assert_eq!(gone["disabled_why"], "gone");
    let (status, ..) = world.ask(BRAND, (Method::DELETE, &here), None, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.get(BRAND, &here).await.0, StatusCode::NOT_FOUND);
}
