//! `sponsorhub keys`, with a server running and without.

use std::path::Path;
use std::time::Duration;

use crate::client::Client;
use crate::server::{Server, sponsorhub};
use crate::{World, fixture, order, with};

fn keys(data: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = sponsorhub().arg("keys").args(arguments).arg("--data-dir").arg(data).output();
    let output = output.expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Waits until a report gets this status, at most as long as a revocation may take.
fn becomes(client: &mut Client, body: &serde_json::Value, status: u16) -> String {
    for _ in 0..20 {
        let answer = client.report(body);
        if answer.status == status {
            return answer.code();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{status} within two seconds");
}

#[test]
fn a_key_is_issued_listed_and_revoked_while_the_server_runs() {
    let world = World::new();
    let (data, brand) = (world.directory.path(), world.made.brand.to_string());
    let (ok, out, _) = keys(data, &["create", "--brand", &brand]);
    assert!(ok);
    let (id, secret) = out.split_once('\n').expect("id and secret");
    let mut client = Client::connect(&world.server.address).with_key(secret);
    let body = order(&world.made.codes[0], "by-new-key");
    assert_eq!(client.report(&body).status, 200, "the server runs and knows it");
    let (ok, listed, _) = keys(data, &["list", "--brand", &brand]);
    assert!(ok && listed.contains(id) && !listed.contains(secret), "{listed}");
    let (ok, _, _) = keys(data, &["revoke", id]);
    assert!(ok);
    assert_eq!(becomes(&mut client, &body, 401), "api_key_unknown");
    let (ok, _, error) = keys(data, &["revoke", id]);
    assert!(!ok && error.contains("revoked before"), "{error}");
    let (ok, _, error) = keys(data, &["create", "--brand", "brd_00000000000000000000000000"]);
    assert!(!ok && error.contains("there is no such brand"), "{error}");
}

#[test]
fn keys_are_issued_without_a_server_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &fixture::plan(1));
    let brand = made.brand.to_string();
    let (ok, out, error) = keys(directory.path(), &["create", "--brand", &brand, "--signed"]);
    assert!(ok, "{error}");
    assert_eq!(out.lines().count(), 3, "id, secret, and what reports are signed with: {out}");
    let (ok, out, _) = keys(directory.path(), &["list", "--brand", &brand]);
    assert!(ok);
    assert_eq!(out.lines().count(), 2);
}

#[test]
fn of_keyring_changes_at_the_same_moment_none_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    fixture::make(directory.path(), &fixture::plan(1));
    let data = directory.path();
    let all_ok = |changes: &[&[&str]]| {
        std::thread::scope(|scope| {
            let ends = changes.iter().map(|change| scope.spawn(move || keys(data, change)));
            for end in ends.collect::<Vec<_>>() {
                let (ok, _, error) = end.join().expect("ends");
                assert!(ok, "{error}");
            }
        });
    };
    all_ok(&[&["rotate"][..]; 12]);
    let (_, masters, _) = keys(data, &["masters"]);
    assert_eq!(masters.lines().count(), 13, "{masters}");
    let revocations = ["1", "2", "3", "4", "5", "6", "7", "8"].map(|id| ["revoke-master", id]);
    all_ok(&revocations.each_ref().map(|revocation| &revocation[..]));
    let (_, masters, _) = keys(data, &["masters"]);
    assert_eq!(masters.matches("revoked").count(), 8, "{masters}");
}

#[test]
fn what_a_revoked_master_signed_is_worth_nothing_within_two_seconds() {
    let world = World::new();
    let click = world.click(0);
    let data = world.directory.path();
    let (ok, _, error) = keys(data, &["revoke-master", "1"]);
    assert!(!ok, "the only master that signs: {error}");
    let (ok, _, _) = keys(data, &["rotate"]);
    assert!(ok);
    let mut client = world.client();
    let by_click = with(order("x", "by-click"), "code", serde_json::Value::Null);
    let by_click = with(by_click, "click", click.into());
    let dry = with(by_click.clone(), "dry_run", true.into());
    assert_eq!(client.report(&dry).status, 200, "what older masters signed stays valid");
    let (ok, _, _) = keys(data, &["revoke-master", "1"]);
    assert!(ok);
    assert_eq!(becomes(&mut client, &dry, 422), "click_revoked_key");
    let code = client.report(&order(&world.made.codes[0], "by-code"));
    assert_eq!(code.code(), "code_not_valid");
    let (ok, masters, _) = keys(data, &["masters"]);
    assert!(ok);
    assert_eq!(masters, "1\trevoked\n2\tsigns");
}

