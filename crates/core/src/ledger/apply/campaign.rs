//! Terms and states.

use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::super::error::LedgerError;
use super::super::event::campaign::{CampaignStateChanged, TermsSet};
use super::super::fold::Effect;
use super::super::folded::{Campaign, TermsVersion};
use super::{Applied, Step, missing};
use crate::campaign::state::State;
use crate::campaign::terms::Terms;
use crate::time::plus_days;

impl Campaign {
    pub(super) fn terms_set(&mut self, body: &TermsSet) -> Result<Applied, LedgerError> {
        let next = self.versions.len().saturating_add(1);
        if usize::try_from(body.version) != Ok(next) {
            return Err(LedgerError::Terms("the version is not the next one"));
        }
        if let Some(field) = self.terms().frozen_difference(&body.terms) {
            return Err(LedgerError::Terms(field));
        }
        let open =
            matches!(self.gate.state, State::Draft | State::Funded | State::Live | State::Paused);
        if !open || body.terms.budget < self.terms().budget {
            return Err(LedgerError::Terms("budget"));
        }
        if body.terms_hash != HEXLOWER.encode(&body.terms.hash()) {
            return Err(LedgerError::Terms("terms_hash"));
        }
        if body.effective_at < self.earliest_effect(&body.terms, self.at) {
            return Err(LedgerError::Terms("effective_at"));
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
        if !self.gate.state.may_become(body.to) {
            return Err(LedgerError::Edge { from: self.gate.state, to: body.to });
        }
        let (confirmed, budget) = (self.confirmed_budget(), self.terms().budget);
        let gated = self.gate.state == State::Funded && body.to == State::Live;
        if (gated || body.to == State::Funded) && (confirmed < budget || self.frozen > 0) {
            return Err(LedgerError::Unfunded { confirmed, budget });
        }
        match body.to {
            State::Cancelled => self.caught_up(step)?,
            State::PaidOut => self.closable(step)?,
            State::Draft | State::Funded | State::Live | State::Paused | State::Completed => {}
        }
        self.gate.apply(self.at, body.to);
        Ok(Applied::Fact(if body.to.is_terminal() { Effect::Lapse } else { Effect::Neutral }))
    }

    /// A campaign is paid out when nothing is left in it.
    fn closable(&self, step: &Step) -> Result<(), LedgerError> {
        let done = self.is_settled() && self.is_closing() && self.is_quiet();
        if done { Ok(()) } else { Err(missing("settled campaign at entry", step.seq)) }
    }

    /// From when rates of these terms may count if they are set at `at`: at once, or after the
    /// notice where they cut what is in force then.
    pub(crate) fn earliest_effect(&self, terms: &Terms, at: i64) -> i64 {
        let in_force = self.versions.iter().rev().find(|version| version.effective_at <= at);
        let is_cut = in_force.is_some_and(|version| {
            let mut rates = version.terms.rates.iter();
            rates.any(|(name, rate)| terms.rates.get(name).is_none_or(|next| rate.is_cut_by(next)))
        });
        if is_cut { plus_days(at, self.terms().notice_days) } else { at }
    }
}
