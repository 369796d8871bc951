//! `/creator/campaigns/{campaign}`: links, codes and earnings of one's own part.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_app::earnings::Earnings;
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::unit::{Unit, UnitKind};
use sponsorhub_core::money::Minor;
use sponsorhub_core::time::{day_of, plus_days};

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::rows::{Asked, doubts};
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::brand_name;
use super::home::Shown;
use crate::api::{Fault, Path, Query, not_found};
use crate::problem::Problem;

pub(super) struct Link {
    pub(super) number: u32,
    pub(super) url: String,
    destination: String,
    clicks: u64,
}

struct Held {
    conversion: Seq,
    amount: Money,
    deadline: Moment,
    placed: Seq,
    why: String,
}

/// Payouts that are shown, the newest; the statement has more, and its file all.
const PAYOUTS_MAX: usize = 50;

struct Payout {
    path: String,
    seq: Seq,
    planned_on: String,
    amount: Money,
    state: Chip,
}

/// What was earned and not planned for a payout yet, by when it matures.
struct Waiting {
    matures_at: Moment,
    amount: Money,
    orders: usize,
}

#[derive(Template)]
#[template(path = "creator/campaign.html")]
struct Page {
    shell: Shell,
    done: Option<&'static str>,
    id: CampaignId,
    /// Entries of its ledger when this was looked at.
    entries: Seq,
    path: String,
    brand: String,
    offer: String,
    state: Chip,
    is_frozen: bool,
    ended_at: Option<Moment>,
    /// Whether what is made now can earn something.
    may_share: bool,
    earnings: Shown,
    links: Vec<Link>,
    codes: Vec<String>,
    held: Vec<Held>,
    waiting: Vec<Waiting>,
    payouts: Vec<Payout>,
    hosts: Vec<String>,
    minimum: Money,
    key: String,
    code_key: String,
}

/// The caller's part in a campaign.
pub(super) fn own(visitor: &Visitor, campaign: CampaignId) -> Result<EnrollmentId, Problem> {
    visitor.caller.sees(campaign)?;
    let mut own = visitor.caller.enrollments()?.into_iter();
    Ok(own.find(|(of, _)| *of == campaign).ok_or_else(not_found)?.1)
}

fn held(state: &Campaign, no: EnrollmentNo) -> Vec<Held> {
    let own = state.holds().iter().filter(|(_, hold)| hold.open && hold.enrollment == no);
    let shown = own.map(|(conversion, hold)| {
        let unit = state.units().find(*conversion).map(|index| state.units().get(index));
        let amount = unit.map(Unit::unplanned).unwrap_or_default();
        Held {
            conversion: *conversion,
            amount: Money(amount, state.terms().currency),
            deadline: Moment(hold.deadline),
            placed: hold.first_placed,
            why: String::new(),
        }
    });
    shown.collect()
}

/// Days that wait, earliest first.
fn waiting(state: &Campaign, no: EnrollmentNo, today: i64) -> Vec<Waiting> {
    let terms = state.terms();
    let mut days = std::collections::BTreeMap::new();
    let own = state.units().iter().filter(|unit| unit.enrollment == no && !unit.held);
    for unit in own.filter(|unit| unit.kind == UnitKind::Conversion) {
        let matures = unit.day.saturating_add(1).saturating_add(i64::from(terms.clearing_days));
        if unit.unplanned().is_positive() && matures > today {
            let (sum, count) = days.entry(matures).or_insert((Minor::ZERO, 0_usize));
            *sum += unit.unplanned();
            *count += 1;
        }
    }
    let shown = days.into_iter().map(|(day, (sum, orders))| Waiting {
        matures_at: Moment(plus_days(0, u32::try_from(day).unwrap_or_default())),
        amount: Money(sum, terms.currency),
        orders,
    });
    shown.collect()
}

fn payouts(state: &Campaign, no: EnrollmentNo) -> Vec<Payout> {
    let own = state.payouts().iter().rev().filter(|(_, payout)| payout.enrollment == no);
    let shown = own.take(PAYOUTS_MAX).map(|(seq, payout)| Payout {
        path: format!("/creator/campaigns/{}/payouts/{seq}", state.id()),
        seq: *seq,
        planned_on: show::day(payout.day),
        amount: Money(payout.amount, state.terms().currency),
        state: show::payout(payout.state),
    });
    shown.collect()
}

