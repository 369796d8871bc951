//! Conversions on their way into the ledger: by which key an event enters once, and which events a
//! campaign takes in. Whether the artifact is authentic was decided before, in
//! [`attribution`](crate::attribution).

pub mod dedup;

mod gate;

pub use gate::{Event, Gate, Membership, check_reversed_amount};
