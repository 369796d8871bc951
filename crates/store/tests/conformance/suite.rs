//! The promises of the contract, one by one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::CompositeKey;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::merkle::{Frontier, TileId, leaf_hash, verify_consistency, verify_inclusion};
use sponsorhub_store::work::{Appended, Tree};
use sponsorhub_store::{Intake, Outcome, Store, StoreError, Submitted};

use crate::world::{
    DAY, Desk, T, campaign_id, enrollment_id, key, mixed, reversal, sale, with_click,
};
use crate::{Backend, Clock, Sizes};

/// A store with one live campaign of three creators, at a time when clicks are credited.
fn live<B: Backend>(backend: &B, sizes: Sizes) -> (B::Store, Desk, Clock) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, sizes);
    let mut desk = Desk::new(campaign_id(1));
    desk.go_live(&store, 1_000_000, 3);
    (store, desk, clock)
}

fn take_in(store: &impl Store, events: Vec<Intake>) -> Vec<Outcome> {
    store.take_in_and_wait(events).expect("room").expect("a commit")
}

fn take_one(store: &impl Store, event: Intake) -> Outcome {
    take_in(store, vec![event]).remove(0)
}

fn appended(outcome: &Outcome) -> Appended {
    match outcome {
        Outcome::Appended(appended) => appended.clone(),
        other => panic!("not appended: {other:?}"),
    }
}

fn head(store: &impl Store) -> u64 {
    let mut reader = store.reader().expect("a reader");
    reader.head(campaign_id(1)).expect("readable").map_or(0, |head| head.seq)
}

pub(crate) fn inv_6_entries_and_enrollments_count_without_gaps<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::SMALL);
    for lot in 0..50 {
        let first = lot * 9;
        take_in(&store, (first..first + 9).map(|n| sale(campaign_id(1), n % 3, n, 100)).collect());
    }
    let mut reader = store.reader().expect("a reader");
    let mut counted = [0; 3];
    for (index, bytes) in (1..).zip(reader.entries(campaign_id(1), 1, usize::MAX).expect("read")) {
        let entry = Entry::decode(&bytes).expect("canonical");
        assert_eq!(entry.seq, index, "INV-6");
        if let Some((id, n)) = entry.enrollment {
            let creator = (0..3).position(|number| enrollment_id(number) == id).expect("known");
            counted[creator] += 1;
            assert_eq!(n, counted[creator], "INV-6");
        }
    }
    assert_eq!(counted, [151; 3]);
}

pub(crate) fn inv_4_a_key_enters_once_however_old_it_is<B: Backend>(backend: &B) {
    let (mut store, _, clock) = live(backend, Sizes::SMALL);
    let mut seqs = Vec::new();
    // Beyond many slices of 16.
    for number in 0..600 {
        seqs.push(appended(&take_one(&store, sale(campaign_id(1), 0, number, 100))).seq);
    }
    for _ in 0..2 {
        let before = head(&store);
        for (number, seq) in (0_u64..).zip(&seqs) {
            let same = Outcome::Duplicate { seq: *seq, same_content: true };
            assert_eq!(take_one(&store, sale(campaign_id(1), 0, number, 100)), same);
            let other = Outcome::Duplicate { seq: *seq, same_content: false };
            assert_eq!(take_one(&store, sale(campaign_id(1), 0, number, 101)), other);
        }
        assert_eq!(head(&store), before, "INV-4");
        // Once more after a restart, when the filters were loaded.
        drop(store);
        store = backend.open(&clock, Sizes::SMALL);
    }
    // Within one commit too: the second finds the first, which is not written yet.
    let twice = vec![sale(campaign_id(1), 0, 900, 5), sale(campaign_id(1), 0, 900, 6)];
    let outcomes = take_in(&store, twice);
    let seq = appended(&outcomes[0]).seq;
    assert_eq!(outcomes[1], Outcome::Duplicate { seq, same_content: false });
}

pub(crate) fn inv_4_a_key_enters_once_when_two_threads_race<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::SMALL);
    let count = || {
        let outcomes = (0..300).map(|n| take_one(&store, sale(campaign_id(1), n % 3, n, 100)));
        outcomes.filter(|outcome| matches!(outcome, Outcome::Appended(_))).count()
    };
    let appended = std::thread::scope(|scope| {
        let racers = [scope.spawn(count), scope.spawn(count)];
        racers.map(|racer| racer.join().expect("no panic")).iter().sum::<usize>()
    });
    assert_eq!(appended, 300, "INV-4");
    assert_eq!(head(&store), 305 + 3);
}

