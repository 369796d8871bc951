//! Every state with every command (INV-12): what the table lists happens, anything else is refused
//! and changes nothing.

mod world;

use sponsorhub_core::campaign::state::{Command, State};
use sponsorhub_core::campaign::terms::{Rate, RateValue, Terms};
use sponsorhub_core::deposit::{DepositMismatch, ObservedDeposit, check_deposit};
use sponsorhub_core::disbursement::{DisbursementState, TRANSITIONS};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::{CampaignId, EnrollmentNo};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::ledger::event::conversion::ConversionAccepted;
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;
use world::op::{Ask, Op, Pay, Unlock};
use world::{DAY, Setup, T, World, enrollment_id, taken};

const SETUP: Setup = Setup {
    budget: 100,
    fee_bps: 500,
    netting_bps: 5_000,
    minimum: 0,
    clearing_days: 0,
    attribution_days: 1,
    replay_days: 1,
};

const LATE: i64 = T + 30 * DAY;

/// A campaign in a state, with one deposit that covers its budget and one that is only expected.
fn campaign_in(state: State) -> World {
    let mut world = World::new(&SETUP);
    world.must(T, Ask::Expect { amount: 100, budget_part: 100 });
    world.must(T, Ask::Expect { amount: 200, budget_part: 200 });
    let steps: &[Ask] = match state {
        State::Draft => &[],
        State::Funded => &[Ask::Confirm { deposit: 0 }],
        State::Live => &[Ask::Confirm { deposit: 0 }, Ask::Launch],
        State::Paused => &[Ask::Confirm { deposit: 0 }, Ask::Launch, Ask::Pause],
        State::Completed => &[Ask::Confirm { deposit: 0 }, Ask::Launch, Ask::Complete],
        State::PaidOut => &[
            Ask::Confirm { deposit: 0 },
            Ask::Launch,
            Ask::Complete,
            Ask::Close,
            Ask::RefundOutcome { refund: 0, what: 0 },
            Ask::Close,
        ],
        State::Cancelled => &[Ask::Cancel],
    };
    for ask in steps {
        let at = if matches!(ask, Ask::Close | Ask::RefundOutcome { .. }) { LATE } else { T };
        world.must(at, ask.clone());
    }
    assert_eq!(world.campaign.state(), state);
    world
}

/// Asks for a command in a way in which its guard holds wherever it can.
fn command(world: &mut World, command: Command) -> bool {
    let before = world.campaign.state();
    let at = world.campaign.at();
    match command {
        Command::Fund => {
            world.apply(&Op { at, ask: Ask::Confirm { deposit: 1 } });
        }
        Command::Unfund => {
            let ask = Ask::Reverse { deposit: 0, case: 1, amount: 100, cause: 1, fee: 0 };
            world.apply(&Op { at, ask });
        }
        Command::Launch => drop(world.apply(&Op { at, ask: Ask::Launch })),
        Command::Pause => drop(world.apply(&Op { at, ask: Ask::Pause })),
        Command::Resume => drop(world.apply(&Op { at, ask: Ask::Resume })),
        Command::Complete => drop(world.apply(&Op { at, ask: Ask::Complete })),
        Command::Cancel => drop(world.apply(&Op { at, ask: Ask::Cancel })),
        Command::Close => {
            world.apply(&Op { at: LATE, ask: Ask::Close });
            world.apply(&Op { at: LATE, ask: Ask::RefundOutcome { refund: 0, what: 0 } });
            world.apply(&Op { at: LATE, ask: Ask::Close });
        }
    }
    world.campaign.state() != before
}

/// What each command makes of each state, written out: `-` is a refusal.
const CAMPAIGN_TABLE: &str = "
            fund    unfund  launch  pause   resume  complete   cancel     close
draft       funded  -       -       -       -       -          cancelled  -
funded      -       draft   live    -       -       -          cancelled  -
live        -       -       -       paused  -       completed  -          -
paused      -       -       -       -       live    completed  -          -
completed   -       -       -       -       -       -          -          paid_out
paid_out    -       -       -       -       -       -          -          -
cancelled   -       -       -       -       -       -          -          -
";

fn written_out(state: State, command: Command) -> State {
    let row = CAMPAIGN_TABLE.lines().find(|line| line.starts_with(&format!("{} ", state.name())));
    let column = Command::ALL.iter().position(|known| *known == command).expect("listed");
    let cell = row.and_then(|row| row.split_whitespace().nth(column + 1)).expect("a cell");
    State::from_name(cell).unwrap_or(state)
}

