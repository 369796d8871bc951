//! The store: append-only ledgers, one per campaign, and what is derived from them.
//!
//! What every backend promises, and the conformance suite holds it to:
//!
//! - **Order.** The entries of a campaign count from 1 without gaps, and so do those of each of
//!   its enrollments (INV-6). Their times never go back.
//! - **Once.** A composite key enters a ledger at most once, for all time: whatever the number of
//!   deliveries, their order, restarts, crashes (INV-4). Finding out costs the same however long
//!   the ledger is.
//! - **All or nothing.** The entries of one submission follow each other directly, or none of them
//!   is there. A submission is taken only if nothing came in between that it did not allow for.
//! - **Durable first.** Nothing is acknowledged before it would survive a loss of power; what was
//!   refused, or answered with an error, is not in the ledger (INV-5). One exception can not be
//!   promised away: where the machine dies between commit and answer, the event is there and its
//!   next delivery is told so.
//! - **Apart.** A ledger that contradicts itself takes no more entries and is answered as corrupt;
//!   ledgers of other campaigns go on, also those of the same commit.
//! - **Snapshots.** A read sees one moment. Projections (balances, heads, sums of reversals) are
//!   of the same moment as the entries.
//! - **Append-only.** Entries with their keys, filters and tiles are never changed or removed, and
//!   the database itself refuses to (INV-7).
//!
//! Nothing is promised across campaigns. The store judges events by the rules of the core
//! on the state at the moment of the append, since only the writer knows
//! it; it parses no entry on the way in.
//!
//! Read next: [`store`] (the traits), [`work`] (what is handed in), [`follow`] (reading ahead),
//! [`registry`] (what is kept
//! beside ledgers), [`clicks`] (which are no entries), [`sqlite`] (the backend).

pub mod error;

pub mod store;

pub mod work;

pub mod follow;

pub mod registry;

pub mod clicks;

pub mod sqlite;

pub use clicks::{Click, ClickLog, ClickReader, Verdict};
pub use error::{KeyringId, StoreError};
pub use follow::{OpenReader, Section, read_ahead};
pub use registry::{Change, Recorded, RegistryReader, Rule};
pub use sqlite::{ClickOptions, Options, SqliteClickLog, SqliteStore, open_read_only};
pub use store::{IntakeHeldBack, QueueFull, Reader, Reply, Store};
pub use work::{Intake, Outcome, Submission, Submitted};
