//! SQLite in the process: one file, one writer, readers on snapshots beside it.
//!
//! In the order of an event: `inbox` (what waits), `sequencer` (one transaction at a time),
//! `judge` (what is decided), `ledger` and `dedup` (what is known in memory), `batch` and `tree`
//! (what is written), `reader` (what is read), `strays` (what no ledger holds). Beside the ledgers:
//! `registry`, written in the same transactions; and `clicks`, with a file and a writer of its own.
//! The tables of the ledgers and the registry are in `migrations/sqlite`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use sponsorhub_core::ids::CampaignId;

use crate::error::{Cause, StoreError};
use crate::registry::{Change, Recorded, RegistryReader};
use crate::store::{IntakeHeldBack, QueueFull, Reader, Reply, Store};
use crate::work::{Intake, Outcome, Submission, Submitted};

mod api;

mod batch;

mod checkpoint;

mod click_queue;

mod click_reader;

mod clicks;

mod dedup;

mod erasure;

mod filter;

mod inbox;

mod judge;

mod ledger;

mod lock;

mod near_misses;

mod open;

mod position;

mod projections;

mod provider;

mod reader;

mod registry;

mod registry_reader;

mod sequencer;

mod strays;

mod tree;

mod webhooks;

pub use click_reader::SqliteClickReader;
pub use clicks::{ClickOptions, ClickReport, ClickWriter, SqliteClickLog};
pub use open::Options;
pub use reader::SqliteReader;
pub use registry_reader::SqliteRegistryReader;
pub use sequencer::{Sequencer, StepReport};

use checkpoint::Checkpointer;
use inbox::{Inbox, Job};

/// A data directory with a thread that writes to it.
#[derive(Debug)]
pub struct SqliteStore {
    directory: PathBuf,
    inbox: Arc<Inbox>,
    writer: Option<JoinHandle<()>>,
    /// Goes after the writer, which rings for it.
    _checkpointer: Checkpointer,
}

/// Takes nothing more in when the writer's thread ends, also by a panic.
struct Abandon(Arc<Inbox>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl SqliteStore {
    /// Opens a data directory and starts its writer. `clock` gives the time in milliseconds.
    ///
    /// # Errors
    /// [`StoreError`], one for each thing that can be wrong with a data directory.
    pub fn open(
        directory: &Path,
        options: Options,
        clock: impl Fn() -> i64 + Send + 'static,
    ) -> Result<Self, StoreError> {
        Self::open_watched(directory, options, clock, |step| drop(step()))
    }

    /// As [`SqliteStore::open`], with `watch` around each step of the writer: it calls the step once
    /// and may look at its report, and at a clock before and after.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_watched(
        directory: &Path,
        options: Options,
        clock: impl Fn() -> i64 + Send + 'static,
        mut watch: impl FnMut(&mut dyn FnMut() -> StepReport) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let mut sequencer = Sequencer::open(directory, options)?;
        let checkpointer = Checkpointer::start(open::open_checkpointer(directory)?)?;
        sequencer.ring_for_checkpoints(checkpointer.bell());
        let inbox = sequencer.inbox();
        let write = move || {
            let abandon = Abandon(sequencer.inbox());
            while abandon.0.wait() {
                watch(&mut || sequencer.step(clock()));
            }
        };
        let writer = std::thread::Builder::new().name("ledger-writer".into()).spawn(write);
        let writer = writer.map_err(|error| StoreError::Unavailable(Cause::new(error)))?;
        Ok(Self {
            directory: directory.to_owned(),
            inbox,
            writer: Some(writer),
            _checkpointer: checkpointer,
        })
    }
}

impl Store for SqliteStore {
    fn take_in(&self, events: Vec<Intake>, reply: Reply<Vec<Outcome>>) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::TakeIn(events, reply))
    }

    fn submit(&self, submission: Submission, reply: Reply<Submitted>) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::Submit(submission, reply))
    }

    fn record(&self, change: Change, reply: Reply<Recorded>) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::Record(change, reply))
    }

    fn hold_back_intake(&self, campaign: CampaignId) -> IntakeHeldBack {
        self.inbox.hold_back(campaign);
        let inbox = Arc::clone(&self.inbox);
        IntakeHeldBack::until_dropped(move || inbox.release(campaign))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::open(&self.directory)?))
    }

    fn registry(&self) -> Result<Box<dyn RegistryReader>, StoreError> {
        Ok(Box::new(SqliteRegistryReader::open(&self.directory)?))
    }
}

impl Drop for SqliteStore {
    /// Finishes what waits and gives the directory back.
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told so on the way.
            drop(writer.join());
        }
    }
}

/// Opens the database of a directory for reading only, from any process and without a lock.
///
/// # Errors
/// [`StoreError::NoDatabase`], a database that is not ours or newer, and faults.
pub fn open_read_only(directory: &Path) -> Result<SqliteReader, StoreError> {
    SqliteReader::open(directory)
}
