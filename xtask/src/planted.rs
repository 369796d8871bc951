//! `cargo xtask planted-bugs`: puts bugs of public projects into the product, one after the other, and
//! sees that the test that is named after each fails by its named assertion, and no other test does.

use std::path::Path;

use anyhow::Result;

use crate::run::{Cargo, Outcome};

/// The bugs, as `sponsorhub_app::planted` names them.
const BUGS: [&str; 6] =
    ["eliza_11022", "gumroad_6620", "spree_14500", "omi_7184", "liberapay_1533", "sdp_673"];

/// The tests of all of them.
const SUITES: [&str; 2] = [
    "test -p sponsorhub-app --features planted-bugs --test money public_bugs -- --test-threads 1",
    "test -p sponsorhub --features planted-bugs --test api sdp_673",
];

/// What a run of the suites showed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    passed: usize,
    /// Names of tests that failed.
    failed: Vec<String>,
    /// Bugs whose assertion spoke.
    said: Vec<String>,
}

impl Seen {
    fn read(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix("test ") {
            if let Some(name) = test.strip_suffix(" ... FAILED") {
                self.failed.push(name.rsplit("::").next().unwrap_or(name).to_owned());
            }
            self.passed += usize::from(test.ends_with(" ... ok"));
        }
        if let Some((_, rest)) = line.split_once("planted bug ")
            && let Some((bug, _)) = rest.split_once(':')
        {
            self.said.push(bug.to_owned());
        }
    }

    /// Whether exactly the test of this bug failed, by its assertion; of none, whether none did.
    fn is_as_expected(&self, planted: Option<&str>) -> bool {
        let others = self.passed + self.failed.len() == BUGS.len();
        match (planted, self.failed.as_slice(), self.said.as_slice()) {
            (None, [], []) => others,
            (Some(bug), [test], [said]) => others && test.starts_with(bug) && said == bug,
            _ => false,
        }
    }
}

/// Runs all of it.
pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let mut found = 0;
    for planted in std::iter::once(None).chain(BUGS.map(Some)) {
        let mut seen = Seen::default();
        for suite in SUITES {
            let cargo = Cargo::new(suite).env("SPONSORHUB_PLANTED_BUG", &planted.unwrap_or(""));
            let (_, lines) = cargo.run_and_keep(root)?;
            for line in &lines {
                seen.read(line);
            }
        }
        let is_found = seen.is_as_expected(planted);
        let name = planted.unwrap_or("nothing");
        let failed =
            if seen.failed.is_empty() { "no test".to_owned() } else { seen.failed.join(", ") };
        let verdict = if is_found { "as it should be" } else { "NOT as it should be" };
        println!("proof: planted {name}: {failed} failed, {verdict}");
        found += usize::from(is_found);
    }
    let all = BUGS.len() + 1;
    let word = if found == all { "ok" } else { "FAILED" };
    println!("test result: {word}. {found} passed; {} failed; 0 ignored", all - found);
    Ok(Outcome::passed_if(found == all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace_root;

    fn seen(text: &str) -> Seen {
        let mut seen = Seen::default();
        for line in text.lines() {
            seen.read(line);
        }
        seen
    }

    #[test]
    fn only_the_named_test_and_its_own_assertion_count() {
        let ok = "test public_bugs::a ... ok\n".repeat(5);
        let failed = "test public_bugs::omi_7184_a_retry ... FAILED\n";
        let said = "assertion failed: planted bug omi_7184: transfers of one payout\n";
        assert!(seen(&format!("{ok}{failed}{said}")).is_as_expected(Some("omi_7184")));
        // Another test, another reason, two of them, one that did not run, and none.
        assert!(!seen(&format!("{ok}{failed}{said}")).is_as_expected(Some("spree_14500")));
        assert!(
            !seen(&format!("{ok}{failed}index out of bounds")).is_as_expected(Some("omi_7184"))
        );
        assert!(!seen(&format!("{ok}{failed}{failed}{said}")).is_as_expected(Some("omi_7184")));
        assert!(!seen(&format!("{failed}{said}")).is_as_expected(Some("omi_7184")));
        assert!(!seen(&ok).is_as_expected(Some("omi_7184")));
        let all = "test public_bugs::a ... ok\n".repeat(6);
        assert!(seen(&all).is_as_expected(None));
        assert!(!seen(&ok).is_as_expected(None));
    }

    #[test]
    fn every_bug_that_can_be_planted_is_planted() {
        let source = workspace_root().join("crates/app/src/planted.rs");
        let source = std::fs::read_to_string(source).expect("there");
        let names: Vec<_> = source
            .lines()
            .filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","))
            .collect();
        assert_eq!(names, BUGS);
    }
}
