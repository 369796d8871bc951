//! Rollup, holds, bases, the end, payouts and the close: everything that time alone makes due.

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::Minor;
use sponsorhub_core::payout::IsPayable;
use sponsorhub_core::refusal::Refusal;

use super::{Workers, is_within};
use crate::deposits::MoneyError;
use crate::recipients;

/// Steps of a close in one command: each does all it can, so a few are enough.
const CLOSE_STEPS_MAX: usize = 8;

/// How often a creator who is owed money and cannot be paid is asked after, milliseconds: the event
/// that would tell may have been lost.
const ASK_AGAIN_MS: i64 = 3_600_000;

impl Workers {
    /// Brings a campaign up to `now` as far as the pace allows; whether anything was appended.
    pub(super) async fn advance(&self, id: CampaignId, now: i64) -> Result<usize, MoneyError> {
        let last = self.with(|memory| memory.advanced_at.get(&id).copied());
        if last.is_some_and(|last| is_within(self.pace.rollup_ms, last, now)) {
            return Ok(0);
        }
        let payable = self.payable(id, now).await?;
        let is_payable = |enrollment: EnrollmentId| payable.binary_search(&enrollment).is_ok();
        // A refund that the provider refused is planned again, after a pause and not at once.
        let may_close = self.is_due((id, 0), now);
        let (appended, shortage) = self.desk.command(id, now, |draft| {
            let shortage = everything_due(draft, &is_payable, may_close)?;
            Ok((draft.entries().len(), shortage))
        })?;
        if shortage.is_positive() {
            tracing::warn!(%id, %shortage, "no deposit backs this much; the operator must advance it");
        }
        self.with(|memory| memory.advanced_at.insert(id, now));
        Ok(appended)
    }

    /// Whether a campaign runs although its end is there.
    pub(super) fn ends(&self, id: CampaignId, now: i64) -> bool {
        let ends = self.desk.look(id, |state| runs(state) && now >= state.terms().ends_at);
        ends.unwrap_or_default()
    }

    /// Ends a campaign at its time and does nothing else, where the job that would is paused: a brand's money
    /// is promised until then and no longer.
    pub(super) fn end(&self, id: CampaignId, now: i64) -> Result<usize, MoneyError> {
        let appended = self.desk.command(id, now, |draft| {
            if runs(draft.campaign()) {
                draft.complete(StateCause::EndsAt)?;
            }
            Ok(draft.entries().len())
        });
        Ok(appended?)
    }

    /// Enrollments whose creator can be paid, in order. Who is owed something and cannot is asked after
    /// now and then.
    async fn payable(&self, id: CampaignId, now: i64) -> Result<Vec<EnrollmentId>, MoneyError> {
        let mut payable = Vec::new();
        for (enrollment, recipient) in recipients::of_campaign(&self.desk, id)? {
            let is_old = !is_within(ASK_AGAIN_MS, recipient.checked_at, now);
            let mut may_receive = recipient.may_receive;
            if !may_receive && is_old {
                let account = &recipient.account;
                let fresh = recipients::refresh(&self.desk, &*self.provider, account, now).await?;
                may_receive = fresh.is_some_and(|fresh| fresh.may_receive);
            }
            if may_receive {
                payable.push(enrollment);
            }
        }
        Ok(payable)
    }
}

fn runs(campaign: &Campaign) -> bool {
    matches!(campaign.state(), State::Live | State::Paused)
}

/// What no deposit could back is returned.
fn everything_due(
    draft: &mut Draft,
    is_payable: IsPayable<'_>,
    may_close: bool,
) -> Result<Minor, Refusal> {
    let mut shortage = Minor::ZERO;
    draft.rollup(None)?;
    if runs(draft.campaign()) || draft.campaign().state() == State::Completed {
        draft.expire_holds()?;
        draft.settle_bases()?;
    }
    if runs(draft.campaign()) && draft.now() >= draft.campaign().terms().ends_at {
        draft.complete(StateCause::EndsAt)?;
    }
    draft.pause_if_exhausted()?;
    let closes = draft.campaign().closes_at().is_some_and(|closes| draft.now() > closes);
    if (runs(draft.campaign()) || draft.campaign().state() == State::Completed) && !closes {
        shortage += draft.plan_payouts(is_payable, false)?;
    }
    let is_over = draft.campaign().state().is_terminal();
    if is_over || (draft.campaign().state() == State::Completed && closes) {
        give_up(draft, is_payable)?;
    }
    shortage += unclaimed(draft, is_payable)?;
    if may_close {
        for _ in 0..CLOSE_STEPS_MAX {
            let before = draft.entries().len();
            let closing = draft.close_step(is_payable)?;
            if closing.is_done || draft.entries().len() == before {
                shortage += closing.shortage;
                break;
            }
        }
    }
    Ok(shortage)
}

/// A payout to an account that takes no transfers any more holds up no close: what it was for is owed as
/// before, and set aside.
fn give_up(draft: &mut Draft, is_payable: IsPayable<'_>) -> Result<(), Refusal> {
    use DisbursementState::{Failed, Planned};
    let campaign = draft.campaign();
    let waiting = campaign.payouts().iter().filter(|(_, payout)| {
        let id = campaign.enrollment(payout.enrollment).id;
        matches!(payout.state, Planned | Failed) && !is_payable(id)
    });
    let waiting: Vec<_> = waiting.map(|(seq, _)| *seq).collect();
    for payout in waiting {
        draft.cancel_payout(payout, "account_not_ready".to_owned())?;
    }
    Ok(())
}

/// Who could not be paid at the close and can be now.
fn unclaimed(draft: &mut Draft, is_payable: IsPayable<'_>) -> Result<Minor, Refusal> {
    let mut shortage = Minor::ZERO;
    if !matches!(draft.campaign().state(), State::PaidOut | State::Cancelled) {
        return Ok(shortage);
    }
    let waiting: Vec<EnrollmentId> = draft
        .campaign()
        .enrollments()
        .iter()
        .filter(|enrollment| enrollment.unclaimed_left.is_positive() && is_payable(enrollment.id))
        .map(|enrollment| enrollment.id)
        .collect();
    for enrollment in waiting {
        shortage += draft.plan_unclaimed(enrollment, is_payable)?;
    }
    Ok(shortage)
}
