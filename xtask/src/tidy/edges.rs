//! Who may know whom: between the workspace's packages, towards other people's crates, and
//! between the modules of the core. Every edge that is not listed is forbidden.

use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;

use super::Report;
use super::tree::Tree;

/// Every direct edge there may be, development dependencies included.
const ALLOWED: &[(&str, &[&str])] = &[
    ("sponsorhub-core", &[]),
    ("sponsorhub-store", &["sponsorhub-core"]),
    ("sponsorhub-app", &["sponsorhub-core", "sponsorhub-store"]),
    ("sponsorhub-providers", &["sponsorhub-core", "sponsorhub-app"]),
    ("sponsorhub-sandbox", &[]),
    (
        "sponsorhub",
        &[
            "sponsorhub-core",
            "sponsorhub-store",
            "sponsorhub-app",
            "sponsorhub-providers",
            "sponsorhub-sandbox",
        ],
    ),
    ("sponsorhub-simulation", &["sponsorhub-core", "sponsorhub-store", "sponsorhub-app"]),
    ("xtask", &["sponsorhub-core"]),
];

const ASYNC: &[&str] = &["tokio", "futures", "async-trait"];
const DATABASES: &[&str] = &["rusqlite", "libsqlite3-sys", "sqlx", "tokio-postgres"];
const HTTP: &[&str] = &["axum", "axum-extra", "hyper", "reqwest", "tower", "tower-http"];
const CHANCE: &[&str] = &["rand", "getrandom", "uuid", "chrono"];

/// What a package may not use outside its tests, and so cannot know.
const FORBIDDEN: &[(&str, &[&[&str]])] = &[
    ("sponsorhub-core", &[ASYNC, DATABASES, HTTP, CHANCE]),
    ("sponsorhub-store", &[HTTP]),
    ("sponsorhub-app", &[DATABASES, &["axum", "axum-extra"]]),
    ("sponsorhub-providers", &[DATABASES]),
    ("sponsorhub", &[DATABASES]),
];

fn names(package: &Value) -> impl Iterator<Item = (&str, bool)> {
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    dependencies.iter().filter_map(|dependency| {
        Some((dependency["name"].as_str()?, dependency["kind"].as_str() == Some("dev")))
    })
}

fn packages(metadata: &Value) -> Vec<(&str, &Value)> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    packages.iter().filter_map(|package| Some((package["name"].as_str()?, package))).collect()
}

/// Edges between packages of the workspace.
pub(super) fn between_packages(metadata: &Value) -> Report {
    let packages = packages(metadata);
    let mut problems = Vec::new();
    let mut edges = 0;
    for (from, package) in &packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == from) else {
            problems.push(format!("package {from} is not in the list of packages"));
            continue;
        };
        for (to, _) in names(package) {
            if packages.iter().any(|(name, _)| *name == to) {
                edges += 1;
                if !allowed.contains(&to) {
                    problems.push(format!("{from} may not depend on {to}"));
                }
            }
        }
    }
    Report::new(format!("{} packages, {edges} edges", packages.len()), problems)
}

/// Crates of others that a package of ours must do without.
pub(super) fn external(metadata: &Value) -> Report {
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for (from, package) in packages(metadata) {
        let forbidden = FORBIDDEN.iter().find(|(name, _)| *name == from);
        for (to, for_tests) in names(package) {
            looked_at += 1;
            let listed =
                forbidden.is_some_and(|(_, groups)| groups.iter().any(|group| group.contains(&to)));
            if listed && !for_tests {
                problems
                    .push(format!("{from} may not depend on {to}: it must not know such things"));
            }
        }
    }
    Report::new(format!("{looked_at} dependencies"), problems)
}

/// Folders of the core, and the modules behind them in the order of the money, which they must not
/// know.
const BEHIND: &[(&str, &[&str])] = &[
    ("merkle", &["attribution", "campaign", "conversion", "ledger"]),
    ("attribution", &["conversion", "enrollment", "ledger", "rollup", "payout", "disbursement"]),
    ("ledger", &["rollup", "payout", "disbursement"]),
];

