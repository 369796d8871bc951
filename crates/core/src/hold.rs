//! Holds: a person or a reconciler doubts a conversion. A hold never deletes anything: its money
//! waits in `held` until someone decides or the deadline releases it.

use crate::campaign::state::State;
use crate::ids::{EnrollmentId, Seq};
use crate::ledger::draft::Draft;
use crate::ledger::event::conversion::{HoldPlaced, HoldReleased, HoldUpheld};
use crate::ledger::folded::Campaign;
use crate::refusal::{Refusal, need};
use crate::time::plus_days;

/// How a hold ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldDecision {
    /// The conversion counts; also the outcome of silence.
    Release,
    /// The conversion earns nothing, for this stable reason.
    Uphold(String),
}

fn thing(seq: Seq, needs: &'static str) -> Refusal {
    Refusal::Thing { what: "conversion", seq, needs }
}

impl Campaign {
    /// Whether a hold may wait until `deadline`: a doubt that nobody settles must not wait for ever.
    pub(crate) fn check_deadline(&self, deadline: i64, now: i64) -> Result<(), Refusal> {
        let latest = plus_days(now, self.terms().hold_deadline_days);
        let fix = "at most hold_deadline_days from now";
        need(deadline <= latest, Refusal::Field { field: "deadline", fix })
    }
}

impl Draft {
    /// The campaign runs, or its close is under way.
    pub(crate) fn needs_open(&self, command: &'static str) -> Result<(), Refusal> {
        let state = self.campaign().state();
        let open = matches!(state, State::Live | State::Paused | State::Completed);
        need(open, Refusal::State { command, needs: "live, paused or completed", state })
    }

    /// The close has not begun: what stops it for an answer comes before.
    pub(crate) fn needs_unclosed(&self, command: &'static str) -> Result<(), Refusal> {
        let over = self.campaign().closes_at().is_some_and(|closes| self.now() > closes);
        let needs = "not past its last period";
        need(!over, Refusal::State { command, needs, state: self.campaign().state() })
    }

    fn whose_conversion(&self, conversion: Seq) -> Result<EnrollmentId, Refusal> {
        let (no, _) = self
            .campaign()
            .conversion(conversion)
            .ok_or(thing(conversion, "must be a conversion that was taken in"))?;
        Ok(self.campaign().enrollment(no).id)
    }

    /// Places a hold until `deadline`, milliseconds.
    ///
    /// # Errors
    /// [`Refusal`]: unknown, held already, planned or paid in part, or earning nothing.
    pub fn place_hold(
        &mut self,
        conversion: Seq,
        deadline: i64,
        reason: String,
    ) -> Result<(), Refusal> {
        self.needs_open("place_hold")?;
        self.needs_unclosed("place_hold")?;
        self.campaign().check_deadline(deadline, self.now())?;
        let id = self.whose_conversion(conversion)?;
        let held = self.campaign().holds.get(&conversion).is_some_and(|hold| hold.open);
        need(!held, thing(conversion, "is held already"))?;
        self.catch_up()?;
        let units = self.campaign().units();
        let unit = units.find(conversion).map(|index| units.get(index));
        let free = unit.is_some_and(|unit| unit.planned.is_zero() && unit.commission.is_positive());
        need(free, thing(conversion, "earns nothing, or is planned for a payout"))?;
        self.append(Some(id), HoldPlaced { conversion, deadline, reason }).map(drop)
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// [`Refusal`]: no open hold, or a campaign that is closed.
    pub fn end_hold(&mut self, conversion: Seq, decision: HoldDecision) -> Result<(), Refusal> {
        self.needs_open("end_hold")?;
        let open = self.campaign().holds.get(&conversion).is_some_and(|hold| hold.open);
        need(open, thing(conversion, "has no open hold"))?;
        let id = self.whose_conversion(conversion)?;
        self.catch_up()?;
        match decision {
            HoldDecision::Release => self.append(Some(id), HoldReleased { conversion }),
            HoldDecision::Uphold(reason) => {
                self.append(Some(id), HoldUpheld { conversion, reason })
            }
        }
        .map(drop)
    }

    /// Releases every hold whose deadline has come, oldest first.
    ///
    /// # Errors
    /// [`Refusal::State`] for a campaign that is closed and has due holds.
    pub fn expire_holds(&mut self) -> Result<(), Refusal> {
        let now = self.now();
        let holds = self.campaign().holds.iter();
        let due = holds.filter(|(_, hold)| hold.open && now >= hold.deadline);
        let mut due: Vec<_> = due.map(|(seq, hold)| (hold.first_placed, *seq)).collect();
        due.sort_unstable();
        for (_, conversion) in due {
            self.end_hold(conversion, HoldDecision::Release)?;
        }
        Ok(())
    }
}
