//! The creator's pages: what they earned and why, and which campaigns they may join.

pub(super) mod campaign;
pub(super) mod home;
pub(super) mod join;
pub(super) mod payout;
pub(super) mod share;
pub(super) mod statement;

use sponsorhub_core::ids::BrandId;

use crate::api::Fault;
use crate::problem::Problem;
use crate::shared::Shared;

/// What a brand is called.
pub(super) fn brand_name(shared: &Shared, brand: BrandId) -> Result<String, Problem> {
    let known = shared.desk.registry(|registry| registry.brand(brand)).map_err(Fault::from)?;
    Ok(known.map_or_else(|| "A brand".to_owned(), |known| known.name))
}
