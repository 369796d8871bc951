//! A small world to test in: campaigns that went live by the core's own commands, and events.
#![allow(dead_code, reason = "each test target uses its own part")]

use std::collections::BTreeMap;

use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::{OnExhausted, Rate, Terms};
use sponsorhub_core::deposit::{ObservedDeposit, check_deposit};
use sponsorhub_core::enrollment::Offer;
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
use sponsorhub_store::{Intake, Reader, Store, Submission, Submitted};

pub(crate) const DAY: i64 = 86_400_000;
/// When the tests begin.
pub(crate) const T: i64 = 20_000 * DAY;

/// Sixteen bytes that look random and are the same for the same arguments.
pub(crate) fn mixed(what: &str, number: u64) -> [u8; 16] {
    let hash = leaf_hash(format!("{what}{number}").as_bytes());
    hash.0[..16].try_into().expect("16 of 32")
}

pub(crate) fn campaign_id(number: u64) -> CampaignId {
    CampaignId(mixed("campaign", number))
}

pub(crate) fn enrollment_id(number: u64) -> EnrollmentId {
    EnrollmentId(mixed("enrollment", number))
}

pub(crate) fn key(number: u64) -> CompositeKey {
    CompositeKey(mixed("key", number))
}

pub(crate) fn terms(budget: i64) -> Terms {
    let rates = BTreeMap::from([("sale".to_owned(), Rate::Bps(vec![(0, 1_000)]))]);
    Terms {
        on_exhausted: OnExhausted::Record,
        rates,
        ..Terms::with_defaults(Currency::Usd, Minor(budget), T + 700 * DAY)
    }
}

/// What `/v` would have verified.
pub(crate) fn taken(number: u64, amount: i64) -> Taken {
    Taken {
        amount: Minor(amount),
        artifact: format!("clk_{}", EnrollmentId(mixed("click", number))),
        click_at: T + 1_000,
        fingerprint: Fingerprint(mixed("content", number ^ amount.unsigned_abs() << 40)),
        key: key(number),
        occurred_at: T + 2_000,
        risk: None,
        r#type: "sale".to_owned(),
    }
}

pub(crate) fn sale(campaign: CampaignId, creator: u64, number: u64, amount: i64) -> Intake {
    let body = Body::from(ConversionAccepted(taken(number, amount)));
    let salt = Salt(mixed("salt", number));
    Intake::try_new(campaign, enrollment_id(creator), &body, salt).expect("an event")
}

pub(crate) fn reversal(
    campaign: CampaignId,
    creator: u64,
    number: u64,
    (conversion, amount): (Seq, i64),
) -> Intake {
    let body = Body::from(ConversionReversed {
        amount: Minor(amount),
        conversion,
        fingerprint: Fingerprint(mixed("reversal", number)),
        key: key(number),
        occurred_at: T + 3_000,
    });
    let salt = Salt(mixed("salt", number));
    Intake::try_new(campaign, enrollment_id(creator), &body, salt).expect("an event")
}

/// Someone who commands a campaign: keeps the folded state and follows the store.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) state: Option<Campaign>,
    id: CampaignId,
    salts: u64,
}

impl Desk {
    pub(crate) fn new(id: CampaignId) -> Self {
        Self { state: None, id, salts: 0 }
    }

    pub(crate) fn campaign(&self) -> &Campaign {
        self.state.as_ref().expect("opened")
    }

    pub(crate) fn submission(&mut self, draft: &Draft) -> Submission {
        Submission::try_new(draft, || {
            self.salts += 1;
            Salt(mixed("desk", self.salts))
        })
        .expect("a command's entries can be written")
    }

    /// The draft that opens the campaign.
    pub(crate) fn opening(&self, terms: Terms, now: i64) -> Draft {
        let opening = Opening { id: self.id, brand: BrandId([1; 16]), mode: Mode::Sandbox };
        Draft::open(opening, terms, now).expect("valid terms")
    }

    /// Submits a draft and keeps its state where it was appended.
    pub(crate) fn submit(&mut self, store: &dyn Store, draft: Draft) -> Submitted {
        let submission = self.submission(&draft);
        let submitted = store.submit_and_wait(submission).expect("room").expect("a commit");
        if let Submitted::Appended { first, .. } = submitted
            && first == draft.base() + 1
        {
            self.state = Some(draft.into_parts().0);
        }
        submitted
    }

    /// Drafts a command on the state as it is known and submits it.
    pub(crate) fn run(
        &mut self,
        store: &dyn Store,
        now: i64,
        command: impl FnOnce(&mut Draft) -> Result<(), Refusal>,
    ) -> Result<Submitted, Refusal> {
        let mut draft = Draft::on(self.campaign(), now);
        command(&mut draft)?;
        Ok(self.submit(store, draft))
    }

    /// Applies what is in the store and not known here.
    pub(crate) fn follow(&mut self, reader: &mut dyn Reader) {
        let from = self.state.as_ref().map_or(1, |state| state.head() + 1);
        for bytes in reader.entries(self.id, from, usize::MAX).expect("readable") {
            let entry = Entry::decode(&bytes).expect("canonical");
            match &mut self.state {
                None => self.state = Some(Campaign::open(&entry).expect("opens")),
                Some(state) => {
                    state.apply(&entry).expect("follows");
                }
            }
        }
    }

    /// Opens, funds and launches, with creators numbered from 0.
    pub(crate) fn go_live(&mut self, store: &dyn Store, budget: i64, creators: u64) {
        let draft = self.opening(terms(budget), T);
        self.submit(store, draft);
        self.fund(store, budget);
        self.run(store, T + 20, |draft| {
            for number in 0..creators {
                draft.enroll(enrollment_id(number), Offer::default())?;
            }
            draft.launch()
        })
        .expect("funded");
    }

    pub(crate) fn fund(&mut self, store: &dyn Store, budget: i64) {
        let total = budget * 2;
        self.run(store, T + 5, |draft| {
            let session = "cs_1".to_owned();
            draft.expect_deposit(Minor(total), Minor(budget), session).map(drop)
        })
        .expect("expected");
        let deposit = self.campaign().head();
        let expected = self.campaign().expected_deposit(deposit).expect("expected");
        let observed = ObservedDeposit {
            campaign: self.id,
            amount: Minor(total),
            currency: "usd".into(),
            mode: Mode::Sandbox,
            session: "cs_1".into(),
            payment: "pi_1".into(),
            is_paid: true,
        };
        let funds = check_deposit(&expected, &observed).expect("as expected");
        self.run(store, T + 10, |draft| draft.confirm_deposit(funds)).expect("confirmed");
    }
}

/// The same event, using up the click that its artifact names.
pub(crate) fn with_click(event: Intake, number: u64) -> Intake {
    let taken = taken(number, 5_000);
    let slot = CompositeKey(mixed("slot", number));
    event.with_click(vec![slot], &taken, Salt(mixed("used", number))).expect("an event")
}
