//! Lists: which part of one is wanted, and what it is narrowed to.
//!
//! The table of routes says by what a list can be narrowed. A list is never narrowed by what it does
//! not know: a parameter that is misspelled would otherwise answer with everything.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, MatchedPath, RawQuery};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_core::actor::Role;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ledger::kind::Kind;

use super::table::ROUTES;
use crate::problem::Problem;
use crate::shared::Shared;

/// Most things of one page.
pub(super) const LIMIT_MAX: usize = 100;

/// Things of a page where nothing is said.
pub(super) const LIMIT: usize = 50;

/// Things that are looked through for one page of a list that shows only some.
const SCANNED_MAX: usize = 10_000;

/// Things that are fetched at a time to look through them.
const PIECE: usize = 500;

/// By what a list can be narrowed: a query parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) keeps: Keeps,
}

/// Which things a filter keeps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keeps {
    /// Whose field of the filter's name is the one of these words that was asked for.
    OneOf(fn() -> Vec<&'static str>),
    /// Whose field of that name is the text that was asked for.
    Text,
    /// Whose time `at` is that or later, milliseconds.
    Since,
    /// Whose time `at` is earlier, milliseconds.
    Until,
}

const fn one_of(name: &'static str, about: &'static str, of: fn() -> Vec<&'static str>) -> Filter {
    Filter { name, about, keeps: Keeps::OneOf(of) }
}

const fn text(name: &'static str, about: &'static str) -> Filter {
    Filter { name, about, keeps: Keeps::Text }
}

const SINCE: Filter =
    Filter { name: "since", about: "at that time or later, milliseconds", keeps: Keeps::Since };
const UNTIL: Filter =
    Filter { name: "until", about: "before that time, milliseconds", keeps: Keeps::Until };
const ENROLLMENT: Filter = text("enrollment", "of this enrollment");

pub(super) const OF_CAMPAIGNS: &[Filter] =
    &[one_of("state", "in this state", || State::ALL.iter().map(|state| state.name()).collect())];
pub(super) const OF_DEPOSITS: &[Filter] =
    &[one_of("state", "in this state", || vec!["expected", "failed", "confirmed", "settled"])];
pub(super) const OF_CONVERSIONS: &[Filter] = &[
    one_of("result", "with this result", || vec!["accepted", "held", "rejected", "reversed"]),
    ENROLLMENT,
    SINCE,
    UNTIL,
];
pub(super) const OF_ENTRIES: &[Filter] = &[
    one_of("kind", "of this kind", || Kind::ALL.iter().map(|kind| kind.name()).collect()),
    ENROLLMENT,
    SINCE,
    UNTIL,
];
pub(super) const OF_HOLDS: &[Filter] =
    &[one_of("is_open", "still open, or not", || vec!["true", "false"]), ENROLLMENT];
pub(super) const OF_PAYOUTS: &[Filter] = &[
    one_of("state", "in this state", || {
        vec!["planned", "attempted", "unknown", "failed", "paid", "reversed", "cancelled"]
    }),
    ENROLLMENT,
];
pub(super) const OF_DISBURSEMENTS: &[Filter] = &[
    one_of("state", "in this state", || vec!["planned", "attempted", "unknown", "failed"]),
    text("campaign", "of this campaign"),
];
pub(super) const OF_REFUNDS: &[Filter] =
    &[one_of("state", "in this state", || vec!["planned", "paid", "failed", "settled_outside"])];
pub(super) const OF_TEAM: &[Filter] =
    &[one_of("is_suspended", "suspended, or not", || vec!["true", "false"])];
pub(super) const OF_USERS: &[Filter] = &[
    one_of("role", "in this role", || Role::ALL.iter().map(|role| role.name()).collect()),
    one_of("is_suspended", "suspended, or not", || vec!["true", "false"]),
];
pub(super) const OF_DELIVERIES: &[Filter] = &[
    one_of("state", "in this state", || vec!["waiting", "delivered", "given_up"]),
    text("type", "of this type of event"),
];
pub(super) const OF_ACCESSES: &[Filter] =
    &[text("who", "asked for by this user or API key"), SINCE, UNTIL];

pub(super) const OF_EVENTS: &[Filter] = &[
    one_of("state", "in this state", || vec!["waiting", "needs_person", "done"]),
    text("type", "of this type"),
    SINCE,
    UNTIL,
];
pub(super) const OF_ENDPOINTS: &[Filter] =
    &[one_of("enabled", "enabled, or not", || vec!["true", "false"])];
pub(super) const OF_CREATORS: &[Filter] =
    &[one_of("state", "in this state", || vec!["known", "erasure_waits", "erased"])];

