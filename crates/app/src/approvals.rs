//! What only two people together may do: one proposes it, another agrees.
//!
//! Proposals are kept in memory. A restart forgets them, and then nothing has been done: they are made
//! again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a proposal waits for a second person, milliseconds: a day.
pub const VALID_MS: i64 = 86_400_000;

/// Proposals that are kept at a time. Only operators make them.
const PROPOSALS_MAX: usize = 10_000;

#[derive(Clone, Debug)]
struct Proposal {
    by: String,
    until: i64,
}

/// What became of somebody's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It waits for somebody else until then, milliseconds.
    Waits(i64),
    /// These two agree, in this order. Their word is used up.
    Agreed([String; 2]),
}

/// Proposals that wait for a second person.
#[derive(Debug, Default)]
pub struct Approvals(Mutex<HashMap<String, Proposal>>);

impl Approvals {
    /// `who` wants `what`, which says everything that matters: another amount is another proposal. Until it
    /// `may_be_agreed`, a second word changes nothing. People are named as they sign in, by what never changes;
    /// the word of somebody who does not act any more, or not since then (`acts`, with the time of the word),
    /// is none.
    pub fn say(
        &self,
        what: &str,
        who: &str,
        (may_be_agreed, acts): (bool, impl Fn(&str, i64) -> bool),
        now: i64,
    ) -> Approval {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, proposal| now < proposal.until);
        let is_none = |first: &Proposal| {
            first.by != who && !acts(&first.by, first.until.saturating_sub(VALID_MS))
        };
        if waiting.get(what).is_some_and(is_none) {
            waiting.remove(what);
        }
        if let Some(first) = waiting.get(what).cloned() {
            if first.by == who || !may_be_agreed {
                return Approval::Waits(first.until);
            }
            waiting.remove(what);
            return Approval::Agreed([first.by, who.to_owned()]);
        }
        if waiting.len() >= PROPOSALS_MAX {
            let oldest = waiting.iter().min_by_key(|(_, proposal)| proposal.until);
            let oldest = oldest.map(|(what, _)| what.clone());
            oldest.and_then(|what| waiting.remove(&what));
        }
        let until = now.saturating_add(VALID_MS);
        waiting.insert(what.to_owned(), Proposal { by: who.to_owned(), until });
        Approval::Waits(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_different_people_agree_on_the_same_thing_once_and_in_time() {
        let approvals = Approvals::default();
        let waits = Approval::Waits(VALID_MS);
        let say = |what, who, now| approvals.say(what, who, (true, |_: &str, _: i64| true), now);
        assert_eq!(say("100", "ada", 0), waits);
        assert_eq!(say("100", "ada", 1), waits, "nobody agrees with themself");
        assert_eq!(say("200", "eve", 1), Approval::Waits(VALID_MS + 1));
        assert_eq!(
            approvals.say("100", "eve", (false, |_: &str, _: i64| true), 1),
            waits,
            "not yet"
        );
        let both = Approval::Agreed(["ada".to_owned(), "eve".to_owned()]);
        assert_eq!(say("100", "eve", 2), both);
        // Their word is used up: the same again takes two again.
        assert_eq!(say("100", "eve", 2), Approval::Waits(VALID_MS + 2));
        // The word of who acts no more is none: the next one's is the first.
        let acts = |who: &str, _: i64| who != "ada";
        assert_eq!(say("300", "ada", 3), Approval::Waits(VALID_MS + 3));
        assert_eq!(approvals.say("300", "eve", (true, acts), 4), Approval::Waits(VALID_MS + 4));
        let other = Approval::Agreed(["eve".to_owned(), "bob".to_owned()]);
        assert_eq!(approvals.say("300", "bob", (true, acts), 5), other);
        // Nor is that of who became one only after it.
        assert_eq!(say("400", "ada", 10), Approval::Waits(VALID_MS + 10));
        let since = |_: &str, said_at: i64| said_at > 10;
        assert_eq!(approvals.say("400", "eve", (true, since), 11), Approval::Waits(VALID_MS + 11));
        // A day later nobody remembers.
        assert_eq!(say("100", "ada", 2 * VALID_MS), Approval::Waits(3 * VALID_MS));
    }
}
