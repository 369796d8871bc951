//! The jobs by their names, and which of them an operator paused.

use sponsorhub_store::registry::{ApiChange, PausedJob};
use sponsorhub_store::{Change, StoreError};

use super::Workers;
use crate::desk::CommandError;

/// A job that an operator may pause, or have run at once. Erasure and forgetting are none: people were promised
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Reads the provider's list of events.
    Events,
    /// Deals with events that came.
    Inbox,
    /// Reads deposits again.
    Deposits,
    /// Commission under the cap, and the lifecycle.
    Rollup,
    /// Sends payouts.
    Disburse,
    /// Sends back what nobody earned.
    Refund,
    /// Compares the ledgers with the provider's balance.
    Holdings,
}

impl Job {
    /// All of them, in the order in which a tick does them.
    pub const ALL: [Self; 7] = [
        Self::Events,
        Self::Inbox,
        Self::Deposits,
        Self::Rollup,
        Self::Disburse,
        Self::Refund,
        Self::Holdings,
    ];

    /// The name, as it stands in [`super::Standing`] and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Inbox => "inbox",
            Self::Deposits => "deposits",
            Self::Rollup => "rollup",
            Self::Disburse => "disburse",
            Self::Refund => "refund",
            Self::Holdings => "holdings",
        }
    }

    /// The job of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }
}

impl Workers {
    /// Pauses a job from the next tick on, also after a restart, until [`Self::resume_job`]. What it would have
    /// done waits and is not lost.
    ///
    /// # Errors
    /// [`CommandError`]: it goes on.
    pub fn pause_job(&self, job: Job, subject: &str, now: i64) -> Result<(), CommandError> {
        let (job, subject) = (job.name().to_owned(), subject.to_owned());
        let pause = ApiChange::PauseJob(PausedJob { job, since: now, subject });
        self.desk.record(Change::Api(pause), None).map(drop)
    }

    /// Lets a paused job go on.
    ///
    /// # Errors
    /// [`CommandError`]: it stays paused.
    pub fn resume_job(&self, job: Job) -> Result<(), CommandError> {
        let resume = ApiChange::ResumeJob { job: job.name().to_owned() };
        self.desk.record(Change::Api(resume), None).map(drop)
    }

    /// Has the next tick do a job whatever it waits for: the end of a pause after a failure, or the time at
    /// which it is due. What may be sent to the provider again, and when, stays as it is.
    pub fn run_now(&self, job: Job) {
        self.with(|memory| match job {
            Job::Events => memory.polled_at = None,
            Job::Inbox => memory.is_inbox_hurried = true,
            Job::Rollup => memory.advanced_at.clear(),
            Job::Holdings => memory.weighed_at = None,
            Job::Deposits | Job::Disburse | Job::Refund => memory.pauses.clear(),
        });
    }

    /// Takes notice of which jobs are paused.
    pub(super) fn follow_pauses(&self) -> Result<(), StoreError> {
        let paused = self.desk.registry(|registry| registry.paused_jobs())?;
        let paused = paused.iter().filter_map(|paused| Job::from_name(&paused.job)).collect();
        self.with(|memory| memory.paused = paused);
        Ok(())
    }

    /// Whether a job is not paused.
    pub(super) fn runs(&self, job: Job) -> bool {
        self.with(|memory| !memory.paused.contains(&job))
    }
}