#[test]
fn every_state_and_command_of_a_campaign_follows_the_table() {
    let mut moved = 0;
    for state in State::ALL {
        for asked in Command::ALL {
            let mut world = campaign_in(state);
            let changed = command(&mut world, asked);
            let expected = written_out(state, asked);
            assert_eq!(world.campaign.state(), expected, "{} in {}", asked.name(), state.name());
            moved += u32::from(changed);
        }
    }
    let listed = sponsorhub_core::campaign::state::TRANSITIONS.len();
    assert_eq!(usize::try_from(moved), Ok(listed), "every listed edge was walked");
}

#[test]
fn a_refused_command_names_the_state_and_changes_nothing() {
    for state in State::ALL {
        let mut world = campaign_in(state);
        let head = world.campaign.head();
        let at = world.campaign.at();
        if state.after(Command::Launch).is_none() {
            let refusal = world.run(at, Draft::launch);
            assert!(matches!(refusal, Err(Refusal::State { state: s, .. }) if s == state));
        }
        if state.after(Command::Cancel).is_none() {
            let refusal = world.run(at, Draft::cancel);
            assert!(matches!(refusal, Err(Refusal::State { state: s, .. }) if s == state));
        }
        assert_eq!(world.campaign.head(), head);
    }
}

#[test]
fn launching_without_confirmed_funds_is_refused_by_the_funding_gate() {
    // INV-9: raised after it was funded, so the state alone would let it through.
    let mut world = campaign_in(State::Funded);
    world.must(T, Ask::Budget { budget: 101 });
    let refusal = world.run(T, Draft::launch);
    assert_eq!(refusal, Err(Refusal::Unfunded { confirmed: Minor(100), budget: Minor(101) }));
}

/// A campaign with one payout whose disbursement stands in a state.
fn disbursement_in(state: DisbursementState) -> World {
    let mut world = campaign_in(State::Live);
    let pay = Pay { flat: true, tiers: vec![(0, 50)] };
    world.must(T, Ask::Enroll { pay, cap: None, base: 0, unlock: Unlock::Deliverable });
    world.must(T, Ask::Onboard { enrollment: 0 });
    world.must(T, Ask::Convert { enrollment: 0, order: 9, click: T, held_until: None });
    world.must(T + DAY, Ask::Plan);
    let (attempt, cancel) = (Ask::Attempt { payout: 0 }, Ask::CancelPayout { payout: 0 });
    let outcome = |what| Ask::Outcome { payout: 0, what };
    let steps = match state {
        DisbursementState::Planned => vec![],
        DisbursementState::Attempted => vec![attempt],
        DisbursementState::Unknown => vec![attempt, outcome(2)],
        DisbursementState::Failed => vec![attempt, outcome(1)],
        DisbursementState::Paid => vec![attempt, outcome(0)],
        DisbursementState::Reversed => {
            vec![attempt, outcome(0), Ask::TransferReversed { payout: 0 }]
        }
        DisbursementState::Cancelled => vec![cancel],
    };
    for ask in steps {
        world.must(T + DAY, ask);
    }
    world
}

#[test]
fn every_state_and_command_of_a_disbursement_follows_the_table() {
    let commands = [
        ("attempt", Ask::Attempt { payout: 0 }),
        ("cancel", Ask::CancelPayout { payout: 0 }),
        ("paid", Ask::Outcome { payout: 0, what: 0 }),
        ("failed", Ask::Outcome { payout: 0, what: 1 }),
        ("unknown", Ask::Outcome { payout: 0, what: 2 }),
        ("reversed", Ask::TransferReversed { payout: 0 }),
    ];
    let mut walked = 0;
    for state in DisbursementState::ALL {
        for (name, ask) in &commands {
            let mut world = disbursement_in(state);
            let listed = TRANSITIONS.iter().find(|e| e.from == state && e.command == *name);
            let accepted = world.apply(&Op { at: T + DAY, ask: ask.clone() });
            let after = world.campaign.payouts()[&world.payouts[0]].state;
            assert_eq!(accepted, listed.is_some(), "{name} in {}", state.name());
            assert_eq!(after, listed.map_or(state, |edge| edge.to), "{name} in {}", state.name());
            walked += usize::from(accepted);
        }
    }
    assert_eq!(walked, TRANSITIONS.len(), "every listed edge was walked");
}

#[test]
fn an_attempt_needs_a_ready_account_and_uncommitted_cash() {
    let mut world = disbursement_in(DisbursementState::Planned);
    world.payable.clear();
    let payout = world.payouts[0];
    let nobody = world.run(T + DAY, |draft| draft.attempt(payout, "k".into(), &|_| false));
    assert!(matches!(nobody, Err(Refusal::Enrollment(_))));
    // The whole deposit leaves, so the campaign's own cash no longer covers the payout.
    world.must(T + DAY, Ask::Reverse { deposit: 0, case: 1, amount: 100, cause: 1, fee: 0 });
    let short = world.run(T + DAY, |draft| draft.attempt(payout, "k".into(), &|_| true));
    assert_eq!(short, Err(Refusal::Cash { needed: Minor(50), available: Minor(0) }));
}

