//! The sandbox's own requests: one connection each, plain HTTP.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use axum::http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long the other end may take to answer.
const WAIT: Duration = Duration::from_secs(10);

/// Posts a body; status and body of the answer.
pub(crate) async fn post(url: &str, headers: HeaderMap, body: Vec<u8>) -> Result<(u16, Bytes)> {
    let sent = tokio::time::timeout(WAIT, send(url, headers, body)).await;
    sent.map_err(|_| Error::new(ErrorKind::TimedOut, "no answer in time"))?
}

async fn send(url: &str, headers: HeaderMap, body: Vec<u8>) -> Result<(u16, Bytes)> {
    let uri: Uri = url.parse().map_err(|_| invalid("this is no address"))?;
    if uri.scheme_str() != Some("http") {
        return Err(invalid("only http is spoken here"));
    }
    let authority = uri.authority().ok_or_else(|| invalid("an address without a host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(Error::other)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(header::HOST, authority.as_str())
        .body(Full::<Bytes>::from(body))
        .map_err(Error::other)?;
    request.headers_mut().extend(headers);
    let response = sender.send_request(request).await.map_err(Error::other)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(Error::other)?.to_bytes();
    Ok((status, body))
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}
