//! When to try again what failed: pauses that double, kept in memory only.

use std::collections::HashMap;
use std::hash::Hash;

/// The first pause, milliseconds.
const FIRST_MS: i64 = 1_000;

/// The longest pause, milliseconds.
const LONGEST_MS: i64 = 3_600_000;

/// Longer than any pause, milliseconds.
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: i64,
    failures: u32,
}

/// Pauses by thing.
#[derive(Debug)]
pub(super) struct Pauses<K>(HashMap<K, Pause>);

impl<K> Default for Pauses<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Pauses<K> {
    /// Whether a thing may be tried at `now`. A pause that would last for more than a day was begun by a
    /// clock that has been set back since.
    pub(super) fn is_due(&self, thing: &K, now: i64) -> bool {
        self.0.get(thing).is_none_or(|pause| now >= pause.until || pause.until - now > DAY_MS)
    }

    /// It failed at `now`: wait twice as long as the last time.
    pub(super) fn after_failure(&mut self, thing: K, now: i64) {
        let pause = self.0.entry(thing).or_insert(Pause { until: now, failures: 0 });
        let wait = FIRST_MS.saturating_mul(1 << pause.failures.min(20)).min(LONGEST_MS);
        pause.until = now.saturating_add(wait);
        pause.failures = pause.failures.saturating_add(1);
    }

    /// It is not to be tried before `until`, though it did not fail.
    pub(super) fn at(&mut self, thing: K, until: i64) {
        self.0.insert(thing, Pause { until, failures: 0 });
    }

    /// Everything may be tried.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// It succeeded.
    pub(super) fn forget(&mut self, thing: &K) {
        self.0.remove(thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_end_with_success() {
        let mut pauses = Pauses::default();
        assert!(pauses.is_due(&1, 0));
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..14 {
            pauses.after_failure(1, now);
            let wait = (1..).step_by(500).find(|wait| pauses.is_due(&1, now + wait - 1));
            waits.push(wait.expect("ends") - 1);
            now += wait.expect("ends");
        }
        assert_eq!(waits[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[12..], [3_600_000, 3_600_000]);
        pauses.forget(&1);
        assert!(pauses.is_due(&1, now));
    }
}
