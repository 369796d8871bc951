//! What the writer keeps in memory of a ledger: enough to judge, number and hash the next entry
//! without reading. It is loaded from the tables, and thrown away when a commit fails.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::conversion::{Gate, Membership};
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::ledger::records::Reversed;
use sponsorhub_core::merkle::{Hash, RecentTree, Tile, TileWriter};
use sponsorhub_core::money::Minor;

use super::dedup::{Dedup, KeyMap};
use super::open::fault;
use super::position::{CampaignNo, signed, unsigned};
use super::{projections, strays, tree};
use crate::error::StoreError;
use crate::store::{BalanceRow, EnrollmentRow};
use crate::work::{After, Effect};

/// Entries after which the counts of the enrollments are written again. Until then they are
/// counted on load, so that a commit need not touch a row per creator.
const COUNTED_EVERY: u64 = 16_384;

/// A loaded ledger.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) no: CampaignNo,
    pub(super) id: CampaignId,
    pub(super) head: Seq,
    pub(super) at: i64,
    pub(super) command_seq: Seq,
    /// Position of the newest terms.
    pub(super) terms_seq: Seq,
    pub(super) gate: Gate,
    pub(super) dedup: Dedup,
    pub(super) tiles: TileWriter,
    /// Tiles that became full in the transaction in progress.
    full: Vec<Tile>,
    /// Numbers in the batch of the last entries: those of the transaction in progress.
    fresh: Vec<usize>,
    /// Reversed sums that the transaction in progress changed.
    pub(super) reversed: BTreeMap<Seq, Reversed>,
    /// When it was last used, in steps of the sequencer.
    pub(super) used: u64,
    members: Vec<Member>,
    numbers: KeyMap<EnrollmentId, u32>,
    counted: Seq,
    confirmed: Minor,
    budget: Minor,
    /// The confirmed budget and the budget when the campaign went live.
    launch: Option<(Minor, Minor)>,
    balances: BTreeMap<(i64, Account), Minor>,
    /// What of the above the transaction in progress changed.
    changed: Changed,
}

#[derive(Debug, Default)]
struct Changed {
    is_new: bool,
    members: BTreeSet<u32>,
    live: bool,
    balances: BTreeSet<(i64, Account)>,
}

/// An enrollment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) id: EnrollmentId,
    pub(super) n: u64,
    pub(super) membership: Membership,
}

impl From<EnrollmentRow> for Member {
    fn from(row: EnrollmentRow) -> Self {
        let EnrollmentRow { id, n, started_at, ended_at, .. } = row;
        Self { id, n, membership: Membership { started_at, ended_at } }
    }
}

impl Ledger {
    /// A ledger that its first entry is about to open.
    pub(super) fn opening(
        no: CampaignNo,
        id: CampaignId,
        slice_keys_max: usize,
        gate: &Gate,
    ) -> Self {
        Self {
            no,
            id,
            head: 0,
            at: i64::MIN,
            command_seq: 0,
            terms_seq: 0,
            gate: Gate { state: State::Draft, live: Vec::new(), ended_at: None, ..gate.clone() },
            dedup: Dedup::new(no, slice_keys_max),
            tiles: TileWriter::new(),
            full: Vec::new(),
            fresh: Vec::new(),
            reversed: BTreeMap::new(),
            used: 0,
            members: Vec::new(),
            numbers: KeyMap::default(),
            counted: 0,
            confirmed: Minor::ZERO,
            budget: Minor::ZERO,
            launch: None,
            balances: BTreeMap::new(),
            changed: Changed { is_new: true, ..Changed::default() },
        }
    }

