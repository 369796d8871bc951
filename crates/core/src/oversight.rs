//! What people put right by hand: adjustments, claims, erasure.

use crate::ids::{EnrollmentId, Seq};
use crate::ledger::draft::Draft;
use crate::ledger::event::oversight::{
    Adjustment, AdjustmentPair, ClaimAnswered, ClaimExpired, ClaimOpened, ErasureDone,
};
use crate::money::Minor;
use crate::refusal::{Refusal, amount, need, two_people};

/// The largest adjustment that one person may make alone, in minor units.
pub const ADJUSTMENT_ALONE_MAX: Minor = Minor(10_000);

/// How a claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimEnd {
    /// Answered, with this stable code.
    Answered(String),
    /// Nobody answered in time. Recorded, never paid.
    Expired,
}

impl Draft {
    /// Pays a creator from free funds beyond all demand, as a correction or goodwill.
    ///
    /// # Errors
    /// [`Refusal`]: frozen, unknown enrollment, unmet demand or too little free, or a second
    /// person is missing above [`ADJUSTMENT_ALONE_MAX`].
    pub fn adjust(
        &mut self,
        id: EnrollmentId,
        sum: Minor,
        reason: String,
        approved_by: Vec<String>,
    ) -> Result<(), Refusal> {
        self.needs_open("adjust")?;
        self.enrolled(id)?;
        amount("amount", sum)?;
        need(self.campaign().frozen == 0, Refusal::Frozen)?;
        if sum > ADJUSTMENT_ALONE_MAX {
            two_people(&approved_by)?;
        }
        self.catch_up()?;
        let free = self.campaign().free_beyond_demand();
        need(free >= sum, Refusal::Funds { needed: sum, free })?;
        let pair = AdjustmentPair::FundsToPayable;
        self.append(Some(id), Adjustment { amount: sum, approved_by, pair, reason }).map(drop)
    }

    /// A creator asks; returns the claim's name.
    ///
    /// # Errors
    /// [`Refusal`]: unknown enrollment, or a campaign that is closed.
    pub fn open_claim(&mut self, id: EnrollmentId, about: String) -> Result<Seq, Refusal> {
        self.needs_open("open_claim")?;
        self.needs_unclosed("open_claim")?;
        self.enrolled(id)?;
        self.append(Some(id), ClaimOpened { about })
    }

    /// Ends a claim.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless it is open.
    pub fn end_claim(&mut self, claim: Seq, end: ClaimEnd) -> Result<(), Refusal> {
        self.needs_open("end_claim")?;
        let whose = self.campaign().claims.get(&claim);
        let needs = "must be open";
        let no = *whose.ok_or(Refusal::Thing { what: "claim", seq: claim, needs })?;
        let id = Some(self.campaign().enrollment(no).id);
        match end {
            ClaimEnd::Answered(answer) => self.append(id, ClaimAnswered { answer, claim }),
            ClaimEnd::Expired => self.append(id, ClaimExpired { claim }),
        }
        .map(drop)
    }

    /// Records that who an enrollment is was erased outside the ledger.
    ///
    /// # Errors
    /// [`Refusal::Enrollment`] for an unknown one.
    pub fn record_erasure(&mut self, id: EnrollmentId) -> Result<(), Refusal> {
        self.enrolled(id)?;
        self.append(Some(id), ErasureDone {}).map(drop)
    }
}
