//! Taking part: enrollments, links and promo codes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_app::campaigns::{self, CampaignError};
use sponsorhub_core::actor::Action;
use sponsorhub_core::attribution::click::{AgentFingerprint, NetworkFingerprint};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::records::Enrollment;
use sponsorhub_store::Rule;
use sponsorhub_store::registry::Maker;

use super::caller::Caller;
use super::extract::{Content, Nothing, Path, body_of};
use super::once::Seed;
use super::{Fault, Page, money};
use crate::problem::Problem;

/// Longest part of a user agent that is looked at, bytes; as at a visit.
const AGENT_BYTES_MAX: usize = 512;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedLink {
    destination: String,
    slug: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedCode {
    readable: String,
}

fn shown(campaign: CampaignId, state: &Campaign, enrollment: &Enrollment) -> Value {
    let currency = state.terms().currency;
    json!({
        "id": enrollment.id,
        "campaign": campaign,
        "started_at": enrollment.started_at,
        "ended_at": enrollment.ended_at,
        "base": money(enrollment.base, currency),
        "creator_cap": enrollment.creator_cap.map(|cap| money(cap, currency)),
        "entries": enrollment.n,
    })
}

fn look(caller: &Caller, campaign: CampaignId, id: EnrollmentId) -> Result<Value, Problem> {
    let looked = caller.shared.desk.look(campaign, |state| {
        state.enrollment_no(id).map(|no| shown(campaign, state, state.enrollment(no)))
    });
    looked.map_err(Fault::from)?.ok_or_else(super::caller::not_found)
}

/// The caller, by the campaign's current offer.
pub(super) async fn enroll(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Enroll)?;
    let creator = caller.creator()?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| caller.sees(campaign))?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                // Two requests at the same moment would both find no part yet, and reserve two bases.
                let alone = caller.alone(&format!("enroll in {campaign}"));
                let _alone = alone.lock().await;
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                tokio::task::block_in_place(|| {
                    let mut own = caller.enrollments()?.into_iter();
                    // One part in one campaign; whoever asks again has it.
                    let known =
                        own.find(|(of, known)| *of == campaign && *known != EnrollmentId(seed.id));
                    if let Some((_, known)) = known
                        && look(&caller, campaign, known)?["ended_at"].is_i64()
                    {
                        let detail = "your part in this campaign has ended; there is no second one";
                        return Err(Problem::new(StatusCode::CONFLICT, "enrollment", detail));
                    }
                    let id = known.map_or(EnrollmentId(seed.id), |(_, known)| known);
                    let enrolled = campaigns::enroll(desk, campaign, (id, creator), None, now);
                    enrolled.map_err(Fault::from)?;
                    Ok((StatusCode::CREATED, look(&caller, campaign, id)?))
                })
            },
        )
        .await
}

pub(super) async fn list(
    caller: Caller,
    Path(campaign): Path<CampaignId>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    let looked = caller.look_at(campaign, |state, is_seen| {
        let all = state.enrollments().iter().zip(1_u64..);
        let seen = all.filter(|(enrollment, _)| is_seen(enrollment.id));
        page.cut(seen.map(|(enrollment, no)| (no, shown(campaign, state, enrollment))))
    });
    looked?.map(Json)
}

pub(super) async fn end(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::EndEnrollment)?;
    let Nothing {} = body_of(&body)?;
    tokio::task::block_in_place(|| caller.owns(campaign, enrollment))?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let (desk, now) = (&caller.shared.desk, caller.shared.clock.now());
                tokio::task::block_in_place(|| {
                    let has_ended = look(&caller, campaign, enrollment)?["ended_at"].is_i64();
                    if !has_ended {
                        let ended = campaigns::end_enrollment(desk, campaign, enrollment, now);
                        ended.map_err(Fault::from)?;
                    }
                    Ok((StatusCode::OK, look(&caller, campaign, enrollment)?))
                })
            },
        )
        .await
}

impl Caller {
    /// Keyed hashes of the caller's network and browser, by which an own purchase can be told.
    fn maker(&self) -> Maker {
        let keys = self.shared.catalog.keys();
        let agent = self.headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        let agent = agent.get(..AGENT_BYTES_MAX).unwrap_or(agent);
        let address = self.shared.address(self.peer, &self.headers);
        let pepper = keys.set.pepper();
        Maker {
            key_id: keys.set.signer().0,
            network: NetworkFingerprint::new(pepper, address).0,
            agent: AgentFingerprint::new(pepper, agent).0,
        }
    }
}

