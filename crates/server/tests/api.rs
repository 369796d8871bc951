//! The API over HTTP, with a sandbox behind it: who may what, what is done once, and what is told of
//! what is not one's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{Method as PayBy, Options, Outcome, Running, Sandbox, TokenWanted};

const DAY_MS: i64 = 86_400_000;

/// A server and its sandbox.
struct World {
    child: Child,
    sandbox: Running,
    address: String,
    client: Client,
    _directory: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status, body, and whether it was replayed.
type Answer = (StatusCode, Value, bool);

impl World {
    async fn start() -> Arc<Self> {
        let sandbox = Sandbox::start(Options::default()).await.expect("a port");
        let directory = tempfile::tempdir().expect("a directory");
        let base = sandbox.base_url.as_str();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
        command.args(["serve", "--init", "sandbox", "--clock", "virtual"]);
        command.args(["--rollup-seconds", "1", "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(directory.path().join("data"));
        command.envs([
            ("SPONSORHUB_STRIPE_BASE_URL", base),
            ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_api"),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_account"),
            ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_connect"),
            ("SPONSORHUB_CLERK_ISSUER", base),
        ]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("listening on ").map(|(_, address)| address.trim().to_owned())
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = address.expect("it says where");
        for (path, connect) in [("", false), ("/connect", true)] {
            let secret = if connect { "whsec_connect" } else { "whsec_account" };
            sandbox.sandbox.register_webhook(sponsorhub_sandbox::WebhookEndpoint {
                url: format!("{address}/webhooks/stripe{path}"),
                secret: secret.to_owned(),
                connect,
                enabled_events: Vec::new(),
            });
        }
        let client = Client::builder().build().expect("a client");
        Arc::new(Self { child, sandbox, address, client, _directory: directory })
    }

    fn token(&self, user: &str, role: &str) -> String {
        let wanted = TokenWanted {
            user: user.to_owned(),
            role: Some(role.to_owned()),
            azp: Some(self.address.clone()),
            ttl_s: Some(100_000),
            ..TokenWanted::default()
        };
        self.sandbox.sandbox.token(&wanted).expect("issued").token
    }

    async fn ask(
        &self,
        who: (&str, &str),
        (method, path): (Method, &str),
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Answer {
        let url = format!("{}/api/v1{path}", self.address);
        let mut request = self.client.request(method, url).bearer_auth(self.token(who.0, who.1));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.expect("answers");
        let status = response.status();
        let is_replayed = response.headers().contains_key("idempotent-replayed");
        (status, response.json().await.expect("JSON"), is_replayed)
    }

    async fn post(&self, who: (&str, &str), path: &str, body: &Value) -> Answer {
        self.ask(who, (Method::POST, path), Some(body), None).await
    }

    async fn get(&self, who: (&str, &str), path: &str) -> (StatusCode, Value) {
        let (status, body, _) = self.ask(who, (Method::GET, path), None, None).await;
        (status, body)
    }

    async fn join(&self, who: (&str, &str)) {
        let name = json!({ "name": who.0 });
        let (status, body, _) = self.ask(who, (Method::PUT, "/me"), Some(&name), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    fn terms(&self) -> Value {
        json!({
            "currency": "USD", "budget": 100_000,
            "ends_at": self.sandbox.sandbox.now_ms() + 30 * DAY_MS,
            "destination_hosts": ["shop.example"],
            "rates": { "sale": { "bps": [[0, 1_000]] } },
        })
    }

    async fn campaign(&self, who: (&str, &str)) -> String {
        let (status, body, _) = self.post(who, "/campaigns", &self.terms()).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        text(&body["id"])
    }

    /// A campaign whose budget is paid in.
    async fn paid(&self, who: (&str, &str), terms: &Value) -> String {
        let (status, body, _) = self.post(who, "/campaigns", terms).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let campaign = text(&body["id"]);
        let amount = json!({ "amount": { "amount": terms["budget"], "currency": "USD" } });
        let path = format!("/campaigns/{campaign}/deposits");
        let (_, deposit, _) = self.post(who, &path, &amount).await;
        let session = text(&deposit["session"]);
        self.sandbox.sandbox.pay(&session, PayBy::Card, Outcome::Succeed).expect("open");
        self.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        self.pass(2_000).await;
        campaign
    }

    /// Moves the sandbox's time until the server has done what was due.
    async fn pass(&self, ms: i64) {
        let at = self.sandbox.sandbox.advance_ms(ms).expect("forward");
        for _ in 0..1_000 {
            let (_, standing) = self.get(("operator", "admin"), "/workers").await;
            if standing["settled_at"].as_i64().is_some_and(|settled| settled >= at) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the workers do not come to rest");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or("none")
}

const ADA: (&str, &str) = ("ada", "creator");
const BRAND: (&str, &str) = ("marta", "brand");
const RIVAL: (&str, &str) = ("rival", "brand");
const ADMIN: (&str, &str) = ("operator", "admin");

fn filled(path: &str) -> String {
    let path = path.replace("{campaign}", "cmp_00000000000000000000000000");
    let path = path.replace("{enrollment}", "enr_00000000000000000000000000");
    path.replace("{key}", "key_00000000000000000000000000").replace("{conversion}", "7")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_who_it_is_and_whether_they_may() {
    let world = World::start().await;
    for who in [ADA, BRAND] {
        world.join(who).await;
    }
    let url = format!("{}/api/openapi.json", world.address);
    let document: Value =
        world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("methods") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let path = filled(path.strip_prefix("/api/v1").expect("below it"));
            let url = format!("{}/api/v1{path}", world.address);
            let request = world
                .client
                .request(method.clone(), url)
                .header("content-type", "application/json");
            let response = request.send().await.expect("answers");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            let who_may = text(&operation["description"]);
            for who in [ADA, BRAND, ADMIN] {
                let (_, body, _) = world.ask(who, (method.clone(), &path), None, None).await;
                let may = who_may.contains(who.1) || who_may.contains("everybody");
                // Operators own nothing: joining is refused in the same words.
                let is_joining = path == "/me" && method == Method::PUT;
                let is_refused = code(&body) == "forbidden";
                assert!(is_joining || is_refused != may, "{method} {path} as {}: {body}", who.1);
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_brands_is_answered_like_what_is_not_there() {
    let world = World::start().await;
    for who in [BRAND, RIVAL, ADA] {
        world.join(who).await;
    }
    let campaign = world.campaign(BRAND).await;
    let nowhere = "cmp_00000000000000000000000000";
    for rest in ["", "/deposits", "/balances", "/ledger", "/conversions", "/payouts", "/holds"] {
        let (status, foreign) = world.get(RIVAL, &format!("/campaigns/{campaign}{rest}")).await;
        let (_, missing) = world.get(RIVAL, &format!("/campaigns/{nowhere}{rest}")).await;
        assert_eq!((status, &foreign), (StatusCode::NOT_FOUND, &missing), "{rest}");
        let (status, _) = world.get(BRAND, &format!("/campaigns/{campaign}{rest}")).await;
        assert_eq!(status, StatusCode::OK, "{rest}");
    }
    for step in ["launch", "pause", "resume", "complete", "cancel"] {
        let path = format!("/campaigns/{campaign}/{step}");
        let (status, ..) = world.post(RIVAL, &path, &json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{step}");
    }
    // A draft is nothing that creators see.
    let (status, _) = world.get(ADA, &format!("/campaigns/{campaign}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // Another role under the same user is refused.
    let (status, body) = world.get(("marta", "admin"), "/campaigns").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "role_changed"));
    let (status, body) = world.get(("nobody", "brand"), "/api-keys").await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "not_joined"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_is_one_request_however_often_it_is_sent() {
    let world = World::start().await;
    world.join(BRAND).await;
    let terms = world.terms();
    let create = (Method::POST, "/campaigns");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, terms) = (Arc::clone(&world), terms.clone());
        tasks.spawn(async move {
            world.ask(BRAND, (Method::POST, "/campaigns"), Some(&terms), Some("one")).await
        });
    }
    let answers = tasks.join_all().await;
    let first = &answers[0].1;
    for (status, body, _) in &answers {
        assert_eq!((*status, body), (StatusCode::CREATED, first));
    }
    let replayed = answers.iter().filter(|(.., is_replayed)| *is_replayed).count();
    assert_eq!(replayed, 7);
    let mut other = terms.clone();
    other["budget"] = json!(200_000);
    let (status, body, _) = world.ask(BRAND, create, Some(&other), Some("one")).await;
    assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
    let (_, all) = world.get(BRAND, "/campaigns").await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
    // A secret is shown once and kept nowhere.
    let issue = || world.ask(BRAND, (Method::POST, "/api-keys"), None, Some("key"));
    let (first, again) = (issue().await.1, issue().await.1);
    assert!(text(&first["secret"]).starts_with("shk_sandbox_"));
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_input_names_the_field_and_pages_fit_together() {
    let world = World::start().await;
    world.join(BRAND).await;
    for (field, value) in [
        ("budget", Value::Null),
        ("currency", json!("XTS")),
        ("budgett", json!(1)),
        ("ends_at", json!(0)),
        ("platform_fee_bps", json!(-1)),
        ("destination_hosts", json!(["no host"])),
    ] {
        let mut terms = world.terms();
        match &value {
            Value::Null => drop(terms.as_object_mut().expect("an object").remove(field)),
            value => terms[field] = value.clone(),
        }
        let (status, body, _) = world.post(BRAND, "/campaigns", &terms).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}: {body}");
        let told = format!("{} {}", body["field"], body["detail"]);
        assert!(
            told.contains(field) || field == "currency" || value == json!(-1),
            "{field}: {body}"
        );
    }
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.campaign(BRAND).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.get(BRAND, &format!("/campaigns?limit=2{cursor}")).await;
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= 2);
        seen.extend(data.iter().map(|one| text(&one["id"])));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, made);
    for query in ["limit=0", "limit=101", "cursor=x"] {
        let (status, body) = world.get(BRAND, &format!("/campaigns?{query}")).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "field_invalid"), "{query}");
    }
}

/// A part is one part, however many requests ask for it at the same moment: each would reserve a base.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creator_takes_part_once() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let mut terms = world.terms();
    terms["base"] = json!(10_000);
    terms["base_unlock"] = json!({ "conversions": 1 });
    let campaign = world.paid(BRAND, &terms).await;
    let mut tasks = tokio::task::JoinSet::new();
    let together = Arc::new(tokio::sync::Barrier::new(32));
    for number in 0..32 {
        let url = format!("{}/api/v1/campaigns/{campaign}/enrollments", world.address);
        let request = world.client.post(url).bearer_auth(world.token(ADA.0, ADA.1));
        let request = request.header("idempotency-key", format!("k{number}")).json(&json!({}));
        let together = Arc::clone(&together);
        tasks.spawn(async move {
            together.wait().await;
            let response = request.send().await.expect("answers");
            (response.status(), response.json::<Value>().await.expect("JSON"))
        });
    }
    let answers = tasks.join_all().await;
    for (status, body) in &answers {
        assert_eq!((*status, &body["id"]), (StatusCode::CREATED, &answers[0].1["id"]), "{body}");
    }
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    assert_eq!(balances["accounts"]["base_reserve"], json!(10_500), "one base and its fee");
}

/// INV-9 over the wire: a page that was left, a bank debit that is under way, one that fails, one that
/// comes, and an event that nobody signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_campaign_is_live_before_its_money_is_there() {
    let world = World::start().await;
    world.join(BRAND).await;
    for outcome in [Outcome::Fail, Outcome::Succeed] {
        let campaign = world.campaign(BRAND).await;
        let launch = format!("/campaigns/{campaign}/launch");
        let refused = async |why: &str| {
            let (status, body, _) = world.post(BRAND, &launch, &json!({})).await;
            assert_eq!(status, StatusCode::CONFLICT, "{why}: {body}");
        };
        refused("nothing was paid").await;
        let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
        let path = format!("/campaigns/{campaign}/deposits");
        let (status, deposit, _) = world.post(BRAND, &path, &amount).await;
        assert_eq!(status, StatusCode::CREATED, "{deposit}");
        let session = text(&deposit["session"]);
        refused("a page is open").await;
        let forged = json!({
            "id": "evt_forged", "object": "event", "type": "checkout.session.completed",
            "created": world.sandbox.sandbox.now_ms() / 1_000, "livemode": false,
            "data": { "object": { "id": session, "object": "checkout.session" } },
        });
        let url = format!("{}/webhooks/stripe", world.address);
        let unsigned = world.client.post(&url).json(&forged).send().await.expect("answers");
        assert_eq!(unsigned.status(), StatusCode::BAD_REQUEST);
        let tag = "t=1767614400,v1=00";
        let wrong = world.client.post(&url).header("stripe-signature", tag).json(&forged);
        assert_eq!(wrong.send().await.expect("answers").status(), StatusCode::BAD_REQUEST);
        world.pass(2_000).await;
        refused("the event was forged").await;
        world.sandbox.sandbox.pay(&session, PayBy::Delayed, outcome).expect("open");
        world.pass(2_000).await;
        refused("completed and not paid").await;
        world.sandbox.sandbox.settle(&session, None).expect("waits");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        if outcome == Outcome::Fail {
            refused("the debit failed").await;
            continue;
        }
        let (status, body, _) = world.post(BRAND, &launch, &json!({})).await;
        assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("live")), "{body}");
        // Whoever asks again is told the same.
        let (status, ..) = world.post(BRAND, &launch, &json!({})).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_a_problem_that_names_the_field() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let deposits = format!("/campaigns/{campaign}/deposits");
    let deposit = |amount: Value| json!({ "amount": { "amount": amount, "currency": "USD" } });
    let terms = |field: &str, value: Value| {
        let mut terms = world.terms();
        terms[field] = value;
        terms
    };
    let large = json!({ "destination_hosts": vec!["shop.example"; 10_000] });
    let cases = [
        (deposits.as_str(), deposit((-1).into()), 400, "amount.amount"),
        (&deposits, deposit(0.into()), 400, "amount.amount"),
        (&deposits, deposit(((1_i64 << 53) - 1).into()), 400, "amount.amount"),
        (&deposits, deposit("5".into()), 400, "amount.amount"),
        (&deposits, json!({}), 400, "amount"),
        ("/campaigns", terms("currency", "XXX".into()), 400, "currency"),
        ("/campaigns", terms("budget", json!(1.5)), 400, "budget"),
        (
            "/campaigns",
            terms("rates", json!({ "sale": { "bps": [[0, -5]] } })),
            400,
            "rates.sale.bps[0][1]",
        ),
        ("/campaigns", terms("foo", 1.into()), 400, "foo"),
        ("/campaigns", large, 413, "body"),
        ("/campaigns/xyz/launch", json!({}), 400, "path"),
    ];
    for (path, body, status, field) in cases {
        let (was, problem, _) = world.post(BRAND, path, &body).await;
        assert_eq!((was.as_u16(), text(&problem["field"]).as_str()), (status, field), "{problem}");
    }
    // Nothing follows on a connection whose request was not read to its end, and the answer says so.
    let url = format!("{}/api/v1/campaigns", world.address);
    for (bytes, status, closes) in [(200_000, 413, true), (200, 400, false)] {
        let body = format!("{{\"x\":\"{}\"}}", "x".repeat(bytes));
        let sent = world.client.post(&url).bearer_auth(world.token(BRAND.0, BRAND.1)).body(body);
        let answer = sent.send().await.expect("answers");
        let says_so = answer.headers().get("connection").is_some_and(|value| value == "close");
        assert_eq!((answer.status().as_u16(), says_so), (status, closes));
    }
    let key = json!({ "scopes": ["conversions:write"], "expires_at": 5 });
    let (status, problem, _) = world.post(BRAND, "/api-keys", &key).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"expires_at".into()), "{problem}");
    for query in ["limit=1&limit=2", "foo=1"] {
        let (status, problem) = world.get(BRAND, &format!("/campaigns?{query}")).await;
        assert_eq!((status.as_u16(), code(&problem)), (400, "field_invalid"), "{problem}");
    }
}

/// Who is told that something is so can build on it: caches follow before the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_credits_as_soon_as_its_creator_is_told() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    let (status, body, _) = world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let browser = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let browser = browser.expect("a client");
    for name in ["ada", "ben", "cleo", "dan", "eve", "fay"] {
        let who = (name, "creator");
        world.join(who).await;
        let (_, part, _) = world.post(who, &format!("{path}/enrollments"), &json!({})).await;
        let links = format!("{path}/enrollments/{}/links", text(&part["id"]));
        let wanted = json!({ "destination": "https://shop.example/" });
        let (_, link, _) = world.post(who, &links, &wanted).await;
        let visit = browser
            .get(format!("{}{}", world.address, text(&link["path"])))
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0");
        let answer = visit.send().await.expect("answers");
        let location = answer.headers()["location"].to_str().expect("text");
        assert!(location.contains("sh_click="), "{name}: {location}");
    }
}

/// Money that comes after a campaign was given up goes back, and nobody has to ask for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_comes_after_the_cancel_is_refunded() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}");
    let amount = json!({ "amount": { "amount": 7_000, "currency": "USD" } });
    let (_, deposit, _) = world.post(BRAND, &format!("{path}/deposits"), &amount).await;
    let session = text(&deposit["session"]);
    world.sandbox.sandbox.pay(&session, PayBy::Delayed, Outcome::Succeed).expect("open");
    world.pass(2_000).await;
    let (status, body, _) = world.post(BRAND, &format!("{path}/cancel"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    world.sandbox.sandbox.settle(&session, None).expect("waits");
    world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    for _ in 0..5 {
        world.pass(DAY_MS).await;
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    }
    let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
    assert_eq!(balances["accounts"]["campaign_funds"], json!(0), "{balances}");
    let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
    let refunded = deposits["data"][0]["refunded"]["amount"].as_i64().expect("an amount");
    assert!(refunded >= 7_000, "{deposits}");
}

/// What was refused is refused again, under the same key too; a doubt is not raised for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_are_placed_once_and_a_refusal_never_turns_into_success() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let (_, part, _) = world.post(ADA, &format!("{path}/enrollments"), &json!({})).await;
    let codes = format!("{path}/enrollments/{}/codes", text(&part["id"]));
    let (_, promo, _) = world.post(ADA, &codes, &json!({ "readable": "ADA" })).await;
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let seconds = world.sandbox.sandbox.now_ms() / 1_000;
    let days = seconds / 86_400;
    assert_eq!(days, 20_458, "the sandbox begins on a day of 2026");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let order = json!({
        "source": "shop", "external_id": "o", "type": "sale", "amount": 5_000, "currency": "USD",
        "code": text(&promo["code"]),
        "occurred_at": format!("2026-01-05T{hour:02}:{minute:02}:{second:02}Z"),
    });
    let sent = world.client.post(format!("{}/v", world.address)).json(&order);
    let sent = sent.bearer_auth(text(&key["secret"])).send().await.expect("answers");
    let told: Value = sent.json().await.expect("JSON");
    let conversion = told["seq"].as_u64().unwrap_or_else(|| panic!("{told}"));
    let holds = format!("{path}/holds");
    let place = json!({ "conversion": conversion, "reason": "odd" });
    let (status, problem, _) = world
        .post(BRAND, &holds, &json!({ "conversion": conversion, "reason": "x", "deadline": -1 }))
        .await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"deadline".into()), "{problem}");
    let (status, body, _) = world.post(BRAND, &holds, &place).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let (status, ..) =
        world.post(BRAND, &format!("{holds}/{conversion}/release"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let uphold = format!("{holds}/{conversion}/uphold");
    let reason = json!({ "reason": "fraud" });
    for _ in 0..3 {
        let tried = world.ask(ADMIN, (Method::POST, &uphold), Some(&reason), Some("u1")).await;
        assert_eq!(tried.0, StatusCode::CONFLICT, "{}", tried.1);
    }
    let (status, problem, _) = world.post(BRAND, &holds, &place).await;
    assert_eq!((status.as_u16(), code(&problem)), (409, "held_before"));
    let (status, ..) = world.post(ADMIN, &holds, &place).await;
    assert_eq!(status, StatusCode::CREATED, "an operator may look again");
    // A name that is taken makes no link.
    let links = format!("{path}/enrollments/{}/links", text(&part["id"]));
    let link = json!({ "destination": "https://shop.example/", "slug": "ada" });
    for expected in [StatusCode::CREATED, StatusCode::CONFLICT, StatusCode::CONFLICT] {
        assert_eq!(world.post(ADA, &links, &link).await.0, expected);
    }
    let (_, listed) = world.get(ADA, &links).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    let mut late = world.terms();
    late["ends_at"] = json!(1_i64 << 53);
    let (status, problem, _) = world.post(BRAND, "/campaigns", &late).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &"ends_at".into()), "{problem}");
}

