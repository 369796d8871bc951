//! Conversions as the intake decided them, their reversals, and holds. None of the conversion
//! kinds posts: the fold posts their effect. A conversion is named by the position of its entry.

use serde::{Deserialize, Serialize};

use crate::ids::{CompositeKey, Fingerprint, Seq};
use crate::money::Minor;

/// What `/v` verified, common to accepted, held and rejected conversions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The order amount.
    pub amount: Minor,
    /// The signed artifact: click id or promo code.
    pub artifact: String,
    /// The credited time: of the click or, for a promo code, of the order.
    pub click_at: i64,
    /// Keyed hash of the content.
    pub fingerprint: Fingerprint,
    /// Keyed hash under which the event enters once.
    pub key: CompositeKey,
    /// When the order happened, as the brand says.
    pub occurred_at: i64,
    /// Risk: points and reasons, and the version of the model that gave them; absent where nothing
    /// was scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The event type.
    pub r#type: String,
}

/// A risk score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Version of the rules.
    pub model: u32,
    /// Integer points, 0 for none.
    pub points: u32,
    /// Stable codes, sorted.
    pub reasons: Vec<String>,
}

/// `conversion.accepted`: verified, first of its key, and counted from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversionAccepted(pub Taken);

/// `conversion.held`: taken in, accrues to `held` until someone decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionHeld {
    /// When the default outcome, release, comes; milliseconds.
    pub deadline: i64,
    /// What was verified.
    pub taken: Taken,
}

/// `conversion.rejected`: authentic and first, but a rule says no. The key is consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionRejected {
    /// Stable code of the rule.
    pub reason: String,
    /// What was verified.
    pub taken: Taken,
}

/// `conversion.reversed`: (part of) the order went back to the buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionReversed {
    /// How much more of the order was refunded; 0 only for an order of 0.
    pub amount: Minor,
    /// Which conversion.
    pub conversion: Seq,
    /// Keyed hash of the content.
    pub fingerprint: Fingerprint,
    /// Keyed hash under which the event enters once.
    pub key: CompositeKey,
    /// When the refund happened, as the brand says.
    pub occurred_at: i64,
}

/// `hold.placed`: a person or a reconciler doubts a conversion of which nothing is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldPlaced {
    /// Which conversion.
    pub conversion: Seq,
    /// When the default outcome, release, comes; milliseconds.
    pub deadline: i64,
    /// Stable code.
    pub reason: String,
}

/// `hold.released`: the conversion counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldReleased {
    /// Which conversion.
    pub conversion: Seq,
}

/// `hold.upheld`: the conversion earns nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldUpheld {
    /// Which conversion.
    pub conversion: Seq,
    /// Stable code.
    pub reason: String,
}
