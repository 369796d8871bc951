//! `/brand/campaigns/{campaign}/money`: the money map, as a picture and as a table.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_app::money_map::{MoneyMap, Sink, Source};
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::Minor;

use super::super::page;
use super::super::sankey::{self, NARROW, Node, Picture, WIDE};
use super::super::shell::Shell;
use super::super::show::{self, Money};
use super::super::visitor::Visitor;
use super::Head;
use crate::api::Path;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "brand/money.html")]
struct Shown {
    shell: Shell,
    head: Head,
    sources: Vec<(Node, Money)>,
    sinks: Vec<(Node, Money)>,
    came_in: Money,
    is_somewhere: Money,
    pictures: Vec<Picture>,
    bar: i64,
}

/// Creators who have a ribbon of their own; the others share one.
const CREATORS_MAX: usize = 10;

type Names = BTreeMap<EnrollmentId, String>;

fn source(state: &Campaign, source: Source, amount: Minor) -> Node {
    let ledger = format!("/brand/campaigns/{}/ledger", state.id());
    let (name, kind) = match source {
        Source::Deposit(seq) => (format!("Deposit {seq}"), "deposit"),
        Source::BrandOwes => ("Owed by you".to_owned(), "deposit.reversed"),
        Source::OperatorBears => ("Borne by the operator".to_owned(), "deposit"),
    };
    let shown = Money(amount, state.terms().currency).plain();
    Node { name, amount, shown, href: format!("{ledger}?kind={kind}"), tone: "in" }
}

fn sink(state: &Campaign, names: &Names, sink: Sink, amount: Minor) -> Node {
    let ledger = format!("/brand/campaigns/{}/ledger", state.id());
    let creator = |no| {
        let id = state.enrollment(no).id;
        (show::name(names, id), format!("enrollment={id}"))
    };
    let kind = |kind: &str| format!("kind={kind}");
    let (name, query, tone) = match sink {
        Sink::Paid(no) => {
            let (name, query) = creator(no);
            (format!("Paid to {name}"), query, "paid")
        }
        Sink::Owed(no) => {
            let (name, query) = creator(no);
            (format!("Owed to {name}"), query, "accrued")
        }
        Sink::PlatformFees => ("Platform fees".to_owned(), kind("rollup.accrued"), "fees"),
        Sink::ProviderFees => ("Provider's fees".to_owned(), kind("deposit.settled"), "fees"),
        Sink::Refunded => ("Back to you".to_owned(), kind("refund"), "refunded"),
        Sink::Reserved => ("Reserved".to_owned(), kind("enrollment"), "reserved"),
        Sink::Free => ("Free".to_owned(), kind("deposit"), "free"),
    };
    let shown = Money(amount, state.terms().currency).plain();
    Node { name, amount, shown, href: format!("{ledger}?{query}"), tone }
}

/// The largest as they are, the rest of the creators in one.
fn few(nodes: Vec<Node>, state: &Campaign) -> Vec<Node> {
    let of_creators = |node: &Node| matches!(node.tone, "paid" | "accrued");
    let (mut creators, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(of_creators);
    creators.sort_by_key(|node| std::cmp::Reverse(node.amount));
    let rest = creators.split_off(creators.len().min(CREATORS_MAX));
    if !rest.is_empty() {
        let amount: Minor = rest.iter().map(|node| node.amount).sum();
        creators.push(Node {
            name: format!("{} more", rest.len()),
            amount,
            shown: Money(amount, state.terms().currency).plain(),
            href: format!("/brand/campaigns/{}/ledger?kind=payout", state.id()),
            tone: "paid",
        });
    }
    creators.into_iter().chain(others).collect()
}

fn shown(visitor: &Visitor, state: &Campaign, names: &Names) -> Shown {
    let map = MoneyMap::of(state);
    let currency = state.terms().currency;
    let sources = map.sources.iter().map(|(of, amount)| source(state, *of, *amount));
    let sinks = map.sinks.iter().map(|(of, amount)| sink(state, names, *of, *amount));
    let (sources, sinks): (Vec<_>, Vec<_>) = (sources.collect(), sinks.collect());
    let drawn = few(sinks.clone(), state);
    let pictures = [WIDE, NARROW].map(|across| sankey::draw(&sources, &drawn, across));
    let with_money = |nodes: Vec<Node>| -> Vec<(Node, Money)> {
        nodes.into_iter().map(|node| (node.clone(), Money(node.amount, currency))).collect()
    };
    Shown {
        shell: visitor.titled("Money map"),
        head: Head::of(state, "money"),
        came_in: Money(map.came_in(), currency),
        is_somewhere: Money(map.is_somewhere(), currency),
        sources: with_money(sources),
        sinks: with_money(sinks),
        pictures: pictures.into(),
        bar: sankey::bar(),
    }
}

/// `GET …/money`.
pub(in super::super) async fn show(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| {
        visitor.caller.sees(campaign)?;
        let names = show::names(&visitor.caller.shared, campaign)?;
        let shown = visitor.caller.look_at(campaign, |state, _| shown(&visitor, state, &names))?;
        page(StatusCode::OK, &shown)
    })
}
