//! The entries of one transaction, in lots: while one lot is inserted, the next is judged.
//!
//! A lot is filled, closed, and from then on only read: by the thread that inserts it, by the one
//! that hashes it, and by the judge, who finds in it what no table holds yet.

use std::sync::Arc;

use rusqlite::Connection;
use sponsorhub_core::ids::{EnrollmentNo, Seq};
use sponsorhub_core::ledger::entry::Rendered;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::merkle::{Hash, leaf_hash};
use sponsorhub_core::money::Minor;

use super::filter::Key;
use super::position::{CampaignNo, signed};

/// Entries from which on a lot is closed.
const LOT: usize = 1_024;

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

/// New entries in the order in which they came, spliced into one run of bytes.
#[derive(Debug, Default)]
pub(super) struct Lot {
    /// The number in the batch of its first entry.
    first: usize,
    bytes: Vec<u8>,
    entries: Vec<(NewEntry, usize)>,
}

impl Lot {
    fn end(&self) -> usize {
        self.first + self.entries.len()
    }

    /// An entry by its number in the batch.
    pub(super) fn entry(&self, number: usize) -> &NewEntry {
        &self.entries[number - self.first].0
    }

    /// The bytes of an entry by its number in the batch.
    pub(super) fn bytes(&self, number: usize) -> &[u8] {
        let index = number - self.first;
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].1);
        &self.bytes[start..self.entries[index].1]
    }

    /// Numbers of the entries, campaign by campaign in the order of the table.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (self.first..self.end()).collect();
        // Nearly sorted already: each campaign's entries came in order.
        order.sort_by_key(|number| self.entry(*number).campaign);
        order
    }

    /// The leaves by number.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Hash> {
        (self.first..self.end()).map(|number| leaf_hash(self.bytes(number)))
    }

    /// Inserts the entries within the transaction of `connection`.
    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(INSERT)?;
        for number in self.in_order() {
            let entry = self.entry(number);
            statement.raw_bind_parameter(1, entry.campaign.entry(entry.seq))?;
            statement.raw_bind_parameter(2, entry.at)?;
            statement.raw_bind_parameter(3, entry.kind.code())?;
            statement.raw_bind_parameter(4, entry.enrollment.map(|no| no.0))?;
            statement.raw_bind_parameter(5, entry.n.map(signed))?;
            statement.raw_bind_parameter(6, entry.amount.map(|amount| amount.0))?;
            statement.raw_bind_parameter(7, entry.key.as_ref().map(|key| &key[..]))?;
            statement.raw_bind_parameter(8, entry.slot.as_ref().map(|slot| &slot[..]))?;
            statement.raw_bind_parameter(9, self.bytes(number))?;
            statement.raw_execute()?;
        }
        Ok(())
    }
}

/// New entries in the order in which they came, numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Batch {
    closed: Vec<Arc<Lot>>,
    open: Lot,
    /// Lots of earlier transactions, for their memory.
    spare: Vec<Lot>,
}

impl Batch {
    /// Keeps the memory and forgets the content.
    pub(super) fn clear(&mut self) {
        // A lot that somebody still reads is theirs.
        self.spare.extend(self.closed.drain(..).filter_map(Arc::into_inner));
        self.spare.push(std::mem::take(&mut self.open));
        for lot in &mut self.spare {
            lot.bytes.clear();
            lot.entries.clear();
        }
        self.open_lot(0);
    }

    fn open_lot(&mut self, first: usize) {
        self.open = self.spare.pop().unwrap_or_default();
        self.open.first = first;
    }

    pub(super) fn len(&self) -> usize {
        self.open.end()
    }

    /// Splices an entry and returns its number in the batch.
    pub(super) fn push(&mut self, rendered: &Rendered, entry: NewEntry) -> usize {
        rendered.splice(&mut self.open.bytes, entry.at, entry.n, entry.seq);
        self.open.entries.push((entry, self.open.bytes.len()));
        self.open.end() - 1
    }

    /// Closes the lot that is being filled once it is full.
    pub(super) fn close_full(&mut self) -> Option<Arc<Lot>> {
        if self.open.entries.len() < LOT { None } else { self.close() }
    }

    /// Closes the lot that is being filled; none where nothing is in it.
    pub(super) fn close(&mut self) -> Option<Arc<Lot>> {
        if self.open.entries.is_empty() {
            return None;
        }
        let lot = Arc::new(std::mem::take(&mut self.open));
        self.open_lot(lot.end());
        self.closed.push(Arc::clone(&lot));
        Some(lot)
    }

    fn lot(&self, number: usize) -> &Lot {
        let index = self.closed.partition_point(|lot| lot.end() <= number);
        self.closed.get(index).map_or(&self.open, Arc::as_ref)
    }

    pub(super) fn entry(&self, number: usize) -> &NewEntry {
        self.lot(number).entry(number)
    }

    pub(super) fn bytes(&self, number: usize) -> &[u8] {
        self.lot(number).bytes(number)
    }
}
