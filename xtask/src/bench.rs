//! `cargo xtask bench`: runs the benches of store and audit and writes docs/benchmarks.md.
//!
//! A bench prints one JSON object on stdout, `{"machine": {..}, "rows": [..]}`. A row's `target`
//! is the least ratio to its yardstick that is acceptable, or the least median where the row has
//! no ratio. Absolute figures change with the machine and the hour; the ratios were taken side by
//! side in one run and are what is judged.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::by_hand::kept;
use crate::machine::Machine;
use crate::run::{Cargo, Outcome, write_or_check};

const PATH: &str = "docs/benchmarks.md";

/// Everything from this line on is kept.
const MARKER: &str = "<!-- From here on written by hand; `cargo xtask bench` keeps it. -->";

/// Built like everything else: with the dev profile, which is optimised.
const COMMANDS: [&str; 3] = [
    "bench --profile dev -p sponsorhub-store --bench store",
    "bench --profile dev -p sponsorhub-app --bench audit",
    "bench --profile dev -p sponsorhub --features bench-yardsticks --bench http",
];

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Write the document and succeed even if a target is missed.
    #[arg(long)]
    report_only: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Report {
    #[serde(default)]
    machine: Map<String, Value>,
    rows: Vec<BenchRow>,
}

#[derive(Debug, Deserialize)]
struct BenchRow {
    name: String,
    unit: String,
    runs: Vec<f64>,
    median: f64,
    /// A figure, or a name with the figure in it.
    #[serde(default)]
    yardstick: Value,
    ratio: Option<f64>,
    target: Option<f64>,
    /// Of what less is better: the most that is acceptable.
    most: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    NoTarget,
}

impl BenchRow {
    fn verdict(&self) -> Verdict {
        match self.target {
            None if self.most.is_some_and(|most| self.median <= most) => Verdict::Met,
            None if self.most.is_some() => Verdict::Missed,
            None => Verdict::NoTarget,
            // Not a number compares as false, so it is a miss.
            Some(target) if self.ratio.unwrap_or(self.median) >= target => Verdict::Met,
            Some(_) => Verdict::Missed,
        }
    }

    fn target_text(&self) -> String {
        match (self.target, self.ratio) {
            (None, _) => {
                self.most.map_or_else(|| "–".to_owned(), |most| format!("≤ {}", figure(most)))
            }
            (Some(target), Some(_)) => format!("ratio ≥ {}", ratio(target)),
            (Some(target), None) => format!("≥ {}", figure(target)),
        }
    }
}

/// Runs the bench, writes the document, and judges.
pub(crate) fn run(root: &Path, args: &BenchArgs) -> Result<Outcome> {
    let mut report = Report::default();
    for command in COMMANDS {
        let cargo = Cargo::new(command);
        println!("{}", cargo.line());
        let part = parse(&cargo.stdout(root)?)?;
        report.machine.extend(part.machine);
        report.rows.extend(part.rows);
    }
    let before = std::fs::read_to_string(root.join(PATH)).unwrap_or_default();
    let by_hand = kept(&before, MARKER, "## Where the time goes\n\nNothing recorded yet.");
    let text = format!("{}\n{by_hand}", render(&report, &Machine::here(root)));
    write_or_check(root, PATH, &text, false, "bench")?;
    Ok(judge(&report, args.report_only))
}

fn parse(stdout: &str) -> Result<Report> {
    let report: Report =
        serde_json::from_str(stdout).context("the bench must print one JSON object on stdout")?;
    anyhow::ensure!(!report.rows.is_empty(), "the bench measured nothing");
    Ok(report)
}

fn judge(report: &Report, report_only: bool) -> Outcome {
    let mut missed = false;
    for row in &report.rows {
        if row.verdict() == Verdict::Missed {
            missed = true;
            println!("missed: {} ({}, {})", row.name, result_text(row), row.target_text());
        }
    }
    Outcome::passed_if(report_only || !missed)
}

