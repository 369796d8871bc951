//! What the identity provider tells of users: believed by its signature, in any order, and only ever to
//! take something away.

use std::io::Write as _;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use sponsorhub_sandbox::{Organisation, TokenWanted};

use crate::install;
use crate::world::{CLERK_SECRET, World, code, text};

/// Signed by ourselves, so that wrong ones can be made.
fn sign(secret: &str, (id, seconds): (&str, i64), body: &str) -> String {
    let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a secret").as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("base64")).expect("any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

async fn post(
    world: &World,
    (id, seconds): (&str, i64),
    signature: &str,
    body: &str,
) -> (StatusCode, Value) {
    let request = world.client.post(format!("{}/webhooks/clerk", world.address));
    let request = request.header("svix-id", id).header("svix-timestamp", seconds.to_string());
    let response = request.header("svix-signature", signature).body(body.to_owned()).send().await;
    let response = response.expect("answers");
    let status = response.status();
    (status, serde_json::from_str(&response.text().await.expect("text")).unwrap_or_default())
}

pub(crate) async fn tell(world: &World, event: &Value) -> StatusCode {
    let (body, seconds) = (event.to_string(), world.sandbox.sandbox.now_ms() / 1_000);
    let signature = sign(CLERK_SECRET, ("msg_1", seconds), &body);
    post(world, ("msg_1", seconds), &signature, &body).await.0
}

pub(crate) fn token(world: &World, user: &str, role: &str, place: Option<&str>) -> String {
    token_in(world, (user, role), place.map(|place| ("org_acme", place)))
}

/// In an organisation, with a place in it.
pub(crate) fn token_in(
    world: &World,
    (user, role): (&str, &str),
    place: Option<(&str, &str)>,
) -> String {
    let organisation = place.map(|(id, role)| Organisation {
        id: id.to_owned(),
        slug: "acme".to_owned(),
        role: role.to_owned(),
    });
    let wanted = TokenWanted {
        user: user.to_owned(),
        role: Some(role.to_owned()),
        azp: Some(world.address.clone()),
        ttl_s: Some(100_000),
        organisation,
        ..TokenWanted::default()
    };
    world.sandbox.sandbox.token(&wanted).expect("issued").token
}

pub(crate) async fn me(world: &World, token: &str, name: Option<&str>) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/me", world.address);
    let request = match name {
        Some(name) => world.client.put(url).json(&json!({ "name": name })),
        None => world.client.get(url),
    };
    let response = request.bearer_auth(token).send().await.expect("answers");
    (response.status(), response.json().await.expect("JSON"))
}

