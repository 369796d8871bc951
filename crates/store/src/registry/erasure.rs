//! What may be personal and leaves: notes beside the ledgers, and rows whose time is over.

use std::fmt;

use sponsorhub_core::ids::{CampaignId, EnrollmentId, NoteId};

/// What a person wrote for a reason. Not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteText(pub String);

impl fmt::Debug for NoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A note: entries name it, and its text stands beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub id: NoteId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// Whose conversion or payout it is about.
    pub enrollment: Option<EnrollmentId>,
    /// What was written.
    pub text: NoteText,
    /// When, milliseconds.
    pub created_at: i64,
}

/// Times before which things are forgotten, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Rows of the access log that were written before.
    pub accesses: i64,
    /// Deliveries that were planned before and wait no more.
    pub deliveries: i64,
    /// Departures of users that were before.
    pub departures: i64,
}
