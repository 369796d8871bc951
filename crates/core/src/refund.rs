//! Refunds: unspent money goes back to its brand, newest deposit first.

use crate::ids::Seq;
use crate::ledger::account::Account;
use crate::ledger::draft::Draft;
use crate::ledger::event::oversight::{Adjustment, AdjustmentPair};
use crate::ledger::event::payout::{RefundFailed, RefundPaid, RefundPlanned, RefundSettledOutside};
use crate::ledger::records::RefundState;
use crate::money::Minor;
use crate::refusal::{Refusal, need, two_people};

/// What came of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The provider's refund of this id succeeded.
    Paid(String),
    /// Refused or failed, with this code; the money is in the funds again.
    Failed(String),
    /// The operator paid by other means.
    SettledOutside {
        /// Two different people.
        approved_by: Vec<String>,
        /// What proves it.
        reference: String,
    },
}

impl Draft {
    /// Plans the return of everything left, after it covered what the brand owes. Returns what no
    /// deposit could take back.
    ///
    /// # Errors
    /// [`Refusal`]: too early, frozen, or something is still open.
    pub fn plan_refunds(&mut self) -> Result<Minor, Refusal> {
        let (state, now) = (self.campaign().state(), self.now());
        need(self.campaign().frozen == 0, Refusal::Frozen)?;
        let needs = "cancelled, or past its close with nothing open";
        let refundable = self.campaign().is_refundable(now);
        need(refundable, Refusal::State { command: "plan_refunds", needs, state })?;
        self.catch_up()?;
        let funds = |draft: &Self| draft.campaign().balance(Account::CampaignFunds);
        let owed = funds(self).min(self.campaign().balance(Account::BrandReceivable));
        if owed.is_positive() {
            let (pair, reason) = (AdjustmentPair::SetOff, "brand owes".to_owned());
            let approved_by = Vec::new();
            self.append(None, Adjustment { amount: owed, approved_by, pair, reason })?;
        }
        let mut left = funds(self);
        let newest_first: Vec<_> = self
            .campaign()
            .deposits
            .iter()
            .rev()
            .filter(|(_, deposit)| !deposit.is_advance)
            .map(|(seq, deposit)| (*seq, deposit.capacity()))
            .collect();
        for (deposit, capacity) in newest_first {
            let amount = left.min(capacity);
            if amount.is_positive() {
                self.append(None, RefundPlanned { amount, deposit })?;
                left -= amount;
            }
        }
        Ok(left)
    }

    /// Records what came of a refund.
    ///
    /// # Errors
    /// [`Refusal`]: not on its way, or settled outside without two people.
    pub fn record_refund(&mut self, refund: Seq, outcome: RefundOutcome) -> Result<(), Refusal> {
        let known = self.campaign().refunds.get(&refund);
        let open = known.is_some_and(|refund| refund.state == RefundState::Planned);
        let needs = "must be on its way";
        need(open, Refusal::Thing { what: "refund", seq: refund, needs })?;
        match outcome {
            RefundOutcome::Paid(provider) => self.append(None, RefundPaid { provider, refund }),
            RefundOutcome::Failed(code) => self.append(None, RefundFailed { code, refund }),
            RefundOutcome::SettledOutside { approved_by, reference } => {
                two_people(&approved_by)?;
                self.append(None, RefundSettledOutside { approved_by, reference, refund })
            }
        }
        .map(drop)
    }
}
