//! What changes the registry, and the rules that it can run against.

use std::fmt;

use sponsorhub_core::ids::{ApiKeyId, BrandId, CampaignId, CreatorId, EnrollmentId, NoteId};

use super::{
    ApiChange, ApiKey, Brand, Forgotten, Maker, NearMiss, Note, PersonName, PromoCode,
    ProviderChange, WebhookChange, Wrapped,
};

/// Memory that a change takes beside its texts.
const CHANGE_BYTES: usize = 256;

/// One step of a use case. What the caller must have checked (spelling of slugs, codes, names and
/// destinations) is not checked again.
#[derive(Clone, Debug)]
pub enum Change {
    /// A brand joins.
    AddBrand(Brand),
    /// A brand is called otherwise. The name before is not found in the files afterwards.
    NameBrand {
        /// Which.
        brand: BrandId,
        /// The name.
        name: String,
    },
    /// A brand's shop expects the click token in another query parameter.
    NameClickParameter {
        /// Whose shop.
        brand: BrandId,
        /// The parameter.
        parameter: String,
    },
    /// A creator joins.
    AddCreator {
        /// Who.
        creator: CreatorId,
        /// What the creator is called.
        name: PersonName,
        /// When, milliseconds.
        at: i64,
    },
    /// A creator is to be erased as soon as nothing is owed. Asked again, the first time counts.
    AskErasure {
        /// Who.
        creator: CreatorId,
        /// When, milliseconds.
        at: i64,
    },
    /// Everything that leads from ledgers to this person goes; the ledgers stay as they are.
    EraseCreator {
        /// Who.
        creator: CreatorId,
        /// When, milliseconds.
        at: i64,
    },
    /// A brand runs a campaign.
    OwnCampaign {
        /// The campaign, which is opened at the latest in the same commit.
        campaign: CampaignId,
        /// Whose.
        brand: BrandId,
        /// When, milliseconds.
        at: i64,
    },
    /// An enrollment is this creator's. Record it before the enrollment starts: the ledger does
    /// not say whom it pays, and nothing else could.
    MapEnrollment {
        /// In which campaign.
        campaign: CampaignId,
        /// The enrollment.
        enrollment: EnrollmentId,
        /// Whose.
        creator: CreatorId,
        /// When, milliseconds.
        at: i64,
    },
    /// A brand gets a key.
    IssueApiKey(ApiKey),
    /// A key takes over from the one that it [replaces](ApiKey::replaces), which ends at a time or
    /// sooner.
    ReplaceApiKey {
        /// The new one.
        key: ApiKey,
        /// When the old one ends at the latest, milliseconds.
        until: i64,
    },
    /// A key ends at a time, so that another can take over before. The time may only come closer.
    ExpireApiKey {
        /// Which.
        key: ApiKeyId,
        /// When, milliseconds.
        expires_at: i64,
    },
    /// A key is valid no more.
    RevokeApiKey {
        /// Which.
        key: ApiKeyId,
        /// When, milliseconds.
        at: i64,
    },
    /// Keys were used at these times, milliseconds. Unknown ones are passed over.
    NoteKeyUses(Vec<(ApiKeyId, i64)>),
    /// A campaign gets its next link. Answered with [`Recorded::Link`].
    IssueLink {
        /// The campaign.
        campaign: CampaignId,
        /// Whom the link credits. The enrollment has started, at the latest in the same commit.
        enrollment: EnrollmentId,
        /// Where the link leads.
        destination: String,
        /// Who makes it, where that is known.
        maker: Option<Maker>,
        /// When, milliseconds.
        at: i64,
    },
    /// A link leads nowhere any more.
    RevokeLink {
        /// The campaign.
        campaign: CampaignId,
        /// The link's number in it.
        number: u32,
        /// When, milliseconds.
        at: i64,
    },
    /// A link gets another name.
    NameLink {
        /// The name, unique over the installation.
        slug: String,
        /// The link's campaign.
        campaign: CampaignId,
        /// The link's number in it.
        number: u32,
        /// When, milliseconds.
        at: i64,
    },
    /// A creator gets a promo code, for a campaign that the code's brand runs.
    IssuePromoCode(PromoCode),
    /// A promo code is valid no more. It stays taken.
    RevokePromoCode {
        /// Whose shop.
        brand: BrandId,
        /// The code as it is looked up.
        folded: String,
        /// When, milliseconds.
        at: i64,
    },
    /// The one key of a campaign.
    KeepCampaignKey {
        /// The campaign.
        campaign: CampaignId,
        /// The key, encrypted.
        wrapped: Wrapped,
        /// The master key that it is wrapped with.
        key_id: u16,
        /// When, milliseconds.
        at: i64,
    },
    /// A campaign's key goes at the end of retention.
    DestroyCampaignKey {
        /// The campaign.
        campaign: CampaignId,
        /// When, milliseconds.
        at: i64,
    },
    /// Somebody gives a reason. The same note again changes nothing.
    KeepNote(Note),
    /// What it was the reason of was refused, so it goes.
    DropNote {
        /// In which campaign.
        campaign: CampaignId,
        /// Which.
        id: NoteId,
    },
    /// What is older than it has to be goes.
    Forget(Forgotten),
    /// Reports were refused. The newest [`super::NEAR_MISSES_MAX`] of each brand are kept. Lossy by
    /// design: brands that are unknown are passed over, and whoever finds the queue full drops it.
    NoteNearMisses(Vec<NearMiss>),
    /// Something about the payment provider.
    Provider(ProviderChange),
    /// Something about users and requests of the API.
    Api(ApiChange),
    /// Something about endpoints of brands and creators.
    Webhook(WebhookChange),
}

