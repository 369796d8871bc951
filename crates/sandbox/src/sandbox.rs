//! The handle: all state behind one lock, and what drivers may do with it.
//!
//! Every use of the state first lets the clock catch up, so that whoever looks sees what was due,
//! and afterwards rings for the deliveries that it made.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::clerk::{self, Issued, Issuer, TokenWanted};
use crate::clock::{Clock, ClockMode, ClockRefusal, ClockStart};
use crate::faults::{FaultLine, Faults};
use crate::shop::{Order, Reported, Shop, ShopRefund, ShopSettings};
use crate::stripe::Idempotency;
use crate::stripe::books::Books;
use crate::stripe::mishaps::MishapLine;
use crate::stripe::onboarding::Standing;
use crate::stripe::payment::{CheckoutRefusal, Method, Outcome};
use crate::stripe::webhooks::{Retries, WebhookEndpoint, Webhooks};
use crate::{deliver, edge};

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where its clock starts.
    pub clock: ClockStart,
    /// Decides ids and chances; never keys.
    pub seed: u64,
    /// From a charge to its balance transaction, milliseconds of virtual time; 0 for at once,
    /// which still comes after the charge.
    pub capture_delay_ms: i64,
    /// How deliveries are tried again.
    pub retries: Retries,
    /// Who is told of events from the start.
    pub webhook_endpoints: Vec<WebhookEndpoint>,
    /// Whom the shop reports to, if that is known yet.
    pub shop: Option<ShopSettings>,
}

impl Default for Options {
    /// A free port on this machine, and a clock that stands at 2026-01-05T12:00:00Z, a Monday.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: ClockStart::Stepped { at_ms: 1_767_614_400_000 },
            seed: 1,
            capture_delay_ms: 1_000,
            retries: Retries::default(),
            webhook_endpoints: Vec::new(),
            shop: None,
        }
    }
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) books: Books,
    pub(crate) idempotency: Idempotency,
    pub(crate) people: clerk::People,
    pub(crate) shop: Shop,
    pub(crate) faults: Faults,
    pub(crate) chance: Chance,
}

#[derive(Debug)]
struct Inner {
    base_url: String,
    retries: Retries,
    issuer: Issuer,
    state: Mutex<State>,
    bell: Notify,
}

/// A sandbox that runs. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

/// A registered endpoint, with the secret that it checks signatures with.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// `we_…`
    pub id: String,
    /// As text, `whsec_` included.
    pub secret: String,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("id", &self.id).field("secret", &"***").finish()
    }
}

