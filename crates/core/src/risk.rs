//! Risk: reasons to doubt a conversion, as integer points.
//!
//! A pure stage between verification and ledger. Each rule looks at one feature and gives points
//! and a stable code; the sum decides. Points and codes go into the entry with the version of the
//! rules, so that a creator can see why something was held, and anyone can add the points up again.
//! The rules are few and honest: each has a harmless explanation too, so none rejects by itself but
//! the one that needs no judgement, a declared bot. Held is not lost: a hold ends in release unless
//! a person upholds it.

use crate::ledger::event::conversion::Risk;

/// Version of the rules below. Any change of a rule, its points or the threshold raises it.
pub const MODEL: u32 = 1;

/// From this many points on a conversion is held.
pub const HOLD_FROM: u32 = 50;

/// Reason code of the one rule that rejects.
pub const DECLARED_BOT: &str = "declared_bot";

/// What the rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// From the click to the order, milliseconds; none for a promo code.
    pub since_click_ms: Option<i64>,
    /// Conversions of this campaign from the same network within the last hour, this one not
    /// counted.
    pub network_last_hour: u32,
    /// Whether click and creator share network and browser.
    pub is_own_purchase: bool,
    /// Whether the browser of the click says that it is a machine.
    pub is_declared_bot: bool,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// No reason to wait; what was found is recorded all the same.
    Pass(Option<Risk>),
    /// Held for a person.
    Hold(Risk),
    /// Rejected with this reason code.
    Reject(&'static str),
}

/// A rule: code, points, and whether it applies.
type Rule = (&'static str, u32, fn(&Features) -> bool);

/// Sorted by code, as the reasons in an entry are.
const RULES: [Rule; 5] = [
    // Nobody reads a page, fills a cart and pays within two seconds; some do within ten.
    ("click_within_2_s", 40, |f| f.since_click_ms.is_some_and(|ms| ms < 2_000)),
    ("click_within_10_s", 20, |f| f.since_click_ms.is_some_and(|ms| ms < 10_000)),
    // An office or a campus shares a network, so it takes many.
    ("network_over_10_an_hour", 20, |f| f.network_last_hour >= 10),
    ("network_over_50_an_hour", 30, |f| f.network_last_hour >= 50),
    ("own_purchase", 50, |f| f.is_own_purchase),
];

/// Adds up the points of the rules that apply.
pub fn assess(features: &Features) -> Assessment {
    if features.is_declared_bot {
        return Assessment::Reject(DECLARED_BOT);
    }
    let applying = RULES.iter().filter(|(_, _, applies)| applies(features));
    let mut risk = Risk { model: MODEL, points: 0, reasons: Vec::new() };
    for (code, points, _) in applying {
        risk.points = risk.points.saturating_add(*points);
        risk.reasons.push((*code).to_owned());
    }
    risk.reasons.sort_unstable();
    if risk.points >= HOLD_FROM {
        return Assessment::Hold(risk);
    }
    Assessment::Pass((risk.points > 0).then_some(risk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(features: Features) -> u32 {
        match assess(&features) {
            Assessment::Pass(risk) => risk.map_or(0, |risk| risk.points),
            Assessment::Hold(risk) => risk.points,
            Assessment::Reject(_) => u32::MAX,
        }
    }

    #[test]
    fn an_ordinary_order_has_no_points_and_no_risk_in_its_entry() {
        let ordinary = Features { since_click_ms: Some(600_000), ..Features::default() };
        assert_eq!(assess(&ordinary), Assessment::Pass(None));
        assert_eq!(assess(&Features::default()), Assessment::Pass(None), "a promo code");
    }

    #[test]
    fn each_rule_adds_its_points_at_its_limit_and_not_before() {
        let after = |ms| Features { since_click_ms: Some(ms), ..Features::default() };
        assert_eq!([1_999, 2_000, 9_999, 10_000].map(|ms| points(after(ms))), [60, 20, 20, 0]);
        let network = |n| Features { network_last_hour: n, ..Features::default() };
        assert_eq!([9, 10, 49, 50].map(|n| points(network(n))), [0, 20, 20, 50]);
        let own = Features { is_own_purchase: true, ..Features::default() };
        assert_eq!(points(own), 50);
    }

    #[test]
    fn points_decide_and_their_reasons_are_sorted() {
        let fast = Features { since_click_ms: Some(0), ..Features::default() };
        let Assessment::Hold(risk) = assess(&fast) else { panic!("60 points are held") };
        assert_eq!(risk.reasons, ["click_within_10_s", "click_within_2_s"]);
        assert!(risk.reasons.is_sorted());
        let busy = Features { network_last_hour: 12, ..Features::default() };
        assert!(matches!(assess(&busy), Assessment::Pass(Some(Risk { points: 20, .. }))));
        let bot = Features { is_declared_bot: true, ..fast };
        assert_eq!(assess(&bot), Assessment::Reject(DECLARED_BOT));
    }
}
