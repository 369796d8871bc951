//! Which composite keys a ledger has taken, for all time at flat cost (INV-4).
//!
//! The keys lie in the table `dedup`, in buckets of neighbouring positions, so that new ones go to
//! few pages. Which bucket to look into is told by filter slices in memory: a new key is told none
//! and costs no look-up at all, an old key costs one. A slice that is full is stored; the growing
//! one is filled again from the table when the ledger is loaded.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, OptionalExtension as _, params};
use sponsorhub_core::ids::{CompositeKey, Seq};

use super::filter::{Key, Slice};
use super::many::Insert;
use super::position::{CampaignNo, signed, unsigned};

/// Keys of the first slice; each further one holds four times as many, up to the maximum.
const FIRST_SLICE_KEYS: usize = 1 << 10;

/// Sizes, of which only the first is bound to a database.
#[derive(Clone, Copy, Debug)]
pub(super) struct DedupSizes {
    /// A bucket holds the keys of 2^bits positions.
    pub(super) bucket_bits: u32,
    /// Keys of a slice at most.
    pub(super) slice_keys_max: usize,
}

/// The keys of one ledger.
#[derive(Debug)]
pub(super) struct Dedup {
    no: CampaignNo,
    sizes: DedupSizes,
    full: Vec<Slice>,
    growing: Slice,
    /// The full slices hold every key of the entries up to here.
    full_upto: Seq,
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

/// A row for the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DedupRow {
    bucket: i64,
    key: Key,
    place: i64,
}

impl Dedup {
    /// The keys of a ledger that has none.
    pub(super) fn new(no: CampaignNo, sizes: DedupSizes) -> Self {
        Self {
            no,
            sizes,
            full: Vec::new(),
            growing: Slice::new(0, sizes.slice_keys(0)),
            full_upto: 0,
            unsaved: Vec::new(),
            fresh: HashMap::default(),
        }
    }

    /// Loads the stored slices and fills the growing one from the table.
    pub(super) fn load(
        connection: &Connection,
        no: CampaignNo,
        sizes: DedupSizes,
    ) -> rusqlite::Result<Option<Self>> {
        let mut dedup = Self::new(no, sizes);
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
            dedup.full_upto = unsigned(row.get(0)?);
            dedup.full.push(slice);
        }
        dedup.start_slice(dedup.full_upto + 1);
        let mut rest = connection.prepare_cached(
            "SELECT bucket, key, place FROM dedup WHERE bucket >= ?1 AND bucket < ?2",
        )?;
        let [from, to] = [no.entry(dedup.full_upto + 1), no.end()].map(|p| p >> sizes.bucket_bits);
        let mut rows = rest.query([from, to])?;
        while let Some(row) = rows.next()? {
            let seq = dedup.seq(row.get(0)?, row.get(2)?);
            if seq > dedup.full_upto {
                let key = row.get(1)?;
                let bucket = dedup.bucket(seq);
                if !dedup.growing.has_room(bucket, 1) {
                    return Ok(None);
                }
                dedup.growing.insert(&key, bucket);
            }
        }
        Ok(Some(dedup))
    }

    /// The bucket of a position, counted within the campaign.
    fn bucket(&self, seq: Seq) -> u64 {
        seq >> self.sizes.bucket_bits
    }

    fn table_bucket(&self, bucket: u64) -> i64 {
        (self.no.entry(0) >> self.sizes.bucket_bits) | signed(bucket)
    }

    fn seq(&self, table_bucket: i64, place: i64) -> Seq {
        self.no.seq((table_bucket << self.sizes.bucket_bits) | place)
    }

    fn start_slice(&mut self, seq: Seq) {
        let capacity = self.sizes.slice_keys(self.full.len());
        self.growing = Slice::new(self.bucket(seq), capacity);
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
        let slices = std::iter::once(&self.growing).chain(self.full.iter().rev());
        for slice in slices {
            let found = slice.find(&key.0, |bucket| self.look_up(connection, bucket, &key.0))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn look_up(
        &self,
        connection: &Connection,
        bucket: u64,
        key: &Key,
    ) -> rusqlite::Result<Option<Seq>> {
        let bucket = self.table_bucket(bucket);
        let mut statement =
            connection.prepare_cached("SELECT place FROM dedup WHERE bucket = ?1 AND key = ?2")?;
        let place = statement.query_row(params![bucket, key], |row| row.get(0)).optional()?;
        Ok(place.map(|place| self.seq(bucket, place)))
    }

    /// Notes the keys of a new entry, and appends their rows to `rows`.
    pub(super) fn add(
        &mut self,
        seq: Seq,
        key: CompositeKey,
        slot: Option<CompositeKey>,
        rows: &mut Vec<DedupRow>,
    ) {
        let bucket = self.bucket(seq);
        // The keys of one entry stay together, so that a slice is complete up to an entry.
        if !self.growing.has_room(bucket, 2) {
            self.unsaved.push((self.full.len(), seq - 1));
            self.full_upto = seq - 1;
            let full = std::mem::replace(&mut self.growing, Slice::new(0, 1));
            self.full.push(full);
            self.start_slice(seq);
        }
        let table_bucket = self.table_bucket(bucket);
        let place = signed(seq & ((1 << self.sizes.bucket_bits) - 1));
        for key in [Some(key), slot].into_iter().flatten() {
            self.growing.insert(&key.0, bucket);
            self.fresh.insert(key.0, seq);
            rows.push(DedupRow { bucket: table_bucket, key: key.0, place });
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

impl DedupSizes {
    fn slice_keys(self, number: usize) -> usize {
        // From 2^20 on every slice has the maximum, so the shift need not go further.
        let grown = FIRST_SLICE_KEYS << (2 * number.min(10));
        grown.min(self.slice_keys_max)
    }
}

/// Writes the keys of a transaction, in the order of the table.
pub(super) fn insert_rows(connection: &Connection, rows: &mut [DedupRow]) -> rusqlite::Result<()> {
    const INSERT: Insert =
        Insert { into: "INSERT OR ROLLBACK INTO dedup (bucket, key, place)", columns: 3 };
    rows.sort_unstable();
    INSERT.run(connection, rows, |statement, first, row| {
        statement.raw_bind_parameter(first, row.bucket)?;
        statement.raw_bind_parameter(first + 1, &row.key[..])?;
        statement.raw_bind_parameter(first + 2, row.place)
    })
}