impl Change {
    /// Whether something that caches keep is another after it.
    pub fn is_cached(&self) -> bool {
        !matches!(
            self,
            Self::NoteKeyUses(_)
                | Self::NoteNearMisses(_)
                | Self::AskErasure { .. }
                | Self::KeepNote(_)
                | Self::DropNote { .. }
                | Self::Forget(_)
                | Self::Provider(_)
                | Self::Api(_)
                | Self::Webhook(_)
        )
    }

    /// Whether it takes away what nobody may find in the files afterwards, in the log of the database
    /// either.
    pub(crate) fn erases(&self) -> bool {
        matches!(
            self,
            Self::EraseCreator { .. }
                | Self::NameBrand { .. }
                | Self::DestroyCampaignKey { .. }
                | Self::DropNote { .. }
                | Self::Forget(_)
                | Self::Provider(ProviderChange::ForgetEvents { .. })
                | Self::Webhook(WebhookChange::Remove { .. })
        )
    }

    /// Rows that it writes, at least 1.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::NoteKeyUses(uses) => uses.len().max(1),
            Self::NoteNearMisses(misses) => misses.len().max(1),
            Self::Webhook(change) => change.rows(),
            _ => 1,
        }
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = match self {
            Self::AddBrand(brand) => brand.name.len() + brand.click_parameter.len(),
            Self::NameClickParameter { parameter, .. } => parameter.len(),
            Self::AddCreator { name, .. } => name.0.len(),
            Self::NameBrand { name, .. } => name.len(),
            Self::IssueApiKey(key) | Self::ReplaceApiKey { key, .. } => {
                let secret = key.signing_secret.as_ref().map_or(0, |secret| secret.0.len());
                key.scopes.iter().map(String::len).sum::<usize>() + secret
            }
            Self::IssueLink { destination, .. } => destination.len(),
            Self::NameLink { slug, .. } => slug.len(),
            Self::IssuePromoCode(code) => {
                code.folded.len() + code.readable.len() + code.display.len()
            }
            Self::RevokePromoCode { folded, .. } => folded.len(),
            Self::KeepCampaignKey { wrapped, .. } => wrapped.0.len(),
            Self::NoteNearMisses(misses) => misses
                .iter()
                .map(|miss| {
                    let field = miss.field.as_ref().map_or(0, String::len);
                    miss.code.len() + miss.detail.len() + field
                })
                .sum(),
            Self::Provider(change) => change.bytes(),
            Self::Api(change) => change.bytes(),
            Self::Webhook(change) => change.bytes(),
            Self::KeepNote(note) => note.text.0.len(),
            Self::AskErasure { .. }
            | Self::EraseCreator { .. }
            | Self::DropNote { .. }
            | Self::Forget(_)
            | Self::OwnCampaign { .. }
            | Self::MapEnrollment { .. }
            | Self::ExpireApiKey { .. }
            | Self::RevokeApiKey { .. }
            | Self::NoteKeyUses(_)
            | Self::RevokeLink { .. }
            | Self::DestroyCampaignKey { .. } => 0,
        };
        texts + self.rows() * CHANGE_BYTES
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is done, durably.
    Done,
    /// The link is there, durably, under this number of its campaign.
    Link {
        /// 1, 2, 3, …
        number: u32,
    },
    /// A rule said no; nothing was changed.
    Conflict {
        /// Which.
        rule: Rule,
    },
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal,)*) => {
        /// What a change can run against. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }
    };
}

