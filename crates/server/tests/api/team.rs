//! What somebody may do is looked up in the product's own list at each request: a token that is still
//! valid is worth nothing once its user has lost a role.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{Organisation, TokenWanted};

use crate::world::{ADA, ADMIN, BRAND, OTHER_ADMIN, World, code, text};

/// Asks with a token that was made before.
async fn with(
    world: &World,
    token: &str,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let request = world.client.request(method, format!("{}/api/v1{path}", world.address));
    let request = request.bearer_auth(token);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.expect("answers");
    (response.status(), response.json().await.expect("JSON"))
}

fn in_team(world: &World, user: &str, role: &str) -> String {
    let organisation =
        Organisation { id: "org_acme".to_owned(), slug: "acme".to_owned(), role: role.to_owned() };
    let wanted = TokenWanted {
        user: user.to_owned(),
        role: Some("brand".to_owned()),
        azp: Some(world.address.clone()),
        ttl_s: Some(100_000),
        organisation: Some(organisation),
        ..TokenWanted::default()
    };
    world.sandbox.sandbox.token(&wanted).expect("issued").token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_was_removed_cannot_use_a_token_that_is_still_valid() {
    let world = World::start().await;
    let token = world.token(ADMIN.0, ADMIN.1);
    let (status, _) = with(&world, &token, (Method::GET, "/disbursements"), None).await;
    assert_eq!(status, StatusCode::OK);
    let (is_done, told) = world.keys(&["remove-admin", ADMIN.0]);
    assert!(is_done, "{told}");
    let (status, body) = with(&world, &token, (Method::GET, "/disbursements"), None).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    let (_, listed) = world.keys(&["admins"]);
    assert_eq!(listed.trim(), OTHER_ADMIN.0);
    let (is_done, told) = world.keys(&["remove-admin", "user_nobody"]);
    assert!(!is_done && told.contains("user_nobody is no operator"), "{told}");
    let (is_done, told) = world.keys(&["add-admin", "ada@example.com"]);
    assert!(!is_done && told.contains("user: the identity provider's id"), "{told}");
    let (is_done, _) = world.keys(&["add-admin", ADMIN.0]);
    assert!(is_done);
    let (status, _) = with(&world, &token, (Method::GET, "/disbursements"), None).await;
    assert_eq!(status, StatusCode::OK);
    // A brand's user is no operator beside it.
    let joined = in_team(&world, "user_ann", "admin");
    let name = json!({ "name": "Acme" });
    let (status, _) = with(&world, &joined, (Method::PUT, "/me"), Some(&name)).await;
    assert_eq!(status, StatusCode::OK);
    let (is_done, told) = world.keys(&["add-admin", "user_ann"]);
    assert!(!is_done && told.contains("has joined as owner"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_is_joined_by_its_organisation_and_ruled_by_its_owners() {
    let world = World::start().await;
    let name = json!({ "name": "Acme" });
    let (ann, mia) = (in_team(&world, "user_ann", "admin"), in_team(&world, "user_mia", "member"));
    let (status, body) = with(&world, &mia, (Method::PUT, "/me"), Some(&name)).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "no_team"), "an owner comes first");
    let (_, brand) = with(&world, &ann, (Method::PUT, "/me"), Some(&name)).await;
    assert_eq!((&brand["role"], &brand["side"]), (&json!("owner"), &json!("brand")));
    let (_, joined) = with(&world, &mia, (Method::PUT, "/me"), Some(&json!({ "name": "x" }))).await;
    assert_eq!((&joined["id"], &joined["name"]), (&brand["id"], &json!("Acme")), "the same brand");
    assert_eq!(joined["role"], "member");
    // Her organisation makes her an owner; here she is one only when an owner says so.
    let raised = in_team(&world, "user_mia", "admin");
    let (status, _) = with(&world, &raised, (Method::GET, "/api-keys"), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let owner = json!({ "role": "owner" });
    let (status, body) = with(&world, &raised, (Method::PUT, "/team/user_mia"), Some(&owner)).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "forbidden"), "not by herself");
    let (status, body) = with(&world, &ann, (Method::PUT, "/team/user_mia"), Some(&owner)).await;
    assert_eq!((status, &body["role"]), (StatusCode::OK, &json!("owner")));
    let (status, _) = with(&world, &raised, (Method::GET, "/api-keys"), None).await;
    assert_eq!(status, StatusCode::OK);
    // Two owners end each other; one of them remains.
    let out = json!({ "is_suspended": true });
    let (status, _) = with(&world, &raised, (Method::PUT, "/team/user_ann"), Some(&out)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, body) = with(&world, &ann, (Method::GET, "/team"), None).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    let viewer = json!({ "role": "viewer" });
    let (status, body) =
        with(&world, &raised, (Method::PUT, "/team/user_mia"), Some(&viewer)).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "owner_remains"));
    let admin = json!({ "role": "admin" });
    let (status, body) = with(&world, &raised, (Method::PUT, "/team/user_ann"), Some(&admin)).await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "field_invalid"));
    // A token without the organisation is no way around it.
    let alone = world.token("user_mia", "brand");
    let (status, body) = with(&world, &alone, (Method::GET, "/campaigns"), None).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "other_organisation"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_suspends_a_user_and_what_they_earned_stays() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let ada = world.token(ADA.0, ADA.1);
    let (_, users) = world.get(ADMIN, "/users?limit=100").await;
    let users = users["data"].as_array().expect("a list");
    let creator = users.iter().find(|user| user["role"] == "creator").expect("ada");
    let path = format!("/users/{}", text(&creator["user"]));
    let (status, body, _) =
        world.ask(ADMIN, (Method::PUT, &path), Some(&json!({ "is_suspended": true })), None).await;
    assert_eq!((status, &body["is_suspended"]), (StatusCode::OK, &json!(true)));
    let (status, body) = with(&world, &ada, (Method::GET, "/campaigns"), None).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "suspended"));
    world.ask(ADMIN, (Method::PUT, &path), Some(&json!({ "is_suspended": false })), None).await;
    let (status, _) = with(&world, &ada, (Method::GET, "/campaigns"), None).await;
    assert_eq!(status, StatusCode::OK);
    let own = format!("/users/{}", ADMIN.0);
    let out = json!({ "is_suspended": true });
    let (status, body, _) = world.ask(ADMIN, (Method::PUT, &own), Some(&out), None).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "suspends_themself"));
    // Pages of users fit together.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.get(ADMIN, &format!("/users?limit=1{cursor}")).await;
        seen.extend(page["data"].as_array().expect("a list").iter().map(|one| text(&one["user"])));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, users.iter().map(|one| text(&one["user"])).collect::<Vec<_>>());
}

