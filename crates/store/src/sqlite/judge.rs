//! The writer's decisions: what is appended, where, and what is answered.
//!
//! The judge looks at the heads in memory. What he has to look up besides is of earlier
//! transactions: he reads them by whatever connection he is given, and what the transaction in
//! progress appends he finds in memory, inserted or not. So he may go on while another thread
//! inserts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};
use sponsorhub_core::conversion::{Event, check_reversed_amount};
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentNo, Fingerprint, Seq};
use sponsorhub_core::ledger::entry::{Entry, Rendered};
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::merkle::{Hash, RecentTree};
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;

use super::batch::{Batch, Lot, NewEntry};
use super::dedup::KeyMap;
use super::inbox::Job;
use super::ledger::Ledger;
use super::open::fault;
use super::position::CampaignNo;
use super::projections;
use crate::error::StoreError;
use crate::registry::Recorded;
use crate::work::{
    Appended, Expectation, Intake, IntakeCheck, Outcome, Prepared, Submission, Submitted, Tree,
};

/// An answer that waits for the commit.
#[derive(Debug)]
pub(super) enum Pending {
    /// These entries of the batch.
    Appended { first: usize, last: usize, is_used_up: bool },
    /// An outcome that no commit changes.
    Settled(Box<Outcome>),
    /// A submission that something came before.
    Conflict { head: Seq },
    /// A change of the registry.
    Recorded(Result<Recorded, StoreError>),
}

/// A conversion that is to be reversed.
struct Conversion {
    kind: Option<Kind>,
    enrollment: Option<EnrollmentNo>,
    order: Option<Minor>,
}

/// What a transaction appended: leaves by number in the batch, and the tree of each campaign.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) leaves: Vec<Hash>,
    pub(super) trees: BTreeMap<CampaignNo, Arc<RecentTree>>,
}

/// An error, and whose ledger contradicts itself where it is one's.
pub(super) type Blamed = (StoreError, Option<CampaignId>);

/// The ledgers in memory, and what the step in progress appends to them.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) ledgers: KeyMap<CampaignId, Ledger>,
    pub(super) batch: Batch,
    /// Ledgers that the step in progress touched.
    pub(super) touched: BTreeMap<CampaignNo, CampaignId>,
    /// Steps so far.
    pub(super) steps: u64,
    pub(super) slice_keys_max: usize,
    /// Of the step in progress, by number in the batch.
    leaves: Vec<Hash>,
}

impl Judge {
    pub(super) fn new(slice_keys_max: usize) -> Self {
        Self {
            ledgers: KeyMap::default(),
            batch: Batch::default(),
            touched: BTreeMap::new(),
            steps: 0,
            slice_keys_max,
            leaves: Vec::new(),
        }
    }

    /// Begins a step: nothing is appended yet.
    pub(super) fn begin(&mut self) {
        self.batch.clear();
        self.touched.clear();
        self.leaves.clear();
    }

    /// Judges jobs in turn, and hands over and hashes lots as they become full.
    pub(super) fn judge_all(
        &mut self,
        connection: &Connection,
        jobs: &[Job],
        now: i64,
        insert: &mut dyn FnMut(Arc<Lot>) -> Result<(), StoreError>,
    ) -> Result<Vec<Vec<Pending>>, Blamed> {
        let mut pending = Vec::with_capacity(jobs.len());
        for job in jobs {
            let judged = match job {
                Job::TakeIn(events, _) => {
                    let mut judged = Vec::with_capacity(events.len());
                    for event in events {
                        let pending = self.judge(connection, event, now);
                        judged.push(pending.map_err(|error| (error, Some(event.campaign)))?);
                        if let Some(lot) = self.batch.close_full() {
                            self.hand_over(&lot, insert)?;
                        }
                    }
                    judged
                }
                Job::Submit(submission, _) => {
                    let id = submission.campaign;
                    self.load(connection, id).map_err(|error| (error, Some(id)))?;
                    let judged = self.judge_submission(connection, submission);
                    vec![judged.map_err(|error| (error, None))?]
                }
                // Once the entries are written.
                Job::Record(..) => Vec::new(),
            };
            pending.push(judged);
        }
        if let Some(lot) = self.batch.close() {
            self.hand_over(&lot, insert)?;
        }
        Ok(pending)
    }

