//! The tables can be cut between campaigns: what the migrations may say about keys.
//!
//! Every table belongs to a campaign, unless the store's README lists it as shared and says why.
//! Only as much SQL is understood as a table's definition needs; statements of other kinds are
//! skipped, and so are the bodies of checks and triggers.

use std::collections::BTreeMap;

use super::Report;
use super::migrations::{POSTGRES, SQLITE};
use super::tree::Tree;

/// Lists the shared tables.
const README: &str = "crates/store/README.md";

/// What leads the keys of a campaign's tables.
const LEADS: [&str; 2] = ["campaign_no", "campaign_id"];

/// Tables whose key has the campaign's number in its upper bits, and that column. One integer as
/// the key keeps a campaign's rows together and in order without an index beside the table.
const PACKED: [(&str, &str); 3] = [
    // campaign_no << 40 | seq: an append goes to one place, and the next position is one higher.
    ("entries", "pos"),
    // campaign_no << 40 | number of the slice
    ("filters", "pos"),
    // campaign_no << 40 | level << 36 | number within the level
    ("tiles", "pos"),
];

/// Types and clauses that number rows over all campaigns.
const SEQUENCES: [&str; 6] =
    ["autoincrement", "smallserial", "serial", "bigserial", "identity", "nextval"];

/// Keys, foreign keys and sequences of all tables.
pub(super) fn by_campaign(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let shared = shared(tree.text(README).unwrap_or_default(), &mut problems);
    let mut looked_at = 0;
    for folder in [SQLITE, POSTGRES] {
        let mut tables = BTreeMap::new();
        for name in tree.names_in(folder) {
            let path = format!("{folder}/{name}");
            let parts = parse(tree.text(&path).unwrap_or_default());
            split(&parts, ';').for_each(|statement| read(statement, &path, &mut tables));
        }
        if tables.is_empty() {
            continue;
        }
        looked_at += tables.len();
        let packed = PACKED.iter().map(|(name, _)| *name).filter(|_| folder == SQLITE);
        for name in shared.keys().map(String::as_str).chain(packed) {
            if !tables.contains_key(name) {
                problems.push(format!("{folder} makes no table {name}, which is listed"));
            }
        }
        for (name, table) in &tables {
            let judged = judge(name, table, &shared);
            problems.extend(judged.into_iter().map(|what| format!("{}: {what}", table.path)));
        }
    }
    Report::new(format!("{looked_at} tables, {} shared", shared.len()), problems)
}

/// How a shared table is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// On every node.
    Reference,
    /// In one place.
    Local,
}

/// The shared tables that the README lists.
fn shared(text: &str, problems: &mut Vec<String>) -> BTreeMap<String, Spread> {
    let mut shared = BTreeMap::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            inside = false;
        } else if cells[0] == "shared table" {
            inside = true;
        } else if inside && !cells[0].starts_with('-') {
            let name = cells[0].trim_matches('`').to_owned();
            let spread = match cells.get(1) {
                Some(&"reference") => Some(Spread::Reference),
                Some(&"local") => Some(Spread::Local),
                _ => None,
            };
            match (spread, cells.get(2)) {
                (Some(spread), Some(why)) if !why.is_empty() => {
                    shared.insert(name, spread);
                }
                _ => problems.push(format!(
                    "{README}:{}: {name}: say `reference` or `local`, and why it is shared",
                    index + 1
                )),
            }
        }
    }
    shared
}

/// What the rules need to know of a table.
#[derive(Debug, Default)]
struct Table {
    path: String,
    /// Columns of the primary key, of unique constraints and of unique indexes.
    keys: Vec<Vec<String>>,
    has_primary_key: bool,
    /// Columns that refer to another table, and that table.
    foreign: Vec<(Vec<String>, String)>,
    sequences: Vec<String>,
}

