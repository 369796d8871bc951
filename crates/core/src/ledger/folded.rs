//! The state of one campaign: what its entries fold into, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::account::Account;
use super::balance::Balances;
use super::entry::Entry;
use super::error::LedgerError;
use super::event::campaign::{CampaignOpened, Mode};
use super::fold::Fold;
use super::kind::Body;
use super::posting::Postings;
use super::records::{
    Deliverable, Deposit, Enrollment, Hold, Payout, Refund, RefundState, Reversed,
};
use super::unit::{Unit, UnitKind, Units};
use crate::campaign::state::State;
use crate::campaign::terms::Terms;
use crate::conversion::Gate;
use crate::ids::{BrandId, CampaignId, EnrollmentId, EnrollmentNo, Seq};
use crate::money::Minor;

/// One version of the terms.
#[derive(Clone, Debug)]
pub struct TermsVersion {
    /// From which click time its rates count.
    pub effective_at: i64,
    /// The terms.
    pub terms: Arc<Terms>,
}

/// The folded state of a campaign. Cloning is cheap enough to draft a command on a copy.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its id.
    pub(crate) id: CampaignId,
    /// Whose it is.
    pub(crate) brand: BrandId,
    /// The world its money lives in.
    pub(crate) mode: Mode,
    /// Where it stands, and which events it takes in.
    pub(crate) gate: Gate,
    /// Position of the last entry.
    pub(crate) head: Seq,
    /// Time of the last entry.
    pub(crate) at: i64,
    /// Versions of the terms; the last is the current one.
    pub(crate) versions: Vec<TermsVersion>,
    /// Open cases: while positive no accrual, no enrollment, no refund.
    pub(crate) frozen: u32,
    /// All accounts.
    pub(crate) balances: Balances,
    /// Deposits and advances by the position of their first entry.
    pub(crate) deposits: BTreeMap<Seq, Deposit>,
    /// Enrollments by number.
    pub(crate) enrollments: Vec<Enrollment>,
    pub(super) enrollment_numbers: BTreeMap<EnrollmentId, EnrollmentNo>,
    /// What was reversed, by conversion.
    pub(crate) reversed: BTreeMap<Seq, Reversed>,
    /// Holds by conversion.
    pub(crate) holds: BTreeMap<Seq, Hold>,
    /// Payouts by the position of `payout.planned`.
    pub(crate) payouts: BTreeMap<Seq, Payout>,
    /// Refunds by the position of `refund.planned`.
    pub(crate) refunds: BTreeMap<Seq, Refund>,
    /// Open claims.
    pub(crate) claims: BTreeMap<Seq, EnrollmentNo>,
    pub(super) units: Units,
    pub(super) fold: Fold,
}

impl Campaign {
    /// The state after the first entry.
    ///
    /// # Errors
    /// [`LedgerError::Opening`] or [`LedgerError::Sequence`] where it is not the opening one.
    pub fn open(first: &Entry) -> Result<Self, LedgerError> {
        let Body::CampaignOpened(opened) = &first.body else {
            return Err(LedgerError::Opening);
        };
        if first.seq != 1 {
            return Err(LedgerError::Sequence { expected: 1, found: first.seq });
        }
        opened.terms.check().map_err(|error| LedgerError::Terms(error.field))?;
        if opened.terms_hash != HEXLOWER.encode(&opened.terms.hash()) {
            return Err(LedgerError::Terms("terms_hash"));
        }
        Ok(Self::opened(first.campaign, first.at, opened))
    }

    /// The state after `campaign.opened`.
    pub(crate) fn opened(id: CampaignId, at: i64, opened: &CampaignOpened) -> Self {
        Self {
            id,
            brand: opened.brand,
            mode: opened.mode,
            head: 1,
            at,
            versions: vec![TermsVersion {
                effective_at: i64::MIN,
                terms: Arc::new(opened.terms.clone()),
            }],
            gate: Gate {
                state: State::Draft,
                live: Vec::new(),
                ended_at: None,
                conversion_days: opened
                    .terms
                    .attribution_window_days
                    .saturating_add(opened.terms.replay_window_days),
                clearing_days: opened.terms.clearing_days,
            },
            frozen: 0,
            balances: Balances::default(),
            deposits: BTreeMap::new(),
            enrollments: Vec::new(),
            enrollment_numbers: BTreeMap::new(),
            reversed: BTreeMap::new(),
            holds: BTreeMap::new(),
            payouts: BTreeMap::new(),
            refunds: BTreeMap::new(),
            claims: BTreeMap::new(),
            units: Units::default(),
            fold: Fold::new(opened.terms.budget),
        }
    }

    /// Applies the next entry of the ledger and returns its postings.
    ///
    /// # Errors
    /// [`LedgerError`]: the entry cannot follow. The state is then unusable; replay again.
    pub fn apply(&mut self, entry: &Entry) -> Result<Postings, LedgerError> {
        self.check_envelope(entry.campaign, entry.seq, entry.at)?;
        if let Some((id, n)) = entry.enrollment {
            let expected =
                self.enrollment_no(id).map_or(1, |no| self.enrollment(no).n.saturating_add(1));
            if n != expected {
                return Err(LedgerError::Counter { expected, found: n });
            }
        }
        self.append(entry.at, entry.enrollment.map(|(id, _)| id), &entry.body)
    }

