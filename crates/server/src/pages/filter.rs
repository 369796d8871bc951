//! By what a table is narrowed: a form that needs no script, whose fields stand in the address.

use super::form::quoted;

/// A word to choose.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) is_chosen: bool,
}

/// Something that a table is narrowed by.
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// None: a text is written.
    pub(super) choices: Vec<Choice>,
    /// What is asked for; empty for everything.
    pub(super) value: String,
}

impl Filter {
    /// A filter of words, each with what it is called.
    pub(super) fn of<V: Into<String>, T: Into<String>>(
        name: &'static str,
        label: &'static str,
        choices: impl IntoIterator<Item = (V, T)>,
        value: &str,
    ) -> Self {
        let choices = choices.into_iter().map(|(word, text)| {
            let word = word.into();
            Choice { is_chosen: word == value, value: word, text: text.into() }
        });
        Self { name, label, choices: choices.collect(), value: value.to_owned() }
    }
}

/// A table as it is narrowed.
pub(super) struct Narrowed {
    /// The address of its page.
    pub(super) here: String,
    pub(super) filters: Vec<Filter>,
}

impl Narrowed {
    /// Whether something is left out.
    pub(super) fn is_narrowed(&self) -> bool {
        self.filters.iter().any(|filter| !filter.value.is_empty())
    }

    /// What is asked for, as it stands behind other parts of a query.
    pub(super) fn query(&self) -> String {
        let asked = self.filters.iter().filter(|filter| !filter.value.is_empty());
        asked.fold(String::new(), |query, filter| {
            query + "&" + filter.name + "=" + &quoted(&filter.value)
        })
    }

    /// Its beginning.
    pub(super) fn start(&self) -> String {
        self.at(&self.here)
    }

    /// The same of another page, as where the rows are a file.
    pub(super) fn at(&self, path: &str) -> String {
        let query = self.query();
        let query = query.strip_prefix('&').map(|query| format!("?{query}")).unwrap_or_default();
        format!("{path}{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_address_and_is_chosen_in_the_form() {
        let words = [("a&b", "one"), ("c", "two")];
        let filter = Filter::of("kind", "Kind", words, "a&b");
        assert!(filter.choices[0].is_chosen && !filter.choices[1].is_chosen);
        let free = Filter::of("who", "Who", <[(&str, &str); 0]>::default(), "");
        let narrowed = Narrowed { here: "/x".to_owned(), filters: vec![filter, free] };
        assert!(narrowed.is_narrowed());
        assert_eq!(narrowed.query(), "&kind=a%26b");
        assert_eq!(narrowed.at("/x.csv"), "/x.csv?kind=a%26b");
        let all = Narrowed { here: "/x".to_owned(), filters: Vec::new() };
        assert_eq!((all.is_narrowed(), all.at("/x.csv")), (false, "/x.csv".to_owned()));
    }
}
