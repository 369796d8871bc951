//! From the bytes of a report to an event that the writer can take.

use sponsorhub_core::attribution::click::{ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::promo_code;
use sponsorhub_core::conversion::Membership;
use sponsorhub_core::conversion::dedup::DedupKey;
use sponsorhub_core::ids::{ClickId, EnrollmentId, Salt};
use sponsorhub_core::ledger::entry::Rendered;
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionHeld, ConversionRejected, Risk, Taken,
};
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::risk::{Assessment, Features, assess};
use sponsorhub_core::time::plus_days;
use sponsorhub_core::verification::decision::code_not_valid;
use sponsorhub_core::verification::{Credit, Decision, Refused, Request, Source, Wanted, decide};
use sponsorhub_store::work::CLICK_ALREADY_USED;
use sponsorhub_store::{Intake, StoreError};

use super::{Check, IntakeError, Intaker, Pending, Reporter, Submitted, Verdict};
use crate::catalog::CampaignView;
use crate::ports::random;
use crate::velocity::OnTheWay;

/// A hold ends this much early, milliseconds: it may not end later than the terms allow after the
/// entry's time, which is the writer's, and the clock may be set back in between.
const CLOCK_BACK_MS: i64 = 60_000;

/// What becomes of a report before the writer is asked.
#[derive(Debug)]
pub enum Ready {
    /// To be handed to the store.
    Submit(Box<Submitted>),
    /// A dry run: what would have been handed in, and nothing is.
    DryRun(Box<Submitted>),
}

/// The entry in the two forms that it may get, kept to tell its bytes afterwards.
#[derive(Debug)]
pub(crate) struct Forms {
    pub(crate) first: Rendered,
    /// Where the click turned out to be used up.
    pub(crate) used_up: Option<Rendered>,
}

/// An artifact that was found authentic.
pub(super) struct Artifact {
    view: std::sync::Arc<CampaignView>,
    enrollment: EnrollmentId,
    membership: Membership,
    source: Source,
    /// As the entry names it.
    text: String,
    click: Option<ClickId>,
    network: Option<NetworkFingerprint>,
    is_own_purchase: bool,
    is_declared_bot: bool,
}

impl Artifact {
    /// Whether a promo code credits an order of this time, as of the newest state known here.
    fn is_valid(&self, occurred_at: i64, now: i64) -> bool {
        let gate = &self.view.gate;
        gate.check_conversion(self.membership, occurred_at.min(now), now).is_ok()
    }
}

