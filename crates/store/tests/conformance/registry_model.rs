//! The registry as anyone would write it first: maps and vectors. It says what must come out.

use std::collections::{BTreeMap, BTreeSet};

use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId};
use sponsorhub_core::time::day_of;
use sponsorhub_store::registry::{
    ApiChange, ApiKey, Brand, CampaignKey, Creator, EnrollmentCreator, Link, Maker,
    NEAR_MISSES_MAX, NearMiss, NearMissCount, Party, PersonName, PromoCode, User,
};
use sponsorhub_store::{Change, Recorded, RegistryReader, Rule};

use crate::outside;

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Campaigns with the enrollments that started in them.
    pub(crate) started: BTreeMap<CampaignId, BTreeSet<EnrollmentId>>,
    pub(crate) version: u64,
    brands: BTreeMap<BrandId, Brand>,
    creators: BTreeMap<CreatorId, Creator>,
    owners: BTreeMap<CampaignId, BrandId>,
    mapped: BTreeMap<(CampaignId, EnrollmentId), EnrollmentCreator>,
    api_keys: Vec<ApiKey>,
    links: BTreeMap<CampaignId, Vec<Link>>,
    slugs: BTreeMap<String, (CampaignId, u32)>,
    codes: BTreeMap<(BrandId, String), PromoCode>,
    campaign_keys: BTreeMap<CampaignId, CampaignKey>,
    misses: BTreeMap<BrandId, Vec<NearMiss>>,
    counts: BTreeMap<(BrandId, i64, String), u64>,
    /// Grows from history to history of one place: events wait for the whole of it.
    pub(crate) outside: outside::Model,
}

pub(crate) fn check(holds: bool, rule: Rule) -> Result<(), Rule> {
    if holds { Ok(()) } else { Err(rule) }
}

fn is_person(creators: &BTreeMap<CreatorId, Creator>, creator: CreatorId) -> bool {
    creators.get(&creator).is_some_and(|creator| creator.erased_at.is_none())
}

fn revoke(revoked_at: Option<&mut Option<i64>>, at: i64, unknown: Rule) -> Result<(), Rule> {
    let revoked_at = revoked_at.ok_or(unknown)?;
    check(revoked_at.is_none(), Rule::RevokedOnce)?;
    *revoked_at = Some(at);
    Ok(())
}