pub(crate) fn inv_4_a_click_is_used_as_often_as_the_terms_say<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::REAL);
    let outcomes = [1, 2].map(|number| {
        let slots = vec![CompositeKey(mixed("slot", 0)), CompositeKey(mixed("slot", 1))];
        let event = sale(campaign_id(1), 0, number, 100);
        let event = event.with_click(slots, &crate::world::taken(number, 100), salt()).expect("ok");
        take_one(&store, event)
    });
    assert!(outcomes.iter().all(|outcome| !appended(outcome).is_used_up));
    let slots = vec![CompositeKey(mixed("slot", 1)), CompositeKey(mixed("slot", 0))];
    let third = sale(campaign_id(1), 0, 3, 100);
    let third = third.with_click(slots, &crate::world::taken(3, 100), salt()).expect("an event");
    let third = appended(&take_one(&store, third));
    assert!(third.is_used_up);
    let mut reader = store.reader().expect("a reader");
    let bytes = reader.entry(campaign_id(1), third.seq).expect("readable").expect("there");
    let entry = Entry::decode(&bytes).expect("canonical");
    assert_eq!(entry.body.kind(), Kind::ConversionRejected);
    // The rejected event has used its key, and no slot.
    let again = take_one(&store, sale(campaign_id(1), 0, 3, 100));
    assert_eq!(again, Outcome::Duplicate { seq: third.seq, same_content: true });
    let free = appended(&take_one(&store, with_click(sale(campaign_id(1), 0, 4, 5_000), 4)));
    assert!(!free.is_used_up);
}

fn salt() -> sponsorhub_core::ids::Salt {
    sponsorhub_core::ids::Salt([5; 16])
}

pub(crate) fn a_refused_event_uses_no_key_and_changes_nothing<B: Backend>(backend: &B) {
    let (store, mut desk, clock) = live(backend, Sizes::SMALL);
    let before = head(&store);
    clock.advance(38 * DAY);
    let late = take_one(&store, sale(campaign_id(1), 0, 1, 100));
    assert!(matches!(late, Outcome::Refused(_)), "outside the windows: {late:?}");
    let unknown = take_one(&store, sale(campaign_id(1), 77, 1, 100));
    assert_eq!(unknown, Outcome::UnknownEnrollment);
    assert_eq!(take_one(&store, sale(campaign_id(5), 0, 1, 100)), Outcome::UnknownCampaign);
    assert_eq!(head(&store), before, "INV-5");
    assert_eq!(
        store.reader().expect("opens").find_by_key(campaign_id(1), key(1)).expect("reads"),
        None
    );
    clock.advance(-38 * DAY);
    appended(&take_one(&store, sale(campaign_id(1), 0, 1, 100)));
    desk.follow(&mut *store.reader().expect("a reader"));
    assert_eq!(desk.campaign().head(), before + 1);
}

pub(crate) fn a_submission_that_was_overtaken_changes_nothing<B: Backend>(backend: &B) {
    let (store, mut desk, _) = live(backend, Sizes::SMALL);
    let before = head(&store);
    let draft = |desk: &Desk| {
        let mut draft = Draft::on(desk.campaign(), T + 6_000);
        draft.enroll(enrollment_id(9), Offer::default()).expect("live");
        draft.enroll(enrollment_id(10), Offer::default()).expect("live");
        draft
    };
    let overtaken = draft(&desk);
    // An event in between is enough: the entries of this draft name positions.
    take_one(&store, sale(campaign_id(1), 0, 1, 100));
    let submission = desk.submission(&overtaken);
    let answer = store.submit_and_wait(submission).expect("room").expect("an answer");
    assert_eq!(answer, Submitted::Conflict { head: before + 1 });
    assert_eq!(head(&store), before + 1);
    desk.follow(&mut *store.reader().expect("a reader"));
    let next = draft(&desk);
    let Submitted::Appended { first, last, .. } = desk.submit(&store, next) else {
        panic!("nothing came in between");
    };
    assert_eq!((first, last), (before + 2, before + 3));
    // A ledger cannot be opened twice, nor continued before it is opened.
    let opening = desk.opening(crate::world::terms(5), T + 6_000);
    let again = desk.submit(&store, opening);
    assert_eq!(again, Submitted::Conflict { head: before + 3 });
}

