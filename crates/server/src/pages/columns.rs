//! Amounts by month as a picture: columns of stacked parts over an axis of round amounts. Whole numbers
//! only.

use sponsorhub_core::money::{Currency, Minor};

use crate::words;

/// A column: what stands below it, and its parts from the bottom up.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) label: String,
    pub(super) parts: Vec<Part>,
}

/// A part of a column, with a class of the style.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) tone: &'static str,
    pub(super) amount: Minor,
}

/// A part as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) tone: &'static str,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// A line across and its amount, or a label and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: i64,
    pub(super) text: String,
}

/// The whole picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) class: &'static str,
    pub(super) width: i64,
    /// Where the columns begin, after the amounts of the axis.
    pub(super) left: i64,
    pub(super) ticks: Vec<Mark>,
    pub(super) bars: Vec<Bar>,
    pub(super) labels: Vec<Mark>,
}

/// How wide a picture is, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Across {
    width: i64,
    class: &'static str,
}

/// On a desk.
pub(super) const WIDE: Across = Across { width: 860, class: "wide" };

/// On a phone.
pub(super) const NARROW: Across = Across { width: 340, class: "narrow" };

/// Above the columns, for the unit.
const TOP: i64 = 30;

/// How high the axis is.
const HEIGHT: i64 = 200;

/// Below the columns, for their labels.
const BOTTOM: i64 = 26;

/// Room for a label, so that two of them do not touch.
const LABEL: i64 = 66;

/// The widest column.
const COLUMN_MAX: i64 = 44;

/// The most steps of an axis.
const STEPS: i64 = 4;

/// The step of an axis up to `most`: 1, 2 or 5 with zeros behind it, minor units.
fn step(most: Minor) -> i64 {
    let mut tens = 1_i64;
    loop {
        for times in [1, 2, 5] {
            let step = tens.saturating_mul(times);
            if step.saturating_mul(STEPS) >= most.0 {
                return step;
            }
        }
        tens = tens.saturating_mul(10);
    }
}

/// An amount beside the axis, which says its currency once.
fn tick(amount: i64, currency: Currency) -> String {
    let text = words::money(Minor(amount), currency);
    let number = text.split(' ').next().unwrap_or_default();
    number.strip_suffix(".00").unwrap_or(number).to_owned()
}

/// The parts of a column one above the other. What is more than nothing is seen.
fn stack(column: &Column, top: i64, (x, width): (i64, i64)) -> Vec<Bar> {
    let mut y = TOP + HEIGHT;
    let parts = column.parts.iter().filter(|part| part.amount.is_positive());
    let bars = parts.map(|part| {
        let height = part.amount.times_over(HEIGHT, top).0.max(1);
        y -= height;
        Bar { tone: part.tone, x, y, width, height }
    });
    bars.collect()
}

/// Draws columns from left to right.
pub(super) fn draw(columns: &[Column], currency: Currency, across: Across) -> Picture {
    let whole = |column: &Column| column.parts.iter().map(|part| part.amount.or_zero()).sum();
    let most = columns.iter().map(whole).max().unwrap_or(Minor::ZERO).max(Minor(1));
    let step = step(most);
    let steps = (most.0 - 1) / step + 1;
    let top = step * steps;
    let mark = |number: i64| Mark {
        at: TOP + HEIGHT - HEIGHT * number / steps,
        text: tick(step * number, currency),
    };
    let ticks: Vec<Mark> = (0..=steps).map(mark).collect();
    let longest = ticks.iter().map(|tick| tick.text.len()).max().unwrap_or(0);
    let left = i64::try_from(longest).unwrap_or(0) * 7 + 12;
    let (count, room) = (i64::try_from(columns.len()).unwrap_or(1).max(1), across.width - left);
    let width = (room / count * 7 / 10).clamp(1, COLUMN_MAX);
    let every = (LABEL * count + room - 1) / room;
    let (mut bars, mut labels) = (Vec::new(), Vec::new());
    for (place, column) in (0..).zip(columns) {
        let middle = left + room * (2 * place + 1) / (2 * count);
        bars.extend(stack(column, top, (middle - width / 2, width)));
        // The first and the last stay within the picture, unless they would touch another then.
        let at = middle.min(across.width - LABEL / 2).max(LABEL / 2);
        let is_clear = labels.last().is_none_or(|last: &Mark| at - last.at >= LABEL - 1);
        if place % every == 0 && is_clear {
            labels.push(Mark { at, text: column.label.clone() });
        }
    }
    Picture { class: across.class, width: across.width, left, ticks, bars, labels }
}

