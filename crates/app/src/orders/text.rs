//! The bytes of a file as text. Spreadsheets write UTF-8, UTF-16 or the letters of old Windows; what the
//! file says of itself comes first, and what cannot be letters is refused instead of guessed.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::OrdersError;

/// How the files of spreadsheet programs themselves begin: packed ones, and those of old.
const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"];

/// A text of UTF-16 that does not say so has these in its head.
const HEAD_BYTES: usize = 1 << 10;

/// UTF-8 or UTF-16 by the file's own mark; without one UTF-8 and, where it is not that, Windows-1252.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, OrdersError> {
    if WORKBOOKS.iter().any(|start| bytes.starts_with(start)) {
        return Err(OrdersError::Workbook);
    }
    let (text, is_broken) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => {
            encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default())
        }
        None => match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes),
        },
    };
    if is_broken || text.bytes().take(HEAD_BYTES).any(|byte| byte == 0) {
        return Err(OrdersError::NoText);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, is_little: bool) -> Vec<u8> {
        let unit = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn every_encoding_of_a_spreadsheet_is_the_same_text() {
        let text = "Müller,50 €\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf_16(text, true),
            utf_16(text, false),
            b"M\xfcller,50 \x80\n".to_vec(),
        ] {
            assert_eq!(decode(&bytes).expect("text"), text, "{bytes:?}");
        }
        assert_eq!(decode(b"").expect("nothing is a text"), "");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let mut lonely = utf_16("a", true);
        lonely.extend(0xd800_u16.to_le_bytes());
        let unmarked = utf_16("order_id", true).split_off(2);
        for bytes in [&b"\xef\xbb\xbfa\xff"[..], b"a\0b", &unmarked, &lonely] {
            assert!(matches!(decode(bytes), Err(OrdersError::NoText)), "{bytes:?}");
        }
        for start in WORKBOOKS {
            assert!(matches!(decode(start), Err(OrdersError::Workbook)));
        }
    }
}
