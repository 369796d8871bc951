//! The payment provider, over Stripe's wire.
//!
//! A thin client for a dozen routes instead of a library, because the idempotency key, the address
//! and the version must be exactly those that were given: libraries invent keys, and a key that
//! does not survive a crash pays twice (INV-3). `answer` judges answers, `call` sends, one file
//! per kind of object says what is asked and read.

mod answer;
mod call;
mod events;
mod form;
mod payments;
mod recipients;
mod refunds;
mod transfers;
pub mod webhook;
mod wire;

use std::fmt;
use std::sync::Arc;

use reqwest::{Client, Url};
use sponsorhub_app::ports::payment::{
    BankPayout, Checkout, CheckoutOrder, EventPage, OnboardingAddresses, OnboardingUrl, Payment,
    PaymentOf, PaymentProvider, ProviderBalance, Recipient, RecipientOrder, RefundOrder,
    RefundSeen, Reply, Transfer, TransferOrder,
};
use sponsorhub_app::ports::{Chance, Clock, Later, Outcome};
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::event::campaign::Mode;

use crate::http::{AddressError, address};
use crate::secret::Secret;

use call::Line;
pub use call::Repeats;
use transfers::Lanes;

/// The version of the wire that this code was written for. Webhook endpoints are set to the same.
pub const VERSION: &str = "2026-10-28.endive";

/// Where the provider is.
pub const BASE_URL: &str = "https://api.stripe.com";

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    base: Url,
    secret_key: Secret,
    mode: Mode,
    /// The version of the wire; [`VERSION`] unless told otherwise.
    pub version: String,
    /// How often a request is sent again.
    pub repeats: Repeats,
}

impl StripeConfig {
    /// Settings that go together: real money only with a live key at the provider's own address,
    /// and neither of these without the other.
    ///
    /// # Errors
    /// [`AddressError`]: an address or key that does not fit the installation's mode.
    pub fn try_new(base_url: &str, secret_key: Secret, mode: Mode) -> Result<Self, AddressError> {
        let base = address("stripe_base_url", base_url, mode)?;
        let bad = |setting, fix| Err(AddressError { setting, fix });
        let is_theirs = base.host_str() == Some("api.stripe.com");
        let starts =
            |kinds: [&str; 2]| kinds.iter().any(|kind| secret_key.reveal().starts_with(kind));
        let (is_live, is_test) =
            (starts(["sk_live_", "rk_live_"]), starts(["sk_test_", "rk_test_"]));
        match mode {
            Mode::Live | Mode::Test if !is_theirs => {
                bad("stripe_base_url", "outside the sandbox it is https://api.stripe.com")
            }
            Mode::Sandbox if is_theirs => {
                bad("stripe_base_url", "a sandbox does not speak to the provider itself")
            }
            Mode::Live if !is_live => {
                bad("stripe_secret_key", "a live installation needs a live key")
            }
            Mode::Test | Mode::Sandbox if !is_test => bad(
                "stripe_secret_key",
                "only a live installation may have another than a test key",
            ),
            _ => Ok(Self {
                base,
                secret_key,
                mode,
                version: VERSION.to_owned(),
                repeats: Repeats::default(),
            }),
        }
    }
}

/// The client.
pub struct Stripe {
    line: Line,
    mode: Mode,
    lanes: Lanes,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Stripe {
    /// A client with these settings. `chance` spreads repetitions and makes nothing else; `clock` tells
    /// when a key is too old.
    pub fn new(
        config: StripeConfig,
        client: Client,
        chance: Arc<dyn Chance>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let StripeConfig { base, secret_key, mode, version, repeats } = config;
        let line = Line { client, base, key: secret_key, version, repeats, chance, clock };
        Self { line, mode, lanes: Lanes::default() }
    }
}

impl PaymentProvider for Stripe {
    fn open_checkout<'a>(&'a self, order: &'a CheckoutOrder) -> Reply<'a, Checkout> {
        Box::pin(self.checkout(order))
    }

