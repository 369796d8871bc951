//! The doctor: what is wrong, how bad it is, and what to do about it.
//!
//! It only looks. `brand` says why a brand's events did not count, `operator` what is misconfigured or
//! stuck, `command` is `sponsorhub doctor` at the machine. A finding has a stable code and names nobody.

pub(crate) mod brand;

pub(crate) mod command;

pub(crate) mod heard;

pub(crate) mod operator;

use serde::{Deserialize, Serialize};

/// How bad a finding is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Something does not work.
    Error,
    /// Something may not be as it is meant.
    Warning,
    /// Looked at, and right.
    Ok,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Stable, for programs.
    pub(crate) code: String,
    /// How often, or how many.
    pub(crate) count: u64,
    /// When it was first seen of late, milliseconds.
    pub(crate) first_at: Option<i64>,
    /// When it was last seen, milliseconds.
    pub(crate) last_at: Option<i64>,
    pub(crate) meaning: String,
    /// What to do.
    pub(crate) fix: String,
    /// One of them, by ids and codes.
    pub(crate) example: Option<String>,
}

impl Finding {
    pub(crate) fn new(severity: Severity, code: &str, meaning: &str, fix: &str) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            count: 1,
            first_at: None,
            last_at: None,
            meaning: meaning.to_owned(),
            fix: fix.to_owned(),
            example: None,
        }
    }

    /// One more of them, at this time.
    pub(crate) fn saw(&mut self, at: i64) {
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }
}

/// The worst first, then what is frequent; where nothing is wrong, that is said.
pub(crate) fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.is_empty() {
        findings.push(Finding::new(Severity::Ok, "healthy", "nothing wrong was found", ""));
    }
    findings.sort_by(|a, b| {
        let key = |of: &Finding| (of.severity, std::cmp::Reverse(of.count));
        key(a).cmp(&key(b)).then_with(|| a.code.cmp(&b.code))
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_then_what_is_frequent() {
        let of =
            |severity, code: &str, count| Finding { count, ..Finding::new(severity, code, "", "") };
        let found = vec![
            of(Severity::Ok, "a", 9),
            of(Severity::Warning, "b", 1),
            of(Severity::Error, "c", 1),
            of(Severity::Error, "d", 2),
        ];
        let codes: Vec<_> = sorted(found).into_iter().map(|one| one.code).collect();
        assert_eq!(codes, ["d", "c", "b", "a"]);
        assert_eq!(sorted(Vec::new())[0].code, "healthy");
    }
}
