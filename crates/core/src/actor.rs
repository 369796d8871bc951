//! Who acts: roles, and the one table of what each may do.
//!
//! The table says whether a role may do such a thing at all. Whose thing it is (this brand's
//! campaign, this creator's enrollment) is for whoever looks it up: a role alone never opens
//! somebody else's. `cargo xtask permissions` prints the table.

use std::fmt;

/// What somebody is to SponsorHub. Nobody has a role by default: without one nothing is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Pays for campaigns.
    Brand,
    /// Is paid by them.
    Creator,
    /// Operates the installation.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Brand, Self::Creator, Self::Admin];

    /// The name in tokens, API and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brand => "brand",
            Self::Creator => "creator",
            Self::Admin => "admin",
        }
    }

    /// The role of exactly that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
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
    CreateCampaign = "create_campaign": Brand;
    /// Open a checkout for a deposit.
    OpenDeposit = "open_deposit": Brand;
    /// Go live.
    LaunchCampaign = "launch_campaign": Brand;
    /// Stop the crediting of clicks for a while.
    PauseCampaign = "pause_campaign": Brand, Admin;
    /// Credit clicks again.
    ResumeCampaign = "resume_campaign": Brand;
    /// End a campaign.
    CompleteCampaign = "complete_campaign": Brand, Admin;
    /// Give a campaign up before it went live.
    CancelCampaign = "cancel_campaign": Brand;
    /// Accept the terms and take part.
    Enroll = "enroll": Creator;
    /// Make a link.
    MakeLink = "make_link": Creator;
    /// Make a promo code.
    MakeCode = "make_code": Creator;
    /// End a creator's part; earned money stays.
    EndEnrollment = "end_enrollment": Brand, Creator, Admin;
    /// Set a conversion aside on suspicion, until a deadline.
    PlaceHold = "place_hold": Brand, Admin;
    /// Let a held conversion count.
    ReleaseHold = "release_hold": Brand, Admin;
    /// Let a held conversion earn nothing. It saves the brand money, so the brand does not decide it.
    UpholdHold = "uphold_hold": Admin;
    /// Have an account at the payment provider and be led through its questions.
    ManageRecipient = "manage_recipient": Creator;
    /// See a campaign, its state and its terms.
    ReadCampaign = "read_campaign": Brand, Creator, Admin;
    /// See all entries of a ledger.
    ReadLedger = "read_ledger": Brand, Admin;
    /// See the accounts of a campaign.
    ReadBalances = "read_balances": Brand, Admin;
    /// See one's own conversions, entries and earnings.
    ReadOwnEarnings = "read_own_earnings": Creator;
    /// See payouts and what came of them; a creator sees their own.
    ReadPayouts = "read_payouts": Brand, Creator, Admin;
    /// See statements; everyone their own.
    ReadStatements = "read_statements": Brand, Creator, Admin;
    /// Make and revoke one's API keys. An operator does it for a brand by `sponsorhub keys`.
    ManageKeys = "manage_keys": Brand;
    /// Have events of one's own sent to an address.
    ManageWebhooks = "manage_webhooks": Brand, Creator;
    /// See and steer the installation: workers, reviews, adjustments.
    Operate = "operate": Admin;
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
    const MAY: [(Role, &str); 3] = [
        (
            Role::Brand,
            "create_campaign open_deposit launch_campaign pause_campaign resume_campaign \
             complete_campaign cancel_campaign end_enrollment place_hold release_hold \
             read_campaign read_ledger read_balances read_payouts read_statements manage_keys \
             manage_webhooks",
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
    fn names_are_unique_and_a_role_has_one_spelling() {
        let names: BTreeSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(Role::from_name(&role.name().to_uppercase()), None);
        }
        assert_eq!(Role::from_name(""), None);
    }
}
