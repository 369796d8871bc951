//! The tree against two implementations by other people (ADR 5), against every small damage to a
//! proof, and its tiles against tiles that are computed from all leaves at once.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use sponsorhub_core::merkle::{
    Frontier, Hash, HashSource, ProofError, ProveError, RecentTree, TILE_BYTES, TILE_WIDTH,
    TileError, TileId, TileSource, TileWriter, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
use tlog_tiles::tlog;

/// The bytes of leaf `index`.
fn leaf_bytes(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&leaf_bytes(index))).collect()
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("64 bits")
}

/// All perfect subtrees over some leaves, row by row.
struct Rows(Vec<Vec<Hash>>);

impl Rows {
    fn new(leaves: Vec<Hash>) -> Self {
        let mut rows = vec![leaves];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let (pairs, _) = row.as_chunks::<2>();
            rows.push(pairs.iter().map(|[left, right]| node_hash(*left, *right)).collect());
        }
        Self(rows)
    }

    fn of(size: u64) -> Self {
        Self::new(leaves(size))
    }

    /// The root over the first leaves, by the definition in RFC 6962 §2.1.
    fn root(&self, size: u64) -> Hash {
        self.range_root(0, size)
    }

    fn range_root(&self, start: u64, size: u64) -> Hash {
        if size == 0 {
            return empty_root();
        }
        if size.is_power_of_two() {
            let height = size.trailing_zeros();
            return self.0[index(u64::from(height))][index(start >> height)];
        }
        let left = size.next_power_of_two() / 2;
        node_hash(self.range_root(start, left), self.range_root(start + left, size - left))
    }

    /// Every full tile, by level and index.
    fn tiles(&self) -> BTreeMap<TileId, Vec<u8>> {
        let mut tiles = BTreeMap::new();
        for (level, row) in (0..).zip(self.0.iter().step_by(8)) {
            for (index, hashes) in (0..).zip(row.chunks_exact(TILE_WIDTH)) {
                let bytes = hashes.iter().flat_map(|hash| hash.0).collect();
                tiles.insert(TileId { level, index }, bytes);
            }
        }
        tiles
    }
}

impl HashSource for Rows {
    type Error = Infallible;
    fn hash(&mut self, height: u32, number: u64) -> Result<Hash, Infallible> {
        Ok(self.0[index(u64::from(height))][index(number)])
    }
}

/// The hashes of `tlog_tiles`, in its order.
struct Stored(Vec<tlog::Hash>);

impl Stored {
    fn push(&mut self, number: u64) {
        let hashes = tlog::stored_hashes(number, &leaf_bytes(number), self).expect("in memory");
        self.0.extend(hashes);
    }

    fn of(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        (0..size).for_each(|number| stored.push(number));
        stored
    }
}

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|place| self.0[index(*place)]).collect())
    }
}

fn from_tlog(proof: Vec<tlog::Hash>) -> Vec<Hash> {
    proof.into_iter().map(|hash| Hash(hash.0)).collect()
}

fn from_bytes(proof: &[u8]) -> Vec<Hash> {
    proof.as_chunks().0.iter().copied().map(Hash).collect()
}

const SIZE_MAX_COMPARED: u64 = 1_000;

#[test]
fn roots_agree_with_two_other_implementations() {
    let rows = Rows::of(SIZE_MAX_COMPARED);
    let stored = Stored::of(SIZE_MAX_COMPARED);
    let mut other = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    let mut frontier = Frontier::new();
    for size in 0..=SIZE_MAX_COMPARED {
        let root = frontier.root();
        assert_eq!(frontier.size(), size);
        assert_eq!(root, rows.root(size), "{size}");
        assert_eq!(root.0, **other.root().as_bytes(), "{size}");
        assert_eq!(root.0, tlog::tree_hash(size, &stored).expect("in memory").0, "{size}");
        frontier.push(leaf_hash(&leaf_bytes(size)));
        other.push(leaf_bytes(size));
    }
}

