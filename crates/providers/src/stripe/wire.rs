//! The provider's objects, as far as they are read. Unknown fields are skipped; what is named here
//! must be there and of its type, or the answer is not used.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sponsorhub_app::ports::ProviderError;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::money::{Currency, Minor};

pub(crate) type Metadata = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    pub(crate) has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) livemode: bool,
    pub(crate) amount_total: Minor,
    pub(crate) currency: String,
    pub(crate) payment_status: String,
    pub(crate) status: String,
    pub(crate) expires_at: i64,
    pub(crate) url: Option<String>,
    pub(crate) metadata: Metadata,
    /// Where it was asked for, the object; else its id.
    pub(crate) payment_intent: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) livemode: bool,
    pub(crate) amount_received: Minor,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) latest_charge: Option<Charge>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) livemode: bool,
    pub(crate) currency: String,
    pub(crate) disputed: bool,
    pub(crate) balance_transaction: Option<BalanceTransaction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BalanceTransaction {
    pub(crate) amount: Minor,
    pub(crate) fee: Minor,
    pub(crate) currency: String,
    pub(crate) available_on: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: Minor,
    pub(crate) status: String,
    pub(crate) livemode: bool,
    pub(crate) currency: String,
    /// None for an inquiry, one where the money left, two where it came back.
    pub(crate) balance_transactions: Vec<BalanceTransaction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) capabilities: BTreeMap<String, String>,
    pub(crate) payouts_enabled: bool,
    #[serde(default)]
    pub(crate) requirements: Requirements,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Requirements {
    pub(crate) current_deadline: Option<i64>,
    pub(crate) currently_due: Vec<String>,
    pub(crate) past_due: Vec<String>,
    pub(crate) disabled_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) livemode: bool,
    pub(crate) amount: Minor,
    pub(crate) amount_reversed: Minor,
    pub(crate) currency: String,
    pub(crate) created: i64,
    pub(crate) destination: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

/// From a connected account to its bank.
#[derive(Debug, Deserialize)]
pub(crate) struct BankPayout {
    pub(crate) id: String,
    pub(crate) livemode: bool,
    pub(crate) amount: Minor,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) arrival_date: i64,
}

/// What the platform's own balance does by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct BalanceSettings {
    pub(crate) payments: BalancePayments,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BalancePayments {
    pub(crate) payouts: Option<BalancePayouts>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BalancePayouts {
    pub(crate) schedule: Option<BalanceSchedule>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BalanceSchedule {
    pub(crate) interval: Option<String>,
}

/// A refund has no `livemode`; it lives where its charge does.
#[derive(Debug, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: Minor,
    pub(crate) currency: String,
    pub(crate) charge: Option<String>,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Balance {
    pub(crate) livemode: bool,
    pub(crate) available: Vec<BalancePart>,
    pub(crate) pending: Vec<BalancePart>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BalancePart {
    pub(crate) amount: Minor,
    pub(crate) currency: String,
}

/// An answer that cannot be used, for this reason.
pub(crate) fn unusable(what: impl Into<String>) -> ProviderError {
    ProviderError::Unusable { what: what.into(), request: None }
}

/// Reads an object of the wire.
pub(crate) fn read<T: DeserializeOwned>(what: &str, body: Value) -> Result<T, ProviderError> {
    serde_json::from_value(body).map_err(|error| unusable(format!("{what}: {error}")))
}

/// Lower case, as the wire has it.
pub(crate) fn code(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

/// The world of an object, seen from an installation of `ours`. Test objects do not say which
/// test world they belong to, so they belong to the one that was asked.
pub(crate) fn mode(ours: Mode, is_live: bool) -> Mode {
    match (ours, is_live) {
        (_, true) => Mode::Live,
        (Mode::Live, false) => Mode::Test,
        (ours, false) => ours,
    }
}

/// Seconds of the wire as milliseconds.
pub(crate) fn ms(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000)
}

/// An id that may stand in a path: what the provider hands out has no other letters, and a dot or
/// slash would lead elsewhere.
pub(crate) fn step<'a>(what: &str, id: &'a str) -> Result<&'a str, ProviderError> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.is_empty() && id.len() <= 255 && id.bytes().all(is_id) {
        return Ok(id);
    }
    Err(unusable(format!("what was asked for is no id of a {what}")))
}
