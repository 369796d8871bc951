//! Who a request is from and what they may do: session token or API key, and the product's own list of
//! users, which decides.
//!
//! A token says who somebody is and on which side. What they may do stands in the list, so that a role
//! that is taken or a user who is suspended counts from the next request on, not when the token ends.
//! Where both say something the weaker holds.

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use sponsorhub_app::ports::{Claims, Identity as _, IdentityError};
use sponsorhub_core::actor::{Role, Scope, Side};
use sponsorhub_core::ids::BrandId;
use sponsorhub_store::registry::User;

use super::budget::Left;
use super::{Fault, access};
use crate::problem::Problem;
use crate::routes::api_key_of;
use crate::shared::Shared;

/// The cookie in which the identity provider's script keeps the session token.
pub(crate) const SESSION: &str = "__session";

/// Who somebody is here.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) subject: String,
    pub(super) role: Role,
    /// As listed; none before they have joined, and for API keys.
    pub(super) user: Option<User>,
    /// The brand, creator or, of an API key, the brand that it belongs to.
    pub(super) party: Option<[u8; 16]>,
    /// The identity provider's organisation that they act in.
    pub(super) organisation: Option<String>,
    /// The identity provider's session; none of an API key.
    pub(super) session: Option<String>,
    /// When the session's token was issued, milliseconds.
    pub(super) issued_at: Option<i64>,
    /// Of an API key: all that it may do.
    pub(super) scopes: Option<Vec<Scope>>,
}

fn unauthorized(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).about("authorization")
}

fn forbidden(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}

/// Whose request it is. It is taken from their budget as soon as it is known who they are, also where
/// they are refused afterwards.
pub(super) async fn of(request: &Parts, shared: &Shared, left: &Left) -> Result<Standing, Problem> {
    let (token, is_foreign) = token(request, shared)?;
    if token.starts_with("shk_") {
        return of_key(request, shared, left);
    }
    let verified = shared.clients.identity.verify(&token, shared.clock.now()).await;
    let claims = verified.map_err(|error| match error {
        IdentityError::Unavailable => Problem::busy(),
        error => unauthorized(error.to_string()),
    })?;
    // First, so that what is refused for being too much stands in the access log too.
    let side = claims.side.map_or("none", Side::name);
    access::tell(request, shared, (&claims.subject, side), Some(&claims.session));
    left.tell(shared.rates.of_caller(&claims.subject))?;
    if is_foreign {
        let detail = "what changes something is sent by a page of this site";
        return Err(forbidden("foreign_origin", detail).about("origin"));
    }
    if claims.impersonator.is_some() && request.method != Method::GET {
        return Err(forbidden("impersonated", "nothing is changed in somebody else's name"));
    }
    let user = tokio::task::block_in_place(|| {
        shared.desk.registry(|registry| registry.user(&claims.subject))
    });
    let user = user.map_err(|error| Problem::from(Fault::from(error)))?;
    let role = role(&claims, user.as_ref())?;
    let organisation = claims.organisation.map(|organisation| organisation.id);
    let party = user.as_ref().and_then(|user| user.party);
    Ok(Standing {
        subject: claims.subject,
        role,
        user,
        party,
        organisation,
        session: Some(claims.session),
        issued_at: Some(claims.issued_at),
        scopes: None,
    })
}

/// The bearer token or, sent by a browser along with any request to us, the cookie: then whatever changes
/// something must come from a page of ours, and the second says if it does not.
fn token(request: &Parts, shared: &Shared) -> Result<(String, bool), Problem> {
    let text = |value: &header::HeaderValue| value.to_str().ok().map(str::to_owned);
    if let Some(value) = request.headers.get(header::AUTHORIZATION) {
        let value = text(value).unwrap_or_default();
        let (scheme, token) = value.split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok((token.trim().to_owned(), false));
        }
        return Err(unauthorized("send a session token: `Authorization: Bearer …`"));
    }
    let cookies = request.headers.get_all(header::COOKIE).iter().filter_map(text);
    let cookies: Vec<String> = cookies.collect();
    let mut cookies = cookies.iter().flat_map(|line| line.split(';')).map(str::trim);
    let session = cookies.find_map(|one| one.strip_prefix(SESSION)?.strip_prefix('='));
    let Some(session) = session.filter(|session| !session.is_empty()) else {
        return Err(unauthorized("send a session token: `Authorization: Bearer …`"));
    };
    let origin = request.headers.get(header::ORIGIN).and_then(text);
    let is_ours = origin.is_some_and(|origin| shared.clients.identity.is_party(&origin));
    let changes_nothing = matches!(request.method, Method::GET | Method::HEAD);
    Ok((session.to_owned(), !is_ours && !changes_nothing))
}

fn role(claims: &Claims, user: Option<&User>) -> Result<Role, Problem> {
    let Some(side) = claims.side else {
        let detail = "the user has no role; an operator gives one at the identity provider";
        return Err(forbidden("no_role", detail));
    };
    let organisation = claims.organisation.as_ref();
    let given = organisation.map(|one| Role::in_organisation(one.role.as_deref()));
    let Some(user) = user else {
        return match side {
            Side::Brand => Ok(given.unwrap_or(Role::Owner)),
            Side::Creator => Ok(Role::Creator),
            Side::Admin => {
                let detail = "not an operator of this installation: `sponsorhub keys add-admin`";
                Err(forbidden("not_an_operator", detail))
            }
        };
    };
    if user.suspended_at.is_some() {
        return Err(forbidden("suspended", "an operator or owner has suspended this user"));
    }
    let listed = Role::from_name(&user.role).filter(|role| role.side() == side);
    let Some(listed) = listed else {
        let detail = "this user joined in another role; use another account for this one";
        return Err(forbidden("role_changed", detail));
    };
    let Some(team) = user.organisation.as_ref().filter(|_| side == Side::Brand) else {
        return Ok(listed);
    };
    if organisation.is_none_or(|one| one.id != *team) {
        let detail =
            "choose the organisation of your brand at the identity provider, then ask again";
        return Err(forbidden("other_organisation", detail));
    }
    Ok(given.map_or(listed, |given| given.min(listed)))
}

/// An API key looks, as far as its scopes go.
fn of_key(request: &Parts, shared: &Shared, left: &Left) -> Result<Standing, Problem> {
    let key = tokio::task::block_in_place(|| api_key_of(shared, &request.headers))?;
    // Said before it may be one too many, for the access log.
    let subject = key.id.to_string();
    access::tell(request, shared, (&subject, Role::Viewer.name()), None);
    // However many keys a brand has, its machines ask as often as one.
    left.tell(shared.rates.of_caller(&key.brand.to_string()))?;
    let scopes = key.scopes.iter().filter_map(|name| Scope::from_name(name)).collect();
    let BrandId(party) = key.brand;
    Ok(Standing {
        subject,
        role: Role::Viewer,
        user: None,
        party: Some(party),
        organisation: None,
        session: None,
        issued_at: None,
        scopes: Some(scopes),
    })
}