fn judge(name: &str, table: &Table, shared: &BTreeMap<String, Spread>) -> Vec<String> {
    let mut problems = Vec::new();
    for sequence in &table.sequences {
        problems.push(format!("table {name}: {sequence} counts over all campaigns"));
    }
    if let Some(spread) = shared.get(name) {
        for (_, to) in &table.foreign {
            let is_away = |to: &Spread| *to == Spread::Local && *spread == Spread::Reference;
            if shared.get(to).is_none_or(is_away) {
                problems
                    .push(format!("table {name} is shared and refers to {to}, which may be away"));
            }
        }
        return problems;
    }
    let packed = PACKED.iter().find(|(packed, _)| *packed == name).map(|(_, column)| *column);
    let is_led = |columns: &[String]| {
        let first = columns.first().map_or("", String::as_str);
        LEADS.contains(&first) || packed == Some(first)
    };
    if !table.has_primary_key {
        problems.push(format!("table {name} has no primary key"));
    }
    for key in table.keys.iter().filter(|key| !is_led(key)) {
        problems.push(format!(
            "table {name}: the campaign does not lead the key ({}); a table that belongs to no \
             campaign is listed in {README} with the reason",
            key.join(", ")
        ));
    }
    for (columns, to) in &table.foreign {
        let is_allowed = match shared.get(to) {
            Some(spread) => *spread == Spread::Reference,
            None => is_led(columns),
        };
        if !is_allowed {
            problems.push(format!(
                "table {name}: ({}) refers to {to}, which is neither its own campaign's nor on \
                 every node",
                columns.join(", ")
            ));
        }
    }
    problems
}

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// A keyword or a name, in lower case.
    Word(String),
    Sign(char),
    /// What stands in brackets.
    Group(Vec<Part>),
    /// Text in single quotes, which means nothing here.
    Text,
}

impl Part {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Sign(_) | Self::Group(_) | Self::Text => None,
        }
    }

    fn is(&self, word: &str) -> bool {
        self.word() == Some(word)
    }
}

/// Words, signs and brackets, without comments.
fn parse(sql: &str) -> Vec<Part> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut done = Vec::new();
    // What is read of each bracket that is open, and what stood in front of it.
    let mut open: Vec<Vec<Part>> = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let mut end = first.len_utf8();
        if rest.starts_with("--") {
            end = rest.find('\n').unwrap_or(rest.len());
        } else if first == '(' {
            open.push(std::mem::take(&mut done));
        } else if first == ')' {
            let group = Part::Group(std::mem::take(&mut done));
            done = open.pop().unwrap_or_default();
            done.push(group);
        } else if first == '\'' {
            end = rest[1..].find(first).map_or(rest.len(), |end| end + 2);
            done.push(Part::Text);
        } else if is_word(first) {
            end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            done.push(Part::Word(rest[..end].to_lowercase()));
        } else if !first.is_whitespace() && first != '"' {
            done.push(Part::Sign(first));
        }
        rest = &rest[end..];
    }
    done
}

fn split(parts: &[Part], sign: char) -> impl Iterator<Item = &[Part]> {
    parts.split(move |part| *part == Part::Sign(sign))
}

/// What stands in the first brackets.
fn brackets(parts: &[Part]) -> &[Part] {
    let groups = parts.iter().filter_map(|part| match part {
        Part::Group(parts) => Some(parts.as_slice()),
        Part::Word(_) | Part::Sign(_) | Part::Text => None,
    });
    groups.into_iter().next().unwrap_or_default()
}

/// The names in the first brackets. An expression has none.
fn columns(parts: &[Part]) -> Vec<String> {
    let name = |item: &[Part]| item.first().and_then(Part::word).unwrap_or_default().to_owned();
    split(brackets(parts), ',').map(name).collect()
}

