//! ARCHITECTURE.md names only what exists: paths are in the tree, types are in the sources.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use super::Report;
use super::links::outside_fences;
use super::tree::Tree;

pub(super) const PATH: &str = "ARCHITECTURE.md";

/// Endings by which a name without a slash is known as a file.
const FILES: [&str; 5] = [".rs", ".toml", ".md", ".sql", ".lock"];

/// Names in code spans of ARCHITECTURE.md.
pub(super) fn names(tree: &Tree) -> Report {
    let Some(text) = tree.text(PATH) else {
        return Report::new("nothing".into(), vec![format!("{PATH} is missing")]);
    };
    let known = identifiers(tree);
    let mut problems = Vec::new();
    let (mut paths, mut types) = (0, 0);
    for (line, span) in spans(text) {
        match kind(span) {
            Kind::Path => {
                paths += 1;
                if !tree.has(span) {
                    problems.push(format!("{PATH}:{line}: `{span}` does not exist"));
                }
            }
            Kind::File => {
                paths += 1;
                if !tree.has_named(span) {
                    problems.push(format!("{PATH}:{line}: there is no file `{span}`"));
                }
            }
            Kind::Code => {
                for name in type_names(span) {
                    types += 1;
                    if !known.contains(name) {
                        problems.push(format!("{PATH}:{line}: `{name}` is in no source"));
                    }
                }
            }
            Kind::Other => {}
        }
    }
    Report::new(format!("{paths} paths, {types} types"), problems)
}

enum Kind {
    /// Seen from the workspace's root.
    Path,
    /// A name without its folder.
    File,
    /// An expression or a type.
    Code,
    /// A command, an HTTP route, a pattern.
    Other,
}

fn kind(span: &str) -> Kind {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if span.starts_with('/') || span.contains("://") || span.contains([' ', '{', '*']) {
        Kind::Other
    } else if span.contains('/') {
        if span.chars().all(plain) { Kind::Path } else { Kind::Other }
    } else if FILES.iter().any(|ending| span.ends_with(ending)) {
        Kind::File
    } else if span.contains('-') {
        Kind::Other
    } else {
        Kind::Code
    }
}

/// Names in a code span that are written like types: a capital first, a small letter somewhere.
fn type_names(span: &str) -> impl Iterator<Item = &str> {
    span.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.contains(|c: char| c.is_ascii_lowercase())
            && !name.contains('_')
    })
}

/// Code spans outside fenced blocks, with their lines.
fn spans(text: &str) -> Vec<(usize, &str)> {
    let mut spans = Vec::new();
    for (number, line) in outside_fences(text) {
        spans.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span)));
    }
    spans
}

/// Every identifier of the sources, comments and strings not counted.
fn identifiers(tree: &Tree) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (_, text) in tree.ending(".rs") {
        if let Ok(tokens) = text.parse::<TokenStream>() {
            collect(tokens, &mut known);
        }
    }
    known
}

fn collect(tokens: TokenStream, known: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), known),
            TokenTree::Ident(ident) => drop(known.insert(ident.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let source = "// Ghost\nstruct Ledger; const S: &str = \"Phantom\";";
        names(&Tree::of(&[(PATH, text), ("crates/core/src/ledger.rs", source)])).problems
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let text = "`crates/core/src/ledger.rs` and\n`crates/core/src/gone.rs`";
        let expected = ["ARCHITECTURE.md:2: `crates/core/src/gone.rs` does not exist"];
        assert_eq!(problems(text), expected);
        assert_eq!(problems("`crates/core/` `ledger.rs`"), Vec::<String>::new());
        assert_eq!(problems("`gone.rs`").len(), 1);
    }

    #[test]
    fn a_type_that_is_in_no_source_is_found_also_inside_an_expression() {
        assert_eq!(problems("`Ledger` `Vec<Gone>` `Gone::new()` `Ghost` `Phantom`").len(), 5);
        assert_eq!(problems("`Ledger::head`"), Vec::<String>::new());
    }

    #[test]
    fn routes_commands_words_in_capitals_and_fenced_blocks_are_no_names() {
        let text = "`/v/batch` `POST /v` `INV-1` `UPDATE` `cargo xtask ci`\n```\n`Gone`\n```\n";
        assert_eq!(problems(text), Vec::<String>::new());
    }

    #[test]
    fn the_document_must_be_there() {
        assert_eq!(names(&Tree::of(&[])).problems, ["ARCHITECTURE.md is missing"]);
    }
}
