//! The sixth public bug: one route ignored the idempotency key that its siblings honoured. So the key is
//! tried on every route that changes something, and a new one has no way around.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{ADA, ADMIN, BRAND, DAY_MS, World, code, text};
use crate::{faults, oversight};

/// One request under its own key: done, repeated, and repeated with another body.
struct Trial {
    world: Arc<World>,
    /// Method and path of the routes that were tried.
    tried: BTreeSet<String>,
}

impl Trial {
    /// `route` is as the document has it, `path` what it becomes here. `status` is that of the first
    /// answer; a refused one is not kept, since it may be possible later.
    async fn expect(
        &mut self,
        status: u16,
        who: (&str, &str),
        (method, route, path): (&str, &str, &str),
        body: &Value,
    ) -> Value {
        let key = format!("{method} {route}");
        let send = async |body: String| {
            let url = format!("{}/api/v1{path}", self.world.address);
            let method: Method = method.parse().expect("a method");
            let request = self.world.client.request(method, url);
            let request = request.bearer_auth(self.world.token(who.0, who.1));
            let request = request.header("content-type", "application/json");
            let answer = request.header("idempotency-key", &key).body(body).send();
            let answer = answer.await.expect("answers");
            let is_replayed = answer.headers().contains_key("idempotent-replayed");
            (answer.status(), is_replayed, answer.json::<Value>().await.expect("JSON"))
        };
        let (first, is_replayed, answer) = send(body.to_string()).await;
        assert_eq!((first.as_u16(), is_replayed), (status, false), "{key}: {answer}");
        if first.is_success() {
            let (again, is_replayed, mut same) = send(body.to_string()).await;
            // Secrets are shown once.
            for secret in
                ["secret", "onboarding_url"].into_iter().filter(|one| answer[one].is_string())
            {
                assert_eq!(same[secret], Value::Null, "{key}");
                same[secret].clone_from(&answer[secret]);
            }
            let told = "planted bug sdp_673: the key is honoured";
            assert!(
                is_replayed && again == first && same == answer,
                "{told} by {key}: {again} {same}"
            );
        }
        let (other, _, refused) = send(format!("{body} ")).await;
        let wanted = (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
        assert_eq!((other, code(&refused)), wanted, "{key} with another body");
        self.tried.insert(key);
        answer
    }

    async fn of_campaigns(&mut self) {
        let terms = self.world.terms();
        let nothing = json!({});
        self.expect(200, BRAND, ("PUT", "/me", "/me"), &json!({ "name": "marta" })).await;
        let made = self.expect(201, BRAND, ("POST", "/campaigns", "/campaigns"), &terms).await;
        let draft = format!("/campaigns/{}", text(&made["id"]));
        let deposit = json!({ "amount": { "amount": 100_000, "currency": "USD" } });
        let to = |rest: &str| (format!("/campaigns/{{campaign}}{rest}"), format!("{draft}{rest}"));
        for (rest, status, body) in [("/deposits", 201, &deposit), ("/cancel", 200, &nothing)] {
            let (route, path) = to(rest);
            self.expect(status, BRAND, ("POST", &route, &path), body).await;
        }
        let funded = format!("/campaigns/{}", self.world.paid(BRAND, &terms).await);
        let to = |rest: &str| (format!("/campaigns/{{campaign}}{rest}"), format!("{funded}{rest}"));
        for rest in ["/launch", "/pause", "/resume"] {
            let (route, path) = to(rest);
            self.expect(200, BRAND, ("POST", &route, &path), &nothing).await;
        }
        let (route, path) = to("/enrollments");
        let part = self.expect(201, ADA, ("POST", &route, &path), &nothing).await;
        let part = text(&part["id"]);
        for (rest, status, body) in [
            ("/links", 201, json!({ "destination": "https://shop.example/mug" })),
            ("/codes", 201, json!({ "readable": "ADA" })),
            ("/end", 200, json!({})),
        ] {
            let route = format!("/campaigns/{{campaign}}/enrollments/{{enrollment}}{rest}");
            let path = format!("{funded}/enrollments/{part}{rest}");
            self.expect(status, ADA, ("POST", &route, &path), &body).await;
        }
        let (route, path) = to("/complete");
        self.expect(200, BRAND, ("POST", &route, &path), &nothing).await;
    }

    /// A conversion is doubted and paid for.
    async fn of_money(&mut self) {
        let world = Arc::clone(&self.world);
        let nothing = json!({});
        faults::shop(&world).await;
        let creators = faults::creators(&world, 2).await;
        let campaign = faults::earned(&world, &creators).await;
        let here = format!("/campaigns/{campaign}");
        let (_, page) = world.get(BRAND, &format!("{here}/conversions")).await;
        let seqs: Vec<&Value> =
            page["data"].as_array().expect("a list").iter().map(|one| &one["seq"]).collect();
        let doubted = json!({ "conversion": seqs[0], "reason": "looks odd" });
        let holds = ("POST", "/campaigns/{campaign}/holds", format!("{here}/holds"));
        self.expect(201, BRAND, (holds.0, holds.1, &holds.2), &doubted).await;
        let other = json!({ "conversion": seqs[1], "reason": "looks odd" });
        world.post(BRAND, &holds.2, &other).await;
        let decided = json!({ "reason": "a robot" });
        for (what, seq, who, body) in
            [("release", seqs[0], BRAND, &nothing), ("uphold", seqs[1], ADMIN, &decided)]
        {
            let route = format!("/campaigns/{{campaign}}/holds/{{conversion}}/{what}");
            let path = format!("{here}/holds/{seq}/{what}");
            self.expect(200, who, ("POST", &route, &path), body).await;
        }
        world.pass(DAY_MS).await;
        world.pass(10_000).await;
        let (_, page) = world.get(BRAND, &format!("{here}/payouts")).await;
        let payout = &page["data"][0]["id"];
        let payout = if payout.is_null() { &page["data"][0]["payout"] } else { payout };
        let given_up = json!({ "reason": "no reason" });
        // What is paid is not given up.
        for (what, status, body) in [("retry", 200, &nothing), ("cancel", 409, &given_up)] {
            let route = format!("/campaigns/{{campaign}}/payouts/{{payout}}/{what}");
            let path = format!("{here}/payouts/{payout}/{what}");
            self.expect(status, ADMIN, ("POST", &route, &path), body).await;
        }
    }

    /// What two operators do: each has a key, and their word counts once.
    async fn of_operators(&mut self) {
        let (campaign, refund) = oversight::with_refund(&self.world).await;
        let here = format!("/campaigns/{campaign}");
        let wire = json!({ "reference": "wire 7" });
        let route = "/campaigns/{campaign}/refunds/{refund}/settle-outside";
        let path = format!("{here}/refunds/{refund}/settle-outside");
        self.expect(200, ADMIN, ("POST", route, &path), &wire).await;
        let own = json!({ "amount": { "amount": 5_000, "currency": "USD" } });
        let route = "/campaigns/{campaign}/advances";
        self.expect(200, ADMIN, ("POST", route, &format!("{here}/advances")), &own).await;
    }

    async fn of_accounts(&mut self) {
        let nothing = json!({});
        self.expect(201, ADA, ("POST", "/recipient", "/recipient"), &nothing).await;
        let key = self.expect(201, BRAND, ("POST", "/api-keys", "/api-keys"), &nothing).await;
        let path = format!("/api-keys/{}", text(&key["id"]));
        let rotate = ("POST", "/api-keys/{key}/rotate", format!("{path}/rotate"));
        self.expect(201, BRAND, (rotate.0, rotate.1, &rotate.2), &nothing).await;
        self.expect(200, BRAND, ("DELETE", "/api-keys/{key}", &path), &nothing).await;
        let (_, team) = self.world.get(BRAND, "/team").await;
        let user = text(&team["data"][0]["user"]);
        let (place, standing) = (json!({ "role": "owner" }), json!({ "is_suspended": false }));
        let (team, users) = (format!("/team/{user}"), format!("/users/{user}"));
        self.expect(200, BRAND, ("PUT", "/team/{user}", &team), &place).await;
        self.expect(200, ADMIN, ("PUT", "/users/{user}", &users), &standing).await;
    }

    async fn of_people(&mut self) {
        let (_, me) = self.world.get(ADA, "/me").await;
        let path = format!("/creators/{}/erasure", text(&me["id"]));
        let route = "/creators/{creator}/erasure";
        self.expect(200, ADMIN, ("POST", route, &path), &json!({})).await;
        let (_, brand) = self.world.get(BRAND, "/me").await;
        let path = format!("/brands/{}", text(&brand["id"]));
        let name = json!({ "name": "Fjord Coffee" });
        self.expect(200, ADMIN, ("PUT", "/brands/{brand}", &path), &name).await;
    }

    async fn of_work(&mut self) {
        let nothing = json!({});
        for what in ["run", "pause", "resume"] {
            let (route, path) =
                (format!("/workers/{{job}}/{what}"), format!("/workers/holdings/{what}"));
            self.expect(200, ADMIN, ("POST", &route, &path), &nothing).await;
        }
        let (_, events) = self.world.get(ADMIN, "/provider-events?state=done").await;
        let path = format!("/provider-events/{}/replay", text(&events["data"][0]["id"]));
        let route = "/provider-events/{event}/replay";
        self.expect(200, ADMIN, ("POST", route, &path), &nothing).await;
    }

    async fn of_webhooks(&mut self) {
        let nothing = json!({});
        // Nobody answers there.
        let wanted = json!({ "url": "http://127.0.0.1:1/", "events": ["payout.paid"] });
        let made = self.expect(201, BRAND, ("POST", "/webhooks", "/webhooks"), &wanted).await;
        let here = format!("/webhooks/{}", text(&made["id"]));
        let there = "/webhooks/{webhook}";
        let change = json!({ "events": ["*"] });
        self.expect(200, BRAND, ("PATCH", there, &here), &change).await;
        for rest in ["/rotate", "/test"] {
            let (route, path) = (format!("{there}{rest}"), format!("{here}{rest}"));
            self.expect(200, BRAND, ("POST", &route, &path), &nothing).await;
        }
        let (_, log) = self.world.get(BRAND, &format!("{here}/deliveries")).await;
        let no = &log["data"][0]["delivery"];
        let route = format!("{there}/deliveries/{{delivery}}/replay");
        let path = format!("{here}/deliveries/{no}/replay");
        self.expect(200, BRAND, ("POST", &route, &path), &nothing).await;
        let route = "/webhook-endpoints/{webhook}/deliveries/{delivery}/replay";
        let path = path.replace("/webhooks/", "/webhook-endpoints/");
        self.expect(200, ADMIN, ("POST", route, &path), &nothing).await;
        self.expect(200, BRAND, ("DELETE", there, &here), &nothing).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sdp_673_every_route_that_changes_something_honours_its_key() {
    let world = World::start().await;
    for who in [BRAND, ADA] {
        world.join(who).await;
    }
    let mut trial = Trial { world: Arc::clone(&world), tried: BTreeSet::new() };
    trial.of_campaigns().await;
    trial.of_money().await;
    trial.of_operators().await;
    trial.of_accounts().await;
    trial.of_webhooks().await;
    trial.of_work().await;
    trial.of_people().await;
    let url = format!("{}/api/openapi.json", world.address);
    let document: Value =
        world.client.get(url).send().await.expect("answers").json().await.expect("JSON");
    let mut all = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let Some(path) = path.strip_prefix("/api/v1") else { continue };
        for method in operations.as_object().expect("methods").keys().filter(|one| *one != "get") {
            all.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    assert_eq!(trial.tried, all, "a route that changes something is tried here");
}
