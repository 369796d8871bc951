//! Settings of those outside: the payment provider and the identity provider.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use sponsorhub_app::ports::Clock;
use sponsorhub_core::attribution::keys::Mode;
use sponsorhub_providers::clerk::{Clerk, ClerkConfig, webhook};
use sponsorhub_providers::http::{TimeLimits, client};
use sponsorhub_providers::outgoing::{Outgoing, Rule};
use sponsorhub_providers::secret::Secret;
use sponsorhub_providers::stripe::webhook::Webhooks;
use sponsorhub_providers::stripe::{BASE_URL, Repeats, Stripe, StripeConfig};
use std::sync::Arc;

use crate::pages::Person;
use crate::world::SystemChance;

/// Flags and environment. Secrets are read from the environment or the file: an argument can be seen by
/// everybody on the machine.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OutsideArguments {
    /// Where the payment provider is [default: <https://api.stripe.com>].
    #[arg(long, env = "SPONSORHUB_STRIPE_BASE_URL", value_name = "URL")]
    stripe_base_url: Option<String>,
    #[arg(long, env = "SPONSORHUB_STRIPE_SECRET_KEY", hide = true, value_parser = secret)]
    stripe_secret_key: Option<Secret>,
    #[arg(
        long,
        env = "SPONSORHUB_STRIPE_WEBHOOK_SECRET",
        hide = true,
        value_delimiter = ',',
        value_parser = secret
    )]
    stripe_webhook_secret: Vec<Secret>,
    #[arg(
        long,
        env = "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET",
        hide = true,
        value_delimiter = ',',
        value_parser = secret
    )]
    stripe_connect_webhook_secret: Vec<Secret>,
    /// Who issues session tokens, as it stands in them.
    #[arg(long, env = "SPONSORHUB_CLERK_ISSUER", value_name = "URL")]
    clerk_issuer: Option<String>,
    /// Where the issuer's keys are [default: the issuer's /.well-known/jwks.json].
    #[arg(long, env = "SPONSORHUB_CLERK_JWKS_URL", value_name = "URL")]
    clerk_jwks_url: Option<String>,
    /// Origins whose pages may use session tokens [default: the public address].
    #[arg(
        long,
        env = "SPONSORHUB_CLERK_AUTHORIZED_PARTIES",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    clerk_authorized_parties: Vec<String>,
    #[arg(
        long,
        env = "SPONSORHUB_CLERK_WEBHOOK_SECRET",
        hide = true,
        value_delimiter = ',',
        value_parser = secret
    )]
    clerk_webhook_secret: Vec<Secret>,
    /// With which pages load the identity provider's script; a sandbox signs in without it.
    #[arg(long, env = "SPONSORHUB_CLERK_PUBLISHABLE_KEY", value_name = "KEY")]
    clerk_publishable_key: Option<String>,
    /// Ports at which webhooks may be received [default: 443, 8443].
    #[arg(long, env = "SPONSORHUB_WEBHOOK_PORTS", value_delimiter = ',', value_name = "PORT")]
    webhook_ports: Vec<u16>,
    /// In a sandbox: webhooks also go to this machine, by plain http.
    #[arg(long, env = "SPONSORHUB_WEBHOOK_LOOPBACK")]
    webhook_loopback: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "what clap asks of a parser")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// The same in sponsorhub.toml.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OutsideFile {
    stripe_base_url: Option<String>,
    stripe_secret_key: Option<String>,
    stripe_webhook_secret: Vec<String>,
    stripe_connect_webhook_secret: Vec<String>,
    clerk_issuer: Option<String>,
    clerk_jwks_url: Option<String>,
    clerk_authorized_parties: Vec<String>,
    clerk_webhook_secret: Vec<String>,
    clerk_publishable_key: Option<String>,
    webhook_ports: Vec<u16>,
    webhook_loopback: bool,
}

/// What is known of those outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    pub(crate) stripe_base_url: Option<String>,
    pub(crate) stripe_secret_key: Option<Secret>,
    pub(crate) stripe_webhook_secrets: Vec<Secret>,
    pub(crate) stripe_connect_webhook_secrets: Vec<Secret>,
    pub(crate) clerk_issuer: Option<String>,
    pub(crate) clerk_jwks_url: Option<String>,
    pub(crate) clerk_authorized_parties: Vec<String>,
    pub(crate) clerk_webhook_secrets: Vec<Secret>,
    /// Public: it stands in every page to sign in on.
    pub(crate) clerk_publishable_key: Option<String>,
    /// Whom a sandbox's page to sign in on offers.
    pub(crate) people: Vec<Person>,
    /// None said: the usual ones.
    pub(crate) webhook_ports: Vec<u16>,
    pub(crate) webhook_loopback: bool,
}

