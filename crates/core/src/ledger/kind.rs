//! Every kind of entry, in one list: name, code, scope, body.

use std::fmt;

use serde_json::value::RawValue;

use super::event::campaign::{CampaignOpened, CampaignStateChanged, TermsSet};
use super::event::conversion::{
    ConversionAccepted, ConversionHeld, ConversionRejected, ConversionReversed, HoldPlaced,
    HoldReleased, HoldUpheld,
};
use super::event::deposit::{
    DepositConfirmed, DepositDisputeClosed, DepositDisputed, DepositExpected, DepositFailed,
    DepositReinstated, DepositReversed, DepositSettled, PlatformAdvanced,
};
use super::event::enrollment::{
    BaseEarned, BaseReleased, DeliverableAccepted, DeliverableDeclined, DeliverableSubmitted,
    EnrollmentEnded, EnrollmentStarted,
};
use super::event::oversight::{Adjustment, ClaimAnswered, ClaimExpired, ClaimOpened, ErasureDone};
use super::event::payout::{
    DisbursementAttempted, DisbursementFailed, DisbursementPaid, DisbursementReversed,
    DisbursementUnknown, PayoutCancelled, PayoutPlanned, PayoutUnclaimed, RefundFailed, RefundPaid,
    RefundPlanned, RefundSettledOutside,
};
use super::event::rollup::{RollupAccrued, RollupClosed};

/// Whom an entry concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The campaign: no `enrollment`, no `n`.
    Campaign,
    /// One creator: `enrollment` and `n` are present.
    Enrollment,
    /// Either, by its content.
    Either,
}

macro_rules! kinds {
    ($($code:literal $name:literal $kind:ident $scope:ident;)*) => {
        /// The kind of an entry. Names and codes are frozen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`")] $kind = $code,)*
        }

        impl Kind {
            /// Every kind, by code.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name in the entry.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The number in the database's `kind` column.
            pub const fn code(self) -> u8 {
                match self { $(Self::$kind => $code,)* }
            }

            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }

            /// The kind of that code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$kind),)* _ => None }
            }

            /// Whom entries of this kind concern.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$kind => Scope::$scope,)* }
            }
        }

        /// The body of an entry.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is documented by its body type")]
        pub enum Body {
            $($kind($kind),)*
        }

        impl Body {
            /// The kind that this is the body of.
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Reads the body of an entry of version 1.
            pub(super) fn decode(kind: Kind, body: &RawValue) -> Result<Self, serde_json::Error> {
                Ok(match kind {
                    $(Kind::$kind => Self::$kind(serde_json::from_str(body.get())?),)*
                })
            }

            /// Appends the canonical JSON of the body.
            pub(super) fn encode(&self, out: &mut Vec<u8>) {
                let written = match self {
                    $(Self::$kind(body) => serde_json::to_writer(out, body),)*
                };
                written.expect("a body is plain data and memory takes what it is given");
            }
        }

        $(impl From<$kind> for Body {
            fn from(body: $kind) -> Self {
                Self::$kind(body)
            }
        })*
    };
}

kinds! {
    1 "campaign.opened" CampaignOpened Campaign;
    2 "terms.set" TermsSet Campaign;
    3 "campaign.state_changed" CampaignStateChanged Campaign;
    4 "deposit.expected" DepositExpected Campaign;
    5 "deposit.failed" DepositFailed Campaign;
    6 "deposit.confirmed" DepositConfirmed Campaign;
    7 "deposit.settled" DepositSettled Campaign;
    8 "deposit.disputed" DepositDisputed Campaign;
    9 "deposit.dispute_closed" DepositDisputeClosed Campaign;
    10 "deposit.reversed" DepositReversed Campaign;
    11 "deposit.reinstated" DepositReinstated Campaign;
    12 "enrollment.started" EnrollmentStarted Enrollment;
    13 "enrollment.ended" EnrollmentEnded Enrollment;
    14 "conversion.accepted" ConversionAccepted Enrollment;
    15 "conversion.held" ConversionHeld Enrollment;
    16 "conversion.rejected" ConversionRejected Enrollment;
    17 "conversion.reversed" ConversionReversed Enrollment;
    18 "hold.placed" HoldPlaced Enrollment;
    19 "hold.released" HoldReleased Enrollment;
    20 "hold.upheld" HoldUpheld Enrollment;
    21 "rollup.accrued" RollupAccrued Enrollment;
    22 "rollup.closed" RollupClosed Campaign;
    23 "base.earned" BaseEarned Enrollment;
    24 "base.released" BaseReleased Enrollment;
    25 "deliverable.submitted" DeliverableSubmitted Enrollment;
    26 "deliverable.accepted" DeliverableAccepted Enrollment;
    27 "deliverable.declined" DeliverableDeclined Enrollment;
    28 "payout.planned" PayoutPlanned Enrollment;
    29 "payout.cancelled" PayoutCancelled Enrollment;
    30 "payout.unclaimed" PayoutUnclaimed Enrollment;
    31 "disbursement.attempted" DisbursementAttempted Enrollment;
    32 "disbursement.unknown" DisbursementUnknown Enrollment;
    33 "disbursement.failed" DisbursementFailed Enrollment;
    34 "disbursement.paid" DisbursementPaid Enrollment;
    35 "disbursement.reversed" DisbursementReversed Enrollment;
    36 "refund.planned" RefundPlanned Campaign;
    37 "refund.paid" RefundPaid Campaign;
    38 "refund.failed" RefundFailed Campaign;
    39 "refund.settled_outside" RefundSettledOutside Campaign;
    40 "platform.advanced" PlatformAdvanced Campaign;
    41 "adjustment" Adjustment Either;
    42 "claim.opened" ClaimOpened Enrollment;
    43 "claim.answered" ClaimAnswered Enrollment;
    44 "claim.expired" ClaimExpired Enrollment;
    45 "erasure.done" ErasureDone Enrollment;
}

impl Kind {
    /// Whether the intake appends entries of this kind; all others come from commands.
    pub const fn is_intake(self) -> bool {
        matches!(
            self,
            Self::ConversionAccepted
                | Self::ConversionHeld
                | Self::ConversionRejected
                | Self::ConversionReversed
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
