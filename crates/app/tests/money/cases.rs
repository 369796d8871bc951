//! Money of a deposit that somebody else takes away: no other brand's money pays for it, and no
//! creator's (INV-9, design §3).

use sponsorhub_app::campaigns::{self, Step};
use sponsorhub_app::deposits::Booked;
use sponsorhub_app::ports::payment::{
    DisputeProgress, DisputeSeen, Payment, RefundProgress, RefundSeen,
};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::Minor;

use crate::provider::Goes;
use crate::{BUDGET, CAMPAIGN, DAY, HOUR, Scene, T};

fn refund(id: &str, amount: Minor, progress: RefundProgress) -> RefundSeen {
    let currency = "usd".to_owned();
    RefundSeen { id: id.to_owned(), reference: None, created_at: T, amount, currency, progress }
}

fn dispute(
    amount: Minor,
    (withdrawn, returned): (Minor, Minor),
    progress: DisputeProgress,
) -> DisputeSeen {
    let (id, fee) = ("du_1".to_owned(), Minor(1_500));
    DisputeSeen { id, created_at: T, amount, withdrawn, returned, fee, progress }
}

/// A funded campaign and its payment.
fn funded(scene: &Scene) -> Payment {
    scene.create();
    let opened = scene.deposit("first");
    let payment = Scene::paid(&opened);
    scene.pay(payment.clone());
    assert!(matches!(scene.observe(&payment.session), Booked::Funds(_)));
    assert_eq!(scene.look(Campaign::state), State::Funded);
    payment
}

fn tell(scene: &Scene, payment: &Payment) -> Booked {
    scene.pay(payment.clone());
    let booked = scene.observe(&payment.session);
    assert_eq!(scene.observe(&payment.session), Booked::Nothing, "told twice");
    booked
}

/// What comes of another look.
fn tell_again(scene: &Scene, payment: &Payment) -> Booked {
    scene.pay(payment.clone());
    scene.observe(&payment.session)
}

/// What no entry can say is for a person: money that comes back, or goes, after its case was closed.
#[test]
fn what_is_decided_a_second_time_is_for_a_person() {
    let all = |scene: &Scene| funded(scene).amount;
    for is_won_first in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::open(directory.path());
        let all = all(&scene);
        let mut payment = scene.provider.with(|world| world.payments.values().next().cloned());
        let payment = payment.as_mut().expect("it was paid");
        let won = dispute(all, (all, all), DisputeProgress::Won);
        let lost = dispute(all, (all, Minor::ZERO), DisputeProgress::Lost);
        let (first, second) = if is_won_first { (won, lost) } else { (lost, won) };
        payment.disputes = vec![first];
        tell(&scene, payment);
        payment.disputes = vec![second];
        let head = scene.look(Campaign::head);
        assert!(matches!(tell_again(&scene, payment), Booked::Review(_)), "{is_won_first}");
        assert_eq!(scene.look(Campaign::head), head);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    payment.refunds = vec![refund("re_hand", Minor(10_000), RefundProgress::Succeeded)];
    tell(&scene, &payment);
    payment.refunds[0].progress = RefundProgress::Failed;
    assert!(matches!(tell_again(&scene, &payment), Booked::Review(_)));
}

/// Cases that together are about more than the deposit take no more than it.
#[test]
fn cases_take_no_more_than_the_deposit() {
    for is_refund_first in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::open(directory.path());
        let mut payment = funded(&scene);
        let all = payment.amount;
        let mut hand = refund("re_hand", Minor(all.0 * 3 / 5), RefundProgress::Succeeded);
        hand.created_at = if is_refund_first { T - 1 } else { T + 1 };
        payment.refunds = vec![hand];
        payment.disputes = vec![dispute(all, (all, Minor::ZERO), DisputeProgress::Lost)];
        tell(&scene, &payment);
        let reversed = scene.look(|state| state.deposits().values().map(|one| one.reversed).sum());
        assert_eq!((reversed, scene.look(Campaign::frozen)), (all, 0), "{is_refund_first}");
    }
}

/// A dispute that is won gives nothing back before the money is there.
#[test]
fn a_dispute_that_is_won_waits_for_its_money() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    let all = payment.amount;
    payment.disputes = vec![dispute(all, (all, Minor::ZERO), DisputeProgress::Won)];
    tell(&scene, &payment);
    assert_eq!(scene.look(Campaign::frozen), 1);
    assert_eq!(scene.look(|state| state.balance(Account::CampaignFunds)), Minor::ZERO);
    payment.disputes = vec![dispute(all, (all, all), DisputeProgress::Won)];
    tell(&scene, &payment);
    assert_eq!(scene.look(Campaign::frozen), 0);
    assert!(scene.look(|state| state.balance(Account::CampaignFunds)) >= BUDGET);
}

