//! From the writer's outcome to what the shop is told.

use sponsorhub_core::conversion::Event;
use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::merkle::receipt::Receipt;
use sponsorhub_core::merkle::{Hash, leaf_hash};
use sponsorhub_core::refusal::Refusal;
use sponsorhub_core::verification::Refused;
use sponsorhub_core::verification::decision::code_not_valid;
use sponsorhub_store::work::Appended;
use sponsorhub_store::{Outcome, StoreError};

use super::{Check, IntakeError, Intaker, Pending, Submitted, prepare};
use crate::receipts::Signed;

/// What became of an event that is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Accepted,
    /// It counts unless a person says no.
    Held,
    /// A rule says no, by this stable code.
    Rejected(&'static str),
    /// A conversion was taken back.
    Reversed,
}

impl Verdict {
    /// The stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Held => "held",
            Self::Rejected(_) => "rejected",
            Self::Reversed => "reversed",
        }
    }
}

/// What a shop is told of an event that is in the ledger.
#[derive(Clone, Debug)]
pub struct Answer {
    /// In whose ledger.
    pub campaign: CampaignId,
    /// Its position.
    pub seq: Seq,
    /// Its leaf hash.
    pub leaf: Hash,
    /// What became of it.
    pub result: String,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Whether an earlier delivery brought it in.
    pub is_duplicate: bool,
    /// The entry, byte for byte.
    pub entry: Vec<u8>,
}

/// An answer with its proof.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The answer.
    pub answer: Answer,
    /// The way from the entry to a signed checkpoint.
    pub receipt: Receipt,
    /// That checkpoint.
    pub checkpoint: Signed,
}

impl Intaker {
    /// The answer to an outcome, without its proof: for many at once.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn finish(&self, outcome: &Outcome, pending: &Pending) -> Result<Answer, IntakeError> {
        match outcome {
            Outcome::Appended(appended) => {
                if let Some(network) = pending.network {
                    self.velocity.note(pending.campaign, network.0, pending.now);
                }
                Ok(appended_answer(appended, pending))
            }
            Outcome::Duplicate { seq, same_content: true } => {
                Ok(self.duplicate(pending.campaign, *seq)?)
            }
            Outcome::Duplicate { seq, same_content: false } => {
                Err(IntakeError::Conflict { campaign: pending.campaign, seq: *seq })
            }
            Outcome::Refused(refusal) => Err(refused(refusal, pending).into()),
            Outcome::UnknownCampaign | Outcome::UnknownEnrollment => {
                let fix = "the campaign does not know it";
                Err(Refused::of("click_unknown", "click", fix).into())
            }
        }
    }

    /// What would become of an event, as far as its own key and the newest state known here tell.
    /// Of one that is there already: what its repetition would be told.
    ///
    /// # Errors
    /// [`IntakeError`] as the writer would refuse it.
    pub fn would_be(&self, submitted: &Submitted) -> Result<Verdict, IntakeError> {
        let Submitted { pending, .. } = submitted;
        let campaign = pending.campaign;
        let known = self.with_reader(|reader| reader.find_by_key(campaign, pending.key))?;
        if let Some(seq) = known {
            let (_, entry) = self.entry(campaign, seq)?;
            let first = Event::of(&entry.body);
            if first.is_some_and(|first| first.fingerprint == pending.fingerprint) {
                return Ok(verdict_of(&entry.body));
            }
            return Err(IntakeError::Conflict { campaign, seq });
        }
        let Some(view) = self.catalog.campaign(campaign)? else {
            return Err(StoreError::UnknownCampaign(campaign).into());
        };
        let allowed = match pending.check {
            Check::Conversion(member, click_at) => {
                view.gate.check_conversion(member, click_at, pending.now)
            }
            Check::Rejected => view.gate.check_rejected(pending.now),
            Check::Reversal => view.gate.check_reversal(pending.now),
        };
        allowed.map_err(|refusal| refused(&refusal, pending))?;
        Ok(pending.verdict.clone())
    }

    /// The answer with its receipt.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn finish_with_receipt(
        &self,
        outcome: &Outcome,
        pending: &Pending,
    ) -> Result<Proven, IntakeError> {
        let answer = self.finish(outcome, pending)?;
        let keys = self.catalog.keys();
        let (campaign, seq) = (answer.campaign, answer.seq);
        let (receipt, checkpoint) = match outcome {
            Outcome::Appended(appended) => keys.receipts.fresh(campaign, seq, &appended.tree)?,
            _ => self.with_reader(|reader| keys.receipts.of(reader, campaign, seq))?,
        };
        Ok(Proven { answer, receipt, checkpoint })
    }

    /// The checkpoint that covers an answer, for many at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn checkpoint_of(
        &self,
        campaign: CampaignId,
        outcome: Option<&Appended>,
    ) -> Result<Signed, StoreError> {
        let keys = self.catalog.keys();
        if let Some(Appended { tree, .. }) = outcome {
            return Ok(keys.receipts.checkpoint(campaign, tree.size(), tree.root()));
        }
        let head = self.with_reader(|reader| reader.head(campaign))?;
        let tree = head.ok_or(StoreError::UnknownCampaign(campaign))?.tree;
        Ok(keys.receipts.checkpoint(campaign, tree.size, tree.root))
    }

    /// An entry of an event, as bytes and read.
    fn entry(&self, campaign: CampaignId, seq: Seq) -> Result<(Vec<u8>, Entry), StoreError> {
        let bytes = self.with_reader(|reader| reader.entry(campaign, seq))?.unwrap_or_default();
        let entry = Entry::decode(&bytes).map_err(|error| {
            StoreError::Corrupt(format!("campaign {campaign}, entry {seq}: {error}"))
        })?;
        Ok((bytes, entry))
    }

    /// What was answered to the first delivery, read from its entry.
    fn duplicate(&self, campaign: CampaignId, seq: Seq) -> Result<Answer, StoreError> {
        let (bytes, entry) = self.entry(campaign, seq)?;
        let result = verdict_of(&entry.body).name().to_owned();
        let reason = match entry.body {
            Body::ConversionRejected(rejected) => Some(rejected.reason),
            _ => None,
        };
        Ok(Answer {
            campaign,
            seq,
            leaf: leaf_hash(&bytes),
            result,
            reason,
            is_duplicate: true,
            entry: bytes,
        })
    }
}

