//! Where the money is: what the product asks of a payment provider, in the product's words.
//!
//! Whatever moves money answers by an [`Outcome`] of three values, because a lost answer is neither
//! a yes nor a no (INV-3). Idempotency keys come from the caller, who has stored them before the
//! call; nothing behind this port invents one. Times are milliseconds, amounts minor units.

use sponsorhub_core::ids::{CampaignId, CreatorId};
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::money::{Currency, Minor};

use super::Later;

/// What is asked of a payment provider. What is looked up and not there is `None`.
pub trait PaymentProvider: Send + Sync + std::fmt::Debug {
    /// Opens a page on which a brand pays a deposit.
    fn open_checkout<'a>(&'a self, order: &'a CheckoutOrder) -> Reply<'a, Checkout>;

    /// Closes a page that nobody paid on. Declined if it is not open any more: then read the payment.
    fn expire_checkout<'a>(&'a self, session: &'a str) -> Reply<'a, ()>;

    /// Reads a payment with all that is known of it now.
    fn payment<'a>(&'a self, of: PaymentOf<'a>) -> Reply<'a, Option<Payment>>;

    /// Makes the account to which a creator's money goes; returns its id.
    fn create_recipient<'a>(&'a self, order: &'a RecipientOrder) -> Reply<'a, String>;

    /// An address at which the creator answers the provider's questions. It works once and for
    /// minutes: a secret that belongs into no log.
    fn onboarding_link<'a>(
        &'a self,
        recipient: &'a str,
        addresses: &'a OnboardingAddresses,
    ) -> Reply<'a, OnboardingUrl>;

    /// What a recipient may do at this moment. It can change: ask before each transfer.
    fn recipient<'a>(&'a self, recipient: &'a str) -> Reply<'a, Option<Recipient>>;

    /// Moves a payout's money to its creator. One at a time for each recipient.
    fn transfer<'a>(&'a self, order: &'a TransferOrder) -> Later<'a, Outcome>;

    /// The transfer of that payout, by the reference that the order carried. Two of them are a
    /// contradiction that a person must see, so that is an error (INV-3).
    fn find_transfer<'a>(
        &'a self,
        group: CampaignId,
        recipient: &'a str,
        payout: &'a str,
    ) -> Reply<'a, Option<Transfer>>;

    /// A transfer by the provider's id of it.
    fn transfer_seen<'a>(&'a self, transfer: &'a str) -> Reply<'a, Option<Transfer>>;

    /// Every transfer of a campaign.
    fn transfers_of(&self, group: CampaignId) -> Reply<'_, Vec<Transfer>>;

    /// Sends money of a deposit back to where it came from.
    fn refund<'a>(&'a self, order: &'a RefundOrder) -> Later<'a, Outcome>;

    /// The refund of that charge by the reference that the order carried. Two are an error.
    fn find_refund<'a>(
        &'a self,
        charge: &'a str,
        reference: &'a str,
    ) -> Reply<'a, Option<RefundSeen>>;

    /// What lies with the provider, in the currencies that a campaign may have.
    fn balance(&self) -> Reply<'_, Vec<ProviderBalance>>;

    /// How often the platform's own balance is paid out to a bank by itself, in the provider's word;
    /// none if only by hand. What it takes is missing for creators.
    fn automatic_payouts(&self) -> Reply<'_, Option<String>>;

    /// What went on from a recipient's account to a bank, newest first: a later fact than the transfer,
    /// and the provider's.
    fn bank_payouts<'a>(&'a self, recipient: &'a str) -> Reply<'a, Vec<BankPayout>>;

    /// What happened after an event, oldest first, a page at a time; without one, or where it is
    /// older than what the provider keeps, from the oldest that it keeps.
    fn events_after<'a>(&'a self, cursor: Option<&'a str>) -> Reply<'a, EventPage>;
}

/// The answer to a question that moves no money.
pub type Reply<'a, T> = Later<'a, Result<T, ProviderError>>;

