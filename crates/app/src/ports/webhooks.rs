//! Calling the addresses of strangers: what is asked of whoever sends webhooks.

use super::Later;

/// An address that is not called, and what would be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressRefused(pub &'static str);

/// What came of a sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer with this status.
    Status(u16),
    /// The address leads where nobody may be called; nobody was.
    Refused(AddressRefused),
    /// No answer in time.
    TimedOut,
    /// No connection, or one that broke off.
    Unreachable,
}

/// Sends webhooks. Whoever gave the address may want to reach something else by it: this machine, or
/// what only it can reach. So an address is checked when it is given, and again where it leads whenever
/// it is called.
pub trait WebhookClient: Send + Sync + std::fmt::Debug {
    /// Refuses an address that can be seen to be none to call, by its text alone.
    ///
    /// # Errors
    /// [`AddressRefused`] says what would be accepted.
    fn check(&self, url: &str) -> Result<(), AddressRefused>;

    /// Sends a JSON body once, with these headers. Redirects are answers like others.
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> Later<'a, Heard>;
}
