//! Which conversions and reversals the ledger takes in: the part of the intake's decision that
//! looks at the campaign's state. Whether the artifact is authentic is decided before.

use crate::campaign::state::State;
use crate::ids::{CompositeKey, EnrollmentId, Fingerprint, Seq};
use crate::ledger::draft::Draft;
use crate::ledger::event::conversion::{ConversionReversed, Taken};
use crate::ledger::folded::Campaign;
use crate::ledger::kind::Body;
use crate::ledger::records::Reversed;
use crate::money::Minor;
use crate::refusal::{Refusal, need};
use crate::time::plus_days;

/// What decides which events a campaign takes in. Only commands change it, so the intake may hold
/// a copy and follow it with [`Gate::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Where the campaign stands.
    pub state: State,
    /// Live intervals in milliseconds, the last one perhaps open.
    pub live: Vec<(i64, Option<i64>)>,
    /// When it was completed.
    pub ended_at: Option<i64>,
    /// Attribution and replay window together, in days.
    pub conversion_days: u32,
    /// Clearing, in days.
    pub clearing_days: u32,
}

/// Between when the clicks of an enrollment are credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// From when, milliseconds.
    pub started_at: i64,
    /// Until before when.
    pub ended_at: Option<i64>,
}

impl Gate {
    /// Until when conversions count; none before the campaign ended.
    pub fn conversions_until(&self) -> Option<i64> {
        self.ended_at.map(|at| plus_days(at, self.conversion_days))
    }

    /// After when the campaign may close; reversals count until then.
    pub fn closes_at(&self) -> Option<i64> {
        self.conversions_until().map(|at| plus_days(at, self.clearing_days))
    }

    /// Follows a change of state that happened at `at`.
    pub fn apply(&mut self, at: i64, to: State) {
        if let Some((_, until @ None)) = self.live.last_mut() {
            *until = Some(at);
        }
        match to {
            State::Live => self.live.push((at, None)),
            State::Completed => self.ended_at = Some(at),
            State::Draft | State::Funded | State::Paused | State::PaidOut | State::Cancelled => {}
        }
        self.state = to;
    }

    /// Whether a click at this time is credited: it lies in a Live interval of the log.
    pub fn is_credited(&self, click_at: i64) -> bool {
        let inside = |(from, to): &(i64, Option<i64>)| {
            *from <= click_at && to.is_none_or(|to| click_at < to)
        };
        self.live.iter().any(inside)
    }

    /// Whether a conversion of this member, credited to `click_at`, may be taken in at `at`.
    ///
    /// # Errors
    /// [`Refusal`] names the window, interval or state that says no.
    pub fn check_conversion(
        &self,
        member: Membership,
        click_at: i64,
        at: i64,
    ) -> Result<(), Refusal> {
        self.check_window("conversion", self.conversions_until(), at)?;
        let in_window = click_at <= at && at <= plus_days(click_at, self.conversion_days);
        need(
            in_window,
            Refusal::NotCredited("it came outside the attribution and replay windows"),
        )?;
        let live = self.is_credited(click_at);
        need(live, Refusal::NotCredited("the campaign was not live at that time"))?;
        let enrolled =
            member.started_at <= click_at && member.ended_at.is_none_or(|ended| click_at < ended);
        need(enrolled, Refusal::NotCredited("the creator was not enrolled at that time"))
    }

    /// Whether conversions that a rule rejects are recorded at `at`.
    ///
    /// # Errors
    /// [`Refusal`] names the state or the window that is over.
    pub fn check_rejected(&self, at: i64) -> Result<(), Refusal> {
        self.check_window("conversion", self.conversions_until(), at)
    }

    /// Whether reversals are taken in at `at`.
    ///
    /// # Errors
    /// [`Refusal`] names the state or the window that is over.
    pub fn check_reversal(&self, at: i64) -> Result<(), Refusal> {
        self.check_window("reversal", self.closes_at(), at)
    }

    fn check_window(
        &self,
        command: &'static str,
        until: Option<i64>,
        at: i64,
    ) -> Result<(), Refusal> {
        let state = self.state;
        match state {
            State::Live | State::Paused => Ok(()),
            State::Completed => need(
                until.is_some_and(|until| at <= until),
                Refusal::NotCredited("the campaign's windows are over"),
            ),
            State::Draft | State::Funded | State::PaidOut | State::Cancelled => {
                let needs = "live, paused, or within its windows after the end";
                Err(Refusal::State { command, needs, state })
            }
        }
    }
}

