//! The sequencer: one writer that numbers, hashes and appends what waits, a transaction at a time.
//!
//! A step machine: [`Sequencer::step`] takes out what waits, judges each event on the heads in
//! memory, writes all of it in one transaction, and answers after the commit. It never waits and
//! reads no clock, so a simulation can drive it; a thread that calls it is all that a server adds.
//!
//! ```text
//! inbox ─▶ [ judge (guard, key, number, splice), hash ∥ insert ] ─▶ heads, tiles ─▶ commit ─▶ answer
//! ```
//!
//! A large step is cut into lots: while a thread inserts one, the next is judged. A small one is
//! one lot, and the same is done in turn.
//!
//! When anything fails up to and including the commit, nothing is appended, all askers of this
//! step are told so, and the ledgers that it touched are read again before their next use. With one
//! exception: a ledger that contradicts itself is not the others' concern. Its jobs are told so,
//! what is left of the step is done without them, and nothing more is appended to that ledger
//! until the store is opened again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};

use rusqlite::Connection;
use sponsorhub_core::ids::CampaignId;

use super::batch::Lot;
use super::checkpoint::{Bell, empty_log, move_log};
use super::inbox::{Inbox, Job, tell};
use super::judge::{Blamed, Judge, Pending, Written};
use super::lock::Lock;
use super::open::{self, Options, fault};
use super::registry;
use crate::error::StoreError;
use crate::registry::{Change, Recorded};
use crate::store::{QueueFull, Reply};
use crate::work::{Intake, Outcome, Submission, Submitted};

/// From this many entries on, judging and hashing are worth a thread beside the inserting.
const BESIDE_FROM: usize = 512;

/// How often a thread is asked to move the log before the writer does the rest.
const RINGS: u32 = 4;

/// What a step did.
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    /// Jobs that were answered.
    pub jobs: usize,
    /// Entries that were appended.
    pub entries: usize,
    /// Jobs that still wait.
    pub waiting: usize,
    /// Ledgers that stay loaded.
    pub ledgers: usize,
    /// Campaigns whose ledgers were found corrupt in this step.
    pub corrupt: Vec<CampaignId>,
    /// Why jobs were not done although no ledger of theirs was found corrupt; their askers were
    /// told.
    pub failed: Option<StoreError>,
    /// Why the log was not moved to the database. Nothing is lost: it is tried again.
    pub checkpoint_failed: Option<StoreError>,
}

/// The writer of a data directory.
#[derive(Debug)]
pub struct Sequencer {
    /// Writes, and reads for small commits.
    connection: Connection,
    /// Reads for the judge while another thread writes by the other one.
    beside: Connection,
    judge: Judge,
    /// Ledgers that contradict themselves, and how: nothing is appended to them any more.
    corrupt: BTreeMap<CampaignId, StoreError>,
    options: Options,
    inbox: Arc<Inbox>,
    /// Who moves the log, if it is not done here, and the log's pages when that was last asked.
    bell: Option<Arc<Bell>>,
    rung_at: u32,
    /// Whether something was erased that the log still has.
    has_erased: bool,
    /// Held until the sequencer goes.
    _lock: Lock,
}

impl Sequencer {
    /// Opens a data directory, makes what is missing in it, and owns it until dropped.
    ///
    /// # Errors
    /// [`StoreError`], one for each thing that can be wrong with a data directory.
    pub fn open(directory: &Path, options: Options) -> Result<Self, StoreError> {
        let opened = open::open(directory, &options)?;
        Ok(Self {
            connection: opened.connection,
            beside: open::open_reader(directory)?,
            judge: Judge::new(options.slice_keys_max),
            corrupt: BTreeMap::new(),
            inbox: Arc::new(Inbox::new(options.queue_bytes_max)),
            options,
            bell: None,
            rung_at: 0,
            has_erased: false,
            _lock: opened.lock,
        })
    }

