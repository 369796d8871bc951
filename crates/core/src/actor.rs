//! Who acts: roles, and the one table of what each may do.
//!
//! The table says whether a role may do such a thing at all. Whose thing it is (this brand's
//! campaign, this creator's enrollment) is for whoever looks it up: a role alone never opens
//! somebody else's. docs/api.md lists the roles.

use std::fmt;

/// On which side somebody stands, as the identity provider says. Nobody has one by default: without
/// one nothing is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Pays for campaigns.
    Brand,
    /// Is paid by them.
    Creator,
    /// Operates the installation.
    Admin,
}

impl Side {
    /// All sides.
    pub const ALL: [Self; 3] = [Self::Brand, Self::Creator, Self::Admin];

    /// The name in tokens, API and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Creator => "creator",
            Self::Admin => "admin",
        }
    }

    /// The side of exactly that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

/// What somebody may do, by the product's own list of users. A brand is a team of three roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Of a brand: may only look.
    Viewer,
    /// Of a brand: runs campaigns, and commits no money.
    Member,
    /// Of a brand: everything, money, keys and team included.
    Owner,
    /// Is paid.
    Creator,
    /// Operates the installation.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Member, Self::Owner, Self::Creator, Self::Admin];

    /// The name in store, API and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Owner => "owner",
            Self::Creator => "creator",
            Self::Admin => "admin",
        }
    }

    /// The role of exactly that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// On which side it stands.
    pub const fn side(self) -> Side {
        match self {
            Self::Viewer | Self::Member | Self::Owner => Side::Brand,
            Self::Creator => Side::Creator,
            Self::Admin => Side::Admin,
        }
    }

    /// What the identity provider's word for somebody's place in an organisation means for its brand.
    /// Words that are not known here may only look.
    pub fn in_organisation(word: Option<&str>) -> Self {
        match word {
            Some("admin" | "owner") => Self::Owner,
            Some("member") => Self::Member,
            _ => Self::Viewer,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row for each action: meaning, name, and who may. The enum, the list and the match come from
/// the same rows, so that none can be forgotten.
macro_rules! actions {
    ($(#[doc = $meaning:literal] $action:ident = $name:literal: $($role:ident),+;)*) => {
        /// What the API does for somebody.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $meaning] $action,)*
        }

        impl Action {
            /// All actions, in the order of a campaign's life.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// The name in problems and documents.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }

            /// What it is, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$action => $meaning.trim_ascii(),)*
                }
            }

            /// Who may.
            pub const fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$action => &[$(Role::$role),+],)*
                }
            }
        }
    };
}

actions! {
    /// Open a campaign and set its terms.
    CreateCampaign = "create_campaign": Member, Owner;
    /// Open a checkout for a deposit.
    OpenDeposit = "open_deposit": Owner;
    /// Go live.
    LaunchCampaign = "launch_campaign": Owner;
    /// Stop the crediting of clicks for a while.
    PauseCampaign = "pause_campaign": Member, Owner, Admin;
    /// Credit clicks again.
    ResumeCampaign = "resume_campaign": Member, Owner;
    /// End a campaign.
    CompleteCampaign = "complete_campaign": Owner, Admin;
    /// Give a campaign up before it went live.
    CancelCampaign = "cancel_campaign": Owner;
    /// Accept the terms and take part.
    Enroll = "enroll": Creator;
    /// Make a link.
    MakeLink = "make_link": Creator;
    /// Make a promo code.
    MakeCode = "make_code": Creator;
    /// End a creator's part; earned money stays.
    EndEnrollment = "end_enrollment": Member, Owner, Creator, Admin;
    /// Set a conversion aside on suspicion, until a deadline.
    PlaceHold = "place_hold": Member, Owner, Admin;
    /// Let a held conversion count.
    ReleaseHold = "release_hold": Member, Owner, Admin;
    /// Let a held conversion earn nothing. It saves the brand money, so the brand does not decide it.
    UpholdHold = "uphold_hold": Admin;
    /// Have an account at the payment provider and be led through its questions.
    ManageRecipient = "manage_recipient": Creator;
    /// See a campaign, its state and its terms.
    ReadCampaign = "read_campaign": Viewer, Member, Owner, Creator, Admin;
    /// See all entries of a ledger.
    ReadLedger = "read_ledger": Viewer, Member, Owner, Admin;
    /// See the accounts of a campaign.
    ReadBalances = "read_balances": Viewer, Member, Owner, Admin;
    /// See one's own conversions, entries and earnings.
    ReadOwnEarnings = "read_own_earnings": Creator;
    /// See payouts and what came of them; a creator sees their own.
    ReadPayouts = "read_payouts": Viewer, Member, Owner, Creator, Admin;
    /// See statements; everyone their own.
    ReadStatements = "read_statements": Viewer, Member, Owner, Creator, Admin;
    /// Make and revoke one's API keys. An operator does it for a brand by `sponsorhub keys`.
    ManageKeys = "manage_keys": Owner;
    /// Have events of one's own sent to an address.
    ManageWebhooks = "manage_webhooks": Owner, Creator;
    /// See who is in the brand's team.
    ReadTeam = "read_team": Viewer, Member, Owner;
    /// Change what somebody in the brand's team may do, or end it.
    ManageTeam = "manage_team": Owner;
    /// See and steer the installation: workers, reviews, adjustments.
    Operate = "operate": Admin;
}

