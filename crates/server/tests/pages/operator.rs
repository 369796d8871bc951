//! What the operator does by pages: jobs, people, events, endpoints; and what the lists show.

use serde_json::json;

use crate::cast::{shows, start};
use crate::reader::Reader;
use crate::world::{ADMIN, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_paused_and_resumed_by_a_page_and_the_overview_reminds_of_it() {
    let (play, _) = start().await;
    let admin = Reader::of(&play.world, ADMIN);
    let page = admin.get("/admin/workers").await;
    let action = "/admin/workers/refund/pause";
    let seen = admin.post(action, &[("key", &page.key_of(action))]).await;
    assert_eq!(seen.location(), "/admin/workers?done=job-paused", "{}", seen.text);
    let page = admin.get(seen.location()).await;
    assert!(page.text.contains("paused until somebody resumes it"));
    assert!(!page.text.contains(action), "what is paused is not paused again");
    let overview = admin.get("/admin").await.text;
    assert!(overview.contains("the job refund is paused"), "{overview}");
    let refused = admin.post("/admin/workers/refund/run", &[]).await;
    assert_eq!(refused.status.as_u16(), 409, "{}", refused.text);
    let action = "/admin/workers/refund/resume";
    let seen = admin.post(action, &[("key", &page.key_of(action))]).await;
    assert_eq!(seen.location(), "/admin/workers?done=job-resumed", "{}", seen.text);
    assert!(!admin.get("/admin").await.text.contains("the job refund is paused"));
    for path in ["/admin/workers/refund/stop", "/admin/workers/erasure/pause"] {
        assert_eq!(admin.post(path, &[]).await.status.as_u16(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_suspended_renamed_and_erased_only_when_it_is_meant() {
    let (play, things) = start().await;
    let admin = Reader::of(&play.world, ADMIN);
    let page = admin.get("/admin/people?role=creator").await;
    assert!(page.text.contains("user_cat") && !page.text.contains("user_bob"), "{}", page.text);
    assert!(page.text.contains("<option value=\"creator\" selected>"));
    let action = "/admin/people/users/user_cat";
    let fields = [("key", page.key_of(action)), ("to", "suspended".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let seen = admin.post(action, &fields).await;
    assert_eq!(seen.location(), "/admin/people?done=suspended", "{}", seen.text);
    let creator = Reader::new(&play.world, play.bearer(shows("creator")));
    assert_eq!(creator.get("/creator").await.status.as_u16(), 403);
    let page = admin.get("/admin/people?is_suspended=true").await.text;
    assert!(page.contains("user_cat") && page.contains("Let in again"), "{page}");
    let wrong = admin.post(action, &[("to", "gone")]).await;
    assert_eq!(wrong.status.as_u16(), 400, "{}", wrong.text);
    let seen = admin.post(action, &[("to", "let-in")]).await;
    assert_eq!(seen.location(), "/admin/people?done=let-in", "{}", seen.text);
    assert_eq!(creator.get("/creator").await.status.as_u16(), 200);
    // A brand gets another name.
    let brand = text(&play.ask(shows("owner"), ("get", "/me"), None).await.1["id"]);
    let action = format!("/admin/people/brands/{brand}/name");
    let seen = admin.post(&action, &[("name", "Fjord & Sons")]).await;
    assert_eq!(seen.location(), "/admin/people/brands?done=named", "{}", seen.text);
    assert!(admin.get("/admin/people/brands").await.text.contains("<strong>Fjord &#38; Sons"));
    // Erasure is for good, so it has to be meant; who still earns is shut out first.
    let creator = text(&play.ask(shows("creator"), ("get", "/me"), None).await.1["id"]);
    let action = format!("/admin/people/creators/{creator}/erase");
    let refused = admin.post(&action, &[]).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text);
    assert!(refused.text.contains("nothing was erased"), "{}", refused.text);
    let seen = admin.post(&action, &[("sure", "on")]).await;
    assert_eq!(seen.location(), "/admin/people/creators?done=erasure-waits", "{}", seen.text);
    let page = admin.get("/admin/people/creators?state=erasure_waits").await.text;
    assert!(page.contains(&creator) && !page.contains(&action), "{page}");
    assert_eq!(things.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_deliveries_are_read_and_sent_again() {
    let (play, _) = start().await;
    let admin = Reader::of(&play.world, ADMIN);
    let page = admin.get("/admin/webhooks?state=done&type=checkout.session.completed").await;
    let (_, rest) = page.text.split_once("action=\"/admin/webhooks/events/").expect("an event");
    let action = format!("/admin/webhooks/events/{}", rest.split('"').next().expect("its end"));
    let seen = admin.post(&action, &[("key", &page.key_of(&action))]).await;
    assert!(seen.text.contains("It was read again: known already."), "{}", seen.text);
    let none = admin.get("/admin/webhooks?type=nothing.like.that").await.text;
    assert!(none.contains("Nothing is like that."), "{none}");
    assert_eq!(admin.get("/admin/webhooks?state=odd").await.status.as_u16(), 400);
    let page = admin.get("/admin/webhooks/out").await.text;
    let (_, rest) = page.split_once("href=\"/admin/webhooks/out/").expect("an endpoint");
    let here = format!("/admin/webhooks/out/{}", rest.split('"').next().expect("its end"));
    let page = admin.get(&here).await;
    let action = format!("{here}/1/replay");
    let seen = admin.post(&action, &[("key", &page.key_of(&action))]).await;
    assert_eq!(seen.location(), format!("{here}?done=sent-again"), "{}", seen.text);
    assert!(admin.get(seen.location()).await.text.contains("The message is sent again."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_log_is_narrowed_and_goes_on_page_by_page() {
    let (play, _) = start().await;
    let admin = Reader::of(&play.world, ADMIN);
    for _ in 0..60 {
        let codes = [("post", "/api-keys")];
        play.ask(shows("brand_b"), codes[0], Some(&json!({ "scopes": ["campaigns:read"] }))).await;
    }
    let mut path = "/admin/access-log?who=user_bob".to_owned();
    let mut rows = 0;
    for number in 0..9 {
        let page = admin.get(&path).await.text;
        let found = page.matches("<tr><td data-name=\"When\">").count();
        assert_eq!(page.matches("user_bob</span>").count(), found, "only theirs");
        rows += found;
        let Some((_, next)) =
            page.split_once("<a class=\"button\" href=\"/admin/access-log?cursor=")
        else {
            assert!(number > 0, "it has several pages");
            break;
        };
        let next = next.split('"').next().expect("its end").replace("&#38;", "&");
        path = format!("/admin/access-log?cursor={next}");
        assert!(path.ends_with("&who=user_bob"), "{path}");
    }
    let (_, log) = play.world.get(ADMIN, "/access-log?who=user_bob&limit=100").await;
    assert_eq!(log["data"].as_array().map(Vec::len), Some(rows));
    let keys = admin.get("/admin/keys").await.text;
    assert!(keys.contains("Signs") && keys.contains("keys rotate"), "{keys}");
}
