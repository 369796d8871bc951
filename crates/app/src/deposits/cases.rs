//! Money of a deposit that somebody else took away: disputes, and refunds that the product did not order.
//!
//! Each is a case under the provider's id. What the provider shows is compared with what the ledger
//! has of the case, and the difference is booked, so it does not matter which of its events came, in
//! which order, or how often. A creator's account is never touched (design §3).

use sponsorhub_core::deposit::MoneyLeft;
use sponsorhub_core::ids::Seq;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::deposit::ReversalCause;
use sponsorhub_core::ledger::records::{Case, RefundState};
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;

use super::Booked;
use crate::ports::payment::{DisputeProgress, DisputeSeen, Payment, RefundProgress, RefundSeen};
use crate::workers::refund_reference;

/// Books what is new. Whether anything was.
///
/// Whatever is under way freezes at once. Money is moved once the deposit's own fee is known, and case
/// after case in the order in which they began: then the accounts end alike, whoever told what when.
pub(super) fn book(draft: &mut Draft, deposit: Seq, payment: &Payment) -> Result<bool, Refusal> {
    let before = draft.campaign().head();
    let outside = payment.refunds.iter().filter(|refund| !is_ours(draft, refund));
    let refunds =
        outside.map(|refund| (refund.created_at, refund.id.as_str(), Seen::Refund(refund)));
    let disputes = payment.disputes.iter();
    let disputes =
        disputes.map(|dispute| (dispute.created_at, dispute.id.as_str(), Seen::Dispute(dispute)));
    let mut cases: Vec<_> = refunds.chain(disputes).collect();
    cases.sort_by_key(|(created_at, id, _)| (*created_at, *id));
    let known = draft.campaign().deposits().get(&deposit);
    let is_settled = known.is_some_and(|known| known.settled);
    for (_, id, seen) in cases {
        if !seen.amount().is_positive() {
            tracing::warn!(deposit, case = id, "a case about no money was left alone");
            continue;
        }
        let is_new = self::known(draft, deposit, id).is_none();
        if is_new && seen.moved_nothing() {
            continue;
        }
        if is_new {
            draft.dispute_deposit(deposit, id.to_owned(), seen.amount())?;
        }
        if is_settled && self::known(draft, deposit, id).is_some_and(|known| known.open) {
            match seen {
                Seen::Refund(refund) => of_refund(draft, deposit, refund)?,
                Seen::Dispute(dispute) => of_dispute(draft, deposit, dispute)?,
            }
        }
    }
    Ok(draft.campaign().head() > before)
}

/// The provider took back what it had called paid. Final at once (design §3).
pub(super) fn late_failure(
    draft: &mut Draft,
    deposit: Seq,
    payment: &Payment,
) -> Result<Booked, Refusal> {
    let name = format!("failed:{}", payment.payment.as_ref().unwrap_or(&payment.session));
    let amount = rest(draft, deposit);
    if known(draft, deposit, &name).is_some() || !amount.is_positive() {
        return Ok(Booked::Nothing);
    }
    tracing::warn!(deposit, %amount, "a payment failed after it had been paid");
    let left = MoneyLeft {
        case: name,
        amount,
        cause: ReversalCause::LateFailure,
        dispute_fee: Minor::ZERO,
    };
    draft.reverse_deposit(deposit, left)?;
    Ok(Booked::Funds(deposit))
}

/// What took, or may take, money of a deposit.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Refund(&'a RefundSeen),
    Dispute(&'a DisputeSeen),
}

impl Seen<'_> {
    /// Whether it is over and the money never left.
    fn moved_nothing(self) -> bool {
        match self {
            Self::Refund(refund) => refund.progress == RefundProgress::Failed,
            Self::Dispute(one) => one.progress == DisputeProgress::Won && one.withdrawn.is_zero(),
        }
    }

    fn amount(self) -> Minor {
        match self {
            Self::Refund(refund) => refund.amount,
            Self::Dispute(dispute) => dispute.amount,
        }
    }
}

/// Whether the ledger ordered it.
fn is_ours(draft: &Draft, refund: &RefundSeen) -> bool {
    let campaign = draft.campaign();
    let mut ours = campaign.refunds().keys().map(|seq| refund_reference(campaign.id(), *seq));
    refund.reference.as_ref().is_some_and(|reference| ours.any(|known| known == *reference))
}

