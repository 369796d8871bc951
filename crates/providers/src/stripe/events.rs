//! What happened at the provider: the envelope of an event, and the list of them.

use serde::Deserialize;
use serde_json::Value;
use sponsorhub_app::ports::ProviderError;
use sponsorhub_app::ports::payment::{EventPage, ProviderBalance, ProviderEvent};
use sponsorhub_core::money::{Currency, Minor};

use super::Stripe;
use super::answer::{Answer, No};
use super::form::Form;
use super::wire::{
    Balance, BalancePart, BalanceSettings, List, code, mode, ms, read, step, unusable,
};

/// Pages of a hundred back to the oldest event that is kept, thirty days at most.
const PAGES_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
struct Envelope {
    id: String,
    object: String,
    r#type: String,
    created: i64,
    livemode: bool,
    account: Option<String>,
    data: Contents,
}

#[derive(Debug, Deserialize)]
struct Contents {
    object: Value,
}

/// Reads an event's envelope. Of the object inside only ids are taken: what it says may be old.
pub(super) fn event(body: &[u8]) -> Result<ProviderEvent, String> {
    // What the parser says may repeat what stands there.
    let place = |error: serde_json::Error| {
        format!("no event at line {}, column {}", error.line(), error.column())
    };
    let envelope: Envelope = serde_json::from_slice(body).map_err(place)?;
    envelope.open()
}

/// Longest word before an id, letters.
const WORD_MAX: usize = 5;

/// Ids and types are kept, so nothing else may pass for one: an id begins with a short word for its kind.
fn is_id(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=WORD_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let parts = text.split_once('_').filter(|(_, rest)| !rest.is_empty() && text.len() <= 255);
    parts.is_some_and(|(word, rest)| is_word(word) && rest.bytes().all(is_plain))
}

/// Words with full stops between them.
fn is_kind(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(is_plain)
    };
    text.len() <= 100 && text.contains('.') && text.split('.').all(is_word)
}

impl Envelope {
    fn open(self) -> Result<ProviderEvent, String> {
        if self.object != "event" {
            // The thin form of the second API carries no object.
            return Err("not an event of this form".to_owned());
        }
        let are_ids = is_id(&self.id) && self.account.as_deref().is_none_or(is_id);
        if !are_ids || !is_kind(&self.r#type) {
            return Err("its id, type or account is none".to_owned());
        }
        let text = |name: &str| {
            self.data.object.get(name).and_then(Value::as_str).filter(|text| is_id(text))
        };
        let object = text("id").map(str::to_owned);
        let is_payment = text("object") == Some("payment_intent");
        let payment = if is_payment { text("id") } else { text("payment_intent") };
        let payment = payment.map(str::to_owned);
        Ok(ProviderEvent {
            id: self.id,
            kind: self.r#type,
            created_at: ms(self.created),
            is_live: self.livemode,
            recipient: self.account,
            object,
            payment,
        })
    }
}

impl Stripe {
    pub(super) async fn list_events(
        &self,
        cursor: Option<&str>,
    ) -> Result<EventPage, ProviderError> {
        if let Some(cursor) = cursor {
            let form = Form::default().with("ending_before", step("event", cursor)?);
            if let Some(page) = self.event_page(form).await? {
                return page_of(page, Some(cursor));
            }
            tracing::warn!(cursor, "provider: the last event that was read is gone");
        }
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let form = Form::default().with_some("starting_after", after.as_ref());
            let page = self.event_page(form).await?;
            let page = page.ok_or_else(|| unusable("an event vanished while it was read"))?;
            match page.data.last() {
                Some(oldest) if page.has_more => after = Some(oldest.id.clone()),
                // What is newer lies before this page, if there was one.
                _ => {
                    let mut page = page_of(page, cursor)?;
                    page.has_more = after.is_some();
                    return Ok(page);
                }
            }
        }
        Err(unusable("the list of events has no end"))
    }

    /// None where the provider does not know the event that the page begins or ends at.
    async fn event_page(&self, form: Form) -> Result<Option<List<Envelope>>, ProviderError> {
        let answer = self.line.get(&["events"], &form.with("limit", 100)).await;
        if let Answer::No(No { code, .. }) = &answer
            && code == "resource_missing"
        {
            return Ok(None);
        }
        read("events", answer.reply()?).map(Some)
    }

    pub(super) async fn read_balance(&self) -> Result<Vec<ProviderBalance>, ProviderError> {
        let body = self.line.get(&["balance"], &Form::default()).await.reply()?;
        let balance: Balance = read("balance", body)?;
        if mode(self.mode, balance.livemode) != self.mode {
            return Err(unusable("the balance is of another world"));
        }
        let sum = |parts: &[BalancePart], currency| -> Minor {
            let parts = parts.iter().filter(|part| part.currency == code(currency));
            parts.map(|part| part.amount).sum()
        };
        let of = |currency| ProviderBalance {
            currency,
            available: sum(&balance.available, currency),
            pending: sum(&balance.pending, currency),
        };
        Ok(Currency::ALL.into_iter().map(of).collect())
    }
}

impl Stripe {
    /// Without a schedule nothing is paid out by itself.
    pub(super) async fn read_payout_schedule(&self) -> Result<Option<String>, ProviderError> {
        let body = self.line.get(&["balance_settings"], &Form::default()).await.reply()?;
        let settings: BalanceSettings = read("balance settings", body)?;
        let schedule = settings.payments.payouts.and_then(|payouts| payouts.schedule);
        let interval = schedule.and_then(|schedule| schedule.interval);
        Ok(interval.filter(|interval| interval != "manual"))
    }
}

fn page_of(page: List<Envelope>, cursor: Option<&str>) -> Result<EventPage, ProviderError> {
    let newest = page.data.first().map(|event| event.id.clone());
    let events: Result<Vec<_>, _> = page.data.into_iter().rev().map(Envelope::open).collect();
    Ok(EventPage {
        events: events.map_err(unusable)?,
        cursor: newest.or_else(|| cursor.map(str::to_owned)),
        has_more: page.has_more,
    })
}
