//! What is known of the payment provider and of the API's users: changes that meet each other, and
//! the model that says what must come of them.

use std::collections::BTreeMap;

use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::registry::{
    Access, ApiChange, ApiRequest, Decider, Endpoint, EventState, Exchange, Exchanged, KeptEvent,
    PausedJob, ProviderChange, Recipient, User, UserChange,
};
use sponsorhub_store::{Change, RegistryReader, Rule};

use crate::registry::Dice;
use crate::registry_model::check;
use crate::webhooks;
use crate::world::{DAY, T, mixed};

/// Picks one of these changes.
pub(crate) fn change(dice: &mut Dice) -> Change {
    let at = dice.time();
    match dice.below(50) {
        0 | 1 => Change::Provider(ProviderChange::KeepRecipient(recipient(dice, at))),
        2 => Change::Provider(ProviderChange::NoteRecipient {
            account: dice.word(),
            may_receive: dice.below(2) == 0,
            payouts_enabled: dice.below(2) == 0,
            at,
        }),
        3 => Change::Provider(ProviderChange::KeepEvent(event(dice, at))),
        4 => {
            let (id, retry_at, why) = (event_id(dice), dice.time(), dice.word());
            Change::Provider(ProviderChange::RetryEvent { id, retry_at, why })
        }
        5 => {
            let (id, outcome) = (event_id(dice), dice.word());
            Change::Provider(ProviderChange::FinishEvent { id, at, outcome })
        }
        6 => Change::Provider(ProviderChange::KeepCursor { cursor: dice.word(), at }),
        7 => exchange(dice, at),
        8 | 25 | 26 => Change::Api(ApiChange::KeepUser(user(dice, at))),
        9 | 27..=29 | 40..=44 => {
            let role = ["viewer", "member", "owner", "creator", "admin"]
                [usize::try_from(dice.below(5)).expect("few")];
            // Often the same user, and a word that is the last of all, so that decisions meet.
            let subject = if dice.below(2) == 0 { dice.word() } else { dice.first_word() };
            let role = role.to_owned();
            let at = if dice.below(2) == 0 { T + 3 * DAY } else { at };
            let suspended_at = Some(at).filter(|_| dice.below(2) == 0);
            let keeps_an_owner = dice.below(4) > 0;
            let by = [Decider::Team, Decider::Operator, Decider::Machine]
                [usize::try_from(dice.below(3)).expect("few")];
            let change = UserChange { subject, role, suspended_at, at, keeps_an_owner, by };
            Change::Api(ApiChange::ChangeUser(change))
        }
        10 | 23 | 24 => request(dice, at),
        11 => access(dice, at),
        30 | 31 => {
            let organisation = Some(dice.word()).filter(|_| dice.below(2) == 0);
            Change::Api(ApiChange::NoteDeparture { subject: dice.word(), organisation, at })
        }
        32..=35 => {
            let issued_at = dice.time();
            let name = dice.word();
            Change::Api(ApiChange::Admit { user: user(dice, at), name, issued_at })
        }
        36 => {
            let paused = PausedJob { job: dice.word(), since: at, subject: dice.word() };
            Change::Api(ApiChange::PauseJob(paused))
        }
        37 => Change::Api(ApiChange::ResumeJob { job: dice.word() }),
        38 => Change::Provider(ProviderChange::HurryEvent { id: event_id(dice), at }),
        12 => {
            let (subject, key) = (dice.word(), dice.word());
            let (status, body) = ([200, 409][usize::from(at % 2 == 0)], dice.word().into_bytes());
            Change::Api(ApiChange::EndRequest { subject, key, status, body, at })
        }
        _ => Change::Webhook(webhooks::change(dice, at)),
    }
}

/// What was sent to the provider.
fn exchange(dice: &mut Dice, at: i64) -> Change {
    let outcome = Exchanged::ALL[usize::try_from(dice.below(3)).expect("few")];
    let (campaign, planned) = (dice.campaign(), dice.below(9));
    let (key, requests) = (dice.word(), dice.word());
    let exchange = Exchange { campaign, planned, key, at, outcome, requests };
    Change::Provider(ProviderChange::KeepExchange(exchange))
}

