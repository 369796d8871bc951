//! Comparing the product's fold with the reference model of the money rules.
//!
//! The model is a separate program that is not part of this repository. Where it is at hand, the
//! test target `reference` of `sponsorhub-core` runs random histories through both and compares
//! postings and balances entry by entry. Where it is not, that test still checks the digests of
//! earlier runs that are committed with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::run::{Cargo, Outcome, tests_passed};

/// The file by which the model's folder is known.
const MODEL_FILE: &str = "money_model.py";

/// Histories that `ci` compares.
pub(crate) const HISTORIES_CI: u32 = 5_000;

/// Where the model is.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// Folder of the reference model; default is shared/model beside the workspace, if present.
    #[arg(long, env = "SPONSORHUB_REFERENCE_MODEL", value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
}

/// Arguments of `cargo xtask reference`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReferenceArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// How many random histories.
    #[arg(long, default_value_t = HISTORIES_CI)]
    histories: u32,
    /// The first history's seed; the same seed gives the same histories.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Whether the model can be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// In this folder.
    At(PathBuf),
    /// It cannot, and why.
    Absent(String),
}

impl ModelArgs {
    /// Finds the model. A folder that was named must hold it; only the default may be missing.
    pub(crate) fn locate(&self, root: &Path) -> Result<Model> {
        let model = find(self.model.as_deref(), root)?;
        if matches!(model, Model::At(_)) && !python_answers() {
            return Ok(Model::Absent("the reference model needs python3, which is missing".into()));
        }
        Ok(model)
    }
}

fn find(named: Option<&Path>, root: &Path) -> Result<Model> {
    if let Some(folder) = named {
        let Ok(folder) = std::path::absolute(folder) else { bail!("no path of the model") };
        if !folder.join(MODEL_FILE).is_file() {
            bail!("{} holds no {MODEL_FILE}", folder.display());
        }
        return Ok(Model::At(folder));
    }
    let beside = root.parent().map(|above| above.join("shared/model"));
    match beside.filter(|folder| folder.join(MODEL_FILE).is_file()) {
        Some(folder) => Ok(Model::At(folder)),
        None => Ok(Model::Absent(
            "no reference model here; name its folder in SPONSORHUB_REFERENCE_MODEL".into(),
        )),
    }
}

fn python_answers() -> bool {
    let mut command = Command::new("python3");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The test run that compares.
pub(crate) fn comparison(folder: &Path, histories: u32, seed: u64) -> Cargo {
    Cargo::new("test -p sponsorhub-core --test reference -- --nocapture")
        .env_shown_as("SPONSORHUB_REFERENCE_MODEL", &folder.to_string_lossy(), "DIR")
        .env("SPONSORHUB_HISTORIES", &histories)
        .env("SPONSORHUB_SEED", &seed)
}

/// Locates the model and compares; a run in which no test passed is a failure.
pub(crate) fn compare(
    root: &Path,
    model: &ModelArgs,
    histories: u32,
    seed: u64,
) -> Result<Outcome> {
    let folder = match model.locate(root)? {
        Model::At(folder) => folder,
        Model::Absent(reason) => return Ok(Outcome::NotRun(reason)),
    };
    let cargo = comparison(&folder, histories, seed);
    println!("{}", cargo.line());
    let (outcome, lines) = cargo.run_and_keep(root)?;
    if outcome == Outcome::Passed && tests_passed(&lines) == 0 {
        println!("no test ran");
        return Ok(Outcome::Failed(1));
    }
    Ok(outcome)
}

/// `cargo xtask reference`: being unable to compare is a failure here, since nothing else was asked.
pub(crate) fn run(root: &Path, args: &ReferenceArgs) -> Result<Outcome> {
    match compare(root, &args.model, args.histories, args.seed)? {
        Outcome::NotRun(reason) => bail!("{reason}"),
        outcome => Ok(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_folder_without_the_model_is_an_error() {
        let nowhere = Path::new("/nonexistent");
        assert!(find(Some(nowhere), nowhere).is_err());
    }

    #[test]
    fn a_missing_default_is_a_reason_and_no_error() {
        let found = find(None, Path::new("/nonexistent/workspace")).expect("no error");
        assert!(matches!(found, Model::Absent(reason) if reason.contains("SPONSORHUB_REFERENCE")));
    }

    #[test]
    fn the_model_is_found_beside_the_workspace_and_where_it_is_named() {
        let above = std::env::temp_dir().join(format!("xtask-model-{}", std::process::id()));
        let folder = above.join("shared/model");
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        std::fs::write(folder.join(MODEL_FILE), "").expect("a file");
        let root = above.join("workspace");
        assert_eq!(find(None, &root).expect("found"), Model::At(folder.clone()));
        assert_eq!(find(Some(&folder), Path::new("/")).expect("found"), Model::At(folder));
        std::fs::remove_dir_all(&above).expect("removes its own folder");
    }

    #[test]
    fn the_comparison_is_told_where_how_many_and_from_which_seed() {
        let line = comparison(Path::new("/home/me/m"), 7, 3).line();
        assert!(line.starts_with(
            "SPONSORHUB_REFERENCE_MODEL=DIR SPONSORHUB_HISTORIES=7 SPONSORHUB_SEED=3 cargo test"
        ));
    }
}
