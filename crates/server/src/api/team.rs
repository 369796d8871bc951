//! Who may act for a brand, and who may act at all.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sponsorhub_core::actor::{Action, Role, Side};
use sponsorhub_store::registry::{ApiChange, Decider, User, UserChange};
use sponsorhub_store::{Change, Rule};

use super::caller::{Caller, not_found};
use super::extract::{Content, Path, body_of};
use super::once::Seed;
use super::versions::versioned;
use super::{Fault, Page};
use crate::problem::Problem;

fn shown(user: &User) -> Value {
    let shown = json!({
        "user": user.subject,
        "role": user.role,
        "is_suspended": user.suspended_at.is_some(),
        "joined_at": user.created_at,
        "changed_at": user.changed_at,
    });
    versioned(shown, &["role", "is_suspended", "changed_at"])
}

fn team(caller: &Caller) -> Result<Vec<User>, Problem> {
    let brand = caller.brand()?;
    let team = caller.shared.desk.registry(|registry| registry.users_of(brand.0));
    Ok(team.map_err(Fault::from)?)
}

/// Everybody who is or was in the brand's team.
pub(super) async fn list(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::ReadTeam)?;
    tokio::task::block_in_place(|| {
        let team = team(&caller)?;
        page.cut((1_u64..).zip(team.iter().map(shown))).map(Json)
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    role: Option<String>,
    is_suspended: Option<bool>,
}

/// Changes what somebody in the team may do, or whether they may do anything.
pub(super) async fn change(
    caller: Caller,
    Path(subject): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::ManageTeam)?;
    let wanted: Place = body_of(&body)?;
    let is_role =
        |role: &String| Role::from_name(role).is_some_and(|role| role.side() == Side::Brand);
    if !wanted.role.as_ref().is_none_or(is_role) {
        return Err(Fault::Field("role", "viewer, member or owner".to_owned()).into());
    }
    tokio::task::block_in_place(|| member(&caller, &subject))?;
    let find = || member(&caller, &subject);
    caller.once(&body, |_| {}, async |_: Seed| place(&caller, find, &wanted).await).await
}

fn member(caller: &Caller, subject: &str) -> Result<User, Problem> {
    team(caller)?.into_iter().find(|user| user.subject == subject).ok_or_else(not_found)
}

/// Everybody who ever joined, operators too.
pub(super) async fn users(caller: Caller, page: Page) -> Result<Json<Value>, Problem> {
    caller.may(Action::Operate)?;
    tokio::task::block_in_place(|| {
        let desk = &caller.shared.desk;
        let page = page.gather(page.after_text().to_owned(), |after, count| {
            let found = desk.registry(|registry| registry.users(after, count));
            let found = found.map_err(Fault::from)?.into_iter();
            Ok(found.map(|user| (user.subject.clone(), Some(shown(&user)))).collect())
        });
        page.map(Json)
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suspended {
    is_suspended: bool,
}

/// Lets a user do nothing any more, or lets them in again. What a creator has earned stays theirs.
pub(super) async fn suspend(
    caller: Caller,
    Path(subject): Path<String>,
    body: Content,
) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    let Suspended { is_suspended } = body_of(&body)?;
    let wanted = Place { role: None, is_suspended: Some(is_suspended) };
    let find = || {
        let found = caller.shared.desk.registry(|registry| registry.user(&subject));
        found.map_err(Fault::from)?.ok_or_else(not_found)
    };
    if is_suspended && subject == caller.subject {
        let detail = "ask another operator: nobody locks themself out";
        return Err(Problem::new(StatusCode::CONFLICT, "suspends_themself", detail));
    }
    tokio::task::block_in_place(find)?;
    caller.once(&body, |_| {}, async |_: Seed| place(&caller, find, &wanted).await).await
}

async fn place(
    caller: &Caller,
    find: impl Fn() -> Result<User, Problem>,
    wanted: &Place,
) -> Result<(StatusCode, Value), Problem> {
    let alone = caller.alone_with(&tokio::task::block_in_place(&find)?.subject);
    let _alone = alone.lock().await;
    tokio::task::block_in_place(|| {
        let (known, now) = (find()?, caller.shared.clock.now());
        caller.has_seen(&shown(&known))?;
        let since = |is_suspended| known.suspended_at.or(Some(now)).filter(|_| is_suspended);
        let change = UserChange {
            subject: known.subject.clone(),
            role: wanted.role.clone().unwrap_or_else(|| known.role.clone()),
            suspended_at: wanted.is_suspended.map_or(known.suspended_at, since),
            // A clock that was ahead once must not keep anybody in.
            at: now.max(known.changed_at),
            keeps_an_owner: caller.role.side() == Side::Brand,
            by: if caller.role == Role::Admin { Decider::Operator } else { Decider::Team },
        };
        caller.shared.desk.record(Change::Api(ApiChange::ChangeUser(change)), None).map_err(
            |error| match error {
                sponsorhub_app::desk::CommandError::Rule(Rule::OwnerRemains) => {
                    let detail = "make somebody else an owner first";
                    Problem::new(StatusCode::CONFLICT, "owner_remains", detail)
                }
                sponsorhub_app::desk::CommandError::Rule(Rule::OperatorSuspended) => {
                    let detail =
                        "an operator has suspended them, and only an operator lets them in";
                    Problem::new(StatusCode::CONFLICT, "operator_suspended", detail)
                }
                // Also where they were removed a moment ago.
                sponsorhub_app::desk::CommandError::Rule(Rule::NamedAtTheMachine) => {
                    let detail = "operators are named at the machine: `sponsorhub keys add-admin`";
                    Problem::new(StatusCode::CONFLICT, "named_at_the_machine", detail)
                }
                error => Fault::from(error).into(),
            },
        )?;
        Ok((StatusCode::OK, shown(&find()?)))
    })
}
