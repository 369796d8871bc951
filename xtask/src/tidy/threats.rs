//! `THREAT_MODEL.md` names only tests that exist; each threat has a test or says that it is open.
//!
//! A test is written `path/to/file.rs::its_name`; a Python program that judges from outside stands
//! there with its path alone. Whoever renames a test is told here that a threat lost its proof.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Report;
use super::links::outside_fences;
use super::tree::Tree;

const PATH: &str = "THREAT_MODEL.md";

/// The threats that have to be answered, whatever others are found: 1 to this.
const LAST: u32 = 42;

/// Number, threat, control, test, residual risk.
const CELLS: usize = 5;

/// Which cell holds the tests.
const TESTS: usize = 3;

/// What a row says whose control is not built, followed by what it waits for.
const OPEN: &str = "**open**";

/// Rows and tests of `THREAT_MODEL.md`.
pub(super) fn proven(tree: &Tree) -> Report {
    let Some(text) = tree.text(PATH) else {
        return Report::new("nothing".into(), vec![format!("{PATH} is missing")]);
    };
    let mut known = KnownTests { tree, by_file: BTreeMap::new() };
    let mut problems = Vec::new();
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    let (mut tests, mut open) = (0, 0);
    for (line, row) in outside_fences(text) {
        let mut wrong = |what: String| problems.push(format!("{PATH}:{line}: {what}"));
        for span in spans(row).filter(|span| span.contains(".rs::")) {
            tests += 1;
            if let Some(what) = known.missing(span) {
                wrong(what);
            }
        }
        let Some((number, cells)) = threat(row) else { continue };
        *numbers.entry(number).or_default() += 1;
        open += u32::from(row.contains(OPEN));
        shape(tree, number, &cells).into_iter().for_each(wrong);
    }
    problems.extend((1..=LAST).filter(|number| !numbers.contains_key(number)).map(missing));
    problems.extend(numbers.iter().filter(|(_, times)| **times > 1).map(doubled));
    let looked_at = format!("{} threats, {open} open, {tests} tests", numbers.len());
    Report::new(looked_at, problems)
}

fn missing(number: u32) -> String {
    format!("{PATH}: threat {number} is missing")
}

fn doubled((number, times): (&u32, &u32)) -> String {
    format!("{PATH}: threat {number} is there {times} times")
}

/// Number and cells of a row of the table.
fn threat(row: &str) -> Option<(u32, Vec<&str>)> {
    let inside = row.trim().strip_prefix('|')?;
    let cells: Vec<_> = inside.strip_suffix('|').unwrap_or(inside).split('|').collect();
    Some((cells.first()?.trim().parse().ok()?, cells))
}

/// What is wrong with a row apart from the names of its tests.
fn shape(tree: &Tree, number: u32, cells: &[&str]) -> Vec<String> {
    if cells.len() != CELLS || cells.iter().any(|cell| cell.trim().is_empty()) {
        return vec![format!("threat {number}: {} cells, wanted {CELLS} with words", cells.len())];
    }
    let mut problems = Vec::new();
    for span in spans(cells[TESTS]).filter(|span| !span.contains(".rs::")) {
        if span.rsplit('.').next() != Some("py") {
            problems.push(format!("threat {number}: `{span}` is no test: say file.rs::name"));
        } else if !tree.has(span) {
            problems.push(format!("threat {number}: `{span}` does not exist"));
        }
    }
    let waits_for_nothing = |cell: &&str| {
        cell.split(OPEN).skip(1).any(|rest| {
            rest.strip_prefix(':').is_none_or(|rest| !rest.contains(char::is_alphabetic))
        })
    };
    if cells.iter().any(waits_for_nothing) {
        problems.push(format!("threat {number}: say what it waits for: `{OPEN}: …`"));
    }
    let is_open = cells.iter().any(|cell| cell.contains(OPEN));
    if !is_open && spans(cells[TESTS]).next().is_none() {
        problems.push(format!("threat {number}: name a test, or say `{OPEN}: …`"));
    }
    problems
}

fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Tests of the files that were asked about, so that each is read once.
struct KnownTests<'a> {
    tree: &'a Tree,
    by_file: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> KnownTests<'a> {
    /// What is wrong with `path/to/file.rs::name`.
    fn missing(&mut self, span: &'a str) -> Option<String> {
        let (file, name) = span.split_once("::")?;
        let Some(text) = self.tree.text(file) else {
            return Some(format!("`{span}`: there is no such file"));
        };
        let tests = self.by_file.entry(file).or_insert_with(|| {
            let mut found = BTreeSet::new();
            if let Ok(tokens) = text.parse() {
                collect_tests(tokens, &mut found);
            }
            found
        });
        let is_there = tests.contains(name);
        (!is_there).then(|| format!("`{span}`: no test of that name is in the file"))
    }
}

