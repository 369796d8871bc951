//! Everything that speaks someone else's wire format as their client. Knows no database.
//!
//! Behind the ports of the app: [`stripe`] is the payment provider, [`clerk`] tells who somebody is.
//! Both take the one client that [`http`] configures. [`outgoing`] calls strangers, with a client that
//! reaches nobody inside. What matters in an answer is read strictly
//! (amounts, currency, the world it lives in), what does not is skipped, because others add fields
//! whenever they like.

pub mod http;

pub mod secret;

pub mod stripe;

pub mod clerk;

pub mod outgoing;
