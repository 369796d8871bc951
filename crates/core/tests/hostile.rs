//! Forged entries: each would follow the ledger if replay only recomputed postings, and each is
//! refused. One test per rule that `Campaign::apply` asks of a stored entry.

mod world;

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::{BaseUnlock, Terms};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::{CampaignId, CompositeKey, Fingerprint, Salt, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::error::LedgerError;
use sponsorhub_core::ledger::event::campaign::{CampaignStateChanged, Mode, StateCause, TermsSet};
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionReversed, HoldPlaced, HoldReleased,
};
use sponsorhub_core::ledger::event::deposit::{
    DepositConfirmed, DepositDisputeClosed, DepositDisputed, DepositExpected, DepositFailed,
    DepositReversed, DisputeOutcome, PlatformAdvanced, ReversalCause,
};
use sponsorhub_core::ledger::event::enrollment::{
    BaseEarned, BaseReleased, DeliverableSubmitted, EnrollmentEnded,
};
use sponsorhub_core::ledger::event::oversight::{Adjustment, AdjustmentPair, ClaimAnswered};
use sponsorhub_core::ledger::event::payout::{
    DisbursementAttempted, DisbursementFailed, DisbursementPaid, PayoutPlanned, PayoutSource,
    PayoutUnclaimed, RefundPlanned,
};
use sponsorhub_core::ledger::event::rollup::{Accrual, RollupAccrued, RollupClosed};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Glance;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::{Currency, Minor};
use world::op::{Ask, Pay, Unlock};
use world::{CAMPAIGN, DAY, Setup, T, World, enrollment_id, taken};

const SETUP: Setup = Setup {
    budget: 1_000,
    fee_bps: 0,
    netting_bps: 5_000,
    minimum: 0,
    clearing_days: 5,
    attribution_days: 1,
    replay_days: 1,
};

/// Live, with two creators at a flat 100 and one scanned conversion of the first.
fn earning() -> World {
    let mut world = World::new(&SETUP);
    world.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
    world.must(T, Ask::Confirm { deposit: 0 });
    world.must(T, Ask::Launch);
    for enrollment in 0..2 {
        let pay = Pay { flat: true, tiers: vec![(0, 100)] };
        let unlock = Unlock::Deliverable;
        world.must(T, Ask::Enroll { pay, cap: None, base: 0, unlock });
        world.must(T, Ask::Onboard { enrollment });
    }
    world.must(T, Ask::Convert { enrollment: 0, order: 9, click: T, held_until: None });
    world.must(T, Ask::Rollup { upto: None });
    world
}

fn next(campaign: &Campaign, at: i64, whose: Option<usize>, body: Body) -> Entry {
    let enrollment = whose.map(|number| {
        let id = enrollment_id(number);
        let no = campaign.enrollment_no(id);
        (id, no.map_or(1, |no| campaign.enrollment(no).n + 1))
    });
    let seq = campaign.head() + 1;
    Entry { at, body, campaign: CAMPAIGN, enrollment, salt: Salt([0; 16]), seq }
}

/// What replay says of a forged next entry.
fn forge(
    campaign: &Campaign,
    at: i64,
    whose: Option<usize>,
    body: impl Into<Body>,
) -> Result<(), LedgerError> {
    let entry = next(campaign, at, whose, body.into());
    let read = Entry::decode(&entry.encode().expect("canonical")).expect("readable");
    campaign.clone().apply(&read).map(drop)
}

fn is_reference(result: &Result<(), LedgerError>) -> bool {
    matches!(result, Err(LedgerError::Reference { .. }))
}

fn to(state: State) -> CampaignStateChanged {
    CampaignStateChanged { cause: StateCause::Brand, to: state }
}

#[test]
fn inv_9_no_state_without_its_funds() {
    let empty = World::new(&SETUP).campaign;
    let unfunded = Err(LedgerError::Unfunded { confirmed: Minor(0), budget: Minor(1_000) });
    assert_eq!(forge(&empty, T, None, to(State::Funded)), unfunded);
    let edge = LedgerError::Edge { from: State::Draft, to: State::Live };
    assert_eq!(forge(&empty, T, None, to(State::Live)), Err(edge));
    let mut raised = World::new(&SETUP);
    raised.must(T, Ask::Expect { amount: 1_000, budget_part: 1_000 });
    raised.must(T, Ask::Confirm { deposit: 0 });
    raised.must(T, Ask::Budget { budget: 2_000 });
    let short = Err(LedgerError::Unfunded { confirmed: Minor(1_000), budget: Minor(2_000) });
    assert_eq!(forge(&raised.campaign, T, None, to(State::Live)), short);
}

