//! Who asks: the bearer token's user, and what they are here.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use sponsorhub_core::actor::{Action, Role, Scope, allows};
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_store::registry::User;

use super::Fault;
use super::access;
use super::budget::Left;
use super::standing::{self, Standing};
use crate::problem::Problem;
use crate::shared::Shared;

/// Longest idempotency key, bytes.
const KEY_BYTES_MAX: usize = 255;

/// Somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) shared: Held,
    pub(crate) subject: String,
    pub(crate) role: Role,
    pub(crate) user: Option<User>,
    party: Option<[u8; 16]>,
    /// When the token was issued, milliseconds; none of API keys.
    pub(crate) issued_at: Option<i64>,
    /// The identity provider's organisation that they act in.
    pub(crate) organisation: Option<String>,
    /// Of an API key: all that it may do.
    scopes: Option<Vec<Scope>>,
    /// Where they come from, keyed later: address and browser.
    pub(crate) headers: HeaderMap,
    pub(crate) peer: std::net::IpAddr,
    pub(crate) method: String,
    pub(crate) path: String,
}

/// [`Shared`], which has nothing to show.
pub(crate) struct Held(pub(crate) Shared);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl std::ops::Deref for Held {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) std::net::IpAddr);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let peer = access::peer(parts);
        let left = parts.extensions.get::<Left>().cloned().unwrap_or_default();
        let standing = standing::of(parts, shared, &left).await;
        if standing.as_ref().is_err_and(|problem| problem.status() == StatusCode::UNAUTHORIZED) {
            let address = shared.address(peer, &parts.headers);
            shared.rates.of_stranger(address).map_or(Ok(()), |budget| left.tell(budget))?;
        }
        let Standing { subject, role, user, party, organisation, session, issued_at, scopes } =
            standing?;
        access::tell(parts, shared, (&subject, role.name()), session.as_deref());
        Ok(Self {
            shared: Held(shared.clone()),
            subject,
            role,
            user,
            party,
            issued_at,
            organisation,
            scopes,
            headers: parts.headers.clone(),
            peer,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Caller {
    /// Refuses what the caller's role may not do at all.
    pub(crate) fn may(&self, action: Action) -> Result<(), Problem> {
        let is_in_scope = |scopes: &Vec<Scope>| scopes.iter().any(|scope| scope.allows(action));
        if !self.scopes.as_ref().is_none_or(is_in_scope) {
            let detail = format!("this API key has no scope for `{}`", action.name());
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        if allows(self.role, action) {
            return Ok(());
        }
        let (role, action) = (self.role.name(), action.name());
        let detail = format!("`{role}` may not `{action}`");
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }

    fn party(&self) -> Result<[u8; 16], Problem> {
        let detail = "join first: PUT /api/v1/me with a name";
        let unknown = || Problem::new(StatusCode::FORBIDDEN, "not_joined", detail);
        self.party.ok_or_else(unknown)
    }

    /// Whether the caller is a machine of the brand.
    pub(crate) fn is_key(&self) -> bool {
        self.scopes.is_some()
    }

    /// The brand that the caller is.
    pub(crate) fn brand(&self) -> Result<BrandId, Problem> {
        self.party().map(BrandId)
    }

    /// The creator that the caller is.
    pub(crate) fn creator(&self) -> Result<CreatorId, Problem> {
        self.party().map(CreatorId)
    }

    /// The caller's own enrollments.
    pub(crate) fn enrollments(&self) -> Result<Vec<(CampaignId, EnrollmentId)>, Problem> {
        let creator = self.creator()?;
        let found = self.shared.desk.registry(|registry| registry.enrollments_of(creator));
        found.map_err(|error| Fault::from(error).into())
    }

    /// Refuses campaigns that are not the caller's to see, as if they were not there: a brand sees its
    /// own, a creator those that can be joined and those they are in, an operator all.
    pub(crate) fn sees(&self, campaign: CampaignId) -> Result<(), Problem> {
        use sponsorhub_core::campaign::state::State;
        let looked = self.shared.desk.look(campaign, |state| (state.brand(), state.state()));
        let (brand, state) = looked.map_err(Fault::from)?;
        let is_seen = match self.role {
            Role::Admin => true,
            Role::Viewer | Role::Member | Role::Owner => self.brand()? == brand,
            Role::Creator => {
                matches!(state, State::Funded | State::Live | State::Paused)
                    || self.enrollments()?.iter().any(|(of, _)| *of == campaign)
            }
        };
        if is_seen { Ok(()) } else { Err(not_found()) }
    }

    /// Looks at a campaign that the caller sees; also told which enrollments are theirs to see: a creator
    /// sees their own, everybody else all.
    pub(crate) fn look_at<T>(
        &self,
        campaign: CampaignId,
        look: impl FnOnce(&Campaign, &dyn Fn(EnrollmentId) -> bool) -> T,
    ) -> Result<T, Problem> {
        tokio::task::block_in_place(|| {
            self.sees(campaign)?;
            let own = if self.role == Role::Creator { Some(self.enrollments()?) } else { None };
            let is_seen = |id| own.as_ref().is_none_or(|own| own.contains(&(campaign, id)));
            let looked = self.shared.desk.look(campaign, |state| look(state, &is_seen));
            Ok(looked.map_err(Fault::from)?)
        })
    }

    /// Refuses enrollments that are not the caller's to touch.
    pub(crate) fn owns(
        &self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
    ) -> Result<(), Problem> {
        self.sees(campaign)?;
        let is_there =
            self.shared.desk.look(campaign, |state| state.enrollment_no(enrollment).is_some());
        let is_owned = match self.role {
            Role::Creator => self.enrollments()?.contains(&(campaign, enrollment)),
            _ => is_there.map_err(Fault::from)?,
        };
        if is_owned { Ok(()) } else { Err(not_found()) }
    }

    /// The caller's idempotency key, if there is one.
    pub(crate) fn key(&self) -> Result<Option<String>, Problem> {
        let Some(value) = self.headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
        let detail = "1 to 255 visible ASCII characters";
        let wrong = || Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail);
        let key = key.ok_or_else(|| wrong().about("idempotency-key"))?;
        Ok(Some(key.to_owned()))
    }
}

/// Missing and foreign things answer alike.
pub(crate) fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing, or it is not yours")
}
