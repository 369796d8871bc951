//! Endpoints that are told of events, and deliveries to them.
//!
//! Each endpoint gets events one after the other in the order in which they happened; one that it
//! does not take is sent again later, while others go on, so that their order is lost as it is
//! lost in the world. Every attempt is signed anew. What else goes wrong on the way is scripted, see
//! [`super::mishaps`].

use std::collections::VecDeque;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::mishaps::{Mishap, MishapLine, Mishaps};
use super::object::Event;
use super::shelf::Object as _;
use crate::chance::Chance;

/// Somebody who wants to be told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookEndpoint {
    /// Where events are posted to; http only.
    pub url: String,
    /// What they are signed with, as text. Made up by the sandbox where it is empty.
    #[serde(default)]
    pub secret: String,
    /// Whether it is told of connected accounts, or of the platform's own objects.
    #[serde(default)]
    pub connect: bool,
    /// The types that it wants; all where none is said.
    #[serde(default)]
    pub enabled_events: Vec<String>,
}

impl std::fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, connect, enabled_events, .. } = self;
        f.debug_struct("WebhookEndpoint")
            .field("url", url)
            .field("secret", &"***")
            .field("connect", connect)
            .field("enabled_events", enabled_events)
            .finish()
    }
}

impl WebhookEndpoint {
    /// One that wants every event of its kind.
    pub fn new(url: impl Into<String>, secret: impl Into<String>, connect: bool) -> Self {
        Self { url: url.into(), secret: secret.into(), connect, enabled_events: Vec::new() }
    }

    fn wants(&self, r#type: &str, is_connected: bool) -> bool {
        let listed = self.enabled_events.iter().any(|wanted| wanted == r#type || wanted == "*");
        self.connect == is_connected && (self.enabled_events.is_empty() || listed)
    }
}

/// How deliveries are tried again, in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// From the first attempt to the second; doubled each time, up to sixty-four times as long.
    pub first: Duration,
    /// Attempts in all.
    pub attempts_max: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), attempts_max: 12 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting,
    /// Until the clock or other deliveries have moved on.
    Held,
    /// It is never made.
    Lost,
    Delivered,
    GivenUp,
}

#[derive(Debug)]
struct Delivery {
    event: String,
    r#type: &'static str,
    endpoint: usize,
    body: Vec<u8>,
    attempts: u32,
    /// What the endpoint answered last; none where there was no answer.
    last_status: Option<u16>,
    state: State,
}

#[derive(Debug)]
struct Registered {
    id: String,
    endpoint: WebhookEndpoint,
    queue: VecDeque<usize>,
    is_busy: bool,
}

/// What a delivery waits for that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The clock shows this, milliseconds.
    Clock(i64),
    /// So many others of its endpoint went before it.
    Others(u32),
}

#[derive(Debug)]
pub(crate) struct Webhooks {
    endpoints: Vec<Registered>,
    deliveries: Vec<Delivery>,
    held: Vec<(usize, Until)>,
    mishaps: Mishaps,
    chance: Chance,
}

/// One request to be made.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) delivery: usize,
    pub(crate) url: String,
    pub(crate) signature: String,
    pub(crate) body: Vec<u8>,
}

impl Webhooks {
    /// Nobody is told yet. `chance` decides which deliveries a script hits.
    pub(crate) fn new(chance: Chance) -> Self {
        let (endpoints, deliveries, held) = (Vec::new(), Vec::new(), Vec::new());
        Self { endpoints, deliveries, held, mishaps: Mishaps::default(), chance }
    }

    /// Adds an endpoint, or replaces the one of the same address and kind; events from now on.
    pub(crate) fn register(&mut self, id: String, endpoint: WebhookEndpoint) -> String {
        let same = self.endpoints.iter_mut().find(|one| {
            one.endpoint.url == endpoint.url && one.endpoint.connect == endpoint.connect
        });
        if let Some(same) = same {
            same.endpoint = endpoint;
            return same.id.clone();
        }
        let queue = VecDeque::new();
        self.endpoints.push(Registered { id: id.clone(), endpoint, queue, is_busy: false });
        id
    }