/// Why a question that moves no money has no answer. `request` is the provider's id of the
/// exchange, for whoever asks its support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// A definite no.
    #[error("the payment provider declined ({code}): {message}")]
    Declined {
        /// Its stable code.
        code: String,
        /// Its words.
        message: String,
        /// Its id of the exchange.
        request: Option<String>,
    },
    /// No definite answer; ask again, with the same key if there is one.
    #[error("the payment provider gave no definite answer: {why}")]
    Unavailable {
        /// What was seen instead.
        why: String,
        /// Its id of the exchange.
        request: Option<String>,
    },
    /// An answer that contradicts what must hold, or lacks what matters. A person must look.
    #[error("the payment provider's answer cannot be used: {what}")]
    Unusable {
        /// What is wrong with it.
        what: String,
        /// Its id of the exchange.
        request: Option<String>,
    },
}

impl ProviderError {
    /// Whether asking again may help.
    pub const fn retry(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// What came of moving money: exactly one of three.
///
/// After an `Unknown`, a `Refused` to the same key does not prove that nothing moved before: look
/// the money up first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It exists at the provider. An amount other than the ordered one goes to a person.
    Done {
        /// The provider's id of it.
        id: String,
        /// How much, minor units.
        amount: Minor,
        /// Its id of the exchange.
        request: Option<String>,
    },
    /// Definitely not: record it, and try again under another key.
    Refused {
        /// The provider's stable code.
        code: String,
        /// Its words.
        message: String,
        /// Its id of the exchange.
        request: Option<String>,
    },
    /// It may have happened or not: only the same key may be sent again, and not for ever.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
        /// The provider's id of the exchange.
        request: Option<String>,
    },
}

impl Outcome {
    /// The provider's ids of the exchange, with commas between them where it was repeated.
    pub fn request(&self) -> Option<&str> {
        let (Self::Done { request, .. }
        | Self::Refused { request, .. }
        | Self::Unknown { request, .. }) = self;
        request.as_deref()
    }
}

/// A deposit to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutOrder {
    /// For which campaign.
    pub campaign: CampaignId,
    /// How much, minor units.
    pub amount: Minor,
    /// In which currency.
    pub currency: Currency,
    /// What the brand reads that it pays for.
    pub title: String,
    /// Where the browser goes afterwards. That it comes there proves nothing.
    pub success_url: String,
    /// Where it goes if the brand turns back.
    pub cancel_url: String,
    /// The idempotency key.
    pub key: String,
}

/// A page on which a deposit can be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The provider's id of it.
    pub session: String,
    /// Where it is.
    pub url: String,
    /// Until when, milliseconds.
    pub expires_at: i64,
}

/// By what a payment is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOf<'a> {
    /// By the session of its checkout.
    Session(&'a str),
    /// By its own id.
    Payment(&'a str),
}

/// A payment as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The campaign that the checkout was opened for.
    pub campaign: CampaignId,
    /// The session of the checkout.
    pub session: String,
    /// The payment's id; none before somebody begins to pay.
    pub payment: Option<String>,
    /// The charge that transfers may be backed by.
    pub charge: Option<String>,
    /// What was received, minor units; nothing before it is paid.
    pub amount: Minor,
    /// ISO 4217 code as the provider writes it.
    pub currency: String,
    /// The world that it lives in.
    pub mode: Mode,
    /// Whether the money came.
    pub is_paid: bool,
    /// Whether it will not come any more by this checkout.
    pub is_failed: bool,
    /// What the provider keeps, minor units; known some time after it is paid.
    pub fee: Option<Minor>,
    /// When the money can be used, milliseconds; known together with the fee.
    pub available_on: Option<i64>,
    /// Every refund of it, whoever made it.
    pub refunds: Vec<RefundSeen>,
    /// Every dispute about it that is more than a question.
    pub disputes: Vec<DisputeSeen>,
}

/// An account to be made for a creator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientOrder {
    /// For whom.
    pub creator: CreatorId,
    /// Filled in for them if known.
    pub email: Option<String>,
    /// The idempotency key.
    pub key: String,
}

/// Where the provider sends a creator back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingAddresses {
    /// On leaving, finished or not.
    pub return_url: String,
    /// Where a link does not work any more: makes another.
    pub refresh_url: String,
}

/// An address that only its creator may see; prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct OnboardingUrl(pub String);

impl std::fmt::Debug for OnboardingUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A creator's account at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The provider's id of it.
    pub id: String,
    /// Whose it is, as it was noted when it was made.
    pub creator: Option<CreatorId>,
    /// Whether a transfer would be taken.
    pub may_receive_transfers: bool,
    /// Whether the money goes on to a bank.
    pub payouts_enabled: bool,
    /// What the creator has still to answer, in the provider's names, overdue ones included.
    pub requirements: Vec<String>,
    /// By when, milliseconds.
    pub deadline: Option<i64>,
    /// The provider's word for why something is off.
    pub disabled_reason: Option<String>,
}

