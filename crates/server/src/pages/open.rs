//! Pages for everybody: the first one, signing in and out, the theme, and joining.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sponsorhub_core::actor::{Role, Side};

use super::act::{act, key};
use super::form::{Form, local};
use super::front::{Front, Person};
use super::shell::{Shell, THEME, Theme};
use super::visitor::{Guest, Visitor};
use super::{Needs, go, page, page_with};
use crate::api::{Query, SESSION};
use crate::problem::Problem;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing {
    shell: Shell,
}

/// `GET /`.
pub(super) async fn landing(guest: Guest) -> Result<Response, Problem> {
    let shell = guest.shell.titled("Creator marketing that keeps its own books");
    page(StatusCode::OK, &Landing { shell })
}

/// People under a heading for each side.
type Sides<'a> = Vec<(&'static str, Vec<&'a Person>)>;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    shell: Shell,
    /// Where to go afterwards, on this site.
    to: &'a str,
    /// The sandbox's form, and whom it offers.
    sandbox: Option<(&'a str, Sides<'a>)>,
    /// The address to come back to, for the sandbox.
    back: String,
}

/// Where somebody wants to go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct To {
    to: String,
}

/// People by their side.
fn by_side(people: &[Person]) -> Sides<'_> {
    let sides = [("Brand", Side::Brand), ("Creators", Side::Creator), ("Operator", Side::Admin)];
    let of = |side: Side| people.iter().filter(move |one| one.side == side.name()).collect();
    let all = sides.into_iter().map(|(heading, side)| (heading, of(side)));
    all.filter(|(_, people): &(_, Vec<_>)| !people.is_empty()).collect()
}

/// `GET /sign-in`.
pub(super) async fn sign_in(
    State(shared): State<Shared>,
    guest: Guest,
    Query(asked): Query<To>,
) -> Result<Response, Problem> {
    let to = local(&asked.to).unwrap_or("/sign-in");
    let shell = guest.shell.titled("Sign in");
    if to == "/sign-in" && guest.caller.is_some() {
        // Signed in, and nobody said where to: where their side begins.
        return Ok(go(if shell.ways().is_empty() { "/join" } else { shell.home() }));
    }
    let sandbox = match &shared.front {
        Front::Sandbox { base, people } => Some((base.as_str(), by_side(people))),
        Front::Clerk { .. } | Front::Nothing => None,
    };
    let back = format!("{}{to}", shared.public_url);
    let needs = Needs { sign_in: true, pay: false };
    page_with(StatusCode::OK, &SignIn { shell, to, sandbox, back }, needs)
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut {
    shell: Shell,
}

/// A header that sets or ends a cookie.
fn cookie(shared: &Shared, name: &str, value: &str, seconds: u32) -> Result<HeaderValue, Problem> {
    let secure = if shared.public_url.starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).map_err(|_| Problem::busy())
}

/// `POST /sign-out`: forgets the session here; the identity provider's script ends it there.
pub(super) async fn sign_out(
    State(shared): State<Shared>,
    guest: Guest,
) -> Result<Response, Problem> {
    let mut response = match &shared.front {
        Front::Clerk { .. } => {
            page(StatusCode::OK, &SignOut { shell: guest.shell.titled("Signing out") })?
        }
        Front::Sandbox { .. } | Front::Nothing => go("/"),
    };
    for name in [SESSION, "__client"] {
        response.headers_mut().append(header::SET_COOKIE, cookie(&shared, name, "", 0)?);
    }
    Ok(response)
}

/// For how long a theme is kept, seconds: a year.
const THEME_S: u32 = 31_536_000;

/// `POST /theme`.
pub(super) async fn theme(State(shared): State<Shared>, form: Form) -> Result<Response, Problem> {
    let theme = Theme::from_name(form.text("theme")).unwrap_or_default();
    let mut response = go(local(form.text("to")).unwrap_or("/"));
    let cookie = cookie(&shared, THEME, theme.name(), THEME_S)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

#[derive(Template)]
#[template(path = "join.html")]
struct Join {
    shell: Shell,
    is_brand: bool,
    key: String,
}

/// `GET /join`: what are you called?
pub(super) async fn joining(visitor: Visitor) -> Result<Response, Problem> {
    if visitor.caller.role == Role::Admin || visitor.caller.user.is_some() {
        return Ok(go(visitor.shell.home()));
    }
    let is_brand = visitor.caller.role.side() == Side::Brand;
    page(StatusCode::OK, &Join { shell: visitor.titled("Welcome"), is_brand, key: key() })
}

/// `POST /join`.
pub(super) async fn join(visitor: Visitor, form: Form) -> Result<Response, Problem> {
    let name = json!({ "name": form.text("name") });
    act(&visitor.caller, &form, ("PUT", "/me"), &name).await?;
    Ok(go(if visitor.caller.role.side() == Side::Brand { "/brand" } else { "/creator" }))
}
