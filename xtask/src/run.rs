//! Starting other programs, and saying what came of it.
//!
//! A step has one of three outcomes and no fourth: it passed, it failed, or it was not run, with
//! the reason. Whatever is not run appears in the closing table, so nothing is skipped silently.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It ran and failed with this exit code.
    Failed(u8),
    /// It could not run; the reason is for the reader of the table.
    NotRun(String),
}

impl Outcome {
    /// `Passed` where nothing is wrong, `Failed(1)` otherwise.
    pub(crate) fn passed_if(holds: bool) -> Self {
        if holds { Self::Passed } else { Self::Failed(1) }
    }

    /// The exit code of the whole command. A step that was not run does not fail it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Passed | Self::NotRun(_) => ExitCode::SUCCESS,
            Self::Failed(code) => ExitCode::from(*code),
        }
    }

    /// For the end of the output and for the table.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed(code) => format!("FAILED (exit code {code})"),
            Self::NotRun(reason) => format!("NOT RUN: {reason}"),
        }
    }
}

/// A `cargo` command with the environment it needs.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    args: Vec<String>,
    env: Vec<Variable>,
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    value: String,
    /// What a printed line says instead of the value.
    shown: String,
}

impl Cargo {
    /// The command with its arguments, separated by blanks.
    pub(crate) fn new(line: &str) -> Self {
        Self { args: line.split_whitespace().map(str::to_owned).collect(), env: Vec::new() }
    }

    /// One more variable.
    pub(crate) fn env(self, name: &str, value: &dyn std::fmt::Display) -> Self {
        let value = value.to_string();
        self.env_shown_as(name, &value, &value)
    }

    /// One more variable whose value says something about this machine only, such as a folder.
    pub(crate) fn env_shown_as(mut self, name: &str, value: &str, shown: &str) -> Self {
        let [name, value, shown] = [name, value, shown].map(str::to_owned);
        self.env.push(Variable { name, value, shown });
        self
    }

    /// The line that a reader would type.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        for Variable { name, shown, .. } in &self.env {
            let quote = if shown.contains(' ') { "'" } else { "" };
            write!(line, "{name}={quote}{shown}{quote} ").expect("writing to a string");
        }
        line + "cargo " + &self.args.join(" ")
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new("cargo");
        command.args(&self.args).current_dir(root);
        for Variable { name, value, .. } in &self.env {
            command.env(name, value);
        }
        command
    }

    /// Runs it with its output on the terminal.
    pub(crate) fn run(&self, root: &Path) -> Result<Outcome> {
        let status = self.command(root).status().with_context(|| self.failed_start())?;
        Ok(outcome_of(status))
    }

    /// Whether it runs and succeeds; its output is thrown away.
    pub(crate) fn answers(&self, root: &Path) -> bool {
        let quiet = self.command(root).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    /// Runs it, shows stdout line by line as it comes, and keeps all of its lines.
    pub(crate) fn run_and_keep(&self, root: &Path) -> Result<(Outcome, Vec<String>)> {
        let mut child = self
            .command(root)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.failed_start())?;
        let stdout = child.stdout.take().context("the output was not captured")?;
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.context("reading the output")?;
            println!("{line}");
            lines.push(line);
        }
        let status = child.wait().context("waiting for the end")?;
        Ok((outcome_of(status), lines))
    }

    /// Runs it and returns all of stdout; fails where it fails.
    pub(crate) fn stdout(&self, root: &Path) -> Result<String> {
        let output = self
            .command(root)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| self.failed_start())?;
        if !output.status.success() {
            bail!("`{}` failed: {}", self.line(), output.status);
        }
        String::from_utf8(output.stdout).context("the output is not UTF-8")
    }

    fn failed_start(&self) -> String {
        format!("starting `{}`", self.line())
    }
}

fn outcome_of(status: std::process::ExitStatus) -> Outcome {
    match status.code() {
        Some(0) => Outcome::Passed,
        // Ended by a signal, or a code that does not fit.
        code => Outcome::Failed(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
    }
}

/// How many tests passed, from the summary lines of `cargo test`.
pub(crate) fn tests_passed(lines: &[String]) -> u64 {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("test result: ")?.split_once(". "))
        .filter_map(|(_, counts)| counts.split_once(" passed")?.0.parse::<u64>().ok())
        .sum()
}

