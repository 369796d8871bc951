//! One commit of several jobs, driven step by step.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use rusqlite::Connection;
use sponsorhub_store::sqlite::Sequencer;
use sponsorhub_store::work::Appended;
use sponsorhub_store::{
    Intake, Options, Outcome, Reader as _, SqliteStore, StoreError, Submission, Submitted,
    open_read_only,
};
use tempfile::TempDir;

use crate::edit::edit;
use crate::small;
use crate::world::{Desk, T, campaign_id, sale, terms};

pub(crate) const NOW: i64 = T + 5_000;

/// Three live campaigns of three creators each, with 8 entries and some `sales`.
pub(crate) fn three_campaigns(sales: u64) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), small(), || NOW).expect("opens");
    for number in 1..=3 {
        Desk::new(campaign_id(number)).go_live(&store, 1_000_000, 3);
        let events = (0..sales).map(|n| sale(campaign_id(number), n % 3, n, 100)).collect();
        let outcomes = sponsorhub_store::Store::take_in_and_wait(&store, events);
        outcomes.expect("room").expect("a commit");
    }
    directory
}

pub(crate) fn open(directory: &Path) -> Sequencer {
    Sequencer::open(directory, small()).expect("opens")
}

pub(crate) type Answer<T> = Receiver<Result<T, StoreError>>;

pub(crate) fn take_in(sequencer: &Sequencer, events: Vec<Intake>) -> Answer<Vec<Outcome>> {
    let (sender, answer) = channel();
    let reply = Box::new(move |outcomes| sender.send(outcomes).expect("the test waits"));
    sequencer.take_in(events, reply).expect("room");
    answer
}

fn submit(sequencer: &Sequencer, submission: Submission) -> Answer<Submitted> {
    let (sender, answer) = channel();
    let reply = Box::new(move |submitted| sender.send(submitted).expect("the test waits"));
    sequencer.submit(submission, reply).expect("room");
    answer
}

fn appended(answer: &Answer<Vec<Outcome>>) -> Appended {
    match &answer.try_recv().expect("answered").expect("no fault")[..] {
        [Outcome::Appended(appended)] => appended.clone(),
        other => panic!("not appended: {other:?}"),
    }
}

pub(crate) fn is_corrupt<T: std::fmt::Debug>(answer: &Answer<T>, campaign: u64) -> bool {
    let answer = answer.try_recv().expect("answered");
    let name = campaign_id(campaign).to_string();
    matches!(answer, Err(StoreError::Corrupt(what)) if what.contains(&name))
}

/// Campaign 2 contradicts itself in each of these ways.
const CONTRADICTIONS: [&str; 9] = [
    "DELETE FROM campaign_heads WHERE campaign_no = 2",
    "UPDATE campaign_heads SET frontier = x'00' WHERE campaign_no = 2",
    "UPDATE campaign_heads SET seq = seq - 1 WHERE campaign_no = 2",
    "UPDATE campaign_heads SET counted_seq = seq + 1 WHERE campaign_no = 2",
    "DELETE FROM entries WHERE pos = (2 << 40) + 8",
    "INSERT INTO entries SELECT pos + 1, at_ms, kind, NULL, NULL, NULL, NULL, NULL, bytes FROM entries
        WHERE pos = (2 << 40) + 8",
    "INSERT INTO tiles VALUES (2 << 40, zeroblob(8192))",
    "UPDATE live_intervals SET no = 1 WHERE campaign_no = 2",
    "UPDATE balances SET enrollment_no = -2 WHERE campaign_no = 2 AND account = 'provider'",
];

#[test]
fn a_corrupt_ledger_fails_its_own_jobs_and_no_others() {
    for contradiction in CONTRADICTIONS {
        let directory = three_campaigns(0);
        edit(directory.path(), contradiction);
        let mut sequencer = open(directory.path());
        let event = |campaign, number| sale(campaign_id(campaign), 0, number, 100);
        let first = take_in(&sequencer, vec![event(1, 1)]);
        let mixed = take_in(&sequencer, vec![event(1, 2), event(2, 1), event(3, 2)]);
        let corrupt = take_in(&sequencer, vec![event(2, 2)]);
        let mut desk = Desk::new(campaign_id(2));
        let command = desk.opening(terms(5), NOW);
        let command = submit(&sequencer, desk.submission(&command));
        let last = take_in(&sequencer, vec![event(3, 3)]);
        let report = sequencer.step(NOW);
        assert_eq!(report.corrupt, [campaign_id(2)], "{contradiction}");
        assert!(report.failed.is_none() && report.entries == 2, "{contradiction}: {report:?}");
        assert!(is_corrupt(&mixed, 2) && is_corrupt(&corrupt, 2), "{contradiction}");
        assert!(is_corrupt(&command, 2), "{contradiction}");
        assert_eq!((appended(&first).seq, appended(&last).seq), (9, 9), "{contradiction}");
        // What went down with the corrupt one has left nothing behind, neither key nor number.
        let again = take_in(&sequencer, vec![event(1, 2)]);
        let corrupt = take_in(&sequencer, vec![event(2, 2)]);
        let report = sequencer.step(NOW);
        assert!(report.corrupt.is_empty(), "it was known: {report:?}");
        assert_eq!(appended(&again).seq, 10, "INV-6: {contradiction}");
        assert!(is_corrupt(&corrupt, 2), "{contradiction}");
    }
}

