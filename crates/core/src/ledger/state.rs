//! Where the disbursement of a payout stands. The edges between the states and their guards are
//! in [`crate::disbursement`]; the state lives here because entries fold into it.

/// State of a payout's disbursement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisbursementState {
    /// Owed and planned; no call is under way.
    Planned,
    /// A call to the provider is committed and may be under way.
    Attempted,
    /// No definite answer came: the money may have moved.
    Unknown,
    /// The provider refused, definitely; a new attempt may follow.
    Failed,
    /// The transfer exists.
    Paid,
    /// The transfer came back; the money is owed again.
    Reversed,
    /// Given up before any money moved; the money is owed again.
    Cancelled,
}

impl DisbursementState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Planned,
        Self::Attempted,
        Self::Unknown,
        Self::Failed,
        Self::Paid,
        Self::Reversed,
        Self::Cancelled,
    ];

    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Attempted => "attempted",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Paid => "paid",
            Self::Reversed => "reversed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether money may be moving at the provider.
    pub const fn is_in_flight(self) -> bool {
        matches!(self, Self::Attempted | Self::Unknown)
    }
}
