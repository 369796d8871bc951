//! What a campaign's state consists of: deposits, enrollments, holds, payouts, refunds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::payout::PayoutSource;
use super::state::DisbursementState;
use crate::campaign::terms::{BaseUnlock, Rate};
use crate::conversion::Membership;
use crate::ids::{EnrollmentId, EnrollmentNo, Seq};
use crate::money::Minor;

/// A case (dispute, outside refund, late failure) on a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The provider's id.
    pub key: String,
    /// Whether it still freezes the campaign.
    pub open: bool,
    /// What left the provider in it, and what that was taken from; none before money left.
    pub reversal: Option<Reversal>,
}

/// Where the money of a reversed deposit was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// All of it.
    pub amount: Minor,
    /// From the deposit's unsettled fee reserve.
    pub fee: Minor,
    /// What the brand owes since.
    pub receivable: Minor,
    /// What the operator's cash covered.
    pub advance: Minor,
}

/// What is known of a deposit's payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositStatus {
    /// Asked for; no verified event yet.
    Expected,
    /// Expired or refused.
    Failed,
    /// Paid, by a verified event.
    Confirmed,
}

/// A deposit or an advance of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Paid in.
    pub amount: Minor,
    /// The part that became campaign funds.
    pub budget_part: Minor,
    /// The session and payment facts a confirmation must repeat; empty for an advance.
    pub session: String,
    /// The provider's id of the payment that confirmed it.
    pub payment: Option<String>,
    /// What is known of the payment.
    pub status: DepositStatus,
    /// Whether the provider's fee is known.
    pub settled: bool,
    /// What left the provider again.
    pub reversed: Minor,
    /// What was or is being refunded to the brand.
    pub refunded: Minor,
    /// What payouts draw on it.
    pub transferred: Minor,
    /// The fee reserve not yet settled or reversed.
    pub fee_left: Minor,
    /// Cases, in order.
    pub cases: Vec<Case>,
    /// Whether it is the operator's own money.
    pub is_advance: bool,
}

impl Enrollment {
    /// Between when its clicks are credited.
    pub fn membership(&self) -> Membership {
        Membership { started_at: self.started_at, ended_at: self.ended_at }
    }
}

impl Deposit {
    /// A deposit of which nothing is known but that it was asked for.
    pub(super) fn expected(amount: Minor, budget_part: Minor, session: String) -> Self {
        Self {
            amount,
            budget_part,
            session,
            payment: None,
            status: DepositStatus::Expected,
            settled: false,
            reversed: Minor::ZERO,
            refunded: Minor::ZERO,
            transferred: Minor::ZERO,
            fee_left: Minor::ZERO,
            cases: Vec::new(),
            is_advance: false,
        }
    }

    /// Whether a verified event confirmed it.
    pub fn is_confirmed(&self) -> bool {
        self.status == DepositStatus::Confirmed
    }

    /// What payouts and refunds may still draw on it (INV-2).
    pub fn capacity(&self) -> Minor {
        if self.is_confirmed() {
            (self.amount - self.reversed - self.refunded - self.transferred).or_zero()
        } else {
            Minor::ZERO
        }
    }
}

/// A creator's deliverable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliverable {
    /// Waits for the brand since then.
    Submitted(i64),
    /// Accepted by the brand or by its silence.
    Accepted,
    /// Declined; may be submitted again.
    Declined,
}

/// A creator's taking part.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// Its id in entries.
    pub id: EnrollmentId,
    /// When it started.
    pub started_at: i64,
    /// When it ended, if it did.
    pub ended_at: Option<i64>,
    /// How many entries concern it.
    pub n: u64,
    /// Fixed pay.
    pub base: Minor,
    /// What unlocks it.
    pub base_unlock: Option<BaseUnlock>,
    /// What of base and fee is still reserved.
    pub base_left: Minor,
    /// The most commission it may earn.
    pub creator_cap: Option<Minor>,
    /// Own rates, or those of the terms.
    pub rates: Option<BTreeMap<String, Rate>>,
    /// Index of the accepted version in the campaign's versions.
    pub accepted: usize,
    /// As accepted.
    pub platform_fee_bps: u32,
    /// As accepted.
    pub netting_share_bps: u32,
    /// The deliverable, with the position of its first submission.
    pub deliverable: Option<(Seq, Deliverable)>,
    /// Whether a rate of its own, or of its terms, has tiers.
    pub(super) counts_tiers: bool,
    /// Times of its conversions in order, where a rate has tiers.
    pub(super) taken_at: Arc<Vec<i64>>,
    /// Commission granted so far under the cap.
    pub(super) granted: Minor,
    /// Earned before the close and not payable then.
    pub unclaimed_left: Minor,
    /// Its units, in ledger order.
    pub(super) units: Arc<Vec<usize>>,
    /// Where in [`Self::units`] the first unit may be that has anything unplanned.
    pub(super) open_from: usize,
}

/// A hold on a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whether it waits for a decision.
    pub open: bool,
    /// When it is released by itself.
    pub deadline: i64,
    /// Whose conversion.
    pub enrollment: EnrollmentNo,
    /// Position of the entry that placed the first hold on this conversion.
    pub first_placed: Seq,
}

/// A payout.
#[derive(Clone, Debug)]
pub struct Payout {
    /// Whose.
    pub enrollment: EnrollmentNo,
    /// How much.
    pub amount: Minor,
    /// The UTC day of planning.
    pub day: i64,
    /// What backs it.
    pub deposit: Seq,
    /// Where the money comes from.
    pub source: PayoutSource,
    /// Units and amounts it draws on.
    pub(super) parts: Arc<Vec<(usize, Minor)>>,
    /// Where its disbursement stands.
    pub state: DisbursementState,
    /// Attempts so far.
    pub attempts: u32,
    /// When the last attempt was committed, milliseconds; 0 before the first.
    pub attempted_at: i64,
}

/// State of a refund to the brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// On its way.
    Planned,
    /// At the brand.
    Paid,
    /// Refused; back in the funds.
    Failed,
    /// Paid by the operator by other means.
    SettledOutside,
}

/// A refund to the brand.
#[derive(Clone, Copy, Debug)]
pub struct Refund {
    /// How much.
    pub amount: Minor,
    /// Of which deposit.
    pub deposit: Seq,
    /// Where it stands.
    pub state: RefundState,
    /// When it was planned, milliseconds.
    pub planned_at: i64,
}

/// What was reversed of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reversed {
    /// Sum of the reversals.
    pub refunded: Minor,
    /// Nothing is left to reverse.
    pub whole: bool,
}
