//! The gate: whatever the provider tells and in whatever order, no campaign is live before the money
//! of the right amount, currency, mode and campaign was read at the provider (INV-9).

use sponsorhub_app::campaigns::{self, Step};
use sponsorhub_app::deposits::{Booked, Opened};
use sponsorhub_app::inbox;
use sponsorhub_app::ports::payment::{Payment, ProviderEvent};
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::DepositStatus;
use sponsorhub_core::money::Minor;
use sponsorhub_store::registry::{Endpoint, KeptEvent, ProviderChange};
use sponsorhub_store::{Change, KeyringId, Options, SqliteStore};

use crate::{BUDGET, CAMPAIGN, Scene, now_or_never};

/// What the provider says when it is asked, and whether that is the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    CompletedUnpaid,
    Succeeded,
    AsyncFailed,
    WrongAmount,
    WrongCurrency,
    WrongCampaign,
    WrongMode,
    /// An event that nobody at the provider knows anything about.
    Forged,
}

const ALL: [Says; 8] = [
    Says::CompletedUnpaid,
    Says::Succeeded,
    Says::AsyncFailed,
    Says::WrongAmount,
    Says::WrongCurrency,
    Says::WrongCampaign,
    Says::WrongMode,
    Says::Forged,
];

fn payment(good: &Payment, says: Says) -> Option<Payment> {
    let mut payment = good.clone();
    match says {
        Says::Succeeded => {}
        Says::CompletedUnpaid => {
            (payment.is_paid, payment.amount, payment.fee) = (false, Minor::ZERO, None);
        }
        Says::AsyncFailed => {
            (payment.is_paid, payment.is_failed, payment.amount) = (false, true, Minor::ZERO);
        }
        Says::WrongAmount => payment.amount -= Minor(1),
        Says::WrongCurrency => "eur".clone_into(&mut payment.currency),
        Says::WrongCampaign => payment.campaign = CampaignId([8; 16]),
        Says::WrongMode => payment.mode = Mode::Live,
        Says::Forged => return None,
    }
    Some(payment)
}

/// The event by which the product hears that there is something to read.
fn hear(scene: &Scene, session: &str, number: usize) {
    let event = ProviderEvent {
        id: format!("evt_{number}"),
        kind: "checkout.session.completed".to_owned(),
        created_at: scene.now(),
        is_live: false,
        recipient: None,
        object: Some(session.to_owned()),
        payment: None,
    };
    let is_new = inbox::receive(&scene.desk, Endpoint::Account, &event, scene.now());
    assert!(is_new.expect("kept"));
    let again = inbox::receive(&scene.desk, Endpoint::List, &event, scene.now());
    assert!(!again.expect("known"), "an event is kept once");
    now_or_never(inbox::deal(&scene.desk, &*scene.provider, (scene.now(), scene.now())))
        .expect("dealt with");
}

/// Every pair of things that the provider may say, one after the other, and the launch tried after
/// each: it succeeds exactly when the money was there once, be it after a failure.
#[test]
fn no_order_of_events_makes_a_campaign_live_without_its_money() {
    for first in ALL {
        for second in ALL {
            for third in [Says::Succeeded, Says::CompletedUnpaid, Says::AsyncFailed] {
                let directory = tempfile::tempdir().expect("a directory");
                let scene = Scene::open(directory.path());
                scene.create();
                let opened = scene.deposit("d");
                let session = opened.checkout.session.clone();
                let good = Scene::paid(&opened);
                let mut is_funded = false;
                for (number, says) in [first, second, third].into_iter().enumerate() {
                    scene.provider.with(|world| world.payments.remove(&session));
                    if let Some(payment) = payment(&good, says) {
                        scene
                            .provider
                            .with(|world| world.payments.insert(session.clone(), payment));
                    }
                    hear(&scene, &session, number);
                    scene.pass(1_000);
                    is_funded |= says == Says::Succeeded;
                    let launched = campaigns::step(
                        &scene.desk,
                        CAMPAIGN,
                        (Step::Launch, StateCause::Brand),
                        scene.now(),
                    );
                    let state = scene.look(Campaign::state);
                    let said = [first, second, third];
                    assert_eq!(state == State::Live, is_funded, "{said:?} after {number}");
                    if state != State::Live {
                        launched.expect_err("INV-9");
                    }
                }
            }
        }
    }
}

