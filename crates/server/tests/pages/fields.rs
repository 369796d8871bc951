//! Every field that a person writes into, found in the pages themselves: whatever is written there, it is
//! refused or shown as a text. A new field is tried without being named here.

use std::collections::BTreeMap;

use serde_json::json;
use sponsorhub_sandbox::{Order, ShopSettings};

use crate::markup::{Form, forms};
use crate::reader::{Reader, Seen, pages, quoted};
use crate::texts::{IN, escaped, hostile};
use crate::world::{ADA, ADMIN, BRAND, World, text};

/// Somebody who reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Known(&'static str, &'static str),
    /// Somebody else each time, in this role, who has not joined.
    New(&'static str),
}

const EVERYBODY: [Who; 5] = [
    Who::Known(BRAND.0, BRAND.1),
    Who::Known(ADA.0, ADA.1),
    Who::Known(ADMIN.0, ADMIN.1),
    Who::New("brand"),
    Who::New("creator"),
];

impl Who {
    fn reader(self, world: &World, number: usize) -> Reader<'_> {
        match self {
            Self::Known(user, role) => Reader::of(world, (user, role)),
            Self::New(role) => Reader::of(world, (&format!("user_new_{role}_{number}"), role)),
        }
    }
}

/// What a field may say where another one of its form is tried.
fn usual<'a>(name: &str, served: &'a str) -> &'a str {
    match name {
        "ends_on" => "2026-03-31",
        "hosts" => "shop.example",
        "destination" => "https://shop.example/",
        "readable" => "ada",
        "amount" | "base" => "10.00",
        "name" | "reason" => "some words",
        _ => served,
    }
}

/// A field of a form that leads to one of these places, and who fills it in.
#[derive(Debug)]
struct Place {
    who: Who,
    form: Form,
    field: String,
    /// More than one where each may be sent to once.
    actions: Vec<String>,
}

