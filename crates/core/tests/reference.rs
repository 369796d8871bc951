//! The product's fold against the reference model of the money rules, entry by entry.
//!
//! Random histories of all commands run through the product and, as text, through the model by
//! `reference_driver.py`; accepted and refused commands, kinds, counters, postings and balances
//! must be equal. Where the model is not at hand, digests of histories on which both agreed are
//! compared instead, so a changed rule is noticed in any clone.

mod world;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use sponsorhub_core::ledger::kind::Kind;
use world::generate::History;

const DIGESTS: &str = include_str!("../golden/reference_digests.txt");

/// Kinds that the model does not have, or whose entries it makes before the first command.
const BEYOND_THE_MODEL: [Kind; 5] = [
    Kind::CampaignOpened,
    Kind::DepositDisputed,
    Kind::ConversionRejected,
    Kind::ClaimExpired,
    Kind::ErasureDone,
];

/// Histories per line of the digest file.
const BLOCK: u64 = 100;

#[expect(clippy::disallowed_methods, reason = "the comparison is told where and how much")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A history: what the model is given, and what it must answer.
fn history(seed: u64) -> (String, String, u64) {
    let (setup, mut history) = History::new(seed);
    let mut given = format!(
        "history {} {} {} {} {} {} {}\n",
        setup.budget,
        setup.fee_bps,
        setup.netting_bps,
        setup.minimum,
        setup.clearing_days,
        setup.attribution_days,
        setup.replay_days
    );
    history.live(&setup);
    let mut wanted = String::new();
    // Run the same commands again, to have the entries of each.
    let mut world = world::World::new(&setup);
    for (op, accepted) in &history.ops {
        writeln!(given, "{op}").expect("a string");
        let before = world.entries.len();
        assert_eq!(world.apply(op), *accepted, "the same command ends the same way");
        writeln!(wanted, "{}", if *accepted { "." } else { "!" }).expect("a string");
        wanted.push_str(&world.text(before));
    }
    given.push_str("end\n");
    let mut balances: Vec<_> = world.balances().split_whitespace().map(str::to_owned).collect();
    balances.sort_unstable();
    let state = world.campaign.state().name();
    writeln!(wanted, "= {} {state}", balances.join(" ")).expect("a string");
    (given, wanted, u64::try_from(world.entries.len()).expect("small"))
}

fn digest_of(from: u64) -> String {
    let mut hash = Sha256::new();
    for seed in from..from + BLOCK {
        let (given, wanted, _) = history(seed);
        hash.update(given.as_bytes());
        hash.update(wanted.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

#[test]
fn the_fold_gives_what_it_gave_when_it_agreed_with_the_model() {
    let mut blocks = 0;
    for line in DIGESTS.lines().filter(|line| !line.starts_with('#')) {
        let (from, digest) = line.split_once(' ').expect("a seed and a digest");
        let from: u64 = from.parse().expect("a seed");
        assert_eq!(digest_of(from), digest, "histories from seed {from}");
        blocks += 1;
    }
    assert!(blocks > 0, "the digest file is empty");
}

#[test]
fn the_fold_agrees_with_the_model_entry_by_entry() {
    let mut out = std::io::stdout();
    let Some(model) = setting("SPONSORHUB_REFERENCE_MODEL") else {
        writeln!(out, "NOT COMPARED: no reference model; digests only").expect("stdout");
        return;
    };
    let number = |name: &str, default: u64| {
        setting(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (histories, first) = (number("SPONSORHUB_HISTORIES", 500), number("SPONSORHUB_SEED", 1));
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference_driver.py");
    let mut python = Command::new("python3")
        .args([driver.as_os_str(), model.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut to = python.stdin.take().expect("piped");
    let from = BufReader::new(python.stdout.take().expect("piped"));
    let wanted = std::thread::spawn(move || {
        let (mut entries, mut answers) = (0, Vec::new());
        for seed in first..first + histories {
            let (given, wanted, count) = history(seed);
            to.write_all(given.as_bytes()).expect("the model reads");
            entries += count;
            answers.push((seed, given, wanted));
        }
        (entries, answers)
    });
    let answered: Vec<String> = from.lines().map(|line| line.expect("text")).collect();
    let (entries, wanted) = wanted.join().expect("generated");
    let mut lines = answered.iter();
    for (seed, given, wanted) in &wanted {
        compare(*seed, given, wanted, &mut lines);
    }
    assert!(python.wait().expect("ends").success(), "the model ends well");
    let last = first + histories - 1;
    let unseen: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| !BEYOND_THE_MODEL.contains(kind))
        .filter(|kind| !answered.iter().any(|line| line.split(' ').next() == Some(kind.name())))
        .collect();
    assert!(unseen.is_empty(), "no history had an entry of kind {unseen:?}");
    let ended = |state: &str| answered.iter().filter(|line| line.ends_with(state)).count();
    let (paid_out, cancelled) = (ended(" paid_out"), ended(" cancelled"));
    assert!(paid_out > 0 && cancelled > 0, "{paid_out} paid out, {cancelled} cancelled");
    let refused = answered.iter().filter(|line| *line == "!").count();
    writeln!(
        out,
        "proof: all kinds of the model occurred; {paid_out} campaigns were paid out, {cancelled} \
         cancelled; {refused} commands were refused by both"
    )
    .expect("stdout");
    writeln!(
        out,
        "proof: {histories} random histories (seeds {first} to {last}, {entries} entries) agree \
         with the reference model in refusals, kinds, counters, postings and balances"
    )
    .expect("stdout");
}

fn compare<'a>(seed: u64, given: &str, wanted: &str, lines: &mut impl Iterator<Item = &'a String>) {
    let mut commands = given.lines().skip(1);
    let mut command = "";
    for (number, line) in wanted.lines().enumerate() {
        if line == "." || line == "!" {
            command = commands.next().unwrap_or_default();
        }
        let answered = lines.next().map_or("(nothing)", String::as_str);
        // Balances are sorted on both sides; an empty list leaves two blanks.
        let same = line.split_whitespace().eq(answered.split_whitespace());
        assert!(
            same,
            "history {seed}, line {number}, after `{command}`\n the fold:  {line}\n the model: \
             {answered}\n{given}"
        );
    }
}

/// Writes the digest file; run after the comparison held on the same seeds.
#[test]
#[ignore = "writes the digests: cargo test -p sponsorhub-core --test reference record -- --ignored"]
fn record_digests() {
    let mut text =
        String::from("# Histories that agreed with the reference model: first seed, SHA-256.\n");
    for block in 0..5 {
        let from = 1 + block * BLOCK;
        writeln!(text, "{from} {}", digest_of(from)).expect("a string");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/reference_digests.txt");
    std::fs::write(path, text).expect("written");
}
