//! What happens beside requests: caches are refreshed, near misses, uses of keys and rows of the access log
//! about reports are written, old clicks leave.
//!
//! One thread, so that a slow disk never holds up a request. What is noted here is bounded and may
//! be lost: it explains and does not pay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sponsorhub_app::keyring_file;
use sponsorhub_core::ids::ApiKeyId;
use sponsorhub_store::Change;
use sponsorhub_store::registry::{Access, ApiChange, NearMiss};

use crate::shared::Shared;

/// How often caches are refreshed: a revocation must work within two seconds.
const BEAT: Duration = Duration::from_millis(250);

/// Beats from one writing of uses to the next.
const BEATS_TO_USES: u64 = 240;

/// Beats from one look at the keyring file to the next.
const BEATS_TO_KEYRING: u64 = 4;

/// Near misses that wait to be written; more are counted and dropped.
const NEAR_MISSES_WAITING_MAX: usize = 10_000;

/// Rows of the access log about reports that wait to be written; more are counted and dropped.
const REPORTS_WAITING_MAX: usize = 10_000;

/// How long clicks are kept beyond the longest attribution window, days.
const CLICK_DAYS_BEYOND: u32 = 14;

/// Longest attribution window that terms may have, days.
const ATTRIBUTION_DAYS_MAX: u32 = 366;

/// Reports that have one row of the access log in common: by which key, from which network, to which
/// address, with which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reported {
    pub(crate) key: ApiKeyId,
    pub(crate) network: [u8; 8],
    pub(crate) path: &'static str,
    pub(crate) status: u16,
}

/// The role in which API keys report.
const REPORTER: &str = "reporter";

/// Kinds of requests that were one too many, of which each is written once a minute; of more kinds each is
/// written.
const EXCESS_MAX: usize = 10_000;

/// What requests left to be written.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    near_misses: Mutex<Vec<NearMiss>>,
    uses: Mutex<HashMap<ApiKeyId, i64>>,
    /// What was one too many and is written already, without time and count; and the last one since then, and
    /// how many.
    excess: Mutex<HashMap<Access, (i64, u32)>>,
    /// The first of each kind since the last writing, and how many.
    reports: Mutex<HashMap<Reported, (i64, u32)>>,
}

impl Noted {
    /// Notes a refusal; false where it was dropped.
    pub(crate) fn near_miss(&self, miss: NearMiss) -> bool {
        let mut waiting = self.near_misses.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= NEAR_MISSES_WAITING_MAX {
            return false;
        }
        waiting.push(miss);
        true
    }

    /// Notes a request that reports; false where it was dropped.
    pub(crate) fn report(&self, report: Reported, at: i64) -> bool {
        let mut waiting = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= REPORTS_WAITING_MAX && !waiting.contains_key(&report) {
            return false;
        }
        let (_, count) = waiting.entry(report).or_insert((at, 0));
        *count = count.saturating_add(1);
        true
    }

    /// Notes a request that was one too many; whether it is to be written by itself, as the first of its kind.
    /// Whoever asks too often is not to fill the log with it.
    pub(crate) fn excess(&self, access: &Access) -> bool {
        let mut waiting = self.excess.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = Access { at: 0, count: 0, ..access.clone() };
        let is_full = waiting.len() >= EXCESS_MAX;
        match waiting.get_mut(&kind) {
            Some((at, count)) => {
                (*at, *count) = (access.at, count.saturating_add(1));
                return false;
            }
            None if is_full => {}
            None => drop(waiting.insert(kind, (access.at, 0))),
        }
        true
    }

