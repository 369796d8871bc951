//! What campaigns hold by their ledgers is there, or operators hear of it.

use sponsorhub_app::ports::payment::ProviderBalance;
use sponsorhub_core::money::{Currency, Minor};

use crate::provider::Goes;
use crate::{HOUR, Scene};

fn has(scene: &Scene, available: i64) {
    let (currency, pending) = (Currency::Usd, Minor::ZERO);
    let balance = ProviderBalance { currency, available: Minor(available), pending };
    scene.provider.with(|world| world.balance = Some(balance));
}

fn error(scene: &Scene) -> Option<String> {
    scene.pass(HOUR);
    scene.tick();
    scene.workers.standing().jobs["holdings"].error.clone()
}

#[test]
fn money_that_is_missing_twice_in_a_row_is_told_to_operators() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.tick();
    let held =
        scene.look(|state| state.balance(sponsorhub_core::ledger::account::Account::Provider));
    // More than the campaigns hold is the operator's own.
    has(&scene, held.0 + 1);
    assert_eq!((error(&scene), error(&scene)), (None, None));
    has(&scene, held.0 - 1);
    assert_eq!(error(&scene), None, "once may be a moment between two bookings");
    let told = error(&scene).expect("it is told");
    assert!(told.contains("1 USD in minor units"), "{told}");
    has(&scene, held.0);
    assert_eq!(error(&scene), None);
    let holding = scene.workers.standing().holdings[&Currency::Usd];
    assert_eq!((holding.held, holding.at_provider), (held, Some(held)));
}

/// A transfer without an answer may have left, so its money is not missing.
#[test]
fn money_in_doubt_is_not_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::NotDoneUnheard; 9]));
    scene.tick();
    let held =
        scene.look(|state| state.balance(sponsorhub_core::ledger::account::Account::Provider));
    has(&scene, held.0 - crate::BASE.0);
    assert_eq!((error(&scene), error(&scene)), (None, None));
    has(&scene, held.0 - crate::BASE.0 - 1);
    assert_eq!(error(&scene), None);
    assert!(error(&scene).is_some(), "but not more than that");
}

#[test]
fn a_balance_that_the_provider_empties_by_itself_is_told_to_operators() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    has(&scene, 1_000_000);
    assert_eq!(error(&scene), None);
    scene.provider.with(|world| world.pays_itself_out = true);
    let told = error(&scene).expect("it is told");
    assert!(told.contains("daily") && told.contains("manual"), "{told}");
    scene.provider.with(|world| world.pays_itself_out = false);
    assert_eq!(error(&scene), None);
}

/// Neither is a fee that is not booked yet, nor money of a case that is open.
#[test]
fn fees_and_cases_that_are_not_booked_yet_are_in_doubt() {
    use sponsorhub_app::ports::payment::{DisputeProgress, DisputeSeen};
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("first");
    let mut payment = Scene::paid(&opened);
    let settled = (payment.fee, payment.available_on);
    (payment.fee, payment.available_on) = (None, None);
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    let fee = 3_000;
    has(&scene, payment.amount.0 - fee);
    assert_eq!((error(&scene), error(&scene)), (None, None));
    (payment.fee, payment.available_on) = settled;
    let taken = Minor(50_000);
    payment.disputes = vec![DisputeSeen {
        id: "du_1".to_owned(),
        amount: taken,
        created_at: crate::T,
        withdrawn: Minor::ZERO,
        returned: Minor::ZERO,
        fee: Minor::ZERO,
        progress: DisputeProgress::Open,
    }];
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    has(&scene, payment.amount.0 - fee - taken.0);
    assert_eq!((error(&scene), error(&scene)), (None, None));
}

#[test]
fn a_currency_that_the_provider_does_not_list_is_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let (currency, pending) = (Currency::Eur, Minor::ZERO);
    let balance = ProviderBalance { currency, available: Minor(1), pending };
    scene.provider.with(|world| world.balance = Some(balance));
    assert_eq!(error(&scene), None);
    assert!(error(&scene).is_some());
}
