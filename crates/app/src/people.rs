//! What the identity provider tells of users: somebody is gone, shut out, or has another place in an
//! organisation.
//!
//! It only ever takes away. Who comes back, or rises, is let in by an owner or an operator: otherwise
//! whoever rules the identity provider's organisation could undo what an operator decided.

use sponsorhub_core::actor::Role;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::CreatorId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_store::registry::{ApiChange, Decider, User, UserChange};
use sponsorhub_store::{Change, Rule};

use crate::campaigns;
use crate::desk::{CommandError, Desk};

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// About whom and what.
    pub what: What,
    /// When it happened, milliseconds.
    pub at: i64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The user exists no more.
    UserGone {
        /// The identity provider's id.
        user: String,
    },
    /// The user may not sign in any more.
    UserShut {
        /// The identity provider's id.
        user: String,
    },
    /// Somebody has a place in an organisation.
    Placed {
        /// Who.
        user: String,
        /// In which.
        organisation: String,
        /// The identity provider's word for it, without a prefix.
        role: Option<String>,
    },
    /// Somebody has left an organisation.
    Left {
        /// Who.
        user: String,
        /// Which.
        organisation: String,
    },
    /// Nothing that matters here.
    Other,
}

impl What {
    /// Whom it is about, where that can be written down: an id of the identity provider's. Anything else
    /// may be somebody's address.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::UserGone { user }
            | Self::UserShut { user }
            | Self::Placed { user, .. }
            | Self::Left { user, .. } => Some(user.as_str()).filter(|user| is_id(user, "user_")),
            Self::Other => None,
        }
    }
}

/// Whether a text has the form of the identity provider's ids.
fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    !rest.is_empty()
        && rest.len() <= 64
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heeded {
    /// Nothing had to change.
    Nothing,
    /// Somebody may do less from now on.
    Less,
    /// Somebody is gone; what was known of them beside their user's id is erased.
    Erased,
    /// Somebody is gone and is still owed money, so who they are stays until it is paid; then they are
    /// erased by the workers.
    StillOwed,
}

/// How much earlier than the product's users the identity provider's clock may say something happened,
/// milliseconds: a token issued in these last moments lets nobody join either.
const SKEW_MS: i64 = 5_000;

/// Heeds what was told. Told again, or late, it changes nothing. Of who has not joined yet it is remembered
/// that they left, or have another place: a token that they still hold must not let them in by the old one.
///
/// # Errors
/// [`CommandError`]: tell it again.
pub fn heed(desk: &Desk, told: &Told, now: i64) -> Result<Heeded, CommandError> {
    // What is told does not lie in the future, but for clocks that differ a little: a wrong one there must not
    // outdo what is decided here later.
    let at = told.at.min(now.saturating_add(SKEW_MS));
    let (user, organisation) = match &told.what {
        What::UserGone { user } | What::UserShut { user } => (user, None),
        What::Placed { user, organisation, .. } | What::Left { user, organisation } => {
            (user, Some(organisation))
        }
        What::Other => return Ok(Heeded::Nothing),
    };
    let can_be_kept = is_id(user, "user_") && organisation.is_none_or(|id| is_id(id, "org_"));
    if can_be_kept {
        // Before it is looked who is there: whoever joins in between is refused or found.
        let (subject, organisation) = (user.clone(), organisation.cloned());
        let at = at.saturating_add(SKEW_MS);
        let left = ApiChange::NoteDeparture { subject, organisation, at };
        desk.record(Change::Api(left), None)?;
    }
    let known = desk.registry(|registry| registry.user(user))?;
    let Some(known) = known else { return Ok(Heeded::Nothing) };
    // Of another organisation than the one of the brand nothing is to be heeded here.
    if organisation.is_some_and(|of| known.organisation.as_ref() != Some(of)) {
        return Ok(Heeded::Nothing);
    }
    let suspended = known.suspended_at.or(Some(at));
    match &told.what {
        What::Placed { role, .. } => {
            let given = Role::in_organisation(role.as_deref());
            let listed = Role::from_name(&known.role).unwrap_or(Role::Viewer);
            if given >= listed {
                return Ok(Heeded::Nothing);
            }
            let place = (given.name(), known.suspended_at);
            change(desk, &known, place, heeded_at(&known, at, now))
        }
        What::UserGone { .. } => {
            // Whenever it is told: nobody of a deleted id comes back.
            let at = at.max(known.changed_at);
            change(desk, &known, (&known.role, suspended), at)?;
            match known.party.filter(|_| known.role == Role::Creator.name()) {
                Some(creator) => ask_erasure(desk, CreatorId(creator), now),
                None => Ok(Heeded::Less),
            }
        }
        _ => change(desk, &known, (&known.role, suspended), heeded_at(&known, at, now)),
    }
}

