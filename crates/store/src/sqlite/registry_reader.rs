//! Reading the registry, beside the writer.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use sponsorhub_core::ids::{
    ApiKeyId, BrandId, CampaignId, CreatorId, EnrollmentId, NoteId, WebhookId,
};

use super::open::{self, fault};
use super::position::unsigned;
use super::reader::limited;
use super::{api, erasure, provider, webhooks};
use crate::error::StoreError;
use crate::registry::{
    Access, ApiKey, ApiRequest, Brand, CampaignKey, Creator, Delivery, Endpoint, EnrollmentCreator,
    EventState, Exchange, Forgotten, KeptEvent, Link, Maker, NearMiss, NearMissCount, NoteText,
    Party, PausedJob, PersonName, PromoCode, Recipient, RegistryReader, SecretHash, Told, User,
    Webhook, Wrapped,
};

/// A reader with a connection of its own. Each call is one statement, and so one moment.
#[derive(Debug)]
pub struct SqliteRegistryReader(Connection);

impl SqliteRegistryReader {
    /// Opens the database of a directory, which another process may be writing to.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`], a database that is not ours or newer, and faults.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let connection = open::open_reader(directory)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self(connection))
    }

    fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let find = || self.0.prepare_cached(sql)?.query_row(params, read).optional();
        find().map_err(fault)
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let list = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.0.prepare_cached(sql)?;
            statement.query_map(params, read)?.collect()
        };
        list().map_err(fault)
    }
}

macro_rules! api_keys {
    ($where:literal) => {
        concat!(
            "SELECT id, brand_id, secret_hash, scopes, needs_signature, signing_secret_wrapped,
                created_at_ms, last_used_at_ms, expires_at_ms, revoked_at_ms, replaces
             FROM api_keys WHERE ",
            $where
        )
    };
}

fn api_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let scopes: String = row.get(3)?;
    Ok(ApiKey {
        id: ApiKeyId(row.get(0)?),
        brand: BrandId(row.get(1)?),
        secret_hash: SecretHash(row.get(2)?),
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        needs_signature: row.get(4)?,
        signing_secret: row.get::<_, Option<_>>(5)?.map(Wrapped),
        created_at: row.get(6)?,
        last_used_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
        replaces: row.get::<_, Option<_>>(10)?.map(ApiKeyId),
    })
}

macro_rules! brands {
    ($where:literal) => {
        concat!("SELECT id, name, created_at_ms, click_parameter FROM brands WHERE ", $where)
    };
}

fn brand(row: &Row<'_>) -> rusqlite::Result<Brand> {
    Ok(Brand {
        id: BrandId(row.get(0)?),
        name: row.get(1)?,
        created_at: row.get(2)?,
        click_parameter: row.get(3)?,
    })
}

macro_rules! creators {
    ($where:literal) => {
        concat!(
            "SELECT id, name, created_at_ms, erasure_asked_at_ms, erased_at_ms FROM creators WHERE ",
            $where
        )
    };
}

fn creator(row: &Row<'_>) -> rusqlite::Result<Creator> {
    Ok(Creator {
        id: CreatorId(row.get(0)?),
        name: row.get::<_, Option<_>>(1)?.map(PersonName),
        created_at: row.get(2)?,
        erasure_asked_at: row.get(3)?,
        erased_at: row.get(4)?,
    })
}

macro_rules! links {
    ($where:literal) => {
        concat!(
            "SELECT number, enrollment_id, destination, maker, l.created_at_ms, revoked_at_ms
             FROM links l JOIN campaigns c ON c.no = l.campaign_no WHERE ",
            $where
        )
    };
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        number: row.get(0)?,
        enrollment: EnrollmentId(row.get(1)?),
        destination: row.get(2)?,
        maker: row.get::<_, Option<[u8; 18]>>(3)?.map(Maker::from_bytes),
        created_at: row.get(4)?,
        revoked_at: row.get(5)?,
    })
}

