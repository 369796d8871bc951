//! A unit: what one conversion, base or adjustment has earned, and where that money stands.
//!
//! `creator = unplanned + netted + planned − clawed` always. The unplanned part lies in `payable`
//! or, while held, with its fee in `held`. `Unit::reposition` is the one place where a unit's
//! figures change: the reversal waterfall, netting and claw-back (INV-15).

use std::sync::Arc;

use super::account::Account;
use super::error::LedgerError;
use super::posting::Changes;
use crate::campaign::terms::RateValue;
use crate::ids::{EnrollmentNo, Seq};
use crate::money::Minor;

/// What a unit stems from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A conversion: may be reversed, netted, held.
    Conversion,
    /// A fixed base: matured at once, never netted.
    Base,
    /// An adjustment: matured at once, never netted.
    Adjustment,
}

/// One unit. Named by the position of the entry it stems from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Position of the entry it stems from.
    pub seq: Seq,
    /// Whose it is.
    pub enrollment: EnrollmentNo,
    /// What it stems from.
    pub kind: UnitKind,
    /// UTC day of the entry; irrelevant for what matures at once.
    pub day: i64,
    /// The order amount.
    pub order: Minor,
    /// What of the order went back; positive for a reversed order of 0.
    pub refunded: Minor,
    /// The rate in force at its click.
    pub rate: RateValue,
    /// Commission granted under the per-creator cap, decided once.
    pub granted: Minor,
    /// Commission after reversals.
    pub commission: Minor,
    /// Platform fee on it.
    pub platform_fee: Minor,
    /// What of commission and fee is funded.
    pub funded: Minor,
    /// The creator's part of what is funded.
    pub creator: Minor,
    /// The platform's part of what is funded.
    pub fee: Minor,
    /// What of the creator's part paid an older claw-back.
    pub netted: Minor,
    /// What of it is planned or paid.
    pub planned: Minor,
    /// What of the planned or netted is no longer earned.
    pub clawed: Minor,
    /// Whether a hold is open.
    pub held: bool,
}

/// New figures for a unit; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) commission: Option<(Minor, Minor)>,
    pub(super) funded: Option<Minor>,
    pub(super) held: Option<bool>,
    /// The new sum of planned, and the account its change is posted against.
    pub(super) planned: Option<(Minor, Account)>,
}

impl Unit {
    /// A base or an adjustment: earned, funded and matured as it stands.
    pub(super) fn matured(
        seq: Seq,
        enrollment: EnrollmentNo,
        kind: UnitKind,
        creator: Minor,
        fee: Minor,
    ) -> Self {
        Self {
            seq,
            enrollment,
            kind,
            day: 0,
            order: Minor::ZERO,
            refunded: Minor::ZERO,
            rate: RateValue::Flat(Minor::ZERO),
            granted: creator,
            commission: creator,
            platform_fee: fee,
            funded: creator + fee,
            creator,
            fee,
            netted: Minor::ZERO,
            planned: Minor::ZERO,
            clawed: Minor::ZERO,
            held: false,
        }
    }

    /// Whether clearing days do not apply.
    pub fn matures_at_once(&self) -> bool {
        self.kind != UnitKind::Conversion
    }

    /// Earned, not paid and not on its way.
    pub fn unplanned(&self) -> Minor {
        self.creator - self.netted - self.planned + self.clawed
    }

    /// Commission and fee not funded yet.
    pub fn unmet(&self) -> Minor {
        self.commission + self.platform_fee - self.funded
    }

    /// Brings the unit to new figures and adds the difference to `posted`.
    ///
    /// `netting_bps` is the enrollment's netting share and `clawback_before` its claw-back balance
    /// before what `posted` holds. Returns what left the campaign's funds.
    pub(super) fn reposition(
        &mut self,
        change: Change,
        netting_bps: u32,
        clawback_before: Minor,
        posted: &mut Changes,
    ) -> Result<Minor, LedgerError> {
        let before = *self;
        self.held = change.held.unwrap_or(before.held);
        self.planned = change.planned.map_or(before.planned, |(planned, _)| planned);
        let conversion = self.kind == UnitKind::Conversion;
        if conversion {
            (self.commission, self.platform_fee) =
                change.commission.unwrap_or((before.commission, before.platform_fee));
            self.funded = change.funded.unwrap_or(before.funded);
            let whole = self.commission + self.platform_fee;
            // Cumulative over the parts of one conversion: parts add up however the money comes.
            self.creator = if self.funded == whole {
                self.commission
            } else {
                self.funded.times_over(self.commission.0, whole.0)
            };
            self.fee = self.funded - self.creator;
        }
        let open = clawback_before + posted.get(Account::Clawback);
        if conversion {
            self.netted = self.netting(&before, netting_bps, open);
        }
        self.clawed = (self.planned + self.netted - self.creator).or_zero();
        if self.clawed < before.clawed {
            // Money that comes back pays the claw-back of its own conversion first.
            let returned = before.planned - self.planned;
            let room = (open - (self.netted - before.netted).or_zero()).min(returned).or_zero();
            self.clawed = self.clawed.max(before.clawed - room);
        }
        if conversion {
            self.forgo_rounding(&before);
        }
        if self.unplanned().is_negative() || self.fee.is_negative() {
            return Err(LedgerError::UnitBelowZero(self.seq));
        }
        Ok(self.post_difference(&before, change.planned.map(|(_, account)| account), posted))
    }

