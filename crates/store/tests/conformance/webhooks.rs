//! Endpoints and deliveries: changes that meet each other, and the model that says what must come of
//! them.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{CampaignId, Seq, WebhookId};
use sponsorhub_store::registry::{
    Delivery, DeliveryState, Disabled, Party, Told, Webhook, WebhookChange,
};
use sponsorhub_store::{RegistryReader, Rule};

use crate::registry::Dice;
use crate::registry_model::check;
use crate::world::{DAY, T, mixed};

fn id(dice: &mut Dice) -> WebhookId {
    WebhookId(mixed("webhook", dice.first() + dice.below(3)))
}

fn disabled(dice: &mut Dice, at: i64) -> Option<Disabled> {
    (dice.below(4) == 0).then(|| Disabled { at, why: dice.word() })
}

fn webhook(dice: &mut Dice, created_at: i64) -> Webhook {
    let is_brand = dice.below(2) == 0;
    Webhook {
        id: id(dice),
        owner: if is_brand { Party::Brand(dice.brand()) } else { Party::Creator(dice.creator()) },
        url: dice.word(),
        kinds: (0..dice.below(3)).map(|_| dice.word()).collect(),
        key_id: 1,
        version: 1,
        old: None,
        rotation: None,
        created_at,
        failing_since: None,
        disabled: None,
    }
}

/// Picks one of these changes.
pub(crate) fn change(dice: &mut Dice, at: i64) -> WebhookChange {
    let id = id(dice);
    match dice.below(12) {
        0 | 1 => {
            let from = (dice.below(2) == 0).then(|| (dice.campaign(), dice.below(5)));
            WebhookChange::Add { webhook: webhook(dice, at), from: from.into_iter().collect() }
        }
        2 => WebhookChange::Edit { id, url: dice.word(), kinds: vec![dice.word()] },
        3 => WebhookChange::Switch { id, disabled: disabled(dice, at) },
        4 => {
            let rotation = mixed("rotation", dice.below(3));
            WebhookChange::Rotate { id, key_id: 2, rotation, old_until: at }
        }
        5 if dice.below(3) == 0 => WebhookChange::Remove { id },
        5..=7 => {
            let (campaign, upto) = (dice.campaign(), dice.below(40));
            // Above what was planned before, as whoever reads a ledger plans.
            let few = dice.below(3);
            let events = (0..few).map(|n| (upto * 10 + n, dice.word())).collect();
            let upto = upto * 10 + 9;
            WebhookChange::Plan { id, campaign, upto, events, at }
        }
        8 => WebhookChange::PlanTest { id, kind: dice.word(), at },
        9 | 10 => {
            let state = match dice.below(3) {
                0 => DeliveryState::Waiting(dice.time()),
                1 => DeliveryState::Delivered,
                _ => DeliveryState::GivenUp,
            };
            let (no, answer, disabled) = (1 + dice.below(20), dice.word(), disabled(dice, at));
            WebhookChange::NoteSent { id, no, at, answer, state, disabled }
        }
        _ => WebhookChange::Replay { id, no: 1 + dice.below(20), at },
    }
}

/// An endpoint with its deliveries.
#[derive(Debug)]
struct Known {
    webhook: Webhook,
    told: BTreeMap<CampaignId, Seq>,
    deliveries: BTreeMap<u64, Delivery>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    all: BTreeMap<WebhookId, Known>,
}

impl Model {
    pub(crate) fn forget(&mut self, owner: Party) {
        self.all.retain(|_, known| known.webhook.owner != owner);
    }

    fn known(&mut self, id: WebhookId) -> Result<&mut Known, Rule> {
        self.all.get_mut(&id).ok_or(Rule::WebhookKnown)
    }

    pub(crate) fn apply(
        &mut self,
        change: &WebhookChange,
        may_own: impl Fn(Party) -> Result<(), Rule>,
    ) -> Result<(), Rule> {
        match change {
            WebhookChange::Add { webhook, from } => {
                may_own(webhook.owner)?;
                check(!self.all.contains_key(&webhook.id), Rule::WebhookUnique)?;
                let (told, deliveries) = (from.iter().copied().collect(), BTreeMap::new());
                let known = Known { webhook: webhook.clone(), told, deliveries };
                self.all.insert(webhook.id, known);
            }
            WebhookChange::Edit { id, url, kinds } => {
                let known = self.known(*id)?;
                known.webhook.url.clone_from(url);
                known.webhook.kinds.clone_from(kinds);
            }
            WebhookChange::Switch { id, disabled } => {
                let webhook = &mut self.known(*id)?.webhook;
                webhook.disabled.clone_from(disabled);
                if disabled.is_none() {
                    webhook.failing_since = None;
                }
            }
            WebhookChange::Rotate { id, key_id, rotation, old_until } => {
                let webhook = &mut self.known(*id)?.webhook;
                if webhook.rotation != Some(*rotation) {
                    webhook.rotation = Some(*rotation);
                    webhook.old = Some((webhook.key_id, *old_until));
                    (webhook.key_id, webhook.version) = (*key_id, webhook.version + 1);
                }
            }
            WebhookChange::Remove { id } => {
                self.known(*id)?;
                self.all.remove(id);
            }
            other => self.apply_to_deliveries(other)?,
        }
        Ok(())
    }

