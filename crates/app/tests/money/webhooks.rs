//! Webhooks out: in order, again after failures, signed by secrets that are kept nowhere, about nothing
//! that is another's.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use data_encoding::BASE64;
use serde_json::Value;
use sponsorhub_app::catalog::Catalog;
use sponsorhub_app::ports::webhooks::{AddressRefused, Heard};
use sponsorhub_app::ports::{Clock, Later, WebhookClient};
use sponsorhub_app::webhooks::send::{Sender, Turn};
use sponsorhub_app::webhooks::{self, Edit, Wanted, WebhookError};
use sponsorhub_core::attribution::key_set::{KeySet, MacKey};
use sponsorhub_core::ids::{BrandId, CreatorId, WebhookId};
use sponsorhub_store::Change;
use sponsorhub_store::registry::{Brand, DeliveryState, Party, PersonName, Webhook};

use crate::{BRAND, CREATOR, DAY, HOUR, Scene, T, keyring, now_or_never};

const OWNER: Party = Party::Brand(BRAND);
const HOOK: WebhookId = WebhookId([7; 16]);

#[derive(Debug)]
struct Time(Arc<AtomicI64>);

impl Clock for Time {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What came to an endpoint.
#[derive(Clone, Debug)]
struct Came {
    url: String,
    id: String,
    seconds: String,
    signature: String,
    body: Vec<u8>,
}

impl Came {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a text").to_owned()
    }

    fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("the prefix").as_bytes();
        let key: [u8; 32] = BASE64.decode(key).expect("base64").try_into().expect("32 bytes");
        let parts = [self.id.as_bytes(), b".", self.seconds.as_bytes(), b".", &self.body];
        let expected = format!("v1,{}", BASE64.encode(&MacKey::new(&key).tag(&parts)));
        self.signature.split(' ').any(|one| one == expected)
    }
}

/// Answers by a script, and 204 behind its end.
#[derive(Debug, Default)]
struct Endpoint {
    script: Mutex<VecDeque<Heard>>,
    /// Takes what comes and never answers.
    is_silent: AtomicBool,
    came: Mutex<Vec<Came>>,
}

impl Endpoint {
    fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no panic").clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.came().iter().map(Came::kind).collect()
    }

    fn answers(&self, script: impl IntoIterator<Item = Heard>) {
        self.script.lock().expect("no panic").extend(script);
    }
}

impl WebhookClient for Endpoint {
    fn check(&self, url: &str) -> Result<(), AddressRefused> {
        if url.starts_with("https://") { Ok(()) } else { Err(AddressRefused("https only")) }
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> Later<'a, Heard> {
        let header = |name| headers.iter().find(|(known, _)| *known == name).expect(name).1.clone();
        let came = Came {
            url: url.to_owned(),
            id: header("webhook-id"),
            seconds: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: body.to_vec(),
        };
        self.came.lock().expect("no panic").push(came);
        let heard = self.script.lock().expect("no panic").pop_front();
        let is_silent = self.is_silent.load(Ordering::SeqCst);
        Box::pin(async move {
            if is_silent {
                std::future::pending::<()>().await;
            }
            heard.unwrap_or(Heard::Status(204))
        })
    }
}

struct Post {
    endpoint: Arc<Endpoint>,
    sender: Sender,
    keys: KeySet,
}

impl Post {
    fn at(scene: &Scene) -> Self {
        let endpoint = Arc::new(Endpoint::default());
        let catalog = Catalog::new(&**scene.desk.store(), &keyring()).expect("reads");
        let clock = Arc::new(Time(Arc::clone(&scene.clock)));
        let client = Arc::clone(&endpoint) as Arc<dyn WebhookClient>;
        let sender = Sender::new(Arc::clone(&scene.desk), Arc::new(catalog), client, clock);
        let keys = KeySet::new(&keyring());
        Self { endpoint, sender: sender.expect("reads"), keys }
    }

