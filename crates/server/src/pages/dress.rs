//! The last word on every answer to a browser: headers of pages, and pages about what went wrong.

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sponsorhub_app::ports::IdentityError;

use super::again::{Again, Sent, again, label};
use super::front::Front;
use super::shell::{Known, Shell, Who, cookie};
use super::visitor::Guest;
use super::{Needs, form, go, page, policy};
use crate::api::{Peer, SESSION, not_found};
use crate::problem::Problem;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "problem.html")]
struct Wrong<'a> {
    shell: Shell,
    heading: &'static str,
    status: u16,
    problem: &'a Problem,
    /// What it is about, as pages call it.
    about: Option<&'a str>,
    back: Option<String>,
    /// What was written, to be sent again.
    again: Option<Again>,
}

/// Whether a browser asks for something to look at.
fn wants_page(headers: &HeaderMap, path: &str) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html")) && !path.starts_with("/api/")
}

/// Dresses an answer. Stands outside of whatever may fail.
pub(crate) async fn dress(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let wants_page = wants_page(request.headers(), request.uri().path());
    let known = Known::default();
    request.extensions_mut().insert(known.clone());
    let sent = Sent::default();
    request.extensions_mut().insert(sent.clone());
    let peer = request.extensions().get::<Peer>().copied();
    let (parts, body) = request.into_parts();
    let asked = wants_page.then(|| {
        let mut asked = axum::http::Request::new(()).into_parts().0;
        asked.method = parts.method.clone();
        asked.uri = parts.uri.clone();
        asked.headers = parts.headers.clone();
        if let Some(peer) = peer {
            asked.extensions.insert(peer);
        }
        asked
    });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && let Some(mut asked) = asked
    {
        let is_expired = problem.detail == IdentityError::Expired.to_string();
        let problem = for_people(problem, &asked.method);
        let who = reader(&shared, &mut asked, (&known, problem.status())).await;
        let shell = Shell::new(&shared, &asked, who);
        response = about(&shared, &asked, shell, (&problem, &sent, is_expired))
            .unwrap_or_else(Problem::into_response);
    }
    let needs = response.extensions().get::<Needs>().copied();
    if let Some(needs) = needs {
        policy::put(response.headers_mut(), &shared, needs);
    }
    response
}

/// Who reads. Where nobody found out, as where no page is, they are asked for.
async fn reader(
    shared: &Shared,
    asked: &mut Parts,
    (known, status): (&Known, StatusCode),
) -> Option<Who> {
    if let Some(who) = known.who() {
        return Some(who);
    }
    let is_known = status != StatusCode::UNAUTHORIZED && cookie(&asked.headers, SESSION).is_some();
    let guest = if is_known { Guest::from_request_parts(asked, shared).await.ok() } else { None };
    guest.and_then(|guest| guest.shell.who)
}

/// The same in words for people. An address that cannot be read leads nowhere.
fn for_people(problem: Problem, method: &Method) -> Problem {
    match problem.field.as_deref() {
        Some("path") if *method == Method::GET => not_found(),
        Some("query") => {
            let detail = "what follows the ? in this address is nothing that this page knows";
            Problem::new(problem.status(), "field_invalid", detail)
        }
        _ if problem.status() == StatusCode::UNAUTHORIZED => {
            let detail = "nothing was changed: sign in, and then send it again";
            Problem::new(StatusCode::UNAUTHORIZED, &problem.code, detail)
        }
        _ => problem,
    }
}

/// The page about a problem, or the way to where it can be mended.
fn about(
    shared: &Shared,
    asked: &Parts,
    shell: Shell,
    (problem, sent, is_expired): (&Problem, &Sent, bool),
) -> Result<Response, Problem> {
    let (headers, method, status) = (&asked.headers, &asked.method, problem.status());
    let here = form::quoted(&shell.here);
    if status == StatusCode::UNAUTHORIZED && method == Method::GET {
        // A session that has only run out is renewed without a question, where the sandbox knows it.
        if let Front::Sandbox { base, .. } = &shared.front
            && is_expired
            && cookie(headers, "__client").is_some()
        {
            let to = form::quoted(&format!("{}{}", shared.public_url, shell.here));
            return Ok(go(&format!("{base}/clerk/sign-in?redirect_url={to}")));
        }
        return Ok(go(&format!("/sign-in?to={here}")));
    }
    if problem.code == "not_joined" && method == Method::GET {
        return Ok(go("/join"));
    }
    let back = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let back = back.and_then(|back| back.strip_prefix(shared.public_url.as_str()));
    let back = back.filter(|back| back.starts_with('/') && *back != shell.here);
    let back = back.map(str::to_owned);
    let heading = heading(status);
    let again = again(sent, (method, status), asked.uri.path(), problem);
    let about = problem.field.as_deref().map(|field| label(field).unwrap_or(field));
    let (shell, status_no) = (shell.titled(heading), status.as_u16());
    page(status, &Wrong { shell, heading, status: status_no, problem, about, back, again })
}

const fn heading(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "Your session has run out",
        403 => "This is not yours to open",
        404 => "There is nothing here",
        405 => "This address takes another method",
        408 => "That took too long",
        409 => "That is not possible now",
        413 => "That is too large",
        400 | 422 => "Something in that form is not right",
        503 => "Busy for a moment",
        500..=599 => "Something broke on our side",
        _ => "That did not work",
    }
}
