//! The tree right after a commit: proofs for its newest leaves without reading anything.
//!
//! Every ancestor of a new leaf stands in a tile that is not full yet, or that this commit filled.
//! Both are kept, and nodes between the levels are computed once for all proofs that are asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::tile::{TILE_HEIGHT, Tile, TileId, TileWriter};
use super::{Hash, HashSource, TILE_WIDTH, inclusion_proof, node_hash};

/// A tree that has just grown.
#[derive(Debug)]
pub struct RecentTree {
    tree: TileWriter,
    root: Hash,
    full: BTreeMap<TileId, Vec<Hash>>,
    /// Nodes between the levels, by height and number, as far as they were asked for.
    nodes: Mutex<BTreeMap<(u32, u64), Hash>>,
}

/// The leaf is older than the commit, and its proof needs stored tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash at height {height}, number {index} is not of the newest part of the tree")]
pub struct NotRecent {
    height: u32,
    index: u64,
}

struct Source<'a> {
    of: &'a RecentTree,
    nodes: &'a mut BTreeMap<(u32, u64), Hash>,
}

impl RecentTree {
    /// The tree after a commit that filled these tiles.
    pub fn new(tree: TileWriter, full: &[Tile]) -> Self {
        let hashes = |tile: &Tile| {
            let (hashes, _) = tile.bytes.as_chunks();
            (tile.id, hashes.iter().copied().map(Hash).collect())
        };
        let full = full.iter().map(hashes).collect();
        Self { root: tree.root(), tree, full, nodes: Mutex::default() }
    }

    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root over all leaves.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The hashes that show that leaf `index`, from 0, is in this tree.
    ///
    /// # Errors
    /// [`NotRecent`] for a leaf that the commit did not add; also for one that is not there.
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, NotRecent> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut source = Source { of: self, nodes: &mut nodes };
        let proof = inclusion_proof(&mut source, index, self.size());
        proof.map_err(|_| NotRecent { height: 0, index })
    }
}

impl Source<'_> {
    /// A hash that stands in a tile itself.
    fn in_tile(&self, level: u8, index: u64) -> Option<Hash> {
        let width = u64::try_from(TILE_WIDTH).expect("a small number");
        let place = usize::try_from(index % width).expect("below 256");
        let id = TileId { level, index: index / width };
        match self.of.full.get(&id) {
            Some(hashes) => hashes.get(place).copied(),
            None => self.of.tree.edge_hash(id, place),
        }
    }
}

impl HashSource for Source<'_> {
    type Error = NotRecent;

    fn hash(&mut self, height: u32, index: u64) -> Result<Hash, NotRecent> {
        if height.is_multiple_of(TILE_HEIGHT) {
            let level = u8::try_from(height / TILE_HEIGHT).expect("height below 64");
            return self.in_tile(level, index).ok_or(NotRecent { height, index });
        }
        if let Some(known) = self.nodes.get(&(height, index)) {
            return Ok(*known);
        }
        let left = self.hash(height - 1, index * 2)?;
        let node = node_hash(left, self.hash(height - 1, index * 2 + 1)?);
        self.nodes.insert((height, index), node);
        Ok(node)
    }
}
