//! Postings: what one entry moves. An entry touches the campaign's accounts and those of at most
//! one enrollment, so a posting is one slot per account name.

use std::fmt;

use super::account::Account;
use crate::ids::EnrollmentNo;
use crate::money::Minor;

/// Changes per account while they are put together; debit positive.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes([Minor; Account::COUNT]);

impl Changes {
    /// Nothing moved.
    pub const NONE: Self = Self([Minor::ZERO; Account::COUNT]);

    /// The change of one account, debit positive.
    pub fn get(&self, account: Account) -> Minor {
        *self.0.get(account.index()).expect("one slot per account")
    }

    fn slot(&mut self, account: Account) -> &mut Minor {
        self.0.get_mut(account.index()).expect("one slot per account")
    }

    /// Debits an account.
    pub fn debit(&mut self, account: Account, amount: Minor) {
        *self.slot(account) += amount;
    }

    /// Credits an account.
    pub fn credit(&mut self, account: Account, amount: Minor) {
        *self.slot(account) -= amount;
    }

    /// Whether nothing moved.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|change| change.is_zero())
    }
}

/// Balanced postings of one entry: an unbalanced one cannot be built (INV-1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Postings {
    enrollment: Option<EnrollmentNo>,
    changes: Changes,
}

/// Debits and credits differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("postings do not balance: debits less credits are {0}")]
pub struct Unbalanced(pub Minor);

impl Postings {
    /// Nothing moved.
    pub const NONE: Self = Self { enrollment: None, changes: Changes::NONE };

    /// Takes changes that balance.
    ///
    /// # Errors
    /// [`Unbalanced`] with the difference.
    pub fn try_new(enrollment: Option<EnrollmentNo>, changes: Changes) -> Result<Self, Unbalanced> {
        let sum: Minor = changes.0.iter().copied().sum();
        if sum.is_zero() { Ok(Self { enrollment, changes }) } else { Err(Unbalanced(sum)) }
    }

    /// The enrollment whose accounts are meant.
    pub fn enrollment(&self) -> Option<EnrollmentNo> {
        self.enrollment
    }

    /// The change of one account, debit positive.
    pub fn change(&self, account: Account) -> Minor {
        self.changes.get(account)
    }

    /// Accounts that moved, with the change in debit-positive form.
    pub fn iter(&self) -> impl Iterator<Item = (Account, Minor)> + '_ {
        Account::ALL
            .into_iter()
            .map(|account| (account, self.change(account)))
            .filter(|(_, change)| !change.is_zero())
    }

    /// Whether nothing moved.
    pub fn is_none(&self) -> bool {
        self.changes.is_none()
    }
}

fn debug(changes: &Changes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let moved = Account::ALL.into_iter().map(|account| (account, changes.get(account)));
    f.debug_map().entries(moved.filter(|(_, change)| !change.is_zero())).finish()
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self, f)
    }
}

impl fmt::Debug for Postings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(&self.changes, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbalanced_postings_cannot_be_built() {
        let mut changes = Changes::NONE;
        changes.debit(Account::Provider, Minor(100));
        changes.credit(Account::CampaignFunds, Minor(99));
        assert_eq!(Postings::try_new(None, changes), Err(Unbalanced(Minor(1))));
        changes.credit(Account::FeeReserve, Minor(1));
        assert!(Postings::try_new(None, changes).is_ok());
    }
}
