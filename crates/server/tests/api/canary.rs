//! Recognisable values go through every input there is, broken ones too. Then everything that is written is
//! searched: files of the databases with their logs, what the server logged, figures and lists.
//!
//! Two sets of values. Those of the first are kept nowhere in any form. Those of the second are sent as what
//! somebody shows of themself or writes on purpose, and stand in the columns of [`SHOWN`] and nowhere else.

mod forms;

use std::path::Path;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::cast::{self, Play, Things, shows};
use crate::matrix;
use crate::search::{Wanted, files};
use crate::world::{CLERK_SECRET, World};

const EMAIL: &str = "quillon.vantress@canary-mail.example";
const PHONE: &str = "+15550142233";
const DIGITS: &str = "15550142233";
const ADDRESS: &str = "203.0.113.177";
const ADDRESS_6: &str = "2001:db8:ca4a::1177";
const NAME: &str = "Quillon Vantress";
const WORD: &str = "quillon_vantress";
const ORDER: &str = "ORDER-canary-4711-zq";
const AGENT: &str = "Mozilla/5.0 (CanaryAgent/77; Linux) Firefox/145.0";

/// Kept nowhere.
const HIDDEN: [&str; 9] = [EMAIL, PHONE, DIGITS, ADDRESS, ADDRESS_6, NAME, WORD, ORDER, AGENT];

/// Sent where they are shown.
const DISPLAYED: [&str; 3] = ["marisol.quennell@shown.example", "Marisol Quennell", "qwenndray47"];

/// Where what is shown may stand: side tables, from which it can be erased.
const SHOWN: [&str; 9] = [
    "brands.name",
    "creators.name",
    "links.destination",
    "notes.text",
    "promo_codes.display",
    "promo_codes.folded",
    "promo_codes.readable",
    "slugs.slug",
    "webhook_endpoints.url",
];

/// Fields that are shown, by the schema of the body.
const DISPLAYS: [(&str, &str); 11] = [
    ("Join", "name"),
    ("NewName", "name"),
    ("WantedLink", "destination"),
    ("WantedLink", "slug"),
    ("WantedCode", "readable"),
    ("WantedWebhook", "url"),
    ("ChangeWebhook", "url"),
    ("PlaceHold", "reason"),
    ("UpholdHold", "reason"),
    ("CancelPayout", "reason"),
    ("SettleOutside", "reference"),
];

/// Values for a field that is shown: good ones for that field, and others.
fn displayed(field: &str) -> Vec<String> {
    let [email, name, word] = DISPLAYED;
    let mut values = vec![email.to_owned(), name.to_owned(), word.to_owned()];
    match field {
        "destination" => values.push(format!("https://shop.example/?who={email}")),
        "url" => values.push(format!("http://127.0.0.1:9/{word}")),
        _ => {}
    }
    values
}

struct Sender<'a> {
    play: &'a Play,
    things: &'a Things,
    sent: usize,
    done: usize,
}

