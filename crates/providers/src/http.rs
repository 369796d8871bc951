//! The one HTTP client: time limits, no redirects, no repetition that nobody asked for.
//!
//! A redirect would carry a key to an address that nobody configured. A proxy from the environment
//! would do the same, so there is none. Repeating a request is decided by whoever knows what it does.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, Url};
use sponsorhub_core::ledger::event::campaign::Mode;

/// How long a request may take. These are times of sockets, so they are real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the answer is there as a whole.
    pub whole: Duration,
}

impl Default for TimeLimits {
    /// Five seconds to connect, thirty for all. An answer that comes later is an unknown outcome.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(30) }
    }
}

/// Makes the client. Cheap to clone; one is enough for a process.
///
/// # Errors
/// [`reqwest::Error`]: TLS cannot be set up, for example because no root certificates are found.
pub fn client(limits: TimeLimits) -> Result<Client, reqwest::Error> {
    builder(limits).build()
}

/// What every client here begins with.
pub(crate) fn builder(limits: TimeLimits) -> ClientBuilder {
    Client::builder()
        .connect_timeout(limits.connect)
        .timeout(limits.whole)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(concat!("sponsorhub/", env!("CARGO_PKG_VERSION")))
}

/// An address that a setting names cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {fix}")]
pub struct AddressError {
    /// What the setting is called here.
    pub setting: &'static str,
    /// What would be accepted.
    pub fix: &'static str,
}

/// Reads the address of a service. Only the sandbox may be spoken to without TLS.
pub(crate) fn address(setting: &'static str, text: &str, mode: Mode) -> Result<Url, AddressError> {
    let bad = |fix| AddressError { setting, fix };
    let url: Url = text.parse().map_err(|_| bad("must be an address, like https://host"))?;
    let is_plain_allowed = mode == Mode::Sandbox && url.scheme() == "http";
    if url.scheme() != "https" && !is_plain_allowed {
        return Err(bad("must begin with https://"));
    }
    let has_login = !url.username().is_empty() || url.password().is_some();
    if has_login || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must have no login, query or fragment"));
    }
    Ok(url)
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer broke off")]
    Cut(#[source] reqwest::Error),
}

/// Reads a body of at most so many bytes, whatever the other side sends.
pub(crate) async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Cut)? {
        if bytes.len().saturating_add(chunk.len()) > most {
            return Err(BodyError::TooLong(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sandbox_is_spoken_to_without_tls() {
        assert!(address("a", "http://127.0.0.1:1", Mode::Sandbox).is_ok());
        for mode in [Mode::Test, Mode::Live] {
            assert!(address("a", "http://127.0.0.1:1", mode).is_err());
            assert!(address("a", "https://host", mode).is_ok());
        }
        for text in ["", "host", "ftp://host", "https://u@host", "https://host/?a", "https://h#a"] {
            assert!(address("a", text, Mode::Sandbox).is_err(), "{text}");
        }
    }
}