    /// Hands over a lot, then hashes it: where another thread inserts, both go on at once.
    fn hand_over(
        &mut self,
        lot: &Arc<Lot>,
        insert: &mut dyn FnMut(Arc<Lot>) -> Result<(), StoreError>,
    ) -> Result<(), Blamed> {
        insert(Arc::clone(lot)).map_err(|error| (error, None))?;
        self.leaves.extend(lot.leaves());
        let same = |a: &usize, b: &usize| lot.entry(*a).campaign == lot.entry(*b).campaign;
        for run in lot.in_order().chunk_by(same) {
            let id = &self.touched[&lot.entry(run[0]).campaign];
            let ledger = self.ledgers.get_mut(id).expect("touched in this step");
            for number in run {
                ledger.push_leaf(self.leaves[*number]);
            }
        }
        Ok(())
    }

    /// Writes what the step changed beside the entries, and gives away its leaves and trees.
    pub(super) fn save(&mut self, connection: &Connection) -> rusqlite::Result<Written> {
        let mut trees = BTreeMap::new();
        for (no, id) in &self.touched {
            let ledger = self.ledgers.get_mut(id).expect("touched in this step");
            ledger.save(connection)?;
            trees.insert(*no, Arc::new(ledger.recent_tree()));
        }
        Ok(Written { leaves: std::mem::take(&mut self.leaves), trees })
    }

    /// The step is committed.
    pub(super) fn committed(&mut self) {
        for id in self.touched.values() {
            self.ledgers.get_mut(id).expect("touched in this step").committed();
        }
    }

    /// Nothing of the step happened: what it touched is read again. A ledger that was only looked
    /// at has not changed.
    pub(super) fn roll_back(&mut self) {
        for id in self.touched.values() {
            self.ledgers.remove(id);
        }
    }

    /// Forgets ledgers that were not used for long, where more than `max` are loaded.
    pub(super) fn unload(&mut self, max: usize) {
        if self.ledgers.len() <= max {
            return;
        }
        let mut used: Vec<_> = self.ledgers.iter().map(|(id, l)| (l.used, *id)).collect();
        used.sort_unstable();
        // Half of them, so that this happens seldom.
        for (_, id) in &used[..used.len() - max.div_ceil(2)] {
            self.ledgers.remove(id);
        }
    }

    /// A ledger, loaded if need be; none for an unknown campaign.
    fn load(&mut self, connection: &Connection, id: CampaignId) -> Result<bool, StoreError> {
        if let Some(ledger) = self.ledgers.get_mut(&id) {
            ledger.used = self.steps;
            return Ok(true);
        }
        let Some(no) = projections::campaign_no(connection, id).map_err(fault)? else {
            return Ok(false);
        };
        let mut ledger = Ledger::load(connection, no, id, self.slice_keys_max)?;
        ledger.used = self.steps;
        self.ledgers.insert(id, ledger);
        Ok(true)
    }

    /// Judges one event and, where it is taken in, puts its entry into the batch.
    fn judge(
        &mut self,
        connection: &Connection,
        event: &Intake,
        now: i64,
    ) -> Result<Pending, StoreError> {
        if !self.load(connection, event.campaign)? {
            return Ok(Pending::Settled(Box::new(Outcome::UnknownCampaign)));
        }
        let ledger = self.ledgers.get(&event.campaign).expect("just loaded");
        let Some((no, membership)) = ledger.member(event.enrollment) else {
            return Ok(Pending::Settled(Box::new(Outcome::UnknownEnrollment)));
        };
        // The key comes before the rules: a repeated delivery is told of the first, whatever has
        // happened to the campaign since.
        if let Some(seq) = ledger.dedup.find(connection, event.key).map_err(fault)? {
            let same_content = self.fingerprint(connection, ledger, seq)? == event.fingerprint;
            return Ok(Pending::Settled(Box::new(Outcome::Duplicate { seq, same_content })));
        }
        let at = ledger.at.max(now);
        let allowed = match event.check {
            IntakeCheck::Enrolled => ledger.gate.check_rejected(at).map(|()| None),
            IntakeCheck::Conversion { click_at } => {
                let gate = &ledger.gate;
                gate.check_conversion(membership, click_at, at).map(|()| None)
            }
            IntakeCheck::Reversal { conversion } => {
                let sum =
                    self.check_reversal(connection, ledger, (no, conversion), (event.amount, at))?;
                sum.map(|sum| Some((conversion, sum)))
            }
        };
        let reversed = match allowed {
            Ok(reversed) => reversed,
            Err(refusal) => return Ok(Pending::Settled(Box::new(Outcome::Refused(refusal)))),
        };
        let (rendered, slot) = Self::use_click(connection, ledger, event)?;
        let is_used_up = event.click.is_some() && slot.is_none();
        let ledger = self.ledgers.get_mut(&event.campaign).expect("loaded above");
        ledger.at = at;
        let (seq, n) = ledger.take_number(Some(no));
        ledger.dedup.add(seq, event.key, slot);
        ledger.reversed.extend(reversed);
        self.touched.insert(ledger.no, event.campaign);
        let entry = NewEntry {
            campaign: ledger.no,
            seq,
            at,
            kind: rendered.kind(),
            enrollment: Some(no),
            n,
            amount: Some(event.amount),
            key: Some(event.key.0),
            slot: slot.map(|slot| slot.0),
        };
        let number = self.batch.push(rendered, entry);
        ledger.note_fresh(number);
        Ok(Pending::Appended { first: number, last: number, is_used_up })
    }

