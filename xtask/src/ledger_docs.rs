//! Writes docs/ledger.md: one worked example per entry kind, from the golden files of the core.
//!
//! The golden ledger is replayed entry by entry, so the balances are computed and not typed. What a
//! kind means is the doc comment of its body type. `--check` compares instead of writing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::balance::Balances;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::money::Minor;

use crate::run::{Outcome, write_or_check};

const PATH: &str = "docs/ledger.md";
const GOLDEN: &str = "crates/core/golden/v1";
const EVENTS: &str = "crates/core/src/ledger/event";

/// A golden file of a kind.
#[derive(Debug, Deserialize)]
struct Golden {
    bytes: String,
    code: u8,
    leaf: String,
    seq: usize,
}

/// One entry of the replayed ledger.
struct Replayed {
    postings: Postings,
    before: Balances,
    after: Balances,
}

/// Writes or checks the document.
pub(crate) fn run(root: &Path, check: bool) -> Result<Outcome> {
    write_or_check(root, PATH, &render(root)?, check, "ledger-docs")
}

fn render(root: &Path) -> Result<String> {
    let texts = doc_comments(&root.join(EVENTS))?;
    let ledger = replay(&root.join(GOLDEN).join("ledger.jsonl"))?;
    let mut out = String::from(HEAD);
    for kind in Kind::ALL {
        let name = format!("{:02}_{kind}.json", kind.code());
        let golden = std::fs::read_to_string(root.join(GOLDEN).join(&name)).context(name)?;
        let golden: Golden = serde_json::from_str(&golden).context("a golden file")?;
        ensure!(golden.code == kind.code(), "{kind}: the golden file has code {}", golden.code);
        let index = golden.seq.checked_sub(1).context("positions begin at 1")?;
        let replayed = ledger.get(index).context("the golden ledger is shorter")?;
        let text = texts.get(kind.name()).map_or("", String::as_str);
        section(&mut out, *kind, text, &golden, replayed)?;
    }
    Ok(out)
}

const HEAD: &str = "# The ledger, kind by kind

Written by `cargo xtask ledger-docs` from the golden files in `crates/core/golden/v1` and the doc comments in
`crates/core/src/ledger/event`; change those, not this file. Every example is one entry of the same ledger,
`crates/core/golden/v1/ledger.jsonl`, which is replayed to compute what stands here.

An entry is stored and hashed without white space, as one line; it is spread out here to be read. Amounts are minor units
(cents). `seq` is the position in the campaign's ledger, `n` counts the entries of one enrollment, `salt` keeps the hash
from telling what a guess would confirm. A debit makes provider, clawback, brand_receivable and provider_costs larger, a
credit all others; debits and credits of every entry are equal (INV-1). Accounts with a creator behind them are those of
the entry's enrollment.

Conversions post nothing when they are taken in. The fold posts their effect, strictly in ledger order and under the cap,
in the `rollup.accrued` entries of the next run.
";

/// What the body types say of their kinds: comments that begin with the kind in backticks.
fn doc_comments(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for file in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let source = std::fs::read_to_string(file?.path())?;
        let mut open: Option<(String, String)> = None;
        for line in source.lines() {
            let comment = line.strip_prefix("///").map(str::trim);
            match (&mut open, comment) {
                (None, Some(comment)) => open = beginning(comment),
                (Some((_, text)), Some(more)) => {
                    text.push(' ');
                    text.push_str(more);
                }
                (Some(_), None) => texts.extend(open.take()),
                (None, None) => {}
            }
        }
    }
    Ok(texts)
}

fn beginning(comment: &str) -> Option<(String, String)> {
    let (name, rest) = comment.strip_prefix('`')?.split_once('`')?;
    Kind::from_name(name)?;
    let text = rest.trim_start_matches([':', '.', ' ']);
    Some((name.to_owned(), text.to_owned()))
}

fn replay(path: &Path) -> Result<Vec<Replayed>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut lines = text.lines();
    let first = Entry::decode(lines.next().context("an empty ledger")?.as_bytes())?;
    let mut campaign = Campaign::open(&first)?;
    let none = Balances::default();
    let opening = Replayed { postings: Postings::NONE, before: none.clone(), after: none };
    let mut replayed = vec![opening];
    for line in lines {
        let before = campaign.balances().clone();
        let postings = campaign.apply(&Entry::decode(line.as_bytes())?)?;
        replayed.push(Replayed { postings, before, after: campaign.balances().clone() });
    }
    Ok(replayed)
}

fn section(
    out: &mut String,
    kind: Kind,
    text: &str,
    golden: &Golden,
    replayed: &Replayed,
) -> Result<()> {
    writeln!(out, "\n## `{kind}`\n")?;
    if !text.is_empty() {
        writeln!(out, "{}\n", capitalised(text))?;
    }
    let value: serde_json::Value = serde_json::from_str(&golden.bytes)?;
    writeln!(out, "```json\n{}\n```\n", serde_json::to_string_pretty(&value)?)?;
    writeln!(out, "Leaf `{}`, code {}.\n", golden.leaf, golden.code)?;
    let Replayed { postings, before, after } = replayed;
    if postings.is_none() {
        writeln!(out, "It moves no money.")?;
        return Ok(());
    }
    writeln!(out, "| account | debit | credit | before | after |\n|---|--:|--:|--:|--:|")?;
    for (account, change) in postings.iter() {
        let (debit, credit) = sides(change);
        let of = |balances: &Balances| match postings.enrollment() {
            Some(no) if account.is_per_enrollment() => balances.of(account, no),
            _ => balances.total(account),
        };
        writeln!(
            out,
            "| {} | {debit} | {credit} | {} | {} |",
            label(account),
            of(before),
            of(after)
        )?;
    }
    Ok(())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn sides(change: Minor) -> (String, String) {
    if change.is_positive() {
        (change.to_string(), String::new())
    } else {
        (String::new(), (-change).to_string())
    }
}

fn label(account: Account) -> String {
    if account.is_per_enrollment() { format!("{account} (creator)") } else { account.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workspace_root;

    #[test]
    fn every_kind_has_a_section_and_debits_equal_credits_in_each() {
        let text = render(&workspace_root()).expect("renders");
        let sections: Vec<_> = text.split("\n## `").skip(1).collect();
        assert_eq!(sections.len(), Kind::ALL.len());
        for section in sections {
            let rows = section.lines().filter(|line| line.ends_with(" |") && line.contains("| "));
            let (mut debits, mut credits) = (0_i64, 0_i64);
            for row in rows.filter(|row| !row.starts_with("| account")) {
                let cells: Vec<_> = row.split('|').map(str::trim).collect();
                debits += cells[2].parse::<i64>().unwrap_or(0);
                credits += cells[3].parse::<i64>().unwrap_or(0);
            }
            assert_eq!(debits, credits, "{section}");
        }
    }

    #[test]
    fn every_kind_is_explained_by_its_body_type() {
        let texts = doc_comments(&workspace_root().join(EVENTS)).expect("reads");
        for kind in Kind::ALL {
            assert!(texts.contains_key(kind.name()), "{kind} has no doc comment of its own");
        }
    }
}
