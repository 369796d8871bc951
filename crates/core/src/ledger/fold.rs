//! The fold: conversions become money, strictly in ledger order, under the cap.
//!
//! Two positions. `scanned`: every entry up to it is applied, reversals and deposits included;
//! scanning never stops. The accrual cursor: the front of `queue`, the oldest conversion not fully
//! funded; only accrual stops at zero free funds and while frozen, and goes on from there when
//! funds come back. Rollup runs only cut the fold into pieces: any split gives the same postings.

use std::collections::VecDeque;
use std::sync::Arc;

use super::account::Account;
use super::error::LedgerError;
use super::event::rollup::{Accrual, AccrualCursor};
use super::folded::Campaign;
use super::posting::Changes;
use super::unit::{Change, Unit, UnitKind};
use crate::campaign::terms::RateValue;
use crate::ids::{EnrollmentNo, Seq};
use crate::money::Minor;
use crate::time::day_of;

/// What the fold needs of an entry that is appended and not scanned yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) seq: Seq,
    pub(super) what: Scan,
    /// Whether it came right after a run, and so hides no demand from what follows it.
    pub(super) caught_up: bool,
}

/// What scanning an entry does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scan {
    Conversion(TakenIn),
    Reversal {
        conversion: Seq,
        amount: Minor,
    },
    /// Another entry: what came into the campaign's funds, and what it means to the limit.
    Fact {
        funds: Minor,
        effect: Effect,
    },
}

/// A conversion as it was taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakenIn {
    pub(super) enrollment: EnrollmentNo,
    pub(super) at: i64,
    pub(super) order: Minor,
    pub(super) rate: RateValue,
    pub(super) held: bool,
}

/// What an entry means to the limit of the fold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// Uses funds, or gives used funds back.
    Use,
    /// Changes funds only.
    Neutral,
    Confirmed(Minor),
    Reversed {
        amount: Minor,
        freezes: bool,
    },
    Reinstated(Minor),
    Freeze,
    Unfreeze,
    Budget(Minor),
    /// A refund was planned, or failed.
    Refund,
    /// The end: unmet demand lapses.
    Lapse,
}

/// What the run in progress moved for one enrollment.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    changes: Changes,
    is_touched: bool,
}

/// The accrual fold. Everything here is a function of the entries up to `scanned`.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) scanned: Seq,
    pub(super) pending: VecDeque<Pending>,
    pub(super) queue: VecDeque<usize>,
    pub(super) funds: Minor,
    pub(super) funds_before: Minor,
    used: Minor,
    confirmed: Minor,
    reversed: Minor,
    refunded: Minor,
    budget: Minor,
    frozen: u32,
    /// Postings of the run in progress, per enrollment, and where that run ends.
    run: Vec<Run>,
    touched: Vec<EnrollmentNo>,
    pub(super) run_to: Option<Seq>,
}

impl Fold {
    pub(super) fn new(budget: Minor) -> Self {
        Self {
            scanned: 1,
            pending: VecDeque::new(),
            queue: VecDeque::new(),
            funds: Minor::ZERO,
            funds_before: Minor::ZERO,
            used: Minor::ZERO,
            confirmed: Minor::ZERO,
            reversed: Minor::ZERO,
            refunded: Minor::ZERO,
            budget,
            frozen: 0,
            run: Vec::new(),
            touched: Vec::new(),
            run_to: None,
        }
    }

    /// Spendable at the fold's position: min(budget, confirmed − reversed − refunded) less what is
    /// used, never above the funds themselves; nothing while frozen.
    pub(super) fn free(&self) -> Minor {
        if self.frozen > 0 {
            return Minor::ZERO;
        }
        let limit = self.budget.min(self.confirmed - self.reversed - self.refunded);
        (limit - self.used).min(self.funds).or_zero()
    }

    /// Conversions that no run has counted yet: whose, and the order amount.
    pub(super) fn conversions_to_come(&self) -> impl Iterator<Item = (EnrollmentNo, Minor)> {
        self.pending.iter().filter_map(|pending| match pending.what {
            Scan::Conversion(taken) => Some((taken.enrollment, taken.order)),
            Scan::Reversal { .. } | Scan::Fact { .. } => None,
        })
    }

    /// Conversions and reversals that no run has counted yet.
    pub(super) fn uncounted(&self) -> usize {
        let facts = self.pending.iter().filter(|one| matches!(one.what, Scan::Fact { .. })).count();
        self.pending.len().saturating_sub(facts)
    }

    pub(super) fn pending_conversion(&self, seq: Seq) -> Option<(EnrollmentNo, Minor)> {
        let index = self.pending.binary_search_by_key(&seq, |pending| pending.seq).ok()?;
        match self.pending.get(index)?.what {
            Scan::Conversion(taken) => Some((taken.enrollment, taken.order)),
            Scan::Reversal { .. } | Scan::Fact { .. } => None,
        }
    }

