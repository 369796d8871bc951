//! Pages that need no account: the proof of funds of a campaign, and how the money is kept honest.

use askama::Template;
use axum::extract;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::money_map::MoneyMap;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::{BrandId, CampaignId, Seq};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;

use super::creator::brand_name;
use super::page;
use super::shell::Shell;
use super::show::{self, Chip, Moment, Money};
use super::visitor::Guest;
use crate::api::{Fault, Path, not_found};
use crate::problem::Problem;
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "funds.html")]
struct Funds {
    shell: Shell,
    brand: String,
    offer: String,
    id: CampaignId,
    state: Chip,
    is_frozen: bool,
    budget: Money,
    /// Deposits less what was taken back of them.
    confirmed: Money,
    /// What new orders can earn, fees included.
    free: Money,
    reserved: Money,
    earned: Money,
    paid: Money,
    refunded: Money,
    /// Of the platform and of the payment provider.
    fees: Money,
    /// Free, but beyond the budget.
    beyond: Option<Money>,
    /// Orders whose pay waits for more funds.
    waits: Option<Money>,
    /// What creators have earned that no money is there for: a deposit was taken back.
    uncovered: Option<Money>,
    /// Each with the entry that opened it.
    deposits: Vec<(Seq, Money)>,
    ends_at: Moment,
    entries: Seq,
}

/// Whether strangers may look at a campaign: not before its funds are there, and not where it came to
/// nothing.
pub(super) const fn is_public(state: State) -> bool {
    match state {
        State::Funded | State::Live | State::Paused | State::Completed | State::PaidOut => true,
        State::Draft | State::Cancelled => false,
    }
}

fn funds(shell: Shell, state: &Campaign) -> Option<(Funds, BrandId)> {
    if !is_public(state.state()) {
        return None;
    }
    let (terms, sums) = (state.terms(), MoneyMap::of(state).sums());
    let money = |amount| Money(amount, terms.currency);
    let confirmed =
        state.deposits().iter().filter(|(_, one)| one.is_confirmed() && !one.is_advance);
    let left = confirmed.map(|(seq, one)| (*seq, (one.amount - one.reversed).or_zero()));
    let left: Vec<_> = left.filter(|(_, left)| left.is_positive()).collect();
    let owed = state.balance(Account::BrandReceivable);
    let unmet = state.unmet();
    let funds = Funds {
        shell,
        brand: String::new(),
        offer: show::offer(terms),
        id: state.id(),
        state: show::state(state.state()),
        is_frozen: state.frozen() > 0,
        budget: money(terms.budget),
        confirmed: money(left.iter().map(|(_, left)| *left).sum()),
        free: money(state.free()),
        reserved: money(sums.reserved),
        earned: money(sums.accrued + sums.paid),
        paid: money(sums.paid),
        refunded: money(sums.refunded),
        fees: money(sums.platform_fees + sums.provider_fees),
        beyond: Some(MoneyMap::beyond_budget(state)).filter(|it| it.is_positive()).map(money),
        waits: unmet.is_positive().then(|| money(unmet)),
        uncovered: owed.is_positive().then(|| money(owed)),
        deposits: left.into_iter().map(|(seq, left)| (seq, money(left))).collect(),
        ends_at: Moment(state.ended_at().unwrap_or(terms.ends_at)),
        entries: state.head(),
    };
    Some((funds, state.brand()))
}

/// `GET /c/{campaign}`: what is there for those who work for it.
pub(super) async fn proof_of_funds(
    extract::State(shared): extract::State<Shared>,
    guest: Guest,
    Path(campaign): Path<CampaignId>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| {
        let shell = guest.shell.titled("Proof of funds");
        let looked = shared.desk.look(campaign, |state| funds(shell, state));
        let (mut funds, brand) = looked.map_err(Fault::from)?.ok_or_else(not_found)?;
        funds.brand = brand_name(&shared, brand)?;
        page(StatusCode::OK, &funds)
    })
}

#[derive(Template)]
#[template(path = "honest.html")]
struct Honest {
    shell: Shell,
}

/// `GET /how-it-works`: how the money is kept honest, in plain words.
pub(super) async fn honest(guest: Guest) -> Result<Response, Problem> {
    page(StatusCode::OK, &Honest { shell: guest.shell.titled("How the money is kept honest") })
}
