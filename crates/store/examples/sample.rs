//! Writes a small data directory to look at and to audit: one live campaign with three creators,
//! some hundred orders of which some came back, a rollup run, and payouts under way.
//!
//! ```sh
//! cargo run --package sponsorhub-store --example sample -- sample-data
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::{Rate, Terms};
use sponsorhub_core::deposit::{ObservedDeposit, check_deposit};
use sponsorhub_core::disbursement::Outcome;
use sponsorhub_core::ids::{
    BrandId, CampaignId, CompositeKey, EnrollmentId, Fingerprint, Salt, Seq,
};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::ledger::event::conversion::{ConversionAccepted, ConversionReversed, Taken};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::merkle::leaf_hash;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;
use sponsorhub_store::{Intake, Options, SqliteStore, Store, Submission, Submitted};

const DAY: i64 = 86_400_000;
const START: i64 = 20_000 * DAY;
const ORDERS: u64 = 700;

/// A result of the sample.
pub(crate) type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> Done<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or("name the directory to write to: sample -- sample-data")?;
    if directory.exists() {
        return Err(format!("{} exists; name a new directory", directory.display()).into());
    }
    let campaign = write(&directory)?;
    eprintln!("wrote campaign {campaign} to {}", directory.display());
    Ok(())
}

/// Sixteen bytes that look random and are the same in every run.
fn bytes(what: &str, number: u64) -> [u8; 16] {
    let hash = leaf_hash(format!("{what} {number}").as_bytes()).0;
    hash.first_chunk().copied().expect("a hash has 32 bytes")
}

fn creator(number: u64) -> EnrollmentId {
    EnrollmentId(bytes("creator", number))
}

struct Sample {
    store: SqliteStore,
    clock: Arc<AtomicI64>,
    state: Campaign,
    salts: u64,
}

/// Writes the sample into a new directory.
///
/// # Errors
/// Whatever the store says.
pub(crate) fn write(directory: &Path) -> Done<CampaignId> {
    std::fs::create_dir_all(directory)?;
    let clock = Arc::new(AtomicI64::new(START));
    let time = Arc::clone(&clock);
    let options = Options::default();
    let store = SqliteStore::open(directory, options, move || time.load(Ordering::SeqCst))?;
    let id = CampaignId(bytes("campaign", 1));
    let mut terms = Terms::with_defaults(Currency::Usd, Minor(300_000), START + 90 * DAY);
    terms.rates = BTreeMap::from([("sale".into(), Rate::Bps(vec![(0, 1_000), (100, 1_200)]))]);
    let opening = Opening { id, brand: BrandId(bytes("brand", 1)), mode: Mode::Sandbox };
    let draft = Draft::open(opening, terms, START)?;
    let mut sample = Sample { store, clock, state: draft.campaign().clone(), salts: 0 };
    sample.submit(&draft)?;
    sample.fund_and_launch()?;
    sample.sell()?;
    sample.pay()?;
    Ok(id)
}

impl Sample {
    fn submit(&mut self, draft: &Draft) -> Done<()> {
        let salts = &mut self.salts;
        let submission = Submission::try_new(draft, || {
            *salts += 1;
            Salt(bytes("salt", *salts))
        })?;
        match self.store.submit_and_wait(submission)?? {
            Submitted::Appended { .. } => Ok(()),
            conflict @ Submitted::Conflict { .. } => Err(format!("{conflict:?}").into()),
        }
    }

    /// Brings the folded state to the end of the ledger, then runs a command on it.
    fn run<R>(&mut self, command: impl FnOnce(&mut Draft) -> Result<R, Refusal>) -> Done<R> {
        let now = self.clock.load(Ordering::SeqCst);
        let mut draft = Draft::on(self.state_after()?, now);
        let result = command(&mut draft)?;
        self.submit(&draft)?;
        Ok(result)
    }

    fn fund_and_launch(&mut self) -> Done<()> {
        let (amount, budget_part) = (Minor(312_100), Minor(300_000));
        let deposit = self.run(|draft| draft.expect_deposit(amount, budget_part, "cs_1".into()))?;
        let expected = self.state_after()?.expected_deposit(deposit).ok_or("not expected")?;
        let observed = ObservedDeposit {
            campaign: self.state.id(),
            amount,
            currency: "usd".into(),
            mode: Mode::Sandbox,
            session: "cs_1".into(),
            payment: "pi_1".into(),
            is_paid: true,
        };
        let funds = check_deposit(&expected, &observed)?;
        self.run(|draft| draft.confirm_deposit(funds))?;
        self.run(|draft| draft.settle_deposit(deposit, Minor(9_081), START + 2 * DAY))?;
        self.run(|draft| {
            for number in 0..3 {
                draft.enroll(creator(number), draft.campaign().offer())?;
            }
            draft.launch()
        })
    }

    fn state_after(&mut self) -> Done<&Campaign> {
        let mut reader = self.store.reader()?;
        for bytes in reader.entries(self.state.id(), self.state.head() + 1, usize::MAX)? {
            self.state.apply(&Entry::decode(&bytes)?)?;
        }
        Ok(&self.state)
    }

    fn event(&self, creator_no: u64, number: u64, body: &Body) -> Done<Intake> {
        let salt = Salt(bytes("event salt", number));
        Ok(Intake::try_new(self.state.id(), creator(creator_no), body, salt)?)
    }

    fn sell(&mut self) -> Done<()> {
        self.clock.store(START + 2 * DAY, Ordering::SeqCst);
        let sales = (0..ORDERS).map(|number| {
            let amount = Minor(1_000 + i64::try_from(number * 37 % 9_000)?);
            let taken = Taken {
                amount,
                artifact: format!("clk_{}", EnrollmentId(bytes("click", number))),
                click_at: START + DAY,
                fingerprint: Fingerprint(bytes("content", number)),
                key: CompositeKey(bytes("order", number)),
                occurred_at: START + DAY,
                risk: None,
                r#type: "sale".into(),
            };
            self.event(number % 3, number, &ConversionAccepted(taken).into())
        });
        let sales = sales.collect::<Done<Vec<_>>>()?;
        self.store.take_in_and_wait(sales)??;
        let first: Seq = self.state_after()?.head() - ORDERS + 1;
        let returns = (0..ORDERS).step_by(50).map(|number| {
            let body = ConversionReversed {
                amount: Minor(500),
                conversion: first + number,
                fingerprint: Fingerprint(bytes("returned content", number)),
                key: CompositeKey(bytes("return", number)),
                occurred_at: START + 2 * DAY,
            };
            self.event(number % 3, ORDERS + number, &body.into())
        });
        let returns = returns.collect::<Done<Vec<_>>>()?;
        self.store.take_in_and_wait(returns)??;
        self.run(|draft| draft.rollup(None))?;
        Ok(())
    }

    fn pay(&mut self) -> Done<()> {
        self.clock.store(START + 40 * DAY, Ordering::SeqCst);
        self.run(|draft| draft.plan_payouts(&|_| true, false))?;
        let payouts: Vec<Seq> = self.state_after()?.payouts().keys().copied().collect();
        for payout in payouts.into_iter().take(2) {
            let key = format!("{payout}-1");
            self.run(|draft| draft.attempt(payout, key, &|_| true))?;
            self.run(|draft| draft.record_outcome(payout, 1, Outcome::Paid("tr_1".into())))?;
        }
        Ok(())
    }
}
