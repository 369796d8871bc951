//! Tiles: how the hashes of a tree are stored (C2SP tlog-tiles, height 8).
//!
//! A tile of level L holds 256 neighbouring hashes of height 8·L, each over 256^L leaves; what lies
//! between two levels is computed when it is asked for. Only full tiles are stored, and a full tile
//! never changes. What is not in one yet, at most 255 hashes a level, is the edge that
//! [`TileWriter`] keeps in memory and can compute again from the stored tiles.

use std::collections::BTreeMap;

use super::{Frontier, Hash, HashSource, perfect_root};

/// Rows of the tree that one level of tiles stands for.
pub const TILE_HEIGHT: u32 = 8;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// Bytes of a full tile.
pub const TILE_BYTES: usize = 32 * TILE_WIDTH;

/// Which tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for tiles of leaf hashes.
    pub level: u8,
    /// From 0, within the level.
    pub index: u64,
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Which one.
    pub id: TileId,
    /// [`TILE_BYTES`]: the hashes one after another.
    pub bytes: Vec<u8>,
}

/// Stored tiles do not give the hash that is needed. `E` is the error of the function that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The tile could not be read.
    #[error("could not read tile {} of level {}", .id.index, .id.level)]
    Read {
        /// Which one.
        id: TileId,
        /// Why.
        source: E,
    },
    /// What was read is not a full tile.
    #[error("tile {} of level {} has {bytes} bytes, not {TILE_BYTES}", .id.index, .id.level)]
    Malformed {
        /// Which one.
        id: TileId,
        /// How many bytes were read.
        bytes: usize,
    },
    /// The tree is too small to have this subtree.
    #[error("a tree of {size} leaves has no complete subtree {index} of height {height}")]
    Missing {
        /// Height of the subtree.
        height: u32,
        /// Its number among those of the height, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// Not the leaf hashes that follow the last full tile.
    #[error("{given} leaf hashes after the last full tile of a tree of {size}")]
    Leaves {
        /// How many leaf hashes were given.
        given: usize,
        /// Leaves of the tree.
        size: u64,
    },
}

/// Grows a tree, keeps its edge, and hands out every tile when it is full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileWriter {
    frontier: Frontier,
    /// Per level the hashes that are not in a full tile yet: fewer than [`TILE_WIDTH`].
    edge: Vec<Vec<Hash>>,
}

impl TileWriter {
    /// A tree without leaves.
    pub const fn new() -> Self {
        Self { frontier: Frontier::new(), edge: Vec::new() }
    }

    /// Continues a tree of `size` leaves after a restart. `read` gives the bytes of a stored tile;
    /// `leaves` are the hashes of the last `size` mod 256 leaves, which are in no full tile.
    ///
    /// Reads at most 255 tiles a level above the lowest. The hashes are taken as they are: compare
    /// the root with a known one to find a damaged tile.
    ///
    /// # Errors
    /// [`TileError`]: a tile cannot be read or is no tile, or the number of leaves does not fit.
    pub fn restore<E>(
        size: u64,
        leaves: &[Hash],
        mut read: impl FnMut(TileId) -> Result<Vec<u8>, E>,
    ) -> Result<Self, TileError<E>> {
        let given = leaves.len();
        if u64::try_from(given) != Ok(size % WIDTH) {
            return Err(TileError::Leaves { given, size });
        }
        if size == 0 {
            return Ok(Self::new());
        }
        let mut edge = vec![leaves.to_vec()];
        let mut full = size / WIDTH;
        for level in 0.. {
            if full == 0 {
                break;
            }
            // The hash of a full tile is one of the level above, where the last may be in no tile.
            let roots = (full - full % WIDTH..full).map(|index| {
                let id = TileId { level, index };
                read_tile(&mut read, id).map(|hashes| perfect_root(&hashes))
            });
            edge.push(roots.collect::<Result<_, _>>()?);
            full /= WIDTH;
        }
        let peaks = edge.iter().rev().flat_map(|hashes| peaks(hashes)).collect();
        Ok(Self { frontier: Frontier::from_peaks(size, peaks), edge })
    }

    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// A hash of the level's tile that is not full yet; none where that is another tile.
    pub(super) fn edge_hash(&self, id: TileId, place: usize) -> Option<Hash> {
        let shift = TILE_HEIGHT * (u32::from(id.level) + 1);
        let full = self.size().checked_shr(shift).unwrap_or(0);
        let hashes = self.edge.get(usize::from(id.level)).filter(|_| id.index == full)?;
        hashes.get(place).copied()
    }

