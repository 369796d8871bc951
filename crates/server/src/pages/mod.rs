//! Pages for people: brands, creators, operators, and who has not signed in.
//!
//! They are rendered here and complete without a script; one small script of ours shows times in the
//! reader's zone and copies texts. No page asks another host for anything, except where a real identity
//! provider signs people in. `table` says who may open which page, by the same list of users and the same
//! table of actions as the API; what is foreign is answered like what is missing. A form is the API's
//! request in another spelling: it is sent on to the API's router, so rules, idempotency keys and access
//! log are the same (`act`). What goes wrong is a [`Problem`] here too, and
//! `dress` makes a page of it where a browser asked.

mod act;
mod admin;
mod again;
mod assets;
mod brand;
mod columns;
mod creator;
mod csv;
mod dress;
mod filter;
mod form;
mod front;
mod live;
mod open;
mod policy;
mod public;
mod rows;
mod sales;
mod sankey;
mod shell;
mod show;
mod table;
mod visitor;

use askama::Template;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

use crate::api::log_refused;
use crate::problem::Problem;
use crate::shared::Shared;

pub(crate) use dress::dress;
pub(crate) use front::{Front, Person};
pub(crate) use sales::Sales;

/// All pages and what they are made of.
pub(crate) fn router(shared: Shared) -> Router<Shared> {
    let mut router = Router::new().route("/assets/{name}", get(assets::show));
    for path in table::paths() {
        router = router.route(path, table::of_path(path));
    }
    router
        .layer(from_fn_with_state(shared.clone(), form::only_from_here))
        .layer(from_fn_with_state(shared, log_refused))
}

/// Whether a step of a path is a word of a page's address, and so nobody's.
pub(crate) fn is_word(step: &str) -> bool {
    table::paths().any(|path| path.split('/').any(|word| word == step))
}

/// What a page may do beyond what every page may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Its forms lead to the payment provider.
    pay: bool,
    /// People sign in on it.
    sign_in: bool,
}

/// Renders a page.
fn page(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    page_with(status, template, Needs::default())
}

fn page_with(
    status: StatusCode,
    template: &impl Template,
    needs: Needs,
) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        let detail = "this is a bug of ours; nothing was changed";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
    })?;
    let mut response = (status, Html(html)).into_response();
    response.extensions_mut().insert(needs);
    Ok(response)
}

/// Sends a browser to another page, by GET.
fn go(to: &str) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else { return Problem::busy().into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}
