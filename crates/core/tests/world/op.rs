//! Commands as data: one line of text each, so that another program can run the same history.

use std::fmt;

/// An unlock condition of a base.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unlock {
    Conversions(u32),
    DaysLive(u32),
    Deliverable,
}

/// A rate: flat or in basis points, by tiers.
#[derive(Clone, Debug)]
pub(crate) struct Pay {
    pub(crate) flat: bool,
    pub(crate) tiers: Vec<(u32, u32)>,
}

/// What is asked. Things are named by their number in the order of their making, from 0.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Expect {
        amount: i64,
        budget_part: i64,
    },
    Confirm {
        deposit: usize,
    },
    Fail {
        deposit: usize,
    },
    Settle {
        deposit: usize,
        fee: i64,
    },
    Reverse {
        deposit: usize,
        case: u32,
        amount: i64,
        cause: u8,
        fee: i64,
    },
    Won {
        deposit: usize,
        case: u32,
    },
    Lost {
        deposit: usize,
        case: u32,
    },
    /// Not in the reference model: a dispute is announced before its money leaves.
    Disputed {
        deposit: usize,
        case: u32,
        amount: i64,
    },
    /// Not in the reference model.
    Rejected {
        enrollment: usize,
    },
    Advance {
        amount: i64,
    },
    Enroll {
        pay: Pay,
        cap: Option<i64>,
        base: i64,
        unlock: Unlock,
    },
    End {
        enrollment: usize,
    },
    Onboard {
        enrollment: usize,
    },
    Deliver {
        enrollment: usize,
    },
    Judge {
        enrollment: usize,
        accept: bool,
    },
    Bases,
    Convert {
        enrollment: usize,
        order: i64,
        click: i64,
        held_until: Option<i64>,
    },
    Refunded {
        conversion: usize,
        amount: i64,
    },
    Hold {
        conversion: usize,
        deadline: i64,
    },
    EndHold {
        conversion: usize,
        uphold: bool,
    },
    ExpireHolds,
    Rollup {
        upto: Option<u64>,
    },
    Plan,
    PlanUnclaimed {
        enrollment: usize,
    },
    CancelPayout {
        payout: usize,
    },
    Attempt {
        payout: usize,
    },
    Outcome {
        payout: usize,
        what: u8,
    },
    TransferReversed {
        payout: usize,
    },
    Adjust {
        enrollment: usize,
        amount: i64,
    },
    OpenClaim {
        enrollment: usize,
    },
    EndClaim {
        claim: usize,
    },
    Launch,
    Pause,
    Resume,
    Complete,
    Cancel,
    Budget {
        budget: i64,
    },
    Refunds,
    RefundOutcome {
        refund: usize,
        what: u8,
    },
    Close,
}

/// A command and its time.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) at: i64,
    pub(crate) ask: Ask,
}

pub(crate) const CAUSES: [&str; 3] = ["dispute", "refund", "late_failure"];
pub(crate) const OUTCOMES: [&str; 3] = ["paid", "failed", "unknown"];
pub(crate) const REFUND_OUTCOMES: [&str; 3] = ["paid", "failed", "settled_outside"];

fn or_dash(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        match &self.ask {
            Ask::Expect { amount, budget_part } => write!(f, "expect {amount} {budget_part}"),
            Ask::Confirm { deposit } => write!(f, "confirm {deposit}"),
            Ask::Fail { deposit } => write!(f, "fail {deposit}"),
            Ask::Settle { deposit, fee } => write!(f, "settle {deposit} {fee}"),
            Ask::Reverse { deposit, case, amount, cause, fee } => {
                let cause = CAUSES[usize::from(*cause)];
                write!(f, "reverse {deposit} {case} {amount} {cause} {fee}")
            }
            Ask::Won { deposit, case } => write!(f, "won {deposit} {case}"),
            Ask::Lost { deposit, case } => write!(f, "lost {deposit} {case}"),
            Ask::Disputed { .. } | Ask::Rejected { .. } => write!(f, "{:?}", self.ask),
            Ask::Advance { amount } => write!(f, "advance {amount}"),
            Ask::Enroll { pay, cap, base, unlock } => {
                write!(f, "enroll {} ", if pay.flat { "flat" } else { "bps" })?;
                let tiers = pay.tiers.iter().map(|(from, value)| format!("{from}:{value}"));
                write!(f, "{} {} {base} ", tiers.collect::<Vec<_>>().join(","), or_dash(*cap))?;
                match unlock {
                    Unlock::Conversions(n) => write!(f, "conversions {n}"),
                    Unlock::DaysLive(n) => write!(f, "days_live {n}"),
                    Unlock::Deliverable => write!(f, "deliverable 0"),
                }
            }
            Ask::End { enrollment } => write!(f, "end {enrollment}"),
            Ask::Onboard { enrollment } => write!(f, "onboard {enrollment}"),
            Ask::Deliver { enrollment } => write!(f, "deliver {enrollment}"),
            Ask::Judge { enrollment, accept } => {
                write!(f, "judge {enrollment} {}", u8::from(*accept))
            }
            Ask::Bases => write!(f, "bases"),
            Ask::Convert { enrollment, order, click, held_until } => {
                write!(f, "convert {enrollment} {order} {click} {}", or_dash(*held_until))
            }
            Ask::Refunded { conversion, amount } => write!(f, "refunded {conversion} {amount}"),
            Ask::Hold { conversion, deadline } => write!(f, "hold {conversion} {deadline}"),
            Ask::EndHold { conversion, uphold } => {
                write!(f, "end_hold {conversion} {}", u8::from(*uphold))
            }
            Ask::ExpireHolds => write!(f, "expire_holds"),
            Ask::Rollup { upto } => write!(f, "rollup {}", or_dash(*upto)),
            Ask::Plan => write!(f, "plan"),
            Ask::PlanUnclaimed { enrollment } => write!(f, "plan_unclaimed {enrollment}"),
            Ask::CancelPayout { payout } => write!(f, "cancel_payout {payout}"),
            Ask::Attempt { payout } => write!(f, "attempt {payout}"),
            Ask::Outcome { payout, what } => {
                write!(f, "outcome {payout} {}", OUTCOMES[usize::from(*what)])
            }
            Ask::TransferReversed { payout } => write!(f, "transfer_reversed {payout}"),
            Ask::Adjust { enrollment, amount } => write!(f, "adjust {enrollment} {amount}"),
            Ask::OpenClaim { enrollment } => write!(f, "open_claim {enrollment}"),
            Ask::EndClaim { claim } => write!(f, "end_claim {claim}"),
            Ask::Launch => write!(f, "launch"),
            Ask::Pause => write!(f, "pause"),
            Ask::Resume => write!(f, "resume"),
            Ask::Complete => write!(f, "complete"),
            Ask::Cancel => write!(f, "cancel"),
            Ask::Budget { budget } => write!(f, "budget {budget}"),
            Ask::Refunds => write!(f, "refunds"),
            Ask::RefundOutcome { refund, what } => {
                write!(f, "refund_outcome {refund} {}", REFUND_OUTCOMES[usize::from(*what)])
            }
            Ask::Close => write!(f, "close"),
        }
    }
}
