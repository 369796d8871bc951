//! Balances: the running sum of postings.

use super::account::Account;
use super::error::LedgerError;
use super::posting::Postings;
use crate::ids::EnrollmentNo;
use crate::money::Minor;

/// Balances of a campaign, debit positive inside, own direction outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    totals: [Minor; Account::COUNT],
    enrollments: Vec<[Minor; Account::COUNT]>,
}

fn own_direction(account: Account, debit: Minor) -> Minor {
    if account.is_debit() { debit } else { -debit }
}

impl Balances {
    /// Balance of an account in its own direction, over all enrollments.
    pub fn total(&self, account: Account) -> Minor {
        own_direction(account, *self.totals.get(account.index()).expect("one slot per account"))
    }

    /// Balance of an enrollment's account in its own direction.
    pub fn of(&self, account: Account, enrollment: EnrollmentNo) -> Minor {
        let slots = self.enrollments.get(enrollment.index());
        own_direction(
            account,
            slots.and_then(|slots| slots.get(account.index())).copied().unwrap_or_default(),
        )
    }

    /// Adds one entry's postings.
    ///
    /// # Errors
    /// [`LedgerError::Negative`] where an account would fall below zero (INV-2).
    pub(super) fn apply(&mut self, postings: &Postings) -> Result<(), LedgerError> {
        for (account, change) in postings.iter() {
            let slot = self.totals.get_mut(account.index()).expect("one slot per account");
            *slot += change;
            let mut debit = *slot;
            let enrollment = postings.enrollment().filter(|_| account.is_per_enrollment());
            if let Some(enrollment) = enrollment {
                if self.enrollments.len() <= enrollment.index() {
                    self.enrollments.resize(
                        enrollment.index().saturating_add(1),
                        [Minor::ZERO; Account::COUNT],
                    );
                }
                let slots = self.enrollments.get_mut(enrollment.index()).expect("just made");
                let slot = slots.get_mut(account.index()).expect("one slot per account");
                *slot += change;
                debit = *slot;
            }
            let balance = own_direction(account, debit);
            if balance.is_negative() {
                return Err(LedgerError::Negative { account, enrollment, balance });
            }
        }
        Ok(())
    }

    /// INV-1: what is on the debit side less what is on the credit side; zero.
    pub fn difference(&self) -> Minor {
        self.totals.iter().copied().sum()
    }
}
