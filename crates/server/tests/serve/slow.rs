//! Clients that take their time, and requests that are no HTTP.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::{World, order};

/// How long until the other end closes, writing a byte now and then.
#[expect(clippy::disallowed_methods, reason = "deadlines of sockets are real time")]
fn closed_after(mut client: Client, first: &[u8], drip: &[u8]) -> Duration {
    let started = Instant::now();
    client.raw(first).expect("taken");
    for byte in drip.iter().cycle() {
        if client.raw(&[*byte]).is_err() || started.elapsed() > Duration::from_secs(40) {
            break;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    started.elapsed()
}

#[test]
fn a_slow_client_is_cut_off_and_holds_nobody_up() {
    let world = World::new();
    let connect = || Client::connect(&world.server.address);
    std::thread::scope(|scope| {
        let headers =
            scope.spawn(|| closed_after(connect(), b"GET /healthz HTTP/1.1\r\nx-a: ", b"a"));
        let body = scope.spawn(|| {
            let head = format!(
                "POST /v HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 9000\r\n\r\n{{",
                world.made.api_key
            );
            let mut client = connect();
            client.raw(head.as_bytes()).expect("taken");
            client.answer(false).expect("an answer, although the body never came")
        });
        // Meanwhile others are served.
        let mut client = world.client();
        for number in 0..20 {
            let answer = client.report(&order(&world.made.codes[0], &format!("o-{number}")));
            assert_eq!(answer.status, 200);
        }
        let waited = headers.join().expect("ends");
        assert!(waited < Duration::from_secs(25), "headers took {waited:?}");
        let answer = body.join().expect("ends");
        assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"));
    });
}

#[test]
fn what_is_no_http_or_too_much_of_it_is_refused() {
    let world = World::new();
    let many = "x-header: 1\r\n".repeat(100);
    let long = format!("GET /r/{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    for request in [
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        long,
        "\x16\x03\x01\x02\x00\x01\r\n\r\n".to_owned(),
        "POST /v HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(&world.server.address).expect("listens");
        std::io::Write::write_all(&mut stream, request.as_bytes()).ok();
        let mut text = String::new();
        stream.read_to_string(&mut text).ok();
        let status = text.split(' ').nth(1).unwrap_or("closed");
        assert!(["400", "414", "431", "closed"].contains(&status), "{status}: {request:.60}");
    }
    assert_eq!(world.client().send("GET", "/healthz", &[], b"").expect("lives").status, 200);
}
