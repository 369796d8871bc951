//! Refunds: unspent money goes back to where a deposit came from.

use sponsorhub_app::ports::payment::{RefundOrder, RefundProgress, RefundSeen};
use sponsorhub_app::ports::{Outcome, ProviderError};

use super::Stripe;
use super::answer::done;
use super::form::Form;
use super::wire::{List, Refund, code, ms, read, step, unusable};

/// What the refund is called on the provider's object.
const REFUND: &str = "refund_id";

/// Pages of a hundred that are looked through for one refund.
const PAGES_MAX: usize = 100;

impl Refund {
    fn is_of(&self, reference: &str) -> bool {
        let noted = self.metadata.as_ref().and_then(|metadata| metadata.get(REFUND));
        noted.is_some_and(|noted| noted == reference)
    }

    fn progress(&self) -> Option<RefundProgress> {
        match self.status.as_str() {
            "pending" | "requires_action" => Some(RefundProgress::Pending),
            "succeeded" => Some(RefundProgress::Succeeded),
            "failed" | "canceled" => Some(RefundProgress::Failed),
            _ => None,
        }
    }
}

impl Stripe {
    pub(super) async fn send_back(&self, order: &RefundOrder) -> Outcome {
        let form = Form::default()
            .with("charge", &order.charge)
            .with("amount", order.amount)
            .with("reason", "requested_by_customer")
            .with(format!("metadata[{REFUND}]"), &order.reference);
        let answer = self.line.move_money(&["refunds"], &form, (&order.key, order.until)).await;
        answer.outcome(|body| {
            let read = read("refund", body.clone());
            let refund: Refund = read.map_err(|error| error.to_string())?;
            let differs = [
                ("charge", refund.charge.as_ref() != Some(&order.charge)),
                ("currency", refund.currency != code(order.currency)),
                ("reference", !refund.is_of(&order.reference)),
            ];
            if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                return Err(format!("{}: its {what} is another", refund.id));
            }
            match refund.progress() {
                Some(RefundProgress::Failed) => Ok(Outcome::Refused {
                    code: format!("refund_{}", refund.status),
                    message: format!("{} did not go through", refund.id),
                    request: None,
                }),
                Some(RefundProgress::Pending | RefundProgress::Succeeded) => {
                    Ok(done(&refund.id, refund.amount))
                }
                None => Err(format!("{}: its status is an unknown word", refund.id)),
            }
        })
    }

    /// Every refund of a charge, whoever made it.
    pub(super) async fn refunds_of(&self, charge: &str) -> Result<Vec<RefundSeen>, ProviderError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let form = Form::default()
                .with("charge", step("charge", charge)?)
                .with("limit", 100)
                .with_some("starting_after", after.as_ref());
            let body = self.line.get(&["refunds"], &form).await.reply()?;
            let page: List<Refund> = read("refunds", body)?;
            after = page.data.last().map(|refund| refund.id.clone());
            for mut refund in page.data {
                let progress = refund.progress();
                let progress =
                    progress.ok_or_else(|| unusable("a refund's status is an unknown word"))?;
                let reference = refund.metadata.as_mut().and_then(|noted| noted.remove(REFUND));
                all.push(RefundSeen {
                    id: refund.id,
                    reference,
                    created_at: ms(refund.created),
                    amount: refund.amount,
                    currency: refund.currency,
                    progress,
                });
            }
            if !page.has_more {
                return Ok(all);
            }
        }
        Err(unusable("more refunds of one charge than are looked through"))
    }

    pub(super) async fn search_refund(
        &self,
        charge: &str,
        reference: &str,
    ) -> Result<Option<RefundSeen>, ProviderError> {
        let mut found: Option<RefundSeen> = None;
        let all = self.refunds_of(charge).await?;
        for seen in all.into_iter().filter(|seen| seen.reference.as_deref() == Some(reference)) {
            found = Some(match found {
                // One that failed moved nothing, and another attempt may stand beside it.
                Some(other) if seen.progress == RefundProgress::Failed => other,
                Some(other) if other.progress != RefundProgress::Failed => {
                    let pair = format!("{} and {}", other.id, seen.id);
                    return Err(unusable(format!("two refunds of {reference}: {pair}")));
                }
                _ => seen,
            });
        }
        Ok(found)
    }
}
