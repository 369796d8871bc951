//! Fields of the forms about terms: how they look, and what people wrote into them.

use sponsorhub_app::orders::alone;

use super::super::form::Form;

pub(super) use super::super::form::AMOUNT;

/// What to do when a budget is used up.
pub(super) const EXHAUSTED: Kind = Kind::Choice(&[
    ("pause", "Pause the campaign"),
    ("record", "Go on counting; creators wait for more funds"),
]);

/// A field of a form, filled in.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
    pub(super) value: String,
    pub(super) error: Option<String>,
    /// What it means, as far as the form is filled in.
    pub(super) meaning: Option<String>,
}

/// How a field is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Date,
    /// One of these: value and what it is called.
    Choice(&'static [(&'static str, &'static str)]),
}

impl Kind {
    pub(super) const fn choices(&self) -> &'static [(&'static str, &'static str)] {
        if let Self::Choice(choices) = self { choices } else { &[] }
    }

    pub(super) const fn input(&self) -> &'static str {
        if matches!(self, Self::Date) { "date" } else { "text" }
    }

    pub(super) const fn mode(&self) -> &'static str {
        if matches!(self, Self::Number) { "decimal" } else { "text" }
    }
}

/// What stands still of a field.
pub(super) struct Spec {
    pub(super) name: &'static str,
    label: &'static str,
    hint: &'static str,
    kind: Kind,
    /// What it says before anybody wrote something.
    usual: &'static str,
}

pub(super) const fn spec(
    (name, label): (&'static str, &'static str),
    (kind, usual): (Kind, &'static str),
    hint: &'static str,
) -> Spec {
    Spec { name, label, hint, kind, usual }
}

/// Fields of every form about terms.
pub(super) const CREATOR_CAP: Spec = spec(
    ("creator_cap", "Most for one creator"),
    (Kind::Number, ""),
    "Empty: no limit but the budget.",
);
pub(super) const MIN_ORDER: Spec = spec(
    ("min_order", "Smallest order"),
    (Kind::Number, ""),
    "Smaller orders earn nothing. Empty: every order counts.",
);

/// What people wrote into a form, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Filled {
    values: Vec<(&'static str, String)>,
    errors: Vec<(&'static str, String)>,
}

impl Filled {
    /// Fields that the form does not have say what is usual.
    pub(super) fn read(form: &Form, specs: impl Iterator<Item = &'static Spec>) -> Self {
        let value = |spec: &Spec| {
            let said = form.has(spec.name).then(|| form.text(spec.name).to_owned());
            (spec.name, said.unwrap_or_else(|| spec.usual.to_owned()))
        };
        Self { values: specs.map(value).collect(), errors: Vec::new() }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_fine(&self) -> bool {
        self.errors.is_empty()
    }

    /// Says nothing of fields that nobody has filled in yet.
    pub(super) fn be_patient(&mut self) {
        let values = &self.values;
        self.errors.retain(|(name, _)| {
            !values.iter().any(|(empty, text)| empty == name && text.is_empty())
        });
    }

    pub(super) fn wrong(&mut self, name: &'static str, fix: impl Into<String>) {
        self.errors.push((name, fix.into()));
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// A number of minor units, or of hundredths of a per cent.
    pub(super) fn hundredths(&mut self, name: &'static str, like: &str) -> Option<i64> {
        let read = alone(self.text(name));
        if read.is_none() {
            self.wrong(name, like);
        }
        read
    }

    pub(super) fn count(&mut self, name: &'static str) -> Option<u32> {
        let read = self.text(name).parse().ok();
        if read.is_none() {
            self.wrong(name, "a whole number");
        }
        read
    }

    /// An amount that may be left out.
    pub(super) fn perhaps(&mut self, name: &'static str) -> Option<i64> {
        if self.text(name).is_empty() { None } else { self.hundredths(name, AMOUNT) }
    }

    /// A field as it is shown.
    pub(super) fn field(&self, spec: &Spec, meaning: Option<String>) -> Field {
        let error = self.errors.iter().find(|(name, _)| *name == spec.name);
        Field {
            name: spec.name,
            label: spec.label,
            hint: spec.hint,
            kind: spec.kind,
            value: self.text(spec.name).to_owned(),
            error: error.map(|(_, fix)| fix.clone()),
            meaning,
        }
    }
}
