//! What is handed to a store, and what it answers.

use std::sync::Arc;

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::conversion::{Event, Gate};
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentId, Fingerprint, Salt, Seq};
use sponsorhub_core::ledger::draft::{Draft, Drafted};
use sponsorhub_core::ledger::entry::{EntryError, Rendered};
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::event::conversion::{ConversionRejected, Taken};
use sponsorhub_core::ledger::kind::{Body, Kind};
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::merkle::{Hash, RecentTree};
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;

/// One verified event for a ledger: a conversion, or the reversal of one. Its bytes are rendered,
/// so the writer parses nothing. Everything the writer looks at is taken from the same body.
#[derive(Clone, Debug)]
pub struct Intake {
    pub(crate) campaign: CampaignId,
    pub(crate) enrollment: EnrollmentId,
    pub(crate) rendered: Rendered,
    pub(crate) amount: Minor,
    pub(crate) key: CompositeKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) click: Option<ClickUse>,
    pub(crate) check: IntakeCheck,
}

/// The use of a click. The first free slot is taken.
#[derive(Clone, Debug)]
pub(crate) struct ClickUse {
    pub(crate) slots: Vec<CompositeKey>,
    /// Appended where no slot is free.
    pub(crate) used_up: Rendered,
}

/// Why an event cannot be handed in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Commands make entries of this kind.
    #[error("`{0}` comes from a command and is not taken in")]
    NotAnEvent(Kind),
    /// The amount is out of range.
    #[error(transparent)]
    Amount(#[from] Refusal),
    /// The entry cannot be written: too large, or a number out of range.
    #[error("the event cannot be written as an entry")]
    Entry(#[from] EntryError),
}

impl Intake {
    /// Renders an event of this enrollment.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn try_new(
        campaign: CampaignId,
        enrollment: EnrollmentId,
        body: &Body,
        salt: Salt,
    ) -> Result<Self, IntakeError> {
        let event = Event::of(body).ok_or(IntakeError::NotAnEvent(body.kind()))?;
        event.check()?;
        let rendered = Rendered::new(campaign, Some(enrollment), body, salt)?;
        let Event { amount, key, fingerprint } = event;
        let check = IntakeCheck::of(body);
        let click = None;
        Ok(Self { campaign, enrollment, rendered, amount, key, fingerprint, click, check })
    }

    /// Lets the conversion use up a click: one of `slots`, a key for each conversion that the
    /// terms allow on it. Where none is free, the event is appended as rejected with the reason
    /// `click_already_used` instead.
    ///
    /// # Errors
    /// [`IntakeError::Entry`]: the rejected form cannot be written.
    pub fn with_click(
        mut self,
        slots: Vec<CompositeKey>,
        taken: &Taken,
        salt: Salt,
    ) -> Result<Self, IntakeError> {
        assert_eq!(taken.key, self.key, "both forms say the same event");
        let reason = CLICK_ALREADY_USED.to_owned();
        let body = Body::from(ConversionRejected { reason, taken: taken.clone() });
        let used_up = Rendered::new(self.campaign, Some(self.enrollment), &body, salt)?;
        self.click = Some(ClickUse { slots, used_up });
        Ok(self)
    }

    /// Whose ledger.
    pub fn campaign(&self) -> CampaignId {
        self.campaign
    }

    /// The entry, open where only the writer knows.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// The entry that is appended instead where the click is used up.
    pub fn used_up(&self) -> Option<&Rendered> {
        self.click.as_ref().map(|click| &click.used_up)
    }

    /// The key under which it enters once (INV-4).
    pub fn key(&self) -> CompositeKey {
        self.key
    }
}

/// Why a second conversion of a click is rejected.
pub const CLICK_ALREADY_USED: &str = "click_already_used";

/// Which rule of the core decides whether an event is taken in at the time of its append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntakeCheck {
    /// A conversion, credited to this time: state, windows, membership.
    Conversion {
        /// Milliseconds.
        click_at: i64,
    },
    /// A reversal: state, window, and never above the conversion (INV-8).
    Reversal {
        /// The conversion.
        conversion: Seq,
    },
    /// Nothing but a known enrollment: a rejected conversion.
    Enrolled,
}

impl IntakeCheck {
    fn of(body: &Body) -> Self {
        match body {
            Body::ConversionAccepted(accepted) => {
                Self::Conversion { click_at: accepted.0.click_at }
            }
            Body::ConversionHeld(held) => Self::Conversion { click_at: held.taken.click_at },
            Body::ConversionReversed(reversed) => {
                Self::Reversal { conversion: reversed.conversion }
            }
            _ => Self::Enrolled,
        }
    }
}

/// What became of an event that was handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is in the ledger, durably.
    Appended(Appended),
    /// Its key was there before; nothing was appended.
    Duplicate {
        /// The entry that has the key.
        seq: Seq,
        /// Whether that entry says the same.
        same_content: bool,
    },
    /// A rule said no; nothing was appended and no key used up.
    Refused(Refusal),
    /// No such campaign.
    UnknownCampaign,
    /// The campaign has no such enrollment.
    UnknownEnrollment,
}

