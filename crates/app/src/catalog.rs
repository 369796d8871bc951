//! What the hot paths need to know, in memory: campaigns, links, promo codes, API keys.
//!
//! A warm look-up touches no database. [`Catalog::refresh`] is called several times a second and
//! lets go of whatever a command or a change of the registry may have made stale, so a revocation
//! takes effect within two seconds. Nothing here decides about money: the writer asks the ledger's
//! own head again for every event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use sponsorhub_core::attribution::destination::{Destination, ParameterName};
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::keys::{KeyId, Keyring, Master};
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::conversion::{Gate, Membership};
use sponsorhub_core::ids::{BrandId, CampaignId, EnrollmentId, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::time::DAY_MS;
use sponsorhub_core::verification::Facts;
use sponsorhub_store::registry::{ApiKey, Maker, PromoCode, SecretHash};
use sponsorhub_store::{Reader, RegistryReader, Store, StoreError};

use crate::receipts::Receipts;

/// What is kept of a campaign.
#[derive(Debug)]
pub struct CampaignView {
    /// For verification.
    pub facts: Facts,
    /// State and live intervals, as of the last refresh.
    pub gate: Gate,
    /// Who takes part, and from when to when.
    pub members: HashMap<EnrollmentId, Membership>,
    /// Recognises events; none once it was destroyed.
    pub dedup: Option<DedupKey>,
    /// The query parameter that carries click tokens to the shop.
    pub parameter: ParameterName,
    /// Position of the last command.
    command_seq: Seq,
}

impl CampaignView {
    /// How long a click token is of use: attribution and replay window, milliseconds.
    pub fn window_ms(&self) -> i64 {
        i64::from(self.facts.attribution_days + self.facts.replay_days) * DAY_MS
    }
}

/// Where a link leads: the text before and after the click token, and the text without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// Whom it credits.
    pub enrollment: EnrollmentId,
    /// The destination.
    pub destination: String,
    /// The destination with a click token, cut where the token goes.
    pub with_click: (String, String),
    /// Who made it, where that is known.
    pub maker: Option<Maker>,
    /// A revoked link still leads on, and credits nobody.
    pub is_revoked: bool,
}

/// The keys of one moment, and what signs with them.
#[derive(Debug)]
pub struct Keys {
    /// For tokens and codes.
    pub set: Arc<KeySet>,
    /// For checkpoints.
    pub receipts: Receipts,
    /// Every master without its secret, in the order in which they came.
    pub masters: Vec<MasterStanding>,
}

/// How a master of the keyring stands. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterStanding {
    /// Its number.
    pub id: KeyId,
    /// Since when it exists.
    pub created_at: i64,
    /// Since when another one signs.
    pub retired_at: Option<i64>,
    /// Since when nothing that it signed is believed.
    pub revoked_at: Option<i64>,
}

impl Keys {
    /// Makes everything that depends on a keyring.
    pub fn new(keyring: &Keyring) -> Self {
        let set = Arc::new(KeySet::new(keyring));
        Self { receipts: Receipts::new(Arc::clone(&set)), set, masters: standing(keyring) }
    }
}

fn standing(keyring: &Keyring) -> Vec<MasterStanding> {
    let of = |master: &Master| MasterStanding {
        id: master.id,
        created_at: master.created_at,
        retired_at: master.retired_at,
        revoked_at: master.revoked_at,
    };
    keyring.masters().iter().map(of).collect()
}

/// Entries of each cache.
const MOST: usize = 100_000;

struct Readers {
    ledger: Box<dyn Reader>,
    registry: Box<dyn RegistryReader>,
}

/// Caches over a store.
pub struct Catalog {
    readers: Mutex<Readers>,
    keys: ArcSwap<Keys>,
    campaigns: Cache<CampaignId, Option<Arc<CampaignView>>>,
    links: Cache<(CampaignId, u32), Option<Arc<LinkView>>>,
    slugs: Cache<String, Option<(CampaignId, u32)>>,
    codes: Cache<(BrandId, String), Option<Arc<PromoCode>>>,
    api_keys: Cache<[u8; 32], Option<Arc<ApiKey>>>,
    /// Of the registry, when it was last looked at.
    version: Mutex<u64>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Empty caches over this store.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be read.
    pub fn new(store: &dyn Store, keyring: &Keyring) -> Result<Self, StoreError> {
        let mut readers = Readers { ledger: store.reader()?, registry: store.registry()? };
        let version = readers.registry.version()?;
        Ok(Self {
            readers: Mutex::new(readers),
            keys: ArcSwap::from_pointee(Keys::new(keyring)),
            campaigns: Cache::new(MOST),
            links: Cache::new(MOST),
            slugs: Cache::new(MOST),
            codes: Cache::new(MOST),
            api_keys: Cache::new(MOST),
            version: Mutex::new(version),
        })
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of this moment. Keep them for one request only.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }

    /// Whether a keyring says something else than the one in use.
    pub fn is_changed_by(&self, keyring: &Keyring) -> bool {
        self.keys().masters != standing(keyring)
    }

    /// Takes over a keyring that has changed.
    pub fn replace_keys(&self, keyring: &Keyring) {
        self.keys.store(Arc::new(Keys::new(keyring)));
        self.campaigns.clear();
        self.links.clear();
    }

    /// Lets go of what may be stale.
    ///
    /// # Errors
    /// [`StoreError`]: the store could not be read; everything stays as it was.
    pub fn refresh(&self) -> Result<(), StoreError> {
        // Held to the end: whoever loads something meanwhile would put back what is let go.
        let mut readers = self.readers();
        let version = readers.registry.version()?;
        let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != version {
            *known = version;
            self.links.clear();
            self.slugs.clear();
            self.codes.clear();
            self.api_keys.clear();
            self.campaigns.clear();
        }
        drop(known);
        let known = std::cell::RefCell::new(Vec::new());
        self.campaigns.retain(|id, view| {
            known.borrow_mut().push((*id, view.as_ref().map(|view| view.command_seq)));
            true
        });
        for (id, command_seq) in known.into_inner() {
            let head = readers.ledger.head(id)?;
            if head.map(|head| head.command_seq) != command_seq {
                self.campaigns.remove(&id);
            }
        }
        Ok(())
    }

    /// Looks something up, in the cache or by `load`. What cannot be read is not kept.
    fn cached<K, V>(
        &self,
        cache: &Cache<K, V>,
        key: &K,
        load: impl FnOnce(&mut Readers) -> Result<V, StoreError>,
    ) -> Result<V, StoreError>
    where
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        if let Some(known) = cache.get(key) {
            return Ok(known);
        }
        // Read and kept under one lock, which a refresh takes too: nothing that was read before a
        // change can be kept after the change was noticed.
        let mut readers = self.readers();
        let loaded = load(&mut readers)?;
        cache.insert(key.clone(), loaded.clone());
        Ok(loaded)
    }

    /// A campaign; none where there is none, or where nobody runs it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn campaign(&self, id: CampaignId) -> Result<Option<Arc<CampaignView>>, StoreError> {
        let keys = self.keys();
        self.cached(&self.campaigns, &id, |readers| load_campaign(readers, &keys.set, id))
    }

    /// A link by its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn link(
        &self,
        campaign: CampaignId,
        number: u32,
    ) -> Result<Option<Arc<LinkView>>, StoreError> {
        if let Some(known) = self.links.get(&(campaign, number)) {
            return Ok(known);
        }
        let parameter = self.campaign(campaign)?.map(|view| view.parameter.clone());
        self.cached(&self.links, &(campaign, number), |readers| {
            let link = readers.registry.link(campaign, number)?;
            let (Some(link), Some(parameter)) = (link, parameter) else { return Ok(None) };
            Ok(Some(Arc::new(LinkView::new(&link, &parameter)?)))
        })
    }

    /// The link that has this other name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn slug(&self, slug: &str) -> Result<Option<(CampaignId, u32)>, StoreError> {
        self.cached(&self.slugs, &slug.to_owned(), |readers| readers.registry.slug(slug))
    }

    /// A promo code of a brand by the form under which codes are looked up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn promo_code(
        &self,
        brand: BrandId,
        folded: &str,
    ) -> Result<Option<Arc<PromoCode>>, StoreError> {
        self.cached(&self.codes, &(brand, folded.to_owned()), |readers| {
            Ok(readers.registry.promo_code(brand, folded)?.map(Arc::new))
        })
    }

    /// The API key with this secret, valid or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn api_key(&self, hash: [u8; 32]) -> Result<Option<Arc<ApiKey>>, StoreError> {
        self.cached(&self.api_keys, &hash, |readers| {
            Ok(readers.registry.api_key(SecretHash(hash))?.map(Arc::new))
        })
    }

    /// The secret with which a brand signs reports under this key; none where the master that it came
    /// from was revoked, since whoever has that master has the secret.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]: the key has no secret that this keyring knows.
    pub fn report_secret(&self, key: &ApiKey) -> Result<Option<String>, StoreError> {
        let wrapped = key.signing_secret.as_ref().map_or(&[][..], |wrapped| &wrapped.0);
        let parts = wrapped
            .split_first_chunk::<2>()
            .and_then(|(id, nonce)| Some((KeyId(u16::from_be_bytes(*id)), nonce.try_into().ok()?)));
        let keys = self.keys();
        if parts.is_some_and(|(id, _)| keys.set.is_revoked(id)) {
            return Ok(None);
        }
        let secret = parts.and_then(|(id, nonce)| keys.set.report_secret(id, nonce));
        let unknown = || StoreError::Corrupt(format!("{} has no secret to sign with", key.id));
        Ok(Some(report_secret_text(&secret.ok_or_else(unknown)?)))
    }

    /// The longest attribution window of all campaigns, days: nobody asks for older clicks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn attribution_days_max(&self) -> Result<u32, StoreError> {
        let (mut days, mut after) = (0, 0);
        loop {
            let page = self.readers().ledger.campaigns(after, 1_000)?;
            let Some(last) = page.last() else { return Ok(days) };
            after = last.no;
            for listed in page {
                let view = self.campaign(listed.campaign)?;
                days = days.max(view.map_or(0, |view| view.facts.attribution_days));
            }
        }
    }

    /// The campaigns that a brand runs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn campaigns_of(&self, brand: BrandId) -> Result<Vec<CampaignId>, StoreError> {
        self.readers().registry.campaigns(brand)
    }
}