/// Elapsed real time of a piece of work.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    #[expect(clippy::disallowed_methods, reason = "how long a step takes is what is asked for")]
    let start = Instant::now();
    let answer = work();
    (answer, start.elapsed())
}

/// One line of the closing table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) step: String,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// The closing table: step, seconds, outcome.
pub(crate) fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.step.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Row { step, outcome, took } in rows {
        let tenths = took.as_millis() / 100;
        let seconds = format!("{}.{}", tenths / 10, tenths % 10);
        writeln!(text, "  {step:<width$}  {seconds:>7} s  {}", outcome.sentence())
            .expect("writing to a string");
    }
    text
}

/// The outcome of all rows: the first failure, else passed.
pub(crate) fn overall(rows: &[Row]) -> Outcome {
    let failed = rows.iter().find(|row| matches!(row.outcome, Outcome::Failed(_)));
    failed.map_or(Outcome::Passed, |row| row.outcome.clone())
}

/// Writes a generated file, or compares it with what is there.
pub(crate) fn write_or_check(
    root: &Path,
    path: &str,
    text: &str,
    check: bool,
    command: &str,
) -> Result<Outcome> {
    let file = root.join(path);
    if check {
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        if there == text {
            println!("{path} is up to date");
        } else {
            println!("{path} differs from what the code says; run `cargo xtask {command}`");
        }
        return Ok(Outcome::passed_if(there == text));
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    std::fs::write(&file, text).with_context(|| format!("writing {path}"))?;
    println!("wrote {path}");
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: &str, outcome: Outcome) -> Row {
        Row { step: step.to_owned(), outcome, took: Duration::from_millis(1_250) }
    }

    #[test]
    fn the_table_names_every_step_and_why_one_was_not_run() {
        let rows = [row("test", Outcome::Failed(101)), row("deny", Outcome::NotRun("no".into()))];
        let text = table(&rows);
        assert!(text.contains("test      1.2 s  FAILED (exit code 101)"), "{text}");
        assert!(text.contains("deny      1.2 s  NOT RUN: no"), "{text}");
    }

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let passed = row("a", Outcome::Passed);
        let not_run = row("b", Outcome::NotRun("no".into()));
        assert_eq!(overall(&[passed.clone(), not_run.clone()]), Outcome::Passed);
        let rows = [passed, not_run, row("c", Outcome::Failed(101)), row("d", Outcome::Failed(1))];
        assert_eq!(overall(&rows), Outcome::Failed(101));
    }

    #[test]
    fn a_failing_program_is_a_failed_step() {
        let root = workspace_root();
        let (outcome, _) = Cargo::new("no-such-subcommand").run_and_keep(&root).expect("starts");
        assert_eq!(outcome, Outcome::Failed(101));
        assert!(Cargo::new("no-such-subcommand").stdout(&root).is_err());
        assert!(!Cargo::new("no-such-subcommand").answers(&root));
    }

    #[test]
    fn passed_tests_are_summed_over_all_summaries() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 0 ignored".to_owned(),
            "running 3 tests".to_owned(),
            "test result: FAILED. 3 passed; 1 failed; 0 ignored".to_owned(),
        ];
        assert_eq!(tests_passed(&lines), 15);
        assert_eq!(tests_passed(&lines[1..2]), 0);
    }

    #[test]
    fn a_line_shows_the_environment_quoted_where_needed() {
        let cargo = Cargo::new("doc --no-deps").env("RUSTDOCFLAGS", &"-D warnings").env("N", &5);
        assert_eq!(cargo.line(), "RUSTDOCFLAGS='-D warnings' N=5 cargo doc --no-deps");
    }

    #[test]
    fn a_generated_file_that_differs_fails_the_check_and_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let check = |text: &str| write_or_check(&folder, "a.md", text, true, "diagrams");
        assert_eq!(check("new").expect("reads"), Outcome::Failed(1));
        write_or_check(&folder, "a.md", "old", false, "diagrams").expect("writes");
        assert_eq!(check("new").expect("reads"), Outcome::Failed(1));
        assert_eq!(check("old").expect("reads"), Outcome::Passed);
        std::fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}
