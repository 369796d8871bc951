//! What use cases ask of the world and do not reach for themselves.

pub mod identity;
pub mod payment;
pub mod webhooks;

use std::pin::Pin;

pub use identity::{Claims, Identity, IdentityError};
pub use payment::{Outcome, PaymentProvider, ProviderError};
pub use webhooks::WebhookClient;

/// An answer that comes later. Boxed, because use cases hold a port as a trait object and an
/// `async fn` would forbid that; one allocation beside a call over the network is nothing.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970. Clocks are set, so this may jump and fall back.
    fn now(&self) -> i64;

    /// Milliseconds since some moment, at the pace of real time whatever the clock is set to. A clock that
    /// nobody sets has one time for both.
    fn steady(&self) -> i64 {
        self.now()
    }
}

/// Where random bytes come from. They end up in salts, click ids and keys, so they must be
/// unguessable.
pub trait Chance: Send + Sync + std::fmt::Debug {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Random bytes of a known number.
pub fn random<const N: usize>(chance: &dyn Chance) -> [u8; N] {
    let mut bytes = [0; N];
    chance.fill(&mut bytes);
    bytes
}
