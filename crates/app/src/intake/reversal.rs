//! Taking an order back: the conversion is found by the ids under which it was reported.

use std::sync::Arc;

use sponsorhub_core::campaign::terms::REVERSAL;
use sponsorhub_core::ids::{CampaignId, CompositeKey, EnrollmentId, Salt, Seq};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::conversion::{ConversionReversed, Taken};
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::Minor;
use sponsorhub_core::verification::decision::check_occurred_at;
use sponsorhub_core::verification::{Refused, Request, Wanted};
use sponsorhub_store::{Intake, Reader, StoreError};

use super::prepare::{Forms, dedup_of, unwritable};
use super::{Check, IntakeError, Intaker, Pending, Reporter, Submitted, Verdict};
use crate::catalog::CampaignView;
use crate::ports::random;

/// A conversion that was taken in.
struct Found {
    enrollment: EnrollmentId,
    seq: Seq,
    order: Minor,
    /// The reversal came before.
    is_repeat: bool,
    /// It came before and named another order.
    is_of_other: bool,
}

/// What a reversal calls things.
struct Names<'a> {
    source: &'a str,
    external_id: &'a str,
    reverses: &'a str,
    reverses_type: Option<&'a str>,
}

impl Intaker {
    pub(super) fn reversal(
        &self,
        who: Reporter,
        request: &Request,
        now: i64,
    ) -> Result<Submitted, IntakeError> {
        let Wanted::Reversal { reverses, reverses_type, campaign, amount, currency } =
            &request.wanted
        else {
            unreachable!("the caller has looked");
        };
        let names = Names {
            source: &request.source,
            external_id: &request.external_id,
            reverses,
            reverses_type: reverses_type.as_deref(),
        };
        let mut campaigns = self.catalog.campaigns_of(who.brand)?;
        campaigns.retain(|id| campaign.is_none_or(|campaign| campaign == *id));
        let (view, found) = match self.first_time(&campaigns, &names)? {
            Some(repeated) => repeated,
            None => self.find(&campaigns, &names)?,
        };
        let facts = &view.facts;
        if currency.is_some_and(|currency| currency != facts.currency) {
            let fix = format!("this campaign is in {}", facts.currency.code());
            let (code, field) = ("currency_mismatch", "currency".into());
            return Err(Refused { code, field, fix: fix.into() }.into());
        }
        if !found.is_repeat {
            check_occurred_at(request.occurred_at, facts.replay_days, now)?;
        }
        let dedup = dedup_of(&view)?;
        let key =
            dedup.composite_key(facts.campaign, &request.source, &request.external_id, REVERSAL);
        // Of another order: other content under the same key, which the store refuses.
        let artifact = format!("reverses {}", if found.is_of_other { 0 } else { found.seq });
        let fingerprint = dedup.fingerprint(&artifact, *amount, facts.currency, REVERSAL);
        let amount = match amount {
            Some(amount) => *amount,
            None => self.left_of(facts.campaign, &found, key)?,
        };
        let body = Body::from(ConversionReversed {
            amount,
            conversion: found.seq,
            fingerprint,
            key,
            occurred_at: request.occurred_at,
        });
        let (campaign, salt) = (facts.campaign, Salt(random(&*self.chance)));
        let intake = Intake::try_new(campaign, found.enrollment, &body, salt);
        let intake = intake.map_err(|error| unwritable(&error))?;
        let forms = Forms { first: intake.rendered().clone(), used_up: None };
        let pending = Pending {
            campaign,
            order: reverses.clone(),
            key,
            fingerprint,
            verdict: Verdict::Reversed,
            by_code: false,
            forms,
            check: Check::Reversal,
            network: None,
            now,
        };
        Ok(Submitted { intake, pending })
    }