    fn apply_fact(&mut self, funds: Minor, effect: Effect) {
        self.funds += funds;
        match effect {
            Effect::Use => self.used -= funds,
            Effect::Neutral => {}
            Effect::Confirmed(amount) => self.confirmed += amount,
            Effect::Reversed { amount, freezes } => {
                self.reversed += amount;
                if freezes {
                    self.frozen = self.frozen.saturating_add(1);
                }
            }
            Effect::Reinstated(amount) => self.reversed -= amount,
            Effect::Freeze => self.frozen = self.frozen.saturating_add(1),
            Effect::Unfreeze => self.frozen = self.frozen.saturating_sub(1),
            Effect::Budget(budget) => self.budget = budget,
            Effect::Refund => self.refunded -= funds,
            Effect::Lapse => self.queue.clear(),
        }
    }

    fn run_mut(&mut self, enrollment: EnrollmentNo) -> &mut Changes {
        let wanted = enrollment.index().saturating_add(1);
        if self.run.len() < wanted {
            self.run.resize(wanted, Run::default());
        }
        let run = self.run.get_mut(enrollment.index()).expect("just made");
        if !run.is_touched {
            run.is_touched = true;
            self.touched.push(enrollment);
        }
        &mut run.changes
    }

    /// Enrollments that the run in progress moved money for: returns to the funds first, so that
    /// no account dips below zero for a reader between two entries, then by number.
    pub(super) fn touched(&self) -> Vec<EnrollmentNo> {
        let mut touched: Vec<_> =
            self.touched.iter().copied().filter(|no| !self.run_of(*no).is_none()).collect();
        touched.sort_by_key(|no| (self.run_of(*no).get(Account::CampaignFunds), *no));
        touched
    }

    /// The run's postings for one enrollment, without taking them.
    pub(super) fn run_of(&self, enrollment: EnrollmentNo) -> Changes {
        self.run.get(enrollment.index()).map(|run| run.changes).unwrap_or_default()
    }

    pub(super) fn take_run_of(&mut self, enrollment: EnrollmentNo) -> Changes {
        let run = self.run.get_mut(enrollment.index());
        run.map(|run| std::mem::take(&mut run.changes)).unwrap_or_default()
    }

    /// Ends the run; false where something was left unposted.
    pub(super) fn close_run(&mut self) -> bool {
        let clean = self.touched().is_empty();
        for enrollment in self.touched.drain(..) {
            if let Some(run) = self.run.get_mut(enrollment.index()) {
                *run = Run::default();
            }
        }
        self.run_to = None;
        clean
    }
}

impl Accrual {
    /// The figures of `rollup.accrued` for these changes.
    pub(super) fn of(changes: &Changes) -> Self {
        Self {
            clawback: changes.get(Account::Clawback),
            funds: -changes.get(Account::CampaignFunds),
            held: -changes.get(Account::Held),
            payable: -changes.get(Account::Payable),
            platform_fees: -changes.get(Account::PlatformFees),
        }
    }
}

impl Campaign {
    /// Scans up to `upto` if the run is not there yet.
    pub(crate) fn advance_to(&mut self, upto: Seq) -> Result<(), LedgerError> {
        if self.fold.run_to == Some(upto) {
            return Ok(());
        }
        if upto > self.head || upto < self.fold.scanned {
            return Err(LedgerError::Reference { what: "entry", seq: upto });
        }
        self.fold.run_to = Some(upto);
        self.fold.funds_before = self.fold.funds;
        while let Some(next) = self.fold.pending.front() {
            if next.seq > upto {
                break;
            }
            let Pending { seq, what, .. } = *next;
            self.fold.pending.pop_front();
            self.scan(seq, what)?;
        }
        self.fold.scanned = upto;
        Ok(())
    }

    fn scan(&mut self, seq: Seq, what: Scan) -> Result<(), LedgerError> {
        match what {
            Scan::Conversion(taken) => {
                let index = self.take_in(seq, taken);
                if self.fund_at_once(index) {
                    return Ok(());
                }
                self.fold.queue.push_back(index);
            }
            Scan::Reversal { conversion, amount } => {
                let index = self
                    .units
                    .find(conversion)
                    .ok_or(LedgerError::Reference { what: "conversion", seq: conversion })?;
                let unit = self.units.get_mut(index);
                unit.refunded += if unit.order.is_zero() { Minor(1) } else { amount };
                let commission = unit.granted.min(unit.rate.commission(unit.order, unit.refunded));
                let enrollment = unit.enrollment;
                let mut run = *self.fold.run_mut(enrollment);
                let left = self.reprice(index, commission, &mut run)?;
                *self.fold.run_mut(enrollment) = run;
                self.fold.funds -= left;
                self.fold.used += left;
            }
            Scan::Fact { funds, effect } => self.fold.apply_fact(funds, effect),
        }
        self.drain()
    }

