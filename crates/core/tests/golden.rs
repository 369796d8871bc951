//! The formats are frozen: bytes, leaf and postings of one entry per kind (INV-7).
//!
//! `golden/v1/ledger.jsonl` is one ledger in which every kind occurs; beside it stands one file per
//! kind. A test that fails here says that a stored ledger would be read differently: that is a new
//! version with its own decoder and an ADR, never a new golden file.

mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::{BaseUnlock, Rate, Terms};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::{Entry, EntryError};
use sponsorhub_core::ledger::event::conversion::ConversionRejected;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::merkle::{Frontier, leaf_hash};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::oversight::ClaimEnd;
use world::op::Ask;
use world::{DAY, T, World, enrollment_id, taken};

const HOUR: i64 = 3_600_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Story(World);

impl Story {
    fn ask(&mut self, at: i64, ask: Ask) {
        self.0.must(at, ask);
    }

    fn convert(&mut self, at: i64, enrollment: usize, order: i64, held_until: Option<i64>) {
        self.ask(at, Ask::Convert { enrollment, order, click: at - HOUR, held_until });
    }

    fn enroll(&mut self, at: i64, base: i64, base_unlock: Option<BaseUnlock>) {
        let id = enrollment_id(self.0.enrolled);
        let offer = Offer { base: Minor(base), base_unlock, ..self.0.campaign.offer() };
        self.0.run(at, |draft| draft.enroll(id, offer)).expect("enrolls");
        self.0.enrolled += 1;
        self.ask(at, Ask::Onboard { enrollment: self.0.enrolled - 1 });
    }
}

/// One campaign in which everything that can happen does.
fn story() -> World {
    let mut terms = Terms::with_defaults(Currency::Usd, Minor(500_000), T + 90 * DAY);
    terms.destination_hosts = vec!["shop.example".into()];
    terms.creator_cap = Some(Minor(200_000));
    terms.rates.insert("sale".into(), Rate::Bps(vec![(0, 1_000), (100, 1_200)]));
    terms.rates.insert("lead".into(), Rate::Flat(vec![(0, Minor(250))]));
    let mut story = Story(World::with_terms(terms));
    beginning(&mut story);
    running(&mut story);
    paying(&mut story);
    closing(&mut story);
    story.0
}

fn beginning(story: &mut Story) {
    story.ask(T, Ask::Expect { amount: 520_100, budget_part: 500_000 });
    story.ask(T, Ask::Expect { amount: 520_100, budget_part: 500_000 });
    story.ask(T + HOUR, Ask::Fail { deposit: 0 });
    story.ask(T + HOUR, Ask::Confirm { deposit: 1 });
    story.ask(T + HOUR, Ask::Expect { amount: 10_500, budget_part: 10_000 });
    story.ask(T + HOUR, Ask::Confirm { deposit: 2 });
    story.enroll(T + HOUR, 20_000, Some(BaseUnlock::Deliverable));
    story.enroll(T + HOUR, 5_000, Some(BaseUnlock::Conversions(1_000)));
    story.enroll(T + HOUR, 0, None);
    story.ask(T + 2 * HOUR, Ask::Launch);
    story.ask(T + 2 * HOUR, Ask::Settle { deposit: 1, fee: 15_113 });
    story.ask(T + 2 * HOUR, Ask::Settle { deposit: 2, fee: 335 });
    story.ask(T + 3 * HOUR, Ask::Budget { budget: 510_000 });
}

