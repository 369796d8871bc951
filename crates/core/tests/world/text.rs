//! A world in the reference model's words.

use super::{World, enrollment_number};
use sponsorhub_core::ids::EnrollmentId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Drafted;
use sponsorhub_core::ledger::event::deposit::DisputeOutcome;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::ledger::posting::Postings;
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl World {
    /// The entries from `from` on as text, in the reference model's words.
    pub(crate) fn text(&self, from: usize) -> String {
        let mut text = String::new();
        let mut counts: BTreeMap<EnrollmentId, u64> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let n = entry.enrollment.map(|id| {
                let count = counts.entry(id).or_default();
                *count += 1;
                *count
            });
            if index >= from && is_shared(&entry.body) {
                line(&mut text, entry, n).expect("writing to a string");
            }
        }
        text
    }

    /// All balances as text, in the reference model's words.
    pub(crate) fn balances(&self) -> String {
        let mut text = String::new();
        for account in Account::ALL {
            for (no, enrollment) in self.campaign.numbered_enrollments() {
                let balance = self.campaign.balances().of(account, no);
                if account.is_per_enrollment() && !balance.is_zero() {
                    let number = enrollment_number(enrollment.id);
                    write!(text, "{account}:{number}={balance} ").expect("a string");
                }
            }
            let balance = self.campaign.balance(account);
            if !account.is_per_enrollment() && !balance.is_zero() {
                write!(text, "{account}={balance} ").expect("a string");
            }
        }
        text
    }
}

pub(super) fn is_shared(body: &Body) -> bool {
    match body {
        Body::DepositDisputed(_) => false,
        Body::DepositDisputeClosed(closed) => closed.outcome != DisputeOutcome::Won,
        _ => true,
    }
}

fn line(text: &mut String, entry: &Drafted, n: Option<u64>) -> std::fmt::Result {
    write!(text, "{}", entry.body.kind())?;
    if let (Some(id), Some(n)) = (entry.enrollment, n) {
        write!(text, " {} #{n}", enrollment_number(id))?;
    }
    text.push_str(&moves(&entry.postings, entry.enrollment));
    text.push('\n');
    Ok(())
}

fn moves(postings: &Postings, enrollment: Option<EnrollmentId>) -> String {
    let mut moves: Vec<_> = postings
        .iter()
        .map(|(account, change)| match enrollment.filter(|_| account.is_per_enrollment()) {
            Some(id) => format!(" {account}:{}={change}", enrollment_number(id)),
            None => format!(" {account}={change}"),
        })
        .collect();
    moves.sort_unstable();
    moves.concat()
}
