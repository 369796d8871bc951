//! Use cases and what they need of the world. Knows no database and no HTTP.
//!
//! In the order of an event: [`redirect`] answers a visit, [`intake`] takes a report in, [`desk`] carries
//! commands out, [`campaigns`] has those of brands and creators, [`audit`] derives everything again,
//! [`what_if`] asks the same fold about [`orders`] of the past.

pub mod ports;

pub mod keyring_file;

pub mod api_keys;

pub mod agents;

pub mod velocity;

pub mod receipts;

pub mod catalog;

pub mod redirect;

pub mod intake;

pub mod desk;

pub mod campaigns;

pub mod deposits;

pub mod recipients;

pub mod fees;

pub mod earnings;

pub mod money_map;

pub mod inbox;

pub mod approvals;

pub mod operators;

pub mod people;

pub mod workers;

pub mod webhooks;

pub mod planted;

pub mod audit;

pub mod reading;

pub mod orders;

pub mod what_if;