    fn apply_to_deliveries(&mut self, change: &WebhookChange) -> Result<(), Rule> {
        match change {
            WebhookChange::Plan { id, campaign, upto, events, at } => {
                let known = self.known(*id)?;
                let before = known.told.get(campaign);
                check(before.is_none_or(|before| before < upto), Rule::ToldMovesOn)?;
                known.told.insert(*campaign, *upto);
                for (seq, kind) in events {
                    known.plan(Some((*campaign, *seq)), kind, *at);
                }
            }
            WebhookChange::PlanTest { id, kind, at } => {
                self.known(*id)?.plan(None, kind, *at);
            }
            WebhookChange::NoteSent { id, no, at, answer, state, disabled } => {
                let known = self.all.get_mut(id).ok_or(Rule::DeliveryWaits)?;
                let delivery = known.deliveries.get_mut(no).ok_or(Rule::DeliveryWaits)?;
                let waits = matches!(delivery.state, DeliveryState::Waiting(_));
                check(waits, Rule::DeliveryWaits)?;
                delivery.attempts += 1;
                (delivery.state, delivery.last) = (*state, Some((*at, answer.clone())));
                let webhook = &mut known.webhook;
                let failed = (*state != DeliveryState::Delivered).then_some(*at);
                webhook.failing_since = failed.map(|at| webhook.failing_since.unwrap_or(at));
                webhook.disabled = webhook.disabled.take().or_else(|| disabled.clone());
            }
            WebhookChange::Replay { id, no, at } => {
                let known = self.all.get_mut(id).ok_or(Rule::DeliveryKnown)?;
                let delivery = known.deliveries.get_mut(no).ok_or(Rule::DeliveryKnown)?;
                (delivery.state, delivery.attempts) = (DeliveryState::Waiting(*at), 0);
            }
            _ => {}
        }
        Ok(())
    }

    /// Everything that a reader can say of these, compared with the model.
    pub(crate) fn compare(&self, reader: &mut dyn RegistryReader) {
        let mut all: Vec<_> = self.all.values().map(|known| &known.webhook).collect();
        all.sort_by_key(|webhook| (webhook.created_at, webhook.id));
        let active = all.iter().copied().filter(|webhook| webhook.disabled.is_none());
        assert!(reader.active_webhooks().expect("reads").iter().eq(active));
        for webhook in &all {
            let theirs = all.iter().copied().filter(|other| other.owner == webhook.owner);
            assert!(reader.webhooks(webhook.owner).expect("reads").iter().eq(theirs));
        }
        let mut by_id: Vec<_> = all.iter().map(|webhook| webhook.id).collect();
        by_id.sort_unstable();
        let found = reader.all_webhooks(None, usize::MAX).expect("reads");
        assert!(found.iter().map(|webhook| webhook.id).eq(by_id.iter().copied()));
        if let Some(first) = found.first() {
            let next = reader.all_webhooks(Some(first.id), 2).expect("reads");
            assert_eq!(next.as_slice(), &found[1..found.len().min(3)]);
        }
        for (id, known) in &self.all {
            assert_eq!(reader.webhook(*id).expect("reads").as_ref(), Some(&known.webhook));
            known.compare(reader);
        }
        let nobody = WebhookId([9; 16]);
        assert_eq!(reader.webhook(nobody).expect("reads"), None);
        assert_eq!(reader.due_delivery(nobody, i64::MAX).expect("reads"), None);
    }
}

impl Known {
    fn plan(&mut self, entry: Option<(CampaignId, Seq)>, kind: &str, created_at: i64) {
        let (kind, state) = (kind.to_owned(), DeliveryState::Waiting(created_at));
        let delivery = Delivery { entry, kind, created_at, state, attempts: 0, last: None };
        let no = self.deliveries.last_key_value().map_or(1, |(no, _)| no + 1);
        self.deliveries.insert(no, delivery);
    }

    fn waiting(&self) -> impl Iterator<Item = (i64, u64, &Delivery)> {
        self.deliveries.iter().filter_map(|(no, delivery)| match delivery.state {
            DeliveryState::Waiting(due) => Some((due, *no, delivery)),
            DeliveryState::Delivered | DeliveryState::GivenUp => None,
        })
    }

    fn compare(&self, reader: &mut dyn RegistryReader) {
        let id = self.webhook.id;
        let told = self.told.iter().map(|(campaign, seq)| {
            let of = |delivery: &Delivery| delivery.entry.is_some_and(|(of, _)| of == *campaign);
            let waiting = self.waiting().filter(|(.., delivery)| of(delivery)).count();
            Told { campaign: *campaign, seq: *seq, waiting: waiting.try_into().expect("few") }
        });
        assert_eq!(reader.told(id).expect("reads"), told.collect::<Vec<_>>());
        let newest: Vec<_> = self.deliveries.iter().rev().map(|(no, d)| (*no, d.clone())).collect();
        assert_eq!(reader.deliveries(id, None, usize::MAX).expect("reads"), newest);
        if let Some((no, _)) = newest.first() {
            let next = reader.deliveries(id, Some(*no), 2).expect("reads");
            assert_eq!(next, newest[1..newest.len().min(3)]);
        }
        for now in [T, T + DAY, T + 3 * DAY] {
            let is_first = |one: &Delivery| {
                let Some((campaign, seq)) = one.entry else { return true };
                let earlier = |other: &Delivery| {
                    other.entry.is_some_and(|(of, at)| of == campaign && at < seq)
                };
                !self.waiting().any(|(.., other)| earlier(other))
            };
            let due = self.waiting().filter(|(due, _, one)| *due <= now && is_first(one));
            let due = due.min_by_key(|(due, no, _)| (*due, *no));
            let due = due.map(|(_, no, delivery)| (no, delivery.clone()));
            assert_eq!(reader.due_delivery(id, now).expect("reads"), due);
        }
    }
}
