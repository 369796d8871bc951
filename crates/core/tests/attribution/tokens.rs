//! Link and click tokens: one spelling, and a precise answer to everything else.

use std::net::IpAddr;

use proptest::prelude::*;
use sponsorhub_core::attribution::click::{
    CLICK_BYTES, CLICK_LENGTH, ClickToken, NetworkFingerprint,
};
use sponsorhub_core::attribution::key_set::{KeySet, Purpose};
use sponsorhub_core::attribution::keys::{KeyId, Keyring, KeyringId, Mode, Secret};
use sponsorhub_core::attribution::link::{LINK_BYTES, LINK_LENGTH, LinkToken};
use sponsorhub_core::attribution::token::TokenError;
use sponsorhub_core::ids::{ClickId, WebhookId};

use crate::fixture::{
    DAY, Dice, NOW, WINDOW, click, decoded, encoded, forged, keyring, keys, link, window,
};

fn verify_link(text: &str) -> Result<LinkToken, TokenError> {
    LinkToken::verify(text, &keys())
}

fn verify_click(text: &str) -> Result<ClickToken, TokenError> {
    ClickToken::verify(text, &keys(), NOW, window).map(|(token, _)| token)
}

#[test]
fn tokens_say_what_was_signed_and_fit_into_an_address() {
    let (keys, mut dice) = (keys(), Dice(1));
    for _ in 0..1_000 {
        let (link, click) = (link(&mut dice), click(&keys, &mut dice));
        let (link_text, click_text) = (link.sign(&keys), click.sign(&keys));
        assert_eq!(LinkToken::verify(&link_text, &keys), Ok(link));
        let verified = ClickToken::verify(&click_text, &keys, NOW, window);
        assert_eq!(verified, Ok((click, KeyId(1))));
        assert_eq!((link_text.len(), click_text.len()), (LINK_LENGTH, CLICK_LENGTH));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(link_text.chars().chain(click_text.chars()).all(is_plain));
    }
    const { assert!(LINK_LENGTH <= 96 && CLICK_LENGTH <= 160) };
}

#[test]
fn every_single_bit_flip_of_100_tokens_is_refused() {
    let (keys, mut dice) = (keys(), Dice(2));
    for _ in 0..100 {
        let texts = [link(&mut dice).sign(&keys), click(&keys, &mut dice).sign(&keys)];
        for text in texts {
            let bytes = decoded(&text);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let flipped = encoded(&flipped);
                assert!(LinkToken::verify(&flipped, &keys).is_err());
                assert!(ClickToken::verify(&flipped, &keys, NOW, window).is_err());
            }
            // The same in the text, where a flip may also leave the alphabet.
            for bit in 0..text.len() * 7 {
                let mut flipped = text.clone().into_bytes();
                flipped[bit / 7] ^= 1 << (bit % 7);
                let flipped = String::from_utf8(flipped).expect("ASCII");
                assert!(LinkToken::verify(&flipped, &keys).is_err());
                assert!(ClickToken::verify(&flipped, &keys, NOW, window).is_err());
            }
        }
    }
}

#[test]
fn every_truncation_and_extension_of_100_tokens_is_refused() {
    let (keys, mut dice) = (keys(), Dice(3));
    for _ in 0..100 {
        let link = link(&mut dice).sign(&keys);
        let click = click(&keys, &mut dice).sign(&keys);
        for text in [&link, &click] {
            let cut =
                (0..text.len()).flat_map(|end| [text[..end].to_owned(), text[end + 1..].into()]);
            let more = ["A", "=", "==", "AA", "AAAA", "\n", " ", "%00", "\0", "é"];
            let longer =
                more.iter().flat_map(|more| [format!("{text}{more}"), format!("{more}{text}")]);
            for wrong in cut.chain(longer) {
                // A piece of a click token may be as long as a link token.
                let refused = LinkToken::verify(&wrong, &keys);
                let by_length = refused == Err(TokenError::Malformed);
                assert!(by_length || wrong.len() == LINK_LENGTH && refused.is_err(), "{wrong}");
                let refused = ClickToken::verify(&wrong, &keys, NOW, window);
                assert_eq!(refused, Err(TokenError::Malformed), "{wrong}");
            }
        }
        assert_eq!(LinkToken::verify(&click, &keys), Err(TokenError::Malformed));
        assert_eq!(verify_click(&link), Err(TokenError::Malformed));
    }
}

