//! Commits so large that they are cut into lots, one judged while another is inserted; and ledgers
//! so long that they are read in pages. Everything holds that holds in small.

use rusqlite::Connection;
use sponsorhub_core::ids::Seq;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Stored;
use sponsorhub_store::sqlite::Sequencer;
use sponsorhub_store::{Intake, Outcome, Reader, Section, StoreError, open_read_only, read_ahead};
use tempfile::TempDir;

use crate::edit::edit;
use crate::sequencer::{NOW, is_corrupt, open, take_in, three_campaigns};
use crate::world::{campaign_id, reversal, sale};

/// Commands make the first entries of each campaign.
const COMMANDS: Seq = 8;

fn event(campaign: u64, number: u64) -> Intake {
    sale(campaign_id(campaign), number % 3, number, 100)
}

/// Sales of two campaigns in turn, the same numbers for each.
fn many(numbers: std::ops::Range<u64>) -> Vec<Intake> {
    numbers.flat_map(|number| [event(1, number), event(2, number)]).collect()
}

fn heads(directory: &TempDir) -> [Seq; 3] {
    let mut reader = open_read_only(directory.path()).expect("opens");
    [1, 2, 3].map(|number| reader.head(campaign_id(number)).expect("reads").expect("known").seq)
}

fn all_appended(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_)))
}

#[test]
fn inv_4_inv_8_an_event_finds_what_an_earlier_lot_of_its_commit_holds() {
    let directory = three_campaigns(10);
    let mut sequencer: Sequencer = open(directory.path());
    let mut events = many(10..1_600);
    let (first, behind) = (COMMANDS + 10 + 1, COMMANDS + 1_600);
    // Of an earlier commit, of an earlier lot, and of the lot that is being filled.
    events.extend([event(1, 3), event(1, 12), event(1, 1_599)]);
    // The conversion of an earlier lot, back in two parts, and one cent too much.
    let back = |number, amount| reversal(campaign_id(1), 10 % 3, number, (first, amount));
    events.extend([back(5_000, 60), back(5_001, 40), back(5_002, 1)]);
    let answer = take_in(&sequencer, events);
    let report = sequencer.step(NOW);
    assert_eq!(report.entries, 2 * 1_590 + 2);
    let outcomes = answer.try_recv().expect("answered").expect("no fault");
    let (taken, last) = outcomes.split_at(2 * 1_590);
    assert!(all_appended(taken));
    let seen = |seq| Outcome::Duplicate { seq, same_content: true };
    assert_eq!(last[..3], [seen(COMMANDS + 4), seen(first + 2), seen(behind)]);
    assert!(all_appended(&last[3..5]) && matches!(last[5], Outcome::Refused(_)));
    // Reads all of it: positions, numbers, tree, sums of reversals.
    let leaves = crate::audit(directory.path());
    for (outcome, leaf) in taken.iter().step_by(2).zip(&leaves[18..]) {
        assert!(matches!(outcome, Outcome::Appended(appended) if appended.leaf == *leaf));
    }
    assert_eq!(heads(&directory), [behind + 2, behind, COMMANDS + 10]);
}

#[test]
fn a_ledger_found_corrupt_while_a_lot_is_inserted_takes_nothing_and_the_others_go_on() {
    let directory = three_campaigns(300);
    // In a full tile, so that it is met only by who looks for what the key had.
    edit(directory.path(), "UPDATE entries SET bytes = x'00' WHERE pos = (2 << 40) + 20");
    let mut sequencer = open(directory.path());
    let sound = take_in(&sequencer, (1_000..2_500).map(|number| event(1, number)).collect());
    let mut mixed = many(3_000..4_500);
    // Entry 20 has key 11.
    mixed.push(event(2, 11));
    let mixed = take_in(&sequencer, mixed);
    let after = take_in(&sequencer, (1_000..1_700).map(|number| event(3, number)).collect());
    let report = sequencer.step(NOW);
    assert_eq!((report.entries, report.corrupt), (2_200, vec![campaign_id(2)]));
    assert!(is_corrupt(&mixed, 2));
    for answer in [sound, after] {
        assert!(all_appended(&answer.try_recv().expect("answered").expect("no fault")));
    }
    assert_eq!(heads(&directory), [308 + 1_500, 308, 308 + 700], "INV-5");
    crate::audit(directory.path());
}

