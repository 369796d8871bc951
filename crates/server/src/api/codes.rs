//! `GET /problems/{code}`: what a problem's `type` leads to. Made of the tables of docs/api.md, so that there
//! is one text about each code.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::reference;
use crate::problem::Problem;

/// The document that all codes stand in.
const DOCUMENT: &str = include_str!("../../../../docs/api.md");

/// What a document says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The statuses with which it comes.
    pub(super) statuses: &'static str,
    /// What to do, or what it means.
    pub(super) about: &'static str,
}

/// The rows of a code: one may come with several statuses.
pub(super) fn rows_of(code: &str) -> Vec<Row> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.trim_end_matches(" |").split(" | ");
        let (statuses, codes, about) = (cells.next()?, cells.next()?, cells.next()?);
        let is_about = codes.split('`').skip(1).step_by(2).any(|one| one == code);
        let is_status = statuses.starts_with(|c: char| c.is_ascii_digit());
        (is_about && is_status).then_some(Row { statuses, about })
    });
    rows.collect()
}

pub(super) async fn show(Path(code): Path<String>) -> Response {
    let rows = rows_of(&code);
    if rows.is_empty() {
        let detail = "no problem has this code; the description of the API, /api/docs, says with which each operation answers";
        return Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response();
    }
    reference::problem(&code, &rows)
}
