//! The money's trail: what the ledger says in the end, folded again from its entries, beside what the
//! sandbox says really moved.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sponsorhub_app::audit::{audit_campaign, strays};
use sponsorhub_app::what_if::Estimate;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::ledger::account::Account;
use sponsorhub_core::ledger::entry::Entry;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_store::{Reader, StoreError, open_read_only};

use super::story::{CREATORS, EXPECTED, Expected};
use crate::words::money;

/// Entries that are read at a time.
const PAGE: usize = 1_000;

/// What a creator got.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) creator: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) enrollment: String,
    pub(crate) amount: Minor,
    pub(crate) unclaimed: Minor,
}

/// What the ledger says.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    pub(crate) campaign: CampaignId,
    pub(crate) state: &'static str,
    pub(crate) creators: Vec<Paid>,
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    pub(crate) held: u64,
    pub(crate) rejected: u64,
    pub(crate) reversed: u64,
    pub(crate) amount: Minor,
    pub(crate) deposited: Minor,
    pub(crate) provider_fee: Minor,
    pub(crate) accrued: Minor,
    pub(crate) fees: Minor,
    pub(crate) paid: Minor,
    pub(crate) refunded: Minor,
    pub(crate) postings_sum: Minor,
    pub(crate) entries: u64,
    pub(crate) audit: Result<(), String>,
}

/// Reads and folds the ledger of a campaign, and audits it.
pub(crate) fn trail(directory: &Path, campaign: CampaignId) -> Result<Trail> {
    let open =
        || -> Result<Box<dyn Reader>, StoreError> { Ok(Box::new(open_read_only(directory)?)) };
    let mut reader = open()?;
    let mut counts = Counts::default();
    let mut folded: Option<Campaign> = None;
    loop {
        let from = folded.as_ref().map_or(1, |state| state.head() + 1);
        let page = reader.entries(campaign, from, PAGE)?;
        for bytes in &page {
            counts.follow(&mut folded, bytes)?;
        }
        if page.len() < PAGE {
            break;
        }
    }
    let state = folded.context("the campaign has no entries")?;
    let report = audit_campaign(&open, campaign, &mut |_| {})?;
    let audit = match (report.finding, strays(&open)?.into_iter().next()) {
        (Some(finding), _) => Err(finding.detail),
        (None, Some(stray)) => Err(stray),
        (None, None) => Ok(()),
    };
    let names = names(directory, campaign)?;
    let creators = state.enrollments().iter().map(|enrollment| {
        let no = state.enrollment_no(enrollment.id);
        let paid = state.payouts().values().filter(|payout| {
            Some(payout.enrollment) == no && payout.state == DisbursementState::Paid
        });
        let known = names.iter().find(|(id, ..)| *id == enrollment.id.to_string());
        Paid {
            creator: known.map(|(_, creator, _)| creator.clone()),
            name: known.and_then(|(.., name)| name.clone()),
            enrollment: enrollment.id.to_string(),
            amount: paid.map(|payout| payout.amount).sum(),
            unclaimed: enrollment.unclaimed_left,
        }
    });
    let creators: Vec<Paid> = creators.collect();
    let confirmed = state.deposits().values().filter(|d| d.is_confirmed() && !d.is_advance);
    let refunded = state
        .refunds()
        .values()
        .filter(|refund| refund.state == sponsorhub_core::ledger::records::RefundState::Paid);
    Ok(Trail {
        campaign,
        state: state.state().name(),
        paid: creators.iter().map(|creator| creator.amount).sum(),
        creators,
        received: counts.accepted + counts.held + counts.rejected,
        accepted: counts.accepted,
        held: counts.held,
        rejected: counts.rejected,
        reversed: counts.reversed,
        amount: counts.amount,
        deposited: confirmed.map(|deposit| deposit.amount).sum(),
        provider_fee: counts.provider_fee,
        accrued: counts.accrued,
        fees: state.balance(Account::PlatformFees),
        refunded: refunded.map(|refund| refund.amount).sum(),
        postings_sum: counts.postings_sum,
        entries: state.head(),
        audit,
    })
}

