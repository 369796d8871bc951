//! When the payment provider's webhooks came; and when somebody spoke for another address.

use std::sync::atomic::{AtomicI64, Ordering};

use sponsorhub_store::registry::Endpoint;

/// Milliseconds of the newest of each kind; 0 for none.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    account: Newest,
    connect: Newest,
    identity: Newest,
    /// When an `X-Forwarded-For` came from a peer that is no trusted proxy.
    forwarded: AtomicI64,
}

#[derive(Debug, Default)]
struct Newest {
    believed: AtomicI64,
    refused: AtomicI64,
}

impl Newest {
    fn note(&self, is_believed: bool, now: i64) {
        let place = if is_believed { &self.believed } else { &self.refused };
        place.fetch_max(now, Ordering::Relaxed);
    }

    fn last(&self) -> (Option<i64>, Option<i64>) {
        let at = |place: &AtomicI64| Some(place.load(Ordering::Relaxed)).filter(|at| *at != 0);
        (at(&self.believed), at(&self.refused))
    }
}

impl Heard {
    fn of(&self, endpoint: Endpoint) -> &Newest {
        if endpoint == Endpoint::Connect { &self.connect } else { &self.account }
    }

    /// One came at this time, and its signature was believed or not.
    pub(crate) fn note(&self, endpoint: Endpoint, is_believed: bool, now: i64) {
        self.of(endpoint).note(is_believed, now);
    }

    /// One of the identity provider came, and its signature was believed or not.
    pub(crate) fn note_identity(&self, is_believed: bool, now: i64) {
        self.identity.note(is_believed, now);
    }

    /// When one of the identity provider was last believed, and when one was last refused.
    pub(crate) fn last_of_identity(&self) -> (Option<i64>, Option<i64>) {
        self.identity.last()
    }

    /// A peer that is not trusted named another address at this time.
    pub(crate) fn note_forwarded(&self, now: i64) {
        self.forwarded.fetch_max(now, Ordering::Relaxed);
    }

    /// When that was last so, since this server started.
    pub(crate) fn last_forwarded(&self) -> Option<i64> {
        Some(self.forwarded.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// When one was last believed, and when one was last refused.
    pub(crate) fn last(&self, endpoint: Endpoint) -> (Option<i64>, Option<i64>) {
        self.of(endpoint).last()
    }
}
