//! How pages write amounts, times, rates and states. What is marked safe here is made of digits, fixed words
//! and codes only.

use std::collections::BTreeMap;
use std::fmt;

use askama::filters::HtmlSafe;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::campaign::terms::{BaseUnlock, Rate, Terms};
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::time::DAY_MS;
use sponsorhub_store::StoreError;

use crate::api::Fault;
use crate::problem::Problem;
use crate::shared::Shared;
use crate::words;

/// An amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Money(pub(super) Minor, pub(super) Currency);

impl Money {
    /// Without any mark-up, for texts and pictures.
    pub(super) fn plain(self) -> String {
        words::money(self.0, self.1)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.plain();
        let (number, code) = text.split_once(' ').unwrap_or((&text, ""));
        let number = number.replace('-', "\u{2212}");
        write!(f, "<span class=\"money\">{number}\u{a0}<span class=\"code\">{code}</span></span>")
    }
}

impl HtmlSafe for Money {}

/// A moment, milliseconds. Written in UTC and says so; the script writes it in the reader's zone instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) i64);

/// Names of the months.
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A UTC day since 1970, as in `5 Jan 2026`.
pub(super) fn day(day: i64) -> String {
    let (year, month, day) = sponsorhub_app::orders::date_of(day);
    let month = MONTHS.get(usize::from(month).saturating_sub(1)).unwrap_or(&"?");
    format!("{day} {month} {year}")
}

/// The month of a UTC day since 1970, as in `Jan 2026`.
pub(super) fn month(day: i64) -> String {
    let (year, month, _) = sponsorhub_app::orders::date_of(day);
    let month = MONTHS.get(usize::from(month).saturating_sub(1)).unwrap_or(&"?");
    format!("{month} {year}")
}

impl Moment {
    /// Without any mark-up, for files: `2026-01-05T12:01:01Z`.
    pub(super) fn plain(self) -> String {
        let (date, rest) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS) / 1_000);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", words::date(date))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, rest) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS) / 1_000);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        write!(
            f,
            "<time datetime=\"{}T{hour:02}:{minute:02}:{second:02}Z\">{}, {hour:02}:{minute:02} UTC</time>",
            words::date(date),
            day(date)
        )
    }
}

impl HtmlSafe for Moment {}

/// A short word with a shape: how something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chip {
    tone: &'static str,
    text: &'static str,
}

impl Chip {
    /// The word.
    pub(super) const fn text(self) -> &'static str {
        self.text
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"chip chip-{}\">{}</span>", self.tone, self.text)
    }
}

impl HtmlSafe for Chip {}

/// A chip of a tone: `good`, `wait`, `bad` or `calm`.
pub(super) const fn chip(tone: &'static str, text: &'static str) -> Chip {
    Chip { tone, text }
}

/// How a campaign stands.
pub(super) const fn state(state: State) -> Chip {
    match state {
        State::Draft => chip("calm", "Draft"),
        State::Funded => chip("wait", "Funded"),
        State::Live => chip("good", "Live"),
        State::Paused => chip("wait", "Paused"),
        State::Completed => chip("wait", "Completed"),
        State::PaidOut => chip("calm", "Paid out"),
        State::Cancelled => chip("calm", "Cancelled"),
    }
}

/// How a payout stands.
pub(super) const fn payout(state: DisbursementState) -> Chip {
    match state {
        DisbursementState::Planned => chip("wait", "Planned"),
        DisbursementState::Attempted => chip("wait", "On its way"),
        DisbursementState::Unknown => chip("bad", "Outcome unknown"),
        DisbursementState::Failed => chip("bad", "Refused, tried again"),
        DisbursementState::Paid => chip("good", "Paid"),
        DisbursementState::Reversed => chip("bad", "Came back"),
        DisbursementState::Cancelled => chip("calm", "Given up"),
    }
}

/// Basis points as a share, as in `12.5 %`.
pub(super) fn percent(bps: u32) -> String {
    let text = format!("{}.{:02}", bps / 100, bps % 100);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}\u{a0}%")
}

/// A rate in words, as in `10 % of each sale`.
fn rate(kind: &str, rate: &Rate, currency: Currency) -> String {
    let kind = kind.replace('_', " ");
    let each = |start: u32, what: String| match start {
        0 => what,
        start => format!("{what} after the first {start}"),
    };
    let parts: Vec<String> = match rate {
        Rate::Bps(tiers) => tiers.iter().map(|(from, bps)| each(*from, percent(*bps))).collect(),
        Rate::Flat(tiers) => {
            let money = |value: Minor| words::money(value, currency);
            tiers.iter().map(|(from, value)| each(*from, money(*value))).collect()
        }
    };
    let of = if matches!(rate, Rate::Bps(_)) { "of" } else { "for" };
    format!("{} {of} each {kind}", parts.join(", "))
}

/// What a campaign pays, which is also what people call it by.
pub(super) fn offer(terms: &Terms) -> String {
    let rates = terms.rates.iter().map(|(kind, one)| rate(kind, one, terms.currency));
    let rates: Vec<String> = rates.collect();
    match (rates.is_empty(), terms.base.is_positive()) {
        (false, _) => rates.join(" and "),
        (true, true) => "Fixed pay only".to_owned(),
        (true, false) => "Pays nothing yet".to_owned(),
    }
}

