//! The body of `POST /v` and a line of `POST /v/batch`, read strictly.
//!
//! One flat JSON object. A field that nobody knows, that comes twice, or that has another type is
//! refused by name: a shop that misspells `external_id` must hear so, and not be credited by luck.
//! Texts that end up in a composite key are ASCII, so that no two spellings look the same.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Refused;
use crate::campaign::terms::{REVERSAL, is_event_type};
use crate::ids::CampaignId;
use crate::money::{AMOUNT_MAX, Currency, Minor};

/// A report, as far as it can be judged by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which system of the brand reports: part of the composite key.
    pub source: String,
    /// The event's id there: part of the composite key.
    pub external_id: String,
    /// When it happened, as the shop says, milliseconds.
    pub occurred_at: i64,
    /// Verify everything and append nothing.
    pub dry_run: bool,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What a report wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Credit for an order or another event.
    Conversion {
        /// The event type, as in the rates of the terms.
        event_type: String,
        /// The order amount.
        amount: Minor,
        /// Its currency.
        currency: Currency,
        /// The click token that came with the order.
        click: Option<String>,
        /// The promo code that the buyer typed.
        code: Option<String>,
    },
    /// An order, or part of it, went back to the buyer.
    Reversal {
        /// The `external_id` under which the order was reported.
        reverses: String,
        /// The event type of the order; any, where it is not said.
        reverses_type: Option<String>,
        /// In which campaign; any of the brand's, where it is not said.
        campaign: Option<CampaignId>,
        /// How much more is refunded; none for all that is left.
        amount: Option<Minor>,
        /// The currency of that amount.
        currency: Option<Currency>,
    },
}

/// The fields there are, in the order in which they are explained.
const FIELDS: [&str; 12] = [
    "source",
    "external_id",
    "type",
    "occurred_at",
    "amount",
    "currency",
    "click",
    "code",
    "reverses",
    "reverses_type",
    "campaign",
    "dry_run",
];

/// The values of an object's fields, unread.
struct Fields<'a>([Option<&'a RawValue>; FIELDS.len()]);

struct FieldsVisitor;

/// Marks our own words among those of the parser.
const UNKNOWN: &str = "\u{1}unknown ";
const TWICE: &str = "\u{1}twice ";