    /// Makes the unit of a conversion: commission under the per-creator cap, decided here.
    fn take_in(&mut self, seq: Seq, taken: TakenIn) -> usize {
        let TakenIn { enrollment: no, at, order, rate, held } = taken;
        let enrollment = self.enrollments.get_mut(no.index()).expect("appended before");
        let full = rate.commission(order, Minor::ZERO);
        let granted = match enrollment.creator_cap {
            Some(cap) => full.min(cap - enrollment.granted).or_zero(),
            None => full,
        };
        enrollment.granted += granted;
        let platform_fee = granted.share(enrollment.platform_fee_bps);
        let index = self.units.push(Unit {
            seq,
            enrollment: no,
            kind: UnitKind::Conversion,
            day: day_of(at),
            order,
            refunded: Minor::ZERO,
            rate,
            granted,
            commission: granted,
            platform_fee,
            funded: Minor::ZERO,
            creator: Minor::ZERO,
            fee: Minor::ZERO,
            netted: Minor::ZERO,
            planned: Minor::ZERO,
            clawed: Minor::ZERO,
            held,
        });
        Arc::make_mut(&mut enrollment.units).push(index);
        index
    }

    /// The usual case, in which nobody waits, everything is free and nothing is owed back: the
    /// same as [`Self::drain`], without looking at what cannot happen.
    fn fund_at_once(&mut self, index: usize) -> bool {
        let unit = self.units.get_mut(index);
        let (no, whole) = (unit.enrollment, unit.unmet());
        if unit.held || !self.fold.queue.is_empty() || self.fold.free() < whole {
            return false;
        }
        let run = self.fold.run_mut(no);
        let owed_before = self.balances.of(Account::Clawback, no);
        if !(owed_before + run.get(Account::Clawback)).is_zero() {
            return false;
        }
        (unit.funded, unit.creator, unit.fee) = (whole, unit.commission, unit.platform_fee);
        run.credit(Account::Payable, unit.creator);
        run.credit(Account::PlatformFees, unit.fee);
        run.debit(Account::CampaignFunds, whole);
        self.fold.funds -= whole;
        self.fold.used += whole;
        true
    }

    fn drain(&mut self) -> Result<(), LedgerError> {
        while let Some(&index) = self.fold.queue.front() {
            let unit = self.units.get(index);
            let want = unit.unmet();
            if !want.is_positive() {
                self.fold.queue.pop_front();
                continue;
            }
            let take = want.min(self.fold.free());
            if !take.is_positive() {
                break;
            }
            let (enrollment, funded) = (unit.enrollment, unit.funded + take);
            let mut run = *self.fold.run_mut(enrollment);
            let change = Change { funded: Some(funded), ..Change::default() };
            let left = self.reposition(index, change, &mut run)?;
            *self.fold.run_mut(enrollment) = run;
            self.fold.funds -= left;
            self.fold.used += left;
        }
        Ok(())
    }

    /// Brings a conversion to a new commission: what is not funded shrinks first, the rest runs
    /// down the waterfall. Returns what left the campaign's funds (negative: what came back).
    pub(super) fn reprice(
        &mut self,
        index: usize,
        commission: Minor,
        posted: &mut Changes,
    ) -> Result<Minor, LedgerError> {
        let unit = *self.units.get(index);
        let enrollment = self.enrollment_mut(unit.enrollment);
        enrollment.granted -= unit.commission - commission;
        let platform_fee = commission.share(enrollment.platform_fee_bps);
        let change = Change {
            commission: Some((commission, platform_fee)),
            funded: Some(unit.funded.min(commission + platform_fee)),
            ..Change::default()
        };
        self.reposition(index, change, posted)
    }

    /// Brings a unit to new figures and adds the difference to `posted`. Returns what left the
    /// campaign's funds.
    pub(super) fn reposition(
        &mut self,
        index: usize,
        change: Change,
        posted: &mut Changes,
    ) -> Result<Minor, LedgerError> {
        let unit = self.units.get_mut(index);
        let no = unit.enrollment;
        let enrollment = self.enrollments.get_mut(no.index()).expect("appended before");
        let clawback = self.balances.of(Account::Clawback, no);
        let left = unit.reposition(change, enrollment.netting_share_bps, clawback, posted)?;
        let skipped = enrollment.units.get(enrollment.open_from).is_none_or(|first| index < *first);
        if skipped && unit.unplanned().is_positive() {
            enrollment.open_from = enrollment.units.partition_point(|known| *known < index);
        }
        Ok(left)
    }

    /// What the run in progress moved for an enrollment.
    pub(crate) fn run_accrual(&self, no: EnrollmentNo) -> Accrual {
        Accrual::of(&self.fold.run_of(no))
    }

    /// Whether an entry in (scanned, upto] waits to be scanned.
    pub(crate) fn has_unscanned(&self, upto: Seq) -> bool {
        self.fold.pending.front().is_some_and(|pending| pending.seq <= upto)
    }

    /// Whether a conversion or a reversal waits to be scanned.
    pub(crate) fn has_unscanned_conversions(&self) -> bool {
        let mut waiting = self.fold.pending.iter();
        waiting.any(|pending| !matches!(pending.what, Scan::Fact { .. }))
    }

    /// Where accrual stopped.
    pub(super) fn accrual_cursor(&self) -> Option<AccrualCursor> {
        self.fold.queue.front().map(|index| {
            let unit = self.units.get(*index);
            AccrualCursor { conversion: unit.seq, funded: unit.funded }
        })
    }

    pub(super) fn pend(&mut self, seq: Seq, what: Scan, caught_up: bool) {
        self.fold.pending.push_back(Pending { seq, what, caught_up });
    }
}