/// When what is told counts as having happened. A change that is said to lie in the future stands against nothing:
/// a clock of ours was ahead when it was written down.
fn heeded_at(known: &User, at: i64, now: i64) -> i64 {
    let is_ahead = known.changed_at > now.saturating_add(SKEW_MS);
    if is_ahead { known.changed_at } else { at }
}

fn change(
    desk: &Desk,
    known: &User,
    (role, suspended_at): (&str, Option<i64>),
    at: i64,
) -> Result<Heeded, CommandError> {
    let change = UserChange {
        subject: known.subject.clone(),
        role: role.to_owned(),
        suspended_at,
        at,
        keeps_an_owner: false,
        by: Decider::Team,
    };
    desk.record(Change::Api(ApiChange::ChangeUser(change)), None)?;
    Ok(Heeded::Less)
}

/// Erases a creator, or remembers to as soon as nothing is owed: without who they are nobody could be
/// paid. Asked again, it changes nothing.
///
/// # Errors
/// [`CommandError`].
pub fn ask_erasure(desk: &Desk, creator: CreatorId, now: i64) -> Result<Heeded, CommandError> {
    // Remembered first, so that a crash in between loses nothing.
    match desk.record(Change::AskErasure { creator, at: now }, None) {
        Ok(_) => {
            end_parts(desk, creator, now)?;
            erase(desk, creator, now)
        }
        Err(CommandError::Rule(Rule::CreatorKnown)) => Ok(Heeded::Erased),
        Err(error) => Err(error),
    }
}

/// Ends what a creator takes part in, so that nothing new is owed: what is earned stays, and clicks from
/// before still convert.
fn end_parts(desk: &Desk, creator: CreatorId, now: i64) -> Result<(), CommandError> {
    for (campaign, enrollment) in desk.registry(|registry| registry.enrollments_of(creator))? {
        let goes_on = desk.look(campaign, |state| {
            let part = state.enrollment_no(enrollment).map(|no| state.enrollment(no));
            part.is_some_and(|part| part.ended_at.is_none())
        })?;
        if goes_on {
            match campaigns::end_enrollment(desk, campaign, enrollment, now) {
                // A campaign that is over has ended it.
                Ok(()) | Err(CommandError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Erases the creators who are to be and are owed nothing any more. How many.
///
/// # Errors
/// [`CommandError`]: the others are tried again.
pub fn erase_waiting(desk: &Desk, now: i64) -> Result<usize, CommandError> {
    let mut erased = 0;
    for creator in desk.registry(|registry| registry.creators_to_erase())? {
        erased += usize::from(erase(desk, creator, now)? == Heeded::Erased);
    }
    Ok(erased)
}

/// Erases what is known of a creator, unless money is still to come: it may as long as a campaign of theirs
/// is not over, since clicks from before convert and orders come back.
fn erase(desk: &Desk, creator: CreatorId, now: i64) -> Result<Heeded, CommandError> {
    let enrollments = desk.registry(|registry| registry.enrollments_of(creator))?;
    for (campaign, enrollment) in enrollments {
        let is_owed = desk.look(campaign, |state| {
            let is_over = matches!(state.state(), State::PaidOut | State::Cancelled);
            let unclaimed = state.balance(Account::Unclaimed).is_positive()
                && state
                    .enrollments()
                    .iter()
                    .any(|one| one.id == enrollment && one.unclaimed_left.is_positive());
            !is_over || unclaimed || state.in_flight().is_positive()
        })?;
        if is_owed {
            return Ok(Heeded::StillOwed);
        }
    }
    desk.record(Change::EraseCreator { creator, at: now }, Some(Rule::CreatorKnown))?;
    Ok(Heeded::Erased)
}

/// Shuts out whoever is this creator, from the next request on.
///
/// # Errors
/// [`CommandError`].
pub fn shut_out(desk: &Desk, creator: CreatorId, now: i64) -> Result<(), CommandError> {
    for known in desk.registry(|registry| registry.users_of(creator.0))? {
        let shut = UserChange {
            suspended_at: known.suspended_at.or(Some(now)),
            role: known.role,
            at: now.max(known.changed_at),
            subject: known.subject,
            keeps_an_owner: false,
            by: Decider::Operator,
        };
        desk.record(Change::Api(ApiChange::ChangeUser(shut)), None)?;
    }
    Ok(())
}
