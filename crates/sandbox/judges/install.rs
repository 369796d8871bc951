//! Installs the official clients for tests, outside of the sources. Included by the tests that need them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// Where the clients' lists and the scripts lie.
pub(crate) const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sandbox/judges");

pub(crate) fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(output) } else { Err(says) }
}

/// One test installs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Installs by `act` into a folder, unless what is there was made here and from the same list; copies the
/// files. A Python environment knows its own path, so one that was moved is made anew.
pub(crate) fn prepare_from(
    from: &Path,
    name: &str,
    (list, files): (&str, &[&str]),
    act: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::create_dir_all(&to).map_err(|error| error.to_string())?;
    let mut wanted = std::fs::read(from.join(list)).map_err(|error| error.to_string())?;
    wanted.extend_from_slice(to.to_string_lossy().as_bytes());
    for file in files {
        std::fs::copy(from.join(file), to.join(file)).map_err(|error| error.to_string())?;
    }
    let made_from = to.join("installed");
    if std::fs::read(&made_from).ok() != Some(wanted.clone()) {
        act(&to)?;
        std::fs::write(made_from, wanted).map_err(|error| error.to_string())?;
    }
    Ok(to)
}

/// A folder in which `node` finds the clients and the scripts; or why there is none.
pub(crate) fn node(scripts: &[&str]) -> Result<PathBuf, String> {
    node_from(Path::new(SOURCES), "judges", scripts)
}

/// The same with list and scripts from elsewhere.
pub(crate) fn node_from(from: &Path, name: &str, scripts: &[&str]) -> Result<PathBuf, String> {
    run(Command::new("node").arg("--version")).map_err(|why| format!("no node: {why}"))?;
    let files = [&["package.json", "package-lock.json"], scripts].concat();
    prepare_from(from, name, ("package-lock.json", &files), |to| {
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(arguments).current_dir(to))
            .map(drop)
            .map_err(|why| format!("npm ci failed: {why}"))
    })
}

/// Says past the harness, which keeps what passing tests print to itself, that nothing was judged.
pub(crate) fn not_run(what: &str, why: &str) {
    use std::io::Write as _;
    let says = format!("\nNOT RUN: {what}. {why}\n");
    std::io::stderr().write_all(says.as_bytes()).expect("somebody reads");
}