    /// What is needed to go on without tiles.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends a leaf, and to `full` every tile that it fills, the lowest level first. One node
    /// hash on average.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<Tile>) {
        let edge = &mut self.edge;
        let mut level = 0;
        self.frontier.push_and_tell(leaf, |height, node| {
            if height % TILE_HEIGHT == 0 {
                if level == edge.len() {
                    edge.push(Vec::new());
                }
                edge[level].push(node);
                level += 1;
            }
        });
        let mut tiles = self.frontier.size();
        for (level, hashes) in (0..).zip(&mut self.edge) {
            if hashes.len() < TILE_WIDTH {
                break;
            }
            tiles /= WIDTH;
            let id = TileId { level, index: tiles - 1 };
            let mut bytes = Vec::with_capacity(TILE_BYTES);
            for hash in hashes.drain(..) {
                bytes.extend_from_slice(&hash.0);
            }
            full.push(Tile { id, bytes });
        }
    }
}

/// [`TILE_WIDTH`] for sizes of trees.
const WIDTH: u64 = 1 << TILE_HEIGHT;

/// The roots of the perfect subtrees that these hashes consist of, from the largest on.
fn peaks(mut hashes: &[Hash]) -> impl Iterator<Item = Hash> {
    std::iter::from_fn(move || {
        let width = hashes.len().checked_ilog2().map(|height| 1 << height)?;
        let (perfect, rest) = hashes.split_at(width);
        hashes = rest;
        Some(perfect_root(perfect))
    })
}

fn read_tile<E>(
    read: &mut impl FnMut(TileId) -> Result<Vec<u8>, E>,
    id: TileId,
) -> Result<Vec<Hash>, TileError<E>> {
    let bytes = read(id).map_err(|source| TileError::Read { id, source })?;
    if bytes.len() != TILE_BYTES {
        let bytes = bytes.len();
        return Err(TileError::Malformed { id, bytes });
    }
    let (hashes, _) = bytes.as_chunks();
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The hashes of a tree, from its stored tiles and its edge: what proofs are made from, for this
/// size of the tree and for all smaller ones.
#[derive(Debug)]
pub struct TileSource<'a, F> {
    tree: &'a TileWriter,
    read: F,
    /// The last tile of each level: a proof asks for up to eight hashes in a row from one tile.
    last: BTreeMap<u8, (u64, Vec<Hash>)>,
}

impl<'a, F, E> TileSource<'a, F>
where
    F: FnMut(TileId) -> Result<Vec<u8>, E>,
{
    /// Reads the tree that `tree` has written; `read` gives the bytes of a stored tile.
    pub const fn new(tree: &'a TileWriter, read: F) -> Self {
        Self { tree, read, last: BTreeMap::new() }
    }

    fn full_tile(&mut self, id: TileId) -> Result<&[Hash], TileError<E>> {
        let fresh = match self.last.remove(&id.level) {
            Some((index, hashes)) if index == id.index => hashes,
            _ => read_tile(&mut self.read, id)?,
        };
        let (_, hashes) = self.last.entry(id.level).or_insert((id.index, fresh));
        Ok(hashes)
    }
}

impl<F, E> HashSource for TileSource<'_, F>
where
    F: FnMut(TileId) -> Result<Vec<u8>, E>,
{
    type Error = TileError<E>;

    fn hash(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        let tree = self.tree;
        let size = tree.size();
        let missing = TileError::Missing { height, index, size };
        // The subtree is there if it ends within the tree.
        let complete = size.checked_shr(height).unwrap_or(0);
        if index >= complete {
            return Err(missing);
        }
        // In its tile it stands over 2^rows hashes. Nothing is shifted out: it ends within the tree.
        let rows = height % TILE_HEIGHT;
        let first = index << rows;
        let level = u8::try_from(height / TILE_HEIGHT).expect("height below 64");
        let id = TileId { level, index: first / WIDTH };
        let full_tiles = size >> (height - rows) >> TILE_HEIGHT;
        let hashes = if id.index < full_tiles {
            self.full_tile(id)?
        } else {
            tree.edge.get(usize::from(level)).map_or(&[][..], Vec::as_slice)
        };
        let from = usize::try_from(first % WIDTH).expect("below 256");
        let under = hashes.get(from..from + (1 << rows)).ok_or(missing)?;
        Ok(perfect_root(under))
    }
}
