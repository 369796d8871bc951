//! What waits for the writer. Bounded by bytes: who finds it full is told so at once.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sponsorhub_core::ids::CampaignId;

use crate::error::StoreError;
use crate::registry::{Change, Recorded};
use crate::store::{QueueFull, Reply};
use crate::work::{Intake, Outcome, Submission, Submitted};

/// Memory that an event takes beside its text.
const EVENT_BYTES: usize = 256;

/// Work with the way back to who asked.
pub(super) enum Job {
    TakeIn(Vec<Intake>, Reply<Vec<Outcome>>),
    Submit(Submission, Reply<Submitted>),
    Record(Change, Reply<Recorded>),
}

impl Job {
    /// How many entries it appends at most, or rows of the registry it writes.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::TakeIn(events, _) => events.len(),
            Self::Submit(submission, _) => submission.entries.len(),
            Self::Record(change, _) => change.rows(),
        }
    }

    /// Whose ledgers it is about, some perhaps several times.
    pub(super) fn campaigns(&self) -> impl Iterator<Item = CampaignId> {
        let (events, submission) = match self {
            Self::TakeIn(events, _) => (events.as_slice(), None),
            Self::Submit(submission, _) => (&[][..], Some(submission)),
            // A change is no ledger's.
            Self::Record(..) => (&[][..], None),
        };
        let commanded = submission.map(|submission| submission.campaign);
        events.iter().map(|event| event.campaign).chain(commanded)
    }

    /// Whether it brings events of a campaign whose intake is held back.
    fn is_held_back(&self, held_back: &BTreeMap<CampaignId, usize>) -> bool {
        match self {
            Self::TakeIn(events, _) if !held_back.is_empty() => {
                events.iter().any(|event| held_back.contains_key(&event.campaign))
            }
            Self::TakeIn(..) | Self::Submit(..) | Self::Record(..) => false,
        }
    }

    fn bytes(&self) -> usize {
        let texts: usize = match self {
            Self::TakeIn(events, _) => events
                .iter()
                .map(|event| {
                    let used_up = event.click.as_ref().map_or(0, |c| c.used_up.bytes_max());
                    event.rendered.bytes_max() + used_up
                })
                .sum(),
            Self::Submit(submission, _) => {
                submission.entries.iter().map(|entry| entry.rendered.bytes_max()).sum()
            }
            Self::Record(change, _) => change.bytes(),
        };
        texts + self.entries() * EVENT_BYTES
    }

    /// Answers that it was not done.
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::TakeIn(_, reply) => tell(reply, Err(error)),
            Self::Submit(_, reply) => tell(reply, Err(error)),
            Self::Record(_, reply) => tell(reply, Err(error)),
        }
    }
}

/// Hands an answer on. A reply that panics has told so on the way and stops nobody else: what was
/// committed stands, and the others wait for their answers.
pub(super) fn tell<T>(reply: Reply<T>, answer: Result<T, StoreError>) {
    drop(catch_unwind(AssertUnwindSafe(|| reply(answer))));
}

/// The queue in front of a sequencer.
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    filled: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(Job, usize)>,
    bytes: usize,
    is_closed: bool,
    /// Campaigns whose intake waits, and for how many.
    held_back: BTreeMap<CampaignId, usize>,
}

impl Queue {
    /// The first job that may be done now. When the inbox is closed nothing is held back.
    fn next(&self) -> Option<usize> {
        if self.is_closed || self.held_back.is_empty() {
            return (!self.jobs.is_empty()).then_some(0);
        }
        self.jobs.iter().position(|(job, _)| !job.is_held_back(&self.held_back))
    }
}

impl Inbox {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { queue: Mutex::default(), filled: Condvar::new(), bytes_max }
    }

    /// The queue is whole whatever happened to another thread that held it.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, unless the queue is full. One job always fits into an empty queue.
    pub(super) fn enqueue(&self, job: Job) -> Result<(), QueueFull> {
        let bytes = job.bytes();
        let mut queue = self.queue();
        if queue.is_closed {
            drop(queue);
            job.fail(StoreError::Closed);
            return Ok(());
        }
        if !queue.jobs.is_empty() && queue.bytes + bytes > self.bytes_max {
            return Err(QueueFull);
        }
        queue.bytes += bytes;
        queue.jobs.push_back((job, bytes));
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes out jobs until they have `entries_max` entries.
    pub(super) fn drain(&self, entries_max: usize) -> Vec<Job> {
        let mut queue = self.queue();
        let mut jobs = Vec::new();
        let mut entries = 0;
        while entries < entries_max
            && let Some(next) = queue.next()
            && let Some((job, bytes)) = queue.jobs.remove(next)
        {
            entries += job.entries();
            queue.bytes -= bytes;
            jobs.push(job);
        }
        jobs
    }

    /// Jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue().jobs.len()
    }

    /// Waits until something is there. False when the inbox is closed and empty.
    pub(super) fn wait(&self) -> bool {
        let mut queue = self.queue();
        while queue.next().is_none() && !queue.is_closed {
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        !queue.jobs.is_empty()
    }

    /// Lets the intake of a campaign wait.
    pub(super) fn hold_back(&self, campaign: CampaignId) {
        *self.queue().held_back.entry(campaign).or_default() += 1;
    }

    /// Undoes one [`Self::hold_back`].
    pub(super) fn release(&self, campaign: CampaignId) {
        let mut queue = self.queue();
        if let Some(count) = queue.held_back.get_mut(&campaign) {
            *count -= 1;
            if *count == 0 {
                queue.held_back.remove(&campaign);
            }
        }
        drop(queue);
        self.filled.notify_all();
    }

    /// Takes nothing more; what waits is still done.
    pub(super) fn close(&self) {
        self.queue().is_closed = true;
        self.filled.notify_all();
    }

    /// Answers everything that waits: it will not be done.
    pub(super) fn abandon(&self) {
        self.close();
        for job in self.drain(usize::MAX) {
            job.fail(StoreError::Closed);
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
