//! The desk: folded campaigns in memory, and commands on them.
//!
//! A command is computed on a copy of the folded state and submitted with the position that it was
//! computed at. If the ledger moved on meanwhile, it is computed again; from the second try on the
//! intake of that campaign waits in the queue, so a command is never starved by events. One lock
//! per campaign keeps commands of one process from running into each other; across processes the
//! store's check of the position does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sponsorhub_core::ids::{CampaignId, Salt, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Stored;
use sponsorhub_core::refusal::Refusal;
use sponsorhub_store::{
    Change, Reader, Recorded, RegistryReader, Rule, Store, StoreError, Submission, Submitted,
};

use crate::ports::{Chance, random};

/// Entries that are read at a time while a campaign is followed.
const PAGE: usize = 4_096;

/// How often a command is computed before it gives up: only a bug or another process that
/// never rests gets there.
const TRIES: usize = 20;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A rule said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The registry said no.
    #[error("{0}")]
    Rule(Rule),
    /// No such campaign.
    #[error("there is no campaign {0}")]
    UnknownCampaign(CampaignId),
    /// The queue of the store is full, or others were always faster.
    #[error("the ledger is busy; try again in a moment")]
    Busy,
    /// The world broke.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A campaign as far as it was followed; none before it was first read.
type Followed = Arc<Mutex<Option<Campaign>>>;

/// Commands campaigns.
pub struct Desk {
    store: Arc<dyn Store>,
    chance: Arc<dyn Chance>,
    reader: Mutex<Box<dyn Reader>>,
    registry: Mutex<Box<dyn RegistryReader>>,
    campaigns: Mutex<HashMap<CampaignId, Followed>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk over this store.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read.
    pub fn new(store: Arc<dyn Store>, chance: Arc<dyn Chance>) -> Result<Self, StoreError> {
        let reader = Mutex::new(store.reader()?);
        let registry = Mutex::new(store.registry()?);
        Ok(Self { store, chance, reader, registry, campaigns: Mutex::default() })
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where its randomness comes from.
    pub fn chance(&self) -> &dyn Chance {
        &*self.chance
    }

    /// Reads something of the ledgers.
    pub fn read<T>(&self, read: impl FnOnce(&mut dyn Reader) -> T) -> T {
        read(self.reader.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }

    /// Reads something of the registry.
    pub fn registry<T>(&self, read: impl FnOnce(&mut dyn RegistryReader) -> T) -> T {
        read(self.registry.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }

    /// Records a change of the registry. The rule in `again` says that it was made before, which
    /// is as good as done.
    ///
    /// # Errors
    /// [`CommandError::Rule`] for another rule, and faults.
    pub fn record(&self, change: Change, again: Option<Rule>) -> Result<Recorded, CommandError> {
        let recorded = self.store.record_and_wait(change).map_err(|_| CommandError::Busy)??;
        match recorded {
            Recorded::Conflict { rule } if Some(rule) == again => Ok(Recorded::Done),
            Recorded::Conflict { rule } => Err(CommandError::Rule(rule)),
            done => Ok(done),
        }
    }

    fn followed(&self, id: CampaignId) -> Followed {
        let mut campaigns = self.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(campaigns.entry(id).or_default())
    }

    /// Looks at a campaign as it is at this moment.
    ///
    /// # Errors
    /// [`CommandError::UnknownCampaign`] and faults.
    pub fn look<T>(
        &self,
        id: CampaignId,
        look: impl FnOnce(&Campaign) -> T,
    ) -> Result<T, CommandError> {
        let followed = self.followed(id);
        let mut followed = lock(&followed);
        Ok(look(self.follow(id, &mut followed)?))
    }

    /// Reads on from where the state stands.
    fn follow<'a>(
        &self,
        id: CampaignId,
        followed: &'a mut Option<Campaign>,
    ) -> Result<&'a Campaign, CommandError> {
        self.read(|reader| {
            loop {
                let from = followed.as_ref().map_or(1, |state| state.head() + 1);
                let mut wrong = None;
                let scanned = reader.scan(id, from, PAGE, &mut |row| {
                    if wrong.is_none() {
                        wrong = apply(followed, row.bytes).err();
                    }
                });
                let count = match scanned {
                    Err(StoreError::UnknownCampaign(_)) => {
                        return Err(CommandError::UnknownCampaign(id));
                    }
                    other => other?,
                };
                if let Some(what) = wrong {
                    // Half applied: begin again from entry 1 next time.
                    let at = followed.take().map_or(0, |state| state.head());
                    let what = format!("campaign {id}, after entry {at}: {what}");
                    return Err(StoreError::Corrupt(what).into());
                }
                if count < PAGE {
                    return Ok(());
                }
            }
        })?;
        followed.as_ref().ok_or(CommandError::UnknownCampaign(id))
    }

    /// Carries a command out: all of its entries are in the ledger, durably, or none. A command that
    /// drafts nothing changes nothing. `command` may be called several times.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn command<T>(
        &self,
        id: CampaignId,
        now: i64,
        command: impl Fn(&mut Draft) -> Result<T, Refusal>,
    ) -> Result<T, CommandError> {
        let followed = self.followed(id);
        let mut followed = lock(&followed);
        for tries in 0..TRIES {
            let held_back = (tries > 0).then(|| self.store.hold_back_intake(id));
            let mut draft = Draft::on(self.follow(id, &mut followed)?, now);
            let answer = command(&mut draft)?;
            if draft.entries().is_empty() {
                return Ok(answer);
            }
            if self.submit(&draft)?.is_some_and(|first| first == draft.base() + 1) {
                *followed = Some(draft.into_parts().0);
                return Ok(answer);
            }
            drop(held_back);
        }
        Err(CommandError::Busy)
    }

    /// Begins a ledger.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn open(&self, draft: Draft) -> Result<(), CommandError> {
        let id = draft.campaign().id();
        let followed = self.followed(id);
        let mut followed = lock(&followed);
        if self.submit(&draft)?.is_none() {
            return Err(CommandError::Busy);
        }
        *followed = Some(draft.into_parts().0);
        Ok(())
    }

    /// Where the first entry went; none where something came before. Entries that the intake
    /// appended in between are followed before the next command.
    fn submit(&self, draft: &Draft) -> Result<Option<Seq>, CommandError> {
        let salt = || Salt(random(&*self.chance));
        let submission = Submission::try_new(draft, salt);
        let submission = submission.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        match self.store.submit_and_wait(submission).map_err(|_| CommandError::Busy)?? {
            Submitted::Appended { first, .. } => Ok(Some(first)),
            Submitted::Conflict { .. } => Ok(None),
        }
    }
}

fn lock(followed: &Followed) -> MutexGuard<'_, Option<Campaign>> {
    followed.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(followed: &mut Option<Campaign>, bytes: &[u8]) -> Result<(), String> {
    let stored = Stored::read(bytes).map_err(|error| error.to_string())?;
    Campaign::follow(followed, &stored).map_err(|error| error.to_string())
}
