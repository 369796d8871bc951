//! Past orders once more: each day's clicks, orders and reversals over HTTP, in the days' own time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sponsorhub_app::fees::Fees;
use sponsorhub_app::orders::{Day, Order, Orders, Shape};
use sponsorhub_app::what_if::{
    CLICKED_AT_MS, Estimate, ORDERED_AT_MS, REVERSED_AT_MS, ends_at, what_if,
};
use sponsorhub_core::campaign::terms::Terms;
use sponsorhub_core::money::Minor;
use sponsorhub_core::time::DAY_MS;
use tokio::task::JoinSet;

use super::cast::{self, Joined};
use super::driver::{As, Driver, number, text};

/// How the orders are dealt out.
pub(crate) const SHAPE: Shape = Shape { creators: 12, reverse_every: Some(20) };

/// What a creator gets of an order, basis points.
const COMMISSION_BPS: u32 = 1_000;

/// What the platform gets of that.
const FEE_BPS: u32 = 500;

/// The budget as a share of what all orders would cost, percent.
const BUDGET_PERCENT: i64 = 60;

/// Clicks on their way at once.
const CLICKS_AT_ONCE: usize = 32;

/// Orders of one request.
const LINES: usize = 1_000;

/// How the creators are called. Their promo codes are these names too.
const NAMES: [&str; 12] = [
    "anna", "bela", "cora", "dina", "emma", "fred", "gwen", "hugo", "ivan", "june", "kurt", "lena",
];

/// What the terms of a replay are.
pub(crate) fn terms(orders: &Orders) -> Result<Value> {
    let cost = |order: &Order| {
        let commission = order.amount.share(COMMISSION_BPS);
        commission + commission.share(FEE_BPS)
    };
    let all: Minor = orders.list.iter().map(cost).sum();
    let budget = all.0.checked_mul(BUDGET_PERCENT).context("orders of too much money")? / 100;
    ensure!(budget > 0, "the orders are worth too little for a campaign");
    Ok(json!({
        "currency": orders.currency.code(),
        "budget": budget,
        "ends_at": ends_at(orders),
        "destination_hosts": ["shop.example"],
        "rates": { "sale": { "bps": [[0, COMMISSION_BPS]] } },
        "platform_fee_bps": FEE_BPS,
        "on_exhausted": "record",
    }))
}

/// What must come out, by the fold alone.
pub(crate) fn expected(orders: &Orders) -> Result<Estimate> {
    let terms = terms(orders)?;
    let terms = terms.as_object().context("terms are an object")?;
    let terms: Terms = sponsorhub_app::reading::terms(terms, Fees::default())?;
    Ok(what_if(orders, &terms, SHAPE)?)
}

/// When the clock of a replay begins: at noon of the day before the first order.
pub(crate) fn begins_at(orders: &Orders) -> i64 {
    (orders.span().0 - 1) * DAY_MS + DAY_MS / 2
}

/// Days that the bar counts.
pub(crate) fn steps(orders: &Orders) -> u64 {
    u64::try_from(orders.days(SHAPE).len()).unwrap_or(u64::MAX)
}

struct Replay<'a> {
    driver: &'a Driver,
    key: String,
    currency: &'static str,
    links: Vec<String>,
    codes: Vec<String>,
}

/// Replays all orders and lets the campaign close; its id.
pub(crate) async fn replay(driver: &Driver, orders: &Orders, bar: &ProgressBar) -> Result<String> {
    bar.set_message("the brand funds its campaign");
    cast::brand_joins(driver, "Past Orders").await?;
    let key = cast::shop_key(driver).await?;
    let campaign = cast::fund(driver, terms(orders)?).await?;
    bar.set_message("creators join");
    let currency = orders.currency.code();
    let mut replay = Replay { driver, key, currency, links: Vec::new(), codes: Vec::new() };
    for name in NAMES {
        let joined: Joined = cast::join(driver, &campaign, name).await?;
        replay.links.push(joined.link(driver, name, "https://shop.example/").await?);
        replay.codes.push(joined.code(driver, name, &name.to_uppercase()).await?);
        cast::onboard(driver, &joined.account).await?;
    }
    driver.settle().await?;
    let days: BTreeMap<i64, Day<'_>> = orders.days(SHAPE);
    for (day, happens) in &days {
        bar.set_message(crate::words::date(*day));
        replay.day(*day, happens).await?;
        bar.inc(1);
    }
    bar.set_message("the windows close");
    replay.close(&campaign).await?;
    Ok(campaign)
}

