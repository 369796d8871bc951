//! The API over HTTP, with a sandbox behind it: who may what, what is done once, and what is told of
//! what is not one's own.

#[path = "../../../sandbox/judges/install.rs"]
mod install;
#[path = "../../../sandbox/judges/python.rs"]
mod python;

mod cast;
mod erasure;
mod schema;
mod search;
mod team;
mod world;

mod access;
mod canary;
mod clerk;
mod deciding;

mod deposits;

mod doctor;

mod faults;

mod idempotency;

mod input;

mod integrators;

mod judged;
mod matrix;

mod operations;

mod orders;

mod oversight;

mod parts;

mod webhooks;
