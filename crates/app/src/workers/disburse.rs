//! Payouts on their way: attempt in the ledger, transfer at the provider, outcome in the ledger.
//!
//! At most one transfer per payout, for ever (INV-3). The attempt and its key are durable before the
//! call. No answer leaves it unknown: then the transfer is looked up, and only where it is not there the
//! same key is sent again. Once the provider may have forgotten the key, what is not there has failed.
//! The look-up is what holds when a clock was wrong, and also before a refusal that follows a doubt is
//! believed.

use std::collections::HashSet;

use sponsorhub_core::disbursement::{DisbursementState, Outcome as Recorded};
use sponsorhub_core::ids::{CampaignId, EnrollmentId, Seq};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;

use super::{ABSENT_MS, SAME_KEY_MS, Workers, tampering};
use crate::deposits::{Booked, MoneyError};
use crate::desk::{CommandError, Desk};
use crate::ports::payment::{Transfer, TransferOrder};
use crate::ports::{Outcome, ProviderError};
use crate::recipients;

/// Stands for the comparison among the things of a campaign that may wait.
const COMPARING: Seq = Seq::MAX;

/// A payout whose money has not arrived.
#[derive(Clone, Debug)]
struct Open {
    id: CampaignId,
    payout: Seq,
    enrollment: EnrollmentId,
    amount: Minor,
    currency: Currency,
    deposit: Seq,
    /// Whether it is the operator's own money that backs it.
    is_advance: bool,
    state: DisbursementState,
    attempt: u32,
    attempted_at: i64,
}

/// The idempotency key of an attempt. Frozen: it is in the ledger.
pub fn attempt_key(campaign: CampaignId, payout: Seq, attempt: u32) -> String {
    format!("payout:{campaign}:{payout}:a{attempt}")
}

/// By which the transfer of a payout is found again at the provider, whatever the attempt.
pub fn payout_reference(campaign: CampaignId, payout: Seq) -> String {
    format!("{campaign}:{payout}")
}

/// Books that a transfer came back: what it had paid is owed again.
///
/// # Errors
/// [`MoneyError`].
pub fn came_back(desk: &Desk, seen: &Transfer, now: i64) -> Result<Booked, MoneyError> {
    let named = seen.payout.as_ref().and_then(|name| name.split_once(':'));
    let named = named.and_then(|(id, seq)| Some((id.parse().ok()?, seq.parse().ok()?)));
    let Some((id, payout)): Option<(CampaignId, Seq)> = named else {
        return Ok(Booked::Unexpected);
    };
    if seen.reversed.is_zero() {
        return Ok(Booked::Nothing);
    }
    let booked = desk.command(id, now, |draft| {
        let known = draft.campaign().payouts().get(&payout).map(|one| (one.state, one.amount));
        match known {
            None => Ok(Booked::Unexpected),
            Some((DisbursementState::Paid, amount)) if amount == seen.reversed => {
                draft.reverse_transfer(payout, "reversed at the provider".to_owned())?;
                Ok(Booked::CameBack(payout))
            }
            Some((DisbursementState::Paid, amount)) => {
                let (transfer, part) = (&seen.id, seen.reversed);
                Ok(Booked::Review(format!("{part} of {amount} came back from {transfer}")))
            }
            // Whoever finds the transfer first looks at this as well.
            Some(_) => Ok(Booked::Nothing),
        }
    });
    match booked {
        Err(CommandError::UnknownCampaign(_)) => Ok(Booked::Unexpected),
        other => Ok(other?),
    }
}