impl Replay<'_> {
    async fn day(&self, day: i64, happens: &Day<'_>) -> Result<()> {
        let at = |ms: i64| day * DAY_MS + ms;
        if !happens.reversals.is_empty() {
            self.driver.reach(at(REVERSED_AT_MS)).await?;
            let lines = happens.reversals.iter().map(|order| reversal(order, at(REVERSED_AT_MS)));
            self.report(lines.collect(), "reversed").await?;
        }
        if !happens.orders.is_empty() {
            self.driver.reach(at(CLICKED_AT_MS)).await?;
            let clicks = self.clicks(&happens.orders).await?;
            self.driver.reach(at(ORDERED_AT_MS)).await?;
            let lines = happens
                .orders
                .iter()
                .map(|order| self.order(order, clicks.get(&order.rank), at(ORDERED_AT_MS)));
            self.report(lines.collect::<Result<_>>()?, "accepted").await?;
        }
        Ok(())
    }

    /// Follows the links of those who come by one; the click tokens, by the orders' ranks.
    async fn clicks(&self, orders: &[&Order]) -> Result<HashMap<u64, String>> {
        let places = Arc::new(tokio::sync::Semaphore::new(CLICKS_AT_ONCE));
        let mut clicks = JoinSet::new();
        for order in orders.iter().filter(|order| SHAPE.is_by_link(order)) {
            let link = of(&self.links, order)?.clone();
            let (driver, rank, customer) = (self.driver.clone(), order.rank, order.customer);
            let place = Arc::clone(&places).acquire_owned().await?;
            clicks.spawn(async move {
                let token = driver.click(&link, &address(customer)).await;
                drop(place);
                (rank, token)
            });
        }
        let mut tokens = HashMap::new();
        while let Some(clicked) = clicks.join_next().await {
            let (rank, token) = clicked?;
            tokens.insert(rank, token?);
        }
        Ok(tokens)
    }

    fn order(&self, order: &Order, click: Option<&String>, at: i64) -> Result<Value> {
        let (artifact, text) = match click {
            Some(click) => ("click", click),
            None => ("code", of(&self.codes, order)?),
        };
        Ok(json!({
            "source": "replay",
            "external_id": order.id,
            "type": "sale",
            "occurred_at": rfc3339(at),
            "amount": order.amount.0,
            "currency": self.currency,
            artifact: text,
        }))
    }

    /// Reports in order; each line must become what is wanted.
    async fn report(&self, lines: Vec<Value>, wanted: &str) -> Result<()> {
        for some in lines.chunks(LINES) {
            let told = self.driver.batch(&self.key, some).await?;
            ensure!(
                told.len() > some.len(),
                "{} lines were answered by {}",
                some.len(),
                told.len()
            );
            for (line, told) in some.iter().zip(&told) {
                ensure!(told["result"] == json!(wanted), "{line}: {told}");
            }
        }
        Ok(())
    }

    /// Lets time pass until everything is paid out.
    async fn close(&self, campaign: &str) -> Result<()> {
        let path = format!("/campaigns/{campaign}");
        for _ in 0..60 {
            let shown = self.driver.get(As::Brand, &path).await?;
            if text(&shown, "/state")? == "paid_out" {
                return Ok(());
            }
            let now = self.driver.now().await?;
            let closes_at = number(&shown, "/closes_at").unwrap_or(now);
            let next = if closes_at > now { closes_at.min(now + 10 * DAY_MS) } else { now };
            self.driver.move_to(next + 3_600_000).await?;
        }
        bail!("the campaign does not come to its end");
    }
}

fn of<'a>(list: &'a [String], order: &Order) -> Result<&'a String> {
    let place = usize::try_from(SHAPE.creator(order))?;
    list.get(place).context("a creator for each customer")
}

fn reversal(order: &Order, at: i64) -> Value {
    json!({
        "source": "replay",
        "external_id": format!("{}-back", order.id),
        "type": "reversal",
        "reverses": order.id,
        "occurred_at": rfc3339(at),
    })
}

/// Every customer comes from a network of their own.
fn address(customer: u64) -> String {
    format!("10.{}.{}.1", (customer >> 8) & 255, customer & 255)
}

fn rfc3339(at: i64) -> String {
    let (day, minutes) = (at.div_euclid(DAY_MS), at.rem_euclid(DAY_MS) / 60_000);
    format!("{}T{:02}:{:02}:00Z", crate::words::date(day), minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_meant() {
        let day = 9_862 * DAY_MS;
        let written = [REVERSED_AT_MS, CLICKED_AT_MS, ORDERED_AT_MS].map(|ms| rfc3339(day + ms));
        let expected = ["1997-01-01T00:05:00Z", "1997-01-01T12:00:00Z", "1997-01-01T12:10:00Z"];
        assert_eq!(written, expected);
        assert_eq!(address(23_570), "10.92.18.1");
    }
}
