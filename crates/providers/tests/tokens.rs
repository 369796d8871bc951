//! Session tokens that are not what they say: each is refused for its own reason, and only the good one
//! passes. Keys come over HTTP from a set that the test serves.

#[path = "../../sandbox/judges/install.rs"]
mod install;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512};
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sponsorhub_app::ports::{Identity as _, IdentityError};
use sponsorhub_core::actor::Side;
use sponsorhub_core::ledger::event::campaign::Mode;
use sponsorhub_providers::clerk::{Clerk, ClerkConfig};
use sponsorhub_providers::http::{TimeLimits, client};

const NOW_S: i64 = 1_800_000_000;
const NOW: i64 = NOW_S * 1_000;
const PARTY: &str = "http://127.0.0.1:8080";

struct Issuer {
    key: KeyPair,
    clerk: Clerk,
    address: String,
    /// What it serves.
    keys: Arc<Mutex<Value>>,
    /// Serves the keys as long as this lives.
    _server: tokio::task::JoinSet<std::io::Result<()>>,
    /// How often the keys were asked for.
    fetches: Arc<AtomicU32>,
}

fn encode(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

impl Issuer {
    async fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public = key.public_key();
        let number = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let keys = json!({ "keys": [{
            "use": "sig", "kty": "RSA", "kid": "good", "alg": "RS256",
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        }]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let fetches = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&fetches);
        let keys = Arc::new(Mutex::new(keys));
        let served = Arc::clone(&keys);
        let serve = get(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = served.lock().expect("no panic").clone();
            async move { axum::Json(keys) }
        });
        // The second is where the official client asks.
        let router = axum::Router::new().route("/jwks", serve.clone()).route("/v1/jwks", serve);
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await });
        let jwks = format!("{address}/jwks");
        let config = ClerkConfig::try_new(&address, &jwks, &[PARTY.to_owned()], Mode::Sandbox);
        let client = client(TimeLimits::default()).expect("a client");
        let clerk = Clerk::new(config.expect("fine"), client);
        Self { key, clerk, address, keys, _server: serving, fetches }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.address, "azp": PARTY, "sub": "user_1", "sid": "sess_1", "v": 2,
            "sts": "active", "iat": NOW_S - 5, "nbf": NOW_S - 15, "exp": NOW_S + 60,
            "metadata": { "role": "brand" },
        })
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let algorithm =
            if header["alg"] == "RS512" { &RSA_PKCS1_SHA512 } else { &RSA_PKCS1_SHA256 };
        let random = SystemRandom::new();
        self.key.sign(algorithm, &random, text.as_bytes(), &mut signature).expect("signs");
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    async fn of(&self, token: &str) -> Result<Option<Side>, IdentityError> {
        self.clerk.verify(token, NOW).await.map(|claims| claims.side)
    }
}

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "good" })
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    let fields = object.as_object_mut().expect("an object");
    match value {
        Value::Null => drop(fields.remove(field)),
        value => drop(fields.insert(field.to_owned(), value)),
    }
    object
}

/// A token that is not what it says: what is wrong with it, and for what it must be refused.
type Bad = (String, String, IdentityError);

fn bad(what: impl Into<String>, token: String, expected: IdentityError) -> Bad {
    (what.into(), token, expected)
}