#[test]
fn inv_12_no_close_with_money_inside_or_before_its_time() {
    let mut world = earning();
    world.must(T, Ask::Complete);
    for at in [T, T + 90 * DAY] {
        assert!(is_reference(&forge(&world.campaign, at, None, to(State::PaidOut))), "{at}");
    }
}

#[test]
fn inv_9_no_conversion_outside_of_what_is_credited() {
    let campaign = earning().campaign;
    for (whose, click) in [(0, T - 1), (0, T + 900 * DAY), (1, T - 1)] {
        let body = ConversionAccepted(taken(7, 9, click));
        let refused = Err(LedgerError::NotCredited { click_at: click });
        assert_eq!(forge(&campaign, T + DAY, Some(whose), body.clone()), refused);
        let bytes = next(&campaign, T + DAY, Some(whose), body.into()).encode().expect("bytes");
        let glance = Glance::at(&bytes).expect("an accepted conversion");
        assert_eq!(campaign.clone().apply_glance(&glance), refused, "a glance sees the same");
    }
}

#[test]
fn a_glance_is_as_strict_with_envelope_counter_and_amount() {
    let campaign = earning().campaign;
    let good = next(&campaign, T, Some(0), ConversionAccepted(taken(7, 9, T)).into());
    let glanced = |entry: &Entry| {
        let bytes = entry.encode().expect("bytes");
        campaign.clone().apply_glance(&Glance::at(&bytes).expect("accepted"))
    };
    assert_eq!(glanced(&good), Ok(()));
    let mut other = good.clone();
    other.seq += 1;
    assert!(matches!(glanced(&other), Err(LedgerError::Sequence { .. })));
    let mut other = good.clone();
    other.at = T - 1;
    assert!(matches!(glanced(&other), Err(LedgerError::TimeWentBack { .. })));
    let mut other = good.clone();
    other.campaign = CampaignId([3; 16]);
    assert_eq!(glanced(&other), Err(LedgerError::OtherCampaign));
    let mut other = good.clone();
    other.enrollment = Some((enrollment_id(0), 99));
    assert!(matches!(glanced(&other), Err(LedgerError::Counter { .. })));
    let mut other = good;
    other.body = ConversionAccepted(taken(7, 100_000_000_001, T)).into();
    assert_eq!(glanced(&other), Err(LedgerError::Amount { field: "amount" }));
}

