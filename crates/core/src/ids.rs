//! Identifiers: typed, prefixed, 128 bits.
//!
//! The text form is the prefix and 26 lower-case base32 characters (extended-hex alphabet, so ids
//! made from a version 7 UUID sort by time). Only one spelling of an id is accepted. Inside one ledger
//! things are named by the position (`seq`) of the entry that made them; ids name what crosses
//! its border.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use data_encoding::{BASE32_DNSSEC, BASE64URL_NOPAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id that starts with `{prefix}` and 26 characters of 0-9 a-v")]
pub struct IdError {
    prefix: &'static str,
    text: String,
}

/// A text is not 16 bytes in unpadded URL-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 22 characters of unpadded URL-safe base64")]
pub struct OpaqueError;

/// Reads a string and parses it, without an allocation where the input allows.
fn deserialize_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(PhantomData))
}

/// What each byte means as a digit of base 32; more than 31 where it is none.
const BASE32_DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[b"0123456789abcdefghijklmnopqrstuv"[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

/// The 16 bytes that 26 digits spell. Every entry names two ids, so this is on the way of whoever
/// reads a ledger. One id has one spelling: no upper case, and the two bits left over are zero.
fn sixteen(digits: &[u8; 26]) -> Option<[u8; 16]> {
    let mut all = 0;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0_u64, |number, digit| {
            let digit = BASE32_DIGITS[usize::from(*digit)];
            all |= digit;
            (number << 5) | u64::from(digit & 31)
        })
    };
    let parts = [&digits[..12], &digits[12..24], &digits[24..]];
    let [high, low, last] = parts.map(|digits| u128::from(number(digits)));
    let spelled = all < 32 && last.trailing_zeros() >= 2;
    spelled.then(|| ((high << 68) | (low << 8) | (last >> 2)).to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, BASE32_DNSSEC.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError { prefix: $prefix, text: text.chars().take(40).collect() };
                let digits = text.strip_prefix($prefix).ok_or_else(error)?;
                digits.as_bytes().try_into().ok().and_then(sixteen).map(Self).ok_or_else(error)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer)
            }
        }
    )*};
}

ids! {
    /// A campaign; also names its ledger.
    CampaignId = "cmp_";
    /// A creator's taking part in one campaign. Entries carry this, never the creator's global id.
    EnrollmentId = "enr_";
    /// A brand.
    BrandId = "brd_";
    /// A creator, across campaigns.
    CreatorId = "crt_";
    /// The public name of a brand's API key; the secret is another text.
    ApiKeyId = "key_";
    /// An endpoint that webhooks are sent to.
    WebhookId = "whk_";
    /// What a person wrote for a reason. Entries carry this, never the text.
    NoteId = "note_";
}

/// Position of an entry in its campaign's ledger: 1, 2, 3, … without gaps (INV-6).
pub type Seq = u64;

/// Dense number of an enrollment in its campaign: 0, 1, 2, … in the order of `enrollment.started`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrollmentNo(pub u32);

impl EnrollmentNo {
    /// The number as an index.
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("an index of 32 bits")
    }
}

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0_u8; 22];
                BASE64URL_NOPAD.encode_mut(&self.0, &mut text);
                serializer.serialize_str(std::str::from_utf8(&text).expect("base64 is ASCII"))
            }
        }

        impl FromStr for $name {
            type Err = OpaqueError;
            fn from_str(text: &str) -> Result<Self, OpaqueError> {
                let mut bytes = [0_u8; 16];
                if text.len() != 22 || BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes).is_err()
                {
                    return Err(OpaqueError);
                }
                Ok(Self(bytes))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer)
            }
        }
    )*};
}

opaque! {
    /// Random bytes in each entry, so that a leaf hash tells nothing about guessable contents.
    Salt;
    /// `HMAC(K_dedup, campaign, source, external id, event type)[..16]`: the composite key under
    /// which an event enters a ledger at most once (INV-4).
    CompositeKey;
    /// Keyed hash of an event's artifact, amount, currency and type: tells a repeated delivery
    /// from other content under the same composite key.
    Fingerprint;
    /// One click: a version 7 UUID, which carries its time. This text is the `artifact` of the
    /// conversions that the click earns.
    ClickId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = CampaignId([7; 16]);
        let text = id.to_string();
        assert_eq!(text.len(), 4 + 26);
        assert_eq!(text.parse::<CampaignId>(), Ok(id));
        assert!(text.to_uppercase().parse::<CampaignId>().is_err());
        assert!(text.replace("cmp_", "enr_").parse::<CampaignId>().is_err());
        assert!(format!("{text}0").parse::<CampaignId>().is_err());
        // The last character has two spare bits that must be zero.
        assert!(format!("{}v", text.get(..29).expect("29")).parse::<CampaignId>().is_err());
    }

    #[test]
    fn ids_are_read_as_a_strict_decoder_of_base_32_reads_them() {
        let strict = |text: &str| {
            let decoded = BASE32_DNSSEC.decode(text.as_bytes()).ok()?;
            let bytes: [u8; 16] = decoded.try_into().ok()?;
            (BASE32_DNSSEC.encode(&bytes) == text).then_some(CampaignId(bytes))
        };
        let (mut read, mut refused) = (0, 0);
        for number in 0..50_u8 {
            let bytes: [u8; 16] =
                crate::merkle::leaf_hash(&[number]).0[..16].try_into().expect("16");
            let text = BASE32_DNSSEC.encode(&bytes);
            for place in 0..26 {
                for other in 0..=127_u8 {
                    let mut changed = text.clone().into_bytes();
                    changed[place] = other;
                    let changed = String::from_utf8(changed).expect("ASCII");
                    let found = format!("cmp_{changed}").parse().ok();
                    assert_eq!(found, strict(&changed), "{changed}");
                    *(if found.is_some() { &mut read } else { &mut refused }) += 1;
                }
            }
        }
        assert!(read > 10_000 && refused > 10_000, "{read} read, {refused} refused");
    }

    #[test]
    fn opaque_values_round_trip_through_json() {
        let salt = Salt([250; 16]);
        let text = serde_json::to_string(&salt).expect("a string");
        assert_eq!(serde_json::from_str::<Salt>(&text).expect("the same"), salt);
        assert!(serde_json::from_str::<Salt>("\"AAAA\"").is_err());
        assert!(serde_json::from_str::<Salt>("\"AAAAAAAAAAAAAAAAAAAAAB\"").is_err());
    }
}
