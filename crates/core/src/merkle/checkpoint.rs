//! Checkpoints: size and root of a campaign's tree, signed (INV-14).
//!
//! The text is a C2SP tlog-checkpoint in a C2SP signed-note, so that any tool for transparency logs
//! can read it:
//!
//! ```text
//! sponsorhub/live/00112233445566778899aabbccddeeff/cmp_…
//! 1234
//! <root in base64>
//!
//! — sponsorhub/live/00112233445566778899aabbccddeeff/cmp_… <key id and signature in base64>
//! ```
//!
//! The first line is the [`Origin`], which is also the name of the key: mode, keyring id in
//! hexadecimal, campaign. So every campaign has a log and an Ed25519 key of its own, whose seed is
//! `HMAC-SHA256(log key, origin)`; after a rotation it is another key under the same origin, and what
//! the former one signed is checked with the former verifier key. A log must never sign two
//! checkpoints of which one does not continue the other: whoever signs has to sign only roots of
//! what is durable. Nothing here can see that.
//!
//! Held against `signed_note` and `tlog_tiles` in `tests/attribution/receipts.rs`.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha512};

use super::{Hash, SIZE_MAX};

/// Longest note that is read.
pub const NOTE_BYTES_MAX: usize = 65_536;

/// The byte that stands for Ed25519 in key ids and verifier keys.
const ED25519: u8 = 1;

/// What begins a signature line.
const DASH: &str = "— ";

/// The name of a log: first line of its checkpoints and name of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.contains(is_wrong) {
            return Err(CheckpointError::VerifierKey);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why a checkpoint or a verifier key is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not `name+key id+key`, or the key id is another key's.
    #[error("not a verifier key")]
    VerifierKey,
    /// Not a signed note.
    #[error("not a signed note")]
    Note,
    /// None of the signatures is by the known key.
    #[error("not signed by the known key")]
    Unsigned,
    /// The known key did not make the signature that bears its name.
    #[error("the signature does not fit the text")]
    Signature,
    /// The signed text is no checkpoint.
    #[error("the signed text is not origin, size and root")]
    Text,
    /// The checkpoint of another log.
    #[error("the checkpoint of another log")]
    Origin,
}

/// Size and root of a log at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Checkpoint {
    fn text(&self, origin: &Origin) -> String {
        format!("{origin}\n{}\n{}\n", self.size, BASE64.encode(&self.root.0))
    }

    fn parse(text: &str, origin: &Origin) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Text)?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Text);
        let (first, size, root) = (line()?, line()?, line()?);
        if first != origin.as_str() {
            return Err(CheckpointError::Origin);
        }
        let size = decimal(size).ok_or(CheckpointError::Text)?;
        let root = hash(root).ok_or(CheckpointError::Text)?;
        // Lines of extensions are allowed, say nothing to us, and are signed like the rest.
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Text);
        }
        Ok(Self { size, root })
    }
}

/// The key that signs the checkpoints of one log. It is expanded once, so that a signature costs no
/// more than a signature. Prints without its secret.
pub struct LogKey {
    secret: ExpandedSecretKey,
    verifier: LogVerifier,
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.verifier)
    }
}

impl LogKey {
    /// The Ed25519 key of this seed (RFC 8032 §5.1.5).
    pub fn new(origin: Origin, seed: &[u8; 32]) -> Self {
        // Secret and public key come from one seed and stay together: signing with the public key
        // of another pair would give the secret away.
        let secret = ExpandedSecretKey::from_bytes(&Sha512::digest(seed).into());
        let public = VerifyingKey::from(&secret);
        Self { secret, verifier: LogVerifier::new(origin, public) }
    }

    /// What others need to check the signatures of this key.
    pub const fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// The signed checkpoint of a tree with so many leaves and this root.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let LogVerifier { origin, key_id, public } = &self.verifier;
        let text = Checkpoint { size, root }.text(origin);
        let signature = raw_sign::<Sha512>(&self.secret, text.as_bytes(), public).to_bytes();
        let mut bytes = [0; 68];
        bytes[..4].copy_from_slice(key_id);
        bytes[4..].copy_from_slice(&signature);
        format!("{text}\n{DASH}{origin} {}\n", BASE64.encode(&bytes))
    }
}

/// Checks the checkpoints of one log. As text a C2SP verifier key: name, key id and key with a plus
/// between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVerifier {
    origin: Origin,
    key_id: [u8; 4],
    public: VerifyingKey,
}

impl LogVerifier {
    fn new(origin: Origin, public: VerifyingKey) -> Self {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(origin.as_str())
            .chain_update([b'\n', ED25519])
            .chain_update(public.as_bytes())
            .finalize()
            .into();
        let key_id = *digest.first_chunk().expect("4 of 32 bytes");
        Self { origin, key_id, public }
    }

    /// The log whose checkpoints it checks.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Checks the signature of this log under a note and reads the checkpoint. Signatures of
    /// others, such as witnesses, are passed over.
    ///
    /// # Errors
    /// [`CheckpointError`] names what does not hold.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let is_control = |c: char| c < ' ' && c != '\n';
        if note.len() > NOTE_BYTES_MAX || note.contains(is_control) {
            return Err(CheckpointError::Note);
        }
        let end = note.rfind("\n\n").ok_or(CheckpointError::Note)?;
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(CheckpointError::Note)?;
        let mut is_signed = false;
        for line in lines.split('\n') {
            let (name, signature) = signature_line(line).ok_or(CheckpointError::Note)?;
            let (key_id, signature) = signature.split_at(4);
            if name != self.origin.as_str() || key_id != self.key_id {
                continue;
            }
            let signature = Signature::from_slice(signature);
            let signature = signature.map_err(|_| CheckpointError::Signature)?;
            let verified = self.public.verify_strict(text.as_bytes(), &signature);
            verified.map_err(|_| CheckpointError::Signature)?;
            is_signed = true;
        }
        if !is_signed {
            return Err(CheckpointError::Unsigned);
        }
        Checkpoint::parse(text, &self.origin)
    }
}

impl fmt::Display for LogVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [ED25519; 33];
        key[1..].copy_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.origin, HEXLOWER.encode(&self.key_id), BASE64.encode(&key))
    }
}

impl FromStr for LogVerifier {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let wrong = CheckpointError::VerifierKey;
        // The key is base64, in which a plus may stand; a name has none.
        let (name, rest) = text.split_once('+').ok_or(wrong)?;
        let (key_id, key) = rest.split_once('+').ok_or(wrong)?;
        let key = BASE64.decode(key.as_bytes()).map_err(|_| wrong)?;
        let public = match key.split_first() {
            Some((&ED25519, public)) => public.try_into().map_err(|_| wrong)?,
            _ => return Err(wrong),
        };
        let public = VerifyingKey::from_bytes(&public).map_err(|_| wrong)?;
        let verifier = Self::new(name.parse()?, public);
        if public.is_weak() || HEXLOWER.encode(&verifier.key_id) != key_id {
            return Err(wrong);
        }
        Ok(verifier)
    }
}

/// Name and bytes of a signature line; the bytes are a key id of 4 and at least one more.
fn signature_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = BASE64.decode(signature.as_bytes()).ok()?;
    (name.parse::<Origin>().is_ok() && bytes.len() > 4).then_some((name, bytes))
}

/// A number without sign and leading zeroes, at most [`SIZE_MAX`].
pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let has_zero = text.len() > 1 && text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_plain && !has_zero)?;
    (number <= SIZE_MAX).then_some(number)
}

/// A hash in padded standard base64.
pub(super) fn hash(text: &str) -> Option<Hash> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok().map(Hash)
}
