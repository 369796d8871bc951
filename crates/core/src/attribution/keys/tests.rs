//! The keyring as a file: what is read, what is refused and with which words, what never prints.

use super::*;

const NOW: i64 = 1_728_000_000_000;

fn made() -> Keyring {
    Keyring::make(KeyringId([7; 16]), Mode::Test, Secret([0xa5; 32]), NOW)
}

fn rotated() -> Keyring {
    let mut keyring = made();
    assert_eq!(keyring.rotate(Secret([0x5a; 32]), NOW + 5), Ok(KeyId(2)));
    keyring
}

fn refused(text: &str) -> KeyringError {
    Keyring::parse(text).expect_err("it is refused")
}

#[test]
fn a_keyring_is_read_as_it_was_rendered() {
    let mut keyring = rotated();
    keyring.revoke(KeyId(1), NOW + 9).expect("another one signs");
    let text = keyring.render();
    let read = Keyring::parse(&text).expect("what was rendered");
    assert_eq!(read.render(), text);
    assert_eq!((read.id(), read.mode()), (KeyringId([7; 16]), Mode::Test));
    let [first, second] = read.masters() else { panic!("two masters") };
    assert_eq!((first.retired_at, first.revoked_at), (Some(NOW + 5), Some(NOW + 9)));
    assert!(!first.signs() && second.signs());
}

#[test]
fn the_last_master_that_signs_is_not_revoked_and_revoking_twice_keeps_the_first_time() {
    let mut keyring = rotated();
    assert_eq!(keyring.revoke(KeyId(2), NOW + 9), Err(KeyringError::Signs(KeyId(2))));
    assert_eq!(keyring.revoke(KeyId(3), NOW + 9), Err(KeyringError::Unknown(KeyId(3))));
    for at in [NOW + 9, NOW + 10] {
        assert_eq!(keyring.revoke(KeyId(1), at), Ok(()));
    }
    assert_eq!(keyring.masters()[0].revoked_at, Some(NOW + 9));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_keyring_that_cannot_be_read() {
    let mut keyring = made();
    keyring.rotate(Secret([1; 32]), NOW - 50).expect("a number is left");
    keyring.revoke(KeyId(1), NOW - 60).expect("another one signs");
    assert!(Keyring::parse(&keyring.render()).is_ok());
}

#[test]
fn what_is_wrong_with_a_keyring_has_one_precise_error_each() {
    let good = made().render();
    let secret = BASE64URL_NOPAD.encode(&[0xa5; 32]);
    let shape = |text: &str| match refused(text) {
        KeyringError::Shape { what, .. } => what,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused("{"), KeyringError::Syntax { line: 1, .. }));
    assert_eq!(refused(&good.replace("\"v\": 1", "\"v\": 2")), KeyringError::OtherVersion(2));
    // A newer file may have other fields: its version is what is said of it.
    let newer = good.replace("\"v\": 1", "\"v\": 2, \"colour\": 3");
    assert_eq!(refused(&newer), KeyringError::OtherVersion(2));
    assert_eq!(
        shape(&good.replace("\"v\": 1", "\"v\": 1, \"colour\": 3")),
        "unknown field `colour`"
    );
    let inside = good.replace("\"created_at\"", "\"colour\": 3, \"created_at\"");
    assert_eq!(shape(&inside), "unknown field `colour`");
    assert_eq!(shape(&good.replace("\"mode\": \"test\",", "")), "missing field `mode`");
    let twice = good.replace("\"mode\": \"test\"", "\"mode\": \"test\", \"mode\": \"live\"");
    assert_eq!(shape(&twice), "duplicate field `mode`");
    assert_eq!(shape(&good.replace("\"test\"", "\"tset\"")), "a field of another type or value");
    assert_eq!(refused(&good.replace("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBw")), KeyringError::Id);
    for wrong in [&secret[1..], &format!("{secret}="), &format!("{secret}AA"), ""] {
        let text = good.replace(&secret, wrong);
        assert_eq!(refused(&text), KeyringError::Secret(KeyId(1)), "{wrong}");
    }
    let none = "{\"v\":1,\"id\":\"BwcHBwcHBwcHBwcHBwcHBw\",\"mode\":\"test\",\"masters\":[]}";
    assert_eq!(refused(none), KeyringError::Empty);
    assert_eq!(refused(&good.replace("\"id\": 1", "\"id\": 0")), KeyringError::Number(KeyId(0)));
    let double = rotated().render().replace("\"id\": 2", "\"id\": 1");
    assert_eq!(refused(&double), KeyringError::Number(KeyId(1)));
    let ended = |name: &str, at: i64| {
        let created = format!("\"created_at\": {NOW}");
        good.replace(&created, &format!("{created}, \"{name}\": {at}"))
    };
    assert_eq!(refused(&ended("retired_at", NOW - 1)), KeyringError::Times(KeyId(1)));
    assert_eq!(refused(&ended("revoked_at", NOW - 1)), KeyringError::Times(KeyId(1)));
    assert_eq!(refused(&ended("revoked_at", NOW)), KeyringError::AllRevoked);
    assert_eq!(refused(&ended("retired_at", NOW)), KeyringError::NoneSigns);
}

#[test]
fn no_secret_is_printed_and_no_error_repeats_one() {
    let keyring = rotated();
    let shown = format!("{keyring:?}");
    assert!(shown.contains("***") && !shown.contains("165") && !shown.contains("paWl"), "{shown}");
    // A secret in the wrong place must not come back in a message.
    let secret = BASE64URL_NOPAD.encode(&[0xa5; 32]);
    let good = made().render();
    let misplaced = [
        good.replace("\"test\"", &format!("\"{secret}\"")),
        good.replace(&NOW.to_string(), &format!("\"{secret}\"")),
        good.replace("\"id\": 1", &format!("\"id\": \"{secret}\"")),
        good.replace(&secret, &format!("{secret}{secret}")),
        good.replace("\"v\": 1", &format!("\"v\": \"{secret}\"")),
    ];
    for text in misplaced {
        let error = refused(&text);
        assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error}");
    }
}
