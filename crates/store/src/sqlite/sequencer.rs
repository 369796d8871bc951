//! The sequencer: one writer that numbers, hashes and appends what waits, a transaction at a time.
//!
//! A step machine: [`Sequencer::step`] takes out what waits, judges each event on the heads in
//! memory, writes all of it in one transaction, and answers after the commit. It never waits and
//! reads no clock, so a simulation can drive it; a thread that calls it is all that a server adds.
//!
//! ```text
//! inbox ─▶ judge (guard, key, number, splice) ─▶ [ insert ∥ hash ] ─▶ heads, tiles ─▶ commit ─▶ answer
//! ```
//!
//! When anything fails up to and including the commit, nothing is appended, all askers of this
//! step are told so, and the ledgers that it touched are read again before their next use. With one
//! exception: a ledger that contradicts itself is not the others' concern. Its jobs are told so,
//! what is left of the step is done without them, and nothing more is appended to that ledger
//! until the store is opened again.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::merkle::{Hash, RecentTree};

use super::batch::Batch;
use super::checkpoint::{Bell, move_log};
use super::dedup::KeyMap;
use super::inbox::{Inbox, Job, tell};
use super::judge::Pending;
use super::ledger::Ledger;
use super::open::{self, Options, fault};
use super::position::CampaignNo;
use super::{projections, registry, tree};
use crate::error::StoreError;
use crate::registry::{Change, Recorded};
use crate::store::{QueueFull, Reply};
use crate::work::{Intake, Outcome, Submission, Submitted};

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

/// What a transaction appended: leaves by number in the batch, and the tree of each campaign.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) leaves: Vec<Hash>,
    pub(super) trees: BTreeMap<CampaignNo, Arc<RecentTree>>,
}