pub(crate) fn two_threads_never_both_pass_a_guard<B: Backend>(backend: &B) {
    let (store, desk, _) = live(backend, Sizes::SMALL);
    let state = desk.campaign().clone();
    let race = || {
        let mut desk = Desk::new(campaign_id(1));
        desk.state = Some(state.clone());
        let pause = desk.run(&store, T + 6_000, |draft| draft.pause(StateCause::Brand));
        matches!(pause, Ok(Submitted::Appended { .. }))
    };
    let paused = std::thread::scope(|scope| {
        [scope.spawn(race), scope.spawn(race)].map(|racer| racer.join().expect("no panic"))
    });
    assert!(paused[0] != paused[1], "one of two pauses is appended: {paused:?}");
}

/// How often a test looks for something to happen before it gives up.
const LOOKS: usize = 50_000_000;

fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if happened() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("it never happened: {what}");
}

/// Events that stream into campaign 1, as many as the store takes.
#[derive(Default)]
struct Stream {
    is_stopped: AtomicBool,
    sent: AtomicUsize,
    taken: Arc<AtomicUsize>,
}

impl Stream {
    /// Streams until it is stopped, and waits for no answer: the store may give none.
    fn run(&self, store: &impl Store) {
        let mut number = 0;
        while !self.is_stopped.load(Ordering::SeqCst) {
            if self.sent.load(Ordering::SeqCst) - self.taken.load(Ordering::SeqCst) >= 60 {
                std::thread::yield_now();
                continue;
            }
            let lot = (number..number + 20).map(|n| sale(campaign_id(1), n % 3, n, 100));
            let taken = Arc::clone(&self.taken);
            let reply = Box::new(move |outcomes: Result<Vec<Outcome>, StoreError>| {
                let count = outcomes.map_or(0, |outcomes| outcomes.len());
                taken.fetch_add(count, Ordering::SeqCst);
            });
            self.sent.fetch_add(20, Ordering::SeqCst);
            store.take_in(lot.collect(), reply).expect("room");
            number += 20;
        }
    }

    /// Waits until so many more events were taken in.
    fn flows_on(&self, events: usize) {
        let until = self.taken.load(Ordering::SeqCst) + events;
        wait_until("events are taken in", || self.taken.load(Ordering::SeqCst) >= until);
    }
}

/// Stops a stream when the test ends, also where it fails: its thread would keep it from ending.
struct Stop<'a>(&'a Stream);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn a_rollup_is_not_starved_by_intake<B: Backend>(backend: &B) {
    let (store, mut desk, _) = live(backend, Sizes::REAL);
    let stream = Stream::default();
    std::thread::scope(|scope| {
        scope.spawn(|| stream.run(&store));
        let _stop = Stop(&stream);
        let mut reader = store.reader().expect("a reader");
        let mut overtaken = 0;
        // Until some runs had events come in between, which a machine under load may make rare.
        for _ in 0..1_000 {
            stream.flows_on(1);
            desk.follow(&mut *reader);
            let mut draft = Draft::on(desk.campaign(), T + 5_000);
            assert!(draft.rollup(None).expect("no bug"), "there are new events");
            stream.flows_on(40);
            let base = draft.base();
            match desk.submit(&store, draft) {
                Submitted::Appended { first, .. } => overtaken += usize::from(first > base + 1),
                Submitted::Conflict { head } => panic!("run on {base} refused at {head}"),
            }
            if overtaken == 3 {
                return;
            }
        }
        panic!("of 1,000 runs {overtaken} had events come in between");
    });
    // The fold agrees with every run that was appended behind events it did not know.
    let mut fresh = Desk::new(campaign_id(1));
    fresh.follow(&mut *store.reader().expect("a reader"));
    assert_eq!(fresh.campaign().state(), State::Live);
}

