//! The check of canonical form: by table, and against `serde_json`, where what the encoder writes
//! passes and what passes is what the encoder writes.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sponsorhub_core::canonical::CanonicalError as E;
use sponsorhub_core::canonical::{check, write_integer};
use sponsorhub_core::money::INTEGER_MAX;

#[test]
fn the_one_spelling_of_a_value_passes() {
    for text in [
        "0",
        "-1",
        "9007199254740991",
        "-9007199254740991",
        "true",
        "false",
        "null",
        r#""""#,
        "\"/ \u{7f} é 𝄞 longer than eight bytes\"",
        r#""\"\\\b\f\n\r\t\u0000\u000b\u001f""#,
        "[]",
        "{}",
        r#"[0,-1,"a",[],{},null]"#,
        r#"{"":0,"A":{"b":[{}]},"a":1,"aa":2}"#,
        // By what they mean: U+0001, U+000A, U+0022.
        r#"{"\u0001":0,"\n":1,"\"":2,"a":3}"#,
        r#"{"a\n":0,"a!":1}"#,
        // UTF-16 puts what lies beyond the BMP (from D800) before U+FFFD.
        "{\"é\":0,\"𝄞\":1,\"\u{fffd}\":2}",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn other_spellings_are_refused_with_their_place() {
    for (text, error) in [
        (" 1", E::WhiteSpace { offset: 0 }),
        ("1\n", E::WhiteSpace { offset: 1 }),
        ("[1, 2]", E::WhiteSpace { offset: 3 }),
        (r#"{"a" :1}"#, E::WhiteSpace { offset: 4 }),
        (r#"{"b":1,"a":2}"#, E::KeyUnsorted { offset: 7 }),
        (r#"{"aa":1,"a":2}"#, E::KeyUnsorted { offset: 8 }),
        (r#"{"a!":1,"a\n":2}"#, E::KeyUnsorted { offset: 8 }),
        ("{\"\u{fffd}\":1,\"𝄞\":2}", E::KeyUnsorted { offset: 9 }),
        (r#"{"a":1,"a":2}"#, E::KeyRepeated { offset: 7 }),
        (r#"{"\n":1,"\n":2}"#, E::KeyRepeated { offset: 8 }),
        (r#""\/""#, E::EscapeNotMinimal { offset: 1 }),
        (r#""a\u0041""#, E::EscapeNotMinimal { offset: 2 }),
        (r#""\u000a""#, E::EscapeNotMinimal { offset: 1 }),
        (r#""\u001F""#, E::EscapeNotMinimal { offset: 1 }),
        (r#""\u007f""#, E::EscapeNotMinimal { offset: 1 }),
        (r#""\ud834\udd1e""#, E::EscapeNotMinimal { offset: 1 }),
        (r#""\ud834""#, E::EscapeNotMinimal { offset: 1 }),
        ("9007199254740992", E::NumberOutOfRange { offset: 0 }),
        ("[-9007199254740992]", E::NumberOutOfRange { offset: 1 }),
        ("99999999999999999999", E::NumberOutOfRange { offset: 0 }),
        ("[01]", E::NumberNotCanonical { offset: 1 }),
        ("00", E::NumberNotCanonical { offset: 0 }),
        ("-0", E::NumberNotCanonical { offset: 0 }),
        ("1.0", E::NumberNotCanonical { offset: 0 }),
        ("1e3", E::NumberNotCanonical { offset: 0 }),
        ("1E3", E::NumberNotCanonical { offset: 0 }),
    ] {
        assert_eq!(check(text.as_bytes()), Err(error), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, error) in [
        ("", E::UnexpectedEnd { offset: 0 }),
        ("-", E::UnexpectedEnd { offset: 1 }),
        ("tru", E::UnexpectedEnd { offset: 3 }),
        ("[1", E::UnexpectedEnd { offset: 2 }),
        (r#"{"a":"#, E::UnexpectedEnd { offset: 5 }),
        (r#""abc"#, E::UnexpectedEnd { offset: 4 }),
        (r#""\u00"#, E::UnexpectedEnd { offset: 5 }),
        (r#""\u00g0""#, E::UnexpectedByte { offset: 5 }),
        (r#""\x""#, E::UnexpectedByte { offset: 2 }),
        ("\"a\nb\"", E::UnexpectedByte { offset: 2 }),
        ("-a", E::UnexpectedByte { offset: 1 }),
        ("+1", E::UnexpectedByte { offset: 0 }),
        (".5", E::UnexpectedByte { offset: 0 }),
        ("trux", E::UnexpectedByte { offset: 3 }),
        ("NaN", E::UnexpectedByte { offset: 0 }),
        ("[1,]", E::UnexpectedByte { offset: 3 }),
        ("[1}", E::UnexpectedByte { offset: 2 }),
        (r#"{"a":1,}"#, E::UnexpectedByte { offset: 7 }),
        (r#"{"a"}"#, E::UnexpectedByte { offset: 4 }),
        ("{1:1}", E::UnexpectedByte { offset: 1 }),
        ("\u{feff}1", E::UnexpectedByte { offset: 0 }),
        ("1true", E::TrailingBytes { offset: 1 }),
        ("{}{}", E::TrailingBytes { offset: 2 }),
    ] {
        assert_eq!(check(text.as_bytes()), Err(error), "{text}");
    }
    assert_eq!(check(b"\"\xff\""), Err(E::NotUtf8 { offset: 1 }));
    // Half of a surrogate pair, as if it were a character.
    assert_eq!(check(b"\"\xed\xa0\x80\""), Err(E::NotUtf8 { offset: 1 }));
}

#[test]
fn sixteen_levels_are_allowed_and_one_more_is_not() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(check(nested(16).as_bytes()), Ok(()));
    let too_deep = Err(E::TooDeep { offset: 16 });
    assert_eq!(check(nested(17).as_bytes()), too_deep);
    assert_eq!(check("[".repeat(1_000_000).as_bytes()), too_deep);
}

#[test]
fn integers_are_written_in_decimal() {
    let mut values = vec![0, i64::MIN, i64::MAX, INTEGER_MAX, 10_101, 990_099];
    for power in 0..19 {
        let power = 10_i64.pow(power);
        values.extend([power - 1, power, power + 1, -power]);
    }
    for value in values {
        let mut out = b"[".to_vec();
        write_integer(&mut out, value);
        assert_eq!(out, format!("[{value}").as_bytes());
    }
}

#[test]
fn every_string_of_the_encoder_is_canonical() {
    let all: String = (0..0x3000).filter_map(char::from_u32).collect();
    for text in ["", "a", "\n", "\n\n", "a\"", "\\a", &all] {
        assert_eq!(check(&serde_json::to_vec(text).expect("a string")), Ok(()));
    }
}

/// Values whose keys are ASCII: there `serde_json`'s order by UTF-8 bytes is RFC 8785's order by
/// UTF-16 code units. Beyond the BMP the two differ.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\n\t]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let object = prop::collection::btree_map("[\0-\x7f]{0,4}", inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            object.prop_map(|fields| Value::from(Map::from_iter(fields))),
        ]
    })
}

/// An entry as the ledger has them, with something of everything in it.
fn sample() -> Vec<u8> {
    let entry = json!({
        "at": 1_767_225_600_000_i64,
        "body": {"amount": -125, "list": [0, true, null, "é\n\u{1}"], "note": "a \"b\" \\ c"},
        "campaign": "cmp_05o2u9l4c5kqj1gq5c2v9f3k7s",
        "kind": "conversion.accepted",
        "salt": "kR8s0mXh2f5uQe1yTn4bWg",
        "seq": 42,
        "v": 1,
    });
    serde_json::to_vec(&entry).expect("plain data")
}

/// The bytes are refused, or they are the one spelling of what they mean.
fn refused_or_the_one_spelling(bytes: &[u8]) -> bool {
    check(bytes).is_err()
        || serde_json::from_slice::<Value>(bytes)
            .is_ok_and(|value| serde_json::to_vec(&value).is_ok_and(|again| again == bytes))
}

#[test]
fn every_change_of_one_byte_is_refused_or_the_spelling_of_another_value() {
    let sample = sample();
    assert_eq!(check(&sample), Ok(()));
    for place in 0..sample.len() {
        for byte in 0..=u8::MAX {
            let mut changed = sample.clone();
            changed[place] = byte;
            assert!(refused_or_the_one_spelling(&changed), "{changed:?}");
        }
        let (before, after) = sample.split_at(place);
        assert!(check(before).is_err(), "cut off at {place}");
        assert!(check(&[before, b" ", after].concat()) != Ok(()) || in_text(before));
    }
}

/// Whether a string is open after `before`, where a blank is a character like others.
fn in_text(before: &[u8]) -> bool {
    let mut open = false;
    let mut escaped = false;
    for byte in before {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => open = !open,
            _ => {}
        }
    }
    open
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_the_encoder_writes_from_sorted_maps_passes(value in values()) {
        let bytes = serde_json::to_vec(&value).expect("plain data");
        prop_assert_eq!(check(&bytes), Ok(()));
    }

    #[test]
    fn a_changed_byte_is_refused_or_the_spelling_of_another_value(
        value in values(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = serde_json::to_vec(&value).expect("plain data");
        let place = place.index(bytes.len());
        bytes[place] = byte;
        prop_assert!(refused_or_the_one_spelling(&bytes), "{:?}", bytes);
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        text in r#"[\[\]{}:,"\\untfu0-9a\-. ]{0,40}"#,
    ) {
        prop_assert!(refused_or_the_one_spelling(&bytes));
        prop_assert!(refused_or_the_one_spelling(text.as_bytes()), "{}", text);
    }

    #[test]
    fn any_integer_is_written_in_decimal(number in any::<i64>()) {
        let mut out = Vec::new();
        write_integer(&mut out, number);
        prop_assert_eq!(out, number.to_string().into_bytes());
    }
}
