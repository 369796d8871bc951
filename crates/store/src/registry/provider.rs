//! What is known of the payment provider beside the ledgers: accounts of creators, and its events.

use sponsorhub_core::ids::{CampaignId, CreatorId, Seq};

/// The account that a creator is paid to, as the provider described it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose.
    pub creator: CreatorId,
    /// The provider's id of it. Never changes.
    pub account: String,
    /// Whether a transfer would be taken.
    pub may_receive: bool,
    /// Whether the money goes on to a bank.
    pub payouts_enabled: bool,
    /// When it was made, milliseconds.
    pub created_at: i64,
    /// When the provider was asked last, milliseconds.
    pub checked_at: i64,
}

/// How an event of the provider came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By a signed request about the platform's own account.
    Account,
    /// By a signed request about a creator's account.
    Connect,
    /// From the provider's list, asked for with the secret key.
    List,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Account, Self::Connect, Self::List];

    /// The name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Connect => "connect",
            Self::List => "list",
        }
    }
}

/// An event of the provider, kept before anything is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// The provider's id, by which a repetition is known.
    pub id: String,
    /// How it came.
    pub endpoint: Endpoint,
    /// The provider's word for what happened.
    pub kind: String,
    /// When it happened, milliseconds.
    pub created_at: i64,
    /// When it came, milliseconds.
    pub received_at: i64,
    /// The account in which it happened; none for the platform's own.
    pub recipient: Option<String>,
    /// The id of the object that it is about.
    pub object: Option<String>,
    /// The payment that the object belongs to or is.
    pub payment: Option<String>,
    /// The body as it was signed, of an event that an earlier version kept; empty otherwise.
    pub raw: Vec<u8>,
    /// How often it was tried in vain.
    pub tries: u32,
}

/// How an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventState {
    /// When it was dealt with, milliseconds; none while it waits.
    pub done_at: Option<i64>,
    /// When it is tried next, milliseconds; of one that was dealt with, when it was tried last.
    pub retry_at: i64,
    /// What came of it, or of the last try; none before the first.
    pub outcome: Option<String>,
}

/// A sending that was to move money, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Of which campaign.
    pub campaign: CampaignId,
    /// The entry that planned the payout or refund.
    pub planned: Seq,
    /// The idempotency key that was sent.
    pub key: String,
    /// When, milliseconds.
    pub at: i64,
    /// What came of it.
    pub outcome: Exchanged,
    /// The provider's ids of the exchange, in the order of sending, with commas between them; empty
    /// where none came. Its support finds an exchange by these.
    pub requests: String,
}

/// What came of a sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// A definite yes.
    Done,
    /// A definite no.
    Refused,
    /// Neither.
    Unknown,
}

impl Exchanged {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Unknown];

    /// The name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// One step about the provider.
#[derive(Clone, Debug)]
pub enum ProviderChange {
    /// A creator has an account.
    KeepRecipient(Recipient),
    /// The provider said something of an account. What it said before that time is passed over.
    NoteRecipient {
        /// Which.
        account: String,
        /// Whether a transfer would be taken.
        may_receive: bool,
        /// Whether the money goes on to a bank.
        payouts_enabled: bool,
        /// When it was asked, milliseconds.
        at: i64,
    },
    /// An event came.
    KeepEvent(KeptEvent),
    /// An event could not be dealt with now.
    RetryEvent {
        /// Which.
        id: String,
        /// When to try again, milliseconds.
        retry_at: i64,
        /// Why not now.
        why: String,
    },
    /// An event that waits is tried at once, once more. What was dealt with stays so.
    HurryEvent {
        /// Which.
        id: String,
        /// From when on, milliseconds.
        at: i64,
    },
    /// An event is dealt with.
    FinishEvent {
        /// Which.
        id: String,
        /// When, milliseconds.
        at: i64,
        /// What came of it.
        outcome: String,
    },
    /// Bodies of events that were dealt with before a time are forgotten.
    ForgetEvents {
        /// That time, milliseconds.
        before: i64,
    },
    /// Money was ordered to move.
    KeepExchange(Exchange),
    /// The provider's list of events was read up to here.
    KeepCursor {
        /// From where to go on.
        cursor: String,
        /// When, milliseconds.
        at: i64,
    },
}

impl ProviderChange {
    /// Memory that its texts take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::KeepRecipient(recipient) => recipient.account.len(),
            Self::NoteRecipient { account, .. } => account.len(),
            Self::KeepEvent(event) => event.raw.len() + event.kind.len() + event.id.len(),
            Self::RetryEvent { id, why, .. } => id.len() + why.len(),
            Self::FinishEvent { id, outcome, .. } => id.len() + outcome.len(),
            Self::HurryEvent { id, .. } => id.len(),
            Self::ForgetEvents { .. } => 0,
            Self::KeepExchange(exchange) => exchange.key.len() + exchange.requests.len(),
            Self::KeepCursor { cursor, .. } => cursor.len(),
        }
    }
}
