//! Random histories: mostly plausible, often refused, always brought to an end.

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ledger::records::RefundState;

use super::op::{Ask, Op, Pay, Unlock};
use super::{DAY, Setup, T, World};

/// A seeded source of choices (SplitMix64): the same on every machine and with every version of
/// every library, since recorded digests depend on it.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn up_to(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.up_to(bound as u64)).expect("below an index")
    }

    /// An amount from 0 to `most`.
    pub(crate) fn amount(&mut self, most: i64) -> i64 {
        let bound = u64::try_from(most.max(0)).expect("not negative") + 1;
        i64::try_from(self.up_to(bound)).expect("not above an amount")
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.up_to(100) < u64::from(percent)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub(crate) fn setup(dice: &mut Dice) -> Setup {
    Setup {
        budget: 50 + dice.amount(1_500),
        fee_bps: dice.pick(&[0, 500, 1_000, 777]),
        netting_bps: dice.pick(&[0, 5_000, 10_000, 3_333]),
        minimum: dice.pick(&[0, 50, 300]),
        clearing_days: dice.pick(&[0, 0, 1, 3]),
        attribution_days: dice.pick(&[1, 2]),
        replay_days: 1,
    }
}

/// A world that is given random commands.
pub(crate) struct History {
    pub(crate) world: World,
    pub(crate) dice: Dice,
    pub(crate) now: i64,
    pub(crate) ops: Vec<(Op, bool)>,
    /// Whether commands come that the reference model does not know.
    pub(crate) beyond_the_model: bool,
    cases: u32,
}

impl History {
    pub(crate) fn new(seed: u64) -> (Setup, Self) {
        let mut dice = Dice::new(seed);
        let setup = setup(&mut dice);
        let world = World::new(&setup);
        (setup, Self { world, dice, now: T, ops: Vec::new(), beyond_the_model: false, cases: 0 })
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> bool {
        let op = Op { at: self.now, ask };
        let accepted = self.world.apply(&op);
        self.ops.push((op, accepted));
        accepted
    }

    /// Funds, launches and enrolls often enough that histories are not all about refusals.
    pub(crate) fn begin(&mut self, setup: &Setup) {
        let fee_part = self.dice.amount(40);
        let budget_part = setup.budget + self.dice.amount(100) - 10;
        let amount = budget_part + fee_part;
        self.ask(Ask::Expect { amount, budget_part });
        self.ask(Ask::Confirm { deposit: 0 });
        for _ in 0..=self.dice.below(3) {
            self.enroll();
        }
        if self.dice.chance(90) {
            self.ask(Ask::Launch);
        }
    }

    fn enroll(&mut self) {
        let dice = &mut self.dice;
        let flat = dice.chance(40);
        let value = |dice: &mut Dice| {
            let most = if flat { 300 } else { 10_000 };
            u32::try_from(dice.amount(most)).expect("small")
        };
        let mut tiers = vec![(0, value(dice))];
        if dice.chance(30) {
            tiers.push((2, value(dice)));
        }
        let cap = dice.chance(30).then(|| dice.amount(400));
        let base = if dice.chance(40) { dice.amount(150) } else { 0 };
        let count = u32::try_from(dice.below(4)).expect("small");
        let unlock = match dice.below(3) {
            0 => Unlock::Conversions(count),
            1 => Unlock::DaysLive(count),
            _ => Unlock::Deliverable,
        };
        self.ask(Ask::Rollup { upto: None });
        if self.ask(Ask::Enroll { pay: Pay { flat, tiers }, cap, base, unlock })
            && self.dice.chance(80)
        {
            self.ask(Ask::Onboard { enrollment: self.world.enrolled - 1 });
        }
    }

    /// One random command, sometimes after some time.
    pub(crate) fn step(&mut self) {
        match self.dice.below(20) {
            0 => self.now += DAY * (1 + self.dice.amount(2)),
            1 | 2 => self.now += 3_600_000 * (1 + self.dice.amount(12)),
            3 => self.now += 1,
            _ => {}
        }
        if self.beyond_the_model && self.dice.chance(6) {
            self.beyond();
            return;
        }
        match self.dice.below(100) {
            0..=34 => self.convert(),
            35..=46 => self.refunded(),
            47..=55 => self.hold(),
            56..=63 => self.rollup(),
            64..=80 => self.money(),
            81..=90 => self.deposit(),
            91..=95 => self.enrollment(),
            _ => self.lifecycle(),
        }
    }

    fn convert(&mut self) {
        let stranger = usize::from(self.dice.chance(5));
        let enrollment = self.dice.below(self.world.enrolled + stranger);
        let order = match self.dice.below(10) {
            0 => 0,
            1 => self.dice.amount(3_000),
            _ => self.dice.amount(300),
        };
        let click = match self.dice.below(4) {
            0 => self.now - self.dice.amount(2 * DAY),
            1 => self.now - self.dice.amount(3_600_000),
            _ => self.now,
        };
        let held_until = self.dice.chance(12).then(|| self.now + self.dice.amount(4 * DAY));
        self.ask(Ask::Convert { enrollment, order, click, held_until });
    }

    fn refunded(&mut self) {
        let conversion = self.dice.below(self.world.conversions.len());
        let known = self.world.conversions.get(conversion).copied().flatten();
        let order = known.and_then(|seq| self.world.campaign.conversion(seq));
        let order = order.map_or(10, |(_, order)| order.0);
        let amount = if self.dice.chance(50) { order } else { self.dice.amount(order) };
        self.ask(Ask::Refunded { conversion, amount });
    }

    fn hold(&mut self) {
        let conversion = self.dice.below(self.world.conversions.len());
        match self.dice.below(5) {
            0..=1 => {
                self.ask(Ask::Rollup { upto: None });
                let deadline = self.now + self.dice.amount(4 * DAY);
                self.ask(Ask::Hold { conversion, deadline });
            }
            2..=3 => {
                let open: Vec<_> = (0..self.world.conversions.len())
                    .filter(|number| {
                        let seq = self.world.conversions[*number];
                        let hold = seq.and_then(|seq| self.world.campaign.holds().get(&seq));
                        hold.is_some_and(|hold| hold.open)
                    })
                    .collect();
                let conversion = open.get(self.dice.below(open.len())).copied();
                let uphold = self.dice.chance(40);
                self.ask(Ask::EndHold { conversion: conversion.unwrap_or(0), uphold });
            }
            _ => {
                self.ask(Ask::ExpireHolds);
            }
        }
    }

    fn rollup(&mut self) {
        let whole = self.dice.chance(60);
        let shared = u64::try_from(self.world.shared.len()).expect("small");
        let scanned = self.world.campaign.scanned();
        let least = self.world.shared.partition_point(|seq| *seq < scanned) + 1;
        let upto = shared - u64::try_from(self.dice.below(6)).expect("small").min(shared - 1);
        let upto = upto.max(u64::try_from(least).expect("small")).min(shared);
        self.ask(Ask::Rollup { upto: (!whole).then_some(upto) });
    }

    fn money(&mut self) {
        let payout = self.dice.below(self.world.payouts.len());
        match self.dice.below(12) {
            0..=2 => self.ask(Ask::Plan),
            3..=5 => self.ask(Ask::Attempt { payout }),
            6..=8 => {
                let what = self.dice.pick(&[0, 0, 0, 1, 2]);
                self.ask(Ask::Outcome { payout, what })
            }
            9 => self.ask(Ask::CancelPayout { payout }),
            10 => self.ask(Ask::TransferReversed { payout }),
            _ => {
                let enrollment = self.dice.below(self.world.enrolled);
                self.ask(Ask::PlanUnclaimed { enrollment })
            }
        };
    }

    fn beyond(&mut self) {
        if self.dice.chance(50) {
            let enrollment = self.dice.below(self.world.enrolled);
            self.ask(Ask::Rejected { enrollment });
            return;
        }
        let deposit = self.dice.below(self.world.deposits.len());
        self.cases += 1;
        let case = self.cases;
        let amount = 1 + self.dice.amount(100);
        if !self.ask(Ask::Disputed { deposit, case, amount }) {
            return;
        }
        if self.dice.chance(50) {
            self.ask(Ask::Reverse { deposit, case, amount, cause: 0, fee: 15 });
        }
        if self.dice.chance(50) {
            self.ask(Ask::Won { deposit, case });
        }
    }

    fn deposit(&mut self) {
        let deposit = self.dice.below(self.world.deposits.len());
        let case = self.world.cases.get(self.dice.below(self.world.cases.len())).copied();
        match self.dice.below(12) {
            0..=1 => {
                let budget_part = 1 + self.dice.amount(400);
                let amount = budget_part + self.dice.amount(30);
                if self.ask(Ask::Expect { amount, budget_part }) && self.dice.chance(70) {
                    self.ask(Ask::Confirm { deposit: self.world.deposits.len() - 1 });
                }
            }
            2 => {
                self.ask(Ask::Confirm { deposit });
            }
            3 => {
                self.ask(Ask::Fail { deposit });
            }
            4..=5 => {
                let fee = self.dice.amount(60);
                self.ask(Ask::Settle { deposit, fee });
            }
            6..=7 => {
                self.cases += 1;
                let most = self
                    .world
                    .deposits
                    .get(deposit)
                    .map_or(1, |seq| self.world.campaign.deposits()[seq].amount.0);
                let amount = if self.dice.chance(40) { most } else { self.dice.amount(most) };
                let cause_no = u8::try_from(self.dice.below(3)).expect("small");
                let fee = self.dice.pick(&[0, 15]);
                self.ask(Ask::Reverse { deposit, case: self.cases, amount, cause: cause_no, fee });
            }
            8..=10 => {
                if let Some((deposit, case)) = case {
                    let won = self.dice.chance(50);
                    let ask =
                        if won { Ask::Won { deposit, case } } else { Ask::Lost { deposit, case } };
                    self.ask(ask);
                }
            }
            _ => {
                let amount = self.dice.amount(200);
                self.ask(Ask::Advance { amount });
            }
        }
    }

    fn enrollment(&mut self) {
        let enrollment = self.dice.below(self.world.enrolled);
        match self.dice.below(9) {
            0..=1 => self.enroll(),
            2 => {
                self.ask(Ask::End { enrollment });
            }
            3 => {
                self.ask(Ask::Onboard { enrollment });
            }
            4 => {
                self.ask(Ask::Deliver { enrollment });
            }
            5 => {
                let accept = self.dice.chance(60);
                self.ask(Ask::Judge { enrollment, accept });
            }
            6 => {
                self.ask(Ask::Rollup { upto: None });
                let amount = self.dice.amount(60);
                self.ask(Ask::Adjust { enrollment, amount });
            }
            7 => {
                if !self.ask(Ask::OpenClaim { enrollment }) || self.dice.chance(70) {
                    let claim = self.dice.below(self.world.claims.len());
                    self.ask(Ask::EndClaim { claim });
                }
            }
            _ => {
                self.ask(Ask::Bases);
            }
        }
    }

    fn lifecycle(&mut self) {
        let refund = self.dice.below(self.world.refunds.len());
        match self.dice.below(12) {
            0..=1 => self.ask(Ask::Launch),
            2..=3 => self.ask(Ask::Pause),
            4..=6 => self.ask(Ask::Resume),
            7 => self.ask(Ask::Complete),
            8 => self.dice.chance(30) && self.ask(Ask::Cancel),
            9 => {
                let budget = self.world.campaign.terms().budget.0 + self.dice.amount(300);
                self.ask(Ask::Budget { budget })
            }
            10 => self.ask(Ask::Close),
            _ => {
                let what = u8::try_from(self.dice.below(3)).expect("small");
                self.ask(Ask::RefundOutcome { refund, what })
            }
        };
    }

    /// Brings the campaign to its end: answers what is open, lets time pass, and pays.
    pub(crate) fn finish(&mut self) {
        match self.world.campaign.state() {
            State::Draft | State::Funded => {
                self.ask(Ask::Cancel);
            }
            State::Live | State::Paused => {
                self.ask(Ask::Complete);
            }
            State::Completed | State::PaidOut | State::Cancelled => {}
        }
        for (deposit, case) in self.world.cases.clone() {
            self.ask(Ask::Lost { deposit, case });
        }
        for claim in 0..self.world.claims.len() {
            self.ask(Ask::EndClaim { claim });
        }
        for deposit in 0..self.world.deposits.len() {
            self.ask(Ask::Settle { deposit, fee: 7 });
        }
        self.now += 30 * DAY;
        for _ in 0..12 {
            self.settle_what_is_under_way();
            self.ask(Ask::Close);
            if self.world.shortage.is_positive() {
                let amount = self.world.shortage.0;
                self.ask(Ask::Advance { amount });
            }
            self.now += DAY;
        }
    }

    /// What still happens to a campaign that has ended.
    pub(crate) fn aftermath(&mut self) {
        for _ in 0..8 {
            let payout = self.dice.below(self.world.payouts.len());
            match self.dice.below(5) {
                0 => {
                    self.ask(Ask::TransferReversed { payout });
                }
                1 => {
                    let enrollment = self.dice.below(self.world.enrolled);
                    self.ask(Ask::Onboard { enrollment });
                    self.ask(Ask::PlanUnclaimed { enrollment });
                }
                _ => self.deposit(),
            }
        }
    }

    /// A whole life: begun, lived, ended, and what comes after.
    pub(crate) fn live(&mut self, setup: &Setup) {
        self.begin(setup);
        for _ in 0..40 + self.dice.below(40) {
            self.step();
        }
        self.finish();
        if self.dice.chance(50) {
            self.aftermath();
            self.finish();
        }
    }

    fn settle_what_is_under_way(&mut self) {
        for payout in 0..self.world.payouts.len() {
            let state = self.world.campaign.payouts()[&self.world.payouts[payout]].state;
            if matches!(state, DisbursementState::Planned | DisbursementState::Failed)
                && !self.ask(Ask::Attempt { payout })
            {
                // Cash of the campaign's own that is not there must come from the operator.
                let amount = self.world.campaign.payouts()[&self.world.payouts[payout]].amount.0;
                self.ask(Ask::Advance { amount });
                self.ask(Ask::Attempt { payout });
            }
            let what = self.dice.pick(&[0, 0, 0, 0, 1, 2]);
            self.ask(Ask::Outcome { payout, what });
            self.ask(Ask::Outcome { payout, what: 0 });
        }
        for refund in 0..self.world.refunds.len() {
            let seq = self.world.refunds[refund];
            if self.world.campaign.refunds()[&seq].state == RefundState::Planned {
                let what = self.dice.pick(&[0, 0, 0, 0, 0, 1, 2]);
                self.ask(Ask::RefundOutcome { refund, what });
            }
        }
    }
}