    /// What is appended for an event that may be, and the slot of the click that it takes.
    fn use_click<'a>(
        connection: &Connection,
        ledger: &Ledger,
        event: &'a Intake,
    ) -> Result<(&'a Rendered, Option<CompositeKey>), StoreError> {
        let Some(click) = &event.click else {
            return Ok((&event.rendered, None));
        };
        for slot in &click.slots {
            let taken = ledger.dedup.find(connection, *slot).map_err(fault)?;
            if taken.is_none() {
                return Ok((&event.rendered, Some(*slot)));
            }
        }
        Ok((&click.used_up, None))
    }

    /// The sum of reversals after one more, or why it is refused (INV-8).
    fn check_reversal(
        &self,
        connection: &Connection,
        ledger: &Ledger,
        (no, conversion): (EnrollmentNo, Seq),
        (amount, at): (Minor, i64),
    ) -> Result<Result<Reversed, Refusal>, StoreError> {
        let found = self.conversion(connection, ledger, conversion)?;
        let known = found.filter(|found| {
            matches!(found.kind, Some(Kind::ConversionAccepted | Kind::ConversionHeld))
        });
        let Some(Conversion { enrollment, order: Some(order), .. }) = known else {
            let needs = "must have been taken in";
            let what = "conversion";
            let seq = conversion;
            return Ok(Err(Refusal::Thing { what, seq, needs }));
        };
        if enrollment != Some(no) {
            let refusal = Refusal::Enrollment("the conversion is another creator's");
            return Ok(Err(refusal));
        }
        let mut reversed = match ledger.reversed.get(&conversion) {
            Some(reversed) => *reversed,
            None => projections::reversed(connection, ledger.no, conversion).map_err(fault)?,
        };
        let checked = check_reversed_amount(conversion, order, reversed, amount)
            .and_then(|()| ledger.gate.check_reversal(at));
        Ok(checked.map(|()| {
            reversed.refunded += amount;
            reversed.whole = reversed.refunded >= order;
            reversed
        }))
    }

    /// What the columns of an entry say, committed or in the batch.
    fn conversion(
        &self,
        connection: &Connection,
        ledger: &Ledger,
        seq: Seq,
    ) -> Result<Option<Conversion>, StoreError> {
        if let Some(number) = ledger.find_fresh(seq) {
            let entry = self.batch.entry(number);
            let (kind, enrollment, order) = (Some(entry.kind), entry.enrollment, entry.amount);
            return Ok(Some(Conversion { kind, enrollment, order }));
        }
        if seq == 0 || seq >= 1 << 40 {
            return Ok(None);
        }
        let sql = "SELECT kind, enrollment_no, amount_minor FROM entries WHERE pos = ?1";
        let mut statement = connection.prepare_cached(sql).map_err(fault)?;
        let found = statement.query_row([ledger.no.entry(seq)], |row| {
            Ok(Conversion {
                kind: Kind::from_code(row.get(0)?),
                enrollment: row.get::<_, Option<u32>>(1)?.map(EnrollmentNo),
                order: row.get::<_, Option<i64>>(2)?.map(Minor),
            })
        });
        found.optional().map_err(fault)
    }

    /// The fingerprint of the event that has a key already.
    fn fingerprint(
        &self,
        connection: &Connection,
        ledger: &Ledger,
        seq: Seq,
    ) -> Result<Fingerprint, StoreError> {
        let read = |bytes: &[u8]| {
            let entry = Entry::decode(bytes).ok()?;
            Event::of(&entry.body).map(|event| event.fingerprint)
        };
        let fingerprint = if let Some(number) = ledger.find_fresh(seq) {
            read(self.batch.bytes(number))
        } else {
            let sql = "SELECT bytes FROM entries WHERE pos = ?1";
            let mut statement = connection.prepare_cached(sql).map_err(fault)?;
            let found = statement.query_row([ledger.no.entry(seq)], |row| {
                Ok(read(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?))
            });
            found.optional().map_err(fault)?.flatten()
        };
        let missing = || StoreError::Corrupt(format!("entry {seq} has a key and is no event"));
        fingerprint.ok_or_else(missing)
    }

    /// Judges a submission and, where it is taken, puts all of its entries into the batch.
    fn judge_submission(
        &mut self,
        connection: &Connection,
        submission: &Submission,
    ) -> Result<Pending, StoreError> {
        let id = submission.campaign;
        let known = self.load(connection, id)?;
        if !known && submission.opens() {
            let no = self.next_campaign(connection)?;
            let ledger = Ledger::opening(no, id, self.slice_keys_max, &submission.after.gate);
            self.ledgers.insert(id, ledger);
        } else if !known {
            return Ok(Pending::Conflict { head: 0 });
        }
        let ledger = self.ledgers.get_mut(&id).expect("loaded or made");
        let fits = match submission.expects {
            Expectation::Head(seq) => ledger.head == seq,
            Expectation::Commands(seq) => ledger.head >= seq && ledger.command_seq <= seq,
        };
        if !fits {
            return Ok(Pending::Conflict { head: ledger.head });
        }
        self.touched.insert(ledger.no, id);
        ledger.at = ledger.at.max(submission.at);
        let first = self.batch.len();
        for Prepared { rendered, enrollment, postings, effect } in &submission.entries {
            let no = ledger.follow(*effect, *enrollment, &submission.after);
            if no.is_none() && enrollment.is_some() {
                let what = format!("campaign {id}: a command names an unknown enrollment");
                return Err(StoreError::Corrupt(what));
            }
            let (seq, n) = ledger.take_number(no);
            if matches!(rendered.kind(), Kind::CampaignOpened | Kind::TermsSet) {
                ledger.terms_seq = seq;
            }
            ledger.post(postings);
            let (campaign, at, kind) = (ledger.no, ledger.at, rendered.kind());
            let (amount, key, slot) = (None, None, None);
            let entry = NewEntry { campaign, seq, at, kind, enrollment: no, n, amount, key, slot };
            ledger.note_fresh(self.batch.push(rendered, entry));
        }
        ledger.take_over(&submission.after);
        Ok(Pending::Appended { first, last: self.batch.len() - 1, is_used_up: false })
    }

    fn next_campaign(&self, connection: &Connection) -> Result<CampaignNo, StoreError> {
        let sql = "SELECT coalesce(max(no), 0) FROM campaigns";
        let stored: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(fault)?;
        // Campaigns that this step has opened are not in the table yet.
        let opened = self.touched.keys().next_back().map_or(0, |no| no.0);
        Ok(CampaignNo(stored.max(opened) + 1))
    }

    pub(super) fn finish(&self, pending: Pending, written: &Written) -> Outcome {
        match pending {
            Pending::Settled(outcome) => *outcome,
            Pending::Conflict { .. } => unreachable!("events expect no head"),
            Pending::Recorded(_) => unreachable!("an event is no change of the registry"),
            Pending::Appended { first, is_used_up, .. } => {
                let entry = self.batch.entry(first);
                Outcome::Appended(Appended {
                    seq: entry.seq,
                    n: entry.n.expect("an event concerns an enrollment"),
                    at: entry.at,
                    leaf: written.leaves[first],
                    is_used_up,
                    tree: Arc::clone(&written.trees[&entry.campaign]),
                })
            }
        }
    }

    pub(super) fn finish_submission(&self, pending: &Pending, written: &Written) -> Submitted {
        match pending {
            Pending::Conflict { head } => Submitted::Conflict { head: *head },
            Pending::Settled(_) => unreachable!("a submission is not an event"),
            Pending::Recorded(_) => unreachable!("nor is it a change of the registry"),
            Pending::Appended { first, last, .. } => {
                let (first, last) = (self.batch.entry(*first), self.batch.entry(*last));
                Submitted::Appended {
                    first: first.seq,
                    last: last.seq,
                    at: last.at,
                    tree: Tree::of(&written.trees[&last.campaign]),
                }
            }
        }
    }
}
