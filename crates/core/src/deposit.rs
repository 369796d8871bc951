//! Deposits: the funding gate's key, and what the provider later says of a payment.
//!
//! [`check_deposit`] is the only maker of [`FundsConfirmed`], and only a `FundsConfirmed` confirms
//! a deposit (INV-9). A case is opened by a dispute or, where none was announced, by the reversal
//! itself; while a case is open the campaign is frozen.

use crate::campaign::state::State;
use crate::ids::{CampaignId, Seq};
use crate::ledger::draft::Draft;
use crate::ledger::event::campaign::Mode;
use crate::ledger::event::deposit::{
    DepositConfirmed, DepositDisputeClosed, DepositDisputed, DepositExpected, DepositFailed,
    DepositReinstated, DepositReversed, DepositSettled, DisputeOutcome, PlatformAdvanced,
    ReversalCause,
};
use crate::ledger::folded::Campaign;
use crate::ledger::records::{Case, Deposit, DepositStatus};
use crate::money::{BPS, Currency, Minor};
use crate::refusal::{Refusal, amount, need, two_people};

/// What a deposit must turn out to be, from the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedDeposit {
    campaign: CampaignId,
    deposit: Seq,
    amount: Minor,
    currency: Currency,
    mode: Mode,
    session: String,
}

/// What the provider answers when the payment is read again after its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedDeposit {
    /// The campaign in the session's metadata.
    pub campaign: CampaignId,
    /// The amount received, minor units.
    pub amount: Minor,
    /// ISO 4217 code in any case.
    pub currency: String,
    /// The world the object lives in.
    pub mode: Mode,
    /// The session's id.
    pub session: String,
    /// The payment's id.
    pub payment: String,
    /// Whether the provider calls it paid.
    pub is_paid: bool,
}

