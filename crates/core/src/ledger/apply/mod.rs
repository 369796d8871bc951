//! What each kind of entry does: postings and new state, a pure function of the entry and the
//! state before it.
//!
//! [`Campaign::append`] is the only writer. It is used alike for entries that are read back (an
//! audit, a restart) and for entries that a command drafts, so the two cannot differ.

mod amounts;

mod campaign;

mod deposit;

mod enrollment;

mod conversion;

mod rollup;

mod payout;

mod refund;

mod oversight;

use super::account::Account;
use super::error::LedgerError;
use super::fold::{Effect, Scan};
use super::folded::Campaign;
use super::kind::Body;
use super::posting::{Changes, Postings};
use crate::ids::{EnrollmentId, EnrollmentNo, Seq};
use crate::money::Minor;

/// What the fold has to do with an entry when it comes to scan it.
enum Applied {
    /// A conversion or a reversal of one.
    Taken(Scan),
    /// Anything else that is not part of a run.
    Fact(Effect),
    /// Part of a run: the fold made it and does not read it.
    Run,
}

/// The entry being applied.
struct Step {
    seq: Seq,
    id: Option<EnrollmentId>,
    enrollment: Option<EnrollmentNo>,
    moved: Changes,
    /// Whether this entry needs a fold that has scanned everything, and has it.
    caught_up: bool,
}

impl Step {
    fn debit(&mut self, account: Account, amount: Minor) {
        self.moved.debit(account, amount);
    }

    fn credit(&mut self, account: Account, amount: Minor) {
        self.moved.credit(account, amount);
    }

    /// Whose entry this is; kinds that need an enrollment have one.
    fn whose(&self) -> Result<EnrollmentNo, LedgerError> {
        self.enrollment.ok_or(LedgerError::Enrollment)
    }
}

fn missing(what: &'static str, seq: Seq) -> LedgerError {
    LedgerError::Reference { what, seq }
}

impl Campaign {
    /// Applies what happened as the next entry and returns its postings.
    ///
    /// # Errors
    /// [`LedgerError`]: it cannot follow. The state is then unusable.
    pub(crate) fn append(
        &mut self,
        at: i64,
        enrollment_id: Option<EnrollmentId>,
        body: &Body,
    ) -> Result<Postings, LedgerError> {
        self.at = self.at.max(at);
        let seq = self.head.checked_add(1).expect("positions stay below 2^40");
        let enrollment = match (enrollment_id, body) {
            (None, _) => None,
            (Some(id), Body::EnrollmentStarted(_)) => Some(self.number_for(id)?),
            (Some(id), _) => Some(self.enrollment_no(id).ok_or(LedgerError::Enrollment)?),
        };
        let moved = Changes::NONE;
        let mut step = Step { seq, id: enrollment_id, enrollment, moved, caught_up: false };
        amounts::check(body)?;
        let continues = matches!(body, Body::RollupAccrued(_) | Body::RollupClosed(_));
        if self.fold.run_to.is_some() && !continues {
            return Err(LedgerError::RunOpen);
        }
        let applied = self.dispatch(&mut step, body)?;
        let postings = Postings::try_new(enrollment, step.moved)?;
        if !postings.is_none() {
            self.balances.apply(&postings)?;
        }
        self.head = seq;
        if let Some(no) = enrollment {
            let n = &mut self.enrollment_mut(no).n;
            *n = n.checked_add(1).expect("counts stay below 2^40");
        }
        let scan = match applied {
            Applied::Run => return Ok(postings),
            Applied::Taken(scan) => scan,
            Applied::Fact(effect) => {
                Scan::Fact { funds: -postings.change(Account::CampaignFunds), effect }
            }
        };
        self.pend(seq, scan, step.caught_up);
        Ok(postings)
    }

    fn number_for(&self, id: EnrollmentId) -> Result<EnrollmentNo, LedgerError> {
        if self.enrollment_no(id).is_some() {
            return Err(LedgerError::Enrollment);
        }
        let next = u32::try_from(self.enrollments.len()).map_err(|_| LedgerError::Enrollment)?;
        Ok(EnrollmentNo(next))
    }

