//! The last word on every answer to a browser: headers of pages, and pages about what went wrong.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sponsorhub_app::ports::IdentityError;

use super::front::Front;
use super::shell::{Known, Shell, cookie};
use super::{Needs, form, go, page, policy};
use crate::problem::Problem;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "problem.html")]
struct Wrong<'a> {
    shell: Shell,
    heading: &'static str,
    status: u16,
    problem: &'a Problem,
    back: Option<String>,
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
    let (parts, body) = request.into_parts();
    let asked = wants_page.then(|| {
        let mut asked = axum::http::Request::new(()).into_parts().0;
        asked.method = parts.method.clone();
        asked.uri = parts.uri.clone();
        asked.headers = parts.headers.clone();
        asked
    });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && let Some(asked) = asked
    {
        let shell = Shell::new(&shared, &asked, known.who());
        let status = response.status();
        response = about(&shared, &asked.headers, (&asked.method, status), shell, &problem)
            .unwrap_or_else(Problem::into_response);
    }
    let needs = response.extensions().get::<Needs>().copied();
    if let Some(needs) = needs {
        policy::put(response.headers_mut(), &shared, needs);
    }
    response
}

/// The page about a problem, or the way to where it can be mended.
fn about(
    shared: &Shared,
    headers: &HeaderMap,
    (method, status): (&Method, StatusCode),
    shell: Shell,
    problem: &Problem,
) -> Result<Response, Problem> {
    let here = form::quoted(&shell.here);
    if status == StatusCode::UNAUTHORIZED && method == Method::GET {
        // A session that has only run out is renewed without a question, where the sandbox knows it.
        if let Front::Sandbox { base, .. } = &shared.front
            && problem.detail == IdentityError::Expired.to_string()
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
    let (shell, status_no) = (shell.titled(heading), status.as_u16());
    page(status, &Wrong { shell, heading, status: status_no, problem, back })
}

const fn heading(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "Your session has run out",
        403 => "This is not yours to open",
        404 => "There is nothing here",
        405 => "This address takes another method",
        409 => "That is not possible now",
        400 | 422 => "Something in that form is not right",
        503 => "Busy for a moment",
        500..=599 => "Something broke on our side",
        _ => "That did not work",
    }
}
