//! One request to the provider, with as many sendings as its rules for clients allow.
//!
//! A POST is sent again only under the caller's key, byte for byte the same. Pauses are real time:
//! they are about somebody else's load.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Url};
use sponsorhub_app::ports::{Chance, Clock, random};

use crate::http;
use crate::secret::Secret;

use super::answer::{Answer, Heard, judge, unheard};
use super::form::Form;

/// Largest answer that is read, bytes: a page of a hundred events.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// How often a request is sent again, and after which pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Repetitions after the first sending.
    pub most: u32,
    /// The shortest pause, milliseconds.
    pub first_ms: u64,
    /// The longest pause, milliseconds.
    pub longest_ms: u64,
}

impl Default for Repeats {
    /// As the provider's own clients: two more, half a second to five.
    fn default() -> Self {
        Self { most: 2, first_ms: 500, longest_ms: 5_000 }
    }
}

impl Repeats {
    /// For a provider on this machine, whose load is nobody else's.
    pub const SANDBOX: Self = Self { most: 2, first_ms: 20, longest_ms: 100 };

    /// The pause before repetition 1, 2, …: doubled each time up to the longest, then between half
    /// and all of that by chance, so that many do not come back at once; never below the shortest.
    fn pause(self, repetition: u32, chance: [u8; 2]) -> Duration {
        let doublings = repetition.saturating_sub(1).min(32);
        let whole = self.first_ms.saturating_mul(1 << doublings).min(self.longest_ms);
        let share = u64::from(u16::from_be_bytes(chance)) + (1 << 16);
        let pause = whole.saturating_mul(share) >> 17;
        Duration::from_millis(pause.max(self.first_ms))
    }
}

/// What it takes to speak to the provider.
pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) base: Url,
    pub(crate) key: Secret,
    pub(crate) version: String,
    pub(crate) repeats: Repeats,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) clock: Arc<dyn Clock>,
}

struct Request {
    method: Method,
    url: Url,
    body: Option<String>,
    /// The connected account that is asked about.
    account: Option<String>,
    key: Option<String>,
    /// After this the provider may have forgotten the key, milliseconds.
    until: Option<i64>,
}

impl Line {
    /// Asks. Repeated freely: it changes nothing.
    pub(crate) async fn get(&self, path: &[&str], form: &Form) -> Answer {
        self.get_of(None, path, form).await
    }

    /// The same about what a connected account has.
    pub(crate) async fn get_of(&self, account: Option<&str>, path: &[&str], form: &Form) -> Answer {
        let mut url = self.url(path);
        let query = form.encode();
        url.set_query((!query.is_empty()).then_some(&query));
        let account = account.map(str::to_owned);
        let method = Method::GET;
        self.send(&Request { method, url, body: None, account, key: None, until: None }).await
    }

    /// Changes something, under the caller's key; without one it is sent once.
    pub(crate) async fn post(&self, path: &[&str], form: &Form, key: Option<&str>) -> Answer {
        let (url, body) = (self.url(path), Some(form.encode()));
        let (method, key) = (Method::POST, key.map(str::to_owned));
        self.send(&Request { method, url, body, account: None, key, until: None }).await
    }

    /// Moves money, under the caller's key and never after `until`, milliseconds. The clock is asked
    /// before each sending: this machine may have slept since the last, and a key that the provider has
    /// forgotten moves money again.
    pub(crate) async fn move_money(
        &self,
        path: &[&str],
        form: &Form,
        (key, until): (&str, i64),
    ) -> Answer {
        let (url, body) = (self.url(path), Some(form.encode()));
        let (key, until) = (Some(key.to_owned()), Some(until));
        self.send(&Request { method: Method::POST, url, body, account: None, key, until }).await
    }

    /// Below the base address. Steps are ids or names that were checked to have no slash or dot.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    async fn send(&self, request: &Request) -> Answer {
        let may_be_sent_again = request.method == Method::GET || request.key.is_some();
        let mut is_doubtful = false;
        let mut repetition = 0;
        let mut requests = Vec::new();
        loop {
            if request.until.is_some_and(|until| self.clock.now() > until) {
                let why = "the key is too old to be sent".to_owned();
                let request = Some(requests.join(",")).filter(|ids| !ids.is_empty());
                return Answer::Doubt { why, request, may_have_acted: is_doubtful };
            }
            let Heard { mut answer, may_repeat } = self.once(request).await;
            // All of them: money may have moved in any of the exchanges.
            requests.extend(answer.request().take());
            *answer.request() = Some(requests.join(",")).filter(|ids| !ids.is_empty());
            if !may_repeat || !may_be_sent_again || repetition == self.repeats.most {
                return after(answer, is_doubtful);
            }
            if let Answer::Doubt { may_have_acted, .. } = &answer {
                is_doubtful |= may_have_acted;
            }
            repetition += 1;
            tokio::time::sleep(self.repeats.pause(repetition, random(&*self.chance))).await;
        }
    }

    async fn once(&self, request: &Request) -> Heard {
        let Request { method, url, body, account, key, until: _ } = request;
        let mut builder = self
            .client
            .request(method.clone(), url.clone())
            .bearer_auth(self.key.reveal())
            .header("stripe-version", &self.version);
        if let Some(account) = account {
            builder = builder.header("stripe-account", account);
        }
        if let Some(key) = key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(body) = body {
            builder = builder
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.clone());
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => return logged(request, unheard(&error)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let heard = match http::body(response, ANSWER_BYTES_MAX).await {
            Ok(bytes) => judge(status, &headers, &bytes),
            Err(http::BodyError::Cut(error)) => unheard(&error),
            Err(error @ http::BodyError::TooLong(_)) => {
                // An unreadable answer stays unreadable: asking again would only load both sides.
                let mut heard = judge(status, &headers, error.to_string().as_bytes());
                heard.may_repeat = false;
                heard
            }
        };
        logged(request, heard)
    }
}

fn after(answer: Answer, is_doubtful: bool) -> Answer {
    match answer {
        Answer::No(mut no) => {
            no.is_after_doubt = is_doubtful;
            Answer::No(no)
        }
        other => other,
    }
}

/// Notes each exchange by the provider's id of it. Queries and bodies are not noted.
fn logged(request: &Request, heard: Heard) -> Heard {
    let (method, path) = (&request.method, request.url.path());
    match &heard.answer {
        Answer::Yes { request, .. } => tracing::debug!(%method, path, ?request, "provider: yes"),
        Answer::No(no) => {
            let (status, code, request) = (no.status, &no.code, &no.request);
            tracing::info!(%method, path, status, code, ?request, "provider: no");
        }
        Answer::Doubt { why, request, .. } => {
            tracing::warn!(%method, path, why, ?request, "provider: no definite answer");
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_never_below_the_first() {
        let repeats = Repeats::default();
        let ms = |repetition, chance| repeats.pause(repetition, chance).as_millis();
        let least: Vec<_> = (1..=6).map(|n| ms(n, [0, 0])).collect();
        let most: Vec<_> = (1..=6).map(|n| ms(n, [255, 255])).collect();
        assert_eq!(least, [500, 500, 1_000, 2_000, 2_500, 2_500]);
        assert_eq!(most, [500, 999, 1_999, 3_999, 4_999, 4_999]);
        assert_eq!(ms(u32::MAX, [255, 255]), 4_999);
    }
}
