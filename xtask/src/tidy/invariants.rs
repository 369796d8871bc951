//! Every invariant that ARCHITECTURE.md lists is cited by a test, as `INV-n`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::Visit;

use super::Report;
use super::architecture::PATH;
use super::tree::{Tree, is_test_file};

/// The invariants that the project has.
const LAST: u32 = 15;

/// Citations of the listed invariants.
pub(super) fn cited(tree: &Tree) -> Report {
    let listed = listed(tree.text(PATH).unwrap_or_default());
    let mut problems = Vec::new();
    if listed.is_empty() {
        problems.push(format!("{PATH} has no table of invariants under a heading of that name"));
    }
    let cited = cited_by_tests(tree);
    for (number, line) in &listed {
        if !(1..=LAST).contains(number) {
            problems.push(format!("{PATH}:{line}: there is no INV-{number}"));
        } else if !cited.contains(number) {
            problems.push(format!("{PATH}:{line}: no test cites INV-{number}"));
        }
    }
    Report::new(format!("{} listed, {} cited", listed.len(), cited.len()), problems)
}

/// Invariants in tables under a heading that speaks of invariants, with the line of each.
fn listed(text: &str) -> BTreeMap<u32, usize> {
    let mut listed = BTreeMap::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            inside = line.to_lowercase().contains("invariants");
        } else if inside && line.starts_with('|') {
            for number in numbers(line) {
                listed.entry(number).or_insert(index + 1);
            }
        }
    }
    listed
}

/// The numbers of all `INV-n` in a text.
fn numbers(text: &str) -> impl Iterator<Item = u32> {
    text.split("INV-").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    })
}

fn cited_by_tests(tree: &Tree) -> BTreeSet<u32> {
    let parsed: Vec<_> = tree
        .ending(".rs")
        // The samples in the tests of these checks are no citations.
        .filter(|(path, _)| !path.starts_with("xtask/"))
        .filter_map(|(path, text)| Some((path, text, tests_in(text)?)))
        .collect();
    // `#[cfg(test)] mod name;` makes a test file of whatever it is that `name` stands for.
    let modules: BTreeSet<String> = parsed
        .iter()
        .flat_map(|(path, _, tests)| tests.files.iter().map(|name| beside(path, name)))
        .collect();
    let mut cited = BTreeSet::new();
    for (path, text, tests) in &parsed {
        let stem = path.trim_end_matches(".rs");
        let is_module = modules.iter().any(|module| {
            stem.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if is_test_file(path) || is_module {
            cited.extend(numbers(text));
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (first, last) in &tests.lines {
            for line in lines.iter().take(*last).skip(first - 1) {
                cited.extend(numbers(line));
            }
        }
    }
    cited
}

/// The path, without ending, of a module that is declared in `path`.
fn beside(path: &str, name: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/{name}"),
        _ => format!("{}/{name}", path.trim_end_matches(".rs")),
    }
}

#[derive(Default)]
struct Tests {
    /// First and last line of each test module and test function.
    lines: Vec<(usize, usize)>,
    /// Test modules that are files of their own.
    files: Vec<String>,
}

fn tests_in(text: &str) -> Option<Tests> {
    let mut tests = Tests::default();
    tests.visit_file(&syn::parse_file(text).ok()?);
    Some(tests)
}

impl Tests {
    fn add(&mut self, (start, end): (LineColumn, LineColumn)) {
        self.lines.push((start.line, end.line));
    }
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            syn::visit::visit_item_mod(self, module);
        } else if module.content.is_none() {
            self.files.push(module.ident.to_string());
        } else {
            self.add((module.span().start(), module.span().end()));
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if function.attrs.iter().any(is_for_tests) {
            self.add((function.span().start(), function.span().end()));
        }
    }
}

/// `#[test]`, or `#[cfg(test)]` alone or together with other conditions.
fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let condition = |list: &syn::MetaList| requires_test(list.tokens.clone());
    attribute.path().is_ident("test")
        || (attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(condition))
}

fn requires_test(condition: TokenStream) -> bool {
    let mut negated = false;
    condition.into_iter().any(|token| match token {
        TokenTree::Ident(name) => {
            negated = name == "not";
            name == "test"
        }
        TokenTree::Group(group) => !negated && requires_test(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# A\n| INV-9 | not this one |\n## Invariants\n\n| INV-1 | sums |\n";

    fn problems(path: &str, text: &str) -> Vec<String> {
        cited(&Tree::of(&[(PATH, TABLE), (path, text)])).problems
    }

    #[test]
    fn an_invariant_that_only_code_or_a_longer_number_cites_is_found() {
        let expected = ["ARCHITECTURE.md:5: no test cites INV-1"];
        for text in [
            "// INV-1\nfn a() {}",
            "#[cfg(test)]\nmod tests {\n// INV-10\n}",
            "#[cfg(not(test))]\nmod a {\n// INV-1\n}",
            "#[cfg(feature = \"test\")]\nmod a {\n// INV-1\n}",
        ] {
            assert_eq!(problems("crates/core/src/a.rs", text), expected, "{text}");
        }
        assert_eq!(problems("xtask/tests/a.rs", "// INV-1"), expected, "a sample");
    }

    #[test]
    fn a_test_module_function_or_file_cites() {
        for (path, text) in [
            ("a/src/b.rs", "#[cfg(test)]\nmod tests {\n// INV-1\n}"),
            ("a/src/b.rs", "mod c {\n#[cfg(all(test, unix))]\nmod tests {\n// INV-1\n}\n}"),
            ("a/src/b.rs", "/// INV-1\n#[test]\nfn sums() {}"),
            ("a/tests/b.rs", "// INV-1"),
        ] {
            assert_eq!(problems(path, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_cites() {
        for (declared, path) in [
            ("a/src/b/mod.rs", "a/src/b/properties.rs"),
            ("a/src/b.rs", "a/src/b/properties/fold.rs"),
        ] {
            let tree = Tree::of(&[
                (PATH, TABLE),
                (declared, "#[cfg(test)]\nmod properties;"),
                (path, "// INV-1"),
            ]);
            assert_eq!(cited(&tree).problems, Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_missing_table_and_an_unknown_number_are_found() {
        assert_eq!(cited(&Tree::of(&[(PATH, "# A\n")])).problems.len(), 1);
        let tree = Tree::of(&[(PATH, "# Invariants\n| INV-16 |\n")]);
        assert_eq!(cited(&tree).problems, ["ARCHITECTURE.md:2: there is no INV-16"]);
    }
}
