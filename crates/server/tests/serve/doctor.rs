//! `sponsorhub doctor`, with a server running and without.

use std::path::Path;

use crate::server::sponsorhub;
use crate::{World, fixture};

/// Exit code and what was said, with settings as `serve` has them in these tests.
fn doctor(data: &Path, arguments: &[&str], secret: &str) -> (i32, String, String) {
    let mut command = sponsorhub();
    command.arg("doctor").args(arguments).arg("--data-dir").arg(data).current_dir(data);
    command.envs([
        ("SPONSORHUB_STRIPE_BASE_URL", "http://127.0.0.1:9"),
        ("SPONSORHUB_STRIPE_SECRET_KEY", secret),
        ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_nobody"),
        ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_no_one"),
        ("SPONSORHUB_CLERK_ISSUER", "http://127.0.0.1:9"),
    ]);
    let output = command.output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("a code");
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_doctor_asks_the_server_that_runs() {
    let world = World::new();
    let (_, out, error) = doctor(world.directory.path(), &[], "sk_test_nobody");
    assert!(out.contains("ok      keyring: the keyring of a sandbox installation"), "{out}{error}");
    assert!(out.contains("ok      settings: the settings go together"), "{out}");
    // Only the server knows: nobody ever sent it a webhook.
    assert!(out.contains("warning webhook_silent: no webhook about its own account"), "{out}");
    assert!(
        out.contains("fix: see at the provider that its endpoint is /webhooks/stripe"),
        "{out}"
    );
    assert!(!out.contains("server_not_running"), "{out}");
}

#[test]
fn without_a_server_the_doctor_says_what_it_could_not_look_at() {
    let directory = tempfile::tempdir().expect("a directory");
    fixture::make(directory.path(), &fixture::plan(1));
    let (code, out, error) = doctor(directory.path(), &["--json"], "sk_test_nobody");
    assert_eq!(code, 0, "a warning is no error: {out}{error}");
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let codes = said["data"].as_array().expect("a list").iter();
    let codes: Vec<_> = codes.map(|one| one["code"].as_str().expect("text")).collect();
    assert_eq!(codes, ["server_not_running", "database", "keyring", "settings"]);
    let (code, out, _) = doctor(directory.path(), &[], "sk_live_1");
    assert_eq!(code, 1, "{out}");
    let first = out.lines().next().expect("a line");
    assert!(first.starts_with("error   settings_unsafe: ") && first.contains("stripe_secret_key"));
    let keyring = directory.path().join("keyring.json");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(keyring, mode).expect("changed");
    let (code, out, _) = doctor(directory.path(), &[], "sk_test_nobody");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("error   keyring_unusable: ") && out.contains("chmod 600"), "{out}");
    let empty = tempfile::tempdir().expect("a directory");
    let (code, out, _) = doctor(empty.path(), &[], "sk_test_nobody");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("keyring_unusable") && out.contains("database_unusable"), "{out}");
}

#[test]
fn wrong_arguments_of_the_doctor_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, _, error) = doctor(directory.path(), &["--jason"], "sk_test_nobody");
    assert_eq!(code, 2);
    assert!(error.contains("--jason"), "{error}");
}
