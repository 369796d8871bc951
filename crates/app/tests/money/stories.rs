//! What becomes of money when the payment provider is not as one would like, told entry by entry: the
//! tables of docs/stories.md are what these stories end with.
//!
//! After a change that is meant, write them again:
//! `SPONSORHUB_RECORD_STORIES=1 cargo test -p sponsorhub-app --test money stories -- --test-threads 1`.

use std::fmt::Write as _;
use std::path::Path;

use sponsorhub_app::ports::payment::{
    DisputeProgress, DisputeSeen, Payment, RefundProgress, RefundSeen,
};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::money::Minor;

use crate::provider::Goes;
use crate::{BASE, BUDGET, CAMPAIGN, DAY, Scene, T};

/// Every entry and what it posts, and what is left in the accounts.
fn told(scene: &Scene) -> String {
    let entries = scene.desk.read(|reader| reader.entries(CAMPAIGN, 1, 1_000)).expect("reads");
    let mut entries = entries.iter().map(|bytes| Entry::decode(bytes).expect("an entry"));
    let first = entries.next().expect("it was opened");
    let mut campaign = Campaign::open(&first).expect("opens");
    let mut text = String::from("| seq | entry | debit | credit |\n|--:|---|---|---|\n");
    row(&mut text, &first, &Postings::NONE);
    for entry in entries {
        let postings = campaign.apply(&entry).expect("applies");
        row(&mut text, &entry, &postings);
    }
    let left: Vec<_> = Account::ALL
        .iter()
        .map(|account| (account, campaign.balance(*account)))
        .filter(|(_, balance)| !balance.is_zero())
        .map(|(account, balance)| format!("{account} {balance}"))
        .collect();
    let left = if left.is_empty() { "nothing".to_owned() } else { left.join(", ") };
    write!(text, "\nThe campaign is {} with {left}.\n", campaign.state().name()).expect("a string");
    text
}

fn row(text: &mut String, entry: &Entry, postings: &Postings) {
    let side = |is_debit: bool| {
        let of_side = postings.iter().filter(|(_, change)| change.is_positive() == is_debit);
        let cells: Vec<_> = of_side
            .map(|(account, change)| {
                format!("{account} {}", if is_debit { change } else { -change })
            })
            .collect();
        cells.join(", ")
    };
    let kind = entry.body.kind();
    writeln!(text, "| {} | `{kind}` | {} | {} |", entry.seq, side(true), side(false))
        .expect("a string");
}

/// Compares a story with its section of the document.
#[expect(clippy::disallowed_methods, reason = "how a developer asks this test to write")]
fn is_told(name: &str, scene: &Scene) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/stories.md");
    let document = std::fs::read_to_string(&path).expect("docs/stories.md");
    let (head, rest) = document
        .split_once(&format!("Test: `{name}`.\n\n"))
        .unwrap_or_else(|| panic!("docs/stories.md does not tell {name}"));
    let (old, tail) = match rest.find("\n## ") {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let new = told(scene);
    if std::env::var_os("SPONSORHUB_RECORD_STORIES").is_some() {
        let told = format!("{head}Test: `{name}`.\n\n{new}{tail}");
        std::fs::write(&path, told).expect("written");
    } else {
        assert_eq!(old, new, "docs/stories.md tells {name} in another way");
    }
}

fn funded(scene: &Scene) -> Payment {
    scene.create();
    let opened = scene.deposit("first");
    let payment = Scene::paid(&opened);
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    payment
}

/// Changes what the provider shows of a payment, and looks at it.
fn seen(scene: &Scene, payment: &Payment) {
    scene.pay(payment.clone());
    scene.observe(&payment.session);
}

fn until(scene: &Scene, is_over: impl Fn(&Campaign) -> bool) {
    for _ in 0..400 {
        scene.tick();
        if scene.look(&is_over) {
            return;
        }
        scene.pass(DAY / 2);
    }
    panic!("it comes to no end: {:?}", scene.look(Campaign::state));
}

fn is_paid_out(campaign: &Campaign) -> bool {
    campaign.state() == State::PaidOut
}