    /// Where the endpoint is that was registered first.
    pub(crate) fn first_url(&self) -> Option<String> {
        self.endpoints.first().map(|one| one.endpoint.url.clone())
    }

    /// How many endpoints want such an event.
    pub(crate) fn wanting(&self, r#type: &str, is_connected: bool) -> usize {
        self.endpoints.iter().filter(|one| one.endpoint.wants(r#type, is_connected)).count()
    }

    /// Puts an event into the queues of those who want it, or does with it what the script says.
    pub(crate) fn post(&mut self, event: &Event, now_ms: i64) {
        for endpoint in self.endpoints_for(event) {
            match self.mishaps.take(event.r#type, &mut self.chance) {
                // Whoever lets others pass is let go by them: one at a time, or all would wait for each
                // other and come in their order after all.
                Some(Mishap::Reordered { behind }) if !self.waits_for_others(endpoint) => {
                    self.hold(endpoint, event, Until::Others(behind));
                }
                None | Some(Mishap::Reordered { .. }) => self.queue(endpoint, event),
                Some(Mishap::Doubled) => {
                    self.queue(endpoint, event);
                    self.queue(endpoint, event);
                }
                Some(Mishap::Late { ms }) => {
                    self.hold(endpoint, event, Until::Clock(now_ms.saturating_add(ms)));
                }
                Some(Mishap::Lost) => {
                    self.add(endpoint, event, State::Lost);
                }
            }
        }
    }

    fn waits_for_others(&self, endpoint: usize) -> bool {
        self.held.iter().any(|(delivery, until)| {
            matches!(until, Until::Others(_)) && self.deliveries[*delivery].endpoint == endpoint
        })
    }

    /// Puts an event into the queues of those who want it, whatever the script says.
    pub(crate) fn resend(&mut self, event: &Event) {
        for endpoint in self.endpoints_for(event) {
            self.queue(endpoint, event);
        }
    }

    fn endpoints_for(&self, event: &Event) -> Vec<usize> {
        let is_connected = event.account.is_some();
        let all = self.endpoints.iter().enumerate();
        let wanting = all.filter(|(_, one)| one.endpoint.wants(event.r#type, is_connected));
        wanting.map(|(index, _)| index).collect()
    }

    fn add(&mut self, endpoint: usize, event: &Event, state: State) -> usize {
        // Spread over lines, as the wire has it: whoever checks a copy that it has rendered again
        // fails.
        let body = serde_json::to_vec_pretty(&event.render()).expect("names are texts");
        let (event, r#type) = (event.id.clone(), event.r#type);
        let (attempts, last_status) = (0, None);
        self.deliveries.push(Delivery {
            event,
            r#type,
            endpoint,
            body,
            attempts,
            last_status,
            state,
        });
        self.deliveries.len() - 1
    }

    fn queue(&mut self, endpoint: usize, event: &Event) {
        let delivery = self.add(endpoint, event, State::Waiting);
        self.endpoints[endpoint].queue.push_back(delivery);
        for passed in self.let_pass(endpoint) {
            self.let_go(passed);
        }
    }

    fn hold(&mut self, endpoint: usize, event: &Event, until: Until) {
        let delivery = self.add(endpoint, event, State::Held);
        self.held.push((delivery, until));
    }

    fn let_go(&mut self, delivery: usize) {
        self.deliveries[delivery].state = State::Waiting;
        self.again(delivery);
    }

    /// Another delivery was queued for this endpoint: which of those held have let enough of them pass.
    fn let_pass(&mut self, endpoint: usize) -> Vec<usize> {
        let deliveries = &self.deliveries;
        for (delivery, until) in &mut self.held {
            if let Until::Others(left) = until
                && deliveries[*delivery].endpoint == endpoint
            {
                *left = left.saturating_sub(1);
            }
        }
        let go = self.held.extract_if(.., |(_, until)| *until == Until::Others(0));
        go.map(|(delivery, _)| delivery).collect()
    }

    /// Lets those go whose time has come.
    pub(crate) fn release(&mut self, now_ms: i64) {
        let is_due = |until: &Until| matches!(until, Until::Clock(at) if *at <= now_ms);
        let due: Vec<_> = self.held.extract_if(.., |(_, until)| is_due(until)).collect();
        for (delivery, _) in due {
            self.let_go(delivery);
        }
    }

    /// Adds to the script of what goes wrong.
    pub(crate) fn script(&mut self, lines: Vec<MishapLine>) {
        self.mishaps.script(lines);
    }

    /// What is left of the script, and how much of it has happened.
    pub(crate) fn mishaps(&self) -> &Mishaps {
        &self.mishaps
    }

    /// Forgets what is left of the script and lets go what is held. What is lost stays lost.
    pub(crate) fn clear(&mut self) {
        self.mishaps.clear();
        for (delivery, _) in std::mem::take(&mut self.held) {
            self.let_go(delivery);
        }
    }

    /// What can be sent now: the first in the queue of every endpoint that is not busy.
    pub(crate) fn next(&mut self, now_s: i64) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for one in self.endpoints.iter_mut().filter(|one| !one.is_busy) {
            let Some(index) = one.queue.pop_front() else { continue };
            one.is_busy = true;
            let delivery = &mut self.deliveries[index];
            delivery.attempts += 1;
            attempts.push(Attempt {
                delivery: index,
                url: one.endpoint.url.clone(),
                signature: sign(&one.endpoint.secret, now_s, &delivery.body),
                body: delivery.body.clone(),
            });
        }
        attempts
    }

    /// Notes what came of an attempt; says how long to wait before the next, if there is one.
    pub(crate) fn done(
        &mut self,
        index: usize,
        status: Option<u16>,
        retries: Retries,
    ) -> Option<Duration> {
        let delivery = &mut self.deliveries[index];
        self.endpoints[delivery.endpoint].is_busy = false;
        delivery.last_status = status;
        if status.is_some_and(|status| (200..300).contains(&status)) {
            delivery.state = State::Delivered;
            return None;
        }
        if delivery.attempts >= retries.attempts_max {
            delivery.state = State::GivenUp;
            return None;
        }
        let doublings = delivery.attempts.saturating_sub(1).min(6);
        Some(retries.first.saturating_mul(1 << doublings))
    }

    /// Puts a delivery back at the end of its queue.
    pub(crate) fn again(&mut self, index: usize) {
        let endpoint = self.deliveries[index].endpoint;
        self.endpoints[endpoint].queue.push_back(index);
    }

    /// Whether something could be sent now.
    pub(crate) fn has_work(&self) -> bool {
        self.endpoints.iter().any(|one| !one.is_busy && !one.queue.is_empty())
    }

    /// Whether nothing is left to deliver before the clock or something else moves on.
    pub(crate) fn is_quiet(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.state != State::Waiting)
    }

    /// What became of every delivery, in order.
    pub(crate) fn report(&self) -> Value {
        let one = |delivery: &Delivery| {
            json!({
                "event": delivery.event, "type": delivery.r#type,
                "endpoint": self.endpoints[delivery.endpoint].id,
                "attempts": delivery.attempts, "last_status": delivery.last_status,
                "state": delivery.state,
            })
        };
        let all: Vec<Value> = self.deliveries.iter().map(one).collect();
        json!({ "is_quiet": self.is_quiet(), "deliveries": all })
    }
}

/// `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the secret as text over the time, a full stop, the body.
pub(crate) fn sign(secret: &str, now_s: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now_s}.").as_bytes());
    mac.update(body);
    format!("t={now_s},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests;
