//! Webhooks to strangers: the one client that calls addresses which users gave.
//!
//! It sends and looks at the status. It follows no redirect, takes no proxy from the environment, keeps
//! no connection open, sends nothing twice, and reads little of an answer. Whom it may call is said in
//! `guard`.

mod guard;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};
use sponsorhub_app::ports::webhooks::{AddressRefused, Heard};
use sponsorhub_app::ports::{Later, WebhookClient};

use crate::http::{self, TimeLimits};
pub use guard::Rule;
use guard::{Checked, Lookup, SystemLookup, Way, is_loopback, is_public};

/// As much of an answer as is read, bytes. Nothing of it is kept: only its status counts.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Five seconds to connect, ten for all.
const LIMITS: TimeLimits =
    TimeLimits { connect: Duration::from_secs(5), whole: Duration::from_secs(10) };

/// Calls addresses that users gave, as far as a [`Rule`] allows.
#[derive(Clone, Debug)]
pub struct Outgoing {
    rule: Rule,
    public: Client,
    loopback: Client,
}

/// A client that reaches allowed addresses only.
fn client(
    limits: TimeLimits,
    lookup: &Arc<dyn Lookup>,
    is_allowed: fn(IpAddr) -> bool,
) -> ClientBuilder {
    let resolver = Checked { lookup: Arc::clone(lookup), is_allowed };
    // A connection that is kept would be one that nobody looked at this time.
    http::builder(limits).pool_max_idle_per_host(0).dns_resolver(resolver)
}

impl Outgoing {
    /// Makes the client; nobody is called.
    ///
    /// # Errors
    /// [`reqwest::Error`]: TLS cannot be set up.
    pub fn new(rule: Rule) -> Result<Self, reqwest::Error> {
        Self::with(rule, LIMITS, &(Arc::new(SystemLookup) as Arc<dyn Lookup>))
    }

    fn with(
        rule: Rule,
        limits: TimeLimits,
        lookup: &Arc<dyn Lookup>,
    ) -> Result<Self, reqwest::Error> {
        let public = client(limits, lookup, is_public).https_only(true).build()?;
        let loopback = client(limits, lookup, is_loopback).build()?;
        Ok(Self { rule, public, loopback })
    }

    async fn call(&self, url: &str, headers: &[(&'static str, String)], body: &[u8]) -> Heard {
        let (url, way) = match self.rule.read(url) {
            Ok(read) => read,
            Err(refused) => return Heard::Refused(refused),
        };
        let client = if way == Way::Public { &self.public } else { &self.loopback };
        let mut request = client.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.body(body.to_vec()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                // Read so that the other side can end well; what it says is for nobody here.
                drop(http::body(response, ANSWER_BYTES_MAX).await);
                Heard::Status(status)
            }
            Err(error) => refusal(&error).map_or_else(
                || if error.is_timeout() { Heard::TimedOut } else { Heard::Unreachable },
                Heard::Refused,
            ),
        }
    }
}

/// The refusal behind an error, if that is its cause.
fn refusal(error: &reqwest::Error) -> Option<AddressRefused> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<AddressRefused>() {
            return Some(*refused);
        }
        cause = inner.source();
    }
    None
}

impl WebhookClient for Outgoing {
    fn check(&self, url: &str) -> Result<(), AddressRefused> {
        self.rule.read(url).map(drop)
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> Later<'a, Heard> {
        Box::pin(self.call(url, headers, body))
    }
}

#[cfg(test)]
mod tests;