/// Functions with a test attribute, at any depth. Tokens rather than the syntax tree, because the
/// functions of a property test are arguments of a macro.
fn collect_tests(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut is_test = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let Some(TokenTree::Group(attribute)) = tokens.peek()
                    && attribute.delimiter() == Delimiter::Bracket
                {
                    is_test |= makes_test(attribute.stream());
                    tokens.next();
                }
            }
            TokenTree::Ident(word) if word == "fn" => {
                if let (true, Some(TokenTree::Ident(name))) = (is_test, tokens.peek()) {
                    found.insert(name.to_string());
                }
                is_test = false;
            }
            TokenTree::Group(group) => {
                // What follows a body or a block is another item.
                is_test &= group.delimiter() != Delimiter::Brace;
                collect_tests(group.stream(), found);
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `test`, or a path that ends so, with or without arguments: `tokio::test(flavor = …)`.
fn makes_test(attribute: TokenStream) -> bool {
    let path = attribute.into_iter().take_while(|token| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == ':',
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
    });
    path.last().is_some_and(|last| last.to_string() == "test")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[test]\nfn plain() {}\nfn no_test() {}\n\
        #[tokio::test(flavor = \"multi_thread\")]\n#[ignore = \"long\"]\nasync fn waits() {}\n\
        #[cfg(test)]\nfn is_compiled_for_tests() {}\n#[expect(clippy::test)]\nfn expects() {}\n\
        proptest! {\n/// Claims.\n#[test]\nfn of_all(x in 0..3) {}\n}\n\
        mod tests {\n#[test]\nfn inner() {}\nconst T: &str = \"#[test] fn quoted() {}\";\n}\n";

    /// A model whose first threat has this row, with all the others open.
    fn problems_of(first: &str) -> Vec<String> {
        let others = (2..=LAST).map(|number| format!("| {number} | a | **open**: b | – | c |\n"));
        problems(&format!("{first}\n{}", others.collect::<String>()))
    }

    fn problems(text: &str) -> Vec<String> {
        let files = [(PATH, text), ("a/tests/b.rs", TESTS), ("examples/judge.py", "")];
        proven(&Tree::of(&files)).problems
    }

    fn tested_by(tests: &str) -> Vec<String> {
        problems_of(&format!("| 1 | a | b | {tests} | c |"))
    }

    #[test]
    fn tests_of_every_form_that_exist_pass() {
        for name in ["plain", "waits", "of_all", "inner"] {
            assert_eq!(tested_by(&format!("`a/tests/b.rs::{name}`")), Vec::<String>::new());
        }
        assert_eq!(tested_by("`a/tests/b.rs::plain`, `examples/judge.py`"), Vec::<String>::new());
    }

    #[test]
    fn a_test_that_does_not_exist_is_found_wherever_it_is_named() {
        let expected = |name| {
            let what = "no test of that name is in the file";
            [format!("{PATH}:1: `a/tests/b.rs::{name}`: {what}")]
        };
        for name in ["gone", "no_test", "is_compiled_for_tests", "expects", "quoted", "plai", ""] {
            assert_eq!(tested_by(&format!("`a/tests/b.rs::{name}`")), expected(name));
        }
        let gone = tested_by("`a/tests/c.rs::plain`");
        assert_eq!(gone, [format!("{PATH}:1: `a/tests/c.rs::plain`: there is no such file")]);
        let prose = "Seen by `a/tests/b.rs::gone`.\n| 1 | a | b | `a/tests/b.rs::plain` | c |";
        assert_eq!(problems_of(prose), expected("gone"));
        let residual = "| 1 | a | b | `a/tests/b.rs::plain` | see `a/tests/b.rs::gone` |";
        assert_eq!(problems_of(residual), expected("gone"));
    }

    #[test]
    fn what_stands_among_tests_and_is_none_is_found() {
        for span in ["a/tests/b.rs", "cargo xtask ci", "examples/gone.py", "plain"] {
            assert_eq!(tested_by(&format!("`a/tests/b.rs::plain`, `{span}`")).len(), 1, "{span}");
        }
    }

    #[test]
    fn a_row_without_a_test_says_that_it_is_open_and_what_it_waits_for() {
        for row in [
            "| 1 | a | b | – | c |",
            "| 1 | a | open | – | c |",
            "| 1 | a | b | **open** | c |",
            "| 1 | a | b | **open**: | c |",
            "| 1 | a | b | `a/tests/b.rs::plain` | **open** |",
        ] {
            assert_eq!(problems_of(row).len(), 1, "{row}");
        }
        for row in ["| 1 | a | b | **open**: pages | c |", "| 1 | a | b | – | **open**: pages |"]
        {
            assert_eq!(problems_of(row), Vec::<String>::new(), "{row}");
        }
    }

    #[test]
    fn a_row_with_other_cells_is_found() {
        let test = "`a/tests/b.rs::plain`";
        for row in [
            format!("| 1 | a | b | {test} |"),
            format!("| 1 | a | b | {test} | c | d |"),
            format!("| 1 | a | b | {test} | |"),
        ] {
            assert_eq!(problems_of(&row).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_threat_that_is_missing_or_there_twice_is_found() {
        assert_eq!(problems_of(""), [format!("{PATH}: threat 1 is missing")]);
        let row = "| 1 | a | **open**: b | – | c |";
        let twice = format!("{PATH}: threat 1 is there 2 times");
        assert_eq!(problems_of(&format!("{row}\n{row}")), [twice]);
        let fenced = format!("```\n{row}\n```");
        assert_eq!(problems_of(&fenced), [format!("{PATH}: threat 1 is missing")]);
        let further = "| 43 | a | **open**: b | – | c |";
        assert_eq!(problems_of(&format!("{row}\n{further}")), Vec::<String>::new());
    }

    #[test]
    fn the_document_must_be_there() {
        assert_eq!(proven(&Tree::of(&[])).problems, [format!("{PATH} is missing")]);
    }
}
