//! The issuer of identities: its keys, its session tokens, and a page to sign in on.
//!
//! The role is in `metadata.role`, as a token has it whose template copies the user's public
//! metadata. A browser is remembered by a long-lived cookie of ours, so that a product whose token
//! has run out sends it here and gets it back at once with a fresh one.

mod issuer;

use std::collections::BTreeMap;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chance::Chance;
use crate::html::{escape, page, redirect};
use crate::sandbox::Sandbox;

pub(crate) use issuer::Issuer;

/// Which token is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenWanted {
    /// A name, under which the same person comes back, or an id that begins with `user_`.
    pub user: String,
    /// What the public metadata say; no role where there is none.
    pub role: Option<String>,
    /// The origin of the browser's request.
    pub azp: Option<String>,
    /// How long it is valid, seconds; negative for one that is not any more. 60 where not said.
    pub ttl_s: Option<i64>,
    /// Whether something is left to do before the session is active.
    pub pending: bool,
    /// The active organisation.
    pub organisation: Option<Organisation>,
    /// Features, as in `o:dash,u:x`.
    pub features: Option<String>,
    /// Plan, as in `u:free`.
    pub plan: Option<String>,
    /// Who is really there, where somebody acts in the user's name.
    pub actor: Option<String>,
}

/// An organisation in which somebody is active.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// `org_…`
    pub id: String,
    /// Its short name.
    pub slug: String,
    /// The role in it, without `org:`.
    pub role: String,
}

/// A token and what it says.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its subject.
    pub user_id: String,
    /// Its session.
    pub session_id: String,
    /// When it stops being valid, seconds.
    pub expires_at: i64,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user_id, session_id, expires_at, .. } = self;
        f.debug_struct("Issued")
            .field("token", &"***")
            .field("user_id", user_id)
            .field("session_id", session_id)
            .field("expires_at", expires_at)
            .finish()
    }
}

/// Somebody in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    user_id: String,
    session_id: String,
    role: Option<String>,
}

/// Whom the issuer knows.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Ids by name.
    users: BTreeMap<String, String>,
    sessions: Vec<SignedIn>,
}

impl People {
    /// The session of a user in a role; the same one each time.
    pub(crate) fn sign_in(&mut self, wanted: &TokenWanted, chance: &mut Chance) -> SignedIn {
        let user_id = if wanted.user.starts_with("user_") {
            wanted.user.clone()
        } else {
            let known = self.users.entry(wanted.user.clone());
            known.or_insert_with(|| chance.id("user")).clone()
        };
        let is_it = |one: &&SignedIn| one.user_id == user_id && one.role == wanted.role;
        if let Some(session) = self.sessions.iter().find(is_it) {
            return session.clone();
        }
        let (session_id, role) = (chance.id("sess"), wanted.role.clone());
        let session = SignedIn { user_id, session_id, role };
        self.sessions.push(session.clone());
        session
    }

    fn session(&self, id: &str) -> Option<&SignedIn> {
        self.sessions.iter().find(|one| one.session_id == id)
    }
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/clerk/sign-in", get(show).post(sign_in))
        .route("/clerk/sign-out", get(sign_out))
}

async fn jwks(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.issuer().jwks())
}

/// Where to go afterwards, and whether somebody else wants to sign in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    redirect_url: String,
    switch: bool,
}

async fn show(
    State(sandbox): State<Sandbox>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let known = cookie(&headers, CLIENT);
    let known = known.and_then(|id| sandbox.with(|state| state.people.session(&id).cloned()));
    if let Some(who) = known.filter(|_| !asked.switch && !asked.redirect_url.is_empty()) {
        let wanted = TokenWanted { user: who.user_id, role: who.role, ..TokenWanted::default() };
        return enter(&sandbox, wanted, &asked.redirect_url);
    }
    let mut body = format!(
        "<form method=\"post\" action=\"/clerk/sign-in\">\n\
         <input type=\"hidden\" name=\"redirect_url\" value=\"{}\">\n\
         <p><label>Name <input name=\"name\" value=\"alex\" required></label></p>\n",
        escape(&asked.redirect_url)
    );
    for role in ["brand", "creator", "admin"] {
        let button = format!(
            "<button name=\"role\" value=\"{role}\" id=\"role-{role}\">Sign in as {role}</button>\n"
        );
        body.push_str(&button);
    }
    if asked.redirect_url.is_empty() {
        // A token is for one site; without a page to go back to, only a person knows which.
        let field = format!(
            "<p><label>For requests to <input name=\"site\" value=\"{}\"></label></p>\n",
            escape(&sandbox.site())
        );
        body.push_str(&field);
    }
    body.push_str("</form>");
    page(StatusCode::OK, "Sign in", &body)
}

