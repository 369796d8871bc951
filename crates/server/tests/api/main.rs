//! The API over HTTP, with a sandbox behind it: who may what, what is done once, and what is told of
//! what is not one's own.

#[path = "../../../sandbox/judges/install.rs"]
mod install;

mod world;

mod access;

mod deposits;

mod faults;

mod idempotency;

mod input;

mod judged;

mod orders;

mod oversight;

mod parts;

mod webhooks;