impl Model {
    pub(crate) fn record(&mut self, change: &Change) -> Recorded {
        let recorded = match change {
            Change::IssueLink { campaign, enrollment, destination, maker, at } => {
                self.issue_link(*campaign, *enrollment, (destination, *maker), *at)
            }
            other => self.apply(other).map(|()| Recorded::Done),
        };
        match recorded {
            Ok(recorded) => {
                self.version += u64::from(change.is_cached());
                recorded
            }
            Err(rule) => Recorded::Conflict { rule },
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), Rule> {
        match change {
            Change::RevokeLink { campaign, number, at } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                let links = self.links.entry(*campaign).or_default();
                let link = links.iter_mut().find(|link| link.number == *number);
                revoke(link.map(|link| &mut link.revoked_at), *at, Rule::LinkKnown)?;
            }
            Change::NameLink { slug, campaign, number, .. } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                let links = self.links.get(campaign).map_or(&[][..], Vec::as_slice);
                check(links.iter().any(|link| link.number == *number), Rule::LinkKnown)?;
                check(!self.slugs.contains_key(slug), Rule::SlugUnique)?;
                self.slugs.insert(slug.clone(), (*campaign, *number));
            }
            Change::IssuePromoCode(code) => self.issue_promo_code(code)?,
            Change::RevokePromoCode { brand, folded, at } => {
                let code = self.codes.get_mut(&(*brand, folded.clone()));
                revoke(code.map(|code| &mut code.revoked_at), *at, Rule::PromoCodeKnown)?;
            }
            Change::NoteNearMisses(misses) => self.note_near_misses(misses),
            Change::Provider(change) => {
                let creators = &self.creators;
                self.outside.provider(change, |creator| is_person(creators, creator))?;
            }
            Change::Api(ApiChange::Admit { user, name, issued_at }) => {
                self.admit(user, name, *issued_at)?;
            }
            Change::Api(change) => self.outside.api(change)?,
            Change::Webhook(change) => {
                let (brands, creators) = (&self.brands, &self.creators);
                self.outside.webhooks.apply(change, |owner| match owner {
                    Party::Brand(brand) => check(brands.contains_key(&brand), Rule::BrandKnown),
                    Party::Creator(creator) => {
                        check(is_person(creators, creator), Rule::CreatorKnown)
                    }
                })?;
            }
            other => {
                self.apply_to_people(other)?;
                self.apply_to_keys(other)?;
            }
        }
        Ok(())
    }

    /// Somebody joins, with the brand or creator that they are: all of it or nothing.
    fn admit(&mut self, user: &User, name: &str, issued_at: i64) -> Result<(), Rule> {
        let (user, is_new) = self.outside.admitted(user, issued_at)?;
        let at = user.created_at;
        let made = user.party.filter(|_| is_new).map(|party| {
            if user.role == "creator" {
                let name = PersonName(name.to_owned());
                return Change::AddCreator { creator: CreatorId(party), name, at };
            }
            let (id, name, click_parameter) = (BrandId(party), name.to_owned(), "sh_click".into());
            Change::AddBrand(Brand { id, name, created_at: at, click_parameter })
        });
        let before = (self.brands.clone(), self.creators.clone());
        let done = made.map_or(Ok(()), |made| self.apply_to_people(&made));
        let done = done.and_then(|()| self.outside.api(&ApiChange::KeepUser(user)));
        if done.is_err() {
            (self.brands, self.creators) = before;
        }
        done
    }

    /// Brands and creators, and what is theirs.
    fn apply_to_people(&mut self, change: &Change) -> Result<(), Rule> {
        match change {
            Change::AddBrand(brand) => {
                check(!self.brands.contains_key(&brand.id), Rule::BrandUnique)?;
                self.brands.insert(brand.id, brand.clone());
            }
            Change::NameBrand { brand, name } => {
                let known = self.brands.get_mut(brand).ok_or(Rule::BrandKnown)?;
                known.name.clone_from(name);
                self.outside.rename(*brand);
            }
            Change::NameClickParameter { brand, parameter } => {
                let brand = self.brands.get_mut(brand).ok_or(Rule::BrandKnown)?;
                brand.click_parameter.clone_from(parameter);
            }
            Change::AddCreator { creator, name, at } => {
                check(!self.creators.contains_key(creator), Rule::CreatorUnique)?;
                let (name, created_at) = (Some(name.clone()), *at);
                let (erasure_asked_at, erased_at) = (None, None);
                let id = *creator;
                let added = Creator { id, name, created_at, erasure_asked_at, erased_at };
                self.creators.insert(*creator, added);
            }
            Change::AskErasure { creator, at } => {
                check(is_person(&self.creators, *creator), Rule::CreatorKnown)?;
                let person = self.creators.get_mut(creator).ok_or(Rule::CreatorKnown)?;
                person.erasure_asked_at = person.erasure_asked_at.or(Some(*at));
            }
            Change::EraseCreator { creator, at } => self.erase(*creator, *at)?,
            Change::OwnCampaign { campaign, brand, .. } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                check(self.brands.contains_key(brand), Rule::BrandKnown)?;
                check(!self.owners.contains_key(campaign), Rule::OwnerUnique)?;
                self.owners.insert(*campaign, *brand);
            }
            Change::MapEnrollment { campaign, enrollment, creator, at } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                check(is_person(&self.creators, *creator), Rule::CreatorKnown)?;
                let place = (*campaign, *enrollment);
                check(!self.mapped.contains_key(&place), Rule::EnrollmentUnique)?;
                let (enrollment, creator, created_at) = (*enrollment, Some(*creator), *at);
                self.mapped.insert(place, EnrollmentCreator { enrollment, creator, created_at });
            }
            _ => {}
        }
        Ok(())
    }

    fn apply_to_keys(&mut self, change: &Change) -> Result<(), Rule> {
        match change {
            Change::IssueApiKey(key) => self.issue_api_key(key)?,
            Change::ReplaceApiKey { key, until } => {
                let old = self
                    .api_keys
                    .iter()
                    .find(|known| Some(known.id) == key.replaces && known.brand == key.brand);
                let old = old.ok_or(Rule::ApiKeyKnown)?.id;
                let stands = |one: &ApiKey| one.replaces == Some(old) && one.revoked_at.is_none();
                check(!self.api_keys.iter().any(stands), Rule::ReplacedOnce)?;
                self.issue_api_key(key)?;
                for known in self.api_keys.iter_mut().filter(|known| known.id == old) {
                    let ends = known.expires_at.map_or(*until, |ends| ends.min(*until));
                    known.expires_at = Some(ends);
                }
            }
            Change::ExpireApiKey { key, expires_at } => {
                let key = self.api_keys.iter_mut().find(|known| known.id == *key);
                let key = key.ok_or(Rule::ApiKeyKnown)?;
                let comes_closer = key.expires_at.is_none_or(|before| *expires_at <= before);
                check(comes_closer, Rule::ExpiryComesCloser)?;
                key.expires_at = Some(*expires_at);
            }
            Change::RevokeApiKey { key, at } => {
                let key = self.api_keys.iter_mut().find(|known| known.id == *key);
                revoke(key.map(|key| &mut key.revoked_at), *at, Rule::ApiKeyKnown)?;
            }
            Change::NoteKeyUses(uses) => {
                for (id, at) in uses {
                    let key = self.api_keys.iter_mut().find(|known| known.id == *id);
                    if let Some(key) = key {
                        key.last_used_at = key.last_used_at.max(Some(*at));
                    }
                }
            }
            Change::KeepCampaignKey { campaign, wrapped, key_id, at } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                check(!self.campaign_keys.contains_key(campaign), Rule::CampaignKeyUnique)?;
                let (wrapped, key_id, created_at) = (Some(wrapped.clone()), *key_id, *at);
                let key = CampaignKey { wrapped, key_id, created_at, erased_at: None };
                self.campaign_keys.insert(*campaign, key);
            }
            Change::DestroyCampaignKey { campaign, at } => {
                check(self.started.contains_key(campaign), Rule::CampaignKnown)?;
                let key = self.campaign_keys.get_mut(campaign).ok_or(Rule::CampaignKeyKnown)?;
                check(key.wrapped.is_some(), Rule::CampaignKeyKnown)?;
                (key.wrapped, key.erased_at) = (None, Some(*at));
            }
            _ => {}
        }
        Ok(())
    }

    fn erase(&mut self, creator: CreatorId, at: i64) -> Result<(), Rule> {
        check(is_person(&self.creators, creator), Rule::CreatorKnown)?;
        let person = self.creators.get_mut(&creator).ok_or(Rule::CreatorKnown)?;
        (person.name, person.erased_at) = (None, Some(at));
        let theirs = self.mapped.iter().filter(|(_, mapped)| mapped.creator == Some(creator));
        let theirs: BTreeSet<_> = theirs.map(|(place, _)| *place).collect();
        self.codes.retain(|_, code| !theirs.contains(&(code.campaign, code.enrollment)));
        for (campaign, links) in &mut self.links {
            for link in links.iter_mut().filter(|l| theirs.contains(&(*campaign, l.enrollment))) {
                let named = (*campaign, link.number);
                self.slugs.retain(|_, place| *place != named);
                link.maker = None;
            }
        }
        self.outside.forget(creator);
        for mapped in self.mapped.values_mut().filter(|mapped| mapped.creator == Some(creator)) {
            mapped.creator = None;
        }
        self.outside.webhooks.forget(Party::Creator(creator));
        Ok(())
    }

    fn issue_api_key(&mut self, key: &ApiKey) -> Result<(), Rule> {
        let is_word = |scope: &String| scope.split_whitespace().eq([scope.as_str()]);
        check(key.scopes.iter().all(is_word), Rule::ScopeIsOneWord)?;
        let has_secret = !key.needs_signature || key.signing_secret.is_some();
        check(has_secret, Rule::SignatureHasSecret)?;
        check(self.brands.contains_key(&key.brand), Rule::BrandKnown)?;
        let same = |known: &ApiKey| known.id == key.id || known.secret_hash == key.secret_hash;
        check(!self.api_keys.iter().any(same), Rule::ApiKeyUnique)?;
        self.api_keys.push(key.clone());
        Ok(())
    }

    fn has_started(&self, campaign: CampaignId, enrollment: EnrollmentId) -> bool {
        self.started.get(&campaign).is_some_and(|started| started.contains(&enrollment))
    }

    fn issue_link(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
        (destination, maker): (&str, Option<Maker>),
        created_at: i64,
    ) -> Result<Recorded, Rule> {
        check(self.started.contains_key(&campaign), Rule::CampaignKnown)?;
        check(self.has_started(campaign, enrollment), Rule::EnrollmentKnown)?;
        let links = self.links.entry(campaign).or_default();
        let number = u32::try_from(links.len() + 1).expect("few");
        let destination = destination.to_owned();
        links.push(Link { number, enrollment, destination, maker, created_at, revoked_at: None });
        Ok(Recorded::Link { number })
    }

    fn issue_promo_code(&mut self, code: &PromoCode) -> Result<(), Rule> {
        check(self.started.contains_key(&code.campaign), Rule::CampaignKnown)?;
        check(self.brands.contains_key(&code.brand), Rule::BrandKnown)?;
        let owner = self.owners.get(&code.campaign);
        check(owner == Some(&code.brand), Rule::CampaignIsOfBrand)?;
        check(self.has_started(code.campaign, code.enrollment), Rule::EnrollmentKnown)?;
        let place = (code.brand, code.folded.clone());
        check(!self.codes.contains_key(&place), Rule::PromoCodeUnique)?;
        self.codes.insert(place, code.clone());
        Ok(())
    }

    fn note_near_misses(&mut self, misses: &[NearMiss]) {
        for miss in misses.iter().filter(|miss| self.brands.contains_key(&miss.brand)) {
            self.misses.entry(miss.brand).or_default().push(miss.clone());
            let day = (miss.brand, day_of(miss.at), miss.code.clone());
            *self.counts.entry(day).or_default() += 1;
        }
    }

    /// Everything that a reader can say of these, compared with the model.
    pub(crate) fn compare(
        &self,
        reader: &mut dyn RegistryReader,
        (brands, creators, campaigns): (&[BrandId], &[CreatorId], &[CampaignId]),
    ) {
        assert_eq!(reader.version().expect("reads"), self.version);
        for brand in brands {
            self.compare_brand(reader, *brand);
        }
        for creator in creators {
            let known = reader.creator(*creator).expect("reads");
            assert_eq!(known.as_ref(), self.creators.get(creator));
            let theirs = self.mapped.iter().filter(|(_, m)| m.creator == Some(*creator));
            let theirs: Vec<_> = theirs.map(|(place, _)| *place).collect();
            assert_eq!(reader.enrollments_of(*creator).expect("reads"), theirs);
        }
        for campaign in campaigns {
            self.compare_campaign(reader, *campaign);
        }
        self.compare_lists(reader);
        self.outside.compare(reader, creators);
        for key in &self.api_keys {
            let found = reader.api_key(key.secret_hash).expect("reads");
            assert_eq!(found.as_ref(), Some(key));
        }
        let mut waiting: Vec<_> = self
            .creators
            .values()
            .filter(|one| one.erased_at.is_none())
            .filter_map(|one| one.erasure_asked_at.map(|at| (at, one.id)))
            .collect();
        waiting.sort_unstable();
        let waiting: Vec<_> = waiting.into_iter().map(|(_, id)| id).collect();
        // Those of other histories wait as well.
        let mut found = reader.creators_to_erase().expect("reads");
        found.retain(|id| self.creators.contains_key(id));
        assert_eq!(found, waiting);
        for (slug, place) in &self.slugs {
            assert_eq!(reader.slug(slug).expect("reads"), Some(*place));
        }
    }

    /// Lists of everybody; who is of other histories is listed as well.
    fn compare_lists(&self, reader: &mut dyn RegistryReader) {
        let all = reader.brands(None, usize::MAX).expect("reads");
        let known = |brand: &&Brand| self.brands.contains_key(&brand.id);
        assert!(all.iter().filter(known).eq(self.brands.values()));
        if let Some(first) = all.first() {
            let next = reader.brands(Some(first.id), 2).expect("reads");
            assert_eq!(next.as_slice(), &all[1..all.len().min(3)]);
        }
        let all = reader.creators(None, usize::MAX).expect("reads");
        let known = |creator: &&Creator| self.creators.contains_key(&creator.id);
        assert!(all.iter().filter(known).eq(self.creators.values()));
        if let Some(first) = all.first() {
            let next = reader.creators(Some(first.id), 2).expect("reads");
            assert_eq!(next.as_slice(), &all[1..all.len().min(3)]);
        }
    }

    fn compare_brand(&self, reader: &mut dyn RegistryReader, brand: BrandId) {
        let known = reader.brand(brand).expect("reads");
        assert_eq!(known.as_ref(), self.brands.get(&brand));
        let mut keys: Vec<_> = self.api_keys.iter().filter(|key| key.brand == brand).collect();
        keys.sort_by_key(|key| (key.created_at, key.id));
        assert_eq!(reader.api_keys(brand).expect("reads").iter().collect::<Vec<_>>(), keys);
        let mut owned: Vec<_> = self.owners.iter().filter(|(_, owner)| **owner == brand).collect();
        let mut campaigns = reader.campaigns(brand).expect("reads");
        campaigns.sort_unstable();
        owned.sort_unstable();
        assert_eq!(campaigns, owned.into_iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (_, code) in self.codes.iter().filter(|((of, _), _)| *of == brand) {
            let found = reader.promo_code(brand, &code.folded).expect("reads");
            assert_eq!(found.as_ref(), Some(code));
        }
        let misses = self.misses.get(&brand).map_or(&[][..], Vec::as_slice);
        let newest = misses.iter().rev().take(usize::try_from(NEAR_MISSES_MAX).expect("few"));
        let found = reader.near_misses(brand, None, usize::MAX).expect("reads");
        assert!(found.iter().map(|(_, miss)| miss).eq(newest));
        let counts = self.counts.iter().filter(|((of, ..), _)| *of == brand);
        let counts = counts.map(|((_, day, code), count)| {
            let (day, code, count) = (*day, code.clone(), *count);
            NearMissCount { day, code, count }
        });
        let found = reader.near_miss_counts(brand, i64::MIN).expect("reads");
        assert_eq!(found, counts.collect::<Vec<_>>());
    }

    fn compare_campaign(&self, reader: &mut dyn RegistryReader, campaign: CampaignId) {
        let owner = reader.owner(campaign).expect("reads");
        assert_eq!(owner.as_ref(), self.owners.get(&campaign));
        let key = reader.campaign_key(campaign).expect("reads");
        assert_eq!(key.as_ref(), self.campaign_keys.get(&campaign));
        let mapped = self.mapped.iter().filter(|((of, _), _)| *of == campaign);
        let mapped: Vec<_> = mapped.map(|(_, mapped)| *mapped).collect();
        assert_eq!(reader.enrollments(campaign).expect("reads"), mapped);
        let links = self.links.get(&campaign).map_or(&[][..], Vec::as_slice);
        for number in 0..u32::try_from(links.len() + 2).expect("few") {
            let expected = links.iter().find(|link| link.number == number);
            assert_eq!(reader.link(campaign, number).expect("reads").as_ref(), expected);
        }
        for enrollment in self.started.get(&campaign).into_iter().flatten() {
            let own = links.iter().filter(|link| link.enrollment == *enrollment);
            assert!(reader.links(campaign, *enrollment).expect("reads").iter().eq(own));
            let own = self.codes.values();
            let own = own.filter(|c| c.campaign == campaign && c.enrollment == *enrollment);
            let mut own: Vec<_> = own.collect();
            own.sort_by_key(|code| &code.folded);
            assert!(reader.promo_codes(campaign, *enrollment).expect("reads").iter().eq(own));
        }
    }
}
