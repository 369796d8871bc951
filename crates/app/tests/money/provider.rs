//! A payment provider that answers as it is told, and counts what really moved.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use sponsorhub_app::ports::payment::{
    BankPayout, Checkout, CheckoutOrder, EventPage, OnboardingAddresses, OnboardingUrl, Payment,
    PaymentOf, ProviderBalance, Recipient, RecipientOrder, RefundOrder, RefundProgress, RefundSeen,
    Reply, Transfer, TransferOrder,
};
use sponsorhub_app::ports::{Later, Outcome, PaymentProvider, ProviderError};
use sponsorhub_core::ids::{CampaignId, CreatorId};
use sponsorhub_core::money::Minor;

/// How a transfer or refund goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Done and answered; a key that was seen is answered as before.
    Well,
    /// Done, and the answer is lost.
    DoneUnheard,
    /// Not done, and nothing is heard.
    NotDoneUnheard,
    /// Refused at the door: nothing is done, and nothing is kept under its key.
    RateLimited,
    /// A definite no.
    Refused,
    /// A definite no, though an earlier sending of it has just been done.
    RefusedLate,
    /// Another amount than ordered moves.
    OtherAmount,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) payments: BTreeMap<String, Payment>,
    pub(crate) recipients: BTreeMap<String, Recipient>,
    /// What moved, by key; keys can be forgotten.
    pub(crate) transfers: Vec<(String, TransferOrder, Minor)>,
    pub(crate) forgotten: usize,
    /// Ids of transfers that were reversed whole.
    pub(crate) came_back: Vec<String>,
    /// What came back of all others.
    pub(crate) part_back: Minor,
    pub(crate) refunds: Vec<RefundOrder>,
    /// Every order of a refund that came, whatever became of it.
    pub(crate) refund_orders: Vec<RefundOrder>,
    /// Refunds wait for money, and their keys are forgotten meanwhile.
    pub(crate) are_refunds_pending: bool,
    /// Every order of a transfer that came, whatever became of it.
    pub(crate) ordered: Vec<TransferOrder>,
    /// What lies with the provider; nothing is known without one.
    pub(crate) balance: Option<ProviderBalance>,
    pub(crate) pays_itself_out: bool,
    pub(crate) script: VecDeque<Goes>,
    pub(crate) calls: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Scripted(pub(crate) Mutex<World>);

impl Scripted {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.0.lock().expect("not poisoned"))
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Later<'a, T> {
    Box::pin(std::future::ready(value))
}

fn unknown() -> Outcome {
    Outcome::Unknown { why: "no answer".to_owned(), request: None }
}

fn rate_limited() -> Outcome {
    Outcome::Unknown { why: "status 429, rate_limit".to_owned(), request: None }
}

fn refused() -> Outcome {
    let (code, message) = ("balance_insufficient".to_owned(), "no".to_owned());
    Outcome::Refused { code, message, request: None }
}

impl World {
    fn transfer(&mut self, order: &TransferOrder) -> Outcome {
        self.calls.push(format!("transfer {}", order.key));
        self.ordered.push(order.clone());
        let goes = self.script.pop_front().unwrap_or(Goes::Well);
        let seen = self.transfers.iter().skip(self.forgotten).find(|(key, ..)| *key == order.key);
        if let (Some((id, _, amount)), true) =
            (seen, matches!(goes, Goes::Well | Goes::OtherAmount))
        {
            return Outcome::Done {
                id: format!("tr_{id}"),
                amount: *amount,
                request: Some("req_yes".to_owned()),
            };
        }
        let amount = match goes {
            Goes::NotDoneUnheard => return unknown(),
            Goes::RateLimited => return rate_limited(),
            Goes::Refused => return refused(),
            Goes::RefusedLate => {
                self.transfers.push((order.key.clone(), order.clone(), order.amount));
                return refused();
            }
            Goes::OtherAmount => order.amount + Minor(1),
            Goes::Well | Goes::DoneUnheard => order.amount,
        };
        self.transfers.push((order.key.clone(), order.clone(), amount));
        if goes == Goes::DoneUnheard {
            return unknown();
        }
        Outcome::Done {
            id: format!("tr_{}", order.key),
            amount,
            request: Some("req_yes".to_owned()),
        }
    }

    /// Transfers, and what came back of them.
    fn seen(&self, is_meant: impl Fn(&TransferOrder, &str) -> bool) -> Vec<Transfer> {
        let shown = self.transfers.iter().map(|(key, order, amount)| {
            let id = format!("tr_{key}");
            let is_back = self.came_back.contains(&id);
            let reversed = if is_back { *amount } else { self.part_back };
            let (payout, currency) = (Some(order.payout.clone()), "usd".to_owned());
            (order, Transfer { id, payout, amount: *amount, reversed, currency, created_at: 0 })
        });
        let meant = shown.filter(|(order, seen)| is_meant(order, &seen.id));
        meant.map(|(_, seen)| seen).collect()
    }

