//! Payouts and the disbursements that carry them out.

use std::sync::Arc;

use super::super::account::Account;
use super::super::error::LedgerError;
use super::super::event::payout::{DisbursementAttempted, PayoutPlanned, PayoutSource};
use super::super::fold::Effect;
use super::super::folded::Campaign;
use super::super::records::{Deposit, Payout};
use super::super::state::DisbursementState;
use super::super::unit::{Change, Unit};
use super::{Applied, Step, missing};
use crate::campaign::state::State;
use crate::ids::{EnrollmentNo, Seq};
use crate::money::Minor;
use crate::time::day_of;

impl Campaign {
    /// Units of an enrollment that a payout planned on `day` may draw on, in ledger order, with
    /// what they hold: not held, not planned, matured. A conversion matures once its UTC day and
    /// `clearing_days` more have fully passed; a base or an adjustment at once.
    pub fn ripe(&self, no: EnrollmentNo, day: i64) -> impl Iterator<Item = (usize, Minor)> + '_ {
        let clearing = i64::from(self.terms().clearing_days);
        self.open_units(no).filter_map(move |index| {
            let unit = self.units.get(index);
            let matured = unit.matures_at_once() || unit.day.saturating_add(clearing) < day;
            (matured && !unit.held).then(|| (index, unit.unplanned()))
        })
    }

    /// All units of an enrollment, in ledger order.
    pub(crate) fn units_of(&self, no: EnrollmentNo) -> impl Iterator<Item = &Unit> + '_ {
        self.enrollment(no).units.iter().map(|index| self.units.get(*index))
    }

    /// Units of an enrollment with something unplanned, in ledger order.
    fn open_units(&self, no: EnrollmentNo) -> impl Iterator<Item = usize> + '_ {
        let enrollment = self.enrollment(no);
        let candidates = enrollment.units.iter().copied().skip(enrollment.open_from);
        candidates.filter(|index| self.units.get(*index).unplanned().is_positive())
    }

    /// Skips units of which nothing is left to plan, so that the next payout does not look at them.
    fn skip_planned(&mut self, no: EnrollmentNo) {
        let first = self.open_units(no).next();
        let enrollment = self.enrollment_mut(no);
        enrollment.open_from = match first {
            Some(first) => enrollment.units.partition_point(|index| *index < first),
            None => enrollment.units.len(),
        };
    }

    /// The first ripe units that make up `amount`; none where there is less.
    fn draw(&self, no: EnrollmentNo, day: i64, amount: Minor) -> Option<Vec<(usize, Minor)>> {
        let (mut parts, mut left) = (Vec::new(), amount);
        for (index, available) in self.ripe(no, day) {
            let take = left.min(available);
            if !take.is_positive() {
                break;
            }
            parts.push((index, take));
            left -= take;
        }
        left.is_zero().then_some(parts)
    }

    pub(super) fn payout_planned(
        &mut self,
        step: &mut Step,
        body: &PayoutPlanned,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let no = step.whose()?;
        // Only money that is matured on the entry's own day, and one payout a day per deposit.
        if body.day != day_of(self.at) || self.is_planned_on(no, body.deposit, body.day) {
            return Err(missing("first payout of its day at entry", step.seq));
        }
        let capacity = self.deposits.get(&body.deposit).map(Deposit::capacity);
        if !body.amount.is_positive() || capacity.is_none_or(|capacity| capacity < body.amount) {
            return Err(LedgerError::Deposit(body.deposit));
        }
        let mut parts = Vec::new();
        match body.source {
            PayoutSource::Unclaimed => {
                step.debit(Account::Unclaimed, body.amount);
                step.credit(Account::DisbursementClearing, body.amount);
                self.enrollment_mut(no).unclaimed_left -= body.amount;
            }
            PayoutSource::Payable => {
                let drawn = self.draw(no, body.day, body.amount);
                parts = drawn.ok_or(missing("matured earnings at entry", step.seq))?;
                for (index, amount) in &parts {
                    self.plan(step, *index, *amount, Account::DisbursementClearing)?;
                }
                self.skip_planned(no);
            }
        }
        let deposit = self.deposits.get_mut(&body.deposit).expect("its capacity was just read");
        deposit.transferred += body.amount;
        let payout = Payout {
            enrollment: no,
            amount: body.amount,
            day: body.day,
            deposit: body.deposit,
            source: body.source,
            parts: Arc::new(parts),
            state: DisbursementState::Planned,
            attempts: 0,
            attempted_at: 0,
        };
        self.payouts.insert(step.seq, payout);
        Ok(Applied::Fact(Effect::Use))
    }

    /// Moves `amount` (negative: back) between what a unit has unplanned and `other`.
    fn plan(
        &mut self,
        step: &mut Step,
        index: usize,
        amount: Minor,
        other: Account,
    ) -> Result<(), LedgerError> {
        let planned = self.units.get(index).planned + amount;
        let change = Change { planned: Some((planned, other)), ..Change::default() };
        self.reposition(index, change, &mut step.moved).map(drop)
    }

    pub(super) fn payout_unclaimed(&mut self, step: &mut Step) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        if self.gate.state != State::Cancelled && !self.is_closing() {
            return Err(missing("closing campaign at entry", step.seq));
        }
        let no = step.whose()?;
        let open: Vec<usize> = self.open_units(no).collect();
        for index in open {
            let unit = self.units.get(index);
            if unit.held {
                continue;
            }
            let amount = unit.unplanned();
            self.enrollment_mut(no).unclaimed_left += amount;
            self.plan(step, index, amount, Account::Unclaimed)?;
        }
        if step.moved.is_none() {
            return Err(missing("earnings at entry", step.seq));
        }
        Ok(Applied::Fact(Effect::Use))
    }

    /// The payout named by an entry of its own enrollment, in one of the wanted states.
    fn payout_in(
        &mut self,
        step: &Step,
        seq: Seq,
        states: &[DisbursementState],
    ) -> Result<&mut Payout, LedgerError> {
        let payout = self.payouts.get_mut(&seq).ok_or(missing("payout", seq))?;
        if step.enrollment != Some(payout.enrollment) {
            return Err(LedgerError::Enrollment);
        }
        if states.contains(&payout.state) { Ok(payout) } else { Err(missing("payout", seq)) }
    }

    /// The payout whose latest attempt has this number.
    fn attempt_of(
        &mut self,
        step: &Step,
        seq: Seq,
        attempt: u32,
        states: &[DisbursementState],
    ) -> Result<&mut Payout, LedgerError> {
        let payout = self.payout_in(step, seq, states)?;
        if payout.attempts == attempt { Ok(payout) } else { Err(missing("attempt of payout", seq)) }
    }

    /// A cancelled payout or a returned transfer: owed again, and the deposit is free again. Where
    /// the campaign is closed the money is unclaimed, since nothing plans payouts there.
    fn money_back(&mut self, step: &mut Step, seq: Seq, from: Account) -> Result<(), LedgerError> {
        let payout = self.payouts.get(&seq).expect("its state was just changed").clone();
        let no = payout.enrollment;
        if payout.source == PayoutSource::Unclaimed || self.gate.state == State::PaidOut {
            step.debit(from, payout.amount);
            step.credit(Account::Unclaimed, payout.amount);
            self.enrollment_mut(no).unclaimed_left += payout.amount;
        } else {
            for (index, amount) in payout.parts.iter() {
                self.plan(step, *index, -*amount, from)?;
            }
        }
        let deposit = self.deposits.get_mut(&payout.deposit).expect("payouts name deposits");
        deposit.transferred -= payout.amount;
        Ok(())
    }

    pub(super) fn payout_cancelled(
        &mut self,
        step: &mut Step,
        seq: Seq,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let states = [DisbursementState::Planned, DisbursementState::Failed];
        self.payout_in(step, seq, &states)?.state = DisbursementState::Cancelled;
        self.money_back(step, seq, Account::DisbursementClearing)?;
        Ok(Applied::Fact(Effect::Use))
    }

    pub(super) fn disbursement_attempted(
        &mut self,
        step: &Step,
        body: &DisbursementAttempted,
    ) -> Result<Applied, LedgerError> {
        let states = [DisbursementState::Planned, DisbursementState::Failed];
        let at = self.at;
        let payout = self.payout_in(step, body.payout, &states)?;
        payout.attempted_at = at;
        payout.attempts = payout.attempts.saturating_add(1);
        payout.state = DisbursementState::Attempted;
        if payout.attempts != body.attempt {
            return Err(missing("next attempt of payout", body.payout));
        }
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn disbursement_unknown(
        &mut self,
        step: &Step,
        seq: Seq,
        attempt: u32,
    ) -> Result<Applied, LedgerError> {
        let states = [DisbursementState::Attempted];
        self.attempt_of(step, seq, attempt, &states)?.state = DisbursementState::Unknown;
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn disbursement_failed(
        &mut self,
        step: &Step,
        seq: Seq,
        attempt: u32,
    ) -> Result<Applied, LedgerError> {
        let states = [DisbursementState::Attempted, DisbursementState::Unknown];
        self.attempt_of(step, seq, attempt, &states)?.state = DisbursementState::Failed;
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn disbursement_paid(
        &mut self,
        step: &mut Step,
        seq: Seq,
        attempt: u32,
    ) -> Result<Applied, LedgerError> {
        let states = [DisbursementState::Attempted, DisbursementState::Unknown];
        let payout = self.attempt_of(step, seq, attempt, &states)?;
        payout.state = DisbursementState::Paid;
        let amount = payout.amount;
        step.debit(Account::DisbursementClearing, amount);
        self.money_out(step, amount);
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn disbursement_reversed(
        &mut self,
        step: &mut Step,
        seq: Seq,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let states = [DisbursementState::Paid];
        self.payout_in(step, seq, &states)?.state = DisbursementState::Reversed;
        self.money_back(step, seq, Account::Provider)?;
        Ok(Applied::Fact(Effect::Use))
    }
}
