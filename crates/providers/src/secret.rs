//! Secrets of other parties, kept from logs.

use std::fmt;

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it can be one: there is something, and no blank or line end slipped in with it.
    pub fn is_whole(&self) -> bool {
        !self.0.is_empty() && !self.0.contains(|c: char| c.is_whitespace() || c.is_control())
    }

    /// The text, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars() {
        assert_eq!(format!("{:?}", Secret::new("sk_test_1")), "***");
    }

    #[test]
    fn what_is_empty_or_has_a_blank_is_no_secret() {
        assert!(Secret::new("whsec_1").is_whole());
        for text in ["", " ", "\t", "whsec_1\n", " whsec_1", "whsec 1", "whsec_1\0"] {
            assert!(!Secret::new(text).is_whole(), "{text:?}");
        }
    }
}