fn request(dice: &mut Dice, at: i64) -> Change {
    let fingerprint = [mixed("asked", dice.below(3)); 2].concat();
    Change::Api(ApiChange::BeginRequest(ApiRequest {
        subject: dice.word(),
        key: dice.word(),
        fingerprint: fingerprint.try_into().expect("32 bytes"),
        seed: mixed("seed", dice.below(3)),
        created_at: at,
        answer: None,
    }))
}

fn access(dice: &mut Dice, at: i64) -> Change {
    Change::Api(ApiChange::NoteAccess(Access {
        at,
        subject: dice.word(),
        role: dice.word(),
        session: Some(dice.word()).filter(|_| dice.below(2) == 0),
        method: dice.word(),
        path: dice.word(),
        status: 200,
        network: [7; 8],
        count: u32::try_from(1 + dice.below(9)).expect("few"),
    }))
}

fn user(dice: &mut Dice, at: i64) -> User {
    let role = ["viewer", "member", "owner", "creator", "admin"]
        [usize::try_from(dice.below(5)).expect("few")];
    let party = mixed("party", dice.first() + dice.below(4));
    let party = Some(party).filter(|_| role != "admin");
    let organisation = Some(dice.word()).filter(|_| dice.below(2) == 0);
    let subject = if dice.below(2) == 0 { dice.word() } else { dice.first_word() };
    let role = role.to_owned();
    let (created_at, changed_at, suspended_at) = (at, at, None);
    let suspended_by_operator = false;
    User {
        subject,
        role,
        party,
        organisation,
        created_at,
        changed_at,
        suspended_at,
        suspended_by_operator,
    }
}

fn recipient(dice: &mut Dice, created_at: i64) -> Recipient {
    Recipient {
        creator: dice.creator(),
        account: dice.word(),
        may_receive: dice.below(2) == 0,
        payouts_enabled: dice.below(2) == 0,
        created_at,
        checked_at: created_at,
    }
}

fn event_id(dice: &mut Dice) -> String {
    let (of, number) = (dice.word(), dice.below(3));
    format!("{of}-{number}")
}

fn event(dice: &mut Dice, created_at: i64) -> KeptEvent {
    KeptEvent {
        id: event_id(dice),
        endpoint: Endpoint::ALL[usize::try_from(dice.below(3)).expect("few")],
        kind: dice.word(),
        created_at,
        received_at: dice.time(),
        recipient: (dice.below(2) == 0).then(|| dice.word()),
        object: (dice.below(2) == 0).then(|| dice.word()),
        payment: (dice.below(2) == 0).then(|| dice.word()),
        raw: dice.word().into_bytes(),
        tries: 0,
    }
}

/// An event, and how it stands.
type Heard = (KeptEvent, EventState);

#[derive(Debug, Default)]
pub(crate) struct Model {
    recipients: Vec<Recipient>,
    events: BTreeMap<String, Heard>,
    exchanges: Vec<Exchange>,
    cursor: Option<String>,
    users: Vec<User>,
    accesses: Vec<Access>,
    departures: Vec<(String, Option<String>, i64)>,
    paused: BTreeMap<String, PausedJob>,
    requests: BTreeMap<(String, String), ApiRequest>,
    pub(crate) webhooks: webhooks::Model,
}

impl Model {
    /// A creator is erased.
    pub(crate) fn forget(&mut self, creator: CreatorId) {
        self.recipients.retain(|known| known.creator != creator);
        self.empty_answers(|user| user.role == "creator" && user.party == Some(creator.0));
    }

    /// A brand has another name; the one before is in no answer any more.
    pub(crate) fn rename(&mut self, brand: BrandId) {
        self.empty_answers(|user| user.role == "admin" || user.party == Some(brand.0));
    }

    fn empty_answers(&mut self, is_meant: impl Fn(&User) -> bool) {
        let users = self.users.iter().filter(|user| is_meant(user));
        let meant: Vec<_> = users.map(|user| user.subject.clone()).collect();
        for ((subject, _), request) in &mut self.requests {
            if let (true, Some((_, body))) = (meant.contains(subject), &mut request.answer) {
                body.clear();
            }
        }
    }

