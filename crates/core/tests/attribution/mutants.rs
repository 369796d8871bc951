//! Tokens changed at random: none of them verifies.

use sponsorhub_core::attribution::click::ClickToken;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::link::LinkToken;

use crate::fixture::{Dice, NOW, click, decoded, encoded, keys, link, proof, window};

#[expect(clippy::disallowed_methods, reason = "another seed is asked for by `cargo xtask prove`")]
fn seed() -> u64 {
    let asked = std::env::var("SPONSORHUB_SEED").ok();
    asked.map_or(1, |text| text.parse().expect("SPONSORHUB_SEED is a number"))
}

/// One random change to a token; `other` is another one of its kind, to take pieces from.
fn mutant(token: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = token.to_vec();
    let from = dice.below(bytes.len());
    let to = from + 1 + dice.below(bytes.len() - from);
    match dice.below(6) {
        0 => (0..=dice.below(8)).for_each(|_| {
            let bit = dice.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }),
        1 => bytes[from..to].fill_with(|| dice.bytes::<1>()[0]),
        2 => bytes[from..to].rotate_left(1),
        3 => bytes[from..to].reverse(),
        4 => bytes[from..to].copy_from_slice(&other[from..to]),
        _ => {
            let tail = bytes.split_off(from);
            bytes.extend_from_slice(&dice.bytes::<3>()[..dice.below(4)]);
            bytes.extend_from_slice(&tail[dice.below(tail.len())..]);
        }
    }
    bytes
}

/// A mutant of the text itself, which may leave the alphabet or the length.
fn text_mutant(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = dice.below(letters.len());
    let any = char::from(dice.bytes::<1>()[0]);
    match dice.below(4) {
        0 => letters[at] = any,
        1 => letters.insert(at, any),
        2 => drop(letters.remove(at)),
        _ => {
            let other = dice.below(letters.len());
            letters.swap(at, other);
        }
    }
    letters.into_iter().collect()
}

fn accepted(text: &str, keys: &KeySet) -> bool {
    LinkToken::verify(text, keys).is_ok() || ClickToken::verify(text, keys, NOW, window).is_ok()
}

fn refuse(mutants: u32) {
    let (keys, mut dice) = (keys(), Dice(seed()));
    let (mut refused, mut unchanged) = (0, 0_u32);
    while refused < mutants {
        let links = [(); 2].map(|()| link(&mut dice).sign(&keys));
        let clicks = [(); 2].map(|()| click(&keys, &mut dice).sign(&keys));
        for [text, other] in [links, clicks] {
            assert!(accepted(&text, &keys), "what is changed was right");
            for _ in 0..25 {
                let bytes = mutant(&decoded(&text), &decoded(&other), &mut dice);
                for changed in [encoded(&bytes), text_mutant(&text, &mut dice)] {
                    if changed == text || changed == other {
                        unchanged += 1;
                        continue;
                    }
                    assert!(!accepted(&changed, &keys), "seed {}: {text} as {changed}", seed());
                    refused += 1;
                }
            }
        }
    }
    assert!(unchanged < refused / 10, "{unchanged} changes changed nothing");
    proof(&format!("{refused} changed tokens, none of which verified"));
}

#[test]
fn none_of_100_000_mutants_verifies() {
    refuse(100_000);
}

#[test]
#[ignore = "long: cargo test -p sponsorhub-core --test attribution none_of_1_000_000 -- --ignored --nocapture"]
fn none_of_1_000_000_mutants_verifies() {
    refuse(1_000_000);
}
