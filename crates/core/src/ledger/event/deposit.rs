//! Money in: a brand's deposits and what the provider later says of them. A deposit is named by
//! the position of its `deposit.expected` (or `platform.advanced`) entry.

use serde::{Deserialize, Serialize};

use super::campaign::Mode;
use crate::ids::Seq;
use crate::money::{Currency, Minor};

/// `deposit.expected`: a checkout session was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositExpected {
    /// What the brand is asked to pay.
    pub amount: Minor,
    /// The part that becomes campaign funds; the rest is kept for the provider's fee.
    pub budget_part: Minor,
    /// The campaign's currency.
    pub currency: Currency,
    /// The world the session lives in.
    pub mode: Mode,
    /// The provider's id of the session.
    pub session: String,
}

/// `deposit.failed`: the session expired or the payment failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositFailed {
    /// Which deposit.
    pub deposit: Seq,
    /// The provider's word for it.
    pub reason: String,
}

/// `deposit.confirmed`: paid, and re-read from the provider with every fact as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositConfirmed {
    /// Which deposit.
    pub deposit: Seq,
    /// The provider's id of the payment.
    pub payment: String,
}

/// `deposit.settled`: the provider's fee and the day the money is available are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositSettled {
    /// When the money is available, milliseconds.
    pub available_on: i64,
    /// Which deposit.
    pub deposit: Seq,
    /// What the provider kept.
    pub fee: Minor,
}

/// `deposit.disputed`: a dispute was opened; freezes the campaign until that case is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositDisputed {
    /// What is in dispute.
    pub amount: Minor,
    /// The provider's id of the case.
    pub case: String,
    /// Which deposit.
    pub deposit: Seq,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// For the brand's money: it is back or never left.
    Won,
    /// The money stays away.
    Lost,
    /// Never a dispute: an outside refund or a late failure, final at once.
    Final,
}

/// `deposit.dispute_closed`: clears the freeze of that case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositDisputeClosed {
    /// The provider's id of the case.
    pub case: String,
    /// Which deposit.
    pub deposit: Seq,
    /// How it ended.
    pub outcome: DisputeOutcome,
}

/// Why money of a deposit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalCause {
    /// A dispute withdrew it.
    Dispute,
    /// Someone refunded it at the provider.
    Refund,
    /// A delayed payment method failed after all.
    LateFailure,
}

/// `deposit.reversed`: money of a deposit left the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositReversed {
    /// How much left.
    pub amount: Minor,
    /// The provider's id of the case.
    pub case: String,
    /// Why.
    pub cause: ReversalCause,
    /// Which deposit.
    pub deposit: Seq,
    /// What the provider charges for the dispute; the operator's cost.
    pub dispute_fee: Minor,
}

/// `deposit.reinstated`: the money of a case came back, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositReinstated {
    /// The provider's id of the case.
    pub case: String,
    /// Which deposit.
    pub deposit: Seq,
}

/// `platform.advanced`: the operator's own money. It backs payouts as a deposit of its amount
/// would, and is never refunded to the brand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformAdvanced {
    /// How much.
    pub amount: Minor,
    /// Two distinct persons.
    pub approved_by: Vec<String>,
}
