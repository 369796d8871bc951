//! What the documents say can be typed, and the settings that they list are those that there are.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// `cargo` as the blocks use it: what they would build is built, and this is about what they do.
const CARGO: &str = r#"
cargo() {
  case "$1" in run) shift ;; xtask|test|build) return 0 ;; *) echo "cargo $1?" >&2; return 1 ;; esac
  local package=sponsorhub example=
  while [ $# -gt 0 ]; do
    case "$1" in
      --release) shift ;;
      --package) package=$2; shift 2 ;;
      --example) example=$2; shift 2 ;;
      --) shift; break ;;
      *) echo "cargo run $1?" >&2; return 1 ;;
    esac
  done
  if [ -z "$example" ]; then "$SPONSORHUB" "$@"; return; fi
  if [ ! -x "$EXAMPLES/$example" ]; then
    (cd "$ROOT" && command cargo build --quiet --package "$package" --example "$example") || return
  fi
  "$EXAMPLES/$example" "$@"
}
"#;

fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"]
        .map(|name| Path::new(ROOT).join(name))
        .into();
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).expect("a folder");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("text"))
    };
    paths.into_iter().map(read).collect()
}

/// Blocks of commands, with the document that they are in.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for (name, text) in documents() {
        // Commands of proofs and benches run for many minutes and are run to write these.
        if name == "proof.md" || name == "benchmarks.md" {
            continue;
        }
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("```sh\n") {
            let (block, after) = after.split_once("```").expect("a block ends");
            blocks.push((name.clone(), block.to_owned()));
            rest = after;
        }
    }
    blocks
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// Runs a block as a person would who copies it, on free ports and in an empty folder.
fn run(name: &str, block: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    for shared in ["examples", "docs"] {
        let (from, to) = (Path::new(ROOT).join(shared), directory.path().join(shared));
        std::os::unix::fs::symlink(from.canonicalize().expect("there"), to).expect("linked");
    }
    let (product, sandbox) = (free_address(), free_address());
    let block = block.replace("127.0.0.1:8080", &product).replace("127.0.0.1:8081", &sandbox);
    let binary = Path::new(env!("CARGO_BIN_EXE_sponsorhub"));
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &format!("{CARGO}\n{block}")]);
    shell.current_dir(directory.path()).process_group(0);
    shell.env("SPONSORHUB", binary).env("ROOT", ROOT).env("SPONSORHUB_LISTEN", &product);
    shell.env("EXAMPLES", binary.with_file_name("examples"));
    // To files: who is left behind in the background keeps a pipe open.
    let file = |name: &str| fs::File::create(directory.path().join(name)).expect("a file");
    shell.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
    let mut child = shell.spawn().expect("bash runs");
    let group = child.id();
    let status = child.wait().expect("ends");
    // Servers that the block left in the background.
    drop(
        Command::new("kill")
            .args(["-9", "--", &format!("-{group}")])
            .stderr(Stdio::null())
            .status(),
    );
    let said = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    assert!(status.success(), "{name}:\n{block}\n{}\n{}", said("stdout"), said("stderr"));
}

#[test]
fn every_block_of_commands_runs() {
    let blocks = blocks();
    assert!(blocks.len() >= 7, "{}", blocks.len());
    for (name, block) in &blocks {
        // What a reader fills in is tried by tests of its own: receipts in tests/serve.
        if block.contains("VKEY") {
            let script = block.split_whitespace().nth(1).expect("a script");
            let help =
                Command::new("python3").arg(Path::new(ROOT).join(script)).arg("--help").output();
            let help = String::from_utf8_lossy(&help.expect("python3 runs").stdout).into_owned();
            for option in block.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{script} has no {option}");
            }
            continue;
        }
        run(name, block);
    }
}

/// `cargo …` between backquotes, with the document.
fn named_in_prose() -> BTreeSet<(String, String)> {
    let mut named = BTreeSet::new();
    for (name, text) in documents() {
        for (place, word) in text.split('`').enumerate() {
            if place % 2 == 1 && word.starts_with("cargo ") && !word.contains('\n') {
                named.insert((name.clone(), word.to_owned()));
            }
        }
    }
    named
}

#[test]
fn every_command_that_is_named_exists() {
    let named = named_in_prose();
    assert!(named.len() > 20, "{}", named.len());
    let tasks = fs::read_to_string(Path::new(ROOT).join("xtask/src/main.rs")).expect("text");
    for (document, command) in named {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |flag: &str| {
            let place = words.iter().position(|word| *word == flag);
            place.and_then(|place| words.get(place + 1)).copied()
        };
        let package = after("-p").or(after("--package")).unwrap_or("sponsorhub");
        let folder = package.strip_prefix("sponsorhub-").unwrap_or("server");
        let folder = Path::new(ROOT).join("crates").join(folder);
        let is_there = |within: &str, name: &str| {
            let (file, room) = (format!("{within}/{name}.rs"), format!("{within}/{name}"));
            folder.join(file).exists() || folder.join(room).exists()
        };
        assert!(folder.exists(), "{document}: {command}");
        if words.get(1) == Some(&"xtask") {
            let task = words.get(2).copied().unwrap_or("ci").replace('-', "");
            let known = tasks.to_lowercase();
            assert!(known.contains(&format!("task::{task}")), "{document}: {command}");
        }
        for (flag, within) in
            [("--test", "tests"), ("--bench", "benches"), ("--example", "examples")]
        {
            if let Some(name) = after(flag) {
                assert!(is_there(within, name), "{document}: {command}");
            }
        }
    }
}

#[test]
fn every_setting_of_serve_is_documented_and_there_is_no_other() {
    let path = Path::new(ROOT).join("docs/configuration.md");
    let document = fs::read_to_string(path).expect("docs/configuration.md");
    let help = Command::new(env!("CARGO_BIN_EXE_sponsorhub")).args(["serve", "--help"]).output();
    let help = String::from_utf8_lossy(&help.expect("runs").stdout).into_owned();
    let words = |text: &str| -> BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let words =
            text.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches('-').to_owned());
        words.filter(|word| word.starts_with("--") || word.starts_with("SPONSORHUB_")).collect()
    };
    let mut known = words(&help);
    known.retain(|word| word != "--help");
    // Secrets have no visible flag.
    for secret in ["SECRET_KEY", "WEBHOOK_SECRET", "CONNECT_WEBHOOK_SECRET"] {
        known.insert(format!("SPONSORHUB_STRIPE_{secret}"));
    }
    known.insert("SPONSORHUB_CLERK_WEBHOOK_SECRET".to_owned());
    // Every flag of its own, of which examples name those of other commands too.
    let listed: BTreeSet<String> =
        document.lines().filter(|line| line.starts_with('|')).flat_map(words).collect();
    assert_eq!(listed, known);
}
