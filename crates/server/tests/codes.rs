//! Every code with which a request is refused stands in docs/api.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Whoever makes a problem or refusal says its code in the first text behind one of these.
const MAKERS: [&str; 6] =
    ["Problem::new(", "Self::new(", "Refused::of(", "BadSignature(", "unauthorized(", "unsigned("];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() > 2 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The first text in the call that begins here, if it is a code.
fn first_text(call: &str) -> Option<&str> {
    let call = call.split(';').next()?.split("\n}").next()?;
    let (before, rest) = call.split_once('"')?;
    let text = rest.split('"').next()?;
    // Behind the end of the call it is about something else.
    (is_code(text) && !before.contains(").")).then_some(text)
}

/// Texts behind `=> "` or `= "` in a file that lists its codes.
fn listed(path: &str, before: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(path)).expect("there");
    let words = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
    words.filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// All codes, each with a file that answers it.
fn codes() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for krate in ["core", "app", "server"] {
        sources(&Path::new(ROOT).join("crates").join(krate).join("src"), &mut files);
    }
    let mut found = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("text");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        // Of what a body says wrongly, the code is the first word.
        let of_bodies = text.split("problem(\"").skip(1).filter_map(|rest| rest.split('"').next());
        for code in of_bodies.filter(|code| is_code(code)) {
            found.insert(code.to_owned(), path.display().to_string());
        }
        for maker in MAKERS {
            for call in text.split(maker).skip(1) {
                if let Some(code) = first_text(call) {
                    found.insert(code.to_owned(), path.display().to_string());
                }
            }
        }
    }
    for (path, before) in
        [("crates/core/src/refusal.rs", "=> \""), ("crates/store/src/registry/change.rs", " = \"")]
    {
        for code in listed(path, before) {
            found.insert(code, path.to_owned());
        }
    }
    found
}

#[test]
fn every_code_of_a_problem_is_documented() {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/api.md")).expect("docs/api.md");
    let documented: BTreeSet<&str> =
        document.split('`').skip(1).step_by(2).filter(|word| is_code(word)).collect();
    let codes = codes();
    assert!(codes.len() > 80, "{}", codes.len());
    let missing: Vec<_> =
        codes.iter().filter(|(code, _)| !documented.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not in docs/api.md: {missing:?}");
}

/// The page of a code is made of its row: each has one, and it says something.
#[test]
fn every_code_has_a_row_that_says_what_to_do() {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/api.md")).expect("docs/api.md");
    let mut told = BTreeSet::new();
    for line in document.lines() {
        let cells: Vec<_> = line.trim_matches(['|', ' ']).split(" | ").map(str::trim).collect();
        let [statuses, codes, about] = cells[..] else { continue };
        if statuses.starts_with(['4', '5']) && about.len() > 10 {
            told.extend(codes.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let missing: Vec<_> = codes().into_keys().filter(|code| !told.contains(code)).collect();
    assert!(missing.is_empty(), "no row, or nothing to do in it: {missing:?}");
}

/// Codes of the tables of problems that nobody answers any more.
#[test]
fn no_documented_code_of_a_problem_is_unknown() {
    let mut all = Vec::new();
    for krate in ["core", "app", "store", "server"] {
        sources(&Path::new(ROOT).join("crates").join(krate).join("src"), &mut all);
    }
    let all: String = all.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
    let document = fs::read_to_string(Path::new(ROOT).join("docs/api.md")).expect("docs/api.md");
    let rows = document
        .lines()
        .filter(|line| line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(['4', '5'])));
    let mut seen = 0;
    for row in rows {
        let cell = row.split('|').nth(2).unwrap_or_default();
        for code in cell.split('`').skip(1).step_by(2) {
            assert!(all.contains(&format!("\"{code}\"")), "nothing answers `{code}`");
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}