fn running(story: &mut Story) {
    let at = T + DAY;
    story.ask(at, Ask::Deliver { enrollment: 0 });
    story.ask(at, Ask::Judge { enrollment: 0, accept: false });
    story.ask(at, Ask::Deliver { enrollment: 0 });
    story.ask(at, Ask::Judge { enrollment: 0, accept: true });
    story.ask(at, Ask::Bases);
    for (enrollment, order) in [(0, 129_900), (1, 45_000), (2, 300_000)] {
        story.convert(at, enrollment, order, None);
    }
    story.convert(at, 1, 80_000, Some(at + 7 * DAY));
    let reason = "declared_bot".to_owned();
    let rejected = ConversionRejected { reason, taken: taken(99, 10_000, at - HOUR) };
    let body = rejected.into();
    story.0.run(at, |draft| draft.take_in(enrollment_id(2), body)).expect("taken in");
    story.ask(at + HOUR, Ask::Rollup { upto: None });
    story.ask(at + HOUR, Ask::Hold { conversion: 2, deadline: at + 7 * DAY });
    story.ask(at + 2 * HOUR, Ask::EndHold { conversion: 2, uphold: false });
    story.ask(at + 3 * HOUR, Ask::EndHold { conversion: 3, uphold: true });
    story.ask(at + 4 * HOUR, Ask::Refunded { conversion: 1, amount: 15_000 });
    story.ask(at + 5 * HOUR, Ask::Disputed { deposit: 1, case: 1, amount: 100_000 });
    story.ask(
        at + 6 * HOUR,
        Ask::Reverse { deposit: 1, case: 1, amount: 100_000, cause: 0, fee: 1_500 },
    );
    story.ask(at + 7 * HOUR, Ask::Won { deposit: 1, case: 1 });
    story.ask(at + 8 * HOUR, Ask::OpenClaim { enrollment: 1 });
    story.ask(at + 9 * HOUR, Ask::EndClaim { claim: 0 });
    story.ask(at + 9 * HOUR, Ask::OpenClaim { enrollment: 2 });
    let claim = story.0.claims[1];
    let expired = story.0.run(at + 10 * HOUR, |draft| draft.end_claim(claim, ClaimEnd::Expired));
    expired.expect("expires");
    story.ask(at + 11 * HOUR, Ask::Adjust { enrollment: 1, amount: 2_500 });
    story.ask(at + 12 * HOUR, Ask::End { enrollment: 1 });
}

fn paying(story: &mut Story) {
    let at = T + 33 * DAY;
    story.ask(at, Ask::Plan);
    story.ask(at, Ask::CancelPayout { payout: 1 });
    story.ask(at, Ask::Attempt { payout: 0 });
    story.ask(at, Ask::Outcome { payout: 0, what: 2 });
    story.ask(at + HOUR, Ask::Outcome { payout: 0, what: 0 });
    story.ask(at + HOUR, Ask::Attempt { payout: 2 });
    story.ask(at + HOUR, Ask::Outcome { payout: 2, what: 1 });
    story.ask(at + 2 * HOUR, Ask::Attempt { payout: 2 });
    story.ask(at + 2 * HOUR, Ask::Outcome { payout: 2, what: 0 });
    story.ask(at + DAY, Ask::TransferReversed { payout: 2 });
    story.ask(at + DAY, Ask::Advance { amount: 1_500 });
    story.ask(T + 90 * DAY, Ask::Complete);
}

fn closing(story: &mut Story) {
    // The second creator's account was closed meanwhile.
    story.0.payable.remove(&enrollment_id(1));
    let at = T + 160 * DAY;
    story.ask(at, Ask::Bases);
    story.ask(at, Ask::Close);
    for payout in 3..story.0.payouts.len() {
        story.ask(at + HOUR, Ask::Attempt { payout });
        story.ask(at + HOUR, Ask::Outcome { payout, what: 0 });
    }
    story.ask(at + DAY, Ask::Close);
    story.ask(at + 2 * DAY, Ask::RefundOutcome { refund: 0, what: 1 });
    story.ask(at + 2 * DAY, Ask::Close);
    story.ask(at + 3 * DAY, Ask::RefundOutcome { refund: 1, what: 2 });
    story.ask(at + 3 * DAY, Ask::RefundOutcome { refund: 2, what: 0 });
    story.ask(at + 3 * DAY, Ask::Close);
    assert_eq!(story.0.campaign.state(), State::PaidOut);
    story.ask(at + 4 * DAY, Ask::Onboard { enrollment: 1 });
    story.ask(at + 4 * DAY, Ask::PlanUnclaimed { enrollment: 1 });
    // Money that comes when all is over goes back at once.
    story.ask(at + 5 * DAY, Ask::Reverse { deposit: 1, case: 2, amount: 1_000, cause: 1, fee: 0 });
    let erased =
        story.0.run(at + 6 * DAY, |draft: &mut Draft| draft.record_erasure(enrollment_id(2)));
    erased.expect("recorded");
}