#[test]
fn a_ledger_found_corrupt_in_the_middle_of_a_commit_takes_nothing_of_it() {
    let directory = three_campaigns(300);
    // In a full tile, so that it is met only by who looks for what the key had.
    edit(directory.path(), "UPDATE entries SET bytes = x'00' WHERE pos = (2 << 40) + 20");
    let mut sequencer = open(directory.path());
    let event = |campaign, number| sale(campaign_id(campaign), number % 3, number, 100);
    let sound = take_in(&sequencer, vec![event(1, 1_000)]);
    let before = take_in(&sequencer, vec![event(2, 1_000)]);
    // Entry 20 has key 11: entries 1 to 8 are commands'.
    let mixed = take_in(&sequencer, vec![event(1, 1_001), event(2, 1_001), event(2, 11)]);
    let after = take_in(&sequencer, vec![event(3, 1_000)]);
    let report = sequencer.step(NOW);
    assert_eq!((report.entries, report.jobs), (2, 4));
    assert_eq!((appended(&sound).seq, appended(&after).seq), (309, 309));
    assert!(is_corrupt(&before, 2) && is_corrupt(&mixed, 2));
    let mut reader = open_read_only(directory.path()).expect("opens");
    let mut head = |number| reader.head(campaign_id(number)).expect("reads").expect("known").seq;
    assert_eq!([1, 2, 3].map(&mut head), [309, 308, 309], "INV-5");
    let again = take_in(&sequencer, vec![event(1, 1_001)]);
    sequencer.step(NOW);
    assert_eq!(appended(&again).seq, 310, "INV-6");
}

#[test]
fn a_ledger_that_was_changed_behind_the_writers_back_is_found_when_it_is_written_to() {
    let directory = three_campaigns(0);
    let mut sequencer = open(directory.path());
    let event = |campaign, number| sale(campaign_id(campaign), 0, number, 100);
    let all = |sequencer: &Sequencer, number| {
        [1, 2, 3].map(|campaign| take_in(sequencer, vec![event(campaign, number)]))
    };
    let answers = all(&sequencer, 1);
    sequencer.step(NOW);
    assert_eq!(answers.map(|answer| appended(&answer).seq), [9, 9, 9]);
    // An append that the triggers let pass, behind the head that the writer has in memory.
    let stray =
        "INSERT INTO entries SELECT pos + 1, at_ms, kind, NULL, NULL, NULL, NULL, NULL, bytes
        FROM entries WHERE pos = (2 << 40) + 9";
    let connection = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    connection.execute_batch(stray).expect("the triggers let an append pass");
    let [first, refused, last] = all(&sequencer, 2);
    let report = sequencer.step(NOW);
    assert_eq!((appended(&first).seq, appended(&last).seq), (10, 10));
    assert!(is_corrupt(&refused, 2));
    assert_eq!((report.corrupt, report.entries), (vec![campaign_id(2)], 2));
}

#[test]
fn what_the_tables_refuse_fails_its_own_job_and_no_others() {
    let directory = three_campaigns(0);
    let connection = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN new.amount_minor = 13
        BEGIN SELECT raise(ABORT, 'not this one'); END";
    connection.execute_batch(refuse).expect("a trigger");
    let mut sequencer = open(directory.path());
    let event = |campaign, number, amount| sale(campaign_id(campaign), 0, number, amount);
    let first = take_in(&sequencer, vec![event(1, 1, 100)]);
    let refused = take_in(&sequencer, vec![event(1, 2, 100), event(2, 2, 13)]);
    let [same, other] = [1, 3].map(|campaign| take_in(&sequencer, vec![event(campaign, 3, 100)]));
    let report = sequencer.step(NOW);
    assert_eq!((appended(&first).seq, appended(&same).seq, appended(&other).seq), (9, 10, 9));
    assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Corrupt(_)))));
    assert!(matches!(report.failed, Some(StoreError::Corrupt(_))), "{report:?}");
    assert!(report.corrupt.is_empty() && report.entries == 3, "no ledger is wrong: {report:?}");
    let again = take_in(&sequencer, vec![event(1, 2, 100), event(2, 2, 100)]);
    sequencer.step(NOW);
    let outcomes = again.try_recv().expect("answered").expect("no fault");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))), "INV-5");
}

