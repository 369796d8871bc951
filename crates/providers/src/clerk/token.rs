//! Session tokens: JSON Web Tokens of version 1 and 2, RS256 only.
//!
//! The order is that of the provider's own client: shape and algorithm, key, signature, times,
//! party, issuer, state. Nothing is believed before the signature holds. Claims are read with their
//! types: a number that comes as a text is not a number.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sponsorhub_app::ports::identity::Organisation;
use sponsorhub_app::ports::{Claims, IdentityError};
use sponsorhub_core::actor::Side;

/// Longest token that is looked at; browsers keep no longer cookie.
const TOKEN_BYTES_MAX: usize = 8_192;

/// Longest key id that is looked for.
const KID_BYTES_MAX: usize = 128;

/// How far clocks may be apart, milliseconds.
const SKEW_MS: i64 = 5_000;

/// A token taken apart; nothing of it is believed yet.
pub(super) struct Token<'a> {
    pub(super) kid: String,
    signed: &'a str,
    signature: &'a str,
    claims: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: Value,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    /// Takes a token apart and refuses every algorithm but the agreed one.
    pub(super) fn read(token: &'a str) -> Result<Self, IdentityError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(IdentityError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(IdentityError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(IdentityError::Malformed)?;
        if claims.contains('.') {
            return Err(IdentityError::Malformed);
        }
        let header: Header = part(header)?;
        if header.alg != "RS256" {
            return Err(IdentityError::Algorithm);
        }
        let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if header.crit.is_some() || !is_jwt {
            return Err(IdentityError::Header);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty() && kid.len() <= KID_BYTES_MAX);
        let kid = kid.ok_or(IdentityError::UnknownKey)?;
        Ok(Self { kid, signed, signature, claims })
    }

    /// The claims, if the key made the signature.
    pub(super) fn open(&self, key: &DecodingKey) -> Result<Fields, IdentityError> {
        let (signature, signed) = (self.signature, self.signed.as_bytes());
        match jsonwebtoken::crypto::verify(signature, signed, key, Algorithm::RS256) {
            Ok(true) => part(self.claims).map(Fields),
            Ok(false) | Err(_) => Err(IdentityError::Signature),
        }
    }
}

/// One part: base64 without padding, and JSON in it.
fn part<T: DeserializeOwned>(text: &str) -> Result<T, IdentityError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| IdentityError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| IdentityError::Malformed)
}

/// What a token has to agree with.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) parties: Vec<String>,
}

/// Claims whose signature holds.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// A text that is not empty; none if it is absent or null.
    fn text(&self, name: &'static str) -> Result<Option<&str>, IdentityError> {
        text_in(&self.0, name, name)
    }

    fn required(&self, name: &'static str) -> Result<&str, IdentityError> {
        self.text(name)?.ok_or(IdentityError::Claim(name))
    }

    /// Seconds as milliseconds.
    fn time(&self, name: &'static str) -> Result<i64, IdentityError> {
        let seconds = self.0.get(name).and_then(Value::as_i64);
        seconds.and_then(|s| s.checked_mul(1_000)).ok_or(IdentityError::Claim(name))
    }

    fn object(&self, name: &'static str) -> Result<Option<&Map<String, Value>>, IdentityError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(IdentityError::Claim(name)),
        }
    }

    /// Checks everything at `now`, milliseconds, and takes what is wanted.
    pub(super) fn check(&self, expected: &Expected, now: i64) -> Result<Claims, IdentityError> {
        let (expires_at, begins_at) = (self.time("exp")?, self.time("nbf")?);
        let issued_at = self.time("iat")?;
        if now >= expires_at.saturating_add(SKEW_MS) {
            return Err(IdentityError::Expired);
        }
        if begins_at.max(issued_at) > now.saturating_add(SKEW_MS) {
            return Err(IdentityError::NotYet);
        }
        let party = self.required("azp")?;
        if !expected.parties.iter().any(|allowed| allowed == party) {
            return Err(IdentityError::Party);
        }
        if self.required("iss")? != expected.issuer {
            return Err(IdentityError::Issuer);
        }
        // `active` or absent: any other state is one that is not finished.
        if self.text("sts")?.is_some_and(|state| state != "active") {
            return Err(IdentityError::Pending);
        }
        Ok(Claims {
            subject: self.required("sub")?.to_owned(),
            session: self.required("sid")?.to_owned(),
            side: self.side()?,
            organisation: self.organisation()?,
            impersonator: self.impersonator()?,
            issued_at,
            expires_at,
        })
    }

    /// From the claims that the installation configures out of public metadata. What a browser may
    /// write itself is never looked at. Two that differ are none.
    fn side(&self) -> Result<Option<Side>, IdentityError> {
        let metadata = self.object("metadata")?;
        let nested = metadata.map(|metadata| text_in(metadata, "role", "metadata.role"));
        let nested = nested.transpose()?.flatten();
        match (self.text("role")?, nested) {
            (Some(one), Some(other)) if one != other => Err(IdentityError::Claim("role")),
            (one, other) => Ok(one.or(other).and_then(Side::from_name)),
        }
    }

    fn organisation(&self) -> Result<Option<Organisation>, IdentityError> {
        match self.0.get("v") {
            None => {
                let Some(id) = self.text("org_id")? else { return Ok(None) };
                let role = self.text("org_role")?;
                let role = role.map(|role| role.strip_prefix("org:").unwrap_or(role).to_owned());
                Ok(Some(Organisation { id: id.to_owned(), role }))
            }
            Some(version) if version == 2 => {
                let Some(organisation) = self.object("o")? else { return Ok(None) };
                let id =
                    text_in(organisation, "id", "o.id")?.ok_or(IdentityError::Claim("o.id"))?;
                let role = text_in(organisation, "rol", "o.rol")?.map(str::to_owned);
                Ok(Some(Organisation { id: id.to_owned(), role }))
            }
            Some(_) => Err(IdentityError::Claim("v")),
        }
    }

    fn impersonator(&self) -> Result<Option<String>, IdentityError> {
        let Some(actor) = self.object("act")? else { return Ok(None) };
        let subject = text_in(actor, "sub", "act.sub")?.ok_or(IdentityError::Claim("act.sub"))?;
        Ok(Some(subject.to_owned()))
    }
}

fn text_in<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    claim: &'static str,
) -> Result<Option<&'a str>, IdentityError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(IdentityError::Claim(claim)),
    }
}
