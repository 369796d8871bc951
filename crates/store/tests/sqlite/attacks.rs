//! Raw SQL against the append-only tables, as anyone with the file can send it.

use rusqlite::Connection;
use sponsorhub_store::{KeyringId, Options, SqliteStore, Store as _};
use tempfile::TempDir;

use crate::small;
use crate::world::{Desk, T, campaign_id, sale};

/// A database in which every append-only table has rows.
fn filled() -> (TempDir, Connection) {
    filled_with(small())
}

fn filled_with(options: Options) -> (TempDir, Connection) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), options, || T + 5_000).expect("opens");
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    let events = (0..300).map(|n| sale(campaign_id(1), n % 3, n, 100)).collect();
    store.take_in_and_wait(events).expect("room").expect("a commit");
    drop(store);
    let connection = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    (directory, connection)
}

/// Everything that the append-only tables hold.
fn content(connection: &Connection) -> Vec<String> {
    let all =
        "SELECT 'entries', quote(pos) || quote(bytes) || quote(kind) || quote(key) || quote(slot)
               FROM entries UNION ALL
               SELECT 'tiles', quote(pos) || quote(bytes) FROM tiles UNION ALL
               SELECT 'filters', quote(pos) || quote(cells) FROM filters UNION ALL
               SELECT 'campaigns', quote(no) || quote(id) FROM campaigns UNION ALL
               SELECT 'installation', quote(one) || quote(keyring_id)
                FROM installation";
    let mut statement = connection.prepare(all).expect("valid");
    let rows =
        statement.query_map([], |row| Ok(row.get::<_, String>(0)? + &row.get::<_, String>(1)?));
    rows.expect("runs").collect::<Result<_, _>>().expect("rows")
}

fn refuses(connection: &Connection, attacks: &[&str], because: &str) {
    let before = content(connection);
    for attack in attacks {
        let answer = connection.execute_batch(attack);
        let error = answer.expect_err(attack).to_string();
        assert!(error.contains(because), "{attack}: {error}");
    }
    assert!(content(connection) == before, "nothing changed");
}

