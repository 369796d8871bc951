//! Reading a ledger ahead of whoever follows it.
//!
//! Two threads read pages in turn, each by a reader of its own, and make of every entry what the
//! follower asked for; the follower has them in order on its own thread. So the fold, which has to
//! go entry by entry, does nothing but fold. At most a few pages wait, however long the ledger is.

use std::ops::RangeInclusive;
use std::sync::mpsc::{SyncSender, sync_channel};

use sponsorhub_core::ids::{CampaignId, Seq};

use crate::error::StoreError;
use crate::store::Reader;

/// Opens a reader of its own for a thread.
pub type OpenReader<'a> = &'a (dyn Fn() -> Result<Box<dyn Reader>, StoreError> + Sync);

/// Entries per page: one short read of the store.
const PAGE: u64 = 256;

/// Threads that read.
const READERS: u64 = 2;

/// Pages of each reader that may wait.
const WAITING: usize = 4;

/// Which part of a ledger is read.
#[derive(Clone, Debug)]
pub struct Section {
    /// Whose ledger.
    pub campaign: CampaignId,
    /// From and up to which position. It ends at the last entry where that comes before.
    pub positions: RangeInclusive<Seq>,
}

/// Hands what `read` makes of each entry's bytes to `each`, in order, and returns how many there
/// were. `read` runs on other threads. The first error of `each` ends it.
///
/// The positions are not looked at beyond asking for them: what is handed on says itself where it
/// belongs, and folding it compares.
///
/// # Errors
/// Those of `each`, and [`StoreError::UnknownCampaign`], [`StoreError::Corrupt`] for a row that is
/// no entry, faults.
pub fn read_ahead<T: Send, E: From<StoreError>>(
    open: OpenReader<'_>,
    section: &Section,
    read: &(dyn Fn(&[u8]) -> T + Sync),
    each: &mut dyn FnMut(T) -> Result<(), E>,
) -> Result<u64, E> {
    std::thread::scope(|scope| {
        let pages: Vec<_> = (0..READERS)
            .map(|first| {
                let (sender, receiver) = sync_channel(WAITING);
                scope.spawn(move || send(open, section, first, read, &sender));
                receiver
            })
            .collect();
        let mut count = 0;
        // The receivers are dropped on the way out, which ends the other threads. A reader hangs up
        // behind its last page, and the first to do so is the one whose turn it is.
        for receiver in pages.iter().cycle() {
            let Ok(page) = receiver.recv() else {
                break;
            };
            let before = count;
            for item in page? {
                each(item)?;
                count += 1;
            }
            if count - before < PAGE {
                // What was appended since and lies in a later page does not follow this one.
                break;
            }
        }
        Ok(count)
    })
}

/// Reads every second page, and hands them over until the section ends or nobody listens.
fn send<T>(
    open: OpenReader<'_>,
    section: &Section,
    first: u64,
    read: &(dyn Fn(&[u8]) -> T + Sync),
    to: &SyncSender<Result<Vec<T>, StoreError>>,
) {
    let mut reader = match open() {
        Ok(reader) => reader,
        Err(error) => return drop(to.send(Err(error))),
    };
    let (start, end) = (*section.positions.start(), *section.positions.end());
    let mut from = start.saturating_add(first * PAGE);
    while from <= end {
        // Compared before one is added: a section may end at the largest number there is.
        let wanted = (end - from).min(PAGE - 1) + 1;
        let wanted = usize::try_from(wanted).expect("a page fits an index");
        let mut page = Vec::with_capacity(wanted);
        let scanned = reader.scan_bytes(section.campaign, from, wanted, &mut |bytes| {
            page.push(read(bytes));
        });
        let is_last = page.len() < wanted;
        if to.send(scanned.map(|_| page)).is_err() || is_last {
            return;
        }
        let Some(next) = from.checked_add(READERS * PAGE) else {
            return;
        };
        from = next;
    }
}
