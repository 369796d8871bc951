//! Sizes of files and functions, and work that was left unfinished.
//!
//! A function is counted from its signature to its closing brace, comments and blank lines
//! included: what has to fit is a screen. Functions inside macro calls count too.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Report;
use super::tree::{Tree, is_test_file};

const FUNCTION_MAX: usize = 70;
const FILE_MAX: usize = 500;
const TEST_FILE_MAX: usize = 800;

/// Files and functions that are too long.
pub(super) fn lengths(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let mut files = 0;
    let mut functions = 0;
    for (path, text) in tree.ending(".rs") {
        files += 1;
        let lines = text.lines().count();
        let most = if is_test_file(path) { TEST_FILE_MAX } else { FILE_MAX };
        if lines > most {
            problems.push(format!("{path}: {lines} lines, at most {most}"));
        }
        if let Err(error) = syn::parse_file(text) {
            problems.push(format!("{path}:{}: {error}", error.span().start().line));
            continue;
        }
        let Ok(tokens) = text.parse::<TokenStream>() else {
            continue;
        };
        let mut found = Vec::new();
        collect_functions(tokens, &mut found);
        functions += found.len();
        for Function { name, line, lines } in found {
            if lines > FUNCTION_MAX {
                problems.push(format!(
                    "{path}:{line}: fn {name}: {lines} lines, at most {FUNCTION_MAX}"
                ));
            }
        }
    }
    Report::new(format!("{files} files, {functions} functions"), problems)
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every `fn name … { … }`, at any depth. Tokens rather than the syntax tree, because the
/// functions of a property test are arguments of a macro.
fn collect_functions(tokens: TokenStream, found: &mut Vec<Function>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect_functions(group.stream(), found);
        }
        if !matches!(token, TokenTree::Ident(ident) if ident == "fn") {
            continue;
        }
        // A pointer type has no name after `fn`; a declaration without body ends in a semicolon.
        let Some(TokenTree::Ident(name)) = tokens.get(index + 1) else {
            continue;
        };
        let body = tokens.iter().skip(index + 2).find(|token| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        });
        if let Some(TokenTree::Group(body)) = body {
            let line = name.span().start().line;
            let lines = body.span_close().end().line - line + 1;
            found.push(Function { name: name.to_string(), line, lines });
        }
    }
}

/// Words that mark unfinished work, put together here so that this file is not found.
const UNFINISHED: [&str; 3] =
    [concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];

/// Marks of unfinished work in sources and documents.
pub(super) fn unfinished(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let mut files = 0;
    for (path, text) in [".rs", ".sql", ".md", ".toml"].into_iter().flat_map(|e| tree.ending(e)) {
        files += 1;
        for (index, line) in text.lines().enumerate() {
            for word in UNFINISHED.into_iter().filter(|word| line.contains(word)) {
                let number = index + 1;
                problems.push(format!("{path}:{number}: {word} — finish it or file an issue"));
            }
        }
    }
    Report::new(format!("{files} files"), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        lengths(&Tree::of(&[(path, text)])).problems
    }

    #[test]
    fn a_function_of_71_lines_is_too_long_wherever_it_stands() {
        let body = "    // a line\n".repeat(69);
        let long = format!("fn long() {{\n{body}}}\n");
        let inside = [
            long.clone(),
            format!("impl A {{\n{long}}}\n"),
            format!("mod tests {{\nproptest! {{\n#[test]\n{long}}}\n}}\n"),
            format!("fn outer() {{\n{long}}}\n"),
        ];
        for text in inside {
            let found = problems("a.rs", &text);
            assert!(found.iter().any(|line| line.contains("fn long: 71 lines")), "{found:?}");
        }
        let fits = format!("fn fits() {{\n{}}}\n", "    // a line\n".repeat(68));
        assert_eq!(problems("a.rs", &fits), Vec::<String>::new());
    }

    #[test]
    fn pointers_and_declarations_are_no_functions() {
        let text = "type F = fn(u8) -> u8; trait T { fn a(&self); fn b(&self) { self.a() } }";
        assert_eq!(lengths(&Tree::of(&[("a.rs", text)])).looked_at, "1 files, 1 functions");
    }

    #[test]
    fn a_file_may_be_longer_if_it_holds_tests() {
        let text = "// a line\n".repeat(501);
        assert_eq!(problems("crates/core/src/fold.rs", &text).len(), 1);
        assert!(problems("crates/core/tests/fold.rs", &text).is_empty());
        assert_eq!(problems("crates/core/tests/fold.rs", &"//\n".repeat(801)).len(), 1);
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_problem() {
        assert_eq!(problems("a.rs", "fn broken( {").len(), 1);
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_documents() {
        for word in UNFINISHED {
            for path in ["a.rs", "docs/a.md", "a.sql"] {
                let tree = Tree::of(&[(path, &format!("fine\n{word}\n"))]);
                assert!(unfinished(&tree).problems[0].starts_with(&format!("{path}:2: ")));
            }
        }
        assert!(unfinished(&Tree::of(&[("a.rs", "// done\n")])).problems.is_empty());
    }
}
