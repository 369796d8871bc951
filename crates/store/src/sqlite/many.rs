//! Inserting many rows with few statements: what a statement costs beside its rows is spread over
//! several of them. Only for tables without an insert trigger, or SQLite copies the rows first.

use rusqlite::{Connection, Statement};

/// Rows of one statement.
const ROWS: usize = 16;

/// A table and the columns of its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Insert {
    /// Everything in front of the first row.
    pub(super) into: &'static str,
    /// Columns of a row.
    pub(super) columns: usize,
}

impl Insert {
    fn sql(self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        format!("{} VALUES {}", self.into, vec![row; rows].join(","))
    }

    /// Inserts a row for each item. `bind` binds an item's values from this parameter on.
    pub(super) fn run<T>(
        self,
        connection: &Connection,
        items: &[T],
        bind: impl Fn(&mut Statement<'_>, usize, &T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (many, rest) = items.split_at(items.len() - items.len() % ROWS);
        for (items, rows) in [(many, ROWS), (rest, 1)] {
            if items.is_empty() {
                continue;
            }
            let mut statement = connection.prepare_cached(&self.sql(rows))?;
            for lot in items.chunks(rows) {
                let firsts = (1..).step_by(self.columns);
                for (item, first) in lot.iter().zip(firsts) {
                    bind(&mut statement, first, item)?;
                }
                statement.raw_execute()?;
            }
        }
        Ok(())
    }
}
