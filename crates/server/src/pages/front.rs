//! Where people sign in: a page of the identity provider's script, or that of a sandbox.

use anyhow::{Context as _, Result, ensure};
use data_encoding::{BASE64, BASE64_NOPAD};

use crate::outside::Outside;

/// Where people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// By Clerk's script, which comes from the instance's own host.
    Clerk {
        /// The publishable key.
        key: String,
        /// The host, with nothing around it.
        host: String,
    },
    /// By a form of the sandbox.
    Sandbox {
        /// Its address without a slash at the end.
        base: String,
        /// Whom the page offers.
        people: Vec<Person>,
    },
    /// Nobody said where.
    Nothing,
}

/// Somebody whom the page of a sandbox offers to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// By which the sandbox knows them.
    pub(crate) user: String,
    /// The name of their side.
    pub(crate) side: &'static str,
    /// What they are called.
    pub(crate) name: String,
    /// What is to be seen as them.
    pub(crate) about: String,
}

impl Front {
    /// From the settings. Only a sandbox signs in without a key.
    ///
    /// # Errors
    /// The publishable key is none.
    pub(crate) fn new(outside: &Outside, is_sandbox: bool) -> Result<Self> {
        if let Some(key) = &outside.clerk_publishable_key {
            return Ok(Self::Clerk { key: key.clone(), host: host_of(key)? });
        }
        let issuer = outside.clerk_issuer.as_deref().filter(|_| is_sandbox);
        Ok(issuer.map_or(Self::Nothing, |issuer| Self::Sandbox {
            base: issuer.trim_end_matches('/').to_owned(),
            people: outside.people.clone(),
        }))
    }
}

/// The host behind a publishable key: base64 of the host and a dollar sign.
fn host_of(key: &str) -> Result<String> {
    let what = "SPONSORHUB_CLERK_PUBLISHABLE_KEY is no publishable key";
    let coded = key.strip_prefix("pk_test_").or_else(|| key.strip_prefix("pk_live_"));
    let coded = coded.context(what)?.as_bytes();
    let bytes = BASE64.decode(coded).or_else(|_| BASE64_NOPAD.decode(coded)).context(what)?;
    let host = String::from_utf8(bytes).context(what)?;
    let host = host.strip_suffix('$').context(what)?;
    // It ends up in a header and in the page: a host and nothing else.
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    ensure!(host.contains('.') && host.bytes().all(is_host), what);
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_script_comes_from_the_key_and_is_a_host_only() {
        let key = |text: &str| format!("pk_test_{}", BASE64.encode(text.as_bytes()));
        assert_eq!(host_of(&key("x.clerk.accounts.dev$")).expect("a key"), "x.clerk.accounts.dev");
        let unpadded = key("x.clerk.accounts.dev$").trim_end_matches('=').to_owned();
        assert_eq!(host_of(&unpadded).expect("a key"), "x.clerk.accounts.dev");
        for wrong in [
            "sk_test_abc".to_owned(),
            "pk_test_???".to_owned(),
            key("x.dev"),
            key("nodots$"),
            key("a.dev; script-src *$"),
            key("a.dev/\"><script>$"),
        ] {
            assert!(host_of(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_sandbox_signs_in_without_a_key() {
        let issuer = Some("http://127.0.0.1:8081/".to_owned());
        let outside = Outside { clerk_issuer: issuer, ..Outside::default() };
        let front = Front::new(&outside, true).expect("settings");
        let base = "http://127.0.0.1:8081".to_owned();
        assert_eq!(front, Front::Sandbox { base, people: Vec::new() });
        assert_eq!(Front::new(&outside, false).expect("settings"), Front::Nothing);
    }
}
