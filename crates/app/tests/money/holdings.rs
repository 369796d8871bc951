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
    assert_eq!(error(&scene), None);
    scene.provider.with(|world| world.pays_itself_out = true);
    let told = error(&scene).expect("it is told");
    assert!(told.contains("daily") && told.contains("manual"), "{told}");
    scene.provider.with(|world| world.pays_itself_out = false);
    assert_eq!(error(&scene), None);
}