    /// What this very reversal took back when it came before, in whichever campaign: a repetition
    /// changes nothing, whatever else was credited since.
    fn first_time(
        &self,
        campaigns: &[CampaignId],
        names: &Names<'_>,
    ) -> Result<Option<(Arc<CampaignView>, Found)>, IntakeError> {
        for &id in campaigns {
            let Some(view) = self.catalog.campaign(id)? else { continue };
            let Some(dedup) = &view.dedup else { continue };
            let key = dedup.composite_key(id, names.source, names.external_id, REVERSAL);
            let found = self.with_reader(|reader| {
                let Some(seq) = reader.find_by_key(id, key)? else { return Ok(None) };
                let bytes = reader.entry(id, seq)?.unwrap_or_default();
                let entry = Entry::decode(&bytes).map_err(|error| corrupt(id, seq, &error))?;
                let Body::ConversionReversed(reversed) = entry.body else { return Ok(None) };
                conversion_at(reader, id, reversed.conversion)
            })?;
            if let Some((mut found, order_key)) = found {
                let mut types = view.facts.event_types.iter();
                let is_of_same = types.any(|name| {
                    names.reverses_type.is_none_or(|wanted| wanted == *name)
                        && dedup.composite_key(id, names.source, names.reverses, name) == order_key
                });
                found.is_repeat = true;
                found.is_of_other = !is_of_same;
                return Ok(Some((view, found)));
            }
        }
        Ok(None)
    }

    /// The one order that is meant. Where several could be, none is guessed.
    fn find(
        &self,
        campaigns: &[CampaignId],
        names: &Names<'_>,
    ) -> Result<(Arc<CampaignView>, Found), IntakeError> {
        let mut all: Vec<(Arc<CampaignView>, Found)> = Vec::new();
        for &id in campaigns {
            let Some(view) = self.catalog.campaign(id)? else { continue };
            let Some(dedup) = &view.dedup else { continue };
            let types = view.facts.event_types.iter();
            let types = types.filter(|name| names.reverses_type.is_none_or(|one| one == **name));
            for name in types {
                let key = dedup.composite_key(id, names.source, names.reverses, name);
                let found = self.with_reader(|reader| match reader.find_by_key(id, key)? {
                    Some(seq) => conversion_at(reader, id, seq),
                    None => Ok(None),
                })?;
                all.extend(found.map(|(found, _)| (Arc::clone(&view), found)));
            }
        }
        let is_one_campaign =
            all.windows(2).all(|two| two[0].0.facts.campaign == two[1].0.facts.campaign);
        let several = all.len() > 1;
        match all.pop() {
            None => {
                let fix = "no order was credited under this source and external_id";
                Err(Refused::of("reverses_unknown", "reverses", fix).into())
            }
            Some(_) if several && is_one_campaign => {
                let fix = "events of several types have this external_id; say which is meant";
                Err(Refused::of("reverses_ambiguous", "reverses_type", fix).into())
            }
            Some(_) if several => {
                let fix = "several campaigns credited this order; say which is meant";
                Err(Refused::of("reverses_ambiguous", "campaign", fix).into())
            }
            Some(found) => Ok(found),
        }
    }

    /// What is left of an order. Where this reversal is there already, what it took.
    fn left_of(
        &self,
        campaign: CampaignId,
        found: &Found,
        key: CompositeKey,
    ) -> Result<Minor, StoreError> {
        self.with_reader(|reader| {
            if let Some(seq) = reader.find_by_key(campaign, key)? {
                let bytes = reader.entry(campaign, seq)?.unwrap_or_default();
                if let Ok(Entry { body: Body::ConversionReversed(reversed), .. }) =
                    Entry::decode(&bytes)
                {
                    return Ok(reversed.amount);
                }
            }
            let refunded = reader.reversed(campaign, found.seq)?.refunded;
            Ok((found.order - refunded).or_zero())
        })
    }
}

fn corrupt(campaign: CampaignId, seq: Seq, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt(format!("campaign {campaign}, entry {seq}: {error}"))
}

/// A conversion and its key.
fn conversion_at(
    reader: &mut dyn Reader,
    campaign: CampaignId,
    seq: Seq,
) -> Result<Option<(Found, CompositeKey)>, StoreError> {
    let bytes = reader.entry(campaign, seq)?.unwrap_or_default();
    let entry = Entry::decode(&bytes).map_err(|error| corrupt(campaign, seq, &error))?;
    let taken: &Taken = match &entry.body {
        Body::ConversionAccepted(accepted) => &accepted.0,
        Body::ConversionHeld(held) => &held.taken,
        // A rejected one earned nothing, so nothing of it can be taken back.
        _ => return Ok(None),
    };
    let (order, key) = (taken.amount, taken.key);
    let found = |(enrollment, _)| {
        (Found { enrollment, seq, order, is_repeat: false, is_of_other: false }, key)
    };
    Ok(entry.enrollment.map(found))
}
