//! Who uses the API, and what was asked of it under which idempotency key.

/// Whom a user of the identity provider is here, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identity provider's id.
    pub subject: String,
    /// `viewer`, `member`, `owner`, `creator` or `admin`.
    pub role: String,
    /// The bytes of the brand's or creator's id; none for operators.
    pub party: Option<[u8; 16]>,
    /// The identity provider's organisation through which they are in a brand's team.
    pub organisation: Option<String>,
    /// When they joined, milliseconds.
    pub created_at: i64,
    /// When that was changed last, milliseconds.
    pub changed_at: i64,
    /// From when on nothing is allowed, milliseconds.
    pub suspended_at: Option<i64>,
    /// Whether an operator has decided that, which no owner of a team undoes.
    pub suspended_by_operator: bool,
}

impl User {
    /// Memory that its texts take.
    fn bytes(&self) -> usize {
        self.subject.len() + self.organisation.as_ref().map_or(0, String::len)
    }
}

/// What changes of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChange {
    /// Whose.
    pub subject: String,
    /// The role from now on, on the same side.
    pub role: String,
    /// From when on nothing is allowed; none lets them in again.
    pub suspended_at: Option<i64>,
    /// When, milliseconds. What is older than the last change is passed over.
    pub at: i64,
    /// Whether a brand must keep somebody who may do everything. Not where it is no choice, as when
    /// the identity provider has deleted somebody.
    pub keeps_an_owner: bool,
    /// Who says so.
    pub by: Decider,
}

/// Who decides about a user. What operators decided only they undo, and who operates is named at the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decider {
    /// An owner of the brand, or the identity provider.
    Team,
    /// An operator.
    Operator,
    /// Whoever has the machine.
    Machine,
}

/// A request that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// Who asked.
    pub subject: String,
    /// Under which key, as a tag by which only who holds the keyring recognises it.
    pub key: String,
    /// A tag over method, path and body, made in the same way.
    pub fingerprint: [u8; 32],
    /// What ids of things that it makes come from.
    pub seed: [u8; 16],
    /// When, milliseconds.
    pub created_at: i64,
    /// Status and body of the answer, once there is one.
    pub answer: Option<(u16, Vec<u8>)>,
}

/// A request that was to change something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// When, milliseconds.
    pub at: i64,
    /// The user's or the API key's id.
    pub subject: String,
    /// In which role.
    pub role: String,
    /// The identity provider's id of the session; none of API keys.
    pub session: Option<String>,
    /// What was asked.
    pub method: String,
    /// Of which address.
    pub path: String,
    /// How it was answered.
    pub status: u16,
    /// How many requests the row stands for.
    pub count: u32,
    /// From which network, under the pepper.
    pub network: [u8; 8],
}

/// A job that an operator paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedJob {
    /// Its name.
    pub job: String,
    /// Since when, milliseconds.
    pub since: i64,
    /// The operator's id at the identity provider.
    pub subject: String,
}

/// One step about the API.
#[derive(Clone, Debug)]
pub enum ApiChange {
    /// Somebody is listed, whatever the identity provider said of them.
    KeepUser(User),
    /// Somebody joins by a token. Refused if they, or they out of this organisation, left after it was
    /// issued. Whoever acts for a brand in an organisation is in the team of the brand that this is; where
    /// there is none yet, an owner's joining makes it. All of it in one step, so that an organisation is one
    /// brand, and whoever is refused leaves nothing behind. Who joins a team of which an operator has suspended
    /// somebody is suspended like them, until an operator lets them in; and where an owner has, who joins looks on until an
    /// owner raises them.
    Admit {
        /// Who. The party is the one to be made where there is none yet.
        user: User,
        /// What a brand or creator that is made is called.
        name: String,
        /// When the token was issued, milliseconds.
        issued_at: i64,
    },
    /// Somebody left the identity provider, or an organisation of it. The latest time counts.
    NoteDeparture {
        /// The identity provider's id of the user.
        subject: String,
        /// Which organisation; none: altogether.
        organisation: Option<String>,
        /// When, milliseconds.
        at: i64,
    },
    /// What a user may do changes.
    ChangeUser(UserChange),
    /// Somebody asked for a change.
    NoteAccess(Access),
    /// A job is paused; one that is already stays so since then.
    PauseJob(PausedJob),
    /// A job goes on, if it was paused.
    ResumeJob {
        /// Which.
        job: String,
    },
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
            Self::KeepUser(user) => user.bytes(),
            Self::Admit { user, name, .. } => user.bytes() + name.len(),
            Self::NoteDeparture { subject, organisation, .. } => {
                subject.len() + organisation.as_ref().map_or(0, String::len)
            }
            Self::NoteAccess(access) => access.subject.len() + access.path.len(),
            Self::ChangeUser(change) => change.subject.len(),
            Self::PauseJob(paused) => paused.job.len() + paused.subject.len(),
            Self::ResumeJob { job } => job.len(),
            Self::BeginRequest(request) => request.subject.len() + request.key.len(),
            Self::EndRequest { subject, key, body, .. } => subject.len() + key.len() + body.len(),
        }
    }
}
