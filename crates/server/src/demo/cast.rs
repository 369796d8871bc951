//! What every demo begins with: a brand whose campaign is paid for and live, and creators who join.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::driver::{As, Driver, text};

/// A creator who takes part.
#[derive(Debug)]
pub(super) struct Joined {
    /// `/campaigns/{campaign}/enrollments/{enrollment}`.
    path: String,
    pub(super) enrollment: String,
    /// At the payment provider.
    pub(super) account: String,
}

/// Lets the brand join.
pub(super) async fn brand_joins(driver: &Driver, name: &str) -> Result<()> {
    let name = json!({ "name": name });
    driver.api(As::Brand, (Method::PUT, "/me"), Some(name), "brand joins").await?;
    Ok(())
}

/// A key of the brand's shop. A secret is shown once: where the answer that showed it was lost, another
/// key is issued.
pub(super) async fn shop_key(driver: &Driver) -> Result<String> {
    for number in 1..100 {
        let step = format!("key {number} of the shop");
        let key = driver.post(As::Brand, "/api-keys", json!({}), &step).await?;
        if let Ok(secret) = text(&key, "/secret") {
            return Ok(secret);
        }
    }
    anyhow::bail!("no key of the shop shows its secret");
}

/// Opens a campaign, pays its budget by card and launches it; its id.
pub(super) async fn fund(driver: &Driver, terms: Value) -> Result<String> {
    let amount = json!({ "amount": terms["budget"], "currency": terms["currency"] });
    let campaign = driver.post(As::Brand, "/campaigns", terms, "campaign").await?;
    let campaign = text(&campaign, "/id")?;
    let path = |rest: &str| format!("/campaigns/{campaign}/{rest}");
    let amount = json!({ "amount": amount });
    let deposit = driver.post(As::Brand, &path("deposits"), amount, "deposit").await?;
    let session = text(&deposit, "/session")?;
    let card = json!({ "method": "card", "outcome": "succeed" });
    driver.control(Method::POST, &format!("checkout/{session}/pay"), Some(card)).await?;
    driver.wait(2_000).await?;
    driver.post(As::Brand, &path("launch"), json!({}), "launch").await?;
    Ok(campaign)
}

/// Lets a creator join, take part in a campaign, and open an account at the payment provider.
pub(super) async fn join(driver: &Driver, campaign: &str, name: &str) -> Result<Joined> {
    let (who, step) = (As::Creator(name), |what: &str| format!("{name}: {what}"));
    let called = json!({ "name": name });
    driver.api(who, (Method::PUT, "/me"), Some(called), &step("joins")).await?;
    let enrollments = format!("/campaigns/{campaign}/enrollments");
    let enrolled = driver.post(who, &enrollments, json!({}), &step("enrolls")).await?;
    let enrollment = text(&enrolled, "/id")?;
    let recipient = driver.post(who, "/recipient", json!({}), &step("recipient")).await?;
    let account = text(&recipient, "/account")?;
    Ok(Joined { path: format!("{enrollments}/{enrollment}"), enrollment, account })
}

/// Lets a creator answer the payment provider's questions.
pub(super) async fn onboard(driver: &Driver, account: &str) -> Result<()> {
    let path = format!("accounts/{account}/onboard");
    driver.control(Method::POST, &path, Some(json!({}))).await?;
    Ok(())
}

impl Joined {
    /// A link to a page of the brand, as `/r/…`.
    pub(super) async fn link(&self, driver: &Driver, name: &str, to: &str) -> Result<String> {
        let (path, body) = (format!("{}/links", self.path), json!({ "destination": to }));
        let step = format!("{name}: link");
        text(&driver.post(As::Creator(name), &path, body, &step).await?, "/path")
    }

    /// A promo code.
    pub(super) async fn code(&self, driver: &Driver, name: &str, readable: &str) -> Result<String> {
        let (path, body) = (format!("{}/codes", self.path), json!({ "readable": readable }));
        let step = format!("{name}: code");
        text(&driver.post(As::Creator(name), &path, body, &step).await?, "/code")
    }
}
