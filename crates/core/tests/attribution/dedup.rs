//! Dedup keys: wrapped for one campaign, and values that no shift of fields makes equal (INV-4).

use std::collections::BTreeSet;

use proptest::prelude::*;
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::keys::{KeyId, Mode, Secret};
use sponsorhub_core::conversion::dedup::{DedupKey, UnwrapError, WRAPPED_BYTES};
use sponsorhub_core::ids::{CampaignId, ClickId};
use sponsorhub_core::money::{Currency, Minor};

use crate::fixture::{NOW, keyring, keys};

const CAMPAIGN: CampaignId = CampaignId([2; 16]);

fn key() -> DedupKey {
    DedupKey::new([0x77; 32])
}

fn value(key: &DedupKey) -> [u8; 16] {
    key.composite_key(CAMPAIGN, "shop", "1001", "sale").0
}

#[test]
fn a_wrapped_key_opens_for_its_campaign_alone() {
    let wrapped = key().wrap(&keys(), CAMPAIGN, [5; 24]);
    let opened = DedupKey::unwrap(&wrapped, &keys(), CAMPAIGN).expect("opens");
    assert_eq!(value(&opened), value(&key()));
    let other = DedupKey::unwrap(&wrapped, &keys(), CampaignId([3; 16])).map(drop);
    assert_eq!(other, Err(UnwrapError::Sealed));
    for mode in [Mode::Sandbox, Mode::Live] {
        let refused = DedupKey::unwrap(&wrapped, &KeySet::new(&keyring(mode)), CAMPAIGN).map(drop);
        assert_eq!(refused, Err(UnwrapError::Sealed));
    }
    assert!(!wrapped.windows(32).any(|bytes| bytes == [0x77; 32]), "sealed");
}

#[test]
fn every_damage_to_a_wrapped_key_is_noticed() {
    let wrapped = key().wrap(&keys(), CAMPAIGN, [5; 24]);
    let refused = |bytes: &[u8]| DedupKey::unwrap(bytes, &keys(), CAMPAIGN).map(drop);
    for bit in 0..WRAPPED_BYTES * 8 {
        let mut damaged = wrapped;
        damaged[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0 => UnwrapError::OtherVersion(damaged[0]),
            1 | 2 => UnwrapError::UnknownKey(KeyId(u16::from_be_bytes([damaged[1], damaged[2]]))),
            _ => UnwrapError::Sealed,
        };
        assert_eq!(refused(&damaged), Err(expected), "bit {bit}");
    }
    for length in 0..WRAPPED_BYTES {
        assert_eq!(refused(&wrapped[..length]), Err(UnwrapError::Length(length)));
    }
    let longer = [&wrapped[..], &[0]].concat();
    assert_eq!(refused(&longer), Err(UnwrapError::Length(WRAPPED_BYTES + 1)));
}

#[test]
fn events_are_recognised_across_rotation_and_revocation() {
    let mut ring = keyring(Mode::Test);
    let wrapped = key().wrap(&KeySet::new(&ring), CAMPAIGN, [5; 24]);
    ring.rotate(Secret([3; 32]), NOW).expect("a number is left");
    ring.revoke(KeyId(1), NOW).expect("another one signs");
    let keys = KeySet::new(&ring);
    let opened = DedupKey::unwrap(&wrapped, &keys, CAMPAIGN).expect("opens");
    assert_eq!(value(&opened), value(&key()), "INV-4");
    let again = opened.wrap(&keys, CAMPAIGN, [6; 24]);
    assert_eq!(again[1..3], [0, 2], "under the master that signs now");
    let opened = DedupKey::unwrap(&again, &keys, CAMPAIGN).expect("opens");
    assert_eq!(value(&opened), value(&key()), "INV-4");
}

#[test]
fn every_field_counts_in_every_value() {
    let (key, click) = (key(), ClickId([4; 16]));
    let composite = [
        key.composite_key(CAMPAIGN, "shop", "1001", "sale"),
        key.composite_key(CampaignId([3; 16]), "shop", "1001", "sale"),
        key.composite_key(CAMPAIGN, "shop2", "1001", "sale"),
        key.composite_key(CAMPAIGN, "shop", "1002", "sale"),
        key.composite_key(CAMPAIGN, "shop", "1001", "lead"),
        key.click_slot(click, "sale", 0),
        key.click_slot(click, "sale", 1),
        key.click_slot(click, "lead", 0),
        key.click_slot(ClickId([5; 16]), "sale", 0),
        DedupKey::new([0x78; 32]).composite_key(CAMPAIGN, "shop", "1001", "sale"),
    ];
    let some = |amount| Some(Minor(amount));
    let content = [
        key.fingerprint("code", some(100), Currency::Usd, "sale"),
        key.fingerprint("code2", some(100), Currency::Usd, "sale"),
        key.fingerprint("code", some(101), Currency::Usd, "sale"),
        key.fingerprint("code", some(0), Currency::Usd, "sale"),
        key.fingerprint("code", None, Currency::Usd, "sale"),
        key.fingerprint("code", some(100), Currency::Eur, "sale"),
        key.fingerprint("code", some(100), Currency::Usd, "lead"),
    ];
    let values: BTreeSet<_> =
        composite.iter().map(|key| key.0).chain(content.iter().map(|print| print.0)).collect();
    assert_eq!(values.len(), composite.len() + content.len());
    assert_eq!(format!("{key:?}"), "***");
}

proptest! {
    #[test]
    fn no_shift_between_fields_gives_the_same_key(text in "[a-c]{0,12}", cuts in any::<[usize; 4]>()) {
        let parts = |first: usize, second: usize| {
            let first = first % (text.len() + 1);
            let second = first + second % (text.len() + 1 - first);
            (&text[..first], &text[first..second], &text[second..])
        };
        let [a, b, c, d] = cuts;
        let (one, other) = (parts(a, b), parts(c, d));
        let of = |(source, id, kind)| key().composite_key(CAMPAIGN, source, id, kind);
        prop_assert_eq!(of(one) == of(other), one == other, "INV-4");
    }

    #[test]
    fn no_bytes_upset_the_opening(bytes in any::<Vec<u8>>(), right in any::<[u8; WRAPPED_BYTES]>()) {
        prop_assert!(DedupKey::unwrap(&bytes, &keys(), CAMPAIGN).is_err());
        prop_assert!(DedupKey::unwrap(&right, &keys(), CAMPAIGN).is_err());
    }
}
