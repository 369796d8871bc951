//! The JSON that `cargo xtask bench` reads.

use std::fmt::Write as _;
use std::io::Write as _;

/// Rows in the order in which they were measured.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<String>,
}

/// What a row is held against.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, clippy::allow_attributes, reason = "each bench uses its own part")]
pub(crate) enum Target {
    /// The least ratio of the medians to the yardstick's.
    Ratio(f64),
    /// The least median.
    Median(f64),
    /// Nothing: the row informs.
    None,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row; `yardstick` has its name and its runs, taken between ours.
    pub(crate) fn row(
        &mut self,
        name: &str,
        runs: &[f64],
        yardstick: Option<(&str, &[f64])>,
        target: Target,
    ) {
        let ours = median(runs);
        let mut row = format!(
            r#"{{"name":"{name}","unit":"entries/s","runs":{},"median":{ours:.0}"#,
            list(runs)
        );
        if let Some((name, theirs)) = yardstick {
            let ratio = ours / median(theirs);
            let figures = list(theirs).replace(',', " · ");
            let figures = figures.trim_matches(['[', ']']);
            write!(row, r#","yardstick":"{name}: {figures}","ratio":{ratio:.4}"#)
                .expect("writing to a string");
        }
        match target {
            Target::Ratio(target) | Target::Median(target) => {
                write!(row, r#","target":{target}"#).expect("writing to a string");
            }
            Target::None => {}
        }
        row.push('}');
        progress(&row);
        self.rows.push(row);
    }

    /// Adds a row of which less is better: at most so much, or nothing asked where that is infinite.
    #[allow(dead_code, clippy::allow_attributes, reason = "each bench uses its own part")]
    pub(crate) fn at_most(
        &mut self,
        (name, unit): (&str, &str),
        runs: &[f64],
        most: f64,
        yardstick: Option<(&str, &[f64])>,
    ) {
        let ours = median(runs);
        let figures = |runs: &[f64], between: &str| {
            let runs: Vec<_> = runs.iter().map(|run| format!("{run:.2}")).collect();
            runs.join(between)
        };
        let mut row = format!(
            r#"{{"name":"{name}","unit":"{unit}","runs":[{}],"median":{ours:.2}"#,
            figures(runs, ",")
        );
        if let Some((name, theirs)) = yardstick {
            let figures = figures(theirs, " · ");
            write!(row, r#","yardstick":"{name}: {figures}""#).expect("writing to a string");
        }
        if most.is_finite() {
            write!(row, r#","most":{most}"#).expect("writing to a string");
        }
        row.push('}');
        progress(&row);
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        let rows = self.rows.join(",");
        writeln!(std::io::stdout(), r#"{{"rows":[{rows}]}}"#).expect("stdout is open");
    }
}

/// Says on stderr what is going on.
pub(crate) fn progress(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

pub(crate) fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn list(runs: &[f64]) -> String {
    let runs: Vec<_> = runs.iter().map(|run| format!("{run:.0}")).collect();
    format!("[{}]", runs.join(","))
}