impl<'a> Visitor<'a> for FieldsVisitor {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Fields<'a>, M::Error> {
        let mut fields = Fields([None; FIELDS.len()]);
        while let Some(name) = map.next_key::<Cow<'a, str>>()? {
            let known = FIELDS.iter().zip(&mut fields.0).find(|(field, _)| **field == name);
            let Some((_, value)) = known else {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(M::Error::custom(format!("{UNKNOWN}{name}\u{1}")));
            };
            if value.is_some() {
                return Err(M::Error::custom(format!("{TWICE}{name}\u{1}")));
            }
            *value = Some(map.next_value()?);
        }
        Ok(fields)
    }
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        // Only a text can lend its values.
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| malformed("the body is not UTF-8"))?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let fields = serde::Deserializer::deserialize_map(&mut parser, FieldsVisitor);
        let fields = fields.and_then(|fields| parser.end().map(|()| fields));
        fields.map_err(|error| {
            let words = error.to_string();
            let ours = |mark| Some(words.strip_prefix(mark)?.split('\u{1}').next()?.to_owned());
            if let Some(name) = ours(UNKNOWN) {
                let fix = format!("no such field; the fields are {}", FIELDS.join(", "));
                return refused("field_unknown", name, fix);
            }
            if let Some(name) = ours(TWICE) {
                return refused("field_twice", name, "send the field once");
            }
            // Words about the syntax name a place. Words about a value repeat the value, which may be
            // anything; ours are kept, so they must not.
            if error.is_data() {
                return malformed("send one JSON object, and no other value");
            }
            malformed(format!("send one JSON object; {words}"))
        })
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let index = FIELDS.iter().position(|field| *field == name)?;
        let value = self.0.get(index).copied().flatten()?.get();
        (value != "null").then_some(value)
    }

    fn text(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Refused> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        match inner {
            Some(inner) if !inner.contains('\\') => Ok(Some(Cow::Borrowed(inner))),
            Some(_) => match serde_json::from_str::<String>(raw) {
                Ok(text) => Ok(Some(Cow::Owned(text))),
                Err(_) => Err(refused("field_type", name, "a string")),
            },
            None => Err(refused("field_type", name, "a string")),
        }
    }

    fn required(&self, name: &'static str) -> Result<Cow<'a, str>, Refused> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    fn absent(&self, names: &[&'static str], fix: &'static str) -> Result<(), Refused> {
        match names.iter().find(|name| self.raw(name).is_some()) {
            Some(name) => Err(refused("field_unexpected", *name, fix)),
            None => Ok(()),
        }
    }

    /// What goes into a composite key: printable ASCII without space at the ends.
    fn key_part(&self, name: &'static str, longest: usize) -> Result<String, Refused> {
        let text = self.required(name)?;
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if text.is_empty() || text.len() > longest || !printable || text.trim() != text {
            let fix = format!("1 to {longest} printable ASCII characters, no space at the ends");
            return Err(refused("field_invalid", name, fix));
        }
        Ok(text.into_owned())
    }

    fn amount(&self) -> Result<Option<Minor>, Refused> {
        const UNITS: &str = "an integer of minor units: 12.50 USD is 1250";
        let Some(raw) = self.raw("amount") else { return Ok(None) };
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("amount_not_integer", "amount", UNITS));
        }
        if raw.starts_with('-') {
            let fix = "0 or more; what goes back to a buyer is reported as a reversal";
            return Err(refused("amount_negative", "amount", fix));
        }
        let amount = raw.parse().ok().map(Minor).filter(|amount| *amount <= AMOUNT_MAX);
        let large = || refused("amount_too_large", "amount", "at most 10^11 minor units");
        amount.map(Some).ok_or_else(large)
    }

    fn currency(&self) -> Result<Option<Currency>, Refused> {
        let Some(code) = self.text("currency")? else { return Ok(None) };
        let found = Currency::ALL.into_iter().find(|currency| currency.code() == code);
        let unknown = || refused("currency_unknown", "currency", "one of USD, EUR, GBP");
        found.map(Some).ok_or_else(unknown)
    }

    fn event_type(&self, name: &'static str) -> Result<Option<String>, Refused> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if is_event_type(&text) {
            return Ok(Some(text.into_owned()));
        }
        Err(refused("field_invalid", name, "1 to 32 characters of a-z and _"))
    }

    fn occurred_at(&self) -> Result<i64, Refused> {
        let fix = "a time with its zone, as in 2026-11-25T12:10:00Z (RFC 3339)";
        let invalid = || refused("field_invalid", "occurred_at", fix);
        let text = self.required("occurred_at")?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| invalid())?;
        let ms = time.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(ms).map_err(|_| invalid())
    }

    fn flag(&self, name: &'static str) -> Result<bool, Refused> {
        match self.raw(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(refused("field_type", name, "true or false")),
        }
    }

    fn artifact(&self, name: &'static str) -> Result<Option<String>, Refused> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        // Longer ones are neither; what is wrong with shorter ones is told by who reads them.
        if text.is_empty() || text.len() > 200 {
            return Err(refused("field_invalid", name, "1 to 200 characters"));
        }
        Ok(Some(text.into_owned()))
    }

    fn conversion(&self, event_type: String) -> Result<Wanted, Refused> {
        let only = "only a reversal has this";
        self.absent(&["reverses", "reverses_type", "campaign"], only)?;
        let amount = self.amount()?.ok_or_else(|| missing("amount"))?;
        let currency = self.currency()?.ok_or_else(|| missing("currency"))?;
        let (click, code) = (self.artifact("click")?, self.artifact("code")?);
        if click.is_none() && code.is_none() {
            let fix = "send the click token of the order as `click`, or the buyer's promo code as \
                       `code`";
            return Err(refused("artifact_missing", "click", fix));
        }
        Ok(Wanted::Conversion { event_type, amount, currency, click, code })
    }

    fn reversal(&self) -> Result<Wanted, Refused> {
        self.absent(&["click", "code"], "a reversal names its order by `reverses`")?;
        let campaign = self.text("campaign")?.map(|text| text.parse());
        let invalid = |_| refused("field_invalid", "campaign", "an id that starts with cmp_");
        let (amount, currency) = (self.amount()?, self.currency()?);
        if amount.is_some() && currency.is_none() {
            return Err(missing("currency"));
        }
        Ok(Wanted::Reversal {
            reverses: self.key_part("reverses", 255)?,
            reverses_type: self.event_type("reverses_type")?,
            campaign: campaign.transpose().map_err(invalid)?,
            amount,
            currency,
        })
    }
}

fn refused(
    code: &'static str,
    field: impl Into<Cow<'static, str>>,
    fix: impl Into<Cow<'static, str>>,
) -> Refused {
    Refused { code, field: field.into(), fix: fix.into() }
}

fn missing(field: &'static str) -> Refused {
    refused("field_missing", field, "this field is required")
}

fn malformed(fix: impl Into<Cow<'static, str>>) -> Refused {
    refused("json_malformed", "body", fix)
}

impl Request {
    /// Reads a report.
    ///
    /// # Errors
    /// [`Refused`] names the first field that cannot be taken, and what would be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let fields = Fields::read(bytes)?;
        let event_type = fields.event_type("type")?.ok_or_else(|| missing("type"))?;
        let wanted = if event_type == REVERSAL {
            fields.reversal()?
        } else {
            fields.conversion(event_type)?
        };
        Ok(Self {
            source: fields.key_part("source", 64)?,
            external_id: fields.key_part("external_id", 255)?,
            occurred_at: fields.occurred_at()?,
            dry_run: fields.flag("dry_run")?,
            wanted,
        })
    }

    /// The event type that goes into the composite key.
    pub fn event_type(&self) -> &str {
        match &self.wanted {
            Wanted::Conversion { event_type, .. } => event_type,
            Wanted::Reversal { .. } => REVERSAL,
        }
    }
}
