//! An estimate as the page shows it.

use sponsorhub_app::what_if::{Estimate, Month};
use sponsorhub_core::money::Minor;

use super::super::super::columns::{Column, NARROW, Part, Picture, WIDE, draw};
use super::super::super::show::{MONTHS, Money, day};
use super::super::new::meaning;
use super::Computed;
use crate::what_if::read_as;

/// What a part of the answer is called, its class of the style, and how much it is.
pub(super) struct Sum {
    pub(super) name: &'static str,
    pub(super) tone: &'static str,
    pub(super) amount: Money,
}

/// The orders of a month.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) orders: u64,
    pub(super) worth: Money,
    pub(super) commission: Money,
    pub(super) fees: Money,
    pub(super) unmet: Money,
}

/// A creator's part.
pub(super) struct Creator {
    pub(super) number: usize,
    pub(super) orders: u64,
    pub(super) commission: Money,
}

/// The answer.
pub(super) struct Shown {
    /// Whether it is about the sample.
    pub(super) is_sample: bool,
    pub(super) estimate: Estimate,
    /// How the amounts of the file were read.
    pub(super) read_as: &'static str,
    pub(super) sums: Vec<Sum>,
    pub(super) exhausted_on: Option<String>,
    pub(super) months: Vec<Row>,
    pub(super) all_months: Row,
    pub(super) creators: Vec<Creator>,
    pub(super) all_creators: Creator,
    pub(super) pictures: [Picture; 2],
    /// Where a campaign of these terms is opened.
    pub(super) opening: String,
}

impl Shown {
    pub(super) fn new(computed: Computed, is_sample: bool, opening: String) -> Self {
        let Computed { terms, estimate, reading } = computed;
        let money = |amount: Minor| Money(amount, estimate.currency);
        let sum = |name, tone, amount| Sum { name, tone, amount: money(amount) };
        let sums = vec![
            sum("Budget", "", estimate.budget),
            sum("Creators get", "accrued", estimate.earned()),
            sum("Fees", "fees", estimate.fees),
            sum("Back to you", "free", estimate.left()),
            sum("Beyond the budget", "unmet", estimate.unmet),
            sum("Payment provider's fee, at most", "", meaning::reserve(&terms)),
        ];
        let row = |name: String, it: &Month| Row {
            name,
            orders: it.orders,
            worth: money(it.amount),
            commission: money(it.commission),
            fees: money(it.fees),
            unmet: money(it.unmet),
        };
        let months = estimate.months.iter().map(|(at, it)| row(month(*at), it));
        let months: Vec<_> = months.collect();
        let mut whole = Month::default();
        for it in estimate.months.values() {
            whole.orders += it.orders;
            whole.amount += it.amount;
            whole.commission += it.commission;
            whole.fees += it.fees;
            whole.unmet += it.unmet;
        }
        let creator = |(number, share): (usize, &sponsorhub_app::what_if::Share)| Creator {
            number: number + 1,
            orders: share.orders,
            commission: money(share.commission),
        };
        let creators: Vec<_> = estimate.creators.iter().enumerate().map(creator).collect();
        let all_creators = Creator {
            number: creators.len(),
            orders: creators.iter().map(|creator| creator.orders).sum(),
            commission: money(estimate.earned()),
        };
        let columns = columns(&estimate);
        let pictures = [WIDE, NARROW].map(|across| draw(&columns, estimate.currency, across));
        Self {
            is_sample,
            sums,
            exhausted_on: estimate.exhausted_on.map(day),
            months,
            all_months: row("All".to_owned(), &whole),
            creators,
            all_creators,
            pictures,
            opening,
            read_as: read_as(reading),
            estimate,
        }
    }
}

/// As in `Jan 1997`.
fn month((year, month): (i32, u8)) -> String {
    let name = MONTHS.get(usize::from(month).saturating_sub(1)).unwrap_or(&"?");
    format!("{name} {year}")
}

/// A column for each month from the first to the last, also where nobody ordered: the axis is time.
fn columns(estimate: &Estimate) -> Vec<Column> {
    let months = &estimate.months;
    let (Some((first, _)), Some((last, _))) = (months.first_key_value(), months.last_key_value())
    else {
        return Vec::new();
    };
    let next = |(year, month): &(i32, u8)| match month {
        12 => Some((year + 1, 1)),
        _ => Some((*year, month + 1)),
    };
    let all = std::iter::successors(Some(*first), next).take_while(|at| at <= last);
    let column = |at: (i32, u8)| {
        let it = months.get(&at).copied().unwrap_or_default();
        let parts = [("accrued", it.commission), ("fees", it.fees), ("unmet", it.unmet)];
        let parts = parts.into_iter().map(|(tone, amount)| Part { tone, amount });
        Column { label: month(at), parts: parts.collect() }
    };
    all.map(column).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sponsorhub_app::orders::Reading;
    use sponsorhub_app::what_if::Share;
    use sponsorhub_core::campaign::terms::Terms;
    use sponsorhub_core::money::Currency;

    use super::*;

    #[test]
    fn a_month_without_orders_has_its_place_in_the_picture_and_no_row() {
        let month = Month { orders: 1, commission: Minor(100), ..Month::default() };
        let estimate = Estimate {
            currency: Currency::Usd,
            budget: Minor(1_000),
            orders: 2,
            rejected: 0,
            uncredited: 0,
            amount: Minor(2_000),
            reversed: 0,
            creators: vec![Share { orders: 2, commission: Minor(200), base: Minor(0) }],
            fees: Minor(10),
            months: BTreeMap::from([((1996, 11), month), ((1997, 2), month)]),
            exhausted_on: None,
            unmet: Minor(0),
        };
        let columns = columns(&estimate);
        let labels: Vec<_> = columns.iter().map(|one| one.label.as_str()).collect();
        assert_eq!(labels, ["Nov 1996", "Dec 1996", "Jan 1997", "Feb 1997"]);
        let terms = Terms::with_defaults(Currency::Usd, Minor(1_000), 0);
        let computed = Computed { terms, estimate, reading: Reading::Comma };
        let shown = Shown::new(computed, false, String::new());
        assert_eq!(shown.months.len(), 2);
        assert_eq!((shown.all_months.orders, shown.all_months.commission.0), (2, Minor(200)));
        let sums: Vec<_> = shown.sums.iter().map(|sum| sum.amount.0.0).collect();
        assert_eq!(sums, [1_000, 200, 10, 790, 0, 140]);
    }
}