/// A sandbox and its tasks, which end with it.
#[derive(Debug)]
pub struct Running {
    /// Where it answers, without a slash at the end.
    pub base_url: String,
    /// The handle.
    pub sandbox: Sandbox,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Ends it; requests under way are cut.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // Cancelled is as good as ended.
            drop(task.await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Sandbox {
    /// Starts one on the runtime of the caller.
    ///
    /// # Errors
    /// The port cannot be opened, or no key can be made.
    pub async fn start(options: Options) -> std::io::Result<Running> {
        let listener = TcpListener::bind(options.listen).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let chance = Chance::new(options.seed);
        let issuer = Issuer::new()?;
        let ids = Chance::new(options.seed.wrapping_add(1));
        let webhooks = Webhooks::new(Chance::new(options.seed.wrapping_add(2)));
        let state = State {
            clock: Clock::new(options.clock),
            books: Books::new(&base_url, options.capture_delay_ms.max(0), ids, webhooks),
            idempotency: Idempotency::default(),
            people: clerk::People::default(),
            shop: Shop::default(),
            faults: Faults::default(),
            chance,
        };
        let retries = options.retries;
        let (state, bell) = (Mutex::new(state), Notify::new());
        let inner = Inner { base_url: base_url.clone(), retries, issuer, state, bell };
        let sandbox = Self(Arc::new(inner));
        for endpoint in options.webhook_endpoints {
            sandbox.register_webhook(endpoint);
        }
        if let Some(settings) = options.shop {
            sandbox.set_shop(settings);
        }
        let (stop, stopped) = watch::channel(false);
        let serve = edge::serve(listener, sandbox.clone(), stopped.clone());
        let deliver = deliver::run(sandbox.clone(), stopped);
        #[expect(clippy::disallowed_methods, reason = "both are held by what is returned")]
        let tasks = vec![tokio::spawn(serve), tokio::spawn(deliver)];
        Ok(Running { base_url, sandbox, stop, tasks })
    }

    /// Uses the state, after what was due has happened.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = state.clock.now_ms();
        state.books.catch_up(now_ms);
        state.books.webhooks.release(now_ms);
        let result = work(&mut state);
        let has_work = state.books.webhooks.has_work();
        drop(state);
        if has_work {
            self.0.bell.notify_one();
        }
        result
    }

    pub(crate) fn bell(&self) -> &Notify {
        &self.0.bell
    }

    pub(crate) fn retries(&self) -> Retries {
        self.0.retries
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// Where it answers, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// What its clock shows, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.with(|state| state.clock.now_ms())
    }

    /// How its clock moves.
    pub fn clock_mode(&self) -> ClockMode {
        self.with(|state| state.clock.mode())
    }

    /// Moves its clock on; what becomes due happens before this returns.
    ///
    /// # Errors
    /// The clock never goes back.
    pub fn advance_ms(&self, by_ms: i64) -> Result<i64, ClockRefusal> {
        let moved = self.with(|state| state.clock.advance(by_ms));
        self.with(|_| moved)
    }

    /// Sets its clock; what becomes due happens before this returns.
    ///
    /// # Errors
    /// The clock never goes back.
    pub fn set_ms(&self, to_ms: i64) -> Result<i64, ClockRefusal> {
        let moved = self.with(|state| state.clock.set(to_ms));
        self.with(|_| moved)
    }

    /// Lets its clock move by itself, or stand still.
    pub fn switch_clock(&self, mode: ClockMode) {
        self.with(|state| state.clock.switch(mode));
    }

    /// An object of the payment provider by its id, as the wire shows it; none of that id is none.
    pub fn object(&self, id: &str) -> Option<serde_json::Value> {
        self.with(|state| state.books.find(id))
    }

    /// Pays an open checkout session, as a buyer would on its page.
    ///
    /// # Errors
    /// There is no such session, or it is not open.
    pub fn pay(
        &self,
        session: &str,
        method: Method,
        outcome: Outcome,
    ) -> Result<(), CheckoutRefusal> {
        let paid = self.with(|state| state.books.pay(session, method, outcome));
        self.with(|_| paid)
    }

    /// Decides a delayed payment now.
    ///
    /// # Errors
    /// There is no such session, or no payment of it is waiting.
    pub fn settle(&self, session: &str, outcome: Option<Outcome>) -> Result<(), CheckoutRefusal> {
        let settled = self.with(|state| state.books.settle_now(session, outcome));
        self.with(|_| settled)
    }

    /// The payer's bank takes the money of a paid session away, all of it or an amount; returns the
    /// dispute's id, or none where nothing was paid.
    pub fn dispute(&self, session: &str, amount: Option<i64>) -> Option<String> {
        self.with(|state| state.books.dispute(session, amount))
    }

    /// The bank decides a dispute; false where none of that id is open.
    pub fn close_dispute(&self, dispute: &str, is_won: bool) -> bool {
        self.with(|state| state.books.close_dispute(dispute, is_won))
    }

    /// Changes what a connected account may do; none if there is no such account.
    pub fn stand(&self, account: &str, standing: Standing) -> Option<Value> {
        self.with(|state| state.books.stand(account, standing).ok())
    }

    /// The site that is told of events, which is the product's; its usual address where there is none.
    pub(crate) fn site(&self) -> String {
        let told = self.with(|state| state.books.webhooks.first_url());
        let site = told.as_deref().and_then(crate::clerk::origin);
        site.unwrap_or_else(|| "http://127.0.0.1:8080".to_owned())
    }

    /// Adds an endpoint, or replaces the one of the same address and kind.
    pub fn register_webhook(&self, mut endpoint: WebhookEndpoint) -> Registered {
        self.with(|state| {
            if endpoint.secret.is_empty() {
                endpoint.secret = state.books.chance.id("whsec");
            }
            let secret = endpoint.secret.clone();
            let id = state.books.chance.id("we");
            Registered { id: state.books.webhooks.register(id, endpoint), secret }
        })
    }

    /// What became of every delivery.
    pub fn deliveries(&self) -> Value {
        self.with(|state| state.books.webhooks.report())
    }

    /// Waits until nothing is left to deliver that could be delivered now; false if that took too long.
    pub async fn quiet(&self, at_most: Duration) -> bool {
        let wait = async {
            while !self.with(|state| state.books.webhooks.is_quiet()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(at_most, wait).await.is_ok()
    }

    /// Delivers an event once more; false if there is no such event.
    pub fn resend(&self, event: &str) -> bool {
        self.with(|state| {
            let event = state.books.events.get(event).cloned();
            event.is_some_and(|event| {
                state.books.webhooks.resend(&event);
                true
            })
        })
    }

    /// What really moved.
    pub fn ledger(&self) -> Value {
        self.with(|state| state.books.truth())
    }

    /// Adds to the script of faults.
    pub fn script_faults(&self, lines: Vec<FaultLine>) {
        self.with(|state| state.faults.script(lines));
    }

    /// Forgets what is left of the script of faults.
    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    /// Adds to the script of what goes wrong with deliveries.
    pub fn script_mishaps(&self, lines: Vec<MishapLine>) {
        self.with(|state| state.books.webhooks.script(lines));
    }

    /// Forgets what is left of that script and delivers what is held; what is lost stays lost.
    pub fn clear_mishaps(&self) {
        self.with(|state| state.books.webhooks.clear());
    }

    /// A session token, as a browser would get it after signing in.
    ///
    /// # Errors
    /// The key refuses to sign.
    pub fn token(&self, wanted: &TokenWanted) -> std::io::Result<Issued> {
        let (session, now_ms) = self.with(|state| {
            let State { people, chance, clock, .. } = state;
            (people.sign_in(wanted, chance), clock.now_ms())
        });
        let base_url = self.base_url();
        self.0.issuer.issue(base_url, &session, wanted, now_ms)
    }

    /// Tells the shop whom it reports to.
    pub fn set_shop(&self, settings: ShopSettings) {
        self.with(|state| state.shop.settings = Some(settings));
    }

    /// An order in the shop, reported at once; what the product answered.
    ///
    /// # Errors
    /// The shop was not told whom to report to, or nobody answers there.
    pub async fn order(&self, order: &Order) -> std::io::Result<Reported> {
        crate::shop::report_order(self, order).await
    }

    /// A refund in the shop, reported at once; what the product answered.
    ///
    /// # Errors
    /// As with [`Sandbox::order`].
    pub async fn refund(&self, refund: &ShopRefund) -> std::io::Result<Reported> {
        crate::shop::report_refund(self, refund).await
    }
}
