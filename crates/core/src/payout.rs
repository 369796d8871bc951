//! Payouts: what is owed, computed from the ledger alone (INV-10).
//!
//! A payout draws on matured earnings in ledger order and is backed by exactly one deposit, the
//! oldest with capacity first, or by an advance of the operator. Amount and backing freeze when it
//! is planned.

use crate::campaign::state::State;
use crate::ids::{EnrollmentId, EnrollmentNo, Seq};
use crate::ledger::draft::Draft;
use crate::ledger::event::payout::{PayoutCancelled, PayoutPlanned, PayoutSource};
use crate::ledger::folded::Campaign;
use crate::ledger::records::Deposit;
use crate::ledger::state::DisbursementState;
use crate::ledger::unit::Unit;
use crate::money::Minor;
use crate::refusal::{Refusal, need};
use crate::time::day_of;

/// Which creators the provider can pay now: a fact from outside the ledger, looked up again before
/// each transfer.
pub type IsPayable<'a> = &'a dyn Fn(EnrollmentId) -> bool;

impl Campaign {
    /// What of an enrollment's earnings a payout planned on `day` could draw.
    pub fn payable_on(&self, no: EnrollmentNo, day: i64) -> Minor {
        self.ripe(no, day).map(|(_, amount)| amount).sum()
    }

    /// What holds keep of an enrollment's earnings. The account `held` has the platform's fee beside it.
    pub fn held_of(&self, no: EnrollmentNo) -> Minor {
        let held = self.units_of(no).filter(|unit| unit.held);
        held.map(Unit::unplanned).sum()
    }

    /// The base that is reserved for an enrollment and not earned yet, without the platform's fee.
    pub fn base_waiting(&self, no: EnrollmentNo) -> Minor {
        let enrollment = self.enrollment(no);
        if enrollment.base_left.is_positive() { enrollment.base } else { Minor::ZERO }
    }

    /// Whether the enrollment was paid within the last `every` days, today not counted.
    fn was_paid_lately(&self, no: EnrollmentNo, day: i64, every: u32) -> bool {
        let lately = day.saturating_sub(i64::from(every)).saturating_add(1)..day;
        self.payouts.values().any(|payout| {
            let counts = payout.source == PayoutSource::Payable && payout.enrollment == no;
            counts && lately.contains(&payout.day)
        })
    }
}

impl Draft {
    /// Plans what is matured for every creator who can be paid and whose sum reaches the minimum;
    /// at close the minimum is ignored. Returns what no deposit could back: the operator must
    /// advance that much.
    ///
    /// # Errors
    /// [`Refusal::State`] unless the campaign runs or closes.
    pub fn plan_payouts(
        &mut self,
        is_payable: IsPayable<'_>,
        at_close: bool,
    ) -> Result<Minor, Refusal> {
        self.needs_open("plan_payouts")?;
        self.catch_up()?;
        let day = day_of(self.now());
        let terms = self.campaign().terms();
        let (minimum, every) = (terms.payout_minimum, terms.payout_every_days);
        let mut short = Minor::ZERO;
        let all: Vec<_> =
            self.campaign().numbered_enrollments().map(|(no, e)| (no, e.id)).collect();
        for (no, id) in all {
            let total = self.campaign().payable_on(no, day);
            let waits = total < minimum || self.campaign().was_paid_lately(no, day, every);
            let enough = total.is_positive() && (at_close || !waits);
            if enough && is_payable(id) {
                short += self.plan(no, PayoutSource::Payable, total)?;
            }
        }
        Ok(short)
    }

    /// Splits a sum over deposits, oldest first. Returns what none can back; a deposit that backs a
    /// payout of this creator today counts again tomorrow.
    fn plan(
        &mut self,
        no: EnrollmentNo,
        source: PayoutSource,
        total: Minor,
    ) -> Result<Minor, Refusal> {
        let day = day_of(self.now());
        let id = self.campaign().enrollment(no).id;
        let deposits: Vec<_> =
            self.campaign().deposits.iter().map(|(seq, d)| (*seq, Deposit::capacity(d))).collect();
        let (mut left, mut tomorrow) = (total, Minor::ZERO);
        for (deposit, capacity) in deposits {
            let amount = left.min(capacity);
            if !amount.is_positive() {
                continue;
            }
            if self.campaign().is_planned_on(no, deposit, day) {
                tomorrow += capacity;
                continue;
            }
            self.append(Some(id), PayoutPlanned { amount, day, deposit, source })?;
            left -= amount;
        }
        Ok((left - tomorrow).or_zero())
    }

    /// Plans what was set aside at close for a creator who can be paid now. Returns what no deposit
    /// could back.
    ///
    /// # Errors
    /// [`Refusal`]: nothing is set aside, or the campaign still runs.
    pub fn plan_unclaimed(
        &mut self,
        id: EnrollmentId,
        is_payable: IsPayable<'_>,
    ) -> Result<Minor, Refusal> {
        let state = self.campaign().state();
        let over = matches!(state, State::Completed | State::PaidOut | State::Cancelled);
        let needs = "completed, paid_out or cancelled";
        need(over, Refusal::State { command: "plan_unclaimed", needs, state })?;
        let (no, enrollment) = self.enrolled(id)?;
        let total = enrollment.unclaimed_left;
        need(total.is_positive(), Refusal::Enrollment("nothing is unclaimed"))?;
        need(is_payable(id), Refusal::Enrollment("the account cannot be paid now"))?;
        self.catch_up()?;
        self.plan(no, PayoutSource::Unclaimed, total)
    }

    /// Gives a payout up: a person decided, or the account was closed. Never while an attempt is
    /// open or its outcome unknown.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless planned, or refused by the provider.
    pub fn cancel_payout(&mut self, payout: Seq, reason: String) -> Result<(), Refusal> {
        let id = self.payout_in(
            payout,
            &[DisbursementState::Planned, DisbursementState::Failed],
            "must be planned, or refused by the provider",
        )?;
        self.catch_up()?;
        self.append(Some(id), PayoutCancelled { payout, reason }).map(drop)
    }

    /// Whose payout this is, if it stands in one of `states`.
    pub(crate) fn payout_in(
        &self,
        seq: Seq,
        states: &[DisbursementState],
        needs: &'static str,
    ) -> Result<EnrollmentId, Refusal> {
        let payout = self.campaign().payouts.get(&seq);
        let payout = payout.filter(|payout| states.contains(&payout.state));
        let payout = payout.ok_or(Refusal::Thing { what: "payout", seq, needs })?;
        Ok(self.campaign().enrollment(payout.enrollment).id)
    }
}
