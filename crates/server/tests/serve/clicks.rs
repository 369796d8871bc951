//! What `clicks.db` holds after visits: every one with its verdict, and nobody's address.

use std::collections::BTreeSet;

use rusqlite::Connection;
use sponsorhub_app::keyring_file;
use sponsorhub_core::attribution::click::{ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_store::{Change, Verdict};

use crate::client::Client;
use crate::{BROWSER, Server, World, fixture, token};

const AGENT: (&str, &str) = ("user-agent", BROWSER);

/// A row: click id, link, verdict, network, agent.
type Row = (Vec<u8>, u32, u8, Vec<u8>, Vec<u8>);

/// All clicks, in the order in which they were written.
fn rows(directory: &std::path::Path) -> Vec<Row> {
    let database = Connection::open(directory.join("clicks.db")).expect("opens");
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'clicks_2*'
               ORDER BY name";
    let mut tables = database.prepare(sql).expect("lists");
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).expect("lists");
    let mut rows = Vec::new();
    for table in tables {
        let table = table.expect("a name");
        let sql =
            format!("SELECT click_id, link, verdict, network, agent FROM {table} ORDER BY no");
        let mut found = database.prepare(&sql).expect("a table of clicks");
        let read = found.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        });
        rows.extend(read.expect("reads").map(|row| row.expect("a row")));
    }
    rows
}

#[test]
fn each_visit_is_recorded_once_with_its_verdict_and_a_credited_one_under_its_tokens_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let made = fixture::make(&path, &fixture::plan(3));
    fixture::command(&path, made.campaign, fixture::now() - 60_000, |draft| {
        draft.end_enrollment(made.enrollments[2]).expect("enrolled");
    });
    let keyring = fixture::keyring(&path, fixture::now());
    let store = fixture::open(&path, &keyring, fixture::now());
    let (campaign, at) = (made.campaign, fixture::now());
    fixture::record(&store, Change::RevokeLink { campaign, number: 2, at });
    drop(store);
    let mut server = Server::start(&path, &[]);
    let visit = |link: usize, method: &str, headers: &[(&str, &str)]| {
        let path = format!("/r/{}", made.links[link]);
        let mut client = Client::connect(&server.address);
        let answer = client.send(method, &path, headers, b"").expect("answered");
        assert_eq!(answer.status, 302, "no creator's link is ever broken");
        let location = answer.header("location").expect("sent on").to_owned();
        let expected = format!("https://shop.example/product?ref=c{link}");
        assert!(location.starts_with(&expected) && location.ends_with("#buy"), "{location}");
        token(&answer)
    };
    let image = [AGENT, ("sec-fetch-dest", "image"), ("sec-fetch-mode", "no-cors")];
    let visits = [
        (visit(0, "GET", &[AGENT]), 1, Verdict::Credited),
        (visit(0, "GET", &image), 1, Verdict::NotNavigation),
        (visit(0, "GET", &[AGENT, ("sec-purpose", "prefetch")]), 1, Verdict::Prefetch),
        (visit(0, "HEAD", &[AGENT]), 1, Verdict::HeadRequest),
        (visit(0, "GET", &[("user-agent", "curl/8.5.0")]), 1, Verdict::DeclaredBot),
        (visit(1, "GET", &[AGENT]), 2, Verdict::EnrollmentEnded),
        (visit(2, "GET", &[AGENT]), 3, Verdict::EnrollmentEnded),
        (visit(0, "GET", &[AGENT]), 1, Verdict::Credited),
    ];
    let mut client = Client::connect(&server.address);
    assert_eq!(client.send("GET", "/r/nothing", &[AGENT], b"").expect("answered").status, 404);
    assert!(server.terminate().success());
    let rows = rows(&path);
    let told: BTreeSet<_> = rows.iter().map(|row| (row.1, row.2)).collect();
    let expected: BTreeSet<_> =
        visits.iter().map(|(_, link, verdict)| (*link, verdict.code())).collect();
    assert_eq!(
        (rows.len(), told),
        (visits.len(), expected),
        "a page that is not there is no click"
    );
    let keys = KeySet::new(&keyring_file::read(&path).expect("there"));
    let home = NetworkFingerprint::new(keys.pepper(), [127, 0, 0, 1].into());
    assert!(rows.iter().all(|row| row.3 == home.0), "the network of this machine, keyed");
    for (token, _, verdict) in &visits {
        assert_eq!(token.is_some(), *verdict == Verdict::Credited, "{verdict:?}");
        let Some(token) = token else { continue };
        let (click, _) =
            ClickToken::verify(token, &keys, fixture::now(), |_| i64::MAX).expect("ours");
        let row = rows.iter().find(|row| row.0 == click.click.0).expect("recorded");
        assert_eq!((&row.3[..], &row.4[..]), (&click.network.0[..], &click.agent.0[..]));
        assert_eq!(row.2, verdict.code());
    }
}

#[test]
fn a_name_that_no_link_can_have_is_the_same_page_whatever_its_bytes() {
    let world = World::new();
    let link = &world.made.links[0];
    let mut client = Client::connect(&world.server.address);
    let page = client.send("GET", "/r/nothing", &[AGENT], b"").expect("answered").text();
    for name in [
        "%ff%fe".to_owned(),
        "%00".to_owned(),
        "%".to_owned(),
        format!("{link}%0d%0aset-cookie:%20x"),
        format!("{}/", world.made.slug),
        "x".repeat(10_000),
        "https://evil.example/".to_owned(),
        "..%2fhealthz".to_owned(),
    ] {
        let path = format!("/r/{name}");
        let answer = client.send("GET", &path, &[AGENT], b"").expect("answered");
        assert_eq!((answer.status, answer.text() == page), (404, true), "{name:.80}");
        assert_eq!(answer.header("location"), None);
        assert_eq!(answer.header("set-cookie"), None);
    }
    // What a platform hangs on to a link does not break it, and goes nowhere.
    let path = format!("/r/{link}?utm_source=x&sh_click=forged&next=https://evil.example");
    let answer = client.send("GET", &path, &[AGENT], b"").expect("answered");
    let location = answer.header("location").expect("sent on");
    assert!(token(&answer).is_some_and(|token| token != "forged"), "{location}");
    assert!(!location.contains("evil") && !location.contains("utm_source"), "{location}");
}

#[test]
fn figures_count_by_code_and_name_nobody() {
    let world = World::new();
    let mut client = world.client();
    let get = |client: &mut Client, path: &str| {
        let answer = client.send("GET", path, &[AGENT], b"").expect("answered");
        (answer.status, answer.text())
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&mut client, path).0, 200);
    }
    let good = crate::order(&world.made.codes[0], "counted-order");
    for _ in 0..3 {
        assert_eq!(client.report(&good).status, 200);
    }
    client.report(&crate::order("NOBODY-12345", "x"));
    get(&mut client, &format!("/r/{}", world.made.links[0]));
    get(&mut client, "/r/nothing");
    let (status, text) = get(&mut client, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "sponsorhub_events_total{result=\"accepted\"} 1",
        "sponsorhub_events_duplicate_total 2",
        "sponsorhub_events_refused_total{code=\"code_not_valid\"} 1",
        "sponsorhub_redirects_total{verdict=\"credited\"} 1",
        "sponsorhub_links_not_found_total{code=\"link_unknown\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    for secret in ["counted-order", &world.made.api_key, &world.made.links[0], "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
