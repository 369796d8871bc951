//! Entries of a ledger, newest first, a page at a time.

use serde_json::Value;
use sponsorhub_core::ids::{CampaignId, NoteId, Seq};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_store::store::EntryRow;

use crate::api::Fault;
use crate::problem::Problem;
use crate::shared::Shared;

/// Rows of a page.
pub(super) const ROWS: usize = 50;

/// Entries that are read at a time.
const CHUNK: u64 = 500;

/// Entries that are looked through for one page of a list that shows only some.
const SCANNED_MAX: u64 = 10_000;

/// A page of rows, and before which entry the next one begins.
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    pub(super) older: Option<Seq>,
}

/// What `pick` makes of the entries before `before`, from the newest back.
pub(super) fn newest<T>(
    shared: &Shared,
    campaign: CampaignId,
    before: Seq,
    mut pick: impl FnMut(&EntryRow<'_>) -> Option<T>,
) -> Result<Rows<T>, Problem> {
    let (mut end, mut rows) = (before, Vec::new());
    let least = before.saturating_sub(SCANNED_MAX);
    while end > 1 && end > least && rows.len() < ROWS {
        let from = end.saturating_sub(CHUNK).max(1);
        let count = usize::try_from(end - from).unwrap_or(usize::MAX);
        let mut found: Vec<(Seq, T)> = Vec::new();
        let scanned = shared.desk.read(|reader| {
            reader.scan(campaign, from, count, &mut |row| {
                found.extend(pick(&row).map(|one| (row.seq, one)));
            })
        });
        scanned.map_err(Fault::from)?;
        let left = ROWS - rows.len();
        // What does not fit on this page is found again by the next.
        end = if found.len() > left { found[found.len() - left].0 } else { from };
        rows.extend(found.into_iter().rev().take(left).map(|(_, one)| one));
    }
    Ok(Rows { rows, older: (end > 1).then_some(end) })
}

/// The body of an entry.
pub(super) fn body(bytes: &[u8]) -> Value {
    let mut entry: Value = serde_json::from_slice(bytes).unwrap_or_default();
    entry["body"].take()
}

/// Why a conversion is held, in words: of its risk, or of who doubted it.
pub(super) fn doubts(
    shared: &Shared,
    campaign: CampaignId,
    placed: Seq,
) -> Result<String, Problem> {
    let entry = shared.desk.read(|reader| reader.entry(campaign, placed)).map_err(Fault::from)?;
    let body = body(&entry.unwrap_or_default());
    if let Some(reason) = body["reason"].as_str() {
        return note(shared, campaign, reason);
    }
    let taken = if body["taken"].is_object() { &body["taken"] } else { &body };
    let reasons = taken["risk"]["reasons"].as_array().cloned().unwrap_or_default();
    let reasons = reasons.iter().filter_map(Value::as_str).map(reason);
    let reasons: Vec<String> = reasons.collect();
    Ok(if reasons.is_empty() { "no reason is recorded".to_owned() } else { reasons.join("; ") })
}

/// What an entry says for a reason: a text that stands beside the ledger, where it names one.
pub(super) fn note(shared: &Shared, campaign: CampaignId, said: &str) -> Result<String, Problem> {
    let Ok(id) = said.parse::<NoteId>() else { return Ok(said.to_owned()) };
    let note = shared.desk.registry(|registry| registry.note(campaign, id)).map_err(Fault::from)?;
    Ok(note.map_or_else(|| "a reason that is erased".to_owned(), |note| note.0))
}

/// A reason of the risk rules in words; codes of later rules as they are.
fn reason(code: &str) -> String {
    match code {
        "click_within_2_s" => "ordered within 2 seconds of the click",
        "click_within_10_s" => "ordered within 10 seconds of the click",
        "network_over_10_an_hour" => "more than 10 orders from one network within an hour",
        "network_over_50_an_hour" => "more than 50 orders from one network within an hour",
        "own_purchase" => "bought from where the link was made",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

/// Who an entry is about, and the page of a list.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Older than this entry.
    pub(super) before: Option<Seq>,
    /// Only of this enrollment.
    pub(super) enrollment: Option<String>,
    /// Only kinds that begin so.
    pub(super) kind: Option<String>,
    /// Only conversions with this result.
    pub(super) result: Option<String>,
    /// What was just done, by its word.
    pub(super) done: Option<String>,
}

impl Asked {
    /// Before which entry the page begins: at most behind the last one that `state` knows.
    pub(super) fn before(&self, state: &Campaign) -> Seq {
        let end = state.head().saturating_add(1);
        self.before.map_or(end, |before| before.min(end))
    }
}
