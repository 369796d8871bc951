//! Intake: what a shop reports becomes an entry, or a precise answer why not.
//!
//! Two phases around the writer. [`Intaker::prepare`] does everything that needs no order among
//! events: reading, artifact, windows, rules, risk, keys, rendering. [`Intaker::finish`] turns the
//! writer's outcome into an answer with a receipt. Neither waits; whoever calls them hands the
//! prepared event to the store in between, and may do so for many at once.
//!
//! Read next: [`prepare`], [`answer`], [`reversal`].

use std::sync::{Arc, Mutex, PoisonError};

use sponsorhub_core::attribution::click::NetworkFingerprint;
use sponsorhub_core::conversion::Membership;
use sponsorhub_core::ids::{BrandId, CampaignId, CompositeKey, Fingerprint, Seq};
use sponsorhub_core::verification::Refused;
use sponsorhub_store::{Intake, Reader, Store, StoreError};

use crate::agents::DeclaredBots;
use crate::catalog::Catalog;
use crate::ports::Chance;
use crate::velocity::Velocity;

pub mod answer;

pub mod prepare;

mod repeated;

pub mod reversal;

pub use answer::{Answer, Verdict};
pub use prepare::Ready;

/// Why there is no answer of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The report was refused; nothing is recorded.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The key is taken by other content.
    #[error("another event was reported with this source, external_id and type")]
    Conflict {
        /// In whose ledger.
        campaign: CampaignId,
        /// The entry that has the key.
        seq: Seq,
    },
    /// The world broke; the same report may succeed later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes reports in.
pub struct Intaker {
    catalog: Arc<Catalog>,
    chance: Arc<dyn Chance>,
    velocity: Velocity,
    bots: Arc<DeclaredBots>,
    /// For what needs entries from long ago: repeated deliveries and reversals.
    reader: Mutex<Box<dyn Reader>>,
}

impl std::fmt::Debug for Intaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intaker").finish_non_exhaustive()
    }
}

impl Intaker {
    /// Takes in for the campaigns of this catalog.
    ///
    /// # Errors
    /// [`StoreError`]: the store cannot be read.
    pub fn new(
        store: &dyn Store,
        catalog: Arc<Catalog>,
        chance: Arc<dyn Chance>,
        bots: Arc<DeclaredBots>,
    ) -> Result<Self, StoreError> {
        let reader = Mutex::new(store.reader()?);
        Ok(Self { catalog, chance, velocity: Velocity::default(), bots, reader })
    }

    fn with_reader<T>(&self, read: impl FnOnce(&mut dyn Reader) -> T) -> T {
        read(self.reader.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }
}

/// Who reports.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    /// The brand of the API key.
    pub brand: BrandId,
}

/// An event with everything that the writer needs, and what is remembered for the answer.
#[derive(Debug)]
pub struct Submitted {
    /// For the store.
    pub intake: Intake,
    /// For the answer.
    pub pending: Pending,
}

/// What is known of an event while the writer has it.
#[derive(Debug)]
pub struct Pending {
    pub(crate) campaign: CampaignId,
    /// The order's external id: of a conversion its own, of a reversal that of what it takes back.
    pub(crate) order: String,
    pub(crate) key: CompositeKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) verdict: Verdict,
    pub(crate) by_code: bool,
    pub(crate) forms: prepare::Forms,
    pub(crate) check: Check,
    pub(crate) network: Option<NetworkFingerprint>,
    pub(crate) now: i64,
}

impl Pending {
    /// The external id of the order that it is about.
    pub fn order(&self) -> &str {
        &self.order
    }

    /// In whose ledger it is to be.
    pub fn campaign(&self) -> CampaignId {
        self.campaign
    }
}

/// What the writer will ask, for a dry run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// A conversion of this creator, credited to this time.
    Conversion(Membership, i64),
    /// A rejected one.
    Rejected,
    /// A reversal.
    Reversal,
}
