//! Amounts and dates as people read them, and words for how things stand.

use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ledger::records::{Case, Deposit, DepositStatus, RefundState};
use sponsorhub_core::money::{Currency, Minor};

/// How a deposit stands: confirmed is paid, settled is with its fee known.
pub(crate) const fn deposit(deposit: &Deposit) -> &'static str {
    match deposit.status {
        DepositStatus::Expected => "expected",
        DepositStatus::Failed => "failed",
        DepositStatus::Confirmed if deposit.settled => "settled",
        DepositStatus::Confirmed => "confirmed",
    }
}

/// How a case on a deposit stands.
pub(crate) const fn case(case: &Case) -> &'static str {
    match (case.open, &case.reversal) {
        (true, None) => "disputed",
        (_, Some(_)) => "reversed",
        // It came back, or never left.
        (false, None) => "reinstated",
    }
}

/// How a payout stands.
pub(crate) const fn payout(state: DisbursementState) -> &'static str {
    match state {
        DisbursementState::Planned => "planned",
        DisbursementState::Attempted => "attempted",
        DisbursementState::Unknown => "unknown",
        DisbursementState::Failed => "failed",
        DisbursementState::Paid => "paid",
        DisbursementState::Reversed => "reversed",
        DisbursementState::Cancelled => "cancelled",
    }
}

/// How a refund stands.
pub(crate) const fn refund(state: RefundState) -> &'static str {
    match state {
        RefundState::Planned => "planned",
        RefundState::Paid => "paid",
        RefundState::Failed => "failed",
        RefundState::SettledOutside => "settled_outside",
    }
}

/// An amount with separators, as in `1,234,567.89 USD`. All currencies have cents.
pub(crate) fn money(amount: Minor, currency: Currency) -> String {
    let (sign, cents) = (if amount.is_negative() { "-" } else { "" }, amount.0.unsigned_abs());
    let digits = (cents / 100).to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{:02} {}", cents % 100, currency.code())
}

/// A UTC day since 1970, as in `1997-01-31`.
pub(crate) fn date(day: i64) -> String {
    let (year, month, day) = sponsorhub_app::orders::date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_separators_and_cents() {
        let all =
            [0, 5, 12_345, 123_456_789, -100_050].map(|amount| money(Minor(amount), Currency::Usd));
        let expected = ["0.00 USD", "0.05 USD", "123.45 USD", "1,234,567.89 USD", "-1,000.50 USD"];
        assert_eq!(all, expected);
        assert_eq!([0, 10_000].map(date), ["1970-01-01", "1997-05-19"]);
    }
}
