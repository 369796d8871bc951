//! Money in: a checkout is opened, and what the payment provider says of it is booked.
//!
//! Nothing that an event says is believed: it only tells which payment to read again. What is read
//! passes through [`check_deposit`], the only maker of what confirms a deposit (INV-9).

mod cases;

use sponsorhub_core::deposit::{ObservedDeposit, check_deposit, provider_fee_reserve};
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::records::DepositStatus;
use sponsorhub_core::money::{AMOUNT_MAX, Currency, Minor};
use sponsorhub_core::refusal::Refusal;

use crate::desk::{CommandError, Desk};
use crate::ports::payment::{Checkout, CheckoutOrder, Payment, PaymentOf};
use crate::ports::{PaymentProvider, ProviderError};

/// Why money did not move, or is not known to have.
#[derive(Debug, thiserror::Error)]
pub enum MoneyError {
    /// The ledger said no, or could not be asked.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The provider said no, or could not be asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl From<Refusal> for MoneyError {
    fn from(refusal: Refusal) -> Self {
        Self::Command(refusal.into())
    }
}

impl From<sponsorhub_store::StoreError> for MoneyError {
    fn from(error: sponsorhub_store::StoreError) -> Self {
        Self::Command(error.into())
    }
}

impl MoneyError {
    /// Whether the same may succeed in a moment.
    pub const fn retry(&self) -> bool {
        match self {
            Self::Provider(error) => error.retry(),
            Self::Command(error) => matches!(error, CommandError::Busy | CommandError::Store(_)),
        }
    }
}

/// A deposit that a brand wants to pay in.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// For which campaign.
    pub campaign: CampaignId,
    /// The part that becomes campaign funds, minor units. The reserve for the provider's fee comes
    /// on top.
    pub budget_part: Minor,
    /// Its currency, which must be the campaign's.
    pub currency: Currency,
    /// What the brand reads that it pays for.
    pub title: &'a str,
    /// Where the browser goes after paying; that it comes there proves nothing.
    pub success_url: &'a str,
    /// Where it goes if the brand turns back.
    pub cancel_url: &'a str,
    /// The idempotency key, the same for every repetition.
    pub key: &'a str,
}

/// A deposit that waits to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its name in the ledger.
    pub deposit: Seq,
    /// What is to be paid: budget part and fee reserve, minor units.
    pub total: Minor,
    /// The page to pay on.
    pub checkout: Checkout,
}

/// Opens a checkout and expects its deposit. Repeated with the same key it finds both again.
///
/// # Errors
/// [`MoneyError`]. After an error nothing is expected in the ledger, though a page nobody knows may
/// be open at the provider; the same key finds it.
pub async fn open(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    wanted: Wanted<'_>,
    now: i64,
) -> Result<Opened, MoneyError> {
    let (campaign, budget_part) = (wanted.campaign, wanted.budget_part);
    if !(Minor(1)..=AMOUNT_MAX).contains(&budget_part) {
        let fix = "1 to 10^11 minor units";
        return Err(Refusal::Field { field: "amount.amount", fix }.into());
    }
    let (total, guard) = desk.look(campaign, |state| {
        let total = budget_part + provider_fee_reserve(state, budget_part);
        // On a copy that is thrown away: no page is opened that the ledger would not expect.
        let mut draft = Draft::on(state, now);
        let guard = if wanted.currency == state.terms().currency {
            draft.expect_deposit(total, budget_part, "probe".to_owned()).map(drop)
        } else {
            let fix = "the campaign's currency";
            Err(Refusal::Field { field: "amount.currency", fix })
        };
        (total, guard)
    })?;
    guard?;
    // Nothing in it changes from one try to the next: the provider takes its key for these words only.
    let order = CheckoutOrder {
        campaign,
        amount: total,
        currency: wanted.currency,
        title: wanted.title.to_owned(),
        success_url: wanted.success_url.to_owned(),
        cancel_url: wanted.cancel_url.to_owned(),
        key: wanted.key.to_owned(),
    };
    let checkout = provider.open_checkout(&order).await?;
    let session = &checkout.session;
    let deposit = desk.command(campaign, now, |draft| {
        let deposits = draft.campaign().deposits();
        let known = deposits.iter().find(|(_, known)| known.session == *session);
        match known.map(|(seq, _)| *seq) {
            Some(seq) => Ok(seq),
            None => draft.expect_deposit(total, budget_part, session.clone()),
        }
    })?;
    Ok(Opened { deposit, total, checkout })
}

