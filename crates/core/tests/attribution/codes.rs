//! Promo codes and slugs.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::keys::{KeyId, Mode, Secret};
use sponsorhub_core::attribution::promo_code::{CodeOwner, PromoCode, fold, issue, verify};
use sponsorhub_core::attribution::slug::Slug;
use sponsorhub_core::attribution::token::TokenError;
use sponsorhub_core::ids::{BrandId, CampaignId, EnrollmentId};

use crate::fixture::{NOW, keyring, keys};

const OWNER: CodeOwner = CodeOwner {
    brand: BrandId([1; 16]),
    campaign: CampaignId([2; 16]),
    enrollment: EnrollmentId([3; 16]),
};

fn code(readable: &str) -> PromoCode {
    issue(&keys(), OWNER, readable).expect("a readable part")
}

#[test]
fn a_code_is_found_and_verified_however_it_is_typed() {
    let code = code("Anna-Lena");
    assert!(code.text.starts_with("ANNALENA-") && code.text.len() == 8 + 1 + 5, "{}", code.text);
    let typed = [
        code.text.clone(),
        code.text.to_lowercase(),
        code.text.replace('-', ""),
        code.text.replace('-', " "),
        format!("  {} ", code.text),
        code.text.replace('L', "I"),
        code.folded.to_string(),
    ];
    for typed in typed {
        assert_eq!(fold(&typed).as_ref(), Ok(&code.folded), "{typed}");
        assert_eq!(verify(&keys(), &typed, &code), Ok(()), "{typed}");
    }
}

#[test]
fn every_other_character_in_a_code_is_refused() {
    let code = code("ANNA7");
    let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut alike = 0;
    for (place, old) in code.text.char_indices().filter(|(_, letter)| *letter != '-') {
        for letter in letters.chars().filter(|letter| *letter != old) {
            let mut typed = code.text.clone();
            typed.replace_range(place..=place, &letter.to_string());
            if fold(&typed).as_ref() == Ok(&code.folded) {
                alike += 1;
                continue;
            }
            assert_eq!(verify(&keys(), &typed, &code), Err(TokenError::BadMac), "{typed}");
        }
    }
    assert!(alike < 20, "{alike} of 350 changes read alike");
}

#[test]
fn a_registration_that_was_written_past_the_program_does_not_verify() {
    let code = code("ANNA");
    let others = [
        CodeOwner { brand: BrandId([9; 16]), ..OWNER },
        CodeOwner { campaign: CampaignId([9; 16]), ..OWNER },
        CodeOwner { enrollment: EnrollmentId([9; 16]), ..OWNER },
    ];
    for owner in others {
        let taken_over = PromoCode { owner, ..code.clone() };
        assert_eq!(verify(&keys(), &code.text, &taken_over), Err(TokenError::BadMac));
    }
    // Guessed check characters, registered as if they had been issued.
    let text = "ANNA-00000".to_owned();
    let folded = fold(&text).expect("a code");
    let invented = PromoCode { text: text.clone(), folded, ..code };
    assert_eq!(verify(&keys(), &text, &invented), Err(TokenError::BadMac));
}

#[test]
fn a_code_survives_rotation_and_ends_with_revocation() {
    let code = code("ANNA");
    let mut ring = keyring(Mode::Test);
    ring.rotate(Secret([3; 32]), NOW).expect("a number is left");
    assert_eq!(verify(&KeySet::new(&ring), &code.text, &code), Ok(()));
    ring.revoke(KeyId(1), NOW).expect("another one signs");
    let refused = verify(&KeySet::new(&ring), &code.text, &code);
    assert_eq!(refused, Err(TokenError::RevokedKey(KeyId(1))));
    let unknown = PromoCode { key: KeyId(7), ..code.clone() };
    assert_eq!(verify(&keys(), &code.text, &unknown), Err(TokenError::UnknownKey(KeyId(7))));
    let live = KeySet::new(&keyring(Mode::Live));
    assert_eq!(verify(&live, &code.text, &code), Err(TokenError::BadMac));
}

#[test]
fn readable_parts_are_2_to_12_letters_and_digits() {
    for readable in ["AB", "ABCDEFGHIJKL", "4ever", "a-b", "A B C"] {
        let code = code(readable);
        assert_eq!(verify(&keys(), &code.text, &code), Ok(()), "{readable}");
    }
    for readable in ["", "A", "-A-", "ABCDEFGHIJKLM", "АННА", "AN_NA", "ANNA!", "A\u{200d}NNA"]
    {
        let refused = issue(&keys(), OWNER, readable).map(drop);
        assert_eq!(refused, Err(TokenError::Malformed), "{readable}");
    }
}

#[test]
fn check_characters_are_of_crockfords_alphabet_and_differ_from_owner_to_owner() {
    let mut seen = BTreeSet::new();
    for number in 0..1_000_u16 {
        let mut enrollment = [0; 16];
        enrollment[..2].copy_from_slice(&number.to_be_bytes());
        let owner = CodeOwner { enrollment: EnrollmentId(enrollment), ..OWNER };
        let code = issue(&keys(), owner, "ANNA").expect("a readable part");
        let check = code.text.strip_prefix("ANNA-").expect("the readable part").to_owned();
        assert!(check.chars().all(|c| c.is_ascii_alphanumeric() && !"ILOU".contains(c)), "{check}");
        seen.insert(check);
    }
    assert!(seen.len() > 990, "{} of 1,000", seen.len());
}

/// What looks like `ANNA` and is not: each letter's twins in other scripts and invisible company.
fn twins() -> Vec<String> {
    let twins =
        ['А', 'Α', 'Ａ', 'ᴀ', '𝐀', '𝖠', 'Á', 'ª', 'Ꭺ', 'ꓮ', 'Н', 'Ｎ', 'Ν', 'ɴ', '𝐍', 'ꓠ', 'Ñ'];
    let invisible = [
        '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}', '\u{202e}', '\u{301}',
    ];
    let text = "ANNA7K3QX";
    let replaced = twins.iter().flat_map(|twin| {
        (0..9).map(move |place| format!("{}{twin}{}", &text[..place], &text[place + 1..]))
    });
    let inserted = invisible.iter().flat_map(|letter| {
        (0..=9).map(move |place| format!("{}{letter}{}", &text[..place], &text[place..]))
    });
    replaced.chain(inserted).collect()
}

#[test]
fn twins_from_other_scripts_are_refused_and_never_mapped() {
    let twins = twins();
    assert!(twins.len() > 230, "{}", twins.len());
    for twin in twins {
        assert_eq!(fold(&twin), Err(TokenError::Malformed), "{twin:?}");
        assert!(twin.to_lowercase().parse::<Slug>().is_err(), "{twin:?}");
    }
}

proptest! {
    #[test]
    fn no_text_upsets_a_parser_of_codes_or_slugs(text in any::<String>()) {
        if let Ok(folded) = fold(&text) {
            prop_assert_eq!(fold(folded.as_str()), Ok(folded), "folding twice is folding once");
        }
        if let Ok(slug) = text.parse::<Slug>() {
            prop_assert_eq!(slug.as_str().parse::<Slug>(), Ok(slug.clone()));
        }
    }

    #[test]
    fn codes_that_fold_alike_are_one_code(text in "[0-9A-Za-z -]{2,20}") {
        let (Ok(upper), Ok(plain)) = (fold(&text.to_uppercase()), fold(&text)) else {
            return Ok(());
        };
        prop_assert_eq!(&upper, &plain);
        prop_assert!(!plain.as_str().contains(['O', 'I', 'L', 'U', 'S', 'Z', 'B', '-', ' ']));
    }
}
