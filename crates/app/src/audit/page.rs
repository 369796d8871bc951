//! One page of a ledger, read and decoded beside the fold.

use std::sync::mpsc::SyncSender;

use sponsorhub_core::conversion::Event;
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentNo, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::merkle::{Hash, leaf_hash};
use sponsorhub_store::store::EntryRow;
use sponsorhub_store::{Reader, StoreError};

use super::{Finding, OpenReader, PAGE, as_index};

/// An entry that is right by itself.
pub(super) struct Checked {
    pub(super) entry: Entry,
    /// The first half of its composite key, where it has one.
    pub(super) key: Option<u64>,
    pub(super) leaf: Hash,
    /// Whom the row's columns name; the fold knows whether that is right.
    pub(super) enrollment_no: Option<EnrollmentNo>,
}

/// A page up to the first entry that is wrong by itself.
pub(super) struct Page {
    pub(super) checked: Vec<Checked>,
    pub(super) finding: Option<Finding>,
}

/// Which pages of a ledger one thread reads.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// The last entry of the ledger.
    pub(super) head: Seq,
    /// The first page, from 0.
    pub(super) first: u64,
    /// From one page to the next.
    pub(super) every: u64,
}

/// Reads the pages of a share, and hands them over until nobody listens.
pub(super) fn send(
    open: OpenReader<'_>,
    campaign: CampaignId,
    share: Share,
    to: &SyncSender<Result<Page, StoreError>>,
) {
    let Share { head, first, every } = share;
    let mut reader = match open() {
        Ok(reader) => reader,
        Err(error) => return drop(to.send(Err(error))),
    };
    for number in (first..head.div_ceil(PAGE)).step_by(as_index(every)) {
        let from = number * PAGE + 1;
        let wanted = PAGE.min(head + 1 - from);
        let mut page = Page { checked: Vec::with_capacity(as_index(wanted)), finding: None };
        let mut next = from;
        let scanned = reader.scan(campaign, from, as_index(wanted), &mut |row| {
            if page.finding.is_none() {
                match check(&row, next) {
                    Ok(checked) => page.checked.push(checked),
                    Err(finding) => page.finding = Some(finding),
                }
                next += 1;
            }
        });
        let scanned = scanned.and_then(|_| unfound_key(reader.as_mut(), campaign, &mut page));
        let page = match scanned {
            Ok(()) if page.finding.is_none() && next < from + wanted => {
                page.finding = Some(Finding::at("missing", next, "there is no such entry (INV-6)"));
                Ok(page)
            }
            Ok(()) => Ok(page),
            Err(StoreError::Corrupt(detail)) => {
                page.finding = Some(Finding::at("row", next, detail));
                Ok(page)
            }
            Err(error) => Err(error),
        };
        if to.send(page).is_err() {
            return;
        }
    }
}

/// An entry of the page whose key a repeated delivery would not meet (INV-4).
fn unfound_key(
    reader: &mut dyn Reader,
    campaign: CampaignId,
    page: &mut Page,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (page.checked.first(), page.checked.last()) else {
        return Ok(());
    };
    let (from, to) = (first.entry.seq, last.entry.seq);
    let (seq, detail) = match reader.unfound_key(campaign, from, to) {
        Ok(None) => return Ok(()),
        Ok(Some(seq)) => {
            let detail = "no filter leads to its composite key: it could enter again (INV-4)";
            (seq, detail.to_owned())
        }
        Err(StoreError::Corrupt(detail)) => (from, detail),
        Err(error) => return Err(error),
    };
    page.checked.truncate(as_index(seq - from));
    page.finding = Some(Finding::at("key", seq, detail));
    Ok(())
}

/// Half of a key tells two keys apart as well as needed: equal halves are looked at again.
pub(super) fn half(key: CompositeKey) -> u64 {
    let half = key.0.first_chunk().copied().expect("a key has 16 bytes");
    u64::from_be_bytes(half)
}

fn check(row: &EntryRow<'_>, next: Seq) -> Result<Checked, Finding> {
    if row.seq != next {
        return Err(Finding::at("missing", next, "there is no such entry (INV-6)"));
    }
    let entry =
        Entry::decode(row.bytes).map_err(|error| Finding::at("entry", next, error.to_string()))?;
    let event = Event::of(&entry.body);
    let columns = [
        ("pos", entry.seq == row.seq),
        ("at_ms", entry.at == row.at),
        ("kind", entry.body.kind() == row.kind),
        ("n", entry.enrollment.map(|(_, n)| n) == row.enrollment.map(|(_, n)| n)),
        ("amount_minor", event.map(|event| event.amount) == row.amount),
        ("key", event.map(|event| event.key) == row.key),
    ];
    if let Some((column, _)) = columns.into_iter().find(|(_, same)| !same) {
        let detail = format!("the column `{column}` and the entry's bytes differ");
        return Err(Finding::at("columns", next, detail));
    }
    Ok(Checked {
        key: event.map(|event| half(event.key)),
        leaf: leaf_hash(row.bytes),
        enrollment_no: row.enrollment.map(|(no, _)| no),
        entry,
    })
}
