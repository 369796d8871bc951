//! INV-5 with the process killed: what was acknowledged is in the ledger, once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_store::{Reader as _, open_read_only};

use crate::client::Client;
use crate::server::{Server, sponsorhub};
use crate::{fixture, order};

const SEED: u64 = 7;

/// Reports that were answered: external id to entry.
type Acknowledged = Mutex<BTreeMap<String, String>>;

/// Reports from several threads until the server goes away.
fn report_until_gone(
    address: &str,
    made: &fixture::Fixture,
    numbers: &AtomicU64,
    acknowledged: &Acknowledged,
    stop: &AtomicBool,
) {
    let mut client = Client::connect(address).with_key(&made.api_key);
    let code = &made.codes[0];
    while !stop.load(Ordering::SeqCst) {
        let id = format!("order-{}", numbers.fetch_add(1, Ordering::SeqCst));
        match client.try_report(&order(code, &id)) {
            Ok(answer) if answer.status == 200 => {
                let entry = answer.json()["entry"].as_str().expect("an entry").to_owned();
                acknowledged.lock().expect("whole").insert(id, entry);
            }
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
            Err(_) => return,
        }
    }
}

/// Every acknowledged entry is where its answer said, and no key is there twice.
fn check(directory: &Path, made: &fixture::Fixture, acknowledged: &Acknowledged) {
    let mut reader = open_read_only(directory).expect("opens");
    let entries = reader.entries(made.campaign, 1, usize::MAX).expect("reads");
    let mut keys = std::collections::BTreeSet::new();
    for bytes in &entries {
        let entry = Entry::decode(bytes).expect("canonical");
        if let Some(event) = sponsorhub_core::conversion::Event::of(&entry.body) {
            assert!(keys.insert(event.key), "INV-4: a key entered twice");
        }
    }
    for (id, entry) in &*acknowledged.lock().expect("whole") {
        let decoded = Entry::decode(entry.as_bytes()).expect("canonical");
        let index = usize::try_from(decoded.seq).expect("small") - 1;
        let stored = entries.get(index).map(Vec::as_slice);
        assert_eq!(stored, Some(entry.as_bytes()), "INV-5: {id} was acknowledged");
    }
}

fn rounds(count: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &fixture::plan(1));
    let (numbers, acknowledged) = (AtomicU64::new(0), Acknowledged::default());
    let mut random = StdRng::seed_from_u64(SEED);
    for round in 0..count {
        let server = Server::start(directory.path(), &[]);
        let before = acknowledged.lock().expect("whole").len();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let address = server.address.clone();
            for _ in 0..4 {
                let (made, address) = (&made, address.clone());
                let (numbers, acknowledged, stop) = (&numbers, &acknowledged, &stop);
                scope.spawn(move || {
                    report_until_gone(&address, made, numbers, acknowledged, stop);
                });
            }
            // However slowly it starts: killed while it takes reports, not before.
            for _ in 0..60_000 {
                if acknowledged.lock().expect("whole").len() > before {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
            server.kill();
            stop.store(true, Ordering::SeqCst);
        });
        let after = acknowledged.lock().expect("whole").len();
        assert!(after > before, "round {round} acknowledged something");
        check(directory.path(), &made, &acknowledged);
    }
    // Whoever repeats a report is told of the first entry, whatever happened in between.
    let server = Server::start(directory.path(), &[]);
    let mut client = Client::connect(&server.address).with_key(&made.api_key);
    let all = acknowledged.lock().expect("whole").clone();
    for (id, entry) in all.iter().rev().step_by(all.len() / 40 + 1) {
        let answer = client.report(&order(&made.codes[0], id));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        assert_eq!((&told["duplicate"], told["entry"].as_str()), (&true.into(), Some(&**entry)));
    }
    drop(client);
    server.kill();
    let audit = sponsorhub().arg("audit").arg("--data-dir").arg(directory.path()).output();
    let audit = audit.expect("runs");
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

#[test]
fn inv_5_what_was_acknowledged_survives_a_killed_server() {
    rounds(3);
}

/// `cargo test -p sponsorhub --test serve -- --ignored twenty`
#[test]
#[ignore = "takes a minute; `cargo xtask prove` runs it"]
fn inv_5_what_was_acknowledged_survives_a_server_that_is_killed_twenty_times() {
    rounds(20);
}