    pub(crate) fn provider(
        &mut self,
        change: &ProviderChange,
        is_person: impl Fn(CreatorId) -> bool,
    ) -> Result<(), Rule> {
        match change {
            ProviderChange::KeepRecipient(new) => {
                check(is_person(new.creator), Rule::CreatorKnown)?;
                let same = |r: &Recipient| r.creator == new.creator || r.account == new.account;
                check(!self.recipients.iter().any(same), Rule::RecipientUnique)?;
                self.recipients.push(new.clone());
            }
            ProviderChange::NoteRecipient { account, may_receive, payouts_enabled, at } => {
                let known = self.recipients.iter_mut().find(|known| known.account == *account);
                let known = known.ok_or(Rule::RecipientKnown)?;
                if known.checked_at <= *at {
                    known.checked_at = *at;
                    (known.may_receive, known.payouts_enabled) = (*may_receive, *payouts_enabled);
                }
            }
            ProviderChange::KeepEvent(event) => {
                check(!self.events.contains_key(&event.id), Rule::EventUnique)?;
                let retry_at = event.received_at;
                let stands = EventState { done_at: None, retry_at, outcome: None };
                let heard = (event.clone(), stands);
                self.events.insert(event.id.clone(), heard);
            }
            ProviderChange::RetryEvent { id, retry_at, why } => {
                let (event, stands) = self.waiting(id)?;
                event.tries += 1;
                (stands.retry_at, stands.outcome) = (*retry_at, Some(why.clone()));
            }
            ProviderChange::HurryEvent { id, at } => {
                let (_, stands) = self.waiting(id)?;
                stands.retry_at = stands.retry_at.min(*at);
            }
            ProviderChange::FinishEvent { id, at, outcome } => {
                let (_, stands) = self.waiting(id)?;
                (stands.done_at, stands.outcome) = (Some(*at), Some(outcome.clone()));
            }
            // No reader tells the bodies of what is dealt with.
            ProviderChange::ForgetEvents { .. } => {}
            ProviderChange::KeepExchange(exchange) => self.exchanges.push(exchange.clone()),
            ProviderChange::KeepCursor { cursor, .. } => self.cursor = Some(cursor.clone()),
        }
        Ok(())
    }

    fn waiting(&mut self, id: &str) -> Result<(&mut KeptEvent, &mut EventState), Rule> {
        let (event, stands) = self.events.get_mut(id).ok_or(Rule::EventWaits)?;
        check(stands.done_at.is_none(), Rule::EventWaits)?;
        Ok((event, stands))
    }

    /// What readers say of events, compared with what came.
    fn compare_events(&self, reader: &mut dyn RegistryReader) {
        for now in [T, T + DAY, T + 3 * DAY] {
            let is_due = |(_, it): &&Heard| it.done_at.is_none() && it.retry_at <= now;
            let mut due: Vec<_> = self.events.values().filter(is_due).collect();
            due.sort_by_key(|(event, it)| (it.retry_at, event.created_at, event.id.clone()));
            let due: Vec<_> = due.into_iter().map(|(event, ..)| event.clone()).collect();
            assert_eq!(reader.waiting_events(now, usize::MAX).expect("reads"), due);
            let first = reader.waiting_events(now, 2).expect("reads");
            assert_eq!(first, due[..due.len().min(2)]);
        }
        let mut all: Vec<_> = self.events.values().collect();
        all.sort_by_key(|(event, _)| std::cmp::Reverse((event.received_at, event.id.clone())));
        let bare = |event: &KeptEvent| KeptEvent { raw: Vec::new(), ..event.clone() };
        let all: Vec<_> = all.into_iter().map(|(event, it)| (bare(event), it.clone())).collect();
        let found = reader.events(None, usize::MAX).expect("reads");
        assert_eq!(found, all);
        for (event, stands) in &all {
            let one = reader.event(&event.id).expect("reads");
            assert_eq!(one.as_ref(), Some(&(event.clone(), stands.clone())));
        }
        assert_eq!(reader.event("nobody's").expect("reads"), None);
        if let Some((newest, _)) = found.first() {
            let before = (newest.received_at, newest.id.as_str());
            let older = reader.events(Some(before), 2).expect("reads");
            assert_eq!(older.as_slice(), &found[1..found.len().min(3)]);
        }
    }

