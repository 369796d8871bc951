//! `/v1/payouts` and `/v1/balance_settings`: from a balance at the provider to a bank.
//!
//! A connected account's money goes on to its bank by itself, a day after it is there: one payout for
//! each transfer. What the platform's own balance does is a setting, which the sandbox only keeps: its
//! money stays, so that a product can be tried against a setting that would take it away.

use serde_json::{Value, json};

use super::books::{Books, Due};
use super::error::Refusal;
use super::form::Params;
use super::object::{BankPayout, BankPayoutStatus, Transfer};
use super::shelf::{Object as _, Page};

const DAY_S: i64 = 86_400;

/// How often the platform's balance can be paid out by itself.
const INTERVALS: [&str; 4] = ["manual", "daily", "weekly", "monthly"];

pub(crate) fn list(
    books: &Books,
    account: Option<&str>,
    mut params: Params,
) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    params.finish()?;
    if let Some(account) = account {
        books.accounts.in_path(account)?;
    }
    // The platform's own balance is never paid out here.
    books.bank_payouts.page(&page, "/v1/payouts", |one| Some(one.account.as_str()) == account)
}

pub(crate) fn settings(books: &Books) -> Value {
    json!({
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": true,
            "payouts": {
                "automatic_transfer_rules_by_currency": null,
                "minimum_balance_by_currency": null,
                "schedule": { "interval": books.payout_interval },
                "statement_descriptor": null,
                "status": "enabled",
            },
            "settlement_timing": { "delay_days": 2, "start_of_day": null },
        },
    })
}

pub(crate) fn set(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let mut payments = params.required_level("payments")?;
    let mut payouts = payments.required_level("payouts")?;
    let mut schedule = payouts.required_level("schedule")?;
    let interval = schedule.required_choice("interval", &INTERVALS)?;
    for level in [schedule, payouts, payments, params] {
        level.finish()?;
    }
    books.payout_interval = interval;
    Ok(settings(books))
}

impl Books {
    /// Lets the money of a transfer go on to the bank a day after it can be spent.
    pub(crate) fn plan_bank_payout(&mut self, transfer: &Transfer, available_on: i64) {
        let at_s = available_on.max(self.now_s()).saturating_add(DAY_S);
        self.when(at_s.saturating_mul(1_000), Due::BankPayout(transfer.id.clone()));
    }

    /// What has not come back of a transfer leaves its account, if that may pay out.
    pub(crate) fn pay_bank(&mut self, transfer: &str) {
        let Some(transfer) = self.transfers.get(transfer).cloned() else { return };
        let rest = transfer.amount - transfer.amount_reversed;
        let is_enabled = |account: &super::object::Account| account.payouts_enabled;
        if rest == 0 || !self.accounts.get(&transfer.destination).is_some_and(is_enabled) {
            return;
        }
        let arrival_date = self.now_s().saturating_add(DAY_S);
        let payout = BankPayout {
            id: self.chance.id("po"),
            object: "payout",
            amount: rest,
            arrival_date,
            automatic: true,
            created: self.now_s(),
            currency: transfer.currency,
            livemode: false,
            method: "standard",
            status: BankPayoutStatus::InTransit,
            account: transfer.destination,
        };
        self.when(arrival_date.saturating_mul(1_000), Due::BankArrival(payout.id.clone()));
        let (told, account) = (payout.render(), payout.account.clone());
        self.bank_payouts.put(payout);
        self.tell_of("payout.created", &told, None, Some(&account));
    }

    pub(crate) fn arrive_at_bank(&mut self, payout: &str) {
        let payout = self.bank_payouts.known(payout);
        payout.status = BankPayoutStatus::Paid;
        let (told, account) = (payout.render(), payout.account.clone());
        self.tell_of("payout.paid", &told, None, Some(&account));
    }
}
