//! Commands that move a campaign along the edges of [`super::state::TRANSITIONS`] and set its
//! terms. Each evaluates its guard on folded state, so guards cannot race.

use data_encoding::HEXLOWER;

use super::state::{Command, State};
use super::terms::{Terms, TermsError};
use crate::ids::{BrandId, CampaignId};
use crate::ledger::draft::Draft;
use crate::ledger::event::campaign::{
    CampaignOpened, CampaignStateChanged, Mode, StateCause, TermsSet,
};
use crate::ledger::event::enrollment::{BaseEarned, BaseReleased};
use crate::ledger::event::payout::PayoutUnclaimed;
use crate::ledger::folded::Campaign;
use crate::money::Minor;
use crate::refusal::{Refusal, need};
use crate::time::plus_days;

/// A campaign ends at the latest this many days after its launch: 24 months.
pub const RUN_DAYS_MAX: u32 = 731;

/// Whose campaign is opened, in which world.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Its new id.
    pub id: CampaignId,
    /// Whose it is.
    pub brand: BrandId,
    /// The world of its money.
    pub mode: Mode,
}

impl Draft {
    /// Opens a campaign with version 1 of its terms.
    ///
    /// # Errors
    /// [`Refusal::Terms`] for a term out of range.
    pub fn open(opening: Opening, terms: Terms, now: i64) -> Result<Self, Refusal> {
        terms.check()?;
        let terms_hash = HEXLOWER.encode(&terms.hash());
        let Opening { id, brand, mode } = opening;
        Ok(Self::opening(id, now, CampaignOpened { brand, mode, terms, terms_hash }))
    }

    /// Moves the campaign if an edge for `command` leaves its state.
    fn go(&mut self, command: Command, cause: StateCause) -> Result<(), Refusal> {
        let state = self.campaign().state();
        let Some(to) = state.after(command) else {
            let needs = needs(command);
            return Err(Refusal::State { command: command.name(), needs, state });
        };
        self.append(None, CampaignStateChanged { cause, to }).map(drop)
    }

    /// Funds a draft whose confirmed deposits cover the budget.
    pub(crate) fn fund_if_covered(&mut self) -> Result<(), Refusal> {
        let campaign = self.campaign();
        let covered = campaign.confirmed_budget() >= campaign.terms().budget;
        if campaign.state() == State::Draft && campaign.frozen == 0 && covered {
            self.go(Command::Fund, StateCause::Funding)?;
        }
        Ok(())
    }

    /// Takes a funded campaign back to draft where a reversal left too little.
    pub(crate) fn unfund_if_short(&mut self) -> Result<(), Refusal> {
        let campaign = self.campaign();
        let short = campaign.confirmed_budget() < campaign.terms().budget;
        if campaign.state() == State::Funded && short {
            self.go(Command::Unfund, StateCause::Funding)?;
        }
        Ok(())
    }

    /// Goes live. The funding gate (INV-9): confirmed deposits cover the budget, nothing is in
    /// dispute, and the end lies ahead.
    ///
    /// # Errors
    /// [`Refusal`]: another state, frozen, unfunded, or `ends_at` past or too far.
    pub fn launch(&mut self) -> Result<(), Refusal> {
        let campaign = self.campaign();
        if campaign.state() == State::Funded
            && let Some(missing) = campaign.missing_for_launch(self.now()).into_iter().next()
        {
            return Err(missing);
        }
        self.go(Command::Launch, StateCause::Brand)
    }

    /// Stops the crediting of clicks.
    ///
    /// # Errors
    /// [`Refusal::State`] unless live.
    pub fn pause(&mut self, cause: StateCause) -> Result<(), Refusal> {
        self.go(Command::Pause, cause)
    }

    /// Credits clicks again.
    ///
    /// # Errors
    /// [`Refusal::State`] unless paused.
    pub fn resume(&mut self) -> Result<(), Refusal> {
        self.go(Command::Resume, StateCause::Brand)
    }

    /// Ends the campaign; what was credited still converts, clears and is paid.
    ///
    /// # Errors
    /// [`Refusal::State`] unless live or paused; [`Refusal::TooEarly`] for a cause of `EndsAt`
    /// before that time.
    pub fn complete(&mut self, cause: StateCause) -> Result<(), Refusal> {
        let ends_at = self.campaign().terms().ends_at;
        let due = cause != StateCause::EndsAt || self.now() >= ends_at;
        need(due, Refusal::TooEarly { what: "ending by `ends_at`", after: ends_at })?;
        self.go(Command::Complete, cause)
    }

