//! Use cases of a campaign that need nobody outside: opening, the lifecycle, enrollments, links,
//! promo codes, holds.
//!
//! Each is one step that may be repeated: ids come from the caller, so that a request that is sent
//! again finds what it made the first time.

use sponsorhub_core::attribution::destination::{AllowedHost, Destination};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::attribution::promo_code::{self, CodeOwner};
use sponsorhub_core::attribution::slug::Slug;
use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::{BaseUnlock, Terms};
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::hold::HoldDecision;
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::money::INTEGER_MAX;
use sponsorhub_core::refusal::Refusal;
use sponsorhub_core::time::plus_days;
use sponsorhub_store::registry::{Maker, PromoCode, Wrapped};
use sponsorhub_store::{Change, Recorded, Rule, StoreError};

use crate::catalog::Keys;
use crate::desk::{CommandError, Desk};
use crate::fees::{Fees, FeesError};
use crate::ports::random;

/// Why a use case did nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The ledger said no, or could not be asked.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The registry said no.
    #[error("{0}")]
    Rule(Rule),
    /// A field is out of range.
    #[error("{field}: {fix}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What would be accepted.
        fix: String,
    },
}

impl From<Refusal> for CampaignError {
    fn from(refusal: Refusal) -> Self {
        Self::Command(refusal.into())
    }
}

impl From<StoreError> for CampaignError {
    fn from(error: StoreError) -> Self {
        Self::Command(error.into())
    }
}

fn field(field: &'static str, error: &dyn std::error::Error) -> CampaignError {
    CampaignError::Field { field, fix: error.to_string() }
}

/// Records a change; one that was made before, in the same words, is no conflict.
fn record(desk: &Desk, change: Change, again: Option<Rule>) -> Result<Recorded, CampaignError> {
    desk.record(change, again).map_err(|error| match error {
        CommandError::Rule(rule) => CampaignError::Rule(rule),
        other => other.into(),
    })
}

/// Opens a campaign for a brand that the registry knows. Repeated with the same id it finishes what
/// a crash left undone.
///
/// # Errors
/// [`CampaignError`].
pub fn create(
    desk: &Desk,
    keys: &Keys,
    (id, brand): (CampaignId, BrandId),
    (terms, fees): (Terms, Fees),
    now: i64,
) -> Result<(), CampaignError> {
    fees.check(&terms).map_err(|FeesError { field, fix }| CampaignError::Field { field, fix })?;
    for host in &terms.destination_hosts {
        host.parse::<AllowedHost>().map_err(|error| field("destination_hosts", &error))?;
    }
    if terms.base_unlock == Some(BaseUnlock::Deliverable) {
        let fix =
            "deliverables cannot be submitted yet; unlock the base by a number of conversions";
        return Err(CampaignError::Field { field: "base_unlock", fix: fix.to_owned() });
    }
    if terms.ends_at > INTEGER_MAX {
        let fix = "milliseconds since 1970, at most 2^53 - 1".to_owned();
        return Err(CampaignError::Field { field: "ends_at", fix });
    }
    let mode = keys.set.mode();
    let opening = Opening { id, brand, mode };
    let ends_at = terms.ends_at;
    let draft = Draft::open(opening, terms, now)?;
    match desk.look(id, sponsorhub_core::ledger::folded::Campaign::brand) {
        Ok(of) if of == brand => {}
        Ok(_) => return Err(CommandError::UnknownCampaign(id).into()),
        Err(CommandError::UnknownCampaign(_)) if ends_at <= now => {
            let fix = "a time to come, milliseconds since 1970".to_owned();
            return Err(CampaignError::Field { field: "ends_at", fix });
        }
        Err(CommandError::UnknownCampaign(_)) => desk.open(draft)?,
        Err(error) => return Err(error.into()),
    }
    let own = Change::OwnCampaign { campaign: id, brand, at: now };
    record(desk, own, Some(Rule::OwnerUnique))?;
    let dedup = DedupKey::new(random(desk.chance()));
    let wrapped = Wrapped(dedup.wrap(&keys.set, id, random(desk.chance())).to_vec());
    let key_id = keys.set.signer().0;
    let keep = Change::KeepCampaignKey { campaign: id, wrapped, key_id, at: now };
    record(desk, keep, Some(Rule::CampaignKeyUnique))?;
    Ok(())
}

