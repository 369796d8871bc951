//! The registry where only SQLite can get it wrong: triggers, savepoints, what is left in the file.

use std::sync::mpsc;

use rusqlite::Connection;
use sponsorhub_core::ids::{ApiKeyId, BrandId, CampaignId, CreatorId, NoteId};
use sponsorhub_store::registry::{
    Access, ApiChange, ApiKey, Brand, Endpoint, Forgotten, KeptEvent, NearMiss, Note, NoteText,
    PersonName, PromoCode, ProviderChange, SecretHash, Wrapped,
};
use sponsorhub_store::sqlite::Sequencer;
use sponsorhub_store::{
    Change, KeyringId, Options, Recorded, RegistryReader as _, Rule, SqliteStore, Store as _,
    StoreError,
};
use tempfile::TempDir;

use crate::world::{Desk, T, campaign_id, enrollment_id, mixed, sale, terms};
use crate::{open, small};

const BRAND: BrandId = BrandId([1; 16]);
const CREATOR: CreatorId = CreatorId([2; 16]);
const KEY: ApiKeyId = ApiKeyId([3; 16]);
/// Much longer than what takes its place in the page when it goes, which would otherwise cover it.
const CAMPAIGN_KEY: &[u8] =
    b"a campaign key in a wrapping that is much longer than a row without one would ever be";
const NAME: &str =
    "Anna of a name that is much longer than the row of somebody without one would ever be";
/// What is looked for: the beginnings of both.
const BEGINNINGS: [&[u8]; 2] = [b"a campaign key in", b"Anna of a name"];

fn add_brand(id: BrandId) -> Change {
    let (name, click_parameter) = ("Brand".to_owned(), "sh_click".to_owned());
    Change::AddBrand(Brand { id, name, created_at: T, click_parameter })
}

/// One of everything, for the campaign that the world makes.
fn changes(campaign: CampaignId) -> Vec<Change> {
    let at = T;
    let enrollment = enrollment_id(0);
    let text = str::to_owned;
    vec![
        add_brand(BRAND),
        Change::AddCreator { creator: CREATOR, name: PersonName(text(NAME)), at },
        Change::OwnCampaign { campaign, brand: BRAND, at },
        Change::MapEnrollment { campaign, enrollment, creator: CREATOR, at },
        Change::IssueApiKey(ApiKey {
            id: KEY,
            brand: BRAND,
            secret_hash: SecretHash([4; 32]),
            scopes: vec![text("convert")],
            needs_signature: false,
            signing_secret: None,
            created_at: at,
            last_used_at: None,
            expires_at: Some(T + 10),
            revoked_at: None,
            replaces: None,
        }),
        Change::RevokeApiKey { key: KEY, at },
        Change::IssueLink {
            campaign,
            enrollment,
            destination: text("https://a.example/"),
            maker: None,
            at,
        },
        Change::RevokeLink { campaign, number: 1, at },
        Change::NameLink { slug: text("anna"), campaign, number: 1, at },
        Change::IssuePromoCode(PromoCode {
            brand: BRAND,
            folded: text("ANNA00000"),
            campaign,
            enrollment,
            readable: text("ANNA"),
            display: text("ANNA-00000"),
            key_id: 1,
            created_at: at,
            revoked_at: Some(at),
        }),
        Change::KeepCampaignKey {
            campaign,
            wrapped: Wrapped(CAMPAIGN_KEY.to_vec()),
            key_id: 1,
            at,
        },
    ]
}

fn record(store: &SqliteStore, change: Change) -> Recorded {
    store.record_and_wait(change).expect("room").expect("a commit")
}

fn filled() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), small(), || T + 5_000).expect("opens");
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    for change in changes(campaign_id(1)) {
        let recorded = record(&store, change.clone());
        assert!(!matches!(recorded, Recorded::Conflict { .. }), "{change:?}: {recorded:?}");
    }
    (directory, store)
}

fn refused(connection: &Connection, attack: &str) -> String {
    connection.execute_batch(attack).expect_err(attack).to_string()
}

fn raw(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join("sponsorhub.db")).expect("opens")
}

