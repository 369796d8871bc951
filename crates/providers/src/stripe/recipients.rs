//! Recipients: the accounts to which creators' money goes.

use serde_json::Value;
use sponsorhub_app::ports::ProviderError;
use sponsorhub_app::ports::payment::{
    BankPayout, OnboardingAddresses, OnboardingUrl, Recipient, RecipientOrder,
};

use super::Stripe;
use super::form::Form;
use super::wire::{self, Account, List, mode, ms, read, step, unusable};

/// What the creator is called on the provider's object.
const CREATOR: &str = "creator_id";

impl Stripe {
    pub(super) async fn make_recipient(
        &self,
        order: &RecipientOrder,
    ) -> Result<String, ProviderError> {
        let form = Form::default()
            .with("type", "express")
            .with_some("email", order.email.as_ref())
            .with("capabilities[transfers][requested]", true)
            .with(format!("metadata[{CREATOR}]"), order.creator);
        let body = self.line.post(&["accounts"], &form, Some(&order.key)).await.reply()?;
        let account: Account = read("account", body)?;
        Ok(account.id)
    }

    /// Has no key: a repeated answer would be a link that was used, and a link too many does no harm.
    pub(super) async fn link(
        &self,
        recipient: &str,
        addresses: &OnboardingAddresses,
    ) -> Result<OnboardingUrl, ProviderError> {
        let form = Form::default()
            .with("account", step("recipient", recipient)?)
            .with("type", "account_onboarding")
            .with("refresh_url", &addresses.refresh_url)
            .with("return_url", &addresses.return_url);
        let body = self.line.post(&["account_links"], &form, None).await.reply()?;
        let url = body.get("url").and_then(Value::as_str);
        url.map(|url| OnboardingUrl(url.to_owned()))
            .ok_or_else(|| unusable("the onboarding link has no address"))
    }

    /// Newest first; older than the newest hundred are left out.
    pub(super) async fn bank_payouts_of(
        &self,
        recipient: &str,
    ) -> Result<Vec<BankPayout>, ProviderError> {
        let (account, form) = (step("recipient", recipient)?, Form::default().with("limit", 100));
        let answer = self.line.get_of(Some(account), &["payouts"], &form).await;
        let page: List<wire::BankPayout> = read("payouts", answer.reply()?)?;
        let payouts = page.data.into_iter().map(|one| {
            if mode(self.mode, one.livemode) != self.mode {
                return Err(unusable(format!("{} is of another world", one.id)));
            }
            Ok(BankPayout {
                id: one.id,
                amount: one.amount,
                currency: one.currency,
                state: one.status,
                arrives_at: ms(one.arrival_date),
            })
        });
        payouts.collect()
    }

    pub(super) async fn read_recipient(
        &self,
        recipient: &str,
    ) -> Result<Option<Recipient>, ProviderError> {
        let path = ["accounts", step("recipient", recipient)?];
        let Some(body) = self.line.get(&path, &Form::default()).await.found()? else {
            return Ok(None);
        };
        let account: Account = read("account", body)?;
        let mut requirements = account.requirements.past_due;
        for due in account.requirements.currently_due {
            if !requirements.contains(&due) {
                requirements.push(due);
            }
        }
        Ok(Some(Recipient {
            creator: account.metadata.get(CREATOR).and_then(|text| text.parse().ok()),
            may_receive_transfers: account
                .capabilities
                .get("transfers")
                .is_some_and(|capability| capability == "active"),
            payouts_enabled: account.payouts_enabled,
            requirements,
            deadline: account.requirements.current_deadline.map(ms),
            disabled_reason: account.requirements.disabled_reason,
            id: account.id,
        }))
    }
}
