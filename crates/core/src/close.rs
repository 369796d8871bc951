//! The close: after the last window everyone is paid, what is left goes back, and the campaign is
//! paid out with its accounts at zero.

use crate::campaign::state::State;
use crate::ids::{EnrollmentId, EnrollmentNo};
use crate::ledger::account::Account;
use crate::ledger::draft::Draft;
use crate::ledger::event::oversight::{Adjustment, AdjustmentPair};
use crate::ledger::event::payout::PayoutUnclaimed;
use crate::money::Minor;
use crate::payout::IsPayable;
use crate::refusal::Refusal;

/// Where the close stands after one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Whether the campaign is closed.
    pub is_done: bool,
    /// What the operator must advance before it can go on.
    pub shortage: Minor,
}

impl Draft {
    /// One step of the close worker; repeated until it is done. It waits by itself for periods,
    /// holds, claims, disputes and disbursements under way.
    ///
    /// # Errors
    /// Only a bug.
    pub fn close_step(&mut self, is_payable: IsPayable<'_>) -> Result<Closing, Refusal> {
        let campaign = self.campaign();
        let due = campaign.closes_at().is_some_and(|closes| self.now() > closes);
        if campaign.state() == State::Completed && due {
            return self.close_completed(is_payable);
        }
        let is_done = campaign.state().is_terminal();
        let leftover = campaign.balance(Account::CampaignFunds).is_positive();
        if is_done && leftover && campaign.is_refundable(self.now()) {
            let shortage = self.plan_refunds()?;
            return Ok(Closing { is_done, shortage });
        }
        Ok(Closing { is_done, shortage: Minor::ZERO })
    }

    fn close_completed(&mut self, is_payable: IsPayable<'_>) -> Result<Closing, Refusal> {
        self.expire_holds()?;
        self.settle_bases()?;
        let mut shortage = self.plan_payouts(is_payable, true)?;
        if self.campaign().is_quiet() && shortage.is_zero() {
            self.set_aside_and_write_off(is_payable)?;
            let payable = self.campaign().balance(Account::Payable);
            if self.campaign().is_refundable(self.now()) && payable.is_zero() {
                shortage = self.plan_refunds()?;
            }
            if self.campaign().is_settled() {
                self.paid_out()?;
            }
        }
        Ok(Closing { is_done: self.campaign().state() == State::PaidOut, shortage })
    }

    /// What a creator who cannot be paid has earned stays owed as unclaimed; a claw-back that no
    /// earnings will pay is the brand's loss.
    fn set_aside_and_write_off(&mut self, is_payable: IsPayable<'_>) -> Result<(), Refusal> {
        let all: Vec<(EnrollmentNo, EnrollmentId)> =
            self.campaign().numbered_enrollments().map(|(no, e)| (no, e.id)).collect();
        for (no, id) in all {
            let balance = |draft: &Self, account| draft.campaign().balances.of(account, no);
            if balance(self, Account::Payable).is_positive() && !is_payable(id) {
                self.append(Some(id), PayoutUnclaimed {})?;
            }
            let amount = balance(self, Account::Clawback);
            if amount.is_positive() && balance(self, Account::Payable).is_zero() {
                let (pair, reason) = (AdjustmentPair::WriteOff, "closed".to_owned());
                let approved_by = Vec::new();
                self.append(Some(id), Adjustment { amount, approved_by, pair, reason })?;
            }
        }
        Ok(())
    }
}