/// Takes note of a statement that makes, changes or drops a table, or makes a unique index.
fn read(statement: &[Part], path: &str, tables: &mut BTreeMap<String, Table>) {
    const SKIPPED: [&str; 6] = ["if", "not", "exists", "only", "concurrently", "unlogged"];
    let words = statement.iter().filter_map(Part::word).filter(|word| !SKIPPED.contains(word));
    let words: Vec<_> = words.collect();
    let behind = |word: &str| {
        let place = statement.iter().position(|part| part.is(word));
        place.map_or(&[][..], |place| &statement[place + 1..])
    };
    match words[..] {
        ["create", "table", name, ..] => {
            let mut table = Table { path: path.to_owned(), ..Table::default() };
            split(brackets(statement), ',').for_each(|item| table.read(item));
            tables.insert(name.to_owned(), table);
        }
        ["alter", "table", name, "add", "column", ..] => {
            tables.entry(name.to_owned()).or_default().read(behind("column"));
        }
        ["alter", "table", name, "add", ..] => {
            tables.entry(name.to_owned()).or_default().read(behind("add"));
        }
        ["create", "unique", "index", ..] => {
            let on = behind("on");
            if let Some(name) = on.first().and_then(Part::word) {
                tables.entry(name.to_owned()).or_default().keys.push(columns(on));
            }
        }
        ["drop", "table", name, ..] => drop(tables.remove(name)),
        _ => {}
    }
}

impl Table {
    /// Takes note of a column or of a constraint on the table.
    fn read(&mut self, item: &[Part]) {
        const CONSTRAINTS: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];
        let first = item.first().and_then(Part::word).unwrap_or_default();
        let is_column = !CONSTRAINTS.contains(&first);
        let own = |rest: &[Part]| if is_column { vec![first.to_owned()] } else { columns(rest) };
        for (place, part) in item.iter().enumerate().skip(usize::from(is_column)) {
            let rest = &item[place..];
            match part.word() {
                Some("primary") => {
                    self.has_primary_key = true;
                    self.keys.push(own(rest));
                }
                Some("unique") => self.keys.push(own(rest)),
                Some("references") => {
                    let to = rest.get(1).and_then(Part::word).unwrap_or_default();
                    self.foreign.push((own(item), to.to_owned()));
                }
                Some(word) if SEQUENCES.contains(&word) => self.sequences.push(word.to_owned()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "| shared table | kind | why |\n|---|---|---|\n\
        | `campaigns` | reference | numbers |\n| `brands` | local | who pays |\n";

    /// The tables without which something would be missing.
    const BASE: &str = "CREATE TABLE campaigns (no INTEGER PRIMARY KEY, id BLOB UNIQUE);
        CREATE TABLE brands (id BLOB PRIMARY KEY);
        CREATE TABLE entries (pos INTEGER PRIMARY KEY, bytes BLOB);
        CREATE TABLE filters (pos INTEGER PRIMARY KEY);
        CREATE TABLE tiles (pos INTEGER PRIMARY KEY);
        CREATE TABLE heads (campaign_no INTEGER PRIMARY KEY REFERENCES campaigns (no));";

    fn problems_of(list: &str, sql: &str) -> Vec<String> {
        let path = format!("{SQLITE}/0001_ledger.sql");
        by_campaign(&Tree::of(&[(README, list), (&path, &format!("{BASE}{sql}"))])).problems
    }

    fn problems(sql: &str) -> Vec<String> {
        problems_of(LIST, sql)
    }

    #[test]
    fn tables_that_the_campaign_leads_pass() {
        let fine = [
            "",
            "-- CREATE TABLE a (b INTEGER PRIMARY KEY);\n",
            "CREATE TABLE a (campaign_no INTEGER NOT NULL REFERENCES campaigns (no), no INTEGER
                CONSTRAINT no_in_range CHECK (no BETWEEN 1 AND 9), PRIMARY KEY (campaign_no, no),
                CONSTRAINT a_unique UNIQUE (campaign_no, id)) STRICT, WITHOUT ROWID;",
            "CREATE TABLE IF NOT EXISTS a (campaign_id BLOB, no INTEGER,
                PRIMARY KEY (campaign_id, no),
                FOREIGN KEY (campaign_id) REFERENCES heads (campaign_no));",
            "CREATE TRIGGER t BEFORE INSERT ON entries WHEN (SELECT 1) BEGIN SELECT 'unique;'; END;",
            "CREATE UNIQUE INDEX heads_state ON heads (campaign_no, state);
                CREATE INDEX any ON heads (state);",
            "CREATE TABLE a (b INTEGER PRIMARY KEY); DROP TABLE a;",
        ];
        for sql in fine {
            assert_eq!(problems(sql), Vec::<String>::new(), "{sql}");
        }
    }

    #[test]
    fn a_key_that_the_campaign_does_not_lead_is_found() {
        let bad = [
            "CREATE TABLE a (id BLOB PRIMARY KEY);",
            "CREATE TABLE a (campaign_no INTEGER, no INTEGER, PRIMARY KEY (no, campaign_no));",
            "CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, id BLOB UNIQUE);",
            "CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, id BLOB, UNIQUE (id));",
            "CREATE UNIQUE INDEX heads_id ON heads (id);",
            "CREATE UNIQUE INDEX heads_id ON heads (lower(id));",
            "ALTER TABLE heads ADD COLUMN id BLOB UNIQUE;",
            "ALTER TABLE heads ADD CONSTRAINT heads_id UNIQUE (id, campaign_no);",
            "CREATE UNIQUE INDEX entries_n ON entries (n);",
        ];
        for sql in bad {
            let found = problems(sql);
            assert!(
                matches!(&found[..], [one] if one.contains("does not lead")),
                "{sql} {found:?}"
            );
        }
        let found = problems("CREATE TABLE a (campaign_no INTEGER, no INTEGER);");
        assert!(matches!(&found[..], [one] if one.contains("no primary key")), "{found:?}");
    }

    #[test]
    fn a_count_over_all_campaigns_is_found() {
        for column in [
            "n INTEGER AUTOINCREMENT",
            "n BIGSERIAL",
            "n BIGINT GENERATED ALWAYS AS IDENTITY",
            "n BIGINT DEFAULT nextval('numbers')",
        ] {
            let sql = format!("CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, {column});");
            let found = problems(&sql);
            assert!(
                matches!(&found[..], [one] if one.contains("counts over all")),
                "{sql} {found:?}"
            );
        }
    }

    #[test]
    fn a_foreign_key_that_may_lead_to_another_node_is_found() {
        let bad = [
            "CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, brand BLOB REFERENCES brands (id));",
            "CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, seq INTEGER REFERENCES heads (seq));",
            "CREATE TABLE a (campaign_no INTEGER PRIMARY KEY, seq INTEGER,
                FOREIGN KEY (seq, campaign_no) REFERENCES heads (seq, campaign_no));",
            "ALTER TABLE campaigns ADD COLUMN brand BLOB REFERENCES brands (id);",
            "ALTER TABLE brands ADD COLUMN latest INTEGER REFERENCES heads (campaign_no);",
        ];
        for sql in bad {
            let found = problems(sql);
            assert!(matches!(&found[..], [one] if one.contains("refers to")), "{sql} {found:?}");
        }
        let fine = "ALTER TABLE brands ADD COLUMN latest INTEGER REFERENCES campaigns (no);";
        assert_eq!(problems(fine), Vec::<String>::new());
    }