    fn add(&self, scene: &Scene, id: WebhookId, owner: Party, kinds: &[&str]) -> Webhook {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let wanted = Wanted { id, owner, url: format!("https://{id}.example/"), kinds };
        let client = &*self.endpoint;
        webhooks::add(&scene.desk, client, &self.keys, (wanted, false), scene.now()).expect("added")
    }

    fn secret(&self, webhook: &Webhook) -> String {
        webhooks::secret_text(&self.keys, webhook).expect("known")
    }

    fn turn(&self, id: WebhookId) -> Turn {
        now_or_never(self.sender.turn(id)).expect("the store is there")
    }

    /// Sends until nothing is due or something fails.
    fn run(&self, id: WebhookId) {
        for _ in 0..1_000 {
            if self.turn(id) != Turn::GoesOn {
                return;
            }
        }
        panic!("there is no end");
    }
}

/// A campaign in which a creator was paid.
fn lived(directory: &Path, begin: impl FnOnce(&Scene)) -> Scene {
    let scene = Scene::open(directory);
    scene.create();
    begin(&scene);
    let opened = scene.deposit("first");
    scene.pay(Scene::paid(&opened));
    scene.observe(&opened.checkout.session);
    scene.go_live();
    scene.onboard();
    scene.pass(DAY + HOUR);
    scene.tick();
    scene
}

/// What happens in [`lived`], as its brand hears of it.
const HEARD: [&str; 6] = [
    "deposit.confirmed",
    "campaign.state_changed",
    "campaign.state_changed",
    "enrollment.started",
    "payout.planned",
    "payout.paid",
];

fn find(scene: &Scene, id: WebhookId) -> Webhook {
    webhooks::find(&scene.desk, OWNER, id).expect("known")
}

#[test]
fn an_endpoint_hears_of_everything_since_it_is_there_in_order_and_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut post = None;
    let scene = lived(directory.path(), |scene| {
        let new = Post::at(scene);
        new.add(scene, HOOK, OWNER, &["*"]);
        post = Some(new);
    });
    let post = post.expect("made");
    post.run(HOOK);
    let came = post.endpoint.came();
    assert_eq!(post.endpoint.kinds(), HEARD);
    let seqs: Vec<_> = came.iter().map(|one| one.json()["data"]["seq"].as_u64()).collect();
    assert!(seqs.is_sorted() && seqs[0] > Some(1), "{seqs:?}");
    let secret = post.secret(&find(&scene, HOOK));
    assert!(came.iter().all(|one| one.is_signed_by(&secret)));
    let ids: BTreeSet<_> = came.iter().map(|one| &one.id).collect();
    assert_eq!(ids.len(), HEARD.len(), "each message has an id of its own");
    let paid = came[5].json();
    assert_eq!(paid["data"]["amount"], serde_json::json!({ "amount": 20_000, "currency": "USD" }));
    assert_eq!(paid["data"]["payout"], came[4].json()["data"]["seq"]);
    // One that comes later hears nothing of before.
    let late = WebhookId([8; 16]);
    post.add(&scene, late, OWNER, &["*"]);
    post.run(late);
    post.run(HOOK);
    assert_eq!(post.endpoint.came().len(), HEARD.len(), "nothing twice");
}