    fn refund(&mut self, order: &RefundOrder) -> Outcome {
        self.calls.push(format!("refund {}", order.key));
        self.refund_orders.push(order.clone());
        let goes = self.script.pop_front().unwrap_or(Goes::Well);
        let is_seen = self.refunds.iter().any(|seen| seen.key == order.key);
        let is_seen = is_seen && !self.are_refunds_pending;
        match goes {
            Goes::NotDoneUnheard => return unknown(),
            Goes::RateLimited => return rate_limited(),
            Goes::Refused => return refused(),
            Goes::RefusedLate => {
                self.refunds.push(order.clone());
                return refused();
            }
            _ if is_seen => {}
            Goes::OtherAmount => {
                let amount = order.amount - Minor(1);
                self.refunds.push(RefundOrder { amount, ..order.clone() });
            }
            _ => self.refunds.push(order.clone()),
        }
        if goes == Goes::DoneUnheard {
            return unknown();
        }
        let amount = self.refunds.last().map_or(order.amount, |done| done.amount);
        Outcome::Done {
            id: format!("re_{}", order.key),
            amount,
            request: Some("req_yes".to_owned()),
        }
    }
}

impl PaymentProvider for Scripted {
    fn open_checkout<'a>(&'a self, order: &'a CheckoutOrder) -> Reply<'a, Checkout> {
        let session = format!("cs_{}", order.key);
        let url = format!("http://pay.example/{session}");
        ready(Ok(Checkout { session, url, expires_at: 0 }))
    }

    fn expire_checkout<'a>(&'a self, session: &'a str) -> Reply<'a, ()> {
        self.with(|world| {
            if let Some(payment) = world.payments.get_mut(session) {
                payment.is_failed |= !payment.is_paid;
            }
        });
        ready(Ok(()))
    }

    fn payment<'a>(&'a self, of: PaymentOf<'a>) -> Reply<'a, Option<Payment>> {
        ready(Ok(self.with(|world| match of {
            PaymentOf::Session(session) => world.payments.get(session).cloned(),
            PaymentOf::Payment(id) => {
                let is_it = |payment: &&Payment| payment.payment.as_deref() == Some(id);
                world.payments.values().find(is_it).cloned()
            }
        })))
    }

    fn create_recipient<'a>(&'a self, order: &'a RecipientOrder) -> Reply<'a, String> {
        let id = format!("acct_{}", order.creator);
        let recipient = recipient(&id, order.creator);
        self.with(|world| world.recipients.insert(id.clone(), recipient));
        ready(Ok(id))
    }

    fn onboarding_link<'a>(
        &'a self,
        recipient: &'a str,
        _: &'a OnboardingAddresses,
    ) -> Reply<'a, OnboardingUrl> {
        ready(Ok(OnboardingUrl(format!("http://pay.example/{recipient}"))))
    }

    fn recipient<'a>(&'a self, recipient: &'a str) -> Reply<'a, Option<Recipient>> {
        ready(Ok(self.with(|world| world.recipients.get(recipient).cloned())))
    }

    fn transfer<'a>(&'a self, order: &'a TransferOrder) -> Later<'a, Outcome> {
        ready(self.with(|world| world.transfer(order)))
    }

    fn find_transfer<'a>(
        &'a self,
        _: CampaignId,
        recipient: &'a str,
        payout: &'a str,
    ) -> Reply<'a, Option<Transfer>> {
        ready(Ok(self.with(|world| {
            world.calls.push(format!("find {payout}"));
            world.seen(|order, _| order.recipient == recipient && order.payout == payout).pop()
        })))
    }

    fn transfer_seen<'a>(&'a self, transfer: &'a str) -> Reply<'a, Option<Transfer>> {
        ready(Ok(self.with(|world| world.seen(|_, id| id == transfer).pop())))
    }

    fn transfers_of(&self, group: CampaignId) -> Reply<'_, Vec<Transfer>> {
        ready(Ok(self.with(|world| world.seen(|order, _| order.group == group))))
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> Later<'a, Outcome> {
        ready(self.with(|world| world.refund(order)))
    }

    fn find_refund<'a>(
        &'a self,
        charge: &'a str,
        reference: &'a str,
    ) -> Reply<'a, Option<RefundSeen>> {
        ready(Ok(self.with(|world| {
            let is_it =
                |order: &&RefundOrder| order.charge == charge && order.reference == reference;
            world.refunds.iter().find(is_it).map(|order| RefundSeen {
                id: format!("re_{}", order.key),
                reference: Some(order.reference.clone()),
                created_at: 0,
                amount: order.amount,
                currency: "usd".to_owned(),
                progress: if world.are_refunds_pending {
                    RefundProgress::Pending
                } else {
                    RefundProgress::Succeeded
                },
            })
        })))
    }

    fn balance(&self) -> Reply<'_, Vec<ProviderBalance>> {
        let why = || ProviderError::Unavailable { why: "no answer".to_owned(), request: None };
        ready(self.with(|world| world.balance.map(|balance| vec![balance]).ok_or_else(why)))
    }

    fn automatic_payouts(&self) -> Reply<'_, Option<String>> {
        ready(Ok(self.with(|world| world.pays_itself_out.then(|| "daily".to_owned()))))
    }

    fn bank_payouts<'a>(&'a self, _: &'a str) -> Reply<'a, Vec<BankPayout>> {
        ready(Ok(Vec::new()))
    }

    fn events_after<'a>(&'a self, cursor: Option<&'a str>) -> Reply<'a, EventPage> {
        let cursor = cursor.map(str::to_owned);
        ready(Ok(EventPage { events: Vec::new(), cursor, has_more: false }))
    }
}

fn recipient(id: &str, creator: CreatorId) -> Recipient {
    Recipient {
        id: id.to_owned(),
        creator: Some(creator),
        may_receive_transfers: false,
        payouts_enabled: false,
        requirements: Vec::new(),
        deadline: None,
        disabled_reason: None,
    }
}
