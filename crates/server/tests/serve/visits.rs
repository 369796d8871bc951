//! `GET /r/{name}`.

use sponsorhub_app::keyring_file;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_store::{ClickLog as _, ClickOptions, SqliteClickLog};

use crate::client::Client;
use crate::{BROWSER, World, fixture, token};

fn visit(world: &World, name: &str, headers: &[(&str, &str)]) -> crate::Answer {
    let mut client = Client::connect(&world.server.address);
    client.send("GET", &format!("/r/{name}"), headers, b"").expect("answered")
}

const AGENT: (&str, &str) = ("user-agent", BROWSER);

#[test]
fn a_visit_is_sent_on_with_a_token_only_where_it_is_a_navigation_of_a_person() {
    let world = World::new();
    let link = &world.made.links[0];
    let answer = visit(&world, link, &[AGENT]);
    assert_eq!(answer.status, 302);
    let location = answer.header("location").expect("sent on").to_owned();
    let click = token(&answer).expect("credited");
    let expected = format!("https://shop.example/product?ref=c0&sh_click={click}#buy");
    assert_eq!(location, expected);
    for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
        assert_eq!(answer.header(name), Some(value));
    }
    let plain = "https://shop.example/product?ref=c0#buy";
    let not_credited: [&[(&str, &str)]; 6] = [
        &[],
        &[("user-agent", "Googlebot/2.1")],
        &[AGENT, ("sec-fetch-dest", "image"), ("sec-fetch-mode", "no-cors")],
        &[AGENT, ("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")],
        &[AGENT, ("sec-purpose", "prefetch")],
        &[AGENT, ("purpose", "preview")],
    ];
    for headers in not_credited {
        let answer = visit(&world, link, headers);
        assert_eq!((answer.status, answer.header("location")), (302, Some(plain)), "{headers:?}");
    }
    let mut client = Client::connect(&world.server.address);
    let head = client.send("HEAD", &format!("/r/{link}"), &[AGENT], b"").expect("answered");
    assert_eq!((head.status, head.header("location")), (302, Some(plain)));
    let slug = visit(&world, &world.made.slug, &[AGENT]);
    assert!(token(&slug).is_some(), "a slug is another name of a link");
    // Everything is in the click log, with its verdict.
    let World { directory, made, mut server } = world;
    assert!(server.terminate().success());
    let clicks = SqliteClickLog::open(directory.path(), &ClickOptions::default()).expect("opens");
    let mut reader = clicks.reader().expect("reads");
    let hours = reader.hours_of_link(made.campaign, 1, (0, i64::MAX)).expect("reads");
    let sums = hours.iter().fold((0, 0), |sum, hour| (sum.0 + hour.clicks, sum.1 + hour.credited));
    assert_eq!(sums, (9, 2));
}

#[test]
fn an_unknown_or_altered_link_is_one_page_for_all() {
    let world = World::new();
    let link = &world.made.links[0];
    let flipped = |at: usize| {
        let mut bytes = link.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let names = [
        "nothing".to_owned(),
        flipped(0),
        flipped(2),
        flipped(30),
        flipped(link.len() - 1),
        format!("{link}="),
        format!("{link}A"),
        link[..link.len() - 1].to_owned(),
        link.to_lowercase(),
        "%2e%2e".to_owned(),
        "a/b".to_owned(),
        String::new(),
    ];
    let page = visit(&world, "nothing", &[AGENT]).text();
    assert!(page.contains("This link leads nowhere"));
    for name in names {
        let answer = visit(&world, &name, &[AGENT]);
        assert_eq!((answer.status, answer.text() == page), (404, true), "{name}");
    }
    let post = world.client().send("POST", &format!("/r/{link}"), &[AGENT], b"").expect("answered");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_link_of_another_installation_leads_nowhere() {
    let (world, other) = (World::new(), World::new());
    assert_eq!(visit(&world, &other.made.links[0], &[AGENT]).status, 404);
    // Signed with our keys, and registered nowhere.
    let keyring = keyring_file::read(world.directory.path()).expect("there");
    let forged = sponsorhub_core::attribution::link::LinkToken {
        campaign: world.made.campaign,
        enrollment: world.made.enrollments[0],
        number: 2,
    };
    let forged = forged.sign(&KeySet::new(&keyring));
    assert_eq!(visit(&world, &forged, &[AGENT]).status, 404, "link 2 is another creator's");
}

#[test]
fn a_campaign_that_is_not_live_sends_visitors_on_without_a_token() {
    let world = World::of(&fixture::Plan { is_live: false, ..fixture::plan(1) });
    // The fixture makes no links there; a live one, paused by its store, does.
    drop(world);
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &fixture::plan(1));
    fixture::pause(directory.path(), &made);
    let server = crate::Server::start(directory.path(), &[]);
    let world = World { directory, made, server };
    let answer = visit(&world, &world.made.links[0], &[AGENT]);
    assert_eq!((answer.status, token(&answer)), (302, None));
}

#[test]
fn a_forwarded_address_counts_only_behind_a_trusted_proxy() {
    let world = World::new();
    let network = |world: &World, headers: &[(&str, &str)]| {
        let token = token(&visit(world, &world.made.links[0], headers)).expect("credited");
        let keyring = keyring_file::read(world.directory.path()).expect("there");
        let keys = KeySet::new(&keyring);
        let click = sponsorhub_core::attribution::click::ClickToken::verify(
            &token,
            &keys,
            fixture::now(),
            |_| i64::MAX,
        );
        click.expect("ours").0.network
    };
    let plain = network(&world, &[AGENT]);
    let spoofed = network(&world, &[AGENT, ("x-forwarded-for", "203.0.113.9")]);
    assert_eq!(plain, spoofed, "anybody can send that header");
    let World { directory, made, server } = world;
    drop(server);
    let server = crate::Server::start(directory.path(), &["--trusted-proxy", "127.0.0.0/8"]);
    let world = World { directory, made, server };
    let one = network(&world, &[AGENT, ("x-forwarded-for", "203.0.113.9")]);
    let neighbour = network(&world, &[AGENT, ("x-forwarded-for", "203.0.113.77")]);
    let far = network(&world, &[AGENT, ("x-forwarded-for", "198.51.100.1")]);
    let hidden = network(&world, &[AGENT, ("x-forwarded-for", "198.51.100.1, 203.0.113.9")]);
    assert_eq!((one, one), (neighbour, hidden), "the last hop that no proxy of ours added");
    assert_ne!(one, far);
    assert_ne!(one, plain);
}
