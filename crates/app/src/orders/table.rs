//! The rows of a text: what stands between its cells, where the columns are, and in which line a row begins.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::OrdersError;

/// What may stand between cells.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The columns, each with the names that its head may have; where both are there the first is read.
const COLUMNS: [&[&str]; 5] =
    [&["order_id"], &["customer_id"], &["ordered_on"], &["amount_minor", "amount"], &["currency"]];

/// The place of the amount among the columns.
const AMOUNT: usize = 3;

/// A text with a head that has every column.
pub(super) struct Table<'a> {
    text: &'a str,
    separator: u8,
    places: [usize; COLUMNS.len()],
    width: usize,
    /// What the head calls the amount.
    pub(super) amount: &'static str,
}

/// What stands in a row, without blanks around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// From 1, the head being the first.
    pub(super) line: u64,
    pub(super) order: &'a str,
    pub(super) customer: &'a str,
    pub(super) day: &'a str,
    pub(super) amount: &'a str,
    pub(super) currency: &'a str,
}

/// Where a column stands in a head, and its name there.
fn place(head: &StringRecord, names: &[&'static str]) -> Option<(usize, &'static str)> {
    names.iter().find_map(|name| {
        let place = head.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name))?;
        Some((place, *name))
    })
}

fn reader(text: &str, separator: u8) -> Reader<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

fn head(text: &str, separator: u8) -> Result<StringRecord, OrdersError> {
    let mut head = StringRecord::new();
    let is_there = reader(text, separator).read_record(&mut head);
    if is_there.map_err(|_| OrdersError::NoText)? { Ok(head) } else { Err(OrdersError::Empty) }
}

impl<'a> Table<'a> {
    /// Finds separator and columns by the head: the separator is the one that shows the most columns.
    pub(super) fn open(text: &'a str) -> Result<Self, OrdersError> {
        let mut best: Option<(usize, u8, StringRecord)> = None;
        for separator in SEPARATORS {
            let head = head(text, separator)?;
            let known = COLUMNS.iter().filter(|names| place(&head, names).is_some()).count();
            if best.as_ref().is_none_or(|(most, ..)| known > *most) {
                best = Some((known, separator, head));
            }
        }
        let (_, separator, head) = best.ok_or(OrdersError::Empty)?;
        let mut table =
            Self { text, separator, places: [0; COLUMNS.len()], width: head.len(), amount: "" };
        for (at, names) in COLUMNS.into_iter().enumerate() {
            let wanted = names.last().copied().unwrap_or_default();
            let fix = "the head has no such column";
            let (place, name) =
                place(&head, names).ok_or_else(|| OrdersError::cell(1, wanted, fix))?;
            table.places[at] = place;
            if at == AMOUNT {
                table.amount = name;
            }
            let mut others = head.iter().skip(place + 1);
            if others.any(|cell| cell.trim().eq_ignore_ascii_case(name)) {
                return Err(OrdersError::cell(1, name, "the head has it twice"));
            }
        }
        Ok(table)
    }

    /// Shows every row, in the order of the file; rows in which nothing stands are none.
    pub(super) fn each(
        &self,
        mut work: impl FnMut(Row<'_>) -> Result<(), OrdersError>,
    ) -> Result<(), OrdersError> {
        let mut reader = reader(self.text, self.separator);
        let (mut record, mut lines) = (StringRecord::new(), Lines::of(self.text));
        let mut is_head = true;
        while reader.read_record(&mut record).map_err(|_| OrdersError::NoText)? {
            if std::mem::take(&mut is_head) || record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let line = lines.line_at(record.position().map_or(0, csv::Position::byte));
            work(self.row(&record, line)?)?;
        }
        Ok(())
    }

    fn row<'r>(&self, record: &'r StringRecord, line: u64) -> Result<Row<'r>, OrdersError> {
        if record.len() > self.width {
            let (has, wants) = (record.len(), self.width);
            let fix = format!(
                "it has {has} cells and the head {wants}: what contains the sign between cells stands in quotation \
                 marks, as in \"50,00\""
            );
            return Err(OrdersError::Line { line, fix });
        }
        let cell = |at: usize| {
            let name = COLUMNS.get(at).and_then(|names| names.last()).copied().unwrap_or_default();
            let name = if at == AMOUNT { self.amount } else { name };
            let cell = self.places.get(at).and_then(|place| record.get(*place)).map(str::trim);
            cell.ok_or_else(|| OrdersError::cell(line, name, "the row ends before it"))
        };
        let row = Row {
            line,
            order: cell(0)?,
            customer: cell(1)?,
            day: cell(2)?,
            amount: cell(AMOUNT)?,
            currency: cell(4)?,
        };
        if record.len() < self.width {
            let (has, wants) = (record.len(), self.width);
            return Err(OrdersError::Line {
                line,
                fix: format!("it has {has} cells and the head {wants}"),
            });
        }
        Ok(row)
    }
}

