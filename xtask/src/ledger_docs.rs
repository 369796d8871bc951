//! Renders docs/ledger.md: one worked example per entry kind, from the golden files of the core.
