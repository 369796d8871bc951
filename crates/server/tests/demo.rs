//! The demo: its figures, its object, and that a server which is killed in the middle of the story
//! changes none of them.

mod house;

use std::process::{Output, Stdio};

use house::{Play, Sandbox, play_and_kill, settings, sponsorhub, text};
use serde_json::{Value, json};

/// The figures of docs/demo.md, written a second time.
fn check(output: &Output) {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let paid = |name: &str| {
        let creators = object["creators"].as_array().expect("a list");
        let creator = creators.iter().find(|creator| creator["name"] == json!(name));
        creator.unwrap_or_else(|| panic!("{name}"))["paid_minor"].as_i64().expect("a number")
    };
    let names = ["ada", "ben", "cleo", "dan", "eve", "fay", "gus", "hana"];
    let all = names.map(paid);
    assert_eq!(all, [45_000, 4_000, 420_000, 52_000, 65_000, 12_500, 38_000, 290_000]);
    let figures = json!([
        object["campaign"]["state"],
        object["deposited_minor"],
        object["provider_fees_minor"],
        object["accrued_minor"],
        object["fees_minor"],
        object["paid_minor"],
        object["refunded_minor"],
        object["postings_sum"],
        object["audit"],
    ]);
    let expected =
        json!(["paid_out", 1_040_100, 30_193, 926_500, 46_050, 926_500, 37_357, 0, "passed"]);
    assert_eq!(figures, expected);
    let conversions = json!({
        "received": 27, "accepted": 26, "held": 1, "rejected": 0, "reversed": 2,
        "amount_minor": 9_160_000,
    });
    assert_eq!(object["conversions"], conversions);
    assert!(object["entries"].as_u64().is_some_and(|entries| entries > 100));
}

#[test]
fn the_story_comes_out_to_the_cent() {
    let output = sponsorhub().args(["demo", "--once", "--json"]).output().expect("runs");
    check(&output);
}

#[test]
fn people_get_lines_and_the_directory_can_be_audited() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut demo = sponsorhub();
    demo.args(["demo", "--once", "--data-dir"]).arg(&data);
    let output = demo.output().expect("runs");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("paid to hana"), "{said}");
    assert!(said.contains("left over                                0.00 USD"), "{said}");
    let audit = sponsorhub().args(["audit", "--data-dir"]).arg(&data).output().expect("runs");
    assert!(audit.status.success(), "{}", text(&audit.stdout));
    // Whoever has read enough, as `| head` does, hears no complaint, and half an audit is none.
    let mut audit = sponsorhub();
    audit.args(["audit", "--data-dir"]).arg(&data);
    let mut audit = audit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    drop(audit.stdout.take());
    let audit = audit.wait_with_output().expect("ends");
    assert_eq!((audit.status.code(), text(&audit.stderr).as_str()), (Some(2), ""));
    let again = demo.output().expect("runs");
    assert_eq!(again.status.code(), Some(2));
    let said = text(&again.stderr);
    assert!(said.starts_with("error: --data-dir: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn serve_without_settings_names_them_and_the_demo() {
    let directory = tempfile::tempdir().expect("a directory");
    for init in [&[][..], &["--init", "sandbox"]] {
        let mut serve = sponsorhub();
        serve.arg("serve").args(init).args(["--listen", "127.0.0.1:0", "--data-dir"]);
        let output = serve.arg(directory.path().join("data")).output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        for word in ["SPONSORHUB_STRIPE_SECRET_KEY", "SPONSORHUB_CLERK_ISSUER", "`sponsorhub demo`"]
        {
            assert!(said.contains(word), "{said}");
        }
    }
}

#[test]
fn only_a_sandbox_has_another_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::start("http://127.0.0.1:9", &[]);
    let mut serve = sponsorhub();
    serve.args(["serve", "--init", "test", "--clock", "virtual", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(directory.path().join("data"));
    let output = serve.envs(settings(&sandbox.address)).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("--clock virtual: this installation is for test"), "{said}");
}

/// `kill -9` at twenty random moments, sandbox and driver in processes of their own: the figures are
/// the same.
#[test]
fn a_server_that_is_killed_again_and_again_changes_no_figure() {
    play_and_kill(&Play { sandbox: &[], demo: &[], kills: 20, pause_ms: 400 }, check);
}
