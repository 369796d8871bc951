//! What terms mean, on an example. The figures come from the same rules that pay.

use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::{BPS, Minor};

use super::super::super::show::percent;
use crate::words;

/// The order of the examples, minor units.
const ORDER: Minor = Minor(5_000);

/// What an order of [`ORDER`] earns its creator, and the platform's fee on it.
fn of_order(terms: &Terms) -> Option<(Minor, Minor)> {
    let rate = terms.rates.values().next()?;
    let earned = rate.value(0).commission(ORDER, Minor::ZERO);
    Some((earned, earned.share(terms.platform_fee_bps)))
}

/// What the field of that name means.
pub(in super::super) fn of(field: &str, terms: &Terms) -> Option<String> {
    let money = |amount| words::money(amount, terms.currency);
    let (earned, fee) = of_order(terms)?;
    let each = earned + fee;
    Some(match field {
        "rate" => format!("An order of {} pays the creator {}.", money(ORDER), money(earned)),
        "budget" if each.is_positive() => {
            let orders = terms.budget.0 / each.0;
            format!("Enough for about {orders} orders of {}.", money(ORDER))
        }
        "creator_cap" if terms.creator_cap.is_some() && earned.is_positive() => {
            let orders = terms.creator_cap.unwrap_or_default().0 / earned.0;
            format!("One creator reaches it after about {orders} orders of {}.", money(ORDER))
        }
        "min_order" if terms.min_order.is_positive() => {
            format!("An order of less than {} earns nothing.", money(terms.min_order))
        }
        "base" if terms.base.is_positive() => {
            let all = terms.base + terms.base.share(terms.platform_fee_bps);
            format!("Each creator who joins reserves {} of the budget, fee included.", money(all))
        }
        "attribution_window_days" => {
            format!(
                "A click today counts for orders until {}.",
                days(terms.attribution_window_days)
            )
        }
        "clearing_days" => {
            format!(
                "An order of today is paid after {}.",
                days(terms.clearing_days.saturating_add(1))
            )
        }
        "payout_minimum" if earned.is_positive() && terms.payout_minimum > earned => {
            let orders = (terms.payout_minimum.0 + earned.0 - 1) / earned.0;
            format!("A creator is paid after {orders} orders of {}.", money(ORDER))
        }
        _ => return None,
    })
}

fn days(count: u32) -> String {
    match count {
        1 => "the next day".to_owned(),
        count => format!("{count} days from now"),
    }
}

/// What is paid on top of the budget for the payment provider's fee: the most that it may keep.
pub(in super::super) fn reserve(terms: &Terms) -> Minor {
    let (bps, fixed) = (terms.provider_fee_reserve_bps, terms.provider_fee_reserve_fixed);
    // Rounded up, as the reserve of a deposit is.
    terms.budget - terms.budget.share(u32::try_from(BPS).unwrap_or(10_000).saturating_sub(bps))
        + fixed
}

/// What it comes to.
pub(super) fn sums(terms: &Terms) -> Vec<String> {
    let money = |amount| words::money(amount, terms.currency);
    let Some((earned, fee)) = of_order(terms) else { return Vec::new() };
    let reserve = reserve(terms);
    vec![
        format!(
            "An order of {} costs {}: {} for the creator and {} for the platform ({} of the creator's part).",
            money(ORDER),
            money(earned + fee),
            money(earned),
            money(fee),
            percent(terms.platform_fee_bps)
        ),
        format!(
            "At the checkout you pay up to {}: the budget, and {} for the payment provider's fee. What the provider does \
             not keep becomes campaign funds.",
            money(terms.budget + reserve),
            money(reserve)
        ),
        "Creators and the platform together never get more than the budget, whatever is sold. What nobody has earned comes back after the end.".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponsorhub_core::campaign::terms::Rate;
    use sponsorhub_core::money::Currency;

    #[test]
    fn the_example_is_what_the_rules_pay() {
        let mut terms = Terms::with_defaults(Currency::Usd, Minor(100_000), 0);
        terms.rates.insert("sale".to_owned(), Rate::Bps(vec![(0, 1_000)]));
        let text = of("rate", &terms).expect("a meaning");
        assert_eq!(text, "An order of 50.00 USD pays the creator 5.00 USD.");
        assert_eq!(of("budget", &terms).expect("one"), "Enough for about 190 orders of 50.00 USD.");
        let text = of("payout_minimum", &terms).expect("one");
        assert_eq!(text, "A creator is paid after 2 orders of 50.00 USD.");
        let sums = sums(&terms);
        assert!(sums[0].contains("costs 5.25 USD: 5.00 USD"), "{}", sums[0]);
        assert!(sums[1].starts_with("At the checkout you pay up to 1,041.00 USD"), "{}", sums[1]);
        terms.rates.clear();
        assert_eq!(of("rate", &terms), None);
    }
}
