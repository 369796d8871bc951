//! Use cases: what the program does, one file each, on a store that it is given.

pub mod audit;
