//! Rules of commands that the reference model does not have, each by its shortest story.

mod world;

use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::{BaseUnlock, OnExhausted, Rate, RateValue, Terms};
use sponsorhub_core::deposit::{ObservedDeposit, check_deposit, provider_fee_reserve};
use sponsorhub_core::disbursement::Outcome;
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::hold::HoldDecision;
use sponsorhub_core::ids::{BrandId, CampaignId, EnrollmentNo};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::{Mode, StateCause};
use sponsorhub_core::ledger::event::conversion::{ConversionAccepted, ConversionRejected};
use sponsorhub_core::money::Minor;
use sponsorhub_core::oversight::ClaimEnd;
use sponsorhub_core::refusal::Refusal;
use world::op::{Ask, Op};
use world::{CAMPAIGN, DAY, Setup, T, World, enrollment_id, taken};

const SETUP: Setup = Setup {
    budget: 1_000,
    fee_bps: 0,
    netting_bps: 5_000,
    minimum: 0,
    clearing_days: 0,
    attribution_days: 1,
    replay_days: 1,
};

fn terms() -> Terms {
    let mut terms = SETUP.terms();
    terms.rates.insert("sale".into(), Rate::Flat(vec![(0, Minor(100))]));
    terms
}

/// Live under these terms, with one creator who can be paid.
fn live(terms: Terms) -> World {
    let mut world = World::with_terms(terms);
    world.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
    world.must(T, Ask::Confirm { deposit: 0 });
    world.run(T, |draft| draft.enroll(enrollment_id(0), Offer::default())).expect("enrolls");
    world.enrolled = 1;
    world.must(T, Ask::Onboard { enrollment: 0 });
    world.must(T, Ask::Launch);
    world
}

fn convert(world: &mut World, at: i64) {
    world.must(at, Ask::Convert { enrollment: 0, order: 9, click: at, held_until: None });
}

#[test]
fn a_live_campaign_pauses_when_its_funds_are_used_up_and_not_before() {
    let mut world = live(Terms { on_exhausted: OnExhausted::Pause, ..terms() });
    let pause = |world: &mut World| world.run(T, Draft::pause_if_exhausted).expect("no bug");
    assert!(!pause(&mut world), "confirmed funds that no run has looked at are not used up");
    for _ in 0..10 {
        world.must(T, Ask::Rollup { upto: None });
        assert!(!pause(&mut world), "{} is free", world.campaign.free());
        convert(&mut world, T);
    }
    world.must(T, Ask::Rollup { upto: None });
    assert!(pause(&mut world));
    assert_eq!(world.campaign.state(), State::Paused);
    let mut recording = live(terms());
    for _ in 0..11 {
        convert(&mut recording, T);
    }
    recording.must(T, Ask::Rollup { upto: None });
    assert!(!pause(&mut recording), "`record` goes on");
    let mut frozen = live(Terms { on_exhausted: OnExhausted::Pause, ..terms() });
    frozen.must(T, Ask::Disputed { deposit: 0, case: 1, amount: 5 });
    frozen.must(T, Ask::Rollup { upto: None });
    assert!(!pause(&mut frozen), "a freeze is no exhaustion");
}

#[test]
fn a_dispute_stops_accrual_from_its_opening_to_its_close() {
    let mut world = live(terms());
    world.must(T, Ask::Disputed { deposit: 0, case: 1, amount: 1_000 });
    convert(&mut world, T);
    world.must(T, Ask::Rollup { upto: None });
    assert_eq!(world.campaign.balance(Account::Payable), Minor(0));
    let again = world.apply(&Op { at: T, ask: Ask::Disputed { deposit: 0, case: 1, amount: 1 } });
    assert!(!again, "the case is known");
    world.must(T, Ask::Won { deposit: 0, case: 1 });
    world.must(T, Ask::Rollup { upto: None });
    assert_eq!(world.campaign.balance(Account::Payable), Minor(100));
    world.must(T, Ask::Reverse { deposit: 0, case: 2, amount: 5, cause: 0, fee: 0 });
    let seq = world.deposits[0];
    let won = world.run(T, |draft| draft.close_dispute(seq, "k2".into(), true));
    assert!(matches!(won, Err(Refusal::Thing { .. })), "won only when the money is back");
}

