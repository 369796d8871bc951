//! The contract of the store in executable form. Every test is generic over a [`Backend`]; a
//! further database joins with one constructor at the end of this file.

mod model;

mod outside;

mod random;

mod registry;

mod registry_model;

mod suite;

mod webhooks;

#[path = "../world/mod.rs"]
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sponsorhub_store::{Options, SqliteStore, Store};
use tempfile::TempDir;

/// The time that a store under test is told; tests own the clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn at(now: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now)))
    }

    pub(crate) fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

/// Sizes that tests make small, so that their edges are met after few entries.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "each is the most of something")]
pub(crate) struct Sizes {
    pub(crate) slice_keys_max: usize,
    pub(crate) queue_bytes_max: usize,
    pub(crate) ledgers_max: usize,
}

impl Sizes {
    /// As shipped.
    pub(crate) const REAL: Self =
        Self { slice_keys_max: 1 << 20, queue_bytes_max: 64 << 20, ledgers_max: 99 };

    /// Slices of 16 keys, two ledgers in memory.
    pub(crate) const SMALL: Self =
        Self { slice_keys_max: 16, queue_bytes_max: 64 << 20, ledgers_max: 2 };
}

/// A place where a store can be opened, closed and opened again.
pub(crate) trait Backend {
    /// What is opened.
    type Store: Store;

    /// Opens the store of this place.
    fn open(&self, clock: &Clock, sizes: Sizes) -> Self::Store;
}

/// SQLite in a directory of its own.
struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }
}

pub(crate) fn open_sqlite(directory: &Path, clock: &Clock, sizes: Sizes) -> SqliteStore {
    let options = Options {
        slice_keys_max: sizes.slice_keys_max,
        queue_bytes_max: sizes.queue_bytes_max,
        ledgers_max: sizes.ledgers_max,
        ..Options::default()
    };
    let clock = clock.clone();
    SqliteStore::open(directory, options, move || clock.now()).expect("opens")
}

impl Backend for Sqlite {
    type Store = SqliteStore;

    fn open(&self, clock: &Clock, sizes: Sizes) -> SqliteStore {
        open_sqlite(self.directory.path(), clock, sizes)
    }
}

macro_rules! conformance {
    ($backend:ident, $new:expr, [$($module:ident :: $test:ident,)*]) => {
        mod $backend {
            $(#[test]
            fn $test() {
                super::$module::$test(&$new);
            })*
        }
    };
}

conformance!(
    sqlite,
    super::Sqlite::new(),
    [
        random::random_operations_agree_with_the_model_step_by_step,
        suite::inv_6_entries_and_enrollments_count_without_gaps,
        suite::inv_4_a_key_enters_once_however_old_it_is,
        suite::inv_4_a_key_enters_once_when_two_threads_race,
        suite::inv_4_a_click_is_used_as_often_as_the_terms_say,
        suite::a_refused_event_uses_no_key_and_changes_nothing,
        suite::a_submission_that_was_overtaken_changes_nothing,
        suite::two_threads_never_both_pass_a_guard,
        suite::a_rollup_is_not_starved_by_intake,
        suite::a_command_is_not_starved_by_intake,
        suite::a_reply_that_panics_stops_nobody,
        suite::inv_8_reversals_never_sum_above_the_conversion,
        suite::inv_7_what_is_read_is_what_was_hashed,
        suite::inv_14_proofs_lead_to_the_roots_that_were_told,
        suite::pages_meet_without_gap_or_overlap,
        suite::what_is_unknown_is_said_to_be_unknown,
        suite::a_full_queue_takes_nothing_and_calls_nobody,
        suite::time_never_goes_back_in_a_ledger,
        suite::a_closed_store_finishes_what_waits,
        registry::random_changes_agree_with_the_model_step_by_step,
        registry::a_change_may_speak_of_what_waits_for_the_same_commit,
        registry::two_threads_never_get_one_link_number_or_one_name,
        registry::near_misses_are_the_newest_of_each_brand,
        registry::inv_4_a_campaign_key_is_never_replaced,
    ]
);
