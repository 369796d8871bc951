//! Killed at every commit and at every call of the provider, once before it and once after: the end is
//! the same. Enumerated, not sampled (INV-3).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sponsorhub_app::ports::payment::{
    BankPayout, Checkout, CheckoutOrder, EventPage, OnboardingAddresses, OnboardingUrl, Payment,
    PaymentOf, ProviderBalance, Recipient, RecipientOrder, RefundOrder, RefundSeen, Reply,
    Transfer, TransferOrder,
};
use sponsorhub_app::ports::{Later, Outcome, PaymentProvider};
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::Minor;
use sponsorhub_store::registry::RegistryReader;
use sponsorhub_store::store::IntakeHeldBack;
use sponsorhub_store::{
    Change, Intake, Outcome as Judged, QueueFull, Reader, Recorded, Reply as Answer, Store,
    StoreError, Submission, Submitted,
};

use crate::provider::{Goes, Scripted, World};
use crate::{DAY, HOUR, Scene};

/// Ends the process, as far as a test can: whatever was in memory is dropped.
#[derive(Debug)]
struct Killed;

/// Burns down by one at each boundary and kills at the last.
#[derive(Debug)]
struct Fuse(AtomicUsize);

impl Fuse {
    fn new(boundaries: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(boundaries)))
    }

    fn burn(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            resume_unwind(Box::new(Killed));
        }
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Does something between two boundaries.
    fn around<T>(&self, work: impl FnOnce() -> T) -> T {
        self.burn();
        let done = work();
        self.burn();
        done
    }
}

struct MortalStore(Arc<dyn Store>, Arc<Fuse>);

impl Store for MortalStore {
    fn take_in(&self, events: Vec<Intake>, reply: Answer<Vec<Judged>>) -> Result<(), QueueFull> {
        self.0.take_in(events, reply)
    }

    fn submit(&self, submission: Submission, reply: Answer<Submitted>) -> Result<(), QueueFull> {
        self.0.submit(submission, reply)
    }

    fn record(&self, change: Change, reply: Answer<Recorded>) -> Result<(), QueueFull> {
        self.0.record(change, reply)
    }

    fn hold_back_intake(&self, campaign: CampaignId) -> IntakeHeldBack {
        self.0.hold_back_intake(campaign)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.0.reader()
    }

    fn registry(&self) -> Result<Box<dyn RegistryReader>, StoreError> {
        self.0.registry()
    }

    fn submit_and_wait(
        &self,
        submission: Submission,
    ) -> Result<Result<Submitted, StoreError>, QueueFull> {
        self.1.around(|| self.0.submit_and_wait(submission))
    }

    fn record_and_wait(&self, change: Change) -> Result<Result<Recorded, StoreError>, QueueFull> {
        self.1.around(|| self.0.record_and_wait(change))
    }
}

#[derive(Debug)]
struct MortalProvider(Arc<Scripted>, Arc<Fuse>);

impl PaymentProvider for MortalProvider {
    fn open_checkout<'a>(&'a self, order: &'a CheckoutOrder) -> Reply<'a, Checkout> {
        self.1.around(|| self.0.open_checkout(order))
    }

    fn expire_checkout<'a>(&'a self, session: &'a str) -> Reply<'a, ()> {
        self.1.around(|| self.0.expire_checkout(session))
    }

    fn payment<'a>(&'a self, of: PaymentOf<'a>) -> Reply<'a, Option<Payment>> {
        self.1.around(|| self.0.payment(of))
    }

    fn create_recipient<'a>(&'a self, order: &'a RecipientOrder) -> Reply<'a, String> {
        self.1.around(|| self.0.create_recipient(order))
    }

    fn onboarding_link<'a>(
        &'a self,
        recipient: &'a str,
        addresses: &'a OnboardingAddresses,
    ) -> Reply<'a, OnboardingUrl> {
        self.1.around(|| self.0.onboarding_link(recipient, addresses))
    }

    fn recipient<'a>(&'a self, recipient: &'a str) -> Reply<'a, Option<Recipient>> {
        self.1.around(|| self.0.recipient(recipient))
    }

    fn transfer<'a>(&'a self, order: &'a TransferOrder) -> Later<'a, Outcome> {
        self.1.around(|| self.0.transfer(order))
    }

    fn find_transfer<'a>(
        &'a self,
        group: CampaignId,
        recipient: &'a str,
        payout: &'a str,
    ) -> Reply<'a, Option<Transfer>> {
        self.1.around(|| self.0.find_transfer(group, recipient, payout))
    }

    fn transfer_seen<'a>(&'a self, transfer: &'a str) -> Reply<'a, Option<Transfer>> {
        self.1.around(|| self.0.transfer_seen(transfer))
    }

    fn transfers_of(&self, group: CampaignId) -> Reply<'_, Vec<Transfer>> {
        self.1.around(|| self.0.transfers_of(group))
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> Later<'a, Outcome> {
        self.1.around(|| self.0.refund(order))
    }

    fn find_refund<'a>(
        &'a self,
        charge: &'a str,
        reference: &'a str,
    ) -> Reply<'a, Option<RefundSeen>> {
        self.1.around(|| self.0.find_refund(charge, reference))
    }

    fn balance(&self) -> Reply<'_, Vec<ProviderBalance>> {
        self.0.balance()
    }

    fn automatic_payouts(&self) -> Reply<'_, Option<String>> {
        self.0.automatic_payouts()
    }

    fn bank_payouts<'a>(&'a self, recipient: &'a str) -> Reply<'a, Vec<BankPayout>> {
        self.0.bank_payouts(recipient)
    }

    fn events_after<'a>(&'a self, cursor: Option<&'a str>) -> Reply<'a, EventPage> {
        self.0.events_after(cursor)
    }
}