impl LinkView {
    fn new(
        link: &sponsorhub_store::registry::Link,
        parameter: &ParameterName,
    ) -> Result<Self, StoreError> {
        let destination = Destination::restore(&link.destination).map_err(|error| {
            StoreError::Corrupt(format!("the destination of link {}: {error}", link.number))
        })?;
        Ok(Self {
            enrollment: link.enrollment,
            destination: destination.to_string(),
            with_click: destination.around_click(parameter),
            maker: link.maker,
            is_revoked: link.revoked_at.is_some(),
        })
    }
}

/// A secret for signing reports as it is shown: its bytes as text are the HMAC key.
pub fn report_secret_text(secret: &[u8; 32]) -> String {
    format!("shs_{}", data_encoding::BASE64URL_NOPAD.encode(secret))
}

fn load_campaign(
    readers: &mut Readers,
    keys: &KeySet,
    id: CampaignId,
) -> Result<Option<Arc<CampaignView>>, StoreError> {
    let Readers { ledger, registry } = readers;
    let (Some(head), Some(brand)) = (ledger.head(id)?, registry.owner(id)?) else {
        return Ok(None);
    };
    let corrupt = |what: &str| StoreError::Corrupt(format!("campaign {id}: {what}"));
    let bytes = ledger.entry(id, head.terms_seq)?.ok_or_else(|| corrupt("its terms are gone"))?;
    let entry = Entry::decode(&bytes).map_err(|error| corrupt(&error.to_string()))?;
    let terms = match &entry.body {
        Body::CampaignOpened(opened) => &opened.terms,
        Body::TermsSet(set) => &set.terms,
        _ => return Err(corrupt("its terms are not where its head says")),
    };
    let facts = Facts::of(id, brand, terms);
    let members = ledger
        .enrollments(id)?
        .into_iter()
        .map(|row| (row.id, Membership { started_at: row.started_at, ended_at: row.ended_at }));
    let members = members.collect();
    let wrapped = registry.campaign_key(id)?.and_then(|key| key.wrapped);
    let dedup = wrapped.map(|wrapped| DedupKey::unwrap(&wrapped.0, keys, id)).transpose();
    let dedup = dedup.map_err(|error| corrupt(&format!("its key does not open: {error}")))?;
    let parameter = registry.brand(brand)?.map(|brand| brand.click_parameter.parse());
    let parameter = parameter.transpose().ok().flatten().unwrap_or_default();
    let (gate, command_seq) = (head.gate, head.command_seq);
    Ok(Some(Arc::new(CampaignView { facts, gate, members, dedup, parameter, command_seq })))
}
