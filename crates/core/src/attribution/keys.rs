//! The keyring: the masters of one installation, as `keyring.json` holds them beside the database.
//!
//! Everything that this platform signs or wraps is done under a key that [`KeySet`] derives from
//! one of these masters; the masters themselves sign nothing. Rotation retires the current master
//! and adds the next; revocation ends one that leaked. A keyring that was read can always sign:
//! one in which every master is retired or revoked is refused.
//!
//! Secrets print as `***`, and no error repeats a value of the file.
//!
//! [`KeySet`]: super::key_set::KeySet

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};

/// The version of `keyring.json` that this program reads and writes.
pub const VERSION: u32 = 1;

/// Which world an installation lives in; part of every token, deposit and log origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The local stand-in for the providers.
    Sandbox,
    /// The provider's test mode.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::Test, Self::Live];

    /// The name in JSON, in key derivation and in log origins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The byte in tokens.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Sandbox => 1,
            Self::Test => 2,
            Self::Live => 3,
        }
    }

    /// The mode of a byte; none for a byte that no mode has.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.byte() == byte)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of a master within its keyring, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u16);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Names the installation: 16 random bytes, public. Salts every derivation and stands in every log
/// origin; the database knows the one that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyringId(pub [u8; 16]);

impl fmt::Display for KeyringId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyringId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 32 secret random bytes.
#[derive(Clone, Copy)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One master and its life. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Master {
    /// Its number.
    pub id: KeyId,
    pub(super) secret: Secret,
    /// Since when it exists.
    pub created_at: i64,
    /// Since when another one signs.
    pub retired_at: Option<i64>,
    /// Since when nothing that it signed is believed.
    pub revoked_at: Option<i64>,
}

impl Master {
    /// Whether it may sign.
    pub const fn signs(&self) -> bool {
        self.retired_at.is_none() && self.revoked_at.is_none()
    }
}

/// The masters of one installation; at least one of them signs.
#[derive(Clone, Debug)]
pub struct Keyring {
    id: KeyringId,
    mode: Mode,
    masters: Vec<Master>,
}

