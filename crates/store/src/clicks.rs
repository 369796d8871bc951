//! The click log: visits through links, kept for a while, and their sums, kept for good.
//!
//! Clicks are no entries. No money moves on one, and they are far more than conversions, so the
//! promises are weaker, and cheaper: a click that was taken may be lost where the process dies
//! before the next group is written (milliseconds), or the machine before what was written reached
//! the disk (up to the last [`ClickLog::tick`]). Nothing is ever counted twice, and sums agree with
//! the clicks that they were made from. The evidence that earns money is the signed click token,
//! which needs none of this.
//!
//! The rows of a UTC day lie together and leave together. Times are milliseconds and come from the
//! caller.

use sponsorhub_core::ids::{CampaignId, EnrollmentId};

use crate::error::StoreError;

/// Length of an hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

macro_rules! verdicts {
    ($($(#[$doc:meta])* $verdict:ident = $code:literal $name:literal,)*) => {
        /// Whether a click is credited, and if not, why. Codes and names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Verdict {
            $($(#[$doc])* $verdict,)*
        }

        impl Verdict {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$verdict),*];

            /// As it is stored.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$verdict => $code,)*
                }
            }

            /// As it is shown.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$verdict => $name,)*
                }
            }
        }
    };
}

verdicts! {
    /// It got a click token.
    Credited = 0 "credited",
    /// The browser says that nobody navigated.
    NotNavigation = 1 "not_navigation",
    /// The browser fetched it in advance.
    Prefetch = 2 "prefetch",
    /// Only the head was asked for.
    HeadRequest = 3 "head_request",
    /// The user agent says that it is a bot.
    DeclaredBot = 4 "declared_bot",
    /// The campaign was not live.
    NotLive = 5 "not_live",
    /// The enrollment had ended.
    EnrollmentEnded = 6 "enrollment_ended",
}

/// One visit through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Click {
    /// A version 7 UUID, the same as in its click token.
    pub click_id: [u8; 16],
    /// The link's campaign.
    pub campaign: CampaignId,
    /// Whom the link credits.
    pub enrollment: EnrollmentId,
    /// The link's number in its campaign.
    pub link: u32,
    /// When, milliseconds.
    pub at: i64,
    /// Whether it is credited.
    pub verdict: Verdict,
    /// Keyed hash of the network that it came from.
    pub network: [u8; 8],
    /// Keyed hash of the user agent.
    pub agent: [u8; 8],
}

/// How a click log is doing, since it was opened.
#[derive(Clone, Debug, Default)]
pub struct ClickStats {
    /// Taken and not written yet.
    pub waiting: usize,
    /// Written.
    pub recorded: u64,
    /// Not taken: too many waited, or the log was closed, or the time has no date.
    pub dropped_when_full: u64,
    /// Taken and lost, because they could not be written.
    pub dropped_by_fault: u64,
    /// Groups that were written.
    pub commits: u64,
    /// Why clicks, or the days to be dropped, were last not written.
    pub last_fault: Option<StoreError>,
}

/// Where clicks go.
pub trait ClickLog: Send + Sync {
    /// Takes a click. Never waits for the disk. False where it was dropped; that is counted, and
    /// whoever is redirected goes on.
    fn record(&self, click: Click) -> bool;

    /// Lets go, soon, of the days that ended `keep_days` days or more before `now` (milliseconds),
    /// and makes durable what was written. Call it every minute or so.
    fn tick(&self, now: i64, keep_days: u32);

    /// How it is doing.
    fn stats(&self) -> ClickStats;

    /// A reader of its own, for one thread.
    ///
    /// # Errors
    /// [`StoreError`]: it could not be opened.
    fn reader(&self) -> Result<Box<dyn ClickReader>, StoreError>;
}

/// The clicks of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickHour {
    /// When the hour began, milliseconds.
    pub at: i64,
    /// All clicks.
    pub clicks: u64,
    /// Those that were credited.
    pub credited: u64,
}

/// Reads what is written. Hours count to a span from `from` (inclusive) to `to` (exclusive) by
/// when they began, milliseconds; hours without clicks are absent.
pub trait ClickReader: Send {
    /// The clicks through a link, by hour.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hours_of_link(
        &mut self,
        campaign: CampaignId,
        link: u32,
        span: (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError>;

    /// The clicks through all links of an enrollment, by hour.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hours_of_enrollment(
        &mut self,
        campaign: CampaignId,
        enrollment: EnrollmentId,
        span: (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError>;

    /// The clicks through all links of a campaign, by hour.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hours_of_campaign(
        &mut self,
        campaign: CampaignId,
        span: (i64, i64),
    ) -> Result<Vec<ClickHour>, StoreError>;

    /// The days whose clicks are there, oldest first, as UTC days since 1970, and how many each
    /// has over all campaigns.
    ///
    /// # Errors
    /// [`StoreError`].
    fn days(&mut self) -> Result<Vec<(i64, u64)>, StoreError>;
}
