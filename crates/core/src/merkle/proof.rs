//! Proofs of inclusion and consistency: making them from stored hashes, and checking them.
//!
//! Made as RFC 6962 §2.1.1 and §2.1.2 define them, by descending from the root; checked as
//! RFC 9162 §2.1.3.2 and §2.1.4.2 say, by climbing from the leaf.

use super::{Hash, empty_root, node_hash};

/// Where the hashes of a tree come from when a proof is made.
pub trait HashSource {
    /// Why a hash could not be had.
    type Error;

    /// The root of a perfect subtree: the one over the leaves from `index × 2^height` up to
    /// `(index + 1) × 2^height`, without the last. Height 0 are the leaf hashes. Asked only for
    /// subtrees that lie wholly within the size for which a proof is made.
    ///
    /// # Errors
    /// The source's own; also where it holds no such subtree.
    fn hash(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    Index {
        /// Asked for, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {new} leaves does not go on from one of {old}")]
    Sizes {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// The source gave no hash.
    #[error("could not read the hashes for a proof")]
    Source(#[source] E),
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    Index {
        /// Claimed, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {new} leaves does not go on from one of {old}")]
    Sizes {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("a proof of {0} hashes has the wrong length")]
    Length(usize),
    /// Leaf and proof lead to another root, or for consistency to another new root.
    #[error("the proof does not lead to the root")]
    Root,
    /// The proof leads to another old root.
    #[error("the proof does not lead to the old root")]
    OldRoot,
}

/// The hashes that show that leaf `index` is in the tree of the first `size` leaves (RFC 6962
/// §2.1.1), from the leaf's sibling upwards.
///
/// # Errors
/// [`ProveError`]: no such leaf, or the source fails.
pub fn inclusion_proof<S: HashSource>(
    source: &mut S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if index >= size {
        return Err(ProveError::Index { index, size });
    }
    let mut proof = Vec::new();
    let mut range = Range { start: 0, size };
    while range.size > 1 {
        let (left, right) = range.split();
        let (inner, sibling) = if index < right.start { (left, right) } else { (right, left) };
        proof.push(sibling.root(source).map_err(ProveError::Source)?);
        range = inner;
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree of the first `new` leaves goes on from that of the first
/// `old` (RFC 6962 §2.1.2). Empty where `old` is 0 or `new`.
///
/// # Errors
/// [`ProveError`]: `old` is larger than `new`, or the source fails.
pub fn consistency_proof<S: HashSource>(
    source: &mut S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if old > new {
        return Err(ProveError::Sizes { old, new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let mut range = Range { start: 0, size: new };
    // Down to the subtree that ends where the old tree ends.
    while old < range.end() {
        let (left, right) = range.split();
        let (inner, sibling) = if old <= right.start { (left, right) } else { (right, left) };
        proof.push(sibling.root(source).map_err(ProveError::Source)?);
        range = inner;
    }
    // Where that subtree is the old tree itself, the verifier knows its root.
    if range.start > 0 {
        proof.push(range.root(source).map_err(ProveError::Source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Leaves of a tree under one node: the start is a multiple of the next power of two.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    size: u64,
}

impl Range {
    fn end(self) -> u64 {
        self.start + self.size
    }

    /// The ranges of both children. The left one has the largest power of two below the size.
    fn split(self) -> (Self, Self) {
        let size = 1 << (self.size - 1).ilog2();
        let left = Self { size, ..self };
        let right = Self { start: self.start + size, size: self.size - size };
        (left, right)
    }

    fn root<S: HashSource>(self, source: &mut S) -> Result<Hash, S::Error> {
        // From the smallest perfect subtree, which is the last, to the largest.
        let mut end = self.end();
        let mut root = None;
        while end > self.start {
            let height = (end - self.start).trailing_zeros();
            end -= 1 << height;
            let left = source.hash(height, end >> height)?;
            root = Some(root.map_or(left, |right| node_hash(left, right)));
        }
        Ok(root.unwrap_or_else(empty_root))
    }
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this root (RFC 9162
/// §2.1.3.2).
///
/// A proof depends on the size only as far as the path to the leaf does: leaf 0 has the same path
/// in trees of 3 and 4 leaves. Size and root must therefore come together from one checkpoint.
///
/// # Errors
/// [`ProofError`], which names what does not hold.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    let wrong_length = ProofError::Length(proof.len());
    let last = size.checked_sub(1).filter(|last| index <= *last);
    let last = last.ok_or(ProofError::Index { index, size })?;
    let mut climb = Climb { node: index, last };
    let mut computed = leaf;
    for sibling in proof {
        computed = match climb.step().ok_or(wrong_length)? {
            Side::Left => node_hash(*sibling, computed),
            Side::Right => node_hash(computed, *sibling),
        };
    }
    if climb.last != 0 {
        return Err(wrong_length);
    }
    if computed != root {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// Checks that the tree of `new_size` leaves with `new_root` begins with the leaves of the tree of
/// `old_size` leaves with `old_root` (RFC 9162 §2.1.4.2).
///
/// Every tree goes on from the empty one: then the proof is empty and nothing is said about the
/// new root. As with [`verify_inclusion`], each size must come with its root.
///
/// # Errors
/// [`ProofError`], which names what does not hold.
pub fn verify_consistency(
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let wrong_length = ProofError::Length(proof.len());
    if old_size > new_size {
        return Err(ProofError::Sizes { old: old_size, new: new_size });
    }
    if old_size == 0 && old_root != empty_root() {
        return Err(ProofError::OldRoot);
    }
    if old_size == 0 || old_size == new_size {
        return match proof {
            [_, ..] => Err(wrong_length),
            [] if old_size == new_size && old_root != new_root => Err(ProofError::Root),
            [] => Ok(()),
        };
    }
    // The climb starts at the largest subtree that ends where the old tree ends. Where that is
    // the old tree itself, the proof leaves its root out.
    let height = old_size.trailing_zeros();
    let (start, siblings) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        let (start, siblings) = proof.split_first().ok_or(wrong_length)?;
        (*start, siblings)
    };
    let mut climb = Climb { node: (old_size - 1) >> height, last: (new_size - 1) >> height };
    let (mut old, mut new) = (start, start);
    for sibling in siblings {
        match climb.step().ok_or(wrong_length)? {
            Side::Left => {
                old = node_hash(*sibling, old);
                new = node_hash(*sibling, new);
            }
            Side::Right => new = node_hash(new, *sibling),
        }
    }
    if climb.last != 0 {
        return Err(wrong_length);
    }
    if old != old_root {
        return Err(ProofError::OldRoot);
    }
    if new != new_root {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// On which side the sibling is.
enum Side {
    Left,
    Right,
}

/// A way from a node up to the root: the node's number in its row, and the number of the last one
/// there.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    /// Goes up to the next node that has a sibling and tells where that is; nothing at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node == self.last {
            // The last node of a row is carried up unchanged until it is a right child.
            let rows = self.node.trailing_zeros();
            self.node >>= rows;
            self.last >>= rows;
            Side::Left
        } else if self.node & 1 == 1 {
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}