/// What the file of a kind holds.
fn example(seq: usize, bytes: &[u8], kind: Kind, postings: &Postings) -> Value {
    let moved: Vec<_> =
        postings.iter().map(|(account, change)| json!([account.name(), change.0])).collect();
    json!({
        "kind": kind.name(),
        "code": kind.code(),
        "seq": seq,
        "bytes": String::from_utf8(bytes.to_vec()).expect("JSON is text"),
        "leaf": leaf_hash(bytes).to_string(),
        "postings": moved,
    })
}

/// The first entry of each kind that posts, or the first of a kind that never does.
fn examples(lines: &[Vec<u8>]) -> BTreeMap<Kind, Value> {
    let mut campaign: Option<Campaign> = None;
    let mut found: BTreeMap<Kind, (bool, Value)> = BTreeMap::new();
    for (line, seq) in lines.iter().zip(1..) {
        let entry = Entry::decode(line).expect("a golden entry is readable for ever");
        let postings = match &mut campaign {
            None => {
                campaign = Some(Campaign::open(&entry).expect("opens"));
                Postings::NONE
            }
            Some(campaign) => campaign.apply(&entry).expect("a golden ledger replays for ever"),
        };
        let kind = entry.body.kind();
        let posts = !postings.is_none();
        if found.get(&kind).is_none_or(|(known, _)| !known && posts) {
            found.insert(kind, (posts, example(seq, line, kind, &postings)));
        }
    }
    found.into_iter().map(|(kind, (_, value))| (kind, value)).collect()
}

fn lines_of(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

fn root(lines: &[Vec<u8>]) -> String {
    let mut frontier = Frontier::new();
    for line in lines {
        frontier.push(leaf_hash(line));
    }
    frontier.root().to_string()
}

fn file_name(kind: Kind) -> String {
    format!("{:02}_{}.json", kind.code(), kind.name())
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("JSON"))
}

#[test]
fn bytes_leaf_and_postings_of_every_kind_are_as_frozen() {
    let lines = lines_of(&read("ledger.jsonl"));
    let examples = examples(&lines);
    for kind in Kind::ALL {
        let example = examples.get(kind).unwrap_or_else(|| panic!("no example of {kind}"));
        assert_eq!(pretty(example), read(&file_name(*kind)), "{kind}");
    }
    let files = std::fs::read_dir(folder()).expect("the folder").filter(|file| {
        let name = file.as_ref().expect("a file").file_name();
        // Those are compared in `tests/attribution`.
        !name.to_string_lossy().starts_with("attribution_")
    });
    assert_eq!(files.count(), Kind::ALL.len() + 2, "one file per kind, the ledger and its root");
    assert_eq!(format!("{}\n", root(&lines)), read("root.txt"), "INV-14");
}

#[test]
fn the_story_is_still_written_as_it_was() {
    let lines = lines_of(&read("ledger.jsonl"));
    let told = story().bytes;
    assert_eq!(told.len(), lines.len());
    for (told, line) in told.iter().zip(&lines) {
        assert_eq!(String::from_utf8_lossy(told), String::from_utf8_lossy(line));
    }
}