/// What came of reading a payment again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booked {
    /// The ledger knew all of it.
    Nothing,
    /// The deposit is confirmed, settled, or both.
    Funds(Seq),
    /// The deposit failed.
    Failed(Seq),
    /// The transfer of this payout came back.
    CameBack(Seq),
    /// Nobody expects it: no such campaign or session here.
    Unexpected,
    /// A person must look: this differs.
    Review(String),
}

impl Booked {
    /// In words, for the inbox.
    pub fn outcome(&self) -> String {
        match self {
            Self::Nothing => "known already".to_owned(),
            Self::Funds(deposit) => format!("booked on deposit {deposit}"),
            Self::Failed(deposit) => format!("deposit {deposit} failed"),
            Self::CameBack(payout) => format!("the transfer of payout {payout} came back"),
            Self::Unexpected => "about no deposit of ours".to_owned(),
            Self::Review(what) => format!("needs a person: {what}"),
        }
    }
}

/// Reads a payment at the provider and books what the ledger does not have yet.
///
/// # Errors
/// [`MoneyError`].
pub async fn observe(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    of: PaymentOf<'_>,
    now: i64,
) -> Result<Booked, MoneyError> {
    let Some(payment) = provider.payment(of).await? else { return Ok(Booked::Unexpected) };
    match desk.command(payment.campaign, now, |draft| book(draft, &payment)) {
        Err(CommandError::UnknownCampaign(_)) => Ok(Booked::Unexpected),
        other => Ok(other?),
    }
}

fn book(draft: &mut Draft, payment: &Payment) -> Result<Booked, Refusal> {
    let deposits = draft.campaign().deposits();
    let known = deposits.iter().find(|(_, deposit)| deposit.session == payment.session);
    let Some((seq, known)) = known.map(|(seq, known)| (*seq, known.clone())) else {
        return Ok(Booked::Unexpected);
    };
    match known.status {
        // Money that comes after a failure is money; the campaign uses it, or it goes back.
        DepositStatus::Expected | DepositStatus::Failed if payment.is_paid => {
            let expected = draft.campaign().expected_deposit(seq);
            let Some(expected) = expected else { return Ok(Booked::Nothing) };
            let observed = ObservedDeposit {
                campaign: payment.campaign,
                amount: payment.amount,
                currency: payment.currency.clone(),
                mode: payment.mode,
                session: payment.session.clone(),
                payment: payment.payment.clone().unwrap_or_default(),
                is_paid: payment.is_paid,
            };
            match check_deposit(&expected, &observed) {
                Ok(funds) => draft.confirm_deposit(funds)?,
                Err(differs) => return Ok(Booked::Review(format!("deposit {seq}: {differs}"))),
            }
            settle(draft, seq, payment)?;
            cases::book(draft, seq, payment)?;
            Ok(Booked::Funds(seq))
        }
        DepositStatus::Expected if payment.is_failed => {
            draft.fail_deposit(seq, "not_paid".to_owned())?;
            Ok(Booked::Failed(seq))
        }
        DepositStatus::Confirmed if payment.is_failed => cases::late_failure(draft, seq, payment),
        DepositStatus::Confirmed => {
            let settles = !known.settled && payment.fee.is_some();
            settle(draft, seq, payment)?;
            let is_moved = cases::book(draft, seq, payment)?;
            Ok(match cases::contradiction(draft, seq, payment) {
                _ if settles || is_moved => Booked::Funds(seq),
                Some(what) => Booked::Review(what),
                None => Booked::Nothing,
            })
        }
        DepositStatus::Expected | DepositStatus::Failed => Ok(Booked::Nothing),
    }
}

/// The fee is known some time after the money.
fn settle(draft: &mut Draft, seq: Seq, payment: &Payment) -> Result<(), Refusal> {
    let is_settled = draft.campaign().deposits().get(&seq).is_none_or(|known| known.settled);
    if let (Some(fee), Some(available_on), false) = (payment.fee, payment.available_on, is_settled)
    {
        draft.settle_deposit(seq, fee, available_on)?;
    }
    Ok(())
}
