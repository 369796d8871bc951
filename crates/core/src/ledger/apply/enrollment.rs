//! A creator's taking part: start and end, deliverables, fixed base.

use std::sync::Arc;

use super::super::account::Account;
use super::super::error::LedgerError;
use super::super::event::enrollment::EnrollmentStarted;
use super::super::fold::Effect;
use super::super::folded::Campaign;
use super::super::kind::Body;
use super::super::records::{Deliverable, Enrollment};
use super::super::unit::{Unit, UnitKind};
use super::{Applied, Step, missing};
use crate::campaign::terms::Rate;
use crate::ids::EnrollmentNo;
use crate::money::Minor;

impl Campaign {
    pub(super) fn enrollment_step(
        &mut self,
        step: &mut Step,
        body: &Body,
    ) -> Result<Applied, LedgerError> {
        let no = step.whose()?;
        let used = Ok(Applied::Fact(Effect::Use));
        match body {
            Body::EnrollmentEnded(_) => {
                let at = self.at;
                let enrollment = self.enrollment_mut(no);
                if enrollment.ended_at.replace(at).is_some() {
                    return Err(missing("running enrollment at entry", step.seq));
                }
            }
            Body::DeliverableSubmitted(_) => {
                let submitted = Deliverable::Submitted(self.at);
                let enrollment = self.enrollment_mut(no);
                match &mut enrollment.deliverable {
                    none @ None => *none = Some((step.seq, submitted)),
                    Some((_, state @ Deliverable::Declined)) => *state = submitted,
                    Some(_) => return Err(missing("declined deliverable at entry", step.seq)),
                }
            }
            Body::DeliverableAccepted(_) => self.judge(step, no, Deliverable::Accepted)?,
            Body::DeliverableDeclined(_) => self.judge(step, no, Deliverable::Declined)?,
            Body::BaseEarned(_) => {
                self.base_earned(step, no)?;
                return used;
            }
            Body::BaseReleased(_) => {
                if !self.may_release_base(no, self.at) {
                    return Err(missing("base that nothing can unlock at entry", step.seq));
                }
                let reserve = self.take_reserve(step, no)?;
                step.debit(Account::BaseReserve, reserve);
                step.credit(Account::CampaignFunds, reserve);
                return used;
            }
            Body::EnrollmentStarted(started) => {
                self.enrollment_started(step, no, started)?;
                return used;
            }
            _ => return Err(LedgerError::Enrollment),
        }
        Ok(Applied::Fact(Effect::Neutral))
    }

    fn enrollment_started(
        &mut self,
        step: &mut Step,
        no: EnrollmentNo,
        body: &EnrollmentStarted,
    ) -> Result<(), LedgerError> {
        let accepted = usize::try_from(body.terms_version).ok().and_then(|v| v.checked_sub(1));
        let version = accepted.and_then(|index| Some((index, self.versions.get(index)?)));
        let (accepted, version) = version.ok_or(LedgerError::Terms("no such version"))?;
        let (platform_fee_bps, netting_share_bps) =
            (version.terms.platform_fee_bps, version.terms.netting_share_bps);
        let reserve = body.base + body.base.share(platform_fee_bps);
        if reserve.is_positive() {
            self.caught_up(step)?;
        }
        step.debit(Account::CampaignFunds, reserve);
        step.credit(Account::BaseReserve, reserve);
        let id = step.id.ok_or(LedgerError::Enrollment)?;
        let counts_tiers = match &body.rates {
            Some(rates) => rates.values().any(Rate::has_tiers),
            None => self.terms().has_tiers(),
        };
        self.enrollment_numbers.insert(id, no);
        self.enrollments.push(Enrollment {
            id,
            started_at: self.at,
            ended_at: None,
            n: 0,
            base: body.base,
            base_unlock: body.base_unlock,
            base_left: reserve,
            creator_cap: body.creator_cap,
            rates: body.rates.clone(),
            accepted,
            platform_fee_bps,
            netting_share_bps,
            deliverable: None,
            counts_tiers,
            taken_at: Arc::default(),
            granted: Minor::ZERO,
            unclaimed_left: Minor::ZERO,
            units: Arc::default(),
            open_from: 0,
        });
        Ok(())
    }

    fn judge(
        &mut self,
        step: &Step,
        no: EnrollmentNo,
        verdict: Deliverable,
    ) -> Result<(), LedgerError> {
        match &mut self.enrollment_mut(no).deliverable {
            Some((_, state @ Deliverable::Submitted(_))) => {
                *state = verdict;
                Ok(())
            }
            _ => Err(missing("submitted deliverable at entry", step.seq)),
        }
    }

    fn take_reserve(&mut self, step: &mut Step, no: EnrollmentNo) -> Result<Minor, LedgerError> {
        self.caught_up(step)?;
        let reserve = std::mem::take(&mut self.enrollment_mut(no).base_left);
        if reserve.is_positive() { Ok(reserve) } else { Err(missing("base at entry", step.seq)) }
    }

    fn base_earned(&mut self, step: &mut Step, no: EnrollmentNo) -> Result<(), LedgerError> {
        if !self.is_unlocked(no, self.at) {
            return Err(missing("unlocked base at entry", step.seq));
        }
        let reserve = self.take_reserve(step, no)?;
        let base = self.enrollment(no).base;
        step.debit(Account::BaseReserve, reserve);
        step.credit(Account::Payable, base);
        step.credit(Account::PlatformFees, reserve - base);
        self.add_unit(Unit::matured(step.seq, no, UnitKind::Base, base, reserve - base));
        Ok(())
    }

    /// Adds a unit that is earned as it stands.
    pub(super) fn add_unit(&mut self, unit: Unit) {
        let no = unit.enrollment;
        let index = self.units.push(unit);
        Arc::make_mut(&mut self.enrollment_mut(no).units).push(index);
    }
}