/// The fact in which a payment differs from what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment's {0} differs from what this deposit expects; nothing is confirmed")]
pub struct DepositMismatch(pub &'static str);

/// Proof that a deposit was paid as expected. Only [`check_deposit`] makes one:
///
/// ```
/// use sponsorhub_core::deposit::FundsConfirmed;
/// fn deposit(funds: &FundsConfirmed) -> u64 {
///     funds.deposit()
/// }
/// ```
///
/// and nothing else can:
///
/// ```compile_fail,E0451
/// use sponsorhub_core::deposit::FundsConfirmed;
/// use sponsorhub_core::ids::CampaignId;
/// let (campaign, payment) = (CampaignId([0; 16]), String::from("pi_1"));
/// let forged = FundsConfirmed { campaign, deposit: 2, payment };
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct FundsConfirmed {
    campaign: CampaignId,
    deposit: Seq,
    payment: String,
}

impl FundsConfirmed {
    /// Which deposit.
    pub fn deposit(&self) -> Seq {
        self.deposit
    }
}

/// Compares what was paid with what was expected, fact by fact.
///
/// # Errors
/// [`DepositMismatch`] names the first fact that differs.
pub fn check_deposit(
    expected: &ExpectedDeposit,
    observed: &ObservedDeposit,
) -> Result<FundsConfirmed, DepositMismatch> {
    let facts = [
        ("payment status", observed.is_paid),
        ("mode", observed.mode == expected.mode),
        ("campaign", observed.campaign == expected.campaign),
        ("session", observed.session == expected.session),
        ("currency", observed.currency.eq_ignore_ascii_case(expected.currency.code())),
        ("amount", observed.amount == expected.amount),
    ];
    match facts.into_iter().find(|(_, same)| !same) {
        Some((fact, _)) => Err(DepositMismatch(fact)),
        None => Ok(FundsConfirmed {
            campaign: expected.campaign,
            deposit: expected.deposit,
            payment: observed.payment.clone(),
        }),
    }
}

/// The part of a deposit kept for the provider's fee: basis points of the budget part and a fixed
/// part, rounded up.
pub fn provider_fee_reserve(campaign: &Campaign, budget_part: Minor) -> Minor {
    let terms = campaign.terms();
    let exact = budget_part.times_over(i64::from(terms.provider_fee_reserve_bps), 1);
    (exact + Minor(BPS - 1)).times_over(1, BPS) + terms.provider_fee_reserve_fixed
}

/// What `deposit.reversed` records.
#[derive(Clone, Debug)]
pub struct MoneyLeft {
    /// The provider's id of the dispute or refund.
    pub case: String,
    /// How much left.
    pub amount: Minor,
    /// Why.
    pub cause: ReversalCause,
    /// What the provider charges for a dispute; 0 for none.
    pub dispute_fee: Minor,
}

impl Campaign {
    /// What a deposit must turn out to be; none where it is unknown or confirmed. One that failed may
    /// still be paid: money that arrived late is the brand's, so it is booked like any other.
    pub fn expected_deposit(&self, deposit: Seq) -> Option<ExpectedDeposit> {
        let known = self.deposits.get(&deposit)?;
        (!known.is_confirmed()).then(|| ExpectedDeposit {
            campaign: self.id,
            deposit,
            amount: known.amount,
            currency: self.terms().currency,
            mode: self.mode,
            session: known.session.clone(),
        })
    }
}

fn thing(seq: Seq, needs: &'static str) -> Refusal {
    Refusal::Thing { what: "deposit", seq, needs }
}

impl Draft {
    fn paid_deposit(&self, seq: Seq) -> Result<&Deposit, Refusal> {
        let deposit = self.campaign().deposits.get(&seq);
        let paid = deposit.filter(|deposit| deposit.is_confirmed() && !deposit.is_advance);
        paid.ok_or(thing(seq, "must be confirmed"))
    }

    fn case(&self, deposit: Seq, key: &str) -> Result<Option<&Case>, Refusal> {
        Ok(self.paid_deposit(deposit)?.cases.iter().find(|case| case.key == key))
    }

    fn open_case(&self, deposit: Seq, key: &str) -> Result<&Case, Refusal> {
        let case = self.case(deposit, key)?.filter(|case| case.open);
        case.ok_or(thing(deposit, "must have this case open"))
    }

    /// A checkout session was opened; returns the deposit's name.
    ///
    /// # Errors
    /// [`Refusal`]: the campaign has ended, or an amount out of range.
    pub fn expect_deposit(
        &mut self,
        total: Minor,
        budget_part: Minor,
        session: String,
    ) -> Result<Seq, Refusal> {
        amount("amount", total)?;
        amount("budget_part", budget_part)?;
        let fix = "at most the whole amount";
        need(budget_part <= total, Refusal::Field { field: "budget_part", fix })?;
        let campaign = self.campaign();
        let state = campaign.state();
        let open = matches!(state, State::Draft | State::Funded | State::Live | State::Paused);
        let needs = "draft, funded, live or paused";
        need(open, Refusal::State { command: "expect_deposit", needs, state })?;
        let fresh = !campaign.deposits.values().any(|known| known.session == session);
        let fix = "a session of its own for every deposit";
        need(fresh && !session.is_empty(), Refusal::Field { field: "session", fix })?;
        let (currency, mode) = (campaign.terms().currency, campaign.mode);
        let body = DepositExpected { amount: total, budget_part, currency, mode, session };
        self.append(None, body)
    }

    /// The session expired or the payment failed.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless it is expected still.
    pub fn fail_deposit(&mut self, deposit: Seq, reason: String) -> Result<(), Refusal> {
        let known = self.campaign().deposits.get(&deposit);
        let waiting = known.is_some_and(|known| known.status == DepositStatus::Expected);
        need(waiting, thing(deposit, "must be expected still"))?;
        self.append(None, DepositFailed { deposit, reason }).map(drop)
    }

    /// The money is there, be it after the deposit had failed. Funds the campaign if that covers its
    /// budget.
    ///
    /// # Errors
    /// [`Refusal::Thing`] where it was confirmed before.
    pub fn confirm_deposit(&mut self, funds: FundsConfirmed) -> Result<(), Refusal> {
        let FundsConfirmed { campaign, deposit, payment } = funds;
        let ours = campaign == self.campaign().id;
        need(ours, thing(deposit, "was confirmed for another campaign"))?;
        let used = |known: &Deposit| known.payment.as_ref() == Some(&payment);
        let fresh = !self.campaign().deposits.values().any(used);
        need(fresh, thing(deposit, "needs a payment of its own; this one confirmed another"))?;
        let waiting = self.campaign().expected_deposit(deposit).is_some();
        need(waiting, thing(deposit, "must not be confirmed yet"))?;
        self.append(None, DepositConfirmed { deposit, payment })?;
        self.fund_if_covered()
    }

    /// The provider's fee is known.
    ///
    /// # Errors
    /// [`Refusal`]: not confirmed, settled before, or a fee out of range.
    pub fn settle_deposit(
        &mut self,
        deposit: Seq,
        fee: Minor,
        available_on: i64,
    ) -> Result<(), Refusal> {
        let settled = self.paid_deposit(deposit)?.settled;
        need(!settled, thing(deposit, "is settled already"))?;
        let fits = !fee.is_negative() && fee <= crate::money::AMOUNT_MAX;
        need(fits, Refusal::Field { field: "fee", fix: "0 to 10^11 minor units" })?;
        self.append(None, DepositSettled { available_on, deposit, fee }).map(drop)
    }

    /// A dispute was opened; freezes the campaign.
    ///
    /// # Errors
    /// [`Refusal`]: not confirmed, or the case is known.
    pub fn dispute_deposit(
        &mut self,
        deposit: Seq,
        case: String,
        disputed: Minor,
    ) -> Result<(), Refusal> {
        amount("amount", disputed)?;
        let known = self.case(deposit, &case)?.is_some();
        need(!known, thing(deposit, "knows this case already"))?;
        self.append(None, DepositDisputed { amount: disputed, case, deposit }).map(drop)
    }

    /// Money of a deposit left the provider. An outside refund or a late failure is final at once;
    /// a dispute stays open until it is closed.
    ///
    /// # Errors
    /// [`Refusal`]: not confirmed, more than was paid in, or the case is closed or took its money.
    pub fn reverse_deposit(&mut self, deposit: Seq, left: MoneyLeft) -> Result<(), Refusal> {
        amount("amount", left.amount)?;
        let paid = self.paid_deposit(deposit)?;
        let fits = left.amount <= paid.amount - paid.reversed;
        need(fits, thing(deposit, "cannot lose more than was paid in"))?;
        let waiting =
            self.case(deposit, &left.case)?.is_none_or(|c| c.open && c.reversal.is_none());
        need(waiting, thing(deposit, "has this case closed, or its money gone already"))?;
        self.catch_up()?;
        let MoneyLeft { case, amount, cause, dispute_fee } = left;
        let key = case.clone();
        self.append(None, DepositReversed { amount, case, cause, deposit, dispute_fee })?;
        if cause != ReversalCause::Dispute {
            let outcome = DisputeOutcome::Final;
            self.append(None, DepositDisputeClosed { case: key, deposit, outcome })?;
        }
        self.unfund_if_short()?;
        self.fund_if_covered()
    }

    /// The money of a dispute came back: it is won and closed.
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless the case is open and its money gone.
    pub fn reinstate_deposit(&mut self, deposit: Seq, case: String) -> Result<(), Refusal> {
        let gone = self.open_case(deposit, &case)?.reversal.is_some();
        need(gone, thing(deposit, "lost nothing in this case"))?;
        self.catch_up()?;
        self.append(None, DepositReinstated { case: case.clone(), deposit })?;
        let outcome = DisputeOutcome::Won;
        self.append(None, DepositDisputeClosed { case, deposit, outcome })?;
        self.fund_if_covered()
    }

    /// A dispute ended without money coming back: lost, or won before any money left. A dispute
    /// that is won after money left is closed by [`Self::reinstate_deposit`].
    ///
    /// # Errors
    /// [`Refusal::Thing`] unless the case is open and the outcome fits its money.
    pub fn close_dispute(
        &mut self,
        deposit: Seq,
        case: String,
        is_won: bool,
    ) -> Result<(), Refusal> {
        let gone = self.open_case(deposit, &case)?.reversal.is_some();
        need(!(is_won && gone), thing(deposit, "waits for the money of this case to come back"))?;
        self.catch_up()?;
        let outcome = if is_won { DisputeOutcome::Won } else { DisputeOutcome::Lost };
        self.append(None, DepositDisputeClosed { case, deposit, outcome })?;
        self.fund_if_covered()
    }

    /// The operator puts in own money; returns the name under which it backs payouts.
    ///
    /// # Errors
    /// [`Refusal::Field`]: an amount out of range, or not two different people.
    pub fn advance(&mut self, sum: Minor, approved_by: Vec<String>) -> Result<Seq, Refusal> {
        amount("amount", sum)?;
        two_people(&approved_by)?;
        self.append(None, PlatformAdvanced { amount: sum, approved_by })
    }
}
