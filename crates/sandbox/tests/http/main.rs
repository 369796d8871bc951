//! A sandbox over HTTP, as the product and its drivers meet it.

mod world;

mod clock_and_pages;
mod connect;
mod deposits;
mod faults;
mod identity;
mod requests;
mod shop;
mod webhooks;