#[test]
fn serve_says_what_is_missing_and_never_replaces_a_keyring() {
    let empty = tempfile::tempdir().expect("a directory");
    let serve = |data: &Path, arguments: &[&str]| {
        let mut command = sponsorhub();
        command.arg("serve").arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
        // Nobody is there: nothing here is about money that moves.
        command.envs([
            ("SPONSORHUB_STRIPE_BASE_URL", "http://127.0.0.1:9"),
            ("SPONSORHUB_STRIPE_SECRET_KEY", "sk_test_nobody"),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", "whsec_nobody"),
            ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", "whsec_no_one"),
            ("SPONSORHUB_CLERK_ISSUER", "http://127.0.0.1:9"),
        ]);
        let output = command.args(arguments).output().expect("ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, error) = serve(empty.path(), &[]);
    assert_eq!(code, Some(2));
    assert!(error.contains("serve --init"), "{error}");
    let (code, error) = serve(empty.path(), &["--init", "prod"]);
    assert!(code == Some(2) && error.contains("sandbox, test or live"), "{error}");
    let world = World::new();
    let (code, error) = serve(world.directory.path(), &[]);
    assert!(code == Some(2) && error.contains("in use by another process"), "{error}");
    let World { directory, server, .. } = world;
    drop(server);
    let (code, error) = serve(directory.path(), &["--init", "live"]);
    assert!(code == Some(2) && error.contains("for sandbox, for ever"), "{error}");
    // Another installation's keyring.
    let other = tempfile::tempdir().expect("a directory");
    fixture::make(other.path(), &fixture::plan(1));
    let keyring = |directory: &Path| directory.join("keyring.json");
    std::fs::copy(keyring(other.path()), keyring(directory.path())).expect("copied");
    let (code, error) = serve(directory.path(), &[]);
    assert!(code == Some(2) && error.contains("belongs to keyring"), "{error}");
    std::fs::remove_file(keyring(directory.path())).expect("removed");
    let (code, error) = serve(directory.path(), &["--init", "sandbox"]);
    assert!(code == Some(2) && error.contains("keyring is missing"), "{error}");
    let server = Server::start(empty.path(), &["--init", "sandbox"]);
    drop(server);
    assert!(keyring(empty.path()).exists());
}

#[test]
fn wrong_arguments_get_one_clear_line() {
    for (arguments, says) in [
        (&["keys", "create"][..], "--brand"),
        (&["keys", "create", "--brand", "cmp_1"], "brd_"),
        (&["serve", "--listen", "nowhere"], "--listen"),
        (&["serve", "--queue-mib", "0"], "queue_mib: 1 to 4096"),
        (&["serve", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (&["surve"], "serve"),
        (&["demo", "--onc"], "--once"),
        (&["keys", "list"], "--brand"),
        (&["verify", "x.json"], "not built yet"),
        (&["witness"], "not built yet"),
    ] {
        let output = sponsorhub().args(arguments).output().expect("ends");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
    }
}

#[test]
fn where_there_is_no_keyring_that_is_said_and_nothing_is_made() {
    let empty = tempfile::tempdir().expect("a directory");
    for nowhere in [empty.path().join("nothing"), empty.path().to_owned()] {
        for arguments in [&["rotate"][..], &["revoke-master", "1"], &["masters"]] {
            let (ok, _, error) = keys(&nowhere, arguments);
            assert!(!ok && error.contains("keyring.json is missing"), "{arguments:?}: {error}");
        }
    }
    assert_eq!(std::fs::read_dir(empty.path()).expect("reads").count(), 0);
}
