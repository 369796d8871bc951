//! Whose word counts: an organisation is one brand, two operators are two people who still are operators, and
//! what an operator decided nobody below undoes.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sponsorhub_sandbox::Options;

use crate::clerk::{me, member, tell, token};
use crate::world::{ADMIN, BRAND, OTHER_ADMIN, World, code, text};

/// Asks with a token, under a key.
async fn ask(
    world: &World,
    token: &str,
    (method, path): (Method, &str),
    (body, key): (&Value, &str),
) -> (u16, Value) {
    let request = world.client.request(method, format!("{}/api/v1{path}", world.address));
    let request = request.bearer_auth(token).header("idempotency-key", key).json(body);
    let response = request.send().await.expect("answers");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_organisation_whose_owners_join_at_the_same_moment_is_one_brand() {
    let world = World::start().await;
    for round in 0..5 {
        let organisation = format!("org_{round}");
        let tokens = (0..4).map(|one| {
            let user = format!("user_{round}x{one}");
            crate::clerk::token_in(&world, (&user, "brand"), Some((&organisation, "admin")))
        });
        let tokens: Vec<_> = tokens.collect();
        let joins = join_all(tokens.iter().map(|token| me(&world, token, Some("Acme")))).await;
        let ids: BTreeSet<_> = joins.iter().map(|(_, told)| told["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{joins:?}");
        assert!(joins.iter().all(|(status, _)| *status == 200), "{joins:?}");
    }
    // Nobody else's brand was made on the way.
    let (_, brands) = world.get(ADMIN, "/brands").await;
    assert_eq!(brands["data"].as_array().map(Vec::len), Some(5), "{brands}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_refused_for_leaving_joins_under_the_same_key_as_if_it_were_the_first_time() {
    let world = World::start().await;
    let join = async |token: &str, name: &str| {
        ask(&world, token, (Method::PUT, "/me"), (&json!({ "name": name }), "k")).await
    };
    for (user, role, place, name) in
        [("user_zoe", "creator", None, "Zoe"), ("user_ann", "brand", Some("admin"), "Acme")]
    {
        let old = token(&world, user, role, place);
        let now = world.sandbox.sandbox.now_ms();
        let gone = json!({
            "object": "event", "type": "user.updated", "timestamp": now,
            "data": { "id": user, "banned": true, "updated_at": now },
        });
        assert!(tell(&world, &gone).await.is_success());
        let (status, problem) = join(&old, name).await;
        assert_eq!((status, code(&problem)), (403, "user_departed"), "{problem}");
        world.pass(60_000).await;
        let (status, told) = join(&token(&world, user, role, place), name).await;
        assert_eq!((status, &told["name"]), (200, &json!(name)), "{told}");
    }
    // Of what was refused nothing is left, and who came back can earn.
    let (_, creators) = world.get(ADMIN, "/creators").await;
    assert_eq!(creators["data"].as_array().map(Vec::len), Some(1), "{creators}");
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let zoe = token(&world, "user_zoe", "creator", None);
    let path = format!("/campaigns/{campaign}/enrollments");
    let (status, part) = ask(&world, &zoe, (Method::POST, &path), (&json!({}), "e")).await;
    assert_eq!(status, 201, "{part}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_are_two_people_who_both_still_are() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}/advances");
    let say = async |who: (&str, &str), amount: i64, key: &str| {
        let body = json!({ "amount": { "amount": amount, "currency": "USD" } });
        let (status, told, _) = world.ask(who, (Method::POST, &path), Some(&body), Some(key)).await;
        assert_eq!(status, 200, "{told}");
        text(&told["approval"])
    };
    assert_eq!(say(ADMIN, 5_000, "1").await, "waits");
    // Another master signs, and the ledger calls everybody otherwise from now on.
    let (is_done, told) = world.keys(&["rotate"]);
    assert!(is_done, "{told}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(say(ADMIN, 5_000, "2").await, "waits", "nobody agrees with themself");
    assert_eq!(say(OTHER_ADMIN, 5_000, "3").await, "agreed");
    assert_eq!(say(ADMIN, 6_000, "4").await, "waits");
    let (is_done, told) = world.keys(&["remove-admin", ADMIN.0]);
    assert!(is_done, "{told}");
    assert_eq!(say(OTHER_ADMIN, 6_000, "5").await, "waits", "who is gone has no word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_decided_no_owner_undoes_and_what_the_machine_decided_no_operator() {
    let world = World::start().await;
    let [ann, mia] =
        ["user_ann", "user_mia"].map(|user| token(&world, user, "brand", Some("admin")));
    for token in [&ann, &mia] {
        assert!(me(&world, token, Some("Acme")).await.0.is_success());
    }
    let suspend = async |who: (&str, &str), user: &str, is_suspended: bool, key: &str| {
        let body = json!({ "is_suspended": is_suspended });
        let path = format!("/users/{user}");
        let (status, told, _) = world.ask(who, (Method::PUT, &path), Some(&body), Some(key)).await;
        (status.as_u16(), told)
    };
    let team = async |is_suspended: bool, key: &str| {
        let body = json!({ "is_suspended": is_suspended });
        ask(&world, &ann, (Method::PUT, "/team/user_mia"), (&body, key)).await
    };
    assert_eq!(suspend(ADMIN, "user_mia", true, "1").await.0, 200);
    let (status, problem) = team(false, "2").await;
    assert_eq!((status, code(&problem)), (409, "operator_suspended"), "{problem}");
    assert_eq!(me(&world, &mia, None).await.0, 403);
    // The owner may suspend her as well, and that changes nothing about who decided.
    assert_eq!(team(true, "3").await.0, 200);
    assert_eq!(team(false, "4").await.0, 409);
    assert_eq!(suspend(ADMIN, "user_mia", false, "5").await.0, 200);
    assert_eq!(me(&world, &mia, None).await.0, 200);
    // What an owner decided, an owner undoes.
    assert_eq!((team(true, "6").await.0, team(false, "7").await.0), (200, 200));
    // A clock of the identity provider's that was ahead keeps nobody in.
    let ahead = world.sandbox.sandbox.now_ms() + 3_600_000;
    assert!(tell(&world, &member("updated", "user_mia", "member", ahead)).await.is_success());
    let (status, told) = suspend(ADMIN, "user_mia", true, "8").await;
    assert_eq!((status, &told["is_suspended"]), (200, &json!(true)), "{told}");
    assert_eq!(me(&world, &mia, None).await.0, 403);
    // Operators are named at the machine.
    assert!(world.keys(&["remove-admin", OTHER_ADMIN.0]).0);
    let (status, problem) = suspend(ADMIN, OTHER_ADMIN.0, false, "9").await;
    assert_eq!((status, code(&problem)), (409, "named_at_the_machine"), "{problem}");
    assert_eq!(world.get(OTHER_ADMIN, "/users").await.0, 403);
    assert!(world.keys(&["add-admin", OTHER_ADMIN.0]).0);
    assert_eq!(world.get(OTHER_ADMIN, "/users").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_being_too_much_stands_in_the_access_log() {
    let mut world = World::start_at_rate(Options::default(), 20).await;
    world.join(BRAND).await;
    let mut refused = 0;
    for _ in 0..30 {
        let (status, _, _) = world.post(BRAND, "/campaigns", &json!({ "x": 1 })).await;
        refused += u64::from(status == 429);
    }
    assert!(refused > 1);
    // The first by itself; whoever asks on does not fill the log, and is counted all the same.
    let counts = async |world: &World| {
        let (_, log) = world.get(ADMIN, "/access-log?limit=100").await;
        let rows = log["data"].as_array().expect("a list").iter();
        let rows = rows.filter(|row| row["status"] == 429);
        rows.map(|row| row["count"].as_u64().expect("a count")).collect::<Vec<_>>()
    };
    assert_eq!(counts(&world).await, [1]);
    // What is not written yet is written at the end.
    world.end().await;
    Arc::get_mut(&mut world).expect("nobody else has it").restart();
    assert_eq!(counts(&world).await, [refused - 1, 1]);
}

/// A machine that asks too often stands there, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_to_a_key_for_being_too_much_stands_in_the_access_log() {
    let world = World::start_at_rate(Options::default(), 20).await;
    world.join(BRAND).await;
    let scopes = json!({ "scopes": ["campaigns:read"] });
    let (_, key, _) = world.post(BRAND, "/api-keys", &scopes).await;
    let mut statuses = BTreeSet::new();
    for number in 0..40 {
        let key = (text(&key["secret"]), format!("k{number}"));
        let asked = ask(&world, &key.0, (Method::POST, "/campaigns"), (&json!({}), &key.1)).await;
        statuses.insert(asked.0);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    let (_, log) = world.get(ADMIN, "/access-log?limit=100").await;
    let mut rows = log["data"].as_array().expect("a list").iter();
    assert!(rows.any(|row| row["status"] == 429 && row["who"] == key["id"]), "{log}");
}

/// Whom an operator shut out does not come back under another account of the same organisation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_team_of_which_somebody_is_shut_out_waits_for_an_operator() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    assert_eq!(me(&world, &ann, Some("Acme")).await.0, 200);
    let shut = async |user: &str, is_suspended: bool, key: &str| {
        let (body, path) = (json!({ "is_suspended": is_suspended }), format!("/users/{user}"));
        let (status, told, _) =
            world.ask(ADMIN, (Method::PUT, &path), Some(&body), Some(key)).await;
        assert_eq!(status, 200, "{told}");
    };
    shut("user_ann", true, "1").await;
    let puppet = token(&world, "user_puppet", "brand", Some("admin"));
    for _ in 0..2 {
        let (status, problem) = me(&world, &puppet, Some("Acme")).await;
        assert_eq!((status.as_u16(), code(&problem)), (403, "suspended"), "{problem}");
    }
    let asked = ask(&world, &puppet, (Method::POST, "/api-keys"), (&json!({}), "2")).await;
    assert_eq!((asked.0, code(&asked.1)), (403, "suspended"));
    shut("user_puppet", false, "3").await;
    assert_eq!(me(&world, &puppet, None).await.0, 200);
    // Who was let in does not let in whom an operator shut out.
    let body = json!({ "is_suspended": false });
    let let_in = (Method::PUT, "/team/user_ann");
    let (status, problem) = ask(&world, &puppet, let_in, (&body, "4")).await;
    assert_eq!((status, code(&problem)), (409, "operator_suspended"));
}

/// Nor does whom an owner shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_team_of_which_an_owner_shut_somebody_out_looks_on() {
    let world = World::start().await;
    let owner = |user: &str| token(&world, user, "brand", Some("admin"));
    let (ann, mia) = (owner("user_ann"), owner("user_mia"));
    for who in [&ann, &mia] {
        let (status, told) = me(&world, who, Some("Acme")).await;
        assert_eq!((status.as_u16(), &told["role"]), (200, &json!("owner")), "{told}");
    }
    let place = async |who: &str, of: &str, body: Value, key: &str| {
        let path = format!("/team/{of}");
        ask(&world, who, (Method::PUT, &path), (&body, key)).await.0
    };
    let shut = json!({ "role": "viewer", "is_suspended": true });
    assert_eq!(place(&ann, "user_mia", shut, "1").await, 200);
    let again = owner("user_mia2");
    let (status, told) = me(&world, &again, Some("Acme")).await;
    assert_eq!((status.as_u16(), &told["role"]), (200, &json!("viewer")), "{told}");
    let back = json!({ "is_suspended": false });
    assert_eq!(place(&again, "user_mia", back.clone(), "2").await, 403);
    assert_eq!(place(&again, "user_ann", json!({ "is_suspended": true }), "3").await, 403);
    // Who is who they say they are is raised.
    assert_eq!(place(&ann, "user_mia2", json!({ "role": "owner" }), "4").await, 200);
    assert_eq!(place(&again, "user_mia", back, "5").await, 200);
}

/// However an operator's word and the machine's meet, the machine's stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_at_the_machine_is_not_let_in_by_a_request_of_the_same_moment() {
    let world = World::start().await;
    let bearer = world.token(ADMIN.0, ADMIN.1);
    for round in 0..3 {
        assert!(world.keys(&["add-admin", OTHER_ADMIN.0]).0);
        let mut tasks = tokio::task::JoinSet::new();
        let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        for task in 0..16 {
            let (world, bearer, is_over) =
                (Arc::clone(&world), bearer.clone(), Arc::clone(&is_over));
            tasks.spawn(async move {
                let path = format!("/users/{}", OTHER_ADMIN.0);
                let body = json!({ "is_suspended": false });
                for number in 0.. {
                    if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("{round}.{task}.{number}");
                    ask(&world, &bearer, (Method::PUT, &path), (&body, &key)).await;
                }
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let removing = Arc::clone(&world);
        let removed =
            tokio::task::spawn_blocking(move || removing.keys(&["remove-admin", OTHER_ADMIN.0]).0);
        assert!(removed.await.expect("runs"));
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        tasks.join_all().await;
        assert_eq!(world.get(OTHER_ADMIN, "/users").await.0, 403, "round {round}");
    }
}

/// After a crash nobody knows whether a word came through; however often it is repeated, it is not a second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_whose_outcome_is_unknown_is_no_new_word_at_the_third_try_either() {
    let mut world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}/advances");
    let body = json!({ "amount": { "amount": 5_000, "currency": "USD" } });
    let say = async |world: &World, who: (&str, &str), key: &str| {
        let asked = world.ask(who, (Method::POST, &path), Some(&body), Some(key)).await;
        let said = if asked.0.is_success() { &asked.1["approval"] } else { &asked.1["code"] };
        text(said)
    };
    assert_eq!(say(&world, ADMIN, "1").await, "waits");
    assert_eq!(say(&world, OTHER_ADMIN, "2").await, "agreed");
    // The second was done, and the process died before it kept the answer.
    Arc::get_mut(&mut world).expect("nobody else has it").restart();
    {
        let database = rusqlite::Connection::open(world.data().join("sponsorhub.db"));
        let database = database.expect("opens");
        let named = "SELECT sql FROM sqlite_schema WHERE name = 'api_requests_are_answered_once'";
        let trigger: String = database.query_row(named, [], |row| row.get(0)).expect("a trigger");
        let forget = format!(
            "DROP TRIGGER api_requests_are_answered_once;
             UPDATE api_requests SET status = NULL, body = NULL, answered_at_ms = NULL
                 WHERE subject = '{}';
             {trigger};",
            OTHER_ADMIN.0
        );
        database.execute_batch(&forget).expect("forgotten");
    }
    for _ in 0..3 {
        assert_eq!(say(&world, OTHER_ADMIN, "2").await, "outcome_unknown");
    }
    // So the first operator's next word stands alone.
    assert_eq!(say(&world, ADMIN, "3").await, "waits");
    let (_, balances) = world.get(BRAND, &format!("/campaigns/{campaign}/balances")).await;
    assert_eq!(balances["accounts"]["platform_advance"], json!(5_000), "{balances}");
}

/// Where the clock here was ahead once, what the identity provider tells is heeded all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_said_to_lie_in_the_future_keeps_nobody_in() {
    let world = World::start().await;
    let ann = token(&world, "user_ann", "brand", Some("admin"));
    me(&world, &ann, Some("Acme")).await;
    let mia = token(&world, "user_mia", "brand", Some("member"));
    assert_eq!(me(&world, &mia, Some("Acme")).await.0, 200);
    {
        let database = rusqlite::Connection::open(world.data().join("sponsorhub.db"));
        let ahead = "UPDATE users SET changed_at_ms = changed_at_ms + 3600000
                     WHERE subject = 'user_mia'";
        assert_eq!(database.expect("opens").execute(ahead, []).expect("moved"), 1);
    }
    let now = world.sandbox.sandbox.now_ms();
    assert!(tell(&world, &member("deleted", "user_mia", "member", now)).await.is_success());
    assert_eq!(me(&world, &mia, None).await.0, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_a_brand_had_is_in_no_answer_any_more() {
    let world = World::start().await;
    let name = json!({ "name": "Marisol Before" });
    let joined = async || world.ask(BRAND, (Method::PUT, "/me"), Some(&name), Some("join")).await;
    let (_, told, _) = joined().await;
    let path = format!("/brands/{}", text(&told["id"]));
    for (name, key) in [("Marisol Between", "1"), ("Fjord", "2")] {
        let body = json!({ "name": name });
        let (status, told, _) =
            world.ask(ADMIN, (Method::PUT, &path), Some(&body), Some(key)).await;
        assert_eq!((status.as_u16(), &told["name"]), (200, &json!(name)), "{told}");
    }
    let (status, told, _) = joined().await;
    assert_eq!((status.as_u16(), code(&told)), (409, "answer_forgotten"), "{told}");
    let between = json!({ "name": "Marisol Between" });
    let (_, told, _) = world.ask(ADMIN, (Method::PUT, &path), Some(&between), Some("1")).await;
    assert!(!told.to_string().contains("Marisol"), "{told}");
    // A name is given to the brand that was seen.
    let (_, brands) = world.get(ADMIN, "/brands").await;
    let seen = format!("\"{}\"", text(&brands["data"][0]["version"]));
    for (version, status) in [("\"nonsense\"", 412), (seen.as_str(), 200)] {
        let request = world.client.put(format!("{}/api/v1{path}", world.address));
        let request = request.bearer_auth(world.token(ADMIN.0, ADMIN.1));
        let request = request.header("if-match", version).json(&json!({ "name": "Fjord" }));
        assert_eq!(request.send().await.expect("answers").status().as_u16(), status, "{version}");
    }
}
