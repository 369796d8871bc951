//! The campaign: its states and the edges between them, its terms, and the commands that move it.

pub mod state;

pub mod terms;

pub mod lifecycle;