#[test]
fn a_draft_is_funded_when_its_last_case_closes_and_never_launches_frozen() {
    let mut world = World::with_terms(terms());
    for _ in 0..2 {
        world.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
    }
    world.must(T, Ask::Confirm { deposit: 0 });
    world.must(T, Ask::Reverse { deposit: 0, case: 1, amount: 1_000, cause: 0, fee: 0 });
    world.must(T, Ask::Confirm { deposit: 1 });
    assert_eq!(world.campaign.state(), State::Draft);
    world.must(T, Ask::Lost { deposit: 0, case: 1 });
    assert_eq!(world.campaign.state(), State::Funded);
    world.must(T, Ask::Disputed { deposit: 1, case: 2, amount: 1 });
    assert_eq!(world.run(T, Draft::launch), Err(Refusal::Frozen));
}

#[test]
fn inv_9_a_payment_confirms_one_deposit_of_one_campaign() {
    let other = Opening { id: CampaignId([4; 16]), brand: BrandId([1; 16]), mode: Mode::Sandbox };
    let mut other = Draft::open(other, terms(), T).expect("opens");
    let theirs = other.expect_deposit(Minor(1), Minor(1), "cs_a".into()).expect("expected");
    let observed = |campaign, amount, session: &str| ObservedDeposit {
        campaign,
        amount: Minor(amount),
        currency: "usd".into(),
        mode: Mode::Sandbox,
        session: session.into(),
        payment: "pi_1".into(),
        is_paid: true,
    };
    let expected = other.campaign().expected_deposit(theirs).expect("expected");
    let cent = check_deposit(&expected, &observed(CampaignId([4; 16]), 1, "cs_a")).expect("paid");
    let mut world = World::with_terms(terms());
    let expect = |world: &mut World, session: &str| {
        world.run(T, |draft| draft.expect_deposit(Minor(1_000), Minor(1_000), session.into()))
    };
    let first = expect(&mut world, "cs_1").expect("expected");
    assert_eq!(first, theirs, "the same position in another ledger");
    let foreign = world.run(T, |draft| draft.confirm_deposit(cent));
    assert!(matches!(foreign, Err(Refusal::Thing { .. })), "{foreign:?}");
    let same = expect(&mut world, "cs_1");
    assert!(matches!(same, Err(Refusal::Field { field: "session", .. })));
    let second = expect(&mut world, "cs_2").expect("expected");
    let confirm = |world: &mut World, seq, session| {
        let expected = world.campaign.expected_deposit(seq).expect("expected");
        let funds = check_deposit(&expected, &observed(CAMPAIGN, 1_000, session)).expect("paid");
        world.run(T, |draft| draft.confirm_deposit(funds))
    };
    assert_eq!(confirm(&mut world, first, "cs_1"), Ok(()));
    let twice = confirm(&mut world, second, "cs_2");
    assert!(matches!(twice, Err(Refusal::Thing { .. })), "one payment, two deposits: {twice:?}");
}

