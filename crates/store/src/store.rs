//! The contract as traits. A backend is a constructor that gives a [`Store`].

use std::sync::mpsc;

use sponsorhub_core::conversion::Gate;
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::merkle::{Hash, TileId};
use sponsorhub_core::money::Minor;

use crate::error::StoreError;
use crate::registry::{Change, Recorded, RegistryReader};
use crate::work::{Intake, Outcome, Submission, Submitted, Tree};

/// Called once, after the commit or when it is clear that there will be none. It runs on the
/// writer's thread and must not block: hand the answer on and return. One that panics is cut off
/// there; nobody else notices.
pub type Reply<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// So much waits that nothing more is taken: ask again later (503 with Retry-After).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the store is full; try again in a moment")]
pub struct QueueFull;

/// While this lives, the intake of a campaign waits in the queue.
#[must_use = "the intake goes on as soon as this is dropped"]
pub struct IntakeHeldBack(Option<Box<dyn FnOnce() + Send>>);

impl IntakeHeldBack {
    /// Calls `release` when it is dropped.
    pub fn until_dropped(release: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(release)))
    }
}

impl Drop for IntakeHeldBack {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

impl std::fmt::Debug for IntakeHeldBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntakeHeldBack")
    }
}

/// Where ledgers are kept. See the crate's documentation for what every backend promises.
pub trait Store: Send + Sync {
    /// Hands in events, which may be of several campaigns. Each is judged by itself; the outcomes
    /// come in the same order.
    ///
    /// A fault is answered for all events that were handed in together, and then none of them is
    /// in a ledger. So where the ledger of one is corrupt, the others go down with it: hand them in
    /// again without that campaign, or events of each campaign by themselves from the start.
    ///
    /// # Errors
    /// [`QueueFull`]: nothing was taken and `reply` is not called.
    fn take_in(&self, events: Vec<Intake>, reply: Reply<Vec<Outcome>>) -> Result<(), QueueFull>;

    /// Hands in the entries of one command, to be appended together or not at all.
    ///
    /// # Errors
    /// [`QueueFull`]: nothing was taken and `reply` is not called.
    fn submit(&self, submission: Submission, reply: Reply<Submitted>) -> Result<(), QueueFull>;

    /// Hands in a change of the registry. It shares a commit with what else waits, and is done
    /// after the entries of that commit; changes are done in the order in which they came.
    ///
    /// # Errors
    /// [`QueueFull`]: nothing was taken and `reply` is not called.
    fn record(&self, change: Change, reply: Reply<Recorded>) -> Result<(), QueueFull>;

    /// Lets events of a campaign wait in the queue until the answer is dropped. A command that
    /// nothing may overtake would otherwise never be appended while events stream in: hold back,
    /// follow the ledger, draft, submit. The commit that is under way may still come in between, so
    /// one conflict is possible and no second. Held for long, the queue fills up and events are
    /// refused: draft and drop.
    fn hold_back_intake(&self, campaign: CampaignId) -> IntakeHeldBack;

    /// A reader of its own, for one thread.
    ///
    /// # Errors
    /// [`StoreError`]: it could not be opened.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;

    /// A reader of the registry of its own, for one thread.
    ///
    /// # Errors
    /// [`StoreError`]: it could not be opened.
    fn registry(&self) -> Result<Box<dyn RegistryReader>, StoreError>;

    /// [`Store::take_in`] for callers that wait.
    ///
    /// # Errors
    /// [`QueueFull`], or what became of the commit.
    fn take_in_and_wait(
        &self,
        events: Vec<Intake>,
    ) -> Result<Result<Vec<Outcome>, StoreError>, QueueFull> {
        let (reply, answer) = waiting();
        self.take_in(events, reply)?;
        Ok(answer.recv().unwrap_or(Err(StoreError::Closed)))
    }

    /// [`Store::submit`] for callers that wait.
    ///
    /// # Errors
    /// [`QueueFull`], or what became of the commit.
    fn submit_and_wait(
        &self,
        submission: Submission,
    ) -> Result<Result<Submitted, StoreError>, QueueFull> {
        let (reply, answer) = waiting();
        self.submit(submission, reply)?;
        Ok(answer.recv().unwrap_or(Err(StoreError::Closed)))
    }