/// Why a keyring was not read or not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Not JSON.
    #[error("keyring: no JSON at line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A field too many, too few, twice, or of another type.
    #[error("keyring: {what} at line {line}, column {column}")]
    Shape {
        /// What is wrong, without any value of the file.
        what: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Another version of the file.
    #[error("keyring: version {0}, but this program reads {VERSION}")]
    OtherVersion(u64),
    /// The id is not 16 bytes in unpadded URL-safe base64.
    #[error("keyring: `id` must be 16 bytes in unpadded URL-safe base64")]
    Id,
    /// A secret is not 32 bytes in unpadded URL-safe base64.
    #[error("keyring: the secret of master {0} must be 32 bytes in unpadded URL-safe base64")]
    Secret(KeyId),
    /// No masters.
    #[error("keyring: no masters")]
    Empty,
    /// Two masters with one number, or the number 0.
    #[error("keyring: master {0}: numbers begin at 1, and each stands once")]
    Number(KeyId),
    /// A master ends before it begins.
    #[error("keyring: master {0} is retired or revoked before it was created")]
    Times(KeyId),
    /// Every master is revoked.
    #[error("keyring: every master is revoked")]
    AllRevoked,
    /// Masters are left, but all of them are retired or revoked.
    #[error("keyring: no master signs; each is retired or revoked")]
    NoneSigns,
    /// No master of that number.
    #[error("keyring: there is no master {0}")]
    Unknown(KeyId),
    /// The master that signs cannot be revoked before another one signs.
    #[error("keyring: master {0} signs; rotate first, then revoke it")]
    Signs(KeyId),
    /// 65,535 masters are enough.
    #[error("keyring: no number is left for another master")]
    Full,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    id: String,
    mode: Mode,
    masters: Vec<FileMaster>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMaster {
    id: KeyId,
    secret: String,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

/// Read before all else, so that a newer file is known by its version and not by its fields.
#[derive(Deserialize)]
struct FileVersion {
    v: u64,
}

impl Keyring {
    /// A keyring with one master, number 1, which signs from now on.
    pub fn make(id: KeyringId, mode: Mode, secret: Secret, now: i64) -> Self {
        Self { id, mode, masters: vec![new_master(KeyId(1), secret, now)] }
    }

    /// Reads `keyring.json`.
    ///
    /// # Errors
    /// [`KeyringError`], one for each thing that may be wrong; none repeats a secret.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let version: FileVersion = serde_json::from_str(text).map_err(|error| shape(&error))?;
        if version.v != u64::from(VERSION) {
            return Err(KeyringError::OtherVersion(version.v));
        }
        let file: File = serde_json::from_str(text).map_err(|error| shape(&error))?;
        let id = KeyringId(decoded(&file.id).ok_or(KeyringError::Id)?);
        let mut masters = Vec::with_capacity(file.masters.len());
        for FileMaster { id, secret, created_at, retired_at, revoked_at } in file.masters {
            let secret = Secret(decoded(&secret).ok_or(KeyringError::Secret(id))?);
            masters.push(Master { id, secret, created_at, retired_at, revoked_at });
        }
        let keyring = Self { id, mode: file.mode, masters };
        keyring.check()?;
        Ok(keyring)
    }

    fn check(&self) -> Result<(), KeyringError> {
        if self.masters.is_empty() {
            return Err(KeyringError::Empty);
        }
        for (index, master) in self.masters.iter().enumerate() {
            let before = self.masters.iter().take(index);
            if master.id.0 == 0 || before.into_iter().any(|other| other.id == master.id) {
                return Err(KeyringError::Number(master.id));
            }
            let ends = [master.retired_at, master.revoked_at];
            if ends.into_iter().flatten().any(|end| end < master.created_at) {
                return Err(KeyringError::Times(master.id));
            }
        }
        if self.masters.iter().all(|master| master.revoked_at.is_some()) {
            return Err(KeyringError::AllRevoked);
        }
        if !self.masters.iter().any(Master::signs) {
            return Err(KeyringError::NoneSigns);
        }
        Ok(())
    }

    /// The text of `keyring.json`. It holds the secrets: the file is for its owner alone.
    pub fn render(&self) -> String {
        let master = |master: &Master| FileMaster {
            id: master.id,
            secret: BASE64URL_NOPAD.encode(&master.secret.0),
            created_at: master.created_at,
            retired_at: master.retired_at,
            revoked_at: master.revoked_at,
        };
        let file = File {
            v: VERSION,
            id: BASE64URL_NOPAD.encode(&self.id.0),
            mode: self.mode,
            masters: self.masters.iter().map(master).collect(),
        };
        let text = serde_json::to_string_pretty(&file).expect("strings and integers are JSON");
        text + "\n"
    }

    /// Retires the master that signs and adds the next one, which signs from now on.
    ///
    /// # Errors
    /// [`KeyringError::Full`] after master 65,535.
    pub fn rotate(&mut self, secret: Secret, now: i64) -> Result<KeyId, KeyringError> {
        let last = self.masters.iter().map(|master| master.id.0).max().unwrap_or(0);
        let next = KeyId(last.checked_add(1).ok_or(KeyringError::Full)?);
        for master in self.masters.iter_mut().filter(|master| master.signs()) {
            // A clock that was set back must not make a keyring that cannot be read again.
            master.retired_at = Some(now.max(master.created_at));
        }
        self.masters.push(new_master(next, secret, now));
        Ok(next)
    }

    /// Ends a master: nothing that it signed is believed any more. What it wrapped can still be
    /// unwrapped. Revoking twice keeps the first time.
    ///
    /// # Errors
    /// [`KeyringError`]: no such master, or the only one that signs.
    pub fn revoke(&mut self, id: KeyId, now: i64) -> Result<(), KeyringError> {
        let others_sign = self.masters.iter().any(|master| master.id != id && master.signs());
        let master = self.masters.iter_mut().find(|master| master.id == id);
        let master = master.ok_or(KeyringError::Unknown(id))?;
        if master.signs() && !others_sign {
            return Err(KeyringError::Signs(id));
        }
        master.revoked_at = master.revoked_at.or(Some(now.max(master.created_at)));
        Ok(())
    }

    /// Names the installation.
    pub const fn id(&self) -> KeyringId {
        self.id
    }

    /// The world of the installation.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// All masters in the order of the file.
    pub fn masters(&self) -> &[Master] {
        &self.masters
    }
}

const fn new_master(id: KeyId, secret: Secret, created_at: i64) -> Master {
    Master { id, secret, created_at, retired_at: None, revoked_at: None }
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The parser's place, and its words only where they name a field and never a value.
fn shape(error: &serde_json::Error) -> KeyringError {
    let (line, column) = (error.line(), error.column());
    if !error.is_data() {
        return KeyringError::Syntax { line, column };
    }
    let text = error.to_string();
    let named = ["missing field `", "duplicate field `", "unknown field `"];
    let what = named.into_iter().find_map(|start| {
        let (name, _) = text.strip_prefix(start)?.split_once('`')?;
        Some(format!("{start}{}`", name.chars().take(40).collect::<String>()))
    });
    let what = what.unwrap_or_else(|| "a field of another type or value".to_owned());
    KeyringError::Shape { what, line, column }
}

#[cfg(test)]
mod tests;
