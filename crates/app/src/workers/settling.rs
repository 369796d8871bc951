//! Refunds that operators pay by other means: while two of them decide, the product does not send.

use sponsorhub_core::ids::{CampaignId, Seq};

use super::{ABSENT_MS, Workers};

/// One operator's word on a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Withheld {
    /// Since when it is not sent, milliseconds.
    since: i64,
    /// Until when.
    until: i64,
    /// When the provider last showed that it does not have it.
    missing_at: i64,
}

/// How often a refund that is withheld is looked up, milliseconds.
pub(super) const LOOK_AGAIN_MS: i64 = 60_000;

impl Workers {
    /// Keeps a planned refund from being sent until then, milliseconds.
    pub fn withhold(&self, (campaign, refund): (CampaignId, Seq), until: i64, now: i64) {
        let thing = (campaign, refund);
        self.resume(thing);
        self.with(|memory| {
            // What was withheld once was sent as before since.
            memory.withheld.retain(|_, word| (word.since..word.until).contains(&now));
            let new = Withheld { since: now, until, missing_at: i64::MIN };
            memory.withheld.entry(thing).or_insert(new).until = until;
        });
    }

    /// Whether a refund that is withheld can be settled outside: the provider showed that it does not have
    /// it, long enough after the product stopped sending.
    pub fn may_settle(&self, campaign: CampaignId, refund: Seq, now: i64) -> bool {
        self.with(|memory| {
            let word = memory.withheld.get(&(campaign, refund));
            word.is_some_and(|word| {
                now < word.until && word.missing_at >= word.since.saturating_add(ABSENT_MS)
            })
        })
    }

    /// Whether a refund that the provider does not have waits for operators.
    pub(super) fn is_withheld(&self, thing: (CampaignId, Seq), now: i64) -> bool {
        self.with(|memory| {
            let Some(word) = memory.withheld.get_mut(&thing) else { return false };
            if now >= word.until {
                memory.withheld.remove(&thing);
                return false;
            }
            word.missing_at = now;
            memory.pauses.at(thing, now.saturating_add(LOOK_AGAIN_MS));
            true
        })
    }
}