    /// [`Store::record`] for callers that wait.
    ///
    /// # Errors
    /// [`QueueFull`], or what became of the commit.
    fn record_and_wait(&self, change: Change) -> Result<Result<Recorded, StoreError>, QueueFull> {
        let (reply, answer) = waiting();
        self.record(change, reply)?;
        Ok(answer.recv().unwrap_or(Err(StoreError::Closed)))
    }
}

fn waiting<T: Send + 'static>() -> (Reply<T>, mpsc::Receiver<Result<T, StoreError>>) {
    let (sender, receiver) = mpsc::sync_channel(1);
    let reply = Box::new(move |answer| {
        // Whoever asked may be gone; the answer is in the ledger all the same.
        drop(sender.send(answer));
    });
    (reply, receiver)
}

/// A row of the ledger as a scan hands it out.
#[derive(Clone, Copy, Debug)]
pub struct EntryRow<'a> {
    /// Its position.
    pub seq: Seq,
    /// Its time, milliseconds.
    pub at: i64,
    /// Its kind.
    pub kind: Kind,
    /// Whom it concerns, and its number among those.
    pub enrollment: Option<(EnrollmentNo, u64)>,
    /// Order amount of a conversion, reversed amount of a reversal.
    pub amount: Option<Minor>,
    /// The composite key of an event.
    pub key: Option<CompositeKey>,
    /// The entry as hashed.
    pub bytes: &'a [u8],
}

/// A campaign and the number that it has in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Counts up; the cursor for the next page.
    pub no: u64,
    /// The campaign.
    pub campaign: CampaignId,
}

/// The end of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the last entry.
    pub seq: Seq,
    /// Its time, milliseconds.
    pub at: i64,
    /// Position of the last entry that a command made.
    pub command_seq: Seq,
    /// Position of the newest terms: of the opening entry, or of a later `terms.set`.
    pub terms_seq: Seq,
    /// State, live intervals and windows.
    pub gate: Gate,
    /// Confirmed and not reversed budget parts, after the last command.
    pub confirmed: Minor,
    /// The budget after the last command.
    pub budget: Minor,
    /// The tree over all entries.
    pub tree: Tree,
}

/// An enrollment as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrollmentRow {
    /// Its number in the campaign.
    pub no: EnrollmentNo,
    /// Its id.
    pub id: EnrollmentId,
    /// From when its clicks are credited, milliseconds.
    pub started_at: i64,
    /// Until before when.
    pub ended_at: Option<i64>,
    /// How many entries concern it, up to [`Projections::counted`].
    pub n: u64,
}

/// A balance, debit positive. The enrollment is none for accounts of the campaign itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BalanceRow {
    /// Whose.
    pub enrollment: Option<EnrollmentNo>,
    /// Which account.
    pub account: Account,
    /// Debits less credits.
    pub debit: Minor,
}

/// What was reversed of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReversalRow {
    /// The conversion.
    pub conversion: Seq,
    /// Sum of its reversals.
    pub refunded: Minor,
    /// Whether nothing is left.
    pub is_whole: bool,
}

/// Everything that the store keeps beside a ledger, all as of the same entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projections {
    /// The end of the ledger.
    pub head: Head,
    /// The entry up to which enrollments count theirs.
    pub counted: Seq,
    /// By number.
    pub enrollments: Vec<EnrollmentRow>,
    /// By enrollment and account; rows of zero may be absent.
    pub balances: Vec<BalanceRow>,
    /// By conversion.
    pub reversals: Vec<ReversalRow>,
}

/// Reads what is committed. Each call sees one moment of the whole store; since ledgers only grow,
/// pages of several calls fit together.
pub trait Reader: Send {
    /// Campaigns with a number above `after`, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    fn campaigns(&mut self, after: u64, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// The end of a ledger; none for an unknown campaign.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a campaign that has none, and faults.
    fn head(&mut self, campaign: CampaignId) -> Result<Option<Head>, StoreError>;