/// Every leaf of every tree: half a million proofs.
#[test]
fn inclusion_proofs_agree_with_two_other_implementations() {
    let mut rows = Rows::of(SIZE_MAX_COMPARED);
    let stored = Stored::of(SIZE_MAX_COMPARED);
    let mut other = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for size in 1..=SIZE_MAX_COMPARED {
        other.push(leaf_bytes(size - 1));
        let root = rows.root(size);
        for number in 0..size {
            let proof = inclusion_proof(&mut rows, number, size).expect("in the tree");
            assert_eq!(proof, from_bytes(other.prove_inclusion(index(number)).as_bytes()));
            let third = tlog::prove_record(size, number, &stored).expect("in the tree");
            assert_eq!(proof, from_tlog(third), "{number} of {size}");
            let leaf = rows.0[0][index(number)];
            assert_eq!(verify_inclusion(leaf, number, size, &proof, root), Ok(()));
        }
        let error = ProveError::Index { index: size, size };
        assert_eq!(inclusion_proof(&mut rows, size, size), Err(error));
    }
}

/// Every pair of sizes: half a million proofs.
#[test]
fn consistency_proofs_agree_with_two_other_implementations() {
    let mut rows = Rows::of(SIZE_MAX_COMPARED);
    let stored = Stored::of(SIZE_MAX_COMPARED);
    let roots: Vec<_> = (0..=SIZE_MAX_COMPARED).map(|size| rows.root(size)).collect();
    let mut other = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for new in 0..=SIZE_MAX_COMPARED {
        for old in 0..=new {
            let proof = consistency_proof(&mut rows, old, new).expect("in the tree");
            if old == 0 {
                // The others define nothing there; RFC 9162 leaves no node to send.
                assert_eq!(proof, []);
            } else {
                let second = other.prove_consistency(index(new - old));
                assert_eq!(proof, from_bytes(second.as_bytes()), "{old} to {new}");
                let third = tlog::prove_tree(new, old, &stored).expect("in the tree");
                assert_eq!(proof, from_tlog(third), "{old} to {new}");
            }
            let [old_root, new_root] = [old, new].map(|size| roots[index(size)]);
            assert_eq!(verify_consistency(old, old_root, new, new_root, &proof), Ok(()));
        }
        let error = ProveError::Sizes { old: new + 1, new };
        assert_eq!(consistency_proof(&mut rows, new + 1, new), Err(error));
        other.push(leaf_bytes(new));
    }
}

/// Sizes that are small, around powers of two, and ragged.
const SIZES: [u64; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 13, 31, 32, 33, 100, 255];