pub(crate) fn a_command_is_not_starved_by_intake<B: Backend>(backend: &B) {
    let (store, mut desk, _) = live(backend, Sizes::REAL);
    let stream = Stream::default();
    std::thread::scope(|scope| {
        scope.spawn(|| stream.run(&store));
        let _stop = Stop(&stream);
        let mut reader = store.reader().expect("a reader");
        for round in 0..10 {
            stream.flows_on(100);
            let held_back = store.hold_back_intake(campaign_id(1));
            let mut conflicts = 0;
            loop {
                desk.follow(&mut *reader);
                let command = if round % 2 == 0 { "pause" } else { "resume" };
                let submitted = desk.run(&store, T + 5_000, |draft| match command {
                    "pause" => draft.pause(StateCause::Brand),
                    _ => draft.resume(),
                });
                match submitted.expect("allowed") {
                    Submitted::Appended { .. } => break,
                    Submitted::Conflict { .. } => conflicts += 1,
                }
                assert!(conflicts <= 1, "nothing comes in between while the intake is held back");
            }
            drop(held_back);
        }
        stream.flows_on(100);
    });
    drop(store);
    let [sent, taken] = [&stream.sent, &stream.taken].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(sent, taken, "INV-5: whoever waited was answered");
}

pub(crate) fn a_reply_that_panics_stops_nobody<B: Backend>(backend: &B) {
    let (store, mut desk, _) = live(backend, Sizes::REAL);
    let (send, answers) = mpsc::channel();
    for number in 0..30 {
        let send = send.clone();
        let reply = Box::new(move |outcomes: Result<_, _>| {
            if number % 3 == 1 {
                // Without the message that a panic prints: it is only in the way here.
                std::panic::resume_unwind(Box::new("a reply gave up"));
            }
            send.send(outcomes.map(|outcomes: Vec<_>| outcomes.len())).expect("the test waits");
        });
        store.take_in(vec![sale(campaign_id(1), 0, number, 100)], reply).expect("room");
    }
    drop(send);
    let answers: Vec<_> = answers.iter().collect();
    assert_eq!(answers.len(), 20, "INV-5");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(1))), "{answers:?}");
    desk.follow(&mut *store.reader().expect("a reader"));
    assert_eq!(desk.campaign().head(), 8 + 30);
    let pause = desk.run(&store, T + 6_000, |draft| draft.pause(StateCause::Brand));
    assert!(matches!(pause, Ok(Submitted::Appended { .. })), "the writer goes on");
}

pub(crate) fn inv_8_reversals_never_sum_above_the_conversion<B: Backend>(backend: &B) {
    let (mut store, _, clock) = live(backend, Sizes::SMALL);
    let conversion = appended(&take_one(&store, sale(campaign_id(1), 0, 1, 100))).seq;
    let ask = |number, creator, part| reversal(campaign_id(1), creator, number, part);
    appended(&take_one(&store, ask(2, 0, (conversion, 60))));
    assert!(matches!(take_one(&store, ask(3, 0, (conversion, 41))), Outcome::Refused(_)), "INV-8");
    assert!(matches!(take_one(&store, ask(4, 1, (conversion, 40))), Outcome::Refused(_)));
    assert!(matches!(take_one(&store, ask(5, 0, (conversion + 9, 1))), Outcome::Refused(_)));
    assert!(matches!(take_one(&store, ask(6, 0, (1, 1))), Outcome::Refused(_)));
    drop(store);
    store = backend.open(&clock, Sizes::SMALL);
    // In one commit: each sees the ones before it.
    let outcomes = take_in(
        &store,
        vec![ask(7, 0, (conversion, 30)), ask(8, 0, (conversion, 11)), ask(9, 0, (conversion, 10))],
    );
    appended(&outcomes[0]);
    assert!(matches!(outcomes[1], Outcome::Refused(_)), "INV-8");
    appended(&outcomes[2]);
    // And of a conversion of the same commit.
    let next = head(&store) + 1;
    let outcomes = take_in(&store, vec![sale(campaign_id(1), 2, 20, 7), ask(21, 2, (next, 7))]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))));
}

pub(crate) fn inv_7_what_is_read_is_what_was_hashed<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::REAL);
    // Enough for the hashing thread, and not a multiple of anything.
    let outcomes =
        take_in(&store, (0..1_111).map(|n| sale(campaign_id(1), n % 3, n, 100)).collect());
    let mut reader = store.reader().expect("a reader");
    for outcome in &outcomes {
        let Appended { seq, leaf, n, at, .. } = appended(outcome);
        let bytes = reader.entry(campaign_id(1), seq).expect("readable").expect("there");
        assert_eq!(leaf_hash(&bytes), leaf, "INV-7");
        let entry = Entry::decode(&bytes).expect("canonical");
        assert_eq!((entry.seq, entry.at), (seq, at));
        assert_eq!(entry.enrollment.map(|(_, n)| n), Some(n));
    }
}