/// Money on its way from a recipient's account to a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankPayout {
    /// The provider's id of it.
    pub id: String,
    /// How much, minor units.
    pub amount: Minor,
    /// ISO 4217 code as the provider writes it.
    pub currency: String,
    /// The provider's word: pending, `in_transit`, paid, failed, canceled. Paid may still fail.
    pub state: String,
    /// When it is expected, milliseconds.
    pub arrives_at: i64,
}

/// A payout's money to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferOrder {
    /// To whom.
    pub recipient: String,
    /// How much, minor units.
    pub amount: Minor,
    /// In which currency.
    pub currency: Currency,
    /// The charge that the money comes from; without one it must be available already.
    pub backing: Option<String>,
    /// The campaign, by which transfers can be listed.
    pub group: CampaignId,
    /// By which the transfer of this payout is found again, whatever the attempt.
    pub payout: String,
    /// The idempotency key of this attempt.
    pub key: String,
    /// After this the provider may have forgotten the key, so it is not sent, milliseconds.
    pub until: i64,
}

/// A transfer as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The provider's id of it.
    pub id: String,
    /// The reference that its order carried.
    pub payout: Option<String>,
    /// How much, minor units.
    pub amount: Minor,
    /// What of it came back, minor units.
    pub reversed: Minor,
    /// ISO 4217 code as the provider writes it.
    pub currency: String,
    /// When, milliseconds.
    pub created_at: i64,
}

/// A refund to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrder {
    /// Of which charge.
    pub charge: String,
    /// How much, minor units.
    pub amount: Minor,
    /// In which currency.
    pub currency: Currency,
    /// By which it is found again.
    pub reference: String,
    /// The idempotency key.
    pub key: String,
    /// After this the provider may have forgotten the key, so it is not sent, milliseconds.
    pub until: i64,
}

/// A refund as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundSeen {
    /// The provider's id of it.
    pub id: String,
    /// What the order carried; none, or a stranger's, where the product did not order it.
    pub reference: Option<String>,
    /// When it was ordered, milliseconds.
    pub created_at: i64,
    /// How much, minor units.
    pub amount: Minor,
    /// ISO 4217 code as the provider writes it.
    pub currency: String,
    /// How far it is.
    pub progress: RefundProgress,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundProgress {
    /// On its way.
    Pending,
    /// The money is back.
    Succeeded,
    /// It did not go through; the money is still with the provider.
    Failed,
}

/// A dispute as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeSeen {
    /// The provider's id of it.
    pub id: String,
    /// What it is about, minor units.
    pub amount: Minor,
    /// When it was opened, milliseconds.
    pub created_at: i64,
    /// What it took, without fees, minor units.
    pub withdrawn: Minor,
    /// What of that came back.
    pub returned: Minor,
    /// What the provider charges for it, minor units.
    pub fee: Minor,
    /// How far it is.
    pub progress: DisputeProgress,
}

/// How far a dispute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeProgress {
    /// Nobody has decided.
    Open,
    /// The money comes back, or never left.
    Won,
    /// The money stays away.
    Lost,
}

/// Money of one currency at the provider; either may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderBalance {
    /// Which currency.
    pub currency: Currency,
    /// What can be used, minor units.
    pub available: Minor,
    /// What is still on its way, minor units.
    pub pending: Minor,
}

/// Something that happened at the provider. It says that there is something to read again, and
/// nothing more: order is not promised, and the same fact may be told twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    /// Its id, by which a repetition is known.
    pub id: String,
    /// The provider's word for what happened.
    pub kind: String,
    /// When, milliseconds.
    pub created_at: i64,
    /// Whether it is about real money.
    pub is_live: bool,
    /// The recipient in whose account it happened; none for our own.
    pub recipient: Option<String>,
    /// The id of the object that it is about, if that has one.
    pub object: Option<String>,
    /// The payment that the object belongs to or is, if it says so.
    pub payment: Option<String>,
}

/// Some events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<ProviderEvent>,
    /// From where to go on; as it was given where nothing happened.
    pub cursor: Option<String>,
    /// Whether more is there already.
    pub has_more: bool,
}
