//! Running commands that are given as data, one function per group of them.

use super::op::{Ask, CAUSES, Op, Unlock};
use super::{CAMPAIGN, World, enrollment_id, rate, taken};
use sponsorhub_core::campaign::terms::BaseUnlock;
use sponsorhub_core::deposit::{MoneyLeft, ObservedDeposit, check_deposit};
use sponsorhub_core::disbursement::Outcome;
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::hold::HoldDecision;
use sponsorhub_core::ids::{CompositeKey, Fingerprint};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::{Mode, StateCause};
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionHeld, ConversionRejected, ConversionReversed,
};
use sponsorhub_core::ledger::event::deposit::ReversalCause;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::Minor;
use sponsorhub_core::oversight::ClaimEnd;
use sponsorhub_core::refund::RefundOutcome;
use std::collections::BTreeMap;

impl World {
    pub(super) fn try_apply(&mut self, op: &Op) -> Option<()> {
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
}