/// Threat 32: a browser sends the cookie along with whatever any page makes it ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_changes_something_only_from_a_page_of_ours() {
    let world = World::start().await;
    world.join(BRAND).await;
    let cookie = format!("theme=dark; __session={}", world.token(BRAND.0, BRAND.1));
    let url = format!("{}/api/v1/campaigns", world.address);
    let get = world.client.get(&url).header("cookie", &cookie).send().await.expect("answers");
    assert_eq!(get.status(), StatusCode::OK);
    let terms = world.terms();
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://127.0.0.1")] {
        let mut request = world.client.post(&url).header("cookie", &cookie).json(&terms);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let refused = request.send().await.expect("answers");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin:?}");
        let body: Value = refused.json().await.expect("JSON");
        assert_eq!(code(&body), "foreign_origin");
    }
    let (_, all) = world.get(BRAND, "/campaigns").await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(0), "nothing was changed");
    let request = world.client.post(&url).header("cookie", &cookie).json(&terms);
    let done = request.header("origin", &world.address).send().await.expect("answers");
    assert_eq!(done.status(), StatusCode::CREATED);
    // A key that is no session token is none in a cookie either.
    let wrong =
        world.client.get(&url).header("cookie", "__session=").send().await.expect("answers");
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_for_a_change_is_written_down_whether_it_was_done_or_not() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let campaign = world.campaign(BRAND).await;
    let (status, ..) = world.post(ADA, "/campaigns", &world.terms()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, key, _) =
        world.post(BRAND, "/api-keys", &json!({ "scopes": ["campaigns:read"] })).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _) =
        with(&world, &text(&key["secret"]), (Method::POST, "/api-keys"), Some(&json!({}))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = world.get(ADMIN, &format!("/access-log?limit=2{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        all.extend(page["data"].as_array().expect("a list").clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let told = |one: &Value| {
        let (role, method) = (text(&one["role"]), text(&one["method"]));
        format!("{role} {method} {} {}", text(&one["path"]), one["status"])
    };
    let told: Vec<_> = all.iter().rev().map(told).collect();
    let expected = [
        "console POST /admins/user_operator 200",
        "console POST /admins/user_second 200",
        "owner PUT /me 200",
        "creator PUT /me 200",
        "owner POST /campaigns 201",
        "creator POST /campaigns 403",
        "owner POST /api-keys 201",
        "viewer POST /api-keys 403",
    ];
    assert_eq!(told, expected, "and nothing that was only read");
    assert_eq!(all[0]["who"], key["id"]);
    assert_eq!(all[0]["session"], Value::Null);
    assert!(text(&all[1]["session"]).starts_with("sess_"), "{}", all[1]);
    assert_eq!(text(&all[1]["network"]).len(), 16, "a network, and not to be read");
    let (status, _) = world.get(BRAND, "/access-log").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