#[test]
fn a_deposit_that_was_refunded_by_hand_funds_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    let all = payment.amount;
    payment.refunds.push(refund("re_hand", all, RefundProgress::Succeeded));
    assert!(matches!(tell(&scene, &payment), Booked::Funds(_)));
    assert_eq!(scene.look(Campaign::state), State::Draft);
    assert_eq!(scene.look(|state| state.balance(Account::CampaignFunds)), Minor::ZERO);
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Launch, StateCause::Brand), scene.now())
        .expect_err("not funded");
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("given up");
    for _ in 0..3 {
        scene.pass(DAY);
        scene.tick();
    }
    assert!(scene.provider.with(|world| world.refunds.is_empty()), "nothing is left to refund");
}

#[test]
fn a_payment_that_was_refunded_before_anybody_looked_funds_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("first");
    let mut payment = Scene::paid(&opened);
    payment.refunds.push(refund("re_hand", payment.amount, RefundProgress::Succeeded));
    tell(&scene, &payment);
    assert_eq!(scene.look(Campaign::state), State::Draft);
    assert_eq!(scene.look(|state| state.balance(Account::Provider)), Minor::ZERO);
}

#[test]
fn a_refund_on_its_way_freezes_until_it_is_known() {
    for (ends, frozen, funds) in
        [(RefundProgress::Failed, 0, BUDGET), (RefundProgress::Succeeded, 0, Minor::ZERO)]
    {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::open(directory.path());
        let mut payment = funded(&scene);
        payment.refunds.push(refund("re_hand", payment.amount, RefundProgress::Pending));
        tell(&scene, &payment);
        assert_eq!(scene.look(Campaign::frozen), 1);
        payment.refunds[0].progress = ends;
        tell(&scene, &payment);
        assert_eq!(scene.look(Campaign::frozen), frozen, "{ends:?}");
        let confirmed = scene.look(Campaign::confirmed_budget);
        assert_eq!(confirmed.min(BUDGET), funds, "{ends:?}");
    }
}

#[test]
fn a_refund_of_our_own_is_no_case() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("given up");
    for _ in 0..3 {
        scene.pass(DAY);
        scene.tick();
    }
    let ours = scene.provider.with(|world| world.refunds.clone());
    assert!(!ours.is_empty(), "it was sent back");
    payment.refunds.extend(ours.into_iter().map(|order| RefundSeen {
        reference: Some(order.reference),
        ..refund("re_ours", order.amount, RefundProgress::Succeeded)
    }));
    let head = scene.look(Campaign::head);
    tell(&scene, &payment);
    assert_eq!(scene.look(Campaign::head), head, "nothing is new");
    // It comes back after all: the ledger has no word for that, so a person hears of it.
    payment.refunds[0].progress = RefundProgress::Failed;
    assert!(matches!(tell_again(&scene, &payment), Booked::Review(_)));
}

/// Whatever part of a dispute's life is seen, its end is the same; and the creator's money is theirs.
#[test]
fn a_dispute_is_booked_alike_whichever_of_its_events_came() {
    let stages = |won: bool, all: Minor| {
        let open = dispute(all, (Minor::ZERO, Minor::ZERO), DisputeProgress::Open);
        let gone = dispute(all, (all, Minor::ZERO), DisputeProgress::Open);
        let end = if won {
            dispute(all, (all, all), DisputeProgress::Won)
        } else {
            dispute(all, (all, Minor::ZERO), DisputeProgress::Lost)
        };
        [open, gone, end]
    };
    for won in [false, true] {
        let mut ends = Vec::new();
        for seen in 0..4_u8 {
            let directory = tempfile::tempdir().expect("a directory");
            let scene = Scene::earned(directory.path());
            let session = scene
                .provider
                .with(|world| world.payments.keys().next().cloned().expect("it was paid"));
            let mut payment = scene.provider.with(|world| world.payments[&session].clone());
            let payable = scene.look(|state| state.balance(Account::Payable));
            for (at, stage) in stages(won, payment.amount).into_iter().enumerate() {
                let is_seen = at == 2 || seen & (1 << at) != 0;
                payment.disputes = vec![stage];
                if is_seen {
                    tell(&scene, &payment);
                }
                if is_seen && at < 2 {
                    assert_eq!(scene.look(Campaign::frozen), 1);
                }
                assert_eq!(scene.look(|state| state.balance(Account::Payable)), payable);
            }
            assert_eq!(scene.look(Campaign::frozen), 0);
            ends.push(scene.look(|state| {
                let accounts = Account::ALL.iter().map(|account| state.balance(*account));
                accounts.collect::<Vec<_>>()
            }));
        }
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
    }
}

