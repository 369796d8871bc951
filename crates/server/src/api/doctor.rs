//! `/doctor`: why events did not count, for a brand; what is misconfigured or stuck, for an operator.

use axum::Json;
use serde_json::{Value, json};
use sponsorhub_core::actor::{Action, Role};

use super::caller::Caller;
use super::{Fault, Page};
use crate::doctor::{brand, operator};
use crate::problem::Problem;

pub(super) async fn show(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadLedger)?;
    let of = if caller.role == Role::Admin { None } else { Some(caller.brand()?) };
    tokio::task::block_in_place(|| {
        let found = match of {
            None => operator::findings(&caller.shared),
            Some(of) => brand::findings(&caller.shared, of),
        };
        let found = found.map_err(Fault::from)?.into_iter().zip(1_u64..);
        page.cut(found.map(|(one, no)| (no, json!(one)))).map(Json)
    })
}
