//! `/creator/campaigns`: which campaigns may be joined, what they pay, and that the money is there.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::OnExhausted;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::folded::Campaign;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::brand_name;
use crate::api::{Fault, Path, Query};
use crate::problem::Problem;

struct Card {
    path: String,
    brand: String,
    offer: String,
    base: Option<String>,
    cap: Option<Money>,
    state: Chip,
    ends_at: Moment,
    confirmed: Money,
    free: Money,
    /// Whether a deposit is disputed: nobody can join then.
    is_frozen: bool,
    /// Whether nothing is free for new orders.
    is_used_up: bool,
    clearing_days: u32,
    attribution_days: u32,
    min_order: Option<Money>,
    payout_minimum: Money,
    /// What of later earnings pays off what was given back after it was paid.
    netting: String,
    /// What happens once the budget is used up.
    exhausted: &'static str,
    key: String,
    /// Its proof of funds.
    funds: String,
}

#[derive(Template)]
#[template(path = "creator/join.html")]
struct List {
    shell: Shell,
    cards: Vec<Card>,
    /// Where the next ones are.
    more: Option<String>,
}

/// Which campaigns are asked for.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(in super::super) struct From {
    /// Behind this one, by its number.
    after: u64,
}

/// Campaigns that are shown.
const CARDS_MAX: usize = 50;

/// Campaigns that are looked at at a time.
const CHUNK: usize = 1_000;

fn card(state: &Campaign) -> Option<Card> {
    if !matches!(state.state(), State::Funded | State::Live) {
        return None;
    }
    let terms = state.terms();
    let money = |amount| Money(amount, terms.currency);
    Some(Card {
        path: format!("/creator/campaigns/{}/join", state.id()),
        brand: String::new(),
        offer: show::offer(terms),
        base: show::base(terms),
        cap: terms.creator_cap.map(money),
        state: show::state(state.state()),
        ends_at: Moment(terms.ends_at),
        confirmed: money(state.confirmed_budget()),
        free: money(state.free()),
        is_frozen: state.frozen() > 0,
        is_used_up: !state.free().is_positive(),
        clearing_days: terms.clearing_days,
        attribution_days: terms.attribution_window_days,
        min_order: Some(terms.min_order).filter(|least| least.is_positive()).map(money),
        payout_minimum: money(terms.payout_minimum),
        netting: show::percent(terms.netting_share_bps),
        exhausted: match terms.on_exhausted {
            OnExhausted::Pause => "the campaign pauses, and new clicks are not credited",
            OnExhausted::Record => {
                "orders go on counting and wait for more funds, the oldest first"
            }
        },
        key: key(),
        funds: format!("/c/{}", state.id()),
    })
}

/// `GET /creator/campaigns`.
pub(in super::super) async fn list(
    visitor: Visitor,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    let (cards, more) = tokio::task::block_in_place(|| {
        let own = visitor.caller.enrollments()?;
        let is_own = |id: CampaignId| own.iter().any(|(of, _)| *of == id);
        let (mut cards, mut after) = (Vec::new(), from.after);
        // A page looks at so many and no more; those behind them are on the next.
        let some = shared.desk.read(|reader| reader.campaigns(after, CHUNK));
        let some = some.map_err(Fault::from)?;
        for listed in &some {
            if cards.len() == CARDS_MAX {
                break;
            }
            after = listed.no;
            if !is_own(listed.campaign) {
                let looked = shared.desk.look(listed.campaign, |it| (it.brand(), card(it)));
                let (brand, card) = looked.map_err(Fault::from)?;
                if let Some(card) = card {
                    cards.push(Card { brand: brand_name(shared, brand)?, ..card });
                }
            }
        }
        let is_last = some.len() < CHUNK && some.last().is_none_or(|last| last.no == after);
        Ok::<_, Problem>((cards, (!is_last).then(|| format!("/creator/campaigns?after={after}"))))
    })?;
    page(StatusCode::OK, &List { shell: visitor.titled("Find campaigns"), cards, more })
}

/// `POST /creator/campaigns/{campaign}/join`.
pub(in super::super) async fn join(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/enrollments");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go(&format!("/creator/campaigns/{campaign}?done=joined")))
}
