//! Where the money of a campaign is: what came in, and every place that it went to or lies in.
//!
//! Both sides add up to the minor unit, because the ledger's accounts do (INV-1). A claw-back is owed by
//! a creator and counts on no side until it is paid off: its two accounts cancel each other.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::RefundState;
use sponsorhub_core::ledger::state::DisbursementState;
use sponsorhub_core::money::Minor;

/// Where money came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A confirmed deposit, less what was taken back of it.
    Deposit(Seq),
    /// What the brand owes since a deposit was taken back.
    BrandOwes,
    /// Costs of the payment provider that the operator bears.
    OperatorBears,
}

/// Where money is, or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    /// Transferred to a creator.
    Paid(EnrollmentNo),
    /// Earned by a creator and not transferred yet.
    Owed(EnrollmentNo),
    /// Fees of the platform.
    PlatformFees,
    /// Kept by the payment provider.
    ProviderFees,
    /// Back at the brand, or on its way.
    Refunded,
    /// Set aside: bases, what is kept for the provider's fee, and the platform's fee on what is held.
    Reserved,
    /// Free funds of the campaign.
    Free,
}

/// The sums of a campaign in the words that brands see, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// All that came in.
    pub paid_in: Minor,
    /// Not promised to anybody.
    pub free: Minor,
    /// Set aside.
    pub reserved: Minor,
    /// Earned by creators and not transferred yet.
    pub accrued: Minor,
    /// Transferred to creators.
    pub paid: Minor,
    /// Fees of the platform.
    pub platform_fees: Minor,
    /// Kept by the payment provider.
    pub provider_fees: Minor,
    /// Back at the brand, or on its way.
    pub refunded: Minor,
}

/// What came in and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyMap {
    /// What came in; no amount is zero.
    pub sources: Vec<(Source, Minor)>,
    /// Where it is; no amount is zero.
    pub sinks: Vec<(Sink, Minor)>,
}

impl MoneyMap {
    /// Of a campaign as it stands.
    pub fn of(state: &Campaign) -> Self {
        let deposits = state.deposits().iter().filter(|(_, one)| one.is_confirmed());
        let deposits = deposits.filter(|(_, one)| !one.is_advance);
        let mut sources: Vec<_> = deposits
            .map(|(seq, one)| (Source::Deposit(*seq), one.amount - one.reversed))
            .chain([
                (Source::BrandOwes, state.balance(Account::BrandReceivable)),
                (Source::OperatorBears, state.balance(Account::ProviderCosts)),
            ])
            .collect();
        let paid = |no| {
            let own = state.payouts().values().filter(|payout| payout.enrollment == no);
            own.filter(|payout| payout.state == DisbursementState::Paid)
                .map(|payout| payout.amount)
                .sum()
        };
        let held = held(state);
        let owed = |no| {
            use DisbursementState::{Attempted, Failed, Planned, Unknown};
            let of = |account| state.balances().of(account, no);
            let own = state.payouts().values().filter(|payout| payout.enrollment == no);
            let is_open = |one| matches!(one, Planned | Attempted | Unknown | Failed);
            let open = own.filter(|payout| is_open(payout.state)).map(|payout| payout.amount);
            let held = held.get(&no).copied().unwrap_or_default();
            of(Account::Payable) + held + of(Account::Unclaimed) + open.sum::<Minor>()
        };
        let mut sinks = Vec::new();
        for (no, _) in state.numbered_enrollments() {
            sinks.push((Sink::Paid(no), paid(no)));
            sinks.push((Sink::Owed(no), owed(no)));
        }
        let reserved = state.balance(Account::BaseReserve) + state.balance(Account::FeeReserve);
        let fees_held = state.balance(Account::Held) - held.values().copied().sum::<Minor>();
        sinks.extend([
            (Sink::PlatformFees, state.balance(Account::PlatformFees)),
            (Sink::ProviderFees, kept_by_provider(state)),
            (Sink::Refunded, refunded(state) + state.balance(Account::RefundClearing)),
            (Sink::Reserved, reserved + fees_held),
            (Sink::Free, state.balance(Account::CampaignFunds)),
        ]);
        sources.retain(|(_, amount)| !amount.is_zero());
        sinks.retain(|(_, amount)| !amount.is_zero());
        Self { sources, sinks }
    }

    /// The same, summed up.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums { paid_in: self.came_in(), ..Sums::default() };
        for (sink, amount) in &self.sinks {
            let sum = match sink {
                Sink::Paid(_) => &mut sums.paid,
                Sink::Owed(_) => &mut sums.accrued,
                Sink::PlatformFees => &mut sums.platform_fees,
                Sink::ProviderFees => &mut sums.provider_fees,
                Sink::Refunded => &mut sums.refunded,
                Sink::Reserved => &mut sums.reserved,
                Sink::Free => &mut sums.free,
            };
            *sum += *amount;
        }
        sums
    }

    /// What is free and beyond the budget of a campaign, so that no order takes it; nothing while a dispute freezes
    /// what is free.
    pub fn beyond_budget(state: &Campaign) -> Minor {
        if state.frozen() > 0 {
            return Minor::ZERO;
        }
        (state.balance(Account::CampaignFunds) - state.free()).or_zero()
    }

    /// All that came in.
    pub fn came_in(&self) -> Minor {
        self.sources.iter().map(|(_, amount)| *amount).sum()
    }

    /// All that is somewhere; the same as [`Self::came_in`].
    pub fn is_somewhere(&self) -> Minor {
        self.sinks.iter().map(|(_, amount)| *amount).sum()
    }
}

/// What creators have earned by orders that are held, without the platform's fee, which lies in the same account.
fn held(state: &Campaign) -> BTreeMap<EnrollmentNo, Minor> {
    let open = state.holds().iter().filter(|(_, hold)| hold.open);
    let units = open.filter_map(|(conversion, _)| state.units().find(*conversion));
    let mut held = BTreeMap::new();
    for unit in units.map(|index| state.units().get(index)).filter(|unit| unit.held) {
        *held.entry(unit.enrollment).or_default() += unit.unplanned();
    }
    held
}

/// What the brand has back, also by other means than the provider's.
fn refunded(state: &Campaign) -> Minor {
    let is_back = |one| matches!(one, RefundState::Paid | RefundState::SettledOutside);
    let refunds = state.refunds().values().filter(|one| is_back(one.state));
    refunds.map(|one| one.amount).sum()
}

/// What came in, less what went on and what is still there. The operator's own money is on both sides.
fn kept_by_provider(state: &Campaign) -> Minor {
    let deposits = state.deposits().values().filter(|one| one.is_confirmed() && !one.is_advance);
    let came: Minor = deposits.map(|one| one.amount - one.reversed).sum();
    let payouts = state.payouts().values().filter(|one| one.state == DisbursementState::Paid);
    let went = payouts.map(|one| one.amount).sum::<Minor>() + refunded(state);
    came + state.balance(Account::PlatformAdvance) - went - state.balance(Account::Provider)
}