#[test]
fn what_the_tables_refuse_in_a_late_lot_takes_its_own_job_along_and_no_other() {
    let directory = three_campaigns(0);
    let connection = Connection::open(directory.path().join("sponsorhub.db")).expect("opens");
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN new.amount_minor = 13
        BEGIN SELECT raise(ABORT, 'not this one'); END";
    connection.execute_batch(refuse).expect("a trigger");
    let mut sequencer = open(directory.path());
    for refused_at in [0, 1_000, 2_999] {
        let mut events = many(0..1_500);
        events[refused_at] = sale(campaign_id(2), 0, 9_000, 13);
        let refused = take_in(&sequencer, events);
        let report = sequencer.step(NOW);
        assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Corrupt(_)))), "{refused_at}");
        assert!(report.corrupt.is_empty() && report.entries == 0, "{report:?}");
        assert_eq!(heads(&directory), [COMMANDS; 3], "INV-5: {refused_at}");
    }
    let mut events = many(0..1_500);
    events.push(sale(campaign_id(2), 0, 9_000, 13));
    let refused = take_in(&sequencer, events);
    let other = take_in(&sequencer, (0..700).map(|number| event(3, number)).collect());
    sequencer.step(NOW);
    assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Corrupt(_)))));
    assert!(all_appended(&other.try_recv().expect("answered").expect("no fault")));
    let again = take_in(&sequencer, many(0..1_500));
    sequencer.step(NOW);
    assert!(all_appended(&again.try_recv().expect("answered").expect("no fault")), "INV-4");
    assert_eq!(heads(&directory), [COMMANDS + 1_500, COMMANDS + 1_500, COMMANDS + 700]);
    crate::audit(directory.path());
}

/// The entries of a section by the positions in their bytes.
fn positions(
    directory: &TempDir,
    campaign: u64,
    positions: std::ops::RangeInclusive<Seq>,
) -> Result<Vec<Seq>, StoreError> {
    let open = || Ok(Box::new(open_read_only(directory.path())?) as Box<dyn Reader>);
    let section = Section { campaign: campaign_id(campaign), positions };
    let mut found = Vec::new();
    let read = |bytes: &[u8]| Entry::decode(bytes).expect("canonical").seq;
    let count = read_ahead(&open, &section, &read, &mut |seq| -> Result<(), StoreError> {
        found.push(seq);
        Ok(())
    })?;
    assert_eq!(usize::try_from(count), Ok(found.len()));
    Ok(found)
}

#[test]
fn reading_ahead_hands_on_each_entry_of_a_section_once_and_in_order() {
    let directory = three_campaigns(1_016);
    for (from, to) in [(1, 1_024), (1, 256), (1, 257), (5, 1_000), (300, 300), (512, 2_000)] {
        let expected: Vec<_> = (from..=to.min(1_024)).collect();
        assert_eq!(positions(&directory, 1, from..=to).expect("reads"), expected, "{from}-{to}");
    }
    let all: Vec<_> = (1_000..=1_024).collect();
    assert_eq!(positions(&directory, 2, 1_000..=Seq::MAX).expect("reads"), all);
    assert_eq!(positions(&directory, 1, 1_025..=9_999).expect("reads"), [0; 0]);
    assert!(matches!(positions(&directory, 9, 1..=5), Err(StoreError::UnknownCampaign(_))));
}

#[test]
fn reading_ahead_ends_with_the_first_error_of_who_follows() {
    let directory = three_campaigns(3_000);
    let open = || Ok(Box::new(open_read_only(directory.path())?) as Box<dyn Reader>);
    let section = Section { campaign: campaign_id(1), positions: 1..=3_008 };
    let mut calls = 0;
    let ended = read_ahead(&open, &section, &<[u8]>::len, &mut |_| {
        calls += 1;
        if calls < 700 { Ok(()) } else { Err(StoreError::Closed) }
    });
    assert!(matches!(ended, Err(StoreError::Closed)));
    assert_eq!(calls, 700);
}

#[test]
fn inv_10_following_by_glances_gives_the_state_of_decoding() {
    let directory = three_campaigns(1_000);
    let open = || Ok(Box::new(open_read_only(directory.path())?) as Box<dyn Reader>);
    let section = Section { campaign: campaign_id(1), positions: 1..=1_008 };
    let (mut glanced, mut decoded) = (None, None);
    let mut conversions = 0;
    let read = |bytes: &[u8]| (Stored::read(bytes), Entry::decode(bytes).expect("canonical"));
    read_ahead(&open, &section, &read, &mut |(stored, entry)| -> Result<(), StoreError> {
        let stored = stored.expect("canonical");
        conversions += u64::from(matches!(stored, Stored::Glance(_)));
        Campaign::follow(&mut glanced, &stored).expect("follows");
        let entry = Stored::Entry(Box::new(entry));
        Campaign::follow(&mut decoded, &entry).expect("follows");
        Ok(())
    })
    .expect("reads");
    assert_eq!(conversions, 1_000, "every conversion was read at a glance");
    assert_eq!(format!("{glanced:?}"), format!("{decoded:?}"));
}
