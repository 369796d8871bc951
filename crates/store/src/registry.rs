//! The registry: brands, creators, API keys, links, promo codes and the keys of campaigns, beside
//! the ledgers.
//!
//! What is handed in is a [`Change`], one step of a use case, and it is done as a whole or refused
//! by a [`Rule`]. Changes share the commits of the ledgers: after the entries of the same commit,
//! so a change may speak of a campaign that is opened in it. Nothing leaves: what ends is marked
//! with when it ended, once. Times are milliseconds and come from the caller, as does everything
//! that is secret: the store sees hashes and encrypted bytes.

use std::fmt;

use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId, NoteId, WebhookId};

use crate::error::StoreError;

mod api;
mod artifacts;
mod change;
mod erasure;
mod keys;
mod near_misses;
mod provider;
mod webhooks;

pub use api::{Access, ApiChange, ApiRequest, Decider, PausedJob, User, UserChange};
pub use artifacts::{Link, Maker, PromoCode};
pub use change::{Change, Recorded, Rule};
pub use erasure::{Forgotten, Note, NoteText};
pub use keys::{ApiKey, SecretHash};
pub use near_misses::{
    NEAR_MISS_CHARACTERS, NEAR_MISS_DAYS, NEAR_MISSES_MAX, NearMiss, NearMissCount,
};
pub use provider::{
    Endpoint, EventState, Exchange, Exchanged, KeptEvent, ProviderChange, Recipient,
};
pub use webhooks::{
    DELIVERIES_MAX, Delivery, DeliveryState, Disabled, Party, Told, Webhook, WebhookChange,
};

/// Encrypted bytes, as the caller made them. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped(pub Vec<u8>);

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a creator is called. Not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(pub String);

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A brand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// Its id.
    pub id: BrandId,
    /// What it is called.
    pub name: String,
    /// Since when it is known, milliseconds.
    pub created_at: i64,
    /// The query parameter in which its shop finds the click token.
    pub click_parameter: String,
}

/// A creator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator {
    /// The id.
    pub id: CreatorId,
    /// None once erased.
    pub name: Option<PersonName>,
    /// Since when known, milliseconds.
    pub created_at: i64,
    /// Since when the person is to be erased, milliseconds; it waits while money is owed.
    pub erasure_asked_at: Option<i64>,
    /// When the person was erased, milliseconds.
    pub erased_at: Option<i64>,
}

/// Whose an enrollment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrollmentCreator {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// None once erased.
    pub creator: Option<CreatorId>,
    /// Since when that is known, milliseconds.
    pub created_at: i64,
}

/// The key behind a campaign's composite keys (INV-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignKey {
    /// Encrypted; none once destroyed.
    pub wrapped: Option<Wrapped>,
    /// The master key that it is wrapped with.
    pub key_id: u16,
    /// When it was made, milliseconds.
    pub created_at: i64,
    /// When it was destroyed, milliseconds.
    pub erased_at: Option<i64>,
}

/// Reads the registry as it is committed. One per thread; each call sees one moment.
pub trait RegistryReader: Send {
    /// A number that grows with every change that a cache could hold ([`Change::is_cached`]). Cheap:
    /// ask before trusting what was looked up more than a second ago.
    ///
    /// # Errors
    /// [`StoreError`].
    fn version(&mut self) -> Result<u64, StoreError>;

    /// The account that a creator is paid to.
    ///
    /// # Errors
    /// Faults.
    fn recipient(&mut self, creator: CreatorId) -> Result<Option<Recipient>, StoreError>;

    /// Whose account this is.
    ///
    /// # Errors
    /// Faults.
    fn recipient_by_account(&mut self, account: &str) -> Result<Option<Recipient>, StoreError>;

    /// Events of the provider that wait to be dealt with at `now`, milliseconds: by the time of
    /// their next try, the time at which they happened, and their id.
    ///
    /// # Errors
    /// Faults.
    fn waiting_events(&mut self, now: i64, limit: usize) -> Result<Vec<KeptEvent>, StoreError>;

