//! The tree over the entries of a campaign (INV-14): RFC 6962 with SHA-256, stored as tiles.
//!
//! A leaf is the hash of an entry's bytes exactly as stored. [`Frontier`] is what is needed to go
//! on appending and to tell the root; [`TileWriter`] also hands out every full tile for storage
//! (C2SP tlog-tiles, height 8); [`TileSource`] reads hashes back from them; [`inclusion_proof`] and
//! [`consistency_proof`] work from any [`HashSource`]. Leaf indices count from 0, so the entry with
//! `seq` 1 is leaf 0. The verifiers need nothing but their arguments and take them from anyone:
//! they refuse, they never panic. A [`checkpoint`] is a signed size and root, a [`receipt`] the proof
//! that one entry is under such a root. Nothing here does I/O or knows what an entry is.
//!
//! Held against two independent implementations in `tests/merkle.rs`.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

mod frontier;

mod tile;

mod recent;

mod proof;

pub mod checkpoint;

pub mod receipt;

pub use frontier::{Frontier, FrontierError, SIZE_MAX};
pub use proof::{
    HashSource, ProofError, ProveError, consistency_proof, inclusion_proof, verify_consistency,
    verify_inclusion,
};
pub use recent::{NotRecent, RecentTree};
pub use tile::{
    TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile, TileError, TileId, TileSource, TileWriter,
};

/// A SHA-256 hash: of a leaf, a node or a whole tree. As text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// A text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits")]
pub struct HashError;

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

/// The hash of a leaf with these bytes: SHA-256(0x00 ‖ bytes) (RFC 6962 §2.1).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

/// The hash of a node over its two children: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(bytes).into())
}

/// The root of a tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root over hashes whose number is a power of two.
fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(perfect_root(left), perfect_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_the_rfc_defines() {
        // SHA-256 of nothing, and of a single zero byte: the known roots of the two smallest trees.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty_root().to_string(), empty);
        let zero = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(leaf_hash(b"").to_string(), zero);
        let [left, right] = [Hash([2; 32]), Hash([3; 32])];
        let bytes = [&[1][..], &left.0, &right.0].concat();
        assert_eq!(node_hash(left, right).0, *Sha256::digest(bytes));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = leaf_hash(b"entry");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        for wrong in ["", &text[1..], &format!("{text}0"), &text.to_uppercase(), &"g".repeat(64)] {
            assert_eq!(wrong.parse::<Hash>(), Err(HashError), "{wrong}");
        }
    }
}
