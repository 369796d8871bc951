//! `POST /v/batch`: limits, order, and lines that do not disturb each other.

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use signed_note::{Note, StandardVerifier, VerifierList};
use sponsorhub_store::{Reader, open_read_only};
use tlog_tiles::checkpoint::Checkpoint;
use tlog_tiles::tlog;

use crate::client::{Answer, Client};
use crate::server::{Server, sponsorhub};
use crate::{World, fixture, order, time, with};

fn send(client: &mut Client, lines: &[String]) -> Answer {
    client.send("POST", "/v/batch", &[], lines.join("\n").as_bytes()).expect("answered")
}

fn told(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = answer.text();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON in each line")).collect()
}

#[test]
fn inv_5_a_batch_beyond_its_limits_is_refused_whole() {
    let world = World::new();
    let before = world.entries();
    let line = order(&world.made.codes[0], "ORDER").to_string();
    let lines = |count: u32| -> Vec<String> {
        (0..count).map(|n| line.replace("ORDER", &n.to_string())).collect()
    };
    let refused = |body: &str| {
        let answer =
            world.client().send("POST", "/v/batch", &[], body.as_bytes()).expect("answered");
        (answer.status, answer.code())
    };
    let batch_lines = (400, "batch_lines".to_owned());
    assert_eq!(refused(&lines(10_001).join("\n")), batch_lines);
    assert_eq!(refused(""), batch_lines);
    assert_eq!(refused("\n \n\r\n"), batch_lines);
    let large = format!("{line}\n{}", " ".repeat(8 << 20));
    assert_eq!(refused(&large), (413, "body_too_large".to_owned()));
    let mut stranger = Client::connect(&world.server.address);
    assert_eq!(send(&mut stranger, &lines(2)).code(), "api_key_missing");
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    let all = told(&send(&mut world.client(), &lines(10_000)));
    assert_eq!(all.len(), 10_001);
    assert!(all[..10_000].iter().all(|line| line["duplicate"] == false), "no key was used up");
    // In the order in which they were sent.
    assert!(all[..10_000].windows(2).all(|two| two[0]["seq"].as_u64() < two[1]["seq"].as_u64()));
}

#[test]
fn each_line_of_a_batch_stands_for_itself() {
    let world = World::new();
    let code = &world.made.codes[0];
    let before = world.entries();
    let dry = with(order(code, "dry"), "dry_run", true.into());
    let reversal = |id: &str, reverses: &str, amount: Value| {
        let reversal = json!({
            "source": "shop", "external_id": id, "type": "reversal", "reverses": reverses,
            "occurred_at": time(0), "currency": "USD",
        });
        with(reversal, "amount", amount).to_string()
    };
    let lines = [
        order(code, "a").to_string(),
        "not JSON".to_owned(),
        with(order(code, "a"), "amount", 1.into()).to_string(),
        dry.to_string(),
        with(dry.clone(), "code", "NOBODY-12345".into()).to_string(),
        reversal("r-1", "a", 2_000.into()),
        reversal("r-2", "a", 3_001.into()),
        reversal("r-2", "a", 3_000.into()),
        reversal("r-3", "a", Value::Null),
        reversal("r-1", "a", 2_000.into()),
        reversal("r-4", "never", Value::Null),
        order(code, "b").to_string(),
        order(code, "b").to_string(),
    ];
    let told = told(&send(&mut world.client(), &lines));
    let said: Vec<String> = told[..lines.len()]
        .iter()
        .map(|line| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let repeated = if line["duplicate"] == true { " again" } else { "" };
            text(&line["result"]) + repeated + &text(&line["problem"]["code"])
        })
        .collect();
    let expected = [
        "accepted",
        "json_malformed",
        "duplicate_with_other_content",
        "accepted",
        "code_not_valid",
        "reversed",
        // More than what is left (INV-8): refused, so the same id may take back less.
        "field_invalid",
        "reversed",
        "reverses_taken_back_already",
        "reversed again",
        "reverses_unknown",
        "accepted",
        "accepted again",
    ];
    assert_eq!(said, expected, "{told:#?}");
    assert_eq!(told[3]["dry_run"], true);
    assert_eq!(told[9]["seq"], told[5]["seq"]);
    assert_eq!(world.entries(), before + 4, "two orders and two reversals");
    let alone = dry.to_string();
    let told = self::told(&send(&mut world.client(), &[alone]));
    assert_eq!(told.last().expect("a last line")["checkpoints"], json!([]), "nothing to sign for");
    assert_eq!(world.entries(), before + 4, "a dry run appends nothing");
}

