//! Amounts that an entry may hold. A command checks its own with better words; this is what keeps a
//! forged ledger from upsetting the arithmetic of whoever reads it.

use super::super::error::LedgerError;
use super::super::kind::Body;
use crate::campaign::terms::check_rates;
use crate::money::Minor;

/// Refuses amounts and rates beyond what the rules compute with.
pub(super) fn check(body: &Body) -> Result<(), LedgerError> {
    let one = |field, amount: Minor| {
        if amount.is_amount() { Ok(()) } else { Err(LedgerError::Amount { field }) }
    };
    match body {
        Body::TermsSet(set) => set.terms.check().map_err(|error| LedgerError::Terms(error.field)),
        Body::DepositExpected(expected) => {
            one("amount", expected.amount)?;
            one("budget_part", expected.budget_part)?;
            let within = expected.budget_part <= expected.amount;
            if within { Ok(()) } else { Err(LedgerError::Amount { field: "budget_part" }) }
        }
        Body::DepositSettled(settled) => one("fee", settled.fee),
        Body::DepositDisputed(disputed) => one("amount", disputed.amount),
        Body::DepositReversed(reversed) => {
            one("dispute_fee", reversed.dispute_fee)?;
            one("amount", reversed.amount)
        }
        Body::PlatformAdvanced(advanced) => one("amount", advanced.amount),
        Body::EnrollmentStarted(started) => {
            one("base", started.base)?;
            one("creator_cap", started.creator_cap.unwrap_or_default())?;
            let rates = started.rates.as_ref().map_or(Ok(()), check_rates);
            rates.map_err(|error| LedgerError::Terms(error.field))
        }
        Body::ConversionAccepted(accepted) => one("amount", accepted.0.amount),
        Body::ConversionHeld(held) => one("amount", held.taken.amount),
        Body::ConversionRejected(rejected) => one("amount", rejected.taken.amount),
        Body::ConversionReversed(reversed) => one("amount", reversed.amount),
        Body::PayoutPlanned(planned) => one("amount", planned.amount),
        Body::RefundPlanned(planned) => one("amount", planned.amount),
        Body::Adjustment(adjustment) => one("amount", adjustment.amount),
        _ => Ok(()),
    }
}
