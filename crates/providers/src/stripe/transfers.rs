//! Transfers: a payout's money goes to its creator (INV-3).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sponsorhub_app::ports::payment::{Transfer, TransferOrder};
use sponsorhub_app::ports::{Outcome, ProviderError};
use sponsorhub_core::ids::CampaignId;
use tokio::sync::OwnedMutexGuard;

use super::Stripe;
use super::answer::done;
use super::form::Form;
use super::wire::{self, List, code, mode, ms, read, step, unusable};

/// What the payout is called on the provider's object.
const PAYOUT: &str = "payout_id";

/// Pages of a hundred that are looked through for one payout: ten thousand transfers of one campaign
/// to one creator.
const PAGES_MAX: usize = 100;

/// One transfer at a time for each recipient: the provider refuses more of them by a lock.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Lanes {
    async fn enter(&self, recipient: &str) -> OwnedMutexGuard<()> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody holds or waits for a lane that only this map knows.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            Arc::clone(lanes.entry(recipient.to_owned()).or_default())
        };
        lane.lock_owned().await
    }
}

impl Stripe {
    pub(super) async fn move_payout(&self, order: &TransferOrder) -> Outcome {
        let form = Form::default()
            .with("amount", order.amount)
            .with("currency", code(order.currency))
            .with("destination", &order.recipient)
            .with_some("source_transaction", order.backing.as_ref())
            .with("transfer_group", order.group)
            .with(format!("metadata[{PAYOUT}]"), &order.payout);
        let lane = self.lanes.enter(&order.recipient).await;
        let answer = self.line.move_money(&["transfers"], &form, (&order.key, order.until)).await;
        drop(lane);
        answer.outcome(|body| {
            let read = read("transfer", body.clone());
            let transfer: wire::Transfer = read.map_err(|error| error.to_string())?;
            let differs = [
                ("recipient", transfer.destination != order.recipient),
                ("currency", transfer.currency != code(order.currency)),
                ("payout", transfer.metadata.get(PAYOUT) != Some(&order.payout)),
                ("world", mode(self.mode, transfer.livemode) != self.mode),
            ];
            match differs.into_iter().find(|(_, differs)| *differs) {
                Some((what, _)) => Err(format!("{}: its {what} is another", transfer.id)),
                None => Ok(done(&transfer.id, transfer.amount)),
            }
        })
    }

    pub(super) async fn search_transfer(
        &self,
        group: CampaignId,
        recipient: &str,
        payout: &str,
    ) -> Result<Option<Transfer>, ProviderError> {
        let mut found: Option<Transfer> = None;
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let form = Form::default()
                .with("transfer_group", group)
                .with("destination", step("recipient", recipient)?)
                .with("limit", 100)
                .with_some("starting_after", after.as_ref());
            let body = self.line.get(&["transfers"], &form).await.reply()?;
            let page: List<wire::Transfer> = read("transfers", body)?;
            after = page.data.last().map(|transfer| transfer.id.clone());
            for transfer in page.data {
                if transfer.metadata.get(PAYOUT).is_none_or(|other| other != payout) {
                    continue;
                }
                if mode(self.mode, transfer.livemode) != self.mode {
                    return Err(unusable(format!("{} is of another world", transfer.id)));
                }
                if let Some(first) = &found {
                    let pair = format!("{} and {}", first.id, transfer.id);
                    return Err(unusable(format!("two transfers of payout {payout}: {pair}")));
                }
                found = Some(Transfer {
                    id: transfer.id,
                    amount: transfer.amount,
                    reversed: transfer.amount_reversed,
                    currency: transfer.currency,
                    created_at: ms(transfer.created),
                });
            }
            if !page.has_more {
                return Ok(found);
            }
        }
        // "Not there" must be a fact: it lets the payout be sent again.
        Err(unusable("more transfers of one campaign to one recipient than are looked through"))
    }
}
