//! `keyring.json`: the secrets of an installation, beside its database and never in it.
//!
//! Readable by its owner only. It is made once, on request; an existing one is never replaced by
//! accident, because links in the world and keys of campaigns depend on it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use sponsorhub_core::attribution::keys::{Keyring, KeyringError, KeyringId, Mode, Secret};

use crate::ports::{Chance, random};

/// Name of the file in the data directory.
pub const FILE: &str = "keyring.json";

/// Whoever changes the keyring holds this file's lock.
const LOCK: &str = "keyring.lock";

/// Why a keyring cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringFileError {
    /// There is none.
    #[error("{} is missing; restore it, or make a new one with `serve --init sandbox` (or test, live) where nothing depends on an old one", .0.display())]
    Missing(PathBuf),
    /// One is there already.
    #[error("{} is there already; it is never replaced", .0.display())]
    Exists(PathBuf),
    /// A database is there and its keyring is not.
    #[error("{} holds a database whose keyring is missing; restore it, for a new one fits nothing in there", .0.display())]
    DatabaseWithout(PathBuf),
    /// Others may read it.
    #[error("{} may be read by others than its owner; run chmod 600 on it", .0.display())]
    Readable(PathBuf),
    /// It does not say what it should.
    #[error("{} is no keyring", path.display())]
    Invalid {
        /// Where.
        path: PathBuf,
        /// Why.
        source: KeyringError,
    },
    /// The file system said no.
    #[error("{} cannot be read or written", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Reads the keyring of a data directory.
///
/// # Errors
/// [`KeyringFileError`].
pub fn read(directory: &Path) -> Result<Keyring, KeyringFileError> {
    let path = directory.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(KeyringFileError::Missing(path));
        }
        Err(source) => return Err(KeyringFileError::File { path, source }),
    };
    check_mode(&path)?;
    Keyring::parse(&text).map_err(|source| KeyringFileError::Invalid { path, source })
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), KeyringFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = |source| KeyringFileError::File { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(file)?.permissions().mode();
    let by_others = mode & 0o077;
    if by_others == 0 { Ok(()) } else { Err(KeyringFileError::Readable(path.to_owned())) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), KeyringFileError> {
    Ok(())
}

/// Makes the keyring of a new installation.
///
/// # Errors
/// [`KeyringFileError::Exists`], [`KeyringFileError::DatabaseWithout`], and what the file system
/// says.
pub fn make(
    directory: &Path,
    mode: Mode,
    chance: &dyn Chance,
    now: i64,
) -> Result<Keyring, KeyringFileError> {
    let path = directory.join(FILE);
    if path.exists() {
        return Err(KeyringFileError::Exists(path));
    }
    if directory.join("sponsorhub.db").exists() {
        return Err(KeyringFileError::DatabaseWithout(directory.to_owned()));
    }
    let file = |source| KeyringFileError::File { path: path.clone(), source };
    make_directory(directory).map_err(file)?;
    let (id, secret) = (KeyringId(random(chance)), Secret(random(chance)));
    let keyring = Keyring::make(id, mode, secret, now);
    write(directory, &keyring)?;
    Ok(keyring)
}

/// Changes the keyring under a lock, so that of two changes at the same time neither is lost: a
/// revocation that is gone would be believed to be in force.
///
/// # Errors
/// What `change` says, and [`KeyringFileError`].
pub fn change<T, E: From<KeyringFileError>>(
    directory: &Path,
    change: impl FnOnce(&mut Keyring) -> Result<T, E>,
) -> Result<T, E> {
    // Where there is none, that is what to say, and no lock is left behind.
    read(directory)?;
    let path = directory.join(LOCK);
    let lock = || {
        let file = private(&path)?;
        file.lock()?;
        Ok(file)
    };
    let lock = lock().map_err(|source| KeyringFileError::File { path: path.clone(), source })?;
    let mut keyring = read(directory)?;
    let changed = change(&mut keyring)?;
    write(directory, &keyring)?;
    drop(lock);
    Ok(changed)
}

/// Writes a keyring: whole or not at all, whatever happens in between.
///
/// # Errors
/// [`KeyringFileError::File`].
fn write(directory: &Path, keyring: &Keyring) -> Result<(), KeyringFileError> {
    let path = directory.join(FILE);
    let beside = directory.join("keyring.json.new");
    let write = || -> std::io::Result<()> {
        let mut file = private(&beside)?;
        file.write_all(keyring.render().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|source| KeyringFileError::File { path: path.clone(), source })
}

/// A data directory is its owner's alone; one that is there stays as it is.
fn make_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(unix)]
fn private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create(true).truncate(true).open(path)
}
