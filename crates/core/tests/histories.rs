//! The shortest history for each money rule that is easy to get wrong, under the name that the
//! reference model gives it.

mod world;

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::EnrollmentNo;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::records::RefundState;
use sponsorhub_core::money::Minor;
use world::op::{Ask, Op, Pay, Unlock};
use world::{DAY, Setup, T, World};

struct Story {
    world: World,
}

fn setup(budget: i64) -> Setup {
    Setup {
        budget,
        fee_bps: 0,
        netting_bps: 5_000,
        minimum: 0,
        clearing_days: 0,
        attribution_days: 1,
        replay_days: 1,
    }
}

/// A live campaign with flat pay of 100 for each creator; caps by creator.
fn start(budget: i64, fee_part: i64, caps: &[Option<i64>]) -> Story {
    let mut story = Story { world: World::new(&setup(budget)) };
    story.must(T, Ask::Expect { amount: budget + fee_part, budget_part: budget });
    story.must(T, Ask::Confirm { deposit: 0 });
    story.must(T, Ask::Launch);
    for (enrollment, cap) in caps.iter().enumerate() {
        let pay = Pay { flat: true, tiers: vec![(0, 100)] };
        story.must(T, Ask::Enroll { pay, cap: *cap, base: 0, unlock: Unlock::Conversions(0) });
        story.must(T, Ask::Onboard { enrollment });
    }
    story
}

impl Story {
    fn ask(&mut self, at: i64, ask: Ask) -> bool {
        self.world.apply(&Op { at, ask })
    }

    fn must(&mut self, at: i64, ask: Ask) {
        self.world.must(at, ask);
    }

    fn convert(&mut self, enrollment: usize) {
        self.must(T, Ask::Convert { enrollment, order: 100, click: T, held_until: None });
    }

    fn rollup(&mut self) {
        self.ask(T, Ask::Rollup { upto: None });
    }

    fn reverse(&mut self, amount: i64, at: i64) {
        self.must(at, Ask::Reverse { deposit: 0, case: 1, amount, cause: 0, fee: 0 });
    }

    fn pay(&mut self, at: i64) {
        self.must(at, Ask::Plan);
        self.pay_what_is_planned(at);
    }

    fn pay_what_is_planned(&mut self, at: i64) {
        for payout in 0..self.world.payouts.len() {
            let state = self.world.campaign.payouts()[&self.world.payouts[payout]].state;
            if state == DisbursementState::Planned {
                self.must(at, Ask::Attempt { payout });
                self.must(at, Ask::Outcome { payout, what: 0 });
            }
        }
    }

    fn of(&self, account: Account, enrollment: u32) -> Minor {
        self.world.campaign.balances().of(account, EnrollmentNo(enrollment))
    }

    fn total(&self, account: Account) -> Minor {
        self.world.campaign.balance(account)
    }

    /// Ends the campaign and closes it; at the end everything that must be is zero.
    fn close(&mut self) {
        if self.world.campaign.state() != State::Completed {
            self.must(T + 3 * DAY, Ask::Complete);
        }
        let mut at = T + 20 * DAY;
        for _ in 0..8 {
            self.must(at, Ask::Close);
            let amount = self.world.shortage.0;
            if amount > 0 {
                self.must(at, Ask::Advance { amount });
            }
            self.pay_what_is_planned(at);
            for refund in 0..self.world.refunds.len() {
                let seq = self.world.refunds[refund];
                if self.world.campaign.refunds()[&seq].state == RefundState::Planned {
                    self.must(at, Ask::RefundOutcome { refund, what: 0 });
                }
            }
            at += DAY;
        }
        assert_eq!(self.world.campaign.state(), State::PaidOut);
        for account in Account::ZERO_AT_CLOSE {
            assert!(self.total(account).is_zero(), "{account} = {}", self.total(account));
        }
    }

    /// What any split of runs must agree on.
    fn fingerprint(&self) -> String {
        let units: Vec<_> = self.world.campaign.units().iter().map(ToString::to_string).collect();
        format!("{} {units:?} {}", self.world.balances(), self.world.campaign.unmet())
    }
}

#[test]
fn two_cursors() {
    let mut story = start(100, 0, &[None, None]);
    story.convert(0);
    story.convert(1);
    story.rollup();
    assert_eq!(story.of(Account::Payable, 0), Minor(100));
    story.must(T, Ask::Refunded { conversion: 0, amount: 100 });
    story.rollup();
    // The reversal behind the cursor was scanned, and what it freed reached the waiting demand.
    assert_eq!(
        (story.of(Account::Payable, 0), story.of(Account::Payable, 1)),
        (Minor(0), Minor(100))
    );
}

fn same_whether_run_often_or_once(history: impl Fn(bool) -> Story) {
    assert_eq!(history(true).fingerprint(), history(false).fingerprint());
}

#[test]
fn reversal_in_fold() {
    same_whether_run_often_or_once(|often| {
        let mut story = start(1_000, 0, &[Some(100)]);
        story.convert(0);
        story.convert(0);
        if often {
            story.rollup();
        }
        story.must(T, Ask::Refunded { conversion: 0, amount: 100 });
        story.rollup();
        story
    });
}