    fn dispatch(&mut self, step: &mut Step, body: &Body) -> Result<Applied, LedgerError> {
        match body {
            Body::CampaignOpened(_) => Err(LedgerError::Opening),
            Body::TermsSet(b) => self.terms_set(b),
            Body::CampaignStateChanged(b) => self.state_changed(step, b),
            Body::DepositExpected(b) => self.deposit_expected(step, b),
            Body::DepositFailed(b) => self.deposit_failed(b),
            Body::DepositConfirmed(b) => self.deposit_confirmed(step, b),
            Body::DepositSettled(b) => self.deposit_settled(step, b),
            Body::DepositDisputed(b) => self.deposit_disputed(b),
            Body::DepositDisputeClosed(b) => self.dispute_closed(step, b),
            Body::DepositReversed(b) => self.deposit_reversed(step, b),
            Body::DepositReinstated(b) => self.deposit_reinstated(step, b),
            Body::EnrollmentStarted(_)
            | Body::EnrollmentEnded(_)
            | Body::BaseEarned(_)
            | Body::BaseReleased(_)
            | Body::DeliverableSubmitted(_)
            | Body::DeliverableAccepted(_)
            | Body::DeliverableDeclined(_) => self.enrollment_step(step, body),
            Body::ConversionAccepted(b) => self.conversion_taken(step, &b.0, None),
            Body::ConversionHeld(b) => self.conversion_taken(step, &b.taken, Some(b.deadline)),
            Body::ConversionRejected(_) | Body::ErasureDone(_) => {
                Ok(Applied::Fact(Effect::Neutral))
            }
            Body::ConversionReversed(b) => self.conversion_reversed(step, b),
            Body::HoldPlaced(b) => self.hold_placed(step, b),
            Body::HoldReleased(b) => self.hold_released(step, b.conversion),
            Body::HoldUpheld(b) => self.hold_upheld(step, b.conversion),
            Body::RollupAccrued(b) => self.rollup_accrued(step, b),
            Body::RollupClosed(b) => self.rollup_closed(b),
            Body::PayoutPlanned(b) => self.payout_planned(step, b),
            Body::PayoutCancelled(b) => self.payout_cancelled(step, b.payout),
            Body::PayoutUnclaimed(_) => self.payout_unclaimed(step),
            Body::DisbursementAttempted(b) => self.disbursement_attempted(step, b),
            Body::DisbursementUnknown(b) => self.disbursement_unknown(step, b.payout, b.attempt),
            Body::DisbursementFailed(b) => self.disbursement_failed(step, b.payout, b.attempt),
            Body::DisbursementPaid(b) => self.disbursement_paid(step, b.payout, b.attempt),
            Body::DisbursementReversed(b) => self.disbursement_reversed(step, b.payout),
            Body::RefundPlanned(b) => self.refund_planned(step, b),
            Body::RefundPaid(b) => self.refund_paid(step, b.refund),
            Body::RefundFailed(b) => self.refund_failed(step, b.refund),
            Body::RefundSettledOutside(b) => self.refund_settled_outside(step, b),
            Body::PlatformAdvanced(b) => self.platform_advanced(step, b),
            Body::Adjustment(b) => self.adjusted(step, b),
            Body::ClaimOpened(_) => self.claim_opened(step),
            Body::ClaimAnswered(b) => self.claim_closed(step, b.claim),
            Body::ClaimExpired(b) => self.claim_closed(step, b.claim),
        }
    }

    /// Credits the provider: cash that left is a fact. What would take the account below zero was
    /// the operator's own money.
    fn money_out(&self, step: &mut Step, amount: Minor) -> Minor {
        let at_provider = self.balance(Account::Provider) + step.moved.get(Account::Provider);
        let short = (amount - at_provider.or_zero()).or_zero();
        step.credit(Account::Provider, amount - short);
        step.credit(Account::PlatformAdvance, short);
        short
    }

    /// Entries that take from the campaign's funds, or look at an accrual, come after the demand
    /// before them: the fold must have scanned everything (design, catch-up). One run serves all
    /// such entries that follow it directly, since one command appends them together.
    fn caught_up(&self, step: &mut Step) -> Result<(), LedgerError> {
        step.caught_up = true;
        match self.fold.pending.iter().find(|pending| !pending.caught_up) {
            None => Ok(()),
            Some(pending) => Err(LedgerError::NotCaughtUp { waiting: pending.seq }),
        }
    }
}