impl Sender<'_> {
    /// With a canary in every header that a client may set.
    async fn send(&mut self, who: &str, (method, path): (&str, &str), body: Option<String>) {
        let world = &self.play.world;
        let method: Method = method.to_uppercase().parse().expect("a method");
        let request = world.client.request(method, format!("{}{path}", world.address));
        self.sent += 1;
        let request = request
            .header("user-agent", AGENT)
            .header("x-forwarded-for", [ADDRESS, ADDRESS_6][self.sent % 2])
            .header("forwarded", format!("for={ADDRESS}"))
            .header("referer", format!("https://shop.example/?mail={EMAIL}&order={ORDER}"))
            .header("from", EMAIL)
            .header("x-request-id", ORDER)
            .header("cookie", format!("seen={NAME}; mail={EMAIL}"))
            .header("idempotency-key", format!("{ORDER} {EMAIL} {}", self.sent));
        let request = match self.play.bearer(shows(who)) {
            Some(bearer) => request.bearer_auth(bearer),
            None => request.header("authorization", format!("Bearer {EMAIL}")),
        };
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        };
        let answer = request.send().await.expect("answers");
        assert!(answer.status() != StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        self.done += usize::from(answer.status().is_success());
        drop(answer.bytes().await);
    }

    /// A body that is good but for one value, for each text in it; and bodies that are nothing.
    fn bodies(name: &str, good: &Value) -> Vec<String> {
        let mut all = Vec::new();
        let is_shown = |field: &str| DISPLAYS.contains(&(name, field));
        let mut fields: Vec<String> =
            good.as_object().expect("an object").keys().cloned().collect();
        fields.extend(DISPLAYS.iter().filter(|(of, _)| *of == name).map(|(_, f)| (*f).to_owned()));
        for field in &fields {
            let values = if is_shown(field) {
                displayed(field)
            } else {
                HIDDEN.iter().map(|value| (*value).to_owned()).collect()
            };
            for value in values {
                let mut body = good.clone();
                body[field] = json!(value);
                all.push(body.to_string());
                body[field] = json!([value]);
                all.push(body.to_string());
                body[field] = json!({ value.clone(): 1 });
                all.push(body.to_string());
            }
        }
        for value in HIDDEN {
            let mut more = good.clone();
            more[value] = json!(value);
            all.push(more.to_string());
            all.push(json!(value).to_string());
            all.push(json!([value]).to_string());
            all.push(format!("{{\"{value}\": "));
            all.push(format!("{{\"x\": {value}}}"));
        }
        all
    }

    async fn route(&mut self, (method, path, schema): (&str, &str, Option<&str>)) {
        let here = format!("/api/v1{}", self.things.fill(path));
        for who in ["owner", "admin", "anonymous"] {
            for value in HIDDEN {
                let value = form(value);
                self.send(who, (method, &format!("{here}?cursor={value}&limit=1")), None).await;
                self.send(who, (method, &format!("{here}?{value}={value}")), None).await;
            }
        }
        // Each part of a path that is a name, with everything else as it is.
        let steps: Vec<&str> = path.split('/').collect();
        for at in (0..steps.len()).filter(|at| steps[*at].starts_with('{')) {
            for value in HIDDEN {
                let mut steps = steps.clone();
                let value = form(value);
                steps[at] = &value;
                let there = format!("/api/v1{}", self.things.fill(&steps.join("/")));
                for who in ["owner", "admin"] {
                    let body = schema.map(|_| "{}".to_owned());
                    self.send(who, (method, &there), body).await;
                }
            }
        }
        let good = matrix::body(&self.play.world, schema);
        let (Some(schema), Some(good)) = (schema, good) else { return };
        let name = schema.rsplit('/').next().expect("a name");
        for who in ["owner", "creator", "admin"] {
            for body in Self::bodies(name, &good) {
                self.send(who, (method, &here), Some(body)).await;
            }
        }
    }
}

/// As it stands in an address.
fn form(value: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    value.bytes().fold(String::new(), |text, b| match b {
        b if plain(&b) => text + &char::from(b).to_string(),
        b => text + &format!("%{b:02X}"),
    })
}