pub(super) async fn make_link(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::MakeLink)?;
    tokio::task::block_in_place(|| caller.owns(campaign, enrollment))?;
    let WantedLink { destination, slug } = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |_: Seed| {
                let shared = &caller.shared;
                let (keys, now) = (shared.catalog.keys(), shared.clock.now());
                let link = (destination.as_str(), slug.as_deref(), Some(caller.maker()));
                let made = tokio::task::block_in_place(|| {
                    campaigns::make_link(&shared.desk, &keys, (campaign, enrollment), link, now)
                });
                let made = made.map_err(Fault::from)?;
                let path = format!("/r/{}", slug.as_ref().unwrap_or(&made.token));
                let answer = json!({
                    "number": made.number,
                    "token": made.token,
                    "slug": slug,
                    "path": path,
                    "url": format!("{}{path}", shared.public_url),
                    "destination": destination,
                });
                Ok((StatusCode::CREATED, answer))
            },
        )
        .await
}

pub(super) async fn links(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    tokio::task::block_in_place(|| {
        caller.owns(campaign, enrollment)?;
        let links = caller.shared.desk.registry(|registry| registry.links(campaign, enrollment));
        let links = links.map_err(Fault::from)?;
        let keys = caller.shared.catalog.keys();
        let shown = links.into_iter().map(|link| {
            let number = link.number;
            let token = LinkToken { campaign, enrollment, number }.sign(&keys.set);
            let path = format!("/r/{token}");
            let shown = json!({
                "number": number,
                "token": token,
                "path": path,
                "url": format!("{}{path}", caller.shared.public_url),
                "destination": link.destination,
                "created_at": link.created_at,
                "revoked_at": link.revoked_at,
            });
            (u64::from(number), shown)
        });
        page.cut(shown).map(Json)
    })
}

pub(super) async fn make_code(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::MakeCode)?;
    tokio::task::block_in_place(|| caller.owns(campaign, enrollment))?;
    let WantedCode { readable } = body_of(&body)?;
    caller
        .once(
            &body,
            |_| {},
            async |seed| {
                let shared = &caller.shared;
                let (keys, now) = (shared.catalog.keys(), shared.clock.now());
                let whose = (campaign, enrollment);
                let made = tokio::task::block_in_place(|| {
                    match campaigns::make_code(&shared.desk, &keys, whose, &readable, now) {
                        // Made by the first try of this request, whose answer was lost.
                        Err(CampaignError::Rule(Rule::PromoCodeUnique)) if seed.is_repeat => {
                            known_code(&caller, whose, &readable)
                        }
                        other => Ok(other.map_err(Fault::from)?),
                    }
                })?;
                Ok((StatusCode::CREATED, json!({ "code": made, "readable": readable })))
            },
        )
        .await
}

fn known_code(
    caller: &Caller,
    (campaign, enrollment): (CampaignId, EnrollmentId),
    readable: &str,
) -> Result<String, Problem> {
    let codes = caller.shared.desk.registry(|registry| registry.promo_codes(campaign, enrollment));
    let mut codes = codes.map_err(Fault::from)?.into_iter();
    let known = codes.find(|code| code.readable == readable);
    let taken = || super::of_rule(Rule::PromoCodeUnique);
    Ok(known.ok_or_else(taken)?.display)
}

pub(super) async fn codes(
    caller: Caller,
    Path((campaign, enrollment)): Path<(CampaignId, EnrollmentId)>,
    page: Page,
) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadCampaign)?;
    tokio::task::block_in_place(|| {
        caller.owns(campaign, enrollment)?;
        let codes =
            caller.shared.desk.registry(|registry| registry.promo_codes(campaign, enrollment));
        let codes = codes.map_err(Fault::from)?;
        let shown = codes.into_iter().zip(1_u64..).map(|(code, no)| {
            let shown = json!({
                "code": code.display,
                "readable": code.readable,
                "created_at": code.created_at,
                "revoked_at": code.revoked_at,
            });
            (no, shown)
        });
        page.cut(shown).map(Json)
    })
}
