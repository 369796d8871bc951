//! A campaign under test: commands as data, run through the product's drafts.
//!
//! Every accepted command is checked at once against the invariants, and every entry is encoded,
//! decoded and applied to a second campaign that must arrive at the same postings (INV-10).
#![allow(dead_code, reason = "each test target uses its own part")]

pub(crate) mod generate;
pub(crate) mod op;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use op::{Ask, CAUSES, Op, Pay, Unlock};
use sponsorhub_core::campaign::lifecycle::Opening;
use sponsorhub_core::campaign::terms::{BaseUnlock, OnExhausted, Rate, Terms};
use sponsorhub_core::deposit::{MoneyLeft, ObservedDeposit, check_deposit};
use sponsorhub_core::disbursement::Outcome;
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::hold::HoldDecision;
use sponsorhub_core::ids::{
    BrandId, CampaignId, CompositeKey, EnrollmentId, Fingerprint, Salt, Seq,
};
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::draft::{Draft, Drafted};
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::event::campaign::{Mode, StateCause};
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionHeld, ConversionRejected, ConversionReversed, Risk, Taken,
};
use sponsorhub_core::ledger::event::deposit::{DisputeOutcome, ReversalCause};
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::glance::Glance;
use sponsorhub_core::ledger::kind::{Body, Kind};
use sponsorhub_core::ledger::posting::Postings;
use sponsorhub_core::merkle;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::oversight::ClaimEnd;
use sponsorhub_core::refund::RefundOutcome;
use sponsorhub_core::refusal::Refusal;

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

    fn try_apply(&mut self, op: &Op) -> Option<()> {
        let at = op.at;
        match op.ask.clone() {
            Ask::Expect { .. }
            | Ask::Confirm { .. }
            | Ask::Fail { .. }
            | Ask::Settle { .. }
            | Ask::Reverse { .. }
            | Ask::Won { .. }
            | Ask::Lost { .. }
            | Ask::Disputed { .. }
            | Ask::Advance { .. } => self.deposit_op(at, op.ask.clone()),
            Ask::Enroll { .. }
            | Ask::End { .. }
            | Ask::Onboard { .. }
            | Ask::Deliver { .. }
            | Ask::Judge { .. }
            | Ask::Bases => self.enrollment_op(at, op.ask.clone()),
            Ask::Convert { .. }
            | Ask::Rejected { .. }
            | Ask::Refunded { .. }
            | Ask::Hold { .. }
            | Ask::EndHold { .. }
            | Ask::ExpireHolds => self.conversion_op(at, op.ask.clone()),
            Ask::Rollup { upto } => {
                let upto = upto.map(|upto| {
                    let index = usize::try_from(upto).expect("small").min(self.shared.len());
                    self.shared[index - 1]
                });
                self.run(at, |draft| draft.rollup(upto)).ok().map(drop)
            }
            Ask::Plan
            | Ask::PlanUnclaimed { .. }
            | Ask::CancelPayout { .. }
            | Ask::Attempt { .. }
            | Ask::Outcome { .. }
            | Ask::TransferReversed { .. }
            | Ask::Refunds
            | Ask::RefundOutcome { .. } => self.money_op(at, op.ask.clone()),
            other => self.campaign_op(at, other),
        }
    }

    fn deposit_op(&mut self, at: i64, ask: Ask) -> Option<()> {
        match ask {
            Ask::Expect { amount, budget_part } => {
                let session = format!("cs_{}", self.deposits.len());
                let (amount, part) = (Minor(amount), Minor(budget_part));
                let seq = self.run(at, |d| d.expect_deposit(amount, part, session)).ok()?;
                self.deposits.push(seq);
            }
            Ask::Confirm { deposit } => self.confirm(at, deposit)?,
            Ask::Fail { deposit } => {
                let seq = *self.deposits.get(deposit)?;
                self.run(at, |draft| draft.fail_deposit(seq, "expired".into())).ok()?;
            }
            Ask::Settle { deposit, fee } => {
                let seq = *self.deposits.get(deposit)?;
                self.run(at, |draft| draft.settle_deposit(seq, Minor(fee), at)).ok()?;
            }
            Ask::Reverse { deposit, case, amount, cause, fee } => {
                let seq = *self.deposits.get(deposit)?;
                let cause = match CAUSES[usize::from(cause)] {
                    "dispute" => ReversalCause::Dispute,
                    "refund" => ReversalCause::Refund,
                    _ => ReversalCause::LateFailure,
                };
                let (amount, dispute_fee) = (Minor(amount), Minor(fee));
                let left = MoneyLeft { case: format!("k{case}"), amount, cause, dispute_fee };
                self.run(at, |draft| draft.reverse_deposit(seq, left)).ok()?;
                self.cases.push((deposit, case));
            }
            Ask::Won { deposit, case } => {
                let seq = *self.deposits.get(deposit)?;
                let key = format!("k{case}");
                let known = &self.campaign.deposits()[&seq].cases;
                let kept = known.iter().any(|case| case.key == key && case.reversal.is_none());
                if kept {
                    self.run(at, |draft| draft.close_dispute(seq, key, true)).ok()?;
                } else {
                    self.run(at, |draft| draft.reinstate_deposit(seq, key)).ok()?;
                }
            }
            Ask::Disputed { deposit, case, amount } => {
                let seq = *self.deposits.get(deposit)?;
                let key = format!("k{case}");
                self.run(at, |draft| draft.dispute_deposit(seq, key, Minor(amount))).ok()?;
                self.cases.push((deposit, case));
            }
            Ask::Lost { deposit, case } => {
                let seq = *self.deposits.get(deposit)?;
                self.run(at, |draft| draft.close_dispute(seq, format!("k{case}"), false)).ok()?;
            }
            Ask::Advance { amount } => {
                let by = vec!["ann".to_owned(), "ben".to_owned()];
                let seq = self.run(at, |draft| draft.advance(Minor(amount), by)).ok()?;
                self.deposits.push(seq);
            }
            other => unreachable!("{other:?}"),
        }
        Some(())
    }

    fn confirm(&mut self, at: i64, deposit: usize) -> Option<()> {
        let seq = *self.deposits.get(deposit)?;
        let expected = self.campaign.expected_deposit(seq)?;
        let known = &self.campaign.deposits()[&seq];
        let observed = ObservedDeposit {
            campaign: CAMPAIGN,
            amount: known.amount,
            currency: "usd".into(),
            mode: Mode::Sandbox,
            session: known.session.clone(),
            payment: format!("pi_{seq}"),
            is_paid: true,
        };
        let funds = check_deposit(&expected, &observed).expect("as expected");
        self.run(at, |draft| draft.confirm_deposit(funds)).ok()
    }

    fn enrollment_op(&mut self, at: i64, ask: Ask) -> Option<()> {
        let known =
            |world: &Self, number: usize| (number < world.enrolled).then(|| enrollment_id(number));
        match ask {
            Ask::Enroll { pay, cap, base, unlock } => {
                let id = enrollment_id(self.enrolled);
                let offer = Offer {
                    base: Minor(base),
                    base_unlock: (base > 0).then_some(match unlock {
                        Unlock::Conversions(n) => BaseUnlock::Conversions(n),
                        Unlock::DaysLive(n) => BaseUnlock::DaysLive(n),
                        Unlock::Deliverable => BaseUnlock::Deliverable,
                    }),
                    creator_cap: cap.map(Minor),
                    rates: Some(BTreeMap::from([("sale".to_owned(), rate(&pay))])),
                };
                self.run(at, |draft| draft.enroll(id, offer)).ok()?;
                self.enrolled += 1;
            }
            Ask::End { enrollment } => {
                let id = known(self, enrollment)?;
                self.run(at, |draft| draft.end_enrollment(id)).ok()?;
            }
            Ask::Onboard { enrollment } => {
                let id = known(self, enrollment)?;
                self.payable.insert(id);
            }
            Ask::Deliver { enrollment } => {
                let id = known(self, enrollment)?;
                self.run(at, |draft| draft.submit_deliverable(id)).ok()?;
            }
            Ask::Judge { enrollment, accept } => {
                let id = known(self, enrollment)?;
                let declined = (!accept).then(|| "blurred".to_owned());
                self.run(at, |draft| draft.judge_deliverable(id, declined)).ok()?;
            }
            Ask::Bases => self.run(at, Draft::settle_bases).ok()?,
            other => unreachable!("{other:?}"),
        }
        Some(())
    }

    fn conversion_op(&mut self, at: i64, ask: Ask) -> Option<()> {
        match ask {
            Ask::Convert { enrollment, order, click, held_until } => {
                let number = self.conversions.len();
                let taken = taken(number, order, click);
                let body = match held_until {
                    Some(deadline) => Body::from(ConversionHeld { deadline, taken }),
                    None => Body::from(ConversionAccepted(taken)),
                };
                let id = enrollment_id(enrollment);
                let seq = self.run(at, |draft| draft.take_in(id, body)).ok();
                self.conversions.push(seq);
                seq?;
            }
            Ask::Rejected { enrollment } => {
                let id = enrollment_id(enrollment);
                let rejected = ConversionRejected {
                    reason: "declared_bot".into(),
                    taken: taken(self.entries.len(), 5, at),
                };
                self.run(at, |draft| draft.take_in(id, rejected.into())).ok()?;
            }
            Ask::Refunded { conversion, amount } => {
                let conversion = (*self.conversions.get(conversion)?)?;
                let (no, _) = self.campaign.conversion(conversion)?;
                let id = self.campaign.enrollment(no).id;
                let body = ConversionReversed {
                    amount: Minor(amount),
                    conversion,
                    fingerprint: Fingerprint([0; 16]),
                    key: CompositeKey([1; 16]),
                    occurred_at: at,
                };
                self.run(at, |draft| draft.take_in(id, body.into())).ok()?;
            }
            Ask::Hold { conversion, deadline } => {
                let seq = (*self.conversions.get(conversion)?)?;
                self.run(at, |draft| draft.place_hold(seq, deadline, "doubt".into())).ok()?;
            }
            Ask::EndHold { conversion, uphold } => {
                let seq = (*self.conversions.get(conversion)?)?;
                let decision = if uphold {
                    HoldDecision::Uphold("fraud".into())
                } else {
                    HoldDecision::Release
                };
                self.run(at, |draft| draft.end_hold(seq, decision)).ok()?;
            }
            Ask::ExpireHolds => self.run(at, Draft::expire_holds).ok()?,
            other => unreachable!("{other:?}"),
        }
        Some(())
    }

    fn money_op(&mut self, at: i64, ask: Ask) -> Option<()> {
        let payable = self.is_payable();
        match ask {
            Ask::Plan => {
                self.run(at, |draft| draft.plan_payouts(&payable, false)).ok()?;
            }
            Ask::PlanUnclaimed { enrollment } => {
                let id = enrollment_id(enrollment);
                self.run(at, |draft| draft.plan_unclaimed(id, &payable)).ok()?;
            }
            Ask::CancelPayout { payout } => {
                let seq = *self.payouts.get(payout)?;
                self.run(at, |draft| draft.cancel_payout(seq, "asked".into())).ok()?;
            }
            Ask::Attempt { payout } => {
                let seq = *self.payouts.get(payout)?;
                let key = format!("{seq}-{at}");
                self.run(at, |draft| draft.attempt(seq, key, &payable)).ok()?;
            }
            Ask::Outcome { payout, what } => {
                let seq = *self.payouts.get(payout)?;
                let outcome = match what {
                    0 => Outcome::Paid(format!("tr_{seq}")),
                    1 => Outcome::Failed("account_closed".into()),
                    _ => Outcome::Unknown("no answer".into()),
                };
                let attempt = self.campaign.payouts()[&seq].attempts;
                self.run(at, |draft| draft.record_outcome(seq, attempt, outcome)).ok()?;
            }
            Ask::TransferReversed { payout } => {
                let seq = *self.payouts.get(payout)?;
                self.run(at, |draft| draft.reverse_transfer(seq, "returned".into())).ok()?;
            }
            Ask::Refunds => {
                self.run(at, Draft::plan_refunds).ok()?;
            }
            Ask::RefundOutcome { refund, what } => {
                let seq = *self.refunds.get(refund)?;
                let outcome = match what {
                    0 => RefundOutcome::Paid(format!("re_{seq}")),
                    1 => RefundOutcome::Failed("expired_card".into()),
                    _ => RefundOutcome::SettledOutside {
                        approved_by: vec!["ann".into(), "ben".into()],
                        reference: "bank 17".into(),
                    },
                };
                self.run(at, |draft| draft.record_refund(seq, outcome)).ok()?;
            }
            other => unreachable!("{other:?}"),
        }
        Some(())
    }

    fn campaign_op(&mut self, at: i64, ask: Ask) -> Option<()> {
        match ask {
            Ask::Adjust { enrollment, amount } => {
                let by = vec!["ann".to_owned(), "ben".to_owned()];
                let id = enrollment_id(enrollment);
                let sum = Minor(amount);
                self.run(at, |draft| draft.adjust(id, sum, "goodwill".into(), by)).ok()?;
            }
            Ask::OpenClaim { enrollment } => {
                let id = enrollment_id(enrollment);
                let seq = self.run(at, |draft| draft.open_claim(id, "missing".into())).ok()?;
                self.claims.push(seq);
            }
            Ask::EndClaim { claim } => {
                let seq = *self.claims.get(claim)?;
                let end = ClaimEnd::Answered("found".into());
                self.run(at, |draft| draft.end_claim(seq, end)).ok()?;
            }
            Ask::Launch => self.run(at, Draft::launch).ok()?,
            Ask::Pause => self.run(at, |draft| draft.pause(StateCause::Brand)).ok()?,
            Ask::Resume => self.run(at, Draft::resume).ok()?,
            Ask::Complete => self.run(at, |draft| draft.complete(StateCause::Brand)).ok()?,
            Ask::Cancel => self.run(at, Draft::cancel).ok()?,
            Ask::Budget { budget } => {
                self.run(at, |draft| draft.raise_budget(Minor(budget))).ok()?;
            }
            Ask::Close => {
                let payable = self.is_payable();
                let closing = self.run(at, |draft| draft.close_step(&payable)).ok()?;
                self.shortage = closing.shortage;
            }
            other => unreachable!("{other:?}"),
        }
        Some(())
    }

    /// The entries from `from` on as text, in the reference model's words.
    pub(crate) fn text(&self, from: usize) -> String {
        let mut text = String::new();
        let mut counts: BTreeMap<EnrollmentId, u64> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let n = entry.enrollment.map(|id| {
                let count = counts.entry(id).or_default();
                *count += 1;
                *count
            });
            if index >= from && is_shared(&entry.body) {
                line(&mut text, entry, n).expect("writing to a string");
            }
        }
        text
    }

    /// All balances as text, in the reference model's words.
    pub(crate) fn balances(&self) -> String {
        let mut text = String::new();
        for account in Account::ALL {
            for (no, enrollment) in self.campaign.numbered_enrollments() {
                let balance = self.campaign.balances().of(account, no);
                if account.is_per_enrollment() && !balance.is_zero() {
                    let number = enrollment_number(enrollment.id);
                    write!(text, "{account}:{number}={balance} ").expect("a string");
                }
            }
            let balance = self.campaign.balance(account);
            if !account.is_per_enrollment() && !balance.is_zero() {
                write!(text, "{account}={balance} ").expect("a string");
            }
        }
        text
    }
}

fn is_shared(body: &Body) -> bool {
    match body {
        Body::DepositDisputed(_) => false,
        Body::DepositDisputeClosed(closed) => closed.outcome != DisputeOutcome::Won,
        _ => true,
    }
}

fn line(text: &mut String, entry: &Drafted, n: Option<u64>) -> std::fmt::Result {
    write!(text, "{}", entry.body.kind())?;
    if let (Some(id), Some(n)) = (entry.enrollment, n) {
        write!(text, " {} #{n}", enrollment_number(id))?;
    }
    text.push_str(&moves(&entry.postings, entry.enrollment));
    text.push('\n');
    Ok(())
}

fn moves(postings: &Postings, enrollment: Option<EnrollmentId>) -> String {
    let mut moves: Vec<_> = postings
        .iter()
        .map(|(account, change)| match enrollment.filter(|_| account.is_per_enrollment()) {
            Some(id) => format!(" {account}:{}={change}", enrollment_number(id)),
            None => format!(" {account}={change}"),
        })
        .collect();
    moves.sort_unstable();
    moves.concat()
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
