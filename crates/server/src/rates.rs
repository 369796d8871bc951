//! How often the API may be asked.
//!
//! Everybody who is known has a budget of their own, so that one script does not take the place of all
//! others. Requests that nobody is known by share one for each network: who asks without a token takes
//! nothing from those beside them who have one. Reports of conversions are never limited:
//! a sale has bursts, and what waits for the writer waits in a queue.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::HashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};

use crate::addresses::network;

/// Requests a minute where nothing is said.
pub(crate) const PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).expect("not zero");

/// As many times as much may be asked from a network by who is not known.
const CALLERS_OF_NETWORK: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// After so many requests those are forgotten whose budget is whole again.
const FORGETS_EVERY: u32 = 10_000;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// What is left to somebody after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Requests a minute, and at once after a pause.
    pub(crate) limit: u32,
    /// Requests that are left.
    pub(crate) remaining: u32,
    /// Until it is whole again, seconds, rounded up.
    pub(crate) reset_s: u64,
    /// How long to wait, seconds, rounded up; of a request that was one too many.
    pub(crate) wait_s: Option<u64>,
}

/// The budgets.
#[derive(Debug)]
pub(crate) struct Rates {
    limit: NonZeroU32,
    callers: Limiter<String>,
    networks: Limiter<IpAddr>,
    asked: AtomicU32,
}

fn limiter<K: Clone + Eq + std::hash::Hash>(limit: NonZeroU32) -> Limiter<K> {
    RateLimiter::hashmap(Quota::per_minute(limit)).with_middleware()
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Rates {
    /// Everybody may ask `limit` times a minute.
    pub(crate) fn new(limit: NonZeroU32) -> Self {
        let of_network = limit.saturating_mul(CALLERS_OF_NETWORK);
        Self {
            limit,
            callers: limiter(limit),
            networks: limiter(of_network),
            asked: AtomicU32::new(0),
        }
    }

    /// A request from an address by who is not known. None: it is answered as it is.
    pub(crate) fn of_stranger(&self, address: IpAddr) -> Option<Budget> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGETS_EVERY == FORGETS_EVERY - 1 {
            self.callers.retain_recent();
            self.networks.retain_recent();
        }
        let asked = self.networks.check_key(&network(address));
        let limit = self.limit.saturating_mul(CALLERS_OF_NETWORK);
        asked.err().map(|until| spent(limit, &until))
    }

    /// A request of somebody.
    pub(crate) fn of_caller(&self, subject: &str) -> Budget {
        match self.callers.check_key(&subject.to_owned()) {
            Ok(left) => self.left(&left),
            Err(until) => spent(self.limit, &until),
        }
    }

    fn left(&self, left: &StateSnapshot) -> Budget {
        let (limit, remaining) = (self.limit.get(), left.remaining_burst_capacity());
        let used = u64::from(limit.saturating_sub(remaining));
        let reset_s = (used * 60).div_ceil(u64::from(limit));
        Budget { limit, remaining, reset_s, wait_s: None }
    }
}

fn spent(
    limit: NonZeroU32,
    until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>,
) -> Budget {
    let wait_s = seconds(until.wait_time_from(DefaultClock::default().now())).max(1);
    Budget { limit: limit.get(), remaining: 0, reset_s: 60, wait_s: Some(wait_s) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_budget_of_their_own() {
        let rates = Rates::new(NonZeroU32::new(3).expect("not zero"));
        let left: Vec<_> = (0..3).map(|_| rates.of_caller("ann")).collect();
        let remaining: Vec<_> = left.iter().map(|budget| budget.remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        assert_eq!(left[2], Budget { limit: 3, remaining: 0, reset_s: 60, wait_s: None });
        let spent = rates.of_caller("ann").wait_s.expect("too many");
        assert!((15..=20).contains(&spent), "one comes back every twenty seconds: {spent}");
        assert_eq!(rates.of_caller("bob").remaining, 2);
    }

    #[test]
    fn strangers_of_a_network_share_ten_times_as_much() {
        let rates = Rates::new(NonZeroU32::new(2).expect("not zero"));
        let of = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for no in 0..20 {
            assert_eq!(rates.of_stranger(of(no)), None);
        }
        let spent = rates.of_stranger(of(99)).expect("too many");
        assert_eq!((spent.limit, spent.remaining, spent.wait_s.is_some()), (20, 0, true));
        assert_eq!(rates.of_stranger(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])), None);
    }
}