pub(crate) fn inv_14_proofs_lead_to_the_roots_that_were_told<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::REAL);
    let mut told = Vec::new();
    for lot in [1, 254, 255, 256, 257, 700] {
        let first = told.iter().map(|(_, count)| count).sum::<u64>();
        let events = (first..first + lot).map(|n| sale(campaign_id(1), n % 3, n, 100));
        let outcomes = take_in(&store, events.collect());
        for outcome in &outcomes {
            let Appended { seq, leaf, tree, .. } = appended(outcome);
            let proof = tree.inclusion_proof(seq - 1).expect("of this commit");
            let verified = verify_inclusion(leaf, seq - 1, tree.size(), &proof, tree.root());
            assert_eq!(verified, Ok(()), "INV-14: a commit proves what it added by itself");
        }
        told.push((Tree::of(&appended(&outcomes[0]).tree), lot));
    }
    let mut reader = store.reader().expect("a reader");
    let leaves: Vec<_> = reader.entries(campaign_id(1), 1, usize::MAX).expect("readable");
    let leaves: Vec<_> = leaves.iter().map(|bytes| leaf_hash(bytes)).collect();
    for (tree, _) in &told {
        let size = usize::try_from(tree.size).expect("small");
        let mut frontier = Frontier::new();
        leaves[..size].iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(frontier.root(), tree.root, "INV-14");
        assert_eq!(reader.root(campaign_id(1), tree.size).expect("readable"), tree.root);
        for seq in [1, 2, tree.size / 2, tree.size - 1, tree.size] {
            let proof = reader.inclusion_proof(campaign_id(1), seq, tree.size).expect("proof");
            let leaf = leaves[usize::try_from(seq).expect("small") - 1];
            let verified = verify_inclusion(leaf, seq - 1, tree.size, &proof, tree.root);
            assert_eq!(verified, Ok(()), "INV-14: {seq} in {}", tree.size);
        }
    }
    for ((old, _), (new, _)) in told.iter().zip(&told[1..]) {
        let proof = reader.consistency_proof(campaign_id(1), old.size, new.size).expect("proof");
        let verified = verify_consistency(old.size, old.root, new.size, new.root, &proof);
        assert_eq!(verified, Ok(()), "INV-14");
    }
    let full = reader.tile(campaign_id(1), TileId { level: 0, index: 0 }).expect("readable");
    assert_eq!(full.expect("256 entries are there")[..32], leaves[0].0);
    let beyond = reader.inclusion_proof(campaign_id(1), 1, 1 << 39);
    assert!(matches!(beyond, Err(StoreError::UnknownEntry { .. })));
    assert!(reader.inclusion_proof(campaign_id(1), 0, 5).is_err());
    assert!(reader.inclusion_proof(campaign_id(1), 6, 5).is_err());
}

pub(crate) fn pages_meet_without_gap_or_overlap<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::REAL);
    take_in(&store, (0..95).map(|n| sale(campaign_id(1), n % 3, n, 100)).collect());
    for number in 2..9 {
        Desk::new(campaign_id(number)).go_live(&store, 1_000, 1);
    }
    let mut reader = store.reader().expect("a reader");
    let all = reader.entries(campaign_id(1), 1, usize::MAX).expect("readable");
    let head = u64::try_from(all.len()).expect("small");
    for limit in [1, 2, 7, 99, 1_000] {
        let mut paged = Vec::new();
        loop {
            let from = u64::try_from(paged.len()).expect("small") + 1;
            let page = reader.entries(campaign_id(1), from, limit).expect("readable");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all, "pages of {limit} stay within their campaign");
    }
    assert_eq!(reader.entries(campaign_id(1), head + 1, 5).expect("readable").len(), 0);
    assert_eq!(reader.entries(campaign_id(1), u64::MAX, 5).expect("readable").len(), 0);
    assert_eq!(reader.entries(campaign_id(1), 1, 0).expect("readable").len(), 0);
    let mut campaigns = Vec::new();
    let mut after = 0;
    while let Some(last) = {
        let page = reader.campaigns(after, 3).expect("readable");
        campaigns.extend(page.iter().map(|listed| listed.campaign));
        page.last().map(|listed| listed.no)
    } {
        after = last;
    }
    assert_eq!(campaigns, (1..9).map(campaign_id).collect::<Vec<_>>());
}

