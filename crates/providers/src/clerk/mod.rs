//! The identity provider, over Clerk's wire: who sent a session token.
//!
//! `token` reads and checks one, `jwks` knows the keys. The time is a parameter throughout. A
//! token says who somebody was up to a minute ago; whether they may touch money now is asked of
//! the product's own users.

mod jwks;
mod token;
pub mod webhook;

use std::fmt;

use reqwest::{Client, Url};
use sponsorhub_app::ports::{Claims, Identity, IdentityError, Later};
use sponsorhub_core::ledger::event::campaign::Mode;

use crate::http::{AddressError, address};

use jwks::KeyCache;
use token::{Expected, Token};

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct ClerkConfig {
    expected: Expected,
    jwks_url: Url,
}

impl ClerkConfig {
    /// The issuer as it stands in tokens, where its keys are, and the origins of our own pages.
    ///
    /// # Errors
    /// [`AddressError`]: an address that cannot be used, or no origin: without one, a token that was
    /// made for any page would do.
    pub fn try_new(
        issuer: &str,
        jwks_url: &str,
        authorized_parties: &[String],
        mode: Mode,
    ) -> Result<Self, AddressError> {
        let theirs = address("clerk_issuer", issuer, mode)?;
        let jwks_url = address("clerk_jwks_url", jwks_url, mode)?;
        let addresses = [("clerk_issuer", &theirs), ("clerk_jwks_url", &jwks_url)];
        for (setting, url) in addresses {
            if url.scheme() == "http" && !is_loopback(url) {
                let fix = "http:// only on this machine (127.0.0.1, localhost); elsewhere https://";
                return Err(AddressError { setting, fix });
            }
            if mode == Mode::Live && is_development(url) {
                let fix = "a development instance; a live installation needs the production \
                           instance's address";
                return Err(AddressError { setting, fix });
            }
        }
        let is_origin = |party: &String| {
            address("clerk_authorized_parties", party, mode)
                .is_ok_and(|url| url.origin().ascii_serialization() == *party)
        };
        if authorized_parties.is_empty() || !authorized_parties.iter().all(is_origin) {
            let fix = "at least one origin, like https://host, without a slash at the end";
            return Err(AddressError { setting: "clerk_authorized_parties", fix });
        }
        let parties = authorized_parties.to_vec();
        Ok(Self { expected: Expected { issuer: issuer.to_owned(), parties }, jwks_url })
    }
}

/// Whether keys from there come over no network.
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether it is an instance for trying, where anybody may sign up as anybody.
fn is_development(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(".clerk.accounts.dev"))
}

/// The client.
pub struct Clerk {
    expected: Expected,
    keys: KeyCache,
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clerk").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl Clerk {
    /// A client with these settings. It fetches nothing before the first token comes.
    pub fn new(config: ClerkConfig, client: Client) -> Self {
        let ClerkConfig { expected, jwks_url } = config;
        Self { expected, keys: KeyCache::new(client, jwks_url) }
    }

    /// Whether pages of this origin may use session tokens.
    pub fn is_party(&self, origin: &str) -> bool {
        self.expected.parties.iter().any(|party| party == origin)
    }

    async fn check(&self, token: &str, now: i64) -> Result<Claims, IdentityError> {
        let token = Token::read(token)?;
        let key = self.keys.key(&token.kid, now).await?;
        token.open(&key)?.check(&self.expected, now)
    }
}

impl Identity for Clerk {
    fn verify<'a>(&'a self, token: &'a str, now: i64) -> Later<'a, Result<Claims, IdentityError>> {
        Box::pin(self.check(token, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_origin_of_our_own_there_is_no_client() {
        let issuer = "https://clerk.example.com";
        let jwks = "https://clerk.example.com/.well-known/jwks.json";
        let try_new = |parties: &[&str], mode| {
            let parties: Vec<_> = parties.iter().map(|&party| party.to_owned()).collect();
            ClerkConfig::try_new(issuer, jwks, &parties, mode)
        };
        assert!(try_new(&["https://app.example.com"], Mode::Live).is_ok());
        assert!(try_new(&["http://127.0.0.1:8080"], Mode::Sandbox).is_ok());
        for parties in [
            &[][..],
            &[""],
            &["*"],
            &["http://app.example.com"],
            &["https://app.example.com/"],
            &["https://app.example.com", "app.example.com"],
        ] {
            assert!(try_new(parties, Mode::Live).is_err(), "{parties:?}");
        }
    }
}