impl Intaker {
    /// Reads and judges a report that came at `now`, milliseconds; those of the same request that are
    /// on their way count for the rules as if they were there, and this one joins them.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn prepare(
        &self,
        who: Reporter,
        body: &[u8],
        on_the_way: &mut OnTheWay,
        now: i64,
    ) -> Result<Ready, IntakeError> {
        let request = Request::parse(body)?;
        let submitted = match &request.wanted {
            Wanted::Conversion { .. } => match self.conversion(who, &request, on_the_way, now) {
                Err(IntakeError::Refused(refused)) => {
                    self.repeated(who, &request, now)?.ok_or(IntakeError::Refused(refused))?
                }
                other => other?,
            },
            Wanted::Reversal { .. } => self.reversal(who, &request, now)?,
        };
        let submitted = Box::new(submitted);
        let network = submitted.pending.network.filter(|_| !request.dry_run);
        if let Some(network) = network {
            on_the_way.add(submitted.pending.campaign, network.0);
        }
        Ok(if request.dry_run { Ready::DryRun(submitted) } else { Ready::Submit(submitted) })
    }

    fn conversion(
        &self,
        who: Reporter,
        request: &Request,
        on_the_way: &OnTheWay,
        now: i64,
    ) -> Result<Submitted, IntakeError> {
        let Wanted::Conversion { event_type, amount, currency, click, code } = &request.wanted
        else {
            unreachable!("the caller has looked");
        };
        let (click, code) = (click.as_deref(), code.as_deref());
        let artifact = self.artifact(who, (click, code), request.occurred_at, now)?;
        let (view, source) = (&artifact.view, artifact.source);
        let credit = Credit { source, membership: artifact.membership };
        let what = (event_type.as_str(), *amount, *currency);
        let decision = decide(&view.facts, credit, what, request.occurred_at, now)?;
        let dedup = dedup_of(view)?;
        let (source, id) = (&request.source, &request.external_id);
        let campaign = view.facts.campaign;
        let (risk, verdict) = self.judge(&artifact, &decision, (request, on_the_way), now);
        let taken = Taken {
            amount: *amount,
            artifact: artifact.text.clone(),
            click_at: decision.click_at,
            fingerprint: dedup.fingerprint(&artifact.text, Some(*amount), *currency, event_type),
            key: dedup.composite_key(campaign, source, id, event_type),
            occurred_at: request.occurred_at,
            risk,
            r#type: event_type.clone(),
        };
        let hold_days = view.facts.hold_deadline_days;
        let body = body_of(&verdict, &taken, plus_days(now, hold_days));
        let salt = Salt(random(&*self.chance));
        let intake = Intake::try_new(campaign, artifact.enrollment, &body, salt);
        let mut intake = intake.map_err(|error| unwritable(&error))?;
        // A rejected conversion leaves the click to others.
        if let (Some(click), false) = (artifact.click, matches!(verdict, Verdict::Rejected(_))) {
            let places = 0..view.facts.conversions_per_click;
            let slots = places.map(|place| dedup.click_slot(click, event_type, place)).collect();
            let salt = Salt(random(&*self.chance));
            let with_click = intake.with_click(slots, &taken, salt);
            intake = with_click.map_err(|error| unwritable(&error))?;
        }
        let forms = Forms { first: intake.rendered().clone(), used_up: intake.used_up().cloned() };
        let by_code = artifact.source == Source::Code;
        let check = match verdict {
            Verdict::Rejected(_) => Check::Rejected,
            _ => Check::Conversion(artifact.membership, decision.click_at),
        };
        let network = artifact.network;
        let pending = Pending {
            campaign,
            order: id.clone(),
            key: taken.key,
            fingerprint: taken.fingerprint,
            verdict,
            by_code,
            forms,
            check,
            network,
            now,
        };
        Ok(Submitted { intake, pending })
    }

    fn judge(
        &self,
        artifact: &Artifact,
        decision: &Decision,
        (request, on_the_way): (&Request, &OnTheWay),
        now: i64,
    ) -> (Option<Risk>, Verdict) {
        if let Some(reason) = decision.rejected {
            return (None, Verdict::Rejected(reason));
        }
        let since_click_ms = match artifact.source {
            Source::Click(at) => Some((request.occurred_at - at).max(0)),
            Source::Code => None,
        };
        let campaign = artifact.view.facts.campaign;
        let count = |network: NetworkFingerprint| {
            let noted = self.velocity.last_hour(campaign, network.0, now);
            noted.saturating_add(on_the_way.of(campaign, network.0))
        };
        let features = Features {
            since_click_ms,
            network_last_hour: artifact.network.map_or(0, count),
            is_own_purchase: artifact.is_own_purchase,
            is_declared_bot: artifact.is_declared_bot,
        };
        match assess(&features) {
            Assessment::Pass(risk) => (risk, Verdict::Accepted),
            Assessment::Hold(risk) => (Some(risk), Verdict::Held),
            Assessment::Reject(reason) => (None, Verdict::Rejected(reason)),
        }
    }

    /// The artifact that credits somebody: a code that is valid at the time of the order before a
    /// click.
    fn artifact(
        &self,
        who: Reporter,
        (click, code): (Option<&str>, Option<&str>),
        occurred_at: i64,
        now: i64,
    ) -> Result<Artifact, IntakeError> {
        let by_code = code.map(|code| self.by_code(who, code)).transpose()?.flatten();
        let by_click = click.map(|click| self.by_click(who, click, now)).transpose()?;
        match (by_code, by_click) {
            // The creator of the click earned the order, whatever the buyer typed beside it.
            (Some(code), Some(Ok(click))) if !code.is_valid(occurred_at, now) => Ok(click),
            (Some(mut code), Some(Ok(click))) => {
                // The code wins and the click is recorded beside it.
                code.text = format!("{} {}", code.text, click.text);
                code.network =
                    click.network.filter(|_| code.view.facts.campaign == click.view.facts.campaign);
                Ok(code)
            }
            (Some(code), _) => Ok(code),
            (None, Some(by_click)) => Ok(by_click?),
            (None, None) => Err(code_not_valid().into()),
        }
    }

    /// A click token, if it is ours; the inner error says why it is not.
    fn by_click(
        &self,
        who: Reporter,
        text: &str,
        now: i64,
    ) -> Result<Result<Artifact, Refused>, IntakeError> {
        let keys = self.catalog.keys();
        let mut found: Result<_, StoreError> = Ok(None);
        let verified = ClickToken::verify(text, &keys.set, now, |campaign| {
            found = self.catalog.campaign(campaign);
            let view = found.as_ref().ok().and_then(Option::as_ref);
            view.map_or(0, |view| view.window_ms())
        });
        let (token, signer) = match verified {
            Ok(verified) => verified,
            Err(error) => {
                found?;
                return Ok(Err(Refused {
                    code: click_code(error.code()),
                    field: "click".into(),
                    fix: format!("{error}; send the token as it came to the shop").into(),
                }));
            }
        };
        let view = self.catalog.campaign(token.campaign)?;
        let Some(view) = view.filter(|view| view.facts.brand == who.brand) else {
            let fix = "the click led to another brand's shop; use this brand's API key";
            return Ok(Err(Refused::of("click_of_another_brand", "click", fix)));
        };
        let Some(membership) = view.members.get(&token.enrollment).copied() else {
            let fix = "its creator is not part of the campaign";
            return Ok(Err(Refused::of("click_unknown", "click", fix)));
        };
        let link = self.catalog.link(token.campaign, token.link)?;
        let maker = link.and_then(|link| link.maker);
        let is_own_purchase = maker.is_some_and(|maker| {
            let visitor = (signer.0, token.network.0, token.agent.0);
            (maker.key_id, maker.network, maker.agent) == visitor
        });
        Ok(Ok(Artifact {
            is_own_purchase,
            is_declared_bot: self.bots.contains(token.agent),
            enrollment: token.enrollment,
            membership,
            source: Source::Click(token.click.at_ms()),
            text: token.click.to_string(),
            click: Some(token.click),
            network: Some(token.network),
            view,
        }))
    }

    /// A promo code, if it is valid. Whatever is wrong with another one is never told.
    fn by_code(&self, who: Reporter, text: &str) -> Result<Option<Artifact>, IntakeError> {
        let Ok(folded) = promo_code::fold(text) else { return Ok(None) };
        let registered = self.catalog.promo_code(who.brand, folded.as_str())?;
        let Some(registered) = registered.filter(|code| code.revoked_at.is_none()) else {
            return Ok(None);
        };
        let keys = self.catalog.keys();
        if promo_code::verify(&keys.set, text, &signed(&registered, folded)).is_err() {
            return Ok(None);
        }
        let (campaign, enrollment) = (registered.campaign, registered.enrollment);
        let Some(view) = self.catalog.campaign(campaign)? else { return Ok(None) };
        let Some(membership) = view.members.get(&enrollment).copied() else { return Ok(None) };
        Ok(Some(Artifact {
            view,
            enrollment,
            membership,
            source: Source::Code,
            text: format!("code_{}", registered.folded),
            click: None,
            network: None,
            is_own_purchase: false,
            is_declared_bot: false,
        }))
    }
}