#[test]
fn another_version_kind_field_or_spelling_is_refused_with_its_own_error() {
    let text = read("ledger.jsonl");
    let opened = text.lines().next().expect("the opening entry");
    let decode = |text: &str| Entry::decode(text.as_bytes()).map(drop);
    assert!(matches!(
        decode(&opened.replace("\"v\":1}", "\"v\":2}")),
        Err(EntryError::NewerVersion(2))
    ));
    assert!(matches!(
        decode(&opened.replace("\"campaign.opened\"", "\"campaign.painted\"")),
        Err(EntryError::UnknownKind(kind)) if kind == "campaign.painted"
    ));
    assert!(matches!(
        decode(&opened.replace("\"rules\":1", "\"rules\":1,\"zeal\":1")),
        Err(EntryError::Malformed { kind: "campaign.opened", .. })
    ));
    assert!(matches!(
        decode(&opened.replace("\"currency\":\"USD\"", "\"currency\":\"JPY\"")),
        Err(EntryError::Malformed { kind: "campaign.opened", .. })
    ));
    assert!(matches!(
        decode(&opened.replace("\"budget\":500000", "\"budget\":9007199254740992")),
        Err(EntryError::NotCanonical(_))
    ));
    assert!(matches!(decode(&opened.replace(":{", ": {")), Err(EntryError::NotCanonical(_))));
    assert!(matches!(
        decode(
            &opened.replace(
                ",\"kind\"",
                ",\"enrollment\":\"enr_00000000000000000000000000\",\"kind\""
            )
        ),
        Err(EntryError::Scope(Kind::CampaignOpened))
    ));
    let long = opened.replace("shop.example", &"a".repeat(66_000));
    assert!(matches!(decode(&long), Err(EntryError::TooLarge(_))));
}

/// Every number in a value, replaced one at a time.
fn with_each_number_replaced(value: &Value, by: i64) -> Vec<Value> {
    match value {
        Value::Number(_) => vec![Value::from(by)],
        Value::Array(items) => (0..items.len())
            .flat_map(|index| {
                let replaced = with_each_number_replaced(&items[index], by);
                replaced.into_iter().map(move |item| {
                    let mut items = items.clone();
                    items[index] = item;
                    Value::Array(items)
                })
            })
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| {
                let replaced = with_each_number_replaced(field, by);
                replaced.into_iter().map(move |field| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), field);
                    Value::Object(fields)
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_forged_number_never_upsets_who_reads_the_ledger() {
    let lines = lines_of(&read("ledger.jsonl"));
    let (mut forged, mut noticed) = (0_u32, 0_u32);
    for (index, line) in lines.iter().enumerate() {
        let value: Value = serde_json::from_slice(line).expect("JSON");
        for by in [-1, 0, 1, 7, 100_000_000_001, 9_007_199_254_740_991, -9_007_199_254_740_991] {
            for value in with_each_number_replaced(&value, by) {
                let mut ledger = lines.clone();
                ledger[index] = value.to_string().into_bytes();
                forged += 1;
                noticed += u32::from(replay(&ledger).is_none());
            }
        }
    }
    assert!(forged > 2_000 && noticed * 2 > forged, "{noticed} of {forged} noticed by the rules");
}

/// None where the ledger is refused. What matters is that it never panics.
fn replay(lines: &[Vec<u8>]) -> Option<()> {
    let mut campaign = Campaign::open(&Entry::decode(lines.first()?).ok()?).ok()?;
    for line in lines.iter().skip(1) {
        campaign.apply(&Entry::decode(line).ok()?).ok()?;
    }
    Some(())
}

#[test]
#[ignore = "writes golden/v1, once: cargo test -p sponsorhub-core --test golden record -- --ignored"]
fn record() {
    let folder = folder();
    assert!(!folder.join("ledger.jsonl").exists(), "golden files are frozen; see the module head");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lines = story().bytes;
    let mut text = Vec::new();
    for line in &lines {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    std::fs::write(folder.join("ledger.jsonl"), text).expect("written");
    std::fs::write(folder.join("root.txt"), format!("{}\n", root(&lines))).expect("written");
    for (kind, example) in examples(&lines) {
        std::fs::write(folder.join(file_name(kind)), pretty(&example)).expect("written");
    }
}