/// A refund that somebody makes at the provider, by hand, takes the campaign's money and no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_that_was_refunded_at_the_provider_is_booked_as_gone() {
    let world = World::start().await;
    world.join(BRAND).await;
    // The provider's fee is gone, so there is too little for all of it: that refund waits.
    for (amount, state, frozen) in [(100_000, "draft", false), (104_100, "funded", true)] {
        let campaign = world.paid(BRAND, &world.terms()).await;
        let path = format!("/campaigns/{campaign}");
        let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
        let payment = text(&deposits["data"][0]["payment"]);
        let form = format!("payment_intent={payment}&amount={amount}");
        let by_hand = world.client.post(format!("{}/v1/refunds", world.sandbox.base_url));
        let by_hand = by_hand.header("content-type", "application/x-www-form-urlencoded");
        let by_hand = by_hand.bearer_auth("sk_test_api").body(form).send().await;
        assert_eq!(by_hand.expect("answers").status(), StatusCode::OK);
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (status, problem, _) = world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!((&shown["state"], &shown["is_frozen"]), (&json!(state), &json!(frozen)));
        let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
        assert_eq!(balances["difference"], json!(0), "{balances}");
    }
}

/// A disputed deposit freezes the campaign, and a lost dispute is the brand's debt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_freezes_and_its_end_is_booked() {
    let world = World::start().await;
    world.join(BRAND).await;
    for (is_won, state, provider) in [(true, "funded", false), (false, "draft", true)] {
        let campaign = world.paid(BRAND, &world.terms()).await;
        let path = format!("/campaigns/{campaign}");
        let (_, deposits) = world.get(BRAND, &format!("{path}/deposits")).await;
        let session = text(&deposits["data"][0]["session"]);
        let dispute = world.sandbox.sandbox.dispute(&session, None).expect("paid");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!(shown["is_frozen"], json!(true), "{shown}");
        assert!(world.sandbox.sandbox.close_dispute(&dispute, is_won), "it was open");
        world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
        world.pass(2_000).await;
        let (_, shown) = world.get(BRAND, &path).await;
        assert_eq!((&shown["is_frozen"], &shown["state"]), (&json!(false), &json!(state)));
        let (_, balances) = world.get(BRAND, &format!("{path}/balances")).await;
        let accounts = &balances["accounts"];
        assert_eq!(accounts["provider"] == json!(0), provider, "{balances}");
        assert_eq!(balances["difference"], json!(0));
    }
}