macro_rules! promo_codes {
    ($where:literal) => {
        concat!(
            "SELECT brand_id, folded, campaign_id, enrollment_id, readable, display, key_id,
                created_at_ms, revoked_at_ms
             FROM promo_codes WHERE ",
            $where
        )
    };
}

fn promo_code(row: &Row<'_>) -> rusqlite::Result<PromoCode> {
    Ok(PromoCode {
        brand: BrandId(row.get(0)?),
        folded: row.get(1)?,
        campaign: CampaignId(row.get(2)?),
        enrollment: EnrollmentId(row.get(3)?),
        readable: row.get(4)?,
        display: row.get(5)?,
        key_id: row.get(6)?,
        created_at: row.get(7)?,
        revoked_at: row.get(8)?,
    })
}

fn near_miss(row: &Row<'_>) -> rusqlite::Result<(u64, NearMiss)> {
    let miss = NearMiss {
        brand: BrandId(row.get(0)?),
        at: row.get(2)?,
        code: row.get(3)?,
        field: row.get(4)?,
        campaign: row.get::<_, Option<_>>(5)?.map(CampaignId),
        detail: row.get(6)?,
    };
    Ok((unsigned(row.get(1)?), miss))
}

impl RegistryReader for SqliteRegistryReader {
    fn version(&mut self) -> Result<u64, StoreError> {
        let version = self.find("SELECT version FROM registry_versions", [], |row| row.get(0))?;
        let missing = || StoreError::Corrupt("the version of the registry is missing".into());
        version.map(unsigned).ok_or_else(missing)
    }

    fn recipient(&mut self, creator: CreatorId) -> Result<Option<Recipient>, StoreError> {
        provider::of_creator(&self.0, creator).map_err(fault)
    }

    fn recipient_by_account(&mut self, account: &str) -> Result<Option<Recipient>, StoreError> {
        provider::of_account(&self.0, account).map_err(fault)
    }

    fn waiting_events(&mut self, now: i64, limit: usize) -> Result<Vec<KeptEvent>, StoreError> {
        provider::waiting(&self.0, now, limited(limit)).map_err(fault)
    }

    fn events(
        &mut self,
        before: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(KeptEvent, EventState)>, StoreError> {
        provider::events(&self.0, before, limited(limit)).map_err(fault)
    }

    fn event(&mut self, id: &str) -> Result<Option<(KeptEvent, EventState)>, StoreError> {
        provider::event(&self.0, id).map_err(fault)
    }

    fn paused_jobs(&mut self) -> Result<Vec<PausedJob>, StoreError> {
        api::paused_jobs(&self.0).map_err(fault)
    }

    fn user(&mut self, subject: &str) -> Result<Option<User>, StoreError> {
        api::user(&self.0, subject).map_err(fault)
    }

    fn users_of(&mut self, party: [u8; 16]) -> Result<Vec<User>, StoreError> {
        api::users_of(&self.0, party).map_err(fault)
    }

    fn users(&mut self, after: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        api::users_after(&self.0, (after, limited(limit))).map_err(fault)
    }

    fn party_of_organisation(
        &mut self,
        organisation: &str,
    ) -> Result<Option<[u8; 16]>, StoreError> {
        api::party_of_organisation(&self.0, organisation).map_err(fault)
    }

    fn accesses(
        &mut self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Access)>, StoreError> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        api::accesses(&self.0, (before, limited(limit))).map_err(fault)
    }

    fn api_request(&mut self, subject: &str, key: &str) -> Result<Option<ApiRequest>, StoreError> {
        api::request(&self.0, subject, key).map_err(fault)
    }

    fn webhooks(&mut self, owner: Party) -> Result<Vec<Webhook>, StoreError> {
        webhooks::of_party(&self.0, owner).map_err(fault)
    }

