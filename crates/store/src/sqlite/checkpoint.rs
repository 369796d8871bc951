//! Moving the log to the database beside the writer.
//!
//! A thread with a connection of its own moves what is in the log when the writer rings. It never
//! holds the writer up (passive mode), but while the writer goes on it never quite catches up
//! either, and only a log that is moved whole begins again from its start. So the writer does the
//! small rest itself when the log has become long (see `Sequencer`).

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::error::{Cause, StoreError};

/// Moves as much of the log as it can without waiting for anybody.
pub(super) fn move_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

#[derive(Debug, Default)]
struct Rung {
    has_rung: bool,
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
        self.set(|rung| rung.has_rung = true);
    }

    /// Waits for the next ring. False when there will be none.
    fn wait(&self) -> bool {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !rung.has_rung && !rung.is_closed {
            rung = self.ringing.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        rung.has_rung = false;
        !rung.is_closed
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
            while heard.wait() {
                // What fails here fails again, and is reported, when the writer does it.
                drop(move_log(&connection));
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
