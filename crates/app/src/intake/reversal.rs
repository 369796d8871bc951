//! Taking an order back: the conversion is found by the ids under which it was reported.

use sponsorhub_core::campaign::terms::REVERSAL;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, Salt, Seq};
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
        let names = (request.source.as_str(), reverses.as_str(), reverses_type.as_deref());
        let Some((view, found)) = self.find(who, *campaign, names)? else {
            let fix = "no order was credited under this source and external_id";
            return Err(Refused::of("reverses_unknown", "reverses", fix).into());
        };
        let facts = &view.facts;
        if currency.is_some_and(|currency| currency != facts.currency) {
            let fix = format!("this campaign is in {}", facts.currency.code());
            let (code, field) = ("currency_mismatch", "currency".into());
            return Err(Refused { code, field, fix: fix.into() }.into());
        }
        check_occurred_at(request.occurred_at, facts.replay_days, now)?;
        let dedup = dedup_of(&view)?;
        let key =
            dedup.composite_key(facts.campaign, &request.source, &request.external_id, REVERSAL);
        let artifact = format!("reverses {}", found.seq);
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

    /// The newest of the brand's campaigns that credited this order.
    fn find(
        &self,
        who: Reporter,
        campaign: Option<CampaignId>,
        (source, external_id, event_type): (&str, &str, Option<&str>),
    ) -> Result<Option<(std::sync::Arc<CampaignView>, Found)>, IntakeError> {
        let mut campaigns = self.catalog.campaigns_of(who.brand)?;
        campaigns.retain(|id| campaign.is_none_or(|campaign| campaign == *id));
        for id in campaigns.into_iter().rev() {
            let Some(view) = self.catalog.campaign(id)? else { continue };
            let Some(dedup) = &view.dedup else { continue };
            let types = view.facts.event_types.iter();
            let types = types.filter(|name| event_type.is_none_or(|wanted| wanted == **name));
            for name in types {
                let key = dedup.composite_key(id, source, external_id, name);
                let found = self.with_reader(|reader| match reader.find_by_key(id, key)? {
                    Some(seq) => conversion_at(reader, id, seq),
                    None => Ok(None),
                })?;
                if let Some(found) = found {
                    return Ok(Some((view, found)));
                }
            }
        }
        Ok(None)
    }

    /// What is left of an order. Where this reversal is there already, what it took.
    fn left_of(
        &self,
        campaign: CampaignId,
        found: &Found,
        key: sponsorhub_core::ids::CompositeKey,
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

fn conversion_at(
    reader: &mut dyn Reader,
    campaign: CampaignId,
    seq: Seq,
) -> Result<Option<Found>, StoreError> {
    let bytes = reader.entry(campaign, seq)?.unwrap_or_default();
    let corrupt = |error| StoreError::Corrupt(format!("campaign {campaign}, entry {seq}: {error}"));
    let entry = Entry::decode(&bytes).map_err(corrupt)?;
    let taken: &Taken = match &entry.body {
        Body::ConversionAccepted(accepted) => &accepted.0,
        Body::ConversionHeld(held) => &held.taken,
        // A rejected one earned nothing, so nothing of it can be taken back.
        _ => return Ok(None),
    };
    let order = taken.amount;
    Ok(entry.enrollment.map(|(enrollment, _)| Found { enrollment, seq, order }))
}