impl Workers {
    /// Sends what is planned and finds out what became of what was sent; how many things were
    /// recorded.
    pub(super) async fn disburse(&self, id: CampaignId, now: i64) -> Result<usize, MoneyError> {
        let open = self.open_payouts(id)?;
        if open.is_empty() {
            return Ok(0);
        }
        self.compare(id, now).await?;
        let recipients = recipients::of_campaign(&self.desk, id)?;
        let (mut done, mut failed) = (0, None);
        for open in open {
            let Some(recipient) = recipients.get(&open.enrollment) else { continue };
            let thing = (id, open.payout);
            if !self.is_due(thing, now) {
                continue;
            }
            match self.move_on(open, &recipient.account, now).await {
                Ok(true) => {
                    done += 1;
                    self.resume(thing);
                }
                Ok(false) => self.pause(thing, now),
                Err(error) => {
                    self.pause(thing, now);
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if done == 0 => Err(error),
            _ => Ok(done),
        }
    }

    /// Before the first payout of a campaign since this process started: every transfer at the provider
    /// must be in the ledger. A ledger from a backup that is older than its last transfer has forgotten
    /// it, and would pay the same earnings under another name (INV-3). Then a person must look.
    async fn compare(&self, id: CampaignId, now: i64) -> Result<(), MoneyError> {
        let thing = (id, COMPARING);
        if self.with(|memory| memory.compared.contains(&id)) {
            return Ok(());
        }
        let problem =
            |what: String| MoneyError::from(ProviderError::Unusable { what, request: None });
        if !self.is_due(thing, now) {
            return Err(problem(format!("{id} waits: its transfers are not compared yet")));
        }
        self.pause(thing, now);
        let there = self.provider.transfers_of(id).await?;
        let known: HashSet<String> = self.desk.look(id, |state| {
            use DisbursementState::{Attempted, Paid, Reversed, Unknown};
            let sent = state
                .payouts()
                .iter()
                .filter(|(_, one)| matches!(one.state, Attempted | Unknown | Paid | Reversed));
            sent.map(|(seq, _)| payout_reference(id, *seq)).collect()
        })?;
        let is_known =
            |transfer: &Transfer| transfer.payout.as_ref().is_some_and(|one| known.contains(one));
        if let Some(strange) = there.iter().find(|transfer| !is_known(transfer)) {
            let strange = &strange.id;
            return Err(problem(format!(
                "{strange} was transferred for {id} and is not in its ledger, which may be an old \
                 copy; nothing is paid from it"
            )));
        }
        self.resume(thing);
        self.with(|memory| memory.compared.insert(id));
        Ok(())
    }

    fn open_payouts(&self, id: CampaignId) -> Result<Vec<Open>, MoneyError> {
        let open = self.desk.look(id, |state| {
            let payouts = state.payouts().iter().filter(|(_, payout)| {
                use DisbursementState::{Attempted, Failed, Planned, Unknown};
                matches!(payout.state, Planned | Failed | Attempted | Unknown)
            });
            let open = payouts.map(|(seq, payout)| Open {
                id,
                payout: *seq,
                enrollment: state.enrollment(payout.enrollment).id,
                amount: payout.amount,
                currency: state.terms().currency,
                deposit: payout.deposit,
                is_advance: state.deposits().get(&payout.deposit).is_some_and(|d| d.is_advance),
                state: payout.state,
                attempt: payout.attempts,
                attempted_at: payout.attempted_at,
            });
            open.collect()
        })?;
        Ok(open)
    }

    /// One step of one payout; whether it is paid or a definite no now.
    async fn move_on(&self, mut open: Open, account: &str, now: i64) -> Result<bool, MoneyError> {
        use DisbursementState::{Failed, Planned};
        if matches!(open.state, Planned | Failed) {
            if !self.begin(&mut open, account, now).await? {
                return Ok(false);
            }
        } else if let Some(is_paid) = self.settle_doubt(&open, account, now).await? {
            return Ok(is_paid);
        }
        self.send(&open, account, now).await
    }

    /// Puts the next attempt into the ledger. Not if it must wait for its turn.
    async fn begin(&self, open: &mut Open, account: &str, now: i64) -> Result<bool, MoneyError> {
        // What the provider said last may have changed since.
        let fresh = recipients::refresh(&self.desk, &*self.provider, account, now).await?;
        if !fresh.is_some_and(|fresh| fresh.may_receive) {
            return Ok(false);
        }
        open.attempt = open.attempt.saturating_add(1);
        let key = attempt_key(open.id, open.payout, open.attempt);
        let attempt = self
            .desk
            .command(open.id, now, |draft| draft.attempt(open.payout, key.clone(), &|_| true));
        match attempt {
            // Others' money is still on its way.
            Err(CommandError::Refused(Refusal::Cash { .. })) => return Ok(false),
            other => other?,
        }
        (open.state, open.attempted_at) = (DisbursementState::Planned, now);
        Ok(true)
    }

    /// Looks for the transfer of an attempt whose outcome nobody knows. None: it is not there, and the
    /// same key may be sent again. Whatever the clocks say of the key's age, what has arrived is not sent
    /// again.
    async fn settle_doubt(
        &self,
        open: &Open,
        account: &str,
        now: i64,
    ) -> Result<Option<bool>, MoneyError> {
        let is_old = now.saturating_sub(open.attempted_at) > SAME_KEY_MS;
        if !tampering::skips_look_up(is_old) {
            let payout = payout_reference(open.id, open.payout);
            if let Some(found) = self.provider.find_transfer(open.id, account, &payout).await? {
                return self.found(open, &found, now).map(Some);
            }
            if is_old && self.missing_for((open.id, open.payout)) < ABSENT_MS {
                return Ok(Some(false));
            }
        }
        if is_old {
            self.record(open, &Recorded::Failed("not_found".to_owned()), now)?;
            return Ok(Some(false));
        }
        Ok(None)
    }

    /// Sends the transfer of the attempt that is in the ledger.
    async fn send(&self, open: &Open, account: &str, now: i64) -> Result<bool, MoneyError> {
        use DisbursementState::{Attempted, Unknown};
        let id = open.id;
        let backing = if open.is_advance { None } else { self.charge(id, open.deposit).await? };
        let mut order = TransferOrder {
            recipient: account.to_owned(),
            amount: open.amount,
            currency: open.currency,
            backing,
            group: id,
            payout: payout_reference(id, open.payout),
            key: attempt_key(id, open.payout, open.attempt),
            until: open.attempted_at.saturating_add(SAME_KEY_MS),
        };
        tampering::with(&mut order, &self.desk, now)?;
        // That it was missing before says nothing about what is sent now.
        self.with(|memory| memory.missing_since.remove(&(id, open.payout)));
        let was_in_doubt = matches!(open.state, Attempted | Unknown);
        let outcome = self.provider.transfer(&order).await;
        self.keep((id, open.payout), &order.key, &outcome, now);
        match outcome {
            Outcome::Done { id: transfer, amount, .. } => {
                self.arrived(open, (transfer, amount), now)
            }
            Outcome::Refused { code, .. } if was_in_doubt => {
                self.look_up(open, account, &code, now).await
            }
            Outcome::Refused { code, message, request } => {
                tracing::warn!(%id, payout = open.payout, code, message, ?request, "transfer refused");
                self.record(open, &Recorded::Failed(code), now)?;
                // A further attempt is made after a pause.
                Ok(false)
            }
            Outcome::Unknown { why, request } => {
                let gives_back = tampering::gives_back(&why);
                // By which the provider's support finds the exchange.
                let why = request.map_or(why.clone(), |request| format!("{why} ({request})"));
                if open.state != Unknown {
                    self.record(open, &Recorded::Unknown(why), now)?;
                }
                if gives_back {
                    tampering::give_back(&self.desk, (id, open.payout, open.attempt), now)?;
                    drop(self.provider.transfer(&order).await);
                }
                Ok(false)
            }
        }
    }

    /// Asks the provider whether the money moved; if not, that is a definite no by this code.
    async fn look_up(
        &self,
        open: &Open,
        account: &str,
        code: &str,
        now: i64,
    ) -> Result<bool, MoneyError> {
        let payout = payout_reference(open.id, open.payout);
        let found = self.provider.find_transfer(open.id, account, &payout).await?;
        if let Some(found) = found {
            return self.found(open, &found, now);
        }
        self.record(open, &Recorded::Failed(code.to_owned()), now)?;
        Ok(false)
    }

    /// A transfer is there, and may have come back since.
    fn found(&self, open: &Open, found: &Transfer, now: i64) -> Result<bool, MoneyError> {
        let is_paid = self.arrived(open, (found.id.clone(), found.amount), now)?;
        if let Booked::Review(what) = came_back(&self.desk, found, now)? {
            tracing::error!(id = %open.id, payout = open.payout, what, "a transfer needs a person");
        }
        Ok(is_paid)
    }

    fn arrived(
        &self,
        open: &Open,
        (transfer, amount): (String, Minor),
        now: i64,
    ) -> Result<bool, MoneyError> {
        if amount != open.amount {
            tracing::error!(id = %open.id, payout = open.payout, transfer, %amount, ordered = %open.amount,
                "a transfer has another amount than its payout: needs a person");
            if open.state != DisbursementState::Unknown {
                let why = format!("{transfer} moved {amount}");
                self.record(open, &Recorded::Unknown(why), now)?;
            }
            return Ok(false);
        }
        self.record(open, &Recorded::Paid(transfer), now)?;
        Ok(true)
    }

    /// Records an outcome. That somebody recorded it meanwhile is no error.
    fn record(&self, open: &Open, outcome: &Recorded, now: i64) -> Result<(), MoneyError> {
        self.desk.command(open.id, now, |draft| {
            let known = draft.campaign().payouts().get(&open.payout);
            let is_open = known.is_some_and(|payout| {
                use DisbursementState::{Attempted, Unknown};
                let waits = match outcome {
                    Recorded::Unknown(_) => payout.state == Attempted,
                    _ => matches!(payout.state, Attempted | Unknown),
                };
                waits && payout.attempts == open.attempt
            });
            if is_open {
                draft.record_outcome(open.payout, open.attempt, outcome.clone())?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
