//! What stands beside the entries, against what they give.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::merkle::{TILE_WIDTH, Tile, TileWriter};
use sponsorhub_core::money::Minor;
use sponsorhub_store::store::{Head, Projections};

use super::Finding;

/// A tile that has just become full, against the stored one.
pub(super) fn tile(derived: &Tile, stored: Option<&[u8]>, seq: Seq) -> Option<Finding> {
    let Some(stored) = stored else {
        let detail = format!("tile {:?} is not stored (INV-14)", derived.id);
        return Some(Finding::at("tree", seq, detail));
    };
    if derived.bytes == stored {
        return None;
    }
    let pairs = derived.bytes.chunks(32).zip(stored.chunks(32));
    let same = pairs.take_while(|(derived, stored)| derived == stored).count();
    if derived.id.level > 0 {
        let detail = format!("tile {:?} differs although the tiles below agree", derived.id);
        return Some(Finding::at("tree", seq, detail));
    }
    let width = u64::try_from(TILE_WIDTH).expect("a small number");
    let first = derived.id.index * width + u64::try_from(same).expect("within a tile") + 1;
    let detail = "its bytes do not have the hash that was recorded when it was appended (INV-14)";
    Some(Finding::at("tree", first, detail))
}

/// The tree after the last entry.
pub(super) fn tree(derived: &TileWriter, head: &Head) -> Option<Finding> {
    let root = derived.root();
    if derived.size() == head.tree.size && root == head.tree.root {
        return None;
    }
    let width = u64::try_from(TILE_WIDTH).expect("a small number");
    let detail = format!(
        "the tree over {} entries has root {root}, recorded is {} over {} (INV-14); entries before \
         these agree with stored tiles",
        derived.size(),
        head.tree.root,
        head.tree.size
    );
    let entry = Some(derived.size() / width * width + 1);
    Some(Finding { code: "tree", entry, up_to: Some(derived.size()), detail })
}

fn differs(what: &str, stored: &impl std::fmt::Debug, derived: &impl std::fmt::Debug) -> Finding {
    let detail = format!("{what}: stored {stored:?}, the entries give {derived:?}");
    Finding::beside("projection", detail)
}

/// Everything else that the store keeps beside the entries.
pub(super) fn projections(
    campaign: &Campaign,
    command_seq: Seq,
    counts: &[u64],
    stored: &Projections,
) -> Option<Finding> {
    let head = &stored.head;
    if head.at != campaign.at() {
        return Some(differs("time of the head", &head.at, &campaign.at()));
    }
    if stored.counted > head.seq {
        return Some(differs("entries counted per enrollment", &stored.counted, &head.seq));
    }
    if head.command_seq != command_seq {
        return Some(differs("last command", &head.command_seq, &command_seq));
    }
    if head.gate != *campaign.gate() {
        return Some(differs("state and intervals", &head.gate, campaign.gate()));
    }
    if head.confirmed != campaign.confirmed_budget() {
        return Some(differs("confirmed budget", &head.confirmed, &campaign.confirmed_budget()));
    }
    if head.budget != campaign.terms().budget {
        return Some(differs("budget", &head.budget, &campaign.terms().budget));
    }
    enrollments(campaign, counts, stored)
        .or_else(|| balances(campaign, stored))
        .or_else(|| reversals(campaign, stored))
}

fn enrollments(campaign: &Campaign, counts: &[u64], stored: &Projections) -> Option<Finding> {
    let derived: Vec<_> = campaign
        .numbered_enrollments()
        .map(|(no, enrollment)| {
            // Those that began after the count have not been counted.
            let n = counts.get(no.index()).copied().unwrap_or(0);
            (no, enrollment.id, enrollment.started_at, enrollment.ended_at, n)
        })
        .collect();
    let rows: Vec<_> = stored
        .enrollments
        .iter()
        .map(|row| (row.no, row.id, row.started_at, row.ended_at, row.n))
        .collect();
    let pairs = rows.iter().zip(&derived);
    if let Some((row, derived)) = pairs.into_iter().find(|(row, derived)| row != derived) {
        return Some(differs("enrollment", row, derived));
    }
    (rows.len() != derived.len()).then(|| differs("enrollments", &rows.len(), &derived.len()))
}

fn balances(campaign: &Campaign, stored: &Projections) -> Option<Finding> {
    let mut rows: BTreeMap<(Option<EnrollmentNo>, Account), Minor> = stored
        .balances
        .iter()
        .filter(|row| !row.debit.is_zero())
        .map(|row| ((row.enrollment, row.account), row.debit))
        .collect();
    let debit = |account: Account, own: Minor| if account.is_debit() { own } else { -own };
    let of_campaign = Account::ALL.into_iter().filter(|account| !account.is_per_enrollment());
    let mut derived: Vec<_> =
        of_campaign.map(|account| ((None, account), campaign.balance(account))).collect();
    for (no, _) in campaign.numbered_enrollments() {
        let accounts = Account::ALL.into_iter().filter(|account| account.is_per_enrollment());
        derived.extend(
            accounts.map(|account| ((Some(no), account), campaign.balances().of(account, no))),
        );
    }
    for ((no, account), own) in derived {
        let stored = rows.remove(&(no, account)).unwrap_or_default();
        if stored != debit(account, own) {
            let what = match no {
                Some(no) => format!("balance {account} of enrollment {}", no.0),
                None => format!("balance {account}"),
            };
            return Some(differs(&what, &stored, &debit(account, own)));
        }
    }
    rows.into_iter().next().map(|row| differs("a balance that no account has", &row, &()))
}

fn reversals(campaign: &Campaign, stored: &Projections) -> Option<Finding> {
    let rows: BTreeMap<_, _> =
        stored.reversals.iter().map(|row| (row.conversion, (row.refunded, row.is_whole))).collect();
    let derived: BTreeMap<_, _> = campaign
        .reversed()
        .iter()
        .map(|(seq, reversed)| (*seq, (reversed.refunded, reversed.whole)))
        .collect();
    let differing = derived.iter().find(|(seq, sum)| rows.get(seq) != Some(sum));
    if let Some((seq, sum)) = differing {
        return Some(differs(&format!("reversed of {seq}"), &rows.get(seq), sum));
    }
    let extra = rows.keys().find(|seq| !derived.contains_key(seq));
    extra.map(|seq| differs(&format!("reversed of {seq}"), &rows.get(seq), &"nothing"))
}
