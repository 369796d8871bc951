//! The yardstick of batches: the same entry bytes into one table without anything else.

use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_store::{Reader as _, open_read_only};

const BATCH: usize = 8_192;

/// Entries that the intake made.
pub(crate) fn entries(data: &Path, campaign: CampaignId, most: usize) -> Vec<Vec<u8>> {
    let mut reader = open_read_only(data).expect("a store");
    let entries = reader.entries(campaign, 100, most).expect("readable");
    assert!(entries.len() > 10_000, "reports were taken in before");
    entries
}

/// Entries a second.
pub(crate) fn insert(entries: &[Vec<u8>]) -> f64 {
    let directory = crate::machine::directory();
    let connection = Connection::open(directory.path().join("plain.db")).expect("a new database");
    connection
        .execute_batch(
            "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;
             CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB);",
        )
        .expect("pragmas");
    let started = Instant::now();
    let mut id = 0_i64;
    for lot in entries.chunks(BATCH) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begins");
        let mut insert = connection.prepare_cached("INSERT INTO t VALUES (?1, ?2)").expect("valid");
        for bytes in lot {
            id += 1;
            insert.execute((id, &bytes[..])).expect("inserts");
        }
        connection.execute_batch("COMMIT").expect("commits");
    }
    let count = u32::try_from(entries.len()).expect("thousands");
    f64::from(count) / started.elapsed().as_secs_f64()
}