#[test]
fn a_token_has_one_spelling() {
    let (keys, mut dice) = (keys(), Dice(4));
    let mut respelled = 0;
    for _ in 0..100 {
        let click = click(&keys, &mut dice).sign(&keys);
        let link = link(&mut dice).sign(&keys);
        let standard = |text: &str| text.replace('-', "+").replace('_', "/");
        for text in [&click, &link] {
            // The last character holds spare bits, which must be zero.
            let (start, last) = text.split_at(text.len() - 1);
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let others = alphabet.chars().filter(|other| !last.contains(*other));
            for wrong in others.map(|other| format!("{start}{other}")).chain([standard(text)]) {
                respelled += u32::from(wrong != **text);
                assert!(wrong == **text || LinkToken::verify(&wrong, &keys).is_err(), "{wrong}");
                let refused = ClickToken::verify(&wrong, &keys, NOW, window);
                assert!(wrong == **text || refused.is_err(), "{wrong}");
            }
        }
        let spare = format!("{}{}", &link[..LINK_LENGTH - 1], next_letter(&link));
        assert_eq!(LinkToken::verify(&spare, &keys), Err(TokenError::Malformed));
        let spare = format!("{}{}", &click[..CLICK_LENGTH - 1], next_letter(&click));
        let refused = ClickToken::verify(&spare, &keys, NOW, window);
        assert_eq!(refused, Err(TokenError::Malformed));
    }
    assert!(respelled > 12_600, "{respelled}");
}

/// The letter after the last one: the same bytes, with a spare bit that is not zero.
fn next_letter(text: &str) -> char {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.chars().last().expect("a token");
    let at = alphabet.find(last).expect("of the alphabet");
    assert_eq!(at % 4, 0, "two spare bits at least");
    alphabet.chars().nth(at + 1).expect("one more")
}

#[test]
fn bytes_moved_between_neighbouring_fields_are_refused() {
    let (keys, mut dice) = (keys(), Dice(5));
    for _ in 0..100 {
        for text in [link(&mut dice).sign(&keys), click(&keys, &mut dice).sign(&keys)] {
            let bytes = decoded(&text);
            let fields = bytes.len() - 16;
            for shift in 1..fields - 4 {
                let mut shifted = bytes.clone();
                shifted[4..fields].rotate_left(shift);
                let shifted = encoded(&shifted);
                assert!(LinkToken::verify(&shifted, &keys).is_err());
                assert!(ClickToken::verify(&shifted, &keys, NOW, window).is_err());
            }
        }
    }
}

#[test]
fn version_mode_and_key_id_are_each_refused_with_their_own_code() {
    let mut unsigned = [0; LINK_BYTES - 16];
    unsigned[..4].copy_from_slice(&[1, Mode::Test.byte(), 0, 1]);
    let with = |place: usize, byte: u8, mode: Mode| {
        let mut unsigned = unsigned;
        unsigned[place] = byte;
        verify_link(&forged(&unsigned, Purpose::Link, mode))
    };
    assert!(with(0, 1, Mode::Test).is_ok(), "the forgery itself is right");
    assert_eq!(with(0, 0, Mode::Test), Err(TokenError::OtherVersion(0)));
    assert_eq!(with(0, 2, Mode::Test), Err(TokenError::OtherVersion(2)));
    for mode in [Mode::Sandbox, Mode::Live] {
        assert_eq!(with(1, mode.byte(), mode), Err(TokenError::OtherMode(mode)));
        // The keys of the modes differ, even under one secret.
        assert_eq!(with(1, Mode::Test.byte(), mode), Err(TokenError::BadMac));
    }
    for byte in [0, 4, 255] {
        assert_eq!(with(1, byte, Mode::Test), Err(TokenError::Malformed));
    }
    assert_eq!(with(3, 2, Mode::Test), Err(TokenError::UnknownKey(KeyId(2))));
    assert_eq!(with(2, 1, Mode::Test), Err(TokenError::UnknownKey(KeyId(257))));
    let codes = ["other_version", "other_mode", "unknown_key", "bad_mac", "malformed"];
    let errors = [
        TokenError::OtherVersion(2),
        TokenError::OtherMode(Mode::Live),
        TokenError::UnknownKey(KeyId(2)),
        TokenError::BadMac,
        TokenError::Malformed,
    ];
    assert_eq!(errors.map(TokenError::code), codes);
}

