//! Edits of a database as a thief would make them.

use std::path::Path;

use rusqlite::Connection;

/// Removes the triggers and runs `sql`, which has to change something.
pub(crate) fn edit(directory: &Path, sql: &str) {
    let database = Connection::open(directory.join("sponsorhub.db")).expect("opens");
    let triggers: Vec<String> = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .and_then(|mut rows| rows.query_map([], |row| row.get(0))?.collect())
        .expect("lists triggers");
    for name in triggers {
        database.execute_batch(&format!("DROP TRIGGER {name}")).expect("drops");
    }
    // As a tool would that knows nothing of ours.
    database.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    let edited = database.execute_batch(sql);
    edited.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(database.total_changes() > 0, "the edit changed nothing: {sql}");
}