/// How everything ended: what must not depend on when anybody was killed.
#[derive(Debug, PartialEq, Eq)]
struct End {
    state: State,
    balances: Vec<Minor>,
    /// Who was paid how much.
    moved: Vec<(String, Minor)>,
    refunded: Vec<Minor>,
}

impl End {
    fn of(scene: &Scene) -> Self {
        let balances = |state: &Campaign| {
            Account::ALL.iter().map(|account| state.balance(*account)).collect::<Vec<_>>()
        };
        scene.provider.with(|world| Self {
            state: scene.look(Campaign::state),
            balances: scene.look(balances),
            moved: world
                .transfers
                .iter()
                .map(|(_, order, amount)| (order.recipient.clone(), *amount))
                .collect(),
            refunded: world.refunds.iter().map(|order| order.amount).collect(),
        })
    }
}

/// Plays on until nothing is left to do.
fn play(scene: &Scene) {
    for _ in 0..200 {
        scene.tick();
        if scene.look(Campaign::state) == State::PaidOut {
            return;
        }
        // Small steps while money is on its way, then on to the close.
        let is_quiet = scene.look(|state| !state.in_flight().is_positive());
        scene.pass(if is_quiet { DAY } else { HOUR });
    }
    panic!("it comes to no end");
}

/// A campaign in which a base was earned, as files, and its provider.
struct Beginning {
    directory: tempfile::TempDir,
    world: World,
    now: i64,
}

impl Beginning {
    fn new(script: &[Goes]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::earned(directory.path());
        scene.provider.with(|world| world.script.extend(script));
        let (world, now) = (scene.provider.with(|world| world.clone()), scene.now());
        Self { directory, world, now }
    }

    /// Plays it with a kill at this boundary; how many boundaries were left, and the end.
    fn played(&self, kill_at: usize) -> (usize, End) {
        let here = tempfile::tempdir().expect("a directory");
        copy(self.directory.path(), here.path());
        let provider = Arc::new(Scripted(std::sync::Mutex::new(self.world.clone())));
        let fuse = Fuse::new(kill_at);
        let store = |store| -> Arc<dyn Store> { Arc::new(MortalStore(store, Arc::clone(&fuse))) };
        let port = Arc::new(MortalProvider(Arc::clone(&provider), Arc::clone(&fuse)));
        let scene = Scene::within(here.path(), &provider, self.now, store, port);
        let lived = catch_unwind(AssertUnwindSafe(|| play(&scene)));
        if let Err(why) = lived {
            assert!(why.is::<Killed>(), "it died of something else: {why:?}");
            let now = scene.now() + 1_000;
            drop(scene);
            let again = Scene::again(here.path(), &provider, now);
            play(&again);
            return (0, End::of(&again));
        }
        (fuse.left(), End::of(&scene))
    }
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("there") {
        let file = file.expect("there");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

fn killed_everywhere(script: &[Goes]) -> usize {
    let beginning = Beginning::new(script);
    let (left, expected) = beginning.played(usize::MAX);
    let boundaries = usize::MAX - left;
    assert!(boundaries > 30, "{boundaries}");
    assert_eq!((expected.moved.len(), expected.refunded.len()), (1, 1), "{expected:?}");
    for kill_at in 1..=boundaries {
        let (left, end) = beginning.played(kill_at);
        assert_eq!((left, &end), (0, &expected), "killed at {kill_at} of {boundaries}");
    }
    boundaries
}

#[test]
fn inv_3_killed_at_every_boundary_of_the_saga_the_end_is_the_same() {
    let boundaries = killed_everywhere(&[]);
    proven(&format!("killed at each of {boundaries} boundaries of a payout and a refund: one end"));
}

#[test]
fn inv_3_killed_at_every_boundary_of_a_saga_in_doubt_the_end_is_the_same() {
    let boundaries = killed_everywhere(&[Goes::Refused, Goes::DoneUnheard]);
    proven(&format!("killed at each of {boundaries} boundaries of a payout in doubt: one end"));
}

#[test]
fn inv_3_killed_at_every_boundary_of_a_refund_in_doubt_the_end_is_the_same() {
    let boundaries = killed_everywhere(&[Goes::Well, Goes::DoneUnheard]);
    proven(&format!("killed at each of {boundaries} boundaries of a refund in doubt: one end"));
}

/// A line for the record of proofs.
fn proven(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "proof: {line}").expect("stdout");
}
