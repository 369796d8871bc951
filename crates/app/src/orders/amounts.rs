//! What the amounts of a file mean. All of them are read in one way, which is found before the first is
//! taken: an amount alone says too little, and a wrong guess is wrong by a factor of a hundred.
//!
//! An amount with one or two digits after its last point or comma shows that the file counts whole units, and
//! what stands before the cents. Without one all amounts are whole numbers, and whoever brings the file says
//! what they count.

use sponsorhub_core::money::{AMOUNT_MAX, Minor};

use super::OrdersError;
use super::table::Table;

/// What amounts are counted in where all are whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// Cents.
    #[default]
    Minor,
    /// Dollars, euros, pounds.
    Whole,
}

/// How the amounts of a file were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Whole numbers of these.
    Numbers(Units),
    /// Whole units, with a point before the cents.
    Point,
    /// Whole units, with a comma before the cents.
    Comma,
}

/// The column whose name says that it counts cents.
const OF_CENTS: &str = "amount_minor";

/// Finds how all amounts of a table are read.
pub(super) fn reading(table: &Table<'_>, units: Units) -> Result<Reading, OrdersError> {
    let (mut decimals, mut number) = (None, None);
    table.each(|row| {
        let wrong = |fix: String| Err(OrdersError::cell(row.line, table.amount, fix));
        match (decimal(row.amount), decimals) {
            (Some(mark), Some((other, line))) if mark != other => {
                return wrong(format!("write it like {}, as in line {line}", example(other)));
            }
            (Some(mark), None) => decimals = Some((mark, row.line)),
            (None, _) if number.is_none() && is_number(row.amount) => number = Some(row.line),
            _ => {}
        }
        // Spreadsheets write 50 beside 49.9. In a column of cents that may as well be a slip.
        match (decimals, number) {
            (Some((mark, at)), Some(before)) if table.amount == OF_CENTS => {
                let first = if before < at { "5000" } else { example(mark) };
                let line = before.min(at);
                wrong(format!(
                    "write it like {first}, as in line {line}, or call the column amount where it holds whole units"
                ))
            }
            _ => Ok(()),
        }
    })?;
    Ok(decimals.map_or(Reading::Numbers(units), |(mark, _)| mark))
}

const fn example(reading: Reading) -> &'static str {
    match reading {
        Reading::Comma => "50,00",
        Reading::Point | Reading::Numbers(_) => "50.00",
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands before the cents, where there are cents.
fn decimal(text: &str) -> Option<Reading> {
    let at = text.rfind(['.', ','])?;
    let (whole, cents) = text.split_at(at);
    let reading = if cents.starts_with('.') { Reading::Point } else { Reading::Comma };
    hundredths(text, reading).filter(|_| !whole.is_empty() && cents.len() <= 3).map(|_| reading)
}

impl Reading {
    /// Reads an amount; what it should be where it is none.
    pub(super) fn amount(self, text: &str) -> Result<Minor, &'static str> {
        if text.starts_with(['-', '\u{2212}']) {
            return Err("an order is worth 0 or more: leave out what was given back");
        }
        let (minor, fix) = match self {
            Self::Numbers(Units::Minor) => {
                (text.parse().ok(), "write it like 50.00, or in cents like 5000")
            }
            Self::Numbers(Units::Whole) => {
                let whole = text.parse::<i64>().ok();
                (whole.map(|whole| whole.saturating_mul(100)), "write it like 50.00 or 50")
            }
            Self::Point | Self::Comma => {
                let fix = match self {
                    Self::Comma => "write it like 50,00",
                    _ => "write it like 50.00",
                };
                (hundredths(text, self), fix)
            }
        };
        let minor = minor.map(Minor).filter(|minor| *minor >= Minor::ZERO).ok_or(fix)?;
        if minor > AMOUNT_MAX { Err("at most 1,000,000,000.00") } else { Ok(minor) }
    }
}

/// An amount of whole units with or without cents, in hundredths.
fn hundredths(text: &str, reading: Reading) -> Option<i64> {
    let (mark, other) = if reading == Reading::Comma { (',', '.') } else { ('.', ',') };
    let (whole, cents) = text.split_once(mark).unwrap_or((text, "00"));
    let groups = [other, ' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}'];
    let sign = whole.chars().find(|letter| groups.contains(letter));
    let parts: Vec<&str> = sign.map_or_else(|| vec![whole], |sign| whole.split(sign).collect());
    let (first, rest) = parts.split_first()?;
    let is_grouped = rest.is_empty() || first.len() <= 3;
    let fits = is_grouped && is_number(first) && matches!(cents.len(), 1 | 2) && is_number(cents);
    let fits = fits && rest.iter().all(|group| group.len() == 3 && is_number(group));
    let digits = fits.then(|| format!("{}{cents:0<2}", parts.concat()))?;
    // More digits than a number has is too much, and not no number.
    Some(digits.parse().unwrap_or(i64::MAX))
}

