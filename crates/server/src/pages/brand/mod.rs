//! The brand's pages: its campaigns, their money, and what may be done with them.

mod burn;
pub(super) mod campaign;
pub(super) mod entries;
mod facts;
mod field;
pub(super) mod holds;
pub(super) mod list;
pub(super) mod money;
pub(super) mod new;
pub(super) mod shop;
pub(super) mod steps;
pub(super) mod what_if;

use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;

use super::show;

/// The head of every page about a campaign.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: CampaignId,
    pub(super) name: String,
    pub(super) short: String,
    pub(super) state: show::Chip,
    pub(super) is_frozen: bool,
    /// Entries of its ledger when this was looked at.
    pub(super) entries: Seq,
    /// Which of its pages this is.
    pub(super) tab: &'static str,
}

impl Head {
    fn of(state: &Campaign, tab: &'static str) -> Self {
        let id = state.id();
        Self {
            id,
            name: show::offer(state.terms()),
            short: show::short(&id.to_string()),
            state: show::state(state.state()),
            is_frozen: state.frozen() > 0,
            entries: state.head(),
            tab,
        }
    }

    /// The address of one of its pages.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/brand/campaigns/{}{rest}", self.id)
    }
}
