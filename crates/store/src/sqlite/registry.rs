//! Writing the registry: changes inside the transaction of a step, each with a way back of its own.

use rusqlite::{Connection, OptionalExtension as _, Params, ToSql, params};
use sponsorhub_core::ids::{ApiKeyId, BrandId, CampaignId, CreatorId, EnrollmentId};

use super::open::fault;
use super::position::CampaignNo;
use super::{api, erasure, near_misses, projections, provider, webhooks};
use crate::error::StoreError;
use crate::registry::{
    ApiKey, Brand, Change, Maker, PersonName, PromoCode, Recorded, Rule, Wrapped,
};

/// Why a change was not done.
pub(super) enum Stop {
    Rule(Rule),
    Fault(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error)
    }
}

impl From<Rule> for Stop {
    fn from(rule: Rule) -> Self {
        Self::Rule(rule)
    }
}

pub(super) type Done<T = ()> = Result<T, Stop>;

/// Does a change in the transaction that is open, or undoes what it did of it. The inner error is
/// the change's own; the outer one is that of the whole transaction, which is lost.
pub(super) fn record(
    connection: &Connection,
    change: &Change,
) -> Result<Result<Recorded, StoreError>, StoreError> {
    connection.execute_batch("SAVEPOINT change").map_err(fault)?;
    match apply(connection, change) {
        Ok(recorded) => {
            connection.execute_batch("RELEASE change").map_err(fault)?;
            Ok(Ok(recorded))
        }
        // SQLite has ended the transaction by itself, so there is nothing to go back to.
        Err(Stop::Fault(error)) if connection.is_autocommit() => Err(fault(error)),
        Err(stop) => {
            connection.execute_batch("ROLLBACK TO change; RELEASE change").map_err(fault)?;
            Ok(match stop {
                Stop::Rule(rule) => Ok(Recorded::Conflict { rule }),
                Stop::Fault(error) => Err(fault(error)),
            })
        }
    }
}

fn apply(connection: &Connection, change: &Change) -> Done<Recorded> {
    let room = Room(connection);
    let mut recorded = Recorded::Done;
    match change {
        Change::AddBrand(brand) => room.add_brand(brand)?,
        Change::NameBrand { brand, name } => {
            overwriting(connection, || room.name_brand(*brand, name))?;
        }
        Change::NameClickParameter { brand, parameter } => {
            room.name_click_parameter(*brand, parameter)?;
        }
        Change::AddCreator { creator, name, at } => room.add_creator(*creator, name, *at)?,
        Change::AskErasure { creator, at } => erasure::ask(connection, *creator, *at)?,
        Change::EraseCreator { creator, at } => {
            overwriting(connection, || erasure::erase(connection, *creator, *at))?;
        }
        Change::KeepNote(note) => erasure::keep_note(connection, note)?,
        Change::DropNote { campaign, id } => {
            overwriting(connection, || erasure::drop_note(connection, *campaign, *id))?;
        }
        Change::Forget(to) => overwriting(connection, || erasure::forget(connection, *to))?,
        Change::OwnCampaign { campaign, brand, at } => {
            room.own_campaign(*campaign, *brand, *at)?;
        }
        Change::MapEnrollment { campaign, enrollment, creator, at } => {
            room.map_enrollment(*campaign, *enrollment, *creator, *at)?;
        }
        Change::IssueApiKey(key) => room.issue_api_key(key)?,
        Change::ReplaceApiKey { key, until } => room.replace_api_key(key, *until)?,
        Change::ExpireApiKey { key, expires_at } => room.expire_api_key(*key, *expires_at)?,
        Change::RevokeApiKey { key, at } => room.revoke_api_key(*key, *at)?,
        Change::NoteKeyUses(uses) => room.note_key_uses(uses)?,
        Change::IssueLink { campaign, enrollment, destination, maker, at } => {
            let to = (destination.as_str(), *maker);
            let number = room.issue_link(*campaign, *enrollment, to, *at)?;
            recorded = Recorded::Link { number };
        }
        Change::RevokeLink { campaign, number, at } => {
            let no = room.campaign(*campaign)?.0;
            let found = "SELECT revoked_at_ms FROM links WHERE campaign_no = ?1 AND number = ?2";
            let set = "UPDATE links SET revoked_at_ms = ?3 WHERE campaign_no = ?1 AND number = ?2";
            room.revoke((found, set), &[&no, number], *at, Rule::LinkKnown)?;
        }
        Change::NameLink { slug, campaign, number, at } => {
            room.name_link(slug, (*campaign, *number), *at)?;
        }
        Change::IssuePromoCode(code) => room.issue_promo_code(code)?,
        Change::RevokePromoCode { brand, folded, at } => {
            let found = "SELECT revoked_at_ms FROM promo_codes WHERE brand_id = ?1 AND folded = ?2";
            let set =
                "UPDATE promo_codes SET revoked_at_ms = ?3 WHERE brand_id = ?1 AND folded = ?2";
            room.revoke((found, set), &[&brand.0, folded], *at, Rule::PromoCodeKnown)?;
        }
        Change::KeepCampaignKey { campaign, wrapped, key_id, at } => {
            room.keep_campaign_key(*campaign, wrapped, *key_id, *at)?;
        }
        Change::DestroyCampaignKey { campaign, at } => {
            overwriting(connection, || room.destroy_campaign_key(*campaign, *at))?;
        }
        Change::NoteNearMisses(misses) => near_misses::note(connection, misses)?,
        Change::Provider(change) => provider::record(connection, change)?,
        Change::Api(change) => api::record(connection, change)?,
        Change::Webhook(change) => webhooks::record(connection, change)?,
    }
    if change.is_cached() {
        room.run("UPDATE registry_versions SET version = version + 1", [])?;
    }
    Ok(recorded)
}

