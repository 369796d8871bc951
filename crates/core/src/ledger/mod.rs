//! The ledger: entries, accounts, postings and the fold.
//!
//! Read in this order: [`kind`] (what can happen), [`entry`] (its bytes), [`account`] and
//! [`posting`] (what money is), [`records`] and [`folded`] (the state that entries fold into),
//! `apply` (what each kind does to it), [`mod@unit`] and `fold` (how conversions become money under the cap), [`draft`]
//! (how commands make new entries).
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod event;

pub mod kind;

pub mod entry;

pub mod account;

pub mod posting;

pub mod balance;

pub mod error;

pub mod unit;

pub mod state;

pub mod records;

pub mod folded;

mod view;

pub mod glance;

mod fold;

mod apply;

pub mod draft;