    /// Everything beside a ledger; none for an unknown campaign.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it cannot be read as what it should be, and faults.
    fn projections(&mut self, campaign: CampaignId) -> Result<Option<Projections>, StoreError>;

    /// The enrollments of a campaign, by number; each counts its entries up to some moment of the
    /// past.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`] and faults.
    fn enrollments(&mut self, campaign: CampaignId) -> Result<Vec<EnrollmentRow>, StoreError>;

    /// What was reversed of one conversion; nothing where it is none.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`] and faults.
    fn reversed(&mut self, campaign: CampaignId, conversion: Seq) -> Result<Reversed, StoreError>;

    /// The balances of a campaign.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`] and faults.
    fn balances(&mut self, campaign: CampaignId) -> Result<Vec<BalanceRow>, StoreError>;

    /// Hands at most `limit` entries from position `from` on to `each`, in order, and returns how
    /// many there were. Scan long ledgers in pages: an open page keeps the database from tidying
    /// up behind the writer.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`], [`StoreError::Corrupt`] for a row that is no entry, faults.
    fn scan(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        limit: usize,
        each: &mut dyn FnMut(EntryRow<'_>),
    ) -> Result<usize, StoreError>;

    /// Hands the bytes of the entries at the positions from `from` on, as many as `count`, to
    /// `each`, in order, and returns how many there were. For whoever follows a ledger: nothing but
    /// the bytes is read, and they say themselves where they belong.
    ///
    /// # Errors
    /// As [`Reader::scan`].
    fn scan_bytes(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        count: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, StoreError>;

    /// The bytes of at most `limit` entries from position `from` on.
    ///
    /// # Errors
    /// As [`Reader::scan`].
    fn entries(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut entries = Vec::new();
        self.scan(campaign, from, limit, &mut |row| entries.push(row.bytes.to_vec()))?;
        Ok(entries)
    }

    /// The bytes of one entry; none behind the end.
    ///
    /// # Errors
    /// As [`Reader::scan`].
    fn entry(&mut self, campaign: CampaignId, seq: Seq) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.scan(campaign, seq, 1, &mut |row| {
            found = (row.seq == seq).then(|| row.bytes.to_vec());
        })?;
        Ok(found)
    }

    /// The entry that used a composite key, or the slot of a click.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`] and faults.
    fn find_by_key(
        &mut self,
        campaign: CampaignId,
        key: CompositeKey,
    ) -> Result<Option<Seq>, StoreError>;

    /// The first of the entries `from` to `to` whose keys a repeated delivery would not meet, so
    /// that it could enter again (INV-4); none where all are found.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`], [`StoreError::Corrupt`] and faults.
    fn unfound_key(
        &mut self,
        campaign: CampaignId,
        from: Seq,
        to: Seq,
    ) -> Result<Option<Seq>, StoreError>;

    /// A full tile of the tree; none where it is not full yet.
    ///
    /// # Errors
    /// [`StoreError::UnknownCampaign`] and faults.
    fn tile(&mut self, campaign: CampaignId, id: TileId) -> Result<Option<Vec<u8>>, StoreError>;

    /// What lies in the store and belongs to no ledger, in words: rows of a campaign that nobody
    /// opened, entries and tiles beyond the end of theirs. Finds at most a score of them.
    ///
    /// # Errors
    /// Faults.
    fn strays(&mut self) -> Result<Vec<String>, StoreError>;

    /// The root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`StoreError::UnknownEntry`] for a size beyond the end, and faults.
    fn root(&mut self, campaign: CampaignId, size: u64) -> Result<Hash, StoreError>;

    /// The hashes that show that the entry at `seq` is in the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`StoreError::UnknownEntry`] for a position or size beyond the end, and faults.
    fn inclusion_proof(
        &mut self,
        campaign: CampaignId,
        seq: Seq,
        size: u64,
    ) -> Result<Vec<Hash>, StoreError>;

    /// The hashes that show that the tree of `new` entries goes on from that of `old`.
    ///
    /// # Errors
    /// [`StoreError::UnknownEntry`] for a size beyond the end or below `old`, and faults.
    fn consistency_proof(
        &mut self,
        campaign: CampaignId,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, StoreError>;
}