    pub(crate) fn api(&mut self, change: &ApiChange) -> Result<(), Rule> {
        match change {
            ApiChange::NoteDeparture { subject, organisation, at } => {
                self.departures.push((subject.clone(), organisation.clone(), *at));
            }
            // With the brands and creators that are made: `Self::admitted`.
            ApiChange::Admit { .. } => {}
            ApiChange::KeepUser(new) => {
                let is_creator = |user: &User| user.role == "creator";
                let same = |user: &User| {
                    let is_one_person = is_creator(user) || is_creator(new);
                    user.subject == new.subject
                        || (is_one_person && new.party.is_some() && user.party == new.party)
                };
                check(!self.users.iter().any(same), Rule::UserUnique)?;
                self.users.push(new.clone());
            }
            ApiChange::ChangeUser(change) => self.change_user(change)?,
            ApiChange::NoteAccess(access) => self.accesses.push(access.clone()),
            ApiChange::PauseJob(paused) => {
                self.paused.entry(paused.job.clone()).or_insert_with(|| paused.clone());
            }
            ApiChange::ResumeJob { job } => drop(self.paused.remove(job)),
            ApiChange::BeginRequest(request) => {
                let place = (request.subject.clone(), request.key.clone());
                check(!self.requests.contains_key(&place), Rule::RequestUnique)?;
                self.requests.insert(place, request.clone());
            }
            ApiChange::EndRequest { subject, key, status, body, .. } => {
                let request = self.requests.get_mut(&(subject.clone(), key.clone()));
                let request = request.ok_or(Rule::RequestWaits)?;
                check(request.answer.is_none(), Rule::RequestWaits)?;
                request.answer = Some((*status, body.clone()));
            }
        }
        Ok(())
    }

    /// Who joins, in which party, and whether that is to be made.
    pub(crate) fn admitted(&self, user: &User, issued_at: i64) -> Result<(User, bool), Rule> {
        let has_left = self.departures.iter().any(|(subject, organisation, at)| {
            let is_of = organisation.is_none() || *organisation == user.organisation;
            *subject == user.subject && is_of && *at >= issued_at
        });
        check(!has_left, Rule::UserDeparted)?;
        let is_of_brand = |user: &User| !matches!(user.role.as_str(), "creator" | "admin");
        let mut team = self.users.iter().filter(|one| {
            let is_one = user.organisation.is_some() && one.organisation == user.organisation;
            is_one && is_of_brand(one) && is_of_brand(user)
        });
        if let Some(party) = team.next().map(|one| one.party) {
            return Ok((self.newcomer(User { party, ..user.clone() }), false));
        }
        if user.party.is_some() {
            check(matches!(user.role.as_str(), "creator" | "owner"), Rule::TeamKnown)?;
        }
        Ok((user.clone(), user.party.is_some()))
    }

    /// Who joins a team: as suspended as whom an operator shut out of it, and looking on where somebody was shut
    /// out otherwise and an owner is left.
    fn newcomer(&self, user: User) -> User {
        let team = || self.users.iter().filter(|one| one.party == user.party);
        let is_shut = team().any(|one| one.suspended_by_operator);
        let has_shut = team().any(|one| one.suspended_at.is_some());
        let has_owner = team().any(|one| one.role == "owner" && one.suspended_at.is_none());
        let role = if has_shut && has_owner { "viewer".to_owned() } else { user.role.clone() };
        User {
            role,
            suspended_at: is_shut.then_some(user.created_at).or(user.suspended_at),
            suspended_by_operator: is_shut || user.suspended_by_operator,
            ..user
        }
    }

