//! How the budget is used up: what was left at the end of each day, and how it goes on if orders come as they
//! did in the last days. Whole numbers only; what is rounded is rounded down.

use std::collections::BTreeMap;

use sponsorhub_core::campaign::state::State;
use sponsorhub_core::money::{Currency, Minor};

use super::super::show::{Money, day};

/// How wide and high the picture is, in its own measure.
pub(super) const WIDTH: i64 = 1_000;
pub(super) const HEIGHT: i64 = 240;

/// Whole days by which the pace is measured.
const PACE_DAYS: i64 = 7;

/// Days that are drawn at most; of a longer campaign the last ones.
const DAYS_MAX: i64 = 400;

/// What is known of a campaign; days are UTC days since 1970.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) state: State,
    pub(super) launched_on: i64,
    pub(super) today: i64,
    pub(super) ends_on: i64,
    pub(super) has_ended: bool,
    /// Whether a dispute freezes it.
    pub(super) is_frozen: bool,
    /// What of the budget no order, base or fee has taken.
    pub(super) left: Minor,
    /// Pay and fees by the day of the order, and those of bases by the day on which their creator joined.
    pub(super) spent: &'a BTreeMap<i64, Minor>,
    pub(super) currency: Currency,
}

/// The picture and its sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Burn {
    /// Corners of the line of what was left.
    pub(super) line: String,
    /// The same for what is to come; none where nothing is foreseen.
    pub(super) forecast: Option<String>,
    /// Where today is; none once the campaign has ended.
    pub(super) today_x: Option<i64>,
    /// The highest amount of the picture.
    pub(super) top: Money,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) sentence: String,
}

/// How it goes on.
#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    /// It is over.
    Ended,
    /// Nothing is left.
    UsedUp,
    /// It does not go on now, or nothing was spent lately.
    Quiet(&'static str),
    /// The budget lasts until that day.
    Lasts(i64),
    /// The campaign ends first, and so much would be left.
    Ends(Minor),
}

/// What was spent in the last whole days, and how many those are.
fn pace(known: &Known<'_>) -> (Minor, i64) {
    let from = known.launched_on.max(known.today - PACE_DAYS);
    let spent = known.spent.range(from..known.today).map(|(_, amount)| *amount).sum();
    (spent, known.today - from)
}

fn outlook(known: &Known<'_>) -> Outlook {
    if known.has_ended {
        return Outlook::Ended;
    }
    if known.is_frozen {
        return Outlook::Quiet("While a deposit is disputed, nothing is foreseen.");
    }
    if !known.left.is_positive() {
        return Outlook::UsedUp;
    }
    if known.state != State::Live {
        return Outlook::Quiet("While the campaign is paused, nothing is foreseen.");
    }
    let (spent, days) = pace(known);
    if !spent.is_positive() {
        return Outlook::Quiet(
            "No whole day with orders lies in the last seven, so nothing is foreseen.",
        );
    }
    let lasts = known.today.saturating_add(known.left.times_over(days, spent.0).0);
    if lasts < known.ends_on {
        return Outlook::Lasts(lasts);
    }
    let to_come = spent.times_over((known.ends_on - known.today).max(0), days);
    Outlook::Ends((known.left - to_come).or_zero())
}

fn sentence(known: &Known<'_>, outlook: &Outlook) -> String {
    let left = Money(known.left.or_zero(), known.currency).plain();
    let (_, days) = pace(known);
    let pace = match days {
        1 => "At the pace of the last whole day".to_owned(),
        days => format!("At the pace of the last {days} whole days"),
    };
    match outlook {
        Outlook::Ended => format!("The campaign has ended; {left} of its budget were not spent."),
        Outlook::UsedUp => "The budget is used up. New orders wait for funds.".to_owned(),
        Outlook::Quiet(why) => format!("{left} of the budget are free. {why}"),
        Outlook::Lasts(until) => {
            format!("{left} of the budget are free. {pace} they last until about {}.", day(*until))
        }
        Outlook::Ends(rest) => {
            let rest = Money(*rest, known.currency).plain();
            let end = day(known.ends_on);
            format!(
                "{left} of the budget are free. {pace} the campaign ends first, on {end}, and about {rest} would be left."
            )
        }
    }
}

/// Where an amount is, from the top.
fn height(amount: Minor, top: Minor) -> i64 {
    HEIGHT - Minor(HEIGHT).times_over(amount.or_zero().0, top.0.max(1)).0
}

