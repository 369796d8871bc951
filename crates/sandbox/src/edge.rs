//! The edge: connections, and the faults that only an edge can make.
//!
//! A request runs in a task of its own: whoever hangs up in the middle does not keep it from
//! happening, as it does not in the world. Drivers' requests meet no faults.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::faults::Fault;
use crate::sandbox::Sandbox;
use crate::{clerk, control, shop, stripe};

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut, as the script of faults has it")]
struct Cut;

/// Serves until `stopped`.
pub(crate) async fn serve(
    listener: TcpListener,
    sandbox: Sandbox,
    mut stopped: watch::Receiver<bool>,
) {
    let router = Router::new()
        .merge(control::router())
        .merge(stripe::router())
        .merge(stripe::pages::router())
        .merge(clerk::router())
        .merge(shop::router())
        .with_state(sandbox.clone());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (router, sandbox) = (router.clone(), sandbox.clone());
        let service = hyper::service::service_fn(move |request| {
            answer(router.clone(), sandbox.clone(), request)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // An end that was cut, or that broke off by itself, is nobody's error.
        connections.spawn(async move { drop(connection.await) });
        while connections.try_join_next().is_some() {}
    }
    connections.shutdown().await;
}

async fn answer(
    router: Router,
    sandbox: Sandbox,
    request: Request<hyper::body::Incoming>,
) -> Result<Response, Cut> {
    let path = request.uri().path();
    let fault = if path.starts_with("/_control/") {
        None
    } else {
        let method = request.method().as_str();
        sandbox.with(|state| state.faults.take(method, path, &mut state.chance))
    };
    if fault == Some(Fault::CutBefore) {
        return Err(Cut);
    }
    let mut request = request.map(Body::new);
    if let Some(fault) = fault {
        tracing::debug!(path = request.uri().path(), fault = ?fault, "a fault happens");
        request.extensions_mut().insert(fault);
    }
    #[expect(clippy::disallowed_methods, reason = "it must outlive whoever stops waiting for it")]
    let task = tokio::spawn(fulfil(router, request, fault));
    let response = task.await.map_err(|_| Cut)?;
    if fault == Some(Fault::CutAfter) { Err(Cut) } else { Ok(response) }
}

/// Answers; outside the provider's room, which knows better, faults are plain.
async fn fulfil(router: Router, request: Request<Body>, fault: Option<Fault>) -> Response {
    let is_plain = !request.uri().path().starts_with("/v1/");
    if let Some(fault) = fault.filter(|_| is_plain) {
        match fault {
            Fault::RateLimited => return StatusCode::TOO_MANY_REQUESTS.into_response(),
            Fault::Conflict => return StatusCode::CONFLICT.into_response(),
            Fault::Stored500 { effect: false } => {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            Fault::HangBefore { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Fault::Stored500 { effect: true }
            | Fault::HangAfter { .. }
            | Fault::CutBefore
            | Fault::OtherAmount
            | Fault::Refused
            | Fault::CutAfter => {}
        }
    }
    let Ok(response) = router.oneshot(request).await;
    match fault.filter(|_| is_plain) {
        Some(Fault::Stored500 { .. }) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::HangAfter { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        _ => response,
    }
}
