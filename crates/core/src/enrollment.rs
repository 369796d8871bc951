//! Enrollments: a creator's accepted terms, deliverables and fixed base.

use std::collections::BTreeMap;

use crate::campaign::state::State;
use crate::campaign::terms::{BaseUnlock, Rate};
use crate::ids::{EnrollmentId, EnrollmentNo};
use crate::ledger::draft::Draft;
use crate::ledger::event::enrollment::{
    BaseEarned, BaseReleased, DeliverableAccepted, DeliverableDeclined, DeliverableSubmitted,
    EnrollmentEnded, EnrollmentStarted, JudgedBy,
};
use crate::ledger::folded::Campaign;
use crate::ledger::records::{Deliverable, Enrollment};
use crate::money::{AMOUNT_MAX, Minor};
use crate::refusal::{Refusal, need};
use crate::time::{DAY_MS, plus_days};

/// Days of a brand's silence after which a deliverable counts as accepted.
pub const SILENCE_DAYS: u32 = 7;

/// What a creator is offered beside the terms; taken from the terms unless agreed otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Fixed pay, 0 for none.
    pub base: Minor,
    /// What unlocks it.
    pub base_unlock: Option<BaseUnlock>,
    /// The most commission this enrollment may earn.
    pub creator_cap: Option<Minor>,
    /// Own rates; none for those of the terms.
    pub rates: Option<BTreeMap<String, Rate>>,
}

impl Campaign {
    /// What the current terms offer to everyone.
    pub fn offer(&self) -> Offer {
        let terms = self.terms();
        Offer {
            base: terms.base,
            base_unlock: terms.base_unlock,
            creator_cap: terms.creator_cap,
            rates: None,
        }
    }

    /// Whole days of Live time between two times.
    fn days_live(&self, since: i64, until: i64) -> i64 {
        let inside = |(from, to): &(i64, Option<i64>)| {
            let to = to.map_or(until, |to| to.min(until));
            to.saturating_sub(since.max(*from)).max(0)
        };
        self.gate.live.iter().map(inside).sum::<i64>() / DAY_MS
    }

    /// Whether the condition of an enrollment's base is met at `at`, on what is scanned.
    pub(crate) fn is_unlocked(&self, no: EnrollmentNo, at: i64) -> bool {
        let enrollment = self.enrollment(no);
        match enrollment.base_unlock {
            Some(BaseUnlock::Conversions(wanted)) => {
                let counted = self.earning_conversions(no).take(as_index(wanted)).count();
                counted >= as_index(wanted)
            }
            Some(BaseUnlock::DaysLive(wanted)) => {
                let until = enrollment.ended_at.unwrap_or(at);
                self.days_live(enrollment.started_at, until) >= i64::from(wanted)
            }
            Some(BaseUnlock::Deliverable) => {
                matches!(enrollment.deliverable, Some((_, Deliverable::Accepted)))
            }
            None => false,
        }
    }

    /// Whether nothing can unlock the base any more at `at`.
    pub(crate) fn may_release_base(&self, no: EnrollmentNo, at: i64) -> bool {
        let over = self.gate.state == State::Completed
            && self.conversions_until().is_some_and(|until| at > until);
        let judged =
            !matches!(self.enrollment(no).deliverable, Some((_, Deliverable::Submitted(_))));
        let held = self.holds.values().any(|hold| hold.open && hold.enrollment == no);
        let given_up = self.gate.state == State::Cancelled;
        (given_up || over && judged && !held) && !self.is_unlocked(no, at)
    }
}

fn as_index(count: u32) -> usize {
    usize::try_from(count).expect("at least 32 bits")
}

fn unknown() -> Refusal {
    Refusal::Enrollment("no creator of this campaign has this id")
}

impl Draft {
    /// An enrollment of this campaign.
    pub(crate) fn enrolled(
        &self,
        id: EnrollmentId,
    ) -> Result<(EnrollmentNo, &Enrollment), Refusal> {
        let no = self.campaign().enrollment_no(id).ok_or(unknown())?;
        Ok((no, self.campaign().enrollment(no)))
    }

    /// A creator accepts the current terms. A base is reserved now or refused, also while earlier
    /// demand is unmet.
    ///
    /// # Errors
    /// [`Refusal`]: another state, frozen, an id already used, an offer out of range, or no free
    /// funds for the base.
    pub fn enroll(&mut self, id: EnrollmentId, offer: Offer) -> Result<(), Refusal> {
        let campaign = self.campaign();
        let state = campaign.state();
        let open = matches!(state, State::Funded | State::Live);
        need(open, Refusal::State { command: "enroll", needs: "funded or live", state })?;
        need(campaign.frozen == 0, Refusal::Frozen)?;
        let fresh = campaign.enrollment_no(id).is_none();
        need(fresh, Refusal::Enrollment("this id is enrolled already"))?;
        let Offer { base, base_unlock, creator_cap, rates } = offer;
        check_offer(base, base_unlock, creator_cap, rates.as_ref())?;
        if base.is_positive() {
            self.catch_up()?;
            let needed = base + base.share(self.campaign().terms().platform_fee_bps);
            let free = self.campaign().free_beyond_demand();
            need(free >= needed, Refusal::Funds { needed, free })?;
        }
        let versions = self.campaign().versions.len();
        let terms_version = u32::try_from(versions).expect("versions are counted in 32 bits");
        let body = EnrollmentStarted { base, base_unlock, creator_cap, rates, terms_version };
        self.append(Some(id), body).map(drop)
    }

