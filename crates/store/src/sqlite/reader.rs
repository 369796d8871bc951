//! Reading from snapshots, beside the writer or from another process.

use std::path::Path;

use rusqlite::Connection;
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentNo, Seq};
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::merkle::{Hash, TileId, TileWriter};
use sponsorhub_core::money::Minor;

use super::dedup::{Dedup, KeyMap};
use super::filter::Key;
use super::open::{self, Options, fault};
use super::position::{CampaignNo, unsigned};
use super::{projections, strays, tree};
use crate::error::StoreError;
use crate::store::{BalanceRow, EnrollmentRow, EntryRow, Head, Listed, Projections, Reader};

/// Ledgers whose keys a reader keeps; each takes 5 MiB a million.
const DEDUPS_MAX: usize = 16;

/// A reader with a connection of its own. Each call is one short read transaction.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    /// The tree that the last proof was made from: proofs are often asked for one size.
    tree: Option<(CampaignId, TileWriter)>,
    /// The keys of ledgers that were asked for one.
    dedups: KeyMap<CampaignId, Dedup>,
}

impl SqliteReader {
    /// Opens the database of a directory, which another process may be writing to.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`], a database that is not ours or newer, and faults.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let connection = open::open_reader(directory)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection, tree: None, dedups: KeyMap::default() })
    }

    /// Runs `read` on one moment of the database.
    fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN").map_err(fault)?;
        let result = read(&self.connection);
        // Nothing was written; ending it only lets the snapshot go.
        self.connection.execute_batch("COMMIT").map_err(fault)?;
        result
    }

    fn campaign_no(&self, campaign: CampaignId) -> Result<CampaignNo, StoreError> {
        let no = projections::campaign_no(&self.connection, campaign).map_err(fault)?;
        no.ok_or(StoreError::UnknownCampaign(campaign))
    }

    /// The tree of the first `size` entries.
    fn tree_of(&mut self, campaign: CampaignId, size: u64) -> Result<CampaignNo, StoreError> {
        let no = self.campaign_no(campaign)?;
        if matches!(&self.tree, Some((id, tree)) if *id == campaign && tree.size() == size) {
            return Ok(no);
        }
        let head = projections::head(&self.connection, no).map_err(fault)?;
        let head = head.map_or(0, |row| row.head.seq);
        if size > head {
            return Err(StoreError::UnknownEntry { campaign, seq: size, head });
        }
        let tree = self.snapshot(|connection| tree::restore(connection, no, size))?;
        self.tree = Some((campaign, tree));
        Ok(no)
    }

    /// The keys of a ledger, up to its newest entry. To be put back by [`Self::keep`].
    fn dedup(&mut self, campaign: CampaignId) -> Result<Dedup, StoreError> {
        let no = self.campaign_no(campaign)?;
        let known = self.dedups.remove(&campaign);
        self.snapshot(|connection| {
            if let Some(mut dedup) = known {
                return dedup.catch_up(connection).map(|()| dedup).map_err(fault);
            }
            let most = Options::default().slice_keys_max;
            let loaded = Dedup::load(connection, no, most).map_err(fault)?;
            let damaged = format!("campaign {campaign}: a filter slice is damaged");
            loaded.ok_or(StoreError::Corrupt(damaged))
        })
    }

    fn keep(&mut self, campaign: CampaignId, dedup: Dedup) {
        if self.dedups.len() >= DEDUPS_MAX {
            self.dedups.clear();
        }
        self.dedups.insert(campaign, dedup);
    }

    fn tree(&self) -> &TileWriter {
        &self.tree.as_ref().expect("restored just before").1
    }
}

