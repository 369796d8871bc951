//! The store as anyone would write it first: vectors and maps. It says what must come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use sponsorhub_core::ids::{
    CampaignId, CompositeKey, EnrollmentId, EnrollmentNo, Fingerprint, Salt, Seq,
};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::conversion::{ConversionRejected, Taken};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::merkle::{RecentTree, TileWriter, leaf_hash};
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;
use sponsorhub_store::store::BalanceRow;
use sponsorhub_store::work::{Appended, CLICK_ALREADY_USED, Tree};
use sponsorhub_store::{Intake, Outcome};

/// An event before it is rendered.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) campaign: CampaignId,
    pub(crate) enrollment: EnrollmentId,
    pub(crate) body: Body,
    pub(crate) salt: Salt,
    pub(crate) slots: Option<Vec<CompositeKey>>,
}

impl Event {
    pub(crate) fn intake(&self) -> Intake {
        let intake = Intake::try_new(self.campaign, self.enrollment, &self.body, self.salt);
        let intake = intake.expect("an event");
        match (&self.slots, self.taken()) {
            (Some(slots), Some(taken)) => {
                intake.with_click(slots.clone(), taken, self.salt).expect("an event")
            }
            _ => intake,
        }
    }

    fn taken(&self) -> Option<&Taken> {
        match &self.body {
            Body::ConversionAccepted(accepted) => Some(&accepted.0),
            Body::ConversionHeld(held) => Some(&held.taken),
            Body::ConversionRejected(rejected) => Some(&rejected.taken),
            _ => None,
        }
    }

    fn key(&self) -> (CompositeKey, Fingerprint) {
        match &self.body {
            Body::ConversionReversed(reversed) => (reversed.key, reversed.fingerprint),
            _ => self.taken().map(|taken| (taken.key, taken.fingerprint)).expect("an event"),
        }
    }
}

/// One ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) state: Campaign,
    pub(crate) keys: BTreeMap<CompositeKey, (Seq, Option<Fingerprint>)>,
    pub(crate) tiles: TileWriter,
    pub(crate) command_seq: Seq,
}

impl Ledger {
    /// A ledger from its entries, of which commands alone made all.
    pub(crate) fn read(entries: &[Vec<u8>]) -> Self {
        let mut tiles = TileWriter::new();
        let mut state: Option<Campaign> = None;
        for bytes in entries {
            tiles.push(leaf_hash(bytes), &mut Vec::new());
            let entry = Entry::decode(bytes).expect("canonical");
            match &mut state {
                None => state = Some(Campaign::open(&entry).expect("opens")),
                Some(state) => {
                    state.apply(&entry).expect("follows");
                }
            }
        }
        let state = state.expect("an opening entry");
        Self {
            entries: entries.to_vec(),
            command_seq: state.head(),
            state,
            keys: BTreeMap::new(),
            tiles,
        }
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree { size: self.tiles.size(), root: self.tiles.root() }
    }

    fn recent(&self) -> Arc<RecentTree> {
        Arc::new(RecentTree::new(self.tiles.clone(), &[]))
    }

    fn append(&mut self, at: i64, enrollment: Option<EnrollmentId>, body: Body, salt: Salt) -> Seq {
        let n = |id| {
            let no = self.state.enrollment_no(id);
            (id, no.map_or(1, |no| self.state.enrollment(no).n + 1))
        };
        let seq = self.state.head() + 1;
        let campaign = self.state.id();
        let enrollment = enrollment.map(n);
        let entry = Entry { at, body, campaign, enrollment, salt, seq };
        let bytes = entry.encode().expect("an entry");
        self.state.apply(&entry).expect("it may follow");
        self.tiles.push(leaf_hash(&bytes), &mut Vec::new());
        self.entries.push(bytes);
        seq
    }

    /// Appends a command's entries, salted as they were submitted.
    pub(crate) fn follow(&mut self, draft: &Draft, salts: &[Salt]) {
        assert_eq!(draft.base(), self.state.head(), "the model is told of each command at once");
        for (drafted, salt) in draft.entries().iter().zip(salts) {
            self.append(draft.now(), drafted.enrollment, drafted.body.clone(), *salt);
        }
        self.command_seq = self.state.head();
    }

