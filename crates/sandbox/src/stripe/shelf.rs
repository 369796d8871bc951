//! Objects of one kind in the order in which they were made, and lists of them, newest first.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::error::Refusal;
use super::form::Params;

/// What can be filed.
pub(crate) trait Object: Serialize {
    /// What the wire calls it.
    const KIND: &'static str;

    fn id(&self) -> &str;

    /// Made at, seconds.
    fn created(&self) -> i64;

    fn render(&self) -> Value {
        serde_json::to_value(self).expect("objects are structs with texts as names")
    }
}

#[derive(Debug)]
pub(crate) struct Shelf<T> {
    items: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Object> Shelf<T> {
    pub(crate) fn put(&mut self, item: T) {
        self.places.insert(item.id().to_owned(), self.items.len());
        self.items.push(item);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).and_then(|place| self.items.get(*place))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.places.get(id).and_then(|place| self.items.get_mut(*place))
    }

    /// The object that the path names.
    pub(crate) fn in_path(&self, id: &str) -> Result<&T, Refusal> {
        self.in_parameter(id, "id")
    }

    /// The object that a parameter names.
    pub(crate) fn in_parameter(&self, id: &str, param: &str) -> Result<&T, Refusal> {
        self.get(id).ok_or_else(|| Refusal::missing(T::KIND, id, param))
    }

    /// The object behind an id that we filed ourselves.
    pub(crate) fn known(&mut self, id: &str) -> &mut T {
        self.get_mut(id).expect("ids that are kept are those of filed objects")
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    /// One page of a list, newest first: those that `is_wanted`.
    pub(crate) fn page(
        &self,
        page: &Page,
        url: &str,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Value, Refusal> {
        let place = |id: &Option<String>, param| match id {
            None => Ok(None),
            Some(id) => {
                let place = self.places.get(id).copied();
                place.map(Some).ok_or_else(|| Refusal::missing(T::KIND, id, param))
            }
        };
        let after = place(&page.starting_after, "starting_after")?;
        let before = place(&page.ending_before, "ending_before")?;
        let fits = |(index, item): &(usize, &T)| {
            after.is_none_or(|after| *index < after)
                && before.is_none_or(|before| *index > before)
                && page.created.contain(item.created())
                && is_wanted(item)
        };
        let fitting = self.items.iter().enumerate().filter(fits);
        // Towards newer objects the page is the one next to its cursor, still newest first.
        let mut taken: Vec<&T> = if before.is_some() {
            fitting.map(|(_, item)| item).take(page.limit + 1).collect()
        } else {
            fitting.rev().map(|(_, item)| item).take(page.limit + 1).collect()
        };
        let has_more = taken.len() > page.limit;
        taken.truncate(page.limit);
        if before.is_some() {
            taken.reverse();
        }
        let rendered: Vec<Value> = taken.into_iter().map(T::render).collect();
        Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": rendered }))
    }
}

/// Which part of a list is wanted.
#[derive(Debug)]
pub(crate) struct Page {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    created: Created,
}

/// Bounds of `created`, seconds, both inclusive.
#[derive(Debug)]
struct Created {
    from: i64,
    to: i64,
}

impl Created {
    fn contain(&self, created: i64) -> bool {
        self.from <= created && created <= self.to
    }
}

const LIMIT_DEFAULT: i64 = 10;

impl Page {
    /// Takes the parameters that every list has.
    pub(crate) fn of(params: &mut Params) -> Result<Self, Refusal> {
        let limit = params.integer("limit")?.unwrap_or(LIMIT_DEFAULT);
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
        let limit = limit.ok_or_else(|| {
            let message = "Limits are from 1 to 100.";
            Refusal::parameter("parameter_invalid_integer", "limit", message)
        })?;
        let starting_after = params.text("starting_after")?;
        let ending_before = params.text("ending_before")?;
        if starting_after.is_some() && ending_before.is_some() {
            let message = "You may only specify one of: ending_before, starting_after.";
            return Err(Refusal::parameter("parameter_invalid", "ending_before", message));
        }
        let created = Self::created(params)?;
        Ok(Self { limit, starting_after, ending_before, created })
    }

    fn created(params: &mut Params) -> Result<Created, Refusal> {
        let mut created = Created { from: i64::MIN, to: i64::MAX };
        if let Some(mut level) = params.level("created")? {
            let least =
                [level.integer("gte")?, level.integer("gt")?.map(|at| at.saturating_add(1))];
            let most = [level.integer("lte")?, level.integer("lt")?.map(|at| at.saturating_sub(1))];
            level.finish()?;
            created.from = least.into_iter().flatten().max().unwrap_or(i64::MIN);
            created.to = most.into_iter().flatten().min().unwrap_or(i64::MAX);
        }
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: String,
        created: i64,
    }

    impl Object for Thing {
        const KIND: &'static str = "thing";

        fn id(&self) -> &str {
            &self.id
        }

        fn created(&self) -> i64 {
            self.created
        }
    }

    fn shelf() -> Shelf<Thing> {
        let mut shelf = Shelf::default();
        for created in 1..=5 {
            shelf.put(Thing { id: format!("t{created}"), created });
        }
        shelf
    }

    fn ids(query: &str) -> (Vec<String>, bool) {
        let mut params = Params::parse(query.as_bytes()).expect("reads");
        let page = Page::of(&mut params).expect("a page");
        params.finish().expect("nothing is left");
        let list = shelf().page(&page, "/v1/things", |thing| thing.created != 3).expect("listed");
        let ids = list["data"].as_array().expect("a list").iter();
        let ids = ids.map(|thing| thing["id"].as_str().expect("a text").to_owned()).collect();
        (ids, list["has_more"].as_bool().expect("a truth value"))
    }

    fn expected(ids: &[&str], has_more: bool) -> (Vec<String>, bool) {
        (ids.iter().map(|id| (*id).to_owned()).collect(), has_more)
    }

    #[test]
    fn lists_are_newest_first_and_their_pages_join() {
        assert_eq!(ids(""), expected(&["t5", "t4", "t2", "t1"], false));
        assert_eq!(ids("limit=2"), expected(&["t5", "t4"], true));
        assert_eq!(ids("limit=2&starting_after=t4"), expected(&["t2", "t1"], false));
        assert_eq!(ids("limit=4"), expected(&["t5", "t4", "t2", "t1"], false));
        assert_eq!(ids("limit=1&ending_before=t2"), expected(&["t4"], true));
        assert_eq!(ids("limit=9&ending_before=t2"), expected(&["t5", "t4"], false));
    }

    #[test]
    fn lists_can_be_bounded_in_time() {
        assert_eq!(ids("created[gte]=2&created[lt]=5"), expected(&["t4", "t2"], false));
        assert_eq!(ids("created[gt]=2&created[lte]=5"), expected(&["t5", "t4"], false));
    }

    #[test]
    fn impossible_pages_are_refused() {
        for query in ["limit=0", "limit=101", "limit=x", "starting_after=a&ending_before=b"] {
            let mut params = Params::parse(query.as_bytes()).expect("reads");
            assert!(Page::of(&mut params).is_err(), "{query}");
        }
        let mut params = Params::parse(b"starting_after=nobody").expect("reads");
        let page = Page::of(&mut params).expect("a page");
        let refusal = shelf().page(&page, "", |_| true).expect_err("no such cursor");
        assert_eq!(refusal.code, Some("resource_missing"));
    }
}
