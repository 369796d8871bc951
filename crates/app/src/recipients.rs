//! Whom money goes to: a creator's account at the payment provider, and whether it may be paid.
//!
//! What is kept here is what the provider said last. It can change at any time, so it is asked again
//! before each transfer.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{CampaignId, CreatorId, EnrollmentId};
use sponsorhub_store::registry::{ProviderChange, Recipient};
use sponsorhub_store::{Change, Rule, StoreError};

use crate::deposits::MoneyError;
use crate::desk::{CommandError, Desk};
use crate::ports::payment::{OnboardingAddresses, OnboardingUrl, RecipientOrder};
use crate::ports::{PaymentProvider, ProviderError};

/// Makes a creator's account where there is none, and an address at which the creator answers the
/// provider's questions. The address works once: ask again for another.
///
/// # Errors
/// [`MoneyError`].
pub async fn onboard(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    creator: CreatorId,
    addresses: &OnboardingAddresses,
    now: i64,
) -> Result<(Recipient, OnboardingUrl), MoneyError> {
    let recipient = match desk.registry(|registry| registry.recipient(creator))? {
        Some(recipient) => recipient,
        None => make(desk, provider, creator, now).await?,
    };
    let url = provider.onboarding_link(&recipient.account, addresses).await?;
    Ok((recipient, url))
}

async fn make(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    creator: CreatorId,
    now: i64,
) -> Result<Recipient, MoneyError> {
    // One account for one creator, whoever asks how often: the key is the creator.
    let order = RecipientOrder { creator, email: None, key: format!("recipient:{creator}") };
    let account = provider.create_recipient(&order).await?;
    let recipient = Recipient {
        creator,
        account,
        may_receive: false,
        payouts_enabled: false,
        created_at: now,
        checked_at: now,
    };
    let keep = Change::Provider(ProviderChange::KeepRecipient(recipient));
    desk.record(keep, Some(Rule::RecipientUnique))?;
    let kept = desk.registry(|registry| registry.recipient(creator))?;
    Ok(kept.ok_or(CommandError::Rule(Rule::RecipientUnique))?)
}

/// Asks the provider what an account may do, and keeps the answer. None where it is not one of ours.
///
/// # Errors
/// [`MoneyError`].
pub async fn refresh(
    desk: &Desk,
    provider: &dyn PaymentProvider,
    account: &str,
    now: i64,
) -> Result<Option<Recipient>, MoneyError> {
    let Some(kept) = desk.registry(|registry| registry.recipient_by_account(account))? else {
        return Ok(None);
    };
    let seen = provider.recipient(account).await?;
    if seen.as_ref().and_then(|seen| seen.creator).is_some_and(|creator| creator != kept.creator) {
        let what = format!("account {account} is noted as another creator's");
        return Err(ProviderError::Unusable { what, request: None }.into());
    }
    // An account that is gone may receive nothing.
    let may_receive = seen.as_ref().is_some_and(|seen| seen.may_receive_transfers);
    let payouts_enabled = seen.as_ref().is_some_and(|seen| seen.payouts_enabled);
    let account = account.to_owned();
    let note = ProviderChange::NoteRecipient { account, may_receive, payouts_enabled, at: now };
    desk.record(Change::Provider(note), None)?;
    Ok(Some(Recipient { may_receive, payouts_enabled, checked_at: now, ..kept }))
}

/// The accounts of a campaign's creators, by enrollment; who has none is not there.
///
/// # Errors
/// [`StoreError`].
pub fn of_campaign(
    desk: &Desk,
    campaign: CampaignId,
) -> Result<BTreeMap<EnrollmentId, Recipient>, StoreError> {
    desk.registry(|registry| {
        let mut recipients = BTreeMap::new();
        for enrollment in registry.enrollments(campaign)? {
            let Some(creator) = enrollment.creator else { continue };
            if let Some(recipient) = registry.recipient(creator)? {
                recipients.insert(enrollment.enrollment, recipient);
            }
        }
        Ok(recipients)
    })
}