/// ADR 16.
#[test]
fn a_deposit_that_failed_can_be_confirmed_and_one_that_is_confirmed_cannot_fail() {
    let mut world = World::with_terms(terms());
    let seq = world
        .run(T, |draft| draft.expect_deposit(Minor(1_000), Minor(1_000), "cs_1".into()))
        .expect("expected");
    let fail = |world: &mut World| world.run(T, |draft| draft.fail_deposit(seq, "expired".into()));
    assert_eq!(fail(&mut world), Ok(()));
    assert!(matches!(fail(&mut world), Err(Refusal::Thing { .. })), "fails once");
    assert_eq!(world.campaign.balance(Account::CampaignFunds), Minor(0));
    let expected = world.campaign.expected_deposit(seq).expect("may still be paid");
    let observed = ObservedDeposit {
        campaign: CAMPAIGN,
        amount: Minor(1_000),
        currency: "usd".into(),
        mode: Mode::Sandbox,
        session: "cs_1".into(),
        payment: "pi_1".into(),
        is_paid: true,
    };
    let funds = check_deposit(&expected, &observed).expect("paid");
    let again = check_deposit(&expected, &observed).expect("paid");
    assert_eq!(world.run(T, |draft| draft.confirm_deposit(funds)), Ok(()));
    assert_eq!(world.campaign.balance(Account::CampaignFunds), Minor(1_000));
    let twice = world.run(T, |draft| draft.confirm_deposit(again));
    assert!(matches!(twice, Err(Refusal::Thing { .. })), "{twice:?}");
    assert!(matches!(fail(&mut world), Err(Refusal::Thing { .. })));
}

#[test]
fn a_reversal_takes_no_more_from_the_fee_reserve_than_what_left() {
    let mut world = World::with_terms(Terms { budget: Minor(105), ..terms() });
    world.must(T, Ask::Expect { amount: 140, budget_part: 105 });
    world.must(T, Ask::Confirm { deposit: 0 });
    world.must(T, Ask::Reverse { deposit: 0, case: 1, amount: 126, cause: 1, fee: 0 });
    assert_eq!(world.campaign.balance(Account::FeeReserve), Minor(14));
    world.must(T, Ask::Reverse { deposit: 0, case: 2, amount: 2, cause: 0, fee: 0 });
    assert_eq!(world.campaign.balance(Account::FeeReserve), Minor(12));
    assert_eq!(world.campaign.balance(Account::CampaignFunds), Minor(0));
    world.must(T, Ask::Won { deposit: 0, case: 2 });
    assert_eq!(world.campaign.balance(Account::FeeReserve), Minor(14));
}

#[test]
fn an_upheld_hold_keeps_nothing_of_what_the_creator_paid_back() {
    let mut world = live(terms());
    world.must(T, Ask::Convert { enrollment: 0, order: 100, click: T, held_until: None });
    world.must(T + DAY, Ask::Plan);
    world.must(T + DAY, Ask::Refunded { conversion: 0, amount: 50 });
    convert(&mut world, T + DAY);
    world.must(T + DAY, Ask::Rollup { upto: None });
    // The second conversion has paid the claw-back of the first, so what comes back is owed whole.
    assert_eq!(world.campaign.balance(Account::Clawback), Minor(0));
    world.must(T + DAY, Ask::CancelPayout { payout: 0 });
    world.must(T + DAY, Ask::Hold { conversion: 0, deadline: T + 2 * DAY });
    assert_eq!(world.campaign.balance(Account::Held), Minor(100));
    world.must(T + DAY, Ask::EndHold { conversion: 0, uphold: true });
    assert_eq!(world.campaign.balance(Account::Held), Minor(0));
    assert_eq!(world.campaign.balance(Account::Payable), Minor(100));
}

fn rate_at(world: &World, click_at: i64) -> RateValue {
    world.campaign.rate_at(EnrollmentNo(0), "sale", click_at)
}

type Cut = fn(&mut Terms);

#[test]
fn a_cut_needs_its_notice_however_it_is_made() {
    let flat = RateValue::Flat(Minor(100));
    let cuts: [(&str, Cut); 3] = [
        ("less", |terms| drop(terms.rates.insert("sale".into(), Rate::Flat(vec![(0, Minor(99))])))),
        ("a share", |terms| drop(terms.rates.insert("sale".into(), Rate::Bps(vec![(0, 9_999)])))),
        ("nothing", |terms| drop(terms.rates.remove("sale"))),
    ];
    for (name, cut) in cuts {
        let mut world = live(terms());
        let mut next = Terms::clone(world.campaign.terms());
        cut(&mut next);
        world.run(T + DAY, |draft| draft.set_terms(next)).expect("set");
        // A change of something else meanwhile does not shorten the notice.
        world.must(T + 2 * DAY, Ask::Budget { budget: 2_000 });
        assert_eq!(rate_at(&world, T + 7 * DAY), flat, "{name}");
        assert_ne!(rate_at(&world, T + 10 * DAY), flat, "{name}");
    }
}

