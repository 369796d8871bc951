//! Everybody at every page.
//!
//! What comes of it stands in `doors.txt`, to be read by people; a new page has no line there and fails.
//! `SPONSORHUB_RECORD_MATRIX=1` writes it anew.

use std::fmt::Write as _;

use reqwest::Method;

use crate::cast::{CALLERS, Play, Shows, Things, shows, start};
use crate::reader::{Reader, Seen, pages};

fn filled(path: &str, things: &Things) -> String {
    // A step that changes nothing of a campaign that is live.
    things.fill(path).replace("{step}", "resume").replace("{link}", "1")
}

fn cell(seen: &Seen) -> String {
    match seen.status.as_u16() {
        303 if seen.location().starts_with("/sign-in") => "signs in".to_owned(),
        303 if seen.location() == "/join" => "joins".to_owned(),
        401 => "401".to_owned(),
        403 => {
            let code = seen.text.split("name <span class=\"mono\">").nth(1);
            code.and_then(|code| code.split('<').next()).unwrap_or("403").to_owned()
        }
        404 => "404".to_owned(),
        500.. => panic!("{seen:?}"),
        // Let through: what comes of it is no matter of who asks.
        _ => "+".to_owned(),
    }
}

/// Nothing in a page runs, styles or loads but what is ours, and it says so.
fn is_strict(path: &str, seen: &Seen) {
    let policy = seen.header("content-security-policy");
    for part in
        ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]
    {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(seen.header(name), value, "{path}: {name}");
    }
    for inline in [" style=", "<style", " onclick", " onload", "javascript:", "src=\"http"] {
        assert!(!seen.text.contains(inline), "{path}: {inline}");
    }
    let scripts = seen.text.matches("<script").count();
    assert_eq!(scripts, seen.text.matches("<script src=\"/assets/app.").count(), "{path}");
    assert!(seen.text.len() < 150_000, "{path}: {} bytes", seen.text.len());
}

async fn row(
    play: &Play,
    (method, path): (&Method, &str),
    of: &Things,
) -> Vec<(String, Vec<&'static str>)> {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (caller, shows) in &CALLERS {
        let reader = Reader::new(&play.world, play.bearer(shows));
        let path = filled(path, of);
        let seen = match *method {
            Method::GET => reader.get(&path).await,
            _ => reader.post(&path, &[]).await,
        };
        if seen.header("content-type").starts_with("text/html") {
            is_strict(&path, &seen);
        }
        let cell = cell(&seen);
        match alike.iter_mut().find(|(known, _)| *known == cell) {
            Some((_, callers)) => callers.push(caller),
            None => alike.push((cell, vec![caller])),
        }
    }
    alike.sort();
    alike
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_at_every_page_gets_what_the_list_says() {
    let (play, things) = start().await;
    let mut found = String::from(
        "# Who gets to see which page (+), and else what they are told. Written by doors.rs; read\n\
         # before you commit a change of it. Things: a is brand A's, b is brand B's.\n",
    );
    for (method, path) in pages() {
        for of in things.iter().filter(|of| path.contains('{') || of.name == "a") {
            let name = if path.contains('{') { of.name } else { "-" };
            writeln!(found, "\n{method} {path} {name}").expect("room");
            for (cell, callers) in row(&play, (&method, &path), of).await {
                writeln!(found, "    {cell}: {}", callers.join(" ")).expect("room");
            }
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages/doors.txt");
    #[expect(clippy::disallowed_methods, reason = "writes the file that people read")]
    if std::env::var("SPONSORHUB_RECORD_MATRIX").is_ok() {
        std::fs::write(file, &found).expect("written");
    }
    let known = std::fs::read_to_string(file).expect("doors.txt");
    for (found, known) in found.lines().zip(known.lines()) {
        assert_eq!(found, known, "see doors.txt");
    }
    assert_eq!(found.lines().count(), known.lines().count(), "see doors.txt");
}

/// What a page says, without the address that it was asked for by.
fn without(seen: &Seen, path: &str) -> String {
    seen.text.replace(path, "…")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_foreign_and_what_is_missing_look_alike() {
    let (play, things) = start().await;
    let [_, b, missing] = &things[..] else { panic!("three of them") };
    let mut compared = 0;
    for (method, path) in pages().into_iter().filter(|(_, path)| path.contains('{')) {
        for caller in ["owner", "creator", "viewer"] {
            // A campaign that can be joined is seen by every creator.
            let is_seen = path.ends_with("/join") || path.starts_with("/live/");
            // Its proof of funds everybody sees.
            if (caller == "creator" && is_seen) || path.starts_with("/c/") {
                continue;
            }
            let reader = Reader::new(&play.world, play.bearer(shows(caller)));
            let mut said = Vec::new();
            for of in [b, missing] {
                let path = filled(&path, of);
                let seen = match method {
                    Method::GET => reader.get(&path).await,
                    _ => reader.post(&path, &[]).await,
                };
                said.push((seen.status, without(&seen, &path)));
            }
            assert_eq!(said[0], said[1], "{method} {path} as {caller}");
            assert!(said[0].0.is_client_error(), "{method} {path} as {caller}: {}", said[0].0);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_opens_no_page_and_nobody_is_told_more_without_a_session() {
    let (play, _) = start().await;
    let key = play.bearer(&Shows::Key("ledger:read"));
    let reader = Reader::new(&play.world, None);
    let seen =
        Reader::seen(reader.request(Method::GET, "/brand").bearer_auth(key.expect("a key"))).await;
    assert_eq!(seen.status.as_u16(), 403, "{}", seen.text);
    let seen = reader.get("/brand/campaigns/cmp_1").await;
    assert_eq!(
        (seen.status.as_u16(), seen.location()),
        (303, "/sign-in?to=%2Fbrand%2Fcampaigns%2Fcmp_1")
    );
    // A program is told in its own words.
    let url = format!("{}/brand", play.world.address);
    let told = play.world.client.get(url).send().await.expect("answers");
    assert_eq!(told.status().as_u16(), 401);
    assert_eq!(told.headers()["content-type"], "application/problem+json");
}
