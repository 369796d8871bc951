//! A campaign's conversions and its whole ledger, newest first.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sponsorhub_core::ids::{CampaignId, EnrollmentId, EnrollmentNo, Seq};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::money::Minor;
use sponsorhub_store::store::EntryRow;

use super::super::filter::{Filter, Narrowed};
use super::super::rows::{Asked, Rows, body, newest, note};
use super::super::shell::Shell;
use super::super::show::{self, Chip, Moment, Money, chip};
use super::super::visitor::Visitor;
use super::super::{csv, page};
use super::Head;
use super::facts::{Fact, facts};
use crate::api::{Fault, Path, Query};
use crate::problem::Problem;

type Names = BTreeMap<EnrollmentId, String>;

/// A conversion or a reversal.
struct Conversion {
    seq: Seq,
    at: Moment,
    kind: String,
    creator: String,
    result: Chip,
    order: Money,
    /// None for what earns nothing of its own.
    earned: Option<Money>,
    note: String,
}

impl Conversion {
    const HEAD: [&str; 9] =
        ["entry", "at", "type", "result", "creator", "order", "earned", "currency", "note"];

    fn cells(self) -> csv::Row {
        let Money(order, currency) = self.order;
        let earned = self.earned.map(|Money(earned, _)| csv::amount(earned)).unwrap_or_default();
        vec![
            self.seq.to_string(),
            self.at.plain(),
            self.kind,
            self.result.text().to_lowercase(),
            self.creator,
            csv::amount(order),
            earned,
            currency.code().to_owned(),
            self.note,
        ]
    }
}

#[derive(Template)]
#[template(path = "brand/conversions.html")]
struct Conversions {
    shell: Shell,
    head: Head,
    list: Table,
    file: String,
    rows: Vec<Conversion>,
    older: Option<String>,
    is_first: bool,
}

/// Creators to choose from at most: a page has to stay small.
const CREATORS_MAX: usize = 200;

/// What narrows a table.
struct Table {
    narrowed: Narrowed,
}

/// The words of a filter of conversions, and the kinds of entries that they are.
const RESULTS: [(&str, &str, Kind); 4] = [
    ("accepted", "Accepted", Kind::ConversionAccepted),
    ("held", "Held", Kind::ConversionHeld),
    ("rejected", "Rejected", Kind::ConversionRejected),
    ("reversed", "Reversal", Kind::ConversionReversed),
];

/// A filter by creator.
fn by_creator(state: &Campaign, names: &Names, asked: &Asked) -> Filter {
    let chosen = asked.enrollment.as_deref().unwrap_or_default();
    let all = state.enrollments().iter().map(|one| (one.id.to_string(), show::name(names, one.id)));
    let mut shown: Vec<_> = all.clone().take(CREATORS_MAX).collect();
    if !shown.iter().any(|(id, _)| id == chosen) {
        shown.extend(all.skip(CREATORS_MAX).find(|(id, _)| id == chosen));
    }
    shown.sort_by_key(|(_, name)| name.to_lowercase());
    Filter::of("enrollment", "Creator", shown, chosen)
}

/// Which entries are asked for.
struct Wanted {
    /// None: of everybody, unless nobody was asked for.
    creator: Option<EnrollmentNo>,
    /// Whether somebody was asked for whom this campaign does not know.
    is_nobody: bool,
    result: Option<Kind>,
    /// How the name of the kind begins.
    kind: String,
}

impl Wanted {
    fn of(state: &Campaign, asked: &Asked) -> Self {
        let text = |asked: &Option<String>| asked.clone().filter(|text| !text.is_empty());
        let asked_for = text(&asked.enrollment);
        let creator = asked_for.as_ref().and_then(|id| state.enrollment_no(id.parse().ok()?));
        let result = text(&asked.result);
        let result = result.and_then(|word| RESULTS.iter().find(|(name, ..)| *name == word));
        Self {
            creator,
            is_nobody: asked_for.is_some() && creator.is_none(),
            result: result.map(|(.., kind)| *kind),
            kind: text(&asked.kind).unwrap_or_default(),
        }
    }

    fn has(&self, row: &EntryRow<'_>) -> bool {
        !self.is_nobody
            && self.creator.is_none_or(|no| row.enrollment.is_some_and(|(of, _)| of == no))
            && self.result.is_none_or(|kind| row.kind == kind)
            && row.kind.name().starts_with(&self.kind)
    }
}

/// What is looked up for each row.
struct Around<'a> {
    state: &'a Campaign,
    names: &'a Names,
}

impl Around<'_> {
    fn name(&self, row: &EntryRow<'_>) -> String {
        row.enrollment.map_or_else(String::new, |(no, _)| {
            show::name(self.names, self.state.enrollment(no).id)
        })
    }

    fn conversion(&self, row: &EntryRow<'_>) -> Option<Conversion> {
        let result = match row.kind {
            Kind::ConversionAccepted => chip("good", "Accepted"),
            Kind::ConversionHeld => chip("wait", "Held"),
            Kind::ConversionRejected => chip("bad", "Rejected"),
            Kind::ConversionReversed => chip("calm", "Reversal"),
            _ => return None,
        };
        let body = body(row.bytes);
        let taken = if body["taken"].is_object() { &body["taken"] } else { &body };
        let currency = self.state.terms().currency;
        let unit = self.state.units().find(row.seq).map(|index| self.state.units().get(index));
        let note = match row.kind {
            Kind::ConversionReversed => format!("of entry {}", body["conversion"]),
            Kind::ConversionRejected => {
                body["reason"].as_str().unwrap_or_default().replace('_', " ")
            }
            _ if unit.is_some_and(|unit| unit.held) => "waits for a decision".to_owned(),
            _ if unit.is_some_and(|unit| unit.refunded.is_positive()) => {
                "given back since".to_owned()
            }
            Kind::ConversionHeld if unit.is_some() => "decided since".to_owned(),
            _ => String::new(),
        };
        Some(Conversion {
            seq: row.seq,
            at: Moment(row.at),
            kind: taken["type"].as_str().unwrap_or("refund").replace('_', " "),
            creator: self.name(row),
            result,
            order: Money(row.amount.unwrap_or(Minor::ZERO), currency),
            earned: unit.map(|unit| Money(unit.commission, currency)),
            note,
        })
    }
}

