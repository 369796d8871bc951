//! Plays the story: joins everybody, and lets the days pass.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};

use super::cast::{self, Joined};
use super::driver::{As, Driver, number};
use super::story::{
    BASE, BASE_UNLOCK, BUDGET, COMMISSION_BPS, CREATOR_CAP, CREATORS, Creator, DAYS, Event,
    LAST_DAY, Pace,
};

const DAY_MS: i64 = 86_400_000;

const MINUTE_MS: i64 = 60_000;

/// Where links lead.
const SHOP_PATH: &str = "/shop/";

/// A creator who takes part.
#[derive(Debug)]
struct Member {
    enrollment: String,
    /// `/r/…`, or none for who shares a promo code.
    link: Option<String>,
    code: Option<String>,
    account: String,
    /// Orders so far.
    orders: u32,
}

/// A story that is being played.
#[derive(Debug)]
pub(crate) struct Play<'a> {
    driver: &'a Driver,
    /// Where the sandbox is, for the shop's address.
    shop: String,
    campaign: String,
    members: BTreeMap<&'static str, Member>,
    started_at: i64,
    buyers: u32,
}

/// Plays the whole story; the id of its campaign.
pub(crate) async fn play(
    driver: &Driver,
    (product, sandbox): (&str, &str),
    bar: &ProgressBar,
) -> Result<String> {
    bar.set_message("the brand funds its campaign");
    let mut play = Play {
        driver,
        shop: format!("{sandbox}{SHOP_PATH}"),
        campaign: String::new(),
        members: BTreeMap::new(),
        started_at: driver.now().await?,
        buyers: 0,
    };
    play.fund(product).await?;
    bar.inc(1);
    bar.set_message("creators join");
    for creator in &CREATORS {
        play.join(creator).await?;
    }
    driver.settle().await?;
    bar.inc(1);
    for (day, events) in DAYS {
        bar.set_message(format!("day {day}"));
        play.day(*day, events).await?;
        bar.inc(1);
    }
    Ok(play.campaign)
}

/// Steps that [`play`] reports on its bar.
pub(crate) fn steps() -> u64 {
    u64::try_from(DAYS.len()).unwrap_or(u64::MAX).saturating_add(2)
}

impl Play<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/campaigns/{}{rest}", self.campaign)
    }

    async fn fund(&mut self, product: &str) -> Result<()> {
        let driver = self.driver;
        cast::brand_joins(driver, "Fjord Coffee").await?;
        let key = cast::shop_key(driver).await?;
        let settings = json!({ "product_url": product, "api_key": key });
        driver.control(Method::POST, "shop/settings", Some(settings)).await?;
        let terms = json!({
            "currency": "USD",
            "budget": BUDGET,
            "ends_at": self.started_at + LAST_DAY * DAY_MS - MINUTE_MS,
            // The sandbox's shop is on this machine, where links of a sandbox may lead anyway.
            "destination_hosts": ["shop.example"],
            "rates": { "sale": { "bps": [[0, COMMISSION_BPS]] } },
            "base": BASE,
            "base_unlock": { "conversions": BASE_UNLOCK },
            "creator_cap": CREATOR_CAP,
            "on_exhausted": "record",
        });
        self.campaign = cast::fund(driver, terms).await?;
        Ok(())
    }

    async fn join(&mut self, creator: &'static Creator) -> Result<()> {
        let (driver, name) = (self.driver, creator.name);
        let joined = cast::join(driver, &self.campaign, name).await?;
        let (mut link, mut code) = (None, None);
        match creator.code {
            Some(readable) => code = Some(joined.code(driver, name, readable).await?),
            None => link = Some(joined.link(driver, name, &self.shop).await?),
        }
        let Joined { enrollment, account, .. } = joined;
        let member = Member { enrollment, link, code, account, orders: 0 };
        self.members.insert(creator.name, member);
        if creator.onboards_on == 0 {
            self.onboard(creator.name).await?;
        }
        Ok(())
    }

    fn member(&mut self, name: &str) -> Result<&mut Member> {
        self.members.get_mut(name).with_context(|| format!("nobody is called {name}"))
    }

    async fn onboard(&mut self, name: &str) -> Result<()> {
        let account = self.member(name)?.account.clone();
        cast::onboard(self.driver, &account).await
    }

    async fn day(&mut self, day: i64, events: &[Event]) -> Result<()> {
        let driver = self.driver;
        driver.move_to(self.started_at + day * DAY_MS).await?;
        let mut baskets = Vec::new();
        for event in events {
            match event {
                Event::Orders { by, count, amount, pace: Pace::Usual } => {
                    for _ in 0..*count {
                        baskets.push((*by, self.basket(by, *amount).await?));
                    }
                }
                Event::Orders { by, count, amount, pace: Pace::TooFast } => {
                    for _ in 0..*count {
                        let basket = self.basket(by, *amount).await?;
                        driver.report("order", basket).await?;
                    }
                }
                Event::Refund { of, order } => {
                    let (refund, order) = (format!("{of}-refund-{order}"), format!("{of}-{order}"));
                    let body = json!({ "external_id": refund, "reverses": order });
                    driver.report("refund", body).await?;
                }
                Event::Release { of } => self.release(of).await?,
                Event::Onboard { who } => self.onboard(who).await?,
                Event::Wait => {}
            }
        }
        if !baskets.is_empty() {
            driver.wait(10 * MINUTE_MS).await?;
            for (_, mut basket) in baskets {
                // Ordered now, not when the basket was begun.
                if let Some(fields) = basket.as_object_mut() {
                    fields.remove("occurred_at");
                }
                driver.report("order", basket).await?;
            }
        }
        driver.wait(2_000).await
    }

    /// A buyer comes by the creator's link, or knows their code.
    async fn basket(&mut self, by: &str, amount: i64) -> Result<Value> {
        self.buyers += 1;
        let buyer = self.buyers;
        let member = self.member(by)?;
        member.orders += 1;
        let external_id = format!("{by}-{}", member.orders);
        let (link, code) = (member.link.clone(), member.code.clone());
        let click = match link {
            Some(link) => {
                // Every buyer comes from a network of their own.
                let address = format!("198.{}.{}.7", 18 + buyer / 250, buyer % 250);
                Some(self.driver.click(&link, &address).await?)
            }
            None => None,
        };
        let mut basket = json!({ "external_id": external_id, "amount": amount, "currency": "USD" });
        if let Some(fields) = basket.as_object_mut() {
            fields.extend(click.map(|click| ("click".to_owned(), json!(click))));
            fields.extend(code.map(|code| ("code".to_owned(), json!(code))));
        }
        Ok(basket)
    }

    async fn release(&mut self, of: &str) -> Result<()> {
        let enrollment = self.member(of)?.enrollment.clone();
        let holds = self.driver.get(As::Brand, &self.path("/holds")).await?;
        let holds = holds["data"].as_array().context("a list of holds")?;
        let hold = holds.iter().find(|hold| hold["enrollment"] == json!(enrollment));
        let hold = hold.with_context(|| format!("{of} has no hold"))?;
        let conversion = number(hold, "/conversion")?;
        let path = self.path(&format!("/holds/{conversion}/release"));
        self.driver.post(As::Brand, &path, json!({}), &format!("{of}: release")).await?;
        Ok(())
    }
}
