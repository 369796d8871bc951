//! Money in and out, against a provider that answers as it is told: the funding gate, and at most one
//! transfer per payout whatever is heard or not (INV-3, INV-9).

mod provider;

mod cases;

mod funding;

mod clocks;

mod holdings;
mod jobs;

mod kills;

mod outside;

mod paying;

mod public_bugs;

mod repeating;

mod reversing;

mod stories;

mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use sponsorhub_app::campaigns::{self, Step};
use sponsorhub_app::catalog::Keys;
use sponsorhub_app::deposits::{self, Opened, Wanted};
use sponsorhub_app::desk::Desk;
use sponsorhub_app::fees::Fees;
use sponsorhub_app::money_map::MoneyMap;
use sponsorhub_app::ports::payment::{OnboardingAddresses, Payment};
use sponsorhub_app::ports::{Chance, PaymentProvider};
use sponsorhub_app::recipients;
use sponsorhub_app::workers::{Pace, Workers};
use sponsorhub_core::attribution::keys::{Keyring, KeyringId, Mode, Secret};
use sponsorhub_core::campaign::terms::{BaseUnlock, OnExhausted, Rate, Terms};
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::{BrandId, CampaignId, CreatorId, EnrollmentId};
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_store::registry::{Brand, PersonName};
use sponsorhub_store::{Change, Options, SqliteStore, Store};

use provider::Scripted;

const T: i64 = 1_767_614_400_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const BUDGET: Minor = Minor(100_000);
const BASE: Minor = Minor(20_000);

const BRAND: BrandId = BrandId([1; 16]);
const CAMPAIGN: CampaignId = CampaignId([2; 16]);
const CREATOR: CreatorId = CreatorId([3; 16]);
const ENROLLMENT: EnrollmentId = EnrollmentId([4; 16]);

#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Chance for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, value) in bytes.iter_mut().zip(next.into_iter().cycle()) {
            *byte = value;
        }
    }
}

/// Runs what never waits: the provider of these tests answers at once.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn keyring() -> Keyring {
    Keyring::make(KeyringId([9; 16]), Mode::Sandbox, Secret([7; 32]), T)
}

/// An installation with one campaign.
struct Scene {
    desk: Arc<Desk>,
    provider: Arc<Scripted>,
    workers: Workers,
    clock: Arc<AtomicI64>,
    /// What no jump of the clock changes.
    steady: AtomicI64,
}

impl Scene {
    fn open(directory: &Path) -> Self {
        Self::again(directory, &Arc::default(), T)
    }

    /// The installation after a restart at `now`: the provider went on meanwhile.
    fn again(directory: &Path, provider: &Arc<Scripted>, now: i64) -> Self {
        Self::within(directory, provider, now, |store| store, provider.clone())
    }

    /// The same with something between the product and its store or its provider.
    fn within(
        directory: &Path,
        provider: &Arc<Scripted>,
        now: i64,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        port: Arc<dyn PaymentProvider>,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(now));
        let time = Arc::clone(&clock);
        let options = Options { keyring: Some(KeyringId([9; 16])), ..Options::default() };
        let store = SqliteStore::open(directory, options, move || time.load(Ordering::SeqCst));
        let store = wrap(Arc::new(store.expect("opens")));
        let desk = Arc::new(Desk::new(store, Arc::new(Counting::default())).expect("reads"));
        let pace = Pace { rollup_ms: 1_000, poll_ms: 1_000 };
        let workers = Workers::new(Arc::clone(&desk), port, pace);
        let steady = AtomicI64::new(0);
        Self { desk, provider: Arc::clone(provider), workers, clock, steady }
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn pass(&self, ms: i64) {
        self.jump(ms);
        self.steady.fetch_add(ms, Ordering::SeqCst);
    }