type Named = (String, String, Option<String>);

fn names(directory: &Path, campaign: CampaignId) -> Result<Vec<Named>> {
    use sponsorhub_store::RegistryReader as _;
    let mut registry = sponsorhub_store::sqlite::SqliteRegistryReader::open(directory)?;
    let mut names = Vec::new();
    for mapped in registry.enrollments(campaign)? {
        let Some(creator) = mapped.creator else { continue };
        let name = registry.creator(creator)?.and_then(|known| known.name).map(|name| name.0);
        names.push((mapped.enrollment.to_string(), creator.to_string(), name));
    }
    Ok(names)
}

/// What is counted entry by entry.
#[derive(Debug, Default)]
struct Counts {
    accepted: u64,
    held: u64,
    rejected: u64,
    reversed: u64,
    amount: Minor,
    accrued: Minor,
    provider_fee: Minor,
    postings_sum: Minor,
}

impl Counts {
    fn follow(&mut self, folded: &mut Option<Campaign>, bytes: &[u8]) -> Result<()> {
        let entry = Entry::decode(bytes)?;
        let Some(state) = folded else {
            *folded = Some(Campaign::open(&entry)?);
            return Ok(());
        };
        match &entry.body {
            Body::ConversionAccepted(taken) => {
                self.accepted += 1;
                self.amount += taken.0.amount;
            }
            Body::ConversionHeld(held) => {
                self.held += 1;
                self.amount += held.taken.amount;
            }
            Body::ConversionRejected(_) => self.rejected += 1,
            Body::ConversionReversed(_) => self.reversed += 1,
            Body::DepositSettled(settled) => self.provider_fee += settled.fee,
            _ => {}
        }
        let postings = state.apply(&entry)?;
        self.postings_sum += Account::ALL.into_iter().map(|account| postings.change(account)).sum();
        // A hold keeps the platform's fee with the commission; its end tells them apart.
        if matches!(
            entry.body,
            Body::RollupAccrued(_)
                | Body::RollupClosed(_)
                | Body::BaseEarned(_)
                | Body::HoldPlaced(_)
                | Body::HoldReleased(_)
                | Body::HoldUpheld(_)
        ) {
            self.accrued -= postings.change(Account::Payable) + postings.change(Account::Held);
        }
        Ok(())
    }
}

impl Trail {
    /// The object that `demo --once --json` prints.
    pub(crate) fn to_json(&self) -> Value {
        let creators = self.creators.iter().map(|creator| {
            json!({
                "id": creator.creator,
                "name": creator.name,
                "enrollment": creator.enrollment,
                "paid_minor": creator.amount.0,
                "unclaimed_minor": creator.unclaimed.0,
            })
        });
        json!({
            "campaign": { "id": self.campaign.to_string(), "state": self.state },
            "creators": creators.collect::<Vec<_>>(),
            "conversions": {
                "received": self.received,
                "accepted": self.accepted,
                "held": self.held,
                "rejected": self.rejected,
                "reversed": self.reversed,
                "amount_minor": self.amount.0,
            },
            "deposited_minor": self.deposited.0,
            "provider_fees_minor": self.provider_fee.0,
            "accrued_minor": self.accrued.0,
            "fees_minor": self.fees.0,
            "paid_minor": self.paid.0,
            "refunded_minor": self.refunded.0,
            "postings_sum": self.postings_sum.0,
            "entries": self.entries,
            "audit": match &self.audit {
                Ok(()) => "passed".to_owned(),
                Err(what) => format!("failed: {what}"),
            },
        })
    }