pub(crate) fn member(kind: &str, user: &str, role: &str, updated_at: i64) -> Value {
    json!({
        "object": "event", "type": format!("organizationMembership.{kind}"),
        "timestamp": updated_at,
        "data": {
            "organization": { "id": "org_acme" }, "public_user_data": { "user_id": user },
            "role": format!("org:{role}"), "updated_at": updated_at,
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_that_are_taken_away_count_at_once_and_in_any_order() {
    let world = World::start().await;
    let (ann, mia) = (
        token(&world, "user_ann", "brand", Some("admin")),
        token(&world, "user_mia", "brand", Some("admin")),
    );
    for (token, name) in [(&ann, "Acme"), (&mia, "x")] {
        let (status, body) = me(&world, token, Some(name)).await;
        assert_eq!((status, &body["role"]), (StatusCode::OK, &json!("owner")));
    }
    let now = world.sandbox.sandbox.now_ms();
    // Less at once, though her token says more; then an older word that would be more is passed over.
    assert_eq!(tell(&world, &member("updated", "user_mia", "member", now + 20)).await, 200);
    assert_eq!(me(&world, &mia, None).await.1["role"], "member");
    assert_eq!(tell(&world, &member("updated", "user_mia", "basic", now + 10)).await, 200);
    assert_eq!(me(&world, &mia, None).await.1["role"], "member", "told late");
    assert_eq!(tell(&world, &member("updated", "user_mia", "admin", now + 30)).await, 200);
    assert_eq!(me(&world, &mia, None).await.1["role"], "member", "only an owner gives more");
    // Another organisation's word, and one about nobody, changes nothing.
    let mut other = member("deleted", "user_mia", "member", now + 40);
    other["data"]["organization"]["id"] = json!("org_other");
    assert_eq!(tell(&world, &other).await, 200);
    assert_eq!(tell(&world, &member("deleted", "user_nobody", "member", now + 40)).await, 200);
    assert_eq!(me(&world, &mia, None).await.0, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(tell(&world, &member("deleted", "user_mia", "member", now + 50)).await, 200);
        let (status, body) = me(&world, &mia, None).await;
        assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    }
    // Coming back is the owners' to say.
    assert_eq!(tell(&world, &member("created", "user_mia", "admin", now + 60)).await, 200);
    assert_eq!(me(&world, &mia, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(me(&world, &ann, None).await.0, StatusCode::OK);
}

/// A token outlives the user, and the place in the organisation, for which it was issued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_before_they_joined_does_not_join_with_the_token_of_before() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    assert_eq!(me(&world, &ann, Some("Acme")).await.0, StatusCode::OK);
    let now = world.sandbox.sandbox.now_ms();
    let of_before = [
        token(&world, "user_mia", "brand", Some("admin")),
        token(&world, "user_zoe", "creator", None),
        token(&world, "user_ben", "creator", None),
        token(&world, "user_bob", "brand", None),
    ];
    // What is deleted was changed last long before.
    let mut left = member("deleted", "user_mia", "admin", now - 90 * crate::world::DAY_MS);
    left["timestamp"] = json!(now);
    assert_eq!(tell(&world, &left).await, 200);
    for user in ["user_zoe", "user_bob"] {
        let gone = json!({
            "object": "event", "type": "user.deleted", "timestamp": now,
            "data": { "object": "user", "id": user, "deleted": true },
        });
        assert_eq!(tell(&world, &gone).await, 200);
    }
    let banned = json!({
        "object": "event", "type": "user.updated", "timestamp": now,
        "data": { "id": "user_ben", "banned": true, "updated_at": now },
    });
    assert_eq!(tell(&world, &banned).await, 200);
    for token in &of_before {
        let (status, body) = me(&world, token, Some("Somebody Known")).await;
        assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "user_departed"), "{body}");
    }
    world.end().await;
    for (path, bytes) in crate::search::files(&world.data()) {
        let is_there = bytes.windows(14).any(|window| window == b"Somebody Known");
        assert!(!is_there, "the name of who was refused is in {path}");
    }
}

/// Whoever knows an address can have its user locked for an hour by wrong passwords: that is no decision.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_locked_for_a_while_is_not_shut_out_here() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    assert_eq!(me(&world, &ann, Some("Acme")).await.0, StatusCode::OK);
    let now = world.sandbox.sandbox.now_ms();
    let locked = json!({
        "object": "event", "type": "user.updated", "timestamp": now,
        "data": { "id": "user_ann", "banned": false, "locked": true, "updated_at": now },
    });
    assert_eq!(tell(&world, &locked).await, 200);
    assert_eq!(me(&world, &ann, None).await.0, StatusCode::OK);
}

/// Another place counts also for who has not joined yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_given_less_before_they_joined_does_not_join_with_the_token_of_before() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    assert_eq!(me(&world, &ann, Some("Acme")).await.0, StatusCode::OK);
    let mia = token(&world, "user_mia", "brand", Some("admin"));
    let now = world.sandbox.sandbox.now_ms();
    assert_eq!(tell(&world, &member("updated", "user_mia", "viewer", now)).await, 200);
    let (status, body) = me(&world, &mia, Some("Mia")).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "user_departed"), "{body}");
}

/// Who was let in again by the identity provider has a newer token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_joins_with_a_new_token() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    assert_eq!(me(&world, &ann, Some("Acme")).await.0, StatusCode::OK);
    let now = world.sandbox.sandbox.now_ms();
    assert_eq!(tell(&world, &member("deleted", "user_mia", "member", now)).await, 200);
    world.pass(60_000).await;
    let mia = token(&world, "user_mia", "brand", Some("member"));
    let (status, body) = me(&world, &mia, Some("Mia")).await;
    assert_eq!((status, &body["role"]), (StatusCode::OK, &json!("member")), "{body}");
    // A week later it is forgotten that she had left.
    assert!(departures(&world) == 1);
    world.pass(8 * crate::world::DAY_MS).await;
    assert!(departures(&world) == 0);
}

