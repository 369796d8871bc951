//! Random operations on a store and on the model beside it.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::{CampaignId, CompositeKey, Fingerprint, Salt};
use sponsorhub_core::ledger::draft::Draft;
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::event::conversion::{
    ConversionAccepted, ConversionHeld, ConversionRejected, ConversionReversed, Taken,
};
use sponsorhub_core::ledger::kind::Body;
use sponsorhub_core::money::Minor;
use sponsorhub_core::refusal::Refusal;
use sponsorhub_store::store::ReversalRow;
use sponsorhub_store::{Reader, Store, Submission, Submitted};

use crate::model::{Event, Ledger, Model};
use crate::world::{DAY, Desk, T, campaign_id, enrollment_id, key, mixed, taken, terms};
use crate::{Backend, Clock, Sizes};

const CAMPAIGNS: u64 = 3;
const CREATORS: u64 = 4;
const STEPS: usize = 120;

/// How many random histories; each begins from its own seed.
pub(crate) fn cases() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let cases = std::env::var("SPONSORHUB_CASES");
    // The long run asks for as many as the properties of the core, which are cheaper.
    cases.ok().and_then(|cases| cases.parse().ok()).map_or(12, |cases: u64| cases.div_ceil(200))
}

pub(crate) fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let seed = std::env::var("SPONSORHUB_SEED");
    seed.ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

pub(crate) fn random_operations_agree_with_the_model_step_by_step<B: Backend>(backend: &B) {
    // All histories share a place: later ones find campaigns of the earlier ones around.
    for case in 0..cases() {
        let seed = seed().wrapping_mul(1_000_003) + case;
        eprintln!("SPONSORHUB_SEED of this history: {seed}");
        let clock = Clock::at(T);
        let history = History {
            rng: StdRng::seed_from_u64(seed),
            clock,
            model: Model::default(),
            events: Vec::new(),
            first: case * CAMPAIGNS,
            numbers: case << 32,
        };
        history.run(backend);
    }
}

struct History {
    rng: StdRng,
    clock: Clock,
    model: Model,
    /// Everything that was handed in, to be handed in again.
    events: Vec<Event>,
    first: u64,
    numbers: u64,
}