/// Headers and signatures that were not agreed.
async fn headers(issuer: &Issuer) -> Vec<Bad> {
    use IdentityError::{Algorithm, Header, Malformed, Signature, UnknownKey};
    let good = issuer.signed(&header(), &issuer.claims());
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let (head, body) = text.split_once('.').expect("two parts");
    let other = Issuer::new().await.signed(&header(), &issuer.claims());
    // The public key as the secret of an HMAC: the oldest trick.
    let public = issuer.key.public_key().as_ref().to_vec();
    let hmac = |alg: &str| {
        let text = format!("{}.{body}", encode(&with(header(), "alg", json!(alg))));
        let mut mac = Hmac::<Sha256>::new_from_slice(&public).expect("any length");
        mac.update(text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
    };
    let none = |alg: &str| format!("{}.{body}.", encode(&with(header(), "alg", json!(alg))));
    let admin = with(issuer.claims(), "metadata", json!({ "role": "admin" }));
    let swapped = format!("{head}.{}.{signature}", encode(&admin));
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let flipped = format!("{text}.{flipped}{}", &signature[1..]);
    let of =
        |field: &str, value: Value| issuer.signed(&with(header(), field, value), &issuer.claims());
    vec![
        bad("nothing", String::new(), Malformed),
        bad("dots", "..".into(), Malformed),
        bad("one part", head.into(), Malformed),
        bad("two parts", text.into(), Malformed),
        bad("four parts", format!("{good}.x"), Malformed),
        bad("no header", format!(".{body}.{signature}"), Malformed),
        bad(
            "a header that is no object",
            format!("{}.{body}.{signature}", encode(&json!([]))),
            Malformed,
        ),
        bad("a header that is no JSON", format!("AAAA.{body}.{signature}"), Malformed),
        bad("claims that are no object", issuer.signed(&header(), &json!("admin")), Malformed),
        bad("very long", format!("{good}{}", "A".repeat(9_000)), Malformed),
        bad("padded", format!("{good}="), Signature),
        bad("a blank in it", format!("{head}. {body}.{signature}"), Signature),
        bad("no algorithm", none("none"), Algorithm),
        bad("no algorithm, spelled otherwise", none("nOnE"), Algorithm),
        bad("an empty algorithm", none(""), Algorithm),
        bad("HMAC with the public key", hmac("HS256"), Algorithm),
        bad("HMAC that says RS256", hmac("RS256"), Signature),
        bad("another algorithm", of("alg", json!("RS512")), Algorithm),
        bad("another padding", of("alg", json!("PS256")), Algorithm),
        bad("a curve", of("alg", json!("ES256")), Algorithm),
        bad("small letters", of("alg", json!("rs256")), Algorithm),
        bad("a list of algorithms", of("alg", json!(["RS256"])), Algorithm),
        bad("no word about the algorithm", of("alg", Value::Null), Malformed),
        bad("a path as key", of("kid", json!("../../good")), UnknownKey),
        bad("SQL as key", of("kid", json!("good' OR '1'='1")), UnknownKey),
        bad("an address as key", of("kid", json!("http://127.0.0.1:9/keys")), UnknownKey),
        bad("an empty key", of("kid", json!("")), UnknownKey),
        bad("no key", of("kid", Value::Null), UnknownKey),
        bad("a demand", of("crit", json!(["b64"])), Header),
        bad("another type", of("typ", json!("at+jwt")), Header),
        bad("another's signature", other, Signature),
        bad("other claims under it", swapped, Signature),
        bad("one letter changed", flipped, Signature),
        bad("no signature", format!("{text}."), Signature),
    ]
}

/// Claims that were not agreed, each signed by the good key.
fn claims(issuer: &Issuer) -> Vec<Bad> {
    use IdentityError::{Claim, Expired, Issuer as OfIssuer, NotYet, Party, Pending};
    let list = [
        ("exp", json!(NOW_S - 6), Expired),
        ("exp", json!(0), Expired),
        ("exp", json!(-1), Expired),
        ("exp", json!((NOW_S + 60).to_string()), Claim("exp")),
        ("exp", json!(1.9e9), Claim("exp")),
        ("exp", Value::Null, Claim("exp")),
        ("exp", json!(true), Claim("exp")),
        ("exp", json!(i64::MAX), Claim("exp")),
        ("nbf", json!(NOW_S + 30), NotYet),
        ("nbf", json!("0"), Claim("nbf")),
        ("nbf", Value::Null, Claim("nbf")),
        ("iat", json!(NOW_S + 30), NotYet),
        ("iat", json!("now"), Claim("iat")),
        ("iat", Value::Null, Claim("iat")),
        ("iss", json!("https://elsewhere.example"), OfIssuer),
        ("iss", json!(format!("{}/", issuer.address)), OfIssuer),
        ("iss", json!([issuer.address]), Claim("iss")),
        ("iss", Value::Null, Claim("iss")),
        ("azp", json!("http://127.0.0.1:8080.evil.example"), Party),
        ("azp", json!("http://127.0.0.1:8081"), Party),
        ("azp", json!("null"), Party),
        ("azp", json!(""), Claim("azp")),
        ("azp", Value::Null, Claim("azp")),
        ("azp", json!([PARTY]), Claim("azp")),
        ("sid", Value::Null, Claim("sid")),
        ("sid", json!(7), Claim("sid")),
        ("sub", json!(""), Claim("sub")),
        ("sub", Value::Null, Claim("sub")),
        ("sub", json!(["user_1"]), Claim("sub")),
        ("sts", json!("pending"), Pending),
        ("sts", json!("anything"), Pending),
        ("v", json!(3), Claim("v")),
        ("v", json!("2"), Claim("v")),
        ("o", json!("org_1"), Claim("o")),
        // Two roles that differ are none.
        ("role", json!("admin"), Claim("role")),
        ("metadata", json!("admin"), Claim("metadata")),
        ("act", json!({}), Claim("act.sub")),
    ];
    let signed = list.into_iter().map(|(field, value, expected)| {
        let token = issuer.signed(&header(), &with(issuer.claims(), field, value.clone()));
        (format!("{field}: {value}"), token, expected)
    });
    signed.collect()
}

/// What we refuse and the official client does not. Each is a check that we make beyond it.
const BEYOND_THE_CLIENT: &[&str] = &[
    // It compares the issuer only where it is told to.
    r#"iss: "https://elsewhere.example""#,
    r#"iss: "issuer/""#,
    r#"iss: ["issuer"]"#,
    "iss: null",
    // Whether the session is there and active is for whoever uses it, and who is meant.
    "sid: null",
    "sid: 7",
    r#"sts: "pending""#,
    r#"sts: "anything""#,
    r#"sub: """#,
    // Claims that it does not know or look at.
    "v: 3",
    r#"v: "2""#,
    r#"o: "org_1""#,
    r#"role: "admin""#,
    r#"metadata: "admin""#,
    "act: {}",
    // It reads times as JavaScript does, and lets some be absent.
    "exp: 1900000000.0",
    "exp: 9223372036854775807",
    "nbf: null",
    "iat: null",
    // Its base64 takes padding, and it reads no demand in the header.
    "padded",
    "a demand",
];

#[tokio::test]
async fn seventy_bad_tokens_are_refused_each_for_its_own_reason_and_the_good_one_passes() {
    let issuer = Issuer::new().await;
    let good = issuer.signed(&header(), &issuer.claims());
    assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)));
    let all = [headers(&issuer).await, claims(&issuer)].concat();
    assert!(all.len() >= 70, "{}", all.len());
    for (what, token, expected) in all {
        assert_eq!(issuer.of(&token).await, Err(expected), "{what}");
    }
    // Within five seconds clocks may differ.
    for (field, value) in [("exp", NOW_S - 3), ("nbf", NOW_S + 4), ("iat", NOW_S + 4)] {
        let token = issuer.signed(&header(), &with(issuer.claims(), field, json!(value)));
        assert_eq!(issuer.of(&token).await, Ok(Some(Side::Brand)), "{field}");
    }
    // Keys that a token brings along are not looked at.
    let brought = with(header(), "jwk", json!({ "kty": "oct", "k": "AA" }));
    let brought = with(brought, "jku", json!("http://127.0.0.1:9/keys"));
    let brought = issuer.signed(&brought, &issuer.claims());
    assert_eq!(issuer.of(&brought).await, Ok(Some(Side::Brand)), "signed by the good key");
    // What a browser may write itself is no role, and an unknown one allows nothing.
    let of =
        |field: &str, value: Value| issuer.signed(&header(), &with(issuer.claims(), field, value));
    let unsafe_one = with(issuer.claims(), "metadata", json!({}));
    let unsafe_one = with(unsafe_one, "unsafe_metadata", json!({ "role": "admin" }));
    assert_eq!(issuer.of(&issuer.signed(&header(), &unsafe_one)).await, Ok(None));
    assert_eq!(issuer.of(&of("metadata", json!({ "role": "owner" }))).await, Ok(None));
    let acting = of("act", json!({ "sub": "user_2" }));
    let claims = issuer.clerk.verify(&acting, NOW).await.expect("valid");
    assert_eq!(claims.impersonator.as_deref(), Some("user_2"));
}

