//! Money of a deposit that somebody else took away: disputes, and refunds that the product did not order.
//!
//! Each is a case under the provider's id. What the provider shows is compared with what the ledger
//! has of the case, and the difference is booked, so it does not matter which of its events came, in
//! which order, or how often. A creator's account is never touched (design §3).

use sponsorhub_core::deposit::MoneyLeft;
use sponsorhub_core::ids::Seq;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::deposit::ReversalCause;
use sponsorhub_core::ledger::records::Case;
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;

use crate::ports::payment::{DisputeProgress, DisputeSeen, Payment, RefundProgress, RefundSeen};
use crate::workers::refund_reference;

/// Books what is new. Whether anything was.
pub(super) fn book(draft: &mut Draft, deposit: Seq, payment: &Payment) -> Result<bool, Refusal> {
    let before = draft.campaign().head();
    for dispute in &payment.disputes {
        of_dispute(draft, deposit, dispute)?;
    }
    for refund in &payment.refunds {
        if !is_ours(draft, refund) {
            of_refund(draft, deposit, refund)?;
        }
    }
    Ok(draft.campaign().head() > before)
}

/// Whether the ledger ordered it.
fn is_ours(draft: &Draft, refund: &RefundSeen) -> bool {
    let campaign = draft.campaign();
    let mut ours = campaign.refunds().keys().map(|seq| refund_reference(campaign.id(), *seq));
    refund.reference.as_ref().is_some_and(|reference| ours.any(|known| known == *reference))
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

fn of_dispute(draft: &mut Draft, deposit: Seq, seen: &DisputeSeen) -> Result<(), Refusal> {
    let case = || seen.id.clone();
    if known(draft, deposit, &seen.id).is_none() {
        if seen.progress == DisputeProgress::Won && seen.taken.is_zero() {
            // It began and ended unseen.
            return Ok(());
        }
        draft.dispute_deposit(deposit, case(), seen.amount)?;
    }
    let is_gone = |draft: &Draft| {
        known(draft, deposit, &seen.id).is_some_and(|known| known.reversal.is_some())
    };
    if !known(draft, deposit, &seen.id).is_some_and(|known| known.open) {
        return Ok(());
    }
    let amount = seen.taken.min(rest(draft, deposit));
    if amount.is_positive() && !is_gone(draft) {
        let left = MoneyLeft {
            case: case(),
            amount,
            cause: ReversalCause::Dispute,
            dispute_fee: seen.fee,
        };
        draft.reverse_deposit(deposit, left)?;
    }
    match seen.progress {
        DisputeProgress::Lost => draft.close_dispute(deposit, case(), false),
        DisputeProgress::Won if !is_gone(draft) => draft.close_dispute(deposit, case(), true),
        DisputeProgress::Won if seen.taken.is_zero() => draft.reinstate_deposit(deposit, case()),
        // Nobody has decided, or the money is on its way back and another event tells.
        DisputeProgress::Open | DisputeProgress::Won => Ok(()),
    }
}

/// A refund on its way is a case without an outcome: the money may yet stay.
fn of_refund(draft: &mut Draft, deposit: Seq, seen: &RefundSeen) -> Result<(), Refusal> {
    let known = known(draft, deposit, &seen.id);
    let amount = seen.amount.min(rest(draft, deposit));
    match (seen.progress, known) {
        (RefundProgress::Succeeded, known)
            if known.as_ref().is_none_or(|known| known.open) && amount.is_positive() =>
        {
            tracing::warn!(deposit, refund = seen.id, %amount, "somebody refunded a deposit");
            let left = MoneyLeft {
                case: seen.id.clone(),
                amount,
                cause: ReversalCause::Refund,
                dispute_fee: Minor::ZERO,
            };
            draft.reverse_deposit(deposit, left)
        }
        (RefundProgress::Pending, None) => {
            draft.dispute_deposit(deposit, seen.id.clone(), seen.amount)
        }
        (RefundProgress::Failed, Some(known)) if known.open => {
            draft.close_dispute(deposit, seen.id.clone(), true)
        }
        _ => Ok(()),
    }
}