    /// When a key was used since uses were written last.
    pub(crate) fn last_use(&self, key: ApiKeyId) -> Option<i64> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// The rows of the access log that wait, in the order of their times.
    fn accesses(&self) -> Vec<Access> {
        let mut waiting = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(Reported { key, network, path, status }, (at, count))| Access {
            at,
            subject: ApiKeyId::to_string(&key),
            role: REPORTER.to_owned(),
            session: None,
            method: "POST".to_owned(),
            path: str::to_owned(path),
            status,
            count,
            network,
        };
        let mut rows: Vec<_> = waiting.drain().map(row).collect();
        let mut excess = self.excess.lock().unwrap_or_else(PoisonError::into_inner);
        let repeated = excess.drain().filter(|(_, (_, count))| *count > 0);
        rows.extend(repeated.map(|(kind, (at, count))| Access { at, count, ..kind }));
        rows.sort_by_key(|row| (row.at, row.subject.clone(), row.status));
        rows
    }

    /// Notes that a key was used.
    pub(crate) fn key_use(&self, key: ApiKeyId, at: i64) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let last = uses.entry(key).or_insert(at);
        *last = at.max(*last);
    }
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Tells `is_ready` whether the store can be read.
    pub(crate) fn start(
        shared: Shared,
        directory: std::path::PathBuf,
        is_ready: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let mut beat = 0;
            loop {
                let is_well = shared.beat(beat, &directory);
                is_ready.store(is_well, Ordering::Relaxed);
                beat += 1;
                let (flag, bell) = &*stopped;
                let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = bell.wait_timeout_while(flag, BEAT, |stop| !*stop);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    // What was noted until the end is written too.
                    shared.write_noted(true);
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("background".into()).spawn(work)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let (flag, bell) = &*self.stop;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn beat(&self, beat: u64, directory: &std::path::Path) -> bool {
        if beat.is_multiple_of(BEATS_TO_KEYRING) {
            self.follow_keyring(directory);
        }
        self.write_noted(beat % BEATS_TO_USES == BEATS_TO_USES - 1);
        if beat.is_multiple_of(BEATS_TO_USES) {
            self.clicks.tick(self.clock.now(), self.click_days());
        }
        self.figures.follow_clicks(&self.clicks.stats());
        match self.catalog.refresh() {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error = %error, "the caches could not be refreshed");
                false
            }
        }
    }

    /// How long clicks are kept, days. Where the windows cannot be read, as long as any may be.
    fn click_days(&self) -> u32 {
        let days = self.catalog.attribution_days_max().unwrap_or_else(|error| {
            tracing::error!(error = %error, "attribution windows cannot be read; clicks stay");
            ATTRIBUTION_DAYS_MAX
        });
        days + CLICK_DAYS_BEYOND
    }

    /// Takes over a keyring that was rotated or in which a key was revoked.
    fn follow_keyring(&self, directory: &std::path::Path) {
        match keyring_file::read(directory) {
            Ok(keyring) => {
                if self.catalog.keys().set.id() != keyring.id() {
                    tracing::error!("keyring.json was replaced by another keyring; it is not used");
                } else if self.catalog.is_changed_by(&keyring) {
                    self.catalog.replace_keys(&keyring);
                    self.redirects.forget_agents();
                    tracing::info!("keyring.json has changed and is followed");
                }
            }
            Err(error) => tracing::error!(error = %error, "keyring.json cannot be read"),
        }
    }

    fn write_noted(&self, with_uses: bool) {
        let misses = {
            let mut waiting = self.noted.near_misses.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        if !misses.is_empty() {
            self.note(Change::NoteNearMisses(misses));
        }
        if with_uses {
            for access in self.noted.accesses() {
                self.note(Change::Api(ApiChange::NoteAccess(access)));
            }
            let mut uses = self.noted.uses.lock().unwrap_or_else(PoisonError::into_inner);
            let uses: Vec<_> = uses.drain().collect();
            if !uses.is_empty() {
                self.note(Change::NoteKeyUses(uses));
            }
        }
    }

    fn note(&self, change: Change) {
        // Lossy by design: a full queue has better things to do.
        if self.store.record(change, Box::new(drop)).is_err() {
            self.figures.near_miss_dropped();
        }
    }
}
