//! `/brand/campaigns/{campaign}`: how a campaign stands.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::earnings::Earnings;
use sponsorhub_app::money_map::{MoneyMap, Sums};
use sponsorhub_core::actor::Action;
use sponsorhub_core::campaign::state::{Command, State};
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;
use sponsorhub_core::time::day_of;

use super::super::page;
use super::super::public::is_public;
use super::super::rows::Asked;
use super::super::sales::{Sum, Tally};
use super::super::sankey::widths;
use super::super::shell::Shell;
use super::super::show::{self, Moment, Money};
use super::super::visitor::Visitor;
use super::Head;
use super::burn::{Burn, HEIGHT, Known, WIDTH, burn};
use crate::api::{Caller, Fault, Path, Query};
use crate::problem::Problem;

/// A guard of the launch.
struct Guard {
    holds: bool,
    text: String,
    why: &'static str,
}

/// Something that may be done now.
struct Button {
    href: String,
    text: &'static str,
    is_main: bool,
}

/// A part of the bar of the budget.
struct Part {
    name: &'static str,
    tone: &'static str,
    amount: Money,
    x: i64,
    width: i64,
}

/// A creator among the others.
struct Creator {
    name: String,
    has_ended: bool,
    clicks: u64,
    orders: usize,
    sales: Money,
    earned: Money,
    paid: Money,
    href: String,
}

/// A term in plain words.
struct Term {
    name: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "brand/campaign.html")]
struct Shown {
    shell: Shell,
    head: Head,
    done: Option<&'static str>,
    buttons: Vec<Button>,
    guards: Vec<Guard>,
    parts: Vec<Part>,
    unmet: Option<Money>,
    /// Free, but beyond the budget, so that no order can take it.
    beyond: Option<Money>,
    /// None before it was live.
    burn: Option<Burn>,
    budget: Money,
    clicks: u64,
    orders: usize,
    /// Orders whose pay no rollup has counted yet.
    uncounted: usize,
    accrued: Money,
    paid: Money,
    open_holds: usize,
    creators: Vec<Creator>,
    terms: Vec<Term>,
    ends_at: Moment,
    ended_at: Option<Moment>,
    closes_at: Option<Moment>,
    /// Where everybody sees its funds; none where nobody may yet.
    funds: Option<String>,
}

/// How wide the bar is in its own measure.
const BAR_WIDTH: i64 = 1_000;

/// Creators that are compared on the page.
const CREATORS_MAX: usize = 50;

/// Each guard of the launch, whether it holds, and why it is there.
fn guards(state: &Campaign, now: i64) -> Vec<Guard> {
    if !matches!(state.state(), State::Draft | State::Funded) {
        return Vec::new();
    }
    let missing = state.missing_for_launch(now);
    let terms = state.terms();
    let money = |amount: Minor| Money(amount, terms.currency).plain();
    let is_missing = |like: fn(&Refusal) -> bool| missing.iter().any(like);
    let confirmed = state.confirmed_budget();
    let short = (terms.budget - confirmed).or_zero();
    let (has_budget, text) = if is_missing(|one| matches!(one, Refusal::Unfunded { .. })) {
        let (there, wanted) = (money(confirmed), money(terms.budget));
        let text = format!("{there} of {wanted} are confirmed; {} are missing", money(short));
        (false, text)
    } else {
        (true, format!("The budget of {} is confirmed", money(terms.budget)))
    };
    let why = "Nobody should work for money that is not there. It counts once the payment \
               provider's own event of the payment was verified and read again.";
    let budget = Guard { holds: has_budget, text, why };
    let frozen = is_missing(|one| matches!(one, Refusal::Frozen));
    let dispute = Guard {
        holds: !frozen,
        text: if frozen { "A deposit is disputed" } else { "No deposit is disputed" }.to_owned(),
        why: "While a dispute is open its money may leave again, so nothing is promised of it.",
    };
    let late = is_missing(|one| matches!(one, Refusal::Field { .. }));
    let end = Guard {
        holds: !late,
        text: if late {
            "The end lies behind us, or more than 24 months ahead"
        } else {
            "The end lies ahead"
        }
        .to_owned(),
        why: "Money may be held for a limited time only, so a campaign ends within 24 months.",
    };
    vec![budget, dispute, end]
}

