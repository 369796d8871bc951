//! Moving the log to the database beside the writer.
//!
//! A thread with a connection of its own moves what is in the log when the writer rings. It never
//! holds the writer up (passive mode), but while the writer goes on it never quite catches up
//! either, and only a log that is moved whole begins again from its start. So the writer does the
//! small rest itself when the log has become long (see `Sequencer`).

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{Cause, StoreError};

/// Moves as much of the log as it can without waiting for anybody.
pub(super) fn move_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Moves all of the log and cuts it off, so that nothing is left of what was erased. Whether that could
/// be done now: it waits for whoever still reads an older state, as long as the connection waits.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    let is_busy = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy)? == 0)
}

/// Pause before the log is tried to be emptied again.
const EMPTY_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Rung {
    is_to_move: bool,
    /// Something was erased.
    is_to_empty: bool,
    is_closed: bool,
}

/// Tells the thread that there is something to move.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<Rung>,
    ringing: Condvar,
}

impl Bell {
    fn set(&self, set: impl FnOnce(&mut Rung)) {
        set(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.ringing.notify_one();
    }

    pub(super) fn ring(&self) {
        self.set(|rung| rung.is_to_move = true);
    }

    /// Something was erased: the log is to be emptied.
    pub(super) fn ring_to_empty(&self) {
        self.set(|rung| rung.is_to_empty = true);
    }

    /// Waits for the next ring; whether the log is to be emptied. None when there will be no other.
    fn wait(&self) -> Option<bool> {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !rung.is_to_move && !rung.is_to_empty && !rung.is_closed {
            rung = self.ringing.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        rung.is_to_move = false;
        let is_to_empty = std::mem::take(&mut rung.is_to_empty);
        (!rung.is_closed).then_some(is_to_empty)
    }

    /// Waits a moment, and asks for the same again.
    fn empty_again(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ringing.wait_timeout_while(rung, EMPTY_AGAIN, |rung| !rung.is_closed);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        rung.is_to_empty = true;
    }
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let work = move || {
            while let Some(is_to_empty) = heard.wait() {
                // What fails here fails again, and is reported, when the writer does it.
                if !is_to_empty {
                    drop(move_log(&connection));
                } else if !empty_log(&connection).unwrap_or(false) {
                    heard.empty_again();
                }
            }
        };
        let thread = std::thread::Builder::new().name("ledger-checkpoint".into()).spawn(work);
        let thread = thread.map_err(|error| StoreError::Unavailable(Cause::new(error)))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.bell.set(|rung| rung.is_closed = true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
