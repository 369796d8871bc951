//! Everything that the provider remembers, and its account of truth: what really moved.
//!
//! Requests, pages and the clock change the books through the same few functions, one at a time;
//! whatever changes in them is told by an event in the same step.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::chance::Chance;

use super::object::{
    Account, BalanceStatus, BalanceTransaction, BankPayout, Charge, Dispute, Event, Intent,
    Metadata, Refund, Reversal, Session, Transfer,
};
use super::onboarding::Onboarding;
use super::shelf::{Object as _, Shelf};
use super::webhooks::Webhooks;

/// The version whose shapes are spoken.
pub(crate) const API_VERSION: &str = "2026-10-28.endive";

/// How long money of a charge is pending, seconds.
const AVAILABLE_AFTER_S: i64 = 2 * 86_400;

/// Things that happen when their time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The balance transaction of a charge is made.
    Capture(String),
    /// A delayed payment is decided.
    Settle(String),
    /// A session that was not paid ends.
    Expire(String),
    /// Pending money becomes available.
    Available(String),
    /// Money of a transfer goes on to a bank.
    BankPayout(String),
    /// It is there.
    BankArrival(String),
}

/// One amount that really moved; amounts that leave the platform are negative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Movement {
    pub(crate) at_ms: i64,
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) charge: Option<String>,
    pub(crate) destination: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) idempotency_key: Option<String>,
}

/// The request under way, which its events name.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cause {
    pub(crate) id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Books {
    /// The moment in which things happen now, milliseconds.
    pub(crate) now_ms: i64,
    pub(crate) base_url: String,
    /// From a charge to its balance transaction, milliseconds of virtual time.
    pub(crate) capture_delay_ms: i64,
    pub(crate) chance: Chance,
    pub(crate) cause: Cause,
    pub(crate) sessions: Shelf<Session>,
    pub(crate) intents: Shelf<Intent>,
    pub(crate) charges: Shelf<Charge>,
    pub(crate) balance_transactions: Shelf<BalanceTransaction>,
    pub(crate) accounts: Shelf<Account>,
    pub(crate) onboarding: Onboarding,
    pub(crate) transfers: Shelf<Transfer>,
    pub(crate) reversals: Shelf<Reversal>,
    pub(crate) refunds: Shelf<Refund>,
    pub(crate) disputes: Shelf<Dispute>,
    pub(crate) bank_payouts: Shelf<BankPayout>,
    /// How often the platform's own balance would be paid out by itself.
    pub(crate) payout_interval: &'static str,
    pub(crate) events: Shelf<Event>,
    pub(crate) webhooks: Webhooks,
    pub(crate) movements: Vec<Movement>,
    /// What a delayed payment will come to, by intent.
    pub(crate) outcomes: BTreeMap<String, super::payment::Outcome>,
    due: BTreeMap<(i64, u64), Due>,
    due_made: u64,
}

impl Books {
    pub(crate) fn new(
        base_url: &str,
        capture_delay_ms: i64,
        chance: Chance,
        webhooks: Webhooks,
    ) -> Self {
        Self {
            now_ms: 0,
            base_url: base_url.to_owned(),
            capture_delay_ms,
            chance,
            cause: Cause::default(),
            sessions: Shelf::default(),
            intents: Shelf::default(),
            charges: Shelf::default(),
            balance_transactions: Shelf::default(),
            accounts: Shelf::default(),
            onboarding: Onboarding::default(),
            transfers: Shelf::default(),
            reversals: Shelf::default(),
            refunds: Shelf::default(),
            disputes: Shelf::default(),
            bank_payouts: Shelf::default(),
            payout_interval: "manual",
            events: Shelf::default(),
            webhooks,
            movements: Vec::new(),
            outcomes: BTreeMap::new(),
            due: BTreeMap::new(),
            due_made: 0,
        }
    }

    /// Now, seconds.
    pub(crate) fn now_s(&self) -> i64 {
        self.now_ms.div_euclid(1_000)
    }

    /// Lets something happen when the clock shows `at_ms`.
    pub(crate) fn when(&mut self, at_ms: i64, due: Due) {
        self.due_made += 1;
        self.due.insert((at_ms, self.due_made), due);
    }

