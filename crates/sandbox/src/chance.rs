//! Seeded chance: the same seed and the same requests give the same ids, so a run can be repeated.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[derive(Debug)]
pub(crate) struct Chance(StdRng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// An id such as `tr_` and 24 letters.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        let letters = (0..24).map(|_| char::from(LETTERS[self.0.random_range(0..LETTERS.len())]));
        let letters: String = letters.collect();
        format!("{prefix}_{letters}")
    }

    /// Whether something that happens in so many of a thousand cases happens now.
    pub(crate) fn happens(&mut self, permille: u32) -> bool {
        permille >= 1_000 || self.0.random_range(0..1_000) < permille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_one_seed_gives_different_ones() {
        let (mut one, mut two) = (Chance::new(7), Chance::new(7));
        let first = one.id("tr");
        assert_eq!(first, two.id("tr"));
        assert_ne!(first, one.id("tr"));
        assert_eq!(first.len(), 27);
        assert_ne!(Chance::new(8).id("tr"), first);
    }

    #[test]
    fn certain_and_impossible_things_need_no_luck() {
        let mut chance = Chance::new(1);
        assert!((0..100).all(|_| chance.happens(1_000)));
        assert!(!(0..100).any(|_| chance.happens(0)));
        let many = (0..1_000).filter(|_| chance.happens(500)).count();
        assert!((400..600).contains(&many), "{many}");
    }
}
