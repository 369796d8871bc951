//! The files of the workspace, loaded once, with paths relative to its root.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Kinds of files whose text some check reads.
const TEXT: [&str; 4] = [".rs", ".md", ".sql", ".toml"];

/// What is not part of the project. Mostly folders; `.git` is a file where several trees share one.
const FOREIGN: [&str; 4] = [".git", "target", "node_modules", "sponsorhub-data"];

/// Paths with forward slashes, and the text of those files that checks read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads everything below `root`.
    pub(super) fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.load_folder(root, "")?;
        Ok(tree)
    }

    fn load_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let relative = format!("{prefix}{name}");
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                // Cargo marks its build folders by this file, whatever their name.
                if !path.join("CACHEDIR.TAG").exists() {
                    self.load_folder(&path, &format!("{relative}/"))?;
                }
                continue;
            }
            let text = if TEXT.iter().any(|kind| name.ends_with(kind)) {
                std::fs::read_to_string(&path).with_context(|| relative.clone())?
            } else {
                String::new()
            };
            self.files.insert(relative, text);
        }
        Ok(())
    }

    /// A tree of these files, for tests.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(owned).collect() }
    }

    /// Paths and texts of files with this ending, in order.
    pub(super) fn ending<'a>(
        &'a self,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or folder of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Whether any file has that name.
    pub(super) fn has_named(&self, name: &str) -> bool {
        self.files.keys().any(|path| path.rsplit('/').next() == Some(name))
    }

    /// Names of the files directly in a folder.
    pub(super) fn names_in(&self, folder: &str) -> Vec<&str> {
        let prefix = format!("{folder}/");
        let names = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
        names.filter(|name| !name.contains('/')).collect()
    }
}

/// A file that holds nothing but tests, by its place or name.
pub(super) fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|part| part == "tests") || name == "tests.rs" || name.ends_with("_tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace_root;

    #[test]
    fn this_workspace_is_read_without_its_build_folder() {
        let tree = Tree::load(&workspace_root()).expect("readable");
        assert!(tree.text("xtask/src/tidy/tree.rs").is_some_and(|text| text.contains("Tree")));
        assert!(tree.has("xtask/src/") && tree.has(".cargo/config.toml"));
        assert!(!tree.has("target") && !tree.has(".git") && !tree.has("xtask/sr"));
    }

    #[test]
    fn test_files_are_known_by_place_and_name() {
        for path in ["crates/core/tests/fold.rs", "a/tests.rs", "a/fold_tests.rs"] {
            assert!(is_test_file(path), "{path}");
        }
        for path in ["crates/core/src/fold.rs", "a/contests.rs", "a/tests_of_time.rs"] {
            assert!(!is_test_file(path), "{path}");
        }
    }

    #[test]
    fn names_in_a_folder_leave_out_deeper_files() {
        let tree = Tree::of(&[("a/1.sql", ""), ("a/b/2.sql", ""), ("ab/3.sql", "")]);
        assert_eq!(tree.names_in("a"), ["1.sql"]);
        assert!(tree.has_named("2.sql") && !tree.has_named("b"));
    }
}
