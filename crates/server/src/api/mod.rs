//! The JSON API under `/api/v1`. One table of routes makes the router and the `OpenAPI` document.

mod access;
mod budget;
mod caller;
mod campaigns;
mod codes;
mod deposits;
mod disbursements;
mod doctor;
mod endpoints;
mod enrollments;
mod erasure;
mod events;
mod extract;
mod keys;
mod ledger;
mod lists;
mod me;
mod notes;
mod once;
mod openapi;
mod oversight;
mod parties;
mod payments;
mod reference;
mod schemas;
mod standing;
mod table;
mod team;
mod versions;
mod webhooks;
mod workers;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use serde_json::{Value, json};
use sponsorhub_app::campaigns::CampaignError;
use sponsorhub_app::deposits::MoneyError;
use sponsorhub_app::desk::CommandError;
use sponsorhub_app::ports::ProviderError;
use sponsorhub_core::money::{Currency, Minor};
use sponsorhub_core::refusal::Refusal;
use sponsorhub_store::{Rule, StoreError};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::problem::Problem;
use crate::shared::Shared;

pub(crate) use access::{LEFT, log_refused};
pub(crate) use caller::{Caller, Peer, not_found};
pub(crate) use extract::{Path, Query};
use lists::Page;
pub(crate) use once::UnderWay;
pub(crate) use standing::SESSION;

/// Largest body, bytes: with room to spare in an entry, which has at most 64 KiB.
pub(super) const BODY_BYTES_MAX: usize = 32 << 10;

/// All routes of the API.
pub(crate) fn router(shared: Shared) -> Router<Shared> {
    let mut router = Router::new()
        .route("/api/openapi.json", axum::routing::get(openapi::show))
        .route("/api/docs", axum::routing::get(reference::show))
        .route("/problems/{code}", axum::routing::get(codes::show));
    for path in table::paths() {
        router = router.route(&format!("/api/v1{path}"), table::of_path(path));
    }
    // What is told to one caller stays in no cache.
    let name = axum::http::header::CACHE_CONTROL;
    let value = axum::http::HeaderValue::from_static("no-store");
    router
        .layer(from_fn_with_state(shared, access::log))
        .layer(from_fn(budget::show))
        .layer(SetResponseHeaderLayer::if_not_present(name, value))
}

/// What went wrong in a use case, on its way to a [`Problem`].
#[derive(Debug)]
pub(crate) enum Fault {
    Command(CommandError),
    Provider(ProviderError),
    Field(&'static str, String),
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Command(error.into())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Command(refusal.into())
    }
}

impl From<MoneyError> for Fault {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::Command(error) => Self::Command(error),
            MoneyError::Provider(error) => Self::Provider(error),
        }
    }
}

impl From<CampaignError> for Fault {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Command(error) => Self::Command(error),
            CampaignError::Rule(rule) => Self::Command(CommandError::Rule(rule)),
            CampaignError::Field { field, fix } => Self::Field(field, fix),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Field(field, fix) => {
                Self::new(StatusCode::BAD_REQUEST, "field_invalid", fix).about(field)
            }
            Fault::Command(CommandError::Refused(refusal)) => of_refusal(&refusal),
            Fault::Command(CommandError::UnknownCampaign(_)) => caller::not_found(),
            Fault::Command(CommandError::Rule(rule)) => of_rule(rule),
            Fault::Command(CommandError::Busy) => Self::busy(),
            Fault::Command(CommandError::Store(error)) => {
                tracing::error!(%error, "a request met a fault of the store");
                let detail = "the ledger cannot be used now; nothing was changed by this request";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ledger_fault", detail)
            }
            Fault::Provider(ProviderError::Declined { code, message, .. }) => {
                let detail = format!("the payment provider declined ({code}): {message}");
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "provider_declined", detail)
            }
            Fault::Provider(error) => {
                tracing::warn!(%error, "the payment provider was of no help");
                let detail = "the payment provider gives no answer; send the same again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", detail)
            }
        }
    }
}

fn of_refusal(refusal: &Refusal) -> Problem {
    let status = match refusal {
        Refusal::Terms(_) | Refusal::Field { .. } => StatusCode::BAD_REQUEST,
        Refusal::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    let problem = Problem::new(status, refusal.code(), refusal.to_string());
    match refusal {
        Refusal::Terms(error) => problem.about(error.field),
        Refusal::Field { field, .. } => problem.about(*field),
        _ => problem,
    }
}

fn of_rule(rule: Rule) -> Problem {
    let (status, detail) = match rule {
        Rule::SlugUnique => (StatusCode::CONFLICT, "this slug is taken; choose another"),
        Rule::PromoCodeUnique => {
            (StatusCode::CONFLICT, "a code that looks the same is taken; choose another")
        }
        Rule::BrandUnique | Rule::CreatorUnique | Rule::UserUnique => {
            (StatusCode::CONFLICT, "it is there already")
        }
        Rule::UserDeparted => {
            let detail =
                "you left, or were given another place, since this token was issued; sign in again";
            (StatusCode::FORBIDDEN, detail)
        }
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "this does not go together"),
    };
    Problem::new(status, rule.name(), detail)
}

/// An amount as the API writes it.
pub(super) fn money(amount: Minor, currency: Currency) -> Value {
    json!({ "amount": amount.0, "currency": currency.code() })
}
