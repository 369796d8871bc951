//! `/doctor`: why events did not count, for a brand; what is misconfigured or stuck, for an operator.

use axum::Json;
use serde_json::{Value, json};
use sponsorhub_core::actor::{Action, Role};

use super::Fault;
use super::caller::Caller;
use crate::doctor::{brand, operator};
use crate::problem::Problem;

pub(super) async fn show(caller: Caller) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadLedger)?;
    let of = if caller.role == Role::Admin { None } else { Some(caller.brand()?) };
    tokio::task::block_in_place(|| {
        let found = match of {
            None => operator::findings(&caller.shared),
            Some(of) => brand::findings(&caller.shared, of),
        };
        Ok(Json(json!({ "data": found.map_err(Fault::from)?, "next_cursor": null })))
    })
}