/// What may be done now, by the lifecycle and by the reader's role.
fn buttons(caller: &Caller, state: &Campaign, now: i64) -> Vec<Button> {
    let path = |rest: &str| format!("/brand/campaigns/{}/{rest}", state.id());
    let mut buttons = Vec::new();
    let is_open = !matches!(state.state(), State::Completed | State::PaidOut | State::Cancelled);
    let is_ready = state.missing_for_launch(now).is_empty();
    if is_open && caller.may(Action::OpenDeposit).is_ok() {
        let is_main = state.state() == State::Draft;
        buttons.push(Button { href: path("fund"), text: "Add funds", is_main });
    }
    for (command, action, text, step) in [
        (Command::Launch, Action::LaunchCampaign, "Launch", "launch"),
        (Command::Resume, Action::ResumeCampaign, "Resume", "resume"),
        (Command::Pause, Action::PauseCampaign, "Pause", "pause"),
        (Command::Complete, Action::CompleteCampaign, "End campaign", "complete"),
        (Command::Cancel, Action::CancelCampaign, "Cancel campaign", "cancel"),
    ] {
        let is_guarded = command == Command::Launch && !is_ready;
        let is_listed = state.state().after(command).is_some();
        if is_listed && !is_guarded && caller.may(action).is_ok() {
            let is_main = matches!(command, Command::Launch | Command::Resume);
            buttons.push(Button { href: path(&format!("steps/{step}")), text, is_main });
        }
    }
    buttons
}

fn parts(sums: &Sums, currency: Currency) -> Vec<Part> {
    let fees = sums.platform_fees + sums.provider_fees;
    let all = [
        ("Free", "free", sums.free),
        ("Reserved", "reserved", sums.reserved),
        ("Accrued", "accrued", sums.accrued),
        ("Paid", "paid", sums.paid),
        ("Fees", "fees", fees),
        ("Refunded", "refunded", sums.refunded),
    ];
    let widths = widths(&all.map(|(_, _, amount)| amount), BAR_WIDTH);
    let mut x = 0;
    let parts = all.into_iter().zip(widths).map(|((name, tone, amount), width)| {
        let part = Part { name, tone, amount: Money(amount, currency), x, width };
        x += width;
        part
    });
    parts.collect()
}

type Names = BTreeMap<EnrollmentId, String>;

/// What of the budget nothing has taken. What came in beyond it does not count.
fn unspent(state: &Campaign, sums: &Sums) -> Minor {
    let set_aside = sums.reserved - state.balance(Account::FeeReserve);
    let taken = sums.accrued + sums.paid + sums.platform_fees + set_aside;
    let budget = state.terms().budget.min(state.confirmed_budget());
    (budget - taken).or_zero().min(sums.free + sums.refunded)
}

/// How the budget is used up.
fn burn_of(state: &Campaign, tally: &Tally, sums: &Sums, now: i64) -> Option<Burn> {
    let (launched_at, _) = state.gate().live.first()?;
    let (launched_on, ended_at) = (day_of(*launched_at), state.ended_at());
    // A clock that was set back is no reason for a day before the first.
    let today = ended_at.map_or(now, |ended_at| ended_at.min(now));
    let is_frozen = state.frozen() > 0;
    let left = match (ended_at, is_frozen) {
        (Some(_), _) => unspent(state, sums),
        (None, true) => sums.free.min(unspent(state, sums)),
        // What stands above is more where a provider took less than was kept for its fee.
        (None, false) => state.free(),
    };
    let mut spent = tally.spent.clone();
    for (no, enrollment) in state.numbered_enrollments() {
        let unlocked = tally.bases.get(&no).copied().unwrap_or_default();
        *spent.entry(day_of(enrollment.started_at)).or_default() += unlocked + enrollment.base_left;
    }
    Some(burn(&Known {
        state: state.state(),
        launched_on,
        today: day_of(today).max(launched_on),
        ends_on: day_of(state.terms().ends_at),
        has_ended: ended_at.is_some(),
        is_frozen,
        left,
        spent: &spent,
        currency: state.terms().currency,
    }))
}

