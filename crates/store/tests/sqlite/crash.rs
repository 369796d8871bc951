//! A writer that is killed, again and again, wherever it happens to be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::str::FromStr as _;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::merkle::Hash;
use sponsorhub_store::{Outcome, SqliteStore, Store as _, Submitted};

use crate::world::{Desk, T, campaign_id, reversal, sale};
use crate::{audit, open, setting, small, this_test};

const SETTING: &str = "SPONSORHUB_STORE_CRASH";

/// How often the writer is killed.
const KILLS: u64 = 12;

#[test]
fn inv_5_what_was_acknowledged_survives_a_killed_writer() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut rng = StdRng::seed_from_u64(1);
    let mut acknowledged: Vec<(u64, Hash)> = Vec::new();
    let mut events = 0;
    for round in 0..KILLS {
        let lines = rng.random_range(1..2_500);
        let told = run_and_kill(directory.path(), lines);
        acknowledged.extend(&told);
        let leaves = audit(directory.path());
        for (seq, leaf) in &acknowledged {
            let index = usize::try_from(*seq).expect("small") - 1;
            assert_eq!(leaves.get(index), Some(leaf), "INV-5: round {round}, entry {seq}");
        }
        events = leaves.len();
    }
    assert!(!acknowledged.is_empty() && acknowledged.len() <= events);
    // The heir of all the crashes: keys are known, numbers go on.
    let store = SqliteStore::open(directory.path(), small(), || T + 5_000).expect("opens");
    let again = store.take_in_and_wait(vec![sale(campaign_id(1), 0, 0, 100)]);
    let again = again.expect("room").expect("an answer");
    assert!(matches!(again[0], Outcome::Duplicate { same_content: true, .. }), "INV-4");
    let next = store.take_in_and_wait(vec![sale(campaign_id(1), 0, u64::MAX, 100)]);
    let next = next.expect("room").expect("a commit");
    let expected = u64::try_from(events).expect("small") + 1;
    assert!(matches!(&next[0], Outcome::Appended(appended) if appended.seq == expected), "INV-6");
}

/// Starts a writer, reads what it acknowledges, and kills it after some lines.
fn run_and_kill(directory: &Path, lines: usize) -> Vec<(u64, Hash)> {
    let mut command = this_test("crash::inside_the_writer", SETTING, directory);
    let mut writer: Child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let output = BufReader::new(writer.stdout.take().expect("piped"));
    let mut told = Vec::new();
    for line in output.lines() {
        // The last line may be cut; what is cut was not told.
        if let Some((seq, leaf)) = line.expect("readable").split_once(' ')
            && let (Ok(seq), Ok(leaf)) = (seq.parse(), Hash::from_str(leaf))
        {
            told.push((seq, leaf));
            if told.len() == lines {
                // SIGKILL: the writer goes on until it arrives, and then does nothing more.
                writer.kill().expect("it runs");
            }
        }
    }
    writer.wait().expect("it has ended");
    told
}

#[test]
#[ignore = "runs inside the test above, to be killed"]
fn inside_the_writer() {
    let directory = setting(SETTING).expect("the test above says where");
    let store = SqliteStore::open(&directory, small(), || T + 5_000).expect("opens");
    let mut desk = Desk::new(campaign_id(1));
    let mut reader = store.reader().expect("a reader");
    let known = reader.head(campaign_id(1)).expect("reads");
    // The first writer goes live before it tells of its first event, and so before it is killed.
    if known.is_none() {
        desk.go_live(&store, 1_000_000, 3);
    }
    let mut number = known.map_or(0, |head| head.seq - 8);
    let mut out = std::io::stdout();
    loop {
        let lot = number % 37 + 1;
        let mut events: Vec<_> =
            (number..number + lot).map(|n| sale(campaign_id(1), n % 3, n, 100)).collect();
        let refunded = reversal(campaign_id(1), number % 3, (1 << 50) + number, (9 + number, 1));
        events.push(refunded);
        let outcomes = store.take_in_and_wait(events).expect("room").expect("a commit");
        for outcome in &outcomes {
            if let Outcome::Appended(appended) = outcome {
                writeln!(out, "{} {}", appended.seq, appended.leaf).expect("the test reads");
            }
        }
        number += lot;
        if number.is_multiple_of(5) {
            desk.follow(&mut *reader);
            let mut draft = Draft::on(desk.campaign(), T + 5_000);
            if draft.rollup(None) == Ok(true) {
                assert!(matches!(desk.submit(&store, draft), Submitted::Appended { .. }));
            }
        }
    }
}

#[test]
fn a_store_that_was_never_closed_opens_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let told = run_and_kill(directory.path(), 10);
    assert!(told.len() >= 10);
    drop(open(directory.path()));
    audit(directory.path());
}