/// A dispute, and a refund that somebody made after it was won, seen as they happen or all at once, before
/// the deposit's fee is known or after it: one end, and cases in the order in which they began.
#[test]
fn cases_are_booked_in_the_order_in_which_they_began_and_after_the_fee() {
    for is_won in [true, false] {
        let mut ends = Vec::new();
        for (is_settled_first, is_seen_at_once) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            ends.push(end_of_cases(is_won, is_settled_first, is_seen_at_once));
        }
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{is_won}: {ends:?}");
    }
}

fn end_of_cases(is_won: bool, is_settled_first: bool, is_seen_at_once: bool) -> Vec<Minor> {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("first");
    let mut payment = Scene::paid(&opened);
    let all = payment.amount;
    let (open, over) = (
        dispute(all, (all, Minor::ZERO), DisputeProgress::Open),
        if is_won {
            dispute(all, (all, all), DisputeProgress::Won)
        } else {
            dispute(all, (all, Minor::ZERO), DisputeProgress::Lost)
        },
    );
    let settled = (payment.fee, payment.available_on);
    if !is_settled_first {
        (payment.fee, payment.available_on) = (None, None);
    }
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    if !is_seen_at_once {
        payment.disputes = vec![open];
        tell(&scene, &payment);
        assert_eq!(scene.look(Campaign::frozen), 1);
        payment.disputes = vec![over.clone()];
        tell(&scene, &payment);
    }
    payment.disputes = vec![over];
    if is_won {
        let mut late = refund("re_hand", Minor(all.0 / 2), RefundProgress::Succeeded);
        late.created_at = T + HOUR;
        payment.refunds = vec![late];
    }
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    (payment.fee, payment.available_on) = settled;
    scene.pay(payment.clone());
    scene.observe(&payment.session);
    assert_eq!(scene.observe(&payment.session), Booked::Nothing);
    scene.look(|state| {
        assert_eq!(state.frozen(), 0);
        let cases = &state.deposits()[&opened.deposit].cases;
        let began: Vec<_> = cases.iter().map(|case| case.key.as_str()).collect();
        assert_eq!(began, if is_won { vec!["du_1", "re_hand"] } else { vec!["du_1"] });
        Account::ALL.iter().map(|account| state.balance(*account)).collect()
    })
}

/// INV-9 holds after the launch too: who took the money back does not go on.
#[test]
fn a_campaign_whose_money_was_taken_back_is_not_resumed() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    let session = scene.provider.with(|world| world.payments.keys().next().cloned());
    let session = session.expect("it was paid");
    let mut payment = scene.provider.with(|world| world.payments[&session].clone());
    let all = payment.amount;
    let step =
        |step| campaigns::step(&scene.desk, CAMPAIGN, (step, StateCause::Brand), scene.now());
    for progress in [DisputeProgress::Open, DisputeProgress::Lost] {
        payment.disputes = vec![dispute(all, (all, Minor::ZERO), progress)];
        tell(&scene, &payment);
        if scene.look(Campaign::state) == State::Live {
            step(Step::Pause).expect("paused");
        }
        step(Step::Resume).expect_err("no money");
        assert_eq!(scene.look(Campaign::state), State::Paused);
    }
}

/// A bank takes money back while the product sends the same money back: it must not go twice.
#[test]
fn a_planned_refund_is_not_sent_while_a_dispute_is_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    let mut payment = funded(&scene);
    scene.provider.with(|world| world.script.extend([Goes::NotDoneUnheard; 3]));
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("given up");
    scene.tick();
    let all = payment.amount;
    payment.disputes = vec![dispute(all, (all, Minor::ZERO), DisputeProgress::Open)];
    tell(&scene, &payment);
    scene.provider.with(|world| world.script.clear());
    for _ in 0..5 {
        scene.pass(DAY);
        scene.tick();
    }
    assert!(scene.provider.with(|world| world.refunds.is_empty()), "it waits");
}

/// A refund that waits at the provider is neither paid nor absent: it is not ordered again.
#[test]
fn a_refund_on_its_way_is_not_sent_a_second_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    funded(&scene);
    scene.provider.with(|world| world.are_refunds_pending = true);
    campaigns::step(&scene.desk, CAMPAIGN, (Step::Cancel, StateCause::Brand), scene.now())
        .expect("given up");
    let wait = || {
        for _ in 0..8 {
            scene.tick();
            scene.pass(7 * HOUR);
        }
    };
    let clearing = || scene.look(|state| state.balance(Account::RefundClearing));
    wait();
    assert!(clearing().is_positive(), "not paid yet");
    // A definite no to the same key, as after a doubt, changes nothing about that.
    scene.provider.with(|world| world.script.push_back(Goes::Refused));
    wait();
    assert_eq!(scene.provider.with(|world| world.refunds.len()), 1);
    scene.provider.with(|world| world.are_refunds_pending = false);
    wait();
    assert_eq!((clearing(), scene.provider.with(|world| world.refunds.len())), (Minor::ZERO, 1));
}
