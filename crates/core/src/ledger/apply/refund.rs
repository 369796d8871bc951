//! Unspent money on its way back to the brand.

use super::super::account::Account;
use super::super::error::LedgerError;
use super::super::event::payout::{RefundPlanned, RefundSettledOutside};
use super::super::fold::Effect;
use super::super::folded::Campaign;
use super::super::records::{Refund, RefundState};
use super::{Applied, Step, missing};
use crate::ids::Seq;
use crate::refusal::are_two;

impl Campaign {
    pub(super) fn refund_planned(
        &mut self,
        step: &mut Step,
        body: &RefundPlanned,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        if !self.is_refundable(self.at) {
            return Err(missing("campaign that may be refunded at entry", step.seq));
        }
        let deposit = self.deposits.get_mut(&body.deposit).filter(|deposit| !deposit.is_advance);
        let deposit = deposit.ok_or(missing("deposit", body.deposit))?;
        if !body.amount.is_positive() || deposit.capacity() < body.amount {
            return Err(LedgerError::Deposit(body.deposit));
        }
        deposit.refunded += body.amount;
        step.debit(Account::CampaignFunds, body.amount);
        step.credit(Account::RefundClearing, body.amount);
        let refund = Refund {
            amount: body.amount,
            deposit: body.deposit,
            state: RefundState::Planned,
            planned_at: self.at,
        };
        self.refunds.insert(step.seq, refund);
        Ok(Applied::Fact(Effect::Refund))
    }

    fn end_refund(
        &mut self,
        step: &mut Step,
        seq: Seq,
        state: RefundState,
    ) -> Result<Refund, LedgerError> {
        let open = |refund: &&mut Refund| refund.state == RefundState::Planned;
        let refund = self.refunds.get_mut(&seq).filter(open);
        let refund = refund.ok_or(missing("planned refund", seq))?;
        refund.state = state;
        step.debit(Account::RefundClearing, refund.amount);
        Ok(*refund)
    }

    pub(super) fn refund_paid(
        &mut self,
        step: &mut Step,
        seq: Seq,
    ) -> Result<Applied, LedgerError> {
        let refund = self.end_refund(step, seq, RefundState::Paid)?;
        self.money_out(step, refund.amount);
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn refund_failed(
        &mut self,
        step: &mut Step,
        seq: Seq,
    ) -> Result<Applied, LedgerError> {
        let refund = self.end_refund(step, seq, RefundState::Failed)?;
        step.credit(Account::CampaignFunds, refund.amount);
        let deposit = self.deposits.get_mut(&refund.deposit).expect("refunds name deposits");
        deposit.refunded -= refund.amount;
        Ok(Applied::Fact(Effect::Refund))
    }

    /// The operator paid the brand from its own pocket, so the cash at the provider is now the
    /// operator's.
    pub(super) fn refund_settled_outside(
        &mut self,
        step: &mut Step,
        body: &RefundSettledOutside,
    ) -> Result<Applied, LedgerError> {
        if !are_two(&body.approved_by) {
            return Err(missing("two people in entry", step.seq));
        }
        let refund = self.end_refund(step, body.refund, RefundState::SettledOutside)?;
        step.credit(Account::PlatformAdvance, refund.amount);
        Ok(Applied::Fact(Effect::Neutral))
    }
}
