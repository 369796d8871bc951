//! The one clock of a sandbox. Everything that it stamps is stamped by this: objects, events,
//! signatures of webhooks, tokens.
//!
//! Stepped, it stands still until somebody moves it, so that a story of months is told in a minute
//! and a test means the same on every machine. Running, it goes on from the time that it shows as
//! fast as the operating system's, so that a person who tries something sees time pass. Real, it
//! shows the operating system's time. In each way it can be moved on, and it never goes back.

use serde::{Deserialize, Serialize};

/// Where a clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStart {
    /// Stands at this time until it is moved, milliseconds since 1970.
    Stepped {
        /// The time at which it stands.
        at_ms: i64,
    },
    /// Follows the operating system.
    Real,
}

/// How a clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockMode {
    /// When it is told to.
    Stepped,
    /// By itself, from the time that it shows.
    Running,
    /// By itself, and at least as far as the operating system's.
    Real,
}

/// Why a clock was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockRefusal {
    /// A step back, or to a time before the one that was shown.
    #[error("the clock never goes back; it shows {now_ms}")]
    Back {
        /// What it shows, milliseconds.
        now_ms: i64,
    },
    /// Beyond what milliseconds since 1970 can sensibly say.
    #[error("beyond the year 9999")]
    TooFar,
}

/// The last millisecond of the year 9999.
const MS_MAX: i64 = 253_402_300_799_999;

#[derive(Debug)]
pub(crate) struct Clock {
    mode: ClockMode,
    /// Where it moves by itself: how far ahead of the operating system; negative for behind it.
    ahead_ms: i64,
    shown_ms: i64,
}

impl Clock {
    pub(crate) fn new(start: ClockStart) -> Self {
        match start {
            ClockStart::Stepped { at_ms } => {
                Self { mode: ClockMode::Stepped, ahead_ms: 0, shown_ms: at_ms }
            }
            ClockStart::Real => Self { mode: ClockMode::Real, ahead_ms: 0, shown_ms: 0 },
        }
    }

    pub(crate) fn mode(&self) -> ClockMode {
        self.mode
    }

    /// Milliseconds since 1970; never less than it has said before.
    pub(crate) fn now_ms(&mut self) -> i64 {
        if self.mode != ClockMode::Stepped {
            self.shown_ms = self.shown_ms.max(system_ms().saturating_add(self.ahead_ms));
        }
        self.shown_ms
    }

    /// Moves to a time, which a clock that moves by itself then goes on from.
    pub(crate) fn set(&mut self, to_ms: i64) -> Result<i64, ClockRefusal> {
        let now_ms = self.now_ms();
        if to_ms < now_ms {
            return Err(ClockRefusal::Back { now_ms });
        }
        if to_ms > MS_MAX {
            return Err(ClockRefusal::TooFar);
        }
        if self.mode != ClockMode::Stepped {
            self.ahead_ms = to_ms.saturating_sub(system_ms());
        }
        self.shown_ms = to_ms;
        Ok(to_ms)
    }

    /// Moves on by so much.
    pub(crate) fn advance(&mut self, by_ms: i64) -> Result<i64, ClockRefusal> {
        let to_ms = self.now_ms().saturating_add(by_ms);
        self.set(to_ms)
    }

    /// Goes on in another way from the time that it shows.
    pub(crate) fn switch(&mut self, mode: ClockMode) {
        let ahead_ms = self.now_ms().saturating_sub(system_ms());
        self.ahead_ms = match mode {
            ClockMode::Stepped | ClockMode::Running => ahead_ms,
            // It may be ahead of the world; one that is behind catches up.
            ClockMode::Real => ahead_ms.max(0),
        };
        self.mode = mode;
    }
}

fn system_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_stands_still_and_never_goes_back() {
        let mut clock = Clock::new(ClockStart::Stepped { at_ms: 1_000 });
        assert_eq!(clock.now_ms(), 1_000);
        assert_eq!(clock.advance(500), Ok(1_500));
        assert_eq!(clock.advance(-1), Err(ClockRefusal::Back { now_ms: 1_500 }));
        assert_eq!(clock.set(1_499), Err(ClockRefusal::Back { now_ms: 1_500 }));
        assert_eq!(clock.set(i64::MAX), Err(ClockRefusal::TooFar));
        assert_eq!(clock.now_ms(), 1_500);
    }

    #[test]
    fn a_real_clock_can_be_moved_on_and_keeps_what_it_gained() {
        let mut clock = Clock::new(ClockStart::Real);
        let before = clock.now_ms();
        let day = 86_400_000;
        let after = clock.advance(day).expect("forward");
        assert!(after >= before + day);
        assert!(clock.now_ms() >= after);
        clock.switch(ClockMode::Stepped);
        let stopped = clock.now_ms();
        assert!(stopped >= after);
        clock.switch(ClockMode::Real);
        assert!(clock.now_ms() >= stopped);
    }

    #[test]
    fn a_stepped_clock_that_is_behind_catches_up_when_it_becomes_real() {
        let mut clock = Clock::new(ClockStart::Stepped { at_ms: 5 });
        clock.switch(ClockMode::Real);
        assert!(clock.now_ms() > 1_600_000_000_000);
    }

    #[test]
    fn a_clock_that_is_set_running_goes_on_from_what_it_shows_and_can_still_be_moved() {
        let (mut clock, day) = (Clock::new(ClockStart::Stepped { at_ms: 5 }), 86_400_000);
        clock.switch(ClockMode::Running);
        let begun = clock.now_ms();
        assert!((5..day).contains(&begun), "{begun}: it does not catch up with the world");
        let passes = |clock: &mut Clock| {
            let before = clock.now_ms();
            (0..100_000_000).any(|_| clock.now_ms() > before)
        };
        assert!(passes(&mut clock), "time goes on by itself");
        let moved = clock.advance(day).expect("forward");
        assert!(moved >= begun + day);
        assert!((moved..moved + day).contains(&clock.now_ms()));
        assert!(passes(&mut clock), "also after it was moved");
        let now_ms = clock.now_ms();
        assert!(matches!(clock.set(now_ms - day), Err(ClockRefusal::Back { .. })));
        clock.switch(ClockMode::Stepped);
        let stopped = clock.now_ms();
        assert!(stopped >= now_ms && !(0..1_000).any(|_| clock.now_ms() != stopped));
    }
}
