//! The task that delivers events and, where the clock is real, lets due things happen.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client;
use crate::sandbox::Sandbox;
use crate::stripe::webhooks::Attempt;

/// How often a clock that moves by itself is looked at.
const BEAT: Duration = Duration::from_millis(200);

/// What a small task came to.
enum Ended {
    Sent(usize, Option<u16>),
    Waited(usize),
}

/// Runs until `stopped`.
pub(crate) async fn run(sandbox: Sandbox, mut stopped: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    loop {
        let attempts = sandbox.with(|state| {
            let now_s = state.clock.now_ms().div_euclid(1_000);
            state.books.webhooks.next(now_s)
        });
        for attempt in attempts {
            tasks.spawn(send(attempt));
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => match ended {
                Ok(Ended::Sent(delivery, status)) => {
                    let retries = sandbox.retries();
                    let wait = sandbox
                        .with(|state| state.books.webhooks.done(delivery, status, retries));
                    if let Some(wait) = wait {
                        tasks.spawn(async move {
                            tokio::time::sleep(wait).await;
                            Ended::Waited(delivery)
                        });
                    }
                }
                Ok(Ended::Waited(delivery)) => {
                    sandbox.with(|state| state.books.webhooks.again(delivery));
                }
                Err(error) => tracing::error!(error = %error, "a delivery broke off"),
            },
            () = sandbox.bell().notified() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
    tasks.shutdown().await;
}

async fn send(attempt: Attempt) -> Ended {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Stripe/1.0 (sandbox)"));
    if let Ok(signature) = HeaderValue::from_str(&attempt.signature) {
        headers.insert("stripe-signature", signature);
    }
    let status = match client::post(&attempt.url, headers, attempt.body).await {
        Ok((status, _)) => Some(status),
        Err(error) => {
            tracing::debug!(url = %attempt.url, error = %error, "an endpoint did not answer");
            None
        }
    };
    Ended::Sent(attempt.delivery, status)
}