    /// Events of the provider that came before one, which is named by when it came and by its id; newest first,
    /// each with how it stands. Bodies that an earlier version kept are left out.
    ///
    /// # Errors
    /// Faults.
    fn events(
        &mut self,
        before: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(KeptEvent, EventState)>, StoreError>;

    /// An event of the provider, and how it stands.
    ///
    /// # Errors
    /// Faults.
    fn event(&mut self, id: &str) -> Result<Option<(KeptEvent, EventState)>, StoreError>;

    /// Jobs that are paused, by name.
    ///
    /// # Errors
    /// Faults.
    fn paused_jobs(&mut self) -> Result<Vec<PausedJob>, StoreError>;

    /// Whom a user of the identity provider is here.
    ///
    /// # Errors
    /// Faults.
    fn user(&mut self, subject: &str) -> Result<Option<User>, StoreError>;

    /// Everybody who is this brand or creator, by subject.
    ///
    /// # Errors
    /// Faults.
    fn users_of(&mut self, party: [u8; 16]) -> Result<Vec<User>, StoreError>;

    /// Users by subject, after one.
    ///
    /// # Errors
    /// Faults.
    fn users(&mut self, after: &str, limit: usize) -> Result<Vec<User>, StoreError>;

    /// The brand whose team an organisation of the identity provider is.
    ///
    /// # Errors
    /// Faults.
    fn party_of_organisation(&mut self, id: &str) -> Result<Option<[u8; 16]>, StoreError>;

    /// The endpoints of a party, in the order in which they came.
    ///
    /// # Errors
    /// Faults.
    fn webhooks(&mut self, owner: Party) -> Result<Vec<Webhook>, StoreError>;

    /// An endpoint.
    ///
    /// # Errors
    /// Faults.
    fn webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// All endpoints that are not disabled.
    ///
    /// # Errors
    /// Faults.
    fn active_webhooks(&mut self) -> Result<Vec<Webhook>, StoreError>;

    /// Endpoints of everybody, by id, after one.
    ///
    /// # Errors
    /// Faults.
    fn all_webhooks(
        &mut self,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// How far an endpoint was told of ledgers, by campaign.
    ///
    /// # Errors
    /// Faults.
    fn told(&mut self, id: WebhookId) -> Result<Vec<Told>, StoreError>;

    /// The delivery to an endpoint that is due first at `now`, milliseconds, and its number. One that
    /// waits for an earlier one of the same ledger is not due.
    ///
    /// # Errors
    /// Faults.
    fn due_delivery(
        &mut self,
        id: WebhookId,
        now: i64,
    ) -> Result<Option<(u64, Delivery)>, StoreError>;

    /// At most `limit` deliveries to an endpoint with numbers below `before`, newest first, each with
    /// its number.
    ///
    /// # Errors
    /// Faults.
    fn deliveries(
        &mut self,
        id: WebhookId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Delivery)>, StoreError>;

    /// Requests for a change with numbers below `before`, newest first, each with its number.
    ///
    /// # Errors
    /// Faults.
    fn accesses(
        &mut self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Access)>, StoreError>;

    /// What was asked under an idempotency key.
    ///
    /// # Errors
    /// Faults.
    fn api_request(&mut self, subject: &str, key: &str) -> Result<Option<ApiRequest>, StoreError>;

    /// What was sent to the provider to move money of a campaign, in its order, after a number; each
    /// with its own number.
    ///
    /// # Errors
    /// Faults.
    fn exchanges(
        &mut self,
        campaign: CampaignId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Exchange)>, StoreError>;

    /// Whether the body of an event is kept that was dealt with before a time, milliseconds.
    ///
    /// # Errors
    /// Faults.
    fn remembers_events(&mut self, before: i64) -> Result<bool, StoreError>;

    /// When the newest event came by this endpoint, milliseconds.
    ///
    /// # Errors
    /// Faults.
    fn newest_event(&mut self, endpoint: Endpoint) -> Result<Option<i64>, StoreError>;

    /// How far the provider's list of events was read; none before it was.
    ///
    /// # Errors
    /// Faults.
    fn event_cursor(&mut self) -> Result<Option<String>, StoreError>;

    /// Whether something is kept that [`Change::Forget`] would take away.
    ///
    /// # Errors
    /// Faults.
    fn remembers(&mut self, before: Forgotten) -> Result<bool, StoreError>;

    /// Creators who are to be erased and are not yet.
    ///
    /// # Errors
    /// Faults.
    fn creators_to_erase(&mut self) -> Result<Vec<CreatorId>, StoreError>;

    /// The text of a note; none where there is none, or no more.
    ///
    /// # Errors
    /// Faults.
    fn note(&mut self, campaign: CampaignId, id: NoteId) -> Result<Option<NoteText>, StoreError>;

    /// A brand.
    ///
    /// # Errors
    /// [`StoreError`].
    fn brand(&mut self, brand: BrandId) -> Result<Option<Brand>, StoreError>;

    /// Brands, by id, after one.
    ///
    /// # Errors
    /// Faults.
    fn brands(&mut self, after: Option<BrandId>, limit: usize) -> Result<Vec<Brand>, StoreError>;

    /// Creators, by id, after one.
    ///
    /// # Errors
    /// Faults.
    fn creators(
        &mut self,
        after: Option<CreatorId>,
        limit: usize,
    ) -> Result<Vec<Creator>, StoreError>;

    /// A creator.
    ///
    /// # Errors
    /// [`StoreError`].
    fn creator(&mut self, creator: CreatorId) -> Result<Option<Creator>, StoreError>;

    /// The key with this secret, valid or not: see [`ApiKey::is_valid`].
    ///
    /// # Errors
    /// [`StoreError`].
    fn api_key(&mut self, secret_hash: SecretHash) -> Result<Option<ApiKey>, StoreError>;

    /// All keys of a brand, in the order in which they were issued.
    ///
    /// # Errors
    /// [`StoreError`].
    fn api_keys(&mut self, brand: BrandId) -> Result<Vec<ApiKey>, StoreError>;

    /// The brand that runs a campaign.
    ///
    /// # Errors
    /// [`StoreError`].
    fn owner(&mut self, campaign: CampaignId) -> Result<Option<BrandId>, StoreError>;

    /// The campaigns that a brand runs, in the order in which they were opened.
    ///
    /// # Errors
    /// [`StoreError`].
    fn campaigns(&mut self, brand: BrandId) -> Result<Vec<CampaignId>, StoreError>;

    /// Whose the enrollments of a campaign are, by enrollment.
    ///
    /// # Errors
    /// [`StoreError`].
    fn enrollments(&mut self, campaign: CampaignId) -> Result<Vec<EnrollmentCreator>, StoreError>;

    /// The enrollments of a creator, by campaign and enrollment.
    ///
    /// # Errors
    /// [`StoreError`].
    fn enrollments_of(
        &mut self,
        creator: CreatorId,
    ) -> Result<Vec<(CampaignId, EnrollmentId)>, StoreError>;

    /// A link by its number.
    ///
    /// # Errors
    /// [`StoreError`].
    fn link(&mut self, campaign: CampaignId, number: u32) -> Result<Option<Link>, StoreError>;

    /// The links of an enrollment, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    fn links(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
    ) -> Result<Vec<Link>, StoreError>;

    /// The campaign and number of the link that has this other name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn slug(&mut self, slug: &str) -> Result<Option<(CampaignId, u32)>, StoreError>;

    /// A promo code by the form under which codes are looked up.
    ///
    /// # Errors
    /// [`StoreError`].
    fn promo_code(&mut self, brand: BrandId, folded: &str)
    -> Result<Option<PromoCode>, StoreError>;

    /// The promo codes of an enrollment, by form.
    ///
    /// # Errors
    /// [`StoreError`].
    fn promo_codes(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
    ) -> Result<Vec<PromoCode>, StoreError>;

    /// The key of a campaign, destroyed or not; none where none was kept.
    ///
    /// # Errors
    /// [`StoreError`].
    fn campaign_key(&mut self, campaign: CampaignId) -> Result<Option<CampaignKey>, StoreError>;

    /// At most `limit` near misses of a brand with numbers below `before`, newest first, each with
    /// its number: the cursor for the next page.
    ///
    /// # Errors
    /// [`StoreError`].
    fn near_misses(
        &mut self,
        brand: BrandId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, NearMiss)>, StoreError>;

    /// How many near misses of a brand there were from this UTC day on, by day and code.
    ///
    /// # Errors
    /// [`StoreError`].
    fn near_miss_counts(
        &mut self,
        brand: BrandId,
        from_day: i64,
    ) -> Result<Vec<NearMissCount>, StoreError>;
}