impl Outside {
    /// Flags over the environment over the file.
    pub(crate) fn new(arguments: OutsideArguments, file: OutsideFile) -> Self {
        let many = |flags: Vec<Secret>, file: Vec<String>| {
            if flags.is_empty() { file.into_iter().map(Secret::new).collect() } else { flags }
        };
        let parties = arguments.clerk_authorized_parties;
        Self {
            stripe_base_url: arguments.stripe_base_url.or(file.stripe_base_url),
            stripe_secret_key: arguments
                .stripe_secret_key
                .or(file.stripe_secret_key.map(Secret::new)),
            stripe_webhook_secrets: many(
                arguments.stripe_webhook_secret,
                file.stripe_webhook_secret,
            ),
            stripe_connect_webhook_secrets: many(
                arguments.stripe_connect_webhook_secret,
                file.stripe_connect_webhook_secret,
            ),
            clerk_webhook_secrets: many(arguments.clerk_webhook_secret, file.clerk_webhook_secret),
            clerk_publishable_key: arguments.clerk_publishable_key.or(file.clerk_publishable_key),
            people: Vec::new(),
            clerk_issuer: arguments.clerk_issuer.or(file.clerk_issuer),
            clerk_jwks_url: arguments.clerk_jwks_url.or(file.clerk_jwks_url),
            clerk_authorized_parties: if parties.is_empty() {
                file.clerk_authorized_parties
            } else {
                parties
            },
            webhook_ports: if arguments.webhook_ports.is_empty() {
                file.webhook_ports
            } else {
                arguments.webhook_ports
            },
            webhook_loopback: arguments.webhook_loopback || file.webhook_loopback,
        }
    }

    /// The sites that people are sent to in order to pay or to answer the payment provider's questions.
    pub(crate) fn pay_hosts(&self) -> Vec<String> {
        let elsewhere = self.stripe_base_url.as_deref().filter(|url| *url != BASE_URL);
        let origin = elsewhere.map(|url| {
            let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
            format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
        });
        let usual = ["https://checkout.stripe.com", "https://connect.stripe.com"];
        origin.map_or_else(|| usual.map(str::to_owned).into(), |origin| vec![origin])
    }

    /// Names everything that is missing at once.
    pub(crate) fn check(&self) -> Result<()> {
        let settings = [
            ("SPONSORHUB_STRIPE_SECRET_KEY", self.stripe_secret_key.is_none()),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", self.stripe_webhook_secrets.is_empty()),
            (
                "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET",
                self.stripe_connect_webhook_secrets.is_empty(),
            ),
            ("SPONSORHUB_CLERK_ISSUER", self.clerk_issuer.is_none()),
        ];
        let missing = settings.into_iter().filter(|(_, missing)| *missing);
        let missing: Vec<_> = missing.map(|(name, _)| name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        bail!(
            "`serve` needs a payment provider and an identity provider; missing: {}. To look around \
             without either, run `sponsorhub demo`",
            missing.join(", ")
        );
    }
}

/// The clients of those outside.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) provider: Arc<Stripe>,
    pub(crate) identity: Arc<Clerk>,
    /// Of the platform's own account.
    pub(crate) webhooks: Webhooks,
    /// Of creators' accounts.
    pub(crate) connect_webhooks: Webhooks,
    /// Of the identity provider.
    pub(crate) identity_webhooks: webhook::Webhooks,
    /// Calls the endpoints of brands and creators.
    pub(crate) outgoing: Arc<Outgoing>,
}

/// Whom webhooks may be sent to.
fn outgoing(outside: &Outside, mode: Mode) -> Result<Outgoing> {
    anyhow::ensure!(
        !outside.webhook_loopback || mode == Mode::Sandbox,
        "--webhook-loopback: this installation is for {mode}; only a sandbox sends to its own machine"
    );
    let mut rule = Rule { loopback: outside.webhook_loopback, ..Rule::default() };
    if !outside.webhook_ports.is_empty() {
        rule.ports.clone_from(&outside.webhook_ports);
    }
    Outgoing::new(rule).context("making a client for webhooks")
}

impl Clients {
    /// Makes them; nobody is called. `public_url` is where browsers reach this server.
    pub(crate) fn new(
        outside: &Outside,
        mode: Mode,
        public_url: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        outside.check()?;
        let http = client(TimeLimits::default()).context("making an HTTP client")?;
        let base_url = outside.stripe_base_url.as_deref().unwrap_or(BASE_URL);
        let secret_key = outside.stripe_secret_key.clone().context("a secret key")?;
        let mut stripe = StripeConfig::try_new(base_url, secret_key, mode)?;
        if mode == Mode::Sandbox {
            stripe.repeats = Repeats::SANDBOX;
        }
        let issuer = outside.clerk_issuer.as_deref().context("an issuer")?;
        let keys = format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
        let keys = outside.clerk_jwks_url.clone().unwrap_or(keys);
        let parties = if outside.clerk_authorized_parties.is_empty() {
            vec![public_url.to_owned()]
        } else {
            outside.clerk_authorized_parties.clone()
        };
        let clerk = ClerkConfig::try_new(issuer, &keys, &parties, mode)?;
        Ok(Self {
            provider: Arc::new(Stripe::new(stripe, http.clone(), Arc::new(SystemChance), clock)),
            identity: Arc::new(Clerk::new(clerk, http)),
            webhooks: Webhooks::try_new(&outside.stripe_webhook_secrets, mode)?,
            identity_webhooks: webhook::Webhooks::try_new(&outside.clerk_webhook_secrets)?,
            connect_webhooks: Webhooks::try_new(&outside.stripe_connect_webhook_secrets, mode)?,
            outgoing: Arc::new(outgoing(outside, mode)?),
        })
    }
}
