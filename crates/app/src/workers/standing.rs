//! How the reconcilers stand, for operators.

use std::collections::BTreeMap;

use sponsorhub_core::money::Currency;

use super::Holding;
use super::lag::{Lag, Lags};

/// How a kind of work went, for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// When it last ran, milliseconds.
    pub last_run_at: i64,
    /// When it last did something, milliseconds; 0 for never.
    pub last_done_at: i64,
    /// How many things it did since the start.
    pub done: u64,
    /// What went wrong at its last run.
    pub error: Option<String>,
    /// What was left for it after the last tick.
    pub lag: Lag,
}

/// How all work stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// By the name of the job.
    pub jobs: BTreeMap<&'static str, JobStatus>,
    /// What campaigns have at the provider, when it was last compared.
    pub holdings: BTreeMap<Currency, Holding>,
    /// The time up to which nothing was left to do, milliseconds: the last tick that did nothing.
    pub settled_at: i64,
}

impl Standing {
    /// Notes what a tick has left for each job.
    pub(super) fn note_lags(&mut self, mut lags: Lags) {
        for (name, status) in &mut self.jobs {
            status.lag = lags.remove(name).unwrap_or_default();
        }
        // Also of a job that was paused since the start.
        for (name, lag) in lags {
            self.jobs.entry(name).or_default().lag = lag;
        }
    }

    /// Notes that a job ran, how many things it did and what went wrong. It runs for each campaign: one
    /// that went well does not hide another that did not.
    pub(super) fn note(
        &mut self,
        job: &'static str,
        now: i64,
        count: usize,
        error: Option<String>,
    ) {
        let status = self.jobs.entry(job).or_default();
        if error.is_some() || status.last_run_at != now {
            status.error = error;
        }
        status.last_run_at = now;
        status.done += u64::try_from(count).unwrap_or(u64::MAX);
        if count > 0 {
            status.last_done_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_that_went_well_does_not_hide_anothers_error() {
        let mut standing = Standing::default();
        let error = |standing: &Standing| standing.jobs["disburse"].error.clone();
        standing.note("disburse", 1_000, 0, Some("declined".to_owned()));
        standing.note("disburse", 1_000, 2, None);
        assert_eq!(error(&standing).as_deref(), Some("declined"));
        // At the next tick all went well.
        standing.note("disburse", 2_000, 0, None);
        let mut status =
            JobStatus { last_run_at: 2_000, last_done_at: 1_000, done: 2, ..JobStatus::default() };
        assert_eq!(standing.jobs["disburse"], status);
        // What waits is told of the last tick alone.
        let lag = Lag { waiting: 3, oldest_at: Some(500) };
        standing.note_lags([("disburse", lag), ("refund", lag)].into());
        status.lag = lag;
        assert_eq!((&standing.jobs["disburse"], standing.jobs["refund"].lag), (&status, lag));
        standing.note_lags(Lags::new());
        assert_eq!(standing.jobs["disburse"].lag, Lag::default());
    }
}
