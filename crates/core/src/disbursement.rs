//! Disbursements: attempts to move a payout's money, as one table (INV-3, INV-12).
//!
//! `Attempted` is appended before the provider is called. A definite refusal is `Failed` and may be
//! tried again under a new number; no answer is `Unknown` and stays so until the provider is asked.

use crate::ids::Seq;
use crate::ledger::account::Account;
use crate::ledger::draft::Draft;
use crate::ledger::event::payout::{
    DisbursementAttempted, DisbursementFailed, DisbursementPaid, DisbursementReversed,
    DisbursementUnknown,
};
pub use crate::ledger::state::DisbursementState;
use crate::money::Minor;
use crate::payout::IsPayable;
use crate::refusal::{Refusal, need};

/// One edge of the disbursement's states.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// The state before.
    pub from: DisbursementState,
    /// What asks for it.
    pub command: &'static str,
    /// The state after.
    pub to: DisbursementState,
    /// What must hold, in words.
    pub guard: &'static str,
}

const fn edge(
    from: DisbursementState,
    command: &'static str,
    to: DisbursementState,
    guard: &'static str,
) -> Transition {
    Transition { from, command, to, guard }
}

/// Every edge there is; anything else is refused.
pub const TRANSITIONS: &[Transition] = &[
    edge(
        DisbursementState::Planned,
        "attempt",
        DisbursementState::Attempted,
        "account ready, cash covers it and all in flight",
    ),
    edge(DisbursementState::Planned, "cancel", DisbursementState::Cancelled, ""),
    edge(DisbursementState::Attempted, "paid", DisbursementState::Paid, ""),
    edge(DisbursementState::Attempted, "failed", DisbursementState::Failed, "a definite refusal"),
    edge(DisbursementState::Attempted, "unknown", DisbursementState::Unknown, "no definite answer"),
    edge(DisbursementState::Unknown, "paid", DisbursementState::Paid, "found at the provider"),
    edge(DisbursementState::Unknown, "failed", DisbursementState::Failed, "proven absent"),
    edge(
        DisbursementState::Failed,
        "attempt",
        DisbursementState::Attempted,
        "account ready, cash covers it and all in flight",
    ),
    edge(DisbursementState::Failed, "cancel", DisbursementState::Cancelled, ""),
    edge(DisbursementState::Paid, "reversed", DisbursementState::Reversed, ""),
];

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The transfer of this id exists.
    Paid(String),
    /// Refused, definitely, with this code.
    Failed(String),
    /// No definite answer: what was seen instead.
    Unknown(String),
}

impl Draft {
    /// Cash at the provider that no attempt or refund under way may take.
    fn cash_available(&self) -> Minor {
        self.campaign().balance(Account::Provider) - self.campaign().in_flight()
    }

    /// Commits the next attempt under `key` before the provider is called.
    ///
    /// # Errors
    /// [`Refusal`]: not planned or refused, the account is not ready, or the cash does not cover it.
    pub fn attempt(
        &mut self,
        payout: Seq,
        key: String,
        is_payable: IsPayable<'_>,
    ) -> Result<(), Refusal> {
        let id = self.payout_in(
            payout,
            &[DisbursementState::Planned, DisbursementState::Failed],
            "must be planned, or refused by the provider",
        )?;
        need(is_payable(id), Refusal::Enrollment("the account cannot be paid now"))?;
        let known = self.campaign().payouts.get(&payout).expect("its state was just read");
        let (needed, available) = (known.amount, self.cash_available());
        need(available >= needed, Refusal::Cash { needed, available })?;
        let attempt = known.attempts.saturating_add(1);
        self.append(Some(id), DisbursementAttempted { attempt, key, payout }).map(drop)
    }

    /// Records what came of an attempt, by its number; a webhook may be first.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless that attempt is open, or unknown and this is a definite outcome.
    pub fn record_outcome(
        &mut self,
        payout: Seq,
        attempt: u32,
        outcome: Outcome,
    ) -> Result<(), Refusal> {
        let open = [DisbursementState::Attempted, DisbursementState::Unknown];
        // What is heard late of an earlier attempt says nothing about the one under way.
        let current = self.campaign().payouts.get(&payout).is_none_or(|p| p.attempts == attempt);
        let needs = "must be at this attempt; review what was heard of another";
        need(current, Refusal::Thing { what: "payout", seq: payout, needs })?;
        match outcome {
            Outcome::Paid(transfer) => {
                let id = self.payout_in(payout, &open, "must have an attempt under way")?;
                self.append(Some(id), DisbursementPaid { attempt, payout, transfer })
            }
            Outcome::Failed(code) => {
                let id = self.payout_in(payout, &open, "must have an attempt under way")?;
                self.append(Some(id), DisbursementFailed { attempt, code, payout })
            }
            Outcome::Unknown(reason) => {
                let attempted = [DisbursementState::Attempted];
                let id = self.payout_in(payout, &attempted, "must have an attempt under way")?;
                self.append(Some(id), DisbursementUnknown { attempt, payout, reason })
            }
        }
        .map(drop)
    }

    /// A paid transfer came back.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless paid.
    pub fn reverse_transfer(&mut self, payout: Seq, reason: String) -> Result<(), Refusal> {
        let id = self.payout_in(payout, &[DisbursementState::Paid], "must be paid")?;
        self.catch_up()?;
        self.append(Some(id), DisbursementReversed { payout, reason }).map(drop)
    }
}