/// The writer of a data directory.
#[derive(Debug)]
pub struct Sequencer {
    pub(super) connection: Connection,
    pub(super) ledgers: KeyMap<CampaignId, Ledger>,
    pub(super) batch: Batch,
    /// Ledgers that the step in progress touched.
    pub(super) touched: BTreeMap<CampaignNo, CampaignId>,
    /// Ledgers that contradict themselves, and how: nothing is appended to them any more.
    corrupt: BTreeMap<CampaignId, StoreError>,
    options: Options,
    inbox: Arc<Inbox>,
    steps: u64,
    /// Who moves the log, if it is not done here, and the log's pages when that was last asked.
    bell: Option<Arc<Bell>>,
    rung_at: u32,
    /// Held until the sequencer goes.
    _lock: File,
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
            ledgers: KeyMap::default(),
            batch: Batch::default(),
            touched: BTreeMap::new(),
            corrupt: BTreeMap::new(),
            inbox: Arc::new(Inbox::new(options.queue_bytes_max)),
            options,
            steps: 0,
            bell: None,
            rung_at: 0,
            _lock: opened.lock,
        })
    }

    pub(super) fn slice_keys_max(&self) -> usize {
        self.options.slice_keys_max
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
        self.steps += 1;
        let jobs = self.inbox.drain(self.options.commit_entries_max);
        let mut report = StepReport { jobs: jobs.len(), ..StepReport::default() };
        if !jobs.is_empty() {
            self.commit(jobs, now, &mut report);
            self.unload();
            if report.failed.is_none() {
                report.checkpoint_failed = self.checkpoint().err().map(fault);
            }
        }
        report.ledgers = self.ledgers.len();
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
            self.batch.clear();
            self.touched.clear();
            let known = self.corrupt.len();
            let error = match self.append(&jobs, now, report) {
                Ok((pending, written)) => {
                    report.entries += self.batch.len();
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
    fn blame(&mut self, id: CampaignId, error: StoreError, report: &mut StepReport) -> StoreError {
        let StoreError::Corrupt(what) = error else {
            return error;
        };
        let error = StoreError::Corrupt(format!("campaign {id}: {what}"));
        self.ledgers.remove(&id);
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
        let mut pending = Vec::with_capacity(jobs.len());
        for job in jobs {
            pending.push(match job {
                Job::TakeIn(events, _) => {
                    let mut judged = Vec::with_capacity(events.len());
                    for event in events {
                        let pending = self.judge(event, now);
                        let id = event.campaign;
                        judged.push(pending.map_err(|error| self.blame(id, error, report))?);
                    }
                    judged
                }
                Job::Submit(submission, _) => {
                    let id = submission.campaign;
                    let loaded = self.load(id);
                    loaded.map_err(|error| self.blame(id, error, report))?;
                    vec![self.judge_submission(submission)?]
                }
                // Once the entries are written.
                Job::Record(..) => Vec::new(),
            });
        }
        let has_changes = jobs.iter().any(|job| matches!(job, Job::Record(..)));
        if self.batch.len() == 0 && !has_changes {
            self.connection.execute_batch("ROLLBACK").map_err(fault)?;
            return Ok((pending, Written::default()));
        }
        let written = self.write().map_err(fault)?;
        for (job, pending) in jobs.iter().zip(&mut pending) {
            if let Job::Record(change, _) = job {
                let recorded = registry::record(&self.connection, change)?;
                pending.push(Pending::Recorded(recorded));
            }
        }
        self.connection.execute_batch("COMMIT").map_err(fault)?;
        for id in self.touched.values() {
            self.ledgers.get_mut(id).expect("touched in this step").committed();
        }
        Ok((pending, written))
    }

    fn write(&mut self) -> rusqlite::Result<Written> {
        let mut runs = Vec::new();
        for run in self.batch.runs() {
            let no = self.batch.entry(run[0]).campaign;
            // Lent to the hashing thread. Where this step fails the ledger is read again anyway.
            let tree = std::mem::take(&mut self.touched_ledger(no).tiles);
            runs.push((run, tree));
        }
        let hashed = self.batch.write(&self.connection, runs)?;
        let mut trees = BTreeMap::new();
        for (no, tree, full) in hashed.trees {
            tree::insert_tiles(&self.connection, no, &full)?;
            trees.insert(no, Arc::new(RecentTree::new(tree.clone(), &full)));
            let ledger = self.ledgers.get_mut(&self.touched[&no]).expect("touched in this step");
            ledger.tiles = tree;
            ledger.save(&self.connection)?;
        }
        Ok(Written { leaves: hashed.leaves, trees })
    }

    fn touched_ledger(&mut self, no: CampaignNo) -> &mut Ledger {
        self.ledgers.get_mut(&self.touched[&no]).expect("touched in this step")
    }

    fn answer(&self, jobs: Vec<Job>, pending: Vec<Vec<Pending>>, written: &Written) {
        let finish = |pending| self.finish(pending, written);
        for (job, mut pending) in jobs.into_iter().zip(pending) {
            match job {
                Job::TakeIn(_, reply) => {
                    tell(reply, Ok(pending.into_iter().map(finish).collect()));
                }
                Job::Submit(_, reply) => {
                    let pending = pending.pop().expect("one for a submission");
                    tell(reply, Ok(self.finish_submission(&pending, written)));
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
        for id in self.touched.values() {
            self.ledgers.remove(id);
        }
        // A ledger that was only looked at has not changed.
    }

    /// Forgets ledgers that were not used for long, where too many are loaded.
    fn unload(&mut self) {
        let max = self.options.ledgers_max;
        if self.ledgers.len() <= max {
            return;
        }
        let mut used: Vec<_> = self.ledgers.iter().map(|(id, l)| (l.used, *id)).collect();
        used.sort_unstable();
        // Half of them, so that this happens seldom.
        for (_, id) in &used[..used.len() - max.div_ceil(2)] {
            self.ledgers.remove(id);
        }
    }

    /// Moves the log to the database once it is long. After the answers: nobody waits for it.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
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

    /// A ledger, loaded if need be; none for an unknown campaign.
    pub(super) fn load(&mut self, id: CampaignId) -> Result<bool, StoreError> {
        if let Some(ledger) = self.ledgers.get_mut(&id) {
            ledger.used = self.steps;
            return Ok(true);
        }
        let Some(no) = projections::campaign_no(&self.connection, id).map_err(fault)? else {
            return Ok(false);
        };
        let mut ledger = Ledger::load(&self.connection, no, id, self.slice_keys_max())?;
        ledger.used = self.steps;
        self.ledgers.insert(id, ledger);
        Ok(true)
    }
}
