//! Signed checkpoints and receipts.
//!
//! One checkpoint is signed per campaign and commit, by whoever asks first; all others of that
//! commit get the same text. A receipt may use any checkpoint that covers its entry, so a repeated
//! delivery is answered under the newest one that was signed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::merkle::checkpoint::LogKey;
use sponsorhub_core::merkle::receipt::Receipt;
use sponsorhub_core::merkle::{Hash, RecentTree};
use sponsorhub_store::{Reader, StoreError};

/// A checkpoint with its signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Entries that it covers.
    pub size: u64,
    /// The note.
    pub note: Arc<str>,
    /// The key that it can be checked with.
    pub verifier: Arc<str>,
}

/// What signs for one campaign, and the text by which it is checked.
type LogSigner = (LogKey, Arc<str>);

/// Signs for all campaigns with the keys of one moment.
#[derive(Debug)]
pub struct Receipts {
    keys: Arc<KeySet>,
    /// Expanded once per campaign.
    log_keys: RwLock<HashMap<CampaignId, Arc<LogSigner>>>,
    newest: Mutex<HashMap<CampaignId, Signed>>,
}

impl Receipts {
    /// Signs with these keys.
    pub fn new(keys: Arc<KeySet>) -> Self {
        Self { keys, log_keys: RwLock::default(), newest: Mutex::default() }
    }

    fn log_key(&self, campaign: CampaignId) -> Arc<LogSigner> {
        let known = self.log_keys.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&campaign) {
            return Arc::clone(key);
        }
        drop(known);
        let key = self.keys.log_key(campaign);
        let verifier = key.verifier().to_string().into();
        let key = Arc::new((key, verifier));
        let mut known = self.log_keys.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(campaign).or_insert(key))
    }

    /// The checkpoint of a tree, signed now or before.
    pub fn checkpoint(&self, campaign: CampaignId, size: u64, root: Hash) -> Signed {
        {
            let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(signed) = newest.get(&campaign).filter(|signed| signed.size == size) {
                return signed.clone();
            }
        }
        // Two threads may sign the same at once: the signature is the same, too.
        let key = self.log_key(campaign);
        let note = key.0.sign(size, root).into();
        let signed = Signed { size, note, verifier: Arc::clone(&key.1) };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = newest.entry(campaign).or_insert_with(|| signed.clone());
        if slot.size < size {
            *slot = signed.clone();
        }
        signed
    }

    /// The receipt of an entry that the commit behind `tree` took in.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the tree does not hold the entry.
    pub fn fresh(
        &self,
        campaign: CampaignId,
        seq: Seq,
        tree: &RecentTree,
    ) -> Result<(Receipt, Signed), StoreError> {
        let index = seq.saturating_sub(1);
        let proof = tree.inclusion_proof(index);
        let proof = proof.map_err(|error| StoreError::Corrupt(format!("{campaign}: {error}")))?;
        let signed = self.checkpoint(campaign, tree.size(), tree.root());
        Ok((Receipt { index, proof, checkpoint: signed.note.to_string() }, signed))
    }

    /// The receipt of any entry, read from the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn of(
        &self,
        reader: &mut dyn Reader,
        campaign: CampaignId,
        seq: Seq,
    ) -> Result<(Receipt, Signed), StoreError> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = newest.get(&campaign).filter(|signed| signed.size >= seq).cloned();
        drop(newest);
        let signed = if let Some(signed) = known {
            signed
        } else {
            let head = reader.head(campaign)?.ok_or(StoreError::UnknownCampaign(campaign))?;
            self.checkpoint(campaign, head.tree.size, head.tree.root)
        };
        let proof = reader.inclusion_proof(campaign, seq, signed.size)?;
        let index = seq.saturating_sub(1);
        Ok((Receipt { index, proof, checkpoint: signed.note.to_string() }, signed))
    }
}
