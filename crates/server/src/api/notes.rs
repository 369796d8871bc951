//! Reasons that people write. An entry stays for ever and a text may be about somebody, so an entry names
//! a note, and the text stands beside the ledger, from where it can go.

use serde_json::Value;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, NoteId, Seq};
use sponsorhub_store::Change;
use sponsorhub_store::registry::{Note, NoteText};

use super::Fault;
use super::caller::Caller;
use super::once::Seed;
use crate::problem::Problem;

/// What a reason is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    /// A conversion, by its entry.
    Conversion(Seq),
    /// A payout, by its entry.
    Payout(Seq),
    /// The campaign's own money.
    Campaign,
}

impl Caller {
    /// Does `work` with the name of a note of this text. Where it is refused the note goes again.
    pub(super) fn with_note<T>(
        &self,
        (campaign, about): (CampaignId, About),
        text: &str,
        seed: &Seed,
        work: impl FnOnce(String) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let desk = &self.shared.desk;
        let enrollment = desk.look(campaign, |state| {
            let no = match about {
                About::Conversion(seq) => state.conversion(seq).map(|(no, _)| no),
                About::Payout(seq) => state.payouts().get(&seq).map(|payout| payout.enrollment),
                About::Campaign => None,
            };
            no.map(|no| -> EnrollmentId { state.enrollment(no).id })
        });
        let id = NoteId(seed.id);
        let note = Note {
            id,
            campaign,
            enrollment: enrollment.map_err(Fault::from)?,
            text: NoteText(text.to_owned()),
            created_at: self.shared.clock.now(),
        };
        desk.record(Change::KeepNote(note), None).map_err(Fault::from)?;
        let done = work(id.to_string());
        if done.as_ref().is_err_and(|problem| problem.status().is_client_error()) {
            desk.record(Change::DropNote { campaign, id }, None).map_err(Fault::from)?;
        }
        done
    }

    /// The text of the note that an entry names; null where it names none, or the text is gone.
    pub(super) fn note_of(&self, campaign: CampaignId, entry: &Value) -> Result<Value, Problem> {
        let body = &entry["body"];
        let named = body["reason"].as_str().or_else(|| body["reference"].as_str());
        let Some(id) = named.and_then(|text| text.parse::<NoteId>().ok()) else {
            return Ok(Value::Null);
        };
        let note = self.shared.desk.registry(|registry| registry.note(campaign, id));
        Ok(note.map_err(Fault::from)?.map_or(Value::Null, |note| Value::String(note.0)))
    }
}
