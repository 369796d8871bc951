//! A clock that shows the sandbox's time, for an installation whose mode is sandbox.
//!
//! The sandbox owns virtual time and is asked for it over and over; in between, and while it does not
//! answer, time stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use sponsorhub_app::ports::Clock;
use sponsorhub_providers::http::{TimeLimits, client};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(5);

/// Questions before a start gives up.
const TRIES: u32 = 1_000;

#[derive(Debug, Deserialize)]
struct Shown {
    now_ms: i64,
}

/// Follows the sandbox's time until it is dropped.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    now: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clock for VirtualClock {
    fn now(&self) -> i64 {
        self.now.load(Ordering::Acquire)
    }
}

impl VirtualClock {
    /// Follows the sandbox at this address; waits until it has told the time once.
    pub(crate) fn start(sandbox: &str) -> Result<Self> {
        let url = format!("{}/_control/clock", sandbox.trim_end_matches('/'));
        let client = client(TimeLimits::default()).context("making an HTTP client")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (now, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let (shown, stopped) = (Arc::clone(&now), Arc::clone(&stop));
        let ask = async move || -> Result<i64> {
            let body = client.get(&url).send().await?.bytes().await?;
            Ok(serde_json::from_slice::<Shown>(&body)?.now_ms)
        };
        let first = runtime.block_on(async {
            let mut last = None;
            for _ in 0..TRIES {
                match ask().await {
                    Ok(now) => return Ok(now),
                    Err(error) => last = Some(error),
                }
                tokio::time::sleep(EVERY).await;
            }
            bail!("the sandbox does not tell the time: {:#}", last.context("never asked")?);
        })?;
        now.store(first, Ordering::Release);
        let follow = move || {
            runtime.block_on(async {
                while !stopped.load(Ordering::Acquire) {
                    // Away for a moment: time stands still.
                    if let Ok(time) = ask().await {
                        shown.fetch_max(time, Ordering::AcqRel);
                    }
                    tokio::time::sleep(EVERY).await;
                }
            });
        };
        let thread = std::thread::Builder::new().name("virtual-clock".into()).spawn(follow)?;
        Ok(Self { now, stop, thread: Some(thread) })
    }
}

impl Drop for VirtualClock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
