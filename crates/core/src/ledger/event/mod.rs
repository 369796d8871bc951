//! One body type per entry kind, grouped by business event.
//!
//! Field order is the canonical (sorted) order of the JSON: a body is written with its fields as
//! declared and must be in canonical form. `core/golden/v1/` freezes the bytes of one entry per
//! kind; a changed format is a new version with its own decoder, never an edit here.

pub mod campaign;

pub mod deposit;

pub mod enrollment;

pub mod conversion;

pub mod rollup;

pub mod payout;

pub mod oversight;