#[test]
fn a_checkout_that_is_opened_twice_under_one_key_is_one_deposit() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let (first, second) = (scene.deposit("same"), scene.deposit("same"));
    assert_eq!((first.deposit, first.total), (second.deposit, second.total));
    assert_ne!(scene.deposit("other").deposit, first.deposit);
    assert_eq!(first.total, Minor(104_100), "4 % and 1.00 for the provider's fee");
}

#[test]
fn the_fee_may_be_known_later_and_is_booked_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("d");
    let session = &opened.checkout.session;
    let good = Scene::paid(&opened);
    scene.pay(Payment { fee: None, available_on: None, ..good.clone() });
    assert_eq!(scene.observe(session), Booked::Funds(opened.deposit));
    let reserve = |scene: &Scene| scene.look(|campaign| campaign.balance(Account::FeeReserve));
    assert_eq!(reserve(&scene), Minor(4_100));
    assert_eq!(scene.observe(session), Booked::Nothing);
    scene.pay(good);
    // Nobody told: the workers ask by themselves.
    scene.pass(2_000);
    scene.tick();
    assert_eq!(reserve(&scene), Minor::ZERO);
    let funds = scene.look(|campaign| campaign.balance(Account::CampaignFunds));
    assert_eq!(funds, BUDGET + Minor(1_100), "what is left of the reserve is the brand's");
    assert_eq!(scene.observe(session), Booked::Nothing);
}

#[test]
fn pages_of_a_cancelled_campaign_are_closed_and_late_money_goes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let (unpaid, late) = (scene.deposit("unpaid"), scene.deposit("late"));
    let open = Payment { is_paid: false, fee: None, ..Scene::paid(&unpaid) };
    scene.pay(open);
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("cancelled");
    scene.pay(Scene::paid(&late));
    for _ in 0..6 {
        scene.pass(2_000);
        scene.tick();
    }
    let refunded = scene.provider.with(|world| world.refunds.clone());
    let total: Minor = refunded.iter().map(|refund| refund.amount).sum();
    assert_eq!(total, late.total - Minor(3_000), "all but the provider's fee");
    assert!(scene.look(|campaign| campaign.balance(Account::CampaignFunds)).is_zero());
    let status = scene.look(|campaign| campaign.deposits()[&unpaid.deposit].status);
    assert_eq!(status, DepositStatus::Failed);
}

/// A payment that fails, and the event of its failure.
fn fail(scene: &Scene, opened: &Opened) {
    let session = opened.checkout.session.clone();
    let failed = Payment { is_paid: false, is_failed: true, fee: None, ..Scene::paid(opened) };
    scene.provider.with(|world| world.payments.insert(session.clone(), failed));
    assert_eq!(scene.observe(&session), Booked::Failed(opened.deposit));
}

#[test]
fn a_payment_that_succeeds_after_it_had_failed_funds_the_campaign() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("slow");
    fail(&scene, &opened);
    assert_eq!(scene.look(Campaign::state), State::Draft);
    scene.pay(Scene::paid(&opened));
    let booked = Booked::Funds(opened.deposit);
    assert_eq!(scene.observe(&opened.checkout.session), booked);
    assert_eq!(scene.look(Campaign::state), State::Funded);
    let funds = scene.look(|campaign| campaign.balance(Account::CampaignFunds));
    assert_eq!(funds, BUDGET + Minor(1_100));
}

