//! A filter slice: which bucket a key may be in, for up to a million keys.
//!
//! A table of cells in lines of 64 bytes. A key chooses a line; a cell there holds 16 bits of the
//! key and 16 bits that tell its bucket, counted from the slice's first. A full line runs over
//! into the next. A look-up reads one line, seldom two, and gives the buckets in which the key may
//! be: none for nearly every new key (one in 5,000 is told a bucket and not found there), hardly
//! more than one for an old key. Keys come from a keyed hash, so nobody can choose where they go.

/// Cells of a line.
const LINE: usize = 16;

/// Keys per line when a slice is full: three quarters.
const KEYS_PER_LINE: usize = 12;

const BUCKET_BITS: u32 = 16;

/// Buckets that one slice can tell apart.
pub(super) const BUCKETS: u64 = 1 << BUCKET_BITS;

type Line = [u32; LINE];

/// A key of 16 bytes.
pub(super) type Key = [u8; 16];

/// A slice, growing or full.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    first_bucket: u64,
    keys: usize,
    capacity: usize,
    lines: Vec<Line>,
}

struct Place {
    line: usize,
    tag: u32,
}

impl Slice {
    /// An empty slice for `capacity` keys in buckets from `first_bucket` on.
    pub(super) fn new(first_bucket: u64, capacity: usize) -> Self {
        let lines = capacity.div_ceil(KEYS_PER_LINE);
        Self { first_bucket, keys: 0, capacity, lines: vec![[0; LINE]; lines] }
    }

    /// Whether `more` keys of this bucket can be added.
    pub(super) fn has_room(&self, bucket: u64, more: usize) -> bool {
        self.keys + more <= self.capacity && bucket - self.first_bucket < BUCKETS
    }

    /// How many keys it holds.
    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// The first bucket that it tells of.
    pub(super) fn first_bucket(&self) -> u64 {
        self.first_bucket
    }

    fn place(&self, key: &Key) -> Place {
        let [low, high] = halves(key);
        // Mixed, so that keys that differ in few bits go apart as well.
        let mixed = (low ^ high.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let lines = u128::try_from(self.lines.len()).expect("a length fits");
        let line = (u128::from(mixed) * lines) >> 64;
        let tag = high.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - 32 + BUCKET_BITS);
        Place {
            line: usize::try_from(line).expect("below the number of lines"),
            // Zero marks an empty cell.
            tag: u32::try_from(tag).expect("16 bits").max(1),
        }
    }

    /// Adds a key for which there is room.
    pub(super) fn insert(&mut self, key: &Key, bucket: u64) {
        let Place { mut line, tag } = self.place(key);
        let offset = u32::try_from(bucket - self.first_bucket).expect("there is room");
        let cell = (tag << BUCKET_BITS) | offset;
        loop {
            if let Some(free) = self.lines[line].iter_mut().find(|cell| **cell == 0) {
                *free = cell;
                self.keys += 1;
                return;
            }
            line = (line + 1) % self.lines.len();
        }
    }

    /// Hands each bucket that may hold the key to `each` until it returns something.
    pub(super) fn find<T, E>(
        &self,
        key: &Key,
        mut each: impl FnMut(u64) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let Place { mut line, tag } = self.place(key);
        // Each line but one has room, since a slice is never full to the last cell.
        for _ in 0..self.lines.len() {
            let cells = &self.lines[line];
            // Compared all at once, since nearly always none is equal.
            let equal = |cell: &u32| cell >> BUCKET_BITS == tag;
            if cells.iter().fold(false, |any, cell| any | equal(cell)) {
                for cell in cells.iter().filter(|cell| equal(cell)) {
                    let offset = cell & (u32::MAX >> (32 - BUCKET_BITS));
                    if let Some(found) = each(self.first_bucket + u64::from(offset))? {
                        return Ok(Some(found));
                    }
                }
            }
            if cells[LINE - 1] == 0 {
                break;
            }
            line = (line + 1) % self.lines.len();
        }
        Ok(None)
    }

    /// The cells as they are stored: 4 bytes each, least significant first.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.lines.iter().flatten().flat_map(|cell| cell.to_le_bytes()).collect()
    }

    /// Reads a full slice; none where the length is not that of whole lines.
    pub(super) fn from_bytes(first_bucket: u64, keys: usize, bytes: &[u8]) -> Option<Self> {
        let (cells, rest) = bytes.as_chunks();
        let cells: Vec<u32> = cells.iter().map(|cell| u32::from_le_bytes(*cell)).collect();
        let (lines, rest_cells) = cells.as_chunks();
        let whole = rest.is_empty() && rest_cells.is_empty() && !lines.is_empty();
        whole.then(|| Self { first_bucket, keys, capacity: keys, lines: lines.to_vec() })
    }
}

fn halves(key: &Key) -> [u64; 2] {
    let (halves, _) = key.as_chunks();
    [0, 1].map(|half| u64::from_le_bytes(halves[half]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        // A stand-in for a keyed hash.
        let hash = sponsorhub_core::merkle::leaf_hash(&number.to_be_bytes());
        hash.0[..16].try_into().expect("16 of 32")
    }

    fn buckets(slice: &Slice, key: &Key) -> Vec<u64> {
        let mut found = Vec::new();
        let none: Result<Option<()>, ()> = slice.find(key, |bucket| {
            found.push(bucket);
            Ok(None)
        });
        assert_eq!(none, Ok(None));
        found
    }

    #[test]
    fn every_key_is_found_in_its_bucket_and_new_keys_hardly_ever() {
        let mut slice = Slice::new(7, 20_000);
        for number in 0..20_000 {
            assert!(slice.has_room(7 + number / 100, 1));
            slice.insert(&key(number), 7 + number / 100);
        }
        assert!(!slice.has_room(207, 1));
        let slice = Slice::from_bytes(7, slice.keys(), &slice.to_bytes()).expect("whole lines");
        for number in 0..20_000 {
            assert!(buckets(&slice, &key(number)).contains(&(7 + number / 100)));
        }
        let wrong: usize = (20_000..520_000).map(|n| buckets(&slice, &key(n)).len()).sum();
        assert!(wrong <= 200, "{wrong} of 500,000 new keys were told a bucket");
    }

    #[test]
    fn a_slice_ends_where_its_buckets_end() {
        let slice = Slice::new(5, 100);
        assert!(slice.has_room(5 + BUCKETS - 1, 1));
        assert!(!slice.has_room(5 + BUCKETS, 1));
        assert!(Slice::from_bytes(0, 1, &[0; 63]).is_none());
    }
}
