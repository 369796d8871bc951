//! What is kept of a request without being readable: a tag to find it again, and a sealed text.
//!
//! Both are made under a master of the keyring and name it, so that a stolen database says nothing of
//! what was sent, not even to whoever guesses it. A revoked master still finds and opens what it made:
//! a request that is repeated must be recognised whatever happened to a key.
//!
//! Sealed, a text is version 1 (1 byte), key id (2), nonce (24), and the text under
//! XChaCha20-Poly1305 with its tag. What it belongs to is the associated data.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use super::key_set::{KeySet, MacKey};
use super::keys::KeyId;

/// The version of the sealed form that this program writes, and the only one that it reads.
const VERSION: u8 = 1;

impl KeySet {
    /// A tag over fields, under the pepper of one master; none for an unknown one. Fields cannot be
    /// shifted into each other.
    pub fn request_tag(&self, id: KeyId, fields: &[&[u8]]) -> Option<[u8; 32]> {
        let pepper = self.pepper_of(id)?;
        let lengths: Vec<[u8; 8]> = fields.iter().map(|field| length(field)).collect();
        let mut parts: Vec<&[u8]> = vec![b"request/v1"];
        for (field, length) in fields.iter().zip(&lengths) {
            parts.extend([&length[..], *field]);
        }
        Some(pepper.tag(&parts))
    }

    /// Seals a text under the master that signs, for what it belongs to alone. The nonce is random and
    /// may be: it has 192 bits.
    pub fn seal(&self, belongs_to: &[u8], nonce: [u8; 24], mut text: Vec<u8>) -> Vec<u8> {
        let id = self.signer();
        let tag = cipher(self.pepper())
            .encrypt_inout_detached(&nonce.into(), belongs_to, text.as_mut_slice().into())
            .expect("a text in memory is within what the cipher takes");
        let mut sealed = vec![VERSION];
        sealed.extend(id.0.to_be_bytes());
        sealed.extend(nonce);
        sealed.extend(text);
        sealed.extend(tag);
        sealed
    }

    /// Opens what [`KeySet::seal`] made; none where it is damaged, belongs to something else or was made
    /// under a master that is not there.
    pub fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<2>()?;
        let (nonce, rest) = rest.split_first_chunk::<24>()?;
        let (text, tag) = rest.split_last_chunk::<16>()?;
        if *version != VERSION {
            return None;
        }
        let pepper = self.pepper_of(KeyId(u16::from_be_bytes(*id)))?;
        let mut text = text.to_vec();
        let opened = cipher(pepper).decrypt_inout_detached(
            &(*nonce).into(),
            belongs_to,
            text.as_mut_slice().into(),
            &(*tag).into(),
        );
        opened.is_ok().then_some(text)
    }
}

fn length(field: &[u8]) -> [u8; 8] {
    u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// A key of its own, which is of no use for fingerprints.
fn cipher(pepper: &MacKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&pepper.tag(&[b"seal/v1"]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::keys::{Keyring, KeyringId, Mode, Secret};

    fn keys(secret: u8) -> KeySet {
        let made = Keyring::make(KeyringId([1; 16]), Mode::Sandbox, Secret([secret; 32]), 0);
        KeySet::new(&made)
    }

    #[test]
    fn a_sealed_text_opens_for_what_it_belongs_to_and_nobody_else() {
        let keys = keys(7);
        let sealed = keys.seal(b"ada", [3; 24], b"who it is".to_vec());
        assert!(!sealed.windows(3).any(|part| part == b"who"));
        assert_eq!(keys.open(b"ada", &sealed).as_deref(), Some(&b"who it is"[..]));
        assert_eq!(keys.open(b"bob", &sealed), None);
        assert_eq!(super::tests::keys(8).open(b"ada", &sealed), None);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(keys.open(b"ada", &damaged), None, "byte {at}");
            assert_eq!(keys.open(b"ada", &sealed[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn a_tag_is_of_these_fields_under_this_master() {
        let (keys, id) = (keys(7), keys(7).signer());
        let tag = keys.request_tag(id, &[b"ab", b"c"]);
        assert!(tag.is_some());
        assert_ne!(tag, keys.request_tag(id, &[b"a", b"bc"]));
        assert_ne!(tag, super::tests::keys(8).request_tag(id, &[b"ab", b"c"]));
        assert_eq!(keys.request_tag(KeyId(99), &[b"ab", b"c"]), None);
    }
}
