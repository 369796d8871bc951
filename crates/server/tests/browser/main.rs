//! A real browser walks the pages of the demo: no error on the console, nothing that the content security
//! policy stops, nothing that axe finds, in both themes, on a desk and on a phone.
//!
//! Needs node with its registry and Chromium; installs what it can and says NOT RUN where it cannot.

#[expect(dead_code, reason = "the official clients are installed by other suites")]
#[path = "../../../sandbox/judges/install.rs"]
mod install;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Names under which Chromium is known.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn found() -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| {
        let output =
            Command::new("sh").args(["-c", &format!("command -v {name}")]).output().ok()?;
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !path.is_empty()).then(|| path.into())
    })
}

/// Chromium, installed by the system's packages where this may be done; or why there is none.
fn browser() -> Result<PathBuf, String> {
    if let Some(path) = found() {
        return Ok(path);
    }
    let line = "test \"$(id -u)\" = 0 && apt-get install -y --no-install-recommends chromium";
    install::run(Command::new("sh").args(["-c", line]))
        .map_err(|why| format!("no Chromium, and it cannot be installed: {why}"))?;
    found().ok_or_else(|| "no Chromium after its installation".to_owned())
}

/// A folder with the browser's driver and the checker; or why there is none.
fn folder() -> Result<PathBuf, String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    install::node_from(&from, "browser", &["walk.mjs", "pictures.mjs"])
}

/// The demo after its story, which ends with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn demo(data: &Path) -> (Demo, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, address) = line.split_once("the pages: sign in")?;
        Some(address.trim().trim_end_matches("/sign-in").to_owned())
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (Demo(child), address.expect("it says where"))
}

#[test]
fn a_browser_walks_every_page_and_has_nothing_to_complain_of() {
    let (browser, folder) = match browser().and_then(|browser| Ok((browser, folder()?))) {
        Ok(ready) => ready,
        Err(why) => return install::not_run("the walk of a browser through the pages", &why),
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (demo, address) = demo(&directory.path().join("data"));
    let mut walk = Command::new("node");
    walk.arg("walk.mjs").arg(&address).arg(&browser).current_dir(&folder);
    let output = walk.output().expect("runs");
    drop(demo);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{errors}");
    for page in [
        "/brand/campaigns/…/conversions",
        "/brand/campaigns/…/money",
        "/brand/campaigns/…/ledger",
        "/creator/campaigns/…/payouts/…",
        "/admin/holds",
        "/sign-in",
        "/brand/new",
        "/c/…",
        "/how-it-works",
    ] {
        assert!(said.contains(page), "{page} was not walked: {said}");
    }
}

/// Pictures of the demo's pages, made anew: `cargo xtask screenshots`.
#[test]
#[ignore = "writes docs/screenshots: cargo xtask screenshots"]
fn pictures_of_the_pages() {
    let browser = browser().expect("Chromium");
    let folder = folder().expect("node and its registry");
    let directory = tempfile::tempdir().expect("a directory");
    let (demo, address) = demo(&directory.path().join("data"));
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    let mut pictures = Command::new("node");
    pictures.arg("pictures.mjs").arg(&address).arg(&browser).arg(&to).current_dir(&folder);
    let output = pictures.output().expect("runs");
    drop(demo);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
