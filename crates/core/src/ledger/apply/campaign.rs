//! Terms and states.

use std::sync::Arc;

use super::super::error::LedgerError;
use super::super::event::campaign::{CampaignStateChanged, TermsSet};
use super::super::fold::Effect;
use super::super::folded::{Campaign, TermsVersion};
use super::{Applied, Step};
use crate::campaign::state::State;

impl Campaign {
    pub(super) fn terms_set(&mut self, body: &TermsSet) -> Result<Applied, LedgerError> {
        let next = self.versions.len().saturating_add(1);
        if usize::try_from(body.version) != Ok(next) {
            return Err(LedgerError::Terms("the version is not the next one"));
        }
        if let Some(field) = self.terms().frozen_difference(&body.terms) {
            return Err(LedgerError::Terms(field));
        }
        let terms = Arc::new(body.terms.clone());
        self.versions.push(TermsVersion { effective_at: body.effective_at, terms });
        Ok(Applied::Fact(Effect::Budget(body.terms.budget)))
    }

    pub(super) fn state_changed(
        &mut self,
        step: &mut Step,
        body: &CampaignStateChanged,
    ) -> Result<Applied, LedgerError> {
        if !self.state.may_become(body.to) {
            return Err(LedgerError::Edge { from: self.state, to: body.to });
        }
        if let Some((_, until @ None)) = self.live.last_mut() {
            *until = Some(self.at);
        }
        match body.to {
            State::Live => self.live.push((self.at, None)),
            State::Completed => self.ended_at = Some(self.at),
            State::Cancelled => self.caught_up(step)?,
            State::Draft | State::Funded | State::Paused | State::PaidOut => {}
        }
        self.state = body.to;
        Ok(Applied::Fact(if body.to.is_terminal() { Effect::Lapse } else { Effect::Neutral }))
    }
}
