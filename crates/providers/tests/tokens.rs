//! Session tokens that are not what they say: each is refused for its own reason, and only the good one
//! passes. Keys come over HTTP from a set that the test serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
        let serve = get(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = keys.clone();
            async move { axum::Json(keys) }
        });
        let router = axum::Router::new().route("/jwks", serve);
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await });
        let jwks = format!("{address}/jwks");
        let config = ClerkConfig::try_new(&address, &jwks, &[PARTY.to_owned()], Mode::Sandbox);
        let client = client(TimeLimits::default()).expect("a client");
        let clerk = Clerk::new(config.expect("fine"), client);
        Self { key, clerk, address, _server: server, fetches }
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

#[tokio::test]
async fn of_all_headers_and_signatures_only_the_agreed_one_passes() {
    let issuer = Issuer::new().await;
    let good = issuer.signed(&header(), &issuer.claims());
    assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)));
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let other = Issuer::new().await.signed(&header(), &issuer.claims());
    // The public key as the secret of an HMAC: the oldest trick.
    let public = issuer.key.public_key().as_ref().to_vec();
    let hs = with(header(), "alg", json!("HS256"));
    let hs = format!("{}.{}", encode(&hs), encode(&issuer.claims()));
    let mut mac = Hmac::<Sha256>::new_from_slice(&public).expect("any length");
    mac.update(hs.as_bytes());
    let hs = format!("{hs}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()));
    let none = with(header(), "alg", json!("none"));
    let none = format!("{}.{}.", encode(&none), encode(&issuer.claims()));
    let admin = with(issuer.claims(), "metadata", json!({ "role": "admin" }));
    let swapped = format!("{}.{}.{signature}", encode(&header()), encode(&admin));
    let of =
        |field: &str, value: Value| issuer.signed(&with(header(), field, value), &issuer.claims());
    for (what, token, expected) in [
        ("nothing", String::new(), IdentityError::Malformed),
        ("two parts", text.to_owned(), IdentityError::Malformed),
        ("four parts", format!("{good}.x"), IdentityError::Malformed),
        ("padded", format!("{good}="), IdentityError::Signature),
        ("very long", format!("{good}{}", "A".repeat(9_000)), IdentityError::Malformed),
        ("no algorithm", none, IdentityError::Algorithm),
        ("HMAC with the public key", hs, IdentityError::Algorithm),
        ("another algorithm", of("alg", json!("RS512")), IdentityError::Algorithm),
        ("a list of algorithms", of("alg", json!(["RS256"])), IdentityError::Algorithm),
        ("an unknown key", of("kid", json!("../../good")), IdentityError::UnknownKey),
        ("no key", of("kid", Value::Null), IdentityError::UnknownKey),
        ("a demand", of("crit", json!(["b64"])), IdentityError::Header),
        ("another type", of("typ", json!("at+jwt")), IdentityError::Header),
        ("another's signature", other, IdentityError::Signature),
        ("other claims under it", swapped, IdentityError::Signature),
        ("no signature", format!("{text}."), IdentityError::Signature),
    ] {
        assert_eq!(issuer.of(&token).await, Err(expected), "{what}");
    }
    // Keys that a token brings along are not looked at.
    let brought = with(header(), "jwk", json!({ "kty": "oct", "k": "AA" }));
    let brought = with(brought, "jku", json!("http://127.0.0.1:9/keys"));
    let brought = issuer.signed(&brought, &issuer.claims());
    assert_eq!(issuer.of(&brought).await, Ok(Some(Side::Brand)), "signed by the good key");
}

#[tokio::test]
async fn of_all_claims_only_those_that_were_agreed_pass() {
    let issuer = Issuer::new().await;
    let of =
        |field: &str, value: Value| issuer.signed(&header(), &with(issuer.claims(), field, value));
    for (field, value, expected) in [
        ("exp", json!(NOW_S - 6), IdentityError::Expired),
        ("exp", json!((NOW_S + 60).to_string()), IdentityError::Claim("exp")),
        ("exp", Value::Null, IdentityError::Claim("exp")),
        ("exp", json!(i64::MAX), IdentityError::Claim("exp")),
        ("nbf", json!(NOW_S + 6), IdentityError::NotYet),
        ("nbf", json!("0"), IdentityError::Claim("nbf")),
        ("iat", json!(NOW_S + 6), IdentityError::NotYet),
        ("iat", Value::Null, IdentityError::Claim("iat")),
        ("iss", json!("https://elsewhere.example"), IdentityError::Issuer),
        ("iss", Value::Null, IdentityError::Claim("iss")),
        ("azp", json!("http://127.0.0.1:8080.evil.example"), IdentityError::Party),
        ("azp", Value::Null, IdentityError::Claim("azp")),
        ("azp", json!([PARTY]), IdentityError::Claim("azp")),
        ("sid", Value::Null, IdentityError::Claim("sid")),
        ("sub", json!(""), IdentityError::Claim("sub")),
        ("sts", json!("pending"), IdentityError::Pending),
        ("v", json!(3), IdentityError::Claim("v")),
        // Two roles that differ are none.
        ("role", json!("admin"), IdentityError::Claim("role")),
        ("act", json!({}), IdentityError::Claim("act.sub")),
    ] {
        assert_eq!(issuer.of(&of(field, value.clone())).await, Err(expected), "{field}: {value}");
    }
    // What a browser may write itself is no role, and an unknown one allows nothing.
    let unsafe_one = with(issuer.claims(), "metadata", json!({}));
    let unsafe_one = with(unsafe_one, "unsafe_metadata", json!({ "role": "admin" }));
    assert_eq!(issuer.of(&issuer.signed(&header(), &unsafe_one)).await, Ok(None));
    assert_eq!(issuer.of(&of("metadata", json!({ "role": "owner" }))).await, Ok(None));
    let acting = of("act", json!({ "sub": "user_2" }));
    let claims = issuer.clerk.verify(&acting, NOW).await.expect("valid");
    assert_eq!(claims.impersonator.as_deref(), Some("user_2"));
}

#[tokio::test]
async fn random_keys_are_not_asked_for_again_and_again() {
    let issuer = Issuer::new().await;
    let good = issuer.signed(&header(), &issuer.claims());
    assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)));
    for number in 0..500 {
        let stranger = with(header(), "kid", json!(format!("kid-{number}")));
        let token = issuer.signed(&stranger, &issuer.claims());
        assert_eq!(issuer.of(&token).await, Err(IdentityError::UnknownKey));
        assert_eq!(issuer.of(&good).await, Ok(Some(Side::Brand)), "the others go on");
    }
    let fetches = issuer.fetches.load(Ordering::SeqCst);
    assert!(fetches <= 2, "{fetches} fetches");
}
