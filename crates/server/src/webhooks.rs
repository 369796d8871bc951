//! The thread that sends webhooks: apart from requests and from the workers, so that slow strangers hold
//! up neither answers nor money.
//!
//! Endpoints take turns. Each has one delivery under way at a time, a brand or creator has few at once,
//! and all together have a bound.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sponsorhub_app::webhooks::send::{Sender, Turn};
use sponsorhub_core::ids::WebhookId;
use sponsorhub_store::registry::Party;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Deliveries under way at once.
const MOST: usize = 16;

/// Those of one brand or creator.
const MOST_OF_A_PARTY: usize = 2;

/// Turns of an endpoint before others have theirs.
const TURNS: usize = 32;

/// How long the end of a process waits for look-ups of names that do not come back.
const PATIENCE: Duration = Duration::from_millis(200);

/// The thread, which ends when this is dropped. What is under way then is sent again by the next start.
#[derive(Debug)]
pub(crate) struct Sending {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Sending {
    /// Has the sender look around every so often.
    pub(crate) fn start(sender: Arc<Sender>, every: Duration) -> std::io::Result<Self> {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).thread_name("webhooks").enable_all().build()?;
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stopped.notified() => {}
                    () = send(&sender, every) => {}
                }
            });
            runtime.shutdown_timeout(PATIENCE);
        };
        let thread = std::thread::Builder::new().name("webhooks".into()).spawn(work)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Who is being served, and who was before.
#[derive(Debug, Default)]
struct Turns {
    under_way: HashMap<WebhookId, Party>,
    /// When each endpoint last had its turns: a count of all turns.
    served: HashMap<WebhookId, u64>,
    count: u64,
}

impl Turns {
    /// Takes endpoints that may be served now, those that waited longest first.
    fn take(&mut self, mut active: Vec<(WebhookId, Party)>) -> Vec<WebhookId> {
        self.served.retain(|id, _| active.iter().any(|(one, _)| one == id));
        active.sort_by_key(|(id, _)| self.served.get(id).copied());
        let mut taken = Vec::new();
        for (id, owner) in active {
            let of_owner = self.under_way.values().filter(|party| **party == owner).count();
            let is_free = self.under_way.len() < MOST && of_owner < MOST_OF_A_PARTY;
            if is_free && !self.under_way.contains_key(&id) {
                self.count += 1;
                self.served.insert(id, self.count);
                self.under_way.insert(id, owner);
                taken.push(id);
            }
        }
        taken
    }
}

async fn send(sender: &Arc<Sender>, every: Duration) {
    let (mut turns, mut tasks) = (Turns::default(), JoinSet::new());
    loop {
        match sender.active() {
            Ok(active) => {
                for id in turns.take(active) {
                    let sender = Arc::clone(sender);
                    tasks.spawn(async move {
                        serve(&sender, id).await;
                        id
                    });
                }
            }
            Err(error) => tracing::error!(%error, "endpoints of webhooks cannot be read"),
        }
        let pause = tokio::time::sleep(every);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(ended) = tasks.join_next() => match ended {
                    Ok(id) => drop(turns.under_way.remove(&id)),
                    Err(error) => {
                        tracing::error!(%error, "sending a webhook panicked");
                        // Whose it was is not told: nobody else's turn is lost for long.
                        tasks.abort_all();
                        while tasks.join_next().await.is_some() {}
                        turns.under_way.clear();
                    }
                },
            }
        }
    }
}

async fn serve(sender: &Sender, id: WebhookId) {
    for _ in 0..TURNS {
        match sender.turn(id).await {
            Ok(Turn::GoesOn) => {}
            Ok(Turn::Failed | Turn::Nothing) => return,
            Err(error) => {
                tracing::warn!(webhook = %id, %error, "a webhook waits");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sponsorhub_core::ids::BrandId;

    use super::*;

    #[test]
    fn nobody_takes_all_turns_and_who_waited_longest_is_next() {
        let party = |number: u8| Party::Brand(BrandId([number; 16]));
        let id = |number: u8| WebhookId([number; 16]);
        let mut turns = Turns::default();
        let greedy: Vec<_> = (0..10).map(|number| (id(number), party(0))).collect();
        assert_eq!(turns.take(greedy.clone()), [id(0), id(1)]);
        assert_eq!(turns.take(greedy.clone()), [], "both are under way");
        turns.under_way.remove(&id(0));
        assert_eq!(turns.take(greedy), [id(2)]);
        let many: Vec<_> = (100..200).map(|number| (id(number), party(number))).collect();
        assert_eq!(turns.take(many.clone()).len(), MOST - 2);
        turns.under_way.clear();
        let next = turns.take(many);
        assert_eq!((next.len(), next[0]), (MOST, id(114)), "those before had theirs");
    }
}
