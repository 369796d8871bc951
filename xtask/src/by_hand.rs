//! The part of a generated document that people write: it stays when the rest is written again.

/// What stands in `before` from `marker` on, or `beginning` where there is none yet.
pub(crate) fn kept(before: &str, marker: &str, beginning: &str) -> String {
    match before.find(marker) {
        Some(at) => before[at..].to_owned(),
        None => format!("{marker}\n\n{beginning}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn what_was_written_by_hand_stays() {
        assert_eq!(kept("old\n<!-- x -->\n\nmine\n", "<!-- x -->", "new"), "<!-- x -->\n\nmine\n");
        assert_eq!(kept("old", "<!-- x -->", "new"), "<!-- x -->\n\nnew\n");
    }
}
