//! The rows of a file as orders.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};
use sponsorhub_core::money::Currency;

use super::table::{Row, Table};
use super::{Order, Orders, OrdersError, Units, amounts, day_of_date, text};

/// Reads a file. Where all of its amounts are whole numbers, `units` says what they count.
///
/// # Errors
/// [`OrdersError`] names line and column.
pub fn read_orders(file: &[u8], units: Units) -> Result<Orders, OrdersError> {
    let text = text::decode(file)?;
    let table = Table::open(&text)?;
    let reading = amounts::reading(&table, units)?;
    let (mut list, mut ids, mut currency) = (Vec::new(), HashSet::new(), None);
    table.each(|row| {
        let wrong = |column, fix: &str| OrdersError::cell(row.line, column, fix);
        let known = Currency::ALL.into_iter().find(|known| known.code() == row.currency);
        let known = known.ok_or_else(|| wrong("currency", "one of USD, EUR and GBP"))?;
        if *currency.get_or_insert(known) != known {
            return Err(wrong("currency", "the same in all rows"));
        }
        if row.order.is_empty() || !ids.insert(row.order.to_owned()) {
            return Err(wrong("order_id", "an id that no other row has"));
        }
        let amount = reading.amount(row.amount).map_err(|fix| wrong(table.amount, fix))?;
        let day = day_of_date(row.day);
        let day = day.ok_or_else(|| wrong("ordered_on", "write it like 2026-01-31"))?;
        let id = row.order.to_owned();
        list.push(Order { customer: customer(&row), day, id, amount, rank: 0 });
        Ok(())
    })?;
    list.sort_by(|a, b| a.id.cmp(&b.id));
    for (order, rank) in list.iter_mut().zip(1..) {
        order.rank = rank;
    }
    list.sort_by_key(|order| order.day);
    let currency = currency.ok_or(OrdersError::Empty)?;
    Ok(Orders { currency, reading, list })
}

/// The number of a customer: that at the end of its id, and of other ids one that does not depend on the other
/// rows. Who bought without an account is a customer for that order alone.
fn customer(row: &Row<'_>) -> u64 {
    let id = if row.customer.is_empty() { row.order } else { row.customer };
    number_at_end(row.customer).unwrap_or_else(|| {
        let hash = Sha256::digest(id.as_bytes());
        hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    })
}

fn number_at_end(id: &str) -> Option<u64> {
    let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count();
    id[id.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::{Reading, Shape};

    /// The number of anna@example.com.
    const ANNA: u64 = 17_858_263_610_038_792_568;

    const HEAD: &str = "order_id,customer_id,ordered_on,quantity,amount_minor,currency\n";

    fn read(rows: &str) -> Result<Orders, String> {
        let file = format!("{HEAD}{rows}");
        read_orders(file.as_bytes(), Units::Minor).map_err(|error| error.to_string())
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
            ("o1,c1,1997-01-01,1,5,USD", "order_id: an id that no other row has"),
            (",c1,1997-01-01,1,5,USD", "order_id: an id that no other row has"),
            ("o2,c1,1997-02-30,1,5,USD", "ordered_on: write it like 2026-01-31"),
            (
                "o2,c1,1997-01-01,1,1e3,USD",
                "amount_minor: write it like 50.00, or in cents like 5000",
            ),
            ("o2,c1,1997-W05-1,1,5,USD", "ordered_on: write it like 2026-01-31"),
            ("o2,c1,1997-01-01T10:00:00Z,1,5,USD", "ordered_on: write it like 2026-01-31"),
            ("o2,c1,1997-01-01,1,5,EUR", "currency: the same in all rows"),
            ("o2,c1,1997-01-01,1,5,usd", "currency: one of USD, EUR and GBP"),
        ] {
            assert_eq!(read(&format!("{good}{row}\n")), Err(format!("line 3, column {expected}")));
        }
        assert_eq!(read(""), Err("the file has no orders".to_owned()));
    }

    #[test]
    fn any_text_is_a_customer_and_the_number_at_its_end_counts_where_there_is_one() {
        let row = |at: usize, id: &str| format!("o{at},{id},1997-01-01,1,5,USD\n");
        let ids = ["cus_000466", "7", "anna@example.com", "Zoë", "anna@example.com", "", ""];
        let huge = "99999999999999999999999";
        let rows: String =
            ids.iter().chain([&huge]).enumerate().map(|(at, id)| row(at, id)).collect();
        let seen: Vec<u64> = read(&rows).expect("fine").list.iter().map(|o| o.customer).collect();
        assert_eq!(seen[..2], [466, 7]);
        assert_eq!(seen[2], seen[4], "one person is one customer");
        let different: HashSet<_> = seen.iter().collect();
        assert_eq!(different.len(), 7, "{seen:?}");
        // The same whatever stands beside it, and in every version of the program.
        let alone = read(&row(0, "anna@example.com")).expect("fine").list[0].customer;
        assert_eq!((alone, seen[2]), (ANNA, ANNA));
    }

    #[test]
    fn a_sheet_is_the_same_orders_in_every_way_that_it_is_saved() {
        let (minor, whole) = (Units::Minor, Units::Whole);
        let cents = "order_id,customer_id,ordered_on,amount_minor,currency\n\
                     1,Zoë,1997-01-02,123450,EUR\n2,Özil,1997-01-01,5000,EUR\n";
        let wanted = read_orders(cents.as_bytes(), minor).expect("fine");
        let (_, rows) = cents.split_once('\n').expect("a head");
        let head = "order_id,customer_id,ordered_on,amount,currency\n";
        let points = format!("{head}{}", rows.replace("123450", "1234.50").replace("5000", "50"));
        let commas = format!("{head}{rows}").replace(',', ";").replace("123450", "1.234,50");
        let commas = commas.replace("5000", "50,00");
        let tabs = commas.replace(';', "\t");
        for (text, reading) in [
            (cents.to_owned(), Reading::Numbers(minor)),
            (points, Reading::Point),
            (commas, Reading::Comma),
            (tabs, Reading::Comma),
        ] {
            let little: Vec<u8> =
                format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
            let windows: Vec<u8> =
                text.chars().map(|one| u8::try_from(u32::from(one)).expect("Latin")).collect();
            for bytes in [text.as_bytes(), format!("\u{feff}{text}").as_bytes(), &little, &windows]
            {
                for units in [minor, whole] {
                    let seen = read_orders(bytes, units).expect("fine");
                    if reading == Reading::Numbers(minor) && units == whole {
                        assert_eq!(seen.list[0].amount.0, 500_000);
                        assert_eq!(seen.reading, Reading::Numbers(whole));
                    } else {
                        assert_eq!(seen, Orders { reading, ..wanted.clone() }, "{text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_bytes_are_refused_and_take_nobody_down() {
        let head = b"order_id;customer_id;ordered_on;amount;currency\n";
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let signs = b"\"\";;,,\r\n\t.09-\0\xff\xfe\xc3\xa4\xed\xa0\x80 ";
        for _ in 0..2_000 {
            let wild: Vec<u8> = (0..40).map(|_| next()).collect();
            let tame: Vec<u8> = (0..80).map(|_| signs[usize::from(next()) % signs.len()]).collect();
            for bytes in [&wild, &tame] {
                for start in [&b""[..], &head[..], b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"] {
                    let told = read_orders(&[start, bytes].concat(), Units::Minor);
                    let told = told.expect_err("no orders").to_string();
                    assert!(!told.contains("byte"), "{told}");
                }
            }
        }
    }
}
