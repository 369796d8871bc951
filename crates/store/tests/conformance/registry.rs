//! The promises of the registry.

use std::collections::BTreeSet;
use std::mem;
use std::sync::mpsc;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sponsorhub_core::ids::{ApiKeyId, BrandId, CampaignId, CreatorId, EnrollmentId};
use sponsorhub_store::registry::{
    ApiKey, Brand, Maker, NEAR_MISSES_MAX, NearMiss, PersonName, PromoCode, SecretHash, Wrapped,
};
use sponsorhub_store::{Change, Recorded, Rule, Store};

use crate::outside;
use crate::random::{cases, seed};
use crate::registry_model::Model;
use crate::world::{DAY, Desk, T, campaign_id, enrollment_id, mixed, terms};
use crate::{Backend, Clock, Sizes};

fn brand_id(number: u64) -> BrandId {
    BrandId(mixed("brand", number))
}

fn creator_id(number: u64) -> CreatorId {
    CreatorId(mixed("creator", number))
}

fn brand(number: u64) -> Brand {
    let click_parameter = "sh_click".to_owned();
    Brand { id: brand_id(number), name: format!("Brand {number}"), created_at: T, click_parameter }
}

fn record(store: &impl Store, change: Change) -> Recorded {
    store.record_and_wait(change).expect("room").expect("a commit")
}

fn conflict(rule: Rule) -> Recorded {
    Recorded::Conflict { rule }
}

/// Picks from few names, so that changes meet each other: those from a number on, so that
/// histories in one place do not meet.
pub(crate) struct Dice(StdRng, u64);