    /// The clock is set, and no time passes.
    fn jump(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    fn tick(&self) {
        let steady = self.steady.load(Ordering::SeqCst);
        now_or_never(self.workers.tick(self.now(), steady)).expect("the store is there");
        // Whatever happened: the map of the money adds up, and nothing on it is less than nothing.
        if let Ok(map) = self.desk.look(CAMPAIGN, MoneyMap::of) {
            assert_eq!(map.came_in(), map.is_somewhere(), "{map:?}");
            assert!(map.sinks.iter().all(|(_, amount)| !amount.is_negative()), "{map:?}");
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Campaign) -> T) -> T {
        self.desk.look(CAMPAIGN, look).expect("there")
    }

    /// What really moved, in order.
    fn moved(&self) -> Vec<Minor> {
        self.provider.with(|world| world.transfers.iter().map(|(.., amount)| *amount).collect())
    }

    /// How the first payout stands, and after how many attempts.
    fn payout(&self) -> Option<(DisbursementState, u32)> {
        self.look(|state| state.payouts().values().next().map(|one| (one.state, one.attempts)))
    }

    fn join(&self) {
        let brand = Brand {
            id: BRAND,
            name: "Fjord Coffee".to_owned(),
            created_at: T,
            click_parameter: "sh_click".to_owned(),
        };
        self.desk.record(Change::AddBrand(brand), None).expect("joins");
        let name = PersonName("ada".to_owned());
        let add = Change::AddCreator { creator: CREATOR, name, at: T };
        self.desk.record(add, None).expect("joins");
    }

    fn create(&self) {
        self.create_with(|_| {});
    }

    fn create_with(&self, change: impl FnOnce(&mut Terms)) {
        self.join();
        let mut terms = Terms {
            on_exhausted: OnExhausted::Record,
            rates: [("sale".to_owned(), Rate::Bps(vec![(0, 1_000)]))].into(),
            destination_hosts: vec!["shop.example".to_owned()],
            base: BASE,
            base_unlock: Some(BaseUnlock::DaysLive(1)),
            ..Terms::with_defaults(Currency::Usd, BUDGET, T + 10 * DAY)
        };
        change(&mut terms);
        let ids = (CAMPAIGN, BRAND);
        campaigns::create(&self.desk, &Keys::new(&keyring()), ids, (terms, Fees::default()), T)
            .expect("created");
    }

    fn deposit(&self, key: &str) -> Opened {
        self.deposit_to(CAMPAIGN, key)
    }

    fn deposit_to(&self, campaign: CampaignId, key: &str) -> Opened {
        self.deposit_of(campaign, BUDGET, key)
    }

    fn deposit_of(&self, campaign: CampaignId, budget_part: Minor, key: &str) -> Opened {
        let wanted = Wanted {
            campaign,
            budget_part,
            currency: Currency::Usd,
            title: "a deposit",
            success_url: "http://brand.example/ok",
            cancel_url: "http://brand.example/no",
            key,
        };
        now_or_never(deposits::open(&self.desk, &*self.provider, wanted, self.now()))
            .expect("opened")
    }

    /// A payment as it should be, settled.
    fn paid(opened: &Opened) -> Payment {
        Payment {
            campaign: CAMPAIGN,
            session: opened.checkout.session.clone(),
            payment: Some(format!("pi_{}", opened.deposit)),
            charge: Some(format!("ch_{}", opened.deposit)),
            amount: opened.total,
            currency: "usd".to_owned(),
            mode: Mode::Sandbox,
            is_paid: true,
            is_failed: false,
            fee: Some(Minor(3_000)),
            available_on: Some(T + 2 * DAY),
            refunds: Vec::new(),
            disputes: Vec::new(),
        }
    }

    fn pay(&self, payment: Payment) {
        self.provider.with(|world| world.payments.insert(payment.session.clone(), payment));
    }

    /// A running campaign whose creator has earned the base and can be paid.
    fn earned(directory: &Path) -> Self {
        let scene = Self::open(directory);
        scene.create();
        let opened = scene.deposit("first");
        scene.pay(Scene::paid(&opened));
        scene.observe(&opened.checkout.session);
        scene.go_live();
        scene.onboard();
        scene.pass(DAY + HOUR);
        scene
    }

    /// The campaign runs, and its creator takes part.
    fn go_live(&self) {
        let launch = (Step::Launch, StateCause::Brand);
        campaigns::step(&self.desk, CAMPAIGN, launch, self.now()).expect("live");
        let who = (ENROLLMENT, CREATOR);
        campaigns::enroll(&self.desk, CAMPAIGN, who, None, self.now()).expect("enrolled");
    }

    /// The creator has an account that may receive transfers.
    fn onboard(&self) {
        let addresses =
            OnboardingAddresses { return_url: "http://x".into(), refresh_url: "http://y".into() };
        let (desk, provider) = (&self.desk, &*self.provider);
        let onboard = recipients::onboard(desk, provider, CREATOR, &addresses, self.now());
        let (recipient, _) = now_or_never(onboard).expect("an account");
        self.stand(true);
        let refresh = recipients::refresh(desk, provider, &recipient.account, self.now());
        now_or_never(refresh).expect("asked");
    }

    fn stand(&self, may_receive: bool) {
        self.provider.with(|world| {
            for recipient in world.recipients.values_mut() {
                recipient.may_receive_transfers = may_receive;
            }
        });
    }

    fn observe(&self, session: &str) -> deposits::Booked {
        let of = sponsorhub_app::ports::payment::PaymentOf::Session(session);
        now_or_never(deposits::observe(&self.desk, &*self.provider, of, self.now()))
            .expect("observed")
    }
}
