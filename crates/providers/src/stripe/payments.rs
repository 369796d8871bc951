//! Checkouts, and the payments behind them.

use serde_json::Value;
use sponsorhub_app::ports::ProviderError;
use sponsorhub_app::ports::payment::{
    Checkout, CheckoutOrder, DisputeProgress, DisputeSeen, Payment, PaymentOf,
};
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::money::Minor;

use super::Stripe;
use super::form::Form;
use super::wire::{
    BalanceTransaction, Charge, Dispute, Intent, List, Session, code, mode, ms, read, step,
    unusable,
};

/// What the campaign is called on the provider's objects.
const CAMPAIGN: &str = "campaign_id";

/// Disputes of one charge that are read; a charge has one, rarely two.
const DISPUTES_MAX: u32 = 100;

impl Stripe {
    pub(super) async fn checkout(&self, order: &CheckoutOrder) -> Result<Checkout, ProviderError> {
        let (campaign, item) = (order.campaign, "line_items[0]");
        let form = Form::default()
            .with("mode", "payment")
            .with(format!("{item}[quantity]"), 1)
            .with(format!("{item}[price_data][currency]"), code(order.currency))
            .with(format!("{item}[price_data][unit_amount]"), order.amount)
            .with(format!("{item}[price_data][product_data][name]"), &order.title)
            .with("success_url", &order.success_url)
            .with("cancel_url", &order.cancel_url)
            .with("client_reference_id", campaign)
            .with(format!("metadata[{CAMPAIGN}]"), campaign)
            // The session's notes are not copied to the payment, so that is told as well.
            .with(format!("payment_intent_data[metadata][{CAMPAIGN}]"), campaign)
            .with("payment_intent_data[transfer_group]", campaign);
        let path = ["checkout", "sessions"];
        let body = self.line.post(&path, &form, Some(&order.key)).await.reply()?;
        let session: Session = read("checkout session", body)?;
        let differs = [
            ("amount", session.amount_total != order.amount),
            ("currency", session.currency != code(order.currency)),
            ("world", mode(self.mode, session.livemode) != self.mode),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(unusable(format!("the checkout's {what} is not the ordered one")));
        }
        let url = session.url.ok_or_else(|| unusable("the checkout has no address"))?;
        Ok(Checkout { session: session.id, url, expires_at: ms(session.expires_at) })
    }

    pub(super) async fn expire(&self, session: &str) -> Result<(), ProviderError> {
        let path = ["checkout", "sessions", step("session", session)?, "expire"];
        self.line.post(&path, &Form::default(), None).await.reply().map(drop)
    }

    pub(super) async fn read_payment(
        &self,
        of: PaymentOf<'_>,
    ) -> Result<Option<Payment>, ProviderError> {
        const BEHIND: &str = "payment_intent.latest_charge.balance_transaction";
        let session = match of {
            PaymentOf::Session(id) => {
                let path = ["checkout", "sessions", step("session", id)?];
                self.line.get(&path, &Form::default().expanding(BEHIND)).await.found()?
            }
            PaymentOf::Payment(id) => {
                let form = Form::default()
                    .with("payment_intent", step("payment", id)?)
                    .expanding(&format!("data.{BEHIND}"));
                let found = self.line.get(&["checkout", "sessions"], &form).await.found()?;
                let sessions: Option<List<Value>> =
                    found.map(|body| read("sessions", body)).transpose()?;
                sessions.and_then(|list| list.data.into_iter().next())
            }
        };
        let Some(session) = session else { return Ok(None) };
        let mut session: Session = read("checkout session", session)?;
        let intent = session.payment_intent.take();
        let intent: Option<Intent> = intent.map(|one| read("payment", one)).transpose()?;
        let charge = intent.as_ref().and_then(|intent| intent.latest_charge.as_ref());
        let mut payment = self.payment_of(&session, intent.as_ref())?;
        if let Some(charge) = charge {
            payment.refunds = self.refunds_of(&charge.id).await?;
            if payment.refunds.iter().any(|refund| refund.currency != charge.currency) {
                return Err(unusable("a refund is not in the charge's currency"));
            }
        }
        if let Some(charge) = charge.filter(|charge| charge.disputed) {
            payment.disputes = self.disputes_of(charge).await?;
        }
        Ok(Some(payment))
    }