/// What an API key may do. Keys are a brand's; beyond conversions they only look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Report orders and refunds by `/v`.
    ConversionsWrite,
    /// See campaigns, who takes part, their links, codes and holds.
    CampaignsRead,
    /// See entries, conversions, accounts, deposits, refunds, payouts and statements.
    LedgerRead,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::ConversionsWrite, Self::CampaignsRead, Self::LedgerRead];

    /// The name in API and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConversionsWrite => "conversions:write",
            Self::CampaignsRead => "campaigns:read",
            Self::LedgerRead => "ledger:read",
        }
    }

    /// The scope of exactly that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Whether a key of this scope may do such a thing by the API.
    pub const fn allows(self, action: Action) -> bool {
        match self {
            Self::ConversionsWrite => false,
            Self::CampaignsRead => matches!(action, Action::ReadCampaign),
            Self::LedgerRead => matches!(
                action,
                Action::ReadLedger
                    | Action::ReadBalances
                    | Action::ReadPayouts
                    | Action::ReadStatements
            ),
        }
    }
}

/// Whether somebody in that role may do such a thing at all.
pub fn allows(role: Role, action: Action) -> bool {
    action.roles().contains(&role)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Written by hand, so that a change of the table is made twice, once here.
    const MAY: [(Role, &str); 5] = [
        (
            Role::Viewer,
            "read_campaign read_ledger read_balances read_payouts read_statements read_team",
        ),
        (
            Role::Member,
            "create_campaign pause_campaign resume_campaign end_enrollment place_hold release_hold \
             read_campaign read_ledger read_balances read_payouts read_statements read_team",
        ),
        (
            Role::Owner,
            "create_campaign open_deposit launch_campaign pause_campaign resume_campaign \
             complete_campaign cancel_campaign end_enrollment place_hold release_hold \
             read_campaign read_ledger read_balances read_payouts read_statements manage_keys \
             manage_webhooks read_team manage_team",
        ),
        (
            Role::Creator,
            "enroll make_link make_code end_enrollment manage_recipient read_campaign \
             read_own_earnings read_payouts read_statements manage_webhooks",
        ),
        (
            Role::Admin,
            "pause_campaign complete_campaign end_enrollment place_hold release_hold uphold_hold \
             read_campaign read_ledger read_balances read_payouts read_statements operate",
        ),
    ];

    #[test]
    fn each_role_may_do_exactly_what_is_listed_for_it() {
        for (role, names) in MAY {
            let allowed = Action::ALL.iter().filter(|action| allows(role, **action));
            let allowed: Vec<_> = allowed.map(|action| action.name()).collect();
            let listed: Vec<_> = names.split_ascii_whitespace().collect();
            assert_eq!(allowed, listed, "{role}");
        }
    }

    #[test]
    fn an_api_key_may_do_nothing_that_a_viewer_may_not() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
            for action in Action::ALL.iter().filter(|action| scope.allows(**action)) {
                assert!(allows(Role::Viewer, *action), "{} {}", scope.name(), action.name());
            }
        }
    }

    #[test]
    fn names_are_unique_and_a_role_has_one_spelling() {
        let names: BTreeSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(Role::from_name(&role.name().to_uppercase()), None);
        }
        assert_eq!(Role::from_name(""), None);
        for side in Side::ALL {
            assert_eq!(Side::from_name(side.name()), Some(side));
            assert!(Role::ALL.iter().any(|role| role.side() == side));
        }
        assert!(Role::Viewer < Role::Member && Role::Member < Role::Owner, "the weaker is less");
    }
}
