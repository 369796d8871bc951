//! Clocks that run past midnight, jump ahead or fall back while nobody knows what became of a transfer:
//! it is not made twice (INV-3).

use sponsorhub_core::disbursement::DisbursementState;

use crate::provider::Goes;
use crate::{BASE, DAY, HOUR, Scene, T};

/// Ticks until the payout is paid.
fn settle(scene: &Scene) {
    for _ in 0..60 {
        scene.tick();
        if scene.payout().is_some_and(|(state, _)| state == DisbursementState::Paid) {
            return;
        }
        scene.pass(HOUR / 2);
    }
    panic!("it comes to no end: {:?}", scene.payout());
}

/// A transfer whose answer is lost and whose key the provider keeps for a day of its own clock.
fn with_jumps(lost: Goes, jumps: &[i64]) {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.push_back(lost));
    scene.tick();
    assert_eq!(scene.payout(), Some((DisbursementState::Unknown, 1)));
    for jump in jumps {
        scene.jump(*jump);
        scene.tick();
    }
    settle(&scene);
    assert_eq!(scene.moved(), [BASE], "{lost:?} {jumps:?}");
}

#[test]
fn inv_3_over_midnight_ahead_and_back_nothing_is_paid_twice() {
    for lost in [Goes::DoneUnheard, Goes::NotDoneUnheard] {
        for jumps in [
            &[11 * HOUR][..],
            &[25 * HOUR],
            &[-2 * HOUR],
            &[25 * HOUR, -25 * HOUR],
            &[-2 * HOUR, 25 * HOUR],
            &[25 * HOUR, -2 * HOUR, 11 * HOUR],
        ] {
            with_jumps(lost, jumps);
        }
    }
}

/// The ledger's time cannot go back: an attempt that was made while the clock was ahead looks young for
/// longer than the provider remembers its key.
#[test]
fn inv_3_an_attempt_that_was_dated_ahead_is_looked_up_before_its_key_is_used_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    // Something is written while the clock is wrong by five days.
    scene.jump(5 * DAY);
    scene.stand(false);
    scene.tick();
    scene.jump(-5 * DAY);
    scene.stand(true);
    scene.provider.with(|world| world.script.push_back(Goes::DoneUnheard));
    while scene.moved().is_empty() {
        scene.pass(HOUR);
        scene.tick();
    }
    assert_eq!(scene.payout(), Some((DisbursementState::Unknown, 1)));
    // Days later the provider has forgotten the key; in the ledger the attempt is not a day old.
    scene.provider.with(|world| world.forgotten = world.transfers.len());
    scene.pass(4 * DAY);
    settle(&scene);
    assert_eq!(scene.moved(), [BASE]);
    assert!(scene.now() > T);
}

/// What was missing before a further sending says nothing about that sending.
#[test]
fn inv_3_waiting_begins_anew_with_each_sending() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::NotDoneUnheard; 2]));
    scene.tick();
    // Looked up while it seems old, then sent again when the clock is right.
    scene.jump(25 * HOUR);
    scene.tick();
    scene.jump(-25 * HOUR);
    scene.pass(HOUR);
    scene.tick();
    assert_eq!(scene.provider.with(|world| world.ordered.len()), 2);
    // It seems old again, a moment after it was sent.
    scene.jump(25 * HOUR);
    scene.tick();
    scene.provider.with(|world| {
        let order = world.ordered[1].clone();
        world.transfers.push((order.key.clone(), order.clone(), order.amount));
    });
    settle(&scene);
    assert_eq!(scene.moved(), [BASE]);
}

/// A clock that jumps ahead makes a request look old that the provider is still working on: that it is
/// not there yet proves nothing, however often the clock jumps.
#[test]
fn inv_3_a_request_that_is_under_way_is_not_taken_for_one_that_never_was() {
    for jumps in [&[25 * HOUR][..], &[25 * HOUR, HOUR], &[25 * HOUR, -2 * HOUR, 2 * HOUR]] {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::earned(directory.path());
        scene.provider.with(|world| world.script.push_back(Goes::NotDoneUnheard));
        scene.tick();
        for jump in jumps {
            scene.jump(*jump);
            scene.tick();
        }
        // Now the provider is done with it.
        scene.provider.with(|world| {
            let order = world.ordered[0].clone();
            world.transfers.push((order.key.clone(), order.clone(), order.amount));
        });
        settle(&scene);
        assert_eq!(scene.moved(), [BASE], "{jumps:?}");
    }
}