    /// Lets happen what was due until `now_ms`, each at its own time and in that order.
    pub(crate) fn catch_up(&mut self, now_ms: i64) {
        self.cause = Cause::default();
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= now_ms) {
            self.now_ms = first.key().0.max(self.now_ms);
            match first.remove() {
                Due::Capture(charge) => self.capture(&charge),
                Due::Settle(intent) => self.settle(&intent),
                Due::Expire(session) => self.expire(&session),
                Due::Available(transaction) => self.make_available(&transaction),
                Due::BankPayout(transfer) => self.pay_bank(&transfer),
                Due::BankArrival(payout) => self.arrive_at_bank(&payout),
            }
        }
        self.now_ms = now_ms.max(self.now_ms);
        self.pay_waiting_refunds();
    }

    fn make_available(&mut self, transaction: &str) {
        self.balance_transactions.known(transaction).status = BalanceStatus::Available;
        let balance = self.balance();
        self.tell("balance.available", &balance);
    }

    /// When money of a charge that is confirmed now can be spent, seconds.
    pub(crate) fn available_on(&self) -> i64 {
        self.now_s().saturating_add(AVAILABLE_AFTER_S)
    }

    /// Moves money on the platform's balance.
    pub(crate) fn move_money(
        &mut self,
        r#type: &'static str,
        source: &str,
        money: (i64, i64, &str),
        available_on: i64,
    ) -> String {
        let (amount, fee, currency) = money;
        let id = self.chance.id("txn");
        let available_on = available_on.max(self.now_s());
        let is_available = available_on <= self.now_s();
        let fee_details = if fee == 0 {
            Vec::new()
        } else {
            let description = "Stripe processing fees";
            vec![json!({
                "amount": fee, "application": null, "currency": currency,
                "description": description, "type": "stripe_fee",
            })]
        };
        if !is_available {
            self.when(available_on.saturating_mul(1_000), Due::Available(id.clone()));
        }
        self.balance_transactions.put(BalanceTransaction {
            id: id.clone(),
            object: "balance_transaction",
            amount,
            available_on,
            created: self.now_s(),
            currency: currency.to_owned(),
            description: None,
            exchange_rate: None,
            fee,
            fee_details,
            net: amount - fee,
            reporting_category: r#type,
            source: source.to_owned(),
            status: if is_available { BalanceStatus::Available } else { BalanceStatus::Pending },
            r#type,
        });
        id
    }

    /// Sums of the platform's balance in one currency: available and pending.
    pub(crate) fn sums(&self, currency: &str) -> (i64, i64) {
        let ours = self.balance_transactions.iter().filter(|one| one.currency == currency);
        ours.fold((0, 0), |(available, pending), one| match one.status {
            BalanceStatus::Available => (available + one.net, pending),
            BalanceStatus::Pending => (available, pending + one.net),
        })
    }

    /// The balance as the wire shows it.
    pub(crate) fn balance(&self) -> Value {
        let mut currencies: Vec<&str> =
            self.balance_transactions.iter().map(|one| one.currency.as_str()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        if currencies.is_empty() {
            currencies.push("usd");
        }
        let part = |of: fn((i64, i64)) -> i64| {
            let one = |currency: &&str| {
                let amount = of(self.sums(currency));
                json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
            };
            currencies.iter().map(one).collect::<Vec<Value>>()
        };
        json!({
            "object": "balance", "livemode": false,
            "available": part(|sums| sums.0), "pending": part(|sums| sums.1),
        })
    }

    /// An event about an object as it is now.
    pub(crate) fn tell(&mut self, r#type: &'static str, object: &Value) {
        self.tell_of(r#type, object, None, None);
    }

    /// An event with what has changed, and of which connected account.
    pub(crate) fn tell_of(
        &mut self,
        r#type: &'static str,
        object: &Value,
        previous: Option<Value>,
        account: Option<&str>,
    ) {
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let id = self.chance.id("evt");
        let event = Event {
            id,
            object: "event",
            account: account.map(str::to_owned),
            api_version: API_VERSION,
            created: self.now_s(),
            data,
            livemode: false,
            pending_webhooks: self.webhooks.wanting(r#type, account.is_some()),
            request: serde_json::to_value(&self.cause).expect("two texts"),
            r#type,
        };
        self.webhooks.post(&event, self.now_ms);
        self.events.put(event);
    }

    /// Notes an amount that really moved.
    pub(crate) fn note(
        &mut self,
        kind: &'static str,
        id: &str,
        money: (i64, &str),
    ) -> &mut Movement {
        self.movements.push(Movement {
            at_ms: self.now_ms,
            kind,
            id: id.to_owned(),
            amount: money.0,
            currency: money.1.to_owned(),
            charge: None,
            destination: None,
            transfer_group: None,
            metadata: Metadata::new(),
            idempotency_key: self.cause.idempotency_key.clone(),
        });
        self.movements.last_mut().expect("just pushed")
    }

    /// The account of truth: movements in order, and transfers by the payout that they name.
    pub(crate) fn truth(&self) -> Value {
        let mut payouts: BTreeMap<&str, (u64, i64, i64, Vec<&str>)> = BTreeMap::new();
        for transfer in self.transfers.iter() {
            let payout = transfer.metadata.get(PAYOUT).map_or("", String::as_str);
            let sums = payouts.entry(payout).or_default();
            sums.0 += 1;
            sums.1 += transfer.amount;
            sums.2 += transfer.amount_reversed;
            sums.3.push(&transfer.id);
        }
        let payouts: BTreeMap<&str, Value> = payouts
            .into_iter()
            .map(|(payout, (transfers, amount, reversed, ids))| {
                let sums = json!({
                    "transfers": transfers, "amount": amount, "reversed": reversed, "ids": ids,
                });
                (payout, sums)
            })
            .collect();
        json!({ "movements": self.movements, "payouts": payouts, "balance": self.balance() })
    }

    /// The object behind an id, whatever it is.
    pub(crate) fn find(&self, id: &str) -> Option<Value> {
        let (prefix, _) = id.split_once('_')?;
        match prefix {
            "cs" => self.sessions.get(id).map(Session::render),
            "pi" => self.intents.get(id).map(Intent::render),
            "ch" => self.charges.get(id).map(Charge::render),
            "txn" => self.balance_transactions.get(id).map(BalanceTransaction::render),
            "acct" => self.accounts.get(id).map(Account::render),
            "tr" => self.transfers.get(id).map(Transfer::render),
            "du" => self.disputes.get(id).map(Dispute::render),
            "re" => self.refunds.get(id).map(Refund::render),
            _ => None,
        }
    }
}

/// Metadata by which a transfer names the payout that it pays.
const PAYOUT: &str = "payout_id";