/// Where an entry went.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Its position.
    pub seq: Seq,
    /// Its number among those of the enrollment.
    pub n: u64,
    /// Its time, milliseconds.
    pub at: i64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Whether the entry for a used-up click was appended instead.
    pub is_used_up: bool,
    /// The tree after the commit that took it in.
    pub tree: Arc<RecentTree>,
}

impl PartialEq for Appended {
    fn eq(&self, other: &Self) -> bool {
        let figures = |a: &Self| (a.seq, a.n, a.at, a.leaf, a.is_used_up, Tree::of(&a.tree));
        figures(self) == figures(other)
    }
}

/// A tree of a campaign at a moment between two commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// What may have come between the draft of a command and its append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing: the ledger ends at this position.
    Head(Seq),
    /// Only what the intake appended: no command's entry lies behind this position.
    Commands(Seq),
}

impl Tree {
    /// Size and root of a tree that has just grown.
    pub fn of(recent: &RecentTree) -> Self {
        Self { size: recent.size(), root: recent.root() }
    }
}

/// The entries of one command, ready to be appended together or not at all.
#[derive(Clone, Debug)]
pub struct Submission {
    pub(crate) campaign: CampaignId,
    pub(crate) expects: Expectation,
    pub(crate) at: i64,
    pub(crate) entries: Vec<Prepared>,
    pub(crate) after: After,
}

/// One rendered entry of a command.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) rendered: Rendered,
    pub(crate) enrollment: Option<EnrollmentId>,
    pub(crate) postings: Postings,
    pub(crate) effect: Effect,
}

/// What an entry changes in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    State(State),
    Started,
    Ended,
}

/// Figures of the state after a command.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) gate: Gate,
    pub(crate) confirmed: Minor,
    pub(crate) budget: Minor,
}

/// Why a draft cannot be submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// It has no entries.
    #[error("the draft appends nothing")]
    Empty,
    /// Events enter as [`Intake`], behind their keys.
    #[error("`{0}` is taken in with its key and not submitted by a command")]
    NotACommand(Kind),
    /// An entry cannot be written: too large, wrong scope, a number out of range.
    #[error("entry {number} of the command cannot be written")]
    Entry {
        /// Which one, from 1.
        number: usize,
        /// Why.
        source: EntryError,
    },
}

impl Submission {
    /// Renders a draft. `salt` gives fresh random bytes for each entry.
    ///
    /// The entries of a draft name each other and older things by position, so in general nothing
    /// may come in between. A rollup run names only entries before its base, as does the pause
    /// for exhausted funds: these are not disturbed by intake, and so are never starved by it.
    ///
    /// # Errors
    /// [`SubmissionError`].
    pub fn try_new(draft: &Draft, mut salt: impl FnMut() -> Salt) -> Result<Self, SubmissionError> {
        let state = draft.campaign();
        if draft.entries().is_empty() {
            return Err(SubmissionError::Empty);
        }
        let mut entries = Vec::with_capacity(draft.entries().len());
        for (index, drafted) in draft.entries().iter().enumerate() {
            let kind = drafted.body.kind();
            if kind.is_intake() {
                return Err(SubmissionError::NotACommand(kind));
            }
            let Drafted { enrollment, body, postings } = drafted;
            let rendered = Rendered::new(state.id(), *enrollment, body, salt());
            let number = index + 1;
            let rendered = rendered.map_err(|source| SubmissionError::Entry { number, source })?;
            entries.push(Prepared {
                rendered,
                enrollment: *enrollment,
                postings: *postings,
                effect: effect(body),
            });
        }
        let base = draft.base();
        let undisturbed = draft.entries().iter().all(|drafted| is_undisturbed(&drafted.body));
        Ok(Self {
            campaign: state.id(),
            expects: if undisturbed {
                Expectation::Commands(base)
            } else {
                Expectation::Head(base)
            },
            at: draft.now(),
            entries,
            after: After {
                gate: state.gate().clone(),
                confirmed: state.confirmed_budget(),
                budget: state.terms().budget,
            },
        })
    }

    /// Whose ledger.
    pub fn campaign(&self) -> CampaignId {
        self.campaign
    }

    /// What it expects of the ledger.
    pub fn expects(&self) -> Expectation {
        self.expects
    }

    pub(crate) fn opens(&self) -> bool {
        self.expects == Expectation::Head(0)
    }
}

/// Whether intake between draft and append leaves the entry true.
fn is_undisturbed(body: &Body) -> bool {
    match body {
        Body::RollupAccrued(_) | Body::RollupClosed(_) => true,
        Body::CampaignStateChanged(changed) => changed.cause == StateCause::Exhausted,
        _ => false,
    }
}

fn effect(body: &Body) -> Effect {
    match body {
        Body::CampaignStateChanged(changed) => Effect::State(changed.to),
        Body::EnrollmentStarted(_) => Effect::Started,
        Body::EnrollmentEnded(_) => Effect::Ended,
        _ => Effect::None,
    }
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// All of its entries are in the ledger, durably, one behind the other.
    Appended {
        /// Position of the first.
        first: Seq,
        /// Position of the last.
        last: Seq,
        /// Their time, milliseconds.
        at: i64,
        /// The tree after the commit that took them in.
        tree: Tree,
    },
    /// Something came in between; nothing was appended. Draft it again.
    Conflict {
        /// Where the ledger ends now; 0 where there is none.
        head: Seq,
    },
}