#[test]
fn a_token_of_another_mode_is_refused_in_every_pair_of_modes() {
    let mut dice = Dice(6);
    for from in Mode::ALL {
        let signing = KeySet::new(&keyring(from));
        let (link, click) =
            (link(&mut dice).sign(&signing), click(&signing, &mut dice).sign(&signing));
        for to in Mode::ALL {
            let keys = KeySet::new(&keyring(to));
            let expected = if from == to { Ok(()) } else { Err(TokenError::OtherMode(from)) };
            assert_eq!(LinkToken::verify(&link, &keys).map(drop), expected);
            assert_eq!(ClickToken::verify(&click, &keys, NOW, window).map(drop), expected);
        }
    }
}

#[test]
fn a_key_of_another_purpose_or_installation_signs_nothing_here() {
    let mut link = [0; LINK_BYTES - 16];
    let mut click = [0; CLICK_BYTES - 16];
    link[..4].copy_from_slice(&[1, Mode::Test.byte(), 0, 1]);
    click[..4].copy_from_slice(&[1, Mode::Test.byte(), 0, 1]);
    for purpose in Purpose::ALL {
        let link = verify_link(&forged(&link, purpose, Mode::Test));
        assert_eq!(link.is_ok(), purpose == Purpose::Link, "{purpose:?}");
        let click = verify_click(&forged(&click, purpose, Mode::Test));
        assert_eq!(click.is_ok(), purpose == Purpose::Click, "{purpose:?}");
    }
    let other = Keyring::make(KeyringId([1; 16]), Mode::Test, crate::fixture::secret(), NOW);
    let text = crate::fixture::link(&mut Dice(7)).sign(&KeySet::new(&other));
    assert_eq!(verify_link(&text), Err(TokenError::BadMac));
}

#[test]
fn links_verify_until_revoked_and_clicks_until_their_windows_after_retirement() {
    let mut ring = keyring(Mode::Test);
    let (old, mut dice) = (KeySet::new(&ring), Dice(8));
    let (link, click) = (link(&mut dice), click(&old, &mut dice));
    let (link_text, click_text) = (link.sign(&old), click.sign(&old));
    ring.rotate(Secret([3; 32]), NOW).expect("a number is left");
    let rotated = KeySet::new(&ring);
    assert_eq!((rotated.signer(), decoded(&link.sign(&rotated))[3]), (KeyId(2), 2));
    let at = |now: i64| ClickToken::verify(&click_text, &rotated, now, window).map(|(_, key)| key);
    assert_eq!(at(NOW), Ok(KeyId(1)));
    assert_eq!(at(NOW + WINDOW), Ok(KeyId(1)));
    assert_eq!(at(NOW + WINDOW + 1), Err(TokenError::RetiredKey(KeyId(1))));
    assert_eq!(TokenError::RetiredKey(KeyId(1)).code(), "retired_key");
    assert_eq!(LinkToken::verify(&link_text, &rotated), Ok(link), "for years");
    // The window is asked for the campaign of the token, and only of an authentic one.
    let asked = ClickToken::verify(&click_text, &rotated, NOW + 2, |campaign| {
        assert_eq!(campaign, click.campaign);
        1
    });
    assert_eq!(asked, Err(TokenError::RetiredKey(KeyId(1))));
    ring.revoke(KeyId(1), NOW + 1).expect("another one signs");
    let revoked = KeySet::new(&ring);
    assert_eq!(LinkToken::verify(&link_text, &revoked), Err(TokenError::RevokedKey(KeyId(1))));
    let refused = ClickToken::verify(&click_text, &revoked, NOW, window);
    assert_eq!(refused, Err(TokenError::RevokedKey(KeyId(1))));
    assert_eq!(TokenError::RevokedKey(KeyId(1)).code(), "revoked_key");
}

