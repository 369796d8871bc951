//! Makes a data directory with a live campaign, so that links and intake can be tried before there is
//! another way to make one: a brand with an API key, creators with links and promo codes.
//!
//! `cargo run --package sponsorhub --example fixture -- DIR` prints one JSON object: the secrets and
//! addresses to try. The tests use it too.
#![allow(dead_code, reason = "tests use their own part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use sponsorhub_app::api_keys::{self, CONVERSIONS_WRITE, Wanted};
use sponsorhub_app::catalog::Keys;
use sponsorhub_app::keyring_file;
use sponsorhub_app::ports::{Chance, random};
use sponsorhub_core::attribution::click::{AgentFingerprint, NetworkFingerprint};
use sponsorhub_core::attribution::destination::{AllowedHost, Destination};
use sponsorhub_core::attribution::keys::{Keyring, Mode};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::attribution::promo_code::{self, CodeOwner};
use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::{OnExhausted, Rate, Terms};
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::deposit::{ObservedDeposit, check_deposit};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId, Salt};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_store::registry::{Brand, Maker, PersonName, PromoCode, Wrapped};
use sponsorhub_store::{Change, Options, Recorded, SqliteStore, Store, Submission, Submitted};

/// The browser with which the first creator made the link, from 192.0.2.0/24.
pub(crate) const MAKER_AGENT: &str = "Mozilla/5.0 (Macintosh) Firefox/145.0";

/// What there is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) brand: BrandId,
    pub(crate) creators: u32,
    pub(crate) currency: Currency,
    pub(crate) is_live: bool,
    pub(crate) needs_signature: bool,
    /// When it all began, milliseconds.
    pub(crate) at: i64,
}

/// What was made.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) brand: BrandId,
    pub(crate) campaign: CampaignId,
    pub(crate) api_key: String,
    pub(crate) api_key_id: String,
    pub(crate) signing_secret: Option<String>,
    pub(crate) enrollments: Vec<EnrollmentId>,
    /// Tokens for `/r`, one per creator.
    pub(crate) links: Vec<String>,
    pub(crate) slug: String,
    /// One per creator.
    pub(crate) codes: Vec<String>,
}

/// Random enough for a fixture: the operating system's bytes.
#[derive(Debug)]
pub(crate) struct FixtureChance;

impl Chance for FixtureChance {
    fn fill(&self, bytes: &mut [u8]) {
        use rand::TryRngCore as _;
        rand::rngs::OsRng.try_fill_bytes(bytes).expect("the system has random bytes");
    }
}

/// The keyring of the directory, made where it is missing.
pub(crate) fn keyring(directory: &Path, at: i64) -> Keyring {
    match keyring_file::make(directory, Mode::Sandbox, &FixtureChance, at) {
        Ok(keyring) => keyring,
        Err(_) => keyring_file::read(directory).expect("the keyring is there"),
    }
}

pub(crate) fn open(directory: &Path, keyring: &Keyring, at: i64) -> SqliteStore {
    let options = Options { keyring: Some(keyring.id()), ..Options::default() };
    SqliteStore::open(directory, options, move || at).expect("the store opens")
}

pub(crate) fn record(store: &dyn Store, change: Change) -> Recorded {
    let recorded = store.record_and_wait(change).expect("room").expect("a commit");
    assert!(!matches!(recorded, Recorded::Conflict { .. }), "{recorded:?}");
    recorded
}

fn submit(store: &dyn Store, draft: Draft) -> Campaign {
    let salt = || Salt(random(&FixtureChance));
    let submission = Submission::try_new(&draft, salt).expect("can be written");
    let submitted = store.submit_and_wait(submission).expect("room").expect("a commit");
    assert!(matches!(submitted, Submitted::Appended { .. }), "{submitted:?}");
    draft.into_parts().0
}

fn terms(plan: &Plan) -> Terms {
    let day = 86_400_000;
    let budget = Minor(50_000_000_000);
    Terms {
        rates: BTreeMap::from([
            ("lead".to_owned(), Rate::Flat(vec![(0, Minor(100))])),
            ("sale".to_owned(), Rate::Bps(vec![(0, 1_000)])),
        ]),
        on_exhausted: OnExhausted::Record,
        destination_hosts: vec!["shop.example".to_owned()],
        min_order: Minor(0),
        ..Terms::with_defaults(plan.currency, budget, plan.at + 90 * day)
    }
}

