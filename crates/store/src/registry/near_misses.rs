//! Reports that were refused, of which a brand asks why they did not count.

use sponsorhub_core::ids::{BrandId, CampaignId};

/// Near misses that are kept of a brand.
pub const NEAR_MISSES_MAX: u64 = 1_000;

/// UTC days for which near misses are counted.
pub const NEAR_MISS_DAYS: i64 = 400;

/// Characters of a near miss's texts; what is longer is cut.
pub const NEAR_MISS_CHARACTERS: usize = 200;

/// A report that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Who reported.
    pub brand: BrandId,
    /// When, milliseconds.
    pub at: i64,
    /// Stable code of the refusal.
    pub code: String,
    /// The field that it is about.
    pub field: Option<String>,
    /// The campaign, if that much was certain.
    pub campaign: Option<CampaignId>,
    /// Short, and nothing about a person.
    pub detail: String,
}

/// How often a code was the answer on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMissCount {
    /// UTC day since 1970.
    pub day: i64,
    /// Stable code of the refusal.
    pub code: String,
    /// How often.
    pub count: u64,
}