#[test]
fn inv_7_raw_sql_cannot_change_entries() {
    let (_directory, connection) = filled();
    refuses(
        &connection,
        &[
            "UPDATE entries SET bytes = x'00'",
            "UPDATE entries SET amount_minor = 1 WHERE pos = (SELECT max(pos) FROM entries)",
            "UPDATE OR REPLACE entries SET pos = pos + 1",
            "DELETE FROM entries",
            "DELETE FROM entries WHERE pos = (SELECT max(pos) FROM entries)",
            "INSERT INTO entries SELECT * FROM entries WHERE true
                ON CONFLICT DO UPDATE SET bytes = x'00'",
        ],
        "INV-",
    );
    // An insert is taken behind the last entry of its campaign and nowhere else (INV-6).
    refuses(
        &connection,
        &[
            "INSERT OR REPLACE INTO entries SELECT pos, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00'
                FROM entries",
            "REPLACE INTO entries VALUES ((1 << 40) + 1, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            "INSERT OR IGNORE INTO entries VALUES ((1 << 40) + 2, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            "INSERT INTO entries SELECT max(pos) + 2, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00'
                FROM entries",
            "INSERT INTO entries VALUES ((1 << 40) + 0, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            "INSERT INTO entries VALUES ((2 << 40) + 2, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            "INSERT INTO entries VALUES (5, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
            "INSERT INTO entries VALUES (NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00')",
        ],
        "INV-6",
    );
    let behind = "INSERT INTO entries SELECT max(pos) + 1, 1, 1, NULL, NULL, NULL, NULL, NULL, x'00' FROM entries";
    connection.execute_batch(behind).expect("the next one is taken: the trigger lets appends pass");
}

#[test]
fn inv_14_raw_sql_cannot_change_tiles() {
    let (_directory, connection) = filled();
    refuses(
        &connection,
        &[
            "UPDATE tiles SET bytes = zeroblob(8192)",
            "DELETE FROM tiles",
            "INSERT OR REPLACE INTO tiles SELECT pos, zeroblob(8192) FROM tiles",
            "INSERT INTO tiles SELECT pos, zeroblob(8192) FROM tiles WHERE true
                ON CONFLICT DO UPDATE SET bytes = zeroblob(8192)",
        ],
        "INV-14",
    );
}

#[test]
fn inv_4_raw_sql_cannot_change_keys_and_filters() {
    let (_directory, connection) = filled();
    refuses(
        &connection,
        &[
            "UPDATE filters SET cells = x'00'",
            "DELETE FROM filters",
            "INSERT OR REPLACE INTO filters SELECT pos, 1, 1, 1, x'00' FROM filters",
            "INSERT INTO filters SELECT * FROM filters WHERE true
                ON CONFLICT DO UPDATE SET cells = x'00'",
        ],
        "INV-4",
    );
    refuses(
        &connection,
        &["UPDATE entries SET key = NULL", "UPDATE entries SET slot = zeroblob(16)"],
        "INV-7",
    );
}

#[test]
fn campaigns_keep_their_numbers() {
    let (_directory, connection) = filled();
    let attacks = [
        "UPDATE campaigns SET no = 2",
        "DELETE FROM campaigns",
        "REPLACE INTO campaigns SELECT no, randomblob(16) FROM campaigns",
        "REPLACE INTO campaigns SELECT no + 1, id FROM campaigns",
        "REPLACE INTO campaigns SELECT NULL, id FROM campaigns",
        "INSERT INTO campaigns SELECT no + 1, id FROM campaigns WHERE true
            ON CONFLICT DO UPDATE SET no = 9",
    ];
    refuses(&connection, &attacks, "campaigns keep their numbers");
    let next = "INSERT INTO campaigns SELECT no + 1, randomblob(16) FROM campaigns";
    connection.execute_batch(next).expect("a further campaign is taken");
}

#[test]
fn the_row_about_the_installation_never_changes_once_the_keyring_is_set() {
    let attacks = [
        "UPDATE OR REPLACE installation SET one = 1",
        "DELETE FROM installation",
        "REPLACE INTO installation VALUES (1, NULL)",
        "REPLACE INTO installation VALUES (NULL, NULL)",
        "INSERT INTO installation VALUES (1, NULL) ON CONFLICT DO UPDATE SET keyring_id = NULL",
    ];
    let because = "the installation never changes";
    let (_directory, connection) = filled_with(Options { keyring: None, ..small() });
    refuses(&connection, &attacks, because);
    let first = "UPDATE installation SET keyring_id = zeroblob(16)";
    connection.execute_batch(first).expect("the first keyring is taken");
    refuses(&connection, &attacks, because);
    let keyring = Some(KeyringId([1; 16]));
    let (_directory, connection) = filled_with(Options { keyring, ..small() });
    refuses(&connection, &attacks, because);
    let others = [
        "UPDATE installation SET keyring_id = NULL",
        "UPDATE installation SET keyring_id = zeroblob(16)",
        "UPDATE installation SET keyring_id = keyring_id",
    ];
    refuses(&connection, &others, because);
}

#[test]
fn inv_9_no_row_says_live_without_the_money() {
    let (_directory, connection) = filled();
    let is_refused = |sql: &str| {
        let error = connection.execute_batch(sql).expect_err(sql).to_string();
        assert!(error.contains("campaign_heads_live_is_funded"), "{error}");
    };
    is_refused("UPDATE campaign_heads SET launch_confirmed_minor = launch_budget_minor - 1");
    is_refused("UPDATE campaign_heads SET launch_confirmed_minor = NULL");
    is_refused("UPDATE campaign_heads SET launch_budget_minor = NULL");
}

/// Side tables that say what happened are appended to as well, and nobody becomes somebody else.
#[test]
fn sendings_and_users_are_not_rewritten() {
    let (_directory, connection) = filled();
    let rows =
        "INSERT INTO provider_exchanges VALUES (zeroblob(16), 1, 7, 'k', 1, 'done', 'req_1');
                INSERT INTO access_log VALUES (1, 1, 'user_a', 'admin', NULL, 'POST', '/', 200, zeroblob(8), 1);
                INSERT INTO users VALUES ('user_a', 'admin', NULL, NULL, 1, 1, NULL, 0);
                INSERT INTO users VALUES ('user_c', 'creator', zeroblob(16), NULL, 1, 1, NULL, 0);
                INSERT INTO users VALUES ('user_o', 'owner', randomblob(16), NULL, 1, 1, NULL, 0);";
    connection.execute_batch(rows).expect("as they are written");
    for attack in [
        "UPDATE provider_exchanges SET outcome = 'refused'",
        "DELETE FROM provider_exchanges",
        "INSERT OR REPLACE INTO provider_exchanges VALUES (zeroblob(16), 1, 7, 'k', 1, 'refused', '')",
        "INSERT INTO provider_exchanges VALUES (zeroblob(16), 2, 7, 'k', 1, 'perhaps', '')",
        "INSERT INTO provider_exchanges VALUES (zeroblob(16), 0, 7, 'k', 1, 'done', '')",
        "UPDATE access_log SET status = 403",
        "DELETE FROM access_log",
        "INSERT OR REPLACE INTO access_log VALUES (1, 1, 'user_b', 'admin', NULL, 'POST', '/', 200, zeroblob(8), 1)",
        "INSERT INTO access_log VALUES (2, 1, 'user_b', 'admin', NULL, 'POST', '/', 200, zeroblob(8), 0)",
        "DELETE FROM users",
        "UPDATE users SET subject = 'user_b' WHERE subject = 'user_a'",
        "UPDATE users SET party = randomblob(16) WHERE subject = 'user_o'",
        "UPDATE users SET role = 'admin', party = NULL WHERE subject = 'user_o'",
        "UPDATE users SET role = 'owner' WHERE subject = 'user_c'",
        "UPDATE users SET role = 'emperor' WHERE subject = 'user_o'",
        "UPDATE users SET changed_at_ms = 0 WHERE subject = 'user_o'",
        "UPDATE users SET suspended_by_operator = 2 WHERE subject = 'user_o'",
        "INSERT OR REPLACE INTO users VALUES ('user_o', 'viewer', zeroblob(16), NULL, 1, 1, NULL, 0)",
        "INSERT INTO users VALUES ('user_d', 'creator', zeroblob(16), NULL, 1, 1, NULL, 0)",
        "INSERT INTO users VALUES ('user_d', 'admin', zeroblob(16), NULL, 1, 1, NULL, 0)",
    ] {
        let refused = connection.execute_batch(attack);
        assert!(refused.is_err(), "{attack}");
    }
    connection
        .execute_batch("UPDATE users SET role = 'member' WHERE subject = 'user_o'")
        .expect("a place");
}
