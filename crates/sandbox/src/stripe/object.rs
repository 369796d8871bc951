//! The objects of the wire, field by field as they are rendered. Times are seconds, amounts are
//! minor units. What only we need is skipped.

#![expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the fields are those of the wire"
)]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::shelf::Object;

/// Names and values that whoever made an object wrote on it.
pub(crate) type Metadata = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    Complete,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PaymentStatus {
    Paid,
    Unpaid,
}

/// What is written on the payment intent once there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct IntentPlan {
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) transfer_group: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount_subtotal: i64,
    pub(crate) amount_total: i64,
    pub(crate) cancel_url: Option<String>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) customer_email: Option<String>,
    pub(crate) expires_at: i64,
    pub(crate) livemode: bool,
    pub(crate) metadata: Metadata,
    pub(crate) mode: &'static str,
    pub(crate) payment_intent: Option<String>,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) payment_status: PaymentStatus,
    pub(crate) status: SessionStatus,
    pub(crate) success_url: Option<String>,
    pub(crate) url: Option<String>,
    /// What is bought, for the page.
    #[serde(skip)]
    pub(crate) title: String,
    #[serde(skip)]
    pub(crate) plan: IntentPlan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    Processing,
    Succeeded,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) amount_capturable: i64,
    pub(crate) amount_received: i64,
    pub(crate) capture_method: &'static str,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) last_payment_error: Option<Value>,
    pub(crate) latest_charge: Option<String>,
    pub(crate) livemode: bool,
    pub(crate) metadata: Metadata,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) status: IntentStatus,
    pub(crate) transfer_group: Option<String>,
    #[serde(skip)]
    pub(crate) session: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChargeStatus {
    Pending,
    Succeeded,
    Failed,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) amount_captured: i64,
    pub(crate) amount_refunded: i64,
    pub(crate) balance_transaction: Option<String>,
    pub(crate) captured: bool,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) disputed: bool,
    pub(crate) failure_code: Option<&'static str>,
    pub(crate) failure_message: Option<&'static str>,
    pub(crate) livemode: bool,
    pub(crate) metadata: Metadata,
    pub(crate) paid: bool,
    pub(crate) payment_intent: Option<String>,
    pub(crate) payment_method_details: Value,
    pub(crate) refunded: bool,
    pub(crate) status: ChargeStatus,
    pub(crate) transfer_group: Option<String>,
    /// When it succeeded, seconds.
    #[serde(skip)]
    pub(crate) succeeded_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BalanceStatus {
    Pending,
    Available,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct BalanceTransaction {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) available_on: i64,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) exchange_rate: Option<String>,
    pub(crate) fee: i64,
    pub(crate) fee_details: Vec<Value>,
    pub(crate) net: i64,
    pub(crate) reporting_category: &'static str,
    pub(crate) source: String,
    pub(crate) status: BalanceStatus,
    pub(crate) r#type: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) business_type: Option<String>,
    pub(crate) capabilities: BTreeMap<&'static str, &'static str>,
    pub(crate) charges_enabled: bool,
    pub(crate) country: String,
    pub(crate) created: i64,
    pub(crate) default_currency: &'static str,
    pub(crate) details_submitted: bool,
    pub(crate) email: Option<String>,
    pub(crate) future_requirements: Requirements,
    pub(crate) metadata: Metadata,
    pub(crate) payouts_enabled: bool,
    pub(crate) requirements: Requirements,
    pub(crate) settings: Value,
    pub(crate) r#type: &'static str,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Requirements {
    pub(crate) alternatives: Vec<Value>,
    pub(crate) current_deadline: Option<i64>,
    pub(crate) currently_due: Vec<&'static str>,
    pub(crate) disabled_reason: Option<&'static str>,
    pub(crate) errors: Vec<Value>,
    pub(crate) eventually_due: Vec<&'static str>,
    pub(crate) past_due: Vec<&'static str>,
    pub(crate) pending_verification: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) amount_reversed: i64,
    pub(crate) balance_transaction: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) destination: String,
    pub(crate) destination_payment: String,
    pub(crate) livemode: bool,
    pub(crate) metadata: Metadata,
    pub(crate) reversals: Value,
    pub(crate) reversed: bool,
    pub(crate) source_transaction: Option<String>,
    pub(crate) source_type: &'static str,
    pub(crate) transfer_group: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reversal {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) balance_transaction: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) destination_payment_refund: String,
    pub(crate) metadata: Metadata,
    pub(crate) source_refund: Option<String>,
    pub(crate) transfer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    Pending,
    Succeeded,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) balance_transaction: Option<String>,
    pub(crate) charge: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) metadata: Metadata,
    pub(crate) payment_intent: Option<String>,
    pub(crate) pending_reason: Option<&'static str>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) status: RefundStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    NeedsResponse,
    Won,
    Lost,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    /// One where the money left, two where it came back; whole, as the wire has them.
    pub(crate) balance_transactions: Vec<Value>,
    pub(crate) charge: String,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) is_charge_refundable: bool,
    pub(crate) livemode: bool,
    pub(crate) payment_intent: Option<String>,
    pub(crate) reason: &'static str,
    pub(crate) status: DisputeStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BankPayoutStatus {
    InTransit,
    Paid,
}

/// A payout in the provider's sense: from an account's balance to a bank.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BankPayout {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) amount: i64,
    pub(crate) arrival_date: i64,
    pub(crate) automatic: bool,
    pub(crate) created: i64,
    pub(crate) currency: String,
    pub(crate) livemode: bool,
    pub(crate) method: &'static str,
    pub(crate) status: BankPayoutStatus,
    /// Of whose balance.
    #[serde(skip)]
    pub(crate) account: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    pub(crate) api_version: &'static str,
    pub(crate) created: i64,
    /// Rendered once, when it happened.
    pub(crate) data: Value,
    pub(crate) livemode: bool,
    pub(crate) pending_webhooks: usize,
    pub(crate) request: Value,
    pub(crate) r#type: &'static str,
}

macro_rules! objects {
    ($($name:ident: $kind:literal),* $(,)?) => {$(
        impl Object for $name {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.id
            }

            fn created(&self) -> i64 {
                self.created
            }
        }
    )*};
}

objects! {
    Session: "checkout.session",
    Intent: "payment_intent",
    Charge: "charge",
    BalanceTransaction: "balance transaction",
    Account: "account",
    Transfer: "transfer",
    Reversal: "transfer reversal",
    Refund: "refund",
    Dispute: "dispute",
    BankPayout: "payout",
    Event: "event",
}
