//! `cargo xtask tidy`: house rules that neither the compiler nor clippy can see.
//!
//! A check reads the [`Tree`] (every file of the workspace, loaded once) and answers with a
//! [`Report`]: what it looked at, and what is wrong. It touches no disk, so that its tests hand it
//! small bad trees; a check without a test that sees it fail does not belong here.

mod architecture;
mod edges;
mod invariants;
mod links;
mod migrations;
mod sharding;
mod source;
mod threats;
mod tree;
mod words;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run::{Cargo, Outcome};
use tree::Tree;

/// What a check looked at and what it found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// So that a check which looks at nothing is noticed.
    looked_at: String,
    /// One line each: where, what, and what to do.
    problems: Vec<String>,
}

impl Report {
    fn new(looked_at: String, problems: Vec<String>) -> Self {
        Self { looked_at, problems }
    }
}

/// Runs all checks and prints what each looked at.
pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let tree = Tree::load(root).context("reading the workspace")?;
    let metadata = Cargo::new("metadata --format-version 1 --no-deps").stdout(root)?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading cargo's metadata")?;
    Ok(Outcome::passed_if(print(&check(&tree, &metadata))))
}

fn check(tree: &Tree, metadata: &Value) -> Vec<(&'static str, Report)> {
    vec![
        ("edges between crates", edges::between_packages(metadata)),
        ("dependencies a crate may not have", edges::external(metadata)),
        ("edges inside the core", edges::inside_core(tree)),
        ("lengths", source::lengths(tree)),
        ("unfinished work", source::unfinished(tree)),
        ("ARCHITECTURE.md names", architecture::names(tree)),
        ("invariants cited by tests", invariants::cited(tree)),
        ("migrations", migrations::numbered_and_paired(tree)),
        ("sharding by campaign", sharding::by_campaign(tree)),
        ("links", links::resolve(tree)),
        ("threats and their tests", threats::proven(tree)),
        ("glossary", words::one_word_per_thing(tree)),
    ]
}

fn print(reports: &[(&str, Report)]) -> bool {
    for (name, report) in reports {
        let verdict = if report.problems.is_empty() { "ok " } else { "BAD" };
        println!("{verdict} {name} ({})", report.looked_at);
        for problem in &report.problems {
            println!("      {problem}");
        }
    }
    reports.iter().all(|(_, report)| report.problems.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_fails_the_whole() {
        let fine = ("a", Report::new("1 file".into(), vec![]));
        let bad = ("b", Report::new("1 file".into(), vec!["x.rs:1: too long".into()]));
        assert!(print(&[fine]));
        assert!(!print(&[("a", Report::default()), bad]));
    }

    #[test]
    fn an_empty_workspace_is_not_tidy() {
        let metadata = serde_json::json!({ "packages": [] });
        let reports = check(&Tree::of(&[]), &metadata);
        let bad: Vec<_> = reports
            .iter()
            .filter(|(_, report)| !report.problems.is_empty())
            .map(|(name, _)| *name)
            .collect();
        let expected = [
            "ARCHITECTURE.md names",
            "invariants cited by tests",
            "migrations",
            "threats and their tests",
        ];
        assert_eq!(bad, expected);
    }
}
