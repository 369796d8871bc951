//! The lifecycle as one table (INV-12). Guards are evaluated in [`super::lifecycle`] on folded
//! state; `cargo xtask diagrams` prints this table, so the diagram cannot lie.

use serde::{Deserialize, Serialize};

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Opened; the budget is not confirmed yet.
    Draft,
    /// Confirmed deposits cover the budget.
    Funded,
    /// Clicks are credited and conversions accrue.
    Live,
    /// No click is credited; what was credited still converts.
    Paused,
    /// Ended; late conversions, reversals and payouts run out.
    Completed,
    /// Closed: everyone is paid, the rest went back. Terminal.
    PaidOut,
    /// Given up before going live; everything goes back. Terminal.
    Cancelled,
}

impl State {
    /// All states, in the order of the lifecycle.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Funded,
        Self::Live,
        Self::Paused,
        Self::Completed,
        Self::PaidOut,
        Self::Cancelled,
    ];

    /// The name in entries, SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Funded => "funded",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::PaidOut => "paid_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether no edge leads away.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::PaidOut | Self::Cancelled)
    }

    /// Whether an edge leads from here to `to`.
    pub fn may_become(self, to: Self) -> bool {
        TRANSITIONS.iter().any(|edge| edge.from == self && edge.to == to)
    }

    /// Where `command` leads from here, if it is listed.
    pub fn after(self, command: Command) -> Option<Self> {
        TRANSITIONS
            .iter()
            .find(|edge| edge.from == self && edge.command == command.name())
            .map(|edge| edge.to)
    }
}

/// What moves a campaign between states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A deposit was confirmed, or a reversed one reinstated.
    Fund,
    /// A deposit was reversed below the budget.
    Unfund,
    /// The brand goes live.
    Launch,
    /// The brand, or exhausted funds, stop the crediting of clicks.
    Pause,
    /// Crediting goes on.
    Resume,
    /// The brand, `ends_at` or an admin ends the campaign.
    Complete,
    /// The brand gives up before going live.
    Cancel,
    /// The close worker found everything settled.
    Close,
}

impl Command {
    /// All commands.
    pub const ALL: [Self; 8] = [
        Self::Fund,
        Self::Unfund,
        Self::Launch,
        Self::Pause,
        Self::Resume,
        Self::Complete,
        Self::Cancel,
        Self::Close,
    ];

    /// The name in diagrams and refusals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fund => "fund",
            Self::Unfund => "unfund",
            Self::Launch => "launch",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::Close => "close",
        }
    }
}

/// One edge of the lifecycle.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// What asks for it.
    pub command: &'static str,
    /// The state after.
    pub to: State,
    /// What must hold, in words; evaluated in [`super::lifecycle`].
    pub guard: &'static str,
}

const fn edge(from: State, command: Command, to: State, guard: &'static str) -> Transition {
    Transition { from, command: command.name(), to, guard }
}

/// Every edge there is; anything else is refused.
pub const TRANSITIONS: &[Transition] = &[
    edge(State::Draft, Command::Fund, State::Funded, "confirmed ≥ budget, not frozen"),
    edge(State::Funded, Command::Unfund, State::Draft, "confirmed < budget"),
    edge(State::Funded, Command::Launch, State::Live, "confirmed ≥ budget, not frozen"),
    edge(State::Live, Command::Pause, State::Paused, ""),
    edge(State::Paused, Command::Resume, State::Live, ""),
    edge(State::Draft, Command::Cancel, State::Cancelled, ""),
    edge(State::Funded, Command::Cancel, State::Cancelled, ""),
    edge(State::Live, Command::Complete, State::Completed, ""),
    edge(State::Paused, Command::Complete, State::Completed, ""),
    edge(
        State::Completed,
        Command::Close,
        State::PaidOut,
        "after closes_at, cursor at head, nothing open, accounts at zero",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_states_stay() {
        for edge in TRANSITIONS {
            assert!(!edge.from.is_terminal(), "INV-12: {edge:?}");
        }
    }

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
    }
}
