//! Destinations: where a link leads. Only an address on a host that the brand listed becomes a
//! [`Destination`], and only a [`Destination`] is redirected to.
//!
//! Addresses are read by the `url` crate, because it follows the same standard as browsers do: the
//! host that is checked is the host that a browser will visit. A reader of our own would differ from
//! browsers somewhere, and that difference is an open redirect. What a browser would merely repair
//! (backslashes, missing slashes, control characters, blanks) is refused before it is read.
//!
//! A list entry names one host and no other, `shop.example`; `*.shop.example` stands for every
//! subdomain at any depth and not for `shop.example` itself. A port other than 443 must be in the
//! entry: `shop.example:8443`. Entries are not compared with the list of public suffixes, so whoever
//! lists `*.co.example` means it. In the sandbox http to this machine is a destination without being
//! listed, on any port.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url, form_urlencoded};

use super::keys::Mode;

/// Longest address, before and after it is brought into its canonical form.
pub const URL_MAX: usize = 2_048;

/// Longest name of a parameter.
pub const PARAMETER_MAX: usize = 32;

/// Why an address, a list entry or a parameter name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Longer than [`URL_MAX`].
    #[error("a destination has at most {URL_MAX} characters")]
    Length,
    /// A control character, a blank or a backslash.
    #[error("a destination has no blanks, control characters or backslashes")]
    Character,
    /// Not `https://` followed by a host.
    #[error("a destination begins with https:// and a host")]
    Scheme,
    /// Not an address.
    #[error("not an address")]
    Malformed,
    /// A user name or password in it.
    #[error("a destination names no user and no password")]
    User,
    /// A host, or a port of it, that the brand did not list.
    #[error("the brand did not list this host and port")]
    Host,
    /// Not the name of a host as a list holds it.
    #[error("list a host as `shop.example`, `*.shop.example` or `shop.example:8443`")]
    ListEntry,
    /// Not the name of a parameter.
    #[error("a parameter's name has 1 to {PARAMETER_MAX} of a-z, A-Z, 0-9, _ and -")]
    Parameter,
}

impl DestinationError {
    /// The stable code, part of the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "destination_length",
            Self::Character => "destination_character",
            Self::Scheme => "destination_scheme",
            Self::Malformed => "destination_malformed",
            Self::User => "destination_user",
            Self::Host => "destination_host",
            Self::ListEntry => "destination_list_entry",
            Self::Parameter => "destination_parameter",
        }
    }
}

/// An entry of a brand's list of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// In the form in which `url` gives hosts: lower case, other scripts as `xn--`.
    host: String,
    with_subdomains: bool,
    port: u16,
}

impl FromStr for AllowedHost {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let refused = DestinationError::ListEntry;
        let (with_subdomains, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, port) = match rest.split_once(':') {
            Some((name, port)) => (name, decimal(port).ok_or(refused)?),
            None => (rest, 443),
        };
        let Ok(Host::Domain(host)) = Host::parse(name) else { return Err(refused) };
        // One spelling each: what `url` had to repair was not the name of a host.
        let is_name = name.is_ascii() && host == name.to_ascii_lowercase();
        let has_labels = host.contains('.') && !host.split('.').any(str::is_empty);
        if !is_name || !has_labels || host.contains('*') {
            return Err(refused);
        }
        Ok(Self { host, with_subdomains, port })
    }
}

/// A port without leading zeroes, and not 0.
fn decimal(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| *port != 0 && port.to_string() == text)
}

impl AllowedHost {
    fn allows(&self, host: &str, port: u16) -> bool {
        let is_host = if self.with_subdomains {
            let below = host.strip_suffix(&self.host);
            below.and_then(|below| below.strip_suffix('.')).is_some_and(|label| !label.is_empty())
        } else {
            host == self.host
        };
        is_host && port == self.port
    }
}

/// The name of the parameter that carries the click token to the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterName(String);

impl Default for ParameterName {
    fn default() -> Self {
        Self("sh_click".to_owned())
    }
}

impl FromStr for ParameterName {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=PARAMETER_MAX).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DestinationError::Parameter)
        }
    }
}

/// An address that a visitor may be sent to, in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(Url);

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Destination {
    /// Reads an address and checks it against the hosts that the brand listed.
    ///
    /// # Errors
    /// [`DestinationError`] names the rule that says no.
    pub fn try_new(
        url: &str,
        allowed_hosts: &[AllowedHost],
        mode: Mode,
    ) -> Result<Self, DestinationError> {
        if url.len() > URL_MAX {
            return Err(DestinationError::Length);
        }
        if url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(DestinationError::Character);
        }
        let is_http = has_scheme(url, "http://") && mode == Mode::Sandbox;
        if !is_http && !has_scheme(url, "https://") {
            return Err(DestinationError::Scheme);
        }
        // Read before parsing: an empty user name leaves no trace in what is parsed.
        let (_, rest) = url.split_once("://").ok_or(DestinationError::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        match &rest[..end] {
            "" => return Err(DestinationError::Scheme),
            authority if authority.contains('@') => return Err(DestinationError::User),
            _ => {}
        }
        let parsed = Url::parse(url).map_err(|_| DestinationError::Malformed)?;
        if parsed.as_str().len() > URL_MAX {
            return Err(DestinationError::Length);
        }
        let is_allowed =
            if is_http { is_loopback(&parsed) } else { is_listed(&parsed, allowed_hosts) };
        if is_allowed { Ok(Self(parsed)) } else { Err(DestinationError::Host) }
    }

    /// Reads an address that was checked when it was stored.
    ///
    /// # Errors
    /// [`DestinationError`]: it is no address of the web.
    pub fn restore(url: &str) -> Result<Self, DestinationError> {
        let parsed = Url::parse(url).map_err(|_| DestinationError::Malformed)?;
        match parsed.scheme() {
            "https" | "http" => Ok(Self(parsed)),
            _ => Err(DestinationError::Scheme),
        }
    }

    /// The address with the click token in the named parameter, which takes the place of all
    /// parameters of that name. Everything else stays as it is, the fragment at the end.
    pub fn with_click(&self, parameter: &ParameterName, token: &str) -> String {
        let (mut text, after) = self.around_click(parameter);
        // A token has no character that is changed here; anything else cannot break out.
        text.extend(form_urlencoded::byte_serialize(token.as_bytes()));
        text.push_str(&after);
        text
    }

    /// What stands before and behind a click token in [`Destination::with_click`].
    pub fn around_click(&self, parameter: &ParameterName) -> (String, String) {
        let (address, fragment) = match self.0.as_str().split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (self.0.as_str(), None),
        };
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let is_other = |pair: &&str| {
            let mut read = form_urlencoded::parse(pair.as_bytes());
            read.next().is_none_or(|(name, _)| name != parameter.0)
        };
        let mut before = format!("{path}?");
        for pair in query.split('&').filter(|pair| !pair.is_empty()).filter(is_other) {
            before.push_str(pair);
            before.push('&');
        }
        before.push_str(&parameter.0);
        before.push('=');
        (before, fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default())
    }
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_listed(url: &Url, allowed_hosts: &[AllowedHost]) -> bool {
    let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return false;
    };
    allowed_hosts.iter().any(|allowed| allowed.allows(host, port))
}
