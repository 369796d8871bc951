//! What stands beside the entries, against what they give.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::merkle::{TILE_HEIGHT, Tile, TileId, TileWriter};
use sponsorhub_core::money::Minor;
use sponsorhub_store::store::{Head, Projections};

use super::{Finding, Newest};

/// Entries that a tile of the lowest level has hashes of.
const WIDTH: u64 = 1 << TILE_HEIGHT;

/// A stored tile that is not what the entries give.
#[derive(Debug)]
pub(super) struct OtherTile {
    id: TileId,
    /// The first entry that the tile has another hash of, or the one that filled it.
    entry: Seq,
    /// What is certain whether the tile was changed or an entry.
    found: &'static str,
}

impl OtherTile {
    /// The finding where the entries are as they were appended.
    pub(super) fn tile_changed(&self) -> Finding {
        let TileId { level, index } = self.id;
        let detail = format!(
            "tile {index} of level {level} {}, although these have the recorded root (INV-14)",
            self.found
        );
        Finding::beside("tile", detail)
    }

    /// The finding where they are not.
    pub(super) fn entry_changed(&self) -> Finding {
        let TileId { level, index } = self.id;
        let detail = format!(
            "tile {index} of level {level} {}; this is the first entry that shows it (INV-14)",
            self.found
        );
        Finding::at("tree", self.entry, detail)
    }
}

/// A tile that `seq` has just made full, against the stored one.
pub(super) fn tile(derived: &Tile, stored: Option<&[u8]>, seq: Seq) -> Option<OtherTile> {
    let id = derived.id;
    let Some(stored) = stored else {
        return Some(OtherTile { id, entry: seq, found: "is not stored as the entries give it" });
    };
    if derived.bytes == stored {
        return None;
    }
    let pairs = derived.bytes.chunks(32).zip(stored.chunks(32));
    let same = pairs.take_while(|(derived, stored)| derived == stored).count();
    let first = id.index * WIDTH + u64::try_from(same).expect("within a tile") + 1;
    // Hashes of higher levels are over many entries, whose own tiles agree.
    let entry = if id.level == 0 { first.min(seq) } else { seq };
    Some(OtherTile { id, entry, found: "has other hashes than the entries give" })
}

/// The tree after the last entry.
pub(super) fn tree(derived: &TileWriter, head: &Head) -> Option<Finding> {
    let root = derived.root();
    if derived.size() == head.tree.size && root == head.tree.root {
        return None;
    }
    let detail = format!(
        "the tree over {} entries has root {root}, recorded is {} over {} (INV-14); entries before \
         these agree with stored tiles",
        derived.size(),
        head.tree.root,
        head.tree.size
    );
    let entry = Some(derived.size() / WIDTH * WIDTH + 1);
    Some(Finding { code: "tree", entry, up_to: Some(derived.size()), detail })
}

fn differs(what: &str, stored: &impl std::fmt::Debug, derived: &impl std::fmt::Debug) -> Finding {
    let detail = format!("{what}: stored {stored:?}, the entries give {derived:?}");
    Finding::beside("projection", detail)
}

/// Everything else that the store keeps beside the entries.
pub(super) fn projections(
    campaign: &Campaign,
    newest: Newest,
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
    if head.command_seq != newest.command {
        return Some(differs("last command", &head.command_seq, &newest.command));
    }
    if head.terms_seq != newest.terms {
        return Some(differs("newest terms", &head.terms_seq, &newest.terms));
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
