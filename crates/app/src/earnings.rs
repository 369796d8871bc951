//! What a creator earned in a campaign, in the words that creators see.

use std::ops::AddAssign;

use sponsorhub_core::ids::EnrollmentNo;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::state::DisbursementState;
use sponsorhub_core::money::Minor;

/// Earnings of one enrollment, or sums of several in one currency; minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earnings {
    /// Earned, and still in its clearing days.
    pub pending: Minor,
    /// Earned by conversions that somebody has to look at first.
    pub held: Minor,
    /// May be paid with the next payout.
    pub matured: Minor,
    /// Planned payouts whose money has not arrived.
    pub on_its_way: Minor,
    /// Arrived.
    pub paid: Minor,
    /// Paid for what was given back afterwards; later earnings pay it off (INV-15).
    pub clawed_back: Minor,
    /// Earned before the close by who could not be paid then; still owed.
    pub unclaimed: Minor,
    /// A fixed base that is reserved and not earned yet.
    pub base_reserved: Minor,
}

impl Earnings {
    /// Of an enrollment, on a UTC day since 1970.
    pub fn of(state: &Campaign, no: EnrollmentNo, today: i64) -> Self {
        use DisbursementState::{Attempted, Failed, Paid, Planned, Unknown};
        let of = |account| state.balances().of(account, no);
        let sum = |wanted: &[DisbursementState]| -> Minor {
            let own = state.payouts().values().filter(|payout| payout.enrollment == no);
            own.filter(|payout| wanted.contains(&payout.state)).map(|payout| payout.amount).sum()
        };
        let matured = state.payable_on(no, today);
        Self {
            pending: (of(Account::Payable) - matured).or_zero(),
            held: state.held_of(no),
            matured,
            on_its_way: sum(&[Planned, Attempted, Unknown, Failed]),
            paid: sum(&[Paid]),
            clawed_back: of(Account::Clawback),
            unclaimed: of(Account::Unclaimed),
            base_reserved: state.base_waiting(no),
        }
    }

    /// All that is or was the creator's: pending, held, matured, on its way, paid and unclaimed.
    pub fn earned(&self) -> Minor {
        self.pending + self.held + self.matured + self.on_its_way + self.paid + self.unclaimed
    }
}

impl AddAssign for Earnings {
    fn add_assign(&mut self, other: Self) {
        self.pending += other.pending;
        self.held += other.held;
        self.matured += other.matured;
        self.on_its_way += other.on_its_way;
        self.paid += other.paid;
        self.clawed_back += other.clawed_back;
        self.unclaimed += other.unclaimed;
        self.base_reserved += other.base_reserved;
    }
}
