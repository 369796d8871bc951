//! Pages that keep up by themselves: a stream tells how far a ledger has come, and the script asks for the
//! page again when that is further than what is shown.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_store::ClickReader;

use super::visitor::Visitor;
use crate::api::{Fault, Path};
use crate::problem::Problem;
use crate::shared::Shared;

/// How often a ledger is looked at.
const EVERY: Duration = Duration::from_millis(400);

/// How soon a browser asks again after a stream has ended.
const AGAIN: Duration = Duration::from_millis(200);

/// Looks after which a stream ends: the browser asks again, and whoever may no longer see it is refused.
const LOOKS_MAX: u32 = 25;

/// How far back clicks are counted: they stand by the hour, and an hour may end between two looks.
const CLICKS_BACK_MS: i64 = 7_200_000;

/// How far a campaign has come: its last entry, and the credited clicks of the last hours.
type Place = (Seq, u64);

struct Watch {
    shared: Shared,
    campaign: CampaignId,
    /// Held as long as the stream is.
    clicks: Box<dyn ClickReader>,
    told: Option<Place>,
    looks: u32,
}

impl Watch {
    fn place(&mut self) -> Option<Place> {
        let head = self.shared.desk.look(self.campaign, Campaign::head).ok()?;
        let since = self.shared.clock.now().saturating_sub(CLICKS_BACK_MS);
        let hours = self.clicks.hours_of_campaign(self.campaign, (since, i64::MAX)).ok()?;
        Some((head, hours.iter().map(|hour| hour.credited).sum()))
    }

    /// The next place that is news; none where the stream is to end.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            if self.told.is_some() {
                tokio::select! {
                    _ = stopping.wait_for(|stopping| *stopping) => return None,
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
            if self.looks >= LOOKS_MAX {
                return None;
            }
            self.looks += 1;
            let place = tokio::task::block_in_place(|| self.place())?;
            if self.told != Some(place) {
                self.told = Some(place);
                let (head, clicks) = place;
                let event = Event::default().retry(AGAIN).data(format!("{head}.{clicks}"));
                return Some((Ok(event), self));
            }
        }
    }
}

/// `GET /live/campaigns/{campaign}`: the number of its last entry and how many clicks the last hours had, whenever
/// there is another.
pub(super) async fn campaign(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| visitor.caller.sees(campaign))?;
    let shared = (*visitor.caller.shared).clone();
    let clicks = tokio::task::block_in_place(|| shared.clicks.reader()).map_err(Fault::from)?;
    let watch = Watch { shared, campaign, clicks, told: None, looks: 0 };
    let stream = unfold(watch, Watch::next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}
