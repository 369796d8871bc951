//! Writes docs/attribution.md: what each artifact of attribution is, from the heads of the modules
//! that make it, and test vectors, from the golden files of the core.
//!
//! So a layout is written down once, beside the code that keeps it, and a vector is never typed.
//! `--check` compares instead of writing.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::run::{Outcome, write_or_check};

const PATH: &str = "docs/attribution.md";
const GOLDEN: &str = "crates/core/golden/v1";
const SOURCES: &str = "crates/core/src";

/// A part of the document: its heading, the module whose head explains it, and its vectors.
struct Section {
    title: &'static str,
    module: &'static str,
    vectors: Option<Vectors>,
}

/// Test vectors from a golden file.
enum Vectors {
    /// A file, or one field of it, as JSON.
    Json(&'static str, &'static str),
    /// The log with its receipt, as the texts that they are.
    Receipt(&'static str),
}

const SECTIONS: [Section; 11] = [
    Section { title: "Keyring", module: "attribution/keys.rs", vectors: None },
    Section {
        title: "Keys for one purpose each",
        module: "attribution/key_set.rs",
        vectors: Some(Vectors::Json("attribution_keys.json", "")),
    },
    Section { title: "Tokens", module: "attribution/token.rs", vectors: None },
    Section {
        title: "Link token",
        module: "attribution/link.rs",
        vectors: Some(Vectors::Json("attribution_tokens.json", "/link")),
    },
    Section {
        title: "Click token",
        module: "attribution/click.rs",
        vectors: Some(Vectors::Json("attribution_tokens.json", "/click")),
    },
    Section {
        title: "Promo code",
        module: "attribution/promo_code.rs",
        vectors: Some(Vectors::Json("attribution_codes.json", "")),
    },
    Section { title: "Vanity slug", module: "attribution/slug.rs", vectors: None },
    Section { title: "Destination", module: "attribution/destination.rs", vectors: None },
    Section {
        title: "Dedup key and composite key",
        module: "conversion/dedup.rs",
        vectors: Some(Vectors::Json("attribution_dedup.json", "")),
    },
    Section { title: "Checkpoint", module: "merkle/checkpoint.rs", vectors: None },
    Section {
        title: "Receipt",
        module: "merkle/receipt.rs",
        vectors: Some(Vectors::Receipt("attribution_receipt.json")),
    },
];

const HEAD: &str = "# Attribution and evidence, format by format

Written by `cargo xtask attribution-docs` from the heads of the modules in `crates/core/src` and the golden files in
`crates/core/golden/v1`; change those, not this file. Every format is frozen: a change is a new version beside the old one,
because links stand in profiles for years and receipts lie in drawers.

The vectors all belong to one installation with made-up secrets, so anyone can compute them again with any HMAC, HKDF and
Ed25519. `‖` puts bytes in a row, `[..n]` takes the first n of them, numbers are written most significant byte first, and
bytes stand here in hexadecimal. The 16 bytes of an id are its characters behind the prefix in base32 with the alphabet 0-9
a-v. Modes are bytes 1 (sandbox), 2 (test) and 3 (live).
";

/// Writes or checks the document.
pub(crate) fn run(root: &Path, check: bool) -> Result<Outcome> {
    write_or_check(root, PATH, &render(root)?, check, "attribution-docs")
}

fn render(root: &Path) -> Result<String> {
    let mut out = String::from(HEAD);
    for Section { title, module, vectors } in &SECTIONS {
        let path = root.join(SOURCES).join(module);
        let source = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = head_of(&source);
        ensure!(!text.is_empty(), "{module} has no head");
        writeln!(out, "\n## {title}\n\n{text}")?;
        match vectors {
            None => {}
            Some(Vectors::Json(file, pointer)) => {
                let value = golden(root, file)?;
                let value = value.pointer(pointer).with_context(|| format!("no {pointer}"))?;
                let text = serde_json::to_string_pretty(value)?;
                writeln!(out, "\n```json\n{text}\n```")?;
            }
            Some(Vectors::Receipt(file)) => out += &receipt(&golden(root, file)?)?,
        }
    }
    Ok(out)
}

fn golden(root: &Path, file: &str) -> Result<Value> {
    let text =
        std::fs::read_to_string(root.join(GOLDEN).join(file)).with_context(|| file.to_owned())?;
    serde_json::from_str(&text).context("a golden file")
}

fn receipt(value: &Value) -> Result<String> {
    let text = |pointer: &str| {
        let found = value.pointer(pointer).and_then(Value::as_str);
        found.with_context(|| format!("the golden receipt has no {pointer}"))
    };
    let entries: Vec<_> = value["entries"].as_array().context("no entries")?.iter().collect();
    let entries: Vec<_> = entries.into_iter().filter_map(Value::as_str).collect();
    Ok(format!(
        "\nA log of {} entries, one a line (the bytes end before the line does):\n\n```text\n{}\n```\n\n\
         The seed of its key:\n\n```text\n{}\n```\n\nIts verifier key:\n\n```text\n{}\n```\n\n\
         The receipt of the third entry:\n\n```text\n{}```\n\n\
         A program that shares no line with this one checks it offline and ends with exit code 0 or 1:\n\n\
         ```sh\npython3 examples/verify_receipt.py --vkey VKEY --entry ENTRY_FILE --receipt RECEIPT_FILE\n```\n",
        entries.len(),
        entries.join("\n"),
        text("/seed")?,
        text("/vkey")?,
        text("/receipt")?,
    ))
}

/// The comment at the head of a module, without its links to other items.
fn head_of(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    // A definition of a link: `[name]: where`.
    let is_text = |line: &&str| !(line.starts_with("[`") && line.contains("`]: "));
    let text = lines.into_iter().filter(is_text).collect::<Vec<_>>().join("\n");
    without_links(text.trim_end())
}

/// Takes code spans out of the brackets that link them to an item.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        for piece in [before, "`", name, "`"] {
            out += piece;
        }
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace_root;

    #[test]
    fn the_head_of_a_module_is_text_without_links() {
        let source = "//! A [`KeySet`] of\n//! [`masters`](super::keys) `x[..2]`.\n//!\n//! [`KeySet`]: super::a\n\nuse a;\n";
        assert_eq!(head_of(source), "A `KeySet` of\n`masters` `x[..2]`.");
        assert_eq!(head_of("use a;\n//! late"), "");
    }

    #[test]
    fn every_format_has_a_section_and_every_golden_file_its_vectors() {
        let root = workspace_root();
        let text = render(&root).expect("renders");
        assert_eq!(text.matches("\n## ").count(), SECTIONS.len());
        assert!(!text.contains("[`"), "a link to an item is left");
        for file in std::fs::read_dir(root.join(GOLDEN)).expect("the folder") {
            let name = file.expect("a file").file_name().to_string_lossy().into_owned();
            let is_used = SECTIONS.iter().any(|section| match &section.vectors {
                Some(Vectors::Json(file, _) | Vectors::Receipt(file)) => **file == name,
                None => false,
            });
            assert!(is_used || !name.starts_with("attribution_"), "{name}");
        }
    }
}
