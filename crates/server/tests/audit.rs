//! `sponsorhub audit` on an honest ledger, after edits behind its back, and beside a writer.

#[path = "../../store/examples/sample.rs"]
#[expect(dead_code, reason = "its main is for people")]
mod sample;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use serde_json::Value;
use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::ids::{BrandId, CampaignId, CompositeKey, EnrollmentId, Fingerprint, Salt};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::ledger::event::conversion::{ConversionAccepted, Taken};
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::merkle::leaf_hash;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_store::{
    Intake, Options, Outcome, SqliteStore, Store, Submission, Submitted, open_read_only,
};
use tempfile::TempDir;

const DAY: i64 = 86_400_000;
/// The day on which the sample ends.
const NOW: i64 = 20_040 * DAY;

fn sample_data() -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    sample::write(directory.path()).expect("the sample is written");
    directory
}

fn audit(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sponsorhub"))
        .arg("audit")
        .arg("--data-dir")
        .arg(directory)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn report(directory: &Path) -> (Option<i32>, Value) {
    let output = audit(directory, &["--json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), serde_json::from_str(&text).expect("one JSON object"))
}

/// Edits the database as a thief would, with the triggers removed first.
fn edit(directory: &Path, sql: &str) {
    let database = Connection::open(directory.join("sponsorhub.db")).expect("opens");
    let names: Vec<String> = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .and_then(|mut rows| rows.query_map([], |row| row.get(0))?.collect())
        .expect("lists triggers");
    for name in names {
        database.execute_batch(&format!("DROP TRIGGER {name}")).expect("drops");
    }
    // As a tool would that knows nothing of ours.
    database.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    let edited = database.execute_batch(sql);
    edited.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(database.total_changes() > 0, "the edit changed nothing: {sql}");
}

/// An order that the sample's first creator brought.
fn sale(campaign: CampaignId, number: u64) -> Intake {
    let hash = leaf_hash(&number.to_be_bytes()).0;
    let random: [u8; 16] = hash.first_chunk().copied().expect("32 bytes");
    let taken = Taken {
        amount: Minor(700),
        artifact: "clk_1".into(),
        click_at: NOW - DAY,
        fingerprint: Fingerprint(random),
        key: CompositeKey(random),
        occurred_at: NOW,
        risk: None,
        r#type: "sale".into(),
    };
    let first = leaf_hash(b"creator 0").0;
    let creator = EnrollmentId(first.first_chunk().copied().expect("32 bytes"));
    let body = ConversionAccepted(taken).into();
    Intake::try_new(campaign, creator, &body, Salt(random)).expect("an event")
}

/// SQL for the row of an entry of the sample's one campaign.
fn row(seq: u64) -> String {
    format!("pos = (1 << 40 | {seq})")
}

#[test]
fn an_honest_ledger_passes_with_exit_code_0() {
    let data = sample_data();
    let (code, json) = report(data.path());
    assert_eq!(code, Some(0));
    assert_eq!(json["ok"], true);
    assert_eq!(json["campaigns"][0]["state"], "live");
    assert_eq!(json["campaigns"][0]["entries"], json["entries"]);
    let lines = audit(data.path(), &[]);
    let text = String::from_utf8(lines.stdout).expect("text");
    assert!(text.starts_with("ok "), "{text}");
    assert!(text.contains("audit passed: 1 campaigns, "), "{text}");
}

#[test]
fn raw_sql_is_refused_while_the_triggers_are_there() {
    let data = sample_data();
    let database = Connection::open(data.path().join("sponsorhub.db")).expect("opens");
    let attempts = [
        format!("UPDATE entries SET amount_minor = 1 WHERE {}", row(100)),
        format!("DELETE FROM entries WHERE {}", row(734)),
        format!("REPLACE INTO entries SELECT * FROM entries WHERE {}", row(100)),
    ];
    for sql in attempts {
        let refused = database.execute_batch(&sql).expect_err("INV-7").to_string();
        assert!(refused.contains("INV-"), "{sql}: {refused}");
    }
}

#[test]
fn the_first_entry_edited_behind_the_stores_back_is_named() {
    let bytes = |seq, from: &str, to: &str| {
        format!(
            "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '{from}', '{to}') AS BLOB) \
             WHERE {}",
            row(seq)
        )
    };
    let swap = format!(
        "UPDATE entries SET bytes = (SELECT bytes FROM entries WHERE {}) WHERE {}",
        row(301),
        row(300)
    );
    let attacks: [(&str, u64, String); 11] = [
        ("columns", 100, bytes(100, r#""amount":"#, r#""amount":9"#)),
        ("columns", 101, format!("UPDATE entries SET amount_minor = 9 WHERE {}", row(101))),
        ("columns", 102, format!("UPDATE entries SET enrollment_no = 7 WHERE {}", row(102))),
        ("columns", 103, format!("UPDATE entries SET at_ms = at_ms + 1 WHERE {}", row(103))),
        ("missing", 200, format!("DELETE FROM entries WHERE {}", row(200))),
        ("missing", 734, format!("DELETE FROM entries WHERE {}", row(734))),
        ("entry", 250, bytes(250, r#""body":{"#, r#""body": {"#)),
        ("columns", 300, swap),
        ("columns", 400, format!("UPDATE entries SET key = NULL WHERE {}", row(400))),
        ("columns", 401, format!("UPDATE entries SET key = zeroblob(16) WHERE {}", row(401))),
        ("tree", 50, bytes(50, r#""clk_"#, r#""clk-"#)),
    ];
    for (code, seq, sql) in attacks {
        let data = sample_data();
        edit(data.path(), &sql);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(1), "{sql}");
        let finding = &json["campaigns"][0]["finding"];
        assert_eq!(finding["code"], code, "{sql}: {finding}");
        assert_eq!(finding["entry"], seq, "{sql}: {finding}");
    }
    // Column and bytes changed alike: only the tree knows.
    let data = sample_data();
    edit(data.path(), &amount_in_both(data.path(), 120));
    let (exit, json) = report(data.path());
    assert_eq!((exit, &json["campaigns"][0]["finding"]["entry"]), (Some(1), &Value::from(120)));
    assert_eq!(json["campaigns"][0]["finding"]["code"], "tree");
}

/// SQL that raises an order amount by one in the bytes and in the column.
fn amount_in_both(directory: &Path, seq: u64) -> String {
    let mut reader = open_read_only(directory).expect("opens");
    let reader: &mut dyn sponsorhub_store::Reader = &mut reader;
    let campaign = reader.campaigns(0, 1).expect("lists")[0].campaign;
    let bytes = reader.entry(campaign, seq).expect("reads").expect("is there");
    let mut entry = Entry::decode(&bytes).expect("an entry");
    let Body::ConversionAccepted(ConversionAccepted(taken)) = &mut entry.body else {
        panic!("entry {seq} is no conversion");
    };
    taken.amount += Minor(1);
    let edited = String::from_utf8(entry.encode().expect("canonical")).expect("text");
    format!(
        "UPDATE entries SET amount_minor = amount_minor + 1, bytes = CAST('{edited}' AS BLOB) \
         WHERE {}",
        row(seq)
    )
}

#[test]
fn an_edit_behind_the_last_full_tile_is_narrowed_down_by_the_tree() {
    let data = sample_data();
    // 734 entries: two full tiles, and 222 entries behind them.
    edit(data.path(), &amount_in_both(data.path(), 600));
    let (exit, json) = report(data.path());
    assert_eq!(exit, Some(1));
    let finding = &json["campaigns"][0]["finding"];
    let (first, last) = (finding["entry"].as_u64(), finding["up_to"].as_u64());
    let named = first.is_some_and(|first| (513..=734).contains(&first));
    assert!(named && last.is_none_or(|last| last == 734), "{finding}");
}

#[test]
fn edited_projections_are_found_although_every_entry_is_right() {
    let edits = [
        "UPDATE balances SET debit_minor = debit_minor - 1 WHERE account = 'payable' AND enrollment_no = 0",
        "DELETE FROM balances WHERE account = 'provider'",
        "INSERT INTO balances VALUES (1, 2, 'unclaimed', -5)",
        "UPDATE campaign_heads SET state = 'completed', ended_at_ms = 5",
        "UPDATE campaign_heads SET budget_minor = 1",
        "UPDATE campaign_heads SET confirmed_minor = confirmed_minor - 1",
        "UPDATE campaign_heads SET at_ms = at_ms + 1",
        "UPDATE campaign_heads SET seq = seq - 1",
        "UPDATE campaign_heads SET command_seq = 3",
        "UPDATE campaign_heads SET terms_seq = 3",
        "UPDATE campaign_heads SET counted_seq = 99999",
        "UPDATE live_intervals SET from_ms = 1",
        "UPDATE live_intervals SET no = 1",
        "UPDATE balances SET enrollment_no = -2 WHERE account = 'provider'",
        "UPDATE enrollments SET ended_at_ms = 1728172800000 WHERE no = 1",
        "DELETE FROM reversals WHERE conversion_seq = (SELECT max(conversion_seq) FROM reversals)",
        "UPDATE reversals SET refunded_minor = refunded_minor - 1",
    ];
    for sql in edits {
        let data = sample_data();
        edit(data.path(), sql);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(1), "{sql}: {json}");
        let finding = &json["campaigns"][0]["finding"];
        assert_eq!(finding["entry"], Value::Null, "{sql}: {finding}");
    }
}

#[test]
fn inv_4_an_edited_filter_is_found_at_the_first_entry_that_could_enter_again() {
    let edits = [
        "UPDATE filters SET cells = zeroblob(length(cells)) WHERE pos = (1 << 40) + 1",
        "UPDATE filters SET upto_seq = upto_seq + 8 WHERE pos = (SELECT max(pos) FROM filters)",
        "DELETE FROM filters WHERE pos = (1 << 40) + 1",
        "UPDATE filters SET cells = x'00' WHERE pos = (1 << 40) + 1",
    ];
    for sql in edits {
        let data = sample_data();
        let small = Options { slice_keys_max: 64, ..Options::default() };
        let store = SqliteStore::open(data.path(), small, || NOW).expect("opens");
        let campaign = store.reader().expect("reads").campaigns(0, 1).expect("lists")[0].campaign;
        // Slices that became full are stored with the next entry.
        store.take_in_and_wait(vec![sale(campaign, 1)]).expect("room").expect("a commit");
        drop(store);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(0), "{json}");
        edit(data.path(), sql);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(1), "{sql}: {json}");
        assert_eq!(json["campaigns"][0]["finding"]["code"], "key", "{sql}: {json}");
    }
}

#[test]
fn a_tile_alone_that_was_changed_is_named_and_no_entry() {
    let edits = [
        ("UPDATE tiles SET bytes = zeroblob(8192) WHERE pos = (1 << 40) + 1", "tile 1 of level 0"),
        ("DELETE FROM tiles WHERE pos = 1 << 40", "tile 0 of level 0"),
    ];
    for (sql, tile) in edits {
        let data = sample_data();
        edit(data.path(), sql);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(1));
        let finding = &json["campaigns"][0]["finding"];
        assert_eq!((&finding["code"], &finding["entry"]), (&"tile".into(), &Value::Null), "{json}");
        assert!(finding["detail"].as_str().is_some_and(|text| text.contains(tile)), "{finding}");
    }
    // Where an entry was changed too, the root says so, and the tile names an entry again.
    let data = sample_data();
    edit(data.path(), &amount_in_both(data.path(), 120));
    edit(data.path(), "DELETE FROM tiles WHERE pos = (1 << 40) + 1");
    let (exit, json) = report(data.path());
    let finding = &json["campaigns"][0]["finding"];
    assert_eq!((exit, &finding["entry"], &finding["code"]), (Some(1), &120.into(), &"tree".into()));
}

#[test]
fn one_corrupt_campaign_is_named_and_the_others_are_audited() {
    let edits = [
        "UPDATE campaign_heads SET frontier = x'00' WHERE campaign_no = 1",
        "UPDATE campaign_heads SET state = 'dreaming' WHERE campaign_no = 1",
        "DELETE FROM campaign_heads WHERE campaign_no = 1",
        "UPDATE balances SET account = 'pocket' WHERE campaign_no = 1 AND account = 'provider'",
        "PRAGMA ignore_check_constraints = ON; UPDATE campaign_heads SET seq = -1",
    ];
    for sql in edits {
        let data = sample_data();
        let second = open_a_second_campaign(data.path());
        edit(data.path(), sql);
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(1), "{sql}: {json}");
        assert_eq!(json["campaigns"][0]["finding"]["code"], "projection", "{sql}: {json}");
        assert_eq!(json["campaigns"][1]["campaign"], second.to_string(), "{sql}: {json}");
        let is_sound = json["campaigns"][1]["finding"].is_null();
        assert!(is_sound || sql.starts_with("PRAGMA"), "{sql}: {json}");
        let lines = String::from_utf8(audit(data.path(), &[]).stdout).expect("text");
        assert!(lines.starts_with("WRONG  cmp_"), "{lines}");
    }
}

/// Opens campaign 2 in a sample, with one entry.
fn open_a_second_campaign(directory: &Path) -> CampaignId {
    let store = SqliteStore::open(directory, Options::default(), || NOW).expect("opens");
    let id = CampaignId([2; 16]);
    let opening = Opening { id, brand: BrandId([2; 16]), mode: Mode::Sandbox };
    let terms = Terms::with_defaults(Currency::Usd, Minor(1_000), NOW + 90 * DAY);
    let draft = Draft::open(opening, terms, NOW).expect("valid terms");
    let submission = Submission::try_new(&draft, || Salt([2; 16])).expect("can be written");
    let submitted = store.submit_and_wait(submission).expect("room").expect("a commit");
    assert!(matches!(submitted, Submitted::Appended { .. }));
    id
}

#[test]
fn ledgers_that_nobody_lists_and_rows_beside_them_do_not_pass() {
    let edits = [
        ("DELETE FROM campaigns", 6),
        (
            "INSERT INTO entries VALUES ((1 << 40) + 735, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            1,
        ),
        ("INSERT INTO entries VALUES (1 << 40, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')", 1),
        ("INSERT INTO tiles VALUES ((1 << 40) + 2, zeroblob(8192))", 1),
        ("INSERT INTO reversals VALUES (7, 7, 7, 0)", 1),
    ];
    for (sql, least) in edits {
        let data = sample_data();
        edit(data.path(), sql);
        let (exit, json) = report(data.path());
        assert_eq!((exit, &json["ok"]), (Some(1), &Value::Bool(false)), "{sql}: {json}");
        let strays = json["strays"].as_array().expect("a list");
        assert!(strays.len() >= least, "{sql}: {json}");
        let lines = String::from_utf8(audit(data.path(), &[]).stdout).expect("text");
        assert!(lines.contains("WRONG  beside the ledgers: "), "{lines}");
        assert!(!lines.contains("audit passed"), "{lines}");
    }
}

#[test]
fn inv_4_an_entry_that_repeats_a_key_is_found_although_all_else_is_right() {
    let data = sample_data();
    let take_in = |numbers: std::ops::Range<u64>| {
        let store = SqliteStore::open(data.path(), Options::default(), || NOW).expect("opens");
        let campaign = store.reader().expect("reads").campaigns(0, 1).expect("lists")[0].campaign;
        let sales = numbers.map(|number| sale(campaign, number)).collect();
        let outcomes = store.take_in_and_wait(sales).expect("room").expect("a commit");
        let is_appended = |outcome: &Outcome| matches!(outcome, Outcome::Appended(_));
        assert!(outcomes.iter().all(is_appended), "{outcomes:?}");
    };
    // Entries 735 to 1134. Then the store forgets a key, takes it in again, and is given back what
    // it had forgotten.
    take_in(0..400);
    let forgotten = row(735);
    let keep = format!("CREATE TABLE kept AS SELECT key FROM entries WHERE {forgotten}");
    edit(data.path(), &format!("{keep}; UPDATE entries SET key = NULL WHERE {forgotten}"));
    take_in(0..1);
    let back = format!("UPDATE entries SET key = (SELECT key FROM kept) WHERE {forgotten}");
    edit(data.path(), &format!("{back}; DROP TABLE kept"));
    let (exit, json) = report(data.path());
    let finding = &json["campaigns"][0]["finding"];
    assert_eq!((exit, &finding["code"]), (Some(1), &"key".into()), "{json}");
    assert_eq!(finding["entry"], 1_135, "{finding}");
    let says = finding["detail"].as_str().expect("words");
    assert!(says.contains("an earlier entry has the same composite key"), "{says}");
}

#[test]
fn what_cannot_be_audited_ends_with_exit_code_2_and_says_why() {
    let empty = TempDir::new().expect("a directory");
    let output = audit(empty.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("holds no database"), "{text}");
    let data = sample_data();
    let output = audit(data.path(), &["--campaign", "cmp_00000000000000000000000000"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("there is no campaign cmp_"), "{text}");
}

#[test]
fn the_audit_passes_while_another_process_writes() {
    let data = sample_data();
    let store = SqliteStore::open(data.path(), Options::default(), || NOW).expect("opens");
    let campaign = store.reader().expect("reads").campaigns(0, 1).expect("lists")[0].campaign;
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let mut written = 0_u64;
        while !stop.load(Ordering::SeqCst) {
            let sales = (0..50).map(|_| {
                written += 1;
                sale(campaign, written)
            });
            let outcomes = store.take_in_and_wait(sales.collect());
            outcomes.expect("room").expect("a commit");
        }
        written
    });
    let mut reader = open_read_only(data.path()).expect("opens");
    let grown = |reader: &mut dyn sponsorhub_store::Reader| {
        reader.head(campaign).expect("reads").expect("is there").seq > 734
    };
    while !grown(&mut reader) {
        std::thread::yield_now();
    }
    let mut seen = 0;
    for _ in 0..5 {
        let (exit, json) = report(data.path());
        assert_eq!(exit, Some(0), "{json}");
        seen = seen.max(json["entries"].as_u64().expect("a count"));
    }
    done.store(true, Ordering::SeqCst);
    let written = writer.join().expect("the writer ends well");
    assert!(written > 0 && seen > 734, "the ledger grew while it was audited: {seen}");
}