    pub(super) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Hands in events; see [`crate::Store::take_in`].
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn take_in(
        &self,
        events: Vec<Intake>,
        reply: Reply<Vec<Outcome>>,
    ) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::TakeIn(events, reply))
    }

    /// Hands in a command; see [`crate::Store::submit`].
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn submit(&self, submission: Submission, reply: Reply<Submitted>) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::Submit(submission, reply))
    }

    /// Hands in a change of the registry; see [`crate::Store::record`].
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn record(&self, change: Change, reply: Reply<Recorded>) -> Result<(), QueueFull> {
        self.inbox.enqueue(Job::Record(change, reply))
    }

    /// Does what waits, up to the maximum of one transaction. `now` is in milliseconds.
    pub fn step(&mut self, now: i64) -> StepReport {
        self.judge.steps += 1;
        let jobs = self.inbox.drain(self.options.commit_entries_max);
        let mut report = StepReport { jobs: jobs.len(), ..StepReport::default() };
        if !jobs.is_empty() {
            self.commit(jobs, now, &mut report);
            self.judge.unload(self.options.ledgers_max);
            if report.failed.is_none() {
                report.checkpoint_failed = self.checkpoint().err().map(fault);
            }
        }
        report.ledgers = self.judge.ledgers.len();
        report.waiting = self.inbox.waiting();
        report
    }

    /// Appends and answers, without the jobs of ledgers that are corrupt.
    fn commit(&mut self, mut jobs: Vec<Job>, now: i64, report: &mut StepReport) {
        loop {
            jobs = self.refuse_corrupt(jobs);
            if jobs.is_empty() {
                return;
            }
            self.judge.begin();
            let known = self.corrupt.len();
            let error = match self.append(&jobs, now, report) {
                Ok((pending, written)) => {
                    report.entries += self.judge.batch.len();
                    return self.answer(jobs, pending, &written);
                }
                Err(error) => error,
            };
            self.roll_back();
            if self.corrupt.len() > known {
                // Now that it is known whose fault it was, again without that ledger's jobs.
                continue;
            }
            if matches!(error, StoreError::Corrupt(_)) && jobs.len() > 1 {
                // The tables refused something and it is not known of whom: whoever can go on does.
                return jobs.into_iter().for_each(|job| self.commit(vec![job], now, report));
            }
            report.failed = Some(error.clone());
            return jobs.into_iter().for_each(|job| job.fail(error.clone()));
        }
    }

    /// Answers the jobs that are about a corrupt ledger, and returns the others.
    fn refuse_corrupt(&self, jobs: Vec<Job>) -> Vec<Job> {
        if self.corrupt.is_empty() {
            return jobs;
        }
        let mut sound = Vec::with_capacity(jobs.len());
        for job in jobs {
            let known = job.campaigns().find_map(|id| self.corrupt.get(&id));
            match known {
                Some(error) => job.fail(error.clone()),
                None => sound.push(job),
            }
        }
        sound
    }

    /// Remembers a ledger that was found corrupt, and names it in the error.
    fn blame(&mut self, (error, whose): Blamed, report: &mut StepReport) -> StoreError {
        let (StoreError::Corrupt(what), Some(id)) = (&error, whose) else {
            return error;
        };
        let error = StoreError::Corrupt(format!("campaign {id}: {what}"));
        self.judge.ledgers.remove(&id);
        self.corrupt.insert(id, error.clone());
        report.corrupt.push(id);
        error
    }

    /// Everything up to and including the commit.
    fn append(
        &mut self,
        jobs: &[Job],
        now: i64,
        report: &mut StepReport,
    ) -> Result<(Vec<Vec<Pending>>, Written), StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
        let entries: usize = jobs.iter().map(Job::entries).sum();
        let judged = if entries < BESIDE_FROM {
            let connection = &self.connection;
            let mut insert = |lot: Arc<Lot>| lot.insert(connection).map_err(fault);
            self.judge.judge_all(connection, jobs, now, &mut insert)
        } else {
            self.judge_beside(jobs, now)
        };
        let mut pending = judged.map_err(|blamed| self.blame(blamed, report))?;
        let has_changes = jobs.iter().any(|job| matches!(job, Job::Record(..)));
        if self.judge.batch.len() == 0 && !has_changes {
            self.connection.execute_batch("ROLLBACK").map_err(fault)?;
            return Ok((pending, Written::default()));
        }
        let written = self.judge.save(&self.connection).map_err(fault)?;
        for (job, pending) in jobs.iter().zip(&mut pending) {
            if let Job::Record(change, _) = job {
                let recorded = registry::record(&self.connection, change)?;
                pending.push(Pending::Recorded(recorded));
            }
        }
        self.connection.execute_batch("COMMIT").map_err(fault)?;
        self.judge.committed();
        self.has_erased |=
            jobs.iter().any(|job| matches!(job, Job::Record(change, _) if change.erases()));
        Ok((pending, written))
    }

    /// Judges and hashes lots while a thread inserts those before.
    fn judge_beside(&mut self, jobs: &[Job], now: i64) -> Result<Vec<Vec<Pending>>, Blamed> {
        let Self { connection, beside, judge, .. } = self;
        std::thread::scope(|scope| {
            let (send, lots) = mpsc::channel::<Arc<Lot>>();
            let inserting = scope.spawn(move || {
                // One by one, so that each is let go once it is in.
                lots.into_iter().try_for_each(|lot| lot.insert(connection))
            });
            // Where nobody takes them any more inserting has failed, and says so in the end.
            let mut insert = |lot| {
                drop(send.send(lot));
                Ok(())
            };
            let judged = judge.judge_all(beside, jobs, now, &mut insert);
            drop(send);
            let inserted = inserting.join().expect("inserting does not panic");
            let pending = judged?;
            inserted.map(|()| pending).map_err(|error| (fault(error), None))
        })
    }

    fn answer(&self, jobs: Vec<Job>, pending: Vec<Vec<Pending>>, written: &Written) {
        let finish = |pending| self.judge.finish(pending, written);
        for (job, mut pending) in jobs.into_iter().zip(pending) {
            match job {
                Job::TakeIn(_, reply) => {
                    tell(reply, Ok(pending.into_iter().map(finish).collect()));
                }
                Job::Submit(_, reply) => {
                    let pending = pending.pop().expect("one for a submission");
                    tell(reply, Ok(self.judge.finish_submission(&pending, written)));
                }
                Job::Record(_, reply) => match pending.pop() {
                    Some(Pending::Recorded(recorded)) => tell(reply, recorded),
                    _ => unreachable!("one for a change"),
                },
            }
        }
    }

    /// Nothing of the step happened: what is in memory is read again.
    fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            // SQLite may have rolled back by itself; then there is nothing to do.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        self.judge.roll_back();
    }

    /// Moves the log to the database once it is long. After the answers: nobody waits for it.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        if self.has_erased {
            match &self.bell {
                Some(bell) => {
                    bell.ring_to_empty();
                    self.has_erased = false;
                }
                None => self.has_erased = !empty_log(&self.connection)?,
            }
        }
        let (pages, most) = (open::log_pages(), self.options.checkpoint_pages);
        if let Some(bell) = &self.bell {
            if pages < self.rung_at {
                self.rung_at = 0;
            }
            if pages - self.rung_at >= most / RINGS {
                self.rung_at = pages;
                bell.ring();
            }
        }
        if pages < most { Ok(()) } else { move_log(&self.connection) }
    }

    /// Lets a thread move the log from now on, as far as it can.
    pub(super) fn ring_for_checkpoints(&mut self, bell: Arc<Bell>) {
        self.bell = Some(bell);
    }
}
