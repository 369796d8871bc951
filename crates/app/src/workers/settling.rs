//! Refunds that operators pay by other means: while two of them decide, the product does not send.

use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::refund::RefundOutcome;

use super::{ABSENT_MS, Workers};

/// What operators say of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// One of them wants to pay it by other means: it is not sent until then, milliseconds.
    Withheld(i64),
    /// Two have.
    Settled(RefundOutcome),
}

/// What the word of operators means for a refund that the provider does not have.
pub(super) enum Meaning {
    /// Nobody said anything: send it.
    Send,
    /// It waits.
    Wait,
    Over(RefundOutcome),
}

impl Workers {
    /// Keeps a planned refund from being sent until then, milliseconds. Not if two people have settled it
    /// already; whether that is so.
    pub fn withhold(&self, campaign: CampaignId, refund: Seq, until: i64) -> bool {
        let thing = (campaign, refund);
        self.resume(thing);
        self.with(|memory| {
            let word = memory.words.entry(thing).or_insert(Word::Withheld(until));
            if let Word::Withheld(known) = word {
                *known = until;
            }
            matches!(word, Word::Settled(_))
        })
    }

    /// Two people paid a refund by other means. It is recorded as soon as the provider has shown for ten
    /// minutes that it does not have it too.
    pub fn settle_outside(
        &self,
        campaign: CampaignId,
        refund: Seq,
        (approved_by, reference): (Vec<String>, String),
    ) {
        let thing = (campaign, refund);
        let outcome = RefundOutcome::SettledOutside { approved_by, reference };
        self.with(|memory| memory.words.insert(thing, Word::Settled(outcome)));
        self.resume(thing);
    }

    /// What operators want, of a refund that is not at the provider.
    pub(super) fn word(&self, thing: (CampaignId, Seq), now: i64) -> Meaning {
        let missing = self.missing_for(thing, now);
        self.with(|memory| match memory.words.get(&thing) {
            Some(Word::Withheld(until)) if now < *until => Meaning::Wait,
            // What was sent a moment ago may still arrive.
            Some(Word::Settled(_)) if missing < ABSENT_MS => Meaning::Wait,
            Some(Word::Settled(outcome)) => Meaning::Over(outcome.clone()),
            _ => {
                memory.missing_since.remove(&thing);
                Meaning::Send
            }
        })
    }
}
