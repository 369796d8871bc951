//! Opening a data directory: its lock, pragmas, whose database it is, migrations.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::lock::Lock;
use crate::error::{Cause, KeyringId, StoreError};

/// Name of the database in the data directory.
const DATABASE: &str = "sponsorhub.db";

/// Locked by the process that owns the directory.
const LOCK: &str = "sponsorhub.lock";

/// "SpHb": marks the file as ours.
const APPLICATION_ID: i64 = 0x5370_4862;

/// By number; a database's `user_version` is how many it has.
const MIGRATIONS: [&str; 12] = [
    include_str!("../../migrations/sqlite/0001_ledger.sql"),
    include_str!("../../migrations/sqlite/0002_registry.sql"),
    include_str!("../../migrations/sqlite/0003_provider.sql"),
    include_str!("../../migrations/sqlite/0004_api.sql"),
    include_str!("../../migrations/sqlite/0005_exchanges.sql"),
    include_str!("../../migrations/sqlite/0006_users.sql"),
    include_str!("../../migrations/sqlite/0007_webhooks_out.sql"),
    include_str!("../../migrations/sqlite/0008_forgotten_events.sql"),
    include_str!("../../migrations/sqlite/0009_access_log.sql"),
    include_str!("../../migrations/sqlite/0010_erasure.sql"),
    include_str!("../../migrations/sqlite/0011_departures.sql"),
    include_str!("../../migrations/sqlite/0012_operations.sql"),
];

const KNOWN: Known = (APPLICATION_ID, MIGRATIONS.len());

/// How long a statement waits for another connection, milliseconds. Readers never make a writer
/// wait in this mode, so it is only for the moments in which a log is recovered.
const BUSY_MS: u64 = 10_000;

/// How long the emptying of the log waits for readers at a time, milliseconds.
const EMPTYING_MS: u64 = 100;

/// How a store is opened. The defaults were measured; see docs/adr/0009.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which keyring goes with the database; none only where none ever did.
    pub keyring: Option<KeyringId>,
    /// Keys of a filter slice at most; at least 16.
    pub slice_keys_max: usize,
    /// Entries of one transaction: no further work is begun beyond it.
    pub commit_entries_max: usize,
    /// Bytes of entries that may wait in the queue.
    pub queue_bytes_max: usize,
    /// Page cache of the writer, KiB.
    pub cache_kib: u32,
    /// Pages of 16 KiB in the log from which on the writer itself moves what is left of it to the
    /// database, so that the log begins again from its start. A thread has moved most by then.
    pub checkpoint_pages: u32,
    /// Ledgers that stay loaded in the writer.
    pub ledgers_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keyring: None,
            slice_keys_max: 1 << 20,
            commit_entries_max: 8_192,
            queue_bytes_max: 64 << 20,
            cache_kib: 64 << 10,
            checkpoint_pages: 4_000,
            ledgers_max: 1_024,
        }
    }
}

/// An opened data directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: Lock,
}

/// Opens `directory` for writing and makes what is missing in it.
pub(super) fn open(directory: &Path, options: &Options) -> Result<Opened, StoreError> {
    std::fs::create_dir_all(directory).map_err(|error| of_directory(directory, error))?;
    let lock = Lock::take(directory, LOCK)?;
    let path = directory.join(DATABASE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = |error| of_opening(&path, error);
    let mut connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
    let version = version(&connection, &path, KNOWN)?;
    prepare(&connection, options).map_err(opening)?;
    migrate(&mut connection, version).map_err(opening)?;
    check_installation(&connection, options.keyring)?;
    Ok(Opened { connection, lock })
}

/// A fault of the file system that a data directory is in.
pub(super) fn of_directory(directory: &Path, error: std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly(directory.to_owned())
        }
        ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Unavailable(Cause::new(error)),
    }
}

/// What marks a file as one of ours, and how many migrations this program has for it.
pub(super) type Known = (i64, usize);

