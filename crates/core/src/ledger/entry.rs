//! The entry: envelope and body as canonical JSON, stored and hashed exactly as appended (INV-7).
//!
//! `{"at":…,"body":{…},"campaign":"cmp_…","enrollment":"enr_…","kind":"…","n":…,"salt":"…","seq":…,"v":1}`
//!
//! `at`, `n` and `seq` are known only to the writer, at the moment of the append. [`Rendered`]
//! holds everything else as finished text, so the writer copies bytes and never formats a body.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::kind::{Body, Kind, Scope};
use crate::canonical;
use crate::ids::{CampaignId, EnrollmentId, Salt, Seq};
use crate::money::INTEGER_MAX;

/// The newest version of the entry format that this program reads, and the one it writes.
pub const VERSION: u32 = 1;

/// One entry, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the writer appended it, milliseconds.
    pub at: i64,
    /// What happened.
    pub body: Body,
    /// In whose ledger.
    pub campaign: CampaignId,
    /// Whom it concerns, with the number of this entry among that enrollment's, from 1.
    pub enrollment: Option<(EnrollmentId, u64)>,
    /// Random bytes that keep the leaf hash from telling guessable contents.
    pub salt: Salt,
    /// Position in the ledger, from 1.
    pub seq: Seq,
}

/// Bytes are not an entry that this program reads.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not canonical JSON.
    #[error("not canonical: {0}")]
    NotCanonical(#[from] canonical::CanonicalError),
    /// A newer program wrote it.
    #[error("version {0}: written by a newer version of the program, which reads it")]
    NewerVersion(u32),
    /// No kind of that name exists in version 1.
    #[error("unknown kind `{0}`")]
    UnknownKind(String),
    /// The envelope or the body lacks, or has beyond, what its kind says.
    #[error("malformed {kind}: {detail}")]
    Malformed {
        /// The kind, or `entry` where it is not known yet.
        kind: &'static str,
        /// The parser's words.
        detail: String,
    },
    /// The kind concerns a creator and names none, or the other way round.
    #[error("`{0}` with the wrong scope: `enrollment` and `n` go together and by kind")]
    Scope(Kind),
    /// Longer than an entry may be.
    #[error("{0} bytes: an entry has at most {max}", max = canonical::ENTRY_BYTES_MAX)]
    TooLarge(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    at: i64,
    #[serde(borrow)]
    body: &'a RawValue,
    campaign: CampaignId,
    enrollment: Option<EnrollmentId>,
    kind: &'a str,
    n: Option<u64>,
    salt: Salt,
    seq: u64,
    v: u32,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

impl Entry {
    /// Reads an entry strictly: canonical form, known version and kind, exactly the fields of the
    /// kind.
    ///
    /// # Errors
    /// [`EntryError`], which names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > canonical::ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        canonical::check(bytes)?;
        Self::decode_canonical(bytes)
    }

    fn decode_canonical(bytes: &[u8]) -> Result<Self, EntryError> {
        let malformed = |kind: &'static str| {
            move |error: serde_json::Error| EntryError::Malformed {
                kind,
                detail: error.to_string(),
            }
        };
        let envelope: Envelope<'_> = match serde_json::from_slice(bytes) {
            Ok(envelope) => envelope,
            // A newer format may have other fields: its version is the better answer.
            Err(error) => match serde_json::from_slice::<VersionOnly>(bytes) {
                Ok(VersionOnly { v }) if v > VERSION => return Err(EntryError::NewerVersion(v)),
                _ => return Err(malformed("entry")(error)),
            },
        };
        if envelope.v > VERSION {
            return Err(EntryError::NewerVersion(envelope.v));
        }
        if envelope.v < VERSION {
            return Err(EntryError::Malformed {
                kind: "entry",
                detail: format!("version {} never existed", envelope.v),
            });
        }
        let kind = Kind::from_name(envelope.kind)
            .ok_or_else(|| EntryError::UnknownKind(envelope.kind.to_owned()))?;
        let enrollment = match (envelope.enrollment, envelope.n) {
            (Some(id), Some(n)) if n > 0 && kind.scope() != Scope::Campaign => Some((id, n)),
            (None, None) if kind.scope() != Scope::Enrollment => None,
            _ => return Err(EntryError::Scope(kind)),
        };
        Ok(Self {
            at: envelope.at,
            body: Body::decode(kind, envelope.body).map_err(malformed(kind.name()))?,
            campaign: envelope.campaign,
            enrollment,
            salt: envelope.salt,
            seq: envelope.seq,
        })
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`], or not canonical where a number lies beyond ±(2^53−1).
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let rendered =
            Rendered::new(self.campaign, self.enrollment.map(|(id, _)| id), &self.body, self.salt)?;
        let mut bytes = Vec::new();
        rendered.splice(&mut bytes, self.at, self.enrollment.map(|(_, n)| n), self.seq);
        canonical::check(&bytes)?;
        Ok(bytes)
    }
}

/// An entry whose `at`, `n` and `seq` are still open: two finished pieces of text. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    kind: Kind,
    /// `,"body":…,"kind":"…"` and then `,"salt":"…","seq":`.
    text: Arc<[u8]>,
    middle: usize,
}

/// Room that `at`, `n`, `seq` and the frame around them take at most.
const FRAME_BYTES_MAX: usize = 100;

impl Rendered {
    /// Renders everything that does not depend on the moment of the append.
    ///
    /// # Errors
    /// [`EntryError::Scope`], [`EntryError::TooLarge`], or [`EntryError::NotCanonical`] for a
    /// number beyond ±(2^53−1) or a text with too much depth.
    pub fn new(
        campaign: CampaignId,
        enrollment: Option<EnrollmentId>,
        body: &Body,
        salt: Salt,
    ) -> Result<Self, EntryError> {
        let kind = body.kind();
        let fits = match kind.scope() {
            Scope::Campaign => enrollment.is_none(),
            Scope::Enrollment => enrollment.is_some(),
            Scope::Either => true,
        };
        if !fits {
            return Err(EntryError::Scope(kind));
        }
        let mut text = Vec::with_capacity(384);
        text.extend_from_slice(b",\"body\":");
        let body_from = text.len();
        body.encode(&mut text);
        canonical::check(text.get(body_from..).expect("the body was just written"))?;
        text.extend_from_slice(format!(",\"campaign\":\"{campaign}\"").as_bytes());
        if let Some(enrollment) = enrollment {
            text.extend_from_slice(format!(",\"enrollment\":\"{enrollment}\"").as_bytes());
        }
        text.extend_from_slice(format!(",\"kind\":\"{kind}\"").as_bytes());
        let middle = text.len();
        text.extend_from_slice(format!(",\"salt\":\"{salt}\",\"seq\":").as_bytes());
        if text.len().saturating_add(FRAME_BYTES_MAX) > canonical::ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(text.len().saturating_add(FRAME_BYTES_MAX)));
        }
        Ok(Self { kind, text: text.into(), middle })
    }

    /// The kind of the entry.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The most bytes that the finished entry has.
    pub fn bytes_max(&self) -> usize {
        self.text.len().saturating_add(FRAME_BYTES_MAX)
    }

    /// Appends the finished entry to `out`. `at` and `seq` must lie within ±(2^53−1).
    pub fn splice(&self, out: &mut Vec<u8>, at: i64, n: Option<u64>, seq: Seq) {
        let (before, after) = self.text.split_at(self.middle);
        out.extend_from_slice(b"{\"at\":");
        debug_assert!((-INTEGER_MAX..=INTEGER_MAX).contains(&at), "checked by the writer");
        canonical::write_integer(out, at);
        out.extend_from_slice(before);
        if let Some(n) = n {
            out.extend_from_slice(b",\"n\":");
            write_position(out, n);
        }
        out.extend_from_slice(after);
        write_position(out, seq);
        out.extend_from_slice(b",\"v\":1}");
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn write_position(out: &mut Vec<u8>, position: u64) {
    canonical::write_integer(out, i64::try_from(position).expect("positions stay below 2^40"));
}
