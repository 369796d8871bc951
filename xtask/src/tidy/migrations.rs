//! Migrations are numbered from 0001 without gaps, and both databases have the same ones.

use super::Report;
use super::tree::Tree;

pub(super) const SQLITE: &str = "crates/store/migrations/sqlite";
pub(super) const POSTGRES: &str = "crates/store/migrations/postgres";

/// Numbers and pairs of the migrations.
pub(super) fn numbered_and_paired(tree: &Tree) -> Report {
    let sqlite = tree.names_in(SQLITE);
    let postgres = tree.names_in(POSTGRES);
    let mut problems = Vec::new();
    if sqlite.is_empty() {
        problems.push(format!("{SQLITE} holds no migration"));
    }
    check_numbers(SQLITE, &sqlite, &mut problems);
    check_numbers(POSTGRES, &postgres, &mut problems);
    if !postgres.is_empty() {
        let mut unpaired = |from: &[&str], other: &[&str], folder: &str| {
            for name in from.iter().filter(|name| !other.contains(name)) {
                problems.push(format!("{folder} has no {name}"));
            }
        };
        unpaired(&sqlite, &postgres, POSTGRES);
        unpaired(&postgres, &sqlite, SQLITE);
    }
    Report::new(format!("{} sqlite, {} postgres", sqlite.len(), postgres.len()), problems)
}

fn check_numbers(folder: &str, names: &[&str], problems: &mut Vec<String>) {
    for (index, name) in names.iter().enumerate() {
        let expected = format!("{:04}_", index + 1);
        let rest = name.strip_prefix(&expected).and_then(|rest| rest.strip_suffix(".sql"));
        let is_named = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        if !rest.is_some_and(is_named) {
            problems.push(format!("{folder}/{name}: expected {expected}some_name.sql"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(paths: &[&str]) -> Vec<String> {
        let files: Vec<_> = paths.iter().map(|path| (*path, "")).collect();
        numbered_and_paired(&Tree::of(&files)).problems
    }

    #[test]
    fn a_gap_a_double_number_and_another_kind_of_file_are_refused() {
        let first = "crates/store/migrations/sqlite/0001_ledger.sql";
        assert!(problems(&[first]).is_empty());
        for second in ["0003_gap.sql", "0001_twice.sql", "0002.sql", "0002_a.txt"] {
            let second = format!("{SQLITE}/{second}");
            assert_eq!(problems(&[first, &second]).len(), 1, "{second}");
        }
    }

    #[test]
    fn a_migration_for_one_database_only_is_refused() {
        let one = "crates/store/migrations/sqlite/0001_ledger.sql";
        let other = "crates/store/migrations/postgres/0001_ledger.sql";
        assert!(problems(&[one, other]).is_empty());
        let more = "crates/store/migrations/sqlite/0002_clicks.sql";
        assert_eq!(problems(&[one, other, more]), [format!("{POSTGRES} has no 0002_clicks.sql")]);
        let renamed = "crates/store/migrations/postgres/0001_entries.sql";
        assert_eq!(problems(&[one, renamed]).len(), 2);
    }

    #[test]
    fn no_migration_at_all_is_refused() {
        assert_eq!(problems(&[]).len(), 1);
    }
}
