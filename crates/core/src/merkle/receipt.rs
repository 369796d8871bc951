//! Receipts: the proof that an entry is in a log, in one text that is checked offline.
//!
//! The text is a C2SP tlog-proof: the index of the leaf (from 0, so the entry with `seq` 1 has
//! index 0), the hashes of the inclusion proof from the leaf's sibling upwards, and the checkpoint
//! that the proof leads to. It proves that the entry is under a root that the log signed; that the
//! log showed everyone the same root is what witnesses are for.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::checkpoint::{Checkpoint, CheckpointError, LogVerifier, NOTE_BYTES_MAX, decimal, hash};
use super::{Hash, ProofError, leaf_hash, verify_inclusion};

/// The first line of every receipt.
pub const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Most hashes in a proof: the height of the largest tree.
const HASHES_MAX: usize = 63;

/// Proof that one entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Place of the leaf, from 0.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling upwards.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, as [`LogKey::sign`](super::checkpoint::LogKey::sign) wrote it.
    pub checkpoint: String,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not in the form of a receipt.
    #[error("not in the form of a receipt")]
    Malformed,
    /// The checkpoint is not believed.
    #[error("the checkpoint of the receipt is not believed")]
    Checkpoint(#[source] CheckpointError),
    /// The entry is not where the receipt says, or is another one.
    #[error("the receipt does not lead from this entry to its checkpoint")]
    Proof(#[source] ProofError),
}

impl Receipt {
    /// Checks that the entry with exactly these bytes is in the log; needs nothing else. Returns
    /// the checkpoint that it is under.
    ///
    /// # Errors
    /// [`ReceiptError`] names what does not hold.
    pub fn verify(&self, entry: &[u8], log: &LogVerifier) -> Result<Checkpoint, ReceiptError> {
        let checkpoint = log.verify(&self.checkpoint).map_err(ReceiptError::Checkpoint)?;
        let Checkpoint { size, root } = checkpoint;
        verify_inclusion(leaf_hash(entry), self.index, size, &self.proof, root)
            .map_err(ReceiptError::Proof)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nindex {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", BASE64.encode(&hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    /// Reads the form; a line of extra content, which nothing vouches for, is passed over.
    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        if text.len() > NOTE_BYTES_MAX {
            return Err(malformed);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed);
        }
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let extra = extra.strip_prefix("extra ").unwrap_or_default();
            BASE64.decode(extra.as_bytes()).map_err(|_| malformed)?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(malformed)?;
        let proof: Option<Vec<Hash>> = lines.map(hash).collect();
        let proof = proof.filter(|proof| proof.len() <= HASHES_MAX).ok_or(malformed)?;
        Ok(Self { index, proof, checkpoint: checkpoint.to_owned() })
    }
}
