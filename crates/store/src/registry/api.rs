//! Who uses the API, and what was asked of it under which idempotency key.

/// Whom a user of the identity provider is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identity provider's id.
    pub subject: String,
    /// `brand` or `creator`.
    pub role: String,
    /// The bytes of the brand's or creator's id.
    pub party: [u8; 16],
    /// When it joined, milliseconds.
    pub created_at: i64,
}

/// A request that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// Who asked.
    pub subject: String,
    /// Under which key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// What ids of things that it makes come from.
    pub seed: [u8; 16],
    /// When, milliseconds.
    pub created_at: i64,
    /// Status and body of the answer, once there is one.
    pub answer: Option<(u16, Vec<u8>)>,
}

/// One step about the API.
#[derive(Clone, Debug)]
pub enum ApiChange {
    /// Somebody joins.
    KeepUser(User),
    /// A request begins; its answer is none.
    BeginRequest(ApiRequest),
    /// A request is answered.
    EndRequest {
        /// Who asked.
        subject: String,
        /// Under which key.
        key: String,
        /// The answer's status.
        status: u16,
        /// The answer's body.
        body: Vec<u8>,
        /// When, milliseconds.
        at: i64,
    },
}

impl ApiChange {
    /// Memory that its texts take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::KeepUser(user) => user.subject.len(),
            Self::BeginRequest(request) => request.subject.len() + request.key.len(),
            Self::EndRequest { subject, key, body, .. } => subject.len() + key.len() + body.len(),
        }
    }
}
