//! Money out: payouts (what is owed), disbursements (attempts to move it), refunds to the brand.
//! A payout or refund is named by the position of its `planned` entry.

use serde::{Deserialize, Serialize};

use crate::ids::Seq;
use crate::money::Minor;

/// Where a payout's money comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutSource {
    /// Matured earnings.
    Payable,
    /// Earnings that could not be paid before the campaign closed.
    Unclaimed,
}

/// `payout.planned`: amount and backing freeze here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutPlanned {
    /// How much.
    pub amount: Minor,
    /// The UTC day of planning: earnings matured before it are drawn, oldest first.
    pub day: i64,
    /// The one deposit or advance that backs it.
    pub deposit: Seq,
    /// From which account.
    pub source: PayoutSource,
}

/// `payout.cancelled`: by a person, or because the account was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutCancelled {
    /// Which payout.
    pub payout: Seq,
    /// Why.
    pub reason: String,
}

/// `payout.unclaimed`: what a creator earned and cannot be paid yet is set aside at close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutUnclaimed {}

/// `disbursement.attempted`: committed before the provider is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisbursementAttempted {
    /// 1, 2, … per payout.
    pub attempt: u32,
    /// The idempotency key of this attempt.
    pub key: String,
    /// Which payout.
    pub payout: Seq,
}

/// `disbursement.unknown`: no definite answer; the money may have moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisbursementUnknown {
    /// Which attempt.
    pub attempt: u32,
    /// Which payout.
    pub payout: Seq,
    /// What was seen.
    pub reason: String,
}

/// `disbursement.failed`: a definite refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisbursementFailed {
    /// Which attempt.
    pub attempt: u32,
    /// The provider's code.
    pub code: String,
    /// Which payout.
    pub payout: Seq,
}

/// `disbursement.paid`: the transfer exists at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisbursementPaid {
    /// Which attempt.
    pub attempt: u32,
    /// Which payout.
    pub payout: Seq,
    /// The provider's id of the transfer.
    pub transfer: String,
}

/// `disbursement.reversed`: the transfer came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisbursementReversed {
    /// Which payout.
    pub payout: Seq,
    /// Why.
    pub reason: String,
}

/// `refund.planned`: unspent money on its way back to the brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundPlanned {
    /// How much.
    pub amount: Minor,
    /// Of which deposit.
    pub deposit: Seq,
}

/// `refund.paid`: the money is on its way to the brand for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundPaid {
    /// The provider's id of the refund.
    pub provider: String,
    /// Which refund.
    pub refund: Seq,
}

/// `refund.failed`: the money is back in the campaign's funds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundFailed {
    /// The provider's code.
    pub code: String,
    /// Which refund.
    pub refund: Seq,
}

/// `refund.settled_outside`: the operator paid the brand by other means, so the cash at the
/// provider is the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundSettledOutside {
    /// Two distinct persons.
    pub approved_by: Vec<String>,
    /// What proves it, such as a bank reference.
    pub reference: String,
    /// Which refund.
    pub refund: Seq,
}
