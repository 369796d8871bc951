//! What the campaigns have at the provider, against what the provider has: one balance holds the money
//! of all of them, and what leaves it by another way is missing for somebody.

use std::collections::BTreeMap;

use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::{Currency, Minor};

use super::{PAGE, Workers, is_within};
use crate::deposits::MoneyError;
use crate::ports::ProviderError;

/// How often the provider's balance is read, milliseconds.
const EVERY_MS: i64 = 600_000;

/// What the campaigns of one currency have at the provider, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// By their ledgers.
    pub held: Minor,
    /// What of that may have left already: transfers and refunds on their way, fees and cases that are
    /// not booked yet.
    pub in_doubt: Minor,
    /// What the provider has, available and pending; the operator's own money is part of it.
    pub at_provider: Option<Minor>,
}

impl Holding {
    /// What is missing for certain.
    pub fn missing(&self) -> Minor {
        let least = self.held - self.in_doubt;
        self.at_provider.map_or(Minor::ZERO, |there| (least - there).or_zero())
    }

    /// What the provider has beyond what campaigns hold: the operator's own, or money that no ledger knows.
    pub fn beyond(&self) -> Minor {
        self.at_provider.map_or(Minor::ZERO, |there| (there - self.held).or_zero())
    }

    fn add(&mut self, state: &Campaign) {
        self.held += state.balance(Account::Provider);
        self.in_doubt += state.in_flight();
        for deposit in state.deposits().values() {
            self.in_doubt += deposit.fee_left;
            let is_open = deposit.cases.iter().any(|case| case.open);
            if is_open {
                self.in_doubt += deposit.amount - deposit.reversed;
            }
        }
    }
}

impl Workers {
    /// Whether the balances are to be compared.
    pub(super) fn is_weighing_due(&self, now: i64) -> bool {
        let last = self.with(|memory| memory.weighed_at);
        !last.is_some_and(|last| is_within(EVERY_MS, last, now))
    }

    /// Compares the balances; what is missing at two readings in a row is an error for operators, and so
    /// is a balance that the provider empties by itself.
    pub(super) async fn holdings(&self, now: i64) -> Result<usize, MoneyError> {
        self.with(|memory| memory.weighed_at = Some(now));
        let problem =
            |what: String| MoneyError::from(ProviderError::Unusable { what, request: None });
        let holdings = self.weigh().await?;
        let shown = holdings.clone();
        let before = self.with(|memory| std::mem::replace(&mut memory.standing.holdings, shown));
        for (currency, holding) in holdings {
            let missing = holding.missing();
            let was_missing = before.get(&currency).is_some_and(|one| one.missing().is_positive());
            if missing.is_positive() && was_missing {
                let code = currency.code();
                return Err(problem(format!(
                    "{missing} {code} in minor units, which campaigns hold by their ledgers, are not \
                     there"
                )));
            }
        }
        match self.provider.automatic_payouts().await? {
            Some(word) => Err(problem(format!(
                "the platform's balance is paid out by itself ({word}), and campaign funds with it: set \
                 its payouts to manual"
            ))),
            None => Ok(0),
        }
    }

    async fn weigh(&self) -> Result<BTreeMap<Currency, Holding>, MoneyError> {
        let mut holdings: BTreeMap<Currency, Holding> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.desk.read(|reader| reader.campaigns(after, PAGE))?;
            for listed in &page {
                after = listed.no;
                self.desk.look(listed.campaign, |state| {
                    holdings.entry(state.terms().currency).or_default().add(state);
                })?;
            }
            if page.len() < PAGE {
                break;
            }
        }
        // Read last: what is booked meanwhile makes the ledgers hold more, not less, than was summed up.
        let balances = self.provider.balance().await?;
        for (currency, holding) in &mut holdings {
            let of_it = balances.iter().filter(|one| one.currency == *currency);
            // What is not listed is not there.
            holding.at_provider = Some(of_it.map(|one| one.available + one.pending).sum());
        }
        Ok(holdings)
    }
}
