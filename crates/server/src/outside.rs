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
            return self.check_secrets();
        }
        bail!(
            "`serve` needs a payment provider and an identity provider; missing: {}. To look around \
             without either, run `sponsorhub demo`",
            missing.join(", ")
        );
    }

    /// What is set must be able to keep others out.
    fn check_secrets(&self) -> Result<()> {
        let (own, connect) = (&self.stripe_webhook_secrets, &self.stripe_connect_webhook_secrets);
        let settings = [
            ("SPONSORHUB_STRIPE_SECRET_KEY", self.stripe_secret_key.as_slice()),
            ("SPONSORHUB_STRIPE_WEBHOOK_SECRET", own),
            ("SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", connect),
            ("SPONSORHUB_CLERK_WEBHOOK_SECRET", &self.clerk_webhook_secrets),
        ];
        for (name, secrets) in settings {
            anyhow::ensure!(
                secrets.iter().all(Secret::is_whole),
                "{name}: empty, or with a blank in it; set it as the provider shows it, several \
                 with commas and nothing else between them"
            );
        }
        // One secret for both would let an event of a creator's account pass for one of the platform's.
        anyhow::ensure!(
            own.iter().all(|secret| !connect.contains(secret)),
            "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET: the same as SPONSORHUB_STRIPE_WEBHOOK_SECRET; each \
             endpoint has a secret of its own at the provider, set that"
        );
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemClock;

    /// Settings that go together in a mode.
    fn good(mode: Mode) -> Outside {
        let (base, key, issuer) = match mode {
            Mode::Sandbox => ("http://127.0.0.1:9", "sk_test_1", "http://127.0.0.1:9"),
            Mode::Test => (BASE_URL, "sk_test_1", "https://some-name-1.clerk.accounts.dev"),
            Mode::Live => (BASE_URL, "sk_live_1", "https://clerk.example.com"),
        };
        Outside {
            stripe_base_url: Some(base.to_owned()),
            stripe_secret_key: Some(Secret::new(key)),
            stripe_webhook_secrets: vec![Secret::new("whsec_a")],
            stripe_connect_webhook_secrets: vec![Secret::new("whsec_b")],
            clerk_issuer: Some(issuer.to_owned()),
            ..Outside::default()
        }
    }

    fn start(outside: &Outside, mode: Mode) -> Result<Clients> {
        let public = if mode == Mode::Sandbox { "http://127.0.0.1:1" } else { "https://h.example" };
        Clients::new(outside, mode, public, Arc::new(SystemClock))
    }

    #[test]
    fn settings_that_go_together_start() {
        for mode in Mode::ALL {
            start(&good(mode), mode).unwrap_or_else(|error| panic!("{mode}: {error:#}"));
        }
    }

    type Spoil = fn(&mut Outside);

    /// What is mixed up, in which mode, and which setting the refusal names.
    const UNSAFE: &[(Mode, &str, Spoil)] = &[
        (Mode::Live, "stripe_base_url", |o| o.stripe_base_url = Some("http://127.0.0.1:9".into())),
        (Mode::Live, "stripe_base_url", |o| o.stripe_base_url = Some("https://s.example".into())),
        (Mode::Test, "stripe_base_url", |o| o.stripe_base_url = Some("https://s.example".into())),
        (Mode::Sandbox, "stripe_base_url", |o| o.stripe_base_url = None),
        (Mode::Live, "stripe_secret_key", |o| o.stripe_secret_key = Some(Secret::new("sk_test_1"))),
        (Mode::Test, "stripe_secret_key", |o| o.stripe_secret_key = Some(Secret::new("sk_live_1"))),
        (Mode::Sandbox, "stripe_secret_key", |o| {
            o.stripe_secret_key = Some(Secret::new("sk_live_1"));
        }),
        (Mode::Live, "SPONSORHUB_STRIPE_SECRET_KEY", |o| o.stripe_secret_key = None),
        (Mode::Live, "SPONSORHUB_STRIPE_SECRET_KEY", |o| {
            o.stripe_secret_key = Some(Secret::new("sk_live_1\n"));
        }),
        (Mode::Live, "SPONSORHUB_STRIPE_WEBHOOK_SECRET", |o| o.stripe_webhook_secrets = vec![]),
        (Mode::Sandbox, "SPONSORHUB_STRIPE_WEBHOOK_SECRET", |o| {
            o.stripe_webhook_secrets.push(Secret::new(""));
        }),
        (Mode::Sandbox, "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", |o| {
            o.stripe_connect_webhook_secrets = vec![Secret::new("  ")];
        }),
        (Mode::Live, "SPONSORHUB_STRIPE_CONNECT_WEBHOOK_SECRET", |o| {
            o.stripe_connect_webhook_secrets.push(Secret::new("whsec_a"));
        }),
        (Mode::Live, "SPONSORHUB_CLERK_WEBHOOK_SECRET", |o| {
            o.clerk_webhook_secrets = vec![Secret::new(" ")];
        }),
        (Mode::Sandbox, "clerk_issuer", |o| o.clerk_issuer = Some("http://10.0.0.7".into())),
        (Mode::Live, "clerk_issuer", |o| o.clerk_issuer = Some("http://127.0.0.1:9".into())),
        (Mode::Live, "clerk_issuer", |o| {
            o.clerk_issuer = Some("https://some-name-1.clerk.accounts.dev".into());
        }),
        (Mode::Sandbox, "clerk_jwks_url", |o| {
            o.clerk_jwks_url = Some("http://keys.example/jwks.json".into());
        }),
        (Mode::Live, "clerk_jwks_url", |o| {
            o.clerk_jwks_url = Some("https://x.clerk.accounts.dev/.well-known/jwks.json".into());
        }),
        (Mode::Live, "clerk_authorized_parties", |o| {
            o.clerk_authorized_parties = vec!["http://h.example".into()];
        }),
        (Mode::Live, "--webhook-loopback", |o| o.webhook_loopback = true),
    ];

    #[test]
    fn unsafe_mixtures_refuse_to_start_and_name_the_setting() {
        for (mode, names, spoil) in UNSAFE {
            let mut outside = good(*mode);
            spoil(&mut outside);
            let error = start(&outside, *mode).expect_err("refused");
            assert!(format!("{error:#}").contains(names), "{mode} {names}: {error:#}");
        }
    }
}