    #[test]
    fn the_list_of_shared_tables_says_what_is_there_and_why() {
        let gone = format!("{LIST}| `gone` | local | a reason |\n");
        assert_eq!(problems_of(&gone, "").len(), 1);
        let unreasoned = format!("{LIST}| `brands` | local | |\n");
        assert_eq!(problems_of(&unreasoned, "").len(), 1);
        let nowhere = format!("{LIST}| `brands` | somewhere | a reason |\n");
        assert_eq!(problems_of(&nowhere, "").len(), 1);
        let (unlisted, _) = LIST.split_once("| `brands`").expect("the last row");
        let found = problems_of(unlisted, "");
        assert!(matches!(&found[..], [one] if one.contains("table brands")), "{found:?}");
        let elsewhere = LIST.replace("shared table", "table");
        assert!(problems_of(&elsewhere, "").len() > 2);
    }

    #[test]
    fn a_packed_table_that_is_not_there_is_found() {
        let found = problems("DROP TABLE tiles;");
        assert_eq!(found.len(), 1, "{found:?}");
        let path = format!("{POSTGRES}/0001_ledger.sql");
        let sql =
            "CREATE TABLE entries (campaign_no INT, seq BIGINT, PRIMARY KEY (campaign_no, seq))";
        let other = by_campaign(&Tree::of(&[(README, ""), (&path, sql)])).problems;
        assert_eq!(other, Vec::<String>::new(), "another database may have no packed tables");
    }
}
