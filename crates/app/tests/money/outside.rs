//! What others do to money that was sent: a transfer is reversed at the provider, an account is closed, a
//! refund is paid by other means. Nothing is lost and nothing is paid twice.

use sponsorhub_app::inbox;
use sponsorhub_app::ports::payment::ProviderEvent;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::Seq;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::RefundState;
use sponsorhub_core::money::Minor;
use sponsorhub_core::refund::RefundOutcome;
use sponsorhub_store::registry::Endpoint;

use crate::provider::Goes;
use crate::{BASE, CAMPAIGN, DAY, HOUR, Scene};

fn told(scene: &Scene, transfer: &str) {
    let event = ProviderEvent {
        id: format!("evt_{transfer}"),
        kind: "transfer.reversed".to_owned(),
        created_at: scene.now(),
        is_live: false,
        recipient: None,
        object: Some(transfer.to_owned()),
        payment: None,
    };
    inbox::receive(&scene.desk, Endpoint::Account, &event, scene.now()).expect("kept");
}

fn states(scene: &Scene) -> Vec<DisbursementState> {
    scene.look(|state| state.payouts().values().map(|payout| payout.state).collect())
}

fn ticks(scene: &Scene, count: usize, pause: i64) {
    for _ in 0..count {
        scene.tick();
        scene.pass(pause);
    }
}

#[test]
fn a_transfer_that_was_reversed_is_owed_again_and_paid_by_another() {
    for is_heard in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::earned(directory.path());
        if !is_heard {
            scene.provider.with(|world| world.script.push_back(Goes::DoneUnheard));
        }
        scene.tick();
        let id = scene.provider.with(|world| format!("tr_{}", world.transfers[0].0));
        scene.provider.with(|world| world.came_back.push(id.clone()));
        told(&scene, &id);
        ticks(&scene, 3, 10_000);
        assert_eq!(states(&scene), [DisbursementState::Reversed], "heard: {is_heard}");
        assert_eq!(scene.look(|state| state.balance(Account::Payable)), BASE);
        scene.pass(DAY);
        ticks(&scene, 3, HOUR);
        let ends = [DisbursementState::Reversed, DisbursementState::Paid];
        assert_eq!(states(&scene), ends);
        assert_eq!(scene.moved(), [BASE, BASE], "one of them came back");
        assert_eq!(scene.look(|state| state.balance(Account::Payable)), Minor::ZERO);
    }
}

#[test]
fn a_transfer_of_nobody_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.tick();
    let head = scene.look(Campaign::head);
    told(&scene, "tr_of_somebody_else");
    scene.tick();
    assert_eq!(scene.look(Campaign::head), head);
}

#[test]
fn a_closed_account_holds_up_no_close_and_its_money_stays_owed() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    // Refused until the end, and then the account is gone.
    scene.provider.with(|world| world.script.push_back(Goes::Refused));
    scene.tick();
    scene.stand(false);
    for _ in 0..200 {
        ticks(&scene, 1, DAY);
        if scene.look(Campaign::state) == State::PaidOut {
            break;
        }
    }
    assert_eq!(scene.look(Campaign::state), State::PaidOut);
    assert_eq!(scene.look(|state| state.balance(Account::Unclaimed)), BASE, "still owed");
    assert_eq!(scene.look(|state| state.balance(Account::DisbursementClearing)), Minor::ZERO);
    scene.stand(true);
    ticks(&scene, 6, HOUR);
    assert_eq!(scene.moved(), [BASE], "and paid when there is an account again");
}

/// Plays until a refund was sent and nobody heard; its name.
fn until_a_refund_waits(scene: &Scene) -> Seq {
    // The transfer goes well.
    scene.provider.with(|world| world.script.extend([Goes::Well, Goes::NotDoneUnheard]));
    for _ in 0..400 {
        scene.tick();
        let waiting = scene.look(|state| {
            let mut refunds = state.refunds().iter();
            refunds.find(|(_, one)| one.state == RefundState::Planned).map(|(seq, _)| *seq)
        });
        if let Some(seq) = waiting {
            return seq;
        }
        scene.pass(DAY / 2);
    }
    panic!("no refund waits");
}

#[test]
fn a_refund_that_two_people_paid_by_other_means_is_not_sent_as_well() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let seq = until_a_refund_waits(&scene);
    // While they decide, it is not sent; a word is good for a day.
    let withhold = || {
        scene.workers.withhold(CAMPAIGN, scene.now() + DAY, scene.now());
    };
    let may_settle = || scene.workers.may_settle(CAMPAIGN, seq, scene.now());
    withhold();
    scene.pass(1_000);
    scene.tick();
    assert!(!may_settle(), "what was sent before may still arrive");
    scene.jump(HOUR);
    scene.tick();
    assert!(!may_settle(), "whatever the clock says");
    ticks(&scene, 15, 60_000);
    assert!(may_settle() && scene.provider.with(|world| world.refunds.is_empty()), "it waits");
    let people = vec!["opr_a".to_owned(), "opr_b".to_owned()];
    let settle = |draft: &mut Draft| {
        let (approved_by, reference) = (people.clone(), "wire 7".to_owned());
        draft.record_refund(seq, RefundOutcome::SettledOutside { approved_by, reference })
    };
    scene.desk.command(CAMPAIGN, scene.now(), settle).expect("settled");
    ticks(&scene, 30, HOUR);
    assert!(scene.provider.with(|world| world.refunds.is_empty()), "paid by other means");
    let state = scene.look(|state| state.refunds().get(&seq).map(|refund| refund.state));
    assert_eq!(state, Some(RefundState::SettledOutside));
    assert_eq!(scene.look(Campaign::state), State::PaidOut);
    let advance = scene.look(|state| state.balance(Account::PlatformAdvance));
    assert!(advance.is_positive(), "the operator paid it");
}