/// What became of the event in an entry; a reason is told beside it.
pub(super) fn verdict_of(body: &Body) -> Verdict {
    match body {
        Body::ConversionHeld(_) => Verdict::Held,
        Body::ConversionRejected(_) => Verdict::Rejected(""),
        Body::ConversionReversed(_) => Verdict::Reversed,
        _ => Verdict::Accepted,
    }
}

fn appended_answer(appended: &Appended, pending: &Pending) -> Answer {
    let Appended { seq, n, at, leaf, is_used_up, .. } = *appended;
    let verdict = if is_used_up { &Verdict::Rejected(prepare::USED_UP) } else { &pending.verdict };
    let reason = match verdict {
        Verdict::Rejected(reason) => Some((*reason).to_owned()),
        Verdict::Accepted | Verdict::Held | Verdict::Reversed => None,
    };
    Answer {
        campaign: pending.campaign,
        seq,
        leaf,
        result: verdict.name().to_owned(),
        reason,
        is_duplicate: false,
        entry: pending.forms.bytes(is_used_up, at, n, seq),
    }
}

/// The ledger's own refusal in the words of a report.
fn refused(refusal: &Refusal, pending: &Pending) -> Refused {
    let of_reversal = pending.verdict == Verdict::Reversed;
    if pending.by_code && matches!(refusal, Refusal::NotCredited(_)) {
        return code_not_valid();
    }
    let field = match refusal {
        Refusal::Field { field, .. } => field,
        Refusal::State { .. } => "campaign",
        _ if of_reversal => "reverses",
        _ => "click",
    };
    let code = match refusal {
        Refusal::State { .. } => "campaign_takes_no_events",
        Refusal::NotCredited(_) if of_reversal => "reversal_too_late",
        Refusal::NotCredited(_) => "click_not_credited",
        Refusal::Thing { .. } => "reverses_taken_back_already",
        other => other.code(),
    };
    Refused { code, field: field.into(), fix: refusal.to_string().into() }
}