#[test]
fn a_deposit_is_confirmed_only_if_every_fact_is_as_expected() {
    let world = campaign_in(State::Draft);
    let seq = world.deposits[0];
    let expected = world.campaign.expected_deposit(seq).expect("expected");
    let good = ObservedDeposit {
        campaign: world::CAMPAIGN,
        amount: Minor(100),
        currency: "usd".into(),
        mode: Mode::Sandbox,
        session: "cs_0".into(),
        payment: "pi_1".into(),
        is_paid: true,
    };
    assert_eq!(check_deposit(&expected, &good).map(|funds| funds.deposit()), Ok(seq));
    let wrong = [
        ("payment status", ObservedDeposit { is_paid: false, ..good.clone() }),
        ("mode", ObservedDeposit { mode: Mode::Live, ..good.clone() }),
        ("campaign", ObservedDeposit { campaign: CampaignId([8; 16]), ..good.clone() }),
        ("session", ObservedDeposit { session: "cs_1".into(), ..good.clone() }),
        ("currency", ObservedDeposit { currency: "eur".into(), ..good.clone() }),
        ("amount", ObservedDeposit { amount: Minor(99), ..good }),
    ];
    for (fact, observed) in wrong {
        assert_eq!(check_deposit(&expected, &observed), Err(DepositMismatch(fact)));
    }
}

/// A live campaign whose terms pay 10 % of a sale, 20 % from the third on.
fn with_terms() -> World {
    let mut terms = SETUP.terms();
    terms.budget = Minor(100);
    terms.rates.insert("sale".into(), Rate::Bps(vec![(0, 1_000), (2, 2_000)]));
    let mut world = World::with_terms(terms);
    world.must(T, Ask::Expect { amount: 100, budget_part: 100 });
    world.must(T, Ask::Confirm { deposit: 0 });
    world.must(T, Ask::Launch);
    world.run(T, |draft| draft.enroll(enrollment_id(0), Offer::default())).expect("enrolls");
    world
}

fn rate_at(world: &World, click_at: i64) -> RateValue {
    world.campaign.rate_at(EnrollmentNo(0), "sale", click_at)
}

#[test]
fn a_raise_counts_for_clicks_after_it_and_a_cut_after_the_notice() {
    let mut world = with_terms();
    let change = |world: &mut World, at: i64, bps: u32| {
        let mut terms = Terms::clone(world.campaign.terms());
        terms.rates.insert("sale".into(), Rate::Bps(vec![(0, bps)]));
        world.run(at, |draft| draft.set_terms(terms)).expect("set");
    };
    change(&mut world, T + DAY, 3_000);
    change(&mut world, T + 2 * DAY, 500);
    assert_eq!(rate_at(&world, T + DAY), RateValue::Bps(1_000), "strictly before the click");
    assert_eq!(rate_at(&world, T + DAY + 1), RateValue::Bps(3_000));
    assert_eq!(rate_at(&world, T + 9 * DAY), RateValue::Bps(3_000), "the notice of 7 days");
    assert_eq!(rate_at(&world, T + 9 * DAY + 1), RateValue::Bps(500));
    assert_eq!(world.campaign.rate_at(EnrollmentNo(0), "lead", T + 1), RateValue::Bps(0));
}

#[test]
fn a_tier_counts_conversions_taken_in_before_the_click_also_if_reversed_later() {
    let mut world = with_terms();
    for hour in 1..=2 {
        let at = T + hour * 3_600_000;
        let body = ConversionAccepted(taken(world.entries.len(), 50, at)).into();
        let seq = world.run(at, |draft| draft.take_in(enrollment_id(0), body)).expect("taken");
        world.conversions.push(Some(seq));
    }
    let second = T + 2 * 3_600_000;
    assert_eq!(rate_at(&world, second), RateValue::Bps(1_000), "one was strictly before");
    world.must(second, Ask::Refunded { conversion: 0, amount: 50 });
    assert_eq!(rate_at(&world, second + 1), RateValue::Bps(2_000));
}

#[test]
fn terms_that_may_never_change_are_named() {
    let mut world = campaign_in(State::Live);
    let base = Terms::clone(world.campaign.terms());
    let changed = [
        ("clearing_days", Terms { clearing_days: 9, ..base.clone() }),
        ("platform_fee_bps", Terms { platform_fee_bps: 1, ..base.clone() }),
        ("netting_share_bps", Terms { netting_share_bps: 1, ..base.clone() }),
        ("budget", Terms { budget: Minor(99), ..base }),
    ];
    for (field, terms) in changed {
        let refusal = world.run(T, |draft| draft.set_terms(terms));
        assert!(matches!(&refusal, Err(Refusal::Terms(e)) if e.field == field), "{refusal:?}");
    }
}