/// Reports of a shop, by every artifact, good and broken; visits.
async fn reports(play: &Play, sender: &mut Sender<'_>) {
    let world = &play.world;
    let part = format!("/campaigns/{}/enrollments", sender.things.fill("{campaign}"));
    let codes = format!("{part}/{}/codes", sender.things.fill("{enrollment}"));
    let creator = ("user_cat", "creator");
    let (status, code, _) = world.post(creator, &codes, &json!({ "readable": "HONEST" })).await;
    assert_eq!(status, StatusCode::CREATED, "{code}");
    let at = rfc3339(world.sandbox.sandbox.now_ms());
    let good = json!({
        "source": NAME, "external_id": ORDER, "type": "sale", "occurred_at": at,
        "amount": 5_000, "currency": "USD", "code": code["code"],
    });
    let mut lines = vec![good.to_string()];
    for field in good.as_object().expect("fields").keys() {
        for value in HIDDEN {
            let mut body = good.clone();
            body[field] = json!(value);
            lines.push(body.to_string());
            body[value] = json!(1);
            lines.push(body.to_string());
        }
    }
    lines.push(
        json!({ "type": "reversal", "reverses": ORDER, "external_id": EMAIL,
        "source": NAME, "occurred_at": at, "campaign": ORDER })
        .to_string(),
    );
    lines.push(
        json!({ "type": "reversal", "reverses": ORDER, "external_id": PHONE,
        "source": NAME, "occurred_at": at })
        .to_string(),
    );
    let before = sender.done;
    for line in &lines {
        sender.send("key_report", ("post", "/v"), Some(line.clone())).await;
    }
    assert!(sender.done > before + 2, "orders are taken in");
    doubt(play, sender.things).await;
    show(world, sender.things).await;
    sender.send("key_report", ("post", "/v/batch"), Some(lines.join("\n"))).await;
    for value in HIDDEN {
        for who in ["anonymous", "key_report"] {
            for path in ["/v", "/v/batch", "/webhooks/stripe", "/webhooks/clerk", "/nothing"] {
                let there = format!("{path}?{}", form(value));
                sender.send(who, ("post", &there), Some(format!("\"{value}"))).await;
            }
        }
        for there in ["/r", "", "/healthz", "/metrics", "/api/v1", "/api/docs", "/webhooks"] {
            let there = format!("{there}/{}", form(value));
            sender.send("anonymous", ("get", &there), None).await;
        }
    }
}

/// What people show of themselves, where it is taken.
async fn show(world: &World, things: &Things) {
    let [email, called, slug] = DISPLAYED;
    for who in [("user_nora", "creator"), ("user_norb", "brand")] {
        let body = json!({ "name": called });
        let joined = world.ask(who, (Method::PUT, "/me"), Some(&body), Some("join")).await;
        assert_eq!(joined.0, StatusCode::OK, "{}", joined.1);
    }
    let links = things.fill("/campaigns/{campaign}/enrollments/{enrollment}/links");
    let destination = format!("https://shop.example/?who={email}");
    let link = json!({ "destination": destination, "slug": slug });
    let made = (Method::POST, links.as_str());
    let made = world.ask(("user_cat", "creator"), made, Some(&link), Some("link")).await;
    assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
}

/// A reason that is kept, since what it is about is there.
async fn doubt(play: &Play, things: &Things) {
    let world = &play.world;
    let here = format!("/api/v1/campaigns/{}", things.fill("{campaign}"));
    let bearer = || play.bearer(shows("owner")).expect("a token");
    let list = world.client.get(format!("{}{here}/conversions", world.address));
    let list = list.bearer_auth(bearer()).send().await.expect("answers");
    let list: Value = list.json().await.expect("JSON");
    let mut taken = list["data"].as_array().expect("a list").iter();
    let newest = taken.rfind(|one| one["result"] == "accepted").expect("one");
    let doubt = json!({ "conversion": newest["seq"], "reason": DISPLAYED[0] });
    let hold = world.client.post(format!("{}{here}/holds", world.address)).json(&doubt);
    let hold = hold.bearer_auth(bearer()).send().await.expect("answers");
    assert_eq!(hold.status(), StatusCode::CREATED, "{newest}");
}

