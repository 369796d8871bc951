//! Vanity slugs: a short name that a creator may give to a link, `/r/anna-summer`.
//!
//! A slug is an alias and proves nothing by itself: it is looked up, and what it stands for is a
//! link like any other. It has one spelling and cannot be taken for a link token, which is longer
//! than the longest slug.

use std::fmt;
use std::str::FromStr;

use super::link::LINK_LENGTH;

/// Fewest characters.
pub const SLUG_MIN: usize = 3;

/// Most characters.
pub const SLUG_MAX: usize = 40;

// Whatever stands behind `/r/` is either a slug or a token, by its length alone.
const _: () = assert!(SLUG_MAX < LINK_LENGTH);

/// Words that would pass for a part of the platform.
const RESERVED: [&str; 24] = [
    "about",
    "account",
    "admin",
    "api",
    "assets",
    "billing",
    "brand",
    "brands",
    "creator",
    "creators",
    "demo",
    "docs",
    "healthz",
    "help",
    "log",
    "login",
    "logout",
    "metrics",
    "payout",
    "privacy",
    "sponsorhub",
    "static",
    "support",
    "webhooks",
];

/// The name of a link: 3 to 40 of a-z, 0-9 and single hyphens inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Too short or too long.
    #[error("a slug has {SLUG_MIN} to {SLUG_MAX} characters")]
    Length,
    /// A character that is not a-z, 0-9 or a hyphen.
    #[error("a slug consists of a-z, 0-9 and hyphens")]
    Character,
    /// A hyphen at an end, or two in a row.
    #[error("hyphens of a slug stand alone and inside")]
    Hyphen,
    /// A word of the platform.
    #[error("this word is reserved")]
    Reserved,
}

impl SlugError {
    /// The stable code, part of the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "slug_length",
            Self::Character => "slug_character",
            Self::Hyphen => "slug_hyphen",
            Self::Reserved => "slug_reserved",
        }
    }
}

impl Slug {
    /// The slug in its one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    /// Takes capital letters for small ones.
    fn from_str(text: &str) -> Result<Self, SlugError> {
        if !(SLUG_MIN..=SLUG_MAX).contains(&text.len()) {
            return Err(SlugError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(SlugError::Character);
        }
        if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            return Err(SlugError::Hyphen);
        }
        let slug = text.to_ascii_lowercase();
        if RESERVED.contains(&slug.as_str()) {
            return Err(SlugError::Reserved);
        }
        Ok(Self(slug))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_has_one_spelling() {
        let slug: Slug = "Anna-Summer-26".parse().expect("a slug");
        assert_eq!(slug.as_str(), "anna-summer-26");
        assert_eq!(slug.as_str().parse(), Ok(slug.clone()));
    }

    #[test]
    fn what_is_no_slug_is_refused_with_its_reason() {
        let long = "a".repeat(41);
        let cases = [
            ("ab", SlugError::Length),
            (long.as_str(), SlugError::Length),
            ("", SlugError::Length),
            ("anna_s", SlugError::Character),
            ("anna/s", SlugError::Character),
            ("аnna", SlugError::Character),
            ("an na", SlugError::Character),
            ("-anna", SlugError::Hyphen),
            ("anna-", SlugError::Hyphen),
            ("an--na", SlugError::Hyphen),
            ("Admin", SlugError::Reserved),
            ("API", SlugError::Reserved),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Slug>(), Err(error), "{text}");
        }
    }

    #[test]
    fn no_link_token_is_a_slug() {
        assert_eq!("a".repeat(LINK_LENGTH).parse::<Slug>(), Err(SlugError::Length));
    }
}
