//! What creators share: links and promo codes.

use sponsorhub_core::ids::{BrandId, CampaignId, EnrollmentId};

/// Who made a link, as far as a purchase by the same person can be told from it: keyed hashes under
/// the pepper of one master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker {
    /// The master whose pepper it is.
    pub key_id: u16,
    /// Keyed hash of the network.
    pub network: [u8; 8],
    /// Keyed hash of the user agent.
    pub agent: [u8; 8],
}

impl Maker {
    /// As it is stored.
    pub(crate) fn to_bytes(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        bytes[..2].copy_from_slice(&self.key_id.to_be_bytes());
        bytes[2..10].copy_from_slice(&self.network);
        bytes[10..].copy_from_slice(&self.agent);
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; 18]) -> Self {
        let [high, low, rest @ ..] = bytes;
        let (network, agent) = rest.split_at(8);
        Self {
            key_id: u16::from_be_bytes([high, low]),
            network: network.try_into().expect("8 of 16"),
            agent: agent.try_into().expect("8 of 16"),
        }
    }
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// 1, 2, 3, … in its campaign.
    pub number: u32,
    /// Whom it credits.
    pub enrollment: EnrollmentId,
    /// Where it leads.
    pub destination: String,
    /// Who made it, where that is known.
    pub maker: Option<Maker>,
    /// When it was made, milliseconds.
    pub created_at: i64,
    /// When it was revoked, milliseconds.
    pub revoked_at: Option<i64>,
}

/// A promo code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoCode {
    /// In whose shop it is valid.
    pub brand: BrandId,
    /// The form under which it is looked up, unique in the brand.
    pub folded: String,
    /// What it is for.
    pub campaign: CampaignId,
    /// Whom it credits.
    pub enrollment: EnrollmentId,
    /// The part that the creator chose.
    pub readable: String,
    /// The whole as it is shown.
    pub display: String,
    /// The master key that its check characters come from.
    pub key_id: u16,
    /// When it was issued, milliseconds.
    pub created_at: i64,
    /// When it was revoked, milliseconds.
    pub revoked_at: Option<i64>,
}
