//! Verification: what a shop reports, and what becomes of it.
//!
//! In the order of an event: [`request`] reads the report strictly, [`decision`] holds it against
//! the artifact's facts and the campaign's windows, [`crate::risk`] looks for reasons to doubt it.
//! All of that is a pure function of its arguments and runs before the writer is asked; what
//! depends on the ledger's newest entry (state, repeated key, used-up click) is judged there.
//!
//! Three answers that are no credit must not be confused. *Refused*: not authentic, malformed,
//! unknown, outside its windows; nothing is recorded and the same key may come again (INV-5).
//! *Rejected*: authentic and first, but a rule says no; an entry says so and the key is used up.
//! *Held*: taken in, and waiting for a person.

pub mod request;

pub mod decision;

pub use decision::{Credit, Decision, Facts, Source, decide};
pub use request::{Request, Wanted};

use std::borrow::Cow;

/// Why a report was refused: a stable code, the field, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fix}")]
pub struct Refused {
    /// Stable, for programs. Listed in docs/api.md.
    pub code: &'static str,
    /// The field of the request, or the header.
    pub field: Cow<'static, str>,
    /// What to do about it.
    pub fix: Cow<'static, str>,
}

impl Refused {
    /// A refusal whose words are known beforehand.
    pub const fn of(code: &'static str, field: &'static str, fix: &'static str) -> Self {
        Self { code, field: Cow::Borrowed(field), fix: Cow::Borrowed(fix) }
    }
}
