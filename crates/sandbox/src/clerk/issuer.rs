//! Session tokens: JSON Web Tokens signed by RS256 with a key that is made at the start.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Issued, SignedIn, TokenWanted};

/// How long a token lives unless something else is wanted, seconds.
const TTL_S: i64 = 60;

/// Before it is issued a token is valid for so long, for clocks that are behind, seconds.
const EARLY_S: i64 = 10;

#[derive(Debug)]
pub(crate) struct Issuer {
    key: KeyPair,
    /// Named after the key, so that another key never has the same name.
    kid: String,
    random: SystemRandom,
}

impl Issuer {
    pub(crate) fn new() -> std::io::Result<Self> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(std::io::Error::other)?;
        let modulus = key.public_key().modulus();
        let digest = Sha256::digest(modulus.big_endian_without_leading_zero());
        let kid = format!("ins_{}", HEXLOWER.encode(&digest[..12]));
        Ok(Self { key, kid, random: SystemRandom::new() })
    }

    /// The public key as a set of one.
    pub(crate) fn jwks(&self) -> Value {
        let key = self.key.public_key();
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({ "keys": [{
            "use": "sig", "kty": "RSA", "kid": self.kid, "alg": "RS256",
            "n": encode(key.modulus().big_endian_without_leading_zero()),
            "e": encode(key.exponent().big_endian_without_leading_zero()),
        }]})
    }

    /// A token of version 2 for somebody who has signed in.
    pub(crate) fn issue(
        &self,
        base_url: &str,
        who: &SignedIn,
        wanted: &TokenWanted,
        now_ms: i64,
    ) -> std::io::Result<Issued> {
        let issued_at = now_ms.div_euclid(1_000);
        let expires_at = issued_at.saturating_add(wanted.ttl_s.unwrap_or(TTL_S));
        let mut claims = json!({
            "exp": expires_at, "fva": [0, -1], "iat": issued_at, "iss": base_url,
            "jti": HEXLOWER.encode(&self.random()?), "metadata": {}, "nbf": issued_at - EARLY_S,
            "sid": who.session_id, "sts": if wanted.pending { "pending" } else { "active" },
            "sub": who.user_id, "v": 2,
        });
        if let Some(azp) = &wanted.azp {
            claims["azp"] = json!(azp);
        }
        if let Some(role) = &who.role {
            claims["metadata"]["role"] = json!(role);
        }
        if let Some(features) = &wanted.features {
            claims["fea"] = json!(features);
        }
        if let Some(plan) = &wanted.plan {
            claims["pla"] = json!(plan);
        }
        if let Some(actor) = &wanted.actor {
            claims["act"] = json!({ "sub": actor });
        }
        if let Some(organisation) = &wanted.organisation {
            claims["o"] = json!({
                "id": organisation.id, "slg": organisation.slug, "rol": organisation.role,
            });
        }
        let token = self.sign(&claims)?;
        let (user_id, session_id) = (who.user_id.clone(), who.session_id.clone());
        Ok(Issued { token, user_id, session_id, expires_at })
    }

    fn random(&self) -> std::io::Result<[u8; 10]> {
        let mut bytes = [0; 10];
        aws_lc_rs::rand::SecureRandom::fill(&self.random, &mut bytes)
            .map_err(std::io::Error::other)?;
        Ok(bytes)
    }

    fn sign(&self, claims: &Value) -> std::io::Result<String> {
        let header = json!({ "alg": "RS256", "kid": self.kid, "typ": "JWT" });
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &self.random, signed.as_bytes(), &mut signature)
            .map_err(std::io::Error::other)?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;

    fn who() -> SignedIn {
        let role = Some("brand".to_owned());
        SignedIn { user_id: "user_1".into(), session_id: "sess_1".into(), role }
    }

    fn claims(token: &str) -> Value {
        let part = token.split('.').nth(1).expect("three parts");
        let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn a_token_verifies_with_the_published_key_and_not_if_it_is_changed() {
        let issuer = Issuer::new().expect("a key");
        let made = issuer.issue("http://i", &who(), &TokenWanted::default(), 1_000).expect("one");
        let jwks = issuer.jwks();
        let part = |name: &str| {
            let text = jwks["keys"][0][name].as_str().expect("a text");
            BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64")
        };
        let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
        let (signed, signature) = made.token.rsplit_once('.').expect("three parts");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64");
        let verify =
            |text: &str| key.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature);
        assert!(verify(signed).is_ok());
        assert!(verify(&format!("{signed}x")).is_err());
    }

    #[test]
    fn claims_are_those_of_version_2() {
        let issuer = Issuer::new().expect("a key");
        let organisation = super::super::Organisation {
            id: "org_1".into(),
            slug: "acme".into(),
            role: "admin".into(),
        };
        let wanted = TokenWanted {
            azp: Some("http://p".into()),
            organisation: Some(organisation),
            features: Some("o:dash".into()),
            plan: Some("o:pro".into()),
            ..TokenWanted::default()
        };
        let made = issuer.issue("http://i", &who(), &wanted, 100_999).expect("one");
        let mut claims = claims(&made.token);
        claims["jti"] = Value::Null;
        let expected = json!({
            "azp": "http://p", "exp": 160, "fea": "o:dash", "fva": [0, -1], "iat": 100,
            "iss": "http://i", "jti": null, "metadata": { "role": "brand" }, "nbf": 90,
            "o": { "id": "org_1", "rol": "admin", "slg": "acme" }, "pla": "o:pro",
            "sid": "sess_1", "sts": "active", "sub": "user_1", "v": 2,
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn tokens_can_be_short_lived_pending_and_without_a_role() {
        let issuer = Issuer::new().expect("a key");
        let who = SignedIn { role: None, ..who() };
        let wanted = TokenWanted { ttl_s: Some(-7), pending: true, ..TokenWanted::default() };
        let claims = claims(&issuer.issue("http://i", &who, &wanted, 100_000).expect("one").token);
        assert_eq!((&claims["exp"], &claims["sts"]), (&json!(93), &json!("pending")));
        assert_eq!((&claims["metadata"], claims.get("azp")), (&json!({}), None));
    }
}