/// An amount that stands alone, in hundredths, with a point or a comma before its cents. What may be read in two
/// ways, as `1,234` may, is none.
pub fn alone(text: &str) -> Option<i64> {
    if let Some(reading) = decimal(text) {
        return hundredths(text, reading);
    }
    let is_unsure = text.matches(['.', ',']).count() == 1;
    let read = |reading| hundredths(text, reading).filter(|_| !is_unsure);
    read(Reading::Point).or_else(|| read(Reading::Comma))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The amounts of a file, and how they were read.
    fn read(column: &str, units: Units, amounts: &[&str]) -> Result<(Reading, Vec<i64>), String> {
        let mut text = format!("order_id\tcustomer_id\tordered_on\tcurrency\t{column}\n");
        text.extend(amounts.iter().map(|amount| format!("a\tb\tc\td\t{amount}\n")));
        let table = Table::open(&text).expect("a head");
        let reading = reading(&table, units).map_err(|error| error.to_string())?;
        let mut seen = Vec::new();
        let each = table.each(|row| {
            let amount = reading.amount(row.amount);
            seen.push(amount.map_err(|fix| OrdersError::cell(row.line, column_of(column), fix))?.0);
            Ok(())
        });
        each.map_err(|error| error.to_string())?;
        Ok((reading, seen))
    }

    fn column_of(column: &str) -> &'static str {
        if column == OF_CENTS { OF_CENTS } else { "amount" }
    }

    #[test]
    fn amounts_of_a_file_are_read_in_one_way() {
        let numbers = Reading::Numbers;
        let (minor, whole) = (Units::Minor, Units::Whole);
        for (column, units, amounts, reading, minors) in [
            ("amount", minor, &["5000", "0"][..], numbers(minor), &[5_000, 0][..]),
            (OF_CENTS, minor, &["5000"], numbers(minor), &[5_000]),
            ("amount", whole, &["5000", "0"], numbers(whole), &[500_000, 0]),
            (OF_CENTS, minor, &["50.00", "1.5"], Reading::Point, &[5_000, 150]),
            (
                "amount",
                minor,
                &["50", "49.9", "1,234.56"],
                Reading::Point,
                &[5_000, 4_990, 123_456],
            ),
            ("amount", whole, &["1,234", "0.05"], Reading::Point, &[123_400, 5]),
            ("amount", minor, &["50,00", "7"], Reading::Comma, &[5_000, 700]),
            ("amount", minor, &["1.234,5", "1.234"], Reading::Comma, &[123_450, 123_400]),
            (
                "amount",
                minor,
                &["1 234,50", "1\u{202f}234\u{202f}567,00"],
                Reading::Comma,
                &[123_450, 123_456_700],
            ),
            ("amount", minor, &["1'234.50"], Reading::Point, &[123_450]),
            ("amount", minor, &["1000000000.00"], Reading::Point, &[AMOUNT_MAX.0]),
        ] {
            let seen = read(column, units, amounts);
            assert_eq!(seen, Ok((reading, minors.to_vec())), "{column} {amounts:?}");
        }
    }

    #[test]
    fn an_amount_that_does_not_fit_the_others_is_named_and_not_guessed() {
        let either = "write it like 50.00, or in cents like 5000";
        let negative = "an order is worth 0 or more: leave out what was given back";
        for (amounts, line, fix) in [
            (&["50.00", "50,00"][..], 3, "write it like 50.00, as in line 2"),
            (&["7", "50,00", "50.00"], 4, "write it like 50,00, as in line 3"),
            (&["50.00", "1.234"], 3, "write it like 50.00"),
            (&["50,00", "1,234"], 3, "write it like 50,00"),
            (&["50.00", "12,34,567.00"], 3, "write it like 50.00"),
            (&["50.00", "1234,567.00"], 3, "write it like 50.00"),
            (&["50.00", "x"], 3, "write it like 50.00"),
            (&["50.00", ".50"], 3, "write it like 50.00"),
            (&["50.00", "50."], 3, "write it like 50.00"),
            // Thousands, or three decimals: nothing in the file says which.
            (&["1,234"], 2, either),
            (&["1.234"], 2, either),
            (&["$50.00"], 2, either),
            (&["1e3"], 2, either),
            (&["5", "x"], 3, either),
            (&["-5"], 2, negative),
            (&["50.00", "-5.00"], 3, negative),
            (&["50.00", "1000000000.01"], 3, "at most 1,000,000,000.00"),
            (&["9999999999999999999.00"], 2, "at most 1,000,000,000.00"),
        ] {
            let told = format!("line {line}, column amount: {fix}");
            assert_eq!(read("amount", Units::Minor, amounts), Err(told), "{amounts:?}");
        }
        let whole = read("amount", Units::Whole, &["9223372036854775807"]);
        assert_eq!(whole, Err("line 2, column amount: at most 1,000,000,000.00".to_owned()));
    }

    #[test]
    fn a_column_of_cents_holds_cents_or_decimals_and_never_both() {
        for (amounts, like, line) in [
            (["1177", "1.7"], "5000", 2),
            (["1.70", "12"], "50.00", 2),
            (["1,70", "12"], "50,00", 2),
        ] {
            let told = format!(
                "line 3, column amount_minor: write it like {like}, as in line {line}, or call the column amount where \
                 it holds whole units"
            );
            assert_eq!(read(OF_CENTS, Units::Minor, &amounts), Err(told), "{amounts:?}");
        }
    }
}
