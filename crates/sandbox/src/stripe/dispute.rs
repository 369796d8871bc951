//! `/v1/disputes`: a bank takes money of a charge away, and may give it back. Who disputes, and how it
//! ends, is said by the control API; the product only reads.

use serde_json::Value;

use super::books::Books;
use super::error::Refusal;
use super::form::Params;
use super::object::{ChargeStatus, Dispute, DisputeStatus};
use super::shelf::{Object as _, Page};

/// What a dispute costs the platform, minor units.
const FEE: i64 = 1_500;

pub(crate) fn list(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    let charge = params.text("charge")?;
    let intent = params.text("payment_intent")?;
    params.finish()?;
    books.disputes.page(&page, "/v1/disputes", |dispute| {
        charge.as_ref().is_none_or(|charge| *charge == dispute.charge)
            && (intent.is_none() || dispute.payment_intent == intent)
    })
}

impl Books {
    /// The bank of whoever paid takes the money of a session's charge away; returns the dispute's id.
    /// None where nothing was paid, or less than that is left.
    pub(crate) fn dispute(&mut self, session: &str, amount: Option<i64>) -> Option<String> {
        let intent = self.sessions.get(session)?.payment_intent.clone()?;
        let charge = self.intents.get(&intent)?.latest_charge.clone()?;
        let charge = self.charges.get(&charge)?;
        if charge.status != ChargeStatus::Succeeded {
            return None;
        }
        let (charge, rest) = (charge.clone(), charge.amount - charge.amount_refunded);
        let amount = amount.unwrap_or(rest);
        if !(1..=rest).contains(&amount) {
            return None;
        }
        let id = self.chance.id("du");
        self.charges.known(&charge.id).disputed = true;
        self.disputes.put(Dispute {
            id: id.clone(),
            object: "dispute",
            amount,
            balance_transactions: Vec::new(),
            charge: charge.id,
            created: self.now_s(),
            currency: charge.currency,
            is_charge_refundable: false,
            livemode: false,
            payment_intent: Some(intent),
            reason: "fraudulent",
            status: DisputeStatus::NeedsResponse,
        });
        let told = self.disputes.known(&id).render();
        self.tell("charge.dispute.created", &told);
        self.book(&id, -1, FEE);
        let told = self.disputes.known(&id).render();
        self.tell("charge.dispute.funds_withdrawn", &told);
        Some(id)
    }

    /// The bank decides; false where there is no such dispute, or it was decided before.
    pub(crate) fn close_dispute(&mut self, id: &str, is_won: bool) -> bool {
        let Some(dispute) = self.disputes.get_mut(id) else { return false };
        if dispute.status != DisputeStatus::NeedsResponse {
            return false;
        }
        dispute.status = if is_won { DisputeStatus::Won } else { DisputeStatus::Lost };
        if is_won {
            self.book(id, 1, 0);
            let told = self.disputes.known(id).render();
            self.tell("charge.dispute.funds_reinstated", &told);
        }
        let told = self.disputes.known(id).render();
        self.tell("charge.dispute.closed", &told);
        true
    }

    /// Money of a dispute leaves the balance, or comes back.
    fn book(&mut self, id: &str, sign: i64, fee: i64) {
        let Dispute { amount, currency, charge, .. } = self.disputes.known(id).clone();
        let now = self.now_s();
        let booked = self.move_money("adjustment", id, (sign * amount, fee, &currency), now);
        self.note("dispute", id, (sign * amount - fee, &currency)).charge = Some(charge);
        let rendered = self.balance_transactions.known(&booked).render();
        self.disputes.known(id).balance_transactions.push(rendered);
    }
}