/// Every variant of a hash with one bit flipped.
fn flipped(hash: Hash) -> impl Iterator<Item = Hash> {
    (0..256).map(move |bit| {
        let mut changed = hash;
        changed.0[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

/// Every variant of a proof with one bit flipped, one hash left out, or one hash more.
fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut variants = Vec::new();
    for place in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(place, *proof.get(place).unwrap_or(&Hash([7; 32])));
        variants.push(longer);
    }
    for place in 0..proof.len() {
        let mut shorter = proof.to_vec();
        shorter.remove(place);
        variants.push(shorter);
        variants.extend(flipped(proof[place]).map(|hash| {
            let mut changed = proof.to_vec();
            changed[place] = hash;
            changed
        }));
    }
    variants
}

/// The sides on which the siblings of a leaf stand, from the root down: by the definition.
fn path(number: u64, size: u64) -> Option<Vec<char>> {
    if number >= size {
        return None;
    }
    if size == 1 {
        return Some(Vec::new());
    }
    // Computed wide: a flipped size may be near 2^64.
    let left = u64::try_from(u128::from(size).next_power_of_two() / 2).expect("below the size");
    let (turn, rest) = if number < left {
        ('R', path(number, left))
    } else {
        ('L', path(number - left, size - left))
    };
    rest.map(|rest| [vec![turn], rest].concat())
}

/// What a consistency proof is made of, from the root down: by the definition in RFC 6962 §2.1.2.
fn parts(old: u64, new: u64, whole: bool) -> Option<Vec<char>> {
    if old == new {
        return Some(if whole { vec![] } else { vec!['O'] });
    }
    if old == 0 || old > new {
        return None;
    }
    let left = u64::try_from(u128::from(new).next_power_of_two() / 2).expect("below the size");
    let (turn, rest) = if old <= left {
        ('R', parts(old, left, whole))
    } else {
        ('L', parts(old - left, new - left, false))
    };
    rest.map(|rest| [vec![turn], rest].concat())
}

#[test]
fn a_damaged_inclusion_proof_is_refused() {
    for size in SIZES {
        let mut rows = Rows::of(size);
        let root = rows.root(size);
        for number in 0..size {
            let leaf = rows.0[0][index(number)];
            let proof = inclusion_proof(&mut rows, number, size).expect("in the tree");
            for leaf in flipped(leaf) {
                let refused = verify_inclusion(leaf, number, size, &proof, root);
                assert_eq!(refused, Err(ProofError::Root));
            }
            for root in flipped(root) {
                let refused = verify_inclusion(leaf, number, size, &proof, root);
                assert_eq!(refused, Err(ProofError::Root));
            }
            for proof in damaged(&proof) {
                assert!(verify_inclusion(leaf, number, size, &proof, root).is_err());
            }
            for bit in 0..64 {
                let other = number ^ 1 << bit;
                assert!(verify_inclusion(leaf, other, size, &proof, root).is_err());
                // Another size is the same statement if the leaf's path is the same: the root
                // binds the size only as far. All else is refused.
                let other = size ^ 1 << bit;
                let taken = verify_inclusion(leaf, number, other, &proof, root).is_ok();
                assert_eq!(taken, path(number, other) == path(number, size), "{number}: {other}");
            }
        }
    }
}

#[test]
fn a_damaged_consistency_proof_is_refused() {
    for new in SIZES {
        let mut rows = Rows::of(new);
        let new_root = rows.root(new);
        for old in 1..=new {
            let old_root = rows.root(old);
            let proof = consistency_proof(&mut rows, old, new).expect("in the tree");
            for old_root in flipped(old_root) {
                assert!(verify_consistency(old, old_root, new, new_root, &proof).is_err());
            }
            for new_root in flipped(new_root) {
                let refused = verify_consistency(old, old_root, new, new_root, &proof);
                assert_eq!(refused, Err(ProofError::Root));
            }
            for proof in damaged(&proof) {
                assert!(verify_consistency(old, old_root, new, new_root, &proof).is_err());
            }
            for bit in 0..64 {
                // As with inclusion: sizes for which the proof has the same parts are the same
                // statement about these roots.
                let parts_here = parts(old, new, true);
                let other = old ^ 1 << bit;
                let taken = verify_consistency(other, old_root, new, new_root, &proof).is_ok();
                assert_eq!(taken, parts(other, new, true) == parts_here, "{other} to {new}");
                let other = new ^ 1 << bit;
                let taken = verify_consistency(old, old_root, other, new_root, &proof).is_ok();
                assert_eq!(taken, parts(old, other, true) == parts_here, "{old} to {other}");
            }
        }
    }
}

#[test]
fn the_empty_tree_comes_before_every_other_and_holds_nothing() {
    let [some, other] = [Hash([1; 32]), Hash([2; 32])];
    assert_eq!(verify_consistency(0, empty_root(), 5, some, &[]), Ok(()));
    assert_eq!(verify_consistency(0, empty_root(), 0, empty_root(), &[]), Ok(()));
    assert_eq!(verify_consistency(0, some, 5, other, &[]), Err(ProofError::OldRoot));
    assert_eq!(verify_consistency(0, some, 0, some, &[]), Err(ProofError::OldRoot));
    assert_eq!(verify_consistency(0, empty_root(), 0, some, &[]), Err(ProofError::Root));
    let long = Err(ProofError::Length(1));
    assert_eq!(verify_consistency(0, empty_root(), 5, some, &[other]), long);
    assert_eq!(verify_consistency(5, some, 5, some, &[other]), long);
    let index = Err(ProofError::Index { index: 0, size: 0 });
    assert_eq!(verify_inclusion(some, 0, 0, &[], empty_root()), index);
}

/// A tree written with tiles, and the tiles as a store would keep them.
#[derive(Default)]
struct Written {
    tree: TileWriter,
    tiles: BTreeMap<TileId, Vec<u8>>,
}

impl Written {
    fn push_all(&mut self, leaves: &[Hash]) {
        let mut full = Vec::new();
        for leaf in leaves {
            self.tree.push(*leaf, &mut full);
            for tile in full.drain(..) {
                assert_eq!(self.tiles.insert(tile.id, tile.bytes), None, "{:?} twice", tile.id);
            }
        }
    }

    fn source(&self) -> TileSource<'_, impl FnMut(TileId) -> Result<Vec<u8>, TileId>> {
        TileSource::new(&self.tree, |id| self.tiles.get(&id).cloned().ok_or(id))
    }
}

/// Some leaves beyond 256 × 256, so that there are three levels, each with an edge.
const TILED: u64 = 70_000;

#[test]
fn tiles_equal_those_computed_from_all_leaves() {
    let rows = Rows::of(TILED);
    let mut written = Written::default();
    written.push_all(&rows.0[0]);
    assert_eq!(written.tiles.len(), 273 + 1);
    assert!(written.tiles.values().all(|bytes| bytes.len() == TILE_BYTES));
    assert_eq!(written.tiles, rows.tiles());
    assert_eq!(written.tree.root(), rows.root(TILED));
}

#[test]
fn tiles_equal_those_of_another_implementation() {
    let size = 66_000;
    let stored = Stored::of(size);
    let mut written = Written::default();
    written.push_all(&leaves(size));
    let others = tlog_tiles::tile::Tile::new_tiles(8, 0, size);
    let full: BTreeMap<_, _> = others
        .iter()
        .filter(|tile| tile.width() == 256)
        .map(|tile| {
            let id = TileId { level: tile.level(), index: tile.level_index() };
            (id, tile.read_data(&stored).expect("in memory"))
        })
        .collect();
    assert_eq!(written.tiles, full);
}

#[test]
fn a_restored_writer_goes_on_as_if_it_had_not_stopped() {
    let rows = Rows::of(TILED);
    let all = &rows.0[0];
    let tiles = rows.tiles();
    let sizes = [0, 1, 2, 100, 255, 256, 257, 511, 512, 513, 10_000, 65_279, 65_280, 65_535];
    for size in sizes.into_iter().chain([65_536, 65_537, 65_791, 65_792, 66_000, TILED]) {
        let (before, after) = all.split_at(index(size));
        let mut written = Written::default();
        written.push_all(before);
        let tail = &before[before.len() - before.len() % TILE_WIDTH..];
        let restored =
            TileWriter::restore(size, tail, |id| written.tiles.get(&id).cloned().ok_or(id));
        let restored = restored.expect("all tiles are there");
        assert_eq!(restored, written.tree, "{size}");
        assert_eq!(restored.root(), rows.root(size), "{size}");
        assert_eq!(*restored.frontier(), written.tree.frontier().clone());
        let mut next = Written { tree: restored, tiles: written.tiles };
        next.push_all(after);
        assert_eq!(next.tiles, tiles, "{size}");
        assert_eq!(next.tree.root(), rows.root(TILED), "{size}");
    }
}

#[test]
fn proofs_made_from_tiles_are_those_made_from_all_hashes() {
    let mut rows = Rows::of(TILED);
    let mut written = Written::default();
    written.push_all(&rows.0[0]);
    let mut source = written.source();
    let sizes = [1, 2, 255, 256, 257, 513, 40_000, 65_535, 65_536, 65_537, 65_793, 69_999, TILED];
    for size in sizes {
        let root = rows.root(size);
        let some = (0..size).step_by(1_009);
        for number in some.chain([size / 2, size - 1]) {
            let proof = inclusion_proof(&mut source, number, size).expect("in the tree");
            assert_eq!(Ok(&proof), inclusion_proof(&mut rows, number, size).as_ref());
            let leaf = rows.0[0][index(number)];
            assert_eq!(verify_inclusion(leaf, number, size, &proof, root), Ok(()));
        }
        for old in sizes.into_iter().filter(|old| *old <= size) {
            let proof = consistency_proof(&mut source, old, size).expect("in the tree");
            assert_eq!(Ok(&proof), consistency_proof(&mut rows, old, size).as_ref());
            assert_eq!(verify_consistency(old, rows.root(old), size, root, &proof), Ok(()));
        }
    }
}

#[test]
fn a_source_answers_for_the_complete_subtrees_and_no_others() {
    let mut rows = Rows::of(TILED);
    let mut written = Written::default();
    written.push_all(&rows.0[0]);
    let mut source = written.source();
    for height in 0..70_u32 {
        let complete = TILED.checked_shr(height).unwrap_or(0);
        for number in (0..complete).step_by(97).chain(complete.checked_sub(1)) {
            assert_eq!(source.hash(height, number).ok(), rows.hash(height, number).ok());
        }
        for number in [complete, complete + 1, u64::MAX] {
            let missing = TileError::Missing { height, index: number, size: TILED };
            assert_eq!(source.hash(height, number), Err(missing));
        }
    }
    let larger = inclusion_proof(&mut source, 3, TILED + 1);
    assert!(matches!(larger, Err(ProveError::Source(TileError::Missing { .. }))));
    assert!(inclusion_proof(&mut source, u64::MAX - 1, u64::MAX).is_err());
    assert!(consistency_proof(&mut source, u64::MAX - 1, u64::MAX).is_err());
}

#[test]
fn a_tile_that_is_gone_or_damaged_is_named() {
    let mut written = Written::default();
    written.push_all(&leaves(600));
    let id = TileId { level: 0, index: 1 };
    let whole = written.tiles.insert(id, vec![0; TILE_BYTES - 1]).expect("written");
    let malformed = TileError::Malformed { id, bytes: TILE_BYTES - 1 };
    let read = |id: TileId| written.tiles.get(&id).cloned().ok_or(id);
    let tail = &leaves(600)[512..];
    assert_eq!(TileWriter::restore(600, tail, read), Err(malformed));
    assert_eq!(written.source().hash(0, 256), Err(malformed));
    assert!(written.source().hash(0, 255).is_ok());
    written.tiles.remove(&id);
    let gone = TileError::Read { id, source: id };
    assert_eq!(written.source().hash(0, 511), Err(gone));
    written.tiles.insert(id, whole);
    let read = |id: TileId| written.tiles.get(&id).cloned().ok_or(id);
    let short = TileError::Leaves { given: 87, size: 600 };
    assert_eq!(TileWriter::restore(600, &tail[1..], read), Err(short));
    assert_eq!(TileWriter::restore(600, tail, read), Ok(written.tree.clone()));
}

fn hashes() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70)
}