#[test]
fn raw_sql_cannot_change_what_the_registry_promised() {
    let (directory, store) = filled();
    drop(store);
    let connection = raw(&directory);
    let attacks = [
        ("registry_versions_grow", "UPDATE registry_versions SET version = version - 1"),
        ("registry_versions_grow", "UPDATE registry_versions SET version = version"),
        ("registry_versions_grow", "DELETE FROM registry_versions"),
        ("registry_versions_grow", "REPLACE INTO registry_versions VALUES (1, 0)"),
        ("brands_stay", "UPDATE brands SET id = zeroblob(16)"),
        ("brands_stay", "DELETE FROM brands"),
        ("brands_stay", "REPLACE INTO brands SELECT id, 'x', 0, 'x' FROM brands"),
        ("creators_stay", "UPDATE creators SET created_at_ms = 0"),
        ("creators_stay", "DELETE FROM creators"),
        ("creators_stay", "REPLACE INTO creators SELECT id, 'x', 0, NULL, NULL FROM creators"),
        ("campaign_owners_never_change", "UPDATE campaign_owners SET brand_id = zeroblob(16)"),
        ("campaign_owners_never_change", "DELETE FROM campaign_owners"),
        ("campaign_owners_never_change", "REPLACE INTO campaign_owners VALUES (1, x'00', 0)"),
        ("are_erased_only", "UPDATE enrollment_creators SET creator_id = zeroblob(16)"),
        ("are_erased_only", "DELETE FROM enrollment_creators"),
        ("are_erased_only", "REPLACE INTO enrollment_creators SELECT * FROM enrollment_creators"),
        ("keep_their_secret", "UPDATE api_keys SET secret_hash = zeroblob(32)"),
        ("keep_their_secret", "UPDATE api_keys SET scopes = 'everything'"),
        ("keep_their_secret", "UPDATE api_keys SET signing_secret_wrapped = x'00'"),
        ("keep_their_secret", "UPDATE api_keys SET revoked_at_ms = NULL"),
        ("keep_their_secret", "UPDATE api_keys SET revoked_at_ms = revoked_at_ms + 1"),
        ("keep_their_secret", "UPDATE api_keys SET expires_at_ms = expires_at_ms + 1"),
        ("keep_their_secret", "UPDATE api_keys SET expires_at_ms = NULL"),
        ("keep_their_secret", "DELETE FROM api_keys"),
        ("keep_their_secret", "REPLACE INTO api_keys SELECT * FROM api_keys"),
        ("links_are_revoked_only", "UPDATE links SET destination = 'https://b.example/'"),
        ("links_are_revoked_only", "UPDATE links SET enrollment_id = zeroblob(16)"),
        ("links_are_revoked_only", "UPDATE links SET number = 2"),
        ("links_are_revoked_only", "UPDATE links SET revoked_at_ms = NULL"),
        ("links_are_revoked_only", "DELETE FROM links"),
        ("links_are_consecutive", "REPLACE INTO links SELECT * FROM links"),
        ("links_are_consecutive", "INSERT INTO links VALUES (1, 3, x'00', '', NULL, 0, NULL)"),
        ("slugs_never_change", "UPDATE slugs SET link_number = 2"),
        ("slugs_never_change", "DELETE FROM slugs"),
        ("slugs_never_change", "REPLACE INTO slugs VALUES ('anna', zeroblob(16), 1, 0)"),
        ("promo_codes_are_revoked_only", "UPDATE promo_codes SET enrollment_id = zeroblob(16)"),
        ("promo_codes_are_revoked_only", "UPDATE promo_codes SET campaign_id = zeroblob(16)"),
        ("promo_codes_are_revoked_only", "UPDATE promo_codes SET revoked_at_ms = NULL"),
        ("promo_codes_are_revoked_only", "DELETE FROM promo_codes"),
        ("promo_codes_are_revoked_only", "REPLACE INTO promo_codes SELECT * FROM promo_codes"),
        ("INV-4", "UPDATE campaign_keys SET wrapped = x'00'"),
        ("INV-4", "DELETE FROM campaign_keys"),
        ("INV-4", "REPLACE INTO campaign_keys VALUES (1, x'00', 1, 0, NULL)"),
    ];
    for (because, attack) in attacks {
        let error = refused(&connection, attack);
        assert!(error.contains(because), "{attack}: {error}");
    }
    // Once gone, a key does not come back either.
    let destroy = "UPDATE campaign_keys SET wrapped = NULL, erased_at_ms = 1";
    connection.execute_batch(destroy).expect("it may be destroyed");
    assert!(refused(&connection, destroy).contains("INV-4"));
    let back = "UPDATE campaign_keys SET wrapped = x'00', erased_at_ms = NULL";
    assert!(refused(&connection, back).contains("INV-4"));
}

