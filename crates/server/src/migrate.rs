//! `sponsorhub migrate`: brings a database up to this version, without serving.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sponsorhub_app::keyring_file;
use sponsorhub_app::ports::Clock as _;
use sponsorhub_store::{Options, SqliteStore};

use crate::world::SystemClock;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the installation keeps its data.
    #[arg(
        long,
        env = "SPONSORHUB_DATA_DIR",
        default_value = "sponsorhub-data",
        value_name = "DIR"
    )]
    data_dir: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let directory = &arguments.data_dir;
    let keyring = keyring_file::read(directory)?;
    let options = Options { keyring: Some(keyring.id()), ..Options::default() };
    let store = SqliteStore::open(directory, options, || SystemClock.now());
    drop(store.with_context(|| format!("opening {}", directory.display()))?);
    writeln!(std::io::stdout().lock(), "{} is up to date", directory.display())?;
    Ok(ExitCode::SUCCESS)
}