/// Ids, amounts, states, codes and times; of people nothing, and of other parties nothing.
#[test]
fn an_owner_hears_of_nothing_that_is_anothers_and_nothing_personal() {
    let directory = tempfile::tempdir().expect("a directory");
    let (rival, other) = (BrandId([51; 16]), CreatorId([52; 16]));
    let [mine, theirs, ada, stranger] = [1, 2, 3, 4].map(|number| WebhookId([number; 16]));
    let mut post = None;
    let scene = lived(directory.path(), |scene| {
        let click_parameter = "sh_click".to_owned();
        let brand = Brand { id: rival, name: "Rival".into(), created_at: T, click_parameter };
        scene.desk.record(Change::AddBrand(brand), None).expect("joins");
        let name = PersonName("Eve".to_owned());
        let eve = Change::AddCreator { creator: other, name, at: T };
        scene.desk.record(eve, None).expect("joins");
        let new = Post::at(scene);
        new.add(scene, mine, OWNER, &["*"]);
        new.add(scene, theirs, Party::Brand(rival), &["*"]);
        new.add(scene, ada, Party::Creator(CREATOR), &["*"]);
        new.add(scene, stranger, Party::Creator(other), &["*"]);
        post = Some(new);
    });
    let post = post.expect("made");
    for id in [mine, theirs, ada, stranger] {
        post.run(id);
    }
    let came = post.endpoint.came();
    let of = |id: WebhookId| {
        let url = format!("https://{id}.example/");
        came.iter().filter(move |one| one.url == url).map(Came::kind).collect::<Vec<_>>()
    };
    assert_eq!(of(mine), HEARD);
    assert_eq!(of(ada), ["enrollment.started", "payout.planned", "payout.paid"]);
    assert_eq!((of(theirs).len(), of(stranger).len()), (0, 0));
    let allowed = BTreeSet::from([
        "amount",
        "attempt",
        "campaign",
        "cause",
        "deposit",
        "enrollment",
        "payout",
        "seq",
        "state",
    ]);
    for one in &came {
        let (message, text) = (one.json(), String::from_utf8_lossy(&one.body).into_owned());
        let fields = message["data"].as_object().expect("an object").keys();
        assert!(fields.into_iter().all(|field| allowed.contains(field.as_str())), "{text}");
        for word in ["ada", "Fjord", "pi_", "tr_", "cs_", "acct_", &CREATOR.to_string()] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    // Who may not have an endpoint's secret may not have the endpoint either.
    assert!(webhooks::find(&scene.desk, Party::Brand(rival), mine).is_err());
    let erase = Change::EraseCreator { creator: CREATOR, at: scene.now() };
    scene.desk.record(erase, None).expect("erased");
    assert!(webhooks::find(&scene.desk, Party::Creator(CREATOR), ada).is_err(), "gone as well");
}

#[test]
fn what_fails_is_sent_again_with_growing_pauses_and_holds_up_what_is_behind_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut post = None;
    let scene = lived(directory.path(), |scene| {
        let new = Post::at(scene);
        new.add(scene, HOOK, OWNER, &["*"]);
        post = Some(new);
    });
    let post = post.expect("made");
    post.endpoint.answers([
        Heard::Status(500),
        Heard::TimedOut,
        Heard::Unreachable,
        Heard::Status(302),
        Heard::Refused(AddressRefused("not public")),
        Heard::Status(404),
        Heard::Status(199),
        Heard::Status(503),
    ]);
    let mut pauses = Vec::new();
    for count in 1..=8 {
        post.run(HOOK);
        assert_eq!(post.endpoint.came().len(), count, "one sending, and nothing behind it");
        let (_, delivery) = newest(&scene).pop().expect("planned");
        match delivery.state {
            DeliveryState::Waiting(due) => {
                pauses.push((due - scene.now()) / 1_000);
                scene.pass(due - scene.now() - 1);
                post.run(HOOK);
                assert_eq!(post.endpoint.came().len(), count, "not before its time");
                scene.pass(1);
            }
            state => assert_eq!((state, count), (DeliveryState::GivenUp, 8)),
        }
    }
    assert_eq!(pauses, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
    let came = post.endpoint.came();
    let first = &came[0];
    assert!(came.iter().all(|one| (&one.id, &one.body) == (&first.id, &first.body)));
    assert_ne!(came[0].seconds, came[7].seconds, "signed anew each time");
    assert!(find(&scene, HOOK).failing_since.is_some());
    post.run(HOOK);
    assert_eq!(post.endpoint.kinds()[8..], HEARD[1..], "the others go on in their order");
    assert!(find(&scene, HOOK).failing_since.is_none());
    // What was given up is sent again when its owner says so, and is the same message.
    let (no, given_up) = newest(&scene).pop().expect("the first");
    assert_eq!(given_up.state, DeliveryState::GivenUp);
    webhooks::replay(&scene.desk, (OWNER, HOOK), no, scene.now()).expect("replayed");
    post.run(HOOK);
    let again = post.endpoint.came().pop().expect("it came");
    assert_eq!((again.id, again.body), (first.id.clone(), first.body.clone()));
    assert_eq!(newest(&scene).pop().expect("the first").1.state, DeliveryState::Delivered);
    let unknown = webhooks::replay(&scene.desk, (OWNER, HOOK), no + 1_000, scene.now());
    assert!(unknown.is_err());
}

fn newest(scene: &Scene) -> Vec<(u64, sponsorhub_store::registry::Delivery)> {
    scene.desk.registry(|registry| registry.deliveries(HOOK, None, 100)).expect("reads")
}

#[test]
fn an_endpoint_with_nothing_but_failures_is_disabled_and_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut post = None;
    let scene = lived(directory.path(), |scene| {
        let new = Post::at(scene);
        new.add(scene, HOOK, OWNER, &["*"]);
        post = Some(new);
    });
    let post = post.expect("made");
    post.endpoint.answers([Heard::Status(500); 100]);
    let began = scene.now();
    while find(&scene, HOOK).disabled.is_none() {
        post.run(HOOK);
        scene.pass(HOUR);
    }
    let disabled = find(&scene, HOOK).disabled.expect("disabled");
    assert_eq!(disabled.why, "failing");
    let days = (disabled.at - began) / DAY;
    assert!((5..6).contains(&days), "{days}");
    let before = post.endpoint.came().len();
    assert_eq!(post.sender.active().expect("reads"), []);
    post.run(HOOK);
    let tried = webhooks::test(&scene.desk, OWNER, HOOK, scene.now());
    assert!(matches!(tried, Err(WebhookError::Disabled)));
    assert_eq!(post.endpoint.came().len(), before, "nothing is sent to it");
    post.endpoint.script.lock().expect("no panic").clear();
    let enable = Edit { enabled: Some(true), ..Edit::default() };
    let client = &*post.endpoint;
    let on = webhooks::edit(&scene.desk, client, (OWNER, HOOK), &enable, scene.now());
    assert!(on.is_ok_and(|webhook| webhook.failing_since.is_none()));
    scene.pass(10 * HOUR);
    post.run(HOOK);
    let given_up = newest(&scene).iter().filter(|(_, d)| d.state == DeliveryState::GivenUp).count();
    let taken = post.endpoint.came().len() - before;
    assert_eq!(taken + given_up, HEARD.len(), "nothing is forgotten");
    // A test is sent once, whatever comes of it, and not without end.
    post.endpoint.answers([Heard::Status(500)]);
    webhooks::test(&scene.desk, OWNER, HOOK, scene.now()).expect("planned");
    post.run(HOOK);
    assert_eq!(newest(&scene)[0].1.state, DeliveryState::GivenUp);
    let mut tests = (0..11).map(|_| webhooks::test(&scene.desk, OWNER, HOOK, scene.now()));
    assert!(tests.by_ref().take(10).all(|planned| planned.is_ok()));
    assert!(matches!(tests.next(), Some(Err(WebhookError::TestsWait))));
    post.run(HOOK);
    // Whoever says that it is gone for good is asked no more.
    post.endpoint.answers([Heard::Status(410)]);
    webhooks::test(&scene.desk, OWNER, HOOK, scene.now()).expect("planned");
    post.run(HOOK);
    assert_eq!(find(&scene, HOOK).disabled.map(|disabled| disabled.why), Some("gone".to_owned()));
}