    /// What must come of an event at `now`. The tree of the outcome is that after this event.
    pub(crate) fn take_in(&mut self, event: &Event, now: i64) -> Outcome {
        let Some(no) = self.state.enrollment_no(event.enrollment) else {
            return Outcome::UnknownEnrollment;
        };
        let (key, fingerprint) = event.key();
        if let Some((seq, first)) = self.keys.get(&key) {
            return Outcome::Duplicate { seq: *seq, same_content: *first == Some(fingerprint) };
        }
        let at = now.max(self.state.at());
        if let Err(refusal) = self.check(event, no, at) {
            return Outcome::Refused(refusal);
        }
        let mut body = event.body.clone();
        let mut slot = None;
        if let (Some(slots), Some(taken)) = (&event.slots, event.taken()) {
            slot = slots.iter().find(|slot| !self.keys.contains_key(slot)).copied();
            if slot.is_none() {
                let reason = CLICK_ALREADY_USED.to_owned();
                body = ConversionRejected { reason, taken: taken.clone() }.into();
            }
        }
        let is_used_up = event.slots.is_some() && event.taken().is_some() && slot.is_none();
        let seq = self.append(at, Some(event.enrollment), body, event.salt);
        self.keys.insert(key, (seq, Some(fingerprint)));
        self.keys.extend(slot.map(|slot| (slot, (seq, None))));
        let leaf = leaf_hash(self.entries.last().expect("just appended"));
        let n = self.state.enrollment(no).n;
        Outcome::Appended(Appended { seq, n, at, leaf, is_used_up, tree: self.recent() })
    }

    fn check(&self, event: &Event, no: EnrollmentNo, at: i64) -> Result<(), Refusal> {
        let conversion =
            |taken: &Taken| self.state.check_conversion(event.enrollment, taken.click_at, at);
        match &event.body {
            Body::ConversionAccepted(accepted) => conversion(&accepted.0),
            Body::ConversionHeld(held) => conversion(&held.taken),
            Body::ConversionReversed(reversed) => {
                let known = self.state.conversion(reversed.conversion);
                if known.is_some_and(|(owner, _)| owner != no) {
                    let what = "the conversion is another creator's";
                    return Err(Refusal::Enrollment(what));
                }
                self.state.check_reversal(reversed.conversion, reversed.amount, at)
            }
            _ => Ok(()),
        }
    }

    /// Balances that are not zero, as a store lists them.
    pub(crate) fn balances(&self) -> Vec<BalanceRow> {
        let own =
            |account: Account, amount: Minor| if account.is_debit() { amount } else { -amount };
        let mut rows = Vec::new();
        for account in Account::ALL {
            if !account.is_per_enrollment() {
                let debit = own(account, self.state.balances().total(account));
                rows.push(BalanceRow { enrollment: None, account, debit });
                continue;
            }
            for (no, _) in self.state.numbered_enrollments() {
                let debit = own(account, self.state.balances().of(account, no));
                rows.push(BalanceRow { enrollment: Some(no), account, debit });
            }
        }
        rows.retain(|row| !row.debit.is_zero());
        rows.sort_unstable();
        rows
    }
}

/// All ledgers.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) ledgers: BTreeMap<CampaignId, Ledger>,
}

impl Model {
    /// What must come of events that are handed in together: the tree of each outcome is that
    /// after all of them, since they share a commit.
    pub(crate) fn take_in(&mut self, events: &[Event], now: i64) -> Vec<Outcome> {
        let mut outcomes: Vec<_> = events
            .iter()
            .map(|event| match self.ledgers.get_mut(&event.campaign) {
                Some(ledger) => ledger.take_in(event, now),
                None => Outcome::UnknownCampaign,
            })
            .collect();
        for (event, outcome) in events.iter().zip(&mut outcomes) {
            if let Outcome::Appended(appended) = outcome {
                appended.tree = self.ledgers[&event.campaign].recent();
            }
        }
        outcomes
    }
}
