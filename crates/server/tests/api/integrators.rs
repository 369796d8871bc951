//! What makes the API pleasant to write programs against: lists that can be narrowed, versions of what
//! several people edit, budgets of requests that are told, keys that are replaced without a gap.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::Options;

use crate::faults;
use crate::world::{ADA, ADMIN, BRAND, RIVAL, World, code, text};

/// Asks with a header more, and tells those of the answer.
async fn with(
    world: &World,
    bearer: &str,
    (method, path): (Method, &str),
    body: &Value,
    extra: Option<(&str, &str)>,
) -> (StatusCode, Value, HeaderMap) {
    let url = format!("{}/api/v1{path}", world.address);
    let mut request = world.client.request(method, url).bearer_auth(bearer);
    if !body.is_null() {
        request = request.json(body);
    }
    if let Some((name, value)) = extra {
        request = request.header(name, value);
    }
    let response = request.send().await.expect("answers");
    let (status, headers) = (response.status(), response.headers().clone());
    (status, response.json().await.expect("JSON"), headers)
}

fn told(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).unwrap_or_else(|| panic!("no {name}"));
    value.to_str().expect("ASCII").to_owned()
}

/// Every page of a list, two things a page.
async fn all(world: &World, who: (&str, &str), path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let (status, page) = world.get(who, &format!("{path}{sign}limit=2{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        found.extend(page["data"].as_array().expect("a list").iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_narrowed_to_exactly_what_was_asked_for() {
    let world = World::start().await;
    world.join(BRAND).await;
    faults::shop(&world).await;
    let creators = faults::creators(&world, 2).await;
    let campaign = faults::earned(&world, &creators).await;
    let draft = world.campaign(BRAND).await;
    let here = format!("/campaigns/{campaign}");
    let (_, page) = world.get(BRAND, &format!("{here}/conversions")).await;
    let doubted = json!({ "conversion": page["data"][0]["seq"], "reason": "looks odd" });
    world.post(BRAND, &format!("{here}/holds"), &doubted).await;
    let entries = all(&world, BRAND, &format!("{here}/ledger")).await;
    let mut kinds: Vec<_> = entries.iter().map(|entry| text(&entry["kind"])).collect();
    kinds.sort();
    kinds.dedup();
    assert!(kinds.len() > 4, "{kinds:?}");
    for kind in &kinds {
        let some = all(&world, BRAND, &format!("{here}/ledger?kind={kind}")).await;
        let wanted: Vec<_> = entries.iter().filter(|one| one["kind"] == **kind).cloned().collect();
        assert_eq!(some, wanted, "{kind}");
    }
    let at = entries[entries.len() / 2]["at"].as_i64().expect("a time");
    let early = all(&world, BRAND, &format!("{here}/ledger?until={at}")).await;
    let late = all(&world, BRAND, &format!("{here}/ledger?since={at}")).await;
    assert_eq!([early.clone(), late].concat(), entries);
    assert!(!early.is_empty() && early.iter().all(|one| one["at"].as_i64() < Some(at)));
    let conversions = all(&world, BRAND, &format!("{here}/conversions")).await;
    let enrollment = text(&conversions[0]["enrollment"]);
    let some = all(&world, BRAND, &format!("{here}/conversions?enrollment={enrollment}")).await;
    assert!(!some.is_empty() && some.len() < conversions.len());
    assert!(some.iter().all(|one| one["enrollment"] == *enrollment));
    for (path, count) in [
        (format!("{here}/conversions?result=rejected"), 0),
        (format!("{here}/holds?is_open=true"), 1),
        (format!("{here}/holds?is_open=false"), 0),
        ("/campaigns?state=draft".to_owned(), 1),
        ("/campaigns?state=live".to_owned(), 1),
        ("/campaigns?state=cancelled".to_owned(), 0),
    ] {
        assert_eq!(all(&world, BRAND, &path).await.len(), count, "{path}");
    }
    assert_eq!(all(&world, BRAND, "/campaigns?state=draft").await[0]["id"], *draft);
    for role in ["owner", "creator", "admin"] {
        let users = all(&world, ADMIN, &format!("/users?role={role}")).await;
        assert!(!users.is_empty() && users.iter().all(|one| one["role"] == role), "{role}");
    }
    for (path, field) in [
        ("/campaigns?state=alive", "state"),
        ("/campaigns?kind=draft", "kind"),
        ("/campaigns?limit=1&limit=2", "limit"),
        ("/api-keys?state=live", "state"),
    ] {
        let (status, body) = world.get(BRAND, path).await;
        assert_eq!(
            (status, body["field"].as_str()),
            (StatusCode::BAD_REQUEST, Some(field)),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_undoes_what_another_has_changed_since_they_looked() {
    let world = World::start().await;
    world.join(BRAND).await;
    let token = world.token(BRAND.0, BRAND.1);
    let wanted = json!({ "url": "http://127.0.0.1:1/", "events": ["payout.paid"] });
    let (_, made, _) = world.post(BRAND, "/webhooks", &wanted).await;
    let here = format!("/webhooks/{}", text(&made["id"]));
    let (_, _, headers) = with(&world, &token, (Method::GET, &here), &Value::Null, None).await;
    let seen = told(&headers, "etag");
    let edit = async |events: &str, tag: Option<&str>| {
        let body = json!({ "events": [events] });
        let tag = tag.map(|tag| ("if-match", tag));
        with(&world, &token, (Method::PATCH, &here), &body, tag).await
    };
    let (status, body, headers) = edit("payout.planned", Some(&seen)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let next = told(&headers, "etag");
    assert!(next != seen && next == format!("\"{}\"", text(&body["version"])));
    for stale in [&seen, "\"\"", "W/\"x\"", "other"] {
        let (status, body, _) = edit("payout.failed", Some(stale)).await;
        let refused = (status, code(&body), body["field"].as_str());
        let wanted = (StatusCode::PRECONDITION_FAILED, "version_changed", Some("if-match"));
        assert_eq!(refused, wanted, "{stale}");
    }
    let (_, body) = world.get(BRAND, &here).await;
    assert_eq!(body["events"], json!(["payout.planned"]), "nothing was changed");
    for fine in [Some("*"), Some(&*format!("\"x\", {next}"))] {
        let (status, body, _) = edit("payout.planned", fine).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    assert_eq!(edit("payout.failed", None).await.0, StatusCode::OK);
    // Two at once, who have seen the same: one of them is told.
    let (_, team) = world.get(ADMIN, "/users?role=owner").await;
    let (user, seen) = (text(&team["data"][0]["user"]), text(&team["data"][0]["version"]));
    let admin = world.token(ADMIN.0, ADMIN.1);
    let suspend = async |is_suspended: bool| {
        let body = json!({ "is_suspended": is_suspended });
        let tag = format!("\"{seen}\"");
        let path = format!("/users/{user}");
        with(&world, &admin, (Method::PUT, &path), &body, Some(("if-match", &tag))).await.0
    };
    let mut both = [suspend(true).await, suspend(false).await];
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_told_and_whoever_has_spent_theirs_waits_and_nobody_else() {
    let world = World::start_at_rate(Options::default(), 40).await;
    let token = world.token(BRAND.0, BRAND.1);
    let ask = async |token: &str, path: &str| {
        with(&world, token, (Method::GET, path), &Value::Null, None).await
    };
    let (_, _, headers) = ask(&token, "/me").await;
    let all = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    assert_eq!(all.map(|name| told(&headers, name)), ["40", "39", "2"]);
    let mut last = None;
    for _ in 0..60 {
        let (status, body, headers) = ask(&token, "/me").await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            last = Some((body, headers));
            break;
        }
    }
    let (body, headers) = last.expect("too many");
    assert_eq!(code(&body), "rate_limited");
    assert_eq!(told(&headers, "ratelimit-remaining"), "0");
    assert!(["1", "2"].contains(&told(&headers, "retry-after").as_str()), "{headers:?}");
    let other = world.token(RIVAL.0, RIVAL.1);
    assert_eq!(ask(&other, "/me").await.0, StatusCode::OK, "the budget is another");
    // Reports are not the API's: unknown keys are told so, as often as they ask.
    for _ in 0..60 {
        let url = format!("{}/v", world.address);
        let sent = world.client.post(url).bearer_auth("shk_x").body("{}").send().await;
        assert_eq!(sent.expect("answers").status(), StatusCode::UNAUTHORIZED);
    }
    // Nobody knows these; their network has ten times as much as one caller.
    let mut statuses = Vec::new();
    while !statuses.contains(&StatusCode::TOO_MANY_REQUESTS) && statuses.len() < 3_000 {
        statuses.push(ask("nobody", "/me").await.0);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{}", statuses.len());
    assert!(statuses.len() > 200, "{}", statuses.len());
    assert_eq!(statuses[0], StatusCode::UNAUTHORIZED);
    let (status, _, headers) = ask("nobody", "/me").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(told(&headers, "ratelimit-limit"), "400", "the network's");
    assert_eq!(
        ask(&other, "/me").await.0,
        StatusCode::OK,
        "whoever is known loses nothing by that"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replaced_without_a_gap() {
    let world = World::start().await;
    world.join(BRAND).await;
    world.join(RIVAL).await;
    let scopes = json!({ "scopes": ["campaigns:read"] });
    let (_, old, _) = world.post(BRAND, "/api-keys", &scopes).await;
    let here = format!("/api-keys/{}/rotate", text(&old["id"]));
    for (who, status) in [(RIVAL, 404), (ADA, 403)] {
        assert_eq!(world.post(who, &here, &json!({})).await.0.as_u16(), status);
    }
    let (status, body, _) = world.post(BRAND, &here, &json!({ "overlap_hours": 169 })).await;
    assert_eq!((status.as_u16(), body["field"].as_str()), (400, Some("overlap_hours")));
    let hour = json!({ "overlap_hours": 1 });
    let (status, new, _) = world.ask(BRAND, (Method::POST, &here), Some(&hour), Some("once")).await;
    assert_eq!((status.as_u16(), &new["scopes"]), (201, &scopes["scopes"]), "{new}");
    let now = world.sandbox.sandbox.now_ms();
    let ends = new["replaces"]["expires_at"].as_i64().expect("a time");
    assert!((now + 3_590_000..=now + 3_600_000).contains(&ends), "{new}");
    let (_, again, replayed) =
        world.ask(BRAND, (Method::POST, &here), Some(&hour), Some("once")).await;
    assert!(replayed && again["id"] == new["id"] && again["secret"].is_null(), "{again}");
    let look = async |key: &Value| {
        let (status, body, _) =
            with(&world, &text(&key["secret"]), (Method::GET, "/campaigns"), &Value::Null, None)
                .await;
        (status.as_u16(), code(&body).to_owned())
    };
    assert_eq!((look(&old).await.0, look(&new).await.0), (200, 200), "both, for a while");
    world.pass(3_600_000).await;
    let over = (401, "api_key_unknown".to_owned());
    assert_eq!((look(&old).await, look(&new).await.0), (over, 200));
    let (status, body, _) = world.post(BRAND, &here, &json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "api_key_over"));
    // The end of a key is its successor's too.
    let end = world.sandbox.sandbox.now_ms() + 90_000_000;
    let (_, ending, _) = world.post(BRAND, "/api-keys", &json!({ "expires_at": end })).await;
    let rotated = format!("/api-keys/{}/rotate", text(&ending["id"]));
    let (_, successor, _) = world.post(BRAND, &rotated, &json!({})).await;
    let (_, keys) = world.get(BRAND, "/api-keys").await;
    let known = keys["data"].as_array().expect("a list").iter();
    let known = { known }.find(|key| key["id"] == successor["id"]).expect("listed");
    assert_eq!(known["expires_at"], json!(end));
    let (status, body, _) = world.post(BRAND, "/api-keys", &json!({ "scopes": [] })).await;
    assert_eq!((status.as_u16(), body["field"].as_str()), (400, Some("scopes")));
    // Without a scope for it, a key does not make keys.
    let path = format!("/api-keys/{}/rotate", text(&new["id"]));
    let (status, _, _) =
        with(&world, &text(&new["secret"]), (Method::POST, &path), &json!({}), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_has_one_successor_however_many_ask_for_it_at_once() {
    let world = World::start().await;
    world.join(BRAND).await;
    let (_, old, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let here = format!("/api-keys/{}/rotate", text(&old["id"]));
    let empty = json!({});
    let asked = (0..8).map(|_| world.post(BRAND, &here, &empty));
    let answers = futures_util::future::join_all(asked).await;
    let made: Vec<_> = answers.iter().filter(|(status, ..)| *status == 201).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    let refused = answers.iter().filter(|(status, ..)| *status != 201);
    for (status, body, _) in refused {
        assert_eq!((status.as_u16(), code(body)), (409, "replaced_once"), "{body}");
    }
    let (_, keys) = world.get(BRAND, "/api-keys").await;
    let replacing = |one: &&Value| one["replaces"] == old["id"];
    assert_eq!(keys["data"].as_array().expect("a list").iter().filter(replacing).count(), 1);
    // Whoever lost its secret revokes it, and rotates again.
    let lost = format!("/api-keys/{}", text(&made[0].1["id"]));
    let (status, body, _) = world.ask(BRAND, (Method::DELETE, &lost), Some(&empty), None).await;
    assert_eq!(status, 200, "{body}");
    let (status, body, _) = world.post(BRAND, &here, &empty).await;
    assert_eq!(status, 201, "{body}");
}

/// Somebody who presses twice joins once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_joins_many_times_at_once_is_there_once() {
    let world = World::start().await;
    let body = json!({ "name": "Marisol Once" });
    let keys: Vec<_> = (0..8).map(|no| format!("join-{no}")).collect();
    let asked = keys.iter().map(|key| world.ask(ADA, (Method::PUT, "/me"), Some(&body), Some(key)));
    for (status, answer, _) in futures_util::future::join_all(asked).await {
        assert_eq!(status, 200, "{answer}");
    }
    let database = rusqlite::Connection::open(world.data().join("sponsorhub.db")).expect("opens");
    let sql = "SELECT count(*) FROM creators";
    let count: i64 = database.query_row(sql, [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 1, "nobody has a name here whom nobody is");
}

/// Who is refused for who they are has a budget, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_known_and_refused_does_not_ask_without_end() {
    let world = World::start_at_rate(Options::default(), 3).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(world.get(("user_self_made", "admin"), "/me").await.0.as_u16());
    }
    assert_eq!(told, [403, 403, 403, 429, 429]);
}

/// Whoever acts in another's name looks, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_acts_in_anothers_name_changes_nothing() {
    let (play, things) = crate::cast::start().await;
    let world = &play.world;
    let wanted = sponsorhub_sandbox::TokenWanted {
        user: "user_bob".to_owned(),
        role: Some("brand".to_owned()),
        azp: Some(world.address.clone()),
        ttl_s: Some(100_000),
        actor: Some("user_support".to_owned()),
        ..sponsorhub_sandbox::TokenWanted::default()
    };
    let token = world.sandbox.sandbox.token(&wanted).expect("issued").token;
    let (mut looked, mut refused) = (0, 0);
    for (method, path, schema) in crate::matrix::routes(world).await {
        let body = crate::matrix::body(world, schema.as_deref()).unwrap_or_default();
        let asked: Method = method.to_uppercase().parse().expect("a method");
        let answer = with(world, &token, (asked, &things[1].fill(&path)), &body, None).await;
        if method == "get" {
            looked += usize::from(answer.0 == StatusCode::OK);
        } else {
            let told = (answer.0, code(&answer.1));
            assert_eq!(told, (StatusCode::FORBIDDEN, "impersonated"), "{method} {path}");
            refused += 1;
        }
    }
    assert!(looked > 15 && refused > 30, "{looked} {refused}");
}

/// However many keys a brand issues, its machines take no more than one user does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_brand_share_one_budget() {
    let world = World::start_at_rate(Options::default(), 5).await;
    world.join(BRAND).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let wanted = json!({ "scopes": ["campaigns:read"] });
        keys.push(text(&world.post(BRAND, "/api-keys", &wanted).await.1["secret"]));
    }
    let mut told = Vec::new();
    for no in 0..7 {
        let asked = (Method::GET, "/campaigns");
        let answer = with(&world, &keys[no % 2], asked, &Value::Null, None).await;
        told.push(answer.0.as_u16());
    }
    assert_eq!(told, [200, 200, 200, 200, 200, 429, 429]);
    assert_eq!(world.get(BRAND, "/me").await.0, 200, "people have their own");
}

/// Reports, commands at the machine, what the identity provider says, and posts of other sites.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_something_by_another_door_stands_in_the_access_log_too() {
    let world = World::start().await;
    world.join(BRAND).await;
    let brand = text(&world.get(BRAND, "/me").await.1["id"]);
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let report = async |path: &str| {
        let sent = world.client.post(format!("{}{path}", world.address)).body("{}");
        let sent = sent.bearer_auth(text(&key["secret"]));
        sent.send().await.expect("answers").status().as_u16()
    };
    let told = [report("/v").await, report("/v").await, report("/v/batch").await];
    assert_eq!(told, [400, 400, 200]);
    let (is_done, said) = world.keys(&["create", "--brand", &brand]);
    assert!(is_done, "{said}");
    let made = said.lines().next().expect("an id").to_owned();
    assert!(world.keys(&["add-admin", "user_new"]).0);
    assert!(world.keys(&["rotate"]).0 && world.keys(&["revoke-master", "1"]).0);
    let me = text(&world.get(BRAND, "/team").await.1["data"][0]["user"]);
    let posted = world.client.post(format!("{}/api/v1/campaigns", world.address));
    let posted = posted.header("cookie", format!("__session={}", world.token(BRAND.0, BRAND.1)));
    let posted = posted.header("origin", "https://evil.example").json(&world.terms());
    assert_eq!(posted.send().await.expect("answers").status(), 403);
    assert_eq!(written(&world, &me).await[0], ("POST".into(), "/campaigns".into(), 403));
    let (_, log) = world.get(ADMIN, "/access-log?who=sponsorhub%20keys").await;
    let rows = log["data"].as_array().expect("a list");
    let paths: Vec<_> = rows.iter().map(|row| text(&row["path"])).collect();
    assert!(paths.contains(&format!("/keys/{made}")), "{paths:?}");
    for path in ["/admins/user_new", "/masters/2", "/masters/1/revoke"] {
        assert!(paths.contains(&path.to_owned()), "{path}: {paths:?}");
    }
    // Reports are written by the minute, and at the end.
    world.end().await;
    let database = rusqlite::Connection::open(world.data().join("sponsorhub.db")).expect("opens");
    let sql = "SELECT path, status, count, role FROM access_log WHERE subject = ?1 ORDER BY path";
    let mut rows = database.prepare(sql).expect("SQL");
    let rows = rows.query_map([text(&key["id"])], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let rows: Vec<(String, u16, u32, String)> =
        rows.expect("reads").map(|row| row.expect("a row")).collect();
    let row = |path: &str, status, count| (path.to_owned(), status, count, "reporter".to_owned());
    assert_eq!(rows, [row("/v", 400, 2), row("/v/batch", 200, 1)]);
}

/// Rows of the access log about somebody, newest first: method, path and status.
async fn written(world: &World, who: &str) -> Vec<(String, String, u64)> {
    let (_, log) = world.get(ADMIN, &format!("/access-log?who={who}")).await;
    let rows = log["data"].as_array().expect("a list").iter();
    let row = |one: &Value| {
        (text(&one["method"]), text(&one["path"]), one["status"].as_u64().expect("a status"))
    };
    rows.map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_or_leaves_stands_in_the_access_log_too() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let me = text(&world.get(BRAND, "/team").await.1["data"][0]["user"]);
    // The provider answers late, and the sender does not wait for it.
    let late = json!({
        "method": "POST", "path": "/v1/checkout/sessions", "times": 1, "fault": "hang_after", "ms": 1_500,
    });
    let late = serde_json::from_value(late).expect("a fault");
    world.sandbox.sandbox.script_faults(vec![late]);
    let path = format!("/campaigns/{campaign}/deposits");
    let request = world.client.post(format!("{}/api/v1{path}", world.address));
    let request = request.bearer_auth(world.token(BRAND.0, BRAND.1));
    let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
    let request = request.json(&amount).timeout(std::time::Duration::from_millis(400));
    assert!(request.send().await.is_err(), "nobody waits for the answer");
    let left = ("POST".to_owned(), "/campaigns/…/deposits".to_owned(), 499);
    for _ in 0..200 {
        if written(&world, &me).await.first() == Some(&left) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(written(&world, &me).await.first(), Some(&left));
    // Whoever is shut out is known, and refused.
    let out = json!({ "is_suspended": true });
    let user = format!("/users/{me}");
    world.ask(ADMIN, (Method::PUT, &user), Some(&out), None).await;
    let (status, _, _) = world.post(BRAND, &path, &amount).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let refused = ("POST".to_owned(), "/campaigns/…/deposits".to_owned(), 403);
    assert_eq!(written(&world, &me).await.first(), Some(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_made_of_characters_that_are_seen() {
    let world = World::start().await;
    for name in ["a\u{0}b", "a\nb", "a\u{202e}b", "a\u{200b}b", "\u{feff}", "\u{ad}", "\u{3164}"] {
        let body = json!({ "name": name });
        let (status, body, _) = world.ask(BRAND, (Method::PUT, "/me"), Some(&body), None).await;
        assert_eq!((status, body["field"].as_str()), (StatusCode::BAD_REQUEST, Some("name")));
    }
}
