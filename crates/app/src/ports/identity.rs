//! Who somebody is: what the product asks of an identity provider.

use sponsorhub_core::actor::Side;

use super::Later;

/// Tells who sent a session token.
pub trait Identity: Send + Sync + std::fmt::Debug {
    /// Checks a token, without `Bearer ` before it, against the time `now`, milliseconds.
    ///
    /// # Errors
    /// [`IdentityError`]: nobody is signed in by this token, or that cannot be found out now.
    fn verify<'a>(&'a self, token: &'a str, now: i64) -> Later<'a, Result<Claims, IdentityError>>;
}

/// What a valid token says. It may be a minute late: what concerns money is looked up again in the
/// product's own list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user's id at the identity provider.
    pub subject: String,
    /// The session's id.
    pub session: String,
    /// The side, if the token names one that exists in its claim `role`. Without it nothing is allowed.
    pub side: Option<Side>,
    /// The organisation that the user acts for at this moment.
    pub organisation: Option<Organisation>,
    /// Who is really there, where somebody acts in the user's name. Not for money.
    pub impersonator: Option<String>,
    /// When the token was issued, milliseconds.
    pub issued_at: i64,
    /// Until when the token is valid, milliseconds.
    pub expires_at: i64,
}

/// The organisation that a user acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id at the identity provider.
    pub id: String,
    /// What the user is in it, without a prefix: `admin`, `member`, …
    pub role: Option<String>,
}

/// Why a token is not believed. No variant repeats what the token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not three parts of base64 with JSON in them, or too long.
    #[error("the token cannot be read")]
    Malformed,
    /// Signed otherwise than agreed, or not at all.
    #[error("the token's algorithm is not the agreed one")]
    Algorithm,
    /// Its header demands something that is not understood.
    #[error("the token's header asks for something unknown")]
    Header,
    /// The identity provider publishes no such key.
    #[error("the token is signed by an unknown key")]
    UnknownKey,
    /// Changed, or signed by another key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or of another type.
    #[error("the token's claim `{0}` is missing or cannot be read")]
    Claim(&'static str),
    /// Issued by somebody else.
    #[error("the token was issued by somebody else")]
    Issuer,
    /// Made for a page of another origin.
    #[error("the token was made for another origin")]
    Party,
    /// Past its end.
    #[error("the token has expired")]
    Expired,
    /// Before its beginning.
    #[error("the token is not valid yet")]
    NotYet,
    /// The user has still to finish signing in.
    #[error("the user has not finished signing in")]
    Pending,
    /// The provider's keys cannot be fetched; nothing is known about the token.
    #[error("the identity provider's keys cannot be fetched")]
    Unavailable,
}

impl IdentityError {
    /// Whether the same token may be believed in a moment.
    pub const fn retry(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}
