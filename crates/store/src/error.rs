//! Faults: the world broke. What a rule refuses is a core `Refusal` and comes as an outcome.

use std::path::PathBuf;
use std::sync::Arc;

pub use sponsorhub_core::attribution::keys::KeyringId;
use sponsorhub_core::ids::{CampaignId, Seq};

/// What a database said, kept opaque so that nobody above the store depends on the driver.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

/// Why a store could not do its work. Nothing of what was asked has been done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No campaign of this id.
    #[error("no campaign {0}")]
    UnknownCampaign(CampaignId),
    /// The ledger is not that long.
    #[error("campaign {campaign} has no entry {seq}; its last is {head}")]
    UnknownEntry {
        /// Whose ledger.
        campaign: CampaignId,
        /// Asked for.
        seq: Seq,
        /// Its last.
        head: Seq,
    },
    /// Another process owns the data directory.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    Locked(PathBuf),
    /// The data directory, or its file system, does not take writes.
    #[error("{} cannot be written; a ledger needs a directory that can", .0.display())]
    ReadOnly(PathBuf),
    /// No space is left. What was submitted is not in the ledger; it can be submitted again.
    #[error("the disk is full; nothing of this was taken in")]
    DiskFull,
    /// The database belongs to another keyring.
    #[error("the database belongs to keyring {recorded}, not to {given}; restore that keyring")]
    ForeignKeyring {
        /// The one that the database was made with.
        recorded: KeyringId,
        /// The one that was given.
        given: KeyringId,
    },
    /// The database belongs to a keyring and none was given.
    #[error("the database belongs to keyring {0}, which is missing; restore it")]
    MissingKeyring(KeyringId),
    /// A newer program wrote the database.
    #[error("written by a newer version: schema {found}, this program knows up to {known}")]
    NewerDatabase {
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A file of that name is there and is no ledger.
    #[error("{} is not a SponsorHub database", .0.display())]
    NotOurDatabase(PathBuf),
    /// No database is there to be read.
    #[error("{} holds no database", .0.display())]
    NoDatabase(PathBuf),
    /// What is stored contradicts itself.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// The store could not be reached, or gave up; the same may succeed later.
    #[error("the store is not available")]
    Unavailable(#[source] Cause),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same may succeed later without anybody doing anything.
    pub const fn retry(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::DiskFull)
    }
}
