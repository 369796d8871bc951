//! Drafts: how commands make entries.
//!
//! A command reads the folded state, evaluates its guards and appends what follows to a draft: a
//! copy of the state with the new entries. Whoever holds the draft submits it with the position it
//! was computed at; if the ledger moved on meanwhile the draft is thrown away and computed again.
//! Nothing outside this crate can put an entry into a draft, so every entry has passed its guards.
//!
//! A draft whose command was refused may hold entries that came before the refusal: drop it.

use super::event::campaign::CampaignOpened;
use super::folded::Campaign;
use super::kind::Body;
use super::posting::Postings;
use crate::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use crate::refusal::Refusal;

/// An entry that a command wants to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drafted {
    /// Whom it concerns.
    pub enrollment: Option<EnrollmentId>,
    /// What it says.
    pub body: Body,
    /// What it moves.
    pub postings: Postings,
}

/// A command's entries on a copy of the state.
#[derive(Clone, Debug)]
pub struct Draft {
    campaign: Campaign,
    base: Seq,
    now: i64,
    entries: Vec<Drafted>,
}

impl Draft {
    /// Begins on a copy of `campaign` at `now`, milliseconds; time never runs backwards.
    pub fn on(campaign: &Campaign, now: i64) -> Self {
        let campaign = campaign.clone();
        Self { base: campaign.head, now: now.max(campaign.at), campaign, entries: Vec::new() }
    }

    /// Begins a ledger.
    pub(crate) fn opening(id: CampaignId, now: i64, opened: CampaignOpened) -> Self {
        let campaign = Campaign::opened(id, now, &opened);
        let body = Body::CampaignOpened(opened);
        let first = Drafted { enrollment: None, body, postings: Postings::NONE };
        Self { campaign, base: 0, now, entries: vec![first] }
    }

    /// The state with the drafted entries applied.
    pub fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    /// The position of the last entry that the draft was computed on; 0 for an opening.
    pub fn base(&self) -> Seq {
        self.base
    }

    /// The time at which its guards were evaluated.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// What it would append.
    pub fn entries(&self) -> &[Drafted] {
        &self.entries
    }

    /// The state after, and the entries.
    pub fn into_parts(self) -> (Campaign, Vec<Drafted>) {
        (self.campaign, self.entries)
    }

    /// Appends an entry and returns its position, provided that nothing comes in between.
    pub(crate) fn append(
        &mut self,
        enrollment: Option<EnrollmentId>,
        body: impl Into<Body>,
    ) -> Result<Seq, Refusal> {
        let body = body.into();
        let postings = self.campaign.append(self.now, enrollment, &body).map_err(Refusal::Bug)?;
        self.entries.push(Drafted { enrollment, body, postings });
        Ok(self.campaign.head)
    }

    /// Scans up to `upto` and returns the enrollments for which money moved, in posting order.
    pub(crate) fn scan_to(&mut self, upto: Seq) -> Result<Vec<EnrollmentNo>, Refusal> {
        self.campaign.advance_to(upto).map_err(Refusal::Bug)?;
        Ok(self.campaign.fold.touched())
    }
}
