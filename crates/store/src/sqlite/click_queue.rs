//! The clicks that wait for their writer.
//!
//! A click is pushed tens of thousands of times a second by few threads, so a push is a push: each
//! thread has a shard of its own, and the writer is woken for the first click after it fell
//! asleep and not for the others, which it finds when it has waited for a group.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sponsorhub_core::time::DAY_MS;

use crate::clicks::{Click, ClickStats};
use crate::error::StoreError;

/// More threads than this share shards.
const SHARDS: usize = 4;

/// The first moment behind the year 9999: later ones have no date that a table could be named by.
const TIMES_END: i64 = 2_932_897 * DAY_MS;

/// Keeps the locks of two shards out of one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Click>>);

/// What the writer is asked for beside clicks.
#[derive(Debug, Default)]
struct Bell {
    has_rung: bool,
    tick: Option<(i64, u32)>,
}

/// The queue in front of a click writer.
#[derive(Debug)]
pub(super) struct ClickQueue {
    shards: [Shard; SHARDS],
    shard_clicks_max: usize,
    /// The writer sleeps, or is about to.
    is_idle: AtomicBool,
    is_closed: AtomicBool,
    bell: Mutex<Bell>,
    ringing: Condvar,
    dropped_when_full: AtomicU64,
    written: Mutex<ClickStats>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in it is whole whatever happened to another thread that held it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard of this thread: threads take turns when they first come.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.get().unwrap_or_else(|| {
        let own = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        OWN.set(Some(own));
        own
    })
}

impl ClickQueue {
    pub(super) fn new(shard_clicks_max: usize) -> Self {
        Self {
            shards: Default::default(),
            shard_clicks_max,
            is_idle: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            bell: Mutex::default(),
            ringing: Condvar::new(),
            dropped_when_full: AtomicU64::new(0),
            written: Mutex::default(),
        }
    }

    /// Takes a click, or counts that it was dropped.
    pub(super) fn push(&self, click: Click) -> bool {
        let mut waiting = locked(&self.shards[own_shard()].0);
        let is_closed = self.is_closed.load(Ordering::SeqCst);
        if is_closed
            || waiting.len() >= self.shard_clicks_max
            || !(0..TIMES_END).contains(&click.at)
        {
            drop(waiting);
            self.dropped_when_full.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let is_first = waiting.is_empty();
        waiting.push(click);
        drop(waiting);
        // Not seen as idle: then the writer looks into this shard after we let go of it.
        if is_first && self.is_idle.load(Ordering::SeqCst) {
            self.ring(|_| ());
        }
        true
    }

    fn ring(&self, set: impl FnOnce(&mut Bell)) {
        let mut bell = locked(&self.bell);
        bell.has_rung = true;
        set(&mut bell);
        drop(bell);
        self.ringing.notify_one();
    }

    /// Asks for old days to be dropped. The newest wish counts.
    pub(super) fn ask_for_tick(&self, now: i64, keep_days: u32) {
        self.ring(|bell| bell.tick = Some((now, keep_days)));
    }

    pub(super) fn take_tick(&self) -> Option<(i64, u32)> {
        locked(&self.bell).tick.take()
    }

    /// Moves everything that waits behind `group`.
    pub(super) fn drain(&self, group: &mut Vec<Click>) {
        for shard in &self.shards {
            group.append(&mut locked(&shard.0));
        }
    }

    fn waiting(&self) -> usize {
        self.shards.iter().map(|shard| locked(&shard.0).len()).sum()
    }

    /// Sleeps until there is something to do. False when the queue is closed and empty.
    pub(super) fn wait(&self) -> bool {
        // Before the look into the shards: a click that the look misses comes after it, and
        // whoever pushes that sees an idle writer and rings.
        self.is_idle.store(true, Ordering::SeqCst);
        let is_closed = self.is_closed.load(Ordering::SeqCst);
        let mut has_more = self.waiting() > 0;
        let mut bell = locked(&self.bell);
        while !has_more && !is_closed && !bell.has_rung {
            bell = self.ringing.wait(bell).unwrap_or_else(PoisonError::into_inner);
        }
        has_more |= bell.has_rung;
        bell.has_rung = false;
        drop(bell);
        self.is_idle.store(false, Ordering::SeqCst);
        has_more
    }

    /// Lets a group gather. Ends early when the queue is closed.
    pub(super) fn pause(&self, group_ms: u64) {
        let bell = locked(&self.bell);
        if !self.is_closed.load(Ordering::SeqCst) {
            // Whether it rang or not, the next thing is to look.
            drop(self.ringing.wait_timeout(bell, Duration::from_millis(group_ms)));
        }
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.ring(|_| ());
    }

    /// A group of so many was written.
    pub(super) fn count(&self, clicks: usize) {
        let mut written = locked(&self.written);
        written.recorded += count(clicks);
        written.commits += 1;
    }

    /// So many were lost, or none and something else failed.
    pub(super) fn count_lost(&self, clicks: usize, fault: StoreError) {
        let mut written = locked(&self.written);
        written.dropped_by_fault += count(clicks);
        written.last_fault = Some(fault);
    }

    pub(super) fn stats(&self) -> ClickStats {
        let mut stats = locked(&self.written).clone();
        stats.waiting = self.waiting();
        stats.dropped_when_full = self.dropped_when_full.load(Ordering::Relaxed);
        stats
    }
}

fn count(clicks: usize) -> u64 {
    u64::try_from(clicks).expect("64 bits are enough")
}