#[test]
fn a_step_commits_entries_and_changes_together() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sequencer = Sequencer::open(directory.path(), small()).expect("opens");
    let (answer, answers) = mpsc::channel();
    let record = |sequencer: &Sequencer, change| {
        let answer = answer.clone();
        let reply = Box::new(move |told| drop(answer.send(told)));
        sequencer.record(change, reply).expect("room");
    };
    let campaign = campaign_id(1);
    record(&sequencer, add_brand(BRAND));
    record(&sequencer, Change::OwnCampaign { campaign, brand: BRAND, at: T });
    record(&sequencer, add_brand(BRAND));
    let mut desk = Desk::new(campaign);
    let opening = desk.opening(terms(1_000), T);
    let opening = desk.submission(&opening);
    sequencer.submit(opening, Box::new(|_| ())).expect("room");
    let mut reader =
        sponsorhub_store::sqlite::SqliteRegistryReader::open(directory.path()).expect("opens");
    assert_eq!(reader.owner(campaign).expect("reads"), None);
    let report = sequencer.step(T);
    assert_eq!((report.jobs, report.entries, report.waiting), (4, 1, 0), "{:?}", report.failed);
    let told: Vec<_> = answers.try_iter().map(|told| told.expect("a commit")).collect();
    let conflict = Recorded::Conflict { rule: Rule::BrandUnique };
    assert_eq!(told, [Recorded::Done, Recorded::Done, conflict]);
    assert_eq!(reader.owner(campaign).expect("reads"), Some(BRAND));
    assert_eq!(reader.version().expect("reads"), 2, "what was refused counts for nothing");
    // A step of changes alone commits too.
    record(&sequencer, Change::NameClickParameter { brand: BRAND, parameter: "click".into() });
    assert_eq!(sequencer.step(T).entries, 0);
    let brand = reader.brand(BRAND).expect("reads").expect("known");
    assert_eq!(brand.click_parameter, "click");
    // Where the tables refuse entries, a change that shared their commit goes on without them.
    let raw = raw(&directory);
    raw.execute_batch(
        "CREATE TRIGGER broken BEFORE UPDATE ON campaign_heads BEGIN SELECT raise(ROLLBACK, 'x'); END",
    )
    .expect("a trigger");
    record(&sequencer, add_brand(BrandId([9; 16])));
    desk.follow(&mut sponsorhub_store::open_read_only(directory.path()).expect("opens"));
    let mut draft = sponsorhub_core::ledger::draft::Draft::on(desk.campaign(), T);
    draft
        .expect_deposit(
            sponsorhub_core::money::Minor(2_000),
            sponsorhub_core::money::Minor(1_000),
            "cs_1".into(),
        )
        .expect("expected");
    let submission = desk.submission(&draft);
    sequencer.submit(submission, Box::new(|_| ())).expect("room");
    let report = sequencer.step(T);
    assert!(report.failed.is_some() && report.entries == 0, "INV-5: {report:?}");
    let told: Vec<_> = answers.try_iter().collect();
    assert!(matches!(told[..], [Ok(Recorded::Done), Ok(Recorded::Done)]), "{told:?}");
    assert!(reader.brand(BrandId([9; 16])).expect("reads").is_some());
}

#[test]
fn a_change_that_breaks_undoes_itself_and_nothing_else() {
    let (directory, store) = filled();
    raw(&directory)
        .execute_batch(
            "CREATE TRIGGER broken BEFORE UPDATE ON enrollment_creators
             BEGIN SELECT raise(ABORT, 'broken'); END",
        )
        .expect("a trigger");
    let mut reader = store.registry().expect("a reader");
    let (before, version) = (reader.creator(CREATOR).expect("reads"), reader.version());
    // The name is taken first, the enrollments then break.
    let erased = store.record_and_wait(Change::EraseCreator { creator: CREATOR, at: T });
    assert!(matches!(erased.expect("room"), Err(StoreError::Corrupt(_))));
    assert_eq!(reader.creator(CREATOR).expect("reads"), before);
    assert_eq!(reader.version().expect("reads"), version.expect("reads"));
    let outcomes = store.take_in_and_wait(vec![sale(campaign_id(1), 0, 1, 100)]);
    assert!(outcomes.expect("room").is_ok(), "the ledger goes on");
}

