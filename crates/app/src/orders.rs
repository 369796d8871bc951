//! A brand's past orders, from a CSV file, and the days on which a replay lets them happen again.
//!
//! The file has a row for each order: `order_id`, `customer_id`, `ordered_on` (`YYYY-MM-DD`), `amount_minor`
//! or `amount`, and `currency`; other columns are passed over. It comes from a spreadsheet as well as from a
//! program: how its bytes are letters, its lines cells and its amounts money stands in the modules below.

mod amounts;
mod read;
mod table;
mod text;

use std::collections::BTreeMap;

use sponsorhub_core::money::{Currency, Minor};
use time::Date;
use time::format_description::well_known::Iso8601;

pub use amounts::{Reading, Units, alone};
pub use read::read_orders;

/// From an order to its reversal, days.
pub const REVERSED_AFTER_DAYS: i64 = 7;

/// The Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id in the shop.
    pub id: String,
    /// The number at the end of the customer's id, or one made of the id.
    pub customer: u64,
    /// UTC day on which it was placed, since 1970.
    pub day: i64,
    /// What it was worth, minor units.
    pub amount: Minor,
    /// Its place among all orders by id, from 1.
    pub rank: u64,
}

/// All orders of a file: by day and, within a day, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Of all amounts.
    pub currency: Currency,
    /// How the amounts were read.
    pub reading: Reading,
    /// At least one.
    pub list: Vec<Order>,
}

/// Why a file cannot be used. Nothing of the file is in it but line and column.
#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    /// A cell is not what it should be.
    #[error("line {line}, column {column}: {fix}")]
    Cell {
        /// From 1, the head being the first.
        line: u64,
        /// The column.
        column: &'static str,
        /// What it should be.
        fix: String,
    },
    /// A row is none of this table.
    #[error("line {line}: {fix}")]
    Line {
        /// From 1, the head being the first.
        line: u64,
        /// What is wrong with it.
        fix: String,
    },
    /// The file of a spreadsheet program itself.
    #[error("this is a workbook: save its sheet as CSV and choose that file")]
    Workbook,
    /// Bytes that are no letters.
    #[error("this is no text that can be read: save it as CSV in UTF-8")]
    NoText,
    /// There is nothing in it.
    #[error("the file has no orders")]
    Empty,
}

impl OrdersError {
    fn cell(line: u64, column: &'static str, fix: impl Into<String>) -> Self {
        Self::Cell { line, column, fix: fix.into() }
    }
}

/// The UTC day of a date, `YYYY-MM-DD`, since 1970; none where it is no date.
pub fn day_of_date(text: &str) -> Option<i64> {
    // Weeks, days of the year and times of day are dates to the parser, and not to a file of orders.
    let is_plain = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date = Date::parse(text, &Iso8601::DATE).ok().filter(|_| is_plain)?;
    Some(i64::from(date.to_julian_day()) - EPOCH)
}

/// Year, month and day of the month of a day since 1970.
pub fn date_of(day: i64) -> (i32, u8, u8) {
    let date = i32::try_from(day + EPOCH).ok().and_then(|day| Date::from_julian_day(day).ok());
    date.map_or((0, 0, 0), |date| (date.year(), date.month().into(), date.day()))
}

/// Year and month of a day since 1970.
pub fn month_of(day: i64) -> (i32, u8) {
    let (year, month, _) = date_of(day);
    (year, month)
}

/// How past orders are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Creators, at least 1; a customer is credited to the creator of customer number modulo this.
    pub creators: u64,
    /// Every so many orders, by id, one is reversed whole; none for no reversals.
    pub reverse_every: Option<u64>,
}

impl Shape {
    /// Whom an order is credited to, from 0.
    pub fn creator(&self, order: &Order) -> u64 {
        order.customer.checked_rem(self.creators).unwrap_or(0)
    }

    /// Whether its customer comes by link; the others know the promo code.
    pub fn is_by_link(&self, order: &Order) -> bool {
        order.customer.checked_div(self.creators).unwrap_or(0).is_multiple_of(2)
    }

    fn is_reversed(&self, order: &Order) -> bool {
        self.reverse_every.is_some_and(|every| order.rank.is_multiple_of(every))
    }
}

/// What happens on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day<'a> {
    /// Orders of seven days ago that are reversed whole, at five minutes past midnight.
    pub reversals: Vec<&'a Order>,
    /// Orders, at ten past noon.
    pub orders: Vec<&'a Order>,
}

impl Orders {
    /// The days on which something happens, by their number since 1970.
    pub fn days(&self, shape: Shape) -> BTreeMap<i64, Day<'_>> {
        let mut days: BTreeMap<i64, Day<'_>> = BTreeMap::new();
        for order in &self.list {
            days.entry(order.day).or_default().orders.push(order);
            if shape.is_reversed(order) {
                days.entry(order.day + REVERSED_AFTER_DAYS).or_default().reversals.push(order);
            }
        }
        days
    }

    /// First and last day on which something was ordered.
    pub fn span(&self) -> (i64, i64) {
        let day = |order: Option<&Order>| order.map_or(0, |order| order.day);
        (day(self.list.first()), day(self.list.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        assert_eq!([0, 31, 9_862, -1].map(month_of), [(1970, 1), (1970, 2), (1997, 1), (1969, 12)]);
    }
}