/// The answer to the opening of a page was lost: the same key finds the page, whatever happened since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_whose_answer_was_lost_is_found_again() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}/deposits");
    let fault = json!({ "method": "POST", "path": "/v1/checkout/sessions", "fault": "cut_after" });
    let script = format!("{}/_control/faults", world.sandbox.base_url);
    let script = world.client.post(script).json(&json!({ "faults": [fault] }));
    assert_eq!(script.send().await.expect("answers").status(), StatusCode::OK);
    let amount = json!({ "amount": { "amount": 7_000, "currency": "USD" } });
    let (status, ..) = world.ask(BRAND, (Method::POST, &path), Some(&amount), Some("d1")).await;
    // Tried again at once, or left to whoever asked: both are right.
    let other = json!({ "amount": { "amount": 9_000, "currency": "USD" } });
    let (between, ..) = world.ask(BRAND, (Method::POST, &path), Some(&other), Some("d2")).await;
    assert_eq!(between, StatusCode::CREATED, "another entry");
    let (again, deposit, _) =
        world.ask(BRAND, (Method::POST, &path), Some(&amount), Some("d1")).await;
    assert_eq!(again, StatusCode::CREATED, "after {status}: {deposit}");
}

/// What a brand writes in its terms is not what it owes the operator; and it is read in one way only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_keep_the_operators_fees_and_say_every_name_once() {
    let world = World::start().await;
    world.join(BRAND).await;
    for field in ["platform_fee_bps", "provider_fee_reserve_bps", "provider_fee_reserve_fixed"] {
        let mut terms = world.terms();
        terms[field] = json!(0);
        let (status, problem, _) = world.post(BRAND, "/campaigns", &terms).await;
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!(field)), "{problem}");
    }
    let twice = world.terms().to_string().replacen('{', "{\"budget\":1,", 1);
    let request = world.client.post(format!("{}/api/v1/campaigns", world.address)).body(twice);
    let answer = request.bearer_auth(world.token(BRAND.0, BRAND.1)).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let campaign = world.campaign(BRAND).await;
    let path = format!("/campaigns/{campaign}/cancel");
    let (status, problem, _) = world.post(BRAND, &path, &json!({ "really": true })).await;
    assert_eq!((status.as_u16(), code(&problem)), (400, "body_invalid"));
    let campaign = world.paid(BRAND, &world.terms()).await;
    world.join(ADA).await;
    let path = format!("/campaigns/{campaign}/enrollments");
    let (_, part, _) = world.post(ADA, &path, &json!({})).await;
    let part = format!("{path}/{}", text(&part["id"]));
    world.post(ADA, &format!("{part}/end"), &json!({})).await;
    let link = json!({ "destination": "https://shop.example/" });
    for (what, body) in [("links", link), ("codes", json!({ "readable": "ADA" }))] {
        let (status, problem, _) = world.post(ADA, &format!("{part}/{what}"), &body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    }
}