/// The version of our schema; 0 for a file that was just made.
pub(super) fn version(
    connection: &Connection,
    path: &Path,
    (id, known): Known,
) -> Result<usize, StoreError> {
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables = connection.query_row(tables, [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    let (application, version, tables) = read().map_err(|error| of_opening(path, error))?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application != id {
        return Err(StoreError::NotOurDatabase(path.to_owned()));
    }
    match usize::try_from(version) {
        Ok(number) if (1..=known).contains(&number) => Ok(number),
        _ => {
            let known = i64::try_from(known).expect("a handful");
            Err(StoreError::NewerDatabase { found: version, known })
        }
    }
}

thread_local! {
    /// Pages in the log after the last commit of this thread. SQLite tells it to a function that
    /// cannot carry anything with it.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// Pages in the log after the last commit of this thread.
pub(super) fn log_pages() -> u32 {
    LOG_PAGES.get()
}

/// Pragmas of the writer. The page size counts only before the first table.
fn prepare(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.wal_hook(Some(|_, pages| {
        LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
        Ok(())
    }));
    connection.execute_batch(&format!(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA recursive_triggers = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA secure_delete = FAST;
         PRAGMA cache_size = -{};",
        options.cache_kib
    ))
}

fn migrate(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let migration = connection.transaction()?;
    for sql in &MIGRATIONS[version..] {
        migration.execute_batch(sql)?;
    }
    if version == 0 {
        migration.execute("INSERT INTO installation (one) VALUES (1)", [])?;
    }
    migration.pragma_update(None, "application_id", APPLICATION_ID)?;
    let newest = i64::try_from(MIGRATIONS.len()).expect("a handful");
    migration.pragma_update(None, "user_version", newest)?;
    migration.commit()
}

/// Compares the keyring with the one recorded, and records the first.
fn check_installation(connection: &Connection, given: Option<KeyringId>) -> Result<(), StoreError> {
    let row = connection
        .query_row("SELECT keyring_id FROM installation", [], |row| {
            row.get::<_, Option<[u8; 16]>>(0)
        })
        .optional();
    let recorded = row
        .map_err(fault)?
        .ok_or_else(|| StoreError::Corrupt("the row about the installation is missing".into()))?;
    match (recorded.map(KeyringId), given) {
        (Some(recorded), Some(given)) if recorded != given => {
            Err(StoreError::ForeignKeyring { recorded, given })
        }
        (Some(recorded), None) => Err(StoreError::MissingKeyring(recorded)),
        (None, Some(given)) => {
            let set = "UPDATE installation SET keyring_id = ?1";
            connection.execute(set, params![given.0]).map(drop).map_err(fault)
        }
        _ => Ok(()),
    }
}

/// A connection for moving the log to the database, as durably as the writer would.
pub(super) fn open_checkpointer(directory: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = directory.join(DATABASE);
    let opening = |error| of_opening(&path, error);
    let connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
    connection.execute_batch("PRAGMA synchronous = FULL").map_err(opening)?;
    // Emptying the log keeps the writer out while it waits for readers.
    let patience = std::time::Duration::from_millis(EMPTYING_MS);
    connection.busy_timeout(patience).map_err(opening)?;
    Ok(connection)
}

/// A connection that can only read, from this process or another.
pub(super) fn open_reader(directory: &Path) -> Result<Connection, StoreError> {
    let path: PathBuf = directory.join(DATABASE);
    if !path.exists() {
        return Err(StoreError::NoDatabase(directory.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = |error| of_opening(&path, error);
    let connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS)).map_err(opening)?;
    if version(&connection, &path, KNOWN)? == 0 {
        return Err(StoreError::NoDatabase(directory.to_owned()));
    }
    Ok(connection)
}

/// A fault when a database is opened.
pub(super) fn of_opening(path: &Path, error: rusqlite::Error) -> StoreError {
    let directory = || path.parent().unwrap_or(path).to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotOurDatabase(path.to_owned()),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly(directory())
        }
        _ => fault(error),
    }
}

/// A fault of the database, by what can be done about it.
pub(super) fn fault(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull,
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch,
        ) => StoreError::Corrupt(error.to_string()),
        _ => match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt(error.to_string()),
            other => StoreError::Unavailable(Cause::new(other)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inv_5_every_connection_that_writes_waits_for_the_disk() {
        let directory = tempfile::tempdir().expect("a directory");
        let opened = open(directory.path(), &Options::default()).expect("opens");
        let checkpointer = open_checkpointer(directory.path()).expect("opens");
        for connection in [&opened.connection, &checkpointer] {
            let ask = |name| connection.pragma_query_value(None, name, |row| row.get(0));
            let synchronous: rusqlite::Result<i64> = ask("synchronous");
            assert_eq!(synchronous, Ok(2), "FULL");
            let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
            assert_eq!(mode, Ok("wal".to_owned()));
        }
    }

    #[test]
    fn the_writer_keeps_foreign_keys_and_sees_what_replace_removes() {
        let directory = tempfile::tempdir().expect("a directory");
        let opened = open(directory.path(), &Options::default()).expect("opens");
        for (name, expected) in
            [("foreign_keys", 1), ("recursive_triggers", 1), ("trusted_schema", 0)]
        {
            let value = opened.connection.pragma_query_value(None, name, |row| row.get(0));
            assert_eq!(value, Ok(expected), "{name}");
        }
    }
}
