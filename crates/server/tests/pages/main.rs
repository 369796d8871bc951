//! Pages over HTTP, with a sandbox behind them: who may open which, that forms come from here, that texts
//! stay texts, and what a session that ran out means.

#[path = "../api/cast.rs"]
mod cast;
#[expect(dead_code, reason = "each suite uses its own part of the world")]
#[path = "../api/world.rs"]
mod world;

mod brand;
mod doors;
mod fields;
mod forms;
mod markup;
mod operator;
mod payouts;
mod reader;
mod sessions;
mod shop;
mod story;
mod texts;
mod what_if;
