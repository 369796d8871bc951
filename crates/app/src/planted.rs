//! Bugs that lost other people's money, to be put back on purpose.
//!
//! `cargo xtask prove` plants one after the other and sees that the test which is named after it fails,
//! and no other. A build without the feature `planted-bugs` has nothing of this.

/// A bug that a public project had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// elizaOS/eliza 11022: a transfer was rejected and its money given back, and its retry paid without
    /// taking the money again.
    PaidWithoutDebit,
    /// antiwork/gumroad 6620: whoever puts a payout of unknown outcome back into the queue sends it under
    /// a fresh key.
    FreshKeyOnRequeue,
    /// spree/spree 14500: a sweep takes what is unknown for failed, after the provider forgot the key.
    OldUnknownIsFailed,
    /// `BasedHardware/omi` 7184: the date is part of the key, so that midnight makes another.
    DateInKey,
    /// liberapay 1533: a repetition under the same key asks for what is owed by now.
    AmountOfNow,
    /// solana SDP 673: one route does not look at the idempotency key that its siblings honour.
    KeyIgnored,
}

impl Bug {
    /// What `SPONSORHUB_PLANTED_BUG` says to plant it, and the test is named after.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaidWithoutDebit => "eliza_11022",
            Self::FreshKeyOnRequeue => "gumroad_6620",
            Self::OldUnknownIsFailed => "spree_14500",
            Self::DateInKey => "omi_7184",
            Self::AmountOfNow => "liberapay_1533",
            Self::KeyIgnored => "sdp_673",
        }
    }

    /// Whether it is planted.
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: no product is built with the feature"
    )]
    pub fn is_planted(self) -> bool {
        cfg!(feature = "planted-bugs")
            && std::env::var("SPONSORHUB_PLANTED_BUG").is_ok_and(|name| name == self.name())
    }
}
