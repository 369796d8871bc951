//! Attribution: what a creator shares and a shop hands back, and how it is known to be ours.
//!
//! A link token names campaign and enrollment and cannot be forged; a click token is the signed
//! evidence of one click; a promo code credits without a click. All three are authentic by a MAC
//! under a key of the [`keyring`](keys::Keyring), so nothing has to be looked up to refuse a
//! forgery. Destinations are never carried by a token: they are looked up, and
//! [`Destination`](destination::Destination) is the only maker of an address that a visitor is sent
//! to.
//!
//! Nothing here reads a clock or draws a random byte (INV-13): both are parameters. Nothing here
//! knows the ledger; whether a credited click counts is decided by the campaign's gate.

pub mod keys;

pub mod key_set;

pub mod token;

pub mod link;

pub mod click;

pub mod promo_code;

pub mod slug;

pub mod destination;

pub mod seal;