/// The official client, with the same keys, origins and time, says of each token what we say, except
/// for what we check beyond it.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_refuses_the_same_tokens() {
    let folder = match install::node(&["tokens.mjs"]) {
        Ok(folder) => folder,
        Err(why) => return install::not_run("session tokens by the official client", &why),
    };
    let issuer = Issuer::new().await;
    let good = issuer.signed(&header(), &issuer.claims());
    let all = [headers(&issuer).await, claims(&issuer)].concat();
    let tokens: Vec<_> = [&good].into_iter().chain(all.iter().map(|(_, token, _)| token)).collect();
    let given = json!({ "tokens": tokens, "now": NOW, "party": PARTY, "keys": issuer.address });
    let judging = move || {
        let mut node = Command::new("node");
        let node = node.arg(folder.join("tokens.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = node.spawn().expect("runs");
        let mut stdin = node.stdin.take().expect("piped");
        stdin.write_all(given.to_string().as_bytes()).expect("reads");
        drop(stdin);
        node.wait_with_output().expect("ends")
    };
    let output = tokio::task::spawn_blocking(judging).await.expect("no panic");
    assert!(output.status.success());
    let said: Vec<bool> = serde_json::from_slice(&output.stdout).expect("a list");
    assert!(said[0], "the good one");
    assert_eq!(said.len(), all.len() + 1);
    let only_we = all.iter().zip(&said[1..]).filter(|(_, is_accepted)| **is_accepted);
    let mut only_we: Vec<_> =
        only_we.map(|((what, ..), _)| what.replace(&issuer.address, "issuer")).collect();
    only_we.sort();
    let mut listed = BEYOND_THE_CLIENT.to_vec();
    listed.sort_unstable();
    assert_eq!(only_we, listed, "what only we refuse stands in the list, and nothing else does");
}

#[tokio::test]
async fn random_keys_are_not_asked_for_again_and_again() {
    let issuer = Issuer::new().await;
    let good = issuer.signed(&header(), &issuer.claims());
    assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)));
    // A signature would cost more than all else, and is not reached.
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let body = text.split_once('.').expect("two parts").1;
    let mut now = NOW;
    for number in 0..10_000 {
        let stranger = encode(&with(header(), "kid", json!(format!("kid-{number}"))));
        let token = format!("{stranger}.{body}.{signature}");
        let refused = issuer.clerk.verify(&token, now).await.map(drop);
        assert_eq!(refused, Err(IdentityError::UnknownKey));
        if number % 100 == 0 {
            assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)), "the others go on");
        }
        // Twenty seconds in all, and the cooldown is a minute.
        now += 2;
    }
    let fetches = issuer.fetches.load(Ordering::SeqCst);
    assert!(fetches <= 2, "{fetches} fetches");
}