#[test]
fn own_rates_stand_alone_and_the_accepted_version_is_the_least() {
    let mut world = live(terms());
    let mut next = Terms::clone(world.campaign.terms());
    next.rates.insert("lead".into(), Rate::Flat(vec![(0, Minor(7))]));
    world.run(T + DAY, |draft| draft.set_terms(next)).expect("set");
    let rates = Some([("lead".to_owned(), Rate::Flat(vec![(0, Minor(9))]))].into());
    let offer = Offer { rates, ..Offer::default() };
    world.run(T + DAY, |draft| draft.enroll(enrollment_id(1), offer)).expect("enrolls");
    world.run(T + DAY, |draft| draft.enroll(enrollment_id(2), Offer::default())).expect("enrolls");
    let rate = |no, kind: &str| world.campaign.rate_at(EnrollmentNo(no), kind, T + DAY);
    assert_eq!(rate(1, "lead"), RateValue::Flat(Minor(9)));
    assert_eq!(rate(1, "sale"), RateValue::Bps(0), "own rates do not fall back");
    assert_eq!(rate(2, "lead"), RateValue::Flat(Minor(7)), "accepted, so it counts at once");
    assert_eq!(rate(0, "lead"), RateValue::Bps(0), "set at that moment, not strictly before");
}

#[test]
fn an_end_lies_ahead_and_within_24_months() {
    for ends_at in [T, T + 732 * DAY] {
        let mut world = World::with_terms(Terms { ends_at, ..terms() });
        world.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
        world.must(T, Ask::Confirm { deposit: 0 });
        let refused = world.run(T, Draft::launch);
        assert!(matches!(refused, Err(Refusal::Field { field: "terms.ends_at", .. })));
    }
    let mut world = live(terms());
    let far = Terms { ends_at: T + 732 * DAY, ..Terms::clone(world.campaign.terms()) };
    let refused = world.run(T, |draft| draft.set_terms(far));
    assert!(matches!(refused, Err(Refusal::Terms(error)) if error.field == "ends_at"));
    let early = world.run(T + DAY, |draft| draft.complete(StateCause::EndsAt));
    assert!(matches!(early, Err(Refusal::TooEarly { .. })));
    let due = world.run(T + 700 * DAY, |draft| draft.complete(StateCause::EndsAt));
    assert_eq!(due, Ok(()));
}

#[test]
fn terms_that_creators_rely_on_never_change() {
    let mut world = live(terms());
    let base = Terms::clone(world.campaign.terms());
    let tiers = Rate::Flat(vec![(0, Minor(100)), (5, Minor(200))]);
    let mut tiered = base.clone();
    tiered.rates.insert("sale".into(), tiers);
    let changed = [
        ("payout_minimum", Terms { payout_minimum: Minor(9), ..base.clone() }),
        ("attribution_window_days", Terms { attribution_window_days: 9, ..base.clone() }),
        ("min_order", Terms { min_order: Minor(9), ..base }),
        ("rates", tiered),
    ];
    for (field, terms) in changed {
        let refusal = world.run(T, |draft| draft.set_terms(terms));
        assert!(matches!(&refusal, Err(Refusal::Terms(e)) if e.field == field), "{refusal:?}");
    }
}