/// What the provider shows and no entry can say: a refund that failed after it had succeeded, a dispute
/// that was decided a second time. The money is elsewhere than the ledger says, so a person must look.
pub(super) fn contradiction(draft: &Draft, deposit: Seq, payment: &Payment) -> Option<String> {
    let campaign = draft.campaign();
    for seen in payment.refunds.iter().filter(|one| one.progress == RefundProgress::Failed) {
        let mut ours = campaign.refunds().iter().filter(|(seq, _)| {
            seen.reference.as_ref() == Some(&refund_reference(campaign.id(), **seq))
        });
        let is_paid = ours.any(|(_, refund)| refund.state == RefundState::Paid);
        if is_paid || is_gone(draft, deposit, &seen.id) {
            return Some(format!("refund {} failed after it had succeeded", seen.id));
        }
    }
    let has_failed = draft
        .campaign()
        .deposits()
        .get(&deposit)
        .is_some_and(|known| known.cases.iter().any(|case| case.key.starts_with("failed:")));
    if has_failed && payment.is_paid {
        return Some("the payment is paid again after it had failed".to_owned());
    }
    for seen in &payment.disputes {
        let Some(case) = known(draft, deposit, &seen.id).filter(|case| !case.open) else {
            continue;
        };
        let is_gone = case.reversal.is_some();
        let is_back = seen.returned == seen.withdrawn;
        let is_other = match seen.progress {
            DisputeProgress::Won => is_gone && is_back && seen.withdrawn.is_positive(),
            DisputeProgress::Lost => !is_gone && !is_back && rest(draft, deposit).is_positive(),
            DisputeProgress::Open => false,
        };
        if is_other {
            return Some(format!("dispute {} was decided a second time", seen.id));
        }
    }
    None
}

fn known(draft: &Draft, deposit: Seq, case: &str) -> Option<Case> {
    let deposit = draft.campaign().deposits().get(&deposit)?;
    deposit.cases.iter().find(|known| known.key == case).cloned()
}

/// What can still leave of a deposit.
fn rest(draft: &Draft, deposit: Seq) -> Minor {
    let known = draft.campaign().deposits().get(&deposit);
    known.map_or(Minor::ZERO, |known| known.amount - known.reversed)
}

fn is_gone(draft: &Draft, deposit: Seq, case: &str) -> bool {
    known(draft, deposit, case).is_some_and(|known| known.reversal.is_some())
}

fn of_dispute(draft: &mut Draft, deposit: Seq, seen: &DisputeSeen) -> Result<(), Refusal> {
    let case = || seen.id.clone();
    let amount = seen.withdrawn.min(rest(draft, deposit));
    if amount.is_positive() && !is_gone(draft, deposit, &seen.id) {
        let left = MoneyLeft {
            case: case(),
            amount,
            cause: ReversalCause::Dispute,
            dispute_fee: seen.fee,
        };
        draft.reverse_deposit(deposit, left)?;
    }
    let is_gone = is_gone(draft, deposit, &seen.id);
    match seen.progress {
        DisputeProgress::Lost => draft.close_dispute(deposit, case(), false),
        DisputeProgress::Won if !is_gone => draft.close_dispute(deposit, case(), true),
        DisputeProgress::Won if seen.returned == seen.withdrawn => {
            draft.reinstate_deposit(deposit, case())
        }
        // Nobody has decided, or the money is on its way back: it is read again.
        DisputeProgress::Open | DisputeProgress::Won => Ok(()),
    }
}

fn of_refund(draft: &mut Draft, deposit: Seq, seen: &RefundSeen) -> Result<(), Refusal> {
    let amount = seen.amount.min(rest(draft, deposit));
    let case = seen.id.clone();
    match seen.progress {
        RefundProgress::Succeeded if amount.is_positive() => {
            tracing::warn!(deposit, refund = case, %amount, "somebody refunded a deposit");
            let left =
                MoneyLeft { case, amount, cause: ReversalCause::Refund, dispute_fee: Minor::ZERO };
            draft.reverse_deposit(deposit, left)
        }
        // Nothing was left that it could take.
        RefundProgress::Succeeded => draft.close_dispute(deposit, case, false),
        RefundProgress::Failed => draft.close_dispute(deposit, case, true),
        RefundProgress::Pending => Ok(()),
    }
}
