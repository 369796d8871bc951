//! What waits for each job, for operators.

use std::collections::BTreeMap;

use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::{DepositStatus, RefundState};
use sponsorhub_core::time::DAY_MS;

use super::jobs::Job;

/// How far a job is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// How many things wait: conversions and reversals for rollup, else events, deposits, payouts or
    /// refunds.
    pub waiting: u64,
    /// Since when the oldest waits whose time is known, milliseconds.
    pub oldest_at: Option<i64>,
}

impl Lag {
    /// Adds what waits elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.waiting = self.waiting.saturating_add(other.waiting);
        self.oldest_at = self.oldest_at.into_iter().chain(other.oldest_at).min();
    }
}

/// By the name of the job.
pub(super) type Lags = BTreeMap<&'static str, Lag>;

/// Adds what waits in a campaign, whose rollup was last at `rolled_at`, milliseconds.
pub(super) fn add_campaign(lags: &mut Lags, state: &Campaign, rolled_at: Option<i64>) {
    use DisbursementState::{Attempted, Failed, Planned, Unknown};
    let mut add = |job: Job, waiting: usize, oldest_at: Option<i64>| {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        if waiting > 0 {
            lags.entry(job.name()).or_default().add(Lag { waiting, oldest_at });
        }
    };
    // What came since the last rollup is no older than that.
    add(Job::Rollup, state.uncounted(), rolled_at.or(Some(state.at())));
    let open = state.deposits().values().filter(|one| match one.status {
        DepositStatus::Expected => true,
        DepositStatus::Confirmed => !one.settled && !one.is_advance,
        DepositStatus::Failed => false,
    });
    add(Job::Deposits, open.count(), None);
    let is_open = |one| matches!(one, Planned | Attempted | Failed | Unknown);
    let payouts = || state.payouts().values().filter(|one| is_open(one.state));
    let oldest = payouts().map(|one| one.day.saturating_mul(DAY_MS)).min();
    add(Job::Disburse, payouts().count(), oldest);
    let refunds = state.refunds().values().filter(|one| one.state == RefundState::Planned);
    add(Job::Refund, refunds.count(), None);
}