/// A campaign with its money, and live where that is planned.
fn campaign(store: &dyn Store, plan: &Plan, enrollments: &[EnrollmentId]) -> CampaignId {
    let id = CampaignId(random(&FixtureChance));
    let terms = terms(plan);
    let budget = terms.budget;
    let opening = Opening { id, brand: plan.brand, mode: Mode::Sandbox };
    let state = submit(store, Draft::open(opening, terms, plan.at).expect("valid terms"));
    if !plan.is_live {
        return id;
    }
    let total = Minor(budget.0 + budget.0 / 10);
    let mut draft = Draft::on(&state, plan.at + 1);
    draft.expect_deposit(total, budget, "cs_1".to_owned()).expect("expected");
    let state = submit(store, draft);
    let expected = state.expected_deposit(state.head()).expect("expected");
    let observed = ObservedDeposit {
        campaign: id,
        amount: total,
        currency: plan.currency.code().to_lowercase(),
        mode: Mode::Sandbox,
        session: "cs_1".into(),
        payment: "pi_1".into(),
        is_paid: true,
    };
    let funds = check_deposit(&expected, &observed).expect("as expected");
    let mut draft = Draft::on(&state, plan.at + 2);
    draft.confirm_deposit(funds).expect("confirmed");
    let state = submit(store, draft);
    let mut draft = Draft::on(&state, plan.at + 3);
    for enrollment in enrollments {
        draft.enroll(*enrollment, Offer::default()).expect("enrolled");
    }
    draft.launch().expect("funded");
    // A server that starts on it has nothing to do before something happens.
    draft.rollup(None).expect("rolls");
    submit(store, draft);
    id
}

/// Makes everything in a directory that no server has open.
pub(crate) fn make(directory: &Path, plan: &Plan) -> Fixture {
    let keyring = keyring(directory, plan.at);
    let store = open(directory, &keyring, plan.at + 10);
    let keys = Keys::new(&keyring);
    let (at, brand) = (plan.at, plan.brand);
    if store.registry().expect("reads").brand(brand).expect("reads").is_none() {
        let click_parameter = "sh_click".to_owned();
        let brand =
            Brand { id: brand, name: "Fixture Goods".to_owned(), created_at: at, click_parameter };
        record(&store, Change::AddBrand(brand));
    }
    let wanted = Wanted {
        brand,
        scopes: vec![CONVERSIONS_WRITE.to_owned()],
        needs_signature: plan.needs_signature,
        expires_at: None,
    };
    let issued = api_keys::issue(&store, &keys, &FixtureChance, wanted, at).expect("issued");
    let mut enrollments = Vec::new();
    enrollments.resize_with(plan.creators as usize, || EnrollmentId(random(&FixtureChance)));
    let id = campaign(&store, plan, &enrollments);
    record(&store, Change::OwnCampaign { campaign: id, brand, at });
    let dedup = DedupKey::new(random(&FixtureChance));
    let wrapped = dedup.wrap(&keys.set, id, random(&FixtureChance));
    let (wrapped, key_id) = (Wrapped(wrapped.to_vec()), keys.set.signer().0);
    record(&store, Change::KeepCampaignKey { campaign: id, wrapped, key_id, at });
    let (mut links, mut codes) = (Vec::new(), Vec::new());
    let slug = format!("fixture-{}", u32::from_be_bytes(random(&FixtureChance)));
    for (index, enrollment) in enrollments.iter().enumerate().filter(|_| plan.is_live) {
        let (link, code) = creator(&store, &keys, (brand, id, *enrollment), (index, at));
        links.push(link);
        codes.push(code);
    }
    if plan.is_live && plan.creators > 0 {
        let slug = slug.clone();
        record(&store, Change::NameLink { slug, campaign: id, number: 1, at });
    }
    Fixture {
        brand,
        campaign: id,
        api_key: issued.api_key,
        api_key_id: issued.id.to_string(),
        signing_secret: issued.signing_secret,
        enrollments,
        links,
        slug,
        codes,
    }
}

