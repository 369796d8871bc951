//! What happens without anybody asking: reconcilers that compare the ledgers with the time and with
//! the payment provider, and close the gap.
//!
//! They take no input, so nothing can be lost or run out of step: a wake-up is only a hint, the
//! next tick finds whatever there is to do. One process owns the store (ADR 4), so a campaign has one
//! worker at a time; what a killed one left behind is in the ledger and found by the next.

mod advance;
mod disburse;
mod holdings;
mod jobs;
mod lag;
mod pauses;
mod refund;
mod retention;
mod settling;
mod standing;
mod tampering;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::{Deposit, DepositStatus};
use sponsorhub_store::registry::{Endpoint, Exchange, Exchanged, ProviderChange};
use sponsorhub_store::{Change, StoreError};

use crate::deposits::{self, MoneyError};
use crate::desk::Desk;
use crate::inbox;
use crate::ports::payment::PaymentOf;
use crate::ports::{Outcome, PaymentProvider};

pub use disburse::{attempt_key, came_back, payout_reference};
pub use holdings::Holding;
pub use jobs::Job;
pub use lag::Lag;
pub use refund::refund_reference;
pub use retention::{ACCESS_MS, DEDUP_KEY_MS, DELIVERIES_MS};
pub use standing::{JobStatus, Standing};

use lag::Lags;
use pauses::Pauses;
use settling::Withheld;

/// Campaigns that are listed at a time.
const PAGE: usize = 1_000;

/// How long the same key may be sent again after an unknown outcome, milliseconds: the provider keeps
/// keys for a day at least, and this is well before. Afterwards the money is looked up first.
pub const SAME_KEY_MS: i64 = 20 * 3_600_000;

/// How long money must be missing at the provider before it counts as never sent, milliseconds: far longer
/// than the provider works on a request. A clock that jumped makes a request look old which is still under
/// way, and which the first look-up cannot see; so this is steady time.
const ABSENT_MS: i64 = 600_000;

/// How often a deposit is read again of which nothing new is expected, milliseconds.
const RECHECK_MS: i64 = 6 * 3_600_000;

/// Events that are counted as waiting at most.
const EVENTS: usize = 1_000;

/// Pause after a reading of the provider's list of events that failed, milliseconds.
const POLL_AGAIN_MS: i64 = 10_000;

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At least so long between two rollups of a campaign, milliseconds.
    pub rollup_ms: i64,
    /// At least so long between two readings of the provider's list of events, and of one deposit
    /// whose fate is not known, milliseconds.
    pub poll_ms: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rollup_ms: 60_000, poll_ms: 60_000 }
    }
}

/// What is remembered between ticks. Losing it costs a repetition, never money.
#[derive(Debug, Default)]
struct Memory {
    /// When each campaign was last advanced.
    advanced_at: HashMap<CampaignId, i64>,
    polled_at: Option<i64>,
    /// The steady time of the tick under way.
    steady: i64,
    /// When the balances were last compared.
    weighed_at: Option<i64>,
    /// When something was last forgotten.
    forgot_at: Option<i64>,
    /// When it was last looked for people to be erased.
    erased_at: Option<i64>,
    /// Since when campaigns are over that were read for it.
    over_since: HashMap<CampaignId, i64>,
    /// Pauses after failures, of things by campaign and position.
    pauses: Pauses<(CampaignId, Seq)>,
    /// Since when money was looked up that may never have been sent, steady time.
    missing_since: HashMap<(CampaignId, Seq), i64>,
    /// Refunds that operators want to pay by other means.
    withheld: HashMap<CampaignId, Withheld>,
    /// Campaigns whose ledger was compared with the provider's transfers since this process started.
    compared: HashSet<CampaignId>,
    /// Charges behind deposits.
    charges: HashMap<(CampaignId, Seq), String>,
    standing: Standing,
    /// Which jobs are paused.
    paused: Vec<Job>,
    /// Whether the next tick deals with events that wait, due or not.
    is_inbox_hurried: bool,
}

/// All reconcilers.
#[derive(Debug)]
pub struct Workers {
    desk: Arc<Desk>,
    provider: Arc<dyn PaymentProvider>,
    pace: Pace,
    memory: Mutex<Memory>,
}

impl Workers {
    /// Workers at this desk.
    pub fn new(desk: Arc<Desk>, provider: Arc<dyn PaymentProvider>, pace: Pace) -> Self {
        Self { desk, provider, pace, memory: Mutex::default() }
    }

