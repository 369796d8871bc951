//! What operators look after: jobs, the payment provider's events, and endpoints of brands and creators.

use serde_json::{Value, json};

use crate::world::{ADA, ADMIN, BRAND, DAY_MS, World, code, text};

async fn job(world: &World, name: &str) -> Value {
    let (_, workers) = world.get(ADMIN, "/workers").await;
    let jobs = workers["jobs"].as_array().expect("jobs");
    jobs.iter().find(|job| job["name"] == name).cloned().expect("it is one of them")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_pauses_a_job_and_the_doctor_remembers() {
    let world = World::start().await;
    world.join(BRAND).await;
    let (status, paused, _) = world.post(ADMIN, "/workers/deposits/pause", &json!({})).await;
    assert_eq!((status.as_u16(), &paused["paused_by"]), (200, &json!(ADMIN.0)), "{paused}");
    assert!(paused["paused_at"].is_i64() && paused["may_be_paused"] == true);
    let findings = async || world.get(ADMIN, "/doctor").await.1.to_string();
    assert!(findings().await.contains("job_paused"));
    let (status, problem, _) = world.post(ADMIN, "/workers/deposits/run", &json!({})).await;
    assert_eq!((status.as_u16(), code(&problem)), (409, "job_paused"));
    // Paused, it does not run whatever else does.
    world.pass(600_000).await;
    let before = job(&world, "deposits").await["last_run_at"].clone();
    let campaign = world.campaign(BRAND).await;
    world.pass(60_000).await;
    assert_eq!(job(&world, "deposits").await["last_run_at"], before, "{campaign}");
    let (status, resumed, _) = world.post(ADMIN, "/workers/deposits/resume", &json!({})).await;
    assert_eq!((status.as_u16(), &resumed["paused_at"]), (200, &Value::Null), "{resumed}");
    let (status, _, _) = world.post(ADMIN, "/workers/deposits/run", &json!({})).await;
    assert_eq!(status, 200);
    world.pass(60_000).await;
    assert_ne!(job(&world, "deposits").await["last_run_at"], before);
    assert!(!findings().await.contains("job_paused"));
    for name in ["erasure", "forget", "dedup_keys", "nothing"] {
        let path = format!("/workers/{name}/pause");
        let (status, problem, _) = world.post(ADMIN, &path, &json!({})).await;
        assert_eq!((status.as_u16(), code(&problem)), (404, "not_found"), "{name}");
    }
    assert_eq!(job(&world, "erasure").await["may_be_paused"], false);
}

/// A brand's money is promised until the end of its campaign, whatever is paused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_ends_in_its_time_although_rollup_is_paused() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let here = format!("/campaigns/{campaign}");
    let (status, _, _) = world.post(BRAND, &format!("{here}/launch"), &json!({})).await;
    assert_eq!(status, 200);
    let (status, _, _) = world.post(ADMIN, "/workers/rollup/pause", &json!({})).await;
    assert_eq!(status, 200);
    let state = async || text(&world.get(BRAND, &here).await.1["state"]);
    world.pass(29 * DAY_MS).await;
    assert_eq!(state().await, "live");
    world.pass(2 * DAY_MS).await;
    assert_eq!(state().await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_listed_with_what_came_of_it_and_read_again() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let (_, page) = world.get(ADMIN, "/provider-events?state=done&limit=100").await;
    let events = page["data"].as_array().expect("events");
    let paid = events.iter().find(|one| one["type"] == "checkout.session.completed");
    let paid = paid.unwrap_or_else(|| panic!("it came: {page}"));
    // The answer to the brand, or another event, may have been first.
    let outcome = text(&paid["outcome"]);
    assert!(outcome.starts_with("booked on deposit") || outcome == "known already", "{paid}");
    let entries =
        async || world.get(BRAND, &format!("/campaigns/{campaign}")).await.1["entries"].clone();
    let before = entries().await;
    let path = format!("/provider-events/{}/replay", text(&paid["id"]));
    let (status, again, _) = world.post(ADMIN, &path, &json!({})).await;
    assert_eq!((status.as_u16(), &again["replayed"]), (200, &json!("known already")), "{again}");
    assert_eq!(again["outcome"], paid["outcome"], "what was known stays");
    assert_eq!(entries().await, before, "nothing is booked twice");
    let (status, problem, _) =
        world.post(ADMIN, "/provider-events/evt_no/replay", &json!({})).await;
    assert_eq!((status.as_u16(), code(&problem)), (404, "not_found"));
    let (_, none) = world.get(ADMIN, "/provider-events?state=needs_person").await;
    assert_eq!(none["data"], json!([]));
    let (_, some) = world.get(ADMIN, "/provider-events?type=account.updated&limit=1").await;
    assert!(some["data"].as_array().is_some_and(|all| all.len() <= 1), "{some}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_whose_endpoint_fails_and_not_its_path() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let url = "http://127.0.0.1:9/hooks/secret-of-the-brand";
    let (status, hook, _) = world.post(BRAND, "/webhooks", &json!({ "url": url })).await;
    assert!(status.is_success(), "{hook}");
    let id = text(&hook["id"]);
    let (status, body, _) = world.post(BRAND, &format!("/webhooks/{id}/test"), &json!({})).await;
    assert!(status.is_success(), "{body}");
    let (_, page) = world.get(ADMIN, "/webhook-endpoints?enabled=true").await;
    let one = &page["data"][0];
    assert_eq!((&one["id"], &one["host"]), (&hook["id"], &json!("127.0.0.1")), "{page}");
    assert!(text(&one["owner"]).starts_with("brd_") && !page.to_string().contains("secret"));
    let path = format!("/webhook-endpoints/{id}/deliveries");
    let (_, page) = world.get(ADMIN, &path).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    let again = format!("{path}/{}/replay", page["data"][0]["delivery"]);
    let (status, body, _) = world.post(ADMIN, &again, &json!({})).await;
    assert_eq!((status.as_u16(), &body["id"]), (200, &hook["id"]), "{body}");
    let (status, body, _) = world.post(ADMIN, &format!("{path}/999/replay"), &json!({})).await;
    assert_eq!((status.as_u16(), code(&body)), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_list_brands_creators_and_the_keyring_page_by_page() {
    let world = World::start().await;
    for who in [BRAND, ADA, ("user_ben", "creator"), ("user_cem", "creator")] {
        world.join(who).await;
    }
    let (_, brands) = world.get(ADMIN, "/brands").await;
    assert_eq!(brands["data"].as_array().map(Vec::len), Some(1), "{brands}");
    assert_eq!(brands["data"][0]["campaigns"], 0);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = world.get(ADMIN, &format!("/creators?limit=2{cursor}")).await;
        seen.extend(page["data"].as_array().expect("a list").iter().map(|one| text(&one["id"])));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let mut once = seen.clone();
    once.dedup();
    assert_eq!((seen.len(), &once), (3, &seen), "each once, in order");
    let (status, problem) = world.get(ADMIN, "/creators?cursor=x").await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &json!("cursor")));
    let asked = format!("/creators/{}/erasure", seen[0]);
    let (_, erased, _) = world.post(ADMIN, &asked, &json!({})).await;
    assert_eq!(erased["state"], "erased", "{erased}");
    let (_, page) = world.get(ADMIN, "/creators?state=erased").await;
    assert_eq!((&page["data"][0]["id"], &page["data"][0]["name"]), (&json!(seen[0]), &Value::Null));
    let (_, keyring) = world.get(ADMIN, "/keyring").await;
    assert_eq!(keyring["masters"][0]["state"], "signs", "{keyring}");
    assert!(!keyring.to_string().contains("secret"), "{keyring}");
}