#[test]
fn two_secrets_sign_for_a_while_and_neither_is_in_the_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let post = Post::at(&scene);
    let old = post.secret(&post.add(&scene, HOOK, OWNER, &["payout.paid"]));
    let until = scene.now() + DAY;
    let rotate = |by: u8| {
        let rotated = webhooks::rotate(&scene.desk, &post.keys, (OWNER, HOOK), [by; 16], until)
            .expect("done");
        post.secret(&rotated)
    };
    let new = rotate(1);
    assert_eq!(rotate(1), new, "the same request rotates once");
    assert_ne!(old, new);
    let sent = || {
        webhooks::test(&scene.desk, OWNER, HOOK, scene.now()).expect("planned");
        post.run(HOOK);
        post.endpoint.came().pop().expect("it came")
    };
    let both = sent();
    assert_eq!(both.kind(), "webhook.test");
    assert!(both.is_signed_by(&old) && both.is_signed_by(&new));
    scene.pass(DAY);
    let one = sent();
    assert!(!one.is_signed_by(&old) && one.is_signed_by(&new));
    drop((post.sender, scene));
    let files = std::fs::read_dir(directory.path()).expect("a folder");
    for file in files.map(|file| file.expect("an entry").path()) {
        let content = std::fs::read(&file).expect("readable");
        for secret in [&old, &new] {
            let text = secret.strip_prefix("whsec_").expect("the prefix").as_bytes();
            let bytes = BASE64.decode(text).expect("base64");
            for needle in [text, &bytes[..]] {
                let is_in = content.windows(needle.len()).any(|window| window == needle);
                assert!(!is_in, "{}", file.display());
            }
        }
    }
}

