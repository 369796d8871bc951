//! A form with a file, as browsers send it. The file is read into the memory that all bodies share, and is
//! written nowhere.
//!
//! A form without one, as the button for the sample sends it, is like every other.

use std::time::Duration;

use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::{StatusCode, header};
use futures_util::TryStreamExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::super::super::form::Form;
use crate::bodies::{Held, Limit};
use crate::problem::Problem;
use crate::shared::Shared;

/// The field of the file.
pub(super) const FILE: &str = "orders";

/// Largest file, bytes.
const FILE_BYTES_MAX: usize = 8 << 20;

/// What is said of a larger one.
const TOO_LARGE: &str = "at most 8 MiB: leave out columns that are not needed, or older orders";

/// Most of a request that is read, bytes. A file that is too large is read past up to here and kept nowhere:
/// a browser whose request is not read to its end may never see the answer.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// For the whole of it, seconds: the largest file on a line of a megabit or so.
const SECONDS: u64 = 75;

/// Largest text of another field, bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// More fields than the form has.
const FIELDS_MAX: usize = 32;

/// What came.
pub(super) struct Upload {
    pub(super) form: Form,
    /// None where none was chosen; or what is wrong with it.
    pub(super) file: Result<Option<Held>, String>,
}

/// Reads a form of somebody who has shown who it is.
pub(super) async fn read(shared: &Shared, request: Request) -> Result<Upload, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        return Ok(Upload { form: Form::from_request(request, shared).await?, file: Ok(None) });
    }
    let mut upload = Upload { form: Form::default(), file: Ok(None) };
    let reading = parts(shared, request, &mut upload);
    if let Ok(read) = tokio::time::timeout(Duration::from_secs(SECONDS), reading).await {
        read?;
    } else {
        // The fields come first: the form stays.
        let wrong = format!("it took longer than {SECONDS} s; a part of the file may do as well");
        upload.file = Err(wrong);
    }
    Ok(upload)
}

async fn parts(shared: &Shared, mut request: Request, upload: &mut Upload) -> Result<(), Problem> {
    DefaultBodyLimit::max(REQUEST_BYTES_MAX).apply(&mut request);
    let parts = Multipart::from_request(request, shared).await;
    let mut parts = parts.map_err(|_| malformed("it has no boundary"))?;
    let mut count = 0;
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(()),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                upload.file = Err(TOO_LARGE.to_owned());
                return Ok(());
            }
            Err(_) => return Err(malformed("it broke off; send it again")),
        };
        count += 1;
        if count > FIELDS_MAX {
            return Err(malformed("it has more fields than the form"));
        }
        let name = part.name().unwrap_or_default().to_owned();
        if name != FILE {
            let text = held(shared, part, TEXT_BYTES_MAX).await.map_err(|it| it.about(&name))?;
            upload.form.add(name, String::from_utf8_lossy(&text).into_owned());
            continue;
        }
        let is_chosen = part.file_name().is_some_and(|name| !name.is_empty());
        // One form has one file; the memory is that of one.
        upload.file = Ok(None);
        upload.file = match held(shared, part, FILE_BYTES_MAX).await {
            Ok(file) => Ok((is_chosen || !file.is_empty()).then_some(file)),
            Err(problem) if problem.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(TOO_LARGE.to_owned())
            }
            Err(problem) => return Err(problem.about(FILE)),
        };
    }
}

/// The bytes of a part, in the memory of bodies.
async fn held(shared: &Shared, part: Field<'_>, bytes: usize) -> Result<Held, Problem> {
    let limit = Limit { bytes, seconds: SECONDS };
    shared.bodies.of_known(StreamBody::new(part.map_ok(Frame::data)), limit).await
}

fn malformed(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "form_malformed", detail).about("form")
}