/// Whether `amount` more of a conversion may be reversed, of which `reversed` went back (INV-8).
///
/// # Errors
/// [`Refusal`]: wholly reversed, or more than is left.
pub fn check_reversed_amount(
    conversion: Seq,
    order: Minor,
    reversed: Reversed,
    amount: Minor,
) -> Result<(), Refusal> {
    let needs = "is wholly reversed";
    need(!reversed.whole, Refusal::Thing { what: "conversion", seq: conversion, needs })?;
    let fits = !amount.is_negative()
        && amount <= order - reversed.refunded
        && (amount.is_positive() || order.is_zero());
    let fix = "more than 0 and at most what is left of the order; 0 for an order of 0";
    need(fits, Refusal::Field { field: "amount", fix })
}

/// What every event of the intake has, whichever kind it became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order amount; of a reversal, what it takes back.
    pub amount: Minor,
    /// The key under which it enters once (INV-4).
    pub key: CompositeKey,
    /// Tells a repeated delivery from other content under the same key.
    pub fingerprint: Fingerprint,
}

impl Event {
    /// The event in a body; none for what commands append.
    pub fn of(body: &Body) -> Option<Self> {
        let taken = match body {
            Body::ConversionAccepted(accepted) => &accepted.0,
            Body::ConversionHeld(held) => &held.taken,
            Body::ConversionRejected(rejected) => &rejected.taken,
            Body::ConversionReversed(reversed) => {
                let ConversionReversed { amount, key, fingerprint, .. } = *reversed;
                return Some(Self { amount, key, fingerprint });
            }
            _ => return None,
        };
        let Taken { amount, key, fingerprint, .. } = *taken;
        Some(Self { amount, key, fingerprint })
    }

    /// Whether it may enter a ledger.
    ///
    /// # Errors
    /// [`Refusal::Field`] unless the amount is 0 to 10^11 minor units.
    pub fn check(&self) -> Result<(), Refusal> {
        let fix = "0 to 10^11 minor units";
        need(self.amount.is_amount(), Refusal::Field { field: "amount", fix })
    }
}

impl Campaign {
    /// Whether a conversion of this enrollment, credited to `click_at`, may be taken in at `at`.
    ///
    /// # Errors
    /// [`Refusal`] names the window, interval or state that says no.
    pub fn check_conversion(
        &self,
        id: EnrollmentId,
        click_at: i64,
        at: i64,
    ) -> Result<(), Refusal> {
        let no = self.enrollment_no(id);
        let no = no.ok_or(Refusal::Enrollment("no creator of this campaign has this id"))?;
        self.gate().check_conversion(self.enrollment(no).membership(), click_at, at)
    }

    /// Whether `amount` more of a conversion may be reversed at `at` (INV-8).
    ///
    /// # Errors
    /// [`Refusal`]: unknown, wholly reversed, more than is left, or too late.
    pub fn check_reversal(&self, conversion: Seq, amount: Minor, at: i64) -> Result<(), Refusal> {
        let needs = "must have been taken in";
        let unknown = Refusal::Thing { what: "conversion", seq: conversion, needs };
        let (_, order) = self.conversion(conversion).ok_or(unknown)?;
        let reversed = self.reversed.get(&conversion).copied().unwrap_or_default();
        check_reversed_amount(conversion, order, reversed, amount)?;
        self.gate().check_reversal(at)
    }
}

impl Draft {
    /// Takes in a conversion, held conversion, rejected conversion or reversal; returns its
    /// position. The intake itself does not draft: it appends many entries at a time behind the
    /// same checks. This is the one-at-a-time form.
    ///
    /// # Errors
    /// [`Refusal`] as the checks say; [`Refusal::Field`] for a body of another kind.
    pub fn take_in(&mut self, id: EnrollmentId, body: Body) -> Result<Seq, Refusal> {
        if let Some(event) = Event::of(&body) {
            event.check()?;
        }
        let (campaign, now) = (self.campaign(), self.now());
        match &body {
            Body::ConversionAccepted(accepted) => {
                campaign.check_conversion(id, accepted.0.click_at, now)?;
            }
            Body::ConversionHeld(held) => {
                campaign.check_conversion(id, held.taken.click_at, now)?;
                campaign.check_deadline(held.deadline, now)?;
            }
            Body::ConversionRejected(_) => {
                self.enrolled(id)?;
                campaign.gate().check_rejected(now)?;
            }
            Body::ConversionReversed(reversed) => {
                let (no, _) = self.enrolled(id)?;
                let whose = campaign.conversion(reversed.conversion).map(|(no, _)| no);
                let ours = whose.is_none_or(|whose| whose == no);
                need(ours, Refusal::Enrollment("the conversion is another creator's"))?;
                campaign.check_reversal(reversed.conversion, reversed.amount, now)?;
            }
            _ => {
                let fix = "only conversions and reversals are taken in";
                return Err(Refusal::Field { field: "kind", fix });
            }
        }
        self.append(Some(id), body)
    }
}
