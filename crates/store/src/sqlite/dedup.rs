//! Which composite keys a ledger has taken, for all time at flat cost (INV-4).
//!
//! A key stands in the row of the entry that used it up, so it is exactly as durable and as hard
//! to change as the entry itself. Where to look is told by filter slices in memory: a new key is
//! told nowhere and costs no look-up at all, an old key costs one short scan. Full slices are
//! stored; whatever they do not hold yet is read from the entries again when a ledger is loaded.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, OptionalExtension as _, params};
use sponsorhub_core::ids::{CompositeKey, Seq};

use super::filter::{Key, Slice};
use super::position::{CampaignNo, signed, unsigned};

/// Keys of the first slice; each further one holds four times as many, up to the maximum.
const FIRST_SLICE_KEYS: usize = 1 << 10;

/// A slice tells in which run of 2^4 positions a key stands. Stored slices depend on it.
const BUCKET_BITS: u32 = 4;

/// The keys of one ledger.
#[derive(Debug)]
pub(super) struct Dedup {
    no: CampaignNo,
    slice_keys_max: usize,
    full: Vec<Slice>,
    growing: Slice,
    /// The slices hold every key of the entries up to here.
    seen: Seq,
    /// Full slices that are not stored yet, by number, with the entry up to which they hold keys.
    unsaved: Vec<(usize, Seq)>,
    /// Keys of the transaction in progress: not in the table yet.
    fresh: KeyMap<Key, Seq>,
}

/// A map by keys that nobody outside can choose: hashes and ids that we made.
pub(super) type KeyMap<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// Folds the bytes of a key: they are random already.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    /// The length of an array, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn write(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks();
        for word in words {
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}

impl Dedup {
    /// The keys of a ledger that has none. A slice holds at most `slice_keys_max` of them.
    pub(super) fn new(no: CampaignNo, slice_keys_max: usize) -> Self {
        let slice_keys_max = slice_keys_max.max(16);
        Self {
            no,
            slice_keys_max,
            full: Vec::new(),
            growing: Slice::new(0, slice_keys(0, slice_keys_max)),
            seen: 0,
            unsaved: Vec::new(),
            fresh: HashMap::default(),
        }
    }

