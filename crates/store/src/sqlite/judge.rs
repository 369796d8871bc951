//! The writer's decisions: what is appended, where, and what is answered.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use sponsorhub_core::conversion::{Event, check_reversed_amount};
use sponsorhub_core::ids::{CompositeKey, EnrollmentNo, Fingerprint, Seq};
use sponsorhub_core::ledger::entry::{Entry, Rendered};
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;

use super::batch::NewEntry;
use super::ledger::Ledger;
use super::open::fault;
use super::position::CampaignNo;
use super::projections;
use super::sequencer::{Sequencer, Written};
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

impl Sequencer {
    /// Judges one event and, where it is taken in, puts its entry into the batch.
    pub(super) fn judge(&mut self, event: &Intake, now: i64) -> Result<Pending, StoreError> {
        if !self.load(event.campaign)? {
            return Ok(Pending::Settled(Box::new(Outcome::UnknownCampaign)));
        }
        let ledger = self.ledgers.get(&event.campaign).expect("just loaded");
        let Some((no, membership)) = ledger.member(event.enrollment) else {
            return Ok(Pending::Settled(Box::new(Outcome::UnknownEnrollment)));
        };
        // The key comes before the rules: a repeated delivery is told of the first, whatever has
        // happened to the campaign since.
        if let Some(seq) = ledger.dedup.find(&self.connection, event.key).map_err(fault)? {
            let same_content = self.fingerprint(ledger, seq)? == event.fingerprint;
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
                let sum = self.check_reversal(ledger, (no, conversion), event.amount, at)?;
                sum.map(|sum| Some((conversion, sum)))
            }
        };
        let reversed = match allowed {
            Ok(reversed) => reversed,
            Err(refusal) => return Ok(Pending::Settled(Box::new(Outcome::Refused(refusal)))),
        };
        let (rendered, slot) = self.use_click(ledger, event)?;
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
        Ok(Pending::Appended { first: number, last: number, is_used_up })
    }

    /// What is appended for an event that may be, and the slot of the click that it takes.
    fn use_click<'a>(
        &self,
        ledger: &Ledger,
        event: &'a Intake,
    ) -> Result<(&'a Rendered, Option<CompositeKey>), StoreError> {
        let Some(click) = &event.click else {
            return Ok((&event.rendered, None));
        };
        for slot in &click.slots {
            let taken = ledger.dedup.find(&self.connection, *slot).map_err(fault)?;
            if taken.is_none() {
                return Ok((&event.rendered, Some(*slot)));
            }
        }
        Ok((&click.used_up, None))
    }

    /// The sum of reversals after one more, or why it is refused (INV-8).
    fn check_reversal(
        &self,
        ledger: &Ledger,
        (no, conversion): (EnrollmentNo, Seq),
        amount: Minor,
        at: i64,
    ) -> Result<Result<Reversed, Refusal>, StoreError> {
        let found = self.conversion(ledger.no, conversion)?;
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
            None => {
                projections::reversed(&self.connection, ledger.no, conversion).map_err(fault)?
            }
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
    fn conversion(&self, no: CampaignNo, seq: Seq) -> Result<Option<Conversion>, StoreError> {
        if let Some(number) = self.batch.find(no, seq) {
            let entry = self.batch.entry(number);
            let (kind, enrollment, order) = (Some(entry.kind), entry.enrollment, entry.amount);
            return Ok(Some(Conversion { kind, enrollment, order }));
        }
        if seq == 0 || seq >= 1 << 40 {
            return Ok(None);
        }
        let sql = "SELECT kind, enrollment_no, amount_minor FROM entries WHERE pos = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let found = statement.query_row([no.entry(seq)], |row| {
            Ok(Conversion {
                kind: Kind::from_code(row.get(0)?),
                enrollment: row.get::<_, Option<u32>>(1)?.map(EnrollmentNo),
                order: row.get::<_, Option<i64>>(2)?.map(Minor),
            })
        });
        found.optional().map_err(fault)
    }

    /// The fingerprint of the event that has a key already.
    fn fingerprint(&self, ledger: &Ledger, seq: Seq) -> Result<Fingerprint, StoreError> {
        let read = |bytes: &[u8]| {
            let entry = Entry::decode(bytes).ok()?;
            Event::of(&entry.body).map(|event| event.fingerprint)
        };
        let fingerprint = if let Some(number) = self.batch.find(ledger.no, seq) {
            read(self.batch.bytes(number))
        } else {
            let sql = "SELECT bytes FROM entries WHERE pos = ?1";
            let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
            let found = statement.query_row([ledger.no.entry(seq)], |row| {
                Ok(read(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?))
            });
            found.optional().map_err(fault)?.flatten()
        };
        let missing = || StoreError::Corrupt(format!("entry {seq} has a key and is no event"));
        fingerprint.ok_or_else(missing)
    }

    /// Judges a submission and, where it is taken, puts all of its entries into the batch.
    pub(super) fn judge_submission(
        &mut self,
        submission: &Submission,
    ) -> Result<Pending, StoreError> {
        let id = submission.campaign;
        let known = self.load(id)?;
        if !known && submission.opens() {
            let no = self.next_campaign()?;
            let ledger = Ledger::opening(no, id, self.slice_keys_max(), &submission.after.gate);
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
            self.batch.push(rendered, entry);
        }
        ledger.take_over(&submission.after);
        Ok(Pending::Appended { first, last: self.batch.len() - 1, is_used_up: false })
    }

    fn next_campaign(&self) -> Result<CampaignNo, StoreError> {
        let sql = "SELECT coalesce(max(no), 0) FROM campaigns";
        let stored: i64 = self.connection.query_row(sql, [], |row| row.get(0)).map_err(fault)?;
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
