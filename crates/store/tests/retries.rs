//! INV-4 at length: events whose deliveries are repeated hours later, at a rate that does not fall.
//!
//! The clock is the test's own: between a delivery and its repetition lie hours, and whole slices of
//! filters. What is printed is for people; that the rate stays flat is asserted in the long run only,
//! where it is measured over enough events.
#![expect(clippy::disallowed_methods, reason = "how long it took is printed")]
#![expect(clippy::float_arithmetic, reason = "rates are not money")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use sponsorhub_store::{Intake, Options, Outcome, SqliteStore, Store as _};
use world::{Desk, T, campaign_id, sale};

const LOT: u64 = 2_000;
const HOUR: i64 = 3_600_000;

/// How many lots later a lot is delivered again.
const LATER: u64 = 7;

fn lot(number: u64) -> Vec<Intake> {
    let events = number * LOT..(number + 1) * LOT;
    events.map(|event| sale(campaign_id(1), event % 50, event, 5_000)).collect()
}

/// Takes in so many events, each twice; returns the rates of the first and of the last tenth.
fn deliver(events: u64) -> (f64, f64) {
    let directory = tempfile::tempdir().expect("a directory");
    let now = Arc::new(AtomicI64::new(T + 5_000));
    let clock = Arc::clone(&now);
    let clock = move || clock.load(Ordering::SeqCst);
    let store = SqliteStore::open(directory.path(), Options::default(), clock).expect("opens");
    let mut desk = Desk::new(campaign_id(1));
    desk.go_live(&store, 1_000_000_000, 50);
    let before = desk.campaign().head();
    let lots = events / LOT;
    let mut rates = Vec::new();
    for number in 0..lots {
        let (fresh, again) = (lot(number), number.checked_sub(LATER).map(lot));
        let started = Instant::now();
        let outcomes = store.take_in_and_wait(fresh).expect("room").expect("a commit");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))));
        rates.push(f64::from(u32::try_from(LOT).expect("small")) / started.elapsed().as_secs_f64());
        // Hours pass, and what was delivered long ago comes once more.
        now.fetch_add(HOUR / 4, Ordering::SeqCst);
        for outcome in
            store.take_in_and_wait(again.unwrap_or_default()).expect("room").expect("read")
        {
            assert!(
                matches!(outcome, Outcome::Duplicate { same_content: true, .. }),
                "INV-4: {outcome:?}"
            );
        }
    }
    let head = store.reader().expect("reads").head(campaign_id(1)).expect("reads");
    assert_eq!(head.expect("there").seq, before + lots * LOT, "INV-4: none is there twice");
    let tenth = rates.len() / 10;
    let median = |rates: &[f64]| {
        let mut sorted = rates.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (first, last) = (median(&rates[..tenth]), median(&rates[rates.len() - tenth..]));
    eprintln!("{events} events, each twice: {first:.0}/s at first, {last:.0}/s at last");
    (first, last)
}

#[test]
fn inv_4_events_delivered_again_hours_later_enter_once() {
    deliver(100_000);
}

#[test]
#[ignore = "takes a minute; `cargo xtask prove` runs it"]
fn inv_4_a_million_events_delivered_again_hours_later_enter_once_at_a_flat_rate() {
    let (first, last) = deliver(1_000_000);
    assert!(last >= 0.7 * first, "{last:.0} after {first:.0} events a second");
}
