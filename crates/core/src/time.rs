//! Time: milliseconds since 1970-01-01T00:00:00Z. All periods are UTC days.
//!
//! The core never reads a clock (INV-13): every rule takes the time as a parameter or from an
//! entry's `at`.

/// Milliseconds of one UTC day.
pub const DAY_MS: i64 = 86_400_000;

/// The UTC day that holds `at_ms`, counted from 1970-01-01.
pub const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// `at_ms` moved by whole days, held at the ends of the range.
pub const fn plus_days(at_ms: i64, days: u32) -> i64 {
    // u32 days always fit: 2^32 × 86,400,000 < 2^63.
    at_ms.saturating_add(days_i64(days).saturating_mul(DAY_MS))
}

const fn days_i64(days: u32) -> i64 {
    // `i64::from` is not usable in a constant function; widening loses nothing.
    days as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_utc_on_both_sides_of_1970() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(DAY_MS - 1), 0);
        assert_eq!(day_of(DAY_MS), 1);
        assert_eq!(day_of(-1), -1);
        assert_eq!(plus_days(5, 2), 5 + 2 * DAY_MS);
    }
}
