//! `/brand/campaigns/{campaign}/holds`: orders that wait: for a decision, or for funds; and what was given back.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sponsorhub_core::actor::Action;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::money::{Currency, Minor};

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::rows::{Asked, Rows, body, doubts, newest};
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money, chip};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::Head;
use crate::api::{Path, Query};
use crate::problem::Problem;

/// Rows of each list that is not paged.
const ROWS: usize = 50;

type Names = BTreeMap<EnrollmentId, String>;

/// An order that somebody doubts, or doubted.
struct Hold {
    conversion: Seq,
    placed: Seq,
    creator: String,
    order: Money,
    earns: Money,
    state: Chip,
    deadline: Option<Moment>,
    why: String,
    /// The key of the form that releases it; none where there is nothing to release.
    key: Option<String>,
}

/// An order whose pay waits for funds.
struct Waiting {
    conversion: Seq,
    creator: String,
    order: Money,
    unmet: Money,
}

/// What of a creator's orders waits.
struct Share {
    creator: String,
    orders: usize,
    unmet: Money,
}

/// An order, or part of one, that was given back.
struct Reversal {
    seq: Seq,
    at: Moment,
    conversion: String,
    creator: String,
    amount: Money,
}

#[derive(Template)]
#[template(path = "brand/holds.html")]
struct Holds {
    shell: Shell,
    head: Head,
    done: Option<&'static str>,
    open: Vec<Hold>,
    settled: Vec<Hold>,
    /// How many there are beyond those that are shown.
    open_beyond: usize,
    settled_beyond: usize,
    may_decide: bool,
    /// The key of the form that doubts another order.
    doubt: String,
    waiting: Vec<Waiting>,
    waiting_beyond: usize,
    shares: Vec<Share>,
    unmet: Money,
    reversals: Vec<Reversal>,
    older: Option<String>,
    is_first: bool,
}

/// What rows are made of.
struct Around<'a> {
    state: &'a Campaign,
    names: &'a Names,
    currency: Currency,
    may_decide: bool,
}

impl Around<'_> {
    fn creator(&self, no: EnrollmentNo) -> String {
        show::name(self.names, self.state.enrollment(no).id)
    }

    fn hold(&self, conversion: Seq) -> Option<Hold> {
        let hold = self.state.holds().get(&conversion)?;
        let unit = self.state.units().find(conversion).map(|index| self.state.units().get(index));
        let order = unit.map(|unit| unit.order);
        let order = order.or_else(|| self.state.conversion(conversion).map(|(_, order)| order));
        let earns = unit.map(|unit| unit.commission).unwrap_or_default();
        let state = match (hold.open, earns.is_positive()) {
            (true, _) => chip("wait", "Waits"),
            (false, true) => chip("good", "Counts"),
            (false, false) => chip("calm", "Earns nothing"),
        };
        Some(Hold {
            conversion,
            placed: hold.first_placed,
            creator: self.creator(hold.enrollment),
            order: Money(order.unwrap_or_default(), self.currency),
            earns: Money(earns, self.currency),
            state,
            deadline: hold.open.then_some(Moment(hold.deadline)),
            why: String::new(),
            key: (hold.open && self.may_decide).then(key),
        })
    }

    /// Those that are open, the nearest deadline first, or those that are not, the newest first; and how many
    /// more there are.
    fn holds(&self, is_open: bool) -> (Vec<Hold>, usize) {
        let all = self.state.holds().iter().filter(|(_, hold)| hold.open == is_open);
        let mut all: Vec<_> = all.map(|(seq, hold)| (hold.deadline, *seq)).collect();
        if is_open {
            all.sort_unstable();
        } else {
            all.sort_unstable_by_key(|(_, seq)| std::cmp::Reverse(*seq));
        }
        let beyond = all.len().saturating_sub(ROWS);
        let shown = all.into_iter().take(ROWS).filter_map(|(_, seq)| self.hold(seq));
        (shown.collect(), beyond)
    }

    /// The first orders that wait for funds, how many more there are, and whose they all are.
    fn waiting(&self) -> (Vec<Waiting>, usize, Vec<Share>) {
        let (mut shown, mut count) = (Vec::new(), 0);
        let mut shares: BTreeMap<EnrollmentNo, (usize, Minor)> = BTreeMap::new();
        for unit in self.state.waiting() {
            let (orders, unmet) = shares.entry(unit.enrollment).or_default();
            (*orders, *unmet) = (*orders + 1, *unmet + unit.unmet());
            count += 1;
            if shown.len() < ROWS {
                shown.push(Waiting {
                    conversion: unit.seq,
                    creator: self.creator(unit.enrollment),
                    order: Money(unit.order, self.currency),
                    unmet: Money(unit.unmet(), self.currency),
                });
            }
        }
        let mut shares: Vec<_> = shares.into_iter().collect();
        shares.sort_by_key(|(no, (_, unmet))| (std::cmp::Reverse(*unmet), no.index()));
        let share = |(no, (orders, unmet))| Share {
            creator: self.creator(no),
            orders,
            unmet: Money(unmet, self.currency),
        };
        let shares = shares.into_iter().take(ROWS).map(share).collect();
        (shown, count - count.min(ROWS), shares)
    }
}

