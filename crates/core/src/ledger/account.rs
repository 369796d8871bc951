//! Accounts of a campaign. Those marked «per enrollment» exist once for each.

use std::fmt;

/// The name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Account {
    /// Debit. Money of this campaign at the payment provider.
    Provider,
    /// Debit, per enrollment. What a creator owes back (INV-15).
    Clawback,
    /// Debit. What the brand owes after its deposit was taken back.
    BrandReceivable,
    /// Debit. Provider costs that the operator bears.
    ProviderCosts,
    /// Credit. Confirmed and free.
    CampaignFunds,
    /// Credit. Kept for the provider's fee until it is known.
    FeeReserve,
    /// Credit, per enrollment. Reserved fixed base and its fee.
    BaseReserve,
    /// Credit, per enrollment. Accrued and waiting for a decision, with its fee.
    Held,
    /// Credit, per enrollment. The creator's money.
    Payable,
    /// Credit. Planned payouts on their way.
    DisbursementClearing,
    /// Credit. Planned refunds on their way.
    RefundClearing,
    /// Credit. Counterpart of all claw-backs; not spendable.
    Recoverable,
    /// Credit. The platform's fees.
    PlatformFees,
    /// Credit. Cash of the operator in this campaign.
    PlatformAdvance,
    /// Credit, per enrollment. Earned, but the creator cannot be paid yet.
    Unclaimed,
}

impl Account {
    /// How many account names there are.
    pub const COUNT: usize = 15;

    /// All, debit side first.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Provider,
        Self::Clawback,
        Self::BrandReceivable,
        Self::ProviderCosts,
        Self::CampaignFunds,
        Self::FeeReserve,
        Self::BaseReserve,
        Self::Held,
        Self::Payable,
        Self::DisbursementClearing,
        Self::RefundClearing,
        Self::Recoverable,
        Self::PlatformFees,
        Self::PlatformAdvance,
        Self::Unclaimed,
    ];

    /// Those that must be empty when a campaign is closed (design, lifecycle).
    pub const ZERO_AT_CLOSE: [Self; 9] = [
        Self::CampaignFunds,
        Self::FeeReserve,
        Self::BaseReserve,
        Self::Held,
        Self::Payable,
        Self::DisbursementClearing,
        Self::RefundClearing,
        Self::Clawback,
        Self::Recoverable,
    ];

    /// The name in SQL, API and prose.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Clawback => "clawback",
            Self::BrandReceivable => "brand_receivable",
            Self::ProviderCosts => "provider_costs",
            Self::CampaignFunds => "campaign_funds",
            Self::FeeReserve => "fee_reserve",
            Self::BaseReserve => "base_reserve",
            Self::Held => "held",
            Self::Payable => "payable",
            Self::DisbursementClearing => "disbursement_clearing",
            Self::RefundClearing => "refund_clearing",
            Self::Recoverable => "recoverable",
            Self::PlatformFees => "platform_fees",
            Self::PlatformAdvance => "platform_advance",
            Self::Unclaimed => "unclaimed",
        }
    }

    /// Whether a debit makes its balance larger.
    pub const fn is_debit(self) -> bool {
        matches!(
            self,
            Self::Provider | Self::Clawback | Self::BrandReceivable | Self::ProviderCosts
        )
    }

    /// Whether there is one per enrollment.
    pub const fn is_per_enrollment(self) -> bool {
        matches!(
            self,
            Self::Clawback | Self::BaseReserve | Self::Held | Self::Payable | Self::Unclaimed
        )
    }

    /// Position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