#[tokio::test]
async fn an_empty_set_at_the_start_locks_nobody_out_for_longer_than_a_second() {
    let issuer = Issuer::new().await;
    let whole =
        std::mem::replace(&mut *issuer.keys.lock().expect("no panic"), json!({ "keys": [] }));
    let token = issuer.signed(&header(), &issuer.claims());
    let refused = issuer.clerk.verify(&token, NOW).await;
    assert_eq!(refused.map(|claims| claims.subject), Err(IdentityError::Unavailable));
    *issuer.keys.lock().expect("no panic") = whole;
    // However many ask in that second, the provider is asked once.
    for _ in 0..100 {
        assert!(issuer.clerk.verify(&token, NOW + 999).await.is_err());
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1);
    assert!(issuer.clerk.verify(&token, NOW + 1_000).await.is_ok());
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 2);
}

/// A set without keys, served once, locks nobody out: what was known goes on.
#[tokio::test]
async fn an_empty_set_of_keys_changes_nothing() {
    let issuer = Issuer::new().await;
    let later = NOW + 3_700_000;
    let moved = |claims: Value| {
        let at = later / 1_000;
        with(with(with(claims, "exp", json!(at + 60)), "nbf", json!(at)), "iat", json!(at))
    };
    let good = issuer.signed(&header(), &issuer.claims());
    assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)));
    let known = issuer.keys.lock().expect("no panic").clone();
    for empty in
        [json!({ "keys": [] }), json!({}), json!([]), json!({ "keys": [{ "kty": "oct" }] })]
    {
        *issuer.keys.lock().expect("no panic") = empty;
        let before = issuer.fetches.load(Ordering::SeqCst);
        let token = issuer.signed(&header(), &moved(issuer.claims()));
        let claims = issuer.clerk.verify(&token, later).await.map(|claims| claims.side);
        assert_eq!(claims, Ok(Some(Side::Brand)), "it is an hour old, was asked for, and is kept");
        assert!(issuer.fetches.load(Ordering::SeqCst) >= before);
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 2, "the set was asked for when it was old");
    *issuer.keys.lock().expect("no panic") = known;
    let token = issuer.signed(&header(), &moved(issuer.claims()));
    assert!(issuer.clerk.verify(&token, later + 60_001).await.is_ok());
}
