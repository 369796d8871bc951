//! The demo's story as tables: who takes part, what is bought when, and what must come out.
//!
//! docs/demo.md shows these tables and is compared with them by a test. The figures were worked out by
//! hand from the terms; docs/demo.md has the working.

/// The budget of the campaign, minor units: 10,000.00 USD.
pub(crate) const BUDGET: i64 = 1_000_000;

/// What a creator gets of an order, basis points.
pub(crate) const COMMISSION_BPS: u32 = 1_000;

/// Fixed pay for who brings enough orders, minor units.
pub(crate) const BASE: i64 = 20_000;

/// How many orders unlock it.
pub(crate) const BASE_UNLOCK: u32 = 3;

/// The most commission one creator may earn, minor units.
pub(crate) const CREATOR_CAP: i64 = 400_000;

/// The day on which the campaign ends by itself, counted from its first.
pub(crate) const LAST_DAY: i64 = 60;

/// A creator and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creator {
    /// What they are called.
    pub(crate) name: &'static str,
    /// Why they are in the story.
    pub(crate) part: &'static str,
    /// The readable part of a promo code; a link for everybody else.
    pub(crate) code: Option<&'static str>,
    /// The day on which they answer the payment provider's questions.
    pub(crate) onboards_on: i64,
    /// What they are paid in the end, minor units.
    pub(crate) paid: i64,
}

/// Everybody, in the order in which they enroll.
pub(crate) const CREATORS: [Creator; 8] = [
    creator("ada", "base and performance: five orders unlock the base", None, 0, 45_000),
    creator("ben", "one order: the base is not unlocked and released", None, 0, 4_000),
    creator("cleo", "reaches the cap per creator", None, 0, 420_000),
    creator("dan", "credited by promo code", Some("DAN"), 0, 52_000),
    creator("eve", "onboards late, and is paid then", None, 38, 65_000),
    creator("fay", "one order refunded before payout and one after", None, 0, 12_500),
    creator("gus", "an order held for coming too fast, and released", None, 0, 38_000),
    creator("hana", "more demand than budget, met when reserves come free", None, 0, 290_000),
];

const fn creator(
    name: &'static str,
    part: &'static str,
    code: Option<&'static str>,
    onboards_on: i64,
    paid: i64,
) -> Creator {
    Creator { name, part, code, onboards_on, paid }
}

/// When an order comes after its click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Ten minutes later, as people buy.
    Usual,
    /// At the same moment, as nobody buys.
    TooFast,
}

/// Something that happens on a day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Orders of one amount, one after the other, by one creator.
    Orders {
        /// Who is credited.
        by: &'static str,
        /// How many.
        count: u32,
        /// What each is worth, minor units.
        amount: i64,
        /// How soon after the click.
        pace: Pace,
    },
    /// An order is given back whole: the nth of that creator, from 1.
    Refund {
        /// Whose.
        of: &'static str,
        /// Which.
        order: u32,
    },
    /// The brand lets the held order of a creator count.
    Release {
        /// Whose.
        of: &'static str,
    },
    /// A creator answers the payment provider's questions.
    Onboard {
        /// Who.
        who: &'static str,
    },
    /// Nothing but time: what is due is done.
    Wait,
}

const fn orders(by: &'static str, count: u32, amount: i64) -> Event {
    Event::Orders { by, count, amount, pace: Pace::Usual }
}

/// What happens, by day from the launch.
pub(crate) const DAYS: &[(i64, &[Event])] = &[
    (
        1,
        &[
            orders("ada", 2, 50_000),
            orders("cleo", 2, 1_000_000),
            orders("dan", 2, 80_000),
            orders("eve", 1, 150_000),
            orders("fay", 1, 60_000),
            Event::Orders { by: "gus", count: 1, amount: 120_000, pace: Pace::TooFast },
        ],
    ),
    (
        2,
        &[
            orders("ada", 3, 50_000),
            orders("ben", 1, 40_000),
            orders("cleo", 3, 1_000_000),
            orders("dan", 2, 80_000),
            orders("eve", 2, 150_000),
            orders("fay", 1, 90_000),
            orders("gus", 2, 30_000),
        ],
    ),
    (3, &[Event::Refund { of: "fay", order: 1 }, Event::Release { of: "gus" }]),
    (34, &[Event::Wait]),
    (36, &[Event::Refund { of: "fay", order: 2 }]),
    (38, &[Event::Onboard { who: "eve" }]),
    (40, &[orders("fay", 1, 70_000)]),
    (41, &[orders("hana", 3, 900_000)]),
    (60, &[Event::Wait]),
    (72, &[Event::Wait]),
    (98, &[Event::Wait]),
    (128, &[Event::Wait]),
    (130, &[Event::Wait]),
];

/// What must come out, minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Paid in by the brand: the budget and the reserve for the provider's fee.
    pub(crate) deposited: i64,
    /// What the provider kept of it.
    pub(crate) provider_fee: i64,
    /// What creators earned, after reversals and claw-backs.
    pub(crate) accrued: i64,
    /// What the platform earned.
    pub(crate) fees: i64,
    /// What was transferred to creators.
    pub(crate) paid: i64,
    /// What went back to the brand.
    pub(crate) refunded: i64,
    /// Conversions: taken in, of those held at first, and reversals.
    pub(crate) received: u64,
    pub(crate) held: u64,
    pub(crate) reversed: u64,
    /// Sum of the orders.
    pub(crate) amount: i64,
}

/// See docs/demo.md for the working.
pub(crate) const EXPECTED: Expected = Expected {
    deposited: 1_040_100,
    provider_fee: 30_193,
    accrued: 926_500,
    fees: 46_050,
    paid: 926_500,
    refunded: 37_357,
    received: 27,
    held: 1,
    reversed: 2,
    amount: 9_160_000,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_agree_with_each_other() {
        let paid: i64 = CREATORS.iter().map(|creator| creator.paid).sum();
        assert_eq!(paid, EXPECTED.paid);
        let Expected { deposited, provider_fee, fees, refunded, .. } = EXPECTED;
        assert_eq!(deposited, provider_fee + fees + paid + refunded, "every cent is somewhere");
        let (mut received, mut amount) = (0, 0);
        for event in DAYS.iter().flat_map(|(_, events)| *events) {
            if let Event::Orders { count, amount: each, .. } = event {
                received += u64::from(*count);
                amount += i64::from(*count) * each;
            }
        }
        assert_eq!((received, amount), (EXPECTED.received, EXPECTED.amount));
        assert!(DAYS.is_sorted_by_key(|(day, _)| *day));
    }
}
