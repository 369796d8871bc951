//! Places for batches: how many bodies and their events may be in memory at once.
//!
//! A batch waits for its place with its body unread. No brand gets more than a few of the places, so
//! one whose bodies come slowly holds up nobody but itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sponsorhub_core::ids::BrandId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Batches in memory at once.
const MOST: usize = 16;

/// Those of one brand.
const MOST_OF_A_BRAND: usize = 4;

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    all: Semaphore,
    /// One for each brand that ever sent a batch; there are few of these.
    of_brands: Mutex<HashMap<BrandId, Arc<Semaphore>>>,
}

/// A place, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    _of_brand: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self { all: Semaphore::new(MOST), of_brands: Mutex::default() }
    }

    /// Waits for a place of this brand. An error only where places are given out no more.
    pub(crate) async fn take(&self, brand: BrandId) -> Result<Place<'_>, AcquireError> {
        let of_brand = {
            let mut brands = self.of_brands.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(MOST_OF_A_BRAND));
            Arc::clone(brands.entry(brand).or_insert_with(new))
        };
        // Its own first: whoever waits for that takes no place from others.
        let of_brand = of_brand.acquire_owned().await?;
        Ok(Place { _of_brand: of_brand, _of_all: self.all.acquire().await? })
    }
}