pub(crate) fn rfc3339(ms: i64) -> String {
    let output = std::process::Command::new("date")
        .args(["--utc", "--date", &format!("@{}", ms / 1_000), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("a date");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn person() -> Value {
    json!({
        "email": EMAIL, "phone": PHONE, "name": NAME, "ip": ADDRESS, "user_agent": AGENT,
        "description": ORDER, "address": { "line1": NAME }, "ip_address": ADDRESS_6,
    })
}

/// Events of the payment provider, signed and broken.
async fn provider_events(world: &World) {
    let seconds = world.sandbox.sandbox.now_ms() / 1_000;
    let event = |id: &str, kind: &str, object: Value| {
        json!({
            "id": id, "object": "event", "type": kind, "created": seconds, "livemode": false,
            "data": { "object": object, "previous_attributes": person() }, "request": person(),
        })
    };
    let mut session = person();
    session["id"] = json!("cs_test_canary");
    session["object"] = json!("checkout.session");
    session["customer_details"] = person();
    let mut bodies = vec![
        event("evt_canary1", "checkout.session.completed", session.clone()).to_string(),
        event("evt_canary2", "account.updated", person()).to_string(),
        event("evt_canary3", "charge.succeeded", json!({ "billing_details": person() }))
            .to_string(),
    ];
    for (no, value) in HIDDEN.iter().enumerate() {
        bodies.push(event(value, "checkout.session.completed", session.clone()).to_string());
        bodies.push(event(&format!("evt_k{no}"), value, session.clone()).to_string());
        let mut object = session.clone();
        object["id"] = json!(value);
        object["payment_intent"] = json!(value);
        bodies.push(event(&format!("evt_o{no}"), "charge.succeeded", object).to_string());
        let mut broken = event(&format!("evt_b{no}"), "charge.succeeded", person());
        broken["created"] = json!(value);
        bodies.push(broken.to_string());
        broken["created"] = json!(seconds);
        broken["livemode"] = json!(value);
        bodies.push(broken.to_string());
        broken["object"] = json!(value);
        broken["livemode"] = json!(false);
        bodies.push(broken.to_string());
        broken["account"] = json!(value);
        broken["object"] = json!("event");
        bodies.push(broken.to_string());
        bodies.push(format!("{{\"{value}\": "));
    }
    let mut taken = 0;
    for (path, secret) in [("", "whsec_account"), ("/connect", "whsec_connect")] {
        for body in &bodies {
            for key in [secret, "whsec_wrong"] {
                let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
                mac.update(format!("{seconds}.{body}").as_bytes());
                let tag = HEXLOWER.encode(&mac.finalize().into_bytes());
                let request = world.client.post(format!("{}/webhooks/stripe{path}", world.address));
                let request = request.header("stripe-signature", format!("t={seconds},v1={tag}"));
                let request = request.header("user-agent", AGENT).body(body.clone());
                taken += usize::from(request.send().await.expect("answers").status().is_success());
            }
        }
    }
    assert!(taken > 3, "some are kept");
}

/// Events of the identity provider, signed and broken.
async fn identity_events(world: &World) {
    let seconds = world.sandbox.sandbox.now_ms() / 1_000;
    let mut user = person();
    user["first_name"] = json!(NAME);
    user["email_addresses"] = json!([{ "email_address": EMAIL }]);
    let mut bodies = Vec::new();
    for kind in
        ["user.created", "user.updated", "session.created", "organizationMembership.updated"]
    {
        for id in ["user_zoe", EMAIL] {
            user["id"] = json!(id);
            user["banned"] = json!(true);
            bodies.push(json!({ "type": kind, "data": user, "timestamp": seconds }).to_string());
        }
    }
    for value in HIDDEN {
        bodies.push(json!({ "type": value, "data": user }).to_string());
        bodies.push(json!({ "type": "user.deleted", "data": { "id": value } }).to_string());
        bodies.push(format!("{{\"{value}\": "));
    }
    for body in &bodies {
        for secret in [CLERK_SECRET, "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI="] {
            let key = BASE64.decode(secret.trim_start_matches("whsec_").as_bytes());
            let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("base64")).expect("a key");
            mac.update(format!("{ORDER}.{seconds}.{body}").as_bytes());
            let tag = BASE64.encode(&mac.finalize().into_bytes());
            let request = world.client.post(format!("{}/webhooks/clerk", world.address));
            let request = request.header("svix-id", ORDER).header("user-agent", AGENT);
            let request = request.header("svix-timestamp", seconds.to_string());
            let request = request.header("svix-signature", format!("v1,{tag}"));
            request.body(body.clone()).send().await.expect("answers");
        }
    }
}

/// Everything that can be read of this server by who may read most, and the figures.
async fn exports(play: &Play, things: &Things) -> Vec<(String, Vec<u8>)> {
    let world = &play.world;
    let mut all = Vec::new();
    let metrics = world.client.get(format!("{}/metrics", world.address)).send().await;
    all.push((
        "/metrics".to_owned(),
        metrics.expect("answers").bytes().await.expect("text").into(),
    ));
    for (method, path, _) in matrix::routes(world).await {
        if method != "get" {
            continue;
        }
        let here = things.fill(&path);
        for who in ["owner", "creator", "admin"] {
            let bearer = play.bearer(shows(who)).expect("a token");
            let request = world.client.get(format!("{}/api/v1{here}", world.address));
            let answer = request.bearer_auth(bearer).send().await.expect("answers");
            all.push((format!("{path} as {who}"), answer.bytes().await.expect("read").into()));
        }
    }
    all
}

/// Takes out of a copy of the database what may stand there.
fn without_shown(path: &Path) {
    let database = rusqlite::Connection::open(path).expect("opens");
    database.execute_batch("PRAGMA secure_delete = ON").expect("a pragma");
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    let mut names = database.prepare(sql).expect("a schema");
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .expect("names")
        .map(|name| name.expect("text"))
        .collect();
    for name in names {
        database.execute_batch(&format!("DROP TRIGGER \"{name}\"")).expect("dropped");
    }
    for table in ["slugs", "promo_codes", "notes", "webhook_deliveries", "webhook_cursors"] {
        database.execute_batch(&format!("DELETE FROM {table}")).expect("deleted");
    }
    database
        .execute_batch(
            "UPDATE brands SET name = ''; UPDATE creators SET name = '' WHERE name IS NOT NULL;
             UPDATE links SET destination = ''; UPDATE webhook_endpoints SET url = '';
             PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .expect("emptied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_kept_in_any_form_whatever_comes_in_by_whichever_way() {
    let world = World::start_with(&["--log", "trace", "--trusted-proxy", "127.0.0.0/8"]).await;
    let (play, things) = cast::start_in(Arc::clone(&world)).await;
    let mut sender = Sender { play: &play, things: &things[0], sent: 0, done: 0 };
    reports(&play, &mut sender).await;
    provider_events(&world).await;
    identity_events(&world).await;
    for arguments in [["add-admin", EMAIL], ["remove-admin", PHONE], ["revoke", NAME]] {
        assert!(!world.keys(&arguments).0);
    }
    assert!(!world.keys(&["create", "--brand", ORDER]).0);
    // First, since by the routes campaigns end.
    let pages = sender.pages().await;
    for (method, path, schema) in matrix::routes(&world).await {
        if !path.ends_with("/erasure") {
            sender.route((&method, &path, schema.as_deref())).await;
        }
    }
    assert!(sender.sent > 5_000 && sender.done > 20, "{} {}", sender.sent, sender.done);
    world.pass(5_000).await;
    let hidden = Wanted::of(&HIDDEN);
    let shown = Wanted::of(&DISPLAYED);
    // Also while it runs, with what the log of the database has.
    let mut written = files(&world.data());
    assert!(written.iter().any(|(name, bytes)| name.ends_with(".db-wal") && !bytes.is_empty()));
    written.extend(exports(&play, &things[0]).await);
    written.extend(pages);
    world.end().await;
    written.extend(files(&world.data()));
    let log = world.log();
    assert!(log.contains("TRACE") && log.contains("stopping"), "the whole log is looked at");
    for (place, bytes) in written.iter().chain([&("the log".to_owned(), log.clone().into())]) {
        assert!(hidden.found_in(bytes).is_empty(), "{place}: {:?}", hidden.found_in(bytes));
    }
    assert!(shown.found_in(log.as_bytes()).is_empty(), "{:?}", shown.found_in(log.as_bytes()));
    // What is shown stands where it may, and nowhere else.
    let database = world.data().join("sponsorhub.db");
    let found = shown.found_in_database(&database);
    assert_eq!(found.keys().collect::<Vec<_>>(), SHOWN, "{found:?}");
    let copies = tempfile::tempdir().expect("a directory");
    for (path, bytes) in files(&world.data()) {
        let name = Path::new(&path).file_name().expect("a name").to_owned();
        std::fs::write(copies.path().join(name), bytes).expect("copied");
    }
    without_shown(&copies.path().join("sponsorhub.db"));
    for (place, bytes) in files(copies.path()) {
        assert!(shown.found_in(&bytes).is_empty(), "{place}: {:?}", shown.found_in(&bytes));
    }
}