/// Counts lines along a text, whichever way they end: the parser knows one way, and blank lines not at all.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of the first byte from here on that is no end of a line.
    fn line_at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(seen) = self.bytes.get(self.at) {
            if self.at >= byte && !matches!(seen, b'\r' | b'\n') {
                break;
            }
            let is_end = match seen {
                b'\n' => true,
                b'\r' => self.bytes.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += u64::from(is_end);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and amount of each row.
    fn amounts(text: &str) -> Result<Vec<(u64, String)>, String> {
        let read = || {
            let mut seen = Vec::new();
            Table::open(text)?.each(|row| {
                seen.push((row.line, row.amount.to_owned()));
                Ok(())
            })?;
            Ok(seen)
        };
        read().map_err(|error: OrdersError| error.to_string())
    }

    #[test]
    fn the_separator_is_found_in_the_head() {
        let head =
            ["order_id", "customer_id", "note, or; more", "ordered_on", "amount", "currency"];
        let row = ["a", "c", "x", "1997-01-01", "5", "USD"];
        for separator in [",", ";", "\t"] {
            for end in ["\n", "\r\n", "\r"] {
                let head = head.map(|cell| format!("\"{cell}\"")).join(separator);
                let row = row.join(separator);
                // A row of a sheet in which nothing stands, and a blank line.
                let nothing = separator.repeat(5);
                let text = [&head, &row, &nothing, "", &row].join(end);
                let seen = amounts(&text).expect("rows");
                assert_eq!(seen, [(2, "5".to_owned()), (5, "5".to_owned())], "{text:?}");
            }
        }
    }

    #[test]
    fn heads_are_read_as_people_write_them() {
        let text = " Order_ID ; Customer_id;ORDERED_ON;amount;Amount_Minor;currency\na;b;c;d;e;f\n";
        assert_eq!(amounts(text), Ok(vec![(2, "e".to_owned())]));
    }

    #[test]
    fn what_is_no_such_table_is_named_by_line_and_column() {
        let head = "order_id,customer_id,ordered_on,amount,currency";
        for (text, told) in [
            ("", "the file has no orders"),
            ("a,b\n1,2\n", "line 1, column order_id: the head has no such column"),
            ("order_id;customer_id\n", "line 1, column ordered_on: the head has no such column"),
            (
                "order_id,order_id,customer_id,ordered_on,amount,currency\n",
                "line 1, column order_id: the head has it twice",
            ),
            (&format!("{head}\na,b,1997-01-01\n"), "line 2, column amount: the row ends before it"),
            (&format!("{head},note\na,b,c,d,e\n"), "line 2: it has 5 cells and the head 6"),
            (
                &format!("{head}\n\n\na,\"b\nb\",c,5,USD\na,b,c,50,00,USD\n"),
                "line 6: it has 6 cells and the head 5: what contains the sign between cells stands in quotation \
                 marks, as in \"50,00\"",
            ),
            (&format!("{head}\n\"a,b,c\n"), "line 2, column customer_id: the row ends before it"),
        ] {
            assert_eq!(amounts(text), Err(told.to_owned()), "{text:?}");
        }
    }
}
