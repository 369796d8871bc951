//! The lock file of an owner: one process at a time writes to a database of the directory.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::open::of_directory;
use crate::error::{Cause, StoreError};

/// A lock file, locked. The operating system lets go when the process dies.
///
/// It is unlocked by name when it goes: a child that this process was just about to start would
/// otherwise keep it locked until the child is a program of its own, because the lock belongs to the
/// open file that both have.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Locks the file of this name, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] where another owner has it, and what is wrong with the directory.
    pub(super) fn take(directory: &Path, name: &str) -> Result<Self, StoreError> {
        let path = directory.join(name);
        let opened = File::options().create(true).truncate(false).write(true).open(path);
        let file = opened.map_err(|error| of_directory(directory, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(directory.to_owned())),
            Err(TryLockError::Error(error)) => Err(StoreError::Unavailable(Cause::new(error))),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the file closes.
        let _unlocked = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_about_to_start_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().expect("a directory");
        let owner = Lock::take(directory.path(), "a.lock").expect("free");
        let inherited = owner.0.try_clone().expect("as a child between fork and exec has it");
        let second = Lock::take(directory.path(), "a.lock");
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        drop(owner);
        drop(Lock::take(directory.path(), "a.lock").expect("free again"));
        drop(inherited);
    }
}