pub(crate) fn what_is_unknown_is_said_to_be_unknown<B: Backend>(backend: &B) {
    let (store, _, _) = live(backend, Sizes::REAL);
    let mut reader = store.reader().expect("a reader");
    let unknown = campaign_id(404);
    assert_eq!(reader.head(unknown).expect("readable"), None);
    assert_eq!(reader.projections(unknown).expect("readable"), None);
    let said = |error: Option<StoreError>| matches!(error, Some(StoreError::UnknownCampaign(id)) if id == unknown);
    assert!(said(reader.entries(unknown, 1, 1).err()));
    assert!(said(reader.balances(unknown).err()));
    assert!(said(reader.find_by_key(unknown, key(1)).err()));
    assert!(said(reader.root(unknown, 0).err()));
    assert_eq!(reader.entry(campaign_id(1), 1 << 39).expect("readable"), None);
    let tile = reader.tile(campaign_id(1), TileId { level: 0, index: 0 });
    assert_eq!(tile.expect("readable"), None);
}

pub(crate) fn a_full_queue_takes_nothing_and_calls_nobody<B: Backend>(backend: &B) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, Sizes { queue_bytes_max: 2_000, ..Sizes::SMALL });
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    // The writer answers on its own thread: while it is kept there, what is handed in waits.
    let (let_go, held) = mpsc::channel::<()>();
    let (stuck, is_stuck) = mpsc::channel();
    let reply = Box::new(move |_| {
        stuck.send(()).expect("the test waits");
        held.recv().unwrap_or_default();
    });
    store.take_in(vec![sale(campaign_id(1), 0, 0, 100)], reply).expect("room");
    is_stuck.recv().expect("the writer answers");
    let called = Arc::new(AtomicUsize::new(0));
    let mut taken = 0;
    for number in 1..100 {
        let called = Arc::clone(&called);
        let reply = Box::new(move |_| {
            called.fetch_add(1, Ordering::SeqCst);
        });
        match store.take_in(vec![sale(campaign_id(1), 0, number, 100)], reply) {
            Ok(()) => taken += 1,
            Err(full) => assert!(full.to_string().contains("full")),
        }
    }
    assert!((1..10).contains(&taken), "{taken} events fit into 2,000 bytes");
    let_go.send(()).expect("the writer waits");
    drop(store);
    assert_eq!(called.load(Ordering::SeqCst), taken, "INV-5: each that was taken is answered");
    let store = backend.open(&clock, Sizes::SMALL);
    assert_eq!(head(&store), u64::try_from(8 + 1 + taken).expect("small"));
}

pub(crate) fn time_never_goes_back_in_a_ledger<B: Backend>(backend: &B) {
    let (store, mut desk, clock) = live(backend, Sizes::SMALL);
    let first = appended(&take_one(&store, sale(campaign_id(1), 0, 1, 100)));
    clock.advance(-2_000);
    let second = appended(&take_one(&store, sale(campaign_id(1), 0, 2, 100)));
    assert_eq!((first.at, second.at), (T + 5_000, T + 5_000));
    desk.follow(&mut *store.reader().expect("a reader"));
    let pause = desk.run(&store, T + 1, |draft| draft.pause(StateCause::Brand)).expect("live");
    assert!(matches!(pause, Submitted::Appended { at, .. } if at == T + 5_000));
}

pub(crate) fn a_closed_store_finishes_what_waits<B: Backend>(backend: &B) {
    let (store, _, clock) = live(backend, Sizes::REAL);
    let (send, answers) = mpsc::channel();
    for number in 0..50 {
        let send = send.clone();
        let reply = Box::new(move |answer| drop(send.send(answer)));
        store.take_in(vec![sale(campaign_id(1), 0, number, 100)], reply).expect("room");
    }
    drop((store, send));
    let answers: Vec<_> = answers.iter().collect();
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(Result::is_ok));
    let store = backend.open(&clock, Sizes::REAL);
    assert_eq!(head(&store), 8 + 50, "INV-5");
}
