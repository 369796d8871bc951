//! A campaign under test: commands as data, run through the product's drafts.
//!
//! Every accepted command is checked at once against the invariants, and every entry is encoded,
//! decoded and applied to a second campaign that must arrive at the same postings (INV-10).
#![allow(dead_code, reason = "each test target uses its own part")]

pub(crate) mod generate;
pub(crate) mod op;
mod run;
mod text;

use op::{Ask, Op, Pay};
use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::{OnExhausted, Rate, Terms};
use sponsorhub_core::ids::{
    BrandId, CampaignId, CompositeKey, EnrollmentId, Fingerprint, Salt, Seq,
};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::{Draft, Drafted};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_core::ledger::event::conversion::{Risk, Taken};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Glance;
use sponsorhub_core::ledger::kind::Kind;
use sponsorhub_core::merkle;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;
use std::collections::BTreeSet;
use text::is_shared;

pub(crate) const DAY: i64 = 86_400_000;
pub(crate) const T: i64 = 20_000 * DAY;
pub(crate) const CAMPAIGN: CampaignId = CampaignId([9; 16]);

/// The terms that differ between histories.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) budget: i64,
    pub(crate) fee_bps: u32,
    pub(crate) netting_bps: u32,
    pub(crate) minimum: i64,
    pub(crate) clearing_days: u32,
    pub(crate) attribution_days: u32,
    pub(crate) replay_days: u32,
}

impl Setup {
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            attribution_window_days: self.attribution_days,
            clearing_days: self.clearing_days,
            netting_share_bps: self.netting_bps,
            on_exhausted: OnExhausted::Record,
            payout_minimum: Minor(self.minimum),
            platform_fee_bps: self.fee_bps,
            replay_window_days: self.replay_days,
            ..Terms::with_defaults(Currency::Usd, Minor(self.budget), T + 700 * DAY)
        }
    }
}

/// Looks random and is the same in every run.
fn salt(seq: Seq) -> Salt {
    let hash = merkle::leaf_hash(&seq.to_be_bytes()).0;
    Salt(hash[..16].try_into().expect("16 bytes"))
}

pub(crate) fn enrollment_id(number: usize) -> EnrollmentId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    EnrollmentId(bytes)
}

fn enrollment_number(id: EnrollmentId) -> u64 {
    u64::from_be_bytes(id.0[..8].try_into().expect("8 bytes"))
}