    /// Gives the campaign up before it went live. Reserved bases return to the funds, except those
    /// whose condition is met; the refund worker sends the rest back.
    ///
    /// # Errors
    /// [`Refusal::State`] unless draft or funded: a live campaign is never cancelled.
    pub fn cancel(&mut self) -> Result<(), Refusal> {
        let state = self.campaign().state();
        if state.after(Command::Cancel).is_some() {
            self.catch_up()?;
        }
        self.go(Command::Cancel, StateCause::Brand)?;
        let reserved: Vec<_> = self
            .campaign()
            .numbered_enrollments()
            .filter(|(_, enrollment)| enrollment.base_left.is_positive())
            .map(|(no, enrollment)| (no, enrollment.id))
            .collect();
        for (no, id) in reserved {
            // What was earned stays with its creator: set aside, and paid on request.
            if self.campaign().is_unlocked(no, self.now()) {
                self.append(Some(id), BaseEarned {})?;
                self.append(Some(id), PayoutUnclaimed {})?;
            } else {
                self.append(Some(id), BaseReleased {})?;
            }
        }
        Ok(())
    }

    pub(crate) fn paid_out(&mut self) -> Result<(), Refusal> {
        self.go(Command::Close, StateCause::Closed)
    }

    /// Sets a further version of the terms. The budget never falls; a cut of a rate takes effect
    /// after the notice period, anything else at once.
    ///
    /// # Errors
    /// [`Refusal::Terms`] or [`Refusal::Field`] naming the term; [`Refusal::State`] after the end.
    pub fn set_terms(&mut self, terms: Terms) -> Result<(), Refusal> {
        terms.check()?;
        let (campaign, now) = (self.campaign(), self.now());
        let state = campaign.state();
        let open = matches!(state, State::Draft | State::Funded | State::Live | State::Paused);
        let needs = "draft, funded, live or paused";
        need(open, Refusal::State { command: "set_terms", needs, state })?;
        let current = campaign.terms();
        if let Some(field) = current.frozen_difference(&terms) {
            let fix = "never changes within a campaign; open a new one";
            return Err(Refusal::Terms(TermsError { field, fix }));
        }
        let raised = terms.budget >= current.budget;
        need(raised, Refusal::Terms(TermsError { field: "budget", fix: "may only be raised" }))?;
        if let Some((launched_at, _)) = campaign.gate.live.first() {
            let latest = plus_days(*launched_at, RUN_DAYS_MAX);
            let fix = "a running campaign ends within 24 months of its launch";
            let fits = terms.ends_at <= latest;
            need(fits, Refusal::Terms(TermsError { field: "ends_at", fix }))?;
        }
        let effective_at = campaign.earliest_effect(&terms, now);
        let version = u32::try_from(campaign.versions.len()).ok().and_then(|v| v.checked_add(1));
        let fix = "too many versions";
        let version = version.ok_or(Refusal::Field { field: "terms", fix })?;
        let terms_hash = HEXLOWER.encode(&terms.hash());
        self.append(None, TermsSet { effective_at, terms, terms_hash, version }).map(drop)
    }

    /// Raises the budget and changes nothing else.
    ///
    /// # Errors
    /// As [`Self::set_terms`]; [`Refusal::Terms`] unless it is more than before.
    pub fn raise_budget(&mut self, budget: Minor) -> Result<(), Refusal> {
        let current = self.campaign().terms();
        let fix = "may only be raised";
        need(budget > current.budget, Refusal::Terms(TermsError { field: "budget", fix }))?;
        let terms = Terms { budget, ..Terms::clone(current) };
        self.set_terms(terms)
    }
}

impl Campaign {
    /// What a launch at `now`, milliseconds, would be refused for, in the order in which it is looked
    /// at; empty where the funding gate (INV-9) is open.
    pub fn missing_for_launch(&self, now: i64) -> Vec<Refusal> {
        let (confirmed, terms) = (self.confirmed_budget(), self.terms());
        let budget = terms.budget;
        let fits = terms.ends_at > now && terms.ends_at <= plus_days(now, RUN_DAYS_MAX);
        let fix = "a campaign ends after its launch and within 24 months of it";
        let guards = [
            (self.frozen == 0, Refusal::Frozen),
            (confirmed >= budget, Refusal::Unfunded { confirmed, budget }),
            (fits, Refusal::Field { field: "terms.ends_at", fix }),
        ];
        guards.into_iter().filter(|(holds, _)| !holds).map(|(_, refusal)| refusal).collect()
    }
}

const fn needs(command: Command) -> &'static str {
    match command {
        Command::Fund => "draft",
        Command::Unfund | Command::Launch => "funded",
        Command::Pause => "live",
        Command::Resume => "paused",
        Command::Complete => "live or paused",
        Command::Cancel => "draft or funded",
        Command::Close => "completed",
    }
}