/// What a brand may do to a running campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go live: the funding gate (INV-9).
    Launch,
    /// Credit no clicks for a while.
    Pause,
    /// Credit clicks again.
    Resume,
    /// End it.
    Complete,
    /// Give it up before it went live.
    Cancel,
}

/// Moves a campaign along its lifecycle, on the word of its brand or of an operator.
///
/// # Errors
/// [`CommandError`].
pub fn step(
    desk: &Desk,
    id: CampaignId,
    (step, cause): (Step, StateCause),
    now: i64,
) -> Result<(), CommandError> {
    desk.command(id, now, |draft| match step {
        Step::Launch => draft.launch(),
        Step::Pause => draft.pause(cause),
        Step::Resume => resume(draft),
        Step::Complete => draft.complete(cause),
        Step::Cancel => draft.cancel(),
    })
}

/// Resumes with the money that a launch needs: what was taken back since must be paid in first (INV-9).
fn resume(draft: &mut Draft) -> Result<(), Refusal> {
    let campaign = draft.campaign();
    if campaign.state() == State::Paused {
        let (confirmed, budget) = (campaign.confirmed_budget(), campaign.terms().budget);
        if campaign.frozen() > 0 {
            return Err(Refusal::Frozen);
        }
        if confirmed < budget {
            return Err(Refusal::Unfunded { confirmed, budget });
        }
    }
    draft.resume()
}

/// Enrolls a creator. The ledger does not say whom an enrollment pays, so that is recorded first.
///
/// # Errors
/// [`CampaignError`].
pub fn enroll(
    desk: &Desk,
    campaign: CampaignId,
    (enrollment, creator): (EnrollmentId, CreatorId),
    offer: Option<&Offer>,
    now: i64,
) -> Result<(), CampaignError> {
    let map = Change::MapEnrollment { campaign, enrollment, creator, at: now };
    record(desk, map, Some(Rule::EnrollmentUnique))?;
    desk.command(campaign, now, |draft| {
        if draft.campaign().enrollment_no(enrollment).is_some() {
            return Ok(());
        }
        let offer = offer.cloned().unwrap_or_else(|| draft.campaign().offer());
        draft.enroll(enrollment, offer)
    })?;
    Ok(())
}

/// Ends a creator's part.
///
/// # Errors
/// [`CommandError`].
pub fn end_enrollment(
    desk: &Desk,
    campaign: CampaignId,
    enrollment: EnrollmentId,
    now: i64,
) -> Result<(), CommandError> {
    desk.command(campaign, now, |draft| draft.end_enrollment(enrollment))
}

/// A link that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeLink {
    /// Its number in the campaign.
    pub number: u32,
    /// What stands behind `/r/`.
    pub token: String,
}

/// Refuses new links and codes for whoever has left: they would credit nobody.
fn takes_part(
    desk: &Desk,
    campaign: CampaignId,
    enrollment: EnrollmentId,
) -> Result<(), CampaignError> {
    let has_ended = desk.look(campaign, |state| {
        let no = state.enrollment_no(enrollment);
        no.is_none_or(|no| state.enrollment(no).ended_at.is_some())
    })?;
    if has_ended {
        return Err(Refusal::Enrollment(
            "has ended, so that a new link or code would earn nothing",
        )
        .into());
    }
    Ok(())
}