/// Accrual, waterfall and netting belong to the fold: nothing in the ledger names what cuts the
/// fold into runs or plans on top of it. Tree and tokens are judged without any ledger.
pub(super) fn inside_core(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let mut files = 0;
    for (path, text) in tree.ending(".rs") {
        let behind = BEHIND.iter().find(|(folder, _)| {
            let inside =
                path.strip_prefix("crates/core/src/").and_then(|path| path.strip_prefix(folder));
            inside.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
        });
        let Some((folder, behind)) = behind else { continue };
        files += 1;
        let Ok(tokens) = text.parse::<TokenStream>() else {
            continue;
        };
        let mut named = Vec::new();
        named_from_crate(tokens, &mut named);
        for (line, module) in named {
            if behind.contains(&module.as_str()) {
                problems.push(format!("{path}:{line}: {folder} may not know `{module}`"));
            }
        }
    }
    Report::new(format!("{files} files of {} folders", BEHIND.len()), problems)
}

/// Modules that are reached as `crate::name` or `crate::{name, ..}`, with their lines.
fn named_from_crate(tokens: TokenStream, named: &mut Vec<(usize, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            named_from_crate(group.stream(), named);
        }
        if !matches!(token, TokenTree::Ident(ident) if ident == "crate") {
            continue;
        }
        match tokens.get(index + 3) {
            Some(TokenTree::Ident(module)) => {
                named.push((module.span().start().line, module.to_string()));
            }
            // Deeper names of the braces are listed too; none of ours repeats a module's name.
            Some(TokenTree::Group(group)) => {
                for token in group.stream() {
                    if let TokenTree::Ident(module) = token {
                        named.push((module.span().start().line, module.to_string()));
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(from: &str, to: &str, kind: &Value) -> Value {
        let dependencies = json!([{ "name": to, "kind": kind }]);
        json!({ "packages": [
            { "name": from, "dependencies": dependencies },
            { "name": "sponsorhub-core", "dependencies": [] },
            { "name": "sponsorhub-store", "dependencies": [] },
        ]})
    }

    #[test]
    fn an_edge_that_is_not_listed_is_refused_in_every_kind() {
        for kind in [Value::Null, json!("dev"), json!("build")] {
            let bad = metadata("xtask", "sponsorhub-store", &kind);
            let report = between_packages(&bad);
            assert_eq!(report.problems, ["xtask may not depend on sponsorhub-store"]);
            let fine = metadata("xtask", "sponsorhub-core", &kind);
            assert!(between_packages(&fine).problems.is_empty());
        }
    }

    #[test]
    fn an_unknown_package_is_refused() {
        let metadata = json!({ "packages": [{ "name": "sponsorhub-util", "dependencies": [] }] });
        assert_eq!(between_packages(&metadata).problems.len(), 1);
    }

    #[test]
    fn the_core_may_use_a_database_in_tests_only() {
        let normal = metadata("sponsorhub-core", "rusqlite", &Value::Null);
        assert_eq!(external(&normal).problems.len(), 1);
        let dev = metadata("sponsorhub-core", "rusqlite", &json!("dev"));
        assert!(external(&dev).problems.is_empty());
    }

    #[test]
    fn the_ledger_may_not_import_what_builds_on_it() {
        for text in ["use crate::rollup::Cut;", "fn a() { crate::payout::plan(); }"] {
            let tree = Tree::of(&[("crates/core/src/ledger/fold.rs", text)]);
            assert_eq!(inside_core(&tree).problems.len(), 1, "{text}");
        }
        let braces = "use crate::{money::Minor, disbursement::Attempt};";
        let tree = Tree::of(&[("crates/core/src/ledger/fold.rs", braces)]);
        assert_eq!(
            inside_core(&tree).problems,
            ["crates/core/src/ledger/fold.rs:1: ledger may not know `disbursement`"]
        );
        for path in ["merkle/a.rs", "attribution/a.rs"] {
            let path = format!("crates/core/src/{path}");
            let tree = Tree::of(&[(&path, "use crate::ledger::Entry;")]);
            assert_eq!(inside_core(&tree).problems.len(), 1, "{path}");
        }
        let fine = "use super::event::payout; use crate::ledger::event;";
        let tree = Tree::of(&[("crates/core/src/ledger/fold.rs", fine)]);
        assert!(inside_core(&tree).problems.is_empty());
    }
}
