//! Taking an order back that more than one campaign credited, or that shares its number with another
//! event: nothing is taken back twice, and nothing is guessed.

use std::sync::Arc;

use serde_json::{Value, json};
use sponsorhub_app::agents::DeclaredBots;
use sponsorhub_app::campaigns::{self, Step};
use sponsorhub_app::catalog::Catalog;
use sponsorhub_app::fees::Fees;
use sponsorhub_app::intake::{IntakeError, Intaker, Ready, Reporter, Submitted};
use sponsorhub_app::velocity::OnTheWay;
use sponsorhub_core::campaign::terms::{OnExhausted, Rate, Terms};
use sponsorhub_core::ids::{CampaignId, EnrollmentId};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::money::{Currency, Minor};

use crate::{BRAND, BUDGET, CREATOR, Counting, DAY, HOUR, Scene, T, keyring};

pub(crate) const FIRST: CampaignId = CampaignId([21; 16]);
const SECOND: CampaignId = CampaignId([22; 16]);

/// [`T`] and an hour, when everything here happened.
const AN_HOUR_LATER: &str = "2026-01-05T13:00:00Z";

pub(crate) struct Shop {
    pub(crate) scene: Scene,
    pub(crate) catalog: Arc<Catalog>,
    intaker: Intaker,
    codes: [String; 2],
}

impl Shop {
    /// Two running campaigns of one brand, each with a creator's promo code.
    pub(crate) fn open(directory: &std::path::Path) -> Self {
        let scene = Scene::open(directory);
        scene.join();
        let catalog = Catalog::new(&**scene.desk.store(), &keyring()).expect("reads");
        let catalog = Arc::new(catalog);
        let mut codes = Vec::new();
        for (number, campaign) in [FIRST, SECOND].into_iter().enumerate() {
            let rate = || Rate::Bps(vec![(0, 1_000)]);
            let terms = Terms {
                on_exhausted: OnExhausted::Record,
                rates: [("sale".to_owned(), rate()), ("lead".to_owned(), rate())].into(),
                destination_hosts: vec!["shop.example".to_owned()],
                ..Terms::with_defaults(Currency::Usd, BUDGET, T + 300 * DAY)
            };
            let keys = catalog.keys();
            campaigns::create(&scene.desk, &keys, (campaign, BRAND), (terms, Fees::default()), T)
                .expect("created");
            let opened = scene.deposit_to(campaign, &format!("d{number}"));
            scene.pay(sponsorhub_app::ports::payment::Payment {
                campaign,
                payment: Some(format!("pi_{campaign}")),
                ..Scene::paid(&opened)
            });
            scene.observe(&opened.checkout.session);
            campaigns::step(&scene.desk, campaign, (Step::Launch, StateCause::Brand), scene.now())
                .expect("live");
            let enrollment = EnrollmentId([30 + u8::try_from(number).expect("small"); 16]);
            let who = (enrollment, CREATOR);
            campaigns::enroll(&scene.desk, campaign, who, None, scene.now()).expect("enrolled");
            let place = (campaign, enrollment);
            let code = campaigns::make_code(&scene.desk, &keys, place, "ADA", scene.now());
            codes.push(
                code.or_else(|_| {
                    campaigns::make_code(&scene.desk, &keys, place, "EVE", scene.now())
                }),
            );
        }
        catalog.refresh().expect("reads");
        let bots = Arc::new(DeclaredBots::default());
        let chance = Arc::new(Counting::default());
        let store = scene.desk.store();
        let intaker = Intaker::new(&**store, Arc::clone(&catalog), chance, bots).expect("reads");
        scene.pass(HOUR);
        let codes: Vec<String> = codes.into_iter().map(|code| code.expect("made")).collect();
        Self { scene, catalog, intaker, codes: codes.try_into().expect("two") }
    }