fn result_text(row: &BenchRow) -> String {
    row.ratio.map_or_else(|| figure(row.median), |value| format!("ratio {}", ratio(value)))
}

fn render(report: &Report, machine: &Machine) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`. Each row is the median of its runs; a \
         ratio compares with a yardstick measured\nin the same run, and is what a target judges. \
         Absolute figures say something about this machine only.\n\n",
    );
    text += &machine.markdown();
    for command in COMMANDS {
        writeln!(text, "- command: `cargo {command}`").expect("writing to a string");
    }
    for (name, value) in &report.machine {
        writeln!(text, "- {name}: {}", plain(value)).expect("writing to a string");
    }
    text += "\n| measured | median | unit | runs | yardstick | ratio | target | verdict |\n\
             |---|--:|---|---|---|--:|---|---|\n";
    for row in &report.rows {
        let runs: Vec<_> = row.runs.iter().copied().map(figure).collect();
        let verdict = match row.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "**missed**",
            Verdict::NoTarget => "–",
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {verdict} |",
            row.name,
            figure(row.median),
            row.unit,
            runs.join(" · "),
            plain(&row.yardstick),
            row.ratio.map_or_else(|| "–".to_owned(), ratio),
            row.target_text(),
        )
        .expect("writing to a string");
    }
    text
}

/// A JSON value without quotes; a missing one as a dash.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), figure),
        other => other.to_string(),
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.3}")
}

/// Whole numbers with separators from 100 on, two decimals below.
fn figure(value: f64) -> String {
    if value.abs() < 100.0 {
        let text = format!("{value:.2}");
        return text.strip_suffix(".00").map_or(text.clone(), str::to_owned);
    }
    let whole = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"machine": {"pragma": "FULL", "entries": 2000000}, "rows": [
        {"name": "append", "unit": "entries/s", "runs": [151000.4, 150000, 149000],
         "median": 150000, "yardstick": 240000, "ratio": 0.6999, "target": 0.7},
        {"name": "fold", "unit": "entries/s", "runs": [2e6], "median": 2e6, "target": 1e6},
        {"name": "open", "unit": "ms", "runs": [1.5], "median": 1.5}]}"#;

    fn machine() -> Machine {
        let [commit, cpu, memory] = ["abc1234", "Fast 9000", "2048 MiB"].map(str::to_owned);
        Machine { commit, cpu, cores: 2, memory }
    }

    #[test]
    fn a_missed_target_fails_unless_only_a_report_is_asked_for() {
        let report = parse(SAMPLE).expect("valid");
        assert_eq!(judge(&report, false), Outcome::Failed(1));
        assert_eq!(judge(&report, true), Outcome::Passed);
    }

    #[test]
    fn a_target_judges_the_ratio_or_else_the_median() {
        let report = parse(SAMPLE).expect("valid");
        let verdicts: Vec<_> = report.rows.iter().map(BenchRow::verdict).collect();
        assert_eq!(verdicts, [Verdict::Missed, Verdict::Met, Verdict::NoTarget]);
    }

    #[test]
    fn a_bench_that_measured_nothing_or_prints_more_than_json_is_an_error() {
        assert!(parse(r#"{"machine": {}, "rows": []}"#).is_err());
        assert!(parse(&format!("warming up\n{SAMPLE}")).is_err());
    }

    #[test]
    fn the_document_names_machine_target_and_verdict() {
        let text = render(&parse(SAMPLE).expect("valid"), &machine());
        for part in [
            "- commit: `abc1234`",
            "Fast 9000, 2 cores",
            "- entries: 2,000,000",
            "| append | 150,000 | entries/s | 151,000 · 150,000 · 149,000 | 240,000 | 0.700 |",
            "ratio ≥ 0.700 | **missed** |",
            "| fold | 2,000,000 | entries/s | 2,000,000 | – | – | ≥ 1,000,000 | met |",
            "| open | 1.50 | ms |",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