#[test]
fn payouts_wait_for_their_interval_and_their_deposits_next_day() {
    let mut world = live(Terms { payout_every_days: 30, ..terms() });
    for day in 0..3 {
        convert(&mut world, T + day * DAY);
        world.must(T + (day + 1) * DAY, Ask::Plan);
    }
    assert_eq!(world.payouts.len(), 1, "the rest waits for the interval");
    world.must(T + 31 * DAY, Ask::Plan);
    assert_eq!(world.payouts.len(), 2);
    let mut world = live(terms());
    convert(&mut world, T);
    world.must(T + DAY, Ask::Plan);
    convert(&mut world, T + DAY);
    world.must(T + 2 * DAY, Ask::Adjust { enrollment: 0, amount: 5 });
    world.must(T + 2 * DAY, Ask::Plan);
    world.must(T + 2 * DAY, Ask::Adjust { enrollment: 0, amount: 5 });
    let payable = world.is_payable();
    let short = world.run(T + 2 * DAY, |draft| draft.plan_payouts(&payable, false));
    assert_eq!(short, Ok(Minor(0)), "tomorrow the deposit backs it: no shortage");
    assert_eq!(world.payouts.len(), 2);
}

#[test]
fn an_unlocked_base_stays_earned_when_the_campaign_is_cancelled() {
    let mut world = World::with_terms(terms());
    world.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
    world.must(T, Ask::Confirm { deposit: 0 });
    for number in 0..2 {
        let (base, base_unlock) = (Minor(300), Some(BaseUnlock::Deliverable));
        let offer = Offer { base, base_unlock, ..Offer::default() };
        world.run(T, |draft| draft.enroll(enrollment_id(number), offer)).expect("enrolls");
        world.run(T, |draft| draft.submit_deliverable(enrollment_id(number))).expect("submits");
    }
    world.run(T, |draft| draft.judge_deliverable(enrollment_id(0), None)).expect("accepts");
    world.must(T, Ask::Cancel);
    let judged = world.run(T, |draft| draft.judge_deliverable(enrollment_id(1), None));
    assert!(matches!(judged, Err(Refusal::State { .. })));
    assert_eq!(world.campaign.balance(Account::Unclaimed), Minor(300));
    assert_eq!(world.campaign.balance(Account::CampaignFunds), Minor(700));
    let nobody = world.run(T, |draft| draft.plan_unclaimed(enrollment_id(0), &|_| false));
    assert!(matches!(nobody, Err(Refusal::Enrollment(_))));
    let planned = world.run(T, |draft| draft.plan_unclaimed(enrollment_id(0), &|_| true));
    assert_eq!(planned, Ok(Minor(0)));
    assert_eq!(world.campaign.balance(Account::DisbursementClearing), Minor(300));
}

#[test]
fn silence_of_seven_days_accepts_a_deliverable() {
    let mut world = live(terms());
    let offer =
        Offer { base: Minor(300), base_unlock: Some(BaseUnlock::Deliverable), ..Offer::default() };
    world.run(T, |draft| draft.enroll(enrollment_id(1), offer)).expect("enrolls");
    world.run(T, |draft| draft.submit_deliverable(enrollment_id(1))).expect("submits");
    world.must(T + 7 * DAY - 1, Ask::Bases);
    assert_eq!(world.campaign.balance(Account::BaseReserve), Minor(300));
    world.must(T + 7 * DAY, Ask::Bases);
    assert_eq!(world.campaign.balance(Account::BaseReserve), Minor(0));
    assert_eq!(world.campaign.balance(Account::Payable), Minor(300));
}

#[test]
fn neither_holds_nor_claims_put_the_close_off_for_ever() {
    let mut world = live(terms());
    convert(&mut world, T);
    world.must(T, Ask::Rollup { upto: None });
    let conversion = world.conversions[0].expect("taken in");
    let hold = |world: &mut World, at, deadline| {
        world.run(at, |draft| draft.place_hold(conversion, deadline, "doubt".into()))
    };
    let long = hold(&mut world, T, T + 7 * DAY + 1);
    assert!(matches!(long, Err(Refusal::Field { field: "deadline", .. })));
    assert_eq!(hold(&mut world, T, T + 7 * DAY), Ok(()));
    let end = world.run(T, |draft| draft.end_hold(conversion, HoldDecision::Release));
    assert_eq!(end, Ok(()));
    world.must(T, Ask::OpenClaim { enrollment: 0 });
    world.must(T, Ask::Complete);
    let late = T + 3 * DAY;
    assert!(matches!(hold(&mut world, late, late), Err(Refusal::State { .. })));
    let claim = world.run(late, |draft| draft.open_claim(enrollment_id(0), "late".into()));
    assert!(matches!(claim, Err(Refusal::State { .. })));
    world.must(late, Ask::Close);
    assert_eq!(world.campaign.state(), State::Completed, "an open claim is answered first");
    let open = world.claims[0];
    world.run(late, |draft| draft.end_claim(open, ClaimEnd::Expired)).expect("expires");
    world.must(late, Ask::Close);
    assert!(world.refunds.len() == 1);
}