impl Dice {
    /// The first number of this place's names.
    pub(crate) fn first(&self) -> u64 {
        self.1
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    pub(crate) fn brand(&mut self) -> BrandId {
        brand_id(self.1 + self.below(4))
    }

    pub(crate) fn creator(&mut self) -> CreatorId {
        creator_id(self.1 + self.below(4))
    }

    pub(crate) fn campaign(&mut self) -> CampaignId {
        campaign_id(self.1 + self.below(3))
    }

    fn enrollment(&mut self) -> EnrollmentId {
        enrollment_id(self.below(4))
    }

    fn key(&mut self) -> ApiKeyId {
        ApiKeyId(mixed("api key", self.1 + self.below(6)))
    }

    fn number(&mut self) -> u32 {
        self.0.random_range(0..6)
    }

    pub(crate) fn time(&mut self) -> i64 {
        T + self.0.random_range(0..3 * DAY)
    }

    pub(crate) fn word(&mut self) -> String {
        format!("word{}", self.1 + self.below(5))
    }

    /// The word that most is said of.
    pub(crate) fn first_word(&self) -> String {
        format!("word{}", self.1)
    }

    fn bytes(&mut self) -> Wrapped {
        Wrapped(mixed("wrapped", self.below(3)).to_vec())
    }

    fn api_key(&mut self) -> ApiKey {
        let scopes = ["convert", "read", "two words", ""];
        let few = usize::try_from(self.below(3)).expect("few");
        let first = usize::from(self.below(4) == 0) * 2;
        let scopes = scopes.iter().skip(first).take(few).map(|&scope| scope.to_owned());
        let hash = mixed("hash", self.1 + self.below(6));
        let secret_hash = [hash, hash].concat().try_into().expect("32 bytes");
        ApiKey {
            id: self.key(),
            brand: self.brand(),
            secret_hash: SecretHash(secret_hash),
            scopes: scopes.collect(),
            needs_signature: self.below(2) == 0,
            signing_secret: (self.below(2) == 0).then(|| self.bytes()),
            created_at: self.time(),
            last_used_at: None,
            expires_at: (self.below(2) == 0).then(|| self.time()),
            revoked_at: None,
            replaces: None,
        }
    }

    fn promo_code(&mut self) -> PromoCode {
        let folded = self.word();
        PromoCode {
            brand: self.brand(),
            readable: folded.clone(),
            display: format!("{folded}-00000"),
            folded,
            campaign: self.campaign(),
            enrollment: self.enrollment(),
            key_id: 3,
            created_at: self.time(),
            revoked_at: None,
        }
    }

    fn near_miss(&mut self) -> NearMiss {
        NearMiss {
            brand: self.brand(),
            at: self.time(),
            code: self.word(),
            field: (self.below(2) == 0).then(|| self.word()),
            campaign: (self.below(2) == 0).then(|| self.campaign()),
            detail: self.word(),
        }
    }

    fn change(&mut self) -> Change {
        let at = self.time();
        match self.below(23) {
            0 => Change::AddBrand(brand(self.1 + self.below(3))),
            1 if self.below(3) == 0 => Change::NameBrand { brand: self.brand(), name: self.word() },
            1 => Change::NameClickParameter { brand: self.brand(), parameter: self.word() },
            2 => {
                let creator = creator_id(self.1 + self.below(3));
                Change::AddCreator { creator, name: PersonName(self.word()), at }
            }
            4 if self.below(4) == 0 => Change::AskErasure { creator: self.creator(), at },
            3 if self.below(4) == 0 => Change::EraseCreator { creator: self.creator(), at },
            3 | 4 => Change::OwnCampaign { campaign: self.campaign(), brand: self.brand(), at },
            5 => {
                let (campaign, enrollment) = (self.campaign(), self.enrollment());
                Change::MapEnrollment { campaign, enrollment, creator: self.creator(), at }
            }
            20..=22 => {
                let key = ApiKey { replaces: Some(self.key()), ..self.api_key() };
                Change::ReplaceApiKey { key, until: at }
            }
            6 => Change::IssueApiKey(self.api_key()),
            7 => Change::ExpireApiKey { key: self.key(), expires_at: at },
            8 => Change::RevokeApiKey { key: self.key(), at },
            9 => Change::NoteKeyUses(vec![(self.key(), at), (self.key(), self.time())]),
            10 | 11 => Change::IssueLink {
                campaign: self.campaign(),
                enrollment: self.enrollment(),
                destination: format!("https://shop.example/{}", self.word()),
                maker: (at % 2 == 0).then_some(Maker { key_id: 7, network: [1; 8], agent: [2; 8] }),
                at,
            },
            12 => Change::RevokeLink { campaign: self.campaign(), number: self.number(), at },
            13 => {
                let (slug, campaign) = (self.word(), self.campaign());
                Change::NameLink { slug, campaign, number: self.number(), at }
            }
            14 | 18 | 19 => Change::IssuePromoCode(self.promo_code()),
            15 => Change::RevokePromoCode { brand: self.brand(), folded: self.word(), at },
            16 if self.below(4) == 0 => {
                Change::DestroyCampaignKey { campaign: self.campaign(), at }
            }
            16 => {
                let (campaign, wrapped) = (self.campaign(), self.bytes());
                Change::KeepCampaignKey { campaign, wrapped, key_id: 1, at }
            }
            _ => Change::NoteNearMisses((0..self.below(5)).map(|_| self.near_miss()).collect()),
        }
    }
}

pub(crate) fn random_changes_agree_with_the_model_step_by_step<B: Backend>(backend: &B) {
    let (mut refused, mut outside) = (BTreeSet::new(), outside::Model::default());
    for case in 0..cases().max(24) {
        let seed = seed().wrapping_mul(1_000_003) + case;
        eprintln!("SPONSORHUB_SEED of this history: {seed}");
        let dice = Dice(StdRng::seed_from_u64(seed), case * 10);
        refused.extend(history(backend, dice, &mut outside));
    }
    let never: Vec<_> =
        Rule::ALL.iter().map(|rule| rule.name()).filter(|name| !refused.contains(name)).collect();
    assert!(never.is_empty(), "rules that no change ran against: {never:?}");
}

/// Returns the rules that changes ran against.
fn history<B: Backend>(
    backend: &B,
    mut dice: Dice,
    outside: &mut outside::Model,
) -> BTreeSet<&'static str> {
    let clock = Clock::at(T + 5_000);
    let mut store = backend.open(&clock, Sizes::SMALL);
    let mut model = Model::default();
    model.outside = mem::take(outside);
    for number in dice.1..dice.1 + 2 {
        Desk::new(campaign_id(number)).go_live(&store, 1_000_000, 3);
        model.started.insert(campaign_id(number), (0..3).map(enrollment_id).collect());
    }
    model.version = store.registry().expect("a reader").version().expect("reads");
    let names = [0, 1, 2, 3].map(|number| dice.1 + number);
    let (brands, creators) = (names.map(brand_id), names.map(creator_id));
    let campaigns = names.map(campaign_id);
    let (mut done, mut refused) = (0, BTreeSet::new());
    for step in 0..400 {
        let change = if step % 4 == 3 { outside::change(&mut dice) } else { dice.change() };
        let expected = model.record(&change);
        assert_eq!(record(&store, change.clone()), expected, "step {step}: {change:?}");
        match expected {
            Recorded::Conflict { rule } => drop(refused.insert(rule.name())),
            Recorded::Done | Recorded::Link { .. } => done += 1,
        }
        if step % 25 == 24 {
            let mut reader = store.registry().expect("a reader");
            model.compare(&mut *reader, (&brands, &creators, &campaigns));
        }
        if step % 200 == 199 {
            drop(store);
            store = backend.open(&clock, Sizes::SMALL);
            let mut reader = store.registry().expect("a reader");
            model.compare(&mut *reader, (&brands, &creators, &campaigns));
        }
    }
    assert!(done > 50, "{done} of 400 were done");
    *outside = model.outside;
    refused
}

