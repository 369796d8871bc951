//! Refunds that operators pay by other means: while two of them decide, the product does not send.

use std::collections::HashMap;

use sponsorhub_core::ids::{CampaignId, Seq};

use super::{ABSENT_MS, Workers};

/// One operator's word on the refunds of a campaign. What is refused is planned again under another name,
/// so the word is about all of them.
#[derive(Debug)]
pub(super) struct Withheld {
    /// Since when nothing is sent, steady time.
    since: i64,
    /// Until when, milliseconds.
    until: i64,
    /// When the provider last showed that it does not have a refund, steady time.
    missing_at: HashMap<Seq, i64>,
}

/// How often a refund that is withheld is looked up, milliseconds.
const LOOK_AGAIN_MS: i64 = 60_000;

impl Workers {
    /// Keeps the refunds of a campaign from being sent until then, milliseconds. A further word makes that
    /// no longer: one operator alone cannot withhold for ever.
    pub fn withhold(&self, campaign: CampaignId, until: i64, now: i64) {
        self.with(|memory| {
            // What was withheld once was sent as before since.
            memory.withheld.retain(|_, word| now < word.until);
            let new = Withheld { since: memory.steady, until, missing_at: HashMap::new() };
            memory.withheld.entry(campaign).or_insert(new);
        });
        // What was refused is planned again now, so that it can be settled.
        self.resume((campaign, 0));
    }

    /// Whether a planned refund can be settled outside: the provider showed that it does not have it, long
    /// enough after the product stopped sending.
    pub fn may_settle(&self, campaign: CampaignId, refund: Seq, now: i64) -> bool {
        self.with(|memory| {
            let word = memory.withheld.get(&campaign).filter(|word| now < word.until);
            word.is_some_and(|word| {
                let missing_at = word.missing_at.get(&refund);
                missing_at.is_some_and(|at| *at >= word.since.saturating_add(ABSENT_MS))
            })
        })
    }

    /// Whether a refund that the provider does not have waits for operators.
    pub(super) fn is_withheld(&self, (id, refund): (CampaignId, Seq), now: i64) -> bool {
        self.with(|memory| {
            let steady = memory.steady;
            let Some(word) = memory.withheld.get_mut(&id) else { return false };
            if now >= word.until {
                memory.withheld.remove(&id);
                return false;
            }
            word.missing_at.insert(refund, steady);
            memory.pauses.at((id, refund), now.saturating_add(LOOK_AGAIN_MS));
            true
        })
    }
}
