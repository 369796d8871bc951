//! Everybody at every door: each route asked by each kind of caller about each kind of thing.
//!
//! What comes of it stands in `matrix.txt`, to be read by people; a new route has no line there and
//! fails. `SPONSORHUB_RECORD_MATRIX=1` writes it anew.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{Order, Organisation, ShopSettings, Standing, TokenWanted};

use crate::world::{ADMIN, DAY_MS, World, code, text};

/// How a caller shows who they are.
pub(crate) enum Shows {
    Nothing,
    /// User, role, and organisation with the role in it.
    Token(&'static str, &'static str, Option<(&'static str, &'static str)>),
    /// Of the key with these scopes.
    Key(&'static str),
}

use Shows::{Key, Nothing, Token};

const ANN: Option<(&str, &str)> = Some(("org_a", "admin"));

/// Who asks. Brand A is a team, brand B one person; each has a campaign and a creator in it.
static CALLERS: [(&str, Shows); 15] = [
    ("anonymous", Nothing),
    ("owner", Token("user_ann", "brand", ANN)),
    ("member", Token("user_mia", "brand", Some(("org_a", "member")))),
    ("viewer", Token("user_vic", "brand", Some(("org_a", "viewer")))),
    ("demoted", Token("user_dan", "brand", Some(("org_a", "viewer")))),
    ("suspended", Token("user_sue", "brand", ANN)),
    ("other_org", Token("user_mia", "brand", Some(("org_b", "admin")))),
    ("brand_b", Token("user_bob", "brand", None)),
    ("creator", Token("user_cat", "creator", None)),
    ("creator_b", Token("user_dot", "creator", None)),
    ("admin", Token(ADMIN.0, ADMIN.1, None)),
    ("self_made", Token("user_eve", "admin", None)),
    ("key_report", Key("conversions:write")),
    ("key_look", Key("campaigns:read")),
    ("key_ledger", Key("ledger:read")),
];

pub(crate) struct Play {
    pub(crate) world: Arc<World>,
    keys: Vec<(&'static str, String)>,
}

/// What the paths are about: campaign, enrollment, conversion, payout.
pub(crate) struct Things {
    name: &'static str,
    campaign: String,
    enrollment: String,
    conversion: String,
    payout: String,
    refund: &'static str,
    user: &'static str,
    key: String,
    webhook: String,
    delivery: String,
    creator: String,
}

impl Things {
    pub(crate) fn fill(&self, path: &str) -> String {
        let path = path.replace("{campaign}", &self.campaign).replace("{user}", self.user);
        let path = path.replace("{enrollment}", &self.enrollment).replace("{key}", &self.key);
        path.replace("{conversion}", &self.conversion)
            .replace("{payout}", &self.payout)
            .replace("{refund}", self.refund)
            .replace("{webhook}", &self.webhook)
            .replace("{delivery}", &self.delivery)
            .replace("{creator}", &self.creator)
    }
}

impl Play {
    pub(crate) fn bearer(&self, shows: &Shows) -> Option<String> {
        match shows {
            Nothing => None,
            Token(user, role, organisation) => {
                let organisation = organisation.map(|(id, role)| Organisation {
                    id: id.to_owned(),
                    slug: "a".to_owned(),
                    role: role.to_owned(),
                });
                let wanted = TokenWanted {
                    user: (*user).to_owned(),
                    role: Some((*role).to_owned()),
                    azp: Some(self.world.address.clone()),
                    ttl_s: Some(1_000_000),
                    organisation,
                    ..TokenWanted::default()
                };
                Some(self.world.sandbox.sandbox.token(&wanted).expect("issued").token)
            }
            Key(scope) => self.keys.iter().find(|(of, _)| of == scope).map(|(_, key)| key.clone()),
        }
    }

    async fn ask(
        &self,
        shows: &Shows,
        (method, path): (&str, &str),
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let method: Method = method.to_uppercase().parse().expect("a method");
        let url = format!("{}/api/v1{path}", self.world.address);
        let mut request = self.world.client.request(method, url);
        if let Some(bearer) = self.bearer(shows) {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            static ASKED: AtomicU64 = AtomicU64::new(0);
            let key = format!("m{}", ASKED.fetch_add(1, Ordering::Relaxed));
            request = request.json(body).header("idempotency-key", key);
        }
        let response = request.send().await.expect("answers");
        (response.status(), response.json().await.expect("JSON"))
    }

    async fn must(&self, shows: &Shows, what: (&str, &str), body: &Value) -> Value {
        let (status, answer) = self.ask(shows, what, Some(body)).await;
        assert!(status.is_success(), "{what:?}: {answer}");
        answer
    }

