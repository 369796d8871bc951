//! Orders and their sum by creator, and what was spent on each day, counted once and then only where something
//! has changed.
//!
//! A campaign's units lie in chunks that are shared between its versions and copied when one of them
//! changes. Whoever keeps a chunk therefore knows by its address whether it is still the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sponsorhub_core::ids::{CampaignId, EnrollmentNo};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::unit::{Unit, UnitKind};
use sponsorhub_core::money::Minor;

/// Campaigns that are remembered: whoever looks at one looks at it again. More would hold their chunks in
/// memory although nobody does.
const CAMPAIGNS_MAX: usize = 4;

/// How many orders there are, and their sum after refunds.
pub(super) type Sum = (usize, Minor);

/// What was counted of a campaign.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// In the places of its enrollments.
    pub(super) orders: Vec<Sum>,
    /// What orders of a UTC day have cost the brand so far: commission and fee, as far as they are met.
    pub(super) spent: BTreeMap<i64, Minor>,
    /// What bases that were unlocked have cost: pay and fee.
    pub(super) bases: BTreeMap<EnrollmentNo, Minor>,
}

/// A chunk as it was counted.
#[derive(Debug)]
struct Counted {
    chunk: Arc<Vec<Unit>>,
    sums: Vec<(EnrollmentNo, Sum)>,
    /// What each day's orders have cost.
    spent: Vec<(i64, Minor)>,
    bases: Vec<(EnrollmentNo, Minor)>,
}

impl Counted {
    /// Counts a chunk; `places` has one of nothing for each enrollment, before and afterwards.
    fn new(chunk: &Arc<Vec<Unit>>, places: &mut [Sum]) -> Self {
        let (mut touched, mut spent) = (Vec::new(), Vec::<(i64, Minor)>::new());
        for unit in chunk.iter().filter(|unit| unit.kind == UnitKind::Conversion) {
            let (count, sum) = &mut places[unit.enrollment.index()];
            if *count == 0 {
                touched.push(unit.enrollment);
            }
            *count += 1;
            *sum += (unit.order - unit.refunded).or_zero();
            // Units lie in the order of their entries, so a day's come one after the other.
            match spent.last_mut() {
                Some((day, amount)) if *day == unit.day => *amount += unit.funded,
                _ => spent.push((unit.day, unit.funded)),
            }
        }
        let bases = chunk.iter().filter(|unit| unit.kind == UnitKind::Base);
        let bases = bases.map(|unit| (unit.enrollment, unit.funded)).collect();
        let sums = touched.into_iter().map(|no| (no, std::mem::take(&mut places[no.index()])));
        Self { chunk: Arc::clone(chunk), sums: sums.collect(), spent, bases }
    }
}

/// What was counted of the campaigns that were looked at last, the newest at the end.
#[derive(Debug, Default)]
pub(crate) struct Sales(Mutex<Vec<(CampaignId, Vec<Counted>)>>);

impl Sales {
    /// Of a campaign as it stands.
    pub(super) fn of(&self, state: &Campaign) -> Tally {
        let known = self.take(state.id());
        let mut known = known.into_iter();
        let mut all = vec![(0, Minor::ZERO); state.enrollments().len()];
        // A unit stays in its chunk, so chunks are compared place by place.
        let counted = state.units().chunks().iter().map(|chunk| {
            let same = known.next().filter(|one| Arc::ptr_eq(&one.chunk, chunk));
            same.unwrap_or_else(|| Counted::new(chunk, &mut all))
        });
        let counted: Vec<_> = counted.collect();
        for (no, (count, sum)) in counted.iter().flat_map(|one| &one.sums) {
            let of = &mut all[no.index()];
            *of = (of.0 + count, of.1 + *sum);
        }
        let mut spent = BTreeMap::new();
        for (day, amount) in counted.iter().flat_map(|one| &one.spent) {
            *spent.entry(*day).or_default() += *amount;
        }
        let mut bases = BTreeMap::new();
        for (no, amount) in counted.iter().flat_map(|one| &one.bases) {
            *bases.entry(*no).or_default() += *amount;
        }
        self.keep(state.id(), counted);
        Tally { orders: all, spent, bases }
    }

    fn take(&self, id: CampaignId) -> Vec<Counted> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(of, _)| *of == id);
        place.map(|place| kept.remove(place).1).unwrap_or_default()
    }

    fn keep(&self, id: CampaignId, counted: Vec<Counted>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another reader may have been as fast.
        kept.retain(|(of, _)| *of != id);
        if kept.len() >= CAMPAIGNS_MAX {
            kept.remove(0);
        }
        kept.push((id, counted));
    }
}
