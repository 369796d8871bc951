//! Bugs of public projects that paid twice or could have, as tests. `cargo xtask prove` puts each into this
//! product and sees that its test fails and no other: see `sponsorhub_app::planted`. The sixth is about
//! the API and stands with its tests.

use serde_json::json;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::money::Minor;

use crate::provider::Goes;
use crate::reversing::{FIRST, Shop};
use crate::{BASE, DAY, HOUR, Scene, T};

fn script(scene: &Scene, goes: &[Goes]) {
    scene.provider.with(|world| world.script.extend(goes));
}

/// A transfer was rejected and its money given back; its retry paid without taking the money again.
#[test]
fn eliza_11022_as_often_as_money_moves_the_ledger_gives_it_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::RateLimited]);
    for _ in 0..10 {
        scene.tick();
        scene.pass(10_000);
    }
    let debits: Vec<Minor> = scene.look(|state| {
        let paid = state.payouts().values().filter(|one| one.state == DisbursementState::Paid);
        paid.map(|one| one.amount).collect()
    });
    assert_eq!(
        scene.moved(),
        debits,
        "planted bug eliza_11022: transfers and what the ledger paid"
    );
}

/// The connection was lost after the transfer was made, and putting it back into the queue made a fresh
/// key.
#[test]
fn gumroad_6620_a_payout_that_is_tried_again_by_hand_keeps_its_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::DoneUnheard]);
    scene.tick();
    let payout = scene.look(|state| *state.payouts().keys().next().expect("planned"));
    for _ in 0..5 {
        scene.workers.try_now(crate::CAMPAIGN, payout);
        scene.tick();
        scene.pass(1_000);
    }
    assert_eq!(scene.moved(), [BASE], "planted bug gumroad_6620: transfers of one payout");
}

/// What was unknown was taken for failed and went into a new batch, after the provider had forgotten the
/// key.
#[test]
fn spree_14500_what_is_unknown_for_a_day_is_not_taken_for_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    script(&scene, &[Goes::DoneUnheard]);
    scene.tick();
    scene.provider.with(|world| world.forgotten = world.transfers.len());
    for _ in 0..5 {
        scene.pass(25 * HOUR);
        scene.tick();
    }
    assert_eq!(scene.moved(), [BASE], "planted bug spree_14500: transfers of one payout");
}

/// The date was part of the key, so that a retry after midnight had another.
#[test]
fn omi_7184_a_retry_after_midnight_is_the_same_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let midnight = (T + 2 * DAY).div_euclid(DAY) * DAY;
    assert!(scene.now() < midnight - 60_000);
    scene.pass(midnight - 60_000 - scene.now());
    script(&scene, &[Goes::DoneUnheard]);
    scene.tick();
    scene.pass(120_000);
    scene.tick();
    assert_eq!(scene.moved(), [BASE], "planted bug omi_7184: transfers of one payout");
}

/// More was earned between two sendings, and the second asked for that as well.
#[test]
fn liberapay_1533_what_is_earned_between_two_sendings_is_not_in_the_second() {
    let directory = tempfile::tempdir().expect("a directory");
    let shop = Shop::open(directory.path());
    let scene = &shop.scene;
    scene.onboard();
    assert_eq!(shop.report(&shop.order(0, "sale", "o1")), Ok(("accepted".to_owned(), false)));
    scene.pass(33 * DAY);
    script(scene, &[Goes::NotDoneUnheard]);
    scene.tick();
    let mut late = shop.order(0, "sale", "o2");
    late["occurred_at"] = json!("2026-02-07T12:00:00Z");
    assert_eq!(shop.report(&late), Ok(("accepted".to_owned(), false)));
    scene.pass(10_000);
    scene.tick();
    let sent = scene.provider.with(|world| {
        let ordered = world.ordered.iter().filter(|order| order.group == FIRST);
        ordered.map(|order| (order.key.clone(), order.amount)).collect::<Vec<_>>()
    });
    let (key, amount) = sent.first().expect("sent").clone();
    assert_eq!(amount, Minor(1_000));
    assert_eq!(sent, vec![(key, amount); 2], "planted bug liberapay_1533: amounts under one key");
}
