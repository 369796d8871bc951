//! Properties over random logs of all commands, at least 10,000 in every run.
//!
//! `World` checks INV-1, INV-2, INV-6, INV-8, INV-10, INV-11 and INV-15 after every command by
//! itself; what stands here looks at whole logs.

mod world;

use std::io::Write as _;

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::event::oversight::AdjustmentPair;
use sponsorhub_core::ledger::kind::{Body, Kind};
use sponsorhub_core::money::Minor;
use world::World;
use world::generate::{Dice, History};
use world::op::{Ask, Op};

#[expect(clippy::disallowed_methods, reason = "longer runs are asked for by `cargo xtask prove`")]
fn cases() -> u64 {
    let asked = std::env::var("SPONSORHUB_CASES").ok();
    asked.map_or(10_000, |text| text.parse().expect("SPONSORHUB_CASES is a number"))
}

#[expect(clippy::disallowed_methods, reason = "another seed is asked for by `cargo xtask prove`")]
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("SPONSORHUB_SEED").ok();
    let first = asked.map_or(1, |text| text.parse().expect("SPONSORHUB_SEED is a number"));
    first..first + cases()
}

fn lived(seed: u64) -> (world::Setup, History) {
    let (setup, mut history) = History::new(seed);
    history.beyond_the_model = true;
    history.live(&setup);
    (setup, history)
}

fn proof(line: &str) {
    writeln!(std::io::stdout(), "proof: {line}").expect("stdout");
}

#[test]
fn invariants_hold_and_every_campaign_reaches_its_end_with_accounts_at_zero() {
    let (mut paid_out, mut entries) = (0_u64, 0);
    for seed in seeds() {
        let (_, history) = lived(seed);
        let campaign = &history.world.campaign;
        assert!(campaign.state().is_terminal(), "history {seed} ended {}", campaign.state().name());
        for account in Account::ZERO_AT_CLOSE {
            let left = campaign.balance(account);
            assert!(left.is_zero(), "history {seed}: {account} = {left}");
        }
        paid_out += u64::from(campaign.state() == State::PaidOut);
        entries += campaign.head();
        replays_to_the_same_units(&history.world);
    }
    proof(&format!(
        "{} histories ({entries} entries): INV-1, INV-2, INV-6, INV-8, INV-10, INV-11, INV-15 \
         after every command; all ended, {paid_out} paid out",
        cases()
    ));
}

/// The twin was made from bytes alone, without a clock (INV-13).
fn replays_to_the_same_units(world: &World) {
    let (told, replayed) = (world.campaign.units(), world.twin.units());
    assert!(told.iter().eq(replayed.iter()), "INV-10");
    assert_eq!(world.campaign.gate(), world.twin.gate(), "INV-13");
}

/// What the fold must agree on however its runs were cut.
fn fingerprint(world: &World) -> String {
    let units: Vec<_> = world.campaign.units().iter().map(ToString::to_string).collect();
    format!("{} {units:?} {}", world.balances(), world.campaign.unmet())
}

#[test]
fn any_split_of_rollup_runs_gives_the_same_postings() {
    for seed in seeds() {
        let (setup, history) = lived(seed);
        let mut dice = Dice::new(seed ^ 0x5117);
        let asked: Vec<&Op> =
            history.ops.iter().map(|(op, _)| op).filter(|op| !is_rollup(op)).collect();
        // Up to some point of the life, so that also what is under way is compared.
        let until = dice.below(asked.len() + 1);
        let at_end = asked.get(until.saturating_sub(1)).map_or(history.now, |op| op.at);
        let last = Op { at: at_end, ask: Ask::Rollup { upto: None } };
        let (mut seldom, mut often) = (World::new(&setup), World::new(&setup));
        for op in asked.into_iter().take(until) {
            let accepted = seldom.apply(op);
            if dice.chance(50) {
                let back = u64::try_from(dice.below(4)).expect("small");
                let upto = u64::try_from(often.shared.len()).expect("small").saturating_sub(back);
                let scanned = often.campaign.scanned();
                let first = often.shared.partition_point(|seq| *seq < scanned) + 1;
                let upto = upto.max(u64::try_from(first).expect("small"));
                often.apply(&Op { at: op.at, ask: Ask::Rollup { upto: Some(upto) } });
            }
            assert_eq!(often.apply(op), accepted, "history {seed}: {op}");
        }
        seldom.apply(&last);
        often.apply(&last);
        assert_eq!(fingerprint(&often), fingerprint(&seldom), "history {seed} up to {until}");
    }
    proof(&format!("{} histories cut at random into runs: same units, same balances", cases()));
}

fn is_rollup(op: &Op) -> bool {
    matches!(op.ask, Ask::Rollup { .. })
}

/// The cap, from the entries alone and without the fold's own figures.
#[derive(Default)]
struct Cap {
    seen: usize,
    budget: Minor,
    confirmed: Minor,
    reversed: Minor,
    refunded: Minor,
    used: Minor,
    took: bool,
}

impl Cap {
    fn read(&mut self, world: &World) {
        self.took = false;
        for entry in world.entries.iter().skip(self.seen) {
            let out = entry.postings.change(Account::CampaignFunds);
            let deposits = &world.campaign.deposits();
            match &entry.body {
                Body::CampaignOpened(opened) => self.budget = opened.terms.budget,
                Body::TermsSet(set) => self.budget = set.terms.budget,
                Body::DepositConfirmed(body) => self.confirmed += deposits[&body.deposit].amount,
                Body::DepositReversed(body) => self.reversed += body.amount,
                Body::DepositReinstated(_) => {
                    // The mirror of that case: what it brings to provider and repays of advances.
                    let back = entry.postings.change(Account::Provider)
                        + entry.postings.change(Account::PlatformAdvance);
                    self.reversed -= back;
                }
                Body::DepositSettled(_) => {}
                Body::Adjustment(body) if body.pair == AdjustmentPair::SetOff => {}
                Body::RefundPlanned(_) | Body::RefundFailed(_) => self.refunded += out,
                body => {
                    self.used += out;
                    self.took |= body.kind() == Kind::RollupAccrued && out.is_positive();
                }
            }
        }
        self.seen = world.entries.len();
    }

    fn limit(&self) -> Minor {
        self.budget.min(self.confirmed - self.reversed - self.refunded)
    }
}

#[test]
fn the_cap_is_never_exceeded_by_one_minor_unit_and_used_while_demand_waits() {
    let (mut at_the_cap, mut accruals) = (0_u64, 0_u64);
    for seed in seeds() {
        let (setup, history) = lived(seed);
        let (mut world, mut cap) = (World::new(&setup), Cap::default());
        for (op, _) in &history.ops {
            world.apply(op);
            world.apply(&Op { at: op.at, ask: Ask::Rollup { upto: None } });
            cap.read(&world);
            // INV-2 at each accrual. Afterwards a reversed deposit may leave more used than covered.
            assert!(!cap.took || cap.used <= cap.limit(), "history {seed}: {op}");
            accruals += u64::from(cap.took);
            let campaign = &world.campaign;
            if campaign.unmet().is_positive() && campaign.frozen() == 0 {
                let free = (cap.limit() - cap.used).min(campaign.balance(Account::CampaignFunds));
                assert!(!free.is_positive(), "history {seed}: {free} free, demand waits: {op}");
                at_the_cap += 1;
            }
        }
    }
    assert!(at_the_cap > cases(), "demand waited {at_the_cap} times only: the test is idle");
    proof(&format!(
        "{} histories, a run after every command: {accruals} accruals within the cap, \
         {at_the_cap} times demand waited and nothing was free",
        cases()
    ));
}