#[test]
fn a_glance_sees_what_a_decoder_sees_whatever_byte_is_changed() {
    let campaign = earning().campaign;
    let entry = next(&campaign, T, Some(0), ConversionAccepted(taken(7, 9, T)).into());
    let bytes = entry.encode().expect("bytes");
    let (mut same, mut left) = (0, 0);
    for place in 0..bytes.len() {
        for other in (0..=u8::MAX).step_by(3).chain(*b"\"\\-0123456789{}[],:") {
            let mut changed = bytes.clone();
            changed[place] = other;
            let (glance, decoded) = (Glance::at(&changed), Entry::decode(&changed));
            let (Some(glance), Ok(decoded)) = (glance, decoded) else {
                left += 1;
                continue;
            };
            let Body::ConversionAccepted(ConversionAccepted(taken)) = &decoded.body else {
                panic!("a glance at another kind: {decoded:?}");
            };
            same += 1;
            let seen = (glance.at, glance.seq, glance.campaign, glance.amount, glance.click_at);
            let read = (decoded.at, decoded.seq, decoded.campaign, taken.amount, taken.click_at);
            assert_eq!(seen, read);
            assert_eq!(Some((glance.enrollment, glance.n)), decoded.enrollment);
            assert_eq!(glance.event_type.as_str(), taken.r#type);
        }
    }
    assert!(same > 1_000 && left > 1_000, "{same} the same, {left} left to the decoder");
}

#[test]
fn inv_6_position_counter_time_and_campaign_are_the_next_ones() {
    let campaign = earning().campaign;
    let good = next(&campaign, T, Some(0), EnrollmentEnded {}.into());
    let apply = |entry: &Entry| campaign.clone().apply(entry).map(drop);
    assert_eq!(apply(&good), Ok(()));
    let wrong = |change: &dyn Fn(&mut Entry)| {
        let mut entry = good.clone();
        change(&mut entry);
        apply(&entry)
    };
    assert!(matches!(wrong(&|entry| entry.seq += 1), Err(LedgerError::Sequence { .. })));
    assert!(matches!(wrong(&|entry| entry.at = T - 1), Err(LedgerError::TimeWentBack { .. })));
    let other = wrong(&|entry| entry.campaign = CampaignId([3; 16]));
    assert_eq!(other, Err(LedgerError::OtherCampaign));
    let other = wrong(&|entry| entry.enrollment = Some((enrollment_id(0), 99)));
    assert!(matches!(other, Err(LedgerError::Counter { .. })));
}

fn planned(amount: i64, day: i64, deposit: Seq) -> PayoutPlanned {
    PayoutPlanned { amount: Minor(amount), day, deposit, source: PayoutSource::Payable }
}

#[test]
fn inv_10_no_payout_of_what_is_not_matured_or_not_theirs_or_not_backed() {
    let mut world = earning();
    let deposit = world.deposits[0];
    let early = T + 2 * DAY;
    assert!(is_reference(&forge(&world.campaign, early, Some(0), planned(40, 20_002, deposit))));
    assert!(is_reference(&forge(&world.campaign, early, Some(0), planned(40, 20_900, deposit))));
    let late = T + 9 * DAY;
    let good = planned(40, 20_009, deposit);
    assert_eq!(forge(&world.campaign, late, Some(0), good), Ok(()));
    assert!(is_reference(&forge(&world.campaign, late, Some(1), good)), "another's money");
    assert!(is_reference(&forge(&world.campaign, late, Some(0), planned(101, 20_009, deposit))));
    let unbacked = forge(&world.campaign, late, Some(0), planned(40, 20_009, deposit + 90));
    assert_eq!(unbacked, Err(LedgerError::Deposit(deposit + 90)));
    let beyond = forge(&world.campaign, late, Some(0), planned(1_001, 20_009, deposit));
    assert_eq!(beyond, Err(LedgerError::Deposit(deposit)));
    world.must(late, Ask::Plan);
    let payout = world.payouts[0];
    let attempted = |attempt| DisbursementAttempted { attempt, key: "k".into(), payout };
    assert!(is_reference(&forge(&world.campaign, late, Some(0), attempted(2))));
    let foreign = forge(&world.campaign, late, Some(1), attempted(1));
    assert_eq!(foreign, Err(LedgerError::Enrollment));
    assert!(is_reference(&forge(&world.campaign, late, Some(0), planned(1, 20_009, deposit))));
}

#[test]
fn inv_3_what_is_heard_late_of_an_earlier_attempt_changes_nothing() {
    let mut world = earning();
    let at = T + 9 * DAY;
    world.must(at, Ask::Plan);
    world.must(at, Ask::Attempt { payout: 0 });
    world.must(at, Ask::Outcome { payout: 0, what: 1 });
    world.must(at, Ask::Attempt { payout: 0 });
    let payout = world.payouts[0];
    let failed = DisbursementFailed { attempt: 1, code: "late".into(), payout };
    assert!(is_reference(&forge(&world.campaign, at, Some(0), failed)));
    let paid = DisbursementPaid { attempt: 1, payout, transfer: "tr".into() };
    assert!(is_reference(&forge(&world.campaign, at, Some(0), paid)));
    let paid = DisbursementPaid { attempt: 2, payout, transfer: "tr".into() };
    assert_eq!(forge(&world.campaign, at, Some(0), paid), Ok(()));
}

#[test]
fn money_leaves_only_when_its_time_has_come() {
    let world = earning();
    let deposit = world.deposits[0];
    let refund = RefundPlanned { amount: Minor(900), deposit };
    assert!(is_reference(&forge(&world.campaign, T, None, refund)), "live");
    assert!(is_reference(&forge(&world.campaign, T, Some(0), PayoutUnclaimed {})), "live");
    for (pair, whose) in [(AdjustmentPair::WriteOff, Some(0)), (AdjustmentPair::SetOff, None)] {
        let (approved_by, reason) = (Vec::new(), "x".to_owned());
        let body = Adjustment { amount: Minor(1), approved_by, pair, reason };
        assert!(is_reference(&forge(&world.campaign, T, whose, body)), "{pair:?} while live");
    }
    let mut closing = earning();
    closing.must(T, Ask::Complete);
    closing.must(T + 90 * DAY, Ask::Rollup { upto: None });
    let above = RefundPlanned { amount: Minor(1_001), deposit };
    let refused = forge(&closing.campaign, T + 90 * DAY, None, above);
    assert_eq!(refused, Err(LedgerError::Deposit(deposit)));
}

#[test]
fn what_takes_two_people_takes_two_different_ones() {
    let campaign = earning().campaign;
    for approved_by in [
        vec![],
        vec!["ann".into()],
        vec!["ann".into(), " ann".into()],
        vec![String::new(), " ".into()],
    ] {
        let body = PlatformAdvanced { amount: Minor(5), approved_by };
        assert!(is_reference(&forge(&campaign, T, None, body)));
    }
    let approved_by = vec!["ann".to_owned(), "ben".to_owned()];
    let body = PlatformAdvanced { amount: Minor(5), approved_by };
    assert_eq!(forge(&campaign, T, None, body), Ok(()));
}

#[test]
fn an_adjustment_takes_free_funds_only() {
    let campaign = earning().campaign;
    let adjust = |amount| {
        let (approved_by, reason) = (vec!["ann".into(), "ben".into()], "goodwill".to_owned());
        let pair = AdjustmentPair::FundsToPayable;
        Adjustment { amount: Minor(amount), approved_by, pair, reason }
    };
    assert_eq!(forge(&campaign, T, Some(1), adjust(900)), Ok(()));
    assert!(is_reference(&forge(&campaign, T, Some(1), adjust(901))));
    assert_eq!(forge(&campaign, T, None, adjust(5)), Err(LedgerError::Enrollment));
}

#[test]
fn terms_follow_with_version_hash_notice_and_frozen_fields() {
    let campaign = earning().campaign;
    let set = |effective_at, change: &dyn Fn(&mut Terms), version, hash: Option<&str>| {
        let mut terms = Terms::clone(campaign.terms());
        change(&mut terms);
        let hex = data_encoding::HEXLOWER.encode(&terms.hash());
        let terms_hash = hash.map_or(hex, str::to_owned);
        forge(&campaign, T, None, TermsSet { effective_at, terms, terms_hash, version })
    };
    let raise = |terms: &mut Terms| terms.budget = Minor(2_000);
    assert_eq!(set(T, &raise, 2, None), Ok(()));
    let refused = |result: Result<(), LedgerError>| match result {
        Err(LedgerError::Terms(field)) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(set(T, &raise, 3, None)), "the version is not the next one");
    assert_eq!(refused(set(T, &raise, 2, Some("bogus"))), "terms_hash");
    assert_eq!(refused(set(T - 1, &raise, 2, None)), "effective_at");
    assert_eq!(refused(set(T, &|terms| terms.budget = Minor(999), 2, None)), "budget");
    let fee = |terms: &mut Terms| terms.platform_fee_bps = 1;
    assert_eq!(refused(set(T, &fee, 2, None)), "platform_fee_bps");
    let order = |terms: &mut Terms| terms.min_order = Minor(5);
    assert_eq!(refused(set(T, &order, 2, None)), "min_order");
}

#[test]
fn deposits_are_of_the_campaigns_currency_and_mode_and_cases_of_their_deposit() {
    let mut world = earning();
    let expected = |currency, mode| {
        let (amount, budget_part) = (Minor(5), Minor(5));
        DepositExpected { amount, budget_part, currency, mode, session: "cs_9".into() }
    };
    let campaign = &world.campaign;
    assert_eq!(forge(campaign, T, None, expected(Currency::Usd, Mode::Sandbox)), Ok(()));
    assert!(is_reference(&forge(campaign, T, None, expected(Currency::Eur, Mode::Sandbox))));
    assert!(is_reference(&forge(campaign, T, None, expected(Currency::Usd, Mode::Live))));
    let deposit = world.deposits[0];
    let again = DepositConfirmed { deposit, payment: "pi".into() };
    assert!(is_reference(&forge(campaign, T, None, again)), "confirmed twice");
    let failed = DepositFailed { deposit, reason: "late".into() };
    assert!(is_reference(&forge(campaign, T, None, failed)), "confirmed money does not fail");
    let reversed = |amount| {
        let (cause, dispute_fee) = (ReversalCause::Refund, Minor(0));
        DepositReversed { amount: Minor(amount), case: "k9".into(), cause, deposit, dispute_fee }
    };
    let beyond = forge(campaign, T, None, reversed(1_001));
    assert_eq!(beyond, Err(LedgerError::Deposit(deposit)));
    world.must(T, Ask::Reverse { deposit: 0, case: 1, amount: 100, cause: 0, fee: 0 });
    let closed = |case: &str, outcome| DepositDisputeClosed { case: case.into(), deposit, outcome };
    let campaign = &world.campaign;
    assert!(
        is_reference(&forge(campaign, T, None, closed("k1", DisputeOutcome::Won))),
        "money gone"
    );
    assert!(is_reference(&forge(campaign, T, None, closed("k2", DisputeOutcome::Lost))));
    assert_eq!(forge(campaign, T, None, closed("k1", DisputeOutcome::Lost)), Ok(()));
    let disputed = DepositDisputed { amount: Minor(1), case: "k1".into(), deposit };
    assert!(is_reference(&forge(campaign, T, None, disputed)), "the case is known");
}

#[test]
fn a_base_moves_only_as_its_condition_says() {
    let mut world = earning();
    let offer =
        Offer { base: Minor(300), base_unlock: Some(BaseUnlock::Deliverable), ..Offer::default() };
    world.run(T, |draft: &mut Draft| draft.enroll(enrollment_id(2), offer)).expect("enrolls");
    world.must(T, Ask::Rollup { upto: None });
    assert!(is_reference(&forge(&world.campaign, T, Some(2), BaseEarned {})), "not unlocked");
    assert!(is_reference(&forge(&world.campaign, T, Some(2), BaseReleased {})), "still possible");
    world.run(T, |draft| draft.submit_deliverable(enrollment_id(2))).expect("submits");
    assert!(is_reference(&forge(&world.campaign, T, Some(2), DeliverableSubmitted {})), "twice");
    world.run(T, |draft| draft.end_enrollment(enrollment_id(2))).expect("ends");
    assert!(is_reference(&forge(&world.campaign, T, Some(2), EnrollmentEnded {})), "twice");
}

#[test]
fn inv_8_holds_reversals_and_claims_are_of_their_own_creator_and_fit() {
    let mut world = earning();
    let conversion = world.conversions[0].expect("taken in");
    let hold = HoldPlaced { conversion, deadline: T, reason: "x".into() };
    assert_eq!(forge(&world.campaign, T, Some(1), hold.clone()), Err(LedgerError::Enrollment));
    assert!(is_reference(&forge(&world.campaign, T, Some(0), HoldReleased { conversion })));
    let reversed = |amount| ConversionReversed {
        amount: Minor(amount),
        conversion,
        fingerprint: Fingerprint([0; 16]),
        key: CompositeKey([8; 16]),
        occurred_at: T,
    };
    let campaign = &world.campaign;
    assert_eq!(forge(campaign, T, Some(1), reversed(9)), Err(LedgerError::Enrollment));
    let beyond = forge(campaign, T, Some(0), reversed(10));
    assert_eq!(beyond, Err(LedgerError::Reversed(conversion)));
    world.must(T, Ask::OpenClaim { enrollment: 0 });
    let answered = ClaimAnswered { answer: "x".into(), claim: world.claims[0] };
    assert_eq!(forge(&world.campaign, T, Some(1), answered), Err(LedgerError::Enrollment));
    world.must(T, Ask::Refunded { conversion: 0, amount: 9 });
    let again = forge(&world.campaign, T, Some(0), reversed(0));
    assert_eq!(again, Err(LedgerError::Reversed(conversion)));
    let mut planned = earning();
    planned.must(T + 9 * DAY, Ask::Plan);
    assert!(is_reference(&forge(&planned.campaign, T + 9 * DAY, Some(0), hold)), "planned");
}

#[test]
fn a_run_says_what_the_fold_computes_and_is_closed_before_anything_else() {
    let mut world = earning();
    for enrollment in [0, 1] {
        world.must(T, Ask::Convert { enrollment, order: 9, click: T, held_until: None });
    }
    let upto = world.campaign.head();
    let accrued = |payable| RollupAccrued {
        accrual: Accrual { funds: Minor(-100), payable: Minor(payable), ..Accrual::default() },
        upto,
    };
    let lied = forge(&world.campaign, T, Some(0), accrued(101));
    assert!(matches!(lied, Err(LedgerError::Recomputed { .. })));
    let deposit = world.deposits[0];
    let refund = RefundPlanned { amount: Minor(1), deposit };
    let early = forge(&world.campaign, T + 90 * DAY, None, refund);
    assert!(matches!(early, Err(LedgerError::NotCaughtUp { .. })), "demand comes first");
    let mut open = world.campaign.clone();
    let first = next(&open, T, Some(0), accrued(100).into());
    open.apply(&first).expect("the fold agrees");
    assert_eq!(forge(&open, T, None, refund), Err(LedgerError::RunOpen));
    let (cursor, unmet) = (None, Minor(0));
    let close = |funds_after: i64| RollupClosed {
        cursor,
        funds_after: Minor(funds_after),
        funds_before: Minor(900),
        unmet,
        upto,
    };
    let unposted = forge(&open, T, None, close(700));
    assert!(matches!(unposted, Err(LedgerError::Recomputed { .. })), "one accrual is missing");
    let second = next(&open, T, Some(1), accrued(100).into());
    open.apply(&second).expect("the fold agrees");
    assert!(matches!(forge(&open, T, None, close(701)), Err(LedgerError::Recomputed { .. })));
    assert_eq!(forge(&open, T, None, close(700)), Ok(()));
}