    /// A new commission splits funded money anew, and a cent may change sides by rounding. Where the
    /// creator's cent is on its way already it cannot: the fee forgoes it, for nothing may leave
    /// the campaign's funds but what this part was given.
    fn forgo_rounding(&mut self, before: &Self) {
        let standing = |unit: &Self| unit.unplanned() + unit.fee + unit.planned;
        let given = (self.funded - before.funded).or_zero();
        let excess = (standing(self) - standing(before) - given).or_zero().min(self.fee.or_zero());
        self.fee -= excess;
        self.funded -= excess;
    }

    /// What of the creator's part pays older claw-backs: at most the netting share, floored
    /// cumulatively, of what enters payable now (this part, or all on the release of a hold).
    fn netting(&self, before: &Self, netting_bps: u32, open: Minor) -> Minor {
        let most = self.creator.share(netting_bps);
        // What was netted from money that is no longer earned is owed again.
        let kept = before.netted.min(most);
        if self.held || !(before.held || self.funded > before.funded) {
            return kept;
        }
        let share = if before.held { most } else { most - before.creator.share(netting_bps) };
        let wanted = (before.netted + share.min(open)).min(most).min(self.creator - self.planned);
        kept.max(wanted)
    }

    fn post_difference(
        &self,
        before: &Self,
        other: Option<Account>,
        posted: &mut Changes,
    ) -> Minor {
        let mut left = Minor::ZERO;
        for (unit, positive) in [(before, false), (self, true)] {
            let signed = |amount: Minor| if positive { amount } else { -amount };
            let (amount, fee) = (signed(unit.unplanned()), signed(unit.fee));
            if unit.held {
                posted.credit(Account::Held, amount + fee);
            } else {
                posted.credit(Account::Payable, amount);
                posted.credit(Account::PlatformFees, fee);
            }
            left += amount + fee;
        }
        let claw = (self.clawed - before.clawed) - (self.netted - before.netted);
        posted.debit(Account::Clawback, claw);
        posted.credit(Account::Recoverable, claw);
        let moved = self.planned - before.planned;
        if let Some(account) = other {
            posted.credit(account, moved);
        }
        posted.debit(Account::CampaignFunds, left + moved);
        left + moved
    }
}

const CHUNK: usize = 1_024;

/// All units of a campaign by index, in ledger order. Chunks are shared between clones and copied
/// only where a clone changes them, so a draft of a command costs little.
#[derive(Clone, Debug, Default)]
pub struct Units {
    chunks: Vec<Arc<Vec<Unit>>>,
    length: usize,
}

impl Units {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a unit; units come in ledger order.
    pub(super) fn push(&mut self, unit: Unit) -> usize {
        let index = self.length;
        if index.checked_rem(CHUNK) == Some(0) {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        let last = self.chunks.last_mut().expect("a chunk was just made");
        Arc::make_mut(last).push(unit);
        self.length = self.length.saturating_add(1);
        index
    }

    /// The unit at an index that [`Self::find`] gave.
    pub fn get(&self, index: usize) -> &Unit {
        let (chunk, within) = split(index);
        self.chunks.get(chunk).and_then(|chunk| chunk.get(within)).expect("an index of a unit")
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Unit {
        let (chunk, within) = split(index);
        let chunk = self.chunks.get_mut(chunk).map(Arc::make_mut);
        chunk.and_then(|chunk| chunk.get_mut(within)).expect("an index of a unit")
    }

    /// The index of the unit that stems from the entry at `seq`.
    pub fn find(&self, seq: Seq) -> Option<usize> {
        let chunk =
            self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last.seq < seq));
        let within = self.chunks.get(chunk)?.binary_search_by_key(&seq, |unit| unit.seq).ok()?;
        Some(chunk.saturating_mul(CHUNK).saturating_add(within))
    }

    /// All, in ledger order, in chunks that never change: a campaign whose unit changes has another chunk in
    /// its place as long as anybody holds the one before.
    pub fn chunks(&self) -> &[Arc<Vec<Unit>>] {
        &self.chunks
    }

    /// All, in ledger order.
    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

fn split(index: usize) -> (usize, usize) {
    (
        index.checked_div(CHUNK).expect("a chunk is not empty"),
        index.checked_rem(CHUNK).expect("a chunk is not empty"),
    )
}

/// The figures of a unit, for people who compare two folds.
impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { commission, platform_fee, funded, creator, fee, netted, planned, .. } = self;
        write!(
            f,
            "commission {commission}+{platform_fee} funded {funded}={creator}+{fee} \
             netted {netted} planned {planned} clawed {} held {}",
            self.clawed, self.held
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_takes_from_the_funds_not_even_a_cent_of_rounding() {
        let earned = Unit::matured(9, EnrollmentNo(0), UnitKind::Conversion, Minor(70), Minor(5));
        let (funded, creator, fee) = (Minor(30), Minor(28), Minor(2));
        let mut unit = Unit { funded, creator, fee, planned: Minor(28), ..earned };
        let commission = Some((Minor(67), Minor(5)));
        let change = Change { commission, funded: Some(funded), ..Change::default() };
        let mut posted = Changes::NONE;
        let left = unit.reposition(change, 5_000, Minor::ZERO, &mut posted).expect("stays above");
        assert_eq!(left, Minor(0));
        assert_eq!(unit.creator + unit.fee, unit.funded, "INV-11");
        assert_eq!(posted.get(Account::CampaignFunds), Minor(0));
        assert_eq!(posted.get(Account::PlatformFees), Minor(0), "the fee forgoes the cent");
    }
}
