//! `GET /r/{name}`: a visit through a link.
//!
//! Only a navigation of the top window earns a click. Browsers say by `Sec-Fetch-*` what an image, a
//! frame or a script is; where they say nothing (older ones, browsers inside of apps) it counts as a
//! navigation.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use sponsorhub_app::redirect::{Redirected, Visit};
use sponsorhub_store::Verdict;

use crate::problem::Problem;
use crate::shared::Shared;

const NOT_FOUND: &str = include_str!("../../assets/link_not_found.html");

/// Answers a visit; none for another path. Called before the router: this is the most frequent request
/// by far, and all that it needs is the head.
pub(super) fn visit(shared: &Shared, head: &Parts, peer: IpAddr) -> Option<Response> {
    let name = head.uri.path().strip_prefix("/r/")?;
    Some(answer(shared, name, head, peer))
}

fn answer(shared: &Shared, name: &str, head: &Parts, peer: IpAddr) -> Response {
    let Parts { method, headers, .. } = head;
    if method != Method::GET && method != Method::HEAD {
        let detail = "links take GET";
        let code = "method_not_allowed";
        let mut refused =
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, code, detail).into_response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let user_agent = headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    let visit = Visit {
        verdict: verdict(method, headers),
        user_agent,
        address: shared.address(peer, headers),
    };
    match shared.redirects.visit(name, &visit, shared.clock.now()) {
        Ok(Redirected::To { location, verdict }) => {
            shared.figures.redirect(verdict);
            found(&location)
        }
        Ok(Redirected::NotFound(code)) => {
            shared.figures.link_not_found(code);
            let mut page = (StatusCode::NOT_FOUND, Html(NOT_FOUND)).into_response();
            let policy = HeaderValue::from_static("default-src 'none'; style-src 'self'");
            page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            page
        }
        Err(error) => {
            tracing::error!(error = %error, "a link could not be looked up");
            Problem::busy().into_response()
        }
    }
}

/// What headers of every redirect say: keep nothing, tell the shop nothing of where the visitor was,
/// and stand in no frame.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
];

fn found(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Problem::busy().into_response();
    };
    (StatusCode::FOUND, HEADERS, [(header::LOCATION, location)]).into_response()
}

fn verdict(method: &Method, headers: &HeaderMap) -> Verdict {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let purpose = ["sec-purpose", "purpose", "x-purpose", "x-moz"].into_iter().filter_map(text);
    if method == Method::HEAD {
        Verdict::HeadRequest
    } else if purpose.into_iter().any(|purpose| {
        let purpose = purpose.to_ascii_lowercase();
        ["prefetch", "prerender", "preview"].iter().any(|word| purpose.contains(word))
    }) {
        Verdict::Prefetch
    } else if text("sec-fetch-mode").is_some_and(|mode| mode != "navigate")
        || text("sec-fetch-dest").is_some_and(|dest| dest != "document")
    {
        Verdict::NotNavigation
    } else {
        Verdict::Credited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &Method, headers: &[(&'static str, &'static str)]) -> Verdict {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        verdict(method, &headers.collect())
    }

    #[test]
    fn only_a_navigation_of_the_top_window_earns_a_click() {
        let get = |headers: &[_]| judged(&Method::GET, headers);
        assert_eq!(get(&[]), Verdict::Credited, "browsers inside of apps say nothing");
        let top = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(get(&top), Verdict::Credited);
        for dest in ["image", "iframe", "script", "empty", "frame", "embed", "object"] {
            let headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)];
            assert_eq!(get(&headers), Verdict::NotNavigation, "{dest}");
        }
        assert_eq!(get(&[("sec-fetch-mode", "no-cors")]), Verdict::NotNavigation);
        assert_eq!(get(&[("sec-purpose", "prefetch;prerender")]), Verdict::Prefetch);
        assert_eq!(get(&[("x-moz", "prefetch")]), Verdict::Prefetch);
        assert_eq!(get(&[("purpose", "preview")]), Verdict::Prefetch);
        assert_eq!(judged(&Method::HEAD, &top), Verdict::HeadRequest);
    }
}
