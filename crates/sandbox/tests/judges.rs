//! The official clients of those who are imitated judge the sandbox, where `node` and its registry
//! are at hand. Where they are not, this says so and judges nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sponsorhub_sandbox::{ClockStart, Options, Sandbox};

const FILES: [&str; 3] = ["package.json", "package-lock.json", "judge.mjs"];

/// Installs the clients outside the sources; none where that cannot be done, with the reason.
fn install() -> Result<PathBuf, String> {
    let run = |command: &mut Command| -> Result<Output, String> {
        let output = command.output().map_err(|error| error.to_string())?;
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(output) } else { Err(says) }
    };
    run(Command::new("node").arg("--version")).map_err(|why| format!("no node: {why}"))?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges");
    std::fs::create_dir_all(&to).map_err(|error| error.to_string())?;
    let lock = |folder: &Path| std::fs::read(folder.join("package-lock.json")).ok();
    let is_installed = lock(&from) == lock(&to) && to.join("installed").exists();
    for file in FILES {
        std::fs::copy(from.join(file), to.join(file)).map_err(|error| error.to_string())?;
    }
    if !is_installed {
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(arguments).current_dir(&to))
            .map_err(|why| format!("npm ci failed: {why}"))?;
        std::fs::write(to.join("installed"), "").map_err(|error| error.to_string())?;
    }
    Ok(to)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_clients_find_nothing_wrong() {
    let folder = match install() {
        Ok(folder) => folder,
        Err(why) => {
            // Written past the harness, which keeps what passing tests print to itself.
            let says = format!("\nNOT RUN: the outside judges of the sandbox. {why}\n");
            std::io::stderr().write_all(says.as_bytes()).expect("somebody reads");
            return;
        }
    };
    let options = Options { clock: ClockStart::Real, ..Options::default() };
    let running = Sandbox::start(options).await.expect("starts");
    let url = running.base_url.clone();
    let judge = move || Command::new("node").arg("judge.mjs").arg(url).current_dir(folder).output();
    let output = tokio::task::spawn_blocking(judge).await.expect("no panic").expect("node runs");
    running.stop().await;
    let says = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&says));
}