    /// Loads a ledger that is there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the tables contradict each other, and faults.
    pub(super) fn load(
        connection: &Connection,
        no: CampaignNo,
        id: CampaignId,
        slice_keys_max: usize,
    ) -> Result<Self, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(what.to_owned());
        let row = projections::head(connection, no).map_err(fault)?;
        let row = row.ok_or_else(|| corrupt("it has no head"))?;
        let tiles = tree::restore(connection, no, row.head.seq)?;
        if *tiles.frontier() != row.frontier {
            return Err(corrupt("its entries and tiles do not give the tree of its head"));
        }
        if row.counted > row.head.seq {
            return Err(corrupt("it has counted entries behind its head"));
        }
        if let Some(what) = strays::beyond(connection, no, row.head.seq).map_err(fault)? {
            return Err(StoreError::Corrupt(what));
        }
        let dedup = Dedup::load(connection, no, slice_keys_max).map_err(fault)?;
        let dedup = dedup.ok_or_else(|| corrupt("a filter slice is damaged"))?;
        let mut members = projections::enrollments(connection, no).map_err(fault)?;
        projections::count_on(connection, no, row.counted, &mut members).map_err(fault)?;
        let numbers = members.iter().map(|member| (member.id, member.no.0)).collect();
        let balances = projections::balances(connection, no).map_err(fault)?;
        let balance = |row: BalanceRow| {
            let whose = row.enrollment.map_or(-1, |no| i64::from(no.0));
            ((whose, row.account), row.debit)
        };
        Ok(Self {
            no,
            id,
            head: row.head.seq,
            at: row.head.at,
            command_seq: row.head.command_seq,
            terms_seq: row.head.terms_seq,
            gate: row.head.gate,
            dedup,
            tiles,
            full: Vec::new(),
            fresh: Vec::new(),
            reversed: BTreeMap::new(),
            used: 0,
            members: members.into_iter().map(Member::from).collect(),
            numbers,
            counted: row.counted,
            confirmed: row.head.confirmed,
            budget: row.head.budget,
            launch: row.launch,
            balances: balances.into_iter().map(balance).collect(),
            changed: Changed::default(),
        })
    }

    /// The number and state of an enrollment.
    pub(super) fn member(&self, id: EnrollmentId) -> Option<(EnrollmentNo, Membership)> {
        let no = *self.numbers.get(&id)?;
        Some((EnrollmentNo(no), self.members[EnrollmentNo(no).index()].membership))
    }

    /// The position and, for an enrollment's entry, the number of the next entry.
    pub(super) fn take_number(&mut self, no: Option<EnrollmentNo>) -> (Seq, Option<u64>) {
        self.head += 1;
        let n = no.map(|no| {
            let member = &mut self.members[no.index()];
            member.n += 1;
            member.n
        });
        (self.head, n)
    }

    /// Notes the number in the batch of the entry that has just taken a number here.
    pub(super) fn note_fresh(&mut self, number: usize) {
        self.fresh.push(number);
    }

    /// The number in the batch of an entry of the transaction in progress.
    pub(super) fn find_fresh(&self, seq: Seq) -> Option<usize> {
        let behind = usize::try_from(self.head.checked_sub(seq)?).ok()?;
        let index = self.fresh.len().checked_sub(behind + 1)?;
        Some(self.fresh[index])
    }

    /// Hashes the next entry into the tree.
    pub(super) fn push_leaf(&mut self, leaf: Hash) {
        self.tiles.push(leaf, &mut self.full);
    }

    /// The tree as the transaction in progress leaves it.
    pub(super) fn recent_tree(&self) -> RecentTree {
        RecentTree::new(self.tiles.clone(), &self.full)
    }

    /// Follows what a command's entry does to the head, and returns the enrollment's number.
    pub(super) fn follow(
        &mut self,
        effect: Effect,
        enrollment: Option<EnrollmentId>,
        after: &After,
    ) -> Option<EnrollmentNo> {
        if effect == Effect::Started {
            let id = enrollment.expect("an enrollment that starts has an id");
            let no = u32::try_from(self.members.len()).expect("numbers have 32 bits");
            let membership = Membership { started_at: self.at, ended_at: None };
            self.members.push(Member { id, n: 0, membership });
            self.numbers.insert(id, no);
            self.changed.members.insert(no);
        }
        let no = enrollment.and_then(|id| self.numbers.get(&id).copied());
        match effect {
            Effect::State(to) => {
                self.gate.apply(self.at, to);
                self.changed.live = true;
                if to == State::Live && self.launch.is_none() {
                    self.launch = Some((after.confirmed, after.budget));
                }
            }
            Effect::Ended => {
                let no = no.expect("an enrollment that ends was started");
                self.members[EnrollmentNo(no).index()].membership.ended_at = Some(self.at);
                self.changed.members.insert(no);
            }
            Effect::None | Effect::Started => {}
        }
        no.map(EnrollmentNo)
    }

    /// Adds an entry's postings to the balances.
    pub(super) fn post(&mut self, postings: &Postings) {
        let whose = postings.enrollment().map_or(-1, |no| i64::from(no.0));
        for (account, change) in postings.iter() {
            let slot = (if account.is_per_enrollment() { whose } else { -1 }, account);
            *self.balances.entry(slot).or_default() += change;
            self.changed.balances.insert(slot);
        }
    }

    /// Takes over the figures of the state after a command.
    pub(super) fn take_over(&mut self, after: &After) {
        self.command_seq = self.head;
        self.confirmed = after.confirmed;
        self.budget = after.budget;
    }

    /// The transaction in progress is committed.
    pub(super) fn committed(&mut self) {
        self.dedup.committed();
        self.reversed.clear();
        self.full.clear();
        self.fresh.clear();
        self.changed = Changed::default();
    }

    /// Writes what the transaction in progress changed.
    pub(super) fn save(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.changed.is_new {
            connection.execute(
                "INSERT INTO campaigns (no, id) VALUES (?1, ?2)",
                params![self.no.0, self.id.0],
            )?;
        }
        let count = self.head - self.counted >= COUNTED_EVERY;
        if count {
            self.counted = self.head;
        }
        self.save_head(connection)?;
        if self.changed.live {
            self.save_live(connection)?;
        }
        let all = 0..u32::try_from(self.members.len()).expect("numbers have 32 bits");
        if count {
            self.save_members(connection, all)?;
        } else {
            let changed = self.changed.members.iter().copied();
            self.save_members(connection, changed)?;
        }
        self.save_sums(connection)?;
        tree::insert_tiles(connection, self.no, &self.full)?;
        self.dedup.save_full(connection)
    }

    fn save_head(&self, connection: &Connection) -> rusqlite::Result<()> {
        let (launch_confirmed, launch_budget) = self.launch.unzip();
        connection
            .prepare_cached(
                "INSERT INTO campaign_heads VALUES
                    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                 ON CONFLICT DO UPDATE SET
                    seq = ?2, at_ms = ?3, command_seq = ?4, counted_seq = ?5, state = ?6,
                    ended_at_ms = ?7, conversion_days = ?8, clearing_days = ?9, frontier = ?10,
                    confirmed_minor = ?11, budget_minor = ?12, launch_confirmed_minor = ?13,
                    launch_budget_minor = ?14, terms_seq = ?15",
            )?
            .execute(params![
                self.no.0,
                signed(self.head),
                self.at,
                signed(self.command_seq),
                signed(self.counted),
                self.gate.state.name(),
                self.gate.ended_at,
                self.gate.conversion_days,
                self.gate.clearing_days,
                self.tiles.frontier().to_bytes(),
                self.confirmed.0,
                self.budget.0,
                launch_confirmed.map(|minor: Minor| minor.0),
                launch_budget.map(|minor: Minor| minor.0),
                signed(self.terms_seq),
            ])
            .map(drop)
    }

    fn save_live(&self, connection: &Connection) -> rusqlite::Result<()> {
        // Only the last two can have changed, and one command may change several times.
        for (number, (from, to)) in (0_i64..).zip(&self.gate.live) {
            connection.execute(
                "INSERT INTO live_intervals VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET to_ms = ?4",
                params![self.no.0, number, from, to],
            )?;
        }
        Ok(())
    }

    fn save_members(
        &self,
        connection: &Connection,
        numbers: impl Iterator<Item = u32>,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO enrollments (campaign_no, no, id, started_at_ms, ended_at_ms, n)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET ended_at_ms = ?5, n = ?6",
        )?;
        for no in numbers {
            let member = &self.members[EnrollmentNo(no).index()];
            // The row counts up to `counted`; what lies behind is counted on load.
            let n =
                if self.counted == self.head { member.n } else { self.stored_n(connection, no)? };
            let Membership { started_at, ended_at } = member.membership;
            statement.execute(params![
                self.no.0,
                no,
                member.id.0,
                started_at,
                ended_at,
                signed(n)
            ])?;
        }
        Ok(())
    }

    /// The count that an enrollment's row has; 0 where there is no row yet.
    fn stored_n(&self, connection: &Connection, no: u32) -> rusqlite::Result<u64> {
        let sql = "SELECT n FROM enrollments WHERE campaign_no = ?1 AND no = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let n = statement.query_row(params![self.no.0, no], |row| row.get(0)).optional()?;
        Ok(n.map_or(0, unsigned))
    }

    fn save_sums(&self, connection: &Connection) -> rusqlite::Result<()> {
        for slot in &self.changed.balances {
            let (whose, account) = *slot;
            connection
                .prepare_cached(
                    "INSERT INTO balances VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET debit_minor = ?4",
                )?
                .execute(params![self.no.0, whose, account.name(), self.balances[slot].0])?;
        }
        for (conversion, reversed) in &self.reversed {
            connection
                .prepare_cached(
                    "INSERT INTO reversals VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET refunded_minor = ?3, is_whole = ?4",
                )?
                .execute(params![
                    self.no.0,
                    signed(*conversion),
                    reversed.refunded.0,
                    reversed.whole
                ])?;
        }
        Ok(())
    }
}