    /// For people.
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let line = |out: &mut dyn Write, what: &str, amount: Minor| {
            writeln!(out, "  {what:<34} {:>14}", usd(amount))
        };
        writeln!(out, "campaign {} is {}", self.campaign, self.state)?;
        line(out, "paid in by the brand", self.deposited)?;
        line(out, "kept by the payment provider", self.provider_fee)?;
        line(out, "platform fees", self.fees)?;
        for creator in &self.creators {
            let name = creator.name.as_deref().unwrap_or(&creator.enrollment);
            let part = CREATORS.iter().find(|known| known.name == name).map_or("", |it| it.part);
            let what = format!("paid to {name}");
            writeln!(out, "  {what:<34} {:>14}  {part}", usd(creator.amount))?;
        }
        line(out, "refunded to the brand", self.refunded)?;
        let left = self.deposited - self.provider_fee - self.fees - self.paid - self.refunded;
        line(out, "left over", left)?;
        writeln!(
            out,
            "{} conversions ({} accepted, {} held, {} rejected), {} reversed, of {} in orders",
            self.received,
            self.accepted,
            self.held,
            self.rejected,
            self.reversed,
            usd(self.amount),
        )?;
        let verdict = match &self.audit {
            Ok(()) => "audit passed".to_owned(),
            Err(what) => format!("AUDIT FAILED: {what}"),
        };
        writeln!(
            out,
            "{} entries, postings sum to {}; {verdict}",
            self.entries, self.postings_sum.0
        )
    }

    /// Compares with the story's table.
    ///
    /// # Errors
    /// Says which figure is another.
    pub(crate) fn check_story(&self) -> Result<()> {
        for creator in &CREATORS {
            let named = |paid: &&Paid| paid.name.as_deref() == Some(creator.name);
            let paid = self.creators.iter().find(named).map_or(Minor::ZERO, |paid| paid.amount);
            let (name, expected) = (creator.name, creator.paid);
            ensure!(paid.0 == expected, "{name} was paid {paid}, not {expected}");
        }
        let seen = Expected {
            deposited: self.deposited.0,
            provider_fee: self.provider_fee.0,
            accrued: self.accrued.0,
            fees: self.fees.0,
            paid: self.paid.0,
            refunded: self.refunded.0,
            received: self.received,
            held: self.held,
            reversed: self.reversed,
            amount: self.amount.0,
        };
        ensure!(seen == EXPECTED, "the figures are {seen:?}, not {EXPECTED:?}");
        self.check_end()
    }

    /// Compares with what the fold alone makes of the same orders.
    ///
    /// # Errors
    /// Says which figure is another.
    pub(crate) fn check_replay(&self, expected: &Estimate) -> Result<()> {
        let paid: Vec<Minor> = self.creators.iter().map(|creator| creator.amount).collect();
        let earned: Vec<Minor> =
            expected.creators.iter().map(|share| share.commission + share.base).collect();
        ensure!(paid == earned, "creators were paid {paid:?}, not {earned:?}");
        let seen = (self.received, self.accepted, self.reversed, self.amount, self.fees);
        let orders = expected.orders;
        let wanted = (orders, orders, expected.reversed, expected.amount, expected.fees);
        ensure!(seen == wanted, "the figures are {seen:?}, not {wanted:?}");
        self.check_end()
    }

    /// Whatever was played.
    fn check_end(&self) -> Result<()> {
        let spent = self.provider_fee + self.fees + self.paid + self.refunded;
        ensure!(self.deposited == spent, "{} came in and {spent} went out", self.deposited);
        ensure!(self.state == "paid_out", "the campaign is {}, not paid_out", self.state);
        ensure!(self.postings_sum.is_zero(), "postings sum to {}", self.postings_sum);
        if let Err(what) = &self.audit {
            anyhow::bail!("the audit failed: {what}");
        }
        Ok(())
    }
}

/// An amount of a demo's currency.
pub(crate) fn usd(amount: Minor) -> String {
    money(amount, Currency::Usd)
}