/// It was sent a moment ago and nobody heard: it may still arrive.
#[test]
fn a_refund_that_arrives_late_is_paid_and_not_settled() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let seq = until_a_refund_waits(&scene);
    assert_eq!(scene.provider.with(|world| world.refund_orders.len()), 1, "sent and not heard");
    scene.workers.withhold(CAMPAIGN, scene.now() + DAY, scene.now());
    ticks(&scene, 2, 60_000);
    // Now it arrives after all.
    scene.provider.with(|world| {
        let order = world.refund_orders[0].clone();
        world.refunds.push(order);
    });
    ticks(&scene, 15, 60_000);
    assert!(!scene.workers.may_settle(CAMPAIGN, seq, scene.now()));
    let state = scene.look(|state| state.refunds().get(&seq).map(|refund| refund.state));
    assert_eq!(state, Some(RefundState::Paid), "what the provider did is what counts");
}

/// Nobody agreed for a day: the brand gets its money as before.
#[test]
fn a_refund_that_one_operator_withholds_is_sent_a_day_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let seq = until_a_refund_waits(&scene);
    scene.workers.withhold(CAMPAIGN, scene.now() + DAY, scene.now());
    ticks(&scene, 23, HOUR);
    assert!(scene.provider.with(|world| world.refunds.is_empty()), "it waits");
    ticks(&scene, 5, HOUR);
    assert_eq!(scene.provider.with(|world| world.refunds.len()), 1);
    assert!(!scene.workers.may_settle(CAMPAIGN, seq, scene.now()));
}

/// What the provider refuses is planned again and again; a word makes it stay long enough to be settled.
#[test]
fn a_refund_that_is_refused_can_be_settled() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| {
        world.script.push_back(Goes::Well);
        world.script.extend([Goes::Refused; 500]);
    });
    while scene.look(|state| state.refunds().is_empty()) {
        scene.tick();
        scene.pass(DAY / 2);
    }
    // It is asked for again, and less and less often.
    let orders = || scene.provider.with(|world| world.refund_orders.len());
    ticks(&scene, 60, 1_100);
    assert!((2..10).contains(&orders()), "in a minute: {}", orders());
    let before = orders();
    scene.workers.withhold(CAMPAIGN, scene.now() + DAY, scene.now());
    ticks(&scene, 20, 60_000);
    let planned = scene.look(|state| {
        let mut refunds = state.refunds().iter();
        refunds.find(|(_, one)| one.state == RefundState::Planned).map(|(seq, _)| *seq)
    });
    let planned = planned.expect("it waits");
    assert!(scene.workers.may_settle(CAMPAIGN, planned, scene.now()));
    assert_eq!(orders(), before, "and is not sent");
}

#[test]
fn a_refund_of_another_amount_is_not_booked_as_ordered() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::Well, Goes::OtherAmount]));
    for _ in 0..200 {
        ticks(&scene, 1, DAY);
    }
    let state =
        scene.look(|state| state.refunds().values().map(|one| one.state).collect::<Vec<_>>());
    assert_eq!(state, [RefundState::Planned], "a person must look");
    assert_eq!(scene.provider.with(|world| world.refunds.len()), 1, "and it is not sent again");
}

/// A refusal may be the answer to a repetition whose first sending has just been done.
#[test]
fn a_refusal_after_a_doubt_is_looked_up_before_it_is_believed() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::NotDoneUnheard, Goes::RefusedLate]));
    ticks(&scene, 3, 10_000);
    assert_eq!((scene.moved(), states(&scene)), (vec![BASE], vec![DisbursementState::Paid]));
    scene.provider.with(|world| world.script.push_back(Goes::RefusedLate));
    for _ in 0..200 {
        ticks(&scene, 1, DAY);
    }
    assert_eq!(scene.provider.with(|world| world.refunds.len()), 1);
    assert_eq!(scene.look(Campaign::state), State::PaidOut);
}

/// A part that came back cannot be paid again as a whole.
#[test]
fn a_transfer_that_was_reversed_in_part_is_left_to_a_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.tick();
    let id = scene.provider.with(|world| {
        world.part_back = Minor(5_000);
        format!("tr_{}", world.transfers[0].0)
    });
    told(&scene, &id);
    ticks(&scene, 5, DAY);
    assert_eq!((scene.moved(), states(&scene)), (vec![BASE], vec![DisbursementState::Paid]));
}

/// A payout that was refused and whose account is well is tried again at the close, and not given up.
#[test]
fn the_close_gives_up_no_payout_whose_account_is_ready() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::Refused; 1_200]));
    for _ in 0..100 {
        ticks(&scene, 1, DAY);
    }
    assert!(scene.look(|state| state.closes_at().is_some_and(|closes| scene.now() > closes)));
    assert_eq!(states(&scene), [DisbursementState::Failed]);
    scene.provider.with(|world| world.script.clear());
    ticks(&scene, 5, DAY);
    assert_eq!((scene.moved(), states(&scene)), (vec![BASE], vec![DisbursementState::Paid]));
}