#[test]
fn a_restart_goes_on_where_the_last_process_stopped() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = None;
    let scene = lived(directory.path(), |scene| {
        let new = Post::at(scene);
        new.add(scene, HOOK, OWNER, &["*"]);
        first = Some(new);
    });
    let first = first.expect("made");
    for _ in 0..2 {
        assert_eq!(first.turn(HOOK), Turn::GoesOn);
    }
    // The third arrives, and the process ends before it hears of that.
    first.endpoint.is_silent.store(true, Ordering::SeqCst);
    {
        let mut turn = std::pin::pin!(first.sender.turn(HOOK));
        let polled = turn.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    let (provider, now) = (Arc::clone(&scene.provider), scene.now());
    let before = first.endpoint.came();
    drop((first.sender, scene));
    let scene = Scene::again(directory.path(), &provider, now);
    let second = Post::at(&scene);
    second.run(HOOK);
    assert_eq!(first.endpoint.kinds(), HEARD[..3]);
    assert_eq!(second.endpoint.kinds(), HEARD[2..], "nothing is lost, and the third comes again");
    let ids: BTreeSet<_> = before.into_iter().chain(second.endpoint.came()).map(|c| c.id).collect();
    assert_eq!(ids.len(), HEARD.len(), "under its id");
}

#[test]
fn what_is_wanted_of_an_endpoint_is_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let post = Post::at(&scene);
    let wanted = |number: u8, owner, url: &str, kinds: &[&str]| {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let wanted = Wanted { id: WebhookId([number; 16]), owner, url: url.to_owned(), kinds };
        webhooks::add(&scene.desk, &*post.endpoint, &post.keys, (wanted, false), T)
    };
    let field = |told: Result<Webhook, WebhookError>| match told {
        Err(WebhookError::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(wanted(1, OWNER, "http://a.example/", &["*"])), "url");
    assert_eq!(field(wanted(1, OWNER, "https://a.example/", &[])), "events");
    assert_eq!(field(wanted(1, OWNER, "https://a.example/", &["payout.lost"])), "events");
    let creator = Party::Creator(CREATOR);
    assert_eq!(field(wanted(1, creator, "https://a.example/", &["deposit.failed"])), "events");
    for number in 1..=10 {
        wanted(number, OWNER, "https://a.example/", &["payout.paid"]).expect("room");
    }
    let full = wanted(11, OWNER, "https://a.example/", &["*"]);
    assert!(matches!(full, Err(WebhookError::Full)));
    webhooks::remove(&scene.desk, OWNER, WebhookId([1; 16])).expect("removed");
    wanted(11, OWNER, "https://a.example/", &["*"]).expect("room again");
}