    /// Loads the stored slices, and reads the rest from the entries. None where a slice is damaged.
    pub(super) fn load(
        connection: &Connection,
        no: CampaignNo,
        slice_keys_max: usize,
    ) -> rusqlite::Result<Option<Self>> {
        let mut dedup = Self::new(no, slice_keys_max);
        let mut slices = connection.prepare_cached(
            "SELECT upto_seq, first_bucket, keys, cells FROM filters
             WHERE pos >= ?1 AND pos < ?2 ORDER BY pos",
        )?;
        let mut rows = slices.query([no.slice(0), no.end()])?;
        while let Some(row) = rows.next()? {
            let keys = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX);
            let first_bucket = unsigned(row.get(1)?);
            let cells = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            let Some(slice) = Slice::from_bytes(first_bucket, keys, cells) else {
                return Ok(None);
            };
            dedup.seen = unsigned(row.get(0)?);
            dedup.full.push(slice);
        }
        if dedup.seen >= 1 << 40 {
            return Ok(None);
        }
        dedup.start_slice(dedup.seen + 1);
        dedup.catch_up(connection)?;
        Ok(Some(dedup))
    }

    /// Adds the keys of committed entries that the slices do not hold yet.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut behind = connection.prepare_cached(
            "SELECT pos, key, slot FROM entries WHERE pos > ?1 AND pos < ?2 ORDER BY pos",
        )?;
        let mut rows = behind.query([self.no.entry(self.seen), self.no.end()])?;
        while let Some(row) = rows.next()? {
            let seq = self.no.seq(row.get(0)?);
            if let Some(key) = row.get(1)? {
                self.note(seq, key, row.get(2)?);
            }
            self.seen = seq;
        }
        Ok(())
    }

    fn start_slice(&mut self, seq: Seq) {
        self.growing = Slice::new(bucket(seq), slice_keys(self.full.len(), self.slice_keys_max));
    }

    /// The entry that has the key, be it committed or of the transaction in progress.
    pub(super) fn find(
        &self,
        connection: &Connection,
        key: CompositeKey,
    ) -> rusqlite::Result<Option<Seq>> {
        if !self.fresh.is_empty()
            && let Some(seq) = self.fresh.get(&key.0)
        {
            return Ok(Some(*seq));
        }
        for slice in self.slices() {
            let found = slice.find(&key.0, |bucket| self.look_up(connection, bucket, &key.0))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Whether the slices lead to this entry for this key.
    pub(super) fn leads_to(&self, key: &Key, seq: Seq) -> bool {
        self.slices().any(|slice| {
            let right = |told| Ok::<_, ()>((told == bucket(seq)).then_some(()));
            slice.find(key, right).is_ok_and(|found| found.is_some())
        })
    }

    /// Newest first.
    fn slices(&self) -> impl Iterator<Item = &Slice> {
        std::iter::once(&self.growing).chain(self.full.iter().rev())
    }

    fn look_up(
        &self,
        connection: &Connection,
        bucket: u64,
        key: &Key,
    ) -> rusqlite::Result<Option<Seq>> {
        let first = self.no.entry(bucket << BUCKET_BITS);
        let last = first | ((1 << BUCKET_BITS) - 1);
        let mut statement = connection.prepare_cached(
            "SELECT pos FROM entries WHERE pos BETWEEN ?1 AND ?2 AND (key = ?3 OR slot = ?3)",
        )?;
        let pos = statement.query_row(params![first, last, key], |row| row.get(0)).optional()?;
        Ok(pos.map(|pos| self.no.seq(pos)))
    }

    /// Notes the keys of an entry that the transaction in progress appends.
    pub(super) fn add(&mut self, seq: Seq, key: CompositeKey, slot: Option<CompositeKey>) {
        self.note(seq, key.0, slot.map(|slot| slot.0));
        self.seen = seq;
        for key in [Some(key), slot].into_iter().flatten() {
            self.fresh.insert(key.0, seq);
        }
    }

    fn note(&mut self, seq: Seq, key: Key, slot: Option<Key>) {
        let bucket = bucket(seq);
        // The keys of one entry stay together, so that a slice is complete up to an entry.
        if !self.growing.has_room(bucket, 2) {
            self.unsaved.push((self.full.len(), seq - 1));
            let full = std::mem::replace(&mut self.growing, Slice::new(0, 1));
            self.full.push(full);
            self.start_slice(seq);
        }
        for key in [Some(key), slot].into_iter().flatten() {
            self.growing.insert(&key, bucket);
        }
    }

    /// Stores slices that became full in the transaction in progress.
    pub(super) fn save_full(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (number, upto) in self.unsaved.drain(..) {
            let slice = &self.full[number];
            let keys = signed(u64::try_from(slice.keys()).expect("a length fits"));
            connection
                .prepare_cached(
                    "INSERT INTO filters (pos, upto_seq, first_bucket, keys, cells)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    self.no.slice(number),
                    signed(upto),
                    signed(slice.first_bucket()),
                    keys,
                    slice.to_bytes()
                ])?;
        }
        Ok(())
    }

    /// The transaction is committed: its keys are in the table now.
    pub(super) fn committed(&mut self) {
        self.fresh.clear();
    }
}

/// The run of positions that holds this one, counted within the campaign.
fn bucket(seq: Seq) -> u64 {
    seq >> BUCKET_BITS
}

/// Keys that a slice of this number holds.
fn slice_keys(number: usize, most: usize) -> usize {
    // From 2^20 on every slice has the maximum, so the shift need not go further.
    let grown = FIRST_SLICE_KEYS << (2 * number.min(10));
    grown.min(most)
}
