//! What only SQLite can get wrong: the file, its triggers, its directory, the disk under it.

mod attacks;

mod clicks;

mod crash;

mod directory;

mod disk;

mod edit;

mod lots;

mod registry;

mod sequencer;

mod strays;

mod webhooks;

#[path = "../world/mod.rs"]
mod world;

use std::path::Path;
use std::process::Command;

use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::merkle::{Frontier, leaf_hash};
use sponsorhub_core::money::Minor;
use sponsorhub_store::store::ReversalRow;
use sponsorhub_store::{Options, Reader, SqliteStore, open_read_only};
use world::{T, campaign_id};

/// A command that runs one test of this program in a process of its own.
fn this_test(name: &str, setting: &str, value: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--include-ignored"]).env(setting, value);
    command
}

fn setting(name: &str) -> Option<std::path::PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "how a test's own process is told what to do")]
    let value = std::env::var_os(name);
    value.map(Into::into)
}

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory, Options::default(), || T + 5_000).expect("opens")
}

/// Small slices, so that every table has rows soon.
fn small() -> Options {
    Options { slice_keys_max: 16, ..Options::default() }
}

/// Reads the ledger of campaign 1 from entry 1, and compares everything that is kept beside it.
/// Returns the leaves.
fn audit(directory: &Path) -> Vec<sponsorhub_core::merkle::Hash> {
    let mut reader = open_read_only(directory).expect("opens");
    let projections = reader.projections(campaign_id(1)).expect("reads").expect("known");
    let mut state: Option<Campaign> = None;
    let mut frontier = Frontier::new();
    let mut leaves = Vec::new();
    for bytes in reader.entries(campaign_id(1), 1, usize::MAX).expect("reads") {
        let entry = Entry::decode(&bytes).expect("canonical");
        leaves.push(leaf_hash(&bytes));
        frontier.push(leaf_hash(&bytes));
        match &mut state {
            None => state = Some(Campaign::open(&entry).expect("opens")),
            // Refuses a gap in the positions (INV-6) and in each enrollment's numbers.
            Some(state) => {
                state.apply(&entry).expect("follows");
            }
        }
    }
    let state = state.expect("an opening entry");
    assert_eq!(projections.head.seq, state.head(), "INV-6");
    assert_eq!(projections.head.tree.root, frontier.root(), "INV-14");
    assert_eq!(projections.head.gate, *state.gate());
    for row in &projections.balances {
        let balance = match row.enrollment {
            Some(no) => state.balances().of(row.account, no),
            None => state.balances().total(row.account),
        };
        assert_eq!(row.debit, if row.account.is_debit() { balance } else { -balance }, "INV-10");
    }
    let debits = |account| {
        let rows = projections.balances.iter().filter(|row| row.account == account);
        rows.map(|row| row.debit).sum::<Minor>()
    };
    for account in Account::ALL {
        let total = state.balances().total(account);
        assert_eq!(debits(account), if account.is_debit() { total } else { -total }, "INV-10");
    }
    let reversals = state.reversed().iter().map(|(conversion, reversed)| ReversalRow {
        conversion: *conversion,
        refunded: reversed.refunded,
        is_whole: reversed.whole,
    });
    assert_eq!(projections.reversals, reversals.collect::<Vec<_>>(), "INV-8");
    leaves
}