    fn expire_checkout<'a>(&'a self, session: &'a str) -> Reply<'a, ()> {
        Box::pin(self.expire(session))
    }

    fn payment<'a>(&'a self, of: PaymentOf<'a>) -> Reply<'a, Option<Payment>> {
        Box::pin(self.read_payment(of))
    }

    fn create_recipient<'a>(&'a self, order: &'a RecipientOrder) -> Reply<'a, String> {
        Box::pin(self.make_recipient(order))
    }

    fn onboarding_link<'a>(
        &'a self,
        recipient: &'a str,
        addresses: &'a OnboardingAddresses,
    ) -> Reply<'a, OnboardingUrl> {
        Box::pin(self.link(recipient, addresses))
    }

    fn recipient<'a>(&'a self, recipient: &'a str) -> Reply<'a, Option<Recipient>> {
        Box::pin(self.read_recipient(recipient))
    }

    fn transfer<'a>(&'a self, order: &'a TransferOrder) -> Later<'a, Outcome> {
        Box::pin(self.move_payout(order))
    }

    fn find_transfer<'a>(
        &'a self,
        group: CampaignId,
        recipient: &'a str,
        payout: &'a str,
    ) -> Reply<'a, Option<Transfer>> {
        Box::pin(self.search_transfer(group, recipient, payout))
    }

    fn transfer_seen<'a>(&'a self, transfer: &'a str) -> Reply<'a, Option<Transfer>> {
        Box::pin(self.read_transfer(transfer))
    }

    fn transfers_of(&self, group: CampaignId) -> Reply<'_, Vec<Transfer>> {
        Box::pin(self.transfers_in(group, None))
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> Later<'a, Outcome> {
        Box::pin(self.send_back(order))
    }

    fn find_refund<'a>(
        &'a self,
        charge: &'a str,
        reference: &'a str,
    ) -> Reply<'a, Option<RefundSeen>> {
        Box::pin(self.search_refund(charge, reference))
    }

    fn balance(&self) -> Reply<'_, Vec<ProviderBalance>> {
        Box::pin(self.read_balance())
    }

    fn automatic_payouts(&self) -> Reply<'_, Option<String>> {
        Box::pin(self.read_payout_schedule())
    }

    fn bank_payouts<'a>(&'a self, recipient: &'a str) -> Reply<'a, Vec<BankPayout>> {
        Box::pin(self.bank_payouts_of(recipient))
    }

    fn events_after<'a>(&'a self, cursor: Option<&'a str>) -> Reply<'a, EventPage> {
        Box::pin(self.list_events(cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_address_and_mode_must_fit_each_other() {
        let local = "http://127.0.0.1:9";
        let try_new =
            |base: &str, key: &str, mode| StripeConfig::try_new(base, Secret::new(key), mode);
        for (base, key, mode) in [
            (BASE_URL, "sk_live_1", Mode::Live),
            (BASE_URL, "rk_live_1", Mode::Live),
            (BASE_URL, "sk_test_1", Mode::Test),
            (local, "sk_test_1", Mode::Sandbox),
        ] {
            assert!(try_new(base, key, mode).is_ok(), "{base} {key} {mode:?}");
        }
        for (base, key, mode) in [
            (BASE_URL, "sk_test_1", Mode::Live),
            (BASE_URL, "sk_live_1", Mode::Test),
            (BASE_URL, "sk_test_1", Mode::Sandbox),
            (local, "sk_live_1", Mode::Sandbox),
            (local, "sk_live_1", Mode::Live),
            (local, "sk_test_1", Mode::Test),
            ("https://api.stripe.com.evil.example", "sk_live_1", Mode::Live),
            (BASE_URL, "", Mode::Test),
            (BASE_URL, "whsec_1", Mode::Live),
        ] {
            assert!(try_new(base, key, mode).is_err(), "{base} {key} {mode:?}");
        }
        let config = try_new(local, "sk_test_secret", Mode::Sandbox).expect("fits");
        assert!(
            !format!("{config:?}").contains("secret\"") && format!("{config:?}").contains("***")
        );
    }
}