#[test]
fn what_is_erased_is_not_in_the_file_either() {
    let (directory, store) = filled();
    let path = directory.path().join("sponsorhub.db");
    let found = || {
        let content = std::fs::read(&path).expect("readable");
        BEGINNINGS.map(|text| content.windows(text.len()).any(|window| window == text))
    };
    // Closed and opened, so that all of it is in the one file.
    drop(store);
    assert_eq!(found(), [true, true]);
    let store = open(directory.path());
    let campaign = campaign_id(1);
    record(&store, Change::EraseCreator { creator: CREATOR, at: T });
    record(&store, Change::DestroyCampaignKey { campaign, at: T });
    let mut reader = store.registry().expect("a reader");
    assert_eq!(reader.enrollments(campaign).expect("reads")[0].creator, None);
    // The last to close moves the log to the file, which a reader may not.
    drop(reader);
    drop(store);
    assert_eq!(found(), [false, false]);
}

/// Bytes of the database and of its log, while the store is open.
fn written(directory: &TempDir) -> Vec<u8> {
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap_or_default();
    [read("sponsorhub.db"), read("sponsorhub.db-wal")].concat()
}

fn has(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_is_erased_leaves_the_log_while_the_store_is_open() {
    let (directory, store) = filled();
    let campaign = campaign_id(1);
    let id = NoteId([7; 16]);
    let text = NoteText("Anna sent it from her own shop".to_owned());
    let enrollment = Some(enrollment_id(0));
    record(&store, Change::KeepNote(Note { id, campaign, enrollment, text, created_at: T }));
    let names = ["Anna of a name", "a campaign key in", "her own shop", "ANNA-00000", "anna"];
    for name in names {
        assert!(has(&written(&directory), name), "{name}");
    }
    record(&store, Change::AskErasure { creator: CREATOR, at: T });
    let mut reader = store.registry().expect("a reader");
    assert_eq!(reader.creators_to_erase().expect("reads"), [CREATOR]);
    record(&store, Change::EraseCreator { creator: CREATOR, at: T });
    record(&store, Change::DestroyCampaignKey { campaign, at: T });
    assert!(reader.creators_to_erase().expect("reads").is_empty());
    assert_eq!(reader.note(campaign, id).expect("reads"), None);
    // A thread of the store empties the log, at once where nobody reads.
    let log = directory.path().join("sponsorhub.db-wal");
    let is_empty = || std::fs::metadata(&log).is_ok_and(|log| log.len() == 0);
    for _ in 0..500 {
        if is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(is_empty(), "the log is cut off");
    for name in names {
        assert!(!has(&written(&directory), name), "{name}");
    }
    let outcomes = store.take_in_and_wait(vec![sale(campaign, 0, 1, 100)]);
    assert!(outcomes.expect("room").is_ok(), "the ledger goes on");
}

#[test]
fn rows_leave_when_their_time_is_over_and_only_from_the_old_end() {
    let (directory, store) = filled();
    let access = |at: i64| Access {
        at,
        subject: "user_anna".to_owned(),
        role: "creator".to_owned(),
        session: None,
        method: "POST".to_owned(),
        path: "/campaigns".to_owned(),
        status: 200,
        network: [1; 8],
        count: 1,
    };
    let times = [T, T + 1, T + 9, T + 2, T + 10];
    for at in times {
        record(&store, Change::Api(ApiChange::NoteAccess(access(at))));
    }
    let mut reader = store.registry().expect("a reader");
    let before = |accesses| Forgotten { accesses, deliveries: 0, departures: 0 };
    assert!(!reader.remembers(before(T)).expect("reads"));
    assert!(reader.remembers(before(T + 5)).expect("reads"));
    record(&store, Change::Forget(before(T + 5)));
    let kept: Vec<_> = reader
        .accesses(None, 9)
        .expect("reads")
        .into_iter()
        .map(|(no, one)| (no, one.at))
        .collect();
    // One that was written late waits for those before it.
    assert_eq!(kept, [(5, T + 10), (4, T + 2), (3, T + 9)]);
    assert!(!reader.remembers(before(T + 9)).expect("reads"));
    drop(reader);
    drop(store);
    let raw = raw(&directory);
    for attack in [
        "DELETE FROM access_log WHERE no = 4",
        "DELETE FROM access_log WHERE no > 3",
        "DELETE FROM access_log",
    ] {
        assert!(refused(&raw, attack).contains("access_log_never_changes"), "{attack}");
    }
    raw.execute_batch("DELETE FROM access_log WHERE no = 3").expect("the oldest may leave");
}

/// Bodies of the provider's events may say who a buyer is.
#[test]
fn what_an_event_said_is_forgotten_once_it_was_dealt_with_long_ago() {
    let (directory, store) = filled();
    let event = |id: &str, raw: &str| {
        Change::Provider(ProviderChange::KeepEvent(KeptEvent {
            id: id.to_owned(),
            endpoint: Endpoint::Account,
            kind: "checkout.session.completed".to_owned(),
            created_at: T,
            received_at: T,
            recipient: None,
            object: None,
            payment: None,
            raw: raw.repeat(20).into_bytes(),
            tries: 0,
        }))
    };
    let finish = |id: &str, at| {
        let (id, outcome) = (id.to_owned(), "known already".to_owned());
        Change::Provider(ProviderChange::FinishEvent { id, at, outcome })
    };
    record(&store, event("evt_old", "buyer of long ago "));
    record(&store, event("evt_new", "buyer of yesterday "));
    record(&store, event("evt_waits", "buyer of today "));
    record(&store, finish("evt_old", T));
    record(&store, finish("evt_new", T + 100));
    let remembers =
        |before| store.registry().expect("a reader").remembers_events(before).expect("reads");
    assert!(remembers(T + 100) && !remembers(T), "what is dealt with before that");
    record(&store, Change::Provider(ProviderChange::ForgetEvents { before: T + 100 }));
    assert!(!remembers(T + 100) && remembers(T + 101));
    let waiting = store.registry().expect("a reader").waiting_events(T, 9).expect("reads");
    assert_eq!(waiting.len(), 1, "what waits is whole");
    drop(store);
    let content = std::fs::read(directory.path().join("sponsorhub.db")).expect("readable");
    let found = |text: &[u8]| content.windows(text.len()).any(|window| window == text);
    let named = [&b"buyer of long ago"[..], b"buyer of yesterday", b"buyer of today"].map(found);
    assert_eq!(named, [false, true, true]);
    // Only as a whole, and only what is dealt with.
    let raw = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    for attack in [
        "UPDATE provider_events SET raw = x'' WHERE id = 'evt_waits'",
        "UPDATE provider_events SET raw = x'00' WHERE id = 'evt_new'",
        "UPDATE provider_events SET raw = x'00' WHERE id = 'evt_old'",
        "UPDATE provider_events SET outcome = 'otherwise' WHERE id = 'evt_new'",
        "UPDATE provider_events SET done_at_ms = 0 WHERE id = 'evt_new'",
    ] {
        assert!(raw.execute_batch(attack).is_err(), "{attack}");
    }
}

#[test]
fn a_database_from_before_the_registry_gets_it_when_it_is_opened() {
    let directory = tempfile::tempdir().expect("a directory");
    let raw = raw(&directory);
    raw.execute_batch("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL").expect("pragmas");
    raw.execute_batch(include_str!("../../migrations/sqlite/0001_ledger.sql")).expect("valid");
    let keyring = KeyringId(mixed("keyring", 1));
    let installation = "INSERT INTO installation VALUES (1, ?1)";
    raw.execute(installation, [keyring.0]).expect("a row");
    raw.pragma_update(None, "application_id", 0x5370_4862).expect("a pragma");
    raw.pragma_update(None, "user_version", 1).expect("a pragma");
    drop(raw);
    let options = Options { keyring: Some(keyring), ..Options::default() };
    let store = SqliteStore::open(directory.path(), options, || T).expect("opens");
    assert_eq!(record(&store, add_brand(BRAND)), Recorded::Done);
    let miss = NearMiss {
        brand: BRAND,
        at: T,
        code: "malformed".into(),
        field: None,
        campaign: None,
        detail: String::new(),
    };
    assert_eq!(record(&store, Change::NoteNearMisses(vec![miss.clone()])), Recorded::Done);
    let mut reader = store.registry().expect("a reader");
    assert_eq!(reader.near_misses(BRAND, None, 9).expect("reads"), [(1, miss)]);
}
