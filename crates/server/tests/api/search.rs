//! Looks for values in bytes: as they are, in other cases, encoded, and as digests without a key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256, Sha512};

/// Everything that is looked for, by its first two bytes.
pub(crate) struct Wanted {
    patterns: BTreeMap<Vec<u8>, String>,
    starts: Vec<bool>,
}

/// Shorter patterns would be found by chance.
const SHORTEST: usize = 8;

fn start(bytes: &[u8]) -> usize {
    (usize::from(bytes[0]) << 8) | usize::from(bytes[1])
}

impl Wanted {
    pub(crate) fn of(values: &[&str]) -> Self {
        let mut wanted = Self { patterns: BTreeMap::new(), starts: vec![false; 1 << 16] };
        for value in values {
            let spellings: BTreeSet<String> =
                [(*value).to_owned(), value.to_lowercase(), value.to_uppercase()].into();
            for spelling in &spellings {
                wanted.add_encoded(value, spelling.as_bytes());
                for (digest, bytes) in digests(spelling.as_bytes()) {
                    let what = format!("{digest} of {value}");
                    wanted.add(&what, &bytes);
                    for text in [HEXLOWER.encode(&bytes), HEXUPPER.encode(&bytes)] {
                        wanted.add(&what, text.as_bytes());
                    }
                    for text in [BASE64_NOPAD.encode(&bytes), BASE64URL_NOPAD.encode(&bytes)] {
                        wanted.add(&what, text.as_bytes());
                    }
                }
            }
        }
        wanted
    }

    fn add(&mut self, what: &str, pattern: &[u8]) {
        if pattern.len() >= SHORTEST {
            self.starts[start(pattern)] = true;
            self.patterns.entry(pattern.to_vec()).or_insert_with(|| what.to_owned());
        }
    }

    fn add_encoded(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, bytes);
        let percent = |upper: bool, blank: &str| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let written = match byte {
                    b' ' => text.write_str(blank),
                    b if b.is_ascii_alphanumeric() || b"-_.~".contains(b) => {
                        text.write_char(char::from(*b))
                    }
                    b if upper => write!(text, "%{b:02X}"),
                    b => write!(text, "%{b:02x}"),
                };
                written.expect("room");
                text
            })
        };
        for text in [percent(true, "%20"), percent(false, "%20"), percent(true, "+")] {
            self.add(&format!("{what}, percent-encoded"), text.as_bytes());
        }
        for (upper, all) in [(true, true), (false, true), (false, false), (true, false)] {
            let escaped = bytes.iter().fold(String::new(), |mut text, byte| {
                let written = match (byte, all, upper) {
                    (b, false, _) if b.is_ascii_alphanumeric() => text.write_char(char::from(*b)),
                    (b, _, true) => write!(text, "\\u{b:04X}"),
                    (b, _, false) => write!(text, "\\u{b:04x}"),
                };
                written.expect("room");
                text
            });
            self.add(&format!("{what}, escaped"), escaped.as_bytes());
        }
        for text in [HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)] {
            self.add(&format!("{what}, in hex"), text.as_bytes());
        }
        for shift in 0..3 {
            // What stands before decides only about the first characters, what follows about the last.
            let mut shifted = vec![0; shift];
            shifted.extend(bytes);
            let first = [0, 2, 3][shift];
            let whole = shifted.len() / 3 * 4;
            for text in [BASE64.encode(&shifted), BASE64URL_NOPAD.encode(&shifted)] {
                let inner = text.get(first..whole.max(first)).unwrap_or_default();
                self.add(&format!("{what}, in base64"), inner.as_bytes());
            }
        }
    }

    /// What is found in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for at in 0..bytes.len().saturating_sub(SHORTEST - 1) {
            if !self.starts[start(&bytes[at..])] {
                continue;
            }
            // Patterns that begin alike lie together, so few are compared.
            let from = bytes[at..at + 2].to_vec();
            let alike = self.patterns.range(from.clone()..);
            for (pattern, what) in alike.take_while(|(pattern, _)| pattern.starts_with(&from)) {
                if bytes[at..].starts_with(pattern) {
                    found.insert(what.as_str());
                }
            }
        }
        found
    }

    /// Table and column of every value in a database in which something is found.
    pub(crate) fn found_in_database(&self, path: &Path) -> BTreeMap<String, BTreeSet<&str>> {
        let database = rusqlite::Connection::open(path).expect("opens");
        let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for table in tables(&database) {
            let mut rows =
                database.prepare(&format!("SELECT * FROM \"{table}\"")).expect("a table");
            let columns: Vec<String> =
                rows.column_names().iter().map(|name| (*name).to_owned()).collect();
            let mut rows = rows.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                for (no, column) in columns.iter().enumerate() {
                    let value = row.get_ref(no).expect("a value");
                    let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = value else { continue };
                    let here = self.found_in(bytes);
                    if !here.is_empty() {
                        found.entry(format!("{table}.{column}")).or_default().extend(here);
                    }
                }
            }
        }
        found
    }
}

fn tables(database: &rusqlite::Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut names = database.prepare(sql).expect("a schema");
    let names = names.query_map([], |row| row.get(0)).expect("names");
    names.collect::<Result<_, _>>().expect("texts")
}

/// By the tools that every Linux has, and no more than those that somebody would try first.
fn digests(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let tool = |name: &'static str| {
        let mut child = Command::new(name);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        child.stdin.take().expect("piped").write_all(bytes).expect("taken");
        let said = child.wait_with_output().expect("ends").stdout;
        let hex = said.split(|byte| *byte == b' ').next().expect("a digest");
        (name, HEXLOWER.decode(hex).expect("hex"))
    };
    vec![
        tool("md5sum"),
        tool("sha1sum"),
        tool("b2sum"),
        ("sha256", Sha256::digest(bytes).to_vec()),
        ("sha512", Sha512::digest(bytes).to_vec()),
    ]
}

/// All files in a directory, and below it.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            // A socket is no file.
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

#[test]
fn what_is_looked_for_is_found_in_every_disguise() {
    let value = "Quillon.Vantress@canary.example";
    let wanted = Wanted::of(&[value]);
    let bytes = value.as_bytes();
    let mut disguised = vec![
        value.to_owned(),
        value.to_uppercase(),
        value.replace('@', "%40"),
        value.replace('@', "\\u0040").replace('.', "\\u002e"),
        HEXLOWER.encode(bytes),
        HEXUPPER.encode(bytes),
        HEXLOWER.encode(&Sha256::digest(bytes)),
        BASE64.encode(&Sha512::digest(value.to_lowercase().as_bytes())),
    ];
    for before in ["", "x", "xy"] {
        let text = format!("{before}{value} and more");
        disguised.push(BASE64.encode(text.as_bytes()));
        disguised.push(BASE64URL_NOPAD.encode(text.as_bytes()));
    }
    for text in &disguised {
        let found = wanted.found_in(format!("before {text} after").as_bytes());
        assert!(!found.is_empty(), "{text}");
    }
    assert!(wanted.found_in(b"nothing of the kind, and long enough").is_empty());
    let raw = [b"before".to_vec(), Sha256::digest(bytes).to_vec()].concat();
    assert!(!wanted.found_in(&raw).is_empty());
}
