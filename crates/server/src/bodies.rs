//! Bodies of requests, whole, within limits of size, time and the memory that all of them share.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What memory is counted in, bytes.
const BLOCK: usize = 1 << 10;

/// Memory of bodies whose senders have shown who they are, bytes.
const KNOWN_BYTES_MAX: usize = 160 << 20;

/// Memory of bodies of anybody, bytes. They have their own, so that strangers who send slowly take
/// nothing from others.
const ANYBODY_BYTES_MAX: usize = 16 << 20;

/// A body that can be read, or a part of one.
pub(crate) trait Readable: HttpBody<Data = Bytes> + Unpin {}

impl<T: HttpBody<Data = Bytes> + Unpin> Readable for T {}

/// The memory that bodies share.
#[derive(Debug)]
pub(crate) struct Bodies {
    known: Arc<Semaphore>,
    anybody: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Self {
        let blocks = |bytes: usize| Arc::new(Semaphore::new(bytes / BLOCK));
        Self { known: blocks(KNOWN_BYTES_MAX), anybody: blocks(ANYBODY_BYTES_MAX) }
    }
}

/// What one body may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Bytes.
    pub(crate) bytes: usize,
    /// For the whole of it, seconds.
    pub(crate) seconds: u64,
}

/// A body; its memory is free for others when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Bodies {
    /// Reads a body of somebody who has shown who it is.
    pub(crate) async fn of_known(
        &self,
        body: impl Readable,
        limit: Limit,
    ) -> Result<Held, Problem> {
        read(&self.known, body, limit).await
    }

    /// Reads a body of anybody.
    pub(crate) async fn of_anybody(
        &self,
        body: impl Readable,
        limit: Limit,
    ) -> Result<Held, Problem> {
        read(&self.anybody, body, limit).await
    }
}

async fn read(memory: &Arc<Semaphore>, body: impl Readable, limit: Limit) -> Result<Held, Problem> {
    let reading = collect(memory, body, limit.bytes);
    let read = tokio::time::timeout(Duration::from_secs(limit.seconds), reading).await;
    read.unwrap_or_else(|_| {
        let detail = format!("the body took longer than {} s", limit.seconds);
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail).about("body"))
    })
}

async fn collect(
    memory: &Arc<Semaphore>,
    mut body: impl Readable,
    most: usize,
) -> Result<Held, Problem> {
    let mut held = Held { bytes: Vec::new(), memory: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let detail = "the body broke off; send it again";
            Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail).about("body")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if held.bytes.len() + data.len() > most {
            let detail = format!("at most {most} bytes");
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
            return Err(problem.about("body"));
        }
        held.grow(memory, data.len())?;
        held.bytes.extend_from_slice(&data);
    }
    Ok(held)
}

impl Held {
    /// Takes the memory for so many bytes more, or says that there is none now.
    fn grow(&mut self, memory: &Arc<Semaphore>, by: usize) -> Result<(), Problem> {
        let has = self.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (self.bytes.len() + by).div_ceil(BLOCK).saturating_sub(has);
        let more = u32::try_from(more).map_err(|_| Problem::busy())?;
        let more = Arc::clone(memory).try_acquire_many_owned(more).map_err(|_| Problem::busy())?;
        match &mut self.memory {
            Some(memory) => memory.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const LIMIT: Limit = Limit { bytes: 9 << 20, seconds: 1 };

    async fn code(bodies: &Bodies, bytes: usize) -> Result<Held, String> {
        let body = Body::from(vec![b' '; bytes]);
        bodies.of_anybody(body, LIMIT).await.map_err(|problem| problem.code)
    }

    #[tokio::test]
    async fn bodies_share_their_memory_and_give_it_back() {
        let bodies = Bodies::default();
        assert_eq!(code(&bodies, 0).await.expect("empty").len(), 0);
        let first = code(&bodies, 8 << 20).await.expect("half of it");
        assert_eq!(code(&bodies, (8 << 20) + 1).await.expect_err("a byte too much"), "busy");
        let second = code(&bodies, 8 << 20).await.expect("the other half");
        assert_eq!(code(&bodies, 1).await.expect_err("none is left"), "busy");
        let known = bodies.of_known(Body::from("x"), LIMIT).await.expect("has its own");
        assert_eq!((&*known, first.len()), (&b"x"[..], second.len()));
        drop(first);
        assert_eq!(code(&bodies, 1_025).await.expect("free again").len(), 1_025);
        assert_eq!(code(&bodies, LIMIT.bytes + 1).await.expect_err("too large"), "body_too_large");
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::new(Silence);
        let limit = Limit { bytes: 10, seconds: 0 };
        let problem = Bodies::default().of_known(body, limit).await.expect_err("too slow");
        assert_eq!(problem.code, "body_too_slow");
    }

    struct Silence;

    impl hyper::body::Body for Silence {
        type Data = hyper::body::Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
