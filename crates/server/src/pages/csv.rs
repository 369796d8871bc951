//! Tables as files for spreadsheets, written while they are read, however long they are.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use sponsorhub_core::money::Minor;

use crate::problem::Problem;

/// A row, cell by cell.
pub(super) type Row = Vec<String>;

/// What begins a formula, also in its wide form, or is skipped before one.
const FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A cell that no spreadsheet takes for a formula. One whose locale parts cells at semicolons or tabs takes
/// what follows one for a cell of its own.
fn cell(text: &str) -> String {
    let mut safe = String::from("\"");
    let mut begins = true;
    for one in text.chars() {
        if begins && FORMULA.contains(&one) {
            safe.push('\'');
        }
        begins =
            matches!(one, ';' | '\t' | '\r' | '\n' | '|') || (begins && matches!(one, ' ' | '"'));
        safe.push(one);
        if one == '"' {
            safe.push('"');
        }
    }
    safe + "\""
}

/// An amount with a point and two digits, as every spreadsheet reads it. All currencies have cents.
pub(super) fn amount(amount: Minor) -> String {
    let (sign, cents) = (if amount.is_negative() { "-" } else { "" }, amount.0.unsigned_abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

fn lines(rows: &[Row]) -> Bytes {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().map(|text| cell(text)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text.into()
}

/// A file of that name. `more` is asked for rows until it has none; what fails in the middle breaks the
/// connection off, so that nobody takes a part for the whole.
pub(super) fn file(
    name: &str,
    head: &[&str],
    more: impl FnMut() -> Result<Option<Vec<Row>>, Problem> + Send + 'static,
) -> Response {
    let head = lines(&[head.iter().map(|cell| (*cell).to_owned()).collect()]);
    let stream = unfold((Some(head), more), async |(head, mut more)| {
        if let Some(head) = head {
            return Some((Ok::<_, std::io::Error>(head), (None, more)));
        }
        match tokio::task::block_in_place(&mut more) {
            Ok(rows) => rows.map(|rows| (Ok(lines(&rows)), (None, more))),
            Err(problem) => Some((Err(std::io::Error::other(problem.code)), (None, more))),
        }
    });
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    let mut response = (StatusCode::OK, headers, Body::from_stream(stream)).into_response();
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_starts_a_formula() {
        for text in ["=1+1", "+1", "-1+2", "@SUM(A1)", "＝1"] {
            assert_eq!(cell(text), format!("\"'{text}\""));
        }
        for skipped in ["\t", "\r", "\n"] {
            assert_eq!(cell(&format!("{skipped}=1")), format!("\"'{skipped}'=1\""));
        }
        for (text, safe) in [
            ("x;=1+1;", "\"x;'=1+1;\""),
            ("x; =1", "\"x; '=1\""),
            ("x;\"=1\"", "\"x;\"\"'=1\"\"\""),
            ("x\t@y", "\"x\t'@y\""),
            ("a-b=c", "\"a-b=c\""),
        ] {
            assert_eq!(cell(text), safe);
        }
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(
            [0, 5, 12_345, -250].map(|it| amount(Minor(it))),
            ["0.00", "0.05", "123.45", "-2.50"]
        );
    }
}