#[test]
fn a_signature_is_over_the_whole_batch() {
    use data_encoding::HEXLOWER;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let world = World::of(&fixture::Plan { needs_signature: true, ..fixture::plan(1) });
    let secret = world.made.signing_secret.clone().expect("it asks for signatures");
    let lines = |last: &str| {
        let lines = ["a", last].map(|id| order(&world.made.codes[0], id).to_string());
        lines.join("\n")
    };
    // Once: an order says when it was, and a second may pass.
    let signed = lines("b");
    let seconds = fixture::now() / 1_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(format!("{seconds}.{signed}").as_bytes());
    let header = format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    let send = |body: &str| {
        let headers = [("sponsorhub-signature", header.as_str())];
        world.client().send("POST", "/v/batch", &headers, body.as_bytes()).expect("answered")
    };
    let before = world.entries();
    assert_eq!(send(&lines("c")).code(), "signature_wrong");
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    assert_eq!(told(&send(&signed)).len(), 3);
}

#[test]
fn a_secret_from_a_revoked_master_signs_no_more() {
    let world = World::of(&fixture::Plan { needs_signature: true, ..fixture::plan(1) });
    let data = world.directory.path();
    for change in [&["rotate"][..], &["revoke-master", "1"]] {
        let mut command = sponsorhub();
        let output = command.arg("keys").args(change).arg("--data-dir").arg(data).output();
        assert!(output.expect("runs").status.success());
    }
    let mut client = world.client();
    let body = order(&world.made.codes[0], "a");
    let mut said = String::new();
    for _ in 0..200 {
        said = client.report(&body).code();
        if said == "signature_key_revoked" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("after four seconds it still says {said}");
}

#[test]
fn lines_of_a_batch_count_for_the_velocity_of_those_after_them() {
    let world = World::new();
    let lines: Vec<String> = (0..13)
        .map(|number| {
            let order = with(order("x", &format!("o-{number}")), "code", Value::Null);
            with(order, "click", world.click(0).into()).to_string()
        })
        .collect();
    told(&send(&mut world.client(), &lines));
    let mut reader = open_read_only(world.directory.path()).expect("opens");
    let entries = reader.entries(world.made.campaign, 1, usize::MAX).expect("reads");
    let entries = entries.iter().map(|bytes| String::from_utf8_lossy(bytes));
    let entries = entries.filter(|entry| entry.contains("\"kind\":\"conversion."));
    let busy: Vec<bool> = entries.map(|one| one.contains("network_over_10_an_hour")).collect();
    assert_eq!(busy, [&[false; 10][..], &[true; 3]].concat());
}

#[test]
fn a_reversal_is_known_however_its_letters_are_spelled() {
    let world = World::new();
    let reversal = json!({
        "source": "shop", "external_id": "r", "type": "reversal", "reverses": "a",
        "occurred_at": time(0),
    });
    let spelled = reversal.to_string().replace("\"reverses\"", r#""reverse\u0073""#);
    assert!(spelled.contains(r"\u0073"), "{spelled}");
    let lines = [order(&world.made.codes[0], "a").to_string(), spelled];
    let told = told(&send(&mut world.client(), &lines));
    assert_eq!([&told[0]["result"], &told[1]["result"]], ["accepted", "reversed"], "{told:?}");
}

#[test]
fn reversals_of_different_orders_share_a_commit() {
    let world = World::new();
    let mut client = world.client();
    let ids: Vec<String> = (0..400).map(|number| format!("o-{number}")).collect();
    let orders: Vec<_> = ids.iter().map(|id| order(&world.made.codes[0], id).to_string()).collect();
    let back = |id: &String| {
        let reversal = json!({
            "source": "shop", "external_id": format!("{id}-back"), "type": "reversal",
            "reverses": id, "occurred_at": time(0),
        });
        reversal.to_string()
    };
    let reversals: Vec<_> = ids.iter().map(back).collect();
    told(&send(&mut client, &orders));
    let commits = |client: &mut Client| {
        let figures = client.send("GET", "/metrics", &[], b"").expect("answered").text();
        let line = figures.lines().find(|line| line.starts_with("sponsorhub_commit_entries_count"));
        line.and_then(|line| line.split(' ').nth(1)?.parse::<u32>().ok()).expect("a count")
    };
    let before = commits(&mut client);
    let all = told(&send(&mut client, &reversals));
    assert!(all[..400].iter().all(|line| line["result"] == "reversed"), "{all:?}");
    let made = commits(&mut client) - before;
    assert!(made <= 3, "{made} commits");
    // Order and reversal in one batch, one after the other.
    let pairs: Vec<_> = (0..3)
        .flat_map(|number| {
            let id = format!("pair-{number}");
            [order(&world.made.codes[0], &id).to_string(), back(&id)]
        })
        .collect();
    let all = told(&send(&mut client, &pairs));
    let results: Vec<_> = all[..6].iter().map(|line| line["result"].as_str()).collect();
    assert_eq!(results, [Some("accepted"), Some("reversed")].repeat(3), "{all:?}");
}

#[test]
fn a_corrupt_ledger_costs_the_lines_of_others_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let plan = fixture::plan(1);
    let (made, other) = (fixture::make(&path, &plan), fixture::make(&path, &plan));
    let database = rusqlite::Connection::open(path.join("sponsorhub.db")).expect("opens");
    // Of the second campaign, where no tile can be yet.
    let tile = "INSERT INTO tiles VALUES (2 << 40, zeroblob(8192))";
    database.execute(tile, []).expect("nothing prevents it");
    drop(database);
    let server = Server::start(&path, &[]);
    let world = World { directory, made, server };
    let line = |made: &fixture::Fixture, id: &str| order(&made.codes[0], id).to_string();
    let lines = [line(&world.made, "a"), line(&other, "b"), line(&world.made, "c")];
    let all = told(&send(&mut world.client(), &lines));
    assert_eq!([&all[0]["result"], &all[2]["result"]], ["accepted", "accepted"], "{all:?}");
    assert_eq!(all[1]["problem"]["code"], "ledger_fault", "{all:?}");
    let alone = send(&mut world.client(), &lines[1..2]);
    assert_eq!((alone.status, alone.code().as_str()), (500, "ledger_fault"));
}

/// RFC 6962, section 2.1, as it is written there.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest(b"").into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let node = [&[1][..], &root(left), &root(right)].concat();
            Sha256::digest(&node).into()
        }
    }
}