    /// A campaign in which a creator has earned and a payout was planned.
    async fn earned(&self, brand: &Shows, creator: &Shows, name: &'static str) -> Things {
        let mut terms = self.world.terms();
        terms["rates"] = json!({ "sale": { "flat": [[0, 2_000]] } });
        terms["clearing_days"] = json!(0);
        let campaign = text(&self.must(brand, ("post", "/campaigns"), &terms).await["id"]);
        let path = format!("/campaigns/{campaign}");
        let amount = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
        let deposits = format!("{path}/deposits");
        let deposit = self.must(brand, ("post", &deposits), &amount).await;
        let sandbox = &self.world.sandbox.sandbox;
        let (by, outcome) =
            (sponsorhub_sandbox::Method::Card, sponsorhub_sandbox::Outcome::Succeed);
        sandbox.pay(&text(&deposit["session"]), by, outcome).expect("open");
        sandbox.quiet(std::time::Duration::from_secs(5)).await;
        self.world.pass(2_000).await;
        self.must(brand, ("post", &format!("{path}/launch")), &json!({})).await;
        let joined = format!("{path}/enrollments");
        let enrollment = text(&self.must(creator, ("post", &joined), &json!({})).await["id"]);
        let codes = format!("{joined}/{enrollment}/codes");
        let code = self.must(creator, ("post", &codes), &json!({ "readable": "SALE" })).await;
        let key = self.must(brand, ("post", "/api-keys"), &json!({})).await;
        let shop = json!({ "product_url": self.world.address, "api_key": text(&key["secret"]) });
        let shop: ShopSettings = serde_json::from_value(shop).expect("settings");
        sandbox.set_shop(shop);
        let order = json!({
            "external_id": name, "amount": 5_000, "currency": "USD", "code": text(&code["code"]),
        });
        let order: Order = serde_json::from_value(order).expect("an order");
        let told = sandbox.order(&order).await.expect("reported");
        assert_eq!(told.status, 200, "{}", told.body);
        let recipient = self.must(creator, ("post", "/recipient"), &json!({})).await;
        let account = text(&recipient["account"]);
        sandbox.stand(&account, Standing::default()).expect("an account");
        self.world.pass(2 * DAY_MS).await;
        let hook = json!({ "url": "http://127.0.0.1:9/hook" });
        let webhook = text(&self.must(brand, ("post", "/webhooks"), &hook).await["id"]);
        let tested = format!("/webhooks/{webhook}/test");
        self.must(brand, ("post", &tested), &json!({})).await;
        let deliveries = format!("/webhooks/{webhook}/deliveries");
        let (_, deliveries) = self.ask(brand, ("get", &deliveries), None).await;
        let payouts = format!("{path}/payouts");
        let (_, payouts) = self.ask(brand, ("get", &payouts), None).await;
        Things {
            name,
            campaign,
            enrollment,
            conversion: told.body["seq"].to_string(),
            payout: payouts["data"][0]["payout"].to_string(),
            refund: "7",
            user: if name == "a" { "user_mia" } else { "user_bob" },
            key: text(&key["id"]),
            webhook,
            delivery: deliveries["data"][0]["delivery"].to_string(),
            creator: text(&self.ask(creator, ("get", "/me"), None).await.1["id"]),
        }
    }
}

pub(crate) fn shows(name: &str) -> &'static Shows {
    &CALLERS.iter().find(|(of, _)| *of == name).expect("a caller").1
}

pub(crate) async fn start() -> (Play, Vec<Things>) {
    start_in(World::start().await).await
}

pub(crate) async fn start_in(world: Arc<World>) -> (Play, Vec<Things>) {
    let mut play = Play { world, keys: Vec::new() };
    let put = ("put", "/me");
    for name in ["owner", "member", "viewer", "suspended", "brand_b", "creator", "creator_b"] {
        play.must(shows(name), put, &json!({ "name": name })).await;
    }
    // Joined as owner; their organisation has made them a viewer since, which nobody here was told.
    play.must(&Token("user_dan", "brand", ANN), put, &json!({ "name": "dan" })).await;
    let gone = json!({ "is_suspended": true });
    play.must(shows("owner"), ("put", "/team/user_sue"), &gone).await;
    for scope in ["conversions:write", "campaigns:read", "ledger:read"] {
        let wanted = json!({ "scopes": [scope] });
        let key = play.must(shows("owner"), ("post", "/api-keys"), &wanted).await;
        play.keys.push((scope, text(&key["secret"])));
    }
    let a = play.earned(shows("owner"), shows("creator"), "a").await;
    let b = play.earned(shows("brand_b"), shows("creator_b"), "b").await;
    let missing = Things {
        name: "missing",
        campaign: "cmp_00000000000000000000000000".to_owned(),
        enrollment: "enr_00000000000000000000000000".to_owned(),
        conversion: "999".to_owned(),
        payout: "999".to_owned(),
        refund: "999",
        user: "user_nobody",
        key: "key_00000000000000000000000000".to_owned(),
        webhook: "whk_00000000000000000000000000".to_owned(),
        delivery: "999".to_owned(),
        creator: "crt_00000000000000000000000000".to_owned(),
    };
    (play, vec![a, b, missing])
}

/// A body that is right for a route.
pub(crate) fn body(world: &World, name: Option<&str>) -> Option<Value> {
    let amount = json!({ "amount": { "amount": 100, "currency": "USD" } });
    let reason = json!({ "reason": "a test" });
    Some(match name?.rsplit('/').next()? {
        "Nothing" => json!({}),
        "Join" => json!({ "name": "again" }),
        "Terms" => world.terms(),
        "OpenDeposit" => amount,
        "WantedLink" => json!({ "destination": "https://shop.example/" }),
        "WantedCode" => json!({ "readable": "MORE" }),
        "PlaceHold" => json!({ "conversion": 999, "reason": "a test" }),
        "UpholdHold" | "CancelPayout" => reason,
        "SettleOutside" => json!({ "reference": "wire 7" }),
        "IssueKey" => json!({ "scopes": ["campaigns:read"] }),
        "Place" | "Suspension" => json!({ "is_suspended": false }),
        "WantedWebhook" => json!({ "url": "http://127.0.0.1:9/more" }),
        "ChangeWebhook" => json!({ "enabled": true }),
        "RotateWebhook" => json!({ "overlap_hours": 1 }),
        other => panic!("no body for {other}: add one"),
    })
}

/// All routes as the document tells them: method, path, schema of the body.
pub(crate) async fn routes(world: &World) -> Vec<(String, String, Option<String>)> {
    let url = format!("{}/api/openapi.json", world.address);
    let document: Value =
        world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("methods") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let path = path.strip_prefix("/api/v1").expect("below it").to_owned();
            all.push((method.clone(), path, schema.as_str().map(str::to_owned)));
        }
    }
    // What is removed is asked about before, and who is shut out asks before.
    all.sort_by_key(|(method, path, _)| (path.ends_with("/erasure"), method == "delete"));
    all
}

