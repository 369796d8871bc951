//! Rows that belong to no ledger, as the reader finds them.

use std::path::Path;

use sponsorhub_store::{Reader as _, SqliteStore, Store as _, open_read_only};
use tempfile::TempDir;

use crate::edit::edit;
use crate::small;
use crate::world::{Desk, T, campaign_id, sale};

/// Three campaigns with 8 entries each, of which the second has 300 more.
fn filled() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), small(), || T + 5_000).expect("opens");
    for number in 1..=3 {
        Desk::new(campaign_id(number)).go_live(&store, 1_000_000, 3);
    }
    let events = (0..300).map(|n| sale(campaign_id(2), n % 3, n, 100)).collect();
    store.take_in_and_wait(events).expect("room").expect("a commit");
    drop(store);
    directory
}

fn strays(directory: &Path) -> Vec<String> {
    open_read_only(directory).expect("opens").strays().expect("reads")
}

/// The strays of a store after an edit.
fn after(sql: &str) -> Vec<String> {
    let directory = filled();
    edit(directory.path(), sql);
    strays(directory.path())
}

#[test]
fn a_store_that_only_we_wrote_to_has_no_strays() {
    assert_eq!(strays(filled().path()), Vec::<String>::new());
}

#[test]
fn rows_of_a_campaign_that_is_not_listed_are_named_table_by_table() {
    let found = after("DELETE FROM campaigns WHERE no = 2");
    let tables =
        ["entries", "tiles", "campaign_heads", "live_intervals", "enrollments", "balances"];
    let rows = |table| format!("table {table}: rows of campaign number 2, which is not listed");
    assert_eq!(found, tables.map(rows));
    let found = after("DELETE FROM campaigns");
    assert_eq!(found.len(), 3 * tables.len() - 2, "two have no tile: {found:?}");
}

#[test]
fn each_table_is_looked_at() {
    let rows = [
        ("entries", "(9 << 40 | 1, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')"),
        ("entries", "(5, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')"),
        ("entries", "(-5, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')"),
        ("entries", "((1 << 62) + ((1 << 62) - 1), 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')"),
        ("tiles", "(9 << 40, zeroblob(8192))"),
        ("campaign_heads", "(9, 1, 1, 1, 1, 'draft', NULL, 1, 1, x'00', 0, 0, NULL, NULL, 1)"),
        ("live_intervals", "(9, 0, 1, NULL)"),
        ("enrollments", "(0, 0, zeroblob(16), 1, NULL, 0)"),
        ("balances", "(-9, -1, 'provider', 5)"),
        ("reversals", "(9, 9, 5, 0)"),
    ];
    for (table, row) in rows {
        let found = after(&format!("INSERT INTO {table} VALUES {row}"));
        assert_eq!(found.len(), 1, "{table} {row}: {found:?}");
        assert!(found[0].starts_with(&format!("table {table}: rows of campaign number ")));
    }
}

#[test]
fn entries_and_tiles_outside_of_their_ledger_are_named() {
    let entry = |pos: &str| {
        format!("INSERT INTO entries VALUES ({pos}, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')")
    };
    let tile = |pos: &str| format!("INSERT INTO tiles VALUES ({pos}, zeroblob(8192))");
    let cases = [
        (entry("(1 << 40) + 9"), 1, "entry 9 is outside of its 8 entries"),
        (entry("(2 << 40) - 1"), 1, "entry 1099511627775 is outside of its 8 entries"),
        (entry("3 << 40"), 3, "entry 0 is outside of its 8 entries"),
        (tile("1 << 40"), 1, "level 0 has more tiles than 8 entries fill"),
        (tile("(2 << 40) + 1"), 2, "level 0 has more tiles than 308 entries fill"),
        (tile("(2 << 40) + (1 << 36)"), 2, "level 1 has more tiles than 308 entries fill"),
        (tile("(3 << 40) + (15 << 36) + 7"), 3, "level 5 has more tiles than 8 entries fill"),
    ];
    for (sql, campaign, what) in cases {
        let expected = format!("campaign {}: {what}", campaign_id(campaign));
        assert_eq!(after(&sql), [expected], "{sql}");
    }
}

#[test]
fn what_is_listed_of_many_strays_is_bounded() {
    let many = "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO live_intervals SELECT i, 0, 1, NULL FROM n";
    assert_eq!(after(many).len(), 20);
}