#[test]
fn people_limits_hold() {
    let mut world = live(terms());
    let adjust = |world: &mut World, amount, by: &[&str]| {
        let by = by.iter().map(|name| (*name).to_owned()).collect();
        world.run(T, |draft| draft.adjust(enrollment_id(0), Minor(amount), "sorry".into(), by))
    };
    let two = Err(Refusal::Field { field: "approved_by", fix: "two different people must agree" });
    assert_eq!(adjust(&mut world, 10_001, &["ann"]), two);
    assert_eq!(adjust(&mut world, 10_001, &["ann", "ann"]), two);
    assert_eq!(adjust(&mut world, 10_001, &["", " "]), two);
    let funds = adjust(&mut world, 10_001, &["ann", "ben"]);
    assert_eq!(funds, Err(Refusal::Funds { needed: Minor(10_001), free: Minor(1_000) }));
    assert_eq!(adjust(&mut world, 10, &["ann"]), Ok(()));
    world.must(T, Ask::Disputed { deposit: 0, case: 1, amount: 1 });
    assert_eq!(adjust(&mut world, 10, &["ann"]), Err(Refusal::Frozen));
}

#[test]
fn inv_3_an_outcome_names_its_attempt() {
    let mut world = live(terms());
    convert(&mut world, T);
    world.must(T + DAY, Ask::Plan);
    world.must(T + DAY, Ask::Attempt { payout: 0 });
    world.must(T + DAY, Ask::Outcome { payout: 0, what: 1 });
    world.must(T + DAY, Ask::Attempt { payout: 0 });
    let payout = world.payouts[0];
    for outcome in [Outcome::Failed("late".into()), Outcome::Paid("tr".into())] {
        let late = world.run(T + DAY, |draft| draft.record_outcome(payout, 1, outcome));
        assert!(matches!(late, Err(Refusal::Thing { .. })), "{late:?}");
    }
}

#[test]
fn what_is_taken_in_is_in_range_and_in_its_windows() {
    let mut world = live(terms());
    let take = |world: &mut World, at, amount| {
        let body = ConversionAccepted(taken(1, amount, at)).into();
        world.run(at, |draft| draft.take_in(enrollment_id(0), body))
    };
    for amount in [-1, 100_000_000_001] {
        let refused = take(&mut world, T, amount);
        assert!(matches!(refused, Err(Refusal::Field { field: "amount", .. })));
    }
    world.must(T, Ask::Complete);
    let reason = "declared_bot".to_owned();
    let rejected = ConversionRejected { reason, taken: taken(2, 5, T) };
    let late = world.run(T + 30 * DAY, |draft| draft.take_in(enrollment_id(0), rejected.into()));
    assert!(matches!(late, Err(Refusal::NotCredited(_))), "{late:?}");
    let gate = world.campaign.gate();
    assert_eq!(gate.live, [(T, Some(T))]);
    assert_eq!(gate.ended_at, Some(T));
    let mut followed = live(terms()).campaign.gate().clone();
    followed.apply(T, State::Completed);
    assert_eq!(followed, *gate, "the intake follows as the fold does");
}

#[test]
fn the_providers_reserve_is_rounded_up() {
    let world = World::with_terms(terms());
    // 4 % of 1,001 is 40.04, and 100 more.
    assert_eq!(provider_fee_reserve(&world.campaign, Minor(1_001)), Minor(141));
    assert_eq!(provider_fee_reserve(&world.campaign, Minor(1_000)), Minor(140));
}
