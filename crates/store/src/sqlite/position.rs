//! Positions: a campaign's number and a place in it as one integer key.

use sponsorhub_core::ids::Seq;
use sponsorhub_core::merkle::TileId;

const SEQ_BITS: u32 = 40;

/// Bits for the number of a tile in its level: one full tile of leaves per 256 entries.
const TILE_BITS: u32 = 36;

/// The number of a campaign in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CampaignNo(pub(super) i64);

impl CampaignNo {
    /// The key of an entry.
    pub(super) fn entry(self, seq: Seq) -> i64 {
        (self.0 << SEQ_BITS) | signed(seq)
    }

    /// The first key behind this campaign's.
    pub(super) fn end(self) -> i64 {
        (self.0 + 1) << SEQ_BITS
    }

    /// The position that an entry's key means.
    pub(super) fn seq(self, pos: i64) -> Seq {
        unsigned(pos - (self.0 << SEQ_BITS))
    }

    /// The key of a tile.
    pub(super) fn tile(self, id: TileId) -> i64 {
        (self.0 << SEQ_BITS) | (i64::from(id.level) << TILE_BITS) | signed(id.index)
    }

    /// The key of a filter slice.
    pub(super) fn slice(self, number: usize) -> i64 {
        (self.0 << SEQ_BITS) | i64::try_from(number).expect("slices are counted in few bits")
    }
}

/// Whether an entry can have this position.
pub(super) fn is_position(seq: Seq) -> bool {
    (1..1 << SEQ_BITS).contains(&seq)
}

/// As SQLite keeps it. Positions, counts and sizes stay below 2^40.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).expect("counts stay below 2^40")
}

/// As the core counts. What the database holds is not negative; a negative number is damage and
/// stops at the next comparison.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