fn departures(world: &World) -> i64 {
    let path = world.data().join("sponsorhub.db");
    let database = rusqlite::Connection::open(path).expect("opens");
    let sql = "SELECT count(*) FROM departures";
    database.query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_deleted_is_shut_out_and_forgotten_and_the_ledger_stays() {
    let world = World::start().await;
    let ada = token(&world, "user_ada", "creator", None);
    let (status, body) = me(&world, &ada, Some("Ada Canary")).await;
    assert_eq!(status, StatusCode::OK);
    let creator = text(&body["id"]);
    let gone = json!({
        "object": "event", "type": "user.deleted", "timestamp": 1_700_000_000,
        "data": { "object": "user", "id": "user_ada", "deleted": true },
    });
    assert_eq!(tell(&world, &gone).await, 200);
    assert_eq!(tell(&world, &gone).await, 200, "told again");
    let (status, body) = me(&world, &ada, None).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    // Only what must be there may be missing; a deletion that names nobody is no error.
    let nameless = json!({ "type": "user.deleted", "data": { "object": "user", "deleted": true } });
    assert_eq!(tell(&world, &nameless).await, 200);
    world.end().await;
    for file in std::fs::read_dir(world.data()).expect("a directory") {
        let path = file.expect("a file").path();
        // A socket is no file.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let is_there = bytes.windows(10).any(|part| part == b"Ada Canary");
        assert!(!is_there, "{creator} is named in {}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_signed_for_this_body_and_time_is_refused() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    me(&world, &ann, Some("Acme")).await;
    let now = world.sandbox.sandbox.now_ms() / 1_000;
    let gone = json!({ "type": "user.deleted", "data": { "id": "user_ann" } }).to_string();
    let good = sign(CLERK_SECRET, ("msg_1", now), &gone);
    let other = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=";
    let tries = [
        ("nothing", now, String::new(), gone.clone()),
        ("another secret", now, sign(other, ("msg_1", now), &gone), gone.clone()),
        ("another id", now, sign(CLERK_SECRET, ("msg_2", now), &gone), gone.clone()),
        ("another body", now, good.clone(), gone.replace("ann", "bob")),
        ("another version", now, good.replace("v1,", "v1a,"), gone.clone()),
        ("no version", now, good.replace("v1,", ""), gone.clone()),
        ("old", now - 302, sign(CLERK_SECRET, ("msg_1", now - 302), &gone), gone.clone()),
        ("ahead", now + 302, sign(CLERK_SECRET, ("msg_1", now + 302), &gone), gone.clone()),
        ("another time", now - 1, good.clone(), gone.clone()),
    ];
    for (what, seconds, signature, body) in tries {
        let (status, problem) = post(&world, ("msg_1", seconds), &signature, &body).await;
        assert_eq!((status, code(&problem)), (StatusCode::BAD_REQUEST, "webhook"), "{what}");
    }
    assert_eq!(me(&world, &ann, None).await.0, StatusCode::OK, "nobody is gone");
    let several = format!("v2,AAAA v1,AAAA {good}");
    assert_eq!(post(&world, ("msg_1", now), &several, &gone).await.0, StatusCode::OK);
    assert_eq!(me(&world, &ann, None).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_the_official_library_signs_are_heeded() {
    let folder = match install::node(&["svix.mjs"]) {
        Ok(folder) => folder,
        Err(why) => return install::not_run("webhooks signed by the library of Svix", &why),
    };
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    me(&world, &ann, Some("Acme")).await;
    let now = world.sandbox.sandbox.now_ms() / 1_000;
    let payloads = [
        json!({ "type": "user.created", "data": { "id": "user_ann" } }).to_string(),
        json!({ "type": "user.updated", "data": { "id": "user_ann", "banned": true } }).to_string(),
    ];
    let given = json!({
        "secret": CLERK_SECRET, "id": "msg_9", "seconds": now, "payloads": payloads,
    });
    let mut node = Command::new("node");
    let node = node.arg(folder.join("svix.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().expect("node runs");
    let mut input = node.stdin.take().expect("piped");
    input.write_all(given.to_string().as_bytes()).expect("taken");
    drop(input);
    let output = node.wait_with_output().expect("node ends");
    let signatures: Vec<String> = serde_json::from_slice(&output.stdout).expect("a list");
    for (at, status) in [(0, StatusCode::OK), (1, StatusCode::FORBIDDEN)] {
        let told = post(&world, ("msg_9", now), &signatures[at], &payloads[at]).await;
        assert_eq!(told.0, StatusCode::OK, "{}", told.1);
        assert_eq!(me(&world, &ann, None).await.0, status);
    }
}
