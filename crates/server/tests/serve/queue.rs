//! A writer that cannot keep up, and an operator who asks to stop.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::client::Client;
use crate::server::Server;
use crate::{World, fixture, order};

fn batch(code: &str, first: u64, count: u64) -> String {
    let order = order(code, "ORDER").to_string();
    (first..first + count).map(|n| order.replace("ORDER", &format!("b-{n}")) + "\n").collect()
}

#[test]
fn inv_5_a_full_queue_answers_503_and_loses_nothing_that_it_took() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &fixture::plan(1));
    let server = Server::start(directory.path(), &["--queue-mib", "1"]);
    let connect = || Client::connect(&server.address).with_key(&made.api_key);
    // Somebody holds the database, so the writer waits.
    let blocker = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    blocker.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let refused = std::thread::scope(|scope| {
        let post = |first| {
            let (mut client, code) = (connect(), made.codes[0].clone());
            scope.spawn(move || {
                let body = batch(&code, first, 2_000);
                client.send("POST", "/v/batch", &[], body.as_bytes()).expect("answered")
            })
        };
        // The first is with the writer, the second fills the queue.
        let first = post(0);
        std::thread::sleep(Duration::from_millis(700));
        let second = post(10_000);
        std::thread::sleep(Duration::from_millis(700));
        let refused = connect().report(&order(&made.codes[0], "late"));
        blocker.execute_batch("ROLLBACK").expect("lets go");
        for answer in [first, second].map(|thread| thread.join().expect("answered")) {
            assert_eq!(answer.status, 200);
            let text = answer.text();
            assert_eq!(text.matches(r#""result":"accepted""#).count(), 2_000, "{text:.300}");
        }
        refused
    });
    assert_eq!((refused.status, refused.code().as_str()), (503, "busy"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let again = connect().report(&order(&made.codes[0], "late"));
    assert_eq!(
        (again.status, &again.json()["duplicate"]),
        (200, &false.into()),
        "no key was used up"
    );
}

#[test]
fn inv_5_a_server_that_is_asked_to_stop_answers_what_it_took_and_exits_0() {
    let World { directory, made, mut server } = World::new();
    let acknowledged = Mutex::new(Vec::new());
    let numbers = AtomicU64::new(0);
    let status = std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = Client::connect(&server.address).with_key(&made.api_key);
            let (acknowledged, numbers, made) = (&acknowledged, &numbers, &made);
            scope.spawn(move || {
                loop {
                    let id = format!("order-{}", numbers.fetch_add(1, Ordering::SeqCst));
                    let Ok(answer) = client.try_report(&order(&made.codes[0], &id)) else { return };
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let entry = answer.json()["entry"].as_str().expect("an entry").to_owned();
                    acknowledged.lock().expect("whole").push(entry);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(400));
        server.terminate()
    });
    assert!(status.success(), "{}", server.log());
    let mut reader = sponsorhub_store::open_read_only(directory.path()).expect("opens");
    let reader: &mut dyn sponsorhub_store::Reader = &mut reader;
    let entries = reader.entries(made.campaign, 1, usize::MAX).expect("reads");
    let acknowledged = acknowledged.into_inner().expect("whole");
    assert!(!acknowledged.is_empty());
    for entry in acknowledged {
        assert!(entries.iter().any(|stored| stored == entry.as_bytes()), "{entry}");
    }
}