/// The fixed base and what unlocks it; none where there is none.
pub(super) fn base(terms: &Terms) -> Option<String> {
    let unlock = match terms.base_unlock? {
        BaseUnlock::Conversions(1) => "with the first order that counts".to_owned(),
        BaseUnlock::Conversions(count) => format!("once {count} orders count"),
        BaseUnlock::DaysLive(days) => format!("once the campaign was live for {days} days"),
        BaseUnlock::Deliverable => "once a deliverable is accepted".to_owned(),
    };
    let base = words::money(terms.base, terms.currency);
    terms.base.is_positive().then(|| format!("{base} {unlock}"))
}

/// An id in a form that fits a line: its beginning and its end.
pub(super) fn short(id: &str) -> String {
    let (head, tail) = (id.get(..8), id.get(id.len().saturating_sub(4)..));
    match (head, tail) {
        (Some(head), Some(tail)) if id.len() > 14 => format!("{head}…{tail}"),
        _ => id.to_owned(),
    }
}

/// What creators of a campaign are called, by enrollment; who was erased has no name.
pub(super) fn names(
    shared: &Shared,
    campaign: CampaignId,
) -> Result<BTreeMap<EnrollmentId, String>, Problem> {
    let names = shared.desk.registry(|registry| {
        let mut names = BTreeMap::new();
        for mapped in registry.enrollments(campaign)? {
            let Some(creator) = mapped.creator else { continue };
            let known = registry.creator(creator)?.and_then(|known| known.name);
            names.extend(known.map(|name| (mapped.enrollment, name.0)));
        }
        Ok::<_, StoreError>(names)
    });
    names.map_err(|error| Fault::from(error).into())
}

/// What somebody is called, or else their short id.
pub(super) fn name(names: &BTreeMap<EnrollmentId, String>, id: EnrollmentId) -> String {
    names.get(&id).cloned().unwrap_or_else(|| short(&id.to_string()))
}

/// What a page says after something was done, by the word in its address. Nothing else in an address is
/// repeated on a page.
pub(super) fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "paid" => {
            "Thank you. As soon as the payment provider's event is verified, the amount stands below."
        }
        "opened" => "It is open. Pay the budget in, and then launch it.",
        "launch" => "It is live: clicks are credited from now on.",
        "pause" => "It is paused: no new click is credited. What was credited still converts.",
        "resume" => "It is live again.",
        "complete" => "It has ended. Late orders, clearing and payouts run out by themselves.",
        "cancel" => "It is cancelled. All of its money goes back to you.",
        "joined" => "You take part. Make a link or a promo code and share it.",
        "link" => "Your link is ready.",
        "code" => "Your promo code is ready.",
        "doubted" => "It is held back until somebody decides, or its deadline comes.",
        "release" => "Released: the order counts.",
        "uphold" => "Upheld: the order earns nothing, and the brand's funds have it back.",
        "revoked" => "The key is revoked: within two seconds nothing is taken under it.",
        "retry" => "It is tried again at once.",
        "given-up" => "It is given up. What it was for is owed as before.",
        "job-paused" => "The job is paused until somebody resumes it, also after a restart.",
        "job-resumed" => "The job goes on.",
        "job-run" => "The job runs at once.",
        "sent-again" => "The message is sent again.",
        "suspended" => "They may do nothing any more. What they earned stays theirs.",
        "let-in" => "They may act again.",
        "named" => "The brand has its new name.",
        "erased" => "The person is erased. Entries and payouts are as they were.",
        "erasure-waits" => {
            "They are shut out, and erased as soon as their campaigns are over and nothing is owed."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_times_and_shares_are_written_for_people() {
        let money = Money(Minor(-123_456), Currency::Usd);
        let html =
            "<span class=\"money\">\u{2212}1,234.56\u{a0}<span class=\"code\">USD</span></span>";
        assert_eq!(money.to_string(), html);
        let moment = Moment(1_767_614_461_000).to_string();
        let html = "<time datetime=\"2026-01-05T12:01:01Z\">5 Jan 2026, 12:01 UTC</time>";
        assert_eq!(moment, html);
        for (bps, text) in [(1_000, "10"), (1_250, "12.5"), (5, "0.05"), (10_000, "100")] {
            assert_eq!(percent(bps), format!("{text}\u{a0}%"));
        }
        assert_eq!(short("cmp_00000000000000000000000004"), "cmp_0000…0004");
    }

    #[test]
    fn an_offer_names_every_rate_and_tier() {
        let mut terms = Terms::with_defaults(Currency::Usd, Minor(100), 0);
        assert_eq!(offer(&terms), "Pays nothing yet");
        terms.rates.insert("sale".into(), Rate::Bps(vec![(0, 1_000), (10, 1_500)]));
        terms.rates.insert("lead".into(), Rate::Flat(vec![(0, Minor(250))]));
        let text = "2.50 USD for each lead and 10 %, 15 % after the first 10 of each sale";
        assert_eq!(offer(&terms).replace('\u{a0}', " "), text);
    }
}
