//! A report that would be refused now and was taken in before: same key, same content, first receipt,
//! for all time. Windows close, keys are revoked and creators leave; what is in the ledger stays.
//!
//! Looked for only where a report would be refused, so ordinary ones do not pay for it. The artifact is
//! not believed here: it only has to be the one that was believed then, so nobody learns anything
//! that they did not report themselves.

use sponsorhub_core::attribution::click::ClickToken;
use sponsorhub_core::attribution::promo_code;
use sponsorhub_core::ids::{CampaignId, Salt, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::conversion::Taken;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::verification::{Request, Wanted};
use sponsorhub_store::{Intake, StoreError};

use super::answer::verdict_of;
use super::prepare::{Forms, unwritable};
use super::{Check, Intaker, Pending, Reporter, Submitted};
use crate::ports::random;

impl Intaker {
    /// What is to be handed to the writer, who will recognise it; none where it is new, or other
    /// content came under its key.
    pub(super) fn repeated(
        &self,
        who: Reporter,
        request: &Request,
        now: i64,
    ) -> Result<Option<Submitted>, StoreError> {
        let Wanted::Conversion { event_type, amount, currency, .. } = &request.wanted else {
            return Ok(None);
        };
        for id in self.catalog.campaigns_of(who.brand)? {
            let Some(view) = self.catalog.campaign(id)? else { continue };
            let Some(dedup) = &view.dedup else { continue };
            let (source, external_id) = (&request.source, &request.external_id);
            let key = dedup.composite_key(id, source, external_id, event_type);
            let Some((seq, entry)) = self.entry_by_key(id, key)? else { continue };
            let Some(taken) = taken(&entry.body) else { continue };
            let artifact = &taken.artifact;
            let fingerprint = dedup.fingerprint(artifact, Some(*amount), *currency, event_type);
            if !presents(&request.wanted, artifact) || fingerprint != taken.fingerprint {
                continue;
            }
            let Some((enrollment, _)) = entry.enrollment else { continue };
            let salt = Salt(random(&*self.chance));
            let intake = Intake::try_new(id, enrollment, &entry.body, salt);
            let intake = intake.map_err(|error| unwritable(&error))?;
            tracing::debug!(campaign = %id, seq, "a report was repeated after its time");
            let forms = Forms { first: intake.rendered().clone(), used_up: None };
            let pending = Pending {
                campaign: id,
                order: external_id.clone(),
                key,
                fingerprint,
                verdict: verdict_of(&entry.body),
                by_code: false,
                forms,
                check: Check::Rejected,
                network: None,
                now,
            };
            return Ok(Some(Submitted { intake, pending }));
        }
        Ok(None)
    }

    fn entry_by_key(
        &self,
        campaign: CampaignId,
        key: sponsorhub_core::ids::CompositeKey,
    ) -> Result<Option<(Seq, Entry)>, StoreError> {
        self.with_reader(|reader| {
            let Some(seq) = reader.find_by_key(campaign, key)? else { return Ok(None) };
            let bytes = reader.entry(campaign, seq)?.unwrap_or_default();
            let entry = Entry::decode(&bytes).map_err(|error| {
                StoreError::Corrupt(format!("campaign {campaign}, entry {seq}: {error}"))
            })?;
            Ok(Some((seq, entry)))
        })
    }
}

fn taken(body: &Body) -> Option<&Taken> {
    match body {
        Body::ConversionAccepted(accepted) => Some(&accepted.0),
        Body::ConversionHeld(held) => Some(&held.taken),
        Body::ConversionRejected(rejected) => Some(&rejected.taken),
        _ => None,
    }
}

/// Whether a report shows the artifact that an entry names, in the entry's words.
fn presents(wanted: &Wanted, artifact: &str) -> bool {
    let Wanted::Conversion { click, code, .. } = wanted else { return false };
    let click = click.as_deref().and_then(ClickToken::claimed).map(|click| click.to_string());
    let code = code.as_deref().and_then(|code| promo_code::fold(code).ok());
    let code = code.map(|code| format!("code_{}", code.as_str()));
    match (code, click) {
        (Some(code), Some(click)) => {
            artifact == code || artifact == click || artifact == format!("{code} {click}")
        }
        (Some(one), None) | (None, Some(one)) => artifact == one,
        (None, None) => false,
    }
}
