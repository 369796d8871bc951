//! Unspent money on its way back to the brand.
//!
//! A planned refund is looked up, and sent under a key made of its name where it is not there. It is
//! paid once the provider calls it succeeded.

use sponsorhub_core::ids::{CampaignId, Seq};
use sponsorhub_core::ledger::records::{Refund, RefundState};
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refund::RefundOutcome;

use super::{SAME_KEY_MS, Workers};
use crate::deposits::MoneyError;
use crate::ports::payment::{RefundOrder, RefundProgress};
use crate::ports::{Outcome, ProviderError};

/// The idempotency key and the reference of a refund. Frozen: the provider has it.
pub fn refund_reference(campaign: CampaignId, refund: Seq) -> String {
    format!("refund:{campaign}:{refund}")
}

/// What the provider has of a refund.
enum Found {
    Nothing,
    /// It may still come back, so it is neither paid nor to be sent.
    OnItsWay,
    Over(RefundOutcome),
}

impl Found {
    fn over(self) -> Option<RefundOutcome> {
        match self {
            Self::Over(outcome) => Some(outcome),
            Self::Nothing | Self::OnItsWay => None,
        }
    }
}

impl Workers {
    /// Sends planned refunds; how many things were recorded.
    pub(super) async fn refund(&self, id: CampaignId, now: i64) -> Result<usize, MoneyError> {
        let (is_frozen, currency, planned) = self.desk.look(id, |state| {
            let planned =
                state.refunds().iter().filter(|(_, refund)| refund.state == RefundState::Planned);
            let planned: Vec<_> = planned.map(|(seq, refund)| (*seq, *refund)).collect();
            (state.frozen() > 0, state.terms().currency, planned)
        })?;
        if is_frozen {
            // A bank that takes the money back must not get it a second time from here.
            return Ok(0);
        }
        let mut done = 0;
        for (seq, refund) in planned {
            if !self.is_due((id, seq), now) {
                continue;
            }
            match self.send_back(id, (seq, refund), currency, now).await {
                Ok(Some(outcome)) => {
                    if let RefundOutcome::Failed(code) = &outcome {
                        tracing::warn!(%id, refund = seq, code, "a refund was refused");
                        self.pause((id, 0), now);
                    } else {
                        self.resume((id, 0));
                    }
                    self.record_refund(id, seq, &outcome, now)?;
                    self.resume((id, seq));
                    done += 1;
                }
                Ok(None) if self.is_due((id, seq), now) => self.pause((id, seq), now),
                Ok(None) => {}
                Err(error) => {
                    self.pause((id, seq), now);
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    /// None while nothing is known.
    async fn send_back(
        &self,
        id: CampaignId,
        (seq, refund): (Seq, Refund),
        currency: Currency,
        now: i64,
    ) -> Result<Option<RefundOutcome>, MoneyError> {
        let Some(charge) = self.charge(id, refund.deposit).await? else {
            let what = format!("deposit {} has no charge to refund", refund.deposit);
            return Err(ProviderError::Unusable { what, request: None }.into());
        };
        let reference = refund_reference(id, seq);
        // Asked first each time, so that what waits at the provider is neither lost nor ordered again.
        match self.find_refund(&charge, &reference, refund.amount).await? {
            Found::Over(outcome) => return Ok(Some(outcome)),
            Found::OnItsWay => return Ok(None),
            Found::Nothing => {}
        }
        if self.is_withheld((id, seq), now) {
            return Ok(None);
        }
        let order = RefundOrder {
            charge: charge.clone(),
            amount: refund.amount,
            currency,
            key: reference.clone(),
            until: now.saturating_add(SAME_KEY_MS),
            reference,
        };
        let outcome = self.provider.refund(&order).await;
        self.keep((id, seq), &order.key, &outcome, now);
        Ok(match outcome {
            // Taken is not the same as back: the provider may wait for money, or fail later.
            Outcome::Done { amount, .. } if amount == refund.amount => {
                self.find_refund(&charge, &order.reference, refund.amount).await?.over()
            }
            Outcome::Done { id: refunded, amount, .. } => {
                tracing::error!(%id, refund = seq, refunded, %amount, ordered = %refund.amount,
                    "a refund has another amount than ordered: needs a person");
                None
            }
            // It may be the answer to a repetition, so it does not prove that nothing moved.
            Outcome::Refused { code, .. } => {
                match self.find_refund(&charge, &order.reference, refund.amount).await? {
                    Found::Nothing => Some(RefundOutcome::Failed(code)),
                    found => found.over(),
                }
            }
            Outcome::Unknown { why, .. } => {
                tracing::warn!(%id, refund = seq, why, "no definite answer about a refund");
                None
            }
        })
    }

    /// One of another amount than ordered is neither paid nor absent: a person must look.
    async fn find_refund(
        &self,
        charge: &str,
        reference: &str,
        ordered: Minor,
    ) -> Result<Found, MoneyError> {
        let Some(seen) = self.provider.find_refund(charge, reference).await? else {
            return Ok(Found::Nothing);
        };
        if seen.amount != ordered {
            tracing::error!(refund = seen.id, reference, amount = %seen.amount, %ordered,
                "a refund has another amount than ordered: needs a person");
            return Ok(Found::OnItsWay);
        }
        Ok(match seen.progress {
            RefundProgress::Pending => Found::OnItsWay,
            RefundProgress::Failed => Found::Over(RefundOutcome::Failed("refund_failed".into())),
            RefundProgress::Succeeded => Found::Over(RefundOutcome::Paid(seen.id)),
        })
    }

    fn record_refund(
        &self,
        id: CampaignId,
        seq: Seq,
        outcome: &RefundOutcome,
        now: i64,
    ) -> Result<(), MoneyError> {
        self.desk.command(id, now, |draft| {
            let known = draft.campaign().refunds().get(&seq);
            if known.is_some_and(|refund| refund.state == RefundState::Planned) {
                draft.record_refund(seq, outcome.clone())?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