/// Has SQLite write zeros over what `erase` takes away, whole pages too. The file has them once the log
/// was moved to it, which an erasing change is followed by; backups keep what they have.
fn overwriting(connection: &Connection, erase: impl FnOnce() -> Done) -> Done {
    connection.pragma_update(None, "secure_delete", true)?;
    let erased = erase();
    connection.pragma_update(None, "secure_delete", "FAST")?;
    erased
}

/// The tables, inside a transaction that nobody else can write in: what is looked up here is still
/// true when it is acted upon.
struct Room<'a>(&'a Connection);

impl Room<'_> {
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.0.prepare_cached(sql)?.execute(params)
    }

    fn exists(&self, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
        self.0.prepare_cached(sql)?.exists(params)
    }

    fn must(&self, rule: Rule, sql: &str, params: impl Params) -> Done {
        if self.exists(sql, params)? { Ok(()) } else { Err(rule.into()) }
    }

    fn must_not(&self, rule: Rule, sql: &str, params: impl Params) -> Done {
        if self.exists(sql, params)? { Err(rule.into()) } else { Ok(()) }
    }

    fn campaign(&self, id: CampaignId) -> Done<CampaignNo> {
        projections::campaign_no(self.0, id)?.ok_or_else(|| Rule::CampaignKnown.into())
    }

    fn brand(&self, id: BrandId) -> Done {
        self.must(Rule::BrandKnown, "SELECT 1 FROM brands WHERE id = ?1", [id.0])
    }

    fn enrollment(&self, no: CampaignNo, id: EnrollmentId) -> Done {
        let sql = "SELECT 1 FROM enrollments WHERE campaign_no = ?1 AND id = ?2";
        self.must(Rule::EnrollmentKnown, sql, params![no.0, id.0])
    }

    /// Sets a time that is set once. `found` reads it, `set` writes it as its last parameter.
    fn revoke(
        &self,
        (found, set): (&str, &str),
        key: &[&dyn ToSql],
        at: i64,
        unknown: Rule,
    ) -> Done {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0);
        match self.0.prepare_cached(found)?.query_row(key, read).optional()? {
            None => Err(unknown.into()),
            Some(Some(_)) => Err(Rule::RevokedOnce.into()),
            Some(None) => {
                let mut key = key.to_vec();
                key.push(&at);
                self.run(set, &key[..])?;
                Ok(())
            }
        }
    }

    fn add_brand(&self, brand: &Brand) -> Done {
        let Brand { id, name, created_at, click_parameter } = brand;
        self.must_not(Rule::BrandUnique, "SELECT 1 FROM brands WHERE id = ?1", [id.0])?;
        self.run(
            "INSERT INTO brands (id, name, created_at_ms, click_parameter)
             VALUES (?1, ?2, ?3, ?4)",
            params![id.0, name, created_at, click_parameter],
        )?;
        Ok(())
    }

    fn name_brand(&self, brand: BrandId, name: &str) -> Done {
        let known =
            self.run("UPDATE brands SET name = ?2 WHERE id = ?1", params![brand.0, name])? == 1;
        if !known {
            return Err(Rule::BrandKnown.into());
        }
        // The name before is in answers to its team, and in those to operators who gave it.
        self.run(
            "UPDATE api_requests SET body = x'' WHERE length(body) > 0 AND subject IN
                 (SELECT subject FROM users WHERE party = ?1 OR role = 'admin')",
            [brand.0],
        )?;
        Ok(())
    }

    fn name_click_parameter(&self, brand: BrandId, parameter: &str) -> Done {
        let sql = "UPDATE brands SET click_parameter = ?2 WHERE id = ?1";
        let known = self.run(sql, params![brand.0, parameter])? == 1;
        if known { Ok(()) } else { Err(Rule::BrandKnown.into()) }
    }

    fn add_creator(&self, creator: CreatorId, name: &PersonName, at: i64) -> Done {
        let known = "SELECT 1 FROM creators WHERE id = ?1";
        self.must_not(Rule::CreatorUnique, known, [creator.0])?;
        let sql = "INSERT INTO creators (id, name, created_at_ms) VALUES (?1, ?2, ?3)";
        self.run(sql, params![creator.0, name.0, at])?;
        Ok(())
    }

    fn creator(&self, creator: CreatorId) -> Done {
        let known = "SELECT 1 FROM creators WHERE id = ?1 AND erased_at_ms IS NULL";
        self.must(Rule::CreatorKnown, known, [creator.0])
    }

    fn own_campaign(&self, campaign: CampaignId, brand: BrandId, at: i64) -> Done {
        let no = self.campaign(campaign)?;
        self.brand(brand)?;
        let owned = "SELECT 1 FROM campaign_owners WHERE campaign_no = ?1";
        self.must_not(Rule::OwnerUnique, owned, [no.0])?;
        let sql = "INSERT INTO campaign_owners (campaign_no, brand_id, created_at_ms)
                   VALUES (?1, ?2, ?3)";
        self.run(sql, params![no.0, brand.0, at])?;
        Ok(())
    }

    fn map_enrollment(
        &self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
        creator: CreatorId,
        at: i64,
    ) -> Done {
        let no = self.campaign(campaign)?;
        self.creator(creator)?;
        let mapped =
            "SELECT 1 FROM enrollment_creators WHERE campaign_no = ?1 AND enrollment_id = ?2";
        self.must_not(Rule::EnrollmentUnique, mapped, params![no.0, enrollment.0])?;
        self.run(
            "INSERT INTO enrollment_creators
                (campaign_no, enrollment_id, creator_id, created_at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![no.0, enrollment.0, creator.0, at],
        )?;
        Ok(())
    }

    fn issue_api_key(&self, key: &ApiKey) -> Done {
        let is_word = |scope: &String| !scope.is_empty() && !scope.contains(char::is_whitespace);
        if !key.scopes.iter().all(is_word) {
            return Err(Rule::ScopeIsOneWord.into());
        }
        if key.needs_signature && key.signing_secret.is_none() {
            return Err(Rule::SignatureHasSecret.into());
        }
        self.brand(key.brand)?;
        let taken = "SELECT 1 FROM api_keys WHERE id = ?1 OR secret_hash = ?2";
        self.must_not(Rule::ApiKeyUnique, taken, params![key.id.0, key.secret_hash.0])?;
        self.run(
            "INSERT INTO api_keys (id, brand_id, secret_hash, scopes, needs_signature,
                signing_secret_wrapped, created_at_ms, last_used_at_ms, expires_at_ms,
                revoked_at_ms, replaces)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                key.id.0,
                key.brand.0,
                key.secret_hash.0,
                key.scopes.join(" "),
                key.needs_signature,
                key.signing_secret.as_ref().map(|secret| &secret.0),
                key.created_at,
                key.last_used_at,
                key.expires_at,
                key.revoked_at,
                key.replaces.map(|key| key.0),
            ],
        )?;
        Ok(())
    }

    fn replace_api_key(&self, key: &ApiKey, until: i64) -> Done {
        let old = key.replaces.ok_or(Rule::ApiKeyKnown)?;
        let known = "SELECT expires_at_ms FROM api_keys WHERE id = ?1 AND brand_id = ?2";
        let mut known = self.0.prepare_cached(known)?;
        let known = known.query_row(params![old.0, key.brand.0], |row| row.get(0)).optional()?;
        let ends: Option<i64> = known.ok_or(Rule::ApiKeyKnown)?;
        let replaced = "SELECT 1 FROM api_keys WHERE replaces = ?1 AND revoked_at_ms IS NULL";
        self.must_not(Rule::ReplacedOnce, replaced, [old.0])?;
        self.issue_api_key(key)?;
        if ends.is_none_or(|ends| until < ends) {
            self.expire_api_key(old, until)?;
        }
        Ok(())
    }

    fn expire_api_key(&self, key: ApiKeyId, expires_at: i64) -> Done {
        let found = "SELECT expires_at_ms FROM api_keys WHERE id = ?1";
        let mut found = self.0.prepare_cached(found)?;
        let before = found.query_row([key.0], |row| row.get::<_, Option<i64>>(0)).optional()?;
        let before = before.ok_or(Rule::ApiKeyKnown)?;
        if before.is_some_and(|before| before < expires_at) {
            return Err(Rule::ExpiryComesCloser.into());
        }
        let set = "UPDATE api_keys SET expires_at_ms = ?2 WHERE id = ?1";
        self.run(set, params![key.0, expires_at])?;
        Ok(())
    }

    fn revoke_api_key(&self, key: ApiKeyId, at: i64) -> Done {
        let found = "SELECT revoked_at_ms FROM api_keys WHERE id = ?1";
        let set = "UPDATE api_keys SET revoked_at_ms = ?2 WHERE id = ?1";
        self.revoke((found, set), &[&key.0], at, Rule::ApiKeyKnown)
    }

    fn note_key_uses(&self, uses: &[(ApiKeyId, i64)]) -> Done {
        for (key, at) in uses {
            self.run(
                "UPDATE api_keys SET last_used_at_ms = max(ifnull(last_used_at_ms, ?2), ?2)
                 WHERE id = ?1",
                params![key.0, at],
            )?;
        }
        Ok(())
    }

    fn issue_link(
        &self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
        (destination, maker): (&str, Option<Maker>),
        at: i64,
    ) -> Done<u32> {
        let no = self.campaign(campaign)?;
        self.enrollment(no, enrollment)?;
        let next = "SELECT ifnull(max(number), 0) + 1 FROM links WHERE campaign_no = ?1";
        let number = self.0.prepare_cached(next)?.query_row([no.0], |row| row.get(0))?;
        self.run(
            "INSERT INTO links
                (campaign_no, number, enrollment_id, destination, maker, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![no.0, number, enrollment.0, destination, maker.map(Maker::to_bytes), at],
        )?;
        Ok(number)
    }

    fn name_link(&self, slug: &str, (campaign, number): (CampaignId, u32), at: i64) -> Done {
        let no = self.campaign(campaign)?;
        let known = "SELECT 1 FROM links WHERE campaign_no = ?1 AND number = ?2";
        self.must(Rule::LinkKnown, known, params![no.0, number])?;
        self.must_not(Rule::SlugUnique, "SELECT 1 FROM slugs WHERE slug = ?1", [slug])?;
        self.run(
            "INSERT INTO slugs (slug, campaign_id, link_number, created_at_ms)
             VALUES (?1, ?2, ?3, ?4)",
            params![slug, campaign.0, number, at],
        )?;
        Ok(())
    }

    fn issue_promo_code(&self, code: &PromoCode) -> Done {
        let no = self.campaign(code.campaign)?;
        self.brand(code.brand)?;
        let owned = "SELECT 1 FROM campaign_owners WHERE campaign_no = ?1 AND brand_id = ?2";
        self.must(Rule::CampaignIsOfBrand, owned, params![no.0, code.brand.0])?;
        self.enrollment(no, code.enrollment)?;
        let taken = "SELECT 1 FROM promo_codes WHERE brand_id = ?1 AND folded = ?2";
        self.must_not(Rule::PromoCodeUnique, taken, params![code.brand.0, code.folded])?;
        self.run(
            "INSERT INTO promo_codes (brand_id, folded, campaign_id, enrollment_id, readable,
                display, key_id, created_at_ms, revoked_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                code.brand.0,
                code.folded,
                code.campaign.0,
                code.enrollment.0,
                code.readable,
                code.display,
                code.key_id,
                code.created_at,
                code.revoked_at,
            ],
        )?;
        Ok(())
    }

    fn keep_campaign_key(
        &self,
        campaign: CampaignId,
        wrapped: &Wrapped,
        key_id: u16,
        at: i64,
    ) -> Done {
        let no = self.campaign(campaign)?;
        let kept = "SELECT 1 FROM campaign_keys WHERE campaign_no = ?1";
        self.must_not(Rule::CampaignKeyUnique, kept, [no.0])?;
        self.run(
            "INSERT INTO campaign_keys (campaign_no, wrapped, key_id, created_at_ms)
             VALUES (?1, ?2, ?3, ?4)",
            params![no.0, wrapped.0, key_id, at],
        )?;
        Ok(())
    }

    fn destroy_campaign_key(&self, campaign: CampaignId, at: i64) -> Done {
        let no = self.campaign(campaign)?;
        let kept = "SELECT 1 FROM campaign_keys WHERE campaign_no = ?1 AND wrapped IS NOT NULL";
        self.must(Rule::CampaignKeyKnown, kept, [no.0])?;
        self.run(
            "UPDATE campaign_keys SET wrapped = NULL, erased_at_ms = ?2 WHERE campaign_no = ?1",
            params![no.0, at],
        )?;
        Ok(())
    }
}
