//! Where the planted bugs of [`Bug`] change what the disbursements do. Without them nothing is changed.

use std::sync::atomic::{AtomicU64, Ordering};

use sponsorhub_core::disbursement::Outcome;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::account::Account;

use crate::deposits::MoneyError;
use crate::desk::Desk;
use crate::planted::Bug;
use crate::ports::payment::TransferOrder;

const DAY_MS: i64 = 86_400_000;

/// How often somebody put a payout back into the queue.
static REQUEUES: AtomicU64 = AtomicU64::new(0);

/// A payout was put back into the queue.
pub(super) fn requeued() {
    if Bug::FreshKeyOnRequeue.is_planted() {
        REQUEUES.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether a doubt is settled without asking the provider. The look-up would hide these bugs.
pub(super) fn skips_look_up(is_old: bool) -> bool {
    let trusts_its_key = [Bug::FreshKeyOnRequeue, Bug::DateInKey, Bug::AmountOfNow];
    if is_old {
        Bug::OldUnknownIsFailed.is_planted()
    } else {
        trusts_its_key.into_iter().any(Bug::is_planted)
    }
}

/// Whether a transfer that was turned away gives its money back and is sent again all the same.
pub(super) fn gives_back(why: &str) -> bool {
    why.contains("429") && Bug::PaidWithoutDebit.is_planted()
}

/// Gives the money of an attempt back.
pub(super) fn give_back(
    desk: &Desk,
    (id, payout, attempt): (CampaignId, Seq, u32),
    now: i64,
) -> Result<(), MoneyError> {
    desk.command(id, now, |draft| {
        draft.record_outcome(payout, attempt, Outcome::Failed("rejected".to_owned()))?;
        draft.cancel_payout(payout, "rejected".to_owned())
    })?;
    Ok(())
}

/// Changes an order.
pub(super) fn with(order: &mut TransferOrder, desk: &Desk, now: i64) -> Result<(), MoneyError> {
    if Bug::FreshKeyOnRequeue.is_planted() {
        order.key = format!("{}:r{}", order.key, REQUEUES.load(Ordering::SeqCst));
    }
    if Bug::DateInKey.is_planted() {
        order.key = format!("{}:d{}", order.key, now.div_euclid(DAY_MS));
    }
    if Bug::AmountOfNow.is_planted() {
        order.amount += desk.look(order.group, |state| state.balance(Account::Payable))?;
    }
    Ok(())
}