impl Picture {
    /// Where the columns stand.
    pub(super) const fn ground() -> i64 {
        TOP + HEIGHT
    }

    /// How high it is.
    pub(super) const fn height() -> i64 {
        TOP + HEIGHT + BOTTOM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(label: &str, amounts: [i64; 3]) -> Column {
        let parts = ["accrued", "fees", "unmet"].into_iter().zip(amounts);
        let parts = parts.map(|(tone, amount)| Part { tone, amount: Minor(amount) });
        Column { label: label.to_owned(), parts: parts.collect() }
    }

    #[test]
    fn an_axis_has_round_steps_and_ends_above_the_highest_column() {
        for (most, wanted) in [
            (1, 1),
            (4, 1),
            (5, 2),
            (8, 2),
            (9, 5),
            (20, 5),
            (21, 10),
            (40_000, 10_000),
            (40_001, 20_000),
            (80_001, 50_000),
            (i64::MAX, 5_000_000_000_000_000_000),
        ] {
            assert_eq!(step(Minor(most)), wanted, "{most}");
        }
        let picture = draw(&[column("a", [900_000, 40_000, 60_000])], Currency::Eur, WIDE);
        let ticks: Vec<_> =
            picture.ticks.iter().map(|tick| (tick.at, tick.text.as_str())).collect();
        assert_eq!(ticks, [(230, "0"), (130, "5,000"), (30, "10,000")]);
        let cents = draw(&[column("a", [7, 0, 0])], Currency::Eur, WIDE);
        let texts: Vec<_> = cents.ticks.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(texts, ["0", "0.02", "0.04", "0.06", "0.08"]);
    }

    #[test]
    fn parts_are_as_high_as_their_amounts_and_stand_on_each_other() {
        let columns = [
            column("Jan", [300_000, 15_000, 85_000]),
            column("Feb", [100_000, 1, 0]),
            column("Mar", [0, 0, 0]),
        ];
        let picture = draw(&columns, Currency::Usd, NARROW);
        // The axis ends at 4,000, and 200 units of height are that.
        let bar = |tone, (x, y), height| Bar { tone, x, y, width: 44, height };
        assert_eq!(picture.left, 47);
        let wanted = [
            bar("accrued", (73, 80), 150),
            bar("fees", (73, 73), 7),
            bar("unmet", (73, 31), 42),
            bar("accrued", (171, 180), 50),
            bar("fees", (171, 179), 1),
        ];
        assert_eq!(picture.bars, wanted);
        let labels: Vec<_> =
            picture.labels.iter().map(|label| (label.at, label.text.as_str())).collect();
        assert_eq!(labels, [(95, "Jan"), (193, "Feb"), (291, "Mar")]);
    }

    #[test]
    fn many_columns_fit_and_labels_do_not_touch() {
        let columns: Vec<_> = (0..25).map(|_| column("Jan 1997", [1, 1, 1])).collect();
        for across in [WIDE, NARROW] {
            let picture = draw(&columns, Currency::Gbp, across);
            assert_eq!(picture.bars.len(), 75);
            assert!(picture.bars.iter().all(|bar| bar.x >= picture.left && bar.y >= TOP));
            let right = picture.bars.iter().map(|bar| bar.x + bar.width).max();
            assert!(right.is_some_and(|right| right <= across.width));
            assert!(picture.labels.windows(2).all(|two| two[1].at - two[0].at >= LABEL - 1));
        }
        let none = draw(&[], Currency::Gbp, WIDE);
        assert!(none.bars.is_empty() && none.labels.is_empty());
    }
}
