//! A buyer pays, or does not: sessions, payment intents and charges in step, told in the order in
//! which the wire tells it.
//!
//! Card: decided at once. Delayed methods: the session completes unpaid and is decided four days
//! later, or when a driver says so. The balance transaction comes after the charge, never with it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::books::{Books, Due};
use super::object::{
    Charge, ChargeStatus, Intent, IntentStatus, PaymentStatus, Session, SessionStatus,
};
use super::shelf::Object as _;

/// How a buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Decided at once.
    Card,
    /// A bank debit, decided days later.
    Delayed,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money comes.
    Succeed,
    /// It does not.
    Fail,
}

/// Why a checkout could not be paid or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutRefusal {
    /// No such session.
    #[error("there is no such checkout session")]
    Unknown,
    /// Paid, or expired.
    #[error("this checkout session is not open any more")]
    NotOpen,
    /// No delayed payment of it is on its way.
    #[error("no delayed payment of this checkout session is waiting")]
    NothingWaiting,
}

/// How long a delayed payment takes, milliseconds.
const DELAY_MS: i64 = 4 * 86_400_000;

/// The fee of a charge: 2.9 % rounded to the nearest minor unit, and 30.
pub(crate) fn fee_of(amount: i64) -> i64 {
    (amount * 29 + 500) / 1_000 + 30
}

impl Books {
    /// Pays a session. A card that is refused leaves it open.
    pub(crate) fn pay(
        &mut self,
        session: &str,
        method: Method,
        outcome: Outcome,
    ) -> Result<(), CheckoutRefusal> {
        let session = self.sessions.get(session).ok_or(CheckoutRefusal::Unknown)?.clone();
        if session.status != SessionStatus::Open {
            return Err(CheckoutRefusal::NotOpen);
        }
        let intent = self.intent_of(&session);
        let charge = self.new_charge(&intent, method);
        match (method, outcome) {
            (Method::Card, Outcome::Succeed) => {
                self.succeed(&intent, &charge);
                self.complete(&session.id, PaymentStatus::Paid, "checkout.session.completed");
                self.capture_soon(&charge);
            }
            (Method::Card, Outcome::Fail) => self.fail(&intent, &charge),
            (Method::Delayed, _) => {
                self.intents.known(&intent).status = IntentStatus::Processing;
                self.complete(&session.id, PaymentStatus::Unpaid, "checkout.session.completed");
                self.tell_intent("payment_intent.processing", &intent);
                self.tell_charge("charge.pending", &charge);
                self.outcomes.insert(intent.clone(), outcome);
                self.when(self.now_ms.saturating_add(DELAY_MS), Due::Settle(intent));
            }
        }
        Ok(())
    }

    /// Decides a delayed payment now; as was said when it was made, or otherwise.
    pub(crate) fn settle_now(
        &mut self,
        session: &str,
        outcome: Option<Outcome>,
    ) -> Result<(), CheckoutRefusal> {
        let session = self.sessions.get(session).ok_or(CheckoutRefusal::Unknown)?;
        let intent = session.payment_intent.clone().ok_or(CheckoutRefusal::NothingWaiting)?;
        let waiting = self.outcomes.get_mut(&intent).ok_or(CheckoutRefusal::NothingWaiting)?;
        *waiting = outcome.unwrap_or(*waiting);
        self.settle(&intent);
        Ok(())
    }

    /// Decides a delayed payment, unless that has been done.
    pub(crate) fn settle(&mut self, intent: &str) {
        let Some(outcome) = self.outcomes.remove(intent) else { return };
        let kept = self.intents.known(intent);
        let session = kept.session.clone();
        let charge = kept.latest_charge.clone().expect("a payment on its way has a charge");
        match outcome {
            Outcome::Succeed => {
                self.succeed(intent, &charge);
                let told = "checkout.session.async_payment_succeeded";
                self.complete(&session, PaymentStatus::Paid, told);
                self.capture_soon(&charge);
            }
            Outcome::Fail => {
                self.fail(intent, &charge);
                let told = "checkout.session.async_payment_failed";
                self.complete(&session, PaymentStatus::Unpaid, told);
                self.reverse_transfers_of(&charge);
            }
        }
    }

    /// Ends a session that nobody paid; anything else stays as it is.
    pub(crate) fn expire(&mut self, session: &str) {
        let kept = self.sessions.known(session);
        if kept.status != SessionStatus::Open {
            return;
        }
        kept.status = SessionStatus::Expired;
        kept.url = None;
        let rendered = kept.render();
        self.tell("checkout.session.expired", &rendered);
    }

    /// Makes the balance transaction of a charge that succeeded.
    pub(crate) fn capture(&mut self, charge: &str) {
        let Charge { amount, currency, succeeded_at, .. } = self.charges.known(charge).clone();
        let Some(succeeded_at) = succeeded_at else { return };
        let available_on = self.available_on() - (self.now_s() - succeeded_at);
        let fee = fee_of(amount);
        let transaction = self.move_money("charge", charge, (amount, fee, &currency), available_on);
        self.note("fee", &transaction, (-fee, &currency)).charge = Some(charge.to_owned());
        let kept = self.charges.known(charge);
        kept.balance_transaction = Some(transaction);
        let rendered = kept.render();
        let previous = json!({ "balance_transaction": null });
        self.tell_of("charge.updated", &rendered, Some(previous), None);
    }