/// A campaign, its twin that only replays bytes, and the names of things.
pub(crate) struct World {
    pub(crate) campaign: Campaign,
    pub(crate) twin: Campaign,
    pub(crate) entries: Vec<Drafted>,
    pub(crate) bytes: Vec<Vec<u8>>,
    pub(crate) payable: BTreeSet<EnrollmentId>,
    pub(crate) deposits: Vec<Seq>,
    pub(crate) cases: Vec<(usize, u32)>,
    pub(crate) enrolled: usize,
    pub(crate) conversions: Vec<Option<Seq>>,
    pub(crate) payouts: Vec<Seq>,
    pub(crate) refunds: Vec<Seq>,
    pub(crate) claims: Vec<Seq>,
    /// Position here of each entry that the reference model has too.
    pub(crate) shared: Vec<Seq>,
    /// What the last step of the close said must be advanced.
    pub(crate) shortage: Minor,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self::with_terms(setup.terms())
    }

    pub(crate) fn with_terms(terms: Terms) -> Self {
        let opening = Opening { id: CAMPAIGN, brand: BrandId([1; 16]), mode: Mode::Sandbox };
        let draft = Draft::open(opening, terms, T).expect("valid terms");
        let (campaign, entries) = draft.into_parts();
        let first = Entry {
            at: T,
            body: entries[0].body.clone(),
            campaign: CAMPAIGN,
            enrollment: None,
            salt: salt(1),
            seq: 1,
        };
        let bytes = first.encode().expect("an entry");
        let twin = Campaign::open(&Entry::decode(&bytes).expect("canonical")).expect("opens");
        Self {
            campaign,
            twin,
            entries,
            bytes: vec![bytes],
            payable: BTreeSet::new(),
            deposits: Vec::new(),
            cases: Vec::new(),
            enrolled: 0,
            conversions: Vec::new(),
            payouts: Vec::new(),
            refunds: Vec::new(),
            claims: Vec::new(),
            shared: vec![1],
            shortage: Minor::ZERO,
        }
    }

    /// Runs a command; what it appended is checked and kept, what it refused changes nothing.
    pub(crate) fn run<R>(
        &mut self,
        now: i64,
        command: impl FnOnce(&mut Draft) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut draft = Draft::on(&self.campaign, now);
        let result = command(&mut draft);
        if let Err(Refusal::Bug(error)) = &result {
            panic!("a bug of the rules: {error}");
        }
        let result = result?;
        let at = draft.now();
        let (campaign, entries) = draft.into_parts();
        self.campaign = campaign;
        for drafted in entries {
            self.keep(at, drafted);
        }
        self.check();
        Ok(result)
    }

    fn keep(&mut self, at: i64, drafted: Drafted) {
        let seq = self.twin.head() + 1;
        let n = drafted.enrollment.map(|id| {
            let no = self.twin.enrollment_no(id);
            (id, no.map_or(1, |no| self.twin.enrollment(no).n + 1))
        });
        let entry = Entry {
            at,
            body: drafted.body.clone(),
            campaign: CAMPAIGN,
            enrollment: n,
            salt: salt(seq),
            seq,
        };
        let bytes = entry.encode().expect("a drafted entry can be written");
        let read = Entry::decode(&bytes).expect("what was written can be read");
        assert_eq!(read, entry);
        // Where a glance is enough it must see the same and lead to the same state.
        let glance = Glance::at(&bytes);
        assert_eq!(glance.is_some(), read.body.kind() == Kind::ConversionAccepted);
        if let Some(glance) = glance {
            self.twin.apply_glance(&glance).expect("replay follows");
            assert!(drafted.postings.is_none(), "conversions post nothing");
        } else {
            let postings = self.twin.apply(&read).expect("replay follows");
            assert_eq!(postings, drafted.postings, "INV-10: replay of entry {seq}");
        }
        match drafted.body.kind() {
            Kind::PayoutPlanned => self.payouts.push(seq),
            Kind::RefundPlanned => self.refunds.push(seq),
            _ => {}
        }
        // A freeze that begins before the money left, and the note that a dispute was won, have no
        // counterpart in the reference; both belong to the entry before them.
        match (&drafted.body, is_shared(&drafted.body)) {
            (_, true) => self.shared.push(seq),
            (_, false) => *self.shared.last_mut().expect("the opening entry") = seq,
        }
        self.bytes.push(bytes);
        self.entries.push(drafted);
    }

    /// The invariants that hold after every command.
    pub(crate) fn check(&self) {
        let campaign = &self.campaign;
        assert!(campaign.balances().difference().is_zero(), "INV-1");
        assert_eq!(
            campaign.balances(),
            self.twin.balances(),
            "INV-10: replay knows no clock (INV-13)"
        );
        let claw = campaign.balance(Account::Clawback);
        assert_eq!(claw, campaign.balance(Account::Recoverable), "INV-15");
        for deposit in campaign.deposits().values() {
            assert!(deposit.transferred + deposit.refunded <= deposit.amount, "INV-2");
        }
        for (seq, reversed) in campaign.reversed() {
            let (_, order) = campaign.conversion(*seq).expect("known");
            assert!(reversed.refunded <= order, "INV-8");
        }
        let waits = campaign.has_unmet_demand() && campaign.unmet().is_positive();
        assert!(!waits || campaign.free().is_zero(), "the cap is used while demand waits");
    }

    pub(crate) fn is_payable(&self) -> impl Fn(EnrollmentId) -> bool + use<> {
        let payable = self.payable.clone();
        move |id| payable.contains(&id)
    }

    /// Runs one command given as data. False where it was refused, or names nothing.
    pub(crate) fn apply(&mut self, op: &Op) -> bool {
        self.try_apply(op).is_some()
    }

    /// Runs one command that must be accepted.
    pub(crate) fn must(&mut self, at: i64, ask: Ask) {
        let shown = format!("{ask:?}");
        assert!(self.apply(&Op { at, ask }), "refused: {shown}");
    }
}

pub(crate) fn rate(pay: &Pay) -> Rate {
    if pay.flat {
        Rate::Flat(pay.tiers.iter().map(|(from, v)| (*from, Minor(i64::from(*v)))).collect())
    } else {
        Rate::Bps(pay.tiers.clone())
    }
}

pub(crate) fn taken(number: usize, order: i64, click: i64) -> Taken {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Taken {
        amount: Minor(order),
        artifact: format!("clk_{number:0>26}"),
        click_at: click,
        fingerprint: Fingerprint([2; 16]),
        key: CompositeKey(key),
        occurred_at: click,
        risk: number.is_multiple_of(2).then(|| Risk {
            model: 1,
            points: 15,
            reasons: vec!["new_device".into()],
        }),
        r#type: "sale".into(),
    }
}
