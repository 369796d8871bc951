//! Installs judges that are written in Python. Included, beside `install.rs`, by the tests that have one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;

/// A folder with a Python of its own, `venv/bin/python`, that has what the list asks for; or why there is
/// none.
pub(crate) fn prepared(name: &str, list: &str, scripts: &[&str]) -> Result<PathBuf, String> {
    let files = [&[list], scripts].concat();
    install::prepare_from(Path::new(install::SOURCES), name, (list, &files), |to| {
        install::run(
            Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(to),
        )
        .map_err(|why| format!("no python3 with venv: {why}"))?;
        let arguments = ["-m", "pip", "install", "--quiet", "--requirement", list];
        install::run(Command::new(to.join("venv/bin/python")).args(arguments).current_dir(to))
            .map(drop)
            .map_err(|why| format!("pip install failed: {why}"))
    })
}
