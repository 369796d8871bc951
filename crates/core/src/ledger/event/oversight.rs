//! Corrections and questions: adjustments, claims, erasure.

use serde::{Deserialize, Serialize};

use crate::ids::Seq;
use crate::money::Minor;

/// The only pairs of accounts that an adjustment may move money between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentPair {
    /// Goodwill or correction: free funds to a creator.
    FundsToPayable,
    /// Free funds cover what the brand owes.
    SetOff,
    /// A claw-back that nothing will pay is given up at close; the brand bears it.
    WriteOff,
}

/// `adjustment`: a compensating entry between an allowed pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// How much.
    pub amount: Minor,
    /// Who agreed; two distinct persons above the limit.
    pub approved_by: Vec<String>,
    /// Which accounts.
    pub pair: AdjustmentPair,
    /// Why.
    pub reason: String,
}

/// `claim.opened`: a creator asks about something; named by the position of this entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimOpened {
    /// Stable code of what is asked.
    pub about: String,
}

/// `claim.answered`: someone looked and said what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimAnswered {
    /// Stable code of the answer.
    pub answer: String,
    /// Which claim.
    pub claim: Seq,
}

/// `claim.expired`: silence, recorded and never paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimExpired {
    /// Which claim.
    pub claim: Seq,
}

/// `erasure.done`: the side table that told who an enrollment is was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureDone {}