/// Makes a link of a creator to a page of the brand.
///
/// # Errors
/// [`CampaignError`].
pub fn make_link(
    desk: &Desk,
    keys: &Keys,
    (campaign, enrollment): (CampaignId, EnrollmentId),
    (url, slug, maker): (&str, Option<&str>, Option<Maker>),
    now: i64,
) -> Result<MadeLink, CampaignError> {
    takes_part(desk, campaign, enrollment)?;
    let slug = slug.map(str::parse::<Slug>).transpose().map_err(|error| field("slug", &error))?;
    let (hosts, mode) =
        desk.look(campaign, |state| (state.terms().destination_hosts.clone(), state.mode()))?;
    let hosts: Result<Vec<AllowedHost>, _> = hosts.iter().map(|host| host.parse()).collect();
    let hosts = hosts.map_err(|error| field("destination_hosts", &error))?;
    let destination = Destination::try_new(url, &hosts, mode);
    let destination = destination.map_err(|error| field("destination", &error))?.to_string();
    if let Some(slug) = &slug {
        // Before there is a link that nobody was told of.
        let taken = desk.registry(|registry| registry.slug(slug.as_str()))?;
        if taken.is_some() {
            return Err(CampaignError::Rule(Rule::SlugUnique));
        }
    }
    let issue = Change::IssueLink { campaign, enrollment, destination, maker, at: now };
    let Recorded::Link { number } = record(desk, issue, None)? else {
        return Err(StoreError::Corrupt("a link has no number".to_owned()).into());
    };
    if let Some(slug) = slug {
        let slug = slug.as_str().to_owned();
        record(desk, Change::NameLink { slug, campaign, number, at: now }, None)?;
    }
    let token = LinkToken { campaign, enrollment, number }.sign(&keys.set);
    Ok(MadeLink { number, token })
}

/// Makes a promo code of a creator; returns it as it is shared.
///
/// # Errors
/// [`CampaignError`].
pub fn make_code(
    desk: &Desk,
    keys: &Keys,
    (campaign, enrollment): (CampaignId, EnrollmentId),
    readable: &str,
    now: i64,
) -> Result<String, CampaignError> {
    takes_part(desk, campaign, enrollment)?;
    let brand = desk.look(campaign, sponsorhub_core::ledger::folded::Campaign::brand)?;
    let owner = CodeOwner { brand, campaign, enrollment };
    let code = promo_code::issue(&keys.set, owner, readable);
    let code = code.map_err(|_| CampaignError::Field {
        field: "readable",
        fix: "2 to 12 letters and digits".to_owned(),
    })?;
    let issue = Change::IssuePromoCode(PromoCode {
        brand,
        folded: code.folded.as_str().to_owned(),
        campaign,
        enrollment,
        readable: readable.to_owned(),
        display: code.text.clone(),
        key_id: code.key.0,
        created_at: now,
        revoked_at: None,
    });
    record(desk, issue, None)?;
    Ok(code.text)
}

/// A person doubts a conversion: at most until `deadline`, milliseconds, or as long as the terms allow.
///
/// # Errors
/// [`CommandError`].
pub fn place_hold(
    desk: &Desk,
    campaign: CampaignId,
    (conversion, reason, deadline): (Seq, &str, Option<i64>),
    now: i64,
) -> Result<(), CommandError> {
    desk.command(campaign, now, |draft| {
        let latest = plus_days(draft.now(), draft.campaign().terms().hold_deadline_days);
        draft.place_hold(conversion, deadline.unwrap_or(latest), reason.to_owned())
    })
}

/// An operator gives up a payout that is planned or was refused; what it was for is owed as before.
///
/// # Errors
/// [`CommandError`]: an attempt is under way, or its outcome unknown.
pub fn cancel_payout(
    desk: &Desk,
    campaign: CampaignId,
    (payout, reason): (Seq, &str),
    now: i64,
) -> Result<(), CommandError> {
    desk.command(campaign, now, |draft| draft.cancel_payout(payout, reason.to_owned()))
}

/// A person ends a hold.
///
/// # Errors
/// [`CommandError`].
pub fn end_hold(
    desk: &Desk,
    campaign: CampaignId,
    conversion: Seq,
    decision: &HoldDecision,
    now: i64,
) -> Result<(), CommandError> {
    desk.command(campaign, now, |draft| draft.end_hold(conversion, decision.clone()))
}
