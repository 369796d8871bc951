//! Request parameters: `a[b][c]=v`, form-encoded.

use url::form_urlencoded::Serializer;

/// Parameters in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Adds one; `name` has its brackets already.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in literals as well")]
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// Adds one, if there is a value.
    pub(crate) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Asks for the object behind an id. The nth call within a request takes the number n.
    pub(crate) fn expanding(self, path: &str) -> Self {
        let number = self.0.iter().filter(|(name, _)| name.starts_with("expand[")).count();
        self.with(format!("expand[{number}]"), path)
    }

    /// As a body or query. Equal parameters give equal bytes, so that a repetition is one.
    pub(crate) fn encode(&self) -> String {
        let mut out = Serializer::new(String::new());
        out.extend_pairs(&self.0);
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_brackets_and_values_cannot_leave_their_place() {
        let form = Form::default()
            .with("metadata[payout_id]", "a&amount=9 é")
            .with_some("source_transaction", None::<&str>)
            .with_some("amount", Some(7))
            .expanding("data.charge")
            .expanding("other");
        let expected = "metadata%5Bpayout_id%5D=a%26amount%3D9+%C3%A9&amount=7\
                        &expand%5B0%5D=data.charge&expand%5B1%5D=other";
        assert_eq!(form.encode(), expected);
    }
}
