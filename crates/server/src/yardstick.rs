//! What benchmarks compare with: the same server without storage, and a redirect that does nothing.
//! Not part of a shipped program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::merkle::{Hash, RecentTree, TileWriter};
use sponsorhub_store::work::Appended;
use sponsorhub_store::{
    Change, Intake, IntakeHeldBack, Outcome, QueueFull, Reader, Recorded, RegistryReader, Reply,
    Store, StoreError, Submission, Submitted,
};

/// A redirect without any work.
pub(crate) async fn bare(_: axum::extract::Path<String>) -> impl IntoResponse {
    (StatusCode::FOUND, [(header::LOCATION, "https://shop.example/product")])
}

/// Answers every event at once as if it had been appended, and leaves the rest to a store.
struct Without {
    store: Arc<dyn Store>,
    tree: Arc<RecentTree>,
    events: AtomicU64,
}

/// Leaves of the tree that every receipt is made from.
const LEAVES: u64 = 200;

pub(crate) fn without(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let mut tree = TileWriter::new();
    for leaf in 0..LEAVES {
        let byte = u8::try_from(leaf).expect("below 256");
        tree.push(Hash([byte; 32]), &mut Vec::new());
    }
    let tree = Arc::new(RecentTree::new(tree, &[]));
    Arc::new(Without { store, tree, events: AtomicU64::new(0) })
}

impl Store for Without {
    fn take_in(&self, events: Vec<Intake>, reply: Reply<Vec<Outcome>>) -> Result<(), QueueFull> {
        let outcome = |_| {
            let seq = self.events.fetch_add(1, Ordering::Relaxed) % LEAVES + 1;
            let tree = Arc::clone(&self.tree);
            let (leaf, at) = (Hash([0; 32]), 1_795_000_000_000);
            Outcome::Appended(Appended { seq, n: seq, at, leaf, is_used_up: false, tree })
        };
        reply(Ok(events.into_iter().map(outcome).collect()));
        Ok(())
    }

    fn submit(&self, submission: Submission, reply: Reply<Submitted>) -> Result<(), QueueFull> {
        self.store.submit(submission, reply)
    }

    fn record(&self, change: Change, reply: Reply<Recorded>) -> Result<(), QueueFull> {
        self.store.record(change, reply)
    }

    fn hold_back_intake(&self, campaign: CampaignId) -> IntakeHeldBack {
        self.store.hold_back_intake(campaign)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }

    fn registry(&self) -> Result<Box<dyn RegistryReader>, StoreError> {
        self.store.registry()
    }
}
