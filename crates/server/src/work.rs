//! The thread of the workers: a tick, and another as soon as something may be due.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sponsorhub_app::ports::Clock;
use sponsorhub_app::workers::Workers;
use tokio::sync::Notify;

/// Rings when there may be something to do.
pub(crate) type Bell = Arc<Notify>;

/// The thread, which ends when this is dropped. A call that is under way then is given up: what it
/// may have done is found out by the next start.
#[derive(Debug)]
pub(crate) struct Work {
    stop: Bell,
    thread: Option<JoinHandle<()>>,
}

impl Work {
    /// Has the workers look around at least once in `every`.
    pub(crate) fn start(
        workers: Arc<Workers>,
        clock: Arc<dyn Clock>,
        bell: Bell,
        every: Duration,
    ) -> std::io::Result<Self> {
        let stop = Bell::default();
        let stopped = Arc::clone(&stop);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = async move {
            loop {
                match workers.tick(clock.now(), clock.steady()).await {
                    // What was done may have made more due.
                    Ok(1..) => {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    Ok(0) => {}
                    Err(error) => tracing::error!(%error, "the workers cannot read the store"),
                }
                // Rung or not: look around.
                drop(tokio::time::timeout(every, bell.notified()).await);
            }
        };
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stopped.notified() => {}
                    () = work => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("workers".into()).spawn(work)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