impl History {
    fn run<B: Backend>(mut self, backend: &B) {
        let mut store = backend.open(&self.clock, Sizes::SMALL);
        for number in 0..CAMPAIGNS {
            self.open(&store, campaign_id(self.first + number));
        }
        for step in 0..STEPS {
            self.clock.advance(self.rng.random_range(0..DAY / 4));
            match self.rng.random_range(0..100) {
                0..60 => self.take_in(&store),
                60..95 => self.command(&store),
                95..97 => {
                    drop(store);
                    store = backend.open(&self.clock, Sizes::SMALL);
                }
                _ => self.stale(&store),
            }
            if step % 20 == 19 {
                self.compare(&mut *store.reader().expect("a reader"));
            }
        }
        self.compare(&mut *store.reader().expect("a reader"));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn campaign(&mut self) -> CampaignId {
        campaign_id(self.first + self.rng.random_range(0..CAMPAIGNS))
    }

    fn open(&mut self, store: &impl Store, id: CampaignId) {
        let mut desk = Desk::new(id);
        let budget = self.rng.random_range(1_000..50_000);
        let draft = desk.opening(terms(budget), self.clock.now());
        desk.submit(store, draft);
        desk.fund(store, budget);
        desk.run(store, T + 20, |draft| {
            (0..CREATORS).try_for_each(|n| draft.enroll(enrollment_id(n), Offer::default()))?;
            draft.launch()
        })
        .expect("funded");
        // The model begins from what the store has: opening is tested elsewhere.
        let entries = store.reader().and_then(|mut reader| reader.entries(id, 1, usize::MAX));
        let ledger = Ledger::read(&entries.expect("readable"));
        self.model.ledgers.insert(id, ledger);
        self.clock.advance(2_000);
    }

    fn event(&mut self) -> Event {
        let number = self.number();
        let campaign =
            if self.rng.random_ratio(1, 50) { campaign_id(u64::MAX) } else { self.campaign() };
        let creators = if self.rng.random_ratio(1, 50) { 99 } else { CREATORS };
        let enrollment = enrollment_id(self.rng.random_range(0..creators));
        let now = self.clock.now();
        let back = self.rng.random_range(0..10 * DAY);
        let content =
            Taken { click_at: now - back, ..taken(number, self.rng.random_range(0..5_000)) };
        let body: Body = match self.rng.random_range(0..10) {
            0..5 => ConversionAccepted(content).into(),
            5 => ConversionHeld { deadline: now + DAY, taken: content }.into(),
            6 => ConversionRejected { reason: "declared_bot".into(), taken: content }.into(),
            _ => {
                let head = self.model.ledgers.get(&campaign).map_or(9, |l| l.state.head());
                ConversionReversed {
                    amount: Minor(self.rng.random_range(0..3_000)),
                    conversion: self.rng.random_range(0..head + 3),
                    fingerprint: content.fingerprint,
                    key: content.key,
                    occurred_at: now,
                }
                .into()
            }
        };
        let slots = self.rng.random_ratio(1, 3).then(|| {
            let click = self.rng.random_range(0..20);
            (0..2).map(|slot| CompositeKey(mixed("slot", click * 2 + slot))).collect()
        });
        Event { campaign, enrollment, body, salt: Salt(mixed("salt", number)), slots }
    }

    /// An event that was handed in before, sometimes with other content under its key.
    fn repeated(&mut self) -> Option<Event> {
        let mut event = self.events.choose(&mut self.rng)?.clone();
        if self.rng.random_ratio(1, 3)
            && let Body::ConversionAccepted(accepted) = &mut event.body
        {
            accepted.0.fingerprint = Fingerprint(mixed("other", 1));
        }
        Some(event)
    }

    fn take_in(&mut self, store: &impl Store) {
        let count = self.rng.random_range(1..12);
        let mut events = Vec::new();
        for _ in 0..count {
            let again = if self.rng.random_ratio(1, 4) { self.repeated() } else { None };
            let event = match again {
                Some(event) => event,
                None => self.event(),
            };
            events.push(event.clone());
            self.events.push(event);
        }
        let expected = self.model.take_in(&events, self.clock.now());
        let intakes = events.iter().map(Event::intake).collect();
        let outcomes = store.take_in_and_wait(intakes).expect("room").expect("a commit");
        assert_eq!(outcomes, expected);
    }

    fn draft(&mut self, id: CampaignId) -> Result<Draft, Refusal> {
        let new = enrollment_id(self.number());
        let ledger = &self.model.ledgers[&id];
        let mut draft = Draft::on(&ledger.state, self.clock.now());
        let some = enrollment_id(self.rng.random_range(0..CREATORS));
        match self.rng.random_range(0..20) {
            0..8 => draft.rollup(None).map(drop)?,
            8 => draft.pause(StateCause::Brand)?,
            9 | 10 => draft.resume()?,
            11 => draft.enroll(new, Offer::default())?,
            12 => draft.end_enrollment(some)?,
            13 => draft.plan_payouts(&|_| true, false).map(drop)?,
            14 if self.rng.random_ratio(1, 8) => draft.complete(StateCause::Brand)?,
            _ => draft.rollup(Some(ledger.state.head() / 2)).map(drop)?,
        }
        Ok(draft)
    }

    fn submission(&mut self, draft: &Draft) -> (Submission, Vec<Salt>) {
        let mut salts = Vec::new();
        let mut numbers = self.numbers;
        let submission = Submission::try_new(draft, || {
            numbers += 1;
            salts.push(Salt(mixed("salt", numbers)));
            *salts.last().expect("just pushed")
        });
        self.numbers = numbers;
        (submission.expect("a command's entries can be written"), salts)
    }

    fn command(&mut self, store: &impl Store) {
        let id = self.campaign();
        let Ok(draft) = self.draft(id) else { return };
        if draft.entries().is_empty() {
            return;
        }
        let (submission, salts) = self.submission(&draft);
        let submitted = store.submit_and_wait(submission).expect("room").expect("a commit");
        let ledger = self.model.ledgers.get_mut(&id).expect("one of ours");
        ledger.follow(&draft, &salts);
        let (first, last) = (draft.base() + 1, ledger.state.head());
        let (at, tree) = (draft.now(), ledger.tree());
        assert_eq!(submitted, Submitted::Appended { first, last, at, tree });
    }

    /// A command that was drafted before another one came.
    fn stale(&mut self, store: &impl Store) {
        let id = self.campaign();
        let (Ok(draft), Ok(_)) = (self.draft(id), self.draft(id)) else { return };
        if draft.entries().is_empty() {
            return;
        }
        self.command(store);
        let head = self.model.ledgers[&id].state.head();
        if self.model.ledgers[&id].command_seq <= draft.base() {
            return;
        }
        let (submission, _) = self.submission(&draft);
        let submitted = store.submit_and_wait(submission).expect("room").expect("an answer");
        assert_eq!(submitted, Submitted::Conflict { head });
    }

    /// Everything that can be read, against everything that the model knows.
    fn compare(&self, reader: &mut dyn Reader) {
        for (id, ledger) in &self.model.ledgers {
            let entries = reader.entries(*id, 1, usize::MAX).expect("readable");
            assert_eq!(entries, ledger.entries, "INV-7");
            let projections = reader.projections(*id).expect("readable").expect("known");
            assert_eq!(projections.head.tree, ledger.tree(), "INV-14");
            assert_eq!(projections.head.seq, ledger.state.head());
            assert_eq!(projections.head.command_seq, ledger.command_seq);
            assert_eq!(projections.head.terms_seq, 1, "nobody sets other terms here");
            assert_eq!(projections.head.gate, *ledger.state.gate());
            assert_eq!(projections.head.confirmed, ledger.state.confirmed_budget());
            let mut balances = projections.balances;
            balances.retain(|row| !row.debit.is_zero());
            assert_eq!(balances, ledger.balances(), "INV-10");
            let reversals =
                ledger.state.reversed().iter().map(|(conversion, reversed)| ReversalRow {
                    conversion: *conversion,
                    refunded: reversed.refunded,
                    is_whole: reversed.whole,
                });
            assert_eq!(projections.reversals, reversals.collect::<Vec<_>>());
            let ids: Vec<_> = projections.enrollments.iter().map(|e| (e.id, e.ended_at)).collect();
            let known = ledger.state.enrollments().iter().map(|e| (e.id, e.ended_at));
            assert_eq!(ids, known.collect::<Vec<_>>());
            for (key, (seq, _)) in &ledger.keys {
                assert_eq!(reader.find_by_key(*id, *key).expect("readable"), Some(*seq), "INV-4");
            }
            assert_eq!(reader.find_by_key(*id, key(u64::MAX)).expect("readable"), None);
        }
    }
}
