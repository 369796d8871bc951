//! Which addresses of strangers may be called: none that leads into this machine or its network.
//!
//! An address is looked at twice. Its text is refused where it is no plain https address of a public
//! host. Where it leads is looked at when it is called: a name is resolved, every address that comes
//! back must be public, and exactly those are connected to. There is no second look-up between the
//! check and the connection that could say something else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sponsorhub_app::ports::Later;
use sponsorhub_app::ports::webhooks::AddressRefused;
use url::Host;

/// Longest address, bytes.
const URL_BYTES_MAX: usize = 2_048;

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// What is not public of the old addresses: the registry of special purposes.
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // shared by customers of a carrier
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, and the metadata of clouds
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocols
    v4(192, 0, 2, 24),    // documentation
    v4(192, 88, 99, 24),  // relays of 6to4
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // measurements
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, and broadcast
];

/// The only part of the new addresses that is given out. Outside of it lie loopback, unspecified,
/// unique and link and site local, multicast, and the forms that carry an old address: mapped,
/// compatible, NAT64.
const GIVEN_OUT_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What is not public inside of it.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),     // protocols: Teredo, measurements, overlays
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4, which carries an old address
    v6(0x3fff, 0, 20),     // documentation
];

/// Ends of names that stand for something near.
const NEAR: [&str; 8] =
    ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa"];

/// Whether an address belongs to one host of the public network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GIVEN_OUT_V6.contains(&address)
                && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// What addresses may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// At which ports.
    pub ports: Vec<u16>,
    /// Also this machine by plain http, at any port: for a sandbox, which nobody else speaks to.
    pub loopback: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Self { ports: vec![443, 8_443], loopback: false }
    }
}

/// How an address is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Over TLS, to public addresses only.
    Public,
    /// In plain text, to this machine only.
    Loopback,
}

impl Rule {
    /// Reads an address, or refuses it by its text alone.
    pub(super) fn read(&self, text: &str) -> Result<(Url, Way), AddressRefused> {
        let refused = |fix| Err(AddressRefused(fix));
        if text.len() > URL_BYTES_MAX {
            return refused("at most 2048 bytes");
        }
        // Parsers disagree about all others, and some of those are read as dots and slashes.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return refused("printable ASCII without blanks or backslashes; names as `xn--…`");
        }
        let Ok(url) = text.parse::<Url>() else {
            return refused("an address, like https://shop.example/hooks");
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return refused("no login and no `#` in the address");
        }
        let Some(host) = url.host() else { return refused("an address with a host") };
        if url.scheme() == "http" && self.loopback && is_this_machine(&host) {
            return Ok((url, Way::Loopback));
        }
        if url.scheme() != "https" {
            return refused("must begin with https://");
        }
        if !url.port_or_known_default().is_some_and(|port| self.ports.contains(&port)) {
            return refused("another port is not called; 443 is");
        }
        let is_good = match host {
            Host::Ipv4(address) => is_public(address.into()),
            Host::Ipv6(address) => is_public(address.into()),
            Host::Domain(name) => is_far(name),
        };
        if is_good { Ok((url, Way::Public)) } else { refused("the host must be a public one") }
    }
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => *address == Ipv4Addr::LOCALHOST,
        Host::Ipv6(address) => *address == Ipv6Addr::LOCALHOST,
        Host::Domain(name) => *name == "localhost",
    }
}

/// Whether a name may stand for a public host: one with a dot inside and a last part that is given out.
fn is_far(name: &str) -> bool {
    let is_near = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    name.contains('.') && !name.ends_with('.') && !NEAR.iter().any(|end| is_near(end))
}

/// Where the addresses of a name come from.
pub(super) trait Lookup: Send + Sync + std::fmt::Debug {
    fn lookup(&self, name: String) -> Later<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The operating system's.
#[derive(Debug)]
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> Later<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Resolves names to addresses that are allowed, or to none: one that is not spoils all of them.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) is_allowed: fn(IpAddr) -> bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, is_allowed) = (self.lookup.lookup(name.as_str().to_owned()), self.is_allowed);
        Box::pin(async move {
            let found = found.await?;
            if !found.iter().all(|address| is_allowed(*address)) {
                let fix = "the host's name leads to an address that is not public";
                return Err(AddressRefused(fix).into());
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
