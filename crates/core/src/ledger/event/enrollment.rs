//! A creator's taking part: enrollment, deliverables, fixed base. All carry the enrollment's id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::campaign::terms::{BaseUnlock, Rate};
use crate::money::Minor;

/// `enrollment.started`: a creator accepts a version of the terms; the base is reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentStarted {
    /// Fixed pay, reserved with its fee; 0 for none.
    pub base: Minor,
    /// What unlocks it.
    pub base_unlock: Option<BaseUnlock>,
    /// The most commission this enrollment may earn.
    pub creator_cap: Option<Minor>,
    /// Rates agreed with this creator alone; none means those of the terms.
    pub rates: Option<BTreeMap<String, Rate>>,
    /// The version accepted.
    pub terms_version: u32,
}

/// `enrollment.ended`: no new credited click; earlier clicks still convert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentEnded {}

/// `deliverable.submitted`: a creator hands in what the base waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverableSubmitted {}

/// Who judged a deliverable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// The brand.
    Brand,
    /// Seven days without an answer.
    Silence,
}

/// `deliverable.accepted`: the brand, or seven days of its silence, says yes; unlocks the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverableAccepted {
    /// By whom.
    pub by: JudgedBy,
}

/// `deliverable.declined`: the brand says no, with a reason; the creator may submit again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverableDeclined {
    /// What the brand says.
    pub reason: String,
}

/// `base.earned`: the condition is met; the whole reserve moves. Once earned it stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseEarned {}

/// `base.released`: the reserve goes back to the campaign's funds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseReleased {}