    fn capture_soon(&mut self, charge: &str) {
        let at_ms = self.now_ms.saturating_add(self.capture_delay_ms);
        self.when(at_ms, Due::Capture(charge.to_owned()));
    }

    fn intent_of(&mut self, session: &Session) -> String {
        if let Some(intent) = &session.payment_intent {
            return intent.clone();
        }
        let id = self.chance.id("pi");
        let plan = session.plan.clone();
        let intent = Intent {
            id: id.clone(),
            object: "payment_intent",
            amount: session.amount_total,
            amount_capturable: 0,
            amount_received: 0,
            capture_method: "automatic_async",
            created: self.now_s(),
            currency: session.currency.clone(),
            description: plan.description,
            last_payment_error: None,
            latest_charge: None,
            livemode: false,
            metadata: plan.metadata,
            payment_method_types: session.payment_method_types.clone(),
            status: IntentStatus::RequiresPaymentMethod,
            transfer_group: plan.transfer_group,
            session: session.id.clone(),
        };
        let rendered = intent.render();
        self.intents.put(intent);
        self.sessions.known(&session.id).payment_intent = Some(id.clone());
        self.tell("payment_intent.created", &rendered);
        id
    }

    fn new_charge(&mut self, intent: &str, method: Method) -> String {
        let id = self.chance.id("ch");
        let created = self.now_s();
        let kept = self.intents.known(intent);
        kept.latest_charge = Some(id.clone());
        let charge = Charge {
            id: id.clone(),
            object: "charge",
            amount: kept.amount,
            amount_captured: 0,
            amount_refunded: 0,
            balance_transaction: None,
            captured: false,
            created,
            currency: kept.currency.clone(),
            description: kept.description.clone(),
            disputed: false,
            failure_code: None,
            failure_message: None,
            livemode: false,
            metadata: kept.metadata.clone(),
            paid: false,
            payment_intent: Some(intent.to_owned()),
            payment_method_details: details(method),
            refunded: false,
            status: ChargeStatus::Pending,
            transfer_group: kept.transfer_group.clone(),
            succeeded_at: None,
        };
        self.charges.put(charge);
        id
    }

    fn succeed(&mut self, intent: &str, charge: &str) {
        let now_s = self.now_s();
        let kept = self.charges.known(charge);
        kept.status = ChargeStatus::Succeeded;
        (kept.paid, kept.captured) = (true, true);
        kept.amount_captured = kept.amount;
        kept.succeeded_at = Some(now_s);
        let Charge { amount, currency, metadata, transfer_group, .. } = kept.clone();
        let movement = self.note("charge", charge, (amount, &currency));
        movement.charge = Some(charge.to_owned());
        (movement.metadata, movement.transfer_group) = (metadata, transfer_group);
        let kept = self.intents.known(intent);
        kept.status = IntentStatus::Succeeded;
        kept.amount_received = kept.amount;
        kept.last_payment_error = None;
        self.tell_charge("charge.succeeded", charge);
        self.tell_intent("payment_intent.succeeded", intent);
    }

    fn fail(&mut self, intent: &str, charge: &str) {
        let message = "Your card was declined.";
        let kept = self.charges.known(charge);
        kept.status = ChargeStatus::Failed;
        kept.failure_code = Some("card_declined");
        kept.failure_message = Some(message);
        let kept = self.intents.known(intent);
        kept.status = IntentStatus::RequiresPaymentMethod;
        kept.last_payment_error = Some(json!({
            "type": "card_error", "code": "card_declined", "charge": charge, "message": message,
        }));
        self.tell_charge("charge.failed", charge);
        self.tell_intent("payment_intent.payment_failed", intent);
    }

    fn complete(&mut self, session: &str, payment_status: PaymentStatus, told: &'static str) {
        let kept = self.sessions.known(session);
        kept.status = SessionStatus::Complete;
        kept.payment_status = payment_status;
        kept.url = None;
        let rendered = kept.render();
        self.tell(told, &rendered);
    }

    fn tell_intent(&mut self, told: &'static str, intent: &str) {
        let rendered = self.intents.known(intent).render();
        self.tell(told, &rendered);
    }

    fn tell_charge(&mut self, told: &'static str, charge: &str) {
        let rendered = self.charges.known(charge).render();
        self.tell(told, &rendered);
    }
}

fn details(method: Method) -> Value {
    match method {
        Method::Card => {
            json!({ "type": "card", "card": { "brand": "visa", "last4": "4242", "country": "US" } })
        }
        Method::Delayed => {
            json!({ "type": "us_bank_account", "us_bank_account": { "last4": "6789" } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_is_2_9_percent_and_30() {
        for (amount, fee) in [(50, 31), (100, 33), (1_000, 59), (100_000, 2_930), (10_017, 320)] {
            assert_eq!(fee_of(amount), fee, "{amount}");
        }
    }
}
