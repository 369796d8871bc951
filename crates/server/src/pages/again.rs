//! What somebody wrote into a form that was refused: it is shown again, so that nothing is lost.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Method, StatusCode};

use super::act::key;
use super::form::Form;
use crate::problem::Problem;

/// Fields that people write something into, and what they are called.
const FIELDS: &[(&str, &str)] = &[
    ("amount", "Amount"),
    ("code", "Promo code"),
    ("conversion", "Entry"),
    ("currency", "Currency"),
    ("destination", "Where the link leads"),
    ("event", "What happened"),
    ("name", "Name"),
    ("readable", "Begin the code with"),
    ("reason", "Because"),
];

/// The form that came with a request, told by whoever reads it to whoever makes a page of what went wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<Mutex<Option<Form>>>);

impl Sent {
    pub(super) fn tell(&self, form: &Form) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(form.clone());
    }

    fn take(&self) -> Option<Form> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A field as it was filled in.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) is_wrong: bool,
}

/// The form, to be sent again.
pub(super) struct Again {
    pub(super) action: String,
    pub(super) hidden: Vec<(String, String)>,
    pub(super) fields: Vec<Field>,
}

/// What a field of a problem is called on pages; what is no field of a form has no name there.
pub(super) fn label(field: &str) -> Option<&'static str> {
    let first = field.split(['.', '[']).next().unwrap_or_default();
    FIELDS.iter().find(|(name, _)| *name == first).map(|(_, label)| *label)
}

/// What was sent to a page and refused for what it says, or because nobody is signed in any more; nothing where
/// nobody wrote anything.
pub(super) fn again(
    sent: &Sent,
    (method, status): (&Method, StatusCode),
    action: &str,
    problem: &Problem,
) -> Option<Again> {
    let form = sent.take().filter(|_| *method == Method::POST && status.is_client_error())?;
    let wrong = problem.field.as_deref().and_then(label);
    let (mut hidden, mut fields) = (Vec::new(), Vec::new());
    for (name, value) in form.all() {
        match label(name) {
            // What was refused under a key stays refused under it.
            _ if name == "key" => hidden.push((name.to_owned(), key())),
            None => hidden.push((name.to_owned(), value.to_owned())),
            Some(label) => fields.push(Field {
                name: name.to_owned(),
                label,
                value: value.to_owned(),
                is_wrong: wrong == Some(label),
            }),
        }
    }
    (!fields.is_empty()).then(|| Again { action: action.to_owned(), hidden, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_again_and_under_another_key() {
        let sent = Sent::default();
        sent.tell(&Form::read(b"key=form%3Aold&amount=12%2C5x&source=7"));
        let problem = Problem::new(StatusCode::BAD_REQUEST, "field_invalid", "an amount");
        let problem = problem.about("amount.amount");
        let of = (&Method::POST, StatusCode::BAD_REQUEST);
        let shown = again(&sent, of, "/brand/campaigns/x/fund", &problem).expect("a form");
        assert_eq!((shown.fields.len(), shown.fields[0].label), (1, "Amount"));
        assert_eq!((shown.fields[0].value.as_str(), shown.fields[0].is_wrong), ("12,5x", true));
        let key = shown.hidden.iter().find(|(name, _)| name == "key").expect("a key");
        assert!(key.1.starts_with("form:") && key.1 != "form:old");
        assert!(shown.hidden.contains(&("source".to_owned(), "7".to_owned())));
        // A form of buttons has nothing that could be lost.
        sent.tell(&Form::read(b"key=form%3Aold"));
        assert!(again(&sent, of, "/x", &problem).is_none());
    }
}