/// Draws it.
pub(super) fn burn(known: &Known<'_>) -> Burn {
    let last = if known.has_ended { known.today } else { known.ends_on.max(known.today) };
    let first = known.launched_on.max(known.today - DAYS_MAX).min(known.today);
    let last = last.max(first + 1);
    let across = |on: i64| (on.clamp(first, last) - first) * WIDTH / (last - first);
    // From today back: what was left before a day is what was left after it and what that day took.
    let mut left = known.left.or_zero();
    let mut after = vec![(known.today, left)];
    for on in (first..=known.today).rev() {
        left += known.spent.get(&on).copied().unwrap_or_default();
        after.push((on - 1, left));
    }
    after.reverse();
    let top = after.iter().map(|(_, left)| *left).max().unwrap_or_default();
    let corners = after.iter().filter(|(on, _)| *on >= first);
    let corners = corners.map(|(on, left)| format!("{},{}", across(*on), height(*left, top)));
    let corners: Vec<_> = corners.collect();
    let outlook = outlook(known);
    let to = match outlook {
        Outlook::Lasts(until) => Some((until, Minor::ZERO)),
        Outlook::Ends(rest) => Some((last, rest)),
        Outlook::Ended | Outlook::UsedUp | Outlook::Quiet(_) => None,
    };
    let forecast = to.map(|(on, rest)| {
        let now = height(known.left.or_zero(), top);
        format!("{},{now} {},{}", across(known.today), across(on), height(rest, top))
    });
    Burn {
        line: corners.join(" "),
        forecast,
        today_x: (!known.has_ended).then(|| across(known.today)),
        top: Money(top, known.currency),
        first: day(first),
        last: day(last),
        sentence: sentence(known, &outlook),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Launched on day 100, today is day 110, the end is day 130.
    fn known(spent: &BTreeMap<i64, Minor>, left: i64) -> Known<'_> {
        let (launched_on, today, ends_on) = (100, 110, 130);
        let (left, currency) = (Minor(left), Currency::Usd);
        let (has_ended, is_frozen, state) = (false, false, State::Live);
        Known { state, launched_on, today, ends_on, has_ended, is_frozen, left, spent, currency }
    }

    #[test]
    fn the_pace_of_seven_whole_days_says_until_when_the_budget_lasts() {
        // 700 in the seven days before today; what came earlier, and today, does not count.
        let spent = [(101, Minor(9_999)), (103, Minor(300)), (109, Minor(400)), (110, Minor(77))];
        let spent: BTreeMap<_, _> = spent.into();
        // 100 a day: 1,999 last 19 days and some.
        assert_eq!(outlook(&known(&spent, 1_999)), Outlook::Lasts(129));
        assert_eq!(outlook(&known(&spent, 2_000)), Outlook::Ends(Minor(0)));
        assert_eq!(outlook(&known(&spent, 2_345)), Outlook::Ends(Minor(345)));
        assert_eq!(outlook(&known(&spent, 0)), Outlook::UsedUp);
        let text = sentence(&known(&spent, 1_999), &Outlook::Lasts(129)).replace('\u{a0}', " ");
        let said = "19.99 USD of the budget are free. At the pace of the last 7 whole days they last until about 10 May 1970.";
        assert_eq!(text, said);
        let paused = Known { state: State::Paused, ..known(&spent, 500) };
        assert!(matches!(outlook(&paused), Outlook::Quiet(_)));
        let frozen = Known { is_frozen: true, ..known(&spent, 500) };
        assert!(matches!(outlook(&frozen), Outlook::Quiet(_)));
        let ended = Known { has_ended: true, ..known(&spent, 500) };
        assert_eq!(outlook(&ended), Outlook::Ended);
        assert_eq!((burn(&ended).forecast, burn(&ended).today_x), (None, None));
    }

    #[test]
    fn a_campaign_of_today_has_no_pace_and_one_of_yesterday_has_one_day() {
        let spent: BTreeMap<_, _> = [(109, Minor(50)), (110, Minor(500))].into();
        let young = Known { launched_on: 109, ..known(&spent, 1_000) };
        assert_eq!((pace(&young), outlook(&young)), ((Minor(50), 1), Outlook::Ends(Minor::ZERO)));
        let newest = Known { launched_on: 110, ..known(&spent, 1_000) };
        assert!(matches!(outlook(&newest), Outlook::Quiet(_)));
        // A picture of one day still has a width.
        let ends_today = Known { launched_on: 110, ends_on: 110, ..known(&spent, 1_000) };
        assert_eq!(burn(&ends_today).line, "0,80");
    }

    #[test]
    fn the_line_ends_at_what_is_free_and_began_with_what_was_spent_on_top_of_it() {
        let spent: BTreeMap<_, _> = [(105, Minor(600)), (110, Minor(100))].into();
        let burn = burn(&known(&spent, 300));
        assert_eq!(burn.top, Money(Minor(1_000), Currency::Usd));
        let corners: Vec<_> = burn.line.split(' ').collect();
        assert_eq!(corners.len(), 11, "one for the end of each day: {corners:?}");
        assert_eq!((corners[0], corners[4], corners[5]), ("0,0", "133,0", "166,144"));
        assert_eq!((corners[10], burn.today_x), ("333,168", Some(333)));
        assert_eq!((burn.first.as_str(), burn.last.as_str()), ("11 Apr 1970", "11 May 1970"));
        // 600 in seven days: 300 last for three and a half, and the day that is begun does not count.
        assert_eq!(burn.forecast.as_deref(), Some("333,168 433,240"));
    }
}