    fn payment_of(
        &self,
        session: &Session,
        intent: Option<&Intent>,
    ) -> Result<Payment, ProviderError> {
        let campaign = session.metadata.get(CAMPAIGN);
        let campaign = campaign.and_then(|text| text.parse::<CampaignId>().ok());
        let campaign = campaign.ok_or_else(|| unusable("the session names no campaign"))?;
        let charge = intent.and_then(|intent| intent.latest_charge.as_ref());
        let booked = charge.and_then(|charge| charge.balance_transaction.as_ref());
        check_together(session, intent, charge, booked)?;
        let status = intent.map_or("", |intent| intent.status.as_str());
        let is_paid = session.payment_status == "paid" && status == "succeeded";
        // A card that was refused leaves the session open for another; a bank debit that failed
        // leaves it complete.
        let came_back = matches!(status, "requires_payment_method" | "canceled");
        let is_over = session.status == "complete" && session.payment_status == "unpaid";
        Ok(Payment {
            campaign,
            session: session.id.clone(),
            payment: intent.map(|intent| intent.id.clone()),
            charge: charge.map(|charge| charge.id.clone()),
            amount: intent.map_or(Minor::ZERO, |intent| intent.amount_received),
            currency: session.currency.clone(),
            mode: mode(self.mode, session.livemode),
            is_paid,
            is_failed: session.status == "expired" || (is_over && came_back),
            fee: booked.map(|booked| booked.fee),
            available_on: booked.map(|booked| ms(booked.available_on)),
            refunds: Vec::new(),
            disputes: Vec::new(),
        })
    }

    /// The disputes of a charge. A question of the bank, which takes no money, is none yet.
    async fn disputes_of(&self, charge: &Charge) -> Result<Vec<DisputeSeen>, ProviderError> {
        let form = Form::default().with("charge", &charge.id).with("limit", DISPUTES_MAX);
        let body = self.line.get(&["disputes"], &form).await.reply()?;
        let disputes: List<Dispute> = read("disputes", body)?;
        if disputes.has_more {
            return Err(unusable("more disputes of one charge than are looked through"));
        }
        let mut seen = Vec::new();
        for dispute in disputes.data {
            let booked = &dispute.balance_transactions;
            let is_alike = dispute.currency == charge.currency
                && dispute.livemode == charge.livemode
                && booked.iter().all(|booked| booked.currency == charge.currency);
            if !is_alike {
                return Err(unusable("a dispute is not in the charge's currency and world"));
            }
            let amounts = || booked.iter().map(|booked| booked.amount);
            let withdrawn: Minor = amounts().filter(|one| one.is_negative()).map(|one| -one).sum();
            let returned: Minor = amounts().filter(|one| one.is_positive()).sum();
            let fee = booked.iter().map(|booked| booked.fee).sum::<Minor>();
            if returned > withdrawn || fee.is_negative() {
                return Err(unusable("the bookings of a dispute do not add up"));
            }
            let progress = match dispute.status.as_str() {
                "won" | "prevented" => DisputeProgress::Won,
                "lost" => DisputeProgress::Lost,
                status if status.starts_with("warning_") && withdrawn.is_zero() => continue,
                _ => DisputeProgress::Open,
            };
            seen.push(DisputeSeen {
                id: dispute.id,
                created_at: ms(dispute.created),
                amount: dispute.amount,
                withdrawn,
                returned,
                fee,
                progress,
            });
        }
        Ok(seen)
    }
}

/// One payment is in one currency and one world; a fee in another currency is not a fee of it.
fn check_together(
    session: &Session,
    intent: Option<&Intent>,
    charge: Option<&Charge>,
    booked: Option<&BalanceTransaction>,
) -> Result<(), ProviderError> {
    let worlds = [intent.map(|intent| intent.livemode), charge.map(|charge| charge.livemode)];
    if worlds.into_iter().flatten().any(|is_live| is_live != session.livemode) {
        return Err(unusable("session, payment and charge are not of one world"));
    }
    let currencies = [
        intent.map(|intent| &intent.currency),
        charge.map(|charge| &charge.currency),
        booked.map(|booked| &booked.currency),
    ];
    if currencies.into_iter().flatten().any(|currency| *currency != session.currency) {
        return Err(unusable("session, payment, charge and booking are not of one currency"));
    }
    Ok(())
}