/// Numbers of all magnitudes, and those next to the largest.
fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![
        (any::<u64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift),
        (0..4_u64).prop_map(|below| u64::MAX - below),
        (0..64_u32).prop_map(|bit| 1 << bit),
    ]
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(
        [first, second] in [numbers(), numbers()],
        proof in hashes(),
        [leaf, root] in any::<[[u8; 32]; 2]>(),
    ) {
        let [leaf, root] = [Hash(leaf), Hash(root)];
        prop_assert!(verify_inclusion(leaf, first, second, &proof, root).is_err());
        prop_assert!(verify_consistency(first, leaf, second, root, &proof).is_err());
    }

    #[test]
    fn bytes_that_are_a_frontier_are_the_bytes_of_that_frontier(
        size in numbers(),
        peaks in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [&size.to_be_bytes()[..], &peaks].concat();
        if let Ok(mut frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
            frontier.push(frontier.root());
        }
    }
}

#[test]
fn inv_14_a_recent_tree_proves_what_a_commit_added_and_nothing_older() {
    let mut tree = TileWriter::new();
    let mut number = 0_u64;
    // Commits of all sizes, across the borders of tiles of both levels.
    for added in [1, 254, 1, 1, 300, 7, 512, 65_000, 600, 3] {
        let (first, mut full, mut leaves) = (number, Vec::new(), Vec::new());
        for _ in 0..added {
            leaves.push(leaf_hash(&number.to_be_bytes()));
            tree.push(*leaves.last().expect("just pushed"), &mut full);
            number += 1;
        }
        let recent = RecentTree::new(tree.clone(), &full);
        assert_eq!((recent.size(), recent.root()), (number, tree.root()));
        for (index, leaf) in (first..).zip(&leaves).step_by(if added > 1_000 { 97 } else { 1 }) {
            let proof = recent.inclusion_proof(index).expect("just added");
            assert_eq!(verify_inclusion(*leaf, index, number, &proof, recent.root()), Ok(()));
        }
        assert!(recent.inclusion_proof(number).is_err());
        if let Some(long_ago) = first.checked_sub(300) {
            assert!(recent.inclusion_proof(long_ago).is_err(), "that needs stored tiles");
        }
    }
}