/// `GET …/holds`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let hub = &visitor.caller.shared;
    tokio::task::block_in_place(|| {
        let state = visitor.campaign(campaign)?;
        let names = show::names(hub, campaign)?;
        let may_decide = visitor.caller.may(Action::ReleaseHold).is_ok();
        let currency = state.terms().currency;
        let around = Around { state: &state, names: &names, currency, may_decide };
        let head = Head::of(&state, "holds");
        let (mut open, open_beyond) = around.holds(true);
        let (mut settled, settled_beyond) = around.holds(false);
        for hold in open.iter_mut().chain(&mut settled) {
            hold.why = doubts(hub, campaign, hold.placed)?;
        }
        let (waiting, waiting_beyond, shares) = around.waiting();
        let read = newest(hub, campaign, asked.before(&state), |row| {
            (row.kind == Kind::ConversionReversed).then(|| Reversal {
                seq: row.seq,
                at: Moment(row.at),
                conversion: body(row.bytes)["conversion"].to_string(),
                creator: row.enrollment.map_or_else(String::new, |(no, _)| around.creator(no)),
                amount: Money(row.amount.unwrap_or_default(), currency),
            })
        });
        let Rows { rows: reversals, older } = read?;
        let holds = Holds {
            shell: visitor.titled("Doubts and waits"),
            done: asked.done.as_deref().and_then(show::done),
            open,
            settled,
            open_beyond,
            settled_beyond,
            may_decide,
            doubt: key(),
            waiting,
            waiting_beyond,
            shares,
            unmet: Money(state.unmet(), currency),
            reversals,
            older: older.map(|seq| head.path(&format!("/holds?before={seq}#given-back"))),
            is_first: asked.before.is_none(),
            head,
        };
        page(StatusCode::OK, &holds)
    })
}

/// `POST …/holds`: doubts an order.
pub(in super::super) async fn doubt(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    form: Form,
) -> Result<Response, Problem> {
    let conversion = form.text("conversion").parse::<Seq>().map_err(|_| {
        let detail = "the number of the order's entry, as the list of conversions has it";
        Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("conversion")
    })?;
    let body = json!({ "conversion": conversion, "reason": form.text("reason") });
    let path = format!("/campaigns/{campaign}/holds");
    act(&visitor.caller, &form, ("POST", &path), &body).await?;
    Ok(go(&format!("/brand/campaigns/{campaign}/holds?done=doubted")))
}

/// `POST …/holds/{conversion}/release`.
pub(in super::super) async fn release(
    visitor: Visitor,
    Path((campaign, conversion)): Path<(CampaignId, Seq)>,
    form: Form,
) -> Result<Response, Problem> {
    let path = format!("/campaigns/{campaign}/holds/{conversion}/release");
    act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    Ok(go(&format!("/brand/campaigns/{campaign}/holds?done=release")))
}
