//! A brand's past orders, from a CSV file, and the days on which a replay lets them happen again.
//!
//! The file has a row for each order: `order_id`, `customer_id` (which ends with a number),
//! `ordered_on` (`YYYY-MM-DD`), `amount_minor` and `currency`; other columns are passed over.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use serde::Deserialize;
use sponsorhub_core::money::{AMOUNT_MAX, Currency, Minor};
use time::Date;
use time::format_description::well_known::Iso8601;

/// From an order to its reversal, days.
pub const REVERSED_AFTER_DAYS: i64 = 7;

/// The Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id in the shop.
    pub id: String,
    /// The number at the end of the customer's id.
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
    /// At least one.
    pub list: Vec<Order>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    /// A row is not what it should be.
    #[error("line {line}: {field}: {fix}")]
    Row {
        /// From 1, the header being the first.
        line: u64,
        /// The column.
        field: &'static str,
        /// What it should be.
        fix: String,
    },
    /// The file is no such table.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// There is nothing in it.
    #[error("the file has no orders")]
    Empty,
}

#[derive(Deserialize)]
struct Row {
    order_id: String,
    customer_id: String,
    ordered_on: String,
    amount_minor: String,
    currency: String,
}

/// Reads a file.
///
/// # Errors
/// [`OrdersError`] names line and column.
pub fn read_orders(file: impl Read) -> Result<Orders, OrdersError> {
    let mut reader = csv::Reader::from_reader(file);
    let (mut list, mut ids, mut currency) = (Vec::new(), HashSet::new(), None);
    let headers = reader.headers()?.clone();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row = record.deserialize(Some(&headers))?;
        let wrong = |field, fix: &str| OrdersError::Row { line, field, fix: fix.to_owned() };
        let known = Currency::ALL.into_iter().find(|known| known.code() == row.currency);
        let known = known.ok_or_else(|| wrong("currency", "one of USD, EUR and GBP"))?;
        if *currency.get_or_insert(known) != known {
            return Err(wrong("currency", "the same in all rows"));
        }
        if row.order_id.is_empty() || !ids.insert(row.order_id.clone()) {
            return Err(wrong("order_id", "an id that no other row has"));
        }
        let customer = number_at_end(&row.customer_id);
        let amount = row.amount_minor.parse().ok().map(Minor);
        let amount = amount.filter(|amount| (Minor::ZERO..=AMOUNT_MAX).contains(amount));
        let amount =
            amount.ok_or_else(|| wrong("amount_minor", "0 to 10^11, in whole minor units"))?;
        list.push(Order {
            customer: customer.ok_or_else(|| wrong("customer_id", "ends with a number"))?,
            day: day_of_date(&row.ordered_on)
                .ok_or_else(|| wrong("ordered_on", "a date, YYYY-MM-DD"))?,
            id: row.order_id,
            amount,
            rank: 0,
        });
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    for (order, rank) in list.iter_mut().zip(1..) {
        order.rank = rank;
    }
    list.sort_by_key(|order| order.day);
    let currency = currency.ok_or(OrdersError::Empty)?;
    Ok(Orders { currency, list })
}

fn number_at_end(id: &str) -> Option<u64> {
    let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count();
    id[id.len() - digits..].parse().ok()
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

    const HEAD: &str = "order_id,customer_id,ordered_on,quantity,amount_minor,currency\n";

    fn read(rows: &str) -> Result<Orders, String> {
        read_orders(format!("{HEAD}{rows}").as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn orders_come_by_day_and_id_whatever_the_order_of_rows() {
        let rows =
            "o3,c_14,1970-01-02,1,5,USD\no1,c_2,1970-01-03,1,7,USD\no2,c_1,1970-01-02,1,0,USD\n";
        let orders = read(rows).expect("fine");
        let seen: Vec<_> = orders.list.iter().map(|o| (o.id.as_str(), o.day, o.rank)).collect();
        assert_eq!(seen, [("o2", 1, 2), ("o3", 1, 3), ("o1", 2, 1)]);
        assert_eq!((orders.span(), orders.currency), ((1, 2), Currency::Usd));
        let shape = Shape { creators: 12, reverse_every: Some(3) };
        let dealt: Vec<_> =
            orders.list.iter().map(|o| (shape.creator(o), shape.is_by_link(o))).collect();
        assert_eq!(dealt, [(1, true), (2, false), (2, true)]);
        let days = orders.days(shape);
        let counts: Vec<_> =
            days.iter().map(|(day, it)| (*day, it.reversals.len(), it.orders.len())).collect();
        assert_eq!(counts, [(1, 0, 2), (2, 0, 1), (8, 1, 0)]);
    }

    #[test]
    fn a_wrong_row_is_named_by_line_and_column() {
        let good = "o1,c1,1997-01-01,1,1177,USD\n";
        for (row, expected) in [
            ("o1,c1,1997-01-01,1,5,USD", "line 3: order_id: an id that no other row has"),
            ("o2,c1,1997-02-30,1,5,USD", "line 3: ordered_on: a date, YYYY-MM-DD"),
            ("o2,c,1997-01-01,1,5,USD", "line 3: customer_id: ends with a number"),
            ("o2,c1,1997-01-01,1,-5,USD", "line 3: amount_minor: 0 to 10^11, in whole minor units"),
            (
                "o2,c1,1997-01-01,1,1.7,USD",
                "line 3: amount_minor: 0 to 10^11, in whole minor units",
            ),
            ("o2,c1,1997-W05-1,1,5,USD", "line 3: ordered_on: a date, YYYY-MM-DD"),
            ("o2,c1,1997-01-01T10:00:00Z,1,5,USD", "line 3: ordered_on: a date, YYYY-MM-DD"),
            ("o2,c1,1997-01-01,1,5,EUR", "line 3: currency: the same in all rows"),
            ("o2,c1,1997-01-01,1,5,usd", "line 3: currency: one of USD, EUR and GBP"),
        ] {
            assert_eq!(read(&format!("{good}{row}\n")), Err(expected.to_owned()));
        }
        assert_eq!(read(""), Err("the file has no orders".to_owned()));
        let other = read_orders(b"a,b\n1,2\n".as_slice()).expect_err("no orders").to_string();
        assert!(other.contains("missing field `order_id`"), "{other}");
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        assert_eq!([0, 31, 9_862, -1].map(month_of), [(1970, 1), (1970, 2), (1997, 1), (1969, 12)]);
    }
}
