//! Looking at the folded state. Nothing outside the core changes it but by entries.

use std::collections::BTreeMap;

use super::account::Account;
use super::balance::Balances;
use super::event::campaign::Mode;
use super::folded::{Campaign, TermsVersion};
use super::records::{Deposit, Enrollment, Hold, Payout, Refund, Reversed};
use super::unit::Unit;
use crate::campaign::state::State;
use crate::ids::{BrandId, CampaignId, EnrollmentNo, Seq};
use crate::money::Minor;

impl Campaign {
    /// Whether a payout of this enrollment from this deposit was planned on `day`: at most one is.
    pub(crate) fn is_planned_on(&self, no: EnrollmentNo, deposit: Seq, day: i64) -> bool {
        self.payouts
            .values()
            .any(|payout| payout.enrollment == no && payout.deposit == deposit && payout.day == day)
    }

    /// Whether the campaign has ended and every period is over.
    pub(crate) fn is_closing(&self) -> bool {
        self.gate.state == State::Completed
            && self.closes_at().is_some_and(|closes| self.at > closes)
    }

    /// Whether every account that must be empty at the close is, and nothing waits to be folded.
    pub(crate) fn is_settled(&self) -> bool {
        let mut must_be_zero = Account::ZERO_AT_CLOSE.into_iter();
        must_be_zero.all(|account| self.balance(account).is_zero())
            && !self.has_unscanned_conversions()
    }

    /// What may be spent beside commission: demand that waits comes first, however much is free
    /// behind it. Nothing while frozen.
    pub(crate) fn free_beyond_demand(&self) -> Minor {
        if self.has_unmet_demand() { Minor::ZERO } else { self.free() }
    }

    /// Whether what is left may go back at `at`: the campaign is cancelled or closed, or its close
    /// has nothing open and every period is over.
    pub fn is_refundable(&self, at: i64) -> bool {
        if self.frozen > 0 {
            return false;
        }
        match self.gate.state {
            State::Cancelled | State::PaidOut => true,
            State::Completed => {
                self.closes_at().is_some_and(|closes| at > closes)
                    && self.is_quiet()
                    && self.balance(Account::Held).is_zero()
                    && self.balance(Account::BaseReserve).is_zero()
            }
            State::Draft | State::Funded | State::Live | State::Paused => false,
        }
    }

    /// Its id.
    pub fn id(&self) -> CampaignId {
        self.id
    }

    /// Whose it is.
    pub fn brand(&self) -> BrandId {
        self.brand
    }

    /// The world its money lives in.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.gate.state
    }

    /// Position of the last entry.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// Time of the last entry, milliseconds.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// Versions of the terms; the last is the current one.
    pub fn versions(&self) -> &[TermsVersion] {
        &self.versions
    }

    /// When it was completed, milliseconds.
    pub fn ended_at(&self) -> Option<i64> {
        self.gate.ended_at
    }

    /// Open cases: while there are any, no accrual, no enrollment, no refund.
    pub fn frozen(&self) -> u32 {
        self.frozen
    }

    /// All accounts.
    pub fn balances(&self) -> &Balances {
        &self.balances
    }

    /// Deposits and advances by the position of their first entry.
    pub fn deposits(&self) -> &BTreeMap<Seq, Deposit> {
        &self.deposits
    }

    /// Enrollments by number.
    pub fn enrollments(&self) -> &[Enrollment] {
        &self.enrollments
    }

    /// What was reversed, by conversion.
    pub fn reversed(&self) -> &BTreeMap<Seq, Reversed> {
        &self.reversed
    }

    /// Holds by conversion.
    pub fn holds(&self) -> &BTreeMap<Seq, Hold> {
        &self.holds
    }

    /// Payouts by the position of `payout.planned`.
    pub fn payouts(&self) -> &BTreeMap<Seq, Payout> {
        &self.payouts
    }

    /// What a payout is for: the units that it draws on and how much of each; nothing where there is no
    /// such payout, or where it draws on what was set aside at the close.
    pub fn parts_of(&self, payout: Seq) -> impl Iterator<Item = (&Unit, Minor)> {
        let parts = self.payouts.get(&payout).map(|payout| payout.parts.iter());
        parts.into_iter().flatten().map(|(index, amount)| (self.units.get(*index), *amount))
    }

    /// Refunds by the position of `refund.planned`.
    pub fn refunds(&self) -> &BTreeMap<Seq, Refund> {
        &self.refunds
    }

    /// Open claims by the position of `claim.opened`.
    pub fn claims(&self) -> &BTreeMap<Seq, EnrollmentNo> {
        &self.claims
    }
}
