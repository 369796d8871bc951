//! `sponsorhub serve` from outside: the real binary, over real sockets, stopped and killed.

#[path = "../../examples/fixture.rs"]
mod fixture;

mod artifacts;

mod batch;

mod bodies;

mod client;

mod clicks;

mod crash;

mod doctor;

mod input;

mod keys;

mod privacy;

mod queue;

mod receipts;

mod server;

mod slow;

mod unread;

mod visits;

use client::{Answer, Client};
use serde_json::{Value, json};
use server::Server;
use tempfile::TempDir;

/// A browser of a person.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A live campaign with three creators, and a server on it.
struct World {
    directory: TempDir,
    made: fixture::Fixture,
    server: Server,
}

impl World {
    fn new() -> Self {
        Self::of(&fixture::plan(3))
    }

    fn of(plan: &fixture::Plan) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let made = fixture::make(directory.path(), plan);
        let server = Server::start(directory.path(), &[]);
        Self { directory, made, server }
    }

    fn client(&self) -> Client {
        Client::connect(&self.server.address).with_key(&self.made.api_key)
    }

    /// How many entries the campaign has that come of reports. Workers append others at their time.
    fn entries(&self) -> u64 {
        let mut reader = sponsorhub_store::open_read_only(self.directory.path()).expect("opens");
        let reader: &mut dyn sponsorhub_store::Reader = &mut reader;
        let mut count = 0;
        let mut see = |row: sponsorhub_store::store::EntryRow<'_>| {
            count += u64::from(row.kind.name().starts_with("conversion."));
        };
        reader.scan(self.made.campaign, 1, usize::MAX, &mut see).expect("reads");
        count
    }

    /// A click token from a visit just now.
    fn click(&self, creator: usize) -> String {
        let path = format!("/r/{}", self.made.links[creator]);
        let answer = Client::connect(&self.server.address)
            .send("GET", &path, &[("user-agent", BROWSER)], b"")
            .expect("answered");
        token(&answer).unwrap_or_else(|| panic!("a credited click: {answer:?}"))
    }
}

fn token(answer: &Answer) -> Option<String> {
    let location = answer.header("location")?;
    let (_, after) = location.split_once("sh_click=")?;
    Some(after.split(['&', '#']).next().unwrap_or_default().to_owned())
}

/// The present as RFC 3339, moved by so many seconds.
fn time(offset_seconds: i64) -> String {
    let seconds = fixture::now() / 1_000 + offset_seconds;
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// An order by promo code.
fn order(code: &str, id: &str) -> Value {
    json!({
        "source": "shop", "external_id": id, "type": "sale", "occurred_at": time(-5),
        "amount": 5_000, "currency": "USD", "code": code,
    })
}

/// `value` with one field replaced; null removes it.
fn with(mut value: Value, field: &str, other: Value) -> Value {
    let object = value.as_object_mut().expect("an object");
    if other.is_null() {
        object.remove(field);
    } else {
        object.insert(field.to_owned(), other);
    }
    value
}
