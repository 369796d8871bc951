//! How many conversions came from a network lately: the memory behind one rule of risk.
//!
//! Counts of five minutes, kept for an hour, per campaign and keyed network. In memory only: after a
//! restart the rule begins anew, and no entry depends on more than what it recorded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sponsorhub_core::ids::CampaignId;

/// Length of a slot, milliseconds.
const SLOT_MS: i64 = 5 * 60 * 1_000;

/// Slots of an hour.
const SLOTS: usize = 12;

/// Networks that are remembered; the oldest half leaves when there are more.
const NETWORKS_MAX: usize = 100_000;

type Network = (CampaignId, [u8; 8]);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    slots: [u32; SLOTS],
    /// The newest slot, counted since 1970.
    newest: i64,
}

impl Counts {
    /// Forgets what is older than an hour.
    fn move_to(&mut self, slot: i64) {
        let passed = slot.saturating_sub(self.newest).max(0);
        for step in 0..passed.min(12) {
            self.slots[index(slot - step)] = 0;
        }
        self.newest = self.newest.max(slot);
    }
}

fn index(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(12)).expect("below twelve")
}

/// Conversions of one request that are on their way and not noted yet.
#[derive(Debug, Default)]
pub struct OnTheWay(HashMap<Network, u32>);

impl OnTheWay {
    /// Counts one.
    pub fn add(&mut self, campaign: CampaignId, network: [u8; 8]) {
        *self.0.entry((campaign, network)).or_default() += 1;
    }

    /// How many of this network there are.
    pub fn of(&self, campaign: CampaignId, network: [u8; 8]) -> u32 {
        self.0.get(&(campaign, network)).copied().unwrap_or(0)
    }

    /// They were noted, or came to nothing.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Counts per network.
#[derive(Debug, Default)]
pub struct Velocity(Mutex<HashMap<Network, Counts>>);

impl Velocity {
    /// How many came from this network within the last hour before `now`, milliseconds.
    pub fn last_hour(&self, campaign: CampaignId, network: [u8; 8], now: i64) -> u32 {
        let networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut counts) = networks.get(&(campaign, network)).copied() else { return 0 };
        drop(networks);
        counts.move_to(now.div_euclid(SLOT_MS));
        counts.slots.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Notes a conversion that was taken in at `now`, milliseconds.
    pub fn note(&self, campaign: CampaignId, network: [u8; 8], now: i64) {
        let slot = now.div_euclid(SLOT_MS);
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS_MAX {
            forget(&mut networks);
        }
        let counts = networks.entry((campaign, network)).or_default();
        counts.move_to(slot);
        let current = &mut counts.slots[index(slot)];
        *current = current.saturating_add(1);
    }
}

/// Lets the networks go that were quiet for longest.
fn forget(networks: &mut HashMap<Network, Counts>) {
    let mut newest: Vec<i64> = networks.values().map(|counts| counts.newest).collect();
    newest.sort_unstable();
    let limit = newest[newest.len() / 2];
    networks.retain(|_, counts| counts.newest > limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMPAIGN: CampaignId = CampaignId([1; 16]);

    #[test]
    fn conversions_of_the_last_hour_are_counted_by_network() {
        let velocity = Velocity::default();
        let count = |network, now| {
            let before = velocity.last_hour(CAMPAIGN, [network; 8], now);
            velocity.note(CAMPAIGN, [network; 8], now);
            before
        };
        assert_eq!([count(1, 0), count(1, 1), count(2, 2)], [0, 1, 0]);
        assert_eq!(count(1, 59 * 60_000), 2);
        assert_eq!(count(1, 64 * 60_000), 1, "the first two are an hour old");
        assert_eq!(count(1, 500 * 60_000), 0);
        assert_eq!(velocity.last_hour(CampaignId([2; 16]), [1; 8], 500 * 60_000), 0);
    }

    #[test]
    fn memory_is_bounded_and_the_quiet_leave_first() {
        let velocity = Velocity::default();
        for number in 0..NETWORKS_MAX + 5 {
            let number = u64::try_from(number).expect("small");
            let later = if number < 60_000 { 0 } else { SLOT_MS };
            velocity.note(CAMPAIGN, number.to_be_bytes(), later);
        }
        let len = velocity.0.lock().expect("nobody panicked").len();
        assert!(len <= NETWORKS_MAX, "{len}");
        assert_eq!(velocity.last_hour(CAMPAIGN, 99_999_u64.to_be_bytes(), SLOT_MS), 1, "recent");
    }
}