#[test]
fn a_reply_that_panics_leaves_nobody_of_its_commit_unanswered() {
    let directory = three_campaigns(0);
    edit(directory.path(), "DELETE FROM campaign_heads WHERE campaign_no = 2");
    let mut sequencer = open(directory.path());
    let event = |campaign, number| sale(campaign_id(campaign), 0, number, 100);
    // Without the message that a panic prints: it is only in the way here.
    let panics = |_| std::panic::resume_unwind(Box::new("a reply gave up"));
    let mut answers = Vec::new();
    for number in 0..3 {
        answers.push(take_in(&sequencer, vec![event(1, number)]));
        sequencer.take_in(vec![event(3, number)], Box::new(panics)).expect("room");
        sequencer.take_in(vec![event(2, number)], Box::new(panics)).expect("room");
    }
    let mut desk = Desk::new(campaign_id(9));
    let draft = desk.opening(terms(5), NOW);
    let panics = |_| std::panic::resume_unwind(Box::new("a reply gave up"));
    sequencer.submit(desk.submission(&draft), Box::new(panics)).expect("room");
    answers.push(take_in(&sequencer, vec![event(1, 3)]));
    let report = sequencer.step(NOW);
    assert_eq!((report.jobs, report.entries), (11, 8));
    let seqs: Vec<_> = answers.iter().map(|answer| appended(answer).seq).collect();
    assert_eq!(seqs, [9, 10, 11, 12], "INV-5");
    let next = take_in(&sequencer, vec![event(3, 3)]);
    sequencer.step(NOW);
    assert_eq!(appended(&next).seq, 12, "what nobody was told of is in the ledger all the same");
}

#[test]
fn campaigns_opened_in_one_commit_get_numbers_of_their_own() {
    let directory = three_campaigns(0);
    let mut sequencer = open(directory.path());
    let answers = [7, 8, 9].map(|number| {
        let mut desk = Desk::new(campaign_id(number));
        let draft = desk.opening(terms(5), NOW);
        submit(&sequencer, desk.submission(&draft))
    });
    let report = sequencer.step(NOW);
    assert_eq!(report.jobs, 3);
    for answer in answers {
        let submitted = answer.try_recv().expect("answered").expect("no fault");
        assert!(matches!(submitted, Submitted::Appended { first: 1, .. }), "{submitted:?}");
    }
    let mut reader = open_read_only(directory.path()).expect("opens");
    let listed = reader.campaigns(0, 10).expect("reads");
    let listed: Vec<_> = listed.iter().map(|listed| (listed.no, listed.campaign)).collect();
    assert_eq!(
        listed,
        [(1, 1), (2, 2), (3, 3), (4, 7), (5, 8), (6, 9)]
            .map(|(no, number)| { (no, campaign_id(number)) })
    );
}

#[test]
fn ledgers_that_were_not_used_for_long_are_unloaded() {
    let directory = three_campaigns(0);
    let options = Options { ledgers_max: 2, ..small() };
    let mut sequencer = Sequencer::open(directory.path(), options).expect("opens");
    let event = |campaign, number| sale(campaign_id(campaign), 0, number, 100);
    let mut step = |campaign, number| {
        let answer = take_in(&sequencer, vec![event(campaign, number)]);
        let report = sequencer.step(NOW);
        assert!(report.ledgers <= 2, "{report:?}");
        (answer, report.ledgers)
    };
    for number in 0..9 {
        let (answer, _) = step(1 + number % 3, number);
        assert_eq!(appended(&answer).seq, 9 + number / 3, "INV-6: what was unloaded goes on");
    }
    // 3 was used last, 2 before it and 1 before both: 1 had to be read again to notice this.
    edit(directory.path(), "UPDATE campaign_heads SET frontier = x'00' WHERE campaign_no <> 2");
    let (answer, ledgers) = step(3, 100);
    assert_eq!((appended(&answer).seq, ledgers), (12, 1), "still loaded");
    let (answer, _) = step(1, 100);
    assert!(is_corrupt(&answer, 1), "it was unloaded");
}
