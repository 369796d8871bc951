//! A disk that fills up: a real file system of a few MiB in a mount namespace of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use sponsorhub_store::{Outcome, Reader as _, Store as _, StoreError, open_read_only};

use crate::world::{Desk, campaign_id, sale};
use crate::{audit, open, setting, this_test};

const SETTING: &str = "SPONSORHUB_STORE_FULL_DISK";

/// Runs a command where `directory` is a tmpfs that nobody else sees. Fails loudly where the
/// system does not let us mount: there is no weaker form of this test.
pub(crate) fn run_on_tmpfs(inner: &Command, directory: &Path, options: &str) {
    let mut command = Command::new("unshare");
    let script = r#"mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@""#;
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh", options]);
    command.arg(directory).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("unshare(1) of util-linux is needed");
    let [said, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "the inner test ran:\n{said}\n{errors}");
}

#[test]
fn inv_5_a_full_disk_refuses_and_the_ledger_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let inner = this_test("disk::inside_a_small_disk", SETTING, directory.path());
    run_on_tmpfs(&inner, directory.path(), "size=4m");
}

#[test]
#[ignore = "runs inside the test above, on a file system of its own"]
fn inside_a_small_disk() {
    let directory = setting(SETTING).expect("the test above says where");
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).expect("room for the ballast");
    let store = open(&directory);
    Desk::new(campaign_id(1)).go_live(&store, 1_000_000, 3);
    let take_in = |number: u64| {
        let lot = (number * 50..number * 50 + 50).map(|n| sale(campaign_id(1), n % 3, n, 100));
        store.take_in_and_wait(lot.collect()).expect("room in the queue")
    };
    let mut lots = 0;
    let full = loop {
        match take_in(lots) {
            Ok(outcomes) => {
                assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))));
                lots += 1;
            }
            Err(error) => break error,
        }
        assert!(lots < 1_000, "4 MiB have an end");
    };
    assert!(matches!(full, StoreError::DiskFull), "{full:?}");
    assert!(full.retry() && lots > 2, "{lots} lots fitted");
    // Again and again: refused, never acknowledged, nothing changed.
    for _ in 0..3 {
        assert!(matches!(take_in(lots), Err(StoreError::DiskFull)));
        assert_eq!(audit(&directory).len(), usize::try_from(8 + lots * 50).expect("small"));
    }
    fs::remove_file(ballast).expect("it is there");
    let outcomes = take_in(lots).expect("there is room again");
    let Outcome::Appended(first) = &outcomes[0] else {
        panic!("what was refused had used no key: {:?}", outcomes[0]);
    };
    assert_eq!(first.seq, 8 + lots * 50 + 1, "INV-6");
    assert_eq!(audit(&directory).len(), usize::try_from(8 + (lots + 1) * 50).expect("small"));
    let mut reader = open_read_only(&directory).expect("opens");
    assert!(reader.head(campaign_id(1)).expect("reads").is_some());
}