#[test]
fn catch_up() {
    same_whether_run_often_or_once(|often| {
        let mut story = start(100, 0, &[None]);
        story.convert(0);
        if often {
            story.rollup();
        }
        story.reverse(100, T);
        story.rollup();
        // The conversion came first, so it is the brand who owes and not the creator who waits.
        assert_eq!(story.of(Account::Payable, 0), Minor(100));
        assert_eq!(story.total(Account::BrandReceivable), Minor(100));
        story
    });
}

#[test]
fn cancel_nets_clawback() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.must(T + DAY, Ask::Plan);
    story.must(T + DAY, Ask::Refunded { conversion: 0, amount: 100 });
    story.rollup();
    assert_eq!(story.of(Account::Clawback, 0), Minor(100));
    story.must(T + DAY, Ask::CancelPayout { payout: 0 });
    assert_eq!(story.of(Account::Payable, 0), Minor(0), "wholly reversed, not payable again");
    assert_eq!(story.of(Account::Clawback, 0), Minor(0));
}

#[test]
fn cost_advance() {
    let mut story = start(100, 10, &[None]);
    story.must(T, Ask::Settle { deposit: 0, fee: 30 });
    assert_eq!(story.total(Account::ProviderCosts), Minor(20));
    assert_eq!(story.total(Account::PlatformAdvance), Minor(20));
    story.close();
}

#[test]
fn paid_advance() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.must(T + DAY, Ask::Plan);
    story.must(T + DAY, Ask::Attempt { payout: 0 });
    story.reverse(100, T + DAY);
    story.must(T + DAY, Ask::Outcome { payout: 0, what: 0 });
    assert_eq!(story.total(Account::Provider), Minor(0));
    assert_eq!(story.total(Account::PlatformAdvance), Minor(100));
}

#[test]
fn advance_backs() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.rollup();
    story.reverse(100, T);
    story.must(T, Ask::Lost { deposit: 0, case: 1 });
    story.close();
    let advance = story.world.deposits[1];
    let payout = &story.world.campaign.payouts()[&story.world.payouts[0]];
    assert_eq!((payout.deposit, payout.amount), (advance, Minor(100)));
}

#[test]
fn set_off() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.rollup();
    story.reverse(100, T);
    story.must(T, Ask::Lost { deposit: 0, case: 1 });
    story.must(T, Ask::Refunded { conversion: 0, amount: 100 });
    story.close();
    assert_eq!(story.total(Account::BrandReceivable), Minor(0), "the leftover covered the debt");
}

#[test]
fn fee_part_reversed() {
    let mut story = start(100, 10, &[None]);
    story.must(T, Ask::Reverse { deposit: 0, case: 1, amount: 110, cause: 2, fee: 0 });
    assert_eq!(story.total(Account::FeeReserve), Minor(0));
    assert_eq!(story.total(Account::BrandReceivable), Minor(0));
    story.close();
}

#[test]
fn freeze_ends() {
    let mut story = start(100, 0, &[None]);
    story.reverse(50, T);
    assert_eq!(story.world.campaign.frozen(), 1);
    story.must(T, Ask::Lost { deposit: 0, case: 1 });
    assert_eq!(story.world.campaign.frozen(), 0);
    story.close();
}

#[test]
fn late_transfer_reversal() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.pay(T + DAY);
    story.close();
    story.must(T + 40 * DAY, Ask::TransferReversed { payout: 0 });
    assert_eq!(story.of(Account::Unclaimed, 0), Minor(100), "still owed, and paid on request");
    assert_eq!(story.of(Account::Payable, 0), Minor(0));
}

#[test]
fn capacity_at_plan() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.pay(T + DAY);
    // Transferred 100 and reversed 100 of 100: allowed, since the transfer was planned before.
    story.reverse(100, T + DAY);
    let deposit = &story.world.campaign.deposits()[&story.world.deposits[0]];
    assert_eq!((deposit.transferred, deposit.capacity()), (Minor(100), Minor(0)));
}

#[test]
fn returns_first() {
    let mut story = start(100, 0, &[None, None]);
    story.convert(1);
    story.convert(0);
    story.rollup();
    story.must(T, Ask::Refunded { conversion: 0, amount: 100 });
    story.rollup();
    let mut funds = Minor(0);
    for entry in &story.world.entries {
        funds -= entry.postings.change(Account::CampaignFunds);
        assert!(!funds.is_negative(), "funds dip to {funds} between two entries of one run");
    }
}

#[test]
fn lapse() {
    let mut story = start(100, 0, &[None]);
    story.convert(0);
    story.convert(0);
    story.must(T, Ask::Budget { budget: 200 });
    story.must(T, Ask::Expect { amount: 100, budget_part: 100 });
    story.pay(T + DAY);
    story.close();
    story.must(T + 30 * DAY, Ask::Confirm { deposit: 1 });
    story.ask(T + 30 * DAY, Ask::Rollup { upto: None });
    assert_eq!(story.of(Account::Payable, 0), Minor(0), "demand lapsed at PaidOut");
    assert_eq!(story.total(Account::CampaignFunds), Minor(100), "late money goes back");
}
