//! An idempotency key is not sent once the provider may have forgotten it, however late this machine
//! wakes up in the middle of its repetitions: it would move the money again (INV-3).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use sponsorhub_app::ports::payment::{RefundOrder, TransferOrder};
use sponsorhub_app::ports::{Chance, Clock, Outcome, PaymentProvider as _};
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_providers::http::{TimeLimits, client};
use sponsorhub_providers::secret::Secret;
use sponsorhub_providers::stripe::{Stripe, StripeConfig};
use tokio::task::JoinSet;

const HOUR: i64 = 3_600_000;

#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Even;

impl Chance for Even {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// How often a provider is sent to that takes the request, breaks, and wakes us up `slept` later.
async fn sendings(slept: i64, is_refund: bool) -> (usize, Outcome) {
    let clock = Arc::new(Hands::default());
    let heard = Arc::new(AtomicUsize::new(0));
    let (hands, ears) = (Arc::clone(&clock), Arc::clone(&heard));
    let router = Router::new().fallback(async move || {
        hands.0.fetch_add(slept, Ordering::SeqCst);
        ears.fetch_add(1, Ordering::SeqCst);
        StatusCode::INTERNAL_SERVER_ERROR
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });
    let key = Secret::new("sk_test_x".to_owned());
    let config = StripeConfig::try_new(&base, key, Mode::Sandbox).expect("goes together");
    let http = client(TimeLimits::default()).expect("a client");
    let stripe = Stripe::new(config, http, Arc::new(Even), clock);
    let (amount, currency, key, until) = (Minor(5), Currency::Usd, "k".to_owned(), 20 * HOUR);
    let outcome = if is_refund {
        let (charge, reference) = ("ch_1".to_owned(), "r".to_owned());
        stripe.refund(&RefundOrder { charge, amount, currency, reference, key, until }).await
    } else {
        let (recipient, payout) = ("acct_1".to_owned(), "p".to_owned());
        let (backing, group) = (None, CampaignId([1; 16]));
        let order =
            TransferOrder { recipient, amount, currency, backing, group, payout, key, until };
        stripe.transfer(&order).await
    };
    (heard.load(Ordering::SeqCst), outcome)
}

#[tokio::test]
async fn an_old_key_is_not_sent_again() {
    for is_refund in [false, true] {
        for (slept, expected) in [(0, 3), (11 * HOUR, 2), (25 * HOUR, 1)] {
            let (heard, outcome) = sendings(slept, is_refund).await;
            assert_eq!(heard, expected, "asleep for {slept} ms");
            assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        }
    }
}
