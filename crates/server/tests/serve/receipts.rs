//! Receipts as a shop gets them, checked by others.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sponsorhub_core::merkle::checkpoint::LogVerifier;
use sponsorhub_core::merkle::receipt::Receipt;

use crate::client::Client;
use crate::{World, order};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Exit code of the stand-alone verifier, which shares nothing with the code that is tested.
fn python(told: &Value, entry: &str) -> Option<i32> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    let script = repository().join("examples/verify_receipt.py");
    let output = Command::new("python3")
        .arg(script)
        .args(["--vkey", told["log_key"].as_str().expect("text"), "--receipt"])
        .arg(path("receipt", told["receipt"].as_str().expect("text")))
        .arg("--entry")
        .arg(path("entry", entry))
        .output();
    let Ok(output) = output else {
        eprintln!("NOT RUN: python3 is not installed");
        return None;
    };
    output.status.code()
}

fn check(told: &Value) {
    let (receipt, entry) = (told["receipt"].as_str(), told["entry"].as_str());
    let receipt: Receipt = receipt.expect("text").parse().expect("a receipt");
    let log: LogVerifier = told["log_key"].as_str().expect("text").parse().expect("a key");
    let entry = entry.expect("text");
    receipt.verify(entry.as_bytes(), &log).expect("it proves the entry");
    // Outsiders: a note verifier and a tree of somebody else's.
    assert!(python(told, entry).is_none_or(|code| code == 0), "{told}");
    let altered = entry.replacen("\"amount\":5", "\"amount\":6", 1);
    assert_ne!(altered, entry);
    assert!(receipt.verify(altered.as_bytes(), &log).is_err());
    assert!(python(told, &altered).is_none_or(|code| code == 1));
}

#[test]
fn inv_14_receipts_of_first_and_repeated_reports_are_verified_by_an_outsider() {
    let world = World::new();
    let mut client = world.client();
    let first = client.report(&order(&world.made.codes[0], "first"));
    check(&first.json());
    // Across the border of a tile, so that paths of all shapes come up.
    for number in 0..300 {
        let answer = client.report(&order(&world.made.codes[1], &format!("more-{number}")));
        assert_eq!(answer.status, 200);
        if number % 60 == 7 {
            check(&answer.json());
        }
    }
    let again = client.report(&order(&world.made.codes[0], "first")).json();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["entry"], first.json()["entry"]);
    check(&again);
}

#[test]
fn a_batch_is_answered_line_by_line_with_a_checkpoint_over_all() {
    let world = World::new();
    let mut client: Client = world.client();
    let code = &world.made.codes[0];
    let mut lines: Vec<String> =
        (0..5).map(|number| order(code, &format!("b-{number}")).to_string()).collect();
    lines.insert(1, "{\"oops\":1}".to_owned());
    let reversal = serde_json::json!({
        "source": "shop", "external_id": "r-0", "type": "reversal", "reverses": "b-0",
        "occurred_at": crate::time(0),
    });
    lines.push(reversal.to_string());
    lines.push(order(code, "b-0").to_string());
    let body = lines.join("\n\n");
    let answer = client.send("POST", "/v/batch", &[], body.as_bytes()).expect("answered");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told: Vec<Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON in each line"))
        .collect();
    assert_eq!(told.len(), lines.len() + 1);
    assert_eq!(told[1]["problem"]["code"], "field_unknown");
    let results: Vec<_> = [0, 2, 3, 4, 5].map(|at| told[at]["result"].clone()).to_vec();
    assert_eq!(results, vec!["accepted"; 5]);
    assert_eq!(told[6]["result"], "reversed", "of an order in the same batch: {}", told[6]);
    assert_eq!((&told[7]["duplicate"], &told[7]["seq"]), (&true.into(), &told[0]["seq"]));
    let checkpoint = &told[8]["checkpoints"][0];
    let log: LogVerifier = checkpoint["log_key"].as_str().expect("text").parse().expect("a key");
    let checkpoint = log.verify(checkpoint["checkpoint"].as_str().expect("text"));
    let size = checkpoint.expect("signed").size;
    assert_eq!(Some(size), told[6]["seq"].as_u64(), "it covers the last entry");
}