#[test]
fn a_click_id_carries_its_time_and_is_a_uuid_of_version_7() {
    for at in [0, 1, NOW, (1 << 48) - 1] {
        let id = ClickId::try_new(at, [0xff; 10]).expect("a time of a click");
        assert_eq!(id.at_ms(), at);
        assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (7, 2));
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    for at in [-1, 1 << 48, i64::MIN, i64::MAX] {
        assert!(ClickId::try_new(at, [0; 10]).is_err());
    }
}

#[test]
fn neighbours_look_alike_and_strangers_do_not() {
    let keys = keys();
    let of = |text: &str| {
        let address: IpAddr = text.parse().expect("an address");
        NetworkFingerprint::new(keys.pepper(), address)
    };
    assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
    assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
    assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:ffff::"));
    assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    let mut ring = keyring(Mode::Test);
    ring.rotate(Secret([3; 32]), NOW + DAY).expect("a number is left");
    let rotated = KeySet::new(&ring);
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    assert_ne!(NetworkFingerprint::new(rotated.pepper(), address), of("192.0.2.1"));
    let old = rotated.pepper_of(KeyId(1)).expect("known");
    assert_eq!(NetworkFingerprint::new(old, address), of("192.0.2.1"));
}

/// Nobody keeps them, so they must come out the same, and apart.
#[test]
fn secrets_of_endpoints_differ_by_endpoint_version_and_master() {
    let mut ring = keyring(Mode::Test);
    let before = KeySet::new(&ring).endpoint_secret(KeyId(1), WebhookId([1; 16]), 1);
    ring.rotate(Secret([3; 32]), NOW + DAY).expect("a number is left");
    let keys = KeySet::new(&ring);
    let mut all = Vec::new();
    for (master, endpoint, version) in [(1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)] {
        all.push(keys.endpoint_secret(KeyId(master), WebhookId([endpoint; 16]), version));
    }
    assert_eq!(all[0], before, "a rotated keyring still knows it");
    all.sort_unstable();
    all.dedup();
    assert!(all.len() == 4 && all.iter().all(Option::is_some));
    assert_eq!(keys.endpoint_secret(KeyId(3), WebhookId([1; 16]), 1), None);
}

#[test]
fn a_tag_shorter_than_16_bytes_is_never_taken() {
    let keys = keys();
    let tag = keys.webhook().tag(&[b"message"]);
    for length in 0..=32 {
        let taken = keys.webhook().verify(&[b"message"], &tag[..length]);
        assert_eq!(taken, length >= 16, "{length} bytes");
    }
    assert!(!keys.webhook().verify(&[b"another"], &tag));
}

#[test]
fn keys_do_not_print() {
    let shown = format!("{:?} {:?}", keys(), keys().pepper());
    assert_eq!(shown, "KeySet { mode: Test, masters: [KeyId(1)], .. } ***");
}

proptest! {
    #[test]
    fn no_text_upsets_a_parser_of_tokens(text in ".{0,200}", bytes in any::<Vec<u8>>()) {
        for text in [text, String::from_utf8_lossy(&bytes).into_owned(), encoded(&bytes)] {
            prop_assert!(verify_link(&text).is_err());
            prop_assert!(verify_click(&text).is_err());
            prop_assert!(Keyring::parse(&text).is_err());
            prop_assert!(text.parse::<ClickId>().is_err() || text.len() == 22);
        }
    }

    #[test]
    fn no_bytes_of_the_right_length_pass(link in any::<[u8; LINK_BYTES]>(), rest in any::<[u8; 32]>()) {
        let click = [&link[..], &rest].concat();
        for mut bytes in [link.to_vec(), click] {
            prop_assert!(verify_link(&encoded(&bytes)).is_err());
            bytes[..4].copy_from_slice(&[1, Mode::Test.byte(), 0, 1]);
            prop_assert!(verify_link(&encoded(&bytes)).is_err());
            prop_assert!(verify_click(&encoded(&bytes)).is_err());
        }
    }
}