/// The entry's body of a conversion; `deadline` is where a hold ends.
fn body_of(verdict: &Verdict, taken: &Taken, deadline: i64) -> Body {
    let taken = taken.clone();
    match verdict {
        Verdict::Accepted => Body::from(ConversionAccepted(taken)),
        Verdict::Held => {
            Body::from(ConversionHeld { deadline: deadline.saturating_sub(CLOCK_BACK_MS), taken })
        }
        Verdict::Rejected(reason) => {
            Body::from(ConversionRejected { reason: (*reason).to_owned(), taken })
        }
        Verdict::Reversed => unreachable!("no conversion is a reversal"),
    }
}

fn signed(
    registered: &sponsorhub_store::registry::PromoCode,
    folded: promo_code::FoldedCode,
) -> promo_code::PromoCode {
    let sponsorhub_store::registry::PromoCode { brand, campaign, enrollment, .. } = *registered;
    promo_code::PromoCode {
        owner: promo_code::CodeOwner { brand, campaign, enrollment },
        key: sponsorhub_core::attribution::keys::KeyId(registered.key_id),
        text: registered.display.clone(),
        folded,
    }
}

/// The stable code of a refusal for what is wrong with a click token.
fn click_code(token_error: &'static str) -> &'static str {
    match token_error {
        "malformed" => "click_malformed",
        "other_version" => "click_other_version",
        "other_mode" => "click_other_mode",
        "unknown_key" => "click_unknown_key",
        "revoked_key" => "click_revoked_key",
        "retired_key" => "click_retired_key",
        _ => "click_not_authentic",
    }
}

pub(super) fn dedup_of(view: &CampaignView) -> Result<&DedupKey, Refused> {
    let fix = "the campaign's events are no longer kept; it ended long ago";
    view.dedup.as_ref().ok_or(Refused::of("campaign_over", "campaign", fix))
}

pub(super) fn unwritable(error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt(format!("an event could not be written: {error}"))
}

impl Forms {
    /// The entry's bytes as the ledger has them.
    pub(super) fn bytes(&self, is_used_up: bool, at: i64, n: u64, seq: u64) -> Vec<u8> {
        let form = self.used_up.as_ref().filter(|_| is_used_up).unwrap_or(&self.first);
        let mut bytes = Vec::with_capacity(form.bytes_max());
        form.splice(&mut bytes, at, Some(n), seq);
        bytes
    }
}

/// Reason of the form that a used-up click leads to.
pub(super) const USED_UP: &str = CLICK_ALREADY_USED;
