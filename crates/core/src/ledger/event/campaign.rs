//! The campaign's own facts: opening, terms, states.

use serde::{Deserialize, Serialize};

pub use crate::attribution::keys::Mode;
use crate::campaign::state::State;
use crate::campaign::terms::Terms;
use crate::ids::BrandId;

/// `campaign.opened`: the first entry of every ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignOpened {
    /// Whose campaign it is.
    pub brand: BrandId,
    /// The world its money lives in.
    pub mode: Mode,
    /// Version 1 of the terms.
    pub terms: Terms,
    /// SHA-256 of the canonical terms, lower-case hex.
    pub terms_hash: String,
}

/// `terms.set`: a further version of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsSet {
    /// From which click time its rates count, milliseconds.
    pub effective_at: i64,
    /// The whole of the new terms.
    pub terms: Terms,
    /// SHA-256 of the canonical terms, lower-case hex.
    pub terms_hash: String,
    /// 2, 3, …
    pub version: u32,
}

/// Why a campaign changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateCause {
    /// Confirmed deposits crossed the budget, in either direction.
    Funding,
    /// The brand asked.
    Brand,
    /// An operator asked.
    Admin,
    /// `terms.ends_at` passed.
    EndsAt,
    /// Free funds reached zero with `on_exhausted: pause`.
    Exhausted,
    /// The close worker finished.
    Closed,
}

/// `campaign.state_changed`: the campaign moved along an edge of its lifecycle. A pause is an entry
/// too, since the crediting of clicks follows the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignStateChanged {
    /// Why.
    pub cause: StateCause,
    /// The state after.
    pub to: State,
}
