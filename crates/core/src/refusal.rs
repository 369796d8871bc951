//! Refusals: a rule said no. Nothing is appended; the message names the rule and the way out.

use crate::campaign::state::State;
use crate::campaign::terms::TermsError;
use crate::deposit::DepositMismatch;
use crate::ids::Seq;
use crate::ledger::error::LedgerError;
use crate::money::Minor;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command is not listed for the campaign's state (INV-12).
    #[error("`{command}` needs a campaign that is {needs}; this one is {}", state.name())]
    State {
        /// What was asked.
        command: &'static str,
        /// Where it is allowed.
        needs: &'static str,
        /// Where the campaign stands.
        state: State,
    },
    /// An open case on a deposit stops this.
    #[error("a dispute on a deposit is open; this waits until it is closed")]
    Frozen,
    /// The funding gate (INV-9).
    #[error("confirmed {confirmed} of a budget of {budget}; pay the rest in first")]
    Unfunded {
        /// Confirmed budget parts less what was reversed.
        confirmed: Minor,
        /// The budget.
        budget: Minor,
    },
    /// What the provider says of a deposit differs from what was expected.
    #[error(transparent)]
    Deposit(#[from] DepositMismatch),
    /// A term is out of range.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A field of the command is out of range.
    #[error("{field}: {fix}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What would be accepted.
        fix: &'static str,
    },
    /// The thing named by the command is not there or not in the state it needs.
    #[error("{what} {seq}: {needs}")]
    Thing {
        /// What is meant.
        what: &'static str,
        /// The position it was named by; 0 where it has none.
        seq: Seq,
        /// What it would have to be.
        needs: &'static str,
    },
    /// The enrollment is unknown or not in the state the command needs.
    #[error("enrollment: {0}")]
    Enrollment(&'static str),
    /// The click or order time is not credited, or the event came too late.
    #[error("not credited: {0}")]
    NotCredited(&'static str),
    /// It takes more than is free.
    #[error("this takes {needed} and {free} is free")]
    Funds {
        /// What it takes.
        needed: Minor,
        /// What is free beyond the demand.
        free: Minor,
    },
    /// The campaign's own cash does not cover it and everything in flight.
    #[error("this takes {needed} and the provider holds {available} beyond what is in flight")]
    Cash {
        /// What it takes.
        needed: Minor,
        /// Cash not spoken for.
        available: Minor,
    },
    /// Too early.
    #[error("{what} is possible after {after} (milliseconds)")]
    TooEarly {
        /// What was asked.
        what: &'static str,
        /// When it becomes possible.
        after: i64,
    },
    /// Not a rule: the command drafted an entry that its own ledger does not take.
    #[error("a bug of this program: {0}")]
    Bug(LedgerError),
}

impl Refusal {
    /// Stable code for the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::State { .. } => "campaign_state",
            Self::Frozen => "campaign_frozen",
            Self::Unfunded { .. } => "campaign_unfunded",
            Self::Deposit(_) => "deposit_mismatch",
            Self::Terms(_) => "terms_invalid",
            Self::Field { .. } => "field_invalid",
            Self::Thing { .. } => "not_possible_now",
            Self::Enrollment(_) => "enrollment_state",
            Self::NotCredited(_) => "not_credited",
            Self::Funds { .. } => "funds_short",
            Self::Cash { .. } => "cash_short",
            Self::TooEarly { .. } => "too_early",
            Self::Bug(_) => "bug",
        }
    }
}

/// `Err(refusal)` unless the rule holds.
pub(crate) fn need(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// An amount of a command: above zero, at most 10^11.
pub(crate) fn amount(field: &'static str, amount: Minor) -> Result<(), Refusal> {
    let fits = amount.is_positive() && amount <= crate::money::AMOUNT_MAX;
    need(fits, Refusal::Field { field, fix: "1 to 10^11 minor units" })
}

/// Whether these name two different people.
pub(crate) fn are_two(approved_by: &[String]) -> bool {
    let mut names = approved_by.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let first = names.next();
    first.is_some() && names.any(|name| Some(name) != first)
}

/// What only two people together may do.
pub(crate) fn two_people(approved_by: &[String]) -> Result<(), Refusal> {
    need(
        are_two(approved_by),
        Refusal::Field { field: "approved_by", fix: "two different people must agree" },
    )
}
