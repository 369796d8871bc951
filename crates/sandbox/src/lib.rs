//! The other end of every wire that the product speaks: a payment provider in the manner of
//! Stripe, an issuer of session tokens in the manner of Clerk, and a shop. All of it has state, its
//! own clock, and faults that can be switched on.
//!
//! It judges the product, so it knows nothing of it: it depends on no package of the workspace and
//! keeps its own account of what really moved. It is judged itself by the official clients of those
//! who are imitated (`judges/`).
//!
//! [`Sandbox::start`] opens it on a port; everything that the control API does (`/_control/…`, see
//! `control.rs`) a test in the same process does with the [`Sandbox`].
//!
//! State lives as long as the process. RSA keys and signatures are those of aws-lc-rs: it makes
//! keys as well as signing with them, and the `rsa` crate has a timing side channel without a fix.
//! Requests that the sandbox makes itself (webhooks, reports of the shop) are plain HTTP over
//! hyper, which is there already: both ends are on one machine.

mod chance;
mod client;
mod clock;
mod control;
mod deliver;
mod edge;
mod faults;
mod html;
mod sandbox;

mod stripe;

mod clerk;

mod shop;

pub use clerk::{Issued, Organisation, TokenWanted};
pub use clock::{ClockMode, ClockRefusal, ClockStart};
pub use faults::{Fault, FaultLine};
pub use sandbox::{Options, Registered, Running, Sandbox};
pub use shop::{Order, Reported, ShopRefund, ShopSettings};
pub use stripe::mishaps::{Mishap, MishapLine};
pub use stripe::onboarding::{Capability, Standing};
pub use stripe::payment::{CheckoutRefusal, Method, Outcome};
pub use stripe::webhooks::{Retries, WebhookEndpoint};
