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

/// Pages of a hundred that are looked through: a hundred thousand transfers of one campaign.
const PAGES_MAX: usize = 1_000;

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

    /// Every transfer of a campaign, to one recipient or to all.
    pub(super) async fn transfers_in(
        &self,
        group: CampaignId,
        recipient: Option<&str>,
    ) -> Result<Vec<Transfer>, ProviderError> {
        let recipient = recipient.map(|recipient| step("recipient", recipient)).transpose()?;
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let form = Form::default()
                .with("transfer_group", group)
                .with_some("destination", recipient)
                .with("limit", 100)
                .with_some("starting_after", after.as_ref());
            let body = self.line.get(&["transfers"], &form).await.reply()?;
            let page: List<wire::Transfer> = read("transfers", body)?;
            after = page.data.last().map(|transfer| transfer.id.clone());
            for transfer in page.data {
                all.push(self.seen(transfer)?);
            }
            if !page.has_more {
                return Ok(all);
            }
        }
        // "Not there" must be a fact: it lets the payout be sent again.
        Err(unusable("more transfers of one campaign than are looked through"))
    }

    fn seen(&self, mut transfer: wire::Transfer) -> Result<Transfer, ProviderError> {
        if mode(self.mode, transfer.livemode) != self.mode {
            return Err(unusable(format!("{} is of another world", transfer.id)));
        }
        Ok(Transfer {
            id: transfer.id,
            payout: transfer.metadata.remove(PAYOUT),
            amount: transfer.amount,
            reversed: transfer.amount_reversed,
            currency: transfer.currency,
            created_at: ms(transfer.created),
        })
    }

    pub(super) async fn read_transfer(&self, id: &str) -> Result<Option<Transfer>, ProviderError> {
        let path = ["transfers", step("transfer", id)?];
        let body = self.line.get(&path, &Form::default()).await.found()?;
        body.map(|body| self.seen(read("transfer", body)?)).transpose()
    }

    pub(super) async fn search_transfer(
        &self,
        group: CampaignId,
        recipient: &str,
        payout: &str,
    ) -> Result<Option<Transfer>, ProviderError> {
        let all = self.transfers_in(group, Some(recipient)).await?;
        let mut of_it = all.into_iter().filter(|one| one.payout.as_deref() == Some(payout));
        match (of_it.next(), of_it.next()) {
            (Some(first), Some(second)) => {
                let pair = format!("{} and {}", first.id, second.id);
                Err(unusable(format!("two transfers of payout {payout}: {pair}")))
            }
            (found, _) => Ok(found),
        }
    }
}
