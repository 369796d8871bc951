//! The real clock and real randomness: read here and nowhere else.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use sponsorhub_app::ports::{Chance, Clock};

/// The clock of the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn steady(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let now = Instant::now();
        let since = now.duration_since(*BEGINNING.get_or_init(|| now));
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// When the steady time was first asked for.
static BEGINNING: OnceLock<Instant> = OnceLock::new();

thread_local! {
    /// A generator per thread, seeded by the operating system: asking that for each click would
    /// cost more than the rest of the click.
    static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::from_os_rng());
}

/// Randomness that nobody can guess.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        RANDOM.with_borrow_mut(|random| random.fill_bytes(bytes));
    }
}
