//! What the intake took in, and holds on it. Conversions and reversals post nothing here: the
//! fold posts their effect.

use std::sync::Arc;

use super::super::error::LedgerError;
use super::super::event::conversion::{ConversionReversed, HoldPlaced, Taken};
use super::super::fold::{Effect, Scan, TakenIn};
use super::super::folded::Campaign;
use super::super::records::Hold;
use super::super::unit::Change;
use super::{Applied, Step, missing};
use crate::campaign::terms::RateValue;
use crate::ids::{EnrollmentNo, Seq};
use crate::money::Minor;

impl Campaign {
    pub(super) fn conversion_taken(
        &mut self,
        step: &Step,
        taken: &Taken,
        held_until: Option<i64>,
    ) -> Result<Applied, LedgerError> {
        let enrollment = step.whose()?;
        self.check_credited(enrollment, taken.click_at)?;
        let rate = self.rate_at(enrollment, &taken.r#type, taken.click_at);
        let at = self.at;
        self.count_taken(enrollment);
        if let Some(deadline) = held_until {
            let hold = Hold { open: true, deadline, enrollment, first_placed: step.seq };
            self.holds.insert(step.seq, hold);
        }
        let held = held_until.is_some();
        let taken = TakenIn { enrollment, at, order: taken.amount, rate, held };
        Ok(Applied::Taken(Scan::Conversion(taken)))
    }

    /// INV-9: the credited time lies in a Live interval and in the creator's membership, and the
    /// campaign still takes conversions in.
    pub(in crate::ledger) fn check_credited(
        &self,
        no: EnrollmentNo,
        click_at: i64,
    ) -> Result<(), LedgerError> {
        let member = self.enrollment(no).membership();
        let checked = self.gate.check_conversion(member, click_at, self.at);
        checked.map_err(|_| LedgerError::NotCredited { click_at })
    }

    /// Remembers when a conversion was taken in, where a rate asks for it.
    pub(in crate::ledger) fn count_taken(&mut self, no: EnrollmentNo) {
        let at = self.at;
        let enrollment = self.enrollment_mut(no);
        if enrollment.counts_tiers {
            Arc::make_mut(&mut enrollment.taken_at).push(at);
        }
    }

    /// The value that pays a conversion of this type with this credited time: from the version in
    /// force strictly before it, at the tier of the conversions taken in strictly before it. Later
    /// entries cannot change either, since their `at` is not before this one's.
    ///
    /// An event type that the terms do not pay earns nothing.
    pub fn rate_at(&self, no: EnrollmentNo, event_type: &str, click_at: i64) -> RateValue {
        let enrollment = self.enrollment(no);
        let own = enrollment.rates.as_ref().and_then(|rates| rates.get(event_type));
        let in_force = || {
            let versions = self.versions.iter().enumerate().rev();
            let mut counted = versions
                .filter(|(index, version)| {
                    *index <= enrollment.accepted || version.effective_at < click_at
                })
                .map(|(_, version)| &version.terms);
            counted.next().and_then(|terms| terms.rates.get(event_type))
        };
        let rate = if enrollment.rates.is_some() { own } else { in_force() };
        let Some(rate) = rate else {
            return RateValue::Bps(0);
        };
        let before = enrollment.taken_at.partition_point(|at| *at < click_at);
        rate.value(u64::try_from(before).expect("counts fit 64 bits"))
    }

    pub(super) fn conversion_reversed(
        &mut self,
        step: &Step,
        body: &ConversionReversed,
    ) -> Result<Applied, LedgerError> {
        let Some((enrollment, order)) = self.conversion(body.conversion) else {
            return Err(missing("conversion", body.conversion));
        };
        if step.enrollment != Some(enrollment) {
            return Err(LedgerError::Enrollment);
        }
        let reversed = self.reversed.entry(body.conversion).or_default();
        let fits = !body.amount.is_negative() && body.amount <= order - reversed.refunded;
        if reversed.whole || !fits || (body.amount.is_zero() && !order.is_zero()) {
            return Err(LedgerError::Reversed(body.conversion));
        }
        reversed.refunded += body.amount;
        reversed.whole = reversed.refunded >= order;
        Ok(Applied::Taken(Scan::Reversal { conversion: body.conversion, amount: body.amount }))
    }

    /// The unit of a scanned conversion of this step's enrollment.
    fn unit_of(&self, step: &mut Step, conversion: Seq) -> Result<usize, LedgerError> {
        self.caught_up(step)?;
        let index = self.units.find(conversion).ok_or(missing("conversion", conversion))?;
        if Some(self.units.get(index).enrollment) != step.enrollment {
            return Err(LedgerError::Enrollment);
        }
        Ok(index)
    }

    pub(super) fn hold_placed(
        &mut self,
        step: &mut Step,
        body: &HoldPlaced,
    ) -> Result<Applied, LedgerError> {
        let index = self.unit_of(step, body.conversion)?;
        let unit = *self.units.get(index);
        if unit.held || !unit.planned.is_zero() || !unit.commission.is_positive() {
            return Err(missing("unplanned conversion", body.conversion));
        }
        let first_placed =
            self.holds.get(&body.conversion).map_or(step.seq, |hold| hold.first_placed);
        let hold =
            Hold { open: true, deadline: body.deadline, enrollment: unit.enrollment, first_placed };
        self.holds.insert(body.conversion, hold);
        let change = Change { held: Some(true), ..Change::default() };
        self.reposition(index, change, &mut step.moved)?;
        Ok(Applied::Fact(Effect::Use))
    }

    fn close_hold(&mut self, conversion: Seq) -> Result<(), LedgerError> {
        let hold = self.holds.get_mut(&conversion).filter(|hold| hold.open);
        hold.ok_or(missing("open hold on conversion", conversion))?.open = false;
        Ok(())
    }

    pub(super) fn hold_released(
        &mut self,
        step: &mut Step,
        conversion: Seq,
    ) -> Result<Applied, LedgerError> {
        let index = self.unit_of(step, conversion)?;
        self.close_hold(conversion)?;
        let change = Change { held: Some(false), ..Change::default() };
        self.reposition(index, change, &mut step.moved)?;
        Ok(Applied::Fact(Effect::Use))
    }

    pub(super) fn hold_upheld(
        &mut self,
        step: &mut Step,
        conversion: Seq,
    ) -> Result<Applied, LedgerError> {
        let index = self.unit_of(step, conversion)?;
        self.close_hold(conversion)?;
        self.units.get_mut(index).granted = Minor::ZERO;
        self.reprice(index, Minor::ZERO, &mut step.moved)?;
        // What the creator paid back before, and got returned, is not in doubt.
        let change = Change { held: Some(false), ..Change::default() };
        self.reposition(index, change, &mut step.moved)?;
        Ok(Applied::Fact(Effect::Use))
    }
}