fn creator(
    store: &dyn Store,
    keys: &Keys,
    (brand, campaign, enrollment): (BrandId, CampaignId, EnrollmentId),
    (index, at): (usize, i64),
) -> (String, String) {
    // The first creator made the link at home, with the browser that tests visit with.
    let maker = (index == 0).then(|| Maker {
        key_id: keys.set.signer().0,
        network: NetworkFingerprint::new(keys.set.pepper(), [192, 0, 2, 1].into()).0,
        agent: AgentFingerprint::new(keys.set.pepper(), MAKER_AGENT.as_bytes()).0,
    });
    let creator = CreatorId(random(&FixtureChance));
    record(store, Change::AddCreator { creator, name: PersonName(format!("C{index}")), at });
    record(store, Change::MapEnrollment { campaign, enrollment, creator, at });
    let hosts: Vec<AllowedHost> = vec!["shop.example".parse().expect("a host")];
    let url = format!("https://shop.example/product?ref=c{index}#buy");
    let destination = Destination::try_new(&url, &hosts, Mode::Sandbox).expect("listed");
    let destination = destination.to_string();
    let issued = record(store, Change::IssueLink { campaign, enrollment, destination, maker, at });
    let Recorded::Link { number } = issued else { panic!("a link has a number") };
    let link = LinkToken { campaign, enrollment, number }.sign(&keys.set);
    let owner = CodeOwner { brand, campaign, enrollment };
    let code = promo_code::issue(&keys.set, owner, &format!("ANNA{index}")).expect("a code");
    record(
        store,
        Change::IssuePromoCode(PromoCode {
            brand,
            folded: code.folded.as_str().to_owned(),
            campaign,
            enrollment,
            readable: format!("ANNA{index}"),
            display: code.text.clone(),
            key_id: code.key.0,
            created_at: at,
            revoked_at: None,
        }),
    );
    (link, code.text)
}

/// Pauses the campaign, in a directory that no server has open.
pub(crate) fn pause(directory: &Path, made: &Fixture) {
    command(directory, made.campaign, now() - 60_000, |draft| {
        draft.pause(StateCause::Brand).expect("live");
    });
}

/// Commands a campaign at a time, in a directory that no server has open.
pub(crate) fn command(
    directory: &Path,
    campaign: CampaignId,
    at: i64,
    change: impl FnOnce(&mut Draft),
) {
    let store = open(directory, &keyring(directory, now()), now());
    let mut state: Option<Campaign> = None;
    for bytes in store.reader().expect("reads").entries(campaign, 1, usize::MAX).expect("reads") {
        let entry = Entry::decode(&bytes).expect("canonical");
        match &mut state {
            None => state = Some(Campaign::open(&entry).expect("opens")),
            Some(state) => drop(state.apply(&entry).expect("follows")),
        }
    }
    let mut draft = Draft::on(&state.expect("entries"), at);
    change(&mut draft);
    draft.rollup(None).expect("rolls");
    submit(&store, draft);
}

impl Fixture {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "brand": self.brand,
            "campaign": self.campaign,
            "api_key": self.api_key,
            "api_key_id": self.api_key_id,
            "signing_secret": self.signing_secret,
            "links": self.links,
            "slug": self.slug,
            "codes": self.codes,
        })
    }
}

pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a fixture is of today")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// A live campaign that began yesterday.
pub(crate) fn plan(creators: u32) -> Plan {
    Plan {
        brand: BrandId(random(&FixtureChance)),
        creators,
        currency: Currency::Usd,
        is_live: true,
        needs_signature: false,
        at: now() - 86_400_000,
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next() else {
        eprintln!("usage: fixture DIR [CREATORS]");
        return ExitCode::from(2);
    };
    let creators = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3);
    let fixture = make(Path::new(&directory), &plan(creators));
    println!("{}", serde_json::to_string_pretty(&fixture.to_json()).expect("plain values"));
    ExitCode::SUCCESS
}