pub(crate) fn a_change_may_speak_of_what_waits_for_the_same_commit<B: Backend>(backend: &B) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, Sizes::SMALL);
    // The writer answers on its own thread: while it is kept there, what is handed in waits.
    let (let_go, held) = mpsc::channel::<()>();
    let (stuck, is_stuck) = mpsc::channel();
    let reply = Box::new(move |_| {
        stuck.send(()).expect("the test waits");
        held.recv().unwrap_or_default();
    });
    store.record(Change::AddBrand(brand(1)), reply).expect("room");
    is_stuck.recv().expect("the writer answers");
    let (answer, answers) = mpsc::channel();
    let (campaign, brand) = (campaign_id(1), brand_id(1));
    let own = Change::OwnCampaign { campaign, brand, at: T };
    // Even before the entries that open the campaign: they come first within the commit.
    store.record(own, Box::new(move |told| drop(answer.send(told)))).expect("room");
    let mut desk = Desk::new(campaign);
    let opening = desk.opening(terms(1_000), T);
    let opening = desk.submission(&opening);
    let (opened, is_opened) = mpsc::channel();
    store.submit(opening, Box::new(move |told| drop(opened.send(told)))).expect("room");
    let mut reader = store.registry().expect("a reader");
    assert_eq!(reader.owner(campaign).expect("reads"), None);
    let_go.send(()).expect("the writer waits");
    assert!(is_opened.recv().expect("an answer").is_ok());
    assert_eq!(answers.recv().expect("an answer").expect("a commit"), Recorded::Done);
    assert_eq!(reader.owner(campaign).expect("reads"), Some(brand));
}

pub(crate) fn two_threads_never_get_one_link_number_or_one_name<B: Backend>(backend: &B) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, Sizes::SMALL);
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    let race = || {
        let mut told = Vec::new();
        for number in 0..100 {
            let (campaign, enrollment) = (campaign_id(1), enrollment_id(number % 3));
            let destination = "https://shop.example/".to_owned();
            let issue = Change::IssueLink { campaign, enrollment, destination, maker: None, at: T };
            let Recorded::Link { number: link } = record(&store, issue) else {
                panic!("a link is always issued");
            };
            let slug = format!("slug{number}");
            let name = Change::NameLink { slug, campaign, number: link, at: T };
            told.push((link, record(&store, name) == Recorded::Done));
        }
        told
    };
    let mut told = std::thread::scope(|scope| {
        let racers = [scope.spawn(race), scope.spawn(race)];
        racers.map(|racer| racer.join().expect("no panic")).concat()
    });
    told.sort_unstable();
    assert!(told.iter().map(|(link, _)| *link).eq(1..=200), "gapless: {told:?}");
    assert_eq!(told.iter().filter(|(_, named)| *named).count(), 100, "one winner for each name");
}

