//! The audit: derives a ledger's state and tree again from entry 1 and compares.
//!
//! It trusts nothing but the entries' bytes. Each must be canonical, follow the one before it,
//! agree with the typed columns of its row, and have the hash that the stored tiles record; what
//! all of them fold into must be what the projections say (INV-1, INV-2, INV-6, INV-7, INV-10,
//! INV-14). The first entry that is wrong is named. What no ledger holds is found by [`strays`].
//!
//! It reads while a server writes: the projections are read at one moment, entries up to that
//! moment are read page by page and never change. Pages are decoded on several threads and folded
//! on one. In memory it keeps a few pages and the folded state of the campaign that it is at, which
//! grows with its conversions; campaigns are audited one after the other.

mod compare;

mod page;

use std::collections::BTreeSet;

use serde::Serialize;
use sponsorhub_core::conversion::Event;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::error::LedgerError;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::merkle::{Tile, TileWriter};
use sponsorhub_store::{Reader, StoreError};

use compare::OtherTile;
use page::{Checked, Page, Share, half};

/// Opens a reader of its own for a thread.
pub type OpenReader<'a> = &'a (dyn Fn() -> Result<Box<dyn Reader>, StoreError> + Sync);

/// Entries per page: one short read of the store.
const PAGE: u64 = 4_096;

/// Threads that read and decode beside the one that folds.
const DECODERS: u64 = 2;

/// What is wrong with a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// The first entry that is wrong; none where the entries are right and something beside them is
    /// not.
    pub entry: Option<Seq>,
    /// Where the tree can only say that it is one of several: the last of them.
    pub up_to: Option<Seq>,
    /// What was found, in words.
    pub detail: String,
}

impl Finding {
    fn at(code: &'static str, entry: Seq, detail: impl Into<String>) -> Self {
        Self { code, entry: Some(entry), up_to: None, detail: detail.into() }
    }

    fn beside(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, entry: None, up_to: None, detail: detail.into() }
    }
}

/// What came of auditing one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CampaignReport {
    /// Which.
    pub campaign: String,
    /// Entries that were looked at before the audit ended, from the first on.
    pub entries: u64,
    /// The state that they fold into.
    pub state: Option<&'static str>,
    /// The root of the tree over all of them, lower-case hex.
    pub root: Option<String>,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
}

/// Positions of the newest entries of some sorts.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    /// Of those that a command made.
    command: Seq,
    /// Of those that set terms.
    terms: Seq,
}

/// A ledger on its way through the audit.
struct Replay<'a> {
    reader: &'a mut dyn Reader,
    id: CampaignId,
    campaign: Option<Campaign>,
    tree: TileWriter,
    full: Vec<Tile>,
    /// The first stored tile that the entries do not give.
    other_tile: Option<OtherTile>,
    newest: Newest,
    /// Halves of all composite keys.
    keys: Vec<u64>,
    /// Up to where the store counts entries per enrollment, and the counts there.
    counted: Seq,
    counts: Vec<u64>,
}

/// What lies in the store and belongs to no ledger, in words.
///
/// # Errors
/// [`StoreError`] where the store cannot be read; what it holds is never an error.
pub fn strays(open: OpenReader<'_>) -> Result<Vec<String>, StoreError> {
    match open()?.strays() {
        Err(StoreError::Corrupt(detail)) => Ok(vec![detail]),
        found => found,
    }
}

/// Audits one campaign. `progress` is told how many entries were done since it was last told.
///
/// # Errors
/// [`StoreError`] where the store cannot be read; what it holds is never an error but a finding.
pub fn audit_campaign(
    open: OpenReader<'_>,
    id: CampaignId,
    progress: &mut dyn FnMut(u64),
) -> Result<CampaignReport, StoreError> {
    match replayed(open, id, progress) {
        Err(StoreError::Corrupt(detail)) => Ok(CampaignReport {
            campaign: id.to_string(),
            entries: 0,
            state: None,
            root: None,
            finding: Some(Finding::beside("projection", detail)),
        }),
        report => report,
    }
}

fn replayed(
    open: OpenReader<'_>,
    id: CampaignId,
    progress: &mut dyn FnMut(u64),
) -> Result<CampaignReport, StoreError> {
    let mut reader = open()?;
    let projections = reader.projections(id)?.ok_or(StoreError::UnknownCampaign(id))?;
    let head = projections.head.seq;
    let mut replay = Replay {
        reader: reader.as_mut(),
        id,
        campaign: None,
        tree: TileWriter::new(),
        full: Vec::new(),
        other_tile: None,
        newest: Newest::default(),
        keys: Vec::new(),
        counted: projections.counted,
        counts: Vec::new(),
    };
    let mut finding = replay.entries(open, head, progress)?;
    let tree = compare::tree(&replay.tree, &projections.head);
    if let Some(other) = replay.other_tile.take() {
        // The entries are as they were appended if all of them have the recorded root. Otherwise
        // the tile tells which has changed, and it lies before whatever came of it.
        let is_sound = finding.is_none() && tree.is_none();
        finding = Some(if is_sound { other.tile_changed() } else { other.entry_changed() });
    }
    if finding.is_none() {
        finding = replay.repeated_key(head)?.or(tree);
    }
    if let (None, Some(campaign)) = (&finding, &replay.campaign) {
        finding = compare::projections(campaign, replay.newest, &replay.counts, &projections);
    }
    Ok(CampaignReport {
        campaign: id.to_string(),
        entries: replay.tree.size(),
        state: replay.campaign.as_ref().map(|campaign| campaign.state().name()),
        root: Some(replay.tree.root().to_string()),
        finding,
    })
}

