//! Adjustments between the allowed pairs, and claims.

use super::super::account::Account;
use super::super::error::LedgerError;
use super::super::event::oversight::{Adjustment, AdjustmentPair};
use super::super::fold::Effect;
use super::super::folded::Campaign;
use super::super::unit::{Unit, UnitKind};
use super::{Applied, Step, missing};
use crate::ids::Seq;
use crate::money::Minor;
use crate::oversight::ADJUSTMENT_ALONE_MAX;
use crate::refusal::are_two;

impl Campaign {
    pub(super) fn adjusted(
        &mut self,
        step: &mut Step,
        body: &Adjustment,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let amount = body.amount;
        if !amount.is_positive() {
            return Err(missing("positive amount in entry", step.seq));
        }
        // The pair decides whose entry it is.
        if step.enrollment.is_some() == (body.pair == AdjustmentPair::SetOff) {
            return Err(LedgerError::Enrollment);
        }
        let effect = match body.pair {
            AdjustmentPair::FundsToPayable => {
                let no = step.whose()?;
                let approved = amount <= ADJUSTMENT_ALONE_MAX || are_two(&body.approved_by);
                let free = self.frozen == 0 && self.free_beyond_demand() >= amount;
                if !approved || !free {
                    return Err(missing("free funds and approval for entry", step.seq));
                }
                step.debit(Account::CampaignFunds, amount);
                step.credit(Account::Payable, amount);
                let kind = UnitKind::Adjustment;
                self.add_unit(Unit::matured(step.seq, no, kind, amount, Minor::ZERO));
                Effect::Use
            }
            AdjustmentPair::WriteOff => {
                if !self.is_closing() {
                    return Err(missing("closing campaign at entry", step.seq));
                }
                step.credit(Account::Clawback, amount);
                step.debit(Account::Recoverable, amount);
                Effect::Neutral
            }
            AdjustmentPair::SetOff => {
                if !self.is_refundable(self.at) {
                    return Err(missing("campaign that may be refunded at entry", step.seq));
                }
                step.debit(Account::CampaignFunds, amount);
                step.credit(Account::BrandReceivable, amount);
                Effect::Neutral
            }
        };
        Ok(Applied::Fact(effect))
    }

    pub(super) fn claim_opened(&mut self, step: &Step) -> Result<Applied, LedgerError> {
        let no = step.whose()?;
        self.claims.insert(step.seq, no);
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn claim_closed(&mut self, step: &Step, claim: Seq) -> Result<Applied, LedgerError> {
        let whose = self.claims.remove(&claim).ok_or(missing("open claim", claim))?;
        if step.enrollment != Some(whose) {
            return Err(LedgerError::Enrollment);
        }
        Ok(Applied::Fact(Effect::Neutral))
    }
}