    /// No new click of this creator is credited; earlier ones still convert, and what is earned
    /// stays.
    ///
    /// # Errors
    /// [`Refusal`]: unknown, ended before, or a campaign that is closed.
    pub fn end_enrollment(&mut self, id: EnrollmentId) -> Result<(), Refusal> {
        let running = self.enrolled(id)?.1.ended_at.is_none();
        need(running, Refusal::Enrollment("it has ended already"))?;
        let state = self.campaign().state();
        let needs = "not closed";
        need(!state.is_terminal(), Refusal::State { command: "end_enrollment", needs, state })?;
        self.append(Some(id), EnrollmentEnded {}).map(drop)
    }

    /// A creator hands in what the base waits for.
    ///
    /// # Errors
    /// [`Refusal`]: no base waits for a deliverable, one is being judged, or the campaign is over.
    pub fn submit_deliverable(&mut self, id: EnrollmentId) -> Result<(), Refusal> {
        let enrollment = self.enrolled(id)?.1;
        let waits = enrollment.base_left.is_positive()
            && enrollment.base_unlock == Some(BaseUnlock::Deliverable);
        need(waits, Refusal::Enrollment("no base waits for a deliverable"))?;
        let fresh = matches!(enrollment.deliverable, None | Some((_, Deliverable::Declined)));
        need(fresh, Refusal::Enrollment("a deliverable is being judged or was accepted"))?;
        let campaign = self.campaign();
        let state = campaign.state();
        let open = match state {
            State::Funded | State::Live | State::Paused => true,
            State::Completed => campaign.conversions_until().is_some_and(|u| self.now() <= u),
            State::Draft | State::PaidOut | State::Cancelled => false,
        };
        let needs = "running, or within the windows after its end";
        need(open, Refusal::State { command: "submit_deliverable", needs, state })?;
        self.append(Some(id), DeliverableSubmitted {}).map(drop)
    }

    /// The brand accepts a deliverable, or declines it with a reason.
    ///
    /// # Errors
    /// [`Refusal::Enrollment`] unless one is submitted.
    pub fn judge_deliverable(
        &mut self,
        id: EnrollmentId,
        declined: Option<String>,
    ) -> Result<(), Refusal> {
        let deliverable = self.enrolled(id)?.1.deliverable;
        let waits = matches!(deliverable, Some((_, Deliverable::Submitted(_))));
        need(waits, Refusal::Enrollment("no deliverable waits for an answer"))?;
        let state = self.campaign().state();
        let needs = "not closed";
        need(!state.is_terminal(), Refusal::State { command: "judge_deliverable", needs, state })?;
        match declined {
            None => self.append(Some(id), DeliverableAccepted { by: JudgedBy::Brand }),
            Some(reason) => self.append(Some(id), DeliverableDeclined { reason }),
        }
        .map(drop)
    }

    /// The reconciler of bases: silence accepts a deliverable, an unlocked base is earned, and one
    /// that was never unlocked goes back once the windows are over.
    ///
    /// # Errors
    /// Only a bug.
    pub fn settle_bases(&mut self) -> Result<(), Refusal> {
        self.accept_by_silence()?;
        let campaign = self.campaign();
        let runs = matches!(campaign.state(), State::Live | State::Paused | State::Completed);
        let with_base =
            |(_, enrollment): &(EnrollmentNo, &Enrollment)| enrollment.base_left.is_positive();
        let waiting: Vec<_> =
            campaign.numbered_enrollments().filter(with_base).map(|(no, e)| (no, e.id)).collect();
        if waiting.is_empty() || !runs {
            return Ok(());
        }
        self.catch_up()?;
        for (no, id) in waiting {
            if self.campaign().is_unlocked(no, self.now()) {
                self.append(Some(id), BaseEarned {})?;
            } else if self.campaign().may_release_base(no, self.now()) {
                self.append(Some(id), BaseReleased {})?;
            }
        }
        Ok(())
    }

    fn accept_by_silence(&mut self) -> Result<(), Refusal> {
        let now = self.now();
        if self.campaign().state().is_terminal() {
            return Ok(());
        }
        let silent = |enrollment: &Enrollment| match enrollment.deliverable {
            Some((first, Deliverable::Submitted(at))) if now >= plus_days(at, SILENCE_DAYS) => {
                Some((first, enrollment.id))
            }
            _ => None,
        };
        let mut due: Vec<_> = self.campaign().enrollments.iter().filter_map(silent).collect();
        due.sort_unstable();
        for (_, id) in due {
            self.append(Some(id), DeliverableAccepted { by: JudgedBy::Silence })?;
        }
        Ok(())
    }
}

fn check_offer(
    base: Minor,
    base_unlock: Option<BaseUnlock>,
    creator_cap: Option<Minor>,
    rates: Option<&BTreeMap<String, Rate>>,
) -> Result<(), Refusal> {
    let fits = |amount: Minor| !amount.is_negative() && amount <= AMOUNT_MAX;
    let fix = "0 to 10^11 minor units";
    need(fits(base), Refusal::Field { field: "base", fix })?;
    need(creator_cap.is_none_or(fits), Refusal::Field { field: "creator_cap", fix })?;
    let unlocks = base.is_zero() || base_unlock.is_some();
    let fix = "a base needs a condition that unlocks it";
    need(unlocks, Refusal::Field { field: "base_unlock", fix })?;
    match rates {
        Some(rates) => Ok(crate::campaign::terms::check_rates(rates)?),
        None => Ok(()),
    }
}
