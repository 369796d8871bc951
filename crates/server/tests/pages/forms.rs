//! Forms: only our own pages send them, and each is done once.

use reqwest::Method;
use serde_json::Value;

use crate::cast::{Play, Things, shows, start};
use crate::reader::{Reader, pages};
use crate::world::{ADMIN, BRAND, World, text};

/// Everything that a form could change, as the owner and the operator see it.
async fn state(play: &Play, of: &Things) -> Vec<Value> {
    let mut seen = Vec::new();
    for rest in ["", "/ledger?limit=100", "/deposits", "/enrollments", "/holds", "/payouts"] {
        let path = format!("/campaigns/{}{rest}", of.campaign);
        seen.push(play.ask(shows("owner"), ("get", &path), None).await.1);
    }
    let enrollment = format!("/campaigns/{}/enrollments/{}", of.campaign, of.enrollment);
    for rest in ["/links", "/codes"] {
        seen.push(
            play.ask(shows("creator"), ("get", &format!("{enrollment}{rest}")), None).await.1,
        );
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_changes_nothing() {
    let (play, things) = start().await;
    let a = &things[0];
    let before = state(&play, a).await;
    let ours = play.world.address.clone();
    let forged: [&[(&str, &str)]; 6] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", &ours), ("sec-fetch-site", "cross-site")],
        &[("referer", &ours), ("sec-fetch-site", "same-site")],
    ];
    let mut tried = 0;
    for (_, path) in pages().into_iter().filter(|(method, _)| *method == Method::POST) {
        let path = a.fill(&path).replace("{step}", "complete");
        for who in ["owner", "creator", "admin"] {
            let reader = Reader::new(&play.world, play.bearer(shows(who)));
            for headers in forged {
                let mut request = reader.request(Method::POST, &path);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let fields = [("destination", "https://shop.example/"), ("readable", "MORE")];
                let seen = Reader::seen(Reader::filled(request, &fields)).await;
                assert_eq!(seen.status.as_u16(), 403, "{path} {headers:?}: {}", seen.text);
                assert!(seen.headers.get("set-cookie").is_none(), "{path} {headers:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(state(&play, a).await, before);
    // Who was refused is written down, and nothing else of it.
    let (_, log) = play.world.get(ADMIN, "/access-log?who=user_ann&limit=100").await;
    let rows = log["data"].as_array().expect("a list");
    assert_eq!(rows.len(), 100, "{log}");
    let is_refused = |row: &Value| row["status"] == 403 && row["method"] == "POST";
    assert!(rows.iter().all(is_refused), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_refuses_to_whom_may_not_stands_in_the_access_log_once() {
    let (play, _) = start().await;
    let member = Reader::new(&play.world, play.bearer(shows("member")));
    let seen = member.post("/brand/shop/keys", &[]).await;
    assert_eq!(seen.status.as_u16(), 403, "{}", seen.text);
    let owner = Reader::new(&play.world, play.bearer(shows("owner")));
    let seen = owner.post("/brand/shop/keys/key_00000000000000000000000000/revoke", &[]).await;
    assert_eq!(seen.status.as_u16(), 404, "{}", seen.text);
    let rows = async |who: &str| {
        let (_, log) = play.world.get(ADMIN, &format!("/access-log?who={who}&limit=2")).await;
        log["data"].as_array().expect("a list").clone()
    };
    let refused = &rows("user_mia").await[0];
    assert_eq!((&refused["path"], &refused["status"]), (&"/brand/shop/keys".into(), &403.into()));
    // What the API refused is the API's to write.
    let of_api = rows("user_ann").await;
    assert_eq!((&of_api[0]["method"], &of_api[0]["status"]), (&"DELETE".into(), &404.into()));
    assert_ne!(of_api[1]["status"], 404, "{of_api:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_that_is_pressed_twice_does_it_once_and_stands_in_the_access_log() {
    let (play, things) = start().await;
    let path = format!("/creator/campaigns/{}", things[0].campaign);
    let reader = Reader::new(&play.world, play.bearer(shows("creator")));
    let page = reader.get(&path).await;
    let action = format!("{path}/links");
    let key = page.key_of(&action);
    let fields = [("key", key.as_str()), ("destination", "https://shop.example/offer")];
    for _ in 0..2 {
        let seen = reader.post(&action, &fields).await;
        let to = format!("{path}?done=link");
        assert_eq!((seen.status.as_u16(), seen.location()), (303, to.as_str()), "{}", seen.text);
    }
    let page = reader.get(&format!("{path}?done=link")).await;
    assert!(page.text.contains("Your link is ready."));
    assert_eq!(page.text.matches("leads to https://shop.example/offer").count(), 1);
    // The link as a picture, drawn here and shown to its creator only.
    let (_, picture) = page.text.rsplit_once("<img src=\"").expect("a picture");
    let picture = picture.split('"').next().expect("its end");
    let seen = reader.get(picture).await;
    assert_eq!(seen.header("content-type"), "image/svg+xml");
    assert!(seen.text.starts_with("<svg ") && !seen.text.contains("<script"), "{}", seen.text);
    let other = Reader::new(&play.world, play.bearer(shows("creator_b")));
    assert_eq!(other.get(picture).await.status.as_u16(), 404);
    let (_, log) = play.world.get(ADMIN, "/access-log").await;
    let written = log["data"].as_array().expect("a list").iter().filter(|one| {
        let path = one["path"].as_str().unwrap_or_default();
        path.starts_with("/campaigns/") && path.ends_with("/links")
    });
    assert_eq!(written.count(), 2, "{log}");
    // What a rule refuses is told on a page, with a way back.
    let request = reader.request(Method::POST, &action).header("origin", &play.world.address);
    let request = request.header("referer", format!("{}{path}", play.world.address));
    let fields = [("destination", "https://evil.example/")];
    let seen = Reader::seen(Reader::filled(request, &fields)).await;
    assert_eq!(seen.status.as_u16(), 400);
    assert!(
        seen.text.contains("<strong>Where the link leads</strong>") && seen.text.contains(&path)
    );
}

/// The brand's way from a draft to a live campaign, by pages alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brand_funds_and_launches_by_its_pages_and_sees_which_guard_is_missing() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.campaign(BRAND).await;
    let (reader, path) = (Reader::of(&world, BRAND), format!("/brand/campaigns/{campaign}"));
    let page = reader.get(&path).await;
    assert!(page.text.contains("0.00 USD of 1,000.00 USD are confirmed; 1,000.00 USD are missing"));
    assert!(!page.text.contains("/steps/launch"), "no button for what would be refused");
    let refused = reader.post(&format!("{path}/steps/launch"), &[]).await;
    assert_eq!(refused.status.as_u16(), 409, "{}", refused.text);
    let fund = format!("{path}/fund");
    let page = reader.get(&fund).await;
    let base = &world.sandbox.base_url;
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {base};")), "{policy}");
    let key = page.key_of(&fund);
    let sent = reader.post(&fund, &[("key", &key), ("amount", "1,000.00")]).await;
    let checkout = sent.location().to_owned();
    assert!(checkout.starts_with(base.as_str()), "{checkout} {}", sent.text);
    let session = checkout.rsplit('/').next().expect("an id");
    let (by, outcome) = (sponsorhub_sandbox::Method::Card, sponsorhub_sandbox::Outcome::Succeed);
    world.sandbox.sandbox.pay(session, by, outcome).expect("open");
    world.sandbox.sandbox.quiet(std::time::Duration::from_secs(5)).await;
    world.pass(2_000).await;
    let page = reader.get(&path).await;
    assert!(page.text.contains("The budget of 1,000.00 USD is confirmed"));
    let step = format!("{path}/steps/launch");
    assert!(page.text.contains(&step));
    let key = reader.get(&step).await.key_of(&step);
    for _ in 0..2 {
        let taken = reader.post(&step, &[("key", &key)]).await;
        assert_eq!(taken.location(), format!("{path}?done=launch"), "{}", taken.text);
    }
    let (_, shown) = world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    assert_eq!(text(&shown["state"]), "live");
    assert!(reader.get(&format!("{path}?done=launch")).await.text.contains("It is live"));
}