/// Design §3: late failures are final at once.
#[test]
fn a_payment_that_fails_after_it_was_paid_takes_its_money_out_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("d");
    scene.pay(Scene::paid(&opened));
    let session = opened.checkout.session.clone();
    assert_eq!(scene.observe(&session), Booked::Funds(opened.deposit));
    assert_eq!(scene.look(Campaign::state), State::Funded);
    let failed = Payment { is_paid: false, is_failed: true, fee: None, ..Scene::paid(&opened) };
    scene.provider.with(|world| world.payments.insert(session.clone(), failed));
    assert_eq!(scene.observe(&session), Booked::Funds(opened.deposit));
    assert_eq!(scene.look(Campaign::state), State::Draft, "it cannot go live on it");
    let (reversed, frozen) =
        scene.look(|campaign| (campaign.deposits()[&opened.deposit].reversed, campaign.frozen()));
    assert_eq!((reversed, frozen), (opened.total, 0));
    assert_eq!(scene.observe(&session), Booked::Nothing, "said again");
    // Nothing in the ledger can say that it is paid after all: a person must look.
    scene.pay(Scene::paid(&opened));
    assert!(matches!(scene.observe(&session), Booked::Review(_)));
    assert_eq!(scene.look(Campaign::state), State::Draft);
}

#[test]
fn a_payment_that_succeeds_after_its_campaign_was_cancelled_goes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("slow");
    fail(&scene, &opened);
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("cancelled");
    scene.pass(2_000);
    scene.tick();
    // Of another amount it is nobody's deposit: a person must look, and nothing is confirmed.
    let other = Payment { amount: Minor(1), ..Scene::paid(&opened) };
    scene.provider.with(|world| world.payments.insert(other.session.clone(), other.clone()));
    assert!(matches!(scene.observe(&other.session), Booked::Review(_)));
    scene.pay(Scene::paid(&opened));
    let booked = Booked::Funds(opened.deposit);
    assert_eq!(scene.observe(&opened.checkout.session), booked);
    for _ in 0..6 {
        scene.pass(2_000);
        scene.tick();
    }
    let refunded = scene.provider.with(|world| world.refunds.clone());
    let total: Minor = refunded.iter().map(|refund| refund.amount).sum();
    assert_eq!(total, opened.total - Minor(3_000), "all but the provider's fee");
    assert!(scene.look(|campaign| campaign.balance(Account::CampaignFunds)).is_zero());
}

#[test]
fn a_failed_deposit_is_asked_about_again_while_its_campaign_is_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("slow");
    fail(&scene, &opened);
    scene.pass(2_000);
    scene.tick();
    // No event of it ever comes.
    let paid = Scene::paid(&opened);
    scene.provider.with(|world| world.payments.insert(paid.session.clone(), paid));
    scene.pass(6 * 3_600_000 + 1);
    scene.tick();
    assert_eq!(scene.look(Campaign::state), State::Funded);
}

/// Threat 58: what an event said of a buyer is forgotten thirty days after it was dealt with.
#[test]
fn bodies_of_events_are_forgotten_after_a_month() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    // As an earlier version kept it.
    let event = KeptEvent {
        id: "evt_1".to_owned(),
        endpoint: Endpoint::Account,
        kind: "payment_intent.created".to_owned(),
        created_at: scene.now(),
        received_at: scene.now(),
        recipient: None,
        object: None,
        payment: None,
        raw: b"a body that names Buyer Canary of a long and winding road".to_vec(),
        tries: 0,
    };
    let keep = Change::Provider(ProviderChange::KeepEvent(event));
    scene.desk.record(keep, None).expect("kept");
    scene.tick();
    scene.pass(29 * 86_400_000);
    scene.tick();
    let is_named = || {
        // Opened and closed by one who may move the log, so that all of it is in the one file.
        let options = Options { keyring: Some(KeyringId([9; 16])), ..Options::default() };
        drop(SqliteStore::open(directory.path(), options, || 0).expect("opens"));
        let content = std::fs::read(directory.path().join("sponsorhub.db")).expect("readable");
        content.windows(12).any(|window| window == b"Buyer Canary")
    };
    let (provider, now) = (scene.provider.clone(), scene.now());
    drop(scene);
    assert!(is_named(), "somebody may have to look at it");
    let scene = Scene::again(directory.path(), &provider, now + 2 * 86_400_000);
    scene.tick();
    drop(scene);
    assert!(!is_named());
}