impl Reader for SqliteReader {
    fn campaigns(&mut self, after: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT no, id FROM campaigns WHERE no > ?1 ORDER BY no LIMIT ?2";
        let list = || -> rusqlite::Result<_> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = statement.query_map([after, limited(limit)], |row| {
                Ok(Listed { no: unsigned(row.get(0)?), campaign: CampaignId(row.get(1)?) })
            })?;
            rows.collect()
        };
        list().map_err(fault)
    }

    fn head(&mut self, campaign: CampaignId) -> Result<Option<Head>, StoreError> {
        self.snapshot(|connection| {
            let no = projections::campaign_no(connection, campaign).map_err(fault)?;
            let Some(no) = no else { return Ok(None) };
            let row = projections::head(connection, no).map_err(fault)?;
            Ok(Some(row.ok_or_else(headless)?.head))
        })
    }

    fn projections(&mut self, campaign: CampaignId) -> Result<Option<Projections>, StoreError> {
        self.snapshot(|connection| {
            let no = projections::campaign_no(connection, campaign).map_err(fault)?;
            let Some(no) = no else { return Ok(None) };
            let row = projections::head(connection, no).map_err(fault)?;
            let row = row.ok_or_else(headless)?;
            let read = || -> rusqlite::Result<Projections> {
                Ok(Projections {
                    head: row.head,
                    counted: row.counted,
                    enrollments: projections::enrollments(connection, no)?,
                    balances: projections::balances(connection, no)?,
                    reversals: projections::reversals(connection, no)?,
                })
            };
            read().map(Some).map_err(fault)
        })
    }

    fn enrollments(&mut self, campaign: CampaignId) -> Result<Vec<EnrollmentRow>, StoreError> {
        let no = self.campaign_no(campaign)?;
        projections::enrollments(&self.connection, no).map_err(fault)
    }

    fn reversed(&mut self, campaign: CampaignId, conversion: Seq) -> Result<Reversed, StoreError> {
        let no = self.campaign_no(campaign)?;
        projections::reversed(&self.connection, no, conversion).map_err(fault)
    }

    fn balances(&mut self, campaign: CampaignId) -> Result<Vec<BalanceRow>, StoreError> {
        let no = self.campaign_no(campaign)?;
        projections::balances(&self.connection, no).map_err(fault)
    }

    fn scan(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        limit: usize,
        each: &mut dyn FnMut(EntryRow<'_>),
    ) -> Result<usize, StoreError> {
        let no = self.campaign_no(campaign)?;
        if from >= 1 << 40 {
            return Ok(0);
        }
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT pos, at_ms, kind, enrollment_no, n, amount_minor, key, bytes
                 FROM entries
                 WHERE pos >= ?1 AND pos < ?2 ORDER BY pos LIMIT ?3",
            )
            .map_err(fault)?;
        let mut rows =
            statement.query([no.entry(from), no.end(), limited(limit)]).map_err(fault)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(fault)? {
            each(entry_row(row, no).map_err(fault)?);
            count += 1;
        }
        Ok(count)
    }

    fn scan_bytes(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        count: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, StoreError> {
        let no = self.campaign_no(campaign)?;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let end = from.saturating_add(count).min(1 << 40);
        if from >= end {
            return Ok(0);
        }
        // Bounded by the position alone: a limit would be counted for each row.
        let sql = "SELECT bytes FROM entries WHERE pos >= ?1 AND pos <= ?2 ORDER BY pos";
        let mut read = || -> rusqlite::Result<usize> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([no.entry(from), no.entry(end - 1)])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                each(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
                count += 1;
            }
            Ok(count)
        };
        read().map_err(fault)
    }

    fn find_by_key(
        &mut self,
        campaign: CampaignId,
        key: CompositeKey,
    ) -> Result<Option<Seq>, StoreError> {
        let dedup = self.dedup(campaign)?;
        let found = dedup.find(&self.connection, key).map_err(fault);
        self.keep(campaign, dedup);
        found
    }

    fn unfound_key(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        to: Seq,
    ) -> Result<Option<Seq>, StoreError> {
        let no = self.campaign_no(campaign)?;
        let dedup = self.dedup(campaign)?;
        let read = || -> rusqlite::Result<Option<Seq>> {
            let sql = "SELECT pos, key, slot FROM entries
                       WHERE pos BETWEEN ?1 AND ?2 AND key IS NOT NULL ORDER BY pos";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([no.entry(from), no.entry(to)])?;
            while let Some(row) = rows.next()? {
                let seq = no.seq(row.get(0)?);
                let keys: [Option<Key>; 2] = [row.get(1)?, row.get(2)?];
                if !keys.iter().flatten().all(|key| dedup.leads_to(key, seq)) {
                    return Ok(Some(seq));
                }
            }
            Ok(None)
        };
        let unfound = read().map_err(fault);
        self.keep(campaign, dedup);
        unfound
    }

    fn tile(&mut self, campaign: CampaignId, id: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        let no = self.campaign_no(campaign)?;
        tree::read_tile(&self.connection, no, id).map_err(fault)
    }

    fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        self.snapshot(|connection| strays::find(connection).map_err(fault))
    }

    fn root(&mut self, campaign: CampaignId, size: u64) -> Result<Hash, StoreError> {
        self.tree_of(campaign, size)?;
        Ok(self.tree().root())
    }

    fn inclusion_proof(
        &mut self,
        campaign: CampaignId,
        seq: Seq,
        size: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        let unknown = StoreError::UnknownEntry { campaign, seq, head: size };
        let index = seq.checked_sub(1).filter(|index| *index < size).ok_or(unknown)?;
        let no = self.tree_of(campaign, size)?;
        tree::prove_inclusion(&self.connection, no, self.tree(), index)
    }

    fn consistency_proof(
        &mut self,
        campaign: CampaignId,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        if old > new {
            return Err(StoreError::UnknownEntry { campaign, seq: old, head: new });
        }
        let no = self.tree_of(campaign, new)?;
        tree::prove_consistency(&self.connection, no, self.tree(), old)
    }
}

fn headless() -> StoreError {
    StoreError::Corrupt("the campaign has no head".to_owned())
}

/// As SQLite takes it.
pub(super) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn entry_row<'a>(row: &'a rusqlite::Row<'_>, no: CampaignNo) -> rusqlite::Result<EntryRow<'a>> {
    let code = row.get(2)?;
    let kind = Kind::from_code(code);
    let enrollment: (Option<u32>, Option<i64>) = (row.get(3)?, row.get(4)?);
    let amount: Option<i64> = row.get(5)?;
    Ok(EntryRow {
        seq: no.seq(row.get(0)?),
        at: row.get(1)?,
        kind: kind.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, i64::from(code)))?,
        enrollment: enrollment.0.zip(enrollment.1).map(|(no, n)| (EnrollmentNo(no), unsigned(n))),
        amount: amount.map(Minor),
        key: row.get::<_, Option<Key>>(6)?.map(CompositeKey),
        bytes: row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?,
    })
}
