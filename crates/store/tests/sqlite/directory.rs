//! What can be wrong with a data directory: one precise error each, and nothing changed.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use sponsorhub_store::{
    KeyringId, Options, Reader as _, SqliteStore, Store as _, StoreError, open_read_only,
};

use crate::world::{Desk, T, campaign_id, sale};
use crate::{open, setting, this_test};

fn try_open(directory: &Path, keyring: Option<KeyringId>) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(directory, Options { keyring, ..Options::default() }, || T)
}

fn message(result: Result<SqliteStore, StoreError>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn a_directory_in_use_is_refused_by_name_and_free_again_when_its_owner_goes() {
    let directory = tempfile::tempdir().expect("a directory");
    let owner = open(directory.path());
    let second = try_open(directory.path(), None);
    assert!(matches!(&second, Err(StoreError::Locked(path)) if path == directory.path()));
    assert!(message(second).contains(&directory.path().display().to_string()));
    drop(owner);
    drop(open(directory.path()));
}

#[test]
fn readers_of_other_processes_see_what_is_committed_while_the_owner_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    let mut reader = open_read_only(directory.path()).expect("no lock is asked for");
    for number in 0..20 {
        let events = vec![sale(campaign_id(1), 0, number, 100)];
        store.take_in_and_wait(events).expect("room").expect("a commit");
        let head = reader.head(campaign_id(1)).expect("reads").expect("known");
        assert_eq!(head.seq, 8 + number + 1);
    }
}

#[test]
fn a_foreign_or_missing_keyring_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let [ours, other] = [KeyringId([1; 16]), KeyringId([2; 16])];
    drop(try_open(directory.path(), Some(ours)).expect("the first is recorded"));
    let foreign = try_open(directory.path(), Some(other));
    assert!(
        matches!(&foreign, Err(StoreError::ForeignKeyring { recorded, given })
            if *recorded == ours && *given == other),
        "{foreign:?}"
    );
    drop(foreign);
    let missing = try_open(directory.path(), None);
    assert!(
        matches!(&missing, Err(StoreError::MissingKeyring(recorded)) if *recorded == ours),
        "{missing:?}"
    );
    drop(try_open(directory.path(), Some(ours)).expect("ours still opens it"));
}

/// How many migrations the repository has.
fn migrations() -> i64 {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    i64::try_from(fs::read_dir(directory).expect("readable").count()).expect("few")
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(open(directory.path()));
    let path = directory.path().join("sponsorhub.db");
    let raw = Connection::open(&path).expect("opens");
    raw.pragma_update(None, "user_version", 99).expect("a pragma");
    drop(raw);
    let before = fs::read(&path).expect("readable");
    assert!(message(try_open(directory.path(), None)).contains("written by a newer version"));
    let reader = open_read_only(directory.path());
    let Err(StoreError::NewerDatabase { found: 99, known }) = reader else {
        panic!("it is refused by its version");
    };
    assert_eq!(known, migrations());
    assert!(fs::read(&path).expect("readable") == before, "nothing changed");
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sponsorhub.db");
    let foreign = Connection::open(&path).expect("a new database");
    foreign.execute_batch("CREATE TABLE poems (line TEXT)").expect("valid");
    drop(foreign);
    let text = b"not a database, whatever its name says, and long enough to have a header".to_vec();
    for content in [fs::read(&path).expect("readable"), text] {
        fs::write(&path, &content).expect("writable");
        let refused = try_open(directory.path(), None);
        assert!(matches!(refused, Err(StoreError::NotOurDatabase(_))), "{refused:?}");
        assert!(fs::read(&path).expect("readable") == content, "nothing changed");
    }
}

#[test]
fn a_reader_does_not_make_a_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let reader = open_read_only(directory.path());
    assert!(matches!(reader, Err(StoreError::NoDatabase(_))));
    assert_eq!(fs::read_dir(directory.path()).expect("readable").count(), 0);
}

const READ_ONLY: &str = "SPONSORHUB_STORE_READ_ONLY_DIRECTORY";

#[test]
fn a_read_only_directory_is_refused_by_name() {
    // Permissions do not bind the superuser, a read-only file system binds everyone.
    let directory = tempfile::tempdir().expect("a directory");
    let inner = this_test("directory::inside_a_read_only_directory", READ_ONLY, directory.path());
    crate::disk::run_on_tmpfs(&inner, directory.path(), "ro,size=1m");
}

#[test]
#[ignore = "runs inside the test above, on a file system of its own"]
fn inside_a_read_only_directory() {
    let directory = setting(READ_ONLY).expect("the test above says where");
    let refused = try_open(&directory, None);
    assert!(matches!(&refused, Err(StoreError::ReadOnly(path)) if *path == directory));
    let deeper = directory.join("deeper");
    let refused = try_open(&deeper, None);
    assert!(matches!(&refused, Err(StoreError::ReadOnly(path)) if *path == deeper));
    assert!(message(refused).contains("cannot be written"));
}
