//! Past orders replayed over HTTP, asked about without a ledger, and computed by a script that knows
//! the file alone: three ways, the same figures.
//!
//! The file is examples/sample-orders.csv or, where `SPONSORHUB_ORDERS` names one, that.

mod house;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use house::{Play, play_and_kill, sponsorhub, text};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn orders() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test is told of a file by its environment")]
    let given = std::env::var_os("SPONSORHUB_ORDERS").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(ROOT).join("examples/sample-orders.csv"))
}

/// What the script says.
fn script(orders: &Path) -> Value {
    let script = Path::new(ROOT).join("examples/replay.py");
    let output = Command::new("python3").arg(script).arg(orders).output().expect("python3 runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// Compares what `demo --once --json` printed with the script.
fn check(output: &Output, script: &Value) {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let creators = object["creators"].as_array().expect("a list").iter();
    let paid: Vec<&Value> = creators.map(|creator| &creator["paid_minor"]).collect();
    let seen = json!({
        "orders": object["conversions"]["received"],
        "reversed": object["conversions"]["reversed"],
        "amount_minor": object["conversions"]["amount_minor"],
        "commission_minor": paid,
        "fees_minor": object["fees_minor"],
        "deposited_minor": object["deposited_minor"],
        "provider_fees_minor": object["provider_fees_minor"],
        "refunded_minor": object["refunded_minor"],
    });
    for (name, value) in seen.as_object().expect("an object") {
        assert_eq!(*value, script[name], "{name}");
    }
    let end = json!([
        object["campaign"]["state"],
        object["conversions"]["accepted"],
        object["postings_sum"],
        object["audit"],
    ]);
    assert_eq!(end, json!(["paid_out", script["orders"], 0, "passed"]));
}

#[test]
fn a_replay_comes_out_as_the_script_says() {
    let (orders, script) = (orders(), script(&orders()));
    let mut demo = sponsorhub();
    let output = demo.args(["demo", "--once", "--json", "--orders"]).arg(orders).output();
    check(&output.expect("runs"), &script);
    println!("proof: {} orders replayed, equal to the script to the cent", script["orders"]);
}

#[test]
fn what_if_says_the_same_without_a_ledger() {
    let (orders, script) = (orders(), script(&orders()));
    let directory = tempfile::tempdir().expect("a directory");
    let given = std::fs::read(Path::new(ROOT).join("examples/replay-terms.json")).expect("there");
    let mut terms: Value = serde_json::from_slice(&given).expect("JSON");
    terms["budget"] = script["budget_minor"].clone();
    let path = directory.path().join("terms.json");
    std::fs::write(&path, terms.to_string()).expect("written");
    let what_if = |more: &[&str]| {
        let mut command = sponsorhub();
        command.arg("what-if").arg("--orders").arg(&orders).arg("--terms").arg(&path).args(more);
        command.output().expect("runs")
    };
    let output = what_if(&["--reverse-every", "20", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    for name in ["orders", "reversed", "amount_minor", "budget_minor", "fees_minor", "unmet_minor"]
    {
        assert_eq!(object[name], script[name], "{name}");
    }
    let creators = object["creators"].as_array().expect("a list").iter();
    let commission: Vec<&Value> = creators.map(|it| &it["commission_minor"]).collect();
    assert_eq!(json!(commission), script["commission_minor"]);
    // The months add up to the whole.
    let months = object["months"].as_array().expect("a list");
    for name in ["orders", "amount_minor", "fees_minor", "unmet_minor"] {
        let sum: i64 = months.iter().map(|month| month[name].as_i64().expect("a number")).sum();
        assert_eq!(json!(sum), object[name], "{name}");
    }
    let said = text(&what_if(&[]).stdout);
    assert!(said.contains("0 of them given back") && said.contains("1997-01"), "{said}");
}

#[test]
fn wrong_files_get_one_line_that_names_the_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let head = "order_id,customer_id,ordered_on,amount_minor,currency\n";
    let good = write("good.csv", &format!("{head}o1,c1,1997-01-01,500,USD\n"));
    let bad = write("bad.csv", &format!("{head}o1,c1,1997-13-01,500,USD\n"));
    let terms = write(
        "terms.json",
        r#"{"currency":"USD","budget":1000,"rates":{"sale":{"bps":[[0,1000]]}}}"#,
    );
    let euro = write(
        "euro.json",
        r#"{"currency":"EUR","budget":1000,"rates":{"sale":{"bps":[[0,1000]]}}}"#,
    );
    let typo = write("typo.json", r#"{"currency":"USD","budget":"1000"}"#);
    let none = directory.path().join("none.csv");
    for (orders, terms, expected) in [
        (&none, &terms, "none.csv: No such file"),
        (&bad, &terms, "bad.csv: line 2, column ordered_on: write it like 2026-01-31"),
        (&good, &euro, "terms.currency: USD, as the orders"),
        (&good, &typo, "typo.json: budget: invalid type"),
    ] {
        let mut command = sponsorhub();
        command.arg("what-if").arg("--orders").arg(orders).arg("--terms").arg(terms);
        let output = command.output().expect("runs");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    let demo = sponsorhub().args(["demo", "--once", "--orders"]).arg(&bad).output().expect("runs");
    assert!(text(&demo.stderr).contains("line 2, column ordered_on"), "{}", text(&demo.stderr));
}

fn killed(kills: u32) {
    let (orders, script) = (orders(), script(&orders()));
    let orders = orders.to_str().expect("a path of text");
    let play = Play {
        sandbox: &["--starts-on", "1996-12-31"],
        demo: &["--orders", orders],
        kills,
        pause_ms: 3_000,
    };
    play_and_kill(&play, |output| check(output, &script));
}

/// `kill -9` of the server at random moments of a replay changes no figure.
#[test]
fn a_server_that_is_killed_during_a_replay_changes_no_figure() {
    killed(2);
}

/// `cargo test -p sponsorhub --test replay -- --ignored twenty`
#[test]
#[ignore = "takes minutes; `cargo xtask prove` runs it"]
fn a_server_that_is_killed_twenty_times_during_a_replay_changes_no_figure() {
    killed(20);
    println!(
        "proof: 20 kills during replays, each time the same figures, no payout transferred twice"
    );
}