/// A path without what it is about.
fn shape(path: &str) -> String {
    let is_thing = |part: &str| part.contains('_') || part.parse::<u64>().is_ok();
    let parts = path.split('/').map(|part| if is_thing(part) { "…" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Every page that can be looked at, filled in.
fn paths(campaign: &str) -> Vec<String> {
    let looks = pages().into_iter().filter(|(method, path)| {
        // One goes on for ever, the other is a file.
        *method == reqwest::Method::GET && !path.starts_with("/live/") && !path.contains(".csv")
    });
    let paths =
        looks.map(|(_, path)| path.replace("{campaign}", campaign).replace("{payout}", "1"));
    paths.map(|path| path.replace("{step}", "pause").replace("{link}", "1")).collect()
}

/// A live campaign with a link, a code, and a hundred orders that are held.
async fn stage(world: &World) -> String {
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let campaign = world.paid(BRAND, &world.terms()).await;
    let path = format!("/campaigns/{campaign}");
    world.post(BRAND, &format!("{path}/launch"), &json!({})).await;
    let (_, enrolled, _) = world.post(ADA, &format!("{path}/enrollments"), &json!({})).await;
    let codes = format!("{path}/enrollments/{}/codes", text(&enrolled["id"]));
    let (_, code, _) = world.post(ADA, &codes, &json!({ "readable": "ADA" })).await;
    let (_, key, _) = world.post(BRAND, "/api-keys", &json!({})).await;
    let shop = ShopSettings::new(world.address.clone(), text(&key["secret"]));
    world.sandbox.sandbox.set_shop(shop);
    for number in 0..hostile().len() {
        let (external_id, currency) = (format!("A-{number}"), "USD".to_owned());
        let code = Some(text(&code["code"]));
        let order = Order { external_id, amount: 100, currency, code, ..Order::default() };
        let told = world.sandbox.sandbox.order(&order).await.expect("reported");
        let doubt = json!({ "conversion": told.body["seq"], "reason": "looks odd" });
        let (status, body, _) = world.post(BRAND, &format!("{path}/holds"), &doubt).await;
        assert!(status.is_success(), "{body}");
    }
    campaign
}

/// All places where somebody writes.
async fn places(world: &World, campaign: &str) -> Vec<Place> {
    let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
    for who in EVERYBODY {
        let reader = who.reader(world, usize::MAX);
        for path in paths(campaign) {
            let seen = reader.get(&path).await;
            // Forms of the sandbox are not ours to answer.
            let own = forms(&seen.text).into_iter().filter(|form| form.action.starts_with('/'));
            for form in own.filter(|form| form.is_post) {
                for field in form.fields.iter().filter(|field| field.is_written()) {
                    let name = format!("{} as {who:?}", shape(&form.action));
                    let place = places.entry((name, field.name.clone())).or_insert_with(|| Place {
                        who,
                        form: form.clone(),
                        field: field.name.clone(),
                        actions: Vec::new(),
                    });
                    if !place.actions.contains(&form.action) {
                        place.actions.push(form.action.clone());
                    }
                }
            }
        }
    }
    places.into_values().collect()
}

/// Nothing of it is in the page but as a text.
fn is_harmless(seen: &Seen, tried: &str, at: &str) {
    let page = seen.text.to_lowercase();
    for within in IN {
        assert!(!page.contains(&within.trim().to_lowercase()), "{at}: {tried}: {}", seen.text);
    }
    assert!(page.matches("<script").count() <= 1, "{at}: {tried}: {}", seen.text);
    assert!(seen.status.as_u16() < 500, "{at}: {tried}: {}", seen.text);
}

/// Writes each hostile text into a field; the last that was taken, and who wrote it.
async fn tried<'a>(world: &'a World, place: &Place) -> Option<(Reader<'a>, String)> {
    let at = format!("{} {}", shape(&place.form.action), place.field);
    let is_address = place.form.fields.iter().any(|it| it.name == place.field && it.kind == "url");
    let mut taken = None;
    for (number, within) in hostile().into_iter().enumerate() {
        let said = if is_address { format!("https://shop.example/{within}") } else { within };
        let reader = place.who.reader(world, number);
        let action = &place.actions[number % place.actions.len()];
        let key = format!("form:{at}:{number}").replace(' ', "");
        let fields = place.form.fields.iter().map(|field| match field.name.as_str() {
            "key" => ("key", key.as_str()),
            name if name == place.field => (name, said.as_str()),
            name => (name, usual(name, &field.value)),
        });
        let fields: Vec<_> = fields.collect();
        let seen = reader.post(action, &fields).await;
        is_harmless(&seen, &said, &at);
        if seen.status.as_u16() == 303 {
            taken = Some((reader, said));
        } else if seen.text.contains(&format!("name=\"{}\"", place.field)) {
            // The form comes back as it was filled in.
            assert!(seen.text.contains(&escaped(said.trim())), "{at}: {said}: {}", seen.text);
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hostile_texts_in_every_field_of_every_form_are_refused_or_shown_as_texts() {
    let world = World::start().await;
    let campaign = stage(&world).await;
    let places = places(&world, &campaign).await;
    let found: Vec<_> =
        places.iter().map(|it| (shape(&it.form.action), it.field.as_str())).collect();
    // Found by itself; that these are among them shows that it finds.
    for known in [
        ("/join", "name"),
        ("/brand/new", "event"),
        ("/brand/new", "hosts"),
        ("/brand/what-if", "reverse_every"),
        ("/brand/campaigns/…/fund", "amount"),
        ("/creator/campaigns/…/links", "destination"),
        ("/creator/campaigns/…/codes", "readable"),
        ("/admin/campaigns/…/holds/…/uphold", "reason"),
    ] {
        assert!(found.iter().any(|(path, field)| (path.as_str(), *field) == known), "{found:?}");
    }
    for place in &places {
        let Some((writer, said)) = tried(&world, place).await else { continue };
        let at = format!("{} {}", shape(&place.form.action), place.field);
        let mut is_shown = false;
        for who in EVERYBODY {
            let reader = who.reader(&world, usize::MAX);
            for path in paths(&campaign) {
                for reader in [&reader, &writer] {
                    let seen = reader.get(&path).await;
                    is_harmless(&seen, &said, &format!("{at}, shown at {path}"));
                    is_shown |= seen.text.contains(&escaped(said.trim()));
                }
            }
        }
        assert!(is_shown, "{at}: taken, and shown nowhere: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_looked_at_before_it_is_sent_shows_hostile_texts_as_texts() {
    let world = World::start().await;
    world.join(BRAND).await;
    let reader = Reader::of(&world, BRAND);
    let page = reader.get("/brand/new").await.text;
    let all = forms(&page);
    let form = all.iter().find(|form| form.action == "/brand/new").expect("the form");
    for field in form.fields.iter().filter(|field| field.is_written()) {
        for said in hostile() {
            let seen = reader.get(&format!("/brand/new?{}={}", field.name, quoted(&said))).await;
            is_harmless(&seen, &said, &field.name);
            assert!(seen.text.contains(&escaped(said.trim())), "{}: {said}", field.name);
        }
    }
}