    /// Result and whether it was known, or the code of a refusal.
    pub(crate) fn report(&self, body: &Value) -> Result<(String, bool), String> {
        let (who, now) = (Reporter { brand: BRAND }, self.scene.now());
        let told = |error: IntakeError| match error {
            IntakeError::Refused(refused) => refused.code.to_owned(),
            other => other.to_string(),
        };
        let ready = self
            .intaker
            .prepare(who, body.to_string().as_bytes(), &mut OnTheWay::default(), now)
            .map_err(told)?;
        let Ready::Submit(submitted) = ready else { panic!("no dry run") };
        let Submitted { intake, pending } = *submitted;
        let outcome = self.scene.desk.store().take_in_and_wait(vec![intake]);
        let outcome = outcome.expect("room").expect("a commit").pop().expect("one");
        let answer = self.intaker.finish(&outcome, &pending).map_err(told)?;
        Ok((answer.result, answer.is_duplicate))
    }

    fn event(kind: &str, id: &str) -> Value {
        json!({
            "source": "shop", "external_id": id, "type": kind,
            "occurred_at": AN_HOUR_LATER,
        })
    }

    pub(crate) fn order(&self, campaign: usize, kind: &str, id: &str) -> Value {
        let mut order = Self::event(kind, id);
        order["amount"] = json!(10_000);
        order["currency"] = json!("USD");
        order["code"] = json!(self.codes[campaign]);
        order
    }

    fn reversal(id: &str, reverses: &str) -> Value {
        let mut reversal = Self::event("reversal", id);
        reversal["reverses"] = json!(reverses);
        reversal
    }

    fn earned(&self, campaign: CampaignId) -> Minor {
        let at = self.scene.now();
        let rolled = self.scene.desk.command(campaign, at, |draft| draft.rollup(None));
        rolled.expect("rolls");
        let balance =
            |state: &sponsorhub_core::ledger::folded::Campaign| state.balance(Account::Payable);
        self.scene.desk.look(campaign, balance).expect("there")
    }
}

#[test]
fn a_reversal_that_is_repeated_takes_nothing_back_in_another_campaign() {
    let directory = tempfile::tempdir().expect("a directory");
    let shop = Shop::open(directory.path());
    let ok = |result: &str, known| Ok((result.to_owned(), known));
    assert_eq!(shop.report(&shop.order(0, "sale", "o1")), ok("accepted", false));
    let reversal = Shop::reversal("r1", "o1");
    assert_eq!(shop.report(&reversal), ok("reversed", false));
    // The same order is credited by another campaign; then the shop's retry of the reversal comes.
    assert_eq!(shop.report(&shop.order(1, "sale", "o1")), ok("accepted", false));
    assert_eq!(shop.report(&reversal), ok("reversed", true));
    assert_eq!((shop.earned(FIRST), shop.earned(SECOND)), (Minor(0), Minor(1_000)));
    // Weeks later as well: it is not a new event.
    shop.scene.pass(30 * DAY);
    assert_eq!(shop.report(&reversal), ok("reversed", true));
    // Under its number another order cannot be taken back.
    let mut other = reversal.clone();
    other["reverses"] = json!("o2");
    shop.report(&other).expect_err("other content under the same key");
    assert_eq!((shop.earned(FIRST), shop.earned(SECOND)), (Minor(0), Minor(1_000)));
}

#[test]
fn where_several_events_could_be_meant_none_is_guessed() {
    let directory = tempfile::tempdir().expect("a directory");
    let shop = Shop::open(directory.path());
    let ok = |result: &str, known| Ok((result.to_owned(), known));
    for (campaign, kind) in [(0, "sale"), (0, "lead"), (1, "sale")] {
        assert_eq!(shop.report(&shop.order(campaign, kind, "o1")), ok("accepted", false));
    }
    let mut reversal = Shop::reversal("r1", "o1");
    let ambiguous = || Err("reverses_ambiguous".to_owned());
    assert_eq!(shop.report(&reversal), ambiguous());
    reversal["campaign"] = json!(FIRST.to_string());
    assert_eq!(shop.report(&reversal), ambiguous());
    reversal["reverses_type"] = json!("sale");
    assert_eq!(shop.report(&reversal), ok("reversed", false));
    assert_eq!(shop.report(&reversal), ok("reversed", true));
    assert_eq!((shop.earned(FIRST), shop.earned(SECOND)), (Minor(1_000), Minor(1_000)));
}
