//! Tokens and the page to sign in on, over HTTP.

use axum::http::Method;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::world::{World, request, text};

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn a_driver_gets_a_token_by_the_clock_of_the_sandbox() {
    let world = World::new().await;
    let wanted = json!({ "user": "ada", "role": "brand", "azp": "http://p", "ttl_s": 30 });
    let issued = world.control("/_control/clerk/token", wanted.clone()).await.ok();
    let token = text(&issued["token"]);
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let jwks = world.get("/.well-known/jwks.json").await.ok();
    assert_eq!(header["kid"], jwks["keys"][0]["kid"]);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    let now_s = world.sandbox().now_ms() / 1_000;
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now_s), &json!(now_s + 30)));
    assert_eq!(claims["iss"], json!(world.running.base_url));
    assert_eq!(
        (&claims["azp"], &claims["metadata"]["role"]),
        (&json!("http://p"), &json!("brand"))
    );
    assert_eq!((&claims["sub"], &claims["sid"]), (&issued["user_id"], &issued["session_id"]));
    world.advance(60_000);
    let later = world.control("/_control/clerk/token", wanted).await.ok();
    assert_eq!(later["session_id"], issued["session_id"]);
    assert_eq!(later["expires_at"], json!(now_s + 90));
    for wrong in [json!({ "role": "brand" }), json!({ "user": "a", "surprise": 1 })] {
        let answer = world.control("/_control/clerk/token", wrong).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

#[tokio::test]
async fn signing_in_sets_the_cookie_and_a_known_browser_comes_back_at_once() {
    let world = World::new().await;
    let page = world.get("/clerk/sign-in?redirect_url=http://p:8080/brand").await;
    assert!(page.text.contains("role-creator") && page.text.contains("http://p:8080/brand"));
    let form = "name=Ada&role=brand&redirect_url=http%3A%2F%2Fp%3A8080%2Fbrand";
    let entered = world.post("/clerk/sign-in", form).await;
    assert_eq!((entered.status, entered.header("location")), (303, "http://p:8080/brand"));
    let cookies: Vec<&str> =
        entered.headers.get_all("set-cookie").iter().filter_map(|one| one.to_str().ok()).collect();
    let value = |name: &str| {
        let cookie = cookies.iter().find_map(|one| one.strip_prefix(name)).expect("set");
        cookie.split(';').next().expect("a value").to_owned()
    };
    let claims = part(&value("__session="), 1);
    assert_eq!(
        (&claims["azp"], &claims["metadata"]["role"]),
        (&json!("http://p:8080"), &json!("brand"))
    );

    let client = format!("__client={}", value("__client="));
    let url = world.url("/clerk/sign-in?redirect_url=http://p:8080/brand");
    let headers = [("cookie", client.as_str())];
    let back = request(&url, Method::GET, &headers, String::new()).await.expect("an answer");
    assert_eq!((back.status, back.header("location")), (303, "http://p:8080/brand"));
    let other = format!("{url}&switch=true");
    let other = request(&other, Method::GET, &headers, String::new()).await.expect("an answer");
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn without_a_place_to_go_the_page_shows_the_token_and_nothing_hostile() {
    let world = World::new().await;
    let shown = world.post("/clerk/sign-in", "name=Ada&role=admin").await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("id=\"token\""));
    let token = shown.text.split("id=\"token\">").nth(1).and_then(|rest| rest.split('<').next());
    let claims = part(token.expect("a token"), 1);
    assert_eq!(claims["azp"], "http://127.0.0.1:8080", "a token without a site would be refused");
    let other = world.post("/clerk/sign-in", "name=Ada&role=admin&site=http://p:1/x").await;
    let token = other.text.split("id=\"token\">").nth(1).and_then(|rest| rest.split('<').next());
    assert_eq!(part(token.expect("a token"), 1)["azp"], "http://p:1");
    let hostile = "/clerk/sign-in?redirect_url=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    assert!(!world.get(hostile).await.text.contains("<script>"));
    let away = world.post("/clerk/sign-in", "name=A&role=a&redirect_url=javascript:alert(1)").await;
    assert_eq!(away.status, 400);
    assert_eq!(world.post("/clerk/sign-in", "name=+&role=brand").await.status, 400);
}
