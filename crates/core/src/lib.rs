//! The rules of SponsorHub, in the order in which a dollar travels.
//!
//! Pure: no I/O, no clock, no randomness, no database, no HTTP. Everything that matters to money
//! in a campaign is an entry of that campaign's ledger, and all state is a fold of the ledger by
//! the functions below, so anyone who holds the entries can recompute every payout.

pub mod money;

pub mod ids;

pub mod time;

pub mod actor;

pub mod canonical;

pub mod merkle;

pub mod campaign;

pub mod deposit;

pub mod enrollment;

pub mod attribution;

pub mod verification;

pub mod risk;

pub mod conversion;

pub mod hold;

pub mod ledger;

pub mod rollup;

pub mod payout;

pub mod disbursement;

pub mod refund;

pub mod oversight;

pub mod close;

pub mod refusal;
