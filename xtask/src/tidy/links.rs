//! Relative links in documents lead to files that exist, and to headings that exist in them.

use super::Report;
use super::tree::Tree;

/// Links in all documents.
pub(super) fn resolve(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for (path, text) in tree.ending(".md") {
        for (line, target) in links(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            looked_at += 1;
            if let Some(problem) = broken(tree, path, &target) {
                problems.push(format!("{path}:{line}: {target}: {problem}"));
            }
        }
    }
    Report::new(format!("{looked_at} links"), problems)
}

fn broken(tree: &Tree, from: &str, target: &str) -> Option<&'static str> {
    let (file, heading) = target.split_once('#').map_or((target, None), |(f, h)| (f, Some(h)));
    let path = if file.is_empty() { from.to_owned() } else { joined(from, file)? };
    if !tree.has(&path) {
        return Some("no such file");
    }
    let heading = heading.filter(|_| path.rsplit('.').next() == Some("md"))?;
    let known = tree.text(&path)?.lines().filter_map(|line| line.strip_prefix('#'));
    let found = known.map(|line| slug(line.trim_start_matches('#'))).any(|slug| slug == heading);
    if found { None } else { Some("no such heading") }
}

/// The target seen from the workspace's root. A path that leaves it cannot be checked here.
fn joined(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// How a heading is addressed: lower case, blanks as hyphens, no punctuation.
fn slug(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

/// Targets of `[text](target)` and `[text]: target` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut add = |target: &str| {
            let target = target.split_whitespace().next().unwrap_or_default();
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        };
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            add(target);
        }
        for part in line.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                add(target);
            }
        }
    }
    found
}

/// Lines of a document outside fenced blocks, without their code spans, numbered from 1.
pub(super) fn prose(text: &str) -> Vec<(usize, String)> {
    outside_fences(text)
        .into_iter()
        .map(|(number, line)| (number, line.split('`').step_by(2).collect()))
        .collect()
}

/// Lines of a document outside fenced blocks, numbered from 1.
pub(super) fn outside_fences(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            lines.push((index + 1, line));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let other = ("docs/adr/README.md", "# Decisions\n## Why, and how\n");
        resolve(&Tree::of(&[("docs/a.md", text), other, ("README.md", "")])).problems
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(problems("see\n[b](b.md)"), ["docs/a.md:2: b.md: no such file"]);
        assert_eq!(problems("[b]: ../b.md").len(), 1);
        assert_eq!(problems("[b](adr/README.md#whatever)").len(), 1);
        assert_eq!(problems("[b](#whatever)").len(), 1);
        assert_eq!(problems("[a](adr/) and [b](b.md)").len(), 1);
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# One\n[a](adr/README.md#why-and-how) [b](../README.md) [c](#one) [d](adr/)";
        assert_eq!(problems(text), Vec::<String>::new());
    }

    #[test]
    fn code_and_other_sites_are_left_alone() {
        let text = "`[a](b.md)` [x](https://example.org/b.md)\n```\n[c](d.md)\n```\n";
        assert_eq!(problems(text), Vec::<String>::new());
    }
}