fn cell(status: StatusCode, answer: &Value) -> String {
    match status.as_u16() {
        401 => "401".to_owned(),
        403 => code(answer).to_owned(),
        404 => "404".to_owned(),
        500.. => panic!("{status}: {answer}"),
        // Let through: what comes of it is no matter of who asks.
        _ => "+".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_at_every_door_gets_what_the_matrix_says() {
    let (play, things) = start().await;
    let mut found = String::from(
        "# Who gets through which door (+), and else why not. Written by matrix.rs; read before\n\
         # you commit a change of it. Things: a is brand A's, b is brand B's; a live campaign is\n\
         # seen by every creator.\n",
    );
    for (method, path, schema) in routes(&play.world).await {
        for of in &things {
            if !path.contains('{') && of.name != "a" {
                continue;
            }
            let name = if path.contains('{') { of.name } else { "-" };
            writeln!(found, "\n{} {path} {name}", method.to_uppercase()).expect("room");
            let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
            for (caller, shows) in &CALLERS {
                let body = body(&play.world, schema.as_deref());
                let asked = (method.as_str(), of.fill(&path));
                let (status, answer) = play.ask(shows, (asked.0, &asked.1), body.as_ref()).await;
                let cell = cell(status, &answer);
                match alike.iter_mut().find(|(known, _)| *known == cell) {
                    Some((_, callers)) => callers.push(caller),
                    None => alike.push((cell, vec![caller])),
                }
            }
            alike.sort();
            for (cell, callers) in alike {
                writeln!(found, "    {cell}: {}", callers.join(" ")).expect("room");
            }
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/matrix.txt");
    #[expect(clippy::disallowed_methods, reason = "writes the file that people read")]
    if std::env::var("SPONSORHUB_RECORD_MATRIX").is_ok() {
        std::fs::write(file, &found).expect("written");
    }
    let known = std::fs::read_to_string(file).expect("matrix.txt");
    for (found, known) in found.lines().zip(known.lines()) {
        assert_eq!(found, known, "see matrix.txt");
    }
    assert_eq!(found.lines().count(), known.lines().count(), "see matrix.txt");
}

/// What a request says beyond what it may say is refused, and so changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_themself_more_by_a_field_of_the_body() {
    let (play, things) = start().await;
    let a = &things[0];
    let (owner, path) = (shows("owner"), format!("/campaigns/{}", a.campaign));
    let looks = async || {
        let mut seen = Vec::new();
        for rest in ["", "/balances", "/deposits", "/enrollments", "/payouts"] {
            seen.push(play.ask(owner, ("get", &format!("{path}{rest}")), None).await.1);
        }
        seen.push(play.ask(owner, ("get", "/team"), None).await.1);
        seen.push(play.ask(owner, ("get", "/me"), None).await.1);
        seen
    };
    let before = looks().await;
    let extras = ["role", "tenant", "brand", "state", "user", "id", "party", "is_admin"];
    let mut tried = 0;
    for (method, path, schema) in routes(&play.world).await {
        let Some(good) = body(&play.world, schema.as_deref()) else { continue };
        for extra in extras {
            let mut bad = good.clone();
            if bad.get(extra).is_some()
                || (schema.as_deref().is_some_and(|of| of.ends_with("/Place")) && extra == "role")
            {
                continue;
            }
            bad[extra] = json!("admin");
            for who in ["owner", "creator", "admin"] {
                let asked = (method.as_str(), a.fill(&path));
                let (status, answer) = play.ask(shows(who), (asked.0, &asked.1), Some(&bad)).await;
                assert!(status.is_client_error(), "{method} {path} {extra} as {who}: {answer}");
                tried += 1;
            }
        }
    }
    assert!(tried > 400, "{tried}");
    assert_eq!(looks().await, before);
}