pub(crate) fn near_misses_are_the_newest_of_each_brand<B: Backend>(backend: &B) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, Sizes::SMALL);
    for number in 1..3 {
        record(&store, Change::AddBrand(brand(number)));
    }
    let version = store.registry().expect("a reader").version().expect("reads");
    let miss = |of: u64, number: i64| NearMiss {
        brand: brand_id(of),
        at: T + number * DAY / 1_000,
        code: if number % 2 == 0 { "click_expired" } else { "malformed" }.to_owned(),
        field: Some("occurred_at".to_owned()),
        campaign: None,
        detail: format!("number {number}"),
    };
    record(&store, Change::NoteNearMisses(vec![miss(2, 0)]));
    for lot in 0..5 {
        let mut misses: Vec<_> = (lot * 500..lot * 500 + 500).map(|n| miss(1, n)).collect();
        misses.push(miss(404, 0));
        assert_eq!(record(&store, Change::NoteNearMisses(misses)), Recorded::Done);
    }
    let mut reader = store.registry().expect("a reader");
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = reader.near_misses(brand_id(1), before, 300).expect("reads");
        assert!(page.len() <= 300);
        let Some((number, _)) = page.last() else { break };
        before = Some(*number);
        paged.extend(page.into_iter().map(|(_, miss)| miss));
    }
    let newest: Vec<_> = (1_500..2_500).rev().map(|number| miss(1, number)).collect();
    assert_eq!(paged, newest, "the newest {NEAR_MISSES_MAX}, newest first");
    assert_eq!(reader.near_misses(brand_id(2), None, 10).expect("reads").len(), 1);
    assert_eq!(reader.near_misses(brand_id(404), None, 10).expect("reads"), []);
    let counts = reader.near_miss_counts(brand_id(1), T / DAY + 1).expect("reads");
    let counts: Vec<_> = counts.iter().map(|c| (c.day - T / DAY, &*c.code, c.count)).collect();
    let [expired, malformed] = ["click_expired", "malformed"];
    let expected = [(1, expired, 500), (1, malformed, 500), (2, expired, 250), (2, malformed, 250)];
    assert_eq!(counts, expected, "counts outlive the rows");
    assert_eq!(reader.version().expect("reads"), version, "no cache is emptied by refusals");
    // Texts are cut between characters.
    let long = NearMiss { detail: "ä".repeat(1_000), ..miss(2, 0) };
    record(&store, Change::NoteNearMisses(vec![long]));
    let found = reader.near_misses(brand_id(2), None, 1).expect("reads");
    assert_eq!(found[0].1.detail, "ä".repeat(200));
}

pub(crate) fn inv_4_a_campaign_key_is_never_replaced<B: Backend>(backend: &B) {
    let clock = Clock::at(T + 5_000);
    let store = backend.open(&clock, Sizes::SMALL);
    let campaign = campaign_id(1);
    Desk::new(campaign).go_live(&store, 1_000_000, 3);
    let keep = |byte| Change::KeepCampaignKey {
        campaign,
        wrapped: Wrapped(vec![byte; 60]),
        key_id: 1,
        at: T,
    };
    assert_eq!(record(&store, keep(1)), Recorded::Done);
    assert_eq!(record(&store, keep(1)), conflict(Rule::CampaignKeyUnique), "INV-4");
    let destroy = Change::DestroyCampaignKey { campaign, at: T + 1 };
    assert_eq!(record(&store, destroy.clone()), Recorded::Done);
    assert_eq!(record(&store, destroy), conflict(Rule::CampaignKeyKnown));
    assert_eq!(record(&store, keep(2)), conflict(Rule::CampaignKeyUnique), "INV-4");
    let key = store.registry().expect("a reader").campaign_key(campaign).expect("reads");
    let key = key.expect("the row stays");
    assert_eq!((key.wrapped, key.erased_at), (None, Some(T + 1)));
}

#[test]
fn the_names_of_rules_are_stable_and_differ() {
    let names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    assert_eq!(Rule::PromoCodeUnique.to_string(), "promo_code_unique");
    assert_eq!(Rule::RevokedOnce.to_string(), "revoked_once");
}

#[test]
fn secrets_and_names_of_people_are_not_shown() {
    let mut dice = Dice(StdRng::seed_from_u64(1), 0);
    let signing_secret = Some(Wrapped(b"\x77\x77".to_vec()));
    let key = ApiKey { signing_secret, secret_hash: SecretHash([119; 32]), ..dice.api_key() };
    let name = PersonName("Anna".to_owned());
    let add = Change::AddCreator { creator: creator_id(1), name, at: T };
    let shown = format!("{:?} {add:?}", Change::IssueApiKey(key));
    assert!(shown.contains("***") && !shown.contains("119") && !shown.contains("Anna"), "{shown}");
}

#[test]
fn a_key_is_valid_until_it_expires_and_not_once_revoked() {
    let mut dice = Dice(StdRng::seed_from_u64(1), 0);
    let key = ApiKey { expires_at: Some(T), revoked_at: None, ..dice.api_key() };
    assert!(key.is_valid(T - 1) && !key.is_valid(T));
    assert!(ApiKey { expires_at: None, ..key.clone() }.is_valid(i64::MAX));
    assert!(!ApiKey { revoked_at: Some(T), ..key }.is_valid(0));
}
