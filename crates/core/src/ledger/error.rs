//! Why an entry cannot follow the ledger before it. Met on replay this is corruption, and the
//! entry is named; met while a command is drafted it is a bug in the command.

use super::account::Account;
use super::posting::Unbalanced;
use crate::campaign::state::State;
use crate::ids::{EnrollmentNo, Seq};
use crate::money::Minor;

/// An entry contradicts the ledger before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// INV-6.
    #[error("position {found} where {expected} is next")]
    Sequence {
        /// What comes next.
        expected: Seq,
        /// What the entry says.
        found: Seq,
    },
    /// INV-6.
    #[error("n {found} where {expected} is next for this enrollment")]
    Counter {
        /// What comes next.
        expected: u64,
        /// What the entry says.
        found: u64,
    },
    /// Time runs forward.
    #[error("at {found} is before {last}, the time of the entry before")]
    TimeWentBack {
        /// Time of the entry before.
        last: i64,
        /// What the entry says.
        found: i64,
    },
    /// The entry belongs to another ledger.
    #[error("the entry names another campaign")]
    OtherCampaign,
    /// The first entry, and only it, opens the campaign.
    #[error("`campaign.opened` is the first entry and no other")]
    Opening,
    /// The enrollment was never started, or is started again.
    #[error("unknown or repeated enrollment")]
    Enrollment,
    /// The entry refers to something that is not there or not in the state it needs.
    #[error("refers to {what} {seq}, which is not there or not in the state this needs")]
    Reference {
        /// What is meant.
        what: &'static str,
        /// The position it names.
        seq: Seq,
    },
    /// INV-12.
    #[error("no edge leads from {} to {}", from.name(), to.name())]
    Edge {
        /// The state before.
        from: State,
        /// The state it names.
        to: State,
    },
    /// INV-1.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
    /// INV-2.
    #[error("account {account} would be {balance}")]
    Negative {
        /// Which account.
        account: Account,
        /// Whose, where there is one per enrollment.
        enrollment: Option<EnrollmentNo>,
        /// The balance after, in the account's own direction.
        balance: Minor,
    },
    /// INV-2.
    #[error("deposit {0} would back more than its amount")]
    Deposit(Seq),
    /// INV-8.
    #[error("reversals of conversion {0} would sum above it")]
    Reversed(Seq),
    /// INV-10: a run must say what the fold computes.
    #[error("the entry says {said}, the fold computes {computed}")]
    Recomputed {
        /// In the entry.
        said: String,
        /// From the ledger before it.
        computed: String,
    },
    /// A version of the terms that may not follow, by the field.
    #[error("terms that may not follow: {0}")]
    Terms(&'static str),
    /// An amount that no entry may hold.
    #[error("{field} is out of range: 0 to 10^11 minor units")]
    Amount {
        /// Its name in the body.
        field: &'static str,
    },
    /// The entry needs a run before it.
    #[error("entry {waiting} waits to be scanned; a rollup run must come before this entry")]
    NotCaughtUp {
        /// The first entry not scanned.
        waiting: Seq,
    },
    /// Another entry within a run.
    #[error("a rollup run is open; only its own entries may follow until it is closed")]
    RunOpen,
    /// INV-9.
    #[error("confirmed {confirmed} of a budget of {budget}: not funded (INV-9)")]
    Unfunded {
        /// Confirmed budget parts less what was reversed.
        confirmed: Minor,
        /// The budget.
        budget: Minor,
    },
    /// INV-9: the credited time lies outside of what is credited.
    #[error("conversion at {click_at} is not credited (INV-9)")]
    NotCredited {
        /// The credited time.
        click_at: i64,
    },
    /// A unit would owe more than it holds: a bug of the rules.
    #[error("the unit of entry {0} would fall below zero")]
    UnitBelowZero(Seq),
}
