//! Money in, and what the provider later says of it.

use super::super::account::Account;
use super::super::error::LedgerError;
use super::super::event::deposit::{
    DepositConfirmed, DepositDisputeClosed, DepositDisputed, DepositExpected, DepositFailed,
    DepositReinstated, DepositReversed, DepositSettled, DisputeOutcome, PlatformAdvanced,
};
use super::super::fold::Effect;
use super::super::folded::Campaign;
use super::super::records::{Case, Deposit, DepositStatus, Reversal};
use super::{Applied, Step, missing};
use crate::ids::Seq;
use crate::money::Minor;
use crate::refusal::are_two;

impl Campaign {
    pub(super) fn deposit_expected(
        &mut self,
        step: &Step,
        body: &DepositExpected,
    ) -> Result<Applied, LedgerError> {
        if body.currency != self.terms().currency || body.mode != self.mode {
            return Err(missing("deposit of this campaign's currency and mode at", step.seq));
        }
        let deposit = Deposit::expected(body.amount, body.budget_part, body.session.clone());
        self.deposits.insert(step.seq, deposit);
        Ok(Applied::Fact(Effect::Neutral))
    }

    fn deposit_mut(&mut self, seq: Seq) -> Result<&mut Deposit, LedgerError> {
        self.deposits.get_mut(&seq).ok_or(missing("deposit", seq))
    }

    /// A confirmed deposit of the brand.
    fn paid_deposit(&mut self, seq: Seq) -> Result<&mut Deposit, LedgerError> {
        let deposit = self.deposit_mut(seq)?;
        let paid = deposit.is_confirmed() && !deposit.is_advance;
        if paid { Ok(deposit) } else { Err(missing("confirmed deposit", seq)) }
    }