    fn change_user(&mut self, change: &UserChange) -> Result<(), Rule> {
        let known = self.users.iter().position(|user| user.subject == change.subject);
        let known = known.ok_or(Rule::UserKnown)?;
        let is_of_brand = |role: &str| !matches!(role, "creator" | "admin");
        let user = &self.users[known];
        let same_side =
            user.role == change.role || (is_of_brand(&user.role) && is_of_brand(&change.role));
        check(same_side, Rule::UserSide)?;
        if user.changed_at > change.at {
            return Ok(());
        }
        let is_let_in = user.suspended_at.is_some() && change.suspended_at.is_none();
        check(
            !(is_let_in && user.role == "admin" && change.by != Decider::Machine),
            Rule::NamedAtTheMachine,
        )?;
        let is_kept_out = user.suspended_by_operator && change.by == Decider::Team;
        check(!(is_let_in && is_kept_out), Rule::OperatorSuspended)?;
        let owns = |user: &User| user.role == "owner" && user.suspended_at.is_none();
        let after = User {
            role: change.role.clone(),
            suspended_at: change.suspended_at,
            suspended_by_operator: change.suspended_at.is_some()
                && (change.by != Decider::Team || user.suspended_by_operator),
            changed_at: change.at,
            ..user.clone()
        };
        if change.keeps_an_owner && owns(user) && !owns(&after) {
            let is_other = |one: &User| one.subject != user.subject && one.party == user.party;
            check(self.users.iter().any(|one| is_other(one) && owns(one)), Rule::OwnerRemains)?;
        }
        self.users[known] = after;
        Ok(())
    }

    fn compare_users(&self, reader: &mut dyn RegistryReader) {
        for user in &self.users {
            assert_eq!(reader.user(&user.subject).expect("reads").as_ref(), Some(user));
            if let Some(party) = user.party {
                let mut team: Vec<_> =
                    self.users.iter().filter(|one| one.party == Some(party)).cloned().collect();
                team.sort_by(|a, b| a.subject.cmp(&b.subject));
                assert_eq!(reader.users_of(party).expect("reads"), team);
            }
            if let Some(organisation) = &user.organisation {
                let found = reader.party_of_organisation(organisation).expect("reads");
                let mut of = self.users.iter().filter(|one| {
                    one.organisation.as_ref() == Some(organisation)
                        && !matches!(one.role.as_str(), "creator" | "admin")
                });
                match found {
                    None => assert_eq!(of.next(), None),
                    found => assert!(of.any(|one| one.party == found), "{organisation}"),
                }
            }
        }
        assert_eq!(reader.user("nobody").expect("reads"), None);
        let mut all = self.users.clone();
        all.sort_by(|a, b| a.subject.cmp(&b.subject));
        assert_eq!(reader.users("", usize::MAX).expect("reads"), all);
        if let Some(first) = all.first() {
            let rest = reader.users(&first.subject, 1).expect("reads");
            assert_eq!(rest, all[1..all.len().min(2)]);
        }
    }

    /// Everything that a reader can say of these, compared with the model.
    pub(crate) fn compare(&self, reader: &mut dyn RegistryReader, creators: &[CreatorId]) {
        for creator in creators {
            let known = self.recipients.iter().find(|known| known.creator == *creator);
            assert_eq!(reader.recipient(*creator).expect("reads").as_ref(), known);
        }
        for known in &self.recipients {
            let found = reader.recipient_by_account(&known.account).expect("reads");
            assert_eq!(found.as_ref(), Some(known));
        }
        assert_eq!(reader.recipient_by_account("nobody").expect("reads"), None);
        self.compare_events(reader);
        let paused: Vec<_> = self.paused.values().cloned().collect();
        assert_eq!(reader.paused_jobs().expect("reads"), paused);
        for of in self.exchanges.iter().map(|exchange| exchange.campaign) {
            let known: Vec<_> = self.exchanges.iter().filter(|one| one.campaign == of).collect();
            let found = reader.exchanges(of, 0, usize::MAX).expect("reads");
            assert_eq!(found.iter().map(|(_, one)| one).collect::<Vec<_>>(), known);
            let after = reader.exchanges(of, found[0].0, 1).expect("reads");
            assert_eq!(after.as_slice(), &found[1..found.len().min(2)]);
        }
        assert_eq!(reader.event_cursor().expect("reads"), self.cursor);
        self.compare_users(reader);
        let found = reader.accesses(None, usize::MAX).expect("reads");
        assert!(found.iter().map(|(_, access)| access).eq(self.accesses.iter().rev()));
        if let Some((newest, _)) = found.first() {
            assert_eq!(
                reader.accesses(Some(*newest), 2).expect("reads"),
                found[1..found.len().min(3)]
            );
        }
        for ((subject, key), request) in &self.requests {
            let found = reader.api_request(subject, key).expect("reads");
            assert_eq!(found.as_ref(), Some(request));
        }
        assert_eq!(reader.api_request("nobody", "nothing").expect("reads"), None);
        self.webhooks.compare(reader);
    }
}
