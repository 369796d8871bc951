//! Rollup runs: what the fold posted, per touched enrollment.

use serde::{Deserialize, Serialize};

use crate::ids::Seq;
use crate::money::Minor;

/// What one run moved for one enrollment: change of each account in the account's own direction.
/// Stored so that a creator can check it without the entries of others; the fold must arrive at
/// the same figures or the entry is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accrual {
    /// Claw-back, what the creator owes back.
    pub clawback: Minor,
    /// The campaign's funds.
    pub funds: Minor,
    /// Waiting for a decision.
    pub held: Minor,
    /// The creator's money.
    pub payable: Minor,
    /// The platform's fees.
    pub platform_fees: Minor,
}

/// `rollup.accrued`: net effect of entries (scanned, upto] on one enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupAccrued {
    /// What moved.
    pub accrual: Accrual,
    /// The run applied every entry up to this position.
    pub upto: Seq,
}

/// The oldest conversion that is not fully funded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccrualCursor {
    /// Its position.
    pub conversion: Seq,
    /// What of its commission and fee is funded.
    pub funded: Minor,
}

/// `rollup.closed`: the run is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupClosed {
    /// Where accrual stopped; none when all demand is funded.
    pub cursor: Option<AccrualCursor>,
    /// The campaign's funds as the fold saw them after the run.
    pub funds_after: Minor,
    /// The same before the run.
    pub funds_before: Minor,
    /// Commission and fees behind the cursor (over-cap demand), held at 2^53 − 1.
    pub unmet: Minor,
    /// The run applied every entry up to this position.
    pub upto: Seq,
}