impl Replay<'_> {
    /// Folds entries 1 to `head`, which other threads read and decode.
    fn entries(
        &mut self,
        open: OpenReader<'_>,
        head: Seq,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Finding>, StoreError> {
        let id = self.id;
        std::thread::scope(|scope| {
            let decoders: Vec<_> = (0..DECODERS)
                .map(|first| {
                    let (sender, receiver) = std::sync::mpsc::sync_channel(2);
                    let share = Share { head, first, every: DECODERS };
                    scope.spawn(move || page::send(open, id, share, &sender));
                    receiver
                })
                .collect();
            let pages = head.div_ceil(PAGE);
            // The receivers are dropped on the way out, which ends the other threads.
            for receiver in decoders.iter().cycle().take(as_index(pages)) {
                let Ok(page) = receiver.recv() else {
                    return Err(StoreError::Closed);
                };
                let Page { checked, finding } = page?;
                let count = checked.len();
                for entry in checked {
                    if let Some(finding) = self.step(entry)? {
                        return Ok(Some(finding));
                    }
                }
                progress(u64::try_from(count).expect("a page is small"));
                if finding.is_some() {
                    return Ok(finding);
                }
            }
            Ok(None)
        })
    }

    fn step(&mut self, checked: Checked) -> Result<Option<Finding>, StoreError> {
        let Checked { entry, key, leaf, enrollment_no } = checked;
        self.keys.extend(key);
        if entry.campaign != self.id {
            let error = LedgerError::OtherCampaign.to_string();
            return Ok(Some(Finding::at("ledger", entry.seq, error)));
        }
        if let Err(error) = self.fold(&entry) {
            return Ok(Some(Finding::at("ledger", entry.seq, error.to_string())));
        }
        let campaign = self.campaign.as_ref().expect("the fold has begun");
        let number = entry.enrollment.and_then(|(id, _)| campaign.enrollment_no(id));
        if number != enrollment_no {
            let detail = "the column `enrollment_no` names another enrollment than the entry";
            return Ok(Some(Finding::at("columns", entry.seq, detail)));
        }
        if !entry.body.kind().is_intake() {
            self.newest.command = entry.seq;
        }
        if matches!(entry.body.kind(), Kind::CampaignOpened | Kind::TermsSet) {
            self.newest.terms = entry.seq;
        }
        if entry.seq == self.counted {
            self.counts = campaign.enrollments().iter().map(|enrollment| enrollment.n).collect();
        }
        self.tree.push(leaf, &mut self.full);
        for tile in std::mem::take(&mut self.full) {
            let stored = self.reader.tile(self.id, tile.id)?;
            if self.other_tile.is_none() {
                self.other_tile = compare::tile(&tile, stored.as_deref(), entry.seq);
            }
        }
        Ok(None)
    }

    /// An entry whose composite key an earlier one had (INV-4).
    fn repeated_key(&mut self, head: Seq) -> Result<Option<Finding>, StoreError> {
        self.keys.sort_unstable();
        let repeated: BTreeSet<u64> =
            self.keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        if repeated.is_empty() {
            return Ok(None);
        }
        let (mut seen, mut second) = (BTreeSet::new(), None);
        for from in (1..=head).step_by(as_index(PAGE)) {
            let (id, page) = (self.id, as_index(PAGE));
            self.reader.scan(id, from, page, &mut |row| {
                let event = Entry::decode(row.bytes).ok().and_then(|entry| Event::of(&entry.body));
                let key = event.map(|event| event.key);
                let suspect = key.filter(|key| repeated.contains(&half(*key)));
                if row.seq <= head && suspect.is_some_and(|key| !seen.insert(key)) {
                    second.get_or_insert(row.seq);
                }
            })?;
        }
        let detail = "an earlier entry has the same composite key (INV-4)";
        Ok(second.map(|seq| Finding::at("key", seq, detail)))
    }

    fn fold(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        if let Some(campaign) = &mut self.campaign {
            return campaign.apply(entry).map(drop);
        }
        self.campaign = Some(Campaign::open(entry)?);
        Ok(())
    }
}

fn as_index(count: u64) -> usize {
    usize::try_from(count).expect("pages fit an index")
}