/// The links that work, the oldest first.
pub(super) fn links(
    visitor: &Visitor,
    campaign: CampaignId,
    enrollment: EnrollmentId,
) -> Result<Vec<Link>, Problem> {
    let shared = &visitor.caller.shared;
    let known = shared.desk.registry(|registry| registry.links(campaign, enrollment));
    let known = known.map_err(Fault::from)?;
    let (keys, mut clicks) = (shared.catalog.keys(), shared.clicks.reader().map_err(Fault::from)?);
    let mut links = Vec::new();
    for link in known.into_iter().filter(|link| link.revoked_at.is_none()) {
        let number = link.number;
        let token = LinkToken { campaign, enrollment, number }.sign(&keys.set);
        let hours = clicks.hours_of_link(campaign, number, (0, i64::MAX)).map_err(Fault::from)?;
        links.push(Link {
            number,
            url: format!("{}/r/{token}", shared.public_url),
            destination: link.destination,
            clicks: hours.iter().map(|hour| hour.credited).sum(),
        });
    }
    Ok(links)
}

/// `GET /creator/campaigns/{campaign}`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let today = day_of(shared.clock.now());
    tokio::task::block_in_place(|| {
        let enrollment = own(&visitor, campaign)?;
        let links = links(&visitor, campaign, enrollment)?;
        let codes = shared.desk.registry(|registry| registry.promo_codes(campaign, enrollment));
        let codes = codes.map_err(Fault::from)?.into_iter();
        let codes = codes.filter(|code| code.revoked_at.is_none()).map(|code| code.display);
        let codes: Vec<String> = codes.collect();
        let looked = shared.desk.look(campaign, |state| {
            let no = state.enrollment_no(enrollment)?;
            let terms = state.terms();
            let earnings = Shown::of(&Earnings::of(state, no, today), terms.currency);
            let ended_at = state.enrollment(no).ended_at;
            let is_over =
                matches!(state.state(), State::Completed | State::PaidOut | State::Cancelled);
            let page = Page {
                shell: visitor.titled(show::offer(terms)),
                done: asked.done.as_deref().and_then(show::done),
                id: campaign,
                entries: state.head(),
                path: format!("/creator/campaigns/{campaign}"),
                brand: String::new(),
                offer: show::offer(terms),
                state: show::state(state.state()),
                is_frozen: state.frozen() > 0,
                ended_at: ended_at.map(Moment),
                may_share: ended_at.is_none() && !is_over,
                earnings,
                links,
                codes,
                held: held(state, no),
                waiting: waiting(state, no, today),
                payouts: payouts(state, no),
                hosts: terms.destination_hosts.clone(),
                minimum: Money(terms.payout_minimum, terms.currency),
                key: key(),
                code_key: key(),
            };
            Some((page, state.brand()))
        });
        let (mut shown, brand) = looked.map_err(Fault::from)?.ok_or_else(not_found)?;
        shown.brand = brand_name(shared, brand)?;
        for held in &mut shown.held {
            held.why = doubts(shared, campaign, held.placed)?;
        }
        page(StatusCode::OK, &shown)
    })
}

/// `POST …/links`.
pub(in super::super) async fn make_link(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    form: Form,
) -> Result<Response, Problem> {
    let enrollment = tokio::task::block_in_place(|| own(&visitor, campaign))?;
    let path = format!("/campaigns/{campaign}/enrollments/{enrollment}/links");
    let body = json!({ "destination": form.text("destination") });
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go(&format!("/creator/campaigns/{campaign}?done=link")))
}

/// `POST …/codes`.
pub(in super::super) async fn make_code(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    form: Form,
) -> Result<Response, Problem> {
    let enrollment = tokio::task::block_in_place(|| own(&visitor, campaign))?;
    let path = format!("/campaigns/{campaign}/enrollments/{enrollment}/codes");
    let body = json!({ "readable": form.text("readable").to_uppercase() });
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go(&format!("/creator/campaigns/{campaign}?done=code")))
}
