//! What the payment provider tells: kept first, answered for, and dealt with afterwards.
//!
//! An event is acknowledged as soon as it is durable. It is known by its id, however often and by
//! whichever way it comes, and dealing with it means reading again what it is about, so the order of
//! events does not matter and a repetition changes nothing.

use sponsorhub_store::registry::{Endpoint, EventState, KeptEvent, ProviderChange};
use sponsorhub_store::{Change, Recorded, Rule};

use crate::deposits::{self, Booked, MoneyError};
use crate::desk::{CommandError, Desk};
use crate::ports::PaymentProvider;
use crate::ports::payment::{PaymentOf, ProviderEvent};
use crate::{recipients, workers};

/// Events that are dealt with in one go.
const AT_ONCE: usize = 64;

/// The first pause before an event is tried again, milliseconds; doubled each time.
const RETRY_FIRST_MS: i64 = 2_000;

/// The longest pause, milliseconds.
const RETRY_LONGEST_MS: i64 = 3_600_000;

/// How long the body of an event stays that an earlier version kept, after it was dealt with,
/// milliseconds: as long as the provider itself lists the event.
const REMEMBERED_MS: i64 = 30 * 86_400_000;

/// Tries after which an event about a deposit that nobody expects is left to a person. Until then the
/// request that opened its page may still be repeated: half a day.
const TRIES_MAX: u32 = 20;

/// Keeps an authentic event, without its body: what it says of a buyer is read again where it is needed,
/// and kept nowhere. Whether it is new.
///
/// # Errors
/// [`CommandError`]: it is not kept; do not acknowledge it.
pub fn receive(
    desk: &Desk,
    endpoint: Endpoint,
    event: &ProviderEvent,
    now: i64,
) -> Result<bool, CommandError> {
    let kept = KeptEvent {
        id: event.id.clone(),
        endpoint,
        kind: event.kind.clone(),
        created_at: event.created_at,
        received_at: now,
        recipient: event.recipient.clone(),
        object: event.object.clone(),
        payment: event.payment.clone(),
        raw: Vec::new(),
        tries: 0,
    };
    let keep = Change::Provider(ProviderChange::KeepEvent(kept));
    match desk.record(keep, None) {
        Ok(Recorded::Done | Recorded::Link { .. } | Recorded::Conflict { .. }) => Ok(true),
        Err(CommandError::Rule(Rule::EventUnique)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Forgets the bodies of events that an earlier version kept and that were dealt with long ago.
///
/// # Errors
/// [`MoneyError`]: the store says no.
pub fn forget(desk: &Desk, now: i64) -> Result<(), MoneyError> {
    let before = now.saturating_sub(REMEMBERED_MS);
    if !desk.registry(|registry| registry.remembers_events(before))? {
        return Ok(());
    }
    desk.record(Change::Provider(ProviderChange::ForgetEvents { before }), None)?;
    Ok(())
}

/// Deals at `now` with events that wait and were to be tried again at `due` or earlier, milliseconds. How many
/// came to an end.
///
/// # Errors
/// [`MoneyError`]: the inbox itself cannot be read or written. What is wrong with an event is kept
/// beside it.
pub async fn deal(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    (now, due): (i64, i64),
) -> Result<usize, MoneyError> {
    let waiting = desk.registry(|registry| registry.waiting_events(due, AT_ONCE))?;
    let mut ended = 0;
    for event in waiting {
        let id = event.id.clone();
        let change = match deal_with(desk, provider, &event, now).await {
            Ok(Booked::Unexpected) if event.tries < TRIES_MAX && is_about_money_in(&event) => {
                let why = Booked::Unexpected.outcome();
                ProviderChange::RetryEvent { id, retry_at: later(now, event.tries), why }
            }
            Ok(booked) => {
                ended += 1;
                if let Booked::Review(what) = &booked {
                    tracing::error!(event = %id, what, "an event needs a person");
                }
                ProviderChange::FinishEvent { id, at: now, outcome: booked.outcome() }
            }
            Err(error) if error.retry() || event.tries < TRIES_MAX => {
                let why = error.to_string();
                tracing::warn!(event = %id, error = %why, "an event will be tried again");
                ProviderChange::RetryEvent { id, retry_at: later(now, event.tries), why }
            }
            Err(error) => {
                ended += 1;
                tracing::error!(event = %id, %error, "an event needs a person");
                let outcome = format!("needs a person: {error}");
                ProviderChange::FinishEvent { id, at: now, outcome }
            }
        };
        desk.record(Change::Provider(change), Some(Rule::EventWaits))?;
    }
    Ok(ended)
}

fn later(now: i64, tries: u32) -> i64 {
    let pause = RETRY_FIRST_MS.saturating_mul(1 << tries.min(20)).min(RETRY_LONGEST_MS);
    now.saturating_add(pause)
}

fn is_about_money_in(event: &KeptEvent) -> bool {
    event.kind.starts_with("checkout.session.")
}

/// Deals once more with an event: reads again what it is about. One that waits is tried at once, one that was
/// dealt with is looked at again; what came of it then stays written beside it, so that nobody can rewrite
/// what was known when. Says what came of it, or none where it waits for the next tick.
///
/// # Errors
/// [`MoneyError`].
pub async fn replay(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    (event, state): (&KeptEvent, &EventState),
    now: i64,
) -> Result<Option<String>, MoneyError> {
    if state.done_at.is_some() {
        return Ok(Some(deal_with(desk, provider, event, now).await?.outcome()));
    }
    let hurry = ProviderChange::HurryEvent { id: event.id.clone(), at: now };
    desk.record(Change::Provider(hurry), Some(Rule::EventWaits))?;
    Ok(None)
}

async fn deal_with(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    event: &KeptEvent,
    now: i64,
) -> Result<Booked, MoneyError> {
    let kind = event.kind.as_str();
    if let (true, Some(session)) = (is_about_money_in(event), &event.object) {
        return deposits::observe(desk, provider, PaymentOf::Session(session), now).await;
    }
    let is_payment =
        ["payment_intent.", "charge.", "refund."].iter().any(|start| kind.starts_with(start));
    if let (true, Some(payment)) = (is_payment, &event.payment) {
        return deposits::observe(desk, provider, PaymentOf::Payment(payment), now).await;
    }
    let is_account = ["account.", "capability."].iter().any(|start| kind.starts_with(start));
    let object = event.object.as_ref().filter(|_| kind.starts_with("account."));
    if let (true, Some(account)) = (is_account, event.recipient.as_ref().or(object)) {
        recipients::refresh(desk, provider, account, now).await?;
    }
    if let ("transfer.reversed", Some(transfer)) = (kind, &event.object) {
        let seen = provider.transfer_seen(transfer).await?;
        return seen.map_or(Ok(Booked::Unexpected), |seen| workers::came_back(desk, &seen, now));
    }
    // Transfers and refunds are followed by the workers that made them.
    Ok(Booked::Nothing)
}