fn creators(
    caller: &Caller,
    state: &Campaign,
    (names, orders): (&Names, &[Sum]),
) -> Result<(Vec<Creator>, u64, usize), Problem> {
    let (id, currency) = (state.id(), state.terms().currency);
    let today = day_of(caller.shared.clock.now());
    let mut reader = caller.shared.clicks.reader().map_err(Fault::from)?;
    let span = (0, i64::MAX);
    let mut all = Vec::new();
    for (no, enrollment) in state.numbered_enrollments() {
        let (count, sales) = orders[no.index()];
        let earnings = Earnings::of(state, no, today);
        all.push((earnings.earned(), enrollment, count, sales, earnings.paid));
    }
    all.sort_by_key(|(earned, ..)| std::cmp::Reverse(*earned));
    let mut shown = Vec::new();
    for (earned, enrollment, count, sales, paid) in all.into_iter().take(CREATORS_MAX) {
        let hours = reader.hours_of_enrollment(id, enrollment.id, span).map_err(Fault::from)?;
        shown.push(Creator {
            name: show::name(names, enrollment.id),
            has_ended: enrollment.ended_at.is_some(),
            clicks: hours.iter().map(|hour| hour.credited).sum(),
            orders: count,
            sales: Money(sales, currency),
            earned: Money(earned, currency),
            paid: Money(paid, currency),
            href: format!("/brand/campaigns/{id}/ledger?enrollment={}", enrollment.id),
        });
    }
    let hours = reader.hours_of_campaign(id, span).map_err(Fault::from)?;
    let clicks = hours.iter().map(|hour| hour.credited).sum();
    Ok((shown, clicks, orders.iter().map(|(count, _)| count).sum()))
}

fn terms(state: &Campaign) -> Vec<Term> {
    let terms = state.terms();
    let money = |amount: Minor| Money(amount, terms.currency).plain();
    let term = |name, text| Term { name, text };
    let mut all = vec![term("Pay", show::offer(terms))];
    all.extend(show::base(terms).map(|text| term("Fixed base", text)));
    all.extend(terms.creator_cap.map(|cap| term("Most for one creator", money(cap))));
    let hosts = terms.destination_hosts.join(", ");
    all.extend([
        term("Budget", money(terms.budget)),
        term(
            "Platform fee",
            format!("{} of what creators earn", show::percent(terms.platform_fee_bps)),
        ),
        term(
            "An order counts",
            format!("up to {} days after the click", terms.attribution_window_days),
        ),
        term("Clearing", format!("{} days from an order to its payout", terms.clearing_days)),
        term("Smallest payout", money(terms.payout_minimum)),
        term("Links may lead to", if hosts.is_empty() { "no host yet".to_owned() } else { hosts }),
    ]);
    all
}

fn shown(visitor: &Visitor, state: &Campaign, names: &Names) -> Result<Shown, Problem> {
    let now = visitor.caller.shared.clock.now();
    let currency = state.terms().currency;
    let sums = MoneyMap::of(state).sums();
    let mut tally = visitor.caller.shared.sales.of(state);
    // What came in a moment ago counts as an order at once; what it earns, as soon as it is rolled up.
    let mut uncounted = 0_usize;
    for (no, order) in state.conversions_to_come() {
        let (count, sum) = &mut tally.orders[no.index()];
        (*count, *sum, uncounted) = (*count + 1, *sum + order, uncounted + 1);
    }
    let of = (names, tally.orders.as_slice());
    let (creators, clicks, orders) = creators(&visitor.caller, state, of)?;
    let head = Head::of(state, "overview");
    Ok(Shown {
        shell: visitor.titled(head.name.clone()),
        head,
        done: None,
        buttons: buttons(&visitor.caller, state, now),
        guards: guards(state, now),
        parts: parts(&sums, currency),
        unmet: Some(state.unmet()).filter(|unmet| !unmet.is_zero()).map(|it| Money(it, currency)),
        beyond: Some(MoneyMap::beyond_budget(state))
            .filter(|beyond| beyond.is_positive())
            .map(|beyond| Money(beyond, currency)),
        burn: burn_of(state, &tally, &sums, now),
        budget: Money(state.terms().budget, currency),
        clicks,
        orders,
        uncounted,
        accrued: Money(sums.accrued + sums.paid, currency),
        paid: Money(sums.paid, currency),
        open_holds: state.holds().values().filter(|hold| hold.open).count(),
        creators,
        terms: terms(state),
        ends_at: Moment(state.terms().ends_at),
        ended_at: state.ended_at().map(Moment),
        closes_at: state.closes_at().map(Moment),
        funds: is_public(state.state()).then(|| format!("/c/{}", state.id())),
    })
}

/// `GET /brand/campaigns/{campaign}`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| {
        let state = visitor.campaign(campaign)?;
        let names = show::names(&visitor.caller.shared, campaign)?;
        let mut shown = shown(&visitor, &state, &names)?;
        shown.done = asked.done.as_deref().and_then(show::done);
        page(StatusCode::OK, &shown)
    })
}
