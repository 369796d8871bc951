//! Everybody who asks: two brands with a team and a person, their creators, operators and keys, and a campaign
//! of each brand in which somebody has earned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sponsorhub_sandbox::{Order, Organisation, ShopSettings, Standing, TokenWanted};

use crate::world::{ADMIN, DAY_MS, World, text};

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
pub(crate) static CALLERS: [(&str, Shows); 15] = [
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
    pub(crate) name: &'static str,
    pub(crate) campaign: String,
    pub(crate) enrollment: String,
    pub(crate) conversion: String,
    pub(crate) payout: String,
    /// A conversion that is held; where nobody has held one, that of before.
    pub(crate) held: String,
    /// A promo code of the enrollment.
    pub(crate) code: String,
    refund: &'static str,
    user: &'static str,
    key: String,
    webhook: String,
    delivery: String,
    creator: String,
    brand: String,
    /// A job of the workers, and an event of the payment provider.
    job: &'static str,
    event: String,
}

impl Things {
    pub(crate) fn fill(&self, path: &str) -> String {
        let path = path.replace("{campaign}", &self.campaign).replace("{user}", self.user);
        let path = path.replace("{enrollment}", &self.enrollment).replace("{key}", &self.key);
        let path = path.replace("/holds/{conversion}", &format!("/holds/{}", self.held));
        path.replace("{conversion}", &self.conversion)
            .replace("{payout}", &self.payout)
            .replace("{refund}", self.refund)
            .replace("{webhook}", &self.webhook)
            .replace("{delivery}", &self.delivery)
            .replace("{creator}", &self.creator)
            .replace("{brand}", &self.brand)
            .replace("{code}", &self.code)
            .replace("{job}", self.job)
            .replace("{event}", &self.event)
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

    pub(crate) async fn ask(
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

    pub(crate) async fn must(&self, shows: &Shows, what: (&str, &str), body: &Value) -> Value {
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
        let (_, events) = self.world.get(ADMIN, "/provider-events").await;
        Things {
            name,
            campaign,
            enrollment,
            conversion: told.body["seq"].to_string(),
            held: told.body["seq"].to_string(),
            payout: payouts["data"][0]["payout"].to_string(),
            refund: "7",
            user: if name == "a" { "user_mia" } else { "user_bob" },
            key: text(&key["id"]),
            webhook,
            delivery: deliveries["data"][0]["delivery"].to_string(),
            creator: text(&self.ask(creator, ("get", "/me"), None).await.1["id"]),
            brand: text(&self.ask(brand, ("get", "/me"), None).await.1["id"]),
            code: text(&code["code"]),
            job: "holdings",
            event: text(&events["data"][0]["id"]),
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
        held: "999".to_owned(),
        payout: "999".to_owned(),
        refund: "999",
        user: "user_nobody",
        key: "key_00000000000000000000000000".to_owned(),
        webhook: "whk_00000000000000000000000000".to_owned(),
        delivery: "999".to_owned(),
        creator: "crt_00000000000000000000000000".to_owned(),
        brand: "brd_00000000000000000000000000".to_owned(),
        code: "SALE-00000".to_owned(),
        job: "nothing",
        event: "evt_nothing".to_owned(),
    };
    (play, vec![a, b, missing])
}