/// The id behind which a list goes on that is ordered by ids; none at its beginning.
pub(super) fn after_id<Id: FromStr>(cursor: &str) -> Result<Option<Id>, Problem> {
    let read = |cursor: &str| cursor.parse().map_err(|_| bad_cursor());
    Some(cursor).filter(|cursor| !cursor.is_empty()).map(read).transpose()
}

/// That no list has such a place.
pub(super) fn bad_cursor() -> Problem {
    wrong("cursor", "a cursor is `next_cursor` of the page before")
}

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub(super) struct Page {
    limit: usize,
    cursor: Option<String>,
    filters: Vec<(Filter, Value)>,
}

fn wrong(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about(field)
}

impl FromRequestParts<Shared> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let path = path.as_deref().unwrap_or_default().trim_start_matches("/api/v1");
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        let is_here = |of: &str| method.as_str().eq_ignore_ascii_case(of);
        let route = ROUTES.iter().find(|route| route.path == path && is_here(route.method));
        let known = route.map_or(&[][..], |route| route.filters);
        let RawQuery(query) = RawQuery::from_request_parts(parts, shared)
            .await
            .unwrap_or_else(|never| match never {});
        Self::read(query.as_deref().unwrap_or_default(), known)
    }
}

impl Page {
    /// Reads a query for a list that can be narrowed by what is `known`.
    fn read(query: &str, known: &[Filter]) -> Result<Self, Problem> {
        let mut page = Self { limit: LIMIT, cursor: None, filters: Vec::new() };
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(wrong(&name, "once"));
            }
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    page.limit = limit.ok_or_else(|| wrong("limit", "1 to 100"))?;
                }
                "cursor" => page.cursor = Some(value.into_owned()),
                other => {
                    let filter = known.iter().find(|filter| filter.name == other);
                    let filter = filter.ok_or_else(|| unknown(other, known))?;
                    page.filters.push((*filter, filter.value(&value)?));
                }
            }
            seen.push(name);
        }
        Ok(page)
    }

    /// How many.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Behind which position.
    pub(super) fn after(&self) -> Result<u64, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(0) };
        cursor.parse().map_err(|_| bad_cursor())
    }

    /// Behind which text, where a list is ordered by one.
    pub(super) fn after_text(&self) -> &str {
        self.cursor.as_deref().unwrap_or_default()
    }

    /// Whether some things are left out.
    const fn is_narrowed(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Whether a thing as it is listed is among what was asked for.
    pub(super) fn keeps(&self, thing: &Value) -> bool {
        self.filters.iter().all(|(filter, wanted)| match filter.keeps {
            Keeps::OneOf(_) | Keeps::Text => thing[filter.name] == *wanted,
            Keeps::Since => thing["at"].as_i64() >= wanted.as_i64(),
            Keeps::Until => thing["at"].as_i64() < wanted.as_i64(),
        })
    }

    /// A page of what `fetch` finds behind a place in a list, in pieces of the size that it is told. What
    /// it finds has a place each, and is shown or not.
    ///
    /// A page may be short, or empty, and still not be the last: no more than [`SCANNED_MAX`] things are
    /// looked through for one.
    pub(super) fn gather<At: Clone + Display>(
        &self,
        mut at: At,
        mut fetch: impl FnMut(&At, usize) -> Result<Vec<(At, Option<Value>)>, Problem>,
    ) -> Result<Value, Problem> {
        let piece = if self.is_narrowed() { PIECE } else { self.limit + 1 };
        let (mut found, mut scanned) = (Vec::new(), 0);
        loop {
            let some = fetch(&at, piece)?;
            let is_end = some.len() < piece;
            scanned += some.len();
            for (place, thing) in some {
                if found.len() == self.limit {
                    return Ok(list(&found, Some(at)));
                }
                at = place;
                found.extend(thing.filter(|thing| self.keeps(thing)));
            }
            if is_end {
                return Ok(list::<At>(&found, None));
            }
            if scanned >= SCANNED_MAX {
                return Ok(list(&found, Some(at)));
            }
        }
    }

    /// A page of `things`, each with a position that grows.
    pub(super) fn cut(&self, things: impl Iterator<Item = (u64, Value)>) -> Result<Value, Problem> {
        let (limit, after) = (self.limit, self.after()?);
        let mut things = things.filter(|(position, thing)| *position > after && self.keeps(thing));
        let page: Vec<_> = things.by_ref().take(limit).collect();
        let last = page.last().map(|(position, _)| *position);
        let next = things.next().and(last);
        let page: Vec<_> = page.into_iter().map(|(_, thing)| thing).collect();
        Ok(list(&page, next))
    }
}

fn unknown(name: &str, known: &[Filter]) -> Problem {
    let known = known.iter().map(|filter| filter.name);
    let known: Vec<_> = ["limit", "cursor"].into_iter().chain(known).collect();
    wrong(name, format!("no such parameter here; there is {}", known.join(", ")))
}