    /// Whether an entry of this campaign, position and time may be the next one.
    pub(super) fn check_envelope(
        &self,
        campaign: CampaignId,
        seq: Seq,
        at: i64,
    ) -> Result<(), LedgerError> {
        if campaign != self.id {
            return Err(LedgerError::OtherCampaign);
        }
        let expected = self.head.saturating_add(1);
        if seq != expected {
            return Err(LedgerError::Sequence { expected, found: seq });
        }
        if at < self.at {
            return Err(LedgerError::TimeWentBack { last: self.at, found: at });
        }
        Ok(())
    }

    /// The current terms.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.versions.last().expect("the opening entry has terms").terms
    }

    /// The number of an enrollment.
    pub fn enrollment_no(&self, id: EnrollmentId) -> Option<EnrollmentNo> {
        self.enrollment_numbers.get(&id).copied()
    }

    /// An enrollment by a number that this campaign gave.
    pub fn enrollment(&self, no: EnrollmentNo) -> &Enrollment {
        self.enrollments.get(no.index()).expect("numbers come from this campaign")
    }

    pub(super) fn enrollment_mut(&mut self, no: EnrollmentNo) -> &mut Enrollment {
        self.enrollments.get_mut(no.index()).expect("numbers come from this campaign")
    }

    /// All enrollments with their numbers.
    pub fn numbered_enrollments(&self) -> impl Iterator<Item = (EnrollmentNo, &Enrollment)> {
        (0_u32..).map(EnrollmentNo).zip(&self.enrollments)
    }

    /// Units: what conversions, bases and adjustments have earned.
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// Every entry up to this position is applied by the fold.
    pub fn scanned(&self) -> Seq {
        self.fold.scanned
    }

    /// Commission and fees that no funds meet yet (over-cap demand), held at 2^53 − 1.
    pub fn unmet(&self) -> Minor {
        let waiting = self.fold.queue.iter().map(|index| self.units.get(*index).unmet());
        Minor::saturating_sum(waiting)
    }

    /// Units that wait for funds, in the order in which they are met.
    pub fn waiting(&self) -> impl Iterator<Item = &Unit> {
        self.fold.queue.iter().map(|index| self.units.get(*index))
    }

    /// Whether any conversion waits for funds.
    pub fn has_unmet_demand(&self) -> bool {
        !self.fold.queue.is_empty()
    }

    /// Free funds at the fold's position; zero while frozen.
    pub fn free(&self) -> Minor {
        self.fold.free()
    }

    /// Confirmed and not reversed budget parts. The provider-fee reserve never counts as budget.
    pub fn confirmed_budget(&self) -> Minor {
        let counted =
            self.deposits.values().filter(|deposit| deposit.is_confirmed() && !deposit.is_advance);
        counted.map(|deposit| (deposit.budget_part - deposit.reversed).or_zero()).sum()
    }

    /// Conversions that were taken in and that no rollup has counted yet: whose, and the order amount. What they
    /// earn is not decided.
    pub fn conversions_to_come(&self) -> impl Iterator<Item = (EnrollmentNo, Minor)> {
        self.fold.conversions_to_come()
    }

    /// How many conversions and reversals were taken in that no rollup has counted yet.
    pub fn uncounted(&self) -> usize {
        self.fold.uncounted()
    }

    /// What decides which events the campaign takes in.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Until when conversions count; none before the campaign ended.
    pub fn conversions_until(&self) -> Option<i64> {
        self.gate.conversions_until()
    }

    /// After when the campaign may close; reversals count until then.
    pub fn closes_at(&self) -> Option<i64> {
        self.gate.closes_at()
    }

    /// Whether nothing waits for a person: no claim, hold, case or deliverable.
    pub fn is_quiet(&self) -> bool {
        self.claims.is_empty()
            && self.frozen == 0
            && !self.holds.values().any(|hold| hold.open)
            && !self.enrollments.iter().any(|enrollment| {
                matches!(enrollment.deliverable, Some((_, Deliverable::Submitted(_))))
            })
    }

    /// Cash that disbursements and refunds under way may take from the provider.
    pub fn in_flight(&self) -> Minor {
        let payouts = self.payouts.values().filter(|payout| payout.state.is_in_flight());
        let refunds = self.refunds.values().filter(|refund| refund.state == RefundState::Planned);
        payouts.map(|payout| payout.amount).sum::<Minor>()
            + refunds.map(|refund| refund.amount).sum::<Minor>()
    }

    /// Balance of an account in its own direction.
    pub fn balance(&self, account: Account) -> Minor {
        self.balances.total(account)
    }

    /// Conversions of an enrollment that earn something and are not held, of those scanned.
    pub(crate) fn earning_conversions(&self, no: EnrollmentNo) -> impl Iterator<Item = usize> {
        let units = self.enrollment(no).units.iter().copied();
        units.filter(|index| {
            let unit = self.units.get(*index);
            unit.kind == UnitKind::Conversion && unit.commission.is_positive() && !unit.held
        })
    }

    /// The enrollment and order amount of a taken-in conversion, scanned or not.
    pub fn conversion(&self, seq: Seq) -> Option<(EnrollmentNo, Minor)> {
        match self.units.find(seq) {
            Some(index) => {
                let unit = self.units.get(index);
                (unit.kind == UnitKind::Conversion).then_some((unit.enrollment, unit.order))
            }
            None => self.fold.pending_conversion(seq),
        }
    }
}
