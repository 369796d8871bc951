//! Rollup runs: an entry says what the fold moved, and the fold must agree (INV-10).

use super::super::error::LedgerError;
use super::super::event::rollup::{Accrual, RollupAccrued, RollupClosed};
use super::super::folded::Campaign;
use super::{Applied, Step};
use crate::ids::Seq;

fn disagreement(said: &impl std::fmt::Debug, computed: &impl std::fmt::Debug) -> LedgerError {
    LedgerError::Recomputed { said: format!("{said:?}"), computed: format!("{computed:?}") }
}

impl Campaign {
    pub(super) fn rollup_accrued(
        &mut self,
        step: &mut Step,
        body: &RollupAccrued,
    ) -> Result<Applied, LedgerError> {
        self.advance_to(body.upto)?;
        let changes = self.fold.take_run_of(step.whose()?);
        let computed = Accrual::of(&changes);
        if computed != body.accrual {
            return Err(disagreement(&body.accrual, &computed));
        }
        step.moved = changes;
        Ok(Applied::Run)
    }

    pub(super) fn rollup_closed(&mut self, body: &RollupClosed) -> Result<Applied, LedgerError> {
        self.advance_to(body.upto)?;
        let computed = self.run_summary(body.upto);
        if computed != *body {
            return Err(disagreement(body, &computed));
        }
        if !self.fold.close_run() {
            return Err(disagreement(&"a complete run", &"further accruals"));
        }
        Ok(Applied::Run)
    }

    /// What `rollup.closed` says of the run that has advanced to `upto`.
    pub(crate) fn run_summary(&self, upto: Seq) -> RollupClosed {
        RollupClosed {
            cursor: self.accrual_cursor(),
            funds_after: self.fold.funds,
            funds_before: self.fold.funds_before,
            unmet: self.unmet(),
            upto,
        }
    }
}