impl Filter {
    /// What was asked for, as it stands in things that are kept.
    fn value(&self, text: &str) -> Result<Value, Problem> {
        match self.keeps {
            Keeps::OneOf(words) => {
                let words = words();
                if !words.contains(&text) {
                    return Err(wrong(self.name, format!("one of {}", words.join(", "))));
                }
                Ok(text.parse::<bool>().map_or_else(|_| json!(text), |flag| json!(flag)))
            }
            Keeps::Text => Ok(json!(text)),
            Keeps::Since | Keeps::Until => {
                let at = text.parse::<i64>();
                at.map(|at| json!(at)).map_err(|_| wrong(self.name, "milliseconds since 1970"))
            }
        }
    }

    /// The parameter as the document describes it.
    pub(super) fn described(&self) -> Value {
        let schema = match self.keeps {
            Keeps::OneOf(words) => json!({ "enum": words() }),
            Keeps::Text => json!({ "type": "string" }),
            Keeps::Since | Keeps::Until => json!({ "type": "integer", "format": "int64" }),
        };
        json!({
            "name": self.name, "in": "query", "description": self.about, "schema": schema,
        })
    }
}

/// A page as the API writes it.
fn list<At: Display>(things: &[Value], next: Option<At>) -> Value {
    json!({ "data": things, "next_cursor": next.map(|next| next.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_does_not_know_is_refused_by_name() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=5&limit=6", "limit"),
            ("stat=live", "stat"),
            ("state=alive", "state"),
            ("state=live&state=live", "state"),
        ] {
            let problem = Page::read(query, OF_CAMPAIGNS).expect_err(query);
            assert_eq!(problem.field.as_deref(), Some(field), "{query}");
        }
        let page = Page::read("state=live&limit=7", OF_CAMPAIGNS).expect("it is known");
        assert!(page.keeps(&json!({ "state": "live" })) && page.limit() == 7);
        assert!(!page.keeps(&json!({ "state": "draft" })) && !page.keeps(&json!({})));
    }

    #[test]
    fn times_are_kept_from_the_first_and_before_the_last() {
        let page = Page::read("since=10&until=20", OF_ACCESSES).expect("they are known");
        let kept: Vec<_> = (8..22).filter(|at| page.keeps(&json!({ "at": at }))).collect();
        assert_eq!(kept, (10..20).collect::<Vec<_>>());
        assert!(Page::read("since=today", OF_ACCESSES).is_err());
    }

    #[test]
    fn a_page_of_what_is_kept_leads_to_the_next_of_them() {
        let all = || (1..=10).map(|no| (no, json!({ "is_suspended": no % 2 == 0 })));
        let page = Page::read("is_suspended=true&limit=2", OF_TEAM).expect("known");
        let first = page.cut(all()).expect("a page");
        assert_eq!(
            (first["data"].as_array().map(Vec::len), &first["next_cursor"]),
            (Some(2), &json!("4"))
        );
        let page = Page::read("is_suspended=true&limit=3&cursor=4", OF_TEAM).expect("known");
        let last = page.cut(all()).expect("a page");
        assert_eq!(
            (last["data"].as_array().map(Vec::len), &last["next_cursor"]),
            (Some(3), &Value::Null)
        );
    }
    #[test]
    fn what_is_gathered_in_pieces_is_all_of_it_once() {
        let fetch = |all: u64| {
            move |after: &u64, count: usize| {
                let some = (after + 1..=all).take(count);
                let shown = |no| (no % 3 == 0).then(|| json!({ "is_open": no % 2 == 0, "no": no }));
                Ok(some.map(|no| (no, shown(no))).collect())
            }
        };
        for all in [0, 1, 999, 1_000, 1_200, 25_000] {
            for narrowed in ["", "&is_open=true"] {
                let mut seen = Vec::new();
                let mut cursor = "0".to_owned();
                loop {
                    let query = format!("limit=100&cursor={cursor}{narrowed}");
                    let page = Page::read(&query, OF_HOLDS).expect("known");
                    let after = page.after().expect("a number");
                    let found = page.gather(after, fetch(all)).expect("a page");
                    let things = found["data"].as_array().expect("a list");
                    assert!(things.len() <= 100);
                    seen.extend(things.iter().filter_map(|one| one["no"].as_u64()));
                    let Some(next) = found["next_cursor"].as_str() else { break };
                    assert_ne!(next, cursor, "it goes on");
                    cursor = next.to_owned();
                }
                let step = if narrowed.is_empty() { 3 } else { 6 };
                let wanted: Vec<_> = (1..=all).filter(|no| no % step == 0).collect();
                assert_eq!(seen, wanted, "{all} {narrowed}");
            }
        }
    }
}
