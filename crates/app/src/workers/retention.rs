//! What is forgotten because its time is over, and who is erased because nothing is owed any more.

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::time::DAY_MS;
use sponsorhub_store::registry::Forgotten;
use sponsorhub_store::{Change, Rule};

use super::{PAGE, Workers, is_within};
use crate::deposits::MoneyError;
use crate::{inbox, people};

/// How often something is forgotten, milliseconds.
const FORGET_EVERY_MS: i64 = 3_600_000;

/// How often it is looked whether somebody who is to be erased is owed nothing any more, milliseconds.
const ERASE_EVERY_MS: i64 = 60_000;

/// How long a campaign's dedup key is kept after its end, milliseconds: 24 months. Nobody reports or
/// disputes an order that old, and without the key nobody can tell what order an entry is about.
pub const DEDUP_KEY_MS: i64 = 731 * DAY_MS;

/// How long the access log is kept, milliseconds: 13 months, so that it still answers for a year's books
/// when they are closed.
pub const ACCESS_MS: i64 = 396 * DAY_MS;

/// How long deliveries of webhooks are kept that wait no more, milliseconds: as long as the payment
/// provider lists its own events.
pub const DELIVERIES_MS: i64 = 30 * DAY_MS;

/// How long it is remembered that a user left, milliseconds: a week, where tokens are valid for minutes.
pub(super) const DEPARTURES_MS: i64 = 7 * DAY_MS;

/// Entries that are looked through at a time.
const SCANNED: usize = 4_096;

impl Workers {
    /// Forgets and erases what is due.
    pub(super) fn retain(&self, now: i64) -> usize {
        let mut done = 0;
        let last = self.with(|memory| memory.erased_at);
        if !last.is_some_and(|last| is_within(ERASE_EVERY_MS, last, now)) {
            self.with(|memory| memory.erased_at = Some(now));
            let erased = people::erase_waiting(&self.desk, now).map_err(MoneyError::from);
            done += self.note("erasure", now, erased);
        }
        let last = self.with(|memory| memory.forgot_at);
        if !last.is_some_and(|last| is_within(FORGET_EVERY_MS, last, now)) {
            self.with(|memory| memory.forgot_at = Some(now));
            done += self.note("forget", now, self.forget(now));
            done += self.note("dedup_keys", now, self.destroy_keys(now));
        }
        done
    }

    fn forget(&self, now: i64) -> Result<usize, MoneyError> {
        inbox::forget(&self.desk, now)?;
        let before = Forgotten {
            accesses: now.saturating_sub(ACCESS_MS),
            deliveries: now.saturating_sub(DELIVERIES_MS),
            departures: now.saturating_sub(DEPARTURES_MS),
        };
        if self.desk.registry(|registry| registry.remembers(before))? {
            self.desk.record(Change::Forget(before), None)?;
        }
        Ok(0)
    }

    /// Destroys the dedup keys of campaigns that are over for long enough. How many.
    fn destroy_keys(&self, now: i64) -> Result<usize, MoneyError> {
        let (mut destroyed, mut after) = (0, 0);
        loop {
            let page = self.desk.read(|reader| reader.campaigns(after, PAGE))?;
            for listed in &page {
                after = listed.no;
                destroyed += usize::from(self.destroy_key(listed.campaign, now)?);
            }
            if page.len() < PAGE {
                return Ok(destroyed);
            }
        }
    }

    fn destroy_key(&self, id: CampaignId, now: i64) -> Result<bool, MoneyError> {
        let key = self.desk.registry(|registry| registry.campaign_key(id))?;
        if key.is_none_or(|key| key.wrapped.is_none()) {
            return Ok(false);
        }
        let ended = self.desk.look(id, |state| {
            let is_over = matches!(state.state(), State::PaidOut | State::Cancelled);
            is_over.then(|| (state.ended_at(), state.head()))
        })?;
        let Some((ended_at, head)) = ended else { return Ok(false) };
        // It was not over before it ended, so most ledgers need not be read.
        if ended_at.is_some_and(|at| now.saturating_sub(at) < DEDUP_KEY_MS) {
            return Ok(false);
        }
        let known = self.with(|memory| memory.over_since.get(&id).copied());
        let since = match known {
            Some(since) => since,
            None => self.over_since(id, head)?,
        };
        self.with(|memory| memory.over_since.insert(id, since));
        if now.saturating_sub(since) < DEDUP_KEY_MS {
            return Ok(false);
        }
        let destroy = Change::DestroyCampaignKey { campaign: id, at: now };
        self.desk.record(destroy, Some(Rule::CampaignKeyKnown))?;
        tracing::info!(%id, "the dedup key of a campaign was destroyed: it is over for 24 months");
        Ok(true)
    }

    /// When a campaign that is over came to that: the last state stays, so it is the last change of it.
    fn over_since(&self, id: CampaignId, head: Seq) -> Result<i64, MoneyError> {
        let (mut since, mut from) = (i64::MAX, 1);
        while from <= head {
            self.desk.read(|reader| {
                reader.scan(id, from, SCANNED, &mut |row| {
                    from = row.seq;
                    if row.kind == Kind::CampaignStateChanged {
                        since = row.at;
                    }
                })
            })?;
            from += 1;
        }
        Ok(since)
    }
}
