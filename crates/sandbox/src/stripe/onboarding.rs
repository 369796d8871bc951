//! Express accounts and the links through which their owners introduce themselves.
//!
//! An account cannot be paid until its owner has finished. A link works once, for five minutes;
//! whoever comes with a used or old one is sent back to fetch another.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::books::Books;
use super::error::Refusal;
use super::form::Params;
use super::object::{Account, Requirements};
use super::shelf::{Object as _, Page};

/// How long a link works, seconds.
const LINK_S: i64 = 300;

#[derive(Clone, Debug)]
struct Link {
    account: String,
    refresh_url: String,
    return_url: String,
    expires_at: i64,
    is_opened: bool,
}

/// Links by the secret in their address, and pages that are open.
#[derive(Debug, Default)]
pub(crate) struct Onboarding {
    links: HashMap<String, Link>,
}

/// What an account may do from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standing {
    /// Whether it may receive transfers.
    pub transfers: Capability,
    /// Whether its money goes on to its bank.
    pub payouts_enabled: bool,
    /// Whether its owner has sent the form.
    pub details_submitted: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { transfers: Capability::Active, payouts_enabled: true, details_submitted: true }
    }
}

/// Whether a capability can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// It can.
    Active,
    /// It cannot.
    Inactive,
    /// It is being looked at.
    Pending,
}

impl Capability {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Pending => "pending",
        }
    }
}

/// Where whoever opens a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// The page with the button, of this account.
    Page(String),
    /// Elsewhere.
    Redirect(String),
    /// There is no such link.
    Unknown,
}

const DUE: [&str; 3] = ["external_account", "individual.verification", "tos_acceptance.date"];

pub(crate) fn create_account(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let r#type = params.required_choice("type", &["express"])?;
    let country = params.text("country")?.unwrap_or_else(|| "US".to_owned());
    if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
        let message = format!("Country '{country}' is unknown.");
        return Err(Refusal::parameter("country_unsupported", "country", message));
    }
    let email = params.text("email")?;
    let business_type = params.text("business_type")?;
    let metadata = params.metadata()?;
    let mut capabilities = std::collections::BTreeMap::new();
    if let Some(mut level) = params.level("capabilities")? {
        for name in ["transfers", "card_payments"] {
            let Some(mut one) = level.level(name)? else { continue };
            if one.boolean("requested")?.unwrap_or(false) {
                capabilities.insert(name, Capability::Inactive.name());
            }
            one.finish()?;
        }
        level.finish()?;
    }
    params.finish()?;
    let default_currency = match country.as_str() {
        "US" => "usd",
        "GB" => "gbp",
        _ => "eur",
    };
    let account = Account {
        id: books.chance.id("acct"),
        object: "account",
        business_type,
        capabilities,
        charges_enabled: false,
        country,
        created: books.now_s(),
        default_currency,
        details_submitted: false,
        email,
        future_requirements: Requirements::default(),
        metadata,
        payouts_enabled: false,
        requirements: due(Some("requirements.past_due")),
        settings: json!({ "payouts": {
            "debit_negative_balances": true,
            "schedule": { "delay_days": 2, "interval": "daily" },
        }}),
        r#type,
    };
    let rendered = account.render();
    books.accounts.put(account);
    Ok(rendered)
}

fn due(disabled_reason: Option<&'static str>) -> Requirements {
    let due = DUE.to_vec();
    Requirements {
        currently_due: due.clone(),
        eventually_due: due.clone(),
        past_due: due,
        disabled_reason,
        ..Requirements::default()
    }
}

pub(crate) fn list_accounts(books: &Books, mut params: Params) -> Result<Value, Refusal> {
    let page = Page::of(&mut params)?;
    params.finish()?;
    books.accounts.page(&page, "/v1/accounts", |_| true)
}

pub(crate) fn create_link(books: &mut Books, mut params: Params) -> Result<Value, Refusal> {
    let account = params.required_text("account")?;
    params.required_choice("type", &["account_onboarding"])?;
    let refresh_url = params.required_text("refresh_url")?;
    let return_url = params.required_text("return_url")?;
    params.finish()?;
    books.accounts.in_parameter(&account, "account")?;
    let secret = books.chance.id("link");
    let url = format!("{}/connect/onboard/{secret}", books.base_url);
    let (created, expires_at) = (books.now_s(), books.now_s().saturating_add(LINK_S));
    let link = Link { account, refresh_url, return_url, expires_at, is_opened: false };
    books.onboarding.links.insert(secret, link);
    Ok(json!({
        "object": "account_link", "created": created, "expires_at": expires_at, "url": url,
    }))
}

impl Books {
    /// Somebody opens a link: that uses it up.
    pub(crate) fn open_link(&mut self, secret: &str) -> Visit {
        let now_s = self.now_s();
        let Some(link) = self.onboarding.links.get_mut(secret) else { return Visit::Unknown };
        if link.is_opened || link.expires_at < now_s {
            return Visit::Redirect(link.refresh_url.clone());
        }
        link.is_opened = true;
        Visit::Page(link.account.clone())
    }

    /// Somebody leaves the page behind a link, having finished or not.
    pub(crate) fn leave_link(&mut self, secret: &str, has_finished: bool) -> Visit {
        let Some(link) = self.onboarding.links.get(secret) else { return Visit::Unknown };
        if !link.is_opened {
            return Visit::Redirect(link.refresh_url.clone());
        }
        let Link { account, return_url, .. } = link.clone();
        self.onboarding.links.remove(secret);
        if has_finished {
            self.stand(&account, Standing::default()).expect("links are of accounts that exist");
        }
        Visit::Redirect(return_url)
    }

    /// Changes what an account may do, and tells it.
    pub(crate) fn stand(&mut self, id: &str, standing: Standing) -> Result<Value, Refusal> {
        self.accounts.in_path(id)?;
        let account = self.accounts.known(id);
        let before = account.clone();
        let is_active = standing.transfers == Capability::Active;
        for status in account.capabilities.values_mut() {
            *status = standing.transfers.name();
        }
        account.payouts_enabled = standing.payouts_enabled;
        account.details_submitted = standing.details_submitted;
        account.charges_enabled = is_active && account.capabilities.contains_key("card_payments");
        account.requirements = if is_active && standing.payouts_enabled {
            Requirements::default()
        } else {
            due(Some("requirements.past_due"))
        };
        let (now, rendered) = (account.clone(), account.render());
        for (name, status) in &now.capabilities {
            let was = before.capabilities.get(name);
            if was != Some(status) {
                let capability = json!({
                    "id": name, "object": "capability", "account": id, "requested": true,
                    "status": status,
                });
                let previous = json!({ "status": was });
                self.tell_of("capability.updated", &capability, Some(previous), Some(id));
            }
        }
        let previous = json!({
            "capabilities": before.capabilities, "charges_enabled": before.charges_enabled,
            "details_submitted": before.details_submitted,
            "payouts_enabled": before.payouts_enabled, "requirements": before.requirements,
        });
        self.tell_of("account.updated", &rendered, Some(previous), Some(id));
        Ok(rendered)
    }
}
