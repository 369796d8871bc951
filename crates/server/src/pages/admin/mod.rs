//! The operator's pages. What the API lists is asked of the API, so that rules, filters and cursors are the
//! same ([`list`]).

pub(super) mod holds;
mod list;
pub(super) mod log;
pub(super) mod overview;
pub(super) mod people;
pub(super) mod webhooks;
pub(super) mod workers;

use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::folded::Campaign;

use crate::api::Fault;
use crate::problem::Problem;
use crate::shared::Shared;

/// Campaigns that are looked at at a time.
const CHUNK: usize = 1_000;

/// Things that a list shows at most.
const SHOWN_MAX: usize = 100;

/// Looks at every campaign, oldest first.
fn each(shared: &Shared, mut look: impl FnMut(CampaignId, &Campaign)) -> Result<usize, Problem> {
    let (mut after, mut count) = (0, 0);
    loop {
        let some = shared.desk.read(|reader| reader.campaigns(after, CHUNK));
        let some = some.map_err(Fault::from)?;
        for listed in &some {
            let looked = shared.desk.look(listed.campaign, |state| look(listed.campaign, state));
            looked.map_err(Fault::from)?;
            count += 1;
        }
        after = some.last().map_or(after, |last| last.no);
        if some.len() < CHUNK {
            return Ok(count);
        }
    }
}
