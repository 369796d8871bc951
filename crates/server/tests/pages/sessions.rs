//! Signing in and out, sessions that ran out, and the theme.

use reqwest::Method;
use sponsorhub_sandbox::TokenWanted;

use crate::reader::{Reader, Seen, quoted};
use crate::world::{ADMIN, BRAND, World};

/// The value of a cookie that an answer sets.
fn set(seen: &Seen, name: &str) -> Option<String> {
    let mut all = seen.headers.get_all("set-cookie").iter().filter_map(|one| one.to_str().ok());
    let one = all.find_map(|one| one.strip_prefix(name)?.strip_prefix('='))?;
    Some(one.split(';').next()?.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_signs_in_at_the_sandbox_comes_back_and_signs_out() {
    let world = World::start().await;
    let nobody = Reader::new(&world, None);
    let page = nobody.get("/sign-in?to=/admin").await;
    let base = &world.sandbox.base_url;
    assert!(page.text.contains(&format!("action=\"{base}/clerk/sign-in\"")), "{}", page.text);
    let back = format!("{}/admin", world.address);
    assert!(page.text.contains(&format!("name=\"redirect_url\" value=\"{back}\"")));
    // The sandbox knows the operator by id, as the page sends it.
    let form = [("name", ADMIN.0), ("role", "admin"), ("redirect_url", back.as_str())];
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let request = client.expect("a client").post(format!("{base}/clerk/sign-in"));
    let entered = Reader::seen(Reader::filled(request, &form)).await;
    assert_eq!(entered.location(), back);
    let session = set(&entered, "__session").expect("a session");
    let reader = Reader::new(&world, Some(session));
    let overview = reader.get("/admin").await;
    assert_eq!(overview.status.as_u16(), 200, "{}", overview.text);
    let out = reader.post("/sign-out", &[]).await;
    assert_eq!((out.status.as_u16(), out.location()), (303, "/"));
    assert_eq!(
        (set(&out, "__session"), set(&out, "__client")),
        (Some(String::new()), Some(String::new()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ran_out_is_renewed_for_a_look_and_changes_nothing() {
    let world = World::start().await;
    world.join(BRAND).await;
    let campaign = world.paid(BRAND, &world.terms()).await;
    let wanted = TokenWanted {
        user: BRAND.0.to_owned(),
        role: Some(BRAND.1.to_owned()),
        azp: Some(world.address.clone()),
        ttl_s: Some(-60),
        ..TokenWanted::default()
    };
    let old = world.sandbox.sandbox.token(&wanted).expect("issued").token;
    let reader = Reader::new(&world, Some(old.clone()));
    let path = format!("/brand/campaigns/{campaign}");
    let seen = reader.get(&path).await;
    assert_eq!(seen.location(), format!("/sign-in?to={}", path.replace('/', "%2F")));
    // A browser that the sandbox knows goes there and comes back by itself.
    let request = Reader::new(&world, None).request(Method::GET, &path);
    let request = request.header("cookie", format!("__session={old}; __client=sess_1"));
    let seen = Reader::seen(request).await;
    let back = quoted(&format!("{}{path}", world.address)).replace("%2E", ".").replace("%5F", "_");
    let to = format!("{}/clerk/sign-in?redirect_url={back}", world.sandbox.base_url);
    assert_eq!(seen.location(), to);
    let seen = reader.post(&format!("{path}/steps/launch"), &[]).await;
    assert_eq!(seen.status.as_u16(), 401);
    assert!(seen.text.contains("Your session has run out"), "{}", seen.text);
    let (_, shown) = world.get(BRAND, &format!("/campaigns/{campaign}")).await;
    assert_eq!(shown["state"], "funded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_theme_is_kept_in_a_cookie_and_leads_nowhere_else() {
    let world = World::start().await;
    let reader = Reader::new(&world, None);
    let seen = reader.post("/theme", &[("theme", "dark"), ("to", "/sign-in?to=%2Fbrand")]).await;
    assert_eq!(seen.location(), "/sign-in?to=%2Fbrand");
    assert_eq!(set(&seen, "theme").as_deref(), Some("dark"));
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let seen = reader.post("/theme", &[("theme", "<script>"), ("to", to)]).await;
        assert_eq!((seen.location(), set(&seen, "theme").as_deref()), ("/", Some("auto")), "{to}");
        let page = reader.get(&format!("/sign-in?to={}", quoted(to))).await;
        assert!(!page.text.contains(to), "{to}");
    }
    let request = reader.request(Method::GET, "/").header("cookie", "theme=dark");
    assert!(Reader::seen(request).await.text.contains("data-theme=\"dark\""));
    let request = reader.request(Method::GET, "/").header("cookie", "theme=\"><script>");
    assert!(!Reader::seen(request).await.text.contains("data-theme"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_are_kept_for_ever_under_the_name_of_their_content() {
    let world = World::start().await;
    let reader = Reader::new(&world, None);
    let page = reader.get("/").await.text;
    let mut seen = 0;
    for part in page.split("\"/assets/").skip(1) {
        let name = part.split('"').next().expect("a name");
        let asset = reader.get(&format!("/assets/{name}")).await;
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable", "{name}");
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
    assert_eq!(reader.get("/assets/app.0000000000000000.css").await.status.as_u16(), 404);
    let missing = reader.get("/nothing/here").await;
    assert_eq!(missing.status.as_u16(), 404);
    assert!(missing.text.contains("<h1>There is nothing here</h1>"), "{}", missing.text);
}
