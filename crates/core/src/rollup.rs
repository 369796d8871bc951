//! Rollup runs: they cut the fold into pieces and append what it posted. Where they cut changes
//! nothing: any split gives the same postings.

use crate::campaign::state::State;
use crate::campaign::terms::OnExhausted;
use crate::ids::Seq;
use crate::ledger::draft::Draft;
use crate::ledger::event::campaign::StateCause;
use crate::ledger::event::rollup::RollupAccrued;
use crate::refusal::Refusal;

impl Draft {
    /// One run over every entry up to `upto`, or to the end. Where nothing waits, nothing is
    /// appended. Returns whether a run was.
    ///
    /// # Errors
    /// Only a bug.
    pub fn rollup(&mut self, upto: Option<Seq>) -> Result<bool, Refusal> {
        let head = self.campaign().head;
        let upto = upto.unwrap_or(head).min(head);
        if !self.campaign().has_unscanned(upto) {
            return Ok(false);
        }
        for no in self.scan_to(upto)? {
            let accrual = self.campaign().run_accrual(no);
            let id = self.campaign().enrollment(no).id;
            self.append(Some(id), RollupAccrued { accrual, upto })?;
        }
        let summary = self.campaign().run_summary(upto);
        self.append(None, summary)?;
        Ok(true)
    }

    /// The run that must come before an entry that takes from the campaign's funds or looks at an
    /// accrual, so that demand before it is met first.
    pub(crate) fn catch_up(&mut self) -> Result<(), Refusal> {
        self.rollup(None).map(drop)
    }

    /// Pauses a live campaign whose free funds are used up, where its terms say so. Returns
    /// whether it did.
    ///
    /// # Errors
    /// Only a bug.
    pub fn pause_if_exhausted(&mut self) -> Result<bool, Refusal> {
        let campaign = self.campaign();
        // Funds that no run has looked at yet are not free and not used up either.
        let exhausted = campaign.frozen == 0
            && campaign.free().is_zero()
            && !campaign.has_unscanned(campaign.head);
        let wanted = campaign.terms().on_exhausted == OnExhausted::Pause;
        if campaign.state() != State::Live || !exhausted || !wanted {
            return Ok(false);
        }
        self.pause(StateCause::Exhausted)?;
        Ok(true)
    }
}