rules! {
    /// No such brand.
    BrandKnown = "brand_known",
    /// No such creator, or erased.
    CreatorKnown = "creator_known",
    /// No such campaign.
    CampaignKnown = "campaign_known",
    /// The campaign has no such enrollment.
    EnrollmentKnown = "enrollment_known",
    /// No such API key.
    ApiKeyKnown = "api_key_known",
    /// No such link.
    LinkKnown = "link_known",
    /// No such promo code.
    PromoCodeKnown = "promo_code_known",
    /// The campaign has no key, or it is destroyed.
    CampaignKeyKnown = "campaign_key_known",
    /// A brand of this id is there.
    BrandUnique = "brand_unique",
    /// A creator of this id is there.
    CreatorUnique = "creator_unique",
    /// The campaign has an owner.
    OwnerUnique = "owner_unique",
    /// The enrollment is somebody's.
    EnrollmentUnique = "enrollment_unique",
    /// An API key of this id or secret is there.
    ApiKeyUnique = "api_key_unique",
    /// Another key has taken over from it, and stands.
    ReplacedOnce = "replaced_once",
    /// The slug is taken.
    SlugUnique = "slug_unique",
    /// The brand has, or had, a promo code that looks the same.
    PromoCodeUnique = "promo_code_unique",
    /// The campaign has, or had, a key (INV-4).
    CampaignKeyUnique = "campaign_key_unique",
    /// What is revoked stays revoked at the time at which it was.
    RevokedOnce = "revoked_once",
    /// A key would be valid for longer than was said.
    ExpiryComesCloser = "expiry_comes_closer",
    /// A scope is empty or contains a blank.
    ScopeIsOneWord = "scope_is_one_word",
    /// Signatures are asked for and there is no secret to check them with.
    SignatureHasSecret = "signature_has_secret",
    /// The code's brand does not run the code's campaign.
    CampaignIsOfBrand = "campaign_is_of_brand",
    /// No such account at the provider.
    RecipientKnown = "recipient_known",
    /// The creator has an account, or the account is another creator's.
    RecipientUnique = "recipient_unique",
    /// This event of the provider came before.
    EventUnique = "event_unique",
    /// No such event, or it is dealt with.
    EventWaits = "event_waits",
    /// The user, or the brand or creator, is known already.
    UserUnique = "user_unique",
    /// The user left after their token was issued.
    UserDeparted = "user_departed",
    /// No such user.
    UserKnown = "user_known",
    /// Somebody does not change sides.
    UserSide = "user_side",
    /// An owner wants to let in again whom an operator has suspended.
    OperatorSuspended = "operator_suspended",
    /// An operator wants to make somebody one again who was removed at the machine.
    NamedAtTheMachine = "named_at_the_machine",
    /// Who joins a team that is not there.
    TeamKnown = "team_known",
    /// A brand keeps somebody who may do everything.
    OwnerRemains = "owner_remains",
    /// Something was asked under this idempotency key before.
    RequestUnique = "request_unique",
    /// No such request, or it is answered.
    RequestWaits = "request_waits",
    /// No such endpoint.
    WebhookKnown = "webhook_known",
    /// An endpoint of this id is there.
    WebhookUnique = "webhook_unique",
    /// An endpoint was told more of the ledger already.
    ToldMovesOn = "told_moves_on",
    /// No such delivery.
    DeliveryKnown = "delivery_known",
    /// No such delivery, or it waits no more.
    DeliveryWaits = "delivery_waits",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
