//! Endpoints and deliveries where only SQLite can get it wrong: triggers, what leaves, what is in the file.

use sponsorhub_core::ids::{BrandId, CampaignId, WebhookId};
use sponsorhub_store::registry::{
    Brand, DELIVERIES_MAX, DeliveryState, Party, Webhook, WebhookChange,
};
use sponsorhub_store::{Change, Recorded, SqliteStore, Store as _};

use crate::open;
use crate::world::T;

const BRAND: BrandId = BrandId([1; 16]);
const HOOK: WebhookId = WebhookId([2; 16]);
const CAMPAIGN: CampaignId = CampaignId([3; 16]);

fn record(store: &SqliteStore, change: WebhookChange) {
    let recorded = store.record_and_wait(Change::Webhook(change)).expect("room");
    assert_eq!(recorded.expect("a commit"), Recorded::Done);
}

fn plan(store: &SqliteStore, seqs: std::ops::Range<u64>) {
    let upto = seqs.end - 1;
    let events = seqs.map(|seq| (seq, "payout.paid".to_owned())).collect();
    record(store, WebhookChange::Plan { id: HOOK, campaign: CAMPAIGN, upto, events, at: T });
}

fn filled(store: &SqliteStore) {
    let (name, click_parameter) = ("Brand".to_owned(), "sh_click".to_owned());
    let brand = Brand { id: BRAND, name, created_at: T, click_parameter };
    store.record_and_wait(Change::AddBrand(brand)).expect("room").expect("a commit");
    let webhook = Webhook {
        id: HOOK,
        owner: Party::Brand(BRAND),
        url: "https://shop.example/".to_owned(),
        kinds: vec!["*".to_owned()],
        key_id: 1,
        version: 1,
        old: None,
        rotation: None,
        created_at: T,
        failing_since: None,
        disabled: None,
    };
    record(store, WebhookChange::Add { webhook, from: Vec::new() });
    plan(store, 1..4);
}

#[test]
fn raw_sql_cannot_change_whose_an_endpoint_is_or_what_a_delivery_is_about() {
    let directory = tempfile::tempdir().expect("a directory");
    filled(&open(directory.path()));
    let raw = rusqlite::Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    raw.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma");
    let (owner, told, entry) = (
        "webhook_endpoints_keep_owner",
        "webhook_cursors_move_on",
        "webhook_deliveries_keep_entry",
    );
    for (because, attack) in [
        (owner, "UPDATE webhook_endpoints SET party = zeroblob(16)"),
        (owner, "UPDATE webhook_endpoints SET role = 'creator'"),
        (owner, "UPDATE webhook_endpoints SET version = 0"),
        (owner, "REPLACE INTO webhook_endpoints SELECT * FROM webhook_endpoints"),
        (told, "UPDATE webhook_cursors SET seq = 0"),
        (told, "UPDATE webhook_cursors SET campaign_id = zeroblob(16)"),
        (told, "DELETE FROM webhook_cursors"),
        (entry, "UPDATE webhook_deliveries SET seq = seq + 10"),
        (entry, "UPDATE webhook_deliveries SET endpoint_id = zeroblob(16)"),
        (entry, "DELETE FROM webhook_deliveries"),
        (entry, "REPLACE INTO webhook_deliveries SELECT * FROM webhook_deliveries"),
    ] {
        let error = raw.execute_batch(attack).expect_err(attack).to_string();
        assert!(error.contains(because), "{attack}: {error}");
    }
    // Its owner may take it away, and all of it goes.
    raw.execute_batch("DELETE FROM webhook_endpoints").expect("it may be removed");
    let left = "SELECT (SELECT count(*) FROM webhook_cursors)
                    + (SELECT count(*) FROM webhook_deliveries)";
    assert_eq!(raw.query_row(left, [], |row| row.get::<_, i64>(0)).expect("runs"), 0);
}

#[test]
fn the_newest_deliveries_are_kept_and_all_that_wait() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    filled(&store);
    let sent = |no| WebhookChange::NoteSent {
        id: HOOK,
        no,
        at: T,
        answer: "204".to_owned(),
        state: DeliveryState::Delivered,
        disabled: None,
    };
    // The second goes on to wait.
    for no in [1, 3] {
        record(&store, sent(no));
    }
    plan(&store, 4..4 + DELIVERIES_MAX);
    let mut reader = store.registry().expect("a reader");
    let all = reader.deliveries(HOOK, None, usize::MAX).expect("reads");
    let numbers: Vec<_> = all.iter().rev().map(|(no, _)| *no).collect();
    assert_eq!(numbers[..3], [2, 4, 5]);
    assert_eq!(u64::try_from(numbers.len()).expect("few"), DELIVERIES_MAX + 1);
}