    /// How the work stands.
    pub fn standing(&self) -> Standing {
        self.with(|memory| memory.standing.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does everything that is due at `now`, milliseconds, once; how many things that were. One
    /// campaign's trouble holds up no other. `steady` is the time by which waiting is measured that no
    /// clock's jump may shorten.
    ///
    /// # Errors
    /// [`StoreError`]: the store cannot be read.
    pub async fn tick(&self, now: i64, steady: i64) -> Result<usize, StoreError> {
        self.with(|memory| memory.steady = steady);
        self.follow_pauses()?;
        let mut done = 0;
        if self.runs(Job::Events) {
            done += self.note(Job::Events.name(), now, self.poll(now).await);
        }
        if self.runs(Job::Inbox) {
            let is_hurried = self.with(|memory| std::mem::take(&mut memory.is_inbox_hurried));
            let due = if is_hurried { i64::MAX } else { now };
            let dealt = inbox::deal(&self.desk, &*self.provider, (now, due)).await;
            done += self.note(Job::Inbox.name(), now, dealt);
        }
        let waiting = self.desk.registry(|registry| registry.waiting_events(i64::MAX, EVENTS))?;
        let oldest_at = waiting.iter().map(|event| event.received_at).min();
        let waiting = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        let mut lags: Lags = [(Job::Inbox.name(), Lag { waiting, oldest_at })].into();
        let mut after = 0;
        loop {
            let page = self.desk.read(|reader| reader.campaigns(after, PAGE))?;
            for listed in &page {
                after = listed.no;
                done += self.campaign(listed.campaign, now, &mut lags).await;
            }
            if page.len() < PAGE {
                break;
            }
        }
        if self.runs(Job::Holdings) && self.is_weighing_due(now) {
            self.note(Job::Holdings.name(), now, self.holdings(now).await);
        }
        done += self.retain(now);
        self.with(|memory| memory.standing.note_lags(lags));
        if done == 0 {
            self.with(|memory| memory.standing.settled_at = now);
        }
        Ok(done)
    }

    async fn campaign(&self, id: CampaignId, now: i64, lags: &mut Lags) -> usize {
        let at_rest = self.desk.look(id, |state| is_at_rest(state, now));
        match at_rest {
            Ok(true) => return 0,
            Ok(false) => {}
            Err(error) => return self.note(Job::Rollup.name(), now, Err(error.into())),
        }
        let mut done = 0;
        if self.runs(Job::Deposits) {
            done += self.note(Job::Deposits.name(), now, self.deposits(id, now).await);
        }
        if self.runs(Job::Rollup) {
            done += self.note(Job::Rollup.name(), now, self.advance(id, now).await);
        } else if self.ends(id, now) {
            done += self.note(Job::Rollup.name(), now, self.end(id, now));
        }
        if self.runs(Job::Disburse) {
            done += self.note(Job::Disburse.name(), now, self.disburse(id, now).await);
        }
        if self.runs(Job::Refund) {
            done += self.note(Job::Refund.name(), now, self.refund(id, now).await);
        }
        let rolled_at = self.with(|memory| memory.advanced_at.get(&id).copied());
        // A ledger that cannot be read is told by the jobs above.
        drop(self.desk.look(id, |state| lag::add_campaign(lags, state, rolled_at)));
        done
    }

    /// Notes how a job went; how many things it did.
    fn note(&self, job: &'static str, now: i64, done: Result<usize, MoneyError>) -> usize {
        let (count, error) = match done {
            Ok(count) => (count, None),
            Err(error) => {
                tracing::warn!(job, %error, "a job could not finish; it will be tried again");
                (0, Some(error.to_string()))
            }
        };
        self.with(|memory| memory.standing.note(job, now, count, error));
        count
    }

    /// Reads the provider's list of events, so that a webhook which never came is not missed.
    async fn poll(&self, now: i64) -> Result<usize, MoneyError> {
        let last = self.with(|memory| memory.polled_at);
        if last.is_some_and(|last| is_within(self.pace.poll_ms, last, now)) {
            return Ok(0);
        }
        // Where this fails it is tried again sooner than it would be due, and not at every tick.
        let sooner = now.saturating_sub(self.pace.poll_ms).saturating_add(POLL_AGAIN_MS);
        self.with(|memory| memory.polled_at = Some(sooner));
        let mut fresh = 0;
        let mut cursor = self.desk.registry(|registry| registry.event_cursor())?;
        loop {
            let page = self.provider.events_after(cursor.as_deref()).await?;
            for event in &page.events {
                let is_new = inbox::receive(&self.desk, Endpoint::List, event, now)?;
                fresh += usize::from(is_new);
            }
            let Some(read) = page.cursor.filter(|read| cursor.as_ref() != Some(read)) else {
                break;
            };
            let keep = ProviderChange::KeepCursor { cursor: read.clone(), at: now };
            self.desk.record(Change::Provider(keep), None)?;
            cursor = Some(read);
            if !page.has_more {
                break;
            }
        }
        self.with(|memory| memory.polled_at = Some(now));
        Ok(fresh)
    }

    /// Reads deposits again: those whose fee is not known, those of which a case is open, and now and then
    /// every one, since events get lost. Closes the pages of campaigns that ended.
    async fn deposits(&self, id: CampaignId, now: i64) -> Result<usize, MoneyError> {
        let (has_ended, open) = self.desk.look(id, |state| {
            let open = state.deposits().iter().filter(|(_, deposit)| !deposit.is_advance);
            let open = open.map(|(seq, deposit)| {
                let is_quiet = is_quiet(deposit);
                let pause = if is_quiet { RECHECK_MS } else { self.pace.poll_ms };
                (*seq, deposit.session.clone(), (deposit.status, pause))
            });
            let ended = state.ended_at().is_some() || state.state().is_terminal();
            (ended, open.collect::<Vec<_>>())
        })?;
        let mut done = 0;
        for (seq, session, (status, pause)) in open {
            let is_expected = status == DepositStatus::Expected;
            // What is expected of a running campaign is told by an event.
            if (is_expected && !has_ended) || !self.is_due((id, seq), now) {
                continue;
            }
            if is_expected && let Err(error) = self.provider.expire_checkout(&session).await {
                tracing::info!(%error, "a page is not open any more");
            }
            let of = PaymentOf::Session(&session);
            match deposits::observe(&self.desk, &*self.provider, of, now).await {
                Ok(deposits::Booked::Funds(_) | deposits::Booked::Failed(_)) => done += 1,
                Ok(deposits::Booked::Review(what)) => {
                    tracing::error!(%id, deposit = seq, what, "a deposit needs a person");
                    self.with(|memory| memory.pauses.at((id, seq), now.saturating_add(pause)));
                }
                Ok(_) => self.with(|memory| {
                    memory.pauses.at((id, seq), now.saturating_add(pause));
                }),
                Err(error) => {
                    self.pause((id, seq), now);
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    /// The charge behind a deposit, which transfers and refunds of it name.
    async fn charge(&self, id: CampaignId, deposit: Seq) -> Result<Option<String>, MoneyError> {
        if let Some(known) = self.with(|memory| memory.charges.get(&(id, deposit)).cloned()) {
            return Ok(Some(known));
        }
        let payment = self.desk.look(id, |state| {
            state.deposits().get(&deposit).and_then(|deposit| deposit.payment.clone())
        })?;
        let Some(payment) = payment else { return Ok(None) };
        let read = self.provider.payment(PaymentOf::Payment(&payment)).await?;
        let charge = read.and_then(|payment| payment.charge);
        if let Some(charge) = &charge {
            let charge = charge.clone();
            self.with(|memory| memory.charges.insert((id, deposit), charge));
        }
        Ok(charge)
    }

    /// Keeps the provider's ids of a sending. That they cannot be kept does not hold up what the outcome
    /// says of the money.
    fn keep(&self, (campaign, planned): (CampaignId, Seq), key: &str, outcome: &Outcome, at: i64) {
        let (key, requests) = (key.to_owned(), outcome.request().unwrap_or_default().to_owned());
        let outcome = match outcome {
            Outcome::Done { .. } => Exchanged::Done,
            Outcome::Refused { .. } => Exchanged::Refused,
            Outcome::Unknown { .. } => Exchanged::Unknown,
        };
        let exchange = Exchange { campaign, planned, key, at, outcome, requests };
        let keep = Change::Provider(ProviderChange::KeepExchange(exchange));
        if let Err(error) = self.desk.record(keep, None) {
            tracing::warn!(%error, %campaign, planned, "a sending could not be kept");
        }
    }

    /// For how long look-ups have not found this, milliseconds of steady time; 0 at the first.
    fn missing_for(&self, thing: (CampaignId, Seq)) -> i64 {
        self.with(|memory| {
            let since = *memory.missing_since.entry(thing).or_insert(memory.steady);
            memory.steady.saturating_sub(since)
        })
    }

    fn is_due(&self, thing: (CampaignId, Seq), now: i64) -> bool {
        self.with(|memory| memory.pauses.is_due(&thing, now))
    }

    fn pause(&self, thing: (CampaignId, Seq), now: i64) {
        self.with(|memory| memory.pauses.after_failure(thing, now));
    }

    /// Lets a payout or refund that waits after a failure be tried at the next tick.
    pub fn try_now(&self, campaign: CampaignId, seq: Seq) {
        tampering::requeued();
        self.resume((campaign, seq));
    }

    fn resume(&self, thing: (CampaignId, Seq)) {
        self.with(|memory| memory.pauses.forget(&thing));
    }
}

/// Whether `last` is less than so long ago. A time to come is not: the clock was set back.
fn is_within(pause: i64, last: i64, now: i64) -> bool {
    (0..pause).contains(&now.saturating_sub(last))
}

/// Whether nothing can be due in a campaign that is over.
fn is_at_rest(state: &Campaign, now: i64) -> bool {
    let is_over = matches!(state.state(), State::PaidOut | State::Cancelled);
    is_over
        && !state.in_flight().is_positive()
        // What the fold calls free does not count money that came after its last run, and there is no
        // other run in a campaign that is over.
        && !(state.is_refundable(now) && state.balance(Account::CampaignFunds).is_positive())
        && state.enrollments().iter().all(|enrollment| enrollment.unclaimed_left.is_zero())
        && state.deposits().values().all(is_quiet)
}

/// Whether nothing is awaited of a deposit. Only an event says that one was paid after it had failed.
fn is_quiet(deposit: &Deposit) -> bool {
    let is_booked = deposit.settled && deposit.cases.iter().all(|case| !case.open);
    deposit.status == DepositStatus::Failed || deposit.is_advance || is_booked
}
