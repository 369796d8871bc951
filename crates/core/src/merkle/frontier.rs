//! The right edge of a tree: its size, and the roots of the perfect subtrees it consists of.

use super::{Hash, empty_root, node_hash};

/// Largest size that is read from bytes: what a signed 64-bit column holds.
pub const SIZE_MAX: u64 = u64::MAX >> 1;

/// What is needed to append leaves and to tell the root: at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One root per set bit of the size, from the largest subtree to the smallest.
    peaks: Vec<Hash>,
}

/// Bytes are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// Not as long as the size at the beginning asks for.
    #[error("a frontier of {0} bytes does not fit the size that it begins with")]
    Length(usize),
    /// The size lies beyond [`SIZE_MAX`].
    #[error("a frontier of {0} leaves: too many")]
    Size(u64),
}

impl Frontier {
    /// A tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: one node hash on average, 63 at most.
    pub fn push(&mut self, leaf: Hash) {
        self.push_and_tell(leaf, |_, _| ());
    }

    /// Appends a leaf and tells of each perfect subtree that it completes: height and root, from
    /// height 0, which is the leaf itself, upwards.
    pub(super) fn push_and_tell(&mut self, leaf: Hash, mut tell: impl FnMut(u32, Hash)) {
        let mut node = leaf;
        tell(0, node);
        // Each trailing one bit of the size is a subtree that gets its right sibling.
        for height in 1..=self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            node = node_hash(left, node);
            tell(height, node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Builds the frontier from its parts, whose numbers must fit.
    pub(super) fn from_peaks(size: u64, peaks: Vec<Hash>) -> Self {
        Self { size, peaks }
    }

    /// The root over all leaves (RFC 6962 §2.1): at most 63 node hashes.
    pub fn root(&self) -> Hash {
        let smallest_first = self.peaks.iter().rev().copied();
        let root = smallest_first.reduce(|right, left| node_hash(left, right));
        root.unwrap_or_else(empty_root)
    }

    /// The size in 8 bytes, most significant first, and the peaks from the largest subtree to the
    /// smallest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for peak in &self.peaks {
            bytes.extend_from_slice(&peak.0);
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote. Any hashes are taken: only a root that is known
    /// from elsewhere tells whether they are the right ones.
    ///
    /// # Errors
    /// [`FrontierError`] where the length does not fit the size, or the size is out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let wrong_length = FrontierError::Length(bytes.len());
        let (size, hashes) = bytes.split_first_chunk().ok_or(wrong_length)?;
        let size = u64::from_be_bytes(*size);
        if size > SIZE_MAX {
            return Err(FrontierError::Size(size));
        }
        let (hashes, rest) = hashes.as_chunks();
        if !rest.is_empty() || u64::try_from(hashes.len()) != Ok(u64::from(size.count_ones())) {
            return Err(wrong_length);
        }
        Ok(Self { size, peaks: hashes.iter().copied().map(Hash).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaf_hash;
    use super::*;

    #[test]
    fn a_frontier_goes_on_from_its_bytes() {
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for number in 0..300_u32 {
            let bytes = frontier.to_bytes();
            assert_eq!(bytes.len(), 8 + 32 * frontier.peaks.len());
            assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier.clone()));
            frontier.push(leaf_hash(&number.to_be_bytes()));
        }
        assert_eq!(frontier.size(), 300);
    }

    #[test]
    fn bytes_of_another_length_or_an_absurd_size_are_refused() {
        let mut frontier = Frontier::new();
        for number in 0..7_u8 {
            frontier.push(Hash([number; 32]));
        }
        let bytes = frontier.to_bytes();
        for length in 0..bytes.len() {
            let cut = Frontier::from_bytes(&bytes[..length]);
            assert_eq!(cut, Err(FrontierError::Length(length)));
        }
        let longer = [&bytes[..], &[0; 32]].concat();
        let length = FrontierError::Length(longer.len());
        assert_eq!(Frontier::from_bytes(&longer), Err(length));
        let absurd = [&u64::MAX.to_be_bytes()[..], &[0; 64 * 32]].concat();
        assert_eq!(Frontier::from_bytes(&absurd), Err(FrontierError::Size(u64::MAX)));
        let largest = [&SIZE_MAX.to_be_bytes()[..], &[0; 63 * 32]].concat();
        let mut largest = Frontier::from_bytes(&largest).expect("63 peaks");
        largest.push(Hash([0; 32]));
        assert_eq!(largest.size(), SIZE_MAX + 1);
    }
}