#[derive(Debug, Deserialize)]
struct Filled {
    name: String,
    role: String,
    #[serde(default)]
    redirect_url: String,
    /// The site that a token which is only shown is for.
    #[serde(default)]
    site: String,
}

async fn sign_in(State(sandbox): State<Sandbox>, Form(filled): Form<Filled>) -> Response {
    let Filled { name, role, redirect_url, site } = filled;
    // A product that knows ids of its people may list them: `user_…` is an id, anything else a name.
    let user = name.trim().to_owned();
    if user.is_empty() || role.is_empty() {
        let body = "<p>Say who you are and in which role.</p>";
        return page(StatusCode::BAD_REQUEST, "Sign in", body);
    }
    let mut wanted = TokenWanted { user, role: Some(role), ..TokenWanted::default() };
    if redirect_url.is_empty() {
        let site = if site.is_empty() { sandbox.site() } else { site };
        (wanted.azp, wanted.ttl_s) = (origin(&site), Some(COPIED_TTL_S));
    }
    enter(&sandbox, wanted, &redirect_url)
}

/// How long a token is valid that a person copies from a page, seconds.
const COPIED_TTL_S: i64 = 3_600;

/// How long a token is valid that a browser gets, seconds. No script of ours fetches the next one every
/// minute while a page is open, so it lasts as long as somebody fills in a form.
const BROWSER_TTL_S: i64 = 3_600;

/// Sets the cookies of a session and goes on.
fn enter(sandbox: &Sandbox, mut wanted: TokenWanted, redirect_url: &str) -> Response {
    if !redirect_url.is_empty() {
        wanted.azp = origin(redirect_url);
        wanted.ttl_s = Some(BROWSER_TTL_S);
    }
    let issued = match sandbox.token(&wanted) {
        Ok(issued) => issued,
        Err(error) => {
            tracing::error!(error = %error, "a token could not be signed");
            return page(StatusCode::INTERNAL_SERVER_ERROR, "Sign in", "<p>No token.</p>");
        }
    };
    let response = if redirect_url.is_empty() {
        let body = format!(
            "<p>You are <code>{}</code>. Your token, for an hour:</p>\n<pre id=\"token\">{}</pre>",
            escape(&issued.user_id),
            escape(&issued.token)
        );
        page(StatusCode::OK, "Signed in", &body)
    } else {
        redirect(redirect_url)
    };
    with_cookies(response, &[(SESSION, &issued.token), (CLIENT, &issued.session_id)])
}

async fn sign_out(Query(asked): Query<Asked>) -> Response {
    let response = if asked.redirect_url.is_empty() {
        page(StatusCode::OK, "Signed out", "<p>You have signed out.</p>")
    } else {
        redirect(&asked.redirect_url)
    };
    with_cookies(response, &[(SESSION, ""), (CLIENT, "")])
}

/// Read by the product, which cookies reach on any port of this host.
const SESSION: &str = "__session";

/// Read by this page only.
const CLIENT: &str = "__client";

fn with_cookies(mut response: Response, cookies: &[(&str, &str)]) -> Response {
    for (name, value) in cookies {
        let end = if value.is_empty() { "; Max-Age=0" } else { "" };
        let cookie = HeaderValue::from_str(&format!("{name}={value}; Path=/; SameSite=Lax{end}"));
        if let Ok(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).map(str::trim);
    let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.to_owned())
}

/// Scheme, host and port of an address.
pub(crate) fn origin(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_in_the_same_role_is_the_same_session() {
        let (mut people, mut chance) = (People::default(), Chance::new(1));
        let mut enter = |user: &str, role: &str| {
            let (user, role) = (user.to_owned(), Some(role.to_owned()));
            let wanted = TokenWanted { user, role, ..TokenWanted::default() };
            people.sign_in(&wanted, &mut chance)
        };
        let first = enter("ada", "brand");
        assert_eq!(enter("ada", "brand"), first);
        let other = enter("ada", "admin");
        assert_eq!(other.user_id, first.user_id);
        assert_ne!(other.session_id, first.session_id);
        assert_ne!(enter("eve", "brand").user_id, first.user_id);
        assert_eq!(enter("user_77", "brand").user_id, "user_77");
    }

    #[test]
    fn origins_and_cookies_are_read_exactly() {
        assert_eq!(origin("http://a.test:80/b?c"), Some("http://a.test:80".into()));
        assert_eq!(origin("/b"), None);
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("x__session=1; __session=2; __session_b=3");
        headers.insert(header::COOKIE, value);
        assert_eq!(cookie(&headers, "__session"), Some("2".into()));
        assert_eq!(cookie(&headers, "none"), None);
    }

    #[test]
    fn tokens_are_not_printed() {
        let (token, id) = ("secret".to_owned(), String::new());
        let issued = Issued { token, user_id: id.clone(), session_id: id, expires_at: 0 };
        assert!(!format!("{issued:?}").contains("secret"));
    }
}