/// Size and root of a checkpoint, as two implementations of somebody else's read it.
fn read_by_others(note: &str, vkey: &str) -> (u64, [u8; 32]) {
    let note = Note::from_bytes(note.as_bytes()).expect("a signed note");
    let theirs = StandardVerifier::new(vkey).expect("a verifier key");
    let list = VerifierList::new(vec![Box::new(theirs)]);
    let (verified, _) = note.verify(&list).expect("verifies");
    assert_eq!(verified.len(), 1);
    let checkpoint = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
    (checkpoint.size(), checkpoint.hash().0)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

#[test]
fn inv_14_the_checkpoint_of_a_batch_is_the_root_over_the_ledger_as_others_compute_it() {
    let world = World::new();
    let code = &world.made.codes[0];
    let lines: Vec<_> = (0..300).map(|n| order(code, &format!("c-{n}")).to_string()).collect();
    let mut client = world.client();
    // Fresh, and repeated: both times the checkpoint covers every line.
    for _ in 0..2 {
        let told = told(&send(&mut client, &lines));
        let checkpoint = &told[lines.len()]["checkpoints"][0];
        let (size, signed) =
            read_by_others(text(checkpoint, "checkpoint"), text(checkpoint, "log_key"));
        let mut reader = open_read_only(world.directory.path()).expect("opens");
        let reader: &mut dyn Reader = &mut reader;
        let limit = usize::try_from(size).expect("small");
        let entries = reader.entries(world.made.campaign, 1, limit).expect("reads");
        let leaves: Vec<_> = entries.iter().map(|entry| tlog::record_hash(entry).0).collect();
        assert_eq!(signed, root(&leaves), "INV-14");
        for line in &told[..lines.len()] {
            let place = usize::try_from(line["seq"].as_u64().expect("a position")).expect("small");
            let leaf = sponsorhub_core::merkle::Hash(leaves[place - 1]).to_string();
            assert_eq!(line["leaf"], leaf, "the line's leaf is that of its entry");
        }
    }
}

#[test]
fn inv_14_a_receipt_and_that_of_its_repetition_are_verified_by_libraries_of_others() {
    let world = World::new();
    let code = &world.made.codes[0];
    let fill: Vec<_> = (0..270).map(|n| order(code, &format!("f-{n}")).to_string()).collect();
    let body = order(code, "receipt");
    let mut client = world.client();
    let first = client.report(&body).json();
    let check = |told: &Value| {
        let receipt = text(told, "receipt");
        let (head, note) = receipt.split_once("\n\n").expect("a checkpoint");
        let (size, root) = read_by_others(note, text(told, "log_key"));
        let mut lines = head.lines().skip(1);
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).expect("an index");
        let proof: tlog::RecordProof = lines
            .map(|line| BASE64.decode(line.as_bytes()).expect("base64"))
            .map(|hash| tlog::Hash(hash.try_into().expect("32 bytes")))
            .collect();
        let leaf = tlog::record_hash(text(told, "entry").as_bytes());
        let index = index.parse().expect("a number");
        tlog::check_record(&proof, size, tlog::Hash(root), index, leaf).expect("they agree");
        size
    };
    let size = check(&first);
    send(&mut client, &fill);
    let again = client.report(&body).json();
    assert_eq!((&again["duplicate"], &again["entry"]), (&true.into(), &first["entry"]));
    assert!(check(&again) >= size);
}
