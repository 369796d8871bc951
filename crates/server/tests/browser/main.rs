//! A real browser walks the pages of the demo: no error on the console, nothing that the content security
//! policy stops, nothing that axe finds, in both themes, on a desk and on a phone. In it people play a
//! campaign from its opening to a payout, and other sites try what they must not be able to.
//!
//! Needs node with its registry and Chromium; installs what it can and says NOT RUN where it cannot.

#[expect(dead_code, reason = "the official clients are installed by other suites")]
#[path = "../../../sandbox/judges/install.rs"]
mod install;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

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
    install::node_from(&from, "browser", &SCRIPTS)
}

/// What is played in the browser.
const SCRIPTS: [&str; 6] =
    ["walk.mjs", "pictures.mjs", "people.mjs", "story.mjs", "visits.mjs", "forgeries.mjs"];

/// The demo after its story, which ends with the test.
struct Demo {
    child: Child,
    /// Where its pages are.
    address: String,
    /// Where its sandbox is.
    sandbox: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn demo(data: &Path) -> Demo {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponsorhub"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut told = |what: &str, rest: &str| {
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once(what)?;
            Some(address.trim().trim_end_matches(rest).to_owned())
        });
        address.expect("it says where")
    };
    let address = told("the pages: sign in", "/sign-in");
    let sandbox = told("the sandbox: the shop", "/shop/");
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Demo { child, address, sandbox }
}

static ALONE: Mutex<()> = Mutex::new(());

/// Plays a script on a demo of its own; what it said. None where there is no browser.
fn play(script: &str, what: &str, more: &[&str]) -> Option<String> {
    let (browser, folder) = match browser().and_then(|browser| Ok((browser, folder()?))) {
        Ok(ready) => ready,
        Err(why) => {
            install::not_run(what, &why);
            return None;
        }
    };
    // They look at how long something takes, so one at a time.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let demo = demo(&directory.path().join("data"));
    let mut node = Command::new("node");
    node.arg(script).arg(&demo.address).arg(&browser).arg(&demo.sandbox).args(more);
    let output = node.current_dir(&folder).output().expect("runs");
    drop(demo);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{errors}");
    Some(said)
}

#[test]
fn three_people_and_a_shopper_play_a_campaign_from_its_opening_to_the_payout() {
    let what = "the story of a campaign in a browser";
    let Some(said) = play("story.mjs", what, &[]) else { return };
    for step in [
        "the brand opens a campaign, funds it at the checkout and launches it",
        "a creator joins, makes a link, and can be paid",
        "a shopper buys, and the brand sees it within two seconds",
        "the creator sees what it earns, without another visit either",
        "an order in the second of its click is held, and an operator releases it",
        "the clearing days pass, and the payout arrives",
    ] {
        assert!(said.contains(&format!("STEP {step}\n")), "{step}: {said}");
    }
}

#[test]
fn a_link_that_a_page_loads_by_itself_earns_no_click_and_a_persons_visit_does() {
    let what = "visits that no person makes, in a browser";
    let Some(said) = play("visits.mjs", what, &[]) else { return };
    for by in ["img", "iframe", "fetch", "prefetch", "speculation", "person"] {
        assert!(said.contains(&format!("STEP {by}\n")), "{by}: {said}");
    }
}

#[test]
fn a_form_of_another_site_changes_nothing_for_people_who_have_signed_in() {
    let what = "forms of other sites, in a browser";
    let table = include_str!("../../src/pages/table.rs");
    let posts = table.lines().filter_map(|line| line.trim().strip_prefix("post \""));
    let posts: Vec<&str> = posts.filter_map(|line| line.split('"').next()).collect();
    let Some(said) = play("forgeries.mjs", what, &posts) else { return };
    for path in &posts {
        assert!(said.contains(&format!("REFUSED {path}\n")), "{path}: {said}");
    }
    assert!(posts.len() > 10, "{posts:?}");
}

#[test]
fn a_browser_walks_every_page_and_has_nothing_to_complain_of() {
    let Some(said) = play("walk.mjs", "the walk of a browser through the pages", &[]) else {
        return;
    };
    for page in [
        "/brand/campaigns/…/conversions",
        "/brand/campaigns/…/money",
        "/brand/campaigns/…/ledger",
        "/creator/campaigns/…/payouts/…",
        "/admin/holds",
        "/sign-in",
        "/brand/new",
        "/brand/what-if",
        "/brand/what-if?sample=1",
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
    let demo = demo(&directory.path().join("data"));
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    let mut pictures = Command::new("node");
    pictures.arg("pictures.mjs").arg(&demo.address).arg(&browser).arg(&to);
    pictures.arg(&demo.sandbox).current_dir(&folder);
    let output = pictures.output().expect("runs");
    drop(demo);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