/// `GET …/conversions`.
pub(in super::super) async fn conversions(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    tokio::task::block_in_place(|| {
        let state = visitor.campaign(campaign)?;
        let names = show::names(shared, campaign)?;
        let (around, head) =
            (Around { state: &state, names: &names }, Head::of(&state, "conversions"));
        let words = RESULTS.map(|(word, text, _)| (word, text));
        let result = asked.result.as_deref().unwrap_or_default();
        let filters =
            vec![Filter::of("result", "Result", words, result), by_creator(&state, &names, &asked)];
        let narrowed = Narrowed { here: head.path("/conversions"), filters };
        let wanted = Wanted::of(&state, &asked);
        let read = newest(shared, campaign, asked.before(&state), |row| {
            wanted.has(row).then(|| around.conversion(row)).flatten()
        });
        let Rows { rows, older } = read?;
        let older =
            older.map(|seq| head.path(&format!("/conversions?before={seq}{}", narrowed.query())));
        let file = narrowed.at(&head.path("/conversions.csv"));
        let list = Table { narrowed };
        let is_first = asked.before.is_none();
        let shell = visitor.titled("Conversions");
        page(StatusCode::OK, &Conversions { shell, head, list, file, rows, older, is_first })
    })
}

/// Entries that are read at a time for a file.
const PIECE: usize = 1_000;

/// `GET …/conversions.csv`, oldest first.
pub(in super::super) async fn file(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    tokio::task::block_in_place(|| visitor.caller.sees(campaign))?;
    let mut from: Seq = 1;
    let more = move || {
        let shared = &visitor.caller.shared;
        let names = show::names(shared, campaign)?;
        visitor.caller.look_at(campaign, |state, _| {
            let around = Around { state, names: &names };
            let wanted = Wanted::of(state, &asked);
            let mut rows = Vec::new();
            let scanned = shared.desk.read(|reader| {
                reader.scan(campaign, from, PIECE, &mut |row| {
                    let row = wanted.has(&row).then(|| around.conversion(&row)).flatten();
                    rows.extend(row.map(Conversion::cells));
                })
            });
            let scanned = scanned.map_err(Fault::from)?;
            from = from.saturating_add(Seq::try_from(scanned).unwrap_or(Seq::MAX));
            Ok((scanned > 0).then_some(rows))
        })?
    };
    let name = format!("conversions-{campaign}.csv");
    Ok(csv::file(&name, &Conversion::HEAD, more))
}

/// An entry.
struct Entry {
    seq: Seq,
    at: Moment,
    kind: &'static str,
    creator: String,
    /// Its body, as names and values.
    facts: Vec<(String, Fact)>,
}

#[derive(Template)]
#[template(path = "brand/ledger.html")]
struct Ledger {
    shell: Shell,
    head: Head,
    list: Table,
    rows: Vec<Entry>,
    older: Option<String>,
    is_first: bool,
}

/// A filter by the first word of the kind, or by the kind that a link asks for.
fn by_kind(asked: &Asked) -> Filter {
    let chosen = asked.kind.as_deref().unwrap_or_default();
    let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let whole = words.iter().copied().find(|name| *name == chosen);
    for word in &mut words {
        *word = word.split('.').next().unwrap_or(word);
    }
    words.extend(whole);
    words.sort_unstable();
    words.dedup();
    let words = words.into_iter().map(|word| (word, word.replace('_', " ")));
    Filter::of("kind", "Kind", words, chosen)
}

/// `GET …/ledger`, of one creator or of some kinds where that is asked.
pub(in super::super) async fn ledger(
    visitor: Visitor,
    Path(campaign): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let shared = &visitor.caller.shared;
    tokio::task::block_in_place(|| {
        let state = visitor.campaign(campaign)?;
        let names = show::names(shared, campaign)?;
        let (around, head) = (Around { state: &state, names: &names }, Head::of(&state, "ledger"));
        let wanted = Wanted::of(&state, &Asked { result: None, ..asked.clone() });
        let read = newest(shared, campaign, asked.before(&state), |row| {
            wanted.has(row).then(|| Entry {
                seq: row.seq,
                at: Moment(row.at),
                kind: row.kind.name(),
                creator: around.name(row),
                facts: facts(&body(row.bytes), state.terms().currency),
            })
        });
        let Rows { mut rows, older } = read?;
        for (name, fact) in rows.iter_mut().flat_map(|row| &mut row.facts) {
            if let ("reason" | "reference", Fact::Text(text)) = (name.as_str(), fact) {
                *text = note(shared, campaign, text)?;
            }
        }
        let filters = vec![by_kind(&asked), by_creator(&state, &names, &asked)];
        let list = Table { narrowed: Narrowed { here: head.path("/ledger"), filters } };
        let query = list.narrowed.query();
        let older = older.map(|seq| head.path(&format!("/ledger?before={seq}{query}")));
        let (shell, is_first) = (visitor.titled("Ledger"), asked.before.is_none());
        page(StatusCode::OK, &Ledger { shell, head, list, rows, older, is_first })
    })
}