    pub(super) fn deposit_failed(&mut self, body: &DepositFailed) -> Result<Applied, LedgerError> {
        let deposit = self.deposit_mut(body.deposit)?;
        if deposit.status != DepositStatus::Expected {
            return Err(missing("deposit that is expected still", body.deposit));
        }
        deposit.status = DepositStatus::Failed;
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn deposit_confirmed(
        &mut self,
        step: &mut Step,
        body: &DepositConfirmed,
    ) -> Result<Applied, LedgerError> {
        let deposit = self.deposit_mut(body.deposit)?;
        // One that failed may have been paid after all (ADR 16).
        if deposit.is_confirmed() {
            return Err(missing("unconfirmed deposit", body.deposit));
        }
        deposit.status = DepositStatus::Confirmed;
        deposit.payment = Some(body.payment.clone());
        deposit.fee_left = deposit.amount - deposit.budget_part;
        step.debit(Account::Provider, deposit.amount);
        step.credit(Account::CampaignFunds, deposit.budget_part);
        step.credit(Account::FeeReserve, deposit.fee_left);
        Ok(Applied::Fact(Effect::Confirmed(deposit.amount)))
    }

    pub(super) fn deposit_settled(
        &mut self,
        step: &mut Step,
        body: &DepositSettled,
    ) -> Result<Applied, LedgerError> {
        let deposit = self.paid_deposit(body.deposit)?;
        if deposit.settled {
            return Err(missing("unsettled deposit", body.deposit));
        }
        deposit.settled = true;
        let reserve = std::mem::take(&mut deposit.fee_left);
        let used = body.fee.min(reserve);
        step.debit(Account::FeeReserve, reserve);
        step.credit(Account::CampaignFunds, reserve - used);
        // Beyond the reserve the fee is the operator's cost, paid with the operator's cash.
        step.debit(Account::ProviderCosts, body.fee - used);
        self.money_out(step, used);
        step.credit(Account::PlatformAdvance, body.fee - used);
        Ok(Applied::Fact(Effect::Neutral))
    }

    pub(super) fn deposit_disputed(
        &mut self,
        body: &DepositDisputed,
    ) -> Result<Applied, LedgerError> {
        let deposit = self.paid_deposit(body.deposit)?;
        if deposit.cases.iter().any(|case| case.key == body.case) {
            return Err(missing("deposit without this case", body.deposit));
        }
        deposit.cases.push(Case { key: body.case.clone(), open: true, reversal: None });
        self.frozen = self.frozen.saturating_add(1);
        Ok(Applied::Fact(Effect::Freeze))
    }

    pub(super) fn dispute_closed(
        &mut self,
        step: &mut Step,
        body: &DepositDisputeClosed,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let deposit = self.paid_deposit(body.deposit)?;
        let open = |case: &&mut Case| case.key == body.case && case.open;
        let case = deposit.cases.iter_mut().find(open);
        let case = case.ok_or(missing("open case of deposit", body.deposit))?;
        if body.outcome == DisputeOutcome::Won && case.reversal.is_some() {
            return Err(missing("case with its money back of deposit", body.deposit));
        }
        case.open = false;
        self.frozen = self.frozen.saturating_sub(1);
        Ok(Applied::Fact(Effect::Unfreeze))
    }

    pub(super) fn deposit_reversed(
        &mut self,
        step: &mut Step,
        body: &DepositReversed,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let spendable = self.balance(Account::CampaignFunds);
        let amount = body.amount;
        let deposit = self.paid_deposit(body.deposit)?;
        let known = deposit.cases.iter().any(|case| case.key == body.case);
        let waiting = |case: &Case| case.key == body.case && case.open && case.reversal.is_none();
        if known && !deposit.cases.iter().any(waiting) {
            return Err(missing("case without money of deposit", body.deposit));
        }
        // Beyond the budget part the unsettled fee reserve goes first.
        let beyond = (deposit.reversed + amount - deposit.budget_part).or_zero();
        let fee = deposit.fee_left.min(beyond).min(amount);
        deposit.fee_left -= fee;
        deposit.reversed += amount;
        if deposit.reversed > deposit.amount {
            return Err(LedgerError::Deposit(body.deposit));
        }
        let funds = (amount - fee).min(spendable);
        let receivable = amount - fee - funds;
        step.debit(Account::FeeReserve, fee);
        step.debit(Account::CampaignFunds, funds);
        step.debit(Account::BrandReceivable, receivable);
        step.debit(Account::ProviderCosts, body.dispute_fee);
        let advance = self.money_out(step, amount);
        step.credit(Account::PlatformAdvance, body.dispute_fee);
        let reversal = Some(Reversal { amount, fee, receivable, advance });
        let deposit = self.paid_deposit(body.deposit)?;
        match deposit.cases.iter_mut().find(|case| case.key == body.case) {
            Some(case) => case.reversal = reversal,
            None => deposit.cases.push(Case { key: body.case.clone(), open: true, reversal }),
        }
        let freezes = !known;
        if freezes {
            self.frozen = self.frozen.saturating_add(1);
        }
        Ok(Applied::Fact(Effect::Reversed { amount, freezes }))
    }

    /// The mirror. The operator's advance for this case is repaid first; what the brand no longer
    /// owes is funds again.
    pub(super) fn deposit_reinstated(
        &mut self,
        step: &mut Step,
        body: &DepositReinstated,
    ) -> Result<Applied, LedgerError> {
        self.caught_up(step)?;
        let brand_owes = self.balance(Account::BrandReceivable);
        let advanced = self.balance(Account::PlatformAdvance);
        let deposit = self.paid_deposit(body.deposit)?;
        let open = |case: &&mut Case| case.key == body.case && case.open;
        let reversal = deposit.cases.iter_mut().find(open).and_then(|case| case.reversal.take());
        let reversal = reversal.ok_or(missing("reversed case of deposit", body.deposit))?;
        let Reversal { amount, fee, receivable, advance } = reversal;
        deposit.reversed -= amount;
        let owed = receivable.min(brand_owes);
        let repaid = advance.min(advanced);
        step.debit(Account::Provider, amount - repaid);
        step.debit(Account::PlatformAdvance, repaid);
        step.credit(Account::BrandReceivable, owed);
        let fee = if deposit.settled { Minor::ZERO } else { fee };
        deposit.fee_left += fee;
        step.credit(Account::FeeReserve, fee);
        step.credit(Account::CampaignFunds, amount - owed - fee);
        Ok(Applied::Fact(Effect::Reinstated(amount)))
    }

    pub(super) fn platform_advanced(
        &mut self,
        step: &mut Step,
        body: &PlatformAdvanced,
    ) -> Result<Applied, LedgerError> {
        if !body.amount.is_positive() || !are_two(&body.approved_by) {
            return Err(missing("positive amount and two people in entry", step.seq));
        }
        step.debit(Account::Provider, body.amount);
        step.credit(Account::PlatformAdvance, body.amount);
        let expected = Deposit::expected(body.amount, Minor::ZERO, String::new());
        let status = DepositStatus::Confirmed;
        let advance = Deposit { status, settled: true, is_advance: true, ..expected };
        self.deposits.insert(step.seq, advance);
        Ok(Applied::Fact(Effect::Neutral))
    }
}
