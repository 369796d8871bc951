//! Who operates the installation. The first operator is named at the machine; a role in a token alone
//! makes nobody one.

use serde::{Deserialize, Serialize};
use sponsorhub_core::actor::Role;
use sponsorhub_store::registry::{ApiChange, Decider, User, UserChange};
use sponsorhub_store::{Change, Recorded, Rule, Store, StoreError};

/// A user of the identity provider by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// `user_…`
    pub user: String,
}

/// Why somebody was not made an operator, or did not stop being one.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No id of a user.
    #[error("user: the identity provider's id of a user, as in user_2abc")]
    Malformed,
    /// A brand's or creator's user.
    #[error("user: {0} has joined as {1}; operators have an account of their own")]
    OtherSide(String, String),
    /// Nobody of that id operates anything.
    #[error("user: {0} is no operator")]
    Unknown(String),
    /// The queue is full.
    #[error("the store is busy; try again in a moment")]
    Busy,
    /// The world broke.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Operators who may act, by id.
///
/// # Errors
/// [`StoreError`].
pub fn list(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let users = store.registry()?.users("", usize::MAX)?;
    let acting = users.into_iter().filter(|user| is_operator(user) && user.suspended_at.is_none());
    Ok(acting.map(|user| user.subject).collect())
}

fn is_operator(user: &User) -> bool {
    user.role == Role::Admin.name()
}

/// Makes somebody an operator, from the next request on. Saying it again changes nothing.
///
/// # Errors
/// [`OperatorError`].
pub fn add(store: &dyn Store, user: &str, now: i64) -> Result<(), OperatorError> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !user.starts_with("user_") || user.len() > 100 || !user.chars().all(is_id) {
        return Err(OperatorError::Malformed);
    }
    let change = match store.registry()?.user(user)? {
        None => ApiChange::KeepUser(User {
            subject: user.to_owned(),
            role: Role::Admin.name().to_owned(),
            party: None,
            organisation: None,
            created_at: now,
            changed_at: now,
            suspended_at: None,
            suspended_by_operator: false,
        }),
        Some(known) if is_operator(&known) => ApiChange::ChangeUser(changed(&known, None, now)),
        Some(known) => return Err(OperatorError::OtherSide(user.to_owned(), known.role)),
    };
    record(store, change)
}

/// From the next request on somebody is no operator any more.
///
/// # Errors
/// [`OperatorError`].
pub fn remove(store: &dyn Store, user: &str, now: i64) -> Result<(), OperatorError> {
    let known = store.registry()?.user(user)?.filter(is_operator);
    let known = known.ok_or_else(|| OperatorError::Unknown(user.to_owned()))?;
    record(store, ApiChange::ChangeUser(changed(&known, Some(now), now)))
}

fn changed(known: &User, suspended_at: Option<i64>, now: i64) -> UserChange {
    UserChange {
        subject: known.subject.clone(),
        role: known.role.clone(),
        suspended_at,
        // A clock that was set back must not keep somebody in.
        at: now.max(known.changed_at),
        keeps_an_owner: false,
        by: Decider::Machine,
    }
}

fn record(store: &dyn Store, change: ApiChange) -> Result<(), OperatorError> {
    match store.record_and_wait(Change::Api(change)).map_err(|_| OperatorError::Busy)?? {
        // Somebody else said the same at the same moment.
        Recorded::Conflict { rule: Rule::UserUnique } | Recorded::Done | Recorded::Link { .. } => {
            Ok(())
        }
        Recorded::Conflict { .. } => Err(OperatorError::Busy),
    }
}