    fn webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        webhooks::by_id(&self.0, id).map_err(fault)
    }

    fn active_webhooks(&mut self) -> Result<Vec<Webhook>, StoreError> {
        webhooks::active(&self.0).map_err(fault)
    }

    fn all_webhooks(
        &mut self,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError> {
        webhooks::after(&self.0, (after, limited(limit))).map_err(fault)
    }

    fn told(&mut self, id: WebhookId) -> Result<Vec<Told>, StoreError> {
        webhooks::told(&self.0, id).map_err(fault)
    }

    fn due_delivery(
        &mut self,
        id: WebhookId,
        now: i64,
    ) -> Result<Option<(u64, Delivery)>, StoreError> {
        webhooks::due(&self.0, id, now).map_err(fault)
    }

    fn deliveries(
        &mut self,
        id: WebhookId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Delivery)>, StoreError> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        webhooks::deliveries(&self.0, id, (before, limited(limit))).map_err(fault)
    }

    fn exchanges(
        &mut self,
        campaign: CampaignId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Exchange)>, StoreError> {
        // Beyond what a number can be there is nothing.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        provider::exchanges(&self.0, campaign, (after, limited(limit))).map_err(fault)
    }

    fn remembers_events(&mut self, before: i64) -> Result<bool, StoreError> {
        provider::remembers(&self.0, before).map_err(fault)
    }

    fn newest_event(&mut self, endpoint: Endpoint) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT max(received_at_ms) FROM provider_events WHERE endpoint = ?1";
        let newest = self.find(sql, [endpoint.name()], |row| row.get::<_, Option<i64>>(0))?;
        Ok(newest.flatten())
    }

    fn event_cursor(&mut self) -> Result<Option<String>, StoreError> {
        provider::cursor(&self.0).map_err(fault)
    }

    fn remembers(&mut self, before: Forgotten) -> Result<bool, StoreError> {
        erasure::remembers(&self.0, before).map_err(fault)
    }

    fn creators_to_erase(&mut self) -> Result<Vec<CreatorId>, StoreError> {
        erasure::to_erase(&self.0).map_err(fault)
    }

    fn note(&mut self, campaign: CampaignId, id: NoteId) -> Result<Option<NoteText>, StoreError> {
        erasure::note(&self.0, campaign, id).map_err(fault)
    }

    fn brand(&mut self, id: BrandId) -> Result<Option<Brand>, StoreError> {
        self.find(brands!("id = ?1"), [id.0], brand)
    }

    fn brands(&mut self, after: Option<BrandId>, limit: usize) -> Result<Vec<Brand>, StoreError> {
        let sql = brands!("?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2");
        self.list(sql, params![after.map(|after| after.0), limited(limit)], brand)
    }

    fn creator(&mut self, id: CreatorId) -> Result<Option<Creator>, StoreError> {
        self.find(creators!("id = ?1"), [id.0], creator)
    }

    fn creators(
        &mut self,
        after: Option<CreatorId>,
        limit: usize,
    ) -> Result<Vec<Creator>, StoreError> {
        let sql = creators!("?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2");
        self.list(sql, params![after.map(|after| after.0), limited(limit)], creator)
    }

    fn api_key(&mut self, secret_hash: SecretHash) -> Result<Option<ApiKey>, StoreError> {
        self.find(api_keys!("secret_hash = ?1"), [secret_hash.0], api_key)
    }

    fn api_keys(&mut self, brand: BrandId) -> Result<Vec<ApiKey>, StoreError> {
        self.list(api_keys!("brand_id = ?1 ORDER BY created_at_ms, id"), [brand.0], api_key)
    }

    fn owner(&mut self, campaign: CampaignId) -> Result<Option<BrandId>, StoreError> {
        let sql = "SELECT brand_id FROM campaign_owners o JOIN campaigns c ON c.no = o.campaign_no
                   WHERE c.id = ?1";
        self.find(sql, [campaign.0], |row| row.get(0).map(BrandId))
    }

    fn campaigns(&mut self, brand: BrandId) -> Result<Vec<CampaignId>, StoreError> {
        let sql = "SELECT c.id FROM campaign_owners o JOIN campaigns c ON c.no = o.campaign_no
                   WHERE o.brand_id = ?1 ORDER BY o.campaign_no";
        self.list(sql, [brand.0], |row| row.get(0).map(CampaignId))
    }

    fn enrollments(&mut self, campaign: CampaignId) -> Result<Vec<EnrollmentCreator>, StoreError> {
        let sql = "SELECT enrollment_id, creator_id, created_at_ms
                   FROM enrollment_creators e JOIN campaigns c ON c.no = e.campaign_no
                   WHERE c.id = ?1 ORDER BY enrollment_id";
        self.list(sql, [campaign.0], |row| {
            Ok(EnrollmentCreator {
                enrollment: EnrollmentId(row.get(0)?),
                creator: row.get::<_, Option<_>>(1)?.map(CreatorId),
                created_at: row.get(2)?,
            })
        })
    }

    fn enrollments_of(
        &mut self,
        creator: CreatorId,
    ) -> Result<Vec<(CampaignId, EnrollmentId)>, StoreError> {
        let sql = "SELECT c.id, enrollment_id
                   FROM enrollment_creators e JOIN campaigns c ON c.no = e.campaign_no
                   WHERE creator_id = ?1 ORDER BY c.id, enrollment_id";
        self.list(sql, [creator.0], |row| Ok((CampaignId(row.get(0)?), EnrollmentId(row.get(1)?))))
    }

    fn link(&mut self, campaign: CampaignId, number: u32) -> Result<Option<Link>, StoreError> {
        self.find(links!("c.id = ?1 AND number = ?2"), params![campaign.0, number], link)
    }

    fn links(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
    ) -> Result<Vec<Link>, StoreError> {
        let sql = links!("c.id = ?1 AND enrollment_id = ?2 ORDER BY number");
        self.list(sql, params![campaign.0, enrollment.0], link)
    }

    fn slug(&mut self, slug: &str) -> Result<Option<(CampaignId, u32)>, StoreError> {
        let sql = "SELECT campaign_id, link_number FROM slugs WHERE slug = ?1";
        self.find(sql, [slug], |row| Ok((CampaignId(row.get(0)?), row.get(1)?)))
    }

    fn promo_code(
        &mut self,
        brand: BrandId,
        folded: &str,
    ) -> Result<Option<PromoCode>, StoreError> {
        let sql = promo_codes!("brand_id = ?1 AND folded = ?2");
        self.find(sql, params![brand.0, folded], promo_code)
    }

    fn promo_codes(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
    ) -> Result<Vec<PromoCode>, StoreError> {
        let sql = promo_codes!("campaign_id = ?1 AND enrollment_id = ?2 ORDER BY folded");
        self.list(sql, params![campaign.0, enrollment.0], promo_code)
    }

    fn campaign_key(&mut self, campaign: CampaignId) -> Result<Option<CampaignKey>, StoreError> {
        let sql = "SELECT wrapped, key_id, created_at_ms, erased_at_ms
                   FROM campaign_keys k JOIN campaigns c ON c.no = k.campaign_no WHERE c.id = ?1";
        self.find(sql, [campaign.0], |row| {
            Ok(CampaignKey {
                wrapped: row.get::<_, Option<_>>(0)?.map(Wrapped),
                key_id: row.get(1)?,
                created_at: row.get(2)?,
                erased_at: row.get(3)?,
            })
        })
    }

    fn near_misses(
        &mut self,
        brand: BrandId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, NearMiss)>, StoreError> {
        let sql = "SELECT brand_id, no, at_ms, code, field, campaign_id, detail FROM near_misses
                   WHERE brand_id = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3";
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        self.list(sql, params![brand.0, before, limited(limit)], near_miss)
    }

    fn near_miss_counts(
        &mut self,
        brand: BrandId,
        from_day: i64,
    ) -> Result<Vec<NearMissCount>, StoreError> {
        let sql = "SELECT day, code, count FROM near_miss_counts
                   WHERE brand_id = ?1 AND day >= ?2 ORDER BY day, code";
        self.list(sql, params![brand.0, from_day], |row| {
            Ok(NearMissCount { day: row.get(0)?, code: row.get(1)?, count: unsigned(row.get(2)?) })
        })
    }
}
