//! The entries of one transaction: spliced into one run of bytes, hashed and inserted side by
//! side.

use rusqlite::Connection;
use sponsorhub_core::ids::{EnrollmentNo, Seq};
use sponsorhub_core::ledger::entry::Rendered;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::merkle::{Hash, Tile, TileWriter, leaf_hash};
use sponsorhub_core::money::Minor;

use super::filter::Key;
use super::position::{CampaignNo, signed};

/// From this many entries on hashing is worth a second thread.
const HASHED_APART_FROM: usize = 512;

/// OR ROLLBACK: see the trigger in the migration. One row at a time: where a table has a trigger,
/// SQLite copies the rows of a longer insert to a temporary table first.
const INSERT: &str = "INSERT OR ROLLBACK INTO entries
    (pos, at_ms, kind, enrollment_no, n, amount_minor, key, slot, bytes)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Where an entry goes, and what the columns beside its bytes say.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewEntry {
    pub(super) campaign: CampaignNo,
    pub(super) seq: Seq,
    pub(super) at: i64,
    pub(super) kind: Kind,
    pub(super) enrollment: Option<EnrollmentNo>,
    pub(super) n: Option<u64>,
    pub(super) amount: Option<Minor>,
    /// The composite key of an event, and the slot of the click that it used up.
    pub(super) key: Option<Key>,
    pub(super) slot: Option<Key>,
}

/// The leaves of a batch by number, and the tree of each of its campaigns with the tiles that
/// became full.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) leaves: Vec<Hash>,
    pub(super) trees: Vec<(CampaignNo, TileWriter, Vec<Tile>)>,
}

/// New entries in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    entries: Vec<(NewEntry, usize)>,
}

impl Batch {
    /// Keeps the memory and forgets the content.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Splices an entry and returns its number in the batch.
    pub(super) fn push(&mut self, rendered: &Rendered, entry: NewEntry) -> usize {
        rendered.splice(&mut self.bytes, entry.at, entry.n, entry.seq);
        self.entries.push((entry, self.bytes.len()));
        self.entries.len() - 1
    }

    pub(super) fn entry(&self, number: usize) -> &NewEntry {
        &self.entries[number].0
    }

    pub(super) fn bytes(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.entries[before].1);
        &self.bytes[start..self.entries[number].1]
    }

    /// The number of an entry that this batch holds.
    pub(super) fn find(&self, campaign: CampaignNo, seq: Seq) -> Option<usize> {
        self.entries.iter().rposition(|(e, _)| e.seq == seq && e.campaign == campaign)
    }

    /// Numbers of the entries, campaign by campaign in the order of the table.
    pub(super) fn runs(&self) -> Vec<Vec<usize>> {
        let mut order: Vec<_> = (0..self.entries.len()).collect();
        // Nearly sorted already: each campaign's entries came in order.
        order.sort_by_key(|number| self.entry(*number).campaign);
        let same = |a: &usize, b: &usize| self.entry(*a).campaign == self.entry(*b).campaign;
        order.chunk_by(same).map(<[usize]>::to_vec).collect()
    }

    /// Inserts the entries and hashes them into the trees, at the same time where they are many. Each run of `runs` is the entries of one campaign in order, with its tree.
    pub(super) fn write(
        &self,
        connection: &Connection,
        runs: Vec<(Vec<usize>, TileWriter)>,
    ) -> rusqlite::Result<Hashed> {
        let order: Vec<usize> = runs.iter().flat_map(|(run, _)| run).copied().collect();
        // The writer owns the connection, so inserting stays on its thread.
        let insert = || self.insert(connection, &order);
        if self.len() < HASHED_APART_FROM {
            return insert().map(|()| self.hash(runs));
        }
        std::thread::scope(|scope| {
            let hashing = scope.spawn(|| self.hash(runs));
            insert().map(|()| hashing.join().expect("hashing does not panic"))
        })
    }

    fn hash(&self, runs: Vec<(Vec<usize>, TileWriter)>) -> Hashed {
        let leaves = (0..self.len()).map(|number| leaf_hash(self.bytes(number)));
        let leaves: Vec<_> = leaves.collect();
        let grow = |(run, mut tree): (Vec<usize>, TileWriter)| {
            let mut full = Vec::new();
            for number in &run {
                tree.push(leaves[*number], &mut full);
            }
            (self.entry(run[0]).campaign, tree, full)
        };
        let trees = runs.into_iter().map(grow).collect();
        Hashed { leaves, trees }
    }

    fn insert(&self, connection: &Connection, order: &[usize]) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(INSERT)?;
        for number in order {
            let entry = self.entry(*number);
            statement.raw_bind_parameter(1, entry.campaign.entry(entry.seq))?;
            statement.raw_bind_parameter(2, entry.at)?;
            statement.raw_bind_parameter(3, entry.kind.code())?;
            statement.raw_bind_parameter(4, entry.enrollment.map(|no| no.0))?;
            statement.raw_bind_parameter(5, entry.n.map(signed))?;
            statement.raw_bind_parameter(6, entry.amount.map(|amount| amount.0))?;
            statement.raw_bind_parameter(7, entry.key.as_ref().map(|key| &key[..]))?;
            statement.raw_bind_parameter(8, entry.slot.as_ref().map(|slot| &slot[..]))?;
            statement.raw_bind_parameter(9, self.bytes(*number))?;
            statement.raw_execute()?;
        }
        Ok(())
    }
}
