//! Clients that do not take their answers or say nothing at all, and a server that is asked to stop as
//! soon as it is there.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::{Server, World, fixture, order};

/// Deadlines of a connection, and the time that a busy machine may add.
const DEADLINE: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_methods, reason = "deadlines of sockets are real time")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn who_sends_and_never_reads_is_cut_off_and_holds_nobody_up() {
    let world = World::new();
    let mut greedy = TcpStream::connect(&world.server.address).expect("listens");
    greedy.set_write_timeout(Some(Duration::from_secs(2))).expect("a socket");
    // Far more answers than the sockets' buffers hold.
    let requests = "GET /r/nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(60_000);
    // It may well not all be taken: the server stops reading where nobody takes answers.
    drop(greedy.write_all(requests.as_bytes()));
    let started = start();
    let mut client = world.client();
    for number in 0..20 {
        let answer = client.report(&order(&world.made.codes[0], &format!("o-{number}")));
        assert_eq!(answer.status, 200, "others are served meanwhile");
    }
    while greedy.write(b"G").is_ok_and(|written| written > 0) {
        assert!(
            started.elapsed() < DEADLINE + SLACK,
            "still connected after {:?}",
            started.elapsed()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_brand_whose_batches_come_slowly_holds_up_nobody_but_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let slow = fixture::make(directory.path(), &fixture::plan(1));
    let made = fixture::make(directory.path(), &fixture::plan(1));
    let server = Server::start(directory.path(), &[]);
    let head = format!(
        "POST /v/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 9000\r\n\r\n{{",
        slow.api_key
    );
    let slow_ones: Vec<_> = std::iter::repeat_with(|| {
        let mut client = Client::connect(&server.address);
        client.raw(head.as_bytes()).expect("taken");
        client
    })
    .take(64)
    .collect();
    std::thread::sleep(Duration::from_millis(300));
    let started = start();
    let line = order(&made.codes[0], "other-brand").to_string();
    let mut client = Client::connect(&server.address).with_key(&made.api_key);
    let answer = client.send("POST", "/v/batch", &[], line.as_bytes()).expect("answered");
    assert_eq!(answer.status, 200);
    // No slow body has been given up yet.
    assert!(started.elapsed() < DEADLINE / 2, "it took {:?}", started.elapsed());
    let mut single = Client::connect(&server.address).with_key(&slow.api_key);
    assert_eq!(single.report(&order(&slow.codes[0], "own")).status, 200);
    drop(slow_ones);
}

#[test]
fn a_connection_that_says_nothing_ends_within_its_deadline() {
    let world = World::new();
    let silent = |first: &[u8]| {
        let mut stream = TcpStream::connect(&world.server.address).expect("listens");
        stream.set_read_timeout(Some(DEADLINE + SLACK)).expect("a socket");
        stream.write_all(first).expect("taken");
        stream
    };
    let connections = [
        silent(b""),
        silent(b"GET /hea"),
        // Idle after a request, and in the middle of the next one.
        silent(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
        silent(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\n"),
    ];
    for mut stream in connections {
        let mut all = Vec::new();
        // Ends by a close; a time-out would be an error.
        stream.read_to_end(&mut all).expect("the server closes");
    }
}

#[test]
fn who_asks_the_server_to_stop_as_soon_as_it_listens_is_heard() {
    let directory = tempfile::tempdir().expect("a directory");
    fixture::make(directory.path(), &fixture::plan(1));
    for round in 0..20 {
        let mut server = Server::start(directory.path(), &[]);
        let status = server.terminate();
        assert!(status.success(), "round {round}: {status}");
    }
}
