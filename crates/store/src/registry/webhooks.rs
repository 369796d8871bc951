//! Endpoints of brands and creators, how far each was told of each ledger, and what came of it.

use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, Seq, WebhookId};

/// Deliveries that are kept of an endpoint, beside those that wait.
pub const DELIVERIES_MAX: u64 = 10_000;

/// Whose an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Hears of its campaigns.
    Brand(BrandId),
    /// Hears of their own enrollments.
    Creator(CreatorId),
}

impl Party {
    /// The role's name and the id's bytes, as they are stored.
    pub const fn parts(self) -> (&'static str, [u8; 16]) {
        match self {
            Self::Brand(BrandId(id)) => ("brand", id),
            Self::Creator(CreatorId(id)) => ("creator", id),
        }
    }
}

/// Since when nothing is sent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Milliseconds.
    pub at: i64,
    /// A word for programs.
    pub why: String,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its public name.
    pub id: WebhookId,
    /// Whose.
    pub owner: Party,
    /// Where it is.
    pub url: String,
    /// Types of events, words without blanks; `*` is all.
    pub kinds: Vec<String>,
    /// The master that the secret comes from.
    pub key_id: u16,
    /// How often the secret was made: 1, 2, 3, …
    pub version: u32,
    /// The master of the secret before, and until when that signs as well, milliseconds.
    pub old: Option<(u16, i64)>,
    /// The request that rotated last.
    pub rotation: Option<[u8; 16]>,
    /// Since when it is known, milliseconds.
    pub created_at: i64,
    /// Since when nothing but failures, milliseconds.
    pub failing_since: Option<i64>,
    /// None while events are sent.
    pub disabled: Option<Disabled>,
}

/// How far an endpoint was told of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose ledger.
    pub campaign: CampaignId,
    /// The position up to which deliveries were planned.
    pub seq: Seq,
    /// How many of them wait.
    pub waiting: u64,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, at this time at the soonest, milliseconds.
    Waiting(i64),
    /// Taken by the endpoint.
    Delivered,
    /// Tried often enough.
    GivenUp,
}

impl DeliveryState {
    /// The name in tables and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The entry that it tells of; none for a test.
    pub entry: Option<(CampaignId, Seq)>,
    /// The type of the event.
    pub kind: String,
    /// When it was planned, milliseconds.
    pub created_at: i64,
    /// How it stands.
    pub state: DeliveryState,
    /// Sendings since it was planned or replayed.
    pub attempts: u32,
    /// When it was last sent, milliseconds, and what came of it.
    pub last: Option<(i64, String)>,
}

/// One step about endpoints.
#[derive(Clone, Debug)]
pub enum WebhookChange {
    /// An endpoint, which is told what comes behind these positions. It hears all of a campaign that is
    /// not among them.
    Add {
        /// The endpoint.
        webhook: Webhook,
        /// Ends of ledgers.
        from: Vec<(CampaignId, Seq)>,
    },
    /// Another address, other types of events.
    Edit {
        /// Which.
        id: WebhookId,
        /// The address.
        url: String,
        /// The types.
        kinds: Vec<String>,
    },
    /// Nothing more is sent, or again. What failed before is forgotten then.
    Switch {
        /// Which.
        id: WebhookId,
        /// None: again.
        disabled: Option<Disabled>,
    },
    /// The next secret. A repetition of the same request changes nothing.
    Rotate {
        /// Which.
        id: WebhookId,
        /// The master that it comes from.
        key_id: u16,
        /// The request.
        rotation: [u8; 16],
        /// Until when the secret before signs as well, milliseconds.
        old_until: i64,
    },
    /// It is gone, with its deliveries.
    Remove {
        /// Which.
        id: WebhookId,
    },
    /// Events of a ledger up to a position are to be sent.
    Plan {
        /// To which endpoint.
        id: WebhookId,
        /// Whose ledger.
        campaign: CampaignId,
        /// Everything up to here was looked at.
        upto: Seq,
        /// Positions and types.
        events: Vec<(Seq, String)>,
        /// When, milliseconds.
        at: i64,
    },
    /// An event without meaning is to be sent.
    PlanTest {
        /// To which endpoint.
        id: WebhookId,
        /// Its type.
        kind: String,
        /// When, milliseconds.
        at: i64,
    },
    /// A delivery was sent.
    NoteSent {
        /// To which endpoint.
        id: WebhookId,
        /// Which delivery.
        no: u64,
        /// When, milliseconds.
        at: i64,
        /// The status of the answer, or a word for why there was none.
        answer: String,
        /// How it stands now.
        state: DeliveryState,
        /// The endpoint is disabled with it.
        disabled: Option<Disabled>,
    },
    /// A delivery is sent again at once, whatever came of it.
    Replay {
        /// To which endpoint.
        id: WebhookId,
        /// Which delivery.
        no: u64,
        /// When, milliseconds.
        at: i64,
    },
}

impl WebhookChange {
    /// Rows that it writes, at least 1.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Add { from, .. } => 1 + from.len(),
            Self::Plan { events, .. } => 1 + events.len(),
            _ => 1,
        }
    }

    /// Memory that its texts take.
    pub(crate) fn bytes(&self) -> usize {
        let all = |words: &[String]| words.iter().map(String::len).sum::<usize>();
        match self {
            Self::Add { webhook, .. } => webhook.url.len() + all(&webhook.kinds),
            Self::Edit { url, kinds, .. } => url.len() + all(kinds),
            Self::Plan { events, .. } => events.iter().map(|(_, kind)| kind.len()).sum(),
            Self::PlanTest { kind, .. } => kind.len(),
            Self::NoteSent { answer, .. } => answer.len(),
            Self::Switch { .. }
            | Self::Rotate { .. }
            | Self::Remove { .. }
            | Self::Replay { .. } => 0,
        }
    }
}
