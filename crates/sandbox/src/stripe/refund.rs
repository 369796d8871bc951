//! `/v1/refunds`: money of a charge back to whoever paid. It comes from the platform's balance and
//! reverses no transfer; where the balance does not cover it, it waits.

use serde_json::{Value, json};

use super::books::Books;
use super::error::Refusal;
use super::form::Params;
use super::object::{Charge, ChargeStatus, Refund, RefundStatus};
use super::shelf::{Object as _, Page};

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

pub(crate) fn create(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let charge = params.text("charge")?;
    let intent = params.text("payment_intent")?;
    let amount = params.amount("amount")?;
    let reason = params.choice("reason", &REASONS)?;
    let metadata = params.metadata()?;
    params.finish()?;
    let charge = charge_of(books, charge, intent)?;
    if charge.status != ChargeStatus::Succeeded {
        return Err(Refusal::uncoded(format!("Charge {} has not succeeded.", charge.id)));
    }
    if charge.disputed {
        let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
        return Err(Refusal::executed("charge_disputed", message));
    }
    let rest = charge.amount - charge.amount_refunded;
    if rest == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(Refusal::executed("charge_already_refunded", message));
    }
    let amount = amount.unwrap_or(rest);
    if amount > rest {
        let message = format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({rest})"
        );
        return Err(Refusal::uncoded(message).about("amount"));
    }
    let refund = Refund {
        id: books.chance.id("re"),
        object: "refund",
        amount,
        balance_transaction: None,
        charge: charge.id.clone(),
        created: books.now_s(),
        currency: charge.currency,
        metadata,
        payment_intent: charge.payment_intent,
        pending_reason: Some("insufficient_funds"),
        reason,
        status: RefundStatus::Pending,
    };
    let id = refund.id.clone();
    books.refunds.put(refund);
    books.pay_refund(&id);
    let rendered = books.refunds.known(&id).render();
    books.tell("refund.created", &rendered);
    let kept = books.charges.known(&charge.id);
    let previous = json!({ "amount_refunded": kept.amount_refunded, "refunded": kept.refunded });
    kept.amount_refunded += amount;
    kept.refunded = kept.amount_refunded == kept.amount;
    let told = kept.render();
    books.tell_of("charge.refunded", &told, Some(previous), None);
    Ok(rendered)
}

fn charge_of(
    books: &Books,
    charge: Option<String>,
    intent: Option<String>,
) -> Result<Charge, Refusal> {
    let id = match (charge, intent) {
        (Some(charge), _) => charge,
        (None, Some(intent)) => {
            let intent = books.intents.in_parameter(&intent, "payment_intent")?;
            intent.latest_charge.clone().ok_or_else(|| {
                Refusal::uncoded("This PaymentIntent does not have a successful charge to refund.")
            })?
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: \
                           payment_intent or charge.";
            return Err(Refusal::parameter("parameter_missing", "charge", message));
        }
    };
    books.charges.in_parameter(&id, "charge").cloned()
}

pub(crate) fn list(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let charge = params.text("charge")?;
    let intent = params.text("payment_intent")?;
    params.finish()?;
    books.refunds.page(&page, "/v1/refunds", |refund| {
        charge.as_ref().is_none_or(|charge| *charge == refund.charge)
            && (intent.is_none() || refund.payment_intent == intent)
    })
}

impl Books {
    /// Lets a waiting refund go through, if the balance covers it; says whether it did.
    fn pay_refund(&mut self, id: &str) -> bool {
        let Refund { amount, currency, charge, metadata, .. } = self.refunds.known(id).clone();
        let (available, pending) = self.sums(&currency);
        if amount > available + pending {
            return false;
        }
        let Charge { balance_transaction, transfer_group, .. } =
            self.charges.known(&charge).clone();
        let spendable = match balance_transaction {
            Some(one) => self.balance_transactions.known(&one).available_on,
            None => self.now_s(),
        };
        let transaction = self.move_money("refund", id, (-amount, 0, &currency), spendable);
        let movement = self.note("refund", id, (-amount, &currency));
        movement.charge = Some(charge);
        (movement.metadata, movement.transfer_group) = (metadata, transfer_group);
        let kept = self.refunds.known(id);
        kept.balance_transaction = Some(transaction);
        kept.pending_reason = None;
        kept.status = RefundStatus::Succeeded;
        true
    }

    /// Lets go through what waited for money, oldest first.
    pub(crate) fn pay_waiting_refunds(&mut self) {
        let waiting = self.refunds.iter().filter(|one| one.status == RefundStatus::Pending);
        let waiting: Vec<String> = waiting.map(|one| one.id.clone()).collect();
        for id in waiting {
            if self.pay_refund(&id) {
                let rendered = self.refunds.known(&id).render();
                let previous = json!({ "status": "pending" });
                self.tell_of("refund.updated", &rendered, Some(previous), None);
            }
        }
    }
}
