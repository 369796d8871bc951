//! The listener: connections with deadlines, a limit, and an end that loses nothing.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::addresses::{Addresses, Guest};
use crate::patience::Patience;

/// Who answers.
#[derive(Clone)]
pub(crate) struct Routes {
    /// Is asked first, and answers what is too frequent for a router and needs no body.
    pub(crate) first: Arc<First>,
    /// Everything else.
    pub(crate) router: Router,
}

/// Answers a request by its head, or leaves it to the router.
pub(crate) type First = dyn Fn(&Parts, IpAddr) -> Option<Response> + Send + Sync;

/// How connections are treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// At most so many at once; more wait to be accepted.
    pub(crate) most: usize,
    /// At most so many of one address; more are closed at once.
    pub(crate) most_of_address: usize,
    /// How long the headers of a request may take, also the first, seconds.
    pub(crate) header_seconds: u64,
    /// How long the other end may take nothing of an answer, seconds.
    pub(crate) write_seconds: u64,
    /// How long requests under way may take at the end, seconds.
    pub(crate) end_seconds: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: 10_000,
            most_of_address: 1_000,
            header_seconds: 10,
            write_seconds: 10,
            end_seconds: 20,
        }
    }
}

/// File descriptors that are kept for the database and for what else the server opens.
const FILES_RESERVED: u64 = 512;

impl Connections {
    /// As many as this process may have files open; it may have as many as its hard limit says.
    pub(crate) fn within_limits() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let most = Self::default();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: maximum, maximum };
        let files = if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current };
        // None: as many as one likes.
        let Some(files) = files else { return most };
        let free = usize::try_from(files.saturating_sub(FILES_RESERVED)).unwrap_or(usize::MAX);
        let within = Self { most: most.most.min(free.max(16)), ..most };
        if within.most < most.most {
            tracing::warn!(
                files,
                connections = within.most,
                "few files may be open; see ulimit -n"
            );
        }
        within
    }
}

/// Serves until `stop` is done, then finishes the requests that are under way.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    (connections, addresses): (Connections, Addresses),
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(connections.header_seconds))
        .max_headers(64)
        .max_buf_size(64 << 10);
    let patience = Patience::new(Duration::from_secs(connections.write_seconds));
    let permits = Arc::new(Semaphore::new(connections.most));
    let graceful = GracefulShutdown::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = Arc::clone(&permits).acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &addresses, permit) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let routes = routes.clone();
        let service =
            hyper::service::service_fn(move |request| answer(routes.clone(), request, peer.ip()));
        let connection = http.serve_connection(TokioIo::new(patience.with(stream)), service);
        let connection = graceful.watch(connection);
        tasks.spawn(async move {
            // The other end broke off, was too slow, or spoke no HTTP: nobody is left to be told.
            drop(connection.await);
            drop(place);
        });
        // Ended ones are let go.
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let end = Duration::from_secs(connections.end_seconds);
    if tokio::time::timeout(end, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = connections.end_seconds, "some requests did not end in time");
    }
    tasks.shutdown().await;
}

type Permit = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    addresses: &Addresses,
    permit: impl Future<Output = Result<Permit, tokio::sync::AcquireError>>,
) -> Option<(tokio::net::TcpStream, SocketAddr, (Permit, Guest))> {
    let permit = permit.await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let guest = addresses.enter(peer.ip())?;
            drop(stream.set_nodelay(true));
            Some((stream, peer, (permit, guest)))
        }
        Err(error) => {
            // Out of file descriptors, most likely: give others time to close theirs.
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn answer(
    routes: Routes,
    request: Request<hyper::body::Incoming>,
    peer: IpAddr,
) -> Result<Response, Infallible> {
    let (head, body) = request.into_parts();
    if let Some(response) = (routes.first)(&head, peer) {
        return Ok(response);
    }
    let mut request = Request::from_parts(head, Body::new(body));
    request.extensions_mut().insert(crate::api::Peer(peer));
    routes.router.oneshot(request).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// What comes back on a connection; nothing where it was closed.
    async fn ask(stream: &mut TcpStream) -> usize {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 64];
        match asked {
            Ok(()) => stream.read(&mut answer).await.unwrap_or(0),
            Err(_) => 0,
        }
    }

    #[tokio::test]
    async fn an_address_with_too_many_connections_gets_no_more_and_others_keep_theirs() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let first = Arc::new(|_: &Parts, _| Some(Response::default()));
        let routes = Routes { first, router: Router::new() };
        let connections = Connections { most_of_address: 2, ..Connections::default() };
        let addresses = Addresses::new(connections.most_of_address, &[]);
        let server = serve(listener, routes, (connections, addresses), std::future::pending());
        let client = async {
            let connect = || async { TcpStream::connect(address).await.expect("connects") };
            let (mut one, mut two) = (connect().await, connect().await);
            assert!(ask(&mut one).await > 0 && ask(&mut two).await > 0);
            assert_eq!(ask(&mut connect().await).await, 0, "the third is closed");
            assert!(ask(&mut one).await > 0, "the first goes on");
            drop(two);
            for _ in 0..1_000 {
                if ask(&mut connect().await).await > 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("a place that was given back is not given out");
        };
        tokio::select! {
            () = server => panic!("nobody asked it to stop"),
            () = client => {}
        }
    }
}