#[test]
fn two_deposits_back_one_base() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let half = Minor(BUDGET.0 / 2);
    scene.create_with(|terms| terms.base = Minor(60_000));
    for key in ["first", "second"] {
        let opened = scene.deposit_of(CAMPAIGN, half, key);
        let payment = Payment { fee: Some(Minor(1_500)), ..Scene::paid(&opened) };
        seen(&scene, &payment);
    }
    scene.go_live();
    scene.onboard();
    until(&scene, is_paid_out);
    let backing: Vec<_> = scene.provider.with(|world| {
        let transfers = world.transfers.iter();
        transfers.map(|(_, order, amount)| (order.backing.clone(), *amount)).collect()
    });
    assert_eq!(backing.len(), 2, "each transfer names one charge: {backing:?}");
    assert_eq!(backing.iter().map(|(_, amount)| *amount).sum::<Minor>(), Minor(60_000));
    is_told("two_deposits_back_one_base", &scene);
}

#[test]
fn a_part_of_a_deposit_is_refunded_by_hand() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    scene.go_live();
    scene.onboard();
    payment.refunds.push(RefundSeen {
        id: "re_1".to_owned(),
        reference: None,
        created_at: T,
        amount: Minor(10_000),
        currency: "usd".to_owned(),
        progress: RefundProgress::Succeeded,
    });
    seen(&scene, &payment);
    until(&scene, is_paid_out);
    assert_eq!(scene.moved(), [BASE], "the creator does not pay for it");
    is_told("a_part_of_a_deposit_is_refunded_by_hand", &scene);
}

fn disputed(scene: &Scene, is_won: bool) {
    let mut payment = funded(scene);
    scene.go_live();
    scene.onboard();
    let all = payment.amount;
    let stage = |returned, progress| DisputeSeen {
        id: "du_1".to_owned(),
        amount: all,
        created_at: T,
        withdrawn: all,
        returned,
        fee: Minor(1_500),
        progress,
    };
    payment.disputes = vec![stage(Minor::ZERO, DisputeProgress::Open)];
    seen(scene, &payment);
    assert_eq!(scene.look(Campaign::frozen), 1);
    scene.pass(DAY);
    payment.disputes = if is_won {
        vec![stage(all, DisputeProgress::Won)]
    } else {
        vec![stage(Minor::ZERO, DisputeProgress::Lost)]
    };
    seen(scene, &payment);
}

#[test]
fn a_dispute_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    disputed(&scene, false);
    for _ in 0..200 {
        scene.tick();
        scene.pass(DAY / 2);
    }
    assert_eq!(scene.moved(), Vec::<Minor>::new(), "there is no money to pay with");
    let owed =
        scene.look(|state| state.balance(Account::Payable) + state.balance(Account::Unclaimed));
    assert_eq!(owed, BASE, "and it is owed all the same");
    let people = || vec!["opr_a".to_owned(), "opr_b".to_owned()];
    let advance = |draft: &mut Draft| draft.advance(BASE, people());
    scene.desk.command(CAMPAIGN, scene.now(), advance).expect("two agree");
    until(&scene, is_paid_out);
    assert_eq!(scene.moved(), [BASE], "from the operator's own money");
    is_told("a_dispute_is_lost", &scene);
}

#[test]
fn a_dispute_is_won() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    disputed(&scene, true);
    until(&scene, is_paid_out);
    assert_eq!(scene.moved(), [BASE]);
    is_told("a_dispute_is_won", &scene);
}

#[test]
fn a_creator_onboards_late() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    funded(&scene);
    scene.go_live();
    until(&scene, is_paid_out);
    assert_eq!(scene.look(|state| state.balance(Account::Unclaimed)), BASE, "still owed");
    scene.onboard();
    until(&scene, |state| {
        state.balance(Account::Unclaimed).is_zero() && !state.in_flight().is_positive()
    });
    assert_eq!(scene.moved(), [BASE]);
    is_told("a_creator_onboards_late", &scene);
}

#[test]
fn a_refund_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    funded(&scene);
    scene.go_live();
    scene.onboard();
    // The transfer goes well, the first refund does not.
    scene.provider.with(|world| world.script.extend([Goes::Well, Goes::Refused]));
    until(&scene, is_paid_out);
    assert_eq!(scene.provider.with(|world| world.refunds.len()), 1, "once in the end");
    is_told("a_refund_is_refused", &scene);
}
