//! The disbursement saga: whatever is heard or not, the money of a payout moves once.

use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::money::Minor;

use crate::provider::Goes;
use crate::{BASE, CAMPAIGN, HOUR, Scene};

fn state(scene: &Scene) -> Option<DisbursementState> {
    scene.payout().map(|(state, _)| state)
}

fn attempts(scene: &Scene) -> u32 {
    scene.payout().map_or(0, |(_, attempts)| attempts)
}

fn moved(scene: &Scene) -> Vec<Minor> {
    scene.moved()
}

fn calls(scene: &Scene) -> Vec<String> {
    scene.provider.with(|world| std::mem::take(&mut world.calls))
}

fn script(scene: &Scene, goes: &[Goes]) {
    scene.provider.with(|world| world.script.extend(goes));
}

fn key(scene: &Scene, attempt: u32) -> String {
    let payout = scene.look(|campaign| *campaign.payouts().keys().next().expect("planned"));
    sponsorhub_app::workers::attempt_key(CAMPAIGN, payout, attempt)
}

#[test]
fn what_is_earned_is_paid_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    for _ in 0..5 {
        scene.tick();
        scene.pass(2_000);
    }
    assert_eq!(state(&scene), Some(DisbursementState::Paid));
    assert_eq!((moved(&scene), attempts(&scene)), (vec![BASE], 1));
    let order = scene.provider.with(|world| world.transfers[0].1.clone());
    assert_eq!(order.backing.as_deref(), Some("ch_2"), "the deposit's charge");
}

#[test]
fn who_may_not_be_paid_waits_and_keeps_what_is_earned() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.stand(false);
    for _ in 0..5 {
        scene.tick();
        scene.pass(2 * HOUR);
    }
    assert_eq!(moved(&scene), Vec::<Minor>::new());
    scene.stand(true);
    for _ in 0..3 {
        scene.pass(2 * HOUR);
        scene.tick();
    }
    assert_eq!((moved(&scene), state(&scene)), (vec![BASE], Some(DisbursementState::Paid)));
}

#[test]
fn a_lost_answer_is_unknown_and_what_did_not_arrive_is_sent_under_the_same_key() {
    for lost in [Goes::DoneUnheard, Goes::NotDoneUnheard] {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::earned(directory.path());
        script(&scene, &[lost]);
        scene.tick();
        assert_eq!(state(&scene), Some(DisbursementState::Unknown), "{lost:?}");
        scene.pass(2_000);
        scene.tick();
        assert_eq!(state(&scene), Some(DisbursementState::Paid), "{lost:?}");
        assert_eq!((moved(&scene), attempts(&scene)), (vec![BASE], 1), "{lost:?}");
        let first = format!("transfer {}", key(&scene, 1));
        let calls = calls(&scene);
        // Looked for first; what is not there is sent again under the same key.
        let sent = calls.iter().filter(|call| **call == first).count();
        assert_eq!(sent, if lost == Goes::DoneUnheard { 1 } else { 2 }, "{lost:?}: {calls:?}");
        assert!(calls.iter().all(|call| *call == first || call.starts_with("find")), "{calls:?}");
    }
}

#[test]
fn after_the_key_may_be_forgotten_the_transfer_is_looked_up_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::DoneUnheard]);
    scene.tick();
    scene.provider.with(|world| world.forgotten = world.transfers.len());
    calls(&scene);
    scene.pass(21 * HOUR);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Paid));
    assert_eq!(moved(&scene), [BASE], "INV-3");
    assert!(calls(&scene).iter().all(|call| call.starts_with("find")), "nothing was sent");
}

#[test]
fn what_is_proven_absent_is_tried_again_under_another_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::NotDoneUnheard]);
    scene.tick();
    scene.pass(21 * HOUR);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Unknown), "a clock may have jumped");
    scene.pass(HOUR);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Failed), "looked up twice and not there");
    scene.pass(HOUR);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Paid));
    assert_eq!((moved(&scene), attempts(&scene)), (vec![BASE], 2));
    assert_eq!(calls(&scene).last(), Some(&format!("transfer {}", key(&scene, 2))));
}

#[test]
fn a_definite_no_gets_another_key_and_a_no_after_a_doubt_is_not_believed() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::Refused]);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Failed));
    // The second attempt arrives and nobody hears it; then its key is answered by a no.
    script(&scene, &[Goes::DoneUnheard, Goes::Refused]);
    scene.pass(2_000);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Unknown));
    scene.pass(10_000);
    scene.tick();
    assert_eq!(state(&scene), Some(DisbursementState::Paid), "it was looked up");
    assert_eq!((moved(&scene), attempts(&scene)), (vec![BASE], 2), "INV-3");
}

#[test]
fn another_amount_than_ordered_is_for_a_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::OtherAmount]);
    for _ in 0..5 {
        scene.tick();
        scene.pass(HOUR);
    }
    assert_eq!(state(&scene), Some(DisbursementState::Unknown), "not paid and not failed");
    assert_eq!(moved(&scene).len(), 1, "and not sent again");
}

#[test]
fn a_killed_worker_leaves_an_attempt_that_the_next_one_finishes() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.stand(true);
    // As if killed between the attempt and its outcome: attempted, sent, not recorded.
    script(&scene, &[Goes::DoneUnheard]);
    scene.tick();
    let provider = std::sync::Arc::clone(&scene.provider);
    let now = scene.now();
    drop(scene);
    let again = Scene::again(directory.path(), &provider, now + 1_000);
    again.tick();
    assert_eq!(state(&again), Some(DisbursementState::Paid));
    assert_eq!(moved(&again), [BASE], "INV-3");
}

/// An old copy of a ledger does not know what was paid since, and would pay it again.
#[test]
fn a_ledger_from_a_backup_pays_nothing_before_a_person_has_looked() {
    let first = tempfile::tempdir().expect("a directory");
    let backup = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(first.path());
    let now = scene.now();
    let provider = std::sync::Arc::clone(&scene.provider);
    drop(scene);
    for file in std::fs::read_dir(first.path()).expect("there") {
        let file = file.expect("there");
        std::fs::copy(file.path(), backup.path().join(file.file_name())).expect("copied");
    }
    for (directory, is_old) in [(&first, false), (&backup, true)] {
        let again = Scene::again(directory.path(), &provider, now);
        for _ in 0..10 {
            again.tick();
            again.pass(6 * HOUR);
        }
        assert_eq!(moved(&again), [BASE], "INV-3");
        let error = again.workers.standing().jobs["disburse"].error.clone();
        assert_eq!(error.is_some_and(|error| error.contains("old copy")), is_old);
    }
}

#[test]
fn the_close_refunds_what_is_left_and_everything_is_zero() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::Well, Goes::NotDoneUnheard, Goes::Refused, Goes::DoneUnheard]);
    for _ in 0..130 {
        scene.tick();
        scene.pass(HOUR);
        scene.tick();
        scene.pass(23 * HOUR);
    }
    let (state, at_zero) = scene.look(|campaign| {
        use sponsorhub_core::ledger::account::Account;
        let zero = Account::ZERO_AT_CLOSE.into_iter().all(|a| campaign.balance(a).is_zero());
        (campaign.state().name(), zero)
    });
    assert_eq!((state, at_zero), ("paid_out", true));
    assert_eq!(moved(&scene), [BASE]);
    let refunded: Minor =
        scene.provider.with(|world| world.refunds.iter().map(|refund| refund.amount).sum());
    // 1,041.00 paid in, 30.00 kept by the provider, 200.00 base and 10.00 platform fee.
    assert_eq!(refunded, Minor(104_100 - 3_000 - 20_000 - 1_000));
}
